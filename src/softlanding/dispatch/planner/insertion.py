"""Where one ride more fits: every position on every vehicle, the cheapest first, each judged exactly.

`candidates` prunes by bounds that stay true whatever the exact schedule turns out to be (capacity, the earliest
departure from the stops before, the latest arrival for the stops after) and by a lower bound of the price; only
what is left is solved exactly. Nobody changes vehicle and no order changes; breaks may be taken in another gap.
Where a detour may be quicker than the direct way (a matrix that breaks the triangle inequality) the answer is still
valid, but perhaps not the cheapest.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from softlanding.dispatch.planner.check import KnownRoutes
from softlanding.dispatch.planner.indexed import FAR, Asked, Index
from softlanding.dispatch.planner.objective import NEW_CAR, NEW_TIME, Cost, excess_cost, minus
from softlanding.dispatch.planner.routes import HERE, Network, Route, add_told, cost_of, earliest
from softlanding.dispatch.planner.shapes import Stop


class Candidate(NamedTuple):
    """A position that the bounds permit. `board` and `alight` number stops of the route as it is: a new stop goes
    before that stop, a shared one (`*_joins`) is that stop. `at_least` bounds waiting, riding, changes and driving
    from below."""

    at_least: tuple[int, int, int, int]
    board: int
    board_joins: bool
    alight: int
    alight_joins: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """A ride in a route, solved: what it adds to the objective, and when the passenger boards and is delivered."""

    added: Cost
    route: Route
    candidate: Candidate
    board_s: int
    deliver_s: int
    ride_s: int


def cheapest(index: Index, asked: Asked, known: Iterable[KnownRoutes]) -> Fit | None:
    """The fit that adds least to the objective; among equals the vehicle first in `known`, then the earliest stops."""
    found = [
        (candidate.at_least, vehicle_no, variant_no, candidate, route)
        for vehicle_no, routes in enumerate(known)
        for variant_no, route in enumerate(routes.routes)
        for candidate in candidates(index, asked, route)
    ]
    found.sort(key=lambda one: one[:4])
    best: Fit | None = None
    best_order: tuple[int, int, Candidate] | None = None
    for at_least, vehicle_no, variant_no, candidate, route in found:
        if best is not None and at_least > best.added[1:5]:
            break
        fit = solve(index, asked, route, candidate)
        order = (vehicle_no, variant_no, candidate)
        if fit and (best is None or best_order is None or (fit.added, order) < (best.added, best_order)):
            best, best_order = fit, order
    return best


def every_fit(index: Index, asked: Asked, known: Iterable[KnownRoutes]) -> Iterator[Fit]:
    """All the ways in which the ride fits, vehicle by vehicle: for questions other than the cheapest."""
    for routes in known:
        for route in routes.routes:
            for candidate in candidates(index, asked, route):
                fit = solve(index, asked, route, candidate)
                if fit:
                    yield fit


def solve(index: Index, asked: Asked, route: Route, candidate: Candidate) -> Fit | None:
    """The candidate judged exactly, or None if it breaks a limit."""
    net, board, alight = _spliced(route, asked, candidate)
    begins = earliest(index.rows, net)
    if begins is None:
        return None
    added = minus(cost_of(index.rows, index.problem.comfort, net, begins), route.before)
    ride_s = begins[alight] - begins[board] - net.boarding[board] - net.alighting[board]
    return Fit(added, route, candidate, begins[board], begins[alight], ride_s)


def stops_with(fit: Fit, asked: Asked) -> list[Stop]:
    """The route's free stops with the ride in its place, untimed."""
    stops, ride, place = list(fit.route.stops), asked.ride, fit.candidate
    if place.alight_joins:
        shared = stops[place.alight]
        stops[place.alight] = replace(shared, alights=(*shared.alights, ride.id))
    else:
        stops.insert(place.alight, Stop(ride.to_place_id, alights=(ride.id,)))
    if place.board_joins:
        shared = stops[place.board]
        stops[place.board] = replace(shared, boards=(*shared.boards, ride.id))
    else:
        stops.insert(place.board, Stop(ride.from_place_id, boards=(ride.id,)))
    return stops


