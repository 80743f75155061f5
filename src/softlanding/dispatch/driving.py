"""What a driver reads, on the phone and on paper: the stops of the manifest in driving order, and at each who boards or
alights there. Nothing is changed here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding import auth
from softlanding.conferences import Conference
from softlanding.dispatch import model, store, travel
from softlanding.dispatch.model import Crew, Driver, Pickup, Place, Shift, Shown
from softlanding.dispatch.plans import PLAN_HOUR
from softlanding.dispatch.store import StopRow, ToldRow
from softlanding.dispatch.views import SHOWN_AFTER, Values, passenger, plan_of

SHEETS_BEFORE, SHEETS_AHEAD = timedelta(hours=4), timedelta(hours=36)
MAPS = "https://www.google.com/maps/dir/"  # The one address that iPhone and Android both open in an app for driving.


# The phone


@dataclass(frozen=True)
class Drive:
    """What the driver's page shows."""

    driver: Driver
    values: Values
    unshown: tuple[str, ...]  # Codes of the rides that this page shows for the first time, or again.


def drive(connection: sa.Connection, conference: Conference, now: datetime, driver: Driver) -> Drive:
    """The stops of this driver."""
    crews = [crew for crew in store.load_crews(connection, conference.slug).values() if crew.driver == driver.id]
    crew = next((one for one in crews if one.to_at > now), crews[-1] if crews else None)
    recent = [one for one in crews if one.to_at > now - SHOWN_AFTER]
    road = _Road.load(connection, conference, recent, now)
    told = {row.pickup: row for row in store.list_told(connection, "driver", driver.id)}
    mine = {one.shift for one in recent}
    return Drive(
        driver,
        {
            "driver": {"name": driver.name},
            "vehicle": {"name": crew.vehicle, "plate": crew.plate} if crew else None,
            "plan": plan_of(connection, conference.slug),
            "desk": desk_phone(connection, conference.slug),
            "news": [_news(connection, conference, road, row) for row in told.values() if row.is_unseen],
            "stops": [stop for one in recent for stop in road.stops(one.shift)],
            "over": road.over(mine, now),
        },
        unshown=tuple(
            pickup.code
            for pickup in road.pickups.values()
            if pickup.is_on_vehicle and pickup.shift in mine and not _is_shown(told.get(pickup.id))
        ),
    )


def _is_shown(row: ToldRow | None) -> bool:
    """A ride that was taken away, seen, and given back is shown anew; nothing that is unseen is passed over."""
    return row is not None and (row.seen is not None or row.now is None)


# What changed


_CHANGED = {"board_at": "time", "from_place": "from", "to_place": "to", "car": "car"}


def _news(connection: sa.Connection, conference: Conference, road: "_Road", row: ToldRow) -> Values:
    """What the driver has not seen: a ride that is gone, or what was and what is now."""
    pickup = store.find_pickup(connection, row.pickup)
    assert pickup is not None, "who was shown a ride was shown one that is known"
    return {
        "code": pickup.code,
        "passenger": pickup.speaker_name,
        "version": row.now_at.isoformat(),
        "since": row.now_at,
        "is_gone": row.now is None,
        "why": _why_gone(connection, pickup) if row.now is None else "",
        "changes": _told_changes(road, row.seen, row.now, ZoneInfo(conference.zone)),
    }


def _why_gone(connection: sa.Connection, pickup: Pickup) -> str:
    """Who has it now, or why nobody needs to come; and whose word that was."""
    crew = store.load_crews(connection, pickup.conference).get(pickup.shift or "")
    if crew is None:
        return pickup.reason or model.said(pickup.status)
    words = (step for step in store.list_history(connection, pickup.id) if step.words.startswith("planned on"))
    by = next((step.by for step in words), "")
    moved = f"{by} gave it to {crew.driver_name}" if by else f"{crew.driver_name} has it now"
    return f"{moved}, {crew.vehicle}"


