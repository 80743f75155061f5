"""A pickup and what may happen to it, places and who drives where: nouns and rules, without any database."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from softlanding.errors import Refused

OPEN = ("planned", "accepted", "arrived", "boarded", "unplaced")
ON_VEHICLE = ("planned", "accepted", "arrived", "boarded")
BEFORE_BOARDING = ("planned", "accepted", "arrived", "unplaced")
OVER = ("delivered", "no_show", "missed", "stood_down", "refused")
TAPS = ("accepted", "arrived", "boarded", "delivered", "no_show")

SEATS_EVER = 20  # Beyond this a group needs a coach, which is booked, not dispatched.
TALK_MARGIN = timedelta(minutes=15)  # A speaker wants to be there that much before the talk.
NO_SHOW_AFTER = timedelta(minutes=15)  # A driver waits that long at the agreed place before nobody came.
LATE_WORD_AFTER = timedelta(seconds=60)  # A tap that comes later than this after it was made is a late word.
TOLD_FROM = timedelta(minutes=3)  # Nobody is told of times that moved by less.
GRACE = timedelta(hours=1)  # How long a ride stays of use that a person took up again after it was missed.
AT_AIRPORT_BEFORE = timedelta(minutes=90)  # Before the departure of a flight.
AT_STATION_BEFORE = timedelta(minutes=15)
LEAVE_STATION = timedelta(minutes=10)  # From a train's arrival to the kerb.


@dataclass(frozen=True)
class Place:
    """Where people board and alight."""

    conference: str
    slug: str
    name: str
    kind: str
    latitude: float
    longitude: float
    zone: str = "UTC"
    iata: str = ""
    address: str = ""
    note: str = ""
    exit_international_min: int | None = None
    exit_domestic_min: int | None = None


@dataclass(frozen=True)
class Vehicle:
    conference: str
    code: str
    name: str
    plate: str
    seats: int
    luggage: int
    wheelchair_places: int
    start_place: str | None = None


@dataclass(frozen=True)
class Driver:
    id: str
    conference: str
    name: str
    phone: str
    token: str  # By what the personal link is found (tables.py).
    seen_at: datetime | None = None
    removed_at: datetime | None = None
    link: str | None = None  # The id that its address is made from; none: there is no link.

    def with_link(self, link: str) -> "Driver":
        """With this personal link and no other."""
        return replace(self, token=link, link=link, seen_at=None)


@dataclass(frozen=True)
class Shift:
    """When a driver drives which vehicle."""

    id: str
    conference: str
    vehicle: str
    driver: str
    from_at: datetime
    to_at: datetime
    start_place: str
    at_place: str | None = None
    at_since: datetime | None = None


@dataclass(frozen=True)
class Crew:
    """A shift as people are told of it."""

    shift: str
    code: str
    vehicle: str
    plate: str
    seats: int
    driver: str
    driver_name: str
    driver_phone: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True)
class Pickup:
    """A ride asked for, in its newest revision, and what became of it (tables.py explains each field)."""

    id: str
    conference: str
    code: str
    epoch: str
    revision: int
    direction: str
    speaker: str
    speaker_name: str
    phone: str
    travel_number: str
    from_text: str
    to_text: str
    landing_at: datetime
    party: int
    luggage: int
    wheelchairs: int
    talk: str | None
    talk_title: str | None
    deadline_at: datetime | None
    note: str
    requested_at: datetime
    answer_by: datetime
    expires_at: datetime
    ready_at: datetime
    latest_board_at: datetime
    due_at: datetime
    asked_at: datetime
    heard_at: datetime
    status: str = "unplaced"
    reason: str = ""
    from_place: str | None = None
    to_place: str | None = None
    shift: str | None = None
    last_shift: str | None = None
    vehicle: str | None = None
    board_at: datetime | None = None
    deliver_at: datetime | None = None
    plan: int | None = None
    is_pinned: bool = False
    is_held: bool = False
    tried: str | None = None
    tried_at: datetime | None = None
    risk_revision: int | None = None
    accepted_at: datetime | None = None
    arrived_at: datetime | None = None
    boarded_at: datetime | None = None
    delivered_at: datetime | None = None
    ended_at: datetime | None = None
    asked_sequence: int | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def is_aboard(self) -> bool:
        return self.status == "boarded"

    @property
    def is_on_vehicle(self) -> bool:
        return self.status in ON_VEHICLE

    @property
    def no_show_from(self) -> datetime | None:
        """From when on nobody came: the driver waited long enough where and when it was agreed."""
        if self.arrived_at is None:
            return None
        agreed = max(self.arrived_at, self.board_at or self.arrived_at)
        return agreed + NO_SHOW_AFTER

    @property
    def talk_by(self) -> datetime | None:
        """When the passenger should be there for the talk or the way out."""
        return self.deadline_at - TALK_MARGIN if self.deadline_at else None


def is_talk_at_risk(pickup: Pickup, onward: timedelta) -> bool:
    """As planned, they are not at the venue well before the talk; it is `onward` from where they alight."""
    by = pickup.talk_by
    return by is not None and pickup.deliver_at is not None and pickup.deliver_at + onward > by


def is_talk_lost_as_planned(pickup: Pickup, onward: timedelta) -> bool:
    """As planned, they are not at the venue when the talk begins; it is `onward` from where they alight. Another plan
    may still bring them there in time."""
    begins, alight_at = pickup.deadline_at, pickup.deliver_at
    return begins is not None and alight_at is not None and alight_at + onward >= begins


def is_talk_lost(pickup: Pickup, way: timedelta) -> bool:
    """Whatever is planned, they are not at the venue when the talk begins; it is `way` from where they board."""
    is_asked = pickup.direction == "arrival" and pickup.talk is not None and pickup.deadline_at is not None
    return is_asked and not pickup.delivered_at and pickup.ready_at + way >= (pickup.deadline_at or pickup.ready_at)


@dataclass(frozen=True)
class Shown:
    """What a driver is shown of a ride and goes by: another one of these is told until it is seen."""

    board_at: datetime
    from_place: str
    to_place: str
    car: str
    party: int
    luggage: int
    wheelchairs: int


def shown(pickup: Pickup, car: str) -> Shown:
    """The ride as its driver goes by it now."""
    return Shown(
        board_at=pickup.board_at or pickup.ready_at,
        from_place=pickup.from_place or pickup.from_text,
        to_place=pickup.to_place or pickup.to_text,
        car=car,
        party=pickup.party,
        luggage=pickup.luggage,
        wheelchairs=pickup.wheelchairs,
    )


def changes(before: Shown, after: Shown) -> tuple[str, ...]:
    """In which of its fields a ride differs for who drives it; some minutes are no difference."""
    differ = (name for name in vars(before) if getattr(before, name) != getattr(after, name))
    return tuple(name for name in differ if name != "board_at" or abs(before.board_at - after.board_at) >= TOLD_FROM)


def off_vehicle(pickup: Pickup, status: str, reason: str, now: datetime) -> Pickup:
    """The pickup after its place in a manifest ended; who drove it is remembered, the agreed times are not."""
    return replace(
        pickup,
        status=status,
        reason=reason,
        last_shift=pickup.shift or pickup.last_shift,
        shift=None,
        vehicle=None,
        board_at=None,
        deliver_at=None,
        is_pinned=False,
        accepted_at=None,
        arrived_at=None,
        ended_at=now if status in OVER else None,
    )


def impossible(pickup: Pickup, seats_most: int, zone: ZoneInfo) -> str:
    """Why it can never be planned as asked, whatever the fleet does, told in this zone; "" when it can."""
    if pickup.from_place is not None and pickup.from_place == pickup.to_place:
        return f"{pickup.code} goes from {pickup.from_text} to the same place: say where it goes"
    if pickup.wheelchairs > pickup.party:
        return f"{pickup.code} has {pickup.wheelchairs} wheelchairs for a party of {pickup.party}: correct the numbers"
    if pickup.party > max(SEATS_EVER, seats_most):
        most = max(SEATS_EVER, seats_most)
        return f"{pickup.code} is a party of {pickup.party}, and no vehicle here takes more than {most}: split it"
    if pickup.ready_at > pickup.expires_at:
        until, ready = pickup.expires_at.astimezone(zone), pickup.ready_at.astimezone(zone)
        return (
            f"{pickup.code} is of use until {until:%Y-%m-%d %H:%M} and ready only at {ready:%Y-%m-%d %H:%M}: "
            "correct the times"
        )
    return ""


def ready_at(pickup: Pickup, start: Place | None, end: Place | None, exit_default: timedelta) -> datetime:
    """When the passenger stands at the kerb: after landing, the time that leaving takes there. On the way out: in time
    to reach the flight by a slow shared ride."""
    if pickup.direction == "departure":
        return leave_by(pickup, end) - timedelta(hours=1)
    if start is not None and start.kind == "airport":
        minutes = start.exit_international_min
        return pickup.landing_at + (exit_default if minutes is None else timedelta(minutes=minutes))
    if start is not None and start.kind == "station":
        return pickup.landing_at + LEAVE_STATION
    return pickup.landing_at


def leave_by(pickup: Pickup, end: Place | None) -> datetime:
    """When somebody on the way out must be at the airport or station."""
    before = AT_STATION_BEFORE if end is not None and end.kind == "station" else AT_AIRPORT_BEFORE
    return pickup.deadline_at or pickup.landing_at - before


def find_place(text: str, by_text: Mapping[str, str]) -> str | None:
    """The slug of the place that is meant: by slug, IATA code or name, in any case."""
    return by_text.get(plain(text))


def places_by_text(places: Mapping[str, Place]) -> dict[str, str]:
    """All texts by which a place is known. A slug beats an IATA code, and that a name; of two, the first slug."""
    found: dict[str, str] = {}
    for name in ("slug", "iata", "name"):
        for slug in sorted(places):
            text = plain(str(getattr(places[slug], name)))
            if text:
                found.setdefault(text, slug)
    return found


def plain(text: str) -> str:
    """Without what people vary when they write a name: case and blanks."""
    return " ".join(text.casefold().split())


def slug_of(name: str) -> str:
    """`Hotel Zur Ruhigen Elbe` as `hotel-zur-ruhigen-elbe`; never empty."""
    return re.sub(r"[^a-z0-9]+", "-", fold(name)).strip("-")[:60] or "place"


def fold(text: str) -> str:
    """Latin letters without their marks."""
    pairs = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "é": "e", "è": "e", "å": "a", "ø": "o", "ł": "l", "ç": "c"}
    return "".join(pairs.get(letter, letter) for letter in text.casefold())


@dataclass(frozen=True)
class Tapped:
    """What a tap did: the pickup after it, and whether there is news to tell.

    `marked` says what is odd about it; `against` why it has no effect, and is kept beside what is known.
    """

    pickup: Pickup
    is_news: bool
    words: str
    at: datetime
    marked: str = ""
    against: str = ""


_STEPS = ("accepted", "arrived", "boarded", "delivered")
_FROM = {
    "accepted": ("planned",),
    "arrived": ("planned", "accepted"),
    # A fact is the truth, whatever was planned or declared.
    "boarded": ("planned", "accepted", "arrived", "unplaced", "missed", "no_show", "stood_down", "refused"),
    "delivered": ("boarded",),
    "no_show": ("planned", "accepted", "arrived"),
}
_SAID = {
    "accepted": "you took it",
    "arrived": "you arrived",
    "boarded": "aboard since",
    "delivered": "dropped off",
    "no_show": "no-show at",
}


def tapped(pickup: Pickup, tap: str, at: datetime, say: Callable[[datetime], str], *, is_mine: bool = True) -> Tapped:
    """The pickup after a driver's word about what happened `at`; `say` writes a time as the driver reads it. `is_mine`:
    the ride is this driver's, or was and is nobody's now.

    The same word twice is no news. A word that comes late, after a later step is known, is taken into its place. What
    happened is never refused: what contradicts what is known is kept beside it. Raises Refused, in words for the
    driver, for what has not happened yet: taking a ride that is gone, a no-show before the driver has waited.
    """
    known = _known_at(pickup, tap)
    if known is not None and is_mine:
        return Tapped(pickup, False, f"{_SAID[tap]} {say(known)}", known)
    if pickup.status in _FROM[tap] and (is_mine or tap == "boarded"):
        true_at, marked = _in_order(pickup, tap, at, say)
        after = _advanced(pickup, tap, true_at, say)
        return Tapped(after, True, f"{_SAID[tap]} {say(true_at)}", true_at, marked)
    if is_mine and _is_late_step(pickup, tap, at):
        late = replace(pickup, accepted_at=at) if tap == "accepted" else replace(pickup, arrived_at=at)
        return Tapped(late, True, f"{_SAID[tap]} {say(at)}, told later", at)
    against = _contradiction(pickup, tap, is_mine=is_mine)
    if tap == "accepted":
        raise Refused(against)
    return Tapped(pickup, False, f"noted: {_SAID[tap]} {say(at)}. {against}", at, against=against)


def _in_order(pickup: Pickup, tap: str, at: datetime, say: Callable[[datetime], str]) -> tuple[datetime, str]:
    """The time that can be true: not before the step before it; and what was told instead."""
    before = {"boarded": pickup.arrived_at, "delivered": pickup.boarded_at}.get(tap)
    if before is None or at >= before:
        return at, ""
    return before, f"told as {say(at)}, before the step before it at {say(before)}: that phone's clock may be wrong"


def _known_at(pickup: Pickup, tap: str) -> datetime | None:
    if tap == "no_show":
        return pickup.ended_at if pickup.status == "no_show" else None
    if tap == "boarded" and pickup.status not in ("boarded", "delivered"):
        return None
    known: datetime | None = getattr(pickup, f"{tap}_at")
    return known


def _is_late_step(pickup: Pickup, tap: str, at: datetime) -> bool:
    """A step before the one where the pickup stands, made before it."""
    if tap not in ("accepted", "arrived") or pickup.status not in _STEPS:
        return False
    later = [moment for step in _STEPS[_STEPS.index(tap) + 1 :] if (moment := getattr(pickup, f"{step}_at"))]
    return bool(later) and at <= min(later)


def _advanced(pickup: Pickup, tap: str, at: datetime, say: Callable[[datetime], str]) -> Pickup:
    if tap == "no_show":
        agreed = pickup.no_show_from or (pickup.board_at or pickup.ready_at) + NO_SHOW_AFTER
        if at < agreed:
            raise Refused(f"please wait for {pickup.code} until {say(agreed)} and call first; then say no-show")
        return replace(
            off_vehicle(pickup, "no_show", "the driver waited and nobody came", at), arrived_at=pickup.arrived_at
        )
    known = {f"{tap}_at": at}
    return replace(pickup, status=tap, ended_at=None, reason="", **known)  # type: ignore[arg-type]


def _contradiction(pickup: Pickup, tap: str, *, is_mine: bool) -> str:
    if pickup.status == "stood_down":
        return f"{pickup.code} was withdrawn: nobody has to come. Call the desk if somebody is with you"
    if pickup.status == "unplaced":
        return f"{pickup.code} was taken from you and waits for another car. Call the desk if somebody is with you"
    if not is_mine and pickup.is_open:
        return f"{pickup.code} is another driver's ride. Call the desk if somebody is with you"
    if tap == "no_show" and pickup.is_aboard:
        return f"{pickup.code} is aboard by your own word. Call the desk, which puts it right"
    return f"{pickup.code} is {said(pickup.status)} already"


def said(status: str) -> str:
    """A status in a sentence."""
    return {"boarded": "aboard", "no_show": "a no-show", "stood_down": "stood down"}.get(status, status)