def candidates(index: Index, asked: Asked, route: Route) -> list[Candidate]:
    """The positions in this route that no bound rules out."""
    found: list[Candidate] = []
    rows, net, count = index.rows, route.net, len(route.stops)
    # The stop after must still be reached in time, the stop before left in time: both lists rise with the stops.
    first = bisect_left(route.last, asked.early)
    beyond = bisect_right(route.leave_legs, asked.late)
    after, until = _turns(index, asked, route)
    for leg in range(max(first, after), min(beyond, count + 1, until + 1)):
        if leg > after and _has_room(route, asked, leg):
            begin = max(route.leave_legs[leg] + rows[route.at_legs[leg]][asked.start], asked.early)
            if begin <= asked.late:
                _alightings(found, rows, asked, route, index, _Boarding(leg, False, begin, begin + asked.board_s))
        if leg < count and net.spots[leg] == asked.start and _has_room(route, asked, leg + 1):
            begin = max(route.soonest[leg], asked.early)
            if begin <= min(asked.late, route.last[leg]):
                service = net.alighting[leg] + max(net.boarding[leg], asked.board_s)
                _alightings(found, rows, asked, route, index, _Boarding(leg, True, begin, begin + service))
    return found


def _turns(index: Index, asked: Asked, route: Route) -> tuple[int, int]:
    """The stops between which the ride boards, by locks on the order: at the first or after, at the second or
    before."""
    ride_id = asked.ride.id
    ahead, behind = index.ahead.get(ride_id), index.behind.get(ride_id)
    after, until = -1, len(route.stops)
    if behind and any(not behind.isdisjoint(stop.boards) for stop in index.frozen(route.vehicle.id)):
        return 0, -1
    for position, stop in enumerate(route.stops if ahead or behind else ()):
        if ahead and not ahead.isdisjoint(stop.boards):
            after = position
        if behind and not behind.isdisjoint(stop.boards):
            until = min(until, position)
    return after, until


class _Boarding(NamedTuple):
    stop: int
    joins: bool
    begin: int
    leave: int


def _alightings(
    found: list[Candidate], rows: list[list[int]], asked: Asked, route: Route, index: Index, boarding: _Boarding
) -> None:
    """Ride along from this boarding and add each place to alight, until a later stop would be missed or the car is
    full."""
    net, last, count = route.net, route.last, len(route.stops)
    places, goal = net.spots, asked.end
    here, time = asked.start, boarding.leave
    travelled = 0
    position = boarding.stop + boarding.joins
    while position == boarding.stop or _has_room(route, asked, position):
        begin = max(time + rows[here][goal], asked.end_early)
        if begin <= asked.end_late and travelled + rows[here][goal] <= asked.limit:
            arrives = _arrives_next(rows, net, position, goal, begin + asked.alight_s)
            if arrives <= (last[position] if position < count else net.end_late):
                riding = travelled + rows[here][goal] - asked.direct
                found.append(_candidate(rows, asked, route, index, boarding, position, False, riding))
        if position == count or places[position] == HERE:
            return
        step = rows[here][places[position]]
        time = max(time + step, net.early[position])
        travelled += step
        if time > last[position] or travelled > asked.limit:
            return
        if places[position] == goal and max(time, asked.end_early) <= min(last[position], asked.end_late):
            found.append(_candidate(rows, asked, route, index, boarding, position, True, travelled - asked.direct))
        service = net.alighting[position] + net.boarding[position]
        here, time, travelled = places[position], time + service, travelled + service
        position += 1


def _arrives_next(rows: list[list[int]], net: Network, position: int, goal: int, time: int) -> int:
    """When the stop after a new last stop at `goal` is reached at the earliest; the end of the shift counts as a
    stop."""
    if position == len(net.spots):
        return time + (rows[goal][net.end] if net.end >= 0 else 0)
    spot = net.spots[position]
    return time if spot == HERE else time + rows[goal][spot]


