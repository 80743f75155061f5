"""A problem and a plan as the tables that `kernel.py` reckons with, and back.

What the tables cannot hold stays as it is: a vehicle whose stops the kernel cannot drive is sealed, and keeps its
manifest; rides whose order a person has locked keep theirs.
"""

from dataclasses import dataclass

import numpy as np

from softlanding.dispatch.planner.check import check_stops
from softlanding.dispatch.planner.index import FAR, Asked, Index, asked_of, index_of
from softlanding.dispatch.planner.objective import PRIORITY_MAX
from softlanding.dispatch.planner.problem import Manifest, Plan, Problem, Schedule, Stop, UnplacedRide, Vehicle
from softlanding.dispatch.planner.routes import aboard_at_start, route_of
from softlanding.dispatch.planner.search import kernel
from softlanding.dispatch.planner.search.kernel import Array, Desk, Flat, State

NEAR_MAX = 60  # So many rides are thought of as alike.
WINDOW_SEEN_S = 3600  # A window wider than that says little about when somebody rides.
CLOSED_MAX = 500  # Up to so many places it is looked whether a detour may be quicker than the direct way.


@dataclass(frozen=True)
class Weights:
    """How the levels of the objective are weighed into one number: each far above what the next can sum up to, or,
    for a while, otherwise (`PACKED` first makes room, at the cost of comfort)."""

    stranded: float
    waiting: float
    riding: float
    changes: float
    hours: float
    driving: float
    unease: float = 0.0
    vehicle: float = 0.0


@dataclass(frozen=True)
class Sheet:
    """One problem and one plan in tables. `sealed` vehicles have no row; `rows` holds what the others drive now."""

    index: Index
    plan: Plan
    flat: Flat
    state: State
    ride_ids: tuple[str, ...]
    vehicles: tuple[Vehicle, ...]
    breaks: tuple[tuple[str, ...], ...]  # By vehicle: the breaks that it has yet to take.
    sealed: frozenset[str]
    before: tuple[tuple[int, ...], ...]  # Each vehicle's row as it came.


def sheet_of(problem: Problem, plan: Plan, weights: Weights, held: frozenset[str] = frozenset()) -> Sheet:
    """The tables. Rides in `held` stay on their vehicles, with those aboard, frozen, or in a lock on the order."""
    index = index_of(problem)
    ride_ids, vehicles = tuple(index.rides), tuple(index.vehicles.values())
    numbers = {ride_id: number for number, ride_id in enumerate(ride_ids)}
    breaks = tuple(_breaks_left(index, vehicle) for vehicle in vehicles)
    flat = _flat(index, ride_ids, vehicles, breaks, weights, held)
    length = 2 * max((sum(len(stop.boards) for stop in one.stops) for one in plan.manifests), default=0)
    state = kernel.make_state(len(vehicles), max(2 * length, 60), len(ride_ids))
    sealed = _fill(index, plan, flat, state, numbers, vehicles, breaks)
    before = tuple(tuple(state.rows[v, : state.length[v]].tolist()) for v in range(len(vehicles)))
    return Sheet(index, plan, flat, state, ride_ids, vehicles, breaks, sealed, before)


def desk_of(sheet: Sheet) -> Desk:
    vehicles, nodes = sheet.state.rows.shape
    return kernel.make_desk(vehicles, nodes, len(sheet.ride_ids))


def plan_of(sheet: Sheet, state: State) -> Plan:
    """The plan that these rows are, each changed manifest solved by `routes.py`. A ride that lost its place says so."""
    desk = desk_of(sheet)
    manifests = {manifest.vehicle_id: manifest for manifest in sheet.plan.manifests}
    for v, vehicle in enumerate(sheet.vehicles):
        row = tuple(state.rows[v, : state.length[v]].tolist())
        if vehicle.id not in sheet.sealed and row != sheet.before[v]:
            manifests[vehicle.id] = _manifest(sheet, desk, v, row)
    placed = {ride_id for one in manifests.values() for stop in one.stops for ride_id in stop.boards}
    known = {one.ride_id: one for one in sheet.plan.unplaced}
    lost = [
        known.get(ride_id) or UnplacedRide(ride_id, "gave its place to others, of whom more are served so", "busy")
        for ride_id in sorted(set(sheet.ride_ids) - placed)
    ]
    return Plan(tuple(manifests[key] for key in sorted(manifests)), tuple(lost))


