"""A problem made quick to ask: looked up by id, places as numbers, faults found once.

The index is kept on the problem that it was made from (a problem never changes), so that the second ride placed
into a day costs nothing for the first thousand.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from softlanding.dispatch.planner.objective import nearness, unsure_of
from softlanding.dispatch.planner.problem import Break, Lock, Problem, Ride, Stop, Told, Vehicle
from softlanding.errors import Fault, Invalid, NotFound, Refused

if TYPE_CHECKING:
    from softlanding.dispatch.planner.check import KnownRoutes

# No way known: further than any shift is long, so that no route goes there.
FAR = 10**9

# Eight years: times and drives beyond are a unit or an epoch mistaken, and would reach what counts as never.
LONGEST_S = FAR // 4


@dataclass(slots=True)
class Asked:
    """A ride with its places as numbers and every missing limit as FAR."""

    ride: Ride
    start: int
    end: int
    early: int
    late: int
    unsure: int  # See `objective.unsure_of`.
    end_early: int
    end_late: int
    board_s: int
    alight_s: int
    limit: int
    direct: int
    strangers: frozenset[str]  # Who must not be aboard at the same time, whichever of the two asked for it.
    told: Told | None
    near: int  # What a change weighs, by how soon it is.


@dataclass(slots=True)
class Index:
    """Look-ups of one problem. `rows[i][j]`: seconds between places by number. `known` remembers the routes last
    seen."""

    problem: Problem
    rides: dict[str, Ride]
    vehicles: dict[str, Vehicle]
    places: dict[str, int]
    rows: list[list[int]]
    locked_to: dict[str, Lock]
    never: dict[tuple[str, str], Lock]
    alone: frozenset[str]
    strangers: dict[str, frozenset[str]]
    ahead: dict[str, frozenset[str]]  # By ride: who must not board after it.
    behind: dict[str, frozenset[str]]  # By ride: who must not board before it.
    asked: dict[str, Asked] = field(default_factory=dict)
    known: "dict[str, KnownRoutes]" = field(default_factory=dict)

    def ride(self, ride_id: str) -> Ride:
        if ride_id not in self.rides:
            raise NotFound(f"there is no ride {self.name(ride_id)} in this problem")
        return self.rides[ride_id]

    def vehicle(self, vehicle_id: str) -> Vehicle:
        if vehicle_id not in self.vehicles:
            raise NotFound(f"there is no vehicle {self.name(vehicle_id)} in this problem")
        return self.vehicles[vehicle_id]

    def order_of(self, first: str, second: str) -> Lock:
        """The lock by which `first` does not board after `second`."""
        orders = (lock for lock in self.problem.locks if first in lock.ride_ids and second in lock.ride_ids)
        return next(lock for lock in orders if lock.ride_ids.index(first) < lock.ride_ids.index(second))

    def name(self, some_id: str) -> str:
        return self.problem.names.get(some_id, some_id)

    def frozen(self, vehicle_id: str) -> tuple[Stop, ...]:
        return self.problem.frozen.get(vehicle_id, ())


def index_of(problem: Problem) -> Index:
    """The problem's index. Raises `Invalid`, naming every ride, vehicle and value that makes no sense, all at once."""
    found = problem.__dict__.get("_index")
    if found is None:
        faults = tuple(problem_faults(problem))
        if faults:
            raise Invalid(*faults)
        found = _indexed(problem)
        object.__setattr__(problem, "_index", found)
    assert isinstance(found, Index)
    return found


def asked_of(index: Index, ride_id: str) -> Asked:
    found = index.asked.get(ride_id)
    if found is None:
        found = index.asked[ride_id] = ask(index, index.ride(ride_id))
    return found


