"""Questions that pages ask, answered in the shape that their templates name. Nothing is changed here."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.conferences import Conference
from softlanding.contracts.cost import SETTLED_WITHIN, Cost, cost_of_outage
from softlanding.dispatch import alarms, model, plans, store, travel
from softlanding.dispatch.model import OPEN, OVER, Crew, Pickup, Place
from softlanding.dispatch.plans import Desk, Hand
from softlanding.lifecycle.outages import Outage, list_outages
from softlanding.messaging.outbox import last_number

WINDOW_BEFORE, WINDOW = timedelta(hours=1), timedelta(hours=9)
SHOWN_AFTER = timedelta(hours=3)  # What ended is still shown so long, so that nobody wonders where it went.
SILENT_AFTER = timedelta(minutes=5)  # A driver under way of whom nothing is heard for so long is silent.
LATE_AFTER = timedelta(minutes=10)
SOON = timedelta(minutes=30)
STATES = (*OPEN, *OVER)  # Every pickup is in one of these.
QUEUE_MAX, OPTIONS_KEPT_MAX, EXPLAINED_MAX = 200, 200, 12
OUTAGE_SHOWN = timedelta(hours=12)
NEAR_MAX = 4

Values = dict[str, Any]
_COSTS: WeakKeyDictionary[sa.Engine, dict[tuple[object, ...], Cost]] = WeakKeyDictionary()  # Boards ask all the time.
_COSTS_MAX = 64


# The board


def board(connection: sa.Connection, conference: Conference, now: datetime) -> Values:
    """Everything on the board but the chosen pickup."""
    slug = conference.slug
    crews = store.load_crews(connection, slug)
    places = store.load_places(connection, slug)
    seen = {driver.id: driver.seen_at for driver in store.list_drivers(connection, slug)}
    shown = store.list_shown(connection, slug, now - SHOWN_AFTER)
    unseen = {(row.driver, row.pickup) for row in store.list_told(connection, "conference", slug) if row.is_unseen}
    window = _window(now, shown, crews.values())
    cars = store.load_vehicles(connection, slug).values()
    onward = plans.onward(places, now, ZoneInfo(conference.zone))
    found = alarms.list_alarms(connection, conference, crews, onward, now)
    return {
        "counts": counts(connection, conference, now) | {"to_settle": len(found)},
        "plan": plan_of(connection, slug),
        "alarms": found,
        "deaths": outages(connection, ZoneInfo(conference.zone), now),
        "queue": [
            _waiting(pickup, places) for pickup in store.list_pickups(connection, slug, ("unplaced",), QUEUE_MAX)
        ],
        "window": window,
        "vehicles": [
            _lane(
                car,
                [crew for crew in crews.values() if crew.code == car.code],
                shown,
                places,
                seen,
                unseen,
                now,
                onward,
            )
            for car in cars
        ],
    }


def plan_of(connection: sa.Connection, conference: str) -> Values:
    row = store.load_plan(connection, conference)
    return {"number": row.number if row else 0, "made_at": row.made_at if row else None}


def counts(connection: sa.Connection, conference: Conference, now: datetime) -> dict[str, int]:
    """Pickups of today by state, by the days of the conference's zone: each is in one state, so they add up to `total`.
    `later`: those of other days to come."""
    zone = ZoneInfo(conference.zone)
    today = now.astimezone(zone).date()
    begin, end = (datetime.combine(day, time(), zone) for day in (today, today + timedelta(days=1)))
    found = dict.fromkeys(STATES, 0) | store.count_day(connection, conference.slug, begin, end)
    return found | {"total": sum(found.values()), "later": store.count_later(connection, conference.slug, end)}


def count_pickups(connection: sa.Connection) -> dict[str, float]:
    """All pickups of all conferences and days by state, for metrics; states that none is in are 0."""
    return dict.fromkeys(STATES, 0.0) | store.count_all(connection)


def outages(connection: sa.Connection, zone: ZoneInfo, now: datetime) -> list[Values]:
    """Dispatch's own outages of the last hours: what waited meanwhile, what was recovered, what had expired."""
    return [
        _outage(connection, outage, outage.until, zone, now)
        for outage in list_outages(connection, 10, "dispatch")
        if outage.until is not None and now - outage.until <= OUTAGE_SHOWN
    ]


