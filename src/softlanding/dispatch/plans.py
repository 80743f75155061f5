"""The plan in hand: rows as the planner's values, and its answers as rows.

Loading a whole conference costs tens of milliseconds, so a hand is kept between actions. What is kept counts only
while its stamp is the one in the database: a transaction that was rolled back leaves no such stamp.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import combinations, groupby
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.conferences import zone_of
from softlanding.database import Transaction
from softlanding.dispatch import model, store, travel, validator
from softlanding.dispatch.model import Crew, Pickup, Place, Shift
from softlanding.dispatch.planner import (
    Infeasible,
    Lock,
    Manifest,
    Placed,
    Plan,
    Problem,
    Ride,
    Schedule,
    Stop,
    Unplaced,
    Vehicle,
    check_stops,
    index_of,
    lift_broken_limits,
    place,
    place_quickly,
    plan_to_json,
    problem_to_json,
    seconds_at,
    start_plan,
    stops_without,
    time_at,
    with_ride,
)
from softlanding.dispatch.store import PlanRow, StopRow
from softlanding.errors import Invalid
from softlanding.settings import DispatchSettings

KEPT = timedelta(seconds=15)  # A hand speaks of one moment; which stops are frozen is looked at anew after this.
BACK = timedelta(days=30)  # The planner's epoch lies that far before now: nothing that is planned is older.
SHIFT_LINGERS = timedelta(hours=3)  # A shift that ended this long ago takes part in no plan.
PLAN_HOUR = 16  # Times of the afternoon: a plan that holds then holds all day, and does not change with the hour.
BOARD_SERVICE_S, ALIGHT_SERVICE_S = 120, 60
WAYS_OUT_SAID = 3
PUT_OFF_EXACTLY = 10  # Of so many who share a leg every choice is looked at: 1023 at most.
EMPTY = travel.Matrix((), ())


@dataclass(frozen=True)
class Hand:
    """All that the plan of one conference is made from, at one moment, and the plan."""

    row: PlanRow
    at: datetime
    zone: ZoneInfo
    places: Mapping[str, Place]
    by_text: Mapping[str, str]
    shifts: Mapping[str, Shift]
    crews: Mapping[str, Crew]
    pickups: Mapping[str, Pickup]  # Those that have stops.
    names: dict[str, str]  # What people read for an id. It only grows, so the problem of the hand shares it.
    problem: Problem
    plan: Plan
    matrix: Mapping[str, Any]  # The problem's, in the plain form that the validator reads.
    onward: Mapping[str, timedelta]  # From each place to the nearest venue.

    @property
    def conference(self) -> str:
        return self.row.conference

    @property
    def seats_most(self) -> int:
        return max((vehicle.seats for vehicle in self.problem.vehicles), default=0)

    def say(self, at: datetime) -> str:
        """A time as people of this conference read it."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def manifest(self, shift: str) -> Manifest:
        found = next((one for one in self.plan.manifests if one.vehicle_id == shift), None)
        return found or Manifest(shift, self.problem.frozen.get(shift, ()))


@dataclass
class Desk:
    """What actions need beside the database: settings, and the hands kept from the last actions."""

    settings: DispatchSettings
    kept: dict[tuple[str, str], Hand] = field(default_factory=dict)  # By conference and life.
    options: dict[tuple[Any, ...], list[dict[str, Any]]] = field(default_factory=dict)  # Shown beside a pickup.


def take_hand(tx: Transaction, now: datetime, desk: Desk, conference: str) -> Hand:
    """The hand of this conference, kept or loaded."""
    row = store.take_plan(tx, now, conference)
    kept = desk.kept.get((conference, tx.life))
    if kept is not None and kept.row == row and now <= kept.at <= now + KEPT:
        return kept
    hand = load_hand(tx.connection, now, desk.settings, row)
    desk.kept[conference, tx.life] = hand
    return hand


def keep_hand(tx: Transaction, desk: Desk, hand: Hand) -> None:
    """Keep it for the next action. Harmless if this transaction is rolled back: its stamp is then nowhere."""
    desk.kept[hand.conference, tx.life] = hand


