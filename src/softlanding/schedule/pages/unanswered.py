"""What people do about pickups that Dispatch has not answered: take them by hand, go on waiting, or drop them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from softlanding.errors import Fault, Invalid
from softlanding.lifecycle import Work
from softlanding.schedule.actions.pickups import go_on_waiting, say_not_needed, take_by_hand
from softlanding.schedule.pages.shared import TRAVEL, Name
from softlanding.web import ANSWERS, Doors, Form, once, read_form, see_other

Settling = Callable[..., dict[str, Any]]
WORDS: dict[str, Settling] = {"wait": go_on_waiting, "not-needed": say_not_needed}


def add_doors(doors: Doors, work: Work) -> None:
    @doors.page("/{conference}/organise/unanswered/{pickup}/by-hand", who=TRAVEL, methods=("POST",))
    async def by_hand(request: Request, conference: str, pickup: Name) -> Response:
        form, by = await read_form(request), request.state.visitor.name
        back = _back(request, conference)
        try:
            word = form.required("note", "who fetches them, and how")
            await once(work, request, form.key, "pickup.by_hand", take_by_hand, conference, pickup, by=by, word=word)
        except ANSWERS as error:
            return see_other(back, str(error), "refused")
        return see_other(
            back, f"{pickup} is taken by hand: {word}. Until Dispatch stood down, a driver may still come."
        )

    @doors.page("/{conference}/organise/unanswered/{pickup}/settle", who=TRAVEL, methods=("POST",))
    async def settle(request: Request, conference: str, pickup: Name) -> Response:
        form, by = await read_form(request), request.state.visitor.name
        back = _back(request, conference)
        try:
            action = _action(form)
            note = form.text("note", most=300)
            await once(work, request, form.key, "pickup.settle", action, conference, pickup, by=by, note=note)
        except ANSWERS as error:
            return see_other(back, str(error), "refused")
        said = "is withdrawn: not needed" if action is say_not_needed else "is waited for"
        return see_other(back, f"{pickup} {said}.")


def _action(form: Form) -> Settling:
    word = form.text("word", most=20)
    if word not in WORDS:
        raise Invalid(Fault("word", "choose what to do: wait or not-needed"))
    return WORDS[word]


def _back(request: Request, conference: str) -> str:
    """The page of ours that the form stood on."""
    path = urlsplit(request.headers.get("Referer", "")).path
    own = (f"/{conference}/organise/", f"/{conference}/organise/arrivals")
    return path if path in own else own[1]