def ask(index: Index, ride: Ride) -> Asked:
    start, end = index.places[ride.from_place_id], index.places[ride.to_place_id]
    late = ride.latest_board_s if ride.expires_s is None else min(ride.latest_board_s, ride.expires_s)
    told = index.problem.told.get(ride.id)
    return Asked(
        ride=ride,
        start=start,
        end=end,
        early=ride.earliest_board_s,
        late=late,
        unsure=unsure_of(ride.ready_spread_s),
        end_early=ride.earliest_deliver_s or 0,
        end_late=FAR if ride.latest_deliver_s is None else ride.latest_deliver_s,
        board_s=ride.board_service_s,
        alight_s=ride.alight_service_s,
        limit=FAR if ride.ride_max_s is None else ride.ride_max_s,
        direct=index.rows[start][end],
        strangers=index.alone | index.strangers.get(ride.id, frozenset()),
        told=told,
        near=nearness(told.board_s - index.problem.now_s) if told else 0,
    )


def with_ride(problem: Problem, ride: Ride) -> Problem:
    """The problem with one ride more. Quick: all that is known about the others is kept. Raises `Refused` for an id
    that is there, `Invalid` for a ride that makes no sense."""
    index = index_of(problem)
    if ride.id in index.rides:
        raise Refused(f"{index.name(ride.id)} is already part of this problem")
    faults = tuple(ride_faults(problem, ride))
    if faults:
        raise Invalid(*faults)
    bigger = replace(problem, rides=(*problem.rides, ride))
    rides = {**index.rides, ride.id: ride}
    shy = ride.alone or ride.not_with
    kept = replace(
        index,
        problem=bigger,
        rides=rides,
        alone=_alone(bigger) if shy else index.alone,
        strangers=_strangers(bigger) if shy else index.strangers,
        asked={} if shy else dict(index.asked),
        known=dict(index.known),
    )
    object.__setattr__(bigger, "_index", kept)
    return bigger


def changed(
    problem: Problem,
    *,
    vehicles: Iterable[Vehicle] = (),
    rides: Iterable[Ride] = (),
    frozen: Mapping[str, tuple[Stop, ...]] | None = None,
    locks: tuple[Lock, ...] | None = None,
) -> Problem:
    """The problem with these vehicles, rides and frozen stops in the place of those of the same id. Quick: all that is
    known about the others is kept. Raises `Invalid` for values that make no sense."""
    index, frozen = index_of(problem), dict(frozen or {})
    cars, people = {one.id: one for one in vehicles}, {one.id: one for one in rides}
    places = set(index.places)
    faults = [fault for car in cars.values() for fault in _vehicle_faults(car, places)]
    faults += [fault for ride in people.values() for fault in _ride_faults(ride, places)]
    if faults:
        raise Invalid(*faults)
    other = replace(
        problem,
        vehicles=tuple(cars.get(one.id, one) for one in problem.vehicles),
        rides=tuple(people.get(one.id, one) for one in problem.rides),
        frozen={key: stops for key, stops in {**problem.frozen, **frozen}.items() if stops},
        locks=problem.locks if locks is None else locks,
    )
    touched = {*cars, *frozen, *(key for key, one in index.known.items() if not one.rides.isdisjoint(people))}
    object.__setattr__(other, "_index", _reindexed(index, other, touched, set(people)))
    return other


def _reindexed(index: Index, problem: Problem, touched: set[str], rides: set[str]) -> Index:
    alone, strangers = _alone(problem), _strangers(problem)
    is_same = alone == index.alone and strangers == index.strangers
    return replace(
        _bare(problem, index.places, index.rows),
        asked={key: one for key, one in index.asked.items() if key not in rides} if is_same else {},
        known={key: one for key, one in index.known.items() if key not in touched},
    )