def weighed(sheet: Sheet, weights: Weights) -> Flat:
    """The same tables with other weights."""
    return sheet.flat._replace(price=_price(sheet.index, weights), worth=_worth(sheet.index, sheet.ride_ids, weights))


# Problem to tables


def _flat(
    index: Index,
    ride_ids: tuple[str, ...],
    vehicles: tuple[Vehicle, ...],
    breaks: tuple[tuple[str, ...], ...],
    weights: Weights,
    held: frozenset[str],
) -> Flat:
    asked = [asked_of(index, ride_id) for ride_id in ride_ids]
    drive = np.array(index.rows, dtype=np.int64).reshape(len(index.rows), len(index.rows))
    cars = _cars(index, vehicles)
    rides = _rides(index, asked, vehicles, held)
    nodes = _nodes(asked, vehicles, breaks, _is_closed(drive))
    for r, one in enumerate(asked):
        if rides[r, kernel.LEFT] >= 0:
            late = min(one.end_late, rides[r, kernel.LEFT] + one.limit)
            nodes[2 * r + 1, kernel.LATE] = max(late, 0)
    return Flat(
        drive=drive,
        nodes=nodes,
        rides=rides,
        worth=_worth(index, ride_ids, weights),
        may=_may(index, asked, vehicles, rides) & _on_shift(nodes, cars, len(asked)),
        strangers=_strangers(index, asked, ride_ids),
        cars=cars,
        price=_price(index, weights),
        near=_near(drive, nodes, len(asked)),
    )


def _cars(index: Index, vehicles: tuple[Vehicle, ...]) -> Array:
    cars = np.zeros((len(vehicles), kernel.CAR_COLUMNS), dtype=np.int64)
    last: dict[tuple[object, ...], int] = {}
    for v, vehicle in enumerate(vehicles):
        net = route_of(index, vehicle, ()).net
        cars[v, kernel.FIRST], cars[v, kernel.END] = net.first, net.end
        cars[v, kernel.BEGIN], cars[v, kernel.END_LATE] = net.ready, net.end_late
        cars[v, kernel.DRIVEN] = net.driven
        cars[v, kernel.SPAN] = kernel.NO_LIMIT if net.span >= FAR else net.span
        cars[v, kernel.ROOM : kernel.ROOM + 3] = (vehicle.seats, vehicle.luggage, vehicle.wheelchair_places)
        for ride_id in aboard_at_start(index, vehicle):
            ride = index.rides[ride_id]
            cars[v, kernel.ABOARD : kernel.ABOARD + 3] += (ride.seats, ride.luggage, ride.wheelchairs)
        alike = (*cars[v, : kernel.TWIN].tolist(), vehicle.skills, vehicle.breaks)
        is_named = any(lock.vehicle_id == vehicle.id for lock in index.problem.locks)
        cars[v, kernel.TWIN] = -1 if is_named else last.get(alike, -1)
        if not is_named:
            last[alike] = v
    return cars


