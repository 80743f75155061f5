"""Door for people: numbers, one pickup's story, operations. All of it live, all of it present state."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from softlanding.auth import STAFF_ROLES, Visitor, as_seen_by
from softlanding.conferences import Conference, list_conferences
from softlanding.errors import Invalid, NotFound, Refused, SoftlandingError
from softlanding.lifecycle import Work
from softlanding.messaging import dead_letters
from softlanding.statistics import views
from softlanding.statistics.cards import parked_at_peers, service_cards
from softlanding.statistics.model.words import Clock
from softlanding.web import Doors, Pages, once, peers_view, read_form, see_other, staff, stream
from softlanding.web.common import drop_action, refuse_others_incident, settle_action

OPERATIONS = "/operations/"
NOT_HEARD = "not heard yet"

_DESKS = (("organise", "Organise", "organiser"), ("dispatch", "Board", "coordinator"))
_STAFF = staff(*STAFF_ROLES, scopes=("read",))
_OPERATORS = staff(
    "operator", scopes=("read",), everywhere=True
)  # What a coordinator must know of it stands on the board.
_SETTLERS = staff("operator", everywhere=True)


def make_doors(work: Work) -> Doors:
    doors, pages = Doors(work, tags=["statistics"]), Pages(work)
    _add_statistics(doors, work, pages)
    _add_follow(doors, work, pages)
    _add_operations(doors, work, pages)
    _add_settling(doors, work)
    _add_dead_letters(doors, work)
    return doors


def _add_statistics(doors: Doors, work: Work, pages: Pages) -> None:
    async def context(conference: Conference) -> dict[str, Any]:
        now = work.parts.clock.now()
        numbers = await work.database.read(_numbers, conference.slug, Clock(ZoneInfo(conference.zone), now))
        return numbers | {"peers": peers_view(work)}

    @doors.page("/{conference}/statistics/", who=_STAFF)
    async def statistics(request: Request, conference: str) -> Response:
        found = await pages.conference(conference)
        address = f"/{conference}/statistics/stream"
        return pages.show(
            request,
            "statistics.html",
            conference=found,
            title="Statistics",
            stream=address,
            **await context(found),
        )

    @doors.page("/{conference}/statistics/stream", who=_STAFF)
    async def statistics_stream(request: Request, conference: str) -> Response:
        found = await pages.conference(conference)

        async def fragments() -> Mapping[str, str]:
            page = pages.frame(request, found, "Statistics")
            values = await context(found)
            return _render(pages, page, values, ("peers", "numbers", "facts"))

        return stream(request, fragments)


def _numbers(connection: sa.Connection, slug: str, clock: Clock) -> dict[str, Any]:
    return {
        "counts": [{"state": state, "count": count} for state, count in views.count_pickups(connection, slug)],
        "waits": _waits_for_page(connection, slug),
        "facts_total": sum(count for _, count in views.count_facts(connection, slug)),
        "heard_at": views.last_heard_at(connection, slug),
        "facts": views.last_facts(connection, slug, clock),
    }


def _waits_for_page(connection: sa.Connection, slug: str) -> dict[str, Any]:
    # Jinja looks for `waits.count` in a mapping's own methods last, but a tuple's first: so a mapping.
    found = asdict(views.waits(connection, slug))
    return found | {"bins": [{"label": label, "count": count} for label, count in found["bins"]]}


def _add_follow(doors: Doors, work: Work, pages: Pages) -> None:
    async def context(conference: Conference, wanted: str) -> dict[str, Any]:
        now, zone = work.parts.clock.now(), ZoneInfo(conference.zone)
        story = await work.database.read(_story, conference.slug, wanted, zone, now)
        return story | {"peers": peers_view(work)}

    @doors.page("/{conference}/follow", who=_STAFF)
    async def search(conference: str, id: str = "") -> Response:
        wanted = id.strip().replace("\x00", "")[:100]
        if not wanted:
            return see_other(f"/{conference}/statistics/", "Type a pickup's code, such as K7QX.", "refused")
        return RedirectResponse(f"/{conference}/follow/{quote(wanted, safe='')}", 303)

    @doors.page("/{conference}/follow/{code}", who=_STAFF)
    async def follow(request: Request, conference: str, code: str) -> Response:
        found = await pages.conference(conference)
        wanted = code.strip().replace("\x00", "")[:100]
        values = await context(found, wanted)
        if (right := values["pickup"]["code"]) != wanted and values["steps"]:
            return RedirectResponse(f"/{conference}/follow/{quote(right, safe='')}", 303)
        address = f"/{conference}/follow/{quote(wanted, safe='')}/stream"
        status = 200 if values["steps"] else 404  # Live all the same: the first fact may be on its way.
        return pages.show(
            request, "follow.html", conference=found, title=wanted, status=status, stream=address, **values
        )

    @doors.page("/{conference}/follow/{code}/stream", who=_STAFF)
    async def follow_stream(request: Request, conference: str, code: str) -> Response:
        found = await pages.conference(conference)

        async def fragments() -> Mapping[str, str]:
            page = pages.frame(request, found, code)
            return _render(pages, page, await context(found, code.replace("\x00", "")[:100]), ("peers", "story"))

        return stream(request, fragments)


def _story(connection: sa.Connection, slug: str, wanted: str, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """The story, or an empty one that says so: what was just entered appears within a second."""
    pickup = views.find_pickup(connection, slug, wanted)
    if pickup is not None:
        return views.pickup_story(connection, pickup, zone, now)
    head = {"code": wanted, "passenger": None, "what": "", "state": NOT_HEARD, "complete": False}
    return {"pickup": head, "steps": [], "gaps": [], "expected": []}


def _add_operations(doors: Doors, work: Work, pages: Pages) -> None:
    async def context(wanted: views.LogFilter, visitor: Visitor) -> dict[str, Any]:
        now, told = work.parts.clock.now(), parked_at_peers(work)
        found = await work.database.read(_operations, wanted, work.life.began_at, now, told)
        cards = service_cards(work, found.pop("rows"), now)
        found["incidents"] = as_seen_by(visitor, found["incidents"], views.OF_INCIDENTS)
        return found | {"services": cards, "peers": peers_view(work), "peers_seen_at": now}

    @doors.page(OPERATIONS, who=_OPERATORS)
    async def operations(request: Request) -> Response:
        wanted = _log_filter(request)
        address = f"{OPERATIONS}stream?{urlencode(asdict(wanted))}"
        return pages.show(
            request,
            "operations.html",
            title="Operations",
            stream=address,
            conferences=await work.database.read(_ways_back, request.state.visitor),
            **await pages.of_all(),
            **await context(wanted, request.state.visitor),
        )

    @doors.page(f"{OPERATIONS}stream", who=_OPERATORS)
    async def operations_stream(request: Request) -> Response:
        async def fragments() -> Mapping[str, str]:
            page = pages.frame(request, title="Operations", **await pages.of_all())
            values = await context(_log_filter(request), request.state.visitor)
            return _render(pages, page, values, ("services", "incidents", "lives", "dead-letters", "logs"))

        return stream(request, fragments)


def _ways_back(connection: sa.Connection, visitor: Visitor) -> list[dict[str, Any]]:
    """The conferences with what this visitor may open of each; none where the header leads to the only one."""
    known = list_conferences(connection)
    return [_way_back(each, visitor) for each in known] if len(known) > 1 else []


def _way_back(conference: Conference, visitor: Visitor) -> dict[str, Any]:
    base = f"/{conference.slug}"
    doors = [(f"{base}/", "Programme", True)]
    doors += [(f"{base}/{path}/", words, visitor.has_role((role,), conference.slug)) for path, words, role in _DESKS]
    doors += [(f"{base}/statistics/", "Statistics", visitor.is_staff_of(conference.slug))]
    ways = [(address, words) for address, words, is_theirs in doors if is_theirs]
    return vars(conference) | {"ways": ways}


def _operations(
    connection: sa.Connection,
    wanted: views.LogFilter,
    began_at: datetime,
    now: datetime,
    told: list[tuple[str, str, str, tuple[int, ...]]],
) -> dict[str, Any]:
    return {
        "rows": views.services_rows(connection, began_at, now),
        "incidents": views.incidents_view(connection),
        "lives": views.lives_view(connection),
        "dead_letters": views.letters_view(connection, told),
        "logs": views.list_logs(connection, wanted),
        "lost_logs": views.count_lost_logs(connection),
        "log_filter": asdict(wanted),
    }


def _log_filter(request: Request) -> views.LogFilter:
    texts = {name: request.query_params.get(name, "")[:200].replace("\x00", "") for name in ("service", "words")}
    level = request.query_params.get("level", "")
    return views.LogFilter(level=level if level in ("warning", "error") else "", **texts)


def _render(pages: Pages, page: dict[str, Any], values: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {name: pages.render(f"_{name.replace('-', '_')}.html", page, **values) for name in names}


def _add_settling(doors: Doors, work: Work) -> None:
    @doors.page(f"{OPERATIONS}incidents/{{incident}}/settle", who=_SETTLERS, methods=("POST",))
    async def settle(request: Request, incident: str) -> Response:
        """Our own here. Another service's is settled where it is kept: the browser takes the same form there."""
        form = await read_form(request)
        try:
            keeper = await work.database.read(_keeper, incident)
            if keeper != work.service.name:
                query = urlencode({"incident": incident, "back": OPERATIONS})
                return RedirectResponse(f"/-settle/{keeper}?{query}", 307)
            word, note, by = form.required("word", "one of the words"), form.text("note"), request.state.visitor.name
            await refuse_others_incident(work, request, incident)
            await once(
                work, request, form.key, "incident.settle", settle_action, work.service, incident, by, word, note
            )
        except SoftlandingError as error:
            return see_other(f"{OPERATIONS}#incidents", str(error), "refused")
        return see_other(f"{OPERATIONS}#incidents", f"Settled: {word}")


