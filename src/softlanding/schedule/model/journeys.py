"""Speakers' journeys: who arrives when, what is heard of the flight, and the pickup that follows from both."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from softlanding.contracts.schedule import PickupState
from softlanding.errors import Fault, Invalid
from softlanding.formats.airports import airport
from softlanding.formats.arrivals_csv import LUGGAGE_MAX, PARTY_MAX, WHEELCHAIRS_MAX

KINDS = ("flight", "train")
NEWS = ("on_time", "late", "landed", "diverted", "cancelled")
SETTLING_WORDS = ("planned", "unplaced", "refused", "missed")  # Dispatch has answered about that revision.
HAS_TAKEN_PLACE = ("boarded", "delivered")  # Nothing that is asked now changes such a ride.
_FLIGHT = re.compile(r"(?:[A-Z]{2,3}|[A-Z]\d|\d[A-Z])\d{1,4}[A-Z]?")
_UNTOLD = {"revision", "reason", "requested_at", "answer_by"}  # They differ without anything being asked anew.


@dataclass(frozen=True)
class TalkSlot:
    """A talk as its speaker's journey needs it."""

    code: str
    title: str
    room: str
    starts_at: datetime
    minutes: int

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + timedelta(minutes=self.minutes)


@dataclass(frozen=True)
class Speaker:
    """`talks` are those of the newest release that take place, in order of time."""

    conference: str
    code: str
    name: str
    email: str = ""
    talks: tuple[TalkSlot, ...] = ()


@dataclass(frozen=True)
class Arrival:
    """One way in, as announced. `place` is an IATA code or a station's name, `zone` the one of its clocks."""

    kind: str
    number: str
    place: str
    zone: str
    landing_at: datetime
    to_place: str
    party: int = 1
    luggage: int = 1
    wheelchairs: int = 0
    phone: str = ""
    note: str = ""

    @property
    def on(self) -> date:
        """The day of the landing, by the clocks there."""
        return self.landing_at.astimezone(ZoneInfo(self.zone)).date()

    def is_same_trip(self, other: "Arrival") -> bool:
        """The same flight at the same planned time: what was heard of it still holds."""
        return (self.number, self.place, self.landing_at) == (other.number, other.place, other.landing_at)


@dataclass(frozen=True)
class News:
    """What was heard of a flight or train, when, and from whom."""

    state: str
    expected_at: datetime | None
    at: datetime
    source: str = "by hand"
    note: str = ""


@dataclass(frozen=True)
class Journey:
    """A speaker's arrival from announced to withdrawn; `pickup` is the last one asked for it."""

    id: str
    conference: str
    speaker: str
    speaker_name: str
    arrival: Arrival
    announced_at: datetime
    news: News | None = None
    pickup: str | None = None
    version: int = 1
    withdrawn_at: datetime | None = None
    source_key: str | None = None
    source_digest: str | None = None

    @property
    def leg(self) -> str:
        return leg_of(self.conference, self.speaker, self.arrival.on)

    @property
    def expected_at(self) -> datetime:
        """When it lands, as far as is known."""
        heard = self.news.expected_at if self.news else None
        return heard or self.arrival.landing_at

    @property
    def grave_news(self) -> Literal["", "cancelled", "diverted"]:
        """News that nobody but a person can mend."""
        if self.withdrawn_at is not None or self.news is None:
            return ""
        return "cancelled" if self.news.state == "cancelled" else "diverted" if self.news.state == "diverted" else ""

    @property
    def needs_pickup(self) -> bool:
        """A cancelled flight brings nobody: its journey waits for another one."""
        return self.withdrawn_at is None and not (self.news and self.news.state == "cancelled")


@dataclass(frozen=True)
class Promise:
    """What Schedule promises of each pickup: an answer within this time, and how long fetching is of use."""

    answer_within: timedelta = timedelta(seconds=30)
    expires_after: timedelta = timedelta(minutes=90)


PROMISE = Promise()


def leg_of(conference: str, speaker: str, on: date) -> str:
    """What can be open only once: a speaker's arrival on a day."""
    return f"{conference}/{speaker}/{on.isoformat()}/arrival"


