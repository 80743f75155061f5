"""What these pages have in common: who comes in, values of a form, live fragments that change only when they must."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, time
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import Path, Request
from fastapi.responses import Response

from softlanding.conferences import Conference
from softlanding.errors import Fault, Invalid, SoftlandingError
from softlanding.formats.arrivals_csv import LUGGAGE_MAX, PARTY_MAX
from softlanding.lifecycle import Work
from softlanding.schedule import views
from softlanding.schedule.actions.pickups import promise_of
from softlanding.schedule.model import Promise, read_arrival
from softlanding.web import Form, Pages, of_this_age, peers_view, refused, staff, stream

ORGANISERS = staff("organiser")
TRAVEL = staff("organiser", "coordinator")

Name = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]

Values = Mapping[str, Mapping[str, Any]]
"""Fragment's name to its template's values."""


def promise(work: Work) -> Promise:
    return promise_of(work.settings)


async def alarms(work: Work, conference: Conference) -> dict[str, Any]:
    """What every page of staff bears: how the others are, and what nobody has answered."""
    now = work.parts.clock.now()
    found = await work.database.read(views.journeys.unanswered, conference.slug, conference.zone, now)
    return {"peers": peers_view(work), "unanswered": found}


def live(request: Request, pages: Pages, conference: Conference, values: Callable[[], Awaitable[Values]]) -> Response:
    """A stream of fragments. One whose values did not change is not rendered anew: its forms keep their keys."""
    shown: dict[str, tuple[Mapping[str, Any], str]] = {}

    async def fragments() -> Mapping[str, str]:
        for name, given in (await values()).items():
            if name not in shown or shown[name][0] != given:
                page = pages.frame(request, conference)
                shown[name] = (given, pages.render(f"_{name}.html", page, **given))
        return {name: html for name, (_, html) in shown.items()}

    return stream(request, fragments)


def arrival_from(form: Form, zone: str) -> Any:
    """The new arrival in a form. Raises Invalid with every fault."""
    blank = {"kind": "flight", "number": "", "place": "", "on": None, "at": None, "to_place": ""}
    return read_arrival(conference_zone=zone, **(blank | typed_arrival(form)))


def typed_arrival(form: Form) -> dict[str, Any]:
    """What the form shows of an arrival, by the names that `read_arrival` takes, and nothing that it does not show.
    Raises Invalid."""
    reads: Mapping[str, tuple[str, Callable[[], Any]]] = {
        "how": ("kind", lambda: form.text("how", most=10) or "flight"),
        "number": ("number", lambda: form.text("number", most=40)),
        "airport": ("place", lambda: form.text("airport", most=100)),
        "on": ("on", lambda: day_of(form.text("on", most=20), "on")),
        "time": ("at", lambda: clock_of(form.text("time", most=20), "time")),
        "place": ("to_place", lambda: form.text("place", most=200)),
        "party": ("party", lambda: form.number("party", least=1, most=PARTY_MAX, default=1)),
        "luggage": ("luggage", lambda: form.number("luggage", least=0, most=LUGGAGE_MAX, default=1)),
        "wheelchair": ("wheelchairs", lambda: 1 if form.is_on("wheelchair") else 0),
        "phone": ("phone", lambda: form.text("phone", most=60)),
        "note": ("note", lambda: form.text("note", most=500)),
    }
    return {name: read() for field, (name, read) in reads.items() if field in form.values}


def day_of(text: str, field: str) -> date | None:
    try:
        return of_this_age(date.fromisoformat(text), field) if text else None
    except ValueError:
        raise Invalid(Fault(field, "write the day as 2026-09-17")) from None


def clock_of(text: str, field: str) -> time | None:
    try:
        return time.fromisoformat(text) if text else None
    except ValueError:
        raise Invalid(Fault(field, "write the time as 14:05")) from None


def refused_form(form: Form, error: SoftlandingError, most: int = 8) -> Any:
    """The form as it was typed, for `page.refused`; all that is wrong with a file as one message."""
    answer = refused(form, error)
    if isinstance(error, Invalid) and form.name == "import":
        shown = "; ".join(str(fault) for fault in error.faults[:most])
        more = len(error.faults) - most
        answer["faults"] = {"": f"Nothing was imported. {shown}" + (f"; and {more} more" if more > 0 else "")}
    return SimpleNamespace(**answer)  # In a mapping, templates would take `values` for its method.
