"""The coordinator's board: who waits, which car drives whom, what a person must settle, and what a hand changes."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from softlanding.conferences import Conference
from softlanding.dispatch import driving, runsheets, views
from softlanding.dispatch.actions import fleet, pickups
from softlanding.dispatch.pages.shared import COORDINATORS, Name, Values, live
from softlanding.dispatch.plans import Desk
from softlanding.errors import SoftlandingError
from softlanding.lifecycle import Work
from softlanding.web import ANSWERS, Doors, Form, Pages, once, peers_view, read_form, see_other
from softlanding.web.common import refuse_others_incident, settle_action


def add_doors(doors: Doors, work: Work, pages: Pages, desk: Desk) -> None:
    _add_looking(doors, work, pages, desk)
    _add_hand(doors, work, pages, desk)
    _add_settling(doors, work, pages)
    _add_print(doors, work, pages)


def _add_looking(doors: Doors, work: Work, pages: Pages, desk: Desk) -> None:
    async def context(found: Conference, code: str) -> dict[str, Any]:
        now = work.parts.clock.now()
        given = await work.database.read(views.board, found, now)
        chosen = await work.database.read(views.chosen, desk, found, now, code) if code else None
        return given | {"chosen": chosen, "peers": peers_view(work)}

    @doors.page("/{conference}/dispatch/", who=COORDINATORS)
    async def board(request: Request, conference: str, pickup: str = "") -> Response:
        found, code = await pages.conference(conference), _code(pickup)
        address = f"/{found.slug}/dispatch/stream" + (f"?pickup={code}" if code else "")
        given = await context(found, code)
        return pages.show(request, "board.html", conference=found, title="Dispatch", stream=address, **given)

    @doors.page("/{conference}/dispatch/stream", who=COORDINATORS)
    async def board_stream(request: Request, conference: str, pickup: str = "") -> Response:
        found, code = await pages.conference(conference), _code(pickup)

        async def values() -> Values:
            given = await context(found, code)
            return {
                "alarms": {"alarms": given["alarms"], "deaths": given["deaths"]},
                "peers": {"peers": given["peers"]},
                "counts": {"counts": given["counts"], "plan": given["plan"]},
                "queue": {"queue": given["queue"]},
                "vehicles": {name: given[name] for name in ("window", "vehicles", "chosen")},
                "detail": {"chosen": given["chosen"]},
            }

        return live(request, pages, found, values)


def _code(text: str) -> str:
    """What may be a pickup's code; else nothing is chosen."""
    return text.upper() if text.isascii() and text.isalnum() and len(text) <= 8 else ""


def _add_hand(doors: Doors, work: Work, pages: Pages, desk: Desk) -> None:
    async def hand(request: Request, conference: str, code: str, door: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        back = f"/{found.slug}/dispatch/?pickup={code}#detail"
        try:
            answer = await _act(work, desk, request, found, form, code, door)
        except ANSWERS as error:
            return see_other(back, str(error), "refused")
        return see_other(back, _said(answer, door))

    @doors.page("/{conference}/dispatch/pickups/{code}/assign", who=COORDINATORS, methods=("POST",))
    async def assign(request: Request, conference: str, code: Name) -> Response:
        return await hand(request, conference, code, "assign")

    @doors.page("/{conference}/dispatch/pickups/{code}/take-back", who=COORDINATORS, methods=("POST",))
    async def take_back(request: Request, conference: str, code: Name) -> Response:
        return await hand(request, conference, code, "take-back")

    @doors.page("/{conference}/dispatch/pickups/{code}/unlock", who=COORDINATORS, methods=("POST",))
    async def unlock(request: Request, conference: str, code: Name) -> Response:
        return await hand(request, conference, code, "unlock")


async def _act(
    work: Work, desk: Desk, request: Request, found: Conference, form: Form, code: str, door: str
) -> dict[str, Any]:
    """One of the three things that a hand can do here."""
    by = request.state.visitor.name
    reason = form.required("reason", "a reason", most=200)
    revision = form.number("revision", least=0, most=1_000_000, default=0) or None
    slug = found.slug
    if door == "assign":
        car = form.required("vehicle", "a vehicle", most=8)
        return await once(
            work,
            request,
            form.key,
            "pickup.assign",
            pickups.assign,
            desk,
            slug,
            code,
            car,
            reason=reason,
            by=by,
            revision=revision,
        )
    if door == "unlock":
        return await once(
            work, request, form.key, "pickup.unlock", pickups.unlock, desk, slug, code, reason=reason, by=by
        )
    return await once(
        work,
        request,
        form.key,
        "pickup.take-back",
        pickups.take_back,
        desk,
        slug,
        code,
        reason=reason,
        by=by,
        revision=revision,
    )


def _said(answer: dict[str, Any], door: str) -> str:
    where = f"on {answer['vehicle']}" if answer["vehicle"] else "in the queue"
    return f"{answer['code']} is unlocked, and {where}" if door == "unlock" else f"{answer['code']} is {where}"


def _add_settling(doors: Doors, work: Work, pages: Pages) -> None:
    @doors.page("/{conference}/dispatch/incidents/{incident}/settle", who=COORDINATORS, methods=("POST",))
    async def settle(request: Request, conference: str, incident: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        back, by = f"/{found.slug}/dispatch/", request.state.visitor.name
        try:
            word, note = form.required("word", "a word", most=80), form.text("note", most=300)
            await refuse_others_incident(work, request, incident)
            await once(
                work, request, form.key, "incident.settle", settle_action, work.service, incident, by, word, note
            )
        except SoftlandingError as error:
            return see_other(back, str(error), "refused")
        return see_other(back, f"Settled: {word}")


def _add_print(doors: Doors, work: Work, pages: Pages) -> None:
    @doors.page("/{conference}/dispatch/print", who=COORDINATORS)
    async def print_sheets(request: Request, conference: str, driver: str = "") -> Response:
        found = await pages.conference(conference)
        given = await work.database.read(driving.sheets, found, work.parts.clock.now(), driver[:36])
        for sheet in given["sheets"]:
            sheet["qr"] = f"/{found.slug}/dispatch/fleet/{sheet['driver']['id']}/qr.svg"
        given["files"] = await runsheets.public_address(work, found)
        return pages.show(request, "runsheet.html", conference=found, title="Run sheets", styles="", **given)

    @doors.page("/{conference}/dispatch/print/renew", who=COORDINATORS, methods=("POST",))
    async def renew(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        back = f"/{found.slug}/dispatch/print"
        try:
            await once(work, request, form.key, "runsheets.renew", fleet.renew_run_sheets, found.slug)
        except ANSWERS as error:
            return see_other(back, str(error), "refused")
        return see_other(back, "The files have a new address; the old one ends within seconds")