def talk_of(
    journey: Journey,
    talks: Iterable[TalkSlot],
    now: datetime,
    *,
    theirs: Iterable[Journey] = (),
    asked: PickupState | None = None,
) -> TalkSlot | None:
    """The talk that this arrival is for: the first one of its speaker that it alone brings them to.

    Judged by the landing as planned: news takes no talk away. A talk that begins before the landing is meant too,
    however much before: it is lost, and that must be told. Not meant is one that is over, and one that another arrival
    of `theirs` is in time for. The talk that was `asked` for stays meant, unless it is over and they were in time.
    """
    elsewhere = tuple(other.expected_at for other in theirs if other.id != journey.id and other.needs_pickup)
    landing_at = journey.arrival.landing_at
    meant = [talk for talk in talks if _is_for(talk, landing_at, now, elsewhere) or _stays(talk, now, asked)]
    return min(meant, key=lambda talk: (talk.starts_at, talk.code), default=None)


def _is_for(talk: TalkSlot, landing_at: datetime, now: datetime, elsewhere: tuple[datetime, ...]) -> bool:
    is_reached = landing_at < talk.starts_at
    return now < talk.ends_at and (is_reached or not any(other < talk.starts_at for other in elsewhere))


def _stays(talk: TalkSlot, now: datetime, asked: PickupState | None) -> bool:
    if asked is None or asked.talk != talk.code:
        return False
    return now < talk.ends_at or is_lost(asked.landing_at, asked.deadline_at)


def is_lost(landing_at: datetime, starts_at: datetime | None) -> bool:
    """Who lands then cannot be there when the talk begins."""
    return starts_at is not None and starts_at <= landing_at


def lost_in_words(landing_at: datetime, title: str, starts_at: datetime, zone: ZoneInfo) -> str:
    """`the landing (Sat 9 May 17:00) is after “On SQL” begins (Sat 9 May 08:00): that talk is lost`"""
    landing, start = at_in_words(landing_at, zone), at_in_words(starts_at, zone)
    return f"the landing ({landing}) is after “{title}” begins ({start}): that talk is lost"


def at_in_words(moment: datetime, zone: ZoneInfo) -> str:
    """`Sat 9 May 08:00`, by the clocks of `zone`."""
    at = moment.astimezone(zone)
    return f"{at:%a} {at.day} {at:%b} {at:%H:%M}"


def pickup_state(
    journey: Journey,
    talk: TalkSlot | None,
    promise: Promise,
    now: datetime,
    *,
    pickup: str,
    code: str,
    revision: int,
    reason: str = "",
) -> PickupState:
    """The whole of what is asked for, as revision `revision`; `talk` is the one that the arrival is for."""
    arrival, landing_at = journey.arrival, journey.expected_at
    note = "; ".join(part for part in (arrival.note, _news_note(journey)) if part)
    return PickupState(
        conference=journey.conference,
        pickup=pickup,
        code=code,
        revision=revision,
        speaker=journey.speaker,
        speaker_name=journey.speaker_name,
        phone=arrival.phone,
        travel_number=arrival.number,
        from_place=arrival.place,
        to_place=arrival.to_place,
        landing_at=landing_at,
        party=arrival.party,
        luggage=arrival.luggage,
        wheelchairs=arrival.wheelchairs,
        talk=talk.code if talk else None,
        talk_title=talk.title if talk else None,
        deadline_at=talk.starts_at if talk else None,
        note=note,
        news=journey.grave_news,
        reason=reason,
        requested_at=now,
        answer_by=now + promise.answer_within,
        expires_at=landing_at + promise.expires_after,
    )


def _news_note(journey: Journey) -> str:
    news = journey.news
    if news is None or (news.state != "diverted" and not news.note):
        return ""
    return f"{news.state.replace('_', ' ')}: {news.note}".removesuffix(": ")


def is_same_wish(asked: PickupState, wanted: PickupState) -> bool:
    """Nothing in it would tell Dispatch anything new."""
    return asked.model_dump(exclude=_UNTOLD) == wanted.model_dump(exclude=_UNTOLD)


