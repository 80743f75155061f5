"""What these pages have in common: who comes in, values of a form, live fragments that change only when they must."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, time
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from softlanding.conferences import Conference
from softlanding.errors import Conflict, Fault, Invalid, NotFound, Refused
from softlanding.lifecycle import Work
from softlanding.schedule import views
from softlanding.schedule.actions.pickups import promise_of
from softlanding.schedule.model import Promise, read_arrival
from softlanding.web import Form, Pages, peers_view, staff, stream

ORGANISERS = staff("organiser")
TRAVEL = staff("organiser", "coordinator")
ANSWERS = (Invalid, Refused, Conflict, NotFound)  # What a form that was refused is shown again with.

Values = Mapping[str, Mapping[str, Any]]
"""Fragment's name to its template's values."""


def status_of(error: Exception) -> int:
    return 422 if isinstance(error, Invalid) else 404 if isinstance(error, NotFound) else 409


def promise(work: Work) -> Promise:
    return promise_of(work.settings)


def public_url(work: Work, request: Request) -> str:
    """The address that people know, without a slash at its end."""
    return str(work.settings.front_door.public_url or request.base_url).rstrip("/")


async def alarms(work: Work, conference: Conference) -> dict[str, Any]:
    """What every page of staff bears: how the others are, and what nobody has answered."""
    now = work.parts.clock.now()
    found = await work.database.read(views.journeys.unanswered, conference.slug, conference.zone, now)
    return {"peers": peers_view(work), "unanswered": found}


def live(
    request: Request, work: Work, pages: Pages, conference: Conference, values: Callable[[], Awaitable[Values]]
) -> Response:
    """A stream of fragments. One whose values did not change is not rendered anew: its forms keep their keys."""
    shown: dict[str, tuple[Mapping[str, Any], str]] = {}

    async def fragments() -> Mapping[str, str]:
        for name, given in (await values()).items():
            if name not in shown or shown[name][0] != given:
                page = pages.frame(request, conference)
                shown[name] = (given, pages.render(f"_{name}.html", page, **given))
        return {name: html for name, (_, html) in shown.items()}

    return stream(work, fragments)


def arrival_from(form: Form, zone: str) -> Any:
    """The arrival in a form. Raises Invalid with every fault."""
    return read_arrival(
        kind=form.text("how", most=10) or "flight",
        number=form.text("number", most=40),
        place=form.text("airport", most=100),
        conference_zone=zone,
        on=day_of(form.text("on", most=20), "on"),
        at=clock_of(form.text("time", most=20), "time"),
        to_place=form.text("place", most=200),
        party=form.number("party", least=1, most=50, default=1),
        luggage=form.number("luggage", least=0, most=200, default=1),
        wheelchairs=1 if form.is_on("wheelchair") else 0,
        phone=form.text("phone", most=60),
        note=form.text("note", most=500),
    )


def day_of(text: str, field: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(Fault(field, "write the day as 2026-09-17")) from None


def clock_of(text: str, field: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(Fault(field, "write the time as 14:05")) from None


def faults_in_words(error: Invalid, most: int = 8) -> str:
    """All that is wrong with a file, as one message."""
    shown = [str(fault) for fault in error.faults[:most]]
    more = len(error.faults) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