def _outage(connection: sa.Connection, outage: Outage, until: datetime, zone: ZoneInfo, now: datetime) -> Values:
    cost = _cost(connection, outage, until, now)
    return {
        "died_at": outage.since,
        "how": outage.how,
        "back_at": until,
        "down_s": outage.down_s,
        "attempts": outage.attempts,
        "sentence": outage.sentence(zone),
        "recovered": len(cost.recovered),
        "expired": len(cost.expired),
    }


def _cost(connection: sa.Connection, outage: Outage, until: datetime, now: datetime) -> Cost:
    """As Statistics counts it. What is settled is counted once, what is not with each fact that we tell."""
    is_settled = now > until + SETTLED_WITHIN
    key, known = (outage, None if is_settled else last_number(connection)), _COSTS.setdefault(connection.engine, {})
    if key not in known:
        while len(known) >= _COSTS_MAX:
            known.pop(next(iter(known)))
        before, after = store.load_words_around(connection, outage, until + SETTLED_WITHIN)
        known[key] = cost_of_outage(before, after, outage.since, until)
    return known[key]


def _window(now: datetime, shown: list[Pickup], crews: Iterable[Crew]) -> Values:
    """From an hour ago on; where nothing is near, from where the next thing is."""
    begin = now - WINDOW_BEFORE
    near = [one.deliver_at for one in shown if one.is_on_vehicle and one.deliver_at is not None]
    near += [crew.to_at for crew in crews]
    ahead = [one.board_at for one in shown if one.is_on_vehicle and one.board_at is not None and one.board_at > now]
    ahead += [crew.from_at for crew in crews if crew.from_at > now]
    is_near = any(begin <= at <= now + WINDOW for at in near) or any(at <= now + WINDOW for at in ahead)
    if not is_near and ahead:
        begin = min(ahead)
    begin = begin.replace(minute=0, second=0, microsecond=0)
    hours = [begin + timedelta(hours=number) for number in range(1, int(WINDOW / timedelta(hours=1)))]
    return {"from_at": begin, "to_at": begin + WINDOW, "hours": hours}


def _waiting(pickup: Pickup, places: Mapping[str, Place]) -> Values:
    return {
        "code": pickup.code,
        "passenger": pickup.speaker_name,
        "party": pickup.party,
        "from_place": _name(places, pickup.from_place, pickup.from_text),
        "to_place": _name(places, pickup.to_place, pickup.to_text),
        "ready_at": pickup.ready_at,
        "expires_at": pickup.due_at,
        "state": pickup.status,
        "why": pickup.reason,
    }


def _name(places: Mapping[str, Place], slug: str | None, otherwise: str) -> str:
    return places[slug].name if slug is not None and slug in places else otherwise


def _lane(
    car: model.Vehicle,
    crews: list[Crew],
    shown: list[Pickup],
    places: Mapping[str, Place],
    seen: Mapping[str, datetime | None],
    unseen: set[tuple[str, str]],
    now: datetime,
    onward: Mapping[str, timedelta],
) -> Values:
    """One vehicle with its shift, now or next, and its rides."""
    crew = next((one for one in crews if one.to_at > now), None)
    shifts = {one.shift: one.driver for one in crews}
    mine = [one for one in shown if one.shift in shifts and one.board_at is not None]
    mine.sort(key=lambda one: (one.board_at, one.id))
    is_unseen = {one.id: (shifts[one.shift or ""], one.id) in unseen for one in mine}
    rides = _on_lines([_bar(pickup, places, now, onward) | {"is_unseen": is_unseen[pickup.id]} for pickup in mine])
    return {
        "code": car.code,
        "name": car.name,
        "plate": car.plate,
        "seats": car.seats,
        "driver": {"name": crew.driver_name, "phone": crew.driver_phone} if crew else None,
        "seen_at": seen.get(crew.driver) if crew else None,
        "shift": {"from_at": crew.from_at, "to_at": crew.to_at} if crew else None,
        "state": _state(crew, mine, seen, now),
        "lines": 1 + max((ride["line"] for ride in rides), default=0),
        "rides": rides,
    }


def _bar(pickup: Pickup, places: Mapping[str, Place], now: datetime, onward: Mapping[str, timedelta]) -> Values:
    return {
        "code": pickup.code,
        "passenger": pickup.speaker_name,
        "party": pickup.party,
        "board_at": pickup.boarded_at or pickup.board_at,
        "deliver_at": pickup.delivered_at or pickup.deliver_at,
        "from_place": _name(places, pickup.from_place, pickup.from_text),
        "to_place": _name(places, pickup.to_place, pickup.to_text),
        "state": pickup.status,
        "is_late": is_late(pickup, now, onward.get(pickup.to_place or "", timedelta(0))),
        "is_pinned": pickup.is_pinned,
    }


