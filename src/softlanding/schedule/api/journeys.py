"""Arrivals, news of their flights, pickups, and speakers with their links."""

from datetime import time
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import Field

from softlanding.auth import as_seen_by
from softlanding.formats import arrivals_template
from softlanding.formats.arrivals_csv import LUGGAGE_MAX, PARTY_MAX, WHEELCHAIRS_MAX
from softlanding.lifecycle import Work
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import (
    announce_arrival,
    change_arrival,
    enter_flight_news,
    import_table,
    need_conference,
    speaker_meant,
    withdraw_arrival,
)
from softlanding.schedule.actions.people import renew_speaker_link, revoke_speaker_link
from softlanding.schedule.actions.pickups import promise_of, say_not_needed, take_by_hand
from softlanding.schedule.api.shared import (
    LINKS,
    ORGANISERS_LOOK,
    TRAVEL,
    TRAVEL_LOOK,
    Day,
    Given,
    Line,
    Name,
    NeededLine,
    Note,
    Short,
    Slug,
    a_file,
    read_body,
)
from softlanding.schedule.model import Arrival, read_arrival, read_news
from softlanding.web import Doors, once, speaks_as
from softlanding.web.common import Key
from softlanding.web.doors import link_address

# What the views tell to a program without `personal`.
_OF_ARRIVALS = frozenset(
    [
        "board_at",
        "expected_at",
        "how",
        "id",
        "landing_at",
        "luggage",
        "news",
        "on",
        "party",
        "pickup",
        "revision",
        "state",
        "time",
    ]
)
_OF_PICKUPS = frozenset(
    [
        "answer_by",
        "asked",
        "at",
        "board_at",
        "boarded_at",
        "code",
        "conference",
        "deliver_at",
        "delivered_at",
        "direction",
        "ended_at",
        "ended_by",
        "expires_at",
        "is_late_word",
        "journey",
        "landing_at",
        "luggage",
        "party",
        "pickup",
        "plan",
        "reason_kind",
        "replaced_by",
        "requested_at",
        "revision",
        "ride",
        "state",
        "status",
        "unanswered_at",
        "vehicle",
        "watch",
    ]
)
_OF_UNANSWERED = frozenset(("lands_at", "party", "pickup", "since"))
_OF_SPEAKERS = frozenset(("talks",))


class ArrivalGiven(Given):
    """An arrival; day and time are those of the clocks where it lands. `airport` may be a station's name."""

    how: Literal["flight", "train"] = "flight"
    number: Short = ""
    on: Day
    time: time
    airport: NeededLine
    place: NeededLine
    party: Annotated[int, Field(ge=1, le=PARTY_MAX)] = 1
    luggage: Annotated[int, Field(ge=0, le=LUGGAGE_MAX)] = 1
    wheelchairs: Annotated[int, Field(ge=0, le=WHEELCHAIRS_MAX)] = 0
    phone: Short = ""
    note: Note = ""

    def read(self, zone: str) -> Arrival:
        return read_arrival(
            kind=self.how,
            number=self.number,
            place=self.airport,
            conference_zone=zone,
            on=self.on,
            at=self.time,
            to_place=self.place,
            party=self.party,
            luggage=self.luggage,
            wheelchairs=self.wheelchairs,
            phone=self.phone,
            note=self.note,
        )


class NewArrival(ArrivalGiven):
    """`speaker` is a code, a name or an e-mail address."""

    speaker: NeededLine


class Reason(Given):
    reason: Line = ""


class NewsGiven(Given):
    """What is known of a flight; `on` and `expected` are those of the clocks where it lands."""

    news: Literal["on_time", "late", "landed", "diverted", "cancelled"]
    on: Day | None = None
    expected: time | None = None
    note: Note = ""


class ByHand(Given):
    """`word` says who fetches them, and how."""

    word: NeededLine
    by: Line = ""


class NotNeeded(Given):
    note: Line = ""
    by: Line = ""


def add_doors(doors: Doors, work: Work) -> None:
    _add_arrivals(doors, work)
    _add_import(doors, work)
    _add_changes(doors, work)
    _add_pickups(doors, work)
    _add_speakers(doors, work)


def _add_arrivals(doors: Doors, work: Work) -> None:
    path = "/api/schedule/{conference}/arrivals"

    @doors.api(path, who=TRAVEL_LOOK, summary="Arrivals by landing time, with their pickups")
    async def arrivals(request: Request, conference: Slug) -> list[dict[str, Any]]:
        found = await work.database.read(need_conference, conference)
        listed = await work.database.read(views.journeys.arrivals, conference, found.zone)
        return as_seen_by(request.state.visitor, listed, _OF_ARRIVALS)

    @doors.api(path, who=TRAVEL, methods=("POST",), status_code=201, summary="Announce an arrival; asks for a pickup")
    async def announce(request: Request, conference: Slug, key: Key, given: NewArrival) -> dict[str, Any]:
        found = await work.database.read(need_conference, conference)
        speaker = await work.database.read(speaker_meant, conference, given.speaker)
        arrival = given.read(found.zone)
        return await once(
            work,
            request,
            key,
            "arrival.announce",
            announce_arrival,
            conference,
            speaker.code,
            arrival,
            promise_of(work.settings),
        )


def _add_import(doors: Doors, work: Work) -> None:
    path = "/api/schedule/{conference}/arrivals"

    @doors.api(
        f"{path}/import",
        who=TRAVEL,
        methods=("POST",),
        summary="Import a table of arrivals (CSV); the same table twice changes nothing",
        openapi_extra=a_file("text/csv", arrivals_template()),
    )
    async def take_table(request: Request, conference: Slug, dry_run: bool = False) -> dict[str, Any]:
        found = await work.database.read(need_conference, conference)
        body = await read_body(request)
        return await import_table(work.database, found, body, promise_of(work.settings), dry_run=dry_run)

    @doors.api(f"{path}/template.csv", who=TRAVEL_LOOK, summary="A table to begin with")
    async def template(conference: Slug) -> Response:
        await work.database.read(need_conference, conference)
        return Response(arrivals_template(), media_type="text/csv")