def load_hand(
    connection: sa.Connection,
    now: datetime,
    settings: DispatchSettings,
    row: PlanRow,
    *,
    news: tuple[str, datetime] | None = None,
) -> Hand:
    """The hand from rows alone. It speaks of a moment shortly after `now`, so that it can be kept for a while.

    With `news` of a shift, it speaks of the moment of that news, and what the shift's manifest says of later counts no
    more: whoever is late is not on the way to the next stop, whatever was planned.
    """
    at, conference = news[1] if news else now + KEPT, row.conference
    zone = zone_of(connection, conference)
    places = store.load_places(connection, conference)
    pickups = store.list_in_stops(connection, conference)
    rows = store.list_stops(connection, conference)
    shifts = _shifts_of_use(connection, conference, places, {stop.shift for stop in rows}, now)
    crews = store.load_crews(connection, conference)
    names = {key: crew.vehicle for key, crew in crews.items()} | {slug: one.name for slug, one in places.items()}
    names |= {pickup.id: pickup.code for pickup in pickups.values()}
    points = {slug: (one.latitude, one.longitude) for slug, one in places.items()}
    matrix = travel.matrix(points, at.astimezone(zone).replace(hour=PLAN_HOUR))
    problem = Problem((at - BACK).replace(microsecond=0), (), (), matrix, names=names)
    problem = replace(problem, now_s=seconds_at(problem, at))
    problem = replace(problem, vehicles=_vehicles(connection, conference, shifts, problem))
    plain = {"place_ids": list(matrix.place_ids), "seconds": [list(line) for line in matrix.seconds]}
    by_text = model.places_by_text(places)
    hand = Hand(
        row, at, zone, places, by_text, shifts, crews, pickups, names, problem, Plan(()), plain, _onward(places, matrix)
    )
    return _with_rides(hand, settings, rows, loose=news[0] if news else None)


def onward(places: Mapping[str, Place], at: datetime, zone: ZoneInfo) -> dict[str, timedelta]:
    """From each place to the nearest venue, where talks are, as plans reckon."""
    points = {slug: (one.latitude, one.longitude) for slug, one in places.items()}
    return _onward(places, travel.matrix(points, at.astimezone(zone).replace(hour=PLAN_HOUR)))


def _onward(places: Mapping[str, Place], matrix: travel.Matrix) -> dict[str, timedelta]:
    venues = [number for number, slug in enumerate(matrix.place_ids) if places[slug].kind == "venue"]
    rows = zip(matrix.place_ids, matrix.seconds, strict=True)
    return {slug: timedelta(seconds=min((row[one] or 0 for one in venues), default=0)) for slug, row in rows}


def onward_of(hand: Hand, slug: str | None) -> timedelta:
    """From this place to the nearest venue; nothing where the place is not known."""
    return hand.onward.get(slug or "", timedelta(0))


def _shifts_of_use(
    connection: sa.Connection, conference: str, places: Mapping[str, Place], busy: set[str], now: datetime
) -> dict[str, Shift]:
    """Those that have rides, or may still get some."""
    shifts = store.load_shifts(connection, conference).values()
    of_use = (shift for shift in shifts if shift.id in busy or shift.to_at > now - SHIFT_LINGERS)
    return {shift.id: shift for shift in of_use if (shift.at_place or shift.start_place) in places}


def _vehicles(
    connection: sa.Connection, conference: str, shifts: Mapping[str, Shift], problem: Problem
) -> tuple[Vehicle, ...]:
    """A shift is the planner's vehicle: it begins where and when the car was last known to be empty."""
    cars = store.load_vehicles(connection, conference)
    found = []
    for shift in shifts.values():
        car = cars[shift.vehicle]
        begins = max(shift.from_at, shift.at_since or shift.from_at)
        found.append(
            Vehicle(
                id=shift.id,
                seats=car.seats,
                start_place_id=shift.at_place or shift.start_place,
                shift_start_s=max(0, seconds_at(problem, min(begins, shift.to_at))),
                shift_end_s=max(0, seconds_at(problem, shift.to_at)),
                luggage=car.luggage,
                wheelchair_places=car.wheelchair_places,
            )
        )
    return tuple(found)