def _told_changes(road: "_Road", before: Shown | None, after: Shown | None, zone: ZoneInfo) -> list[Values]:
    if before is None or after is None:
        return []
    found = [
        {"what": what, "was": road.say(what, before, zone), "now": road.say(what, after, zone)}
        for what in model.changes(before, after)
    ]
    return [one | {"what": _CHANGED.get(str(one["what"]), one["what"])} for one in found]


def desk_phone(connection: sa.Connection, conference: str) -> str:
    """The phone of a coordinator; "" if none has one."""
    wanted = {(conference, "coordinator"), (auth.EVERYWHERE, "coordinator")}
    people = (person for person in auth.list_people(connection) if wanted & set(person.roles))
    return next((person.phone for person in people if person.phone), "")


# Paper


def sheets(connection: sa.Connection, conference: Conference, now: datetime, driver: str = "") -> Values:
    """Run sheets of the shifts of today and tomorrow, or of one driver's."""
    crews = [
        crew
        for crew in store.load_crews(connection, conference.slug).values()
        if crew.to_at > now - SHEETS_BEFORE and crew.from_at < now + SHEETS_AHEAD and driver in ("", crew.driver)
    ]
    road = _Road.load(connection, conference, crews, now)
    return {
        "plan": plan_of(connection, conference.slug),
        "printed_at": now,
        "desk": desk_phone(connection, conference.slug),
        "sheets": [_sheet(crew, road) for crew in crews],
    }


def _sheet(crew: Crew, road: "_Road") -> Values:
    return {
        "driver": {"id": crew.driver, "name": crew.driver_name, "phone": crew.driver_phone},
        "vehicle": {"name": crew.vehicle, "plate": crew.plate, "code": crew.code},
        "shift": {"from_at": crew.from_at, "to_at": crew.to_at},
        "qr": "",
        "stops": road.stops(crew.shift),
    }


# Stops