def without_ride(problem: Problem, ride_id: str) -> Problem:
    """The problem without this ride and the locks on it. Quick, as `changed` is. Take it out of the plan first."""
    index = index_of(problem)
    index.ride(ride_id)
    fewer = replace(
        problem,
        rides=tuple(ride for ride in problem.rides if ride.id != ride_id),
        locks=tuple(_locks_without(problem.locks, ride_id)),
        told={other: told for other, told in problem.told.items() if other != ride_id},
    )
    frozen = {one for stops in problem.frozen.values() for stop in stops for one in (*stop.boards, *stop.alights)}
    if ride_id not in frozen:
        touched = {key for key, one in index.known.items() if ride_id in one.rides}
        object.__setattr__(fewer, "_index", _reindexed(index, fewer, touched, {ride_id}))
    return fewer


def _locks_without(locks: Iterable[Lock], ride_id: str) -> Iterator[Lock]:
    for lock in locks:
        others = tuple(other for other in lock.ride_ids if other != ride_id)
        if len(others) > 1 or (lock.kind != "order" and lock.ride_id != ride_id):
            yield lock if others == lock.ride_ids else replace(lock, ride_ids=others)


def problem_faults(problem: Problem) -> Iterator[Fault]:
    """What makes no sense in this problem. A ride that merely fits nowhere is no fault: it ends up unplaced, with
    its reason."""
    yield from _matrix_faults(problem)
    places = set(problem.matrix.place_ids)
    yield from _repeated("vehicle", (vehicle.id for vehicle in problem.vehicles))
    yield from _repeated("ride", (ride.id for ride in problem.rides))
    for vehicle in problem.vehicles:
        yield from _vehicle_faults(vehicle, places)
    for ride in problem.rides:
        yield from _ride_faults(ride, places)
    if problem.epoch_at.tzinfo is None:
        yield Fault("epoch_at", "has no time zone; give an aware time")
    if problem.now_s > LONGEST_S:
        yield Fault("now_s", f"is {problem.now_s}; the epoch must not lie years before now")
    if problem.now_s < 0:
        yield Fault("now_s", f"is {problem.now_s}; the epoch must not lie after now")
    for where, scale in (("comfort", problem.comfort), ("prices", problem.prices)):
        for one in fields(scale):
            if getattr(scale, one.name) < 0:
                yield Fault(where, f"{one.name} is {getattr(scale, one.name)}; it cannot be negative")
    yield from _reference_faults(problem)


def ride_faults(problem: Problem, ride: Ride) -> Iterator[Fault]:
    """What makes no sense in this one ride."""
    return _ride_faults(ride, set(index_of(problem).places))


def _indexed(problem: Problem) -> Index:
    rows = [[FAR if seconds is None else seconds for seconds in row] for row in problem.matrix.seconds]
    for number, row in enumerate(rows):
        row[number] = 0
    places = {place_id: number for number, place_id in enumerate(problem.matrix.place_ids)}
    return _bare(problem, places, rows)


def _bare(problem: Problem, places: dict[str, int], rows: list[list[int]]) -> Index:
    return Index(
        problem=problem,
        rides={ride.id: ride for ride in problem.rides},
        vehicles={vehicle.id: vehicle for vehicle in sorted(problem.vehicles, key=lambda vehicle: vehicle.id)},
        places=places,
        rows=rows,
        locked_to={lock.ride_id: lock for lock in problem.locks if lock.kind == "to"},
        never={(lock.ride_id, lock.vehicle_id): lock for lock in problem.locks if lock.kind == "never"},
        alone=_alone(problem),
        strangers=_strangers(problem),
        ahead=_ordered(problem, backwards=False),
        behind=_ordered(problem, backwards=True),
    )


def _ordered(problem: Problem, *, backwards: bool) -> dict[str, frozenset[str]]:
    """By ride: who is named before it, or after it, in a lock on the order."""
    found: dict[str, frozenset[str]] = {}
    for lock in problem.locks:
        ride_ids = lock.ride_ids[::-1] if backwards else lock.ride_ids
        for number, ride_id in enumerate(ride_ids):
            found[ride_id] = found.get(ride_id, frozenset()).union(ride_ids[:number])
    return {ride_id: others for ride_id, others in found.items() if others}


