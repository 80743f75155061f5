"""Door for programs: everything that the pages show, as JSON; and where log lines come in."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from fastapi import Depends, Header, Path, Query, Request

from softlanding.auth import EVERYWHERE, STAFF_ROLES, as_seen_by
from softlanding.conferences import load_conference, zone_of_all
from softlanding.errors import Forbidden, NotFound
from softlanding.lifecycle import Work
from softlanding.lifecycle.deaths import list_silences
from softlanding.statistics import actions, views
from softlanding.statistics.cards import parked_at_peers, service_cards
from softlanding.statistics.model.log_lines import read_lines
from softlanding.web import Doors, once, staff

PAGE_MAX = 500
NO_NUL = r"^[^\x00]*$"  # PostgreSQL takes every character but this one.

Text = Annotated[str | None, Query(max_length=200, pattern=NO_NUL)]
Number = Annotated[int, Query(ge=0, le=2**62)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]


def _asked_about(request: Request, conference: Text = None) -> str | None:
    """The conference to tell about; None for all. Whose role holds in some only must name one of those."""
    visitor, place = request.state.visitor, EVERYWHERE if conference is None else conference
    if not visitor.scopes and not visitor.has_role(STAFF_ROLES, place):
        raise Forbidden("this is for staff of the whole installation; or name a conference of yours: ?conference=…")
    return conference


AskedAbout = Annotated[str | None, Depends(_asked_about)]

_READERS = staff(*STAFF_ROLES, scopes=("read",))
_OF_ALL = staff(*STAFF_ROLES, scopes=("read",), everywhere=True)  # The system's own life names all conferences'.


def make_doors(work: Work) -> Doors:
    doors = Doors(work, tags=["statistics"])
    _add_facts(doors, work)
    _add_pickups(doors, work)
    _add_operations(doors, work)
    _add_logs(doors, work)
    return doors


def _add_facts(doors: Doors, work: Work) -> None:
    @doors.api("/api/statistics/heard", who=_READERS, summary="Facts of all services in the order of hearing")
    async def heard(
        conference: AskedAbout, after: Number = 0, limit: Limit = PAGE_MAX, type: Text = None
    ) -> list[dict[str, Any]]:
        return await work.database.read(views.heard_after, after, limit, conference, type)

    @doors.api("/api/statistics/minutes", who=_READERS, summary="Facts told in each minute of the last hours")
    async def minutes(conference: AskedAbout, hours: Annotated[int, Query(ge=1, le=72)] = 1) -> list[dict[str, Any]]:
        since = work.parts.clock.now() - timedelta(hours=hours)
        return await work.database.read(views.facts_by_minute, since, conference)


def _add_pickups(doors: Doors, work: Work) -> None:
    @doors.api("/api/statistics/counts", who=_READERS, summary="Pickups by state, facts by type")
    async def counts(conference: AskedAbout) -> dict[str, Any]:
        return await work.database.read(_counts, conference)

    @doors.api("/api/statistics/waits", who=_READERS, summary="How long people waited from ready to aboard, in seconds")
    async def waits(conference: AskedAbout) -> dict[str, Any]:
        found = await work.database.read(views.waits, conference)
        percentiles = {"p50": _seconds(found.p50), "p95": _seconds(found.p95)}
        return {"count": found.count, "bins_minutes": dict(found.bins)} | percentiles

    @doors.api("/api/statistics/pickups", who=_READERS, summary="Pickups as both services last spoke of them")
    async def pickups(conference: AskedAbout, state: Text = None, limit: Limit = PAGE_MAX) -> list[dict[str, Any]]:
        return await work.database.read(views.list_pickups, conference, state, limit)

    @doors.api("/api/statistics/{conference}/pickups/{pickup}", who=_READERS, summary="One pickup's story")
    async def story(
        conference: Annotated[str, Path(max_length=80, pattern=NO_NUL)],
        pickup: Annotated[str, Path(max_length=100, pattern=NO_NUL)],
    ) -> dict[str, Any]:
        return await work.database.read(_story, conference, pickup, work.parts.clock.now())


def _counts(connection: sa.Connection, conference: str | None) -> dict[str, Any]:
    by_type = dict(views.count_facts(connection, conference))
    return {
        "pickups": dict(views.count_pickups(connection, conference)),
        "facts": by_type,
        "facts_total": sum(by_type.values()),
        "heard_at": views.last_heard_at(connection, conference),
    }


def _story(connection: sa.Connection, slug: str, wanted: str, now: datetime) -> dict[str, Any]:
    conference = load_conference(connection, slug)
    pickup = views.find_pickup(connection, slug, wanted)
    if conference is None or pickup is None:
        raise NotFound(f"no pickup '{wanted}' of conference '{slug}' was heard of (yet)")
    return views.pickup_story(connection, pickup, ZoneInfo(conference.zone), now)


def _add_operations(doors: Doors, work: Work) -> None:
    @doors.api("/api/statistics/services", who=_OF_ALL, summary="Services as Statistics hears them")
    async def services() -> list[dict[str, Any]]:
        now = work.parts.clock.now()
        cards = service_cards(work, await work.database.read(views.services_rows, work.life.began_at, now), now)
        return [card | {"lag": _seconds(card["lag"])} for card in cards]

    @doors.api("/api/statistics/lives", who=_OF_ALL, summary="Lives of all services, newest first")
    async def lives() -> list[dict[str, Any]]:
        return await work.database.read(views.lives_view)

    @doors.api("/api/statistics/deaths", who=_OF_ALL, summary="Outages and what they cost, newest first")
    async def deaths() -> list[dict[str, Any]]:
        zone = await work.database.read(zone_of_all)
        return [_death_view(story, zone) for story in await work.database.read(views.outage_stories)]

    @doors.api("/api/statistics/silences", who=_OF_ALL, summary="Silences, newest first")
    async def silences(is_open: bool = False) -> list[dict[str, Any]]:
        return [asdict(silence) for silence in await work.database.read(list_silences, is_open=is_open)]

    @doors.api(
        "/api/statistics/all-incidents",
        who=_READERS,
        summary="Incidents of all services that are yours, open ones first",
    )
    async def incidents(request: Request) -> list[dict[str, Any]]:
        found, visitor = await work.database.read(views.incidents_view), request.state.visitor
        return as_seen_by(
            visitor, [each for each in found if visitor.is_staff_of(each["conference"])], views.OF_INCIDENTS
        )

    @doors.api("/api/statistics/all-dead-letters", who=_OF_ALL, summary="Facts parked by any service, by subject")
    async def letters() -> list[dict[str, Any]]:
        return await work.database.read(views.letters_view, parked_at_peers(work))


def _seconds(length: timedelta | None) -> float | None:
    return length.total_seconds() if length is not None else None


def _death_view(story: views.OutageStory, zone: str) -> dict[str, Any]:
    lists = {name: list(getattr(story, name)) for name in ("recovered", "expired", "unsettled")}
    outage, last = story.outage, story.outage.deaths[0]
    told: dict[str, Any] = {
        "service": outage.service,
        "how": outage.how,
        "died_at": outage.since,
        "back_at": outage.until,
    }
    told |= {"down_s": outage.down_s, "attempts": outage.attempts, "noticed_at": last.noticed_at}
    told |= {"life": outage.deaths[-1].life, "new_life": last.new_life}
    return told | lists | {"sentence": story.sentence(ZoneInfo(zone)), "zone": zone}


def _add_logs(doors: Doors, work: Work) -> None:
    @doors.api(
        "/api/statistics/logs",
        who=staff(scopes=("logs",), everywhere=True),  # The supervisor, and whoever collects elsewhere.
        methods=("POST",),
        summary="Up to 1000 log lines: a JSON list, or one object a line",
        openapi_extra={"requestBody": {"content": {"application/json": {}, "application/x-ndjson": {}}}},
    )
    async def keep_logs(
        request: Request, key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)] = None
    ) -> dict[str, Any]:
        lines = read_lines(await request.body())
        if key is None:
            return await work.database.write(actions.keep_logs, lines)
        return await once(work, request, key, "logs.keep", actions.keep_logs, lines)

    @doors.api("/api/statistics/logs", who=_OF_ALL, summary="Log lines, newest first; go on `below` the last number")
    async def logs(
        service: Text = None,
        level: Text = None,
        words: Text = None,
        below: Annotated[int | None, Query(ge=1, le=2**62)] = None,
        limit: Limit = 100,
    ) -> list[dict[str, Any]]:
        wanted = views.LogFilter(service or "", level or "", words or "")
        return await work.database.read(views.list_logs, wanted, limit, below)