def _add_changes(doors: Doors, work: Work) -> None:
    path = "/api/schedule/{conference}/arrivals/{journey}"

    @doors.api(path, who=TRAVEL_LOOK, summary="One arrival")
    async def arrival(request: Request, conference: Slug, journey: Name) -> dict[str, Any]:
        found = await work.database.read(need_conference, conference)
        chosen = await work.database.read(views.journeys.chosen_view, conference, found.zone, journey)
        return as_seen_by(request.state.visitor, chosen, _OF_ARRIVALS)

    @doors.api(path, who=TRAVEL, methods=("PUT",), summary="Change an arrival: the next revision of its pickup")
    async def change(
        request: Request, conference: Slug, journey: Name, key: Key, given: ArrivalGiven
    ) -> dict[str, Any]:
        found = await work.database.read(need_conference, conference)
        wanted, promise = given.read(found.zone), promise_of(work.settings)
        return await once(work, request, key, "arrival.change", change_arrival, conference, journey, wanted, promise)

    @doors.api(f"{path}/withdraw", who=TRAVEL, methods=("POST",), summary="Withdraw an arrival: nobody is sent")
    async def withdraw(request: Request, conference: Slug, journey: Name, key: Key, given: Reason) -> dict[str, Any]:
        return await once(
            work, request, key, "arrival.withdraw", withdraw_arrival, conference, journey, reason=given.reason
        )

    @doors.api(f"{path}/news", who=TRAVEL, methods=("POST",), summary="Enter news of a flight or train by hand")
    async def news(request: Request, conference: Slug, journey: Name, key: Key, given: NewsGiven) -> dict[str, Any]:
        known = await work.database.read(store.journeys.load_journey, conference, journey)
        now, zone = work.parts.clock.now(), known.arrival.zone
        heard = read_news(given.news, given.on, given.expected, zone, at=now, note=given.note)
        return await once(
            work, request, key, "arrival.news", enter_flight_news, conference, journey, heard, promise_of(work.settings)
        )


def _add_pickups(doors: Doors, work: Work) -> None:
    path = "/api/schedule/{conference}/pickups"

    @doors.api(path, who=TRAVEL_LOOK, summary="Every pickup with what was asked, its watch, and Dispatch's word")
    async def pickups(
        request: Request, conference: Slug, state: Annotated[str | None, Query(max_length=20)] = None
    ) -> list[dict[str, Any]]:
        found = await work.database.read(need_conference, conference)
        listed = await work.database.read(views.journeys.pickup_list, conference, found.zone)
        wanted = [pickup for pickup in listed if state is None or pickup["state"] == state]
        return as_seen_by(request.state.visitor, wanted, _OF_PICKUPS)

    @doors.api("/api/schedule/{conference}/unanswered", who=TRAVEL_LOOK, summary="Pickups that nobody has answered")
    async def unanswered(request: Request, conference: Slug) -> list[dict[str, Any]]:
        found = await work.database.read(need_conference, conference)
        now = work.parts.clock.now()
        listed = await work.database.read(views.journeys.unanswered, conference, found.zone, now)
        return as_seen_by(request.state.visitor, listed, _OF_UNANSWERED)

    @doors.api(f"{path}/{{pickup}}/by-hand", who=TRAVEL, methods=("POST",), summary="A person fetches them")
    async def by_hand(request: Request, conference: Slug, pickup: Name, key: Key, given: ByHand) -> dict[str, Any]:
        by = speaks_as(request, given.by)
        return await once(
            work, request, key, "pickup.by_hand", take_by_hand, conference, pickup, by=by, word=given.word
        )

    @doors.api(f"{path}/{{pickup}}/not-needed", who=TRAVEL, methods=("POST",), summary="This pickup is not needed")
    async def not_needed(
        request: Request, conference: Slug, pickup: Name, key: Key, given: NotNeeded
    ) -> dict[str, Any]:
        by = speaks_as(request, given.by)
        return await once(
            work, request, key, "pickup.not_needed", say_not_needed, conference, pickup, by=by, note=given.note
        )


def _add_speakers(doors: Doors, work: Work) -> None:
    path = "/api/schedule/{conference}/speakers"

    @doors.api(path, who=ORGANISERS_LOOK, summary="Speakers with their personal links, by name")
    async def speakers(request: Request, conference: Slug) -> list[dict[str, Any]]:
        await work.database.read(need_conference, conference)
        found = await work.database.read(
            views.staff.speakers, conference, link_address(work, request, conference, "speaker")
        )
        return as_seen_by(request.state.visitor, found, _OF_SPEAKERS)

    @doors.api(f"{path}/{{code}}/link", who=LINKS, methods=("POST",), summary="A new personal link")
    async def link(request: Request, conference: Slug, code: Name, key: Key) -> dict[str, Any]:
        done = await once(work, request, key, "speaker.link", renew_speaker_link, conference, code)
        return done | {"url": link_address(work, request, conference, "speaker")(done["link"])}

    @doors.api(f"{path}/{{code}}/revoke", who=LINKS, methods=("POST",), summary="End the personal link")
    async def revoke(request: Request, conference: Slug, code: Name, key: Key) -> dict[str, Any]:
        return await once(work, request, key, "speaker.link.revoke", revoke_speaker_link, conference, code)