def is_late(pickup: Pickup, now: datetime, onward: timedelta) -> bool:
    """Behind its plan, or planned too late for its talk, which is `onward` from where they alight."""
    if pickup.status == "delivered" or pickup.board_at is None or pickup.deliver_at is None:
        return False
    due = pickup.deliver_at if pickup.is_aboard else pickup.board_at
    return model.is_talk_at_risk(pickup, onward) or now > due + LATE_AFTER


def _on_lines(rides: list[Values]) -> list[Values]:
    """Rides that overlap stand on different lines."""
    ends: list[datetime] = []
    for ride in rides:
        line = next((number for number, end in enumerate(ends) if end <= ride["board_at"]), len(ends))
        ends[line : line + 1] = [ride["deliver_at"]]
        ride["line"] = line
    return rides


def _state(crew: Crew | None, rides: list[Pickup], seen: Mapping[str, datetime | None], now: datetime) -> str:
    """`off`, `free`, `driving`, or under way and silent."""
    if crew is None or crew.from_at > now:
        return "off"
    under_way = any(one.status in ("arrived", "boarded") for one in rides) or any(
        one.is_on_vehicle and one.board_at is not None and one.board_at <= now for one in rides
    )
    if not under_way:
        return "free"
    heard = seen.get(crew.driver)
    return "silent" if heard is None or now - heard > SILENT_AFTER else "driving"


# The chosen pickup


def chosen(connection: sa.Connection, desk: Desk, conference: Conference, now: datetime, code: str) -> Values | None:
    """The pickup beside the lanes, with the vehicles that could take it; None if there is none of that code."""
    found = store.list_by_code(connection, conference.slug, code)
    if found is None:
        return None
    crews = store.load_crews(connection, conference.slug)
    places = store.load_places(connection, conference.slug)
    crew = crews.get(found.shift or "")
    is_assignable = found.status in ("planned", "accepted", "arrived", "unplaced", "missed", "no_show")
    return {
        **passenger(found, places),
        "arrival": found.travel_number,
        "ready_at": found.ready_at,
        "expires_at": found.due_at,
        "note": found.note,
        "talk": found.talk_title or found.talk,
        "talk_at": found.deadline_at if found.talk else None,
        "state": found.status,
        "why": found.reason,
        "revision": found.revision,
        "is_pinned": found.is_pinned,
        "is_held": found.is_held,
        "vehicle": {"code": crew.code, "name": crew.vehicle, "driver": crew.driver_name} if crew else None,
        "board_at": found.board_at,
        "deliver_at": found.deliver_at,
        "told": who_was_told(connection, found),
        "history": [vars(step) for step in store.list_history(connection, found.id)],
        "options": options(connection, desk, now, found) if is_assignable else [],
    }


def passenger(pickup: Pickup, places: Mapping[str, Place]) -> Values:
    """Who rides, with what, from where to where."""
    return {
        "code": pickup.code,
        "passenger": pickup.speaker_name,
        "phone": pickup.phone,
        "party": pickup.party,
        "luggage": pickup.luggage,
        "wheelchair": pickup.wheelchairs > 0,
        "from_place": _name(places, pickup.from_place, pickup.from_text),
        "to_place": _name(places, pickup.to_place, pickup.to_text),
    }


def who_was_told(connection: sa.Connection, pickup: Pickup) -> list[Values]:
    """Who was shown a ride, and since when they have, or have not, seen how it stands."""
    names = {driver.id: driver.name for driver in store.list_drivers(connection, pickup.conference)}
    return [
        {
            "driver": names.get(row.driver, "a driver who left"),
            "is_seen": not row.is_unseen,
            "is_gone": row.now is None,
            "at": row.now_at if row.is_unseen else row.seen_at,
        }
        for row in store.list_told(connection, "pickup", pickup.id)
    ]


def options(connection: sa.Connection, desk: Desk, now: datetime, pickup: Pickup) -> list[Values]:
    """Which vehicles could take it, when, and why not. The best first. Kept while the plan and the minute stay."""
    row = store.load_plan(connection, pickup.conference)
    if row is None or None in (pickup.from_place, pickup.to_place):
        return []
    key = (pickup.id, row.stamp, pickup.revision, now.replace(second=0, microsecond=0))
    if key not in desk.options:
        if len(desk.options) >= OPTIONS_KEPT_MAX:
            desk.options.clear()
        hand = plans.load_hand(connection, now, desk.settings, row)
        desk.options[key] = _options(hand, desk, now, pickup)
    return desk.options[key]