def _alone(problem: Problem) -> frozenset[str]:
    return frozenset(ride.id for ride in problem.rides if ride.alone)


def _strangers(problem: Problem) -> dict[str, frozenset[str]]:
    """Who must not ride with whom, both ways round."""
    found: dict[str, set[str]] = {}
    for ride in problem.rides:
        for other in ride.not_with:
            found.setdefault(ride.id, set()).add(other)
            found.setdefault(other, set()).add(ride.id)
    return {ride_id: frozenset(others) for ride_id, others in found.items()}


def _matrix_faults(problem: Problem) -> Iterator[Fault]:
    matrix = problem.matrix
    yield from _repeated("place", matrix.place_ids)
    size = len(matrix.place_ids)
    if len(matrix.seconds) != size or any(len(row) != size for row in matrix.seconds):
        yield Fault("matrix", f"must have {size} rows of {size} times, one for each place")
        return
    for start, row in zip(matrix.place_ids, matrix.seconds, strict=True):
        for end, seconds in zip(matrix.place_ids, row, strict=True):
            if seconds is not None and not 0 <= seconds <= LONGEST_S:
                drive = f"the drive from {start} to {end} takes {seconds} s"
                yield Fault("matrix", f"{drive}; a drive takes no less than 0, and null means that there is no way")


def _vehicle_faults(vehicle: Vehicle, places: set[str]) -> Iterator[Fault]:
    where = f"vehicle {vehicle.id}"
    for place_id in (vehicle.start_place_id, vehicle.end_place_id):
        if place_id is not None and place_id not in places:
            yield Fault(where, f"place {place_id} is not in the matrix")
    if vehicle.shift_end_s < vehicle.shift_start_s:
        yield Fault(where, "its shift ends before it begins")
    yield from _negative(
        where, vehicle, ("seats", "luggage", "wheelchair_places", "shift_start_s", "shift_end_s", "span_max_s")
    )
    yield from _repeated(f"{where}: break", (pause.id for pause in vehicle.breaks))
    for pause in vehicle.breaks:
        yield from _negative(f"{where}: break {pause.id}", pause, ("earliest_s", "latest_s", "duration_s"))
        if pause.latest_s < pause.earliest_s:
            yield Fault(f"{where}: break {pause.id}", "must begin before it may begin; give latest_s after earliest_s")


def _ride_faults(ride: Ride, places: set[str]) -> Iterator[Fault]:
    where = f"ride {ride.id}"
    for place_id in (ride.from_place_id, ride.to_place_id):
        if place_id not in places:
            yield Fault(where, f"place {place_id} is not in the matrix")
    if ride.from_place_id == ride.to_place_id:
        yield Fault(where, f"goes from {ride.from_place_id} to the same place")
    times = ("earliest_board_s", "latest_board_s", "earliest_deliver_s", "latest_deliver_s", "expires_s", "ride_max_s")
    others = ("board_service_s", "alight_service_s", "ready_spread_s", "seats", "luggage", "wheelchairs")
    yield from _negative(where, ride, (*times, *others))
    if ride.seats == ride.wheelchairs == ride.luggage == 0:
        yield Fault(where, "carries nobody: give seats, wheelchairs or luggage")