def _rides(index: Index, asked: list[Asked], vehicles: tuple[Vehicle, ...], held: frozenset[str]) -> Array:
    numbers = {vehicle.id: v for v, vehicle in enumerate(vehicles)}
    left = {
        ride_id: stop.depart_s for vehicle in vehicles for stop in index.frozen(vehicle.id) for ride_id in stop.boards
    }
    rides = np.zeros((len(asked), kernel.RIDE_COLUMNS), dtype=np.int64)
    for r, one in enumerate(asked):
        ride_id = one.ride.id
        is_bound = ride_id in left or ride_id in held or ride_id in index.ahead or ride_id in index.behind
        rides[r, kernel.READY], rides[r, kernel.DIRECT] = one.early, one.direct
        rides[r, kernel.UNSURE] = one.unsure
        rides[r, kernel.LIMIT] = kernel.NO_LIMIT if one.limit >= FAR else one.limit
        rides[r, kernel.LOAD : kernel.LOAD + 3] = (one.ride.seats, one.ride.luggage, one.ride.wheelchairs)
        rides[r, kernel.LEFT] = left.get(ride_id, -1)
        rides[r, kernel.IS_FIXED] = int(is_bound)
        told = index.problem.told.get(ride_id)
        rides[r, kernel.TOLD] = numbers.get(told.vehicle_id, -1) if told else -1
    return rides


def _nodes(
    asked: list[Asked], vehicles: tuple[Vehicle, ...], breaks: tuple[tuple[str, ...], ...], is_closed: bool
) -> Array:
    """Windows as narrow as the other end of the ride makes them, at a halt that others may share and make longer."""
    longest = _longest_halts(asked)
    nodes = np.zeros((2 * len(asked) + sum(len(ids) for ids in breaks), 5), dtype=np.int64)
    for r, one in enumerate(asked):
        direct = one.direct if is_closed else 0
        early = max(one.early, one.end_early - one.limit - longest[one.start])
        late = min(one.late, one.end_late - direct - one.board_s)
        end_early = max(one.end_early, early + one.board_s + direct)
        nodes[2 * r] = (one.start, early, late, 0, one.board_s)
        nodes[2 * r + 1] = (one.end, end_early, one.end_late, one.alight_s, 0)
    number = 2 * len(asked)
    for vehicle, ids in zip(vehicles, breaks, strict=True):
        for pause in (pause for pause_id in ids for pause in vehicle.breaks if pause.id == pause_id):
            nodes[number] = (kernel.HERE, pause.earliest_s, pause.latest_s, 0, pause.duration_s)
            number += 1
    return nodes


def _longest_halts(asked: list[Asked]) -> dict[int, int]:
    """By place how long service takes at most, whoever boards and alights there together."""
    alighting, boarding = dict[int, int](), dict[int, int]()
    for one in asked:
        alighting[one.end] = max(alighting.get(one.end, 0), one.alight_s)
        boarding[one.start] = max(boarding.get(one.start, 0), one.board_s)
    return {place: boarding[place] + alighting.get(place, 0) for place in boarding}


def _is_closed(drive: Array) -> bool:
    """Whether the direct way is the quickest everywhere, so that windows may be narrowed by it."""
    if len(drive) > CLOSED_MAX:
        return False
    return all(bool((drive[:, k, None] + drive[None, k, :] >= drive).all()) for k in range(len(drive)))


def _may(index: Index, asked: list[Asked], vehicles: tuple[Vehicle, ...], rides: Array) -> Array:
    """Size, skills and locks."""
    room = np.array([(one.seats, one.luggage, one.wheelchair_places) for one in vehicles], dtype=np.int64)
    loads = rides[:, kernel.LOAD : kernel.LOAD + 3]
    may = np.ones((len(asked), len(vehicles)), dtype=np.bool_)
    for d in range(3):
        may &= loads[:, d, None] <= room[None, :, d] if len(vehicles) else True
    for r, one in enumerate(asked):
        ride_id = one.ride.id
        if one.ride.needs_skills:
            may[r] &= [set(one.ride.needs_skills) <= set(vehicle.skills) for vehicle in vehicles]
        if ride_id in index.locked_to:
            may[r] &= [vehicle.id == index.locked_to[ride_id].vehicle_id for vehicle in vehicles]
        if ride_id in index.ahead or ride_id in index.behind:
            may[r] = False  # Where it is it stays; placing it is for who looks at the lock.
    numbers = {one.ride.id: r for r, one in enumerate(asked)}
    cars = {vehicle.id: v for v, vehicle in enumerate(vehicles)}
    for ride_id, vehicle_id in index.never:
        may[numbers[ride_id], cars[vehicle_id]] = False
    return may