def _with_rides(hand: Hand, settings: DispatchSettings, rows: Sequence[StopRow], *, loose: str | None) -> Hand:
    problem, pickups = hand.problem, hand.pickups
    stops = {key: _stops(problem, list(group)) for key, group in groupby(rows, key=lambda row: row.shift)}
    stops = {key: stops.get(key, ()) for key in hand.shifts}
    frozen = {
        key: manifest[: _frozen_count(hand, settings, problem.vehicles[number], manifest, is_loose=key == loose)]
        for number, (key, manifest) in enumerate(stops.items())
    }
    riding = {ride_id for manifest in stops.values() for stop in manifest for ride_id in stop.boards}
    problem = replace(
        problem,
        rides=tuple(ride_of(hand, settings, pickup) for pickup in pickups.values() if pickup.id in riding),
        frozen={key: fixed for key, fixed in frozen.items() if fixed},
        locks=tuple(_lock(pickup) for pickup in pickups.values() if pickup.is_pinned and pickup.id in riding),
    )
    try:
        problem, _said = lift_broken_limits(problem)
    except Invalid:
        pass  # Facts that contradict each other: those vehicles take no more rides, the others do.
    cars = {vehicle.id: vehicle for vehicle in problem.vehicles}
    manifests = (_manifest(key, _waiting_on(problem, cars[key], manifest)) for key, manifest in sorted(stops.items()))
    return replace(hand, problem=problem, plan=Plan(tuple(manifests)))


def _waiting_on(problem: Problem, vehicle: Vehicle, stops: tuple[Stop, ...]) -> tuple[Stop, ...]:
    """A car that may still wait before it drives on arrives later than was planned, and begins when it was planned."""
    fixed = problem.frozen.get(vehicle.id, ())
    here = fixed[-1].place_id if fixed else vehicle.start_place_id
    free_s = max(problem.now_s, vehicle.shift_start_s, fixed[-1].depart_s if fixed else 0)
    ahead = []
    for stop in stops[len(fixed) :]:
        arrive_s = max(stop.arrive_s, min(free_s + _drive(problem, here, stop.place_id), stop.begin_s))
        ahead.append(replace(stop, arrive_s=arrive_s))
        here, free_s = stop.place_id, stop.depart_s
    return (*fixed, *ahead)


def _stops(problem: Problem, rows: list[StopRow]) -> tuple[Stop, ...]:
    found = []
    for _position, group in groupby(rows, key=lambda row: row.position):
        halt = list(group)
        found.append(
            Stop(
                halt[0].place,
                boards=tuple(row.pickup for row in halt if row.kind == "board"),
                alights=tuple(row.pickup for row in halt if row.kind == "alight"),
                arrive_s=seconds_at(problem, halt[0].arrive_at),
                begin_s=seconds_at(problem, halt[0].begin_at),
                depart_s=seconds_at(problem, halt[0].depart_at),
            )
        )
    return tuple(found)


def _frozen_count(
    hand: Hand, settings: DispatchSettings, vehicle: Vehicle, stops: Sequence[Stop], *, is_loose: bool
) -> int:
    """How many stops, from the first, no plan may change: what happened, what a driver has agreed to and is near,
    and where the car must be on its way by now."""
    problem, count, here = hand.problem, 0, vehicle.start_place_id
    near_s = problem.now_s + round(settings.freeze_minutes * 60)
    for number, stop in enumerate(stops, start=1):
        drive = _drive(problem, here, stop.place_id)
        states = [hand.pickups[one].status for one in stop.boards]
        happened = any(state in ("arrived", "boarded", "delivered") for state in states)
        happened = happened or any(hand.pickups[one].status == "delivered" for one in stop.alights)
        agreed = "accepted" in states and stop.begin_s <= near_s
        if happened or (not is_loose and (agreed or stop.begin_s - drive <= problem.now_s)):
            count = number
        here = stop.place_id
    return count


def _drive(problem: Problem, start: str, end: str) -> int:
    if start == end:
        return 0
    ids = problem.matrix.place_ids
    return problem.matrix.seconds[ids.index(start)][ids.index(end)] or 0


def _lock(pickup: Pickup) -> Lock:
    return Lock("to", pickup.id, pickup.shift or "", "coordinator", "")


def _manifest(shift: str, stops: tuple[Stop, ...]) -> Manifest:
    return Manifest(shift, stops, stops[-1].depart_s if stops else None)