def _candidate(
    rows: list[list[int]],
    asked: Asked,
    route: Route,
    index: Index,
    boarding: _Boarding,
    alight: int,
    joins: bool,
    riding: int,
) -> Candidate:
    """With the lower bound of its price: this passenger's own waiting and detour, and the drive, which is exact."""
    comfort, before = index.problem.comfort, route.before
    at, after = route.at_legs, route.next_legs
    if not boarding.joins and not joins and boarding.stop == alight:
        drive = _detour(rows, at[alight], (asked.start, asked.end), after[alight])
    else:
        drive = 0 if boarding.joins else _detour(rows, at[boarding.stop], (asked.start,), after[boarding.stop])
        drive += 0 if joins else _detour(rows, at[alight], (asked.end,), after[alight])
    at_least = (
        excess_cost(boarding.begin - asked.early, comfort.wait_free_s) - before.waiting,
        excess_cost(riding, comfort.ride_free_s) - before.riding,
        _changed(index, asked, route, boarding.begin) - before.changes,
        drive,
    )
    return Candidate(at_least, boarding.stop, boarding.joins, alight, joins)


def _changed(index: Index, asked: Asked, route: Route, begin: int) -> int:
    """The least price of changes with this ride aboard: its own, and of those who were told another car."""
    told = asked.told
    if told is None:
        return route.net.moved
    if told.vehicle_id != route.vehicle.id:
        return route.net.moved + NEW_CAR * asked.near
    is_later = begin > told.board_s + index.problem.comfort.told_free_s
    return route.net.moved + (NEW_TIME * asked.near if is_later else 0)


def _detour(rows: list[list[int]], start: int, through: tuple[int, ...], end: int) -> int:
    """Seconds of driving that visiting `through` adds between `start` and `end` (-1: nowhere to go afterwards)."""
    here, total = start, 0
    for place in through:
        total += rows[here][place]
        here = place
    return total if end < 0 else total + rows[here][end] - rows[start][end]


def _has_room(route: Route, asked: Asked, leg: int) -> bool:
    """Whether the ride may be aboard on this leg: seats, luggage, wheelchairs and company."""
    ride, (seats, luggage, wheelchairs) = asked.ride, route.room_legs[leg]
    if ride.seats > seats or ride.luggage > luggage or ride.wheelchairs > wheelchairs:
        return False
    crowd = route.aboard_legs[leg]
    if not crowd:
        return True
    return not ride.alone and asked.strangers.isdisjoint(crowd)


def _spliced(route: Route, asked: Asked, candidate: Candidate) -> tuple[Network, int, int]:
    """The network with the ride in it, and the numbers of its two stops."""
    net = route.net
    _, board, board_joins, alight, alight_joins = candidate
    new = Network(net.first, net.end, net.ready, net.end_late, net.span, net.moved)
    new.spots, new.early, new.late = net.spots[:], net.early[:], net.late[:]
    new.boarding, new.alighting = net.boarding[:], net.alighting[:]
    if alight_joins:
        _share(new, alight, asked.end_early, asked.end_late, 0, asked.alight_s)
    else:
        _insert(new, alight, asked.end, asked.end_early, asked.end_late, 0, asked.alight_s)
    if board_joins:
        _share(new, board, asked.early, asked.late, asked.board_s, 0)
    else:
        _insert(new, board, asked.start, asked.early, asked.late, asked.board_s, 0)
    # Old numbers to new: a stop put in before pushes the others on.
    by_board, by_alight = (FAR if board_joins else board), (FAR if alight_joins else alight)
    moved = [number + (number >= by_board) + (number >= by_alight) for number in range(len(net.spots))]
    on = moved[board] if board_joins else board
    off = moved[alight] if alight_joins else alight + (not board_joins)
    new.waits = [(moved[number], ready) for number, ready in net.waits]
    new.waits.append((on, asked.early))
    new.limits = [(moved[start], moved[end], limit, direct) for start, end, limit, direct in net.limits]
    new.limits.append((on, off, asked.limit, asked.direct))
    new.carried = [(moved[number], left, direct) for number, left, direct in net.carried]
    new.told = [(moved[number], said, near) for number, said, near in net.told]
    add_told(new, route.vehicle, asked, on)
    return new, on, off


def _insert(net: Network, at: int, spot: int, early: int, late: int, boarding: int, alighting: int) -> None:
    net.spots.insert(at, spot)
    net.early.insert(at, early)
    net.late.insert(at, late)
    net.boarding.insert(at, boarding)
    net.alighting.insert(at, alighting)


def _share(net: Network, at: int, early: int, late: int, boarding: int, alighting: int) -> None:
    net.early[at] = max(net.early[at], early)
    net.late[at] = min(net.late[at], late)
    net.boarding[at] = max(net.boarding[at], boarding)
    net.alighting[at] = max(net.alighting[at], alighting)