@dataclass(frozen=True)
class _Road:
    """Where some shifts lead, and with whom."""

    conference: Conference
    places: Mapping[str, Place]
    shifts: Mapping[str, Shift]
    pickups: Mapping[str, Pickup]  # Those on these shifts, and those that were.
    rows: Mapping[str, list[StopRow]]
    hour: datetime  # Whose traffic plans are made for.

    @classmethod
    def load(cls, connection: sa.Connection, conference: Conference, crews: Iterable[Crew], now: datetime) -> "_Road":
        keys = [crew.shift for crew in crews]
        return cls(
            conference=conference,
            places=store.load_places(connection, conference.slug),
            shifts=store.load_shifts(connection, conference.slug),
            pickups={one.id: one for one in store.list_of_shifts(connection, keys)},
            rows={key: store.list_stops_of_shift(connection, key) for key in keys},
            hour=now.astimezone(ZoneInfo(conference.zone)).replace(hour=PLAN_HOUR),
        )

    def stops(self, shift: str) -> list[Values]:
        """The stops at which something is still to do, in driving order."""
        known = self.shifts[shift]
        here, free_at, riding, found = known.at_place or known.start_place, known.from_at, 0, list[Values]()
        for _position, group in groupby(self.rows[shift], key=lambda row: row.position):
            rows = list(group)
            rides = [(row.kind, self.pickups[row.pickup]) for row in rows if row.pickup in self.pickups]
            if any(is_to_do(kind, pickup) for kind, pickup in rides):
                found.append(self._stop(rows[0], rides, here, free_at, riding))
            riding += sum(pickup.party if kind == "board" else -pickup.party for kind, pickup in rides)
            here, free_at = rows[0].place, rows[0].depart_at
        return found

    def _stop(self, row: StopRow, rides: list[tuple[str, Pickup]], here: str, free_at: datetime, riding: int) -> Values:
        drive = self._drive(here, row.place)
        cards = [self._card(kind, pickup) for kind, pickup in sorted(rides, key=lambda one: one[0])]
        chain = [{"tap": tap, "codes": _at_step(cards, tap)} for tap in ("delivered", "accepted", "arrived", "boarded")]
        return {
            "key": f"{row.kind}-{rides[0][1].code}",
            "place": self._spot(row.place, row.place),
            "at": row.begin_at,
            "leave_at": max(free_at, row.begin_at - drive),
            "drive": drive,
            "riding": max(0, riding),
            "rides": cards,
            "taps": chain,
            "next": next((one["tap"] for one in chain if one["codes"]), ""),
        }

    def _drive(self, here: str, there: str) -> timedelta:
        start, end = self.places.get(here), self.places.get(there)
        if start is None or end is None or here == there:
            return timedelta(0)
        points = ((start.latitude, start.longitude), (end.latitude, end.longitude))
        return timedelta(seconds=travel.travel(*points, self.hour).seconds)

    def _card(self, kind: str, pickup: Pickup) -> Values:
        """One who boards or alights at a stop."""
        zone = ZoneInfo(self.conference.zone)
        return {
            **passenger(pickup, self.places),
            "does": kind,
            "is_to_do": is_to_do(kind, pickup),
            "sign": self.conference.slug.upper(),  # As the speaker is told.
            "arrival": pickup.travel_number,
            "arrival_news": f"lands {pickup.landing_at.astimezone(zone):%H:%M}" if pickup.travel_number else "",
            "state": pickup.status,
            "note": pickup.note,
            "said": _last_said(pickup, zone),
            "no_show_from": pickup.no_show_from if pickup.status == "arrived" else None,
        }

    def _spot(self, slug: str, text: str) -> Values:
        place = self.places.get(slug)
        if place is None:
            return {"name": text, "address": "", "note": "", "navigate": ""}
        query = urlencode({"api": 1, "travelmode": "driving", "destination": f"{place.latitude},{place.longitude}"})
        return {"name": place.name, "address": place.address, "note": place.note, "navigate": f"{MAPS}?{query}"}

    def say(self, what: str, known: Shown, zone: ZoneInfo) -> str:
        """One thing about a ride as a driver reads it."""
        value = getattr(known, what)
        if isinstance(value, datetime):
            return f"{value.astimezone(zone):%H:%M}"
        if what in ("from_place", "to_place"):
            return self.places[value].name if value in self.places else str(value)
        return str(value)

    def over(self, shifts: set[str], now: datetime) -> list[Values]:
        """What ended on these shifts lately, the newest first."""
        ended = [
            (at, pickup)
            for pickup in self.pickups.values()
            if (at := pickup.delivered_at or pickup.ended_at) is not None and now - at < SHOWN_AFTER
            if not pickup.is_open and (pickup.shift in shifts or pickup.shift is None)
        ]
        ended.sort(key=lambda one: (one[0], one[1].id), reverse=True)
        return [
            passenger(pickup, self.places)
            | {"state": pickup.status, "at": at, "may_come": pickup.status in ("no_show", "missed", "stood_down")}
            for at, pickup in ended
        ]


def is_to_do(kind: str, pickup: Pickup) -> bool:
    """Whether they are still to board, or to alight."""
    return pickup.status in model.BEFORE_BOARDING if kind == "board" else pickup.status in model.OPEN


_STEP = {"planned": "accepted", "accepted": "arrived", "arrived": "boarded", "boarded": "delivered"}


def _at_step(cards: list[Values], tap: str) -> list[str]:
    """Whose next word this is, at this stop."""
    does = "alight" if tap == "delivered" else "board"
    return [card["code"] for card in cards if card["does"] == does and _STEP.get(card["state"]) == tap]


def _last_said(pickup: Pickup, zone: ZoneInfo) -> str:
    """The last thing that the driver told, and when it was."""
    steps = (
        ("dropped off", pickup.delivered_at),
        ("aboard since", pickup.boarded_at),
        ("you arrived", pickup.arrived_at),
        ("you took it", pickup.accepted_at),
    )
    return next((f"{words} {at.astimezone(zone):%H:%M}" for words, at in steps if at is not None), "")