def _on_shift(nodes: Array, cars: Array, count: int) -> Array:
    """Whether a car is out at all while a ride can be: most are not, in a large fleet."""
    boards_late, alights_early = nodes[0 : 2 * count : 2, kernel.LATE], nodes[1 : 2 * count : 2, kernel.EARLY]
    begins, ends = cars[:, kernel.BEGIN], cars[:, kernel.END_LATE]
    return (boards_late[:, None] >= begins[None, :]) & (alights_early[:, None] <= ends[None, :])


def _strangers(index: Index, asked: list[Asked], ride_ids: tuple[str, ...]) -> Array:
    if not index.alone and not index.strangers:
        return np.zeros((1, 1), dtype=np.bool_)
    numbers = {ride_id: r for r, ride_id in enumerate(ride_ids)}
    found = np.zeros((max(len(asked), 2), max(len(asked), 2)), dtype=np.bool_)
    for r, one in enumerate(asked):
        if one.ride.alone:
            found[r, :] = found[:, r] = True
        for other in one.strangers:
            found[r, numbers[other]] = found[numbers[other], r] = True
    np.fill_diagonal(found, False)
    return found


def _near(drive: Array, nodes: Array, count: int) -> Array:
    """Rides by how alike they are: from where, to where, and when."""
    if count == 0:
        return np.zeros((0, 0), dtype=np.int64)
    start, end = nodes[0 : 2 * count : 2, kernel.SPOT], nodes[1 : 2 * count : 2, kernel.SPOT]
    early, late = nodes[0 : 2 * count : 2, kernel.EARLY], nodes[0 : 2 * count : 2, kernel.LATE]
    middle = (early + np.minimum(late, early + WINDOW_SEEN_S)) / 2
    keep = min(count, NEAR_MAX)
    near = np.zeros((count, keep), dtype=np.int64)
    for r in range(count):
        apart = drive[start[r], start] + drive[end[r], end] + 0.3 * np.abs(middle - middle[r])
        apart[r] = -1
        near[r] = np.argsort(apart, kind="stable")[:keep]
    return near


def _worth(index: Index, ride_ids: tuple[str, ...], weights: Weights) -> Array:
    worth = np.zeros((len(ride_ids), 2))
    for r, ride_id in enumerate(ride_ids):
        asked = asked_of(index, ride_id)
        # Nine to one, as the objective has it, would leave no digits for the rest.
        worth[r, kernel.WEIGHT] = weights.stranded * (1 + 9 * max(0, min(asked.ride.priority, PRIORITY_MAX)))
        worth[r, kernel.CHANGE] = weights.changes * asked.near
    return worth


def _price(index: Index, weights: Weights) -> Array:
    comfort = index.problem.comfort
    levels = weights.driving, weights.waiting, weights.riding, weights.hours, weights.unease, weights.vehicle
    return np.array([*levels, comfort.wait_free_s, comfort.ride_free_s, comfort.wheel_free_s], dtype=np.float64)


def _breaks_left(index: Index, vehicle: Vehicle) -> tuple[str, ...]:
    taken = {stop.break_id for stop in index.frozen(vehicle.id)}
    return tuple(pause.id for pause in vehicle.breaks if pause.id not in taken)


# Plan to rows and back