def _keeper(connection: sa.Connection, incident: str) -> str:
    if views.is_own_incident(connection, incident):
        return "statistics"
    keeper = views.keeper_of_incident(connection, incident)
    if keeper is None:
        raise NotFound("nobody has told of such an incident")
    return keeper


def _add_dead_letters(doors: Doors, work: Work) -> None:
    who = staff("operator", everywhere=True)

    @doors.page(f"{OPERATIONS}dead-letters/{{letter}}/replay", who=who, methods=("POST",))
    async def replay(request: Request, letter: str) -> Response:
        form, by = await read_form(request), request.state.visitor.name
        try:
            subject = await work.database.read(_subject_of, letter)
            done = await once(work, request, form.key, "dead_letters.replay", work.replay_action, subject, by)
        except SoftlandingError as error:
            return see_other(f"{OPERATIONS}#dead-letters", str(error), "refused")
        return see_other(f"{OPERATIONS}#dead-letters", f"Applied after all: {done['replayed']}")

    @doors.page(f"{OPERATIONS}dead-letters/{{letter}}/drop", who=who, methods=("POST",))
    async def drop(request: Request, letter: str) -> Response:
        form, by = await read_form(request), request.state.visitor.name
        try:
            reason = form.required("reason", "a reason for the record", most=200)
            subject = await work.database.read(_subject_of, letter)
            done = await once(work, request, form.key, "dead_letters.drop", drop_action, subject, by, reason)
        except Invalid as error:
            return see_other(f"{OPERATIONS}#dead-letters", str(error.faults[0].what), "refused")
        except SoftlandingError as error:
            return see_other(f"{OPERATIONS}#dead-letters", str(error), "refused")
        return see_other(f"{OPERATIONS}#dead-letters", f"Dropped: {done['dropped']}")


def _subject_of(connection: sa.Connection, letter: str) -> str:
    """The subject under which the letter is kept, settled or not: the same form twice gets its first answer."""
    known = dead_letters.dead_letters.c
    subject: str | None = connection.execute(sa.select(known.subject).where(known.id == letter)).scalar()
    if subject is None:
        raise Refused(
            "another service parked this fact and must apply it: ask its door /api/{service}/dead-letters/replay"
        )
    return subject
