"""The trail of who did what, as doors see it: refusals are counted, operators look at it, nobody changes it."""

from dataclasses import replace
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Query, Request
from fastapi.responses import Response

from softlanding import audit
from softlanding.auth import as_seen_by, people
from softlanding.lifecycle import Work
from softlanding.web.asked import asker
from softlanding.web.doors import Doors, staff
from softlanding.web.pages import Pages

WORDS = {
    "clock.release": "said that the clock is right",
    "driver.add": "added a driver",
    "driver.link": "renewed a driver's link",
    "driver.remove": "removed a driver",
    "person.add": "added a person",
    "person.link": "made a sign-in link",
    "person.link.withdraw": "withdrew a sign-in link",
    "person.remove": "removed a person",
    "person.roles": "gave these roles and no others",
    "person.sessions.end": "ended somebody's sessions",
    "session.end": "ended own sessions",
    "sign_in": "signed in",
    "sign_out": "signed out",
    "speaker.link": "renewed a speaker's link",
    "start": "the service came to work with these settings",
    "token.make": "made a token",
    "token.revoke": "revoked a token",
}
# What is told to a program without `personal`: no names, no addresses.
_SHOWN = frozenset(("id", "at", "who", "what", "about", "conference", "outcome", "detail", "times", "words"))
Row = Annotated[str, Query(max_length=36, pattern="^[0-9a-fA-F-]*$")]


def note_refusal(request: Request, work: Work, status: int) -> None:
    """Who was told 401 or 403, where; a stranger's token or link is no name."""
    visitor = getattr(request.state, "visitor", None)
    known = asker(request)
    asks = known if visitor is not None and visitor.is_known else replace(known, who="")
    door = f"{request.method} {getattr(request.scope.get('route'), 'path', 'unknown')}"
    work.refusals.add(work.parts.clock.now(), asks, door, request.path_params.get("conference", ""), str(status))


def add_doors(doors: Doors, work: Work, pages: Pages) -> None:
    service = work.service.name
    look = staff("operator", scopes=("admin",), everywhere=True)

    @doors.api(f"/api/{service}/audit", who=look, summary="Who did what, the newest first; `before`: an entry's id")
    async def entries(request: Request, before: Row = "") -> list[dict[str, Any]]:
        listed = await work.database.read(_told, before)
        return as_seen_by(request.state.visitor, listed, _SHOWN)

    @doors.page(f"/-audit/{service}", who=staff("operator", everywhere=True))
    async def page(request: Request, before: Row = "") -> Response:
        listed = await work.database.read(_told, before)
        older = listed[-1]["id"] if len(listed) == audit.SHOWN_MAX else ""
        title, around = f"Who did what in {service.title()}", await pages.of_all()
        return pages.show(request, "audit.html", title=title, service=service, entries=listed, older=older, **around)


def _told(connection: sa.Connection, before: str) -> list[dict[str, Any]]:
    """Entries with the words for what was done, and the names of the staff that they tell of by id."""
    found = audit.list_entries(connection, before=before)
    names = {f"person/{row.person}": row.name for row in connection.execute(sa.select(people.c.person, people.c.name))}

    def told(entry: audit.Entry) -> dict[str, Any]:
        named = {"name": names.get(entry.who, ""), "about_name": names.get(entry.about, "")}
        return vars(entry) | named | {"words": WORDS.get(entry.what, entry.what)}

    return [told(entry) for entry in found]