def _fill(
    index: Index,
    plan: Plan,
    flat: Flat,
    state: State,
    numbers: dict[str, int],
    vehicles: tuple[Vehicle, ...],
    breaks: tuple[tuple[str, ...], ...],
) -> frozenset[str]:
    """The plan's free stops as rows; the vehicles that must be left alone."""
    manifests = {manifest.vehicle_id: manifest for manifest in plan.manifests}
    desk = kernel.make_desk(len(vehicles), state.rows.shape[1], len(numbers))
    first_break = {v: 2 * len(numbers) + sum(len(ids) for ids in breaks[:v]) for v in range(len(vehicles))}
    sealed = set()
    for v, vehicle in enumerate(vehicles):
        stops = manifests[vehicle.id].stops if vehicle.id in manifests else ()
        row = [
            node
            for stop in stops[len(index.frozen(vehicle.id)) :]
            for node in _nodes_of(index, stop, numbers, breaks[v], first_break[v])
        ]
        for stop in stops:
            for ride_id in (*stop.boards, *stop.alights):
                state.home[numbers[ride_id]] = v
        state.rows[v, : len(row)] = row
        is_whole = len([node for node in row if node >= 2 * len(numbers)]) == len(breaks[v])
        if not is_whole or kernel.measure(flat, desk, v, state.rows[v], len(row)) >= kernel.NEVER:
            sealed.add(vehicle.id)
            flat.may[:, v] = False
            flat.rides[[numbers[one] for stop in stops for one in stop.boards], kernel.IS_FIXED] = 1
            row = []
        state.length[v] = len(row)
    return frozenset(sealed)


def _nodes_of(
    index: Index, stop: Stop, numbers: dict[str, int], breaks: tuple[str, ...], first_break: int
) -> list[int]:
    if stop.break_id:
        return [first_break + breaks.index(stop.break_id)]
    alights = sorted(stop.alights, key=lambda one: -asked_of(index, one).end_early)
    return [2 * numbers[one] + 1 for one in alights] + [2 * numbers[one] for one in _in_turn(index, stop.boards)]


def _in_turn(index: Index, boards: tuple[str, ...]) -> list[str]:
    """Who boards at one stop, one after the other: by locks on their order, for they may be parted; and the last to be
    ready first, whom the others await."""
    waiting, turns = sorted(boards, key=lambda one: -asked_of(index, one).early), list[str]()
    while waiting:
        free = (one for one in waiting if index.ahead.get(one, frozenset()).isdisjoint(waiting))
        turns.append(next(free, waiting[0]))
        waiting.remove(turns[-1])
    return turns


def _manifest(sheet: Sheet, desk: Desk, v: int, row: tuple[int, ...]) -> Manifest:
    """The row's halts as stops, at the times that every limit permits."""
    nodes = np.array([*row, 0], dtype=np.int64)
    price = kernel.measure(sheet.flat, desk, v, nodes, len(row))
    assert price < kernel.NEVER, f"the search gave {sheet.vehicles[v].id} a row that breaks a limit"
    halts: list[list[int]] = []
    for k, node in enumerate(row):
        if k and desk.halt_of[k] == desk.halt_of[k - 1]:
            halts[-1].append(node)
        else:
            halts.append([node])
    vehicle = sheet.vehicles[v]
    stops = [*sheet.index.frozen(vehicle.id), *(_stop(sheet, v, halt) for halt in halts)]
    schedule = check_stops(sheet.index.problem, vehicle, stops)
    assert isinstance(schedule, Schedule), f"the kernel lets {vehicle.id} drive what the check does not: {schedule}"
    return Manifest(vehicle.id, schedule.stops, schedule.back_s)


def _stop(sheet: Sheet, v: int, halt: list[int]) -> Stop:
    count = 2 * len(sheet.ride_ids)
    if halt[0] >= count:
        first = count + sum(len(ids) for ids in sheet.breaks[:v])
        return Stop(sheet.vehicles[v].start_place_id, break_id=sheet.breaks[v][halt[0] - first])
    boards = tuple(sheet.ride_ids[node >> 1] for node in halt if node & 1 == 0)
    alights = tuple(sheet.ride_ids[node >> 1] for node in halt if node & 1 == 1)
    place = sheet.flat.nodes[halt[0], kernel.SPOT]
    return Stop(sheet.index.problem.matrix.place_ids[place], boards=boards, alights=alights)