def read_arrival(
    *,
    kind: str,
    number: str,
    place: str,
    conference_zone: str,
    on: date | None,
    at: time | None,
    to_place: str,
    party: int = 1,
    luggage: int = 1,
    wheelchairs: int = 0,
    phone: str = "",
    note: str = "",
) -> Arrival:
    """The arrival, from values as people type them; day and time are those of the clocks where it lands.

    Raises Invalid with every fault, each with its field.
    """
    faults: list[Fault] = []
    number, zone = number.strip(), conference_zone
    if kind not in KINDS:
        faults.append(Fault("how", "choose plane or train"))
    if kind == "flight":
        number = re.sub(r"[\s-]", "", number.upper())
        if not _FLIGHT.fullmatch(number):
            faults.append(Fault("number", "write the flight's number as LH 2078"))
        place = place.strip().upper()
        there = airport(place)
        zone = there.zone if there else zone
        if place and there is None:
            faults.append(Fault("airport", f"{place[:20]} is no IATA airport code; write it as HAM or BER"))
    for field, value in (("airport", place), ("place", to_place)):
        if not value.strip():
            faults.append(Fault(field, "say where" if field == "airport" else "say where to"))
    for field, count, least, most in _bounds(party, luggage, wheelchairs):
        if not least <= count <= most:
            faults.append(Fault(field, f"give a whole number from {least} to {most}"))
    faults += [Fault(name, what) for name, what in (("on", "give the day"),) if on is None]
    faults += [Fault("time", "give the time of arrival")] if at is None else []
    if faults or on is None or at is None:
        raise Invalid(*faults)
    landing_at = _moment(on, at, zone)
    return Arrival(
        kind, number, place.strip(), zone, landing_at, to_place.strip(), party, luggage, wheelchairs, phone, note
    )


def rewritten(known: Arrival, typed: Mapping[str, Any], conference_zone: str) -> Arrival:
    """The arrival with what was typed of it, by the names that `read_arrival` takes. All else stays, to the second; so
    does what was typed as a form shows it, which is less than what is known: minutes, and whether there is any
    wheelchair.

    Raises Invalid as `read_arrival` does.
    """
    local = known.landing_at.astimezone(ZoneInfo(known.zone))
    was: dict[str, Any] = {name: getattr(known, name) for name in _AS_TYPED} | {"on": local.date(), "at": local.time()}
    anew = {name: value for name, value in typed.items() if not _is_as_shown(name, value, was[name])}
    if "wheelchairs" not in anew:
        anew["wheelchairs"] = min(known.wheelchairs, anew.get("party", known.party))
    zone = known.zone if anew.keys().isdisjoint(("kind", "place")) else conference_zone
    return read_arrival(conference_zone=zone, **(was | anew))


_AS_TYPED = ("kind", "number", "place", "to_place", "party", "luggage", "wheelchairs", "phone", "note")


def _is_as_shown(name: str, typed: Any, was: Any) -> bool:
    if name == "wheelchairs":
        return bool(typed) == bool(was)
    if name == "at":
        return typed is not None and (typed.hour, typed.minute) == (was.hour, was.minute)
    if isinstance(was, str):
        return _in_one_line(typed) == _in_one_line(was)
    return bool(typed == was)


def _in_one_line(text: str) -> str:
    """As a browser sends what it was given for one line."""
    return re.sub(r"[\r\n]", "", text).strip()


def read_news(state: str, on: date | None, expected: time | None, zone: str, *, at: datetime, note: str = "") -> News:
    """What a person enters of a flight; day and time are those of the clocks where it lands. Raises Invalid."""
    if state not in NEWS:
        raise Invalid(Fault("news", "choose what is known: " + ", ".join(NEWS)))
    if expected is not None and on is None:
        raise Invalid(Fault("on", "give the day of the new time"))
    if state == "late" and expected is None:
        raise Invalid(Fault("expected", "give the new time"))
    expected_at = _moment(on, expected, zone) if on and expected else None
    return News(state, expected_at, at, "by hand", note)


def _bounds(party: int, luggage: int, wheelchairs: int) -> tuple[tuple[str, int, int, int], ...]:
    return (
        ("party", party, 1, PARTY_MAX),
        ("luggage", luggage, 0, LUGGAGE_MAX),
        ("wheelchair", wheelchairs, 0, min(party, WHEELCHAIRS_MAX) if party >= 1 else WHEELCHAIRS_MAX),
    )


def _moment(on: date, at: time, zone: str) -> datetime:
    """A wall time there as UTC. Raises Invalid for one that a change of the clocks skips, or beyond the calendar."""
    if not 2000 <= on.year <= 2100:
        raise Invalid(Fault("on", "give a day of this century"))
    moment = datetime.combine(on, at.replace(tzinfo=None), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    back = moment.astimezone(ZoneInfo(zone))
    if (back.hour, back.minute) != (at.hour, at.minute):
        raise Invalid(Fault("time", f"{at:%H:%M} does not exist on {on} in {zone}: the clocks change"))
    return moment


def arrival_values(arrival: Arrival) -> dict[str, object]:
    """By field name, for a row."""
    return {field.name: getattr(arrival, field.name) for field in fields(Arrival)}
