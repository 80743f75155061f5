"""Journeys with their pickups and rides, and the pickups that nobody has answered."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding import incidents
from softlanding.contracts import standing
from softlanding.contracts.schedule import BY_HAND
from softlanding.contracts.standing import Words
from softlanding.schedule import store
from softlanding.schedule.model import Journey, TalkSlot, is_lost, lost_in_words, talk_of
from softlanding.schedule.store.pickups import Pickup, Ride, Watch

MAY_STILL_COME = "a driver may still come"


@dataclass(frozen=True)
class Way:
    """A journey with what was asked for it, what Dispatch says, and the watch over the newest revision."""

    journey: Journey
    pickup: Pickup | None
    ride: Ride | None
    watch: Watch | None

    @property
    def state(self) -> str:
        """One of STATES, as the pages spell it."""
        if self.pickup is None:
            return _without_pickup(is_withdrawn=self.journey.withdrawn_at is not None)
        kind, ride = BY_HAND if self.pickup.by_hand_at is not None else "", self.ride
        said = (ride.status, ride.revision) if ride is not None else (None, None)
        return _standing(Words(self.pickup.status, self.pickup.revision, kind, *said), is_unanswered=self.is_unanswered)

    @property
    def is_unanswered(self) -> bool:
        return self.watch is not None and self.watch.unanswered_at is not None and self.watch.ended_at is None

    @property
    def is_stood_down(self) -> bool:
        return self.ride is not None and self.ride.status == "stood_down"

    @property
    def is_answered(self) -> bool:
        """Dispatch has said something about this very revision."""
        return self.ride is not None and self.pickup is not None and self.ride.revision >= self.pickup.revision

    def is_lost_at(self, now: datetime) -> bool:
        """The talk began before they land, and something may still be done about it."""
        if self.pickup is None or self.state in IS_OVER:
            return False
        asked = self.pickup.asked
        return is_lost(asked.landing_at, asked.deadline_at) and now < asked.expires_at


IS_OVER = ("boarded", "delivered", "no_show", "missed", "withdrawn", "stood_down")
STATES = ("requested", "unanswered", *(state for state in standing.STATES if state != "requested"))
"""As everywhere (`contracts.standing`); here `requested` is told apart by whether the time for an answer has passed."""


def _standing(words: Words, *, is_unanswered: bool) -> str:
    state = standing.state_of(words)
    return "unanswered" if state == "requested" and is_unanswered else state


def _without_pickup(*, is_withdrawn: bool) -> str:
    return "withdrawn" if is_withdrawn else "requested"


def count_journeys(connection: sa.Connection, conference: str) -> dict[str, Any]:
    """All journeys, by where the last pickup of each stands; these add up to `count`. `earlier`: pickups that another
    one of the same journey has replaced, so that count and earlier are all that was ever asked for."""
    counted: Counter[str] = Counter()
    for is_withdrawn, number in store.journeys.count_without_pickup(connection, conference).items():
        counted[_without_pickup(is_withdrawn=is_withdrawn)] += number
    earlier = 0
    for row in store.pickups.count_standing(connection, conference):
        if row.is_last:
            counted[_state_of_row(row)] += row.number
        else:
            earlier += row.number
    states = [(state, counted[state]) for state in STATES if counted[state]]
    return {"count": counted.total(), "states": states, "earlier": earlier}


def count_pickups(connection: sa.Connection) -> dict[str, float]:
    """All pickups of all conferences by state, for metrics; states that none is in are 0."""
    counted = dict.fromkeys(STATES, 0.0)
    for row in store.pickups.count_standing(connection):
        counted[_state_of_row(row)] += row.number
    return counted


def _state_of_row(row: Any) -> str:
    words = Words(row.status, row.revision, BY_HAND if row.is_by_hand else "", row.ride, row.ride_revision)
    return _standing(words, is_unanswered=bool(row.is_unanswered))


def arrivals(connection: sa.Connection, conference: str, zone: str) -> list[dict[str, Any]]:
    """Every journey by landing time."""
    ways = load_ways(connection, store.journeys.list_recent(connection, conference))
    return [journey_view(way, zone) for way in sorted(ways, key=lambda w: (w.journey.expected_at, w.journey.id))]


def load_ways(connection: sa.Connection, journeys: list[Journey]) -> list[Way]:
    """Each journey with all that belongs to it."""
    wanted = [journey.pickup for journey in journeys if journey.pickup]
    pickups = store.pickups.pickups_by_id(connection, wanted)
    rides = store.pickups.rides_by_pickup(connection, wanted)
    watches = store.pickups.watches_by_pickup(connection, wanted)
    return [
        Way(each, pickups.get(each.pickup or ""), rides.get(each.pickup or ""), watches.get(each.pickup or ""))
        for each in journeys
    ]


def journey_view(way: Way, zone: str) -> dict[str, Any]:
    """As templates/_journeys.html wants it."""
    journey, arrival = way.journey, way.journey.arrival
    ride = way.ride.state if way.ride and way.state not in ("withdrawn", "stood_down", "missed") else None
    return {
        "id": journey.id,
        "speaker": {"code": journey.speaker, "name": journey.speaker_name},
        "how": arrival.kind,
        "number": arrival.number,
        "airport": arrival.place,
        "landing_at": arrival.landing_at,
        "expected_at": journey.news.expected_at if journey.news else None,
        "news": journey.news.state if journey.news else "",
        "party": arrival.party,
        "luggage": arrival.luggage,
        "wheelchair": arrival.wheelchairs > 0,
        "to_place": arrival.to_place,
        "phone": arrival.phone,
        "note": arrival.note,
        "pickup": way.pickup.code if way.pickup else None,
        "state": way.state,
        "why": _why(way, zone),
        "board_at": ride.board_at if ride else None,
        "vehicle": vehicle_in_words(way.ride) if ride else "",
        "revision": way.pickup.revision if way.pickup else 0,
        "talk_at": way.pickup.asked.deadline_at if way.pickup else None,
        "lost": _lost(way, zone),
    }


def _lost(way: Way, zone: str) -> str:
    """That they land after their talk began, in words; "" when they do not."""
    if way.pickup is None or way.state in ("withdrawn", "stood_down"):
        return ""
    asked = way.pickup.asked
    if asked.deadline_at is None or not is_lost(asked.landing_at, asked.deadline_at):
        return ""
    return lost_in_words(asked.landing_at, asked.talk_title or asked.talk or "", asked.deadline_at, ZoneInfo(zone))


def lost_talks(
    connection: sa.Connection,
    conference: str,
    zone: str,
    now: datetime,
    draft: Mapping[str, tuple[TalkSlot, ...]] | None = None,
) -> list[tuple[str, str]]:
    """(speaker's name, words) of talks that begin before their speakers land: as asked for, or as a draft would have
    it."""
    by_speaker = store.journeys.open_by_speaker(connection, conference)
    ways = load_ways(connection, [journey for theirs in by_speaker.values() for journey in theirs])
    if draft is not None:
        ways = [_as_drafted(way, draft, by_speaker[way.journey.speaker], now) for way in ways]
    return [(way.journey.speaker_name, _lost(way, zone)) for way in ways if way.is_lost_at(now)]


def _as_drafted(way: Way, draft: Mapping[str, tuple[TalkSlot, ...]], theirs: list[Journey], now: datetime) -> Way:
    """The way with the talk that its pickup would have after a release of the draft."""
    if way.pickup is None:
        return way
    asked = way.pickup.asked
    talk = talk_of(way.journey, draft.get(way.journey.speaker, ()), now, theirs=theirs, asked=asked)
    title, starts_at = (talk.title, talk.starts_at) if talk else (None, None)
    drafted = asked.model_copy(update={"talk_title": title, "deadline_at": starts_at})
    return replace(way, pickup=replace(way.pickup, asked=drafted))


def chosen_view(connection: sa.Connection, conference: str, zone: str, journey: str) -> dict[str, Any]:
    """The journey to change, with the values of its form. Raises NotFound."""
    known = store.journeys.load_journey(connection, conference, journey)
    [way] = load_ways(connection, [known])
    return journey_view(way, zone) | form_values(known)


def form_values(journey: Journey) -> dict[str, Any]:
    """The arrival as its form has it, in the clocks of where it lands."""
    local = journey.arrival.landing_at.astimezone(ZoneInfo(journey.arrival.zone))
    return {
        "how": journey.arrival.kind,
        "number": journey.arrival.number,
        "on": local.date().isoformat(),
        "time": f"{local:%H:%M}",
        "airport": journey.arrival.place,
        "place": journey.arrival.to_place,
        "party": journey.arrival.party,
        "luggage": journey.arrival.luggage,
        "phone": journey.arrival.phone,
        "note": journey.arrival.note,
        "wheelchair": journey.arrival.wheelchairs > 0,
    }


def unanswered(connection: sa.Connection, conference: str, zone: str, now: datetime) -> list[dict[str, Any]]:
    """Pickups whose alarm nobody has settled yet, the longest waiting first."""
    newest: dict[str, Watch] = {}
    for watch in store.pickups.list_unanswered(connection, conference):
        if _is_open(connection, watch) and not (watch.quiet_until and now < watch.quiet_until):
            newest[watch.pickup] = watch
    pickups = store.pickups.pickups_by_id(connection, list(newest))
    rides = store.pickups.rides_by_pickup(connection, list(newest))
    return [_unanswered_view(watch, pickups[key], rides.get(key), zone) for key, watch in newest.items()]


def _is_open(connection: sa.Connection, watch: Watch) -> bool:
    incident = incidents.load(connection, watch.incident) if watch.incident else None
    return incident is not None and incident.settled_at is None


def _unanswered_view(watch: Watch, pickup: Pickup, ride: Ride | None, zone: str) -> dict[str, Any]:
    asked = pickup.asked
    return {
        "pickup": pickup.code,
        "passenger": asked.speaker_name,
        "arrival": asked.travel_number or asked.from_place,
        "lands_at": asked.landing_at,
        "phone": asked.phone,
        "from_place": asked.from_place,
        "to_place": asked.to_place,
        "party": asked.party,
        "since": watch.answer_by,
        "late_plan": _late_plan(ride, zone) if ride and ride.revision >= watch.revision else "",
    }


def _late_plan(ride: Ride, zone: str) -> str:
    if ride.state.board_at is not None and ride.status != "stood_down":
        return f"Dispatch planned it after all: {_plan(ride, zone)}."
    because = f": {ride.state.reason}" if ride.state.reason else ""
    return f"Dispatch has answered meanwhile: {ride.status.replace('_', ' ')}{because}."


def _plan(ride: Ride, zone: str) -> str:
    at = ride.state.board_at.astimezone(ZoneInfo(zone)) if ride.state.board_at else None
    parts = (vehicle_in_words(ride), f"{at:%H:%M}" if at else "")
    return ", ".join(part for part in parts if part)


def vehicle_in_words(ride: Ride | None) -> str:
    """`Grey van, Dana`"""
    if ride is None:
        return ""
    return ", ".join(part for part in (ride.state.vehicle, ride.state.driver_name) if part)


def _why(way: Way, zone: str) -> str:
    pickup, ride = way.pickup, way.ride
    if pickup is None:
        return ""
    if pickup.by_hand_at is not None:
        return _by_hand(pickup, way, zone)
    if not pickup.is_open and way.state not in standing.TOOK_PLACE:
        asked = pickup.asked.reason
        return asked if way.is_stood_down or ride is None else f"{asked}; {MAY_STILL_COME}".removeprefix("; ")
    if ride is not None and not way.is_answered and ride.state.board_at is not None:
        return f"planned before the change ({_plan(ride, zone)}); not answered yet"
    if ride is not None and ride.status in ("unplaced", "refused", "missed", "no_show", "stood_down"):
        return ride.state.reason
    return ""


_TOOK_PLACE = {"boarded": "aboard", "delivered": "delivered", "no_show": "nobody came"}


def _by_hand(pickup: Pickup, way: Way, zone: str) -> str:
    """The hand-made ride, and beside it what Dispatch has planned all the same."""
    taken = f"{pickup.by_hand_word} ({pickup.by_hand_by})"
    if way.is_stood_down:
        return taken
    if way.state in standing.TOOK_PLACE:
        return f"{taken}; but the driver reports: {vehicle_in_words(way.ride) or 'no car'}, {_TOOK_PLACE[way.state]}"
    if way.ride is not None and way.ride.state.board_at is not None:
        return f"{taken}; Dispatch has planned {_plan(way.ride, zone)}: {MAY_STILL_COME}"
    return f"{taken}; Dispatch has not said yet that it stood down: {MAY_STILL_COME}"


def pickup_list(connection: sa.Connection, conference: str, zone: str) -> list[dict[str, Any]]:
    """Every pickup that was ever asked for, for programs."""
    pickups = store.pickups.list_pickups(connection, conference)
    wanted = [pickup.id for pickup in pickups]
    rides = store.pickups.rides_by_pickup(connection, wanted)
    watches = store.pickups.watches_by_pickup(connection, wanted)
    journeys = {each.id: each for each in store.journeys.list_recent(connection, conference, 50_000)}
    ways = [Way(journeys[each.journey], each, rides.get(each.id), watches.get(each.id)) for each in pickups]
    return [_pickup_view(way, zone) for way in ways]


def _pickup_view(way: Way, zone: str) -> dict[str, Any]:
    assert way.pickup is not None
    watch, ride = way.watch, way.ride
    return {
        "pickup": way.pickup.id,
        "code": way.pickup.code,
        "journey": way.journey.id,
        "revision": way.pickup.revision,
        "status": way.pickup.status,
        "state": way.state,
        "why": _why(way, zone),
        "asked": way.pickup.asked.model_dump(mode="json"),
        "by_hand": {"by": way.pickup.by_hand_by, "word": way.pickup.by_hand_word} if way.pickup.by_hand_at else None,
        "watch": None
        if watch is None
        else {
            "revision": watch.revision,
            "answer_by": watch.answer_by,
            "ended_at": watch.ended_at,
            "ended_by": watch.ended_by,
            "replaced_by": watch.replaced_by,
            "unanswered_at": watch.unanswered_at,
        },
        "ride": None if ride is None else ride.state.model_dump(mode="json") | {"word": ride.status},
    }


def destinations(connection: sa.Connection, conference: str) -> list[dict[str, str]]:
    """Where one can be taken: places that were told, and where people go already. As people read them."""
    names = dict.fromkeys(store.programmes.load_destinations(connection, conference))
    used = {journey.arrival.to_place for journey in store.journeys.list_open(connection, conference)}
    names |= dict.fromkeys(sorted(used))
    return [{"slug": name, "name": name} for name in names] or [{"slug": "Venue", "name": "the venue"}]