def ride_of(hand: Hand, settings: DispatchSettings, pickup: Pickup, *, in_time: bool | None = None) -> Ride:
    """The pickup as the planner's ride. `in_time`: whether it must be there for the talk; as planned unless said."""
    assert pickup.from_place is not None, "a ride has places"
    assert pickup.to_place is not None, "a ride has places"
    problem = hand.problem
    direct = _drive(problem, pickup.from_place, pickup.to_place)
    by = deliver_by(hand, pickup)
    if in_time is None:
        in_time = pickup.deliver_at is not None and by is not None and pickup.deliver_at <= by
    seats, luggage, wheelchairs = load_of(pickup)
    return Ride(
        id=pickup.id,
        from_place_id=pickup.from_place,
        to_place_id=pickup.to_place,
        earliest_board_s=max(0, seconds_at(problem, pickup.ready_at)),
        latest_board_s=max(0, seconds_at(problem, pickup.latest_board_at)),
        latest_deliver_s=max(0, seconds_at(problem, by)) if by is not None and in_time else None,
        seats=seats,
        luggage=luggage,
        wheelchairs=wheelchairs,
        board_service_s=BOARD_SERVICE_S,
        alight_service_s=ALIGHT_SERVICE_S,
        ride_max_s=round(direct * settings.ride_limit_factor + settings.ride_limit_extra_minutes * 60),
        expires_s=max(0, seconds_at(problem, pickup.due_at)),
    )


def load_of(pickup: Pickup) -> tuple[int, int, int]:
    """What the pickup takes of a car's seats, luggage and wheelchair places: who brings a wheelchair sits in it."""
    seats = max(0, pickup.party - pickup.wheelchairs)  # Who is aboard is planned with whatever a person typed.
    return seats, pickup.luggage, pickup.wheelchairs


def deliver_by(hand: Hand, pickup: Pickup) -> datetime | None:
    """When the passenger must be there, so that they are at the venue in time for the talk; None if nothing waits."""
    if pickup.direction == "departure":
        return model.leave_by(pickup, hand.places.get(pickup.to_place or ""))
    return pickup.talk_by - onward_of(hand, pickup.to_place) if pickup.talk_by else None


@dataclass(frozen=True)
class Found:
    """What came of looking for a place: the problem with the ride in it, and where it fits (None: nowhere)."""

    problem: Problem
    placed: Placed | None


def seek(hand: Hand, desk: Desk, pickup: Pickup, *, only: Iterable[str] | None = None) -> Found:
    """The cheapest exact place for the pickup, in time for the talk if that can be, else as good as it can be. Nobody
    else changes vehicle. `only` names the shifts that may take it."""
    hand.names[pickup.id] = pickup.code
    shifts = None if only is None else frozenset(only)
    # A talk may begin without its speaker; a flight leaves.
    ways = (True,) if pickup.direction == "departure" else (False,) if pickup.talk_by is None else (True, False)
    problem = hand.problem
    for in_time in ways:
        problem = _with(hand, ride_of(hand, desk.settings, pickup, in_time=in_time))
        placed = place_quickly(problem, hand.plan, pickup.id, shifts)
        if placed is not None:
            return Found(problem, placed)
    return Found(problem, None)


def _with(hand: Hand, ride: Ride) -> Problem:
    if ride.id in index_of(hand.problem).rides:
        others = tuple(one for one in hand.problem.rides if one.id != ride.id)
        return replace(hand.problem, rides=(*others, ride))
    return with_ride(hand.problem, ride)


def _with_manifest(plan: Plan, manifest: Manifest) -> Plan:
    return replace(
        plan, manifests=tuple(manifest if one.vehicle_id == manifest.vehicle_id else one for one in plan.manifests)
    )