def _reference_faults(problem: Problem) -> Iterator[Fault]:
    vehicles = {vehicle.id for vehicle in problem.vehicles}
    rides = {ride.id for ride in problem.rides}
    for lock in problem.locks:
        yield from _lock_faults(lock, rides, vehicles)
    yield from _contradictions(problem.locks)
    places = set(problem.matrix.place_ids)
    for vehicle_id, stops in problem.frozen.items():
        if vehicle_id not in vehicles:
            yield Fault("frozen", f"vehicle {vehicle_id} is unknown")
        for stop in stops:
            if stop.place_id not in places:
                yield Fault(f"frozen: vehicle {vehicle_id}", f"place {stop.place_id} is not in the matrix")
            for ride_id in (*stop.boards, *stop.alights):
                if ride_id not in rides:
                    yield Fault(f"frozen: vehicle {vehicle_id}", f"ride {ride_id} is unknown; keep who is aboard")
            yield from _negative(f"frozen: vehicle {vehicle_id}", stop, ("arrive_s", "begin_s", "depart_s"))
    yield from _in_two_cars(problem.frozen)
    for ride_id, told in problem.told.items():
        yield from _negative(f"told: {ride_id}", told, ("board_s",))
    boarded = (ride_id for stops in problem.frozen.values() for stop in stops for ride_id in stop.boards)
    yield from _repeated("frozen: boarding of", boarded)


def _in_two_cars(frozen: Mapping[str, tuple[Stop, ...]]) -> Iterator[Fault]:
    """Whoever boarded one car alights from that one."""
    boarded = {one: key for key, stops in frozen.items() for stop in stops for one in stop.boards}
    for key, stops in frozen.items():
        for ride_id in sorted({one for stop in stops for one in stop.alights}):
            if boarded.get(ride_id, key) != key:
                yield Fault(f"frozen: vehicle {key}", f"{ride_id} alights there, but boarded {boarded[ride_id]}")


def _lock_faults(lock: Lock, rides: set[str], vehicles: set[str]) -> Iterator[Fault]:
    if lock.kind != "order":
        if lock.ride_id not in rides or lock.vehicle_id not in vehicles:
            yield Fault(
                "locks", f"{lock.author} locked {lock.ride_id} on {lock.vehicle_id}, but one of them is unknown"
            )
        if lock.ride_ids:
            yield Fault("locks", f"{lock.author} gave {lock.ride_id} an order; only a lock of kind order has ride_ids")
        return
    named = f"{lock.author} locked the order of {', '.join(lock.ride_ids) or 'nobody'}"
    if len(lock.ride_ids) < 2 or len(set(lock.ride_ids)) < len(lock.ride_ids):
        yield Fault("locks", f"{named}; give at least two rides, each once")
    if lock.ride_id or lock.vehicle_id:
        yield Fault("locks", f"{named}; leave its ride_id and vehicle_id empty, it holds on every vehicle")
    yield from (
        Fault("locks", f"{named}, but {ride_id} is unknown") for ride_id in lock.ride_ids if ride_id not in rides
    )


def _contradictions(locks: tuple[Lock, ...]) -> Iterator[Fault]:
    to: dict[str, Lock] = {}
    for lock in locks:
        if lock.kind == "to" and to.setdefault(lock.ride_id, lock).vehicle_id != lock.vehicle_id:
            other = to[lock.ride_id]
            yield Fault(
                "locks", f"{lock.ride_id} is locked to {other.vehicle_id} ({other.author}) and to {lock.vehicle_id}"
            )
    for lock in locks:
        if lock.kind == "never" and lock.ride_id in to and to[lock.ride_id].vehicle_id == lock.vehicle_id:
            yield Fault("locks", f"{lock.ride_id} is locked to {lock.vehicle_id} and kept off it by {lock.author}")


def _repeated(what: str, ids: Iterable[str]) -> Iterator[Fault]:
    seen: set[str] = set()
    for some_id in ids:
        if not some_id:
            yield Fault(what, "has no id; give it one")
        if some_id in seen:
            yield Fault(f"{what} {some_id}", "is given more than once")
        seen.add(some_id)


def _negative(where: str, value: Vehicle | Ride | Break | Stop | Told, names: tuple[str, ...]) -> Iterator[Fault]:
    for name in names:
        number = getattr(value, name)
        if number is not None and number < 0:
            yield Fault(where, f"{name} is {number}; it cannot be negative")
        elif number is not None and number > LONGEST_S:
            yield Fault(where, f"{name} is {number}, beyond anything real; is its unit right, and its epoch?")