def _options(hand: Hand, desk: Desk, now: datetime, pickup: Pickup) -> list[Values]:
    crew_now = hand.crews.get(pickup.shift or "")
    hand = plans.without(hand, pickup.id)
    patient = replace(
        pickup, latest_board_at=max(pickup.due_at, now + model.GRACE), due_at=max(pickup.due_at, now + model.GRACE)
    )
    by_code: dict[str, list[str]] = {}
    for key, crew in hand.crews.items():
        if key in hand.shifts and crew.to_at > now:
            by_code.setdefault(crew.code, []).append(key)
    found = [_option(hand, desk, patient, code, shifts, pickup, crew_now) for code, shifts in by_code.items()]
    return sorted(found, key=lambda one: (not one["fits"], one["board_at"] or now, one["code"]))


def _option(
    hand: Hand, desk: Desk, patient: Pickup, code: str, shifts: list[str], pickup: Pickup, crew_now: Crew | None
) -> Values:
    at_the_time = [key for key in shifts if hand.shifts[key].from_at <= pickup.ready_at <= hand.shifts[key].to_at]
    found = plans.seek(hand, desk, patient, only=shifts)
    crew = hand.crews[(at_the_time or shifts)[0]]
    option: Values = {"code": code, "name": crew.vehicle, "board_at": None, "deliver_at": None, "fits": False}
    if crew_now is not None and crew_now.code == code:
        times = {"board_at": pickup.board_at, "deliver_at": pickup.deliver_at, "fits": True}
        return option | times | {"why": f"{crew_now.driver_name} has it"}
    if found.placed is None:
        why, _ways = plans.why_not(hand, found, patient, only=crew.shift)
        return option | {"why": why or "it does not fit there"}
    board_at = plans.moment(hand, found.placed.board_s)
    waits = round((board_at - pickup.ready_at) / timedelta(minutes=1))
    words = f"{hand.crews[found.placed.vehicle_id].driver_name}, moves nobody to another car"
    words += f"; waits {waits} min" if waits > 0 else ""
    times = {"board_at": board_at, "deliver_at": plans.moment(hand, found.placed.deliver_s), "fits": True}
    return option | times | {"why": words}


# Fleet and places


def fleet(connection: sa.Connection, conference: str) -> Values:
    """Vehicles, drivers with the ids of their links, shifts."""
    crews = store.load_crews(connection, conference)
    rides = store.count_by_shift(connection, conference)
    known, shifts = store.load_places(connection, conference), store.load_shifts(connection, conference)
    return {
        "vehicles": [
            vars(car) | {"wheelchair": car.wheelchair_places > 0, "starts_at": _name(known, car.start_place, "")}
            for car in store.load_vehicles(connection, conference).values()
        ],
        "drivers": [vars(driver) for driver in store.list_drivers(connection, conference)],
        "shifts": [
            {
                "id": crew.shift,
                "driver": crew.driver_name,
                "driver_id": crew.driver,
                "vehicle": crew.vehicle,
                "code": crew.code,
                "from_at": crew.from_at,
                "to_at": crew.to_at,
                "start_place": shifts[crew.shift].start_place,
                "starts_at": _name(known, shifts[crew.shift].start_place, ""),
                "rides": rides.get(crew.shift, 0),
            }
            for crew in crews.values()
        ],
    }


def places(connection: sa.Connection, conference: str, at: datetime) -> list[Values]:
    """Each with the way to the places nearest to it, by formula, at the local hour of `at`."""
    known = store.load_places(connection, conference)
    return [vars(place) | {"minutes_to": _nearest(place, known, at)} for place in known.values()]


def _nearest(place: Place, known: Mapping[str, Place], at: datetime) -> list[Values]:
    here = (place.latitude, place.longitude)
    ways = [
        (travel.travel(here, (other.latitude, other.longitude), at).seconds, other.name)
        for other in known.values()
        if other.slug != place.slug
    ]
    return [{"name": name, "drive": timedelta(seconds=seconds)} for seconds, name in sorted(ways)[:NEAR_MAX]]


# For programs


def pickup_answer(pickup: Pickup) -> Values:
    """A pickup as JSON values."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in vars(pickup).items()
        if name not in ("tried", "tried_at", "epoch")
    }