def why_not(hand: Hand, found: Found, pickup: Pickup, *, only: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Why there is no place, and the ways out, cheapest first. Tenths of a second on a full day."""
    answer = place(found.problem, hand.plan, pickup.id, only_vehicle=only, say_time=hand.say)
    if isinstance(answer, Placed):
        return "", ()
    assert isinstance(answer, Unplaced)
    return answer.reason, tuple(way.words for way in answer.ways_out)


def why_not_briefly(hand: Hand, pickup: Pickup) -> str:
    """True, cheap, and not yet a reason."""
    window = f"{hand.say(pickup.ready_at)} and {hand.say(pickup.latest_board_at)}"
    return f"no vehicle has room for {pickup.code} between {window}"


def without(hand: Hand, ride_id: str) -> Hand:
    """The hand after somebody's stops were taken out, frozen or not; who shares the car may be earlier."""
    return without_all(hand, (ride_id,))


def without_all(hand: Hand, ride_ids: Iterable[str]) -> Hand:
    """As `without`, for many at once: to study a changed problem costs more than to take somebody out."""
    ids = frozenset(ride_ids)
    shifts = {hand.pickups[one].shift or "" for one in ids & hand.pickups.keys()}
    pickups = {key: one for key, one in hand.pickups.items() if key not in ids}
    problem, plan = _problem_without(hand.problem, ids), hand.plan
    for shift in sorted(shifts & hand.shifts.keys()):
        stops = _stops_without(hand.manifest(shift).stops, ids)
        schedule = check_stops(problem, index_of(problem).vehicle(shift), stops)
        timed = schedule.stops if isinstance(schedule, Schedule) else stops
        plan = _with_manifest(plan, _manifest(shift, timed))
    return replace(hand, pickups=pickups, problem=problem, plan=plan)


def _problem_without(problem: Problem, ids: frozenset[str]) -> Problem:
    """The problem without these rides, where it holds them fast; a ride that it merely knows does no harm."""
    fixed = {key for key, stops in problem.frozen.items() if any(ids & {*stop.boards, *stop.alights} for stop in stops)}
    if not fixed and all(lock.ride_id not in ids for lock in problem.locks):
        return problem
    frozen = {key: _stops_without(stops, ids) if key in fixed else stops for key, stops in problem.frozen.items()}
    return replace(
        problem,
        frozen={key: stops for key, stops in frozen.items() if stops},
        rides=tuple(ride for ride in problem.rides if ride.id not in ids),
        locks=tuple(lock for lock in problem.locks if lock.ride_id not in ids),
    )


def _stops_without(stops: Iterable[Stop], ids: frozenset[str]) -> tuple[Stop, ...]:
    left = list(stops)
    for ride_id in sorted(ids & {one for stop in left for one in (*stop.boards, *stop.alights)}):
        left = stops_without(left, ride_id)
    return tuple(left)


def mended(hand: Hand, shift: str) -> tuple[Hand, tuple[str, ...]]:
    """The hand with this shift's manifest timed anew after facts changed; and the rides that it can no longer take,
    last first."""
    vehicle, manifest = index_of(hand.problem).vehicle(shift), hand.manifest(shift)
    schedule = check_stops(hand.problem, vehicle, manifest.stops)
    if isinstance(schedule, Schedule) and not crowded_out(hand, shift, manifest.stops):
        return replace(hand, plan=_with_manifest(hand.plan, _manifest(shift, schedule.stops))), ()
    return relaid(hand, shift)


def relaid(hand: Hand, shift: str) -> tuple[Hand, tuple[str, ...]]:
    """The shift's rides laid again, one by one: who is aboard is brought on whatever it breaks, of the others as many
    as can be. The hand, and the rides that lost their place."""
    crowded = crowded_out(hand, shift, hand.problem.frozen.get(shift, ()))
    hand = without_all(hand, crowded)
    problem, fixed = hand.problem, hand.problem.frozen.get(shift, ())
    free = hand.manifest(shift).stops[len(fixed) :]
    ids = [ride_id for stop in (*fixed, *free) for ride_id in stop.boards]
    index = index_of(problem)
    part = replace(
        problem,
        vehicles=(index.vehicle(shift),),
        rides=tuple(index.rides[ride_id] for ride_id in ids),
        frozen={shift: fixed} if fixed else {},
        locks=(),
    )
    part, _said = lift_broken_limits(part)
    plan, lost = start_plan(part), []
    for ride_id in [ride_id for stop in free for ride_id in stop.boards]:
        placed = place_quickly(part, plan, ride_id, None)
        plan = placed.plan if placed is not None else plan
        lost += [ride_id] if placed is None else []
    widened = {ride.id: ride for ride in part.rides}
    problem = replace(
        problem,
        vehicles=tuple(part.vehicles[0] if one.id == shift else one for one in problem.vehicles),
        rides=tuple(widened.get(ride.id, ride) for ride in problem.rides if ride.id not in lost),
        locks=tuple(lock for lock in problem.locks if lock.ride_id not in lost),
    )
    pickups = {key: one for key, one in hand.pickups.items() if key not in lost}
    plan = _with_manifest(hand.plan, plan.manifests[0])
    return replace(hand, problem=problem, plan=plan, pickups=pickups), (*crowded, *lost)


def carrying(hand: Hand, pickup: Pickup) -> tuple[Hand, tuple[str, ...]]:
    """The hand with a pickup that stays on its car with another load; and who finds no room there any more, last
    first. The others keep their order."""
    problem, shift = hand.problem, pickup.shift
    seats, luggage, wheelchairs = load_of(pickup)
    rides = tuple(
        replace(one, seats=seats, luggage=luggage, wheelchairs=wheelchairs) if one.id == pickup.id else one
        for one in problem.rides
    )
    problem = problem if rides == problem.rides else replace(problem, rides=rides)
    hand = replace(hand, problem=problem, pickups={**hand.pickups, pickup.id: pickup})
    if shift is None or shift not in hand.shifts:
        return hand, ()
    lost = crowded_out(hand, shift, hand.manifest(shift).stops)
    return without_all(hand, lost), lost


def crowded_out(hand: Hand, shift: str, stops: Sequence[Stop]) -> tuple[str, ...]:
    """Who is still to board at these stops and finds no room, last first. Nobody who is aboard; of the others as few
    people as can be, and of equals who boards last."""
    index = index_of(hand.problem)
    car, riding, lost = index.vehicle(shift), list[Ride](), list[str]()
    for stop in stops:
        riding = [ride for ride in riding if ride.id not in stop.alights]
        riding += [index.rides[ride_id] for ride_id in stop.boards]
        # A car that is overfull by fact may still empty itself.
        off = _put_off(hand, car, riding) if stop.boards else []
        riding = [ride for ride in riding if ride not in off]
        lost += [ride.id for ride in off]
    return tuple(reversed(lost))


def _put_off(hand: Hand, car: Vehicle, riding: list[Ride]) -> list[Ride]:
    """Who of these, in the order of boarding, must not board so that the others have room."""
    waiting = [ride for ride in riding if hand.pickups[ride.id].status not in ("boarded", "delivered")]
    if not waiting or not excess(car, riding):
        return []
    latest = waiting[::-1][:PUT_OFF_EXACTLY]
    ways = (list(way) for count in range(1, len(latest) + 1) for way in combinations(latest, count))
    enough = [way for way in ways if not excess(car, [ride for ride in riding if ride not in way])]
    if enough:
        return min(enough, key=lambda way: sum(ride.seats + ride.wheelchairs for ride in way))[::-1]
    return [*_put_off(hand, car, [ride for ride in riding if ride not in latest]), *latest[::-1]]


def excess(car: Vehicle, riding: Iterable[Ride]) -> str:
    """What these rides take of the car beyond what it has, in words; "" when they have room."""
    rides = list(riding)
    loads = (
        (sum(ride.seats for ride in rides), car.seats, "seats"),
        (sum(ride.luggage for ride in rides), car.luggage, "places for luggage"),
        (sum(ride.wheelchairs for ride in rides), car.wheelchair_places, "wheelchair places"),
    )
    return ", ".join(f"{load} of {room} {noun}" for load, room, noun in loads if load > room)


def too_much_aboard(hand: Hand, pickup: Pickup) -> str:
    """What those aboard with this pickup take of their car beyond what it has, in words; "" when they have room."""
    index, shift = index_of(hand.problem), pickup.shift
    if not pickup.is_aboard or shift is None or shift not in hand.shifts:
        return ""
    riding = [one.id for one in hand.pickups.values() if one.is_aboard and one.shift == shift]
    return excess(index.vehicle(shift), (index.rides[one] for one in riding))


def aboard(hand: Hand, desk: Desk, pickup: Pickup, shift: str, at: datetime) -> tuple[Hand, tuple[str, ...]]:
    """The hand with somebody aboard who was not in the plan: a fact, whatever else it upsets."""
    problem = hand.problem
    at_s = seconds_at(problem, at)
    fixed = problem.frozen.get(shift, ())
    stop = Stop(pickup.from_place or "", boards=(pickup.id,), arrive_s=at_s, begin_s=at_s, depart_s=at_s)
    hand.names[pickup.id] = pickup.code
    ride = ride_of(hand, desk.settings, pickup, in_time=False)
    rides = (*(one for one in problem.rides if one.id != pickup.id), ride)
    problem = replace(problem, rides=rides, frozen={**problem.frozen, shift: (*fixed, stop)})
    stops = (*fixed, stop, *hand.manifest(shift).stops[len(fixed) :])
    changed = replace(
        hand,
        problem=problem,
        pickups={**hand.pickups, pickup.id: pickup},
        plan=_with_manifest(hand.plan, _manifest(shift, stops)),
    )
    return relaid(changed, shift)


def redirected(hand: Hand, desk: Desk, pickup: Pickup) -> tuple[Hand, tuple[str, ...]]:
    """The hand with another goal for somebody who is aboard, or about to be. And who lost their place by it."""
    assert pickup.shift is not None, "who is aboard is on a shift"
    problem, shift = hand.problem, pickup.shift
    fixed = problem.frozen.get(shift, ())
    ride = ride_of(hand, desk.settings, pickup, in_time=False)
    left = [replace(stop, alights=tuple(one for one in stop.alights if one != pickup.id)) for stop in fixed]
    free = stops_without(hand.manifest(shift).stops[len(fixed) :], pickup.id)
    problem = replace(
        problem,
        rides=(*(one for one in problem.rides if one.id != pickup.id), ride),
        frozen={**problem.frozen, shift: tuple(stop for stop in left if stop.boards or stop.alights)},
    )
    stops = (*problem.frozen[shift], *free)
    plan = _with_manifest(hand.plan, _manifest(shift, stops))
    pickups = {**hand.pickups, pickup.id: pickup}
    return relaid(replace(hand, problem=problem, plan=plan, pickups=pickups), shift)


def violations_of(hand: Hand, shift: str) -> list[str]:
    """What the independent validator finds wrong with one shift's manifest; [] if it may be published."""
    problem, manifest = hand.problem, hand.manifest(shift)
    index = index_of(problem)
    ids = dict.fromkeys(one for stop in manifest.stops for one in (*stop.boards, *stop.alights))
    fixed = problem.frozen.get(shift, ())
    part = replace(
        problem,
        vehicles=(index.vehicle(shift),),
        rides=tuple(index.rides[one] for one in ids if one in index.rides),
        matrix=EMPTY,
        frozen={shift: fixed} if fixed else {},
        locks=tuple(lock for lock in problem.locks if lock.ride_id in ids),
        names={},
    )
    plain = problem_to_json(part) | {"matrix": hand.matrix}
    return validator.violations(plain, plan_to_json(Plan((manifest,))))


def times_in(hand: Hand, shift: str) -> dict[str, tuple[datetime, datetime]]:
    """When each ride of this shift boards and alights."""
    on: dict[str, datetime] = {}
    off: dict[str, datetime] = {}
    for stop in hand.manifest(shift).stops:
        begin = time_at(hand.problem, stop.begin_s)
        on |= dict.fromkeys(stop.boards, begin)
        off |= dict.fromkeys(stop.alights, begin)
    return {ride_id: (on[ride_id], off[ride_id]) for ride_id in on if ride_id in off}


def rows_of(hand: Hand, shift: str) -> list[StopRow]:
    """The shift's manifest as rows."""
    code = hand.crews[shift].code
    rows = []
    for position, stop in enumerate(hand.manifest(shift).stops):
        arrive, begin, depart = (time_at(hand.problem, at) for at in (stop.arrive_s, stop.begin_s, stop.depart_s))
        for kind, ids in (("board", stop.boards), ("alight", stop.alights)):
            for ride_id in ids:
                rows.append(
                    StopRow(ride_id, kind, hand.conference, shift, code, position, stop.place_id, arrive, begin, depart)
                )
    return rows


def moment(hand: Hand, seconds: int) -> datetime:
    """A planner's time as a moment."""
    return time_at(hand.problem, seconds)


def is_drivable(hand: Hand, shift: str) -> bool:
    """Whether the manifest still keeps every limit."""
    vehicle = index_of(hand.problem).vehicle(shift)
    return not isinstance(check_stops(hand.problem, vehicle, hand.manifest(shift).stops), Infeasible)
