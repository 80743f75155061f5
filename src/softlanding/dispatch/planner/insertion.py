"""Where one ride more fits: every position on every vehicle, the cheapest first, each judged exactly.

`candidates` prunes by bounds that stay true whatever the exact schedule turns out to be (capacity, the earliest
departure from the stops before, the latest arrival for the stops after) and by a lower bound of the price; only
what is left is solved exactly. Nobody changes vehicle and no order changes; breaks may be taken in another gap.
Where a detour may be quicker than the direct way (a matrix that breaks the triangle inequality) the answer is still
valid, but perhaps not the cheapest.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import NamedTuple

from softlanding.dispatch.planner.check import KnownRoutes
from softlanding.dispatch.planner.indexed import FAR, Asked, Index
from softlanding.dispatch.planner.objective import NEW_CAR, NEW_TIME, Cost, excess_cost, minus
from softlanding.dispatch.planner.routes import HERE, Delayed, Network, Route, add_told, cost_of, earliest
from softlanding.dispatch.planner.shapes import Comfort, Ride, Stop

_first_three = itemgetter(0, 1, 2)


class Candidate(NamedTuple):
    """A position that the bounds permit. `board` and `alight` number stops of the route as it is: a new stop goes
    before that stop, a shared one (`*_joins`) is that stop. `at_least` bounds waiting, riding, changes and driving
    from below."""

    at_least: tuple[int, int, int, int]
    board: int
    board_joins: bool
    alight: int
    alight_joins: bool


class Boarding(NamedTuple):
    """A place to board: before or at a stop, begun and left no sooner than that. `at_least` is as a candidate's, for
    any place to alight."""

    at_least: tuple[int, int, int, int]
    stop: int
    joins: bool
    begin: int
    leave: int


Promise = tuple[tuple[int, int, int, int], int, int, Boarding | Candidate, Route]


@dataclass(frozen=True, slots=True)
class Fit:
    """A ride in a route, solved: what it adds to the objective, and when the passenger boards and is delivered."""

    added: Cost
    route: Route  # As it was.
    net: Network  # With the ride.
    candidate: Candidate
    board_s: int
    deliver_s: int
    ride_s: int


def cheapest(index: Index, asked: Asked, known: Iterable[KnownRoutes]) -> Fit | None:
    """The fit that adds least to the objective; among equals the vehicle first in `known`, then the earliest stops.

    What promises most is looked at first: a place to board leads to places to alight, and one of those to an exact
    judgement, until nothing left promises as much as what was found."""
    promising = _places_to_board(index, asked, known)
    heapify(promising)
    best: Fit | None = None
    best_order: tuple[int, int, Candidate] | None = None
    while promising:
        at_least, vehicle_no, variant_no, place, route = heappop(promising)
        if best is not None and at_least > best.added[1:5]:
            break
        if isinstance(place, Boarding):
            for candidate in _alightings(index, asked, route, place):
                heappush(promising, (candidate.at_least, vehicle_no, variant_no, candidate, route))
            continue
        fit, order = solve(index, asked, route, place), (vehicle_no, variant_no, place)
        if fit and (best is None or best_order is None or (fit.added, order) < (best.added, best_order)):
            best, best_order = fit, order
    return best


def _places_to_board(index: Index, asked: Asked, known: Iterable[KnownRoutes]) -> list[Promise]:
    found: list[Promise] = []
    late, done = asked.late, asked.early + asked.direct
    for vehicle_no, one in enumerate(known):
        if one.route is None or one.route.leave_legs[0] > late or done > one.route.net.end_late:
            continue  # Off shift, as most vehicles are.
        for variant_no, route in enumerate(one.ways(index)):
            for place in boardings(index, asked, route):
                found.append((place.at_least, vehicle_no, variant_no, place, route))
    return found


def least(
    index: Index,
    asked: Asked,
    known: Iterable[KnownRoutes],
    bound: Callable[[Boarding], int],
    measure: Callable[[Fit], int],
) -> Fit | None:
    """The fit with the least `measure`, which is no less than the `bound` of where it boards; for questions other than
    the cheapest."""
    found: list[tuple[int, int, int, Boarding, Route]] = []
    for vehicle_no, one in enumerate(known):
        for variant_no, route in enumerate(one.ways(index)):
            for boarding in boardings(index, asked, route):
                found.append((bound(boarding), vehicle_no, variant_no, boarding, route))
    found.sort(key=_first_three)
    best: Fit | None = None
    for at_least, _vehicle_no, _variant_no, boarding, route in found:
        if best is not None and at_least >= measure(best):
            break
        for candidate in _alightings(index, asked, route, boarding):
            fit = solve(index, asked, route, candidate)
            if fit and (best is None or (measure(fit), fit.added) < (measure(best), best.added)):
                best = fit
    return best


def solve(index: Index, asked: Asked, route: Route, candidate: Candidate) -> Fit | None:
    """The candidate judged exactly, or None if it breaks a limit."""
    net, board, alight = _spliced(route, asked, candidate)
    begins = earliest(index.rows, net)
    if begins is None:
        return None
    added = minus(cost_of(index.rows, index.problem.comfort, net, begins), route.before)
    ride_s = begins[alight] - begins[board] - net.boarding[board] - net.alighting[board]
    return Fit(added, route, net, candidate, begins[board], begins[alight], ride_s)


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
    return [one for boarding in boardings(index, asked, route) for one in _alightings(index, asked, route, boarding)]


def boardings(index: Index, asked: Asked, route: Route) -> list[Boarding]:
    """The places to board in this route that no bound rules out."""
    found: list[Boarding] = []
    early, late, start, comfort = asked.early, asked.late, asked.start, index.problem.comfort
    net, leave, last, pressed = route.net, route.leave_legs, route.last, route.pressed
    # The stop after must still be reached in time, the stop before left in time: both lists rise with the stops.
    begin_leg, end_leg = bisect_left(last, early), bisect_right(leave, late)
    after = -1
    if index.ahead:
        after, until = _turns(index, asked, route)
        begin_leg, end_leg = max(begin_leg, after), min(end_leg, until + 1)
    if begin_leg >= end_leg:
        return found
    rows, spots, at, count, free_s = index.rows, net.spots, route.at_legs, len(last), comfort.wait_free_s
    waits, rides, moved = route.spared
    onward, ride, told = rows[start], asked.ride, asked.told
    for leg in range(begin_leg, end_leg):
        spot, way = spots[leg] if leg < count else HERE, rows[at[leg]]
        begin = leave[leg] + way[start]
        begin = begin if begin > early else early
        done = begin + asked.board_s
        if (
            begin <= late
            and leg > after
            and (spot == HERE or done + onward[spot] <= last[leg])
            and _has_room(route, asked, ride, leg)
        ):
            # Most of what placing a ride takes is spent here: so no calls where most of them would say nothing.
            following = route.next_legs[leg]
            drive = way[start] if following < 0 else way[start] + onward[following] - way[following]
            delays = _delays(comfort, route.delayed[leg], drive + asked.board_s) if route.delayed[leg] else 0
            if delays is not None:
                waiting = waits if begin - early <= free_s else waits + excess_cost(begin - early, free_s)
                if spot != HERE and pressed[leg] is not None:
                    waiting += _pressing(route, leg, done + onward[spot], free_s)
                changes = moved if told is None else moved + _changed(index, asked, route, begin)
                found.append(Boarding((waiting, rides + delays, changes, drive), leg, False, begin, done))
        if spot == start and _has_room(route, asked, ride, leg + 1):
            begin = max(route.soonest[leg], early)
            if begin <= min(late, last[leg]):
                done = begin + net.alighting[leg] + max(net.boarding[leg], asked.board_s)
                waiting = excess_cost(begin - early, free_s) + waits + _pressing(route, leg, begin, free_s)
                changes = moved + _changed(index, asked, route, begin)
                found.append(Boarding((waiting, rides, changes, 0), leg, True, begin, done))
    return found


def _alightings(index: Index, asked: Asked, route: Route, boarding: Boarding) -> list[Candidate]:
    """Ride along from this boarding and add each place to alight, until a later stop would be missed or the car is
    full."""
    found: list[Candidate | None] = []
    rows, net, last, count = index.rows, route.net, route.last, len(route.stops)
    places, goal, ride = net.spots, asked.end, asked.ride
    here, time = asked.start, boarding.leave
    travelled = 0
    position = boarding.stop + boarding.joins
    while position == boarding.stop or _has_room(route, asked, ride, position):
        step = rows[here][goal]
        begin = max(time + step, asked.end_early)
        if begin <= asked.end_late and travelled + step <= asked.limit:
            arrives = _arrives_next(rows, net, position, goal, begin + asked.alight_s)
            if arrives <= (last[position] if position < count else net.end_late):
                found.append(_candidate(index, asked, route, boarding, position, False, travelled + step, arrives))
        if position == count or places[position] == HERE:
            break
        step = rows[here][places[position]]
        time = max(time + step, net.early[position])
        travelled += step
        if time > last[position] or travelled > asked.limit:
            break
        if places[position] == goal and max(time, asked.end_early) <= min(last[position], asked.end_late):
            begin = max(time, asked.end_early)
            found.append(_candidate(index, asked, route, boarding, position, True, travelled, begin))
        service = net.alighting[position] + net.boarding[position]
        here, time, travelled = places[position], time + service, travelled + service
        position += 1
    return [one for one in found if one]


def _pressing(route: Route, position: int, begin: int, free_s: int) -> int:
    """What it adds to the waiting of the next who boards, at least, that this stop begins no sooner than `begin`."""
    pressed = route.pressed[position]
    if pressed is None or begin <= pressed.until:
        return 0
    return excess_cost(pressed.waits + begin - pressed.until, free_s) - excess_cost(pressed.waits, free_s)


def _turns(index: Index, asked: Asked, route: Route) -> tuple[int, int]:
    """The stops between which the ride boards, by locks on the order: at the first or after, at the second or
    before."""
    ride_id = asked.ride.id
    ahead, behind = index.ahead.get(ride_id), index.behind.get(ride_id)
    after, until = -1, len(route.stops)
    if not ahead and not behind:
        return after, until
    if behind and any(not behind.isdisjoint(stop.boards) for stop in index.frozen(route.vehicle.id)):
        return 0, -1
    for position, stop in enumerate(route.stops):
        if ahead and not ahead.isdisjoint(stop.boards):
            after = position
        if behind and not behind.isdisjoint(stop.boards):
            until = min(until, position)
    return after, until


def _arrives_next(rows: list[list[int]], net: Network, position: int, goal: int, time: int) -> int:
    """When the stop after a new last stop at `goal` is reached at the earliest; the end of the shift counts as a
    stop."""
    if position == len(net.spots):
        return time + (rows[goal][net.end] if net.end >= 0 else 0)
    spot = net.spots[position]
    return time if spot == HERE else time + rows[goal][spot]


def _candidate(
    index: Index, asked: Asked, route: Route, boarding: Boarding, alight: int, joins: bool, ridden: int, begin: int
) -> Candidate | None:
    """With the lower bound of its price: this passenger's own waiting and detour, who else waits for it or rides
    longer, and the drive, which is exact; None if somebody aboard would ride too long. `begin`: when the stop at
    `alight` begins, or is reached, at the earliest."""
    rows, at, after = index.rows, route.at_legs, route.next_legs
    comfort, (waiting, riding, changes, drive) = index.problem.comfort, boarding.at_least
    if not boarding.joins and not joins and boarding.stop == alight:
        drive = _detour(rows, at[alight], (asked.start, asked.end), after[alight])
        delays = _delays(comfort, route.delayed[alight], drive + asked.board_s + asked.alight_s)
        riding = route.spared[1]
    elif joins:
        delays = 0
    else:
        detour = _detour(rows, at[alight], (asked.end,), after[alight])
        delays = _delays(comfort, route.delayed[alight], detour + asked.alight_s)
        drive += detour
    if delays is None:
        return None
    if alight < len(route.stops):
        own = excess_cost(boarding.begin - asked.early, comfort.wait_free_s) + route.spared[0]
        waiting = max(waiting, own + _pressing(route, alight, begin, comfort.wait_free_s))
    riding += delays + excess_cost(ridden - asked.direct, comfort.ride_free_s)
    return Candidate((waiting, riding, changes, drive), boarding.stop, boarding.joins, alight, joins)


def _delays(comfort: Comfort, delayed: tuple[Delayed, ...], by_s: int) -> int | None:
    """What it adds to the riding of those aboard, at least, that their way gets so much longer; None if somebody would
    ride too long."""
    total, free_s = 0, comfort.ride_free_s
    for one in delayed:
        if by_s > one.spare:
            return None
        total += excess_cost(one.extra + by_s, free_s) - excess_cost(one.extra, free_s)
    return total


def _changed(index: Index, asked: Asked, route: Route, begin: int) -> int:
    """The least price of what differs from what this ride's passenger has been told."""
    told = asked.told
    if told is None:
        return 0
    if told.vehicle_id != route.vehicle.id:
        return NEW_CAR * asked.near
    return NEW_TIME * asked.near if begin > told.board_s + index.problem.comfort.told_free_s else 0


def _detour(rows: list[list[int]], start: int, through: tuple[int, ...], end: int) -> int:
    """Seconds of driving that visiting `through` adds between `start` and `end` (-1: nowhere to go afterwards)."""
    here, total = start, 0
    for place in through:
        total += rows[here][place]
        here = place
    return total if end < 0 else total + rows[here][end] - rows[start][end]


def _has_room(route: Route, asked: Asked, ride: Ride, leg: int) -> bool:
    """Whether the ride may be aboard on this leg: seats, luggage, wheelchairs and company."""
    seats, luggage, wheelchairs = route.room_legs[leg]
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
