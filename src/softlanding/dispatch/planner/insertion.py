"""Where one ride more fits: every position on every vehicle, the cheapest first, each judged exactly.

`candidates` prunes by bounds that stay true whatever the exact schedule turns out to be (capacity, the earliest
departure from the stops before, the latest arrival for the stops after) and by a lower bound of the price; only
what is left is solved exactly. Nobody changes vehicle and no order changes; breaks may be taken in another gap.
Where a detour may be quicker than the direct way (a matrix that breaks the triangle inequality) the answer is still
valid, but perhaps not the cheapest.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from operator import itemgetter
from typing import NamedTuple

from softlanding.dispatch.planner.bounds import Delayed, Leg, Pressed
from softlanding.dispatch.planner.check import KnownRoutes
from softlanding.dispatch.planner.index import FAR, Asked, Index
from softlanding.dispatch.planner.network import HERE, Network, Room
from softlanding.dispatch.planner.objective import (
    NEW_CAR,
    NEW_TIME,
    Cost,
    excess_cost,
    minus,
    patience_of,
    waiting_cost,
)
from softlanding.dispatch.planner.problem import Comfort, Stop
from softlanding.dispatch.planner.routes import Route, add_told, cost_of, earliest

_first_three = itemgetter(0, 1, 2)

Bound = tuple[int, int, int, int, int]  # Of waiting, riding, changes, hours and driving.


class Candidate(NamedTuple):
    """A position that the bounds permit. `board` and `alight` number stops of the route as it is: a new stop goes
    before that stop, a shared one (`*_joins`) is that stop. `at_least` is no more than what it adds."""

    at_least: Bound
    board: int
    board_joins: bool
    alight: int
    alight_joins: bool


class Boarding(NamedTuple):
    """A place to board: before or at a stop, begun and left no sooner than that. `at_least` is as a candidate's, for
    any place to alight."""

    at_least: Bound
    stop: int
    joins: bool
    begin: int
    leave: int


Best = tuple["Fit", tuple[int, int, Candidate]]
Way = tuple[int, int, Route]
Place = tuple[Bound, int, int, Boarding, Route]
Promise = tuple[Bound, int, int, Boarding | Candidate, Route]


class Fit(NamedTuple):
    """A ride in a route, solved: what it adds to the objective, and when the passenger boards and is delivered."""

    added: Cost
    route: Route  # As it was.
    net: Network  # With the ride, and when each stop of it begins.
    begins: list[int]
    candidate: Candidate
    board_s: int
    deliver_s: int
    ride_s: int


def cheapest(index: Index, asked: Asked, known: Sequence[KnownRoutes]) -> Fit | None:
    """The fit that adds least to the objective; among equals the vehicle first in `known`, then the earliest stops.

    First where nobody would wait for it any longer than now: mostly that is all that there is to look at."""
    best, ways = None, _every_way(index, known)
    for waits in (False, True):
        best = _the_best(index, asked, boardings(index, asked, ways, waits), best)
        if best is not None and best[0].added.waiting <= 0:
            break
    return best[0] if best is not None else None


def _the_best(index: Index, asked: Asked, places: list[Place], best: Best | None) -> Best | None:
    """Of these and what was found already. What promises most is looked at first: a place to board leads to places to
    alight, and one of those to an exact judgement, until nothing left promises as much as what was found."""
    promising: list[Promise] = [*places]
    heapify(promising)
    while promising:
        at_least, vehicle_no, variant_no, place, route = heappop(promising)
        if best is not None and at_least > best[0].added[1:6]:
            break
        if isinstance(place, Boarding):
            for candidate in _alightings(index, asked, route, place):
                heappush(promising, (candidate.at_least, vehicle_no, variant_no, candidate, route))
            continue
        fit, order = solve(index, asked, route, place), (vehicle_no, variant_no, place)
        if fit and (best is None or (fit.added, order) < (best[0].added, best[1])):
            best = fit, order
    return best


def _every_way(index: Index, known: Iterable[KnownRoutes]) -> list[Way]:
    return [(number, other, route) for number, one in enumerate(known) for other, route in enumerate(one.ways(index))]


def least(
    index: Index,
    asked: Asked,
    known: Iterable[KnownRoutes],
    bound: Callable[[Boarding], int],
    measure: Callable[[Fit], int],
) -> Fit | None:
    """The fit with the least `measure`, which is no less than the `bound` of where it boards; for questions other than
    the cheapest."""
    promising = boardings(index, asked, _every_way(index, known))
    found = [(bound(place), number, other, place, route) for _at_least, number, other, place, route in promising]
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
    cost = cost_of(index.rows, index.problem.comfort, net, begins)
    ride_s = begins[alight] - begins[board] - net.boarding[board] - net.alighting[board]
    return Fit(minus(cost, route.before), route, net, begins, candidate, begins[board], begins[alight], ride_s)


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
    places = boardings(index, asked, [(0, 0, route)])
    return [one for *_, place, _route in places for one in _alightings(index, asked, route, place)]


def boardings(index: Index, asked: Asked, ways: Iterable[Way], waits: bool | None = None) -> list[Place]:
    """The places to board that no bound rules out. `waits`: only those where somebody would wait longer than now, or
    only those where perhaps nobody would.

    Most of what placing a ride takes is spent here: so what rules out most comes first, and no call is made where most
    of them would say nothing."""
    rows, comfort, found = index.rows, index.problem.comfort, list[Place]()
    early, late, start, goal, unsure = asked.early, asked.late, asked.start, asked.end, asked.unsure
    onward_from, free_s, board_s, orders = rows[start], comfort.wait_free_s, asked.board_s, index.ahead
    soon = min(late, early + patience_of(unsure, free_s))
    for vehicle_no, variant_no, route in ways:
        # The stop after must still be reached in time, the stop before left in time: both lists rise with the stops.
        first = bisect_left(route.last, early)
        # Where nobody can wait less than now, whoever waits more is enough to leave a leg for later.
        is_calm = waits is False and route.legs[first].waiting >= 0
        until_s = soon if is_calm else late
        end = bisect_right(route.leaves, until_s)
        if first >= end:
            continue
        after, until = _turns(index, asked, route) if orders else (-1, end)
        for number in range(first, end):
            leaves, at, to, onward, passes, latest, calm, pressed, room, aboard, delayed, waiting = route.legs[number]
            way = rows[at]
            begin = leaves + way[start]
            if begin < early:
                begin = early
            elif begin > until_s:
                continue
            elif begin > early:
                waiting += waiting_cost(begin - early, unsure, free_s)
            done = begin + board_s
            if to != HERE:
                there = done + onward_from[to]
                if there > (calm if is_calm else latest):
                    continue
                if pressed and there - passes > pressed[0].until:
                    waiting += _pressing(pressed, there - passes, free_s)
            if (waits is not None and waits != (waiting > 0)) or not (after < number <= until):
                continue
            if not _has_room(asked, room, aboard):
                continue
            drive = way[start] if onward < 0 else way[start] + onward_from[onward] - way[onward]
            if to == HERE:  # Who boards here alights before the car goes on.
                drive += onward_from[goal] + (0 if onward < 0 else rows[goal][onward] - onward_from[onward])
            delays = _delays(comfort, delayed, drive + board_s) if delayed else 0
            if delays is not None:
                at_least = _bound(index, asked, route, waiting, delays, begin, drive)
                place = Boarding(at_least, number, False, begin, done)
                found.append((at_least, vehicle_no, variant_no, place, route))
        if start in route.net.spots:
            stops = range(max(first, after), min(end, until + 1, len(route.stops)))
            shared = _shared(index, asked, route, stops, until_s, waits)
            found += [(place.at_least, vehicle_no, variant_no, place, route) for place in shared]
    return found


def _shared(index: Index, asked: Asked, route: Route, stops: range, until_s: int, waits: bool | None) -> list[Boarding]:
    """The places to board at one of these stops, where it is at the right place and begins by then."""
    found, net, free_s = list[Boarding](), route.net, index.problem.comfort.wait_free_s
    for stop in stops:
        if net.spots[stop] != asked.start:
            continue
        begin, leg, after = max(route.soonest[stop], asked.early), route.legs[stop], route.legs[stop + 1]
        if begin > min(until_s, leg.latest):
            continue
        waiting = leg.waiting + waiting_cost(begin - asked.early, asked.unsure, free_s)
        waiting += _pressing(leg.pressed, begin - leg.way, free_s)
        if (waits is None or waits == (waiting > 0)) and _has_room(asked, after.room, after.aboard):
            done = begin + net.alighting[stop] + max(net.boarding[stop], asked.board_s)
            found.append(Boarding(_bound(index, asked, route, waiting, 0, begin, 0), stop, True, begin, done))
    return found


def _bound(index: Index, asked: Asked, route: Route, waiting: int, delays: int, begin: int, drive: int) -> Bound:
    """The least price on each level of boarding at `begin`, for so much more waiting, riding of others and driving."""
    _firm_waiting, riding, moved = route.spared
    changes = moved if asked.told is None else moved + _changed(index, asked, route, begin)
    hours = excess_cost(route.wheel + drive, index.problem.comfort.wheel_free_s) - route.before.hours
    return waiting, riding + delays, changes, hours, drive


def _alightings(index: Index, asked: Asked, route: Route, boarding: Boarding) -> list[Candidate]:
    """Ride along from this boarding and add each place to alight, until a later stop would be missed or the car is
    full."""
    found: list[Candidate | None] = []
    rows, net, legs, goal = index.rows, route.net, route.legs, asked.end
    here, time, travelled = asked.start, boarding.leave, 0
    for position in range(boarding.stop + boarding.joins, len(legs)):
        leg = legs[position]
        if position != boarding.stop and not _has_room(asked, leg.room, leg.aboard):
            break
        step = rows[here][goal]
        begin = max(time + step, asked.end_early)
        if begin <= asked.end_late and travelled + step <= asked.limit:
            arrives = _arrives_next(rows, net, position, goal, begin + asked.alight_s)
            if arrives <= leg.latest:
                found.append(_candidate(index, asked, route, boarding, position, False, travelled + step, arrives))
        if leg.to == HERE:
            break
        step = rows[here][leg.to]
        time = max(time + step, net.early[position])
        travelled += step
        if time > leg.latest or travelled > asked.limit:
            break
        if leg.to == goal and max(time, asked.end_early) <= min(leg.latest, asked.end_late):
            begin = max(time, asked.end_early)
            found.append(_candidate(index, asked, route, boarding, position, True, travelled, begin))
        service = net.alighting[position] + net.boarding[position]
        here, time, travelled = leg.to, time + service, travelled + service
    return [one for one in found if one]


def _pressing(pressed: tuple[Pressed, ...], begin: int, free_s: int) -> int:
    """What it adds to the waiting of those whom a stop delays, at least, that it begins no sooner than `begin`, which
    counts as `until` does."""
    total = 0
    for until, waits, unsure in pressed:
        if begin <= until:
            break
        total += waiting_cost(waits + begin - until, unsure, free_s) - waiting_cost(waits, unsure, free_s)
    return total


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
    rows, leg = index.rows, route.legs[alight]
    comfort, (waiting, riding, changes, _hours, drive) = index.problem.comfort, boarding.at_least
    if joins or leg.to != HERE or alight == len(route.stops):
        waiting += route.spared[0] - route.legs[boarding.stop].waiting
    if not boarding.joins and not joins and boarding.stop == alight:
        drive = rows[leg.at][asked.start] + asked.direct + _onward(rows, leg, asked.end)
        delays = _delays(comfort, leg.delayed, drive + asked.board_s + asked.alight_s)
        riding = route.spared[1]
    elif joins:
        delays = 0
    else:
        detour = rows[leg.at][asked.end] + _onward(rows, leg, asked.end)
        delays = _delays(comfort, leg.delayed, detour + asked.alight_s)
        drive += detour
    if delays is None:
        return None
    if leg.pressed:
        own = waiting_cost(boarding.begin - asked.early, asked.unsure, comfort.wait_free_s) + route.spared[0]
        waiting = max(waiting, own + _pressing(leg.pressed, begin - leg.way, comfort.wait_free_s))
    riding += delays + excess_cost(ridden - asked.direct, comfort.ride_free_s)
    hours = excess_cost(route.wheel + drive, comfort.wheel_free_s) - route.before.hours
    return Candidate((waiting, riding, changes, hours, drive), boarding.stop, boarding.joins, alight, joins)


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


def _onward(rows: list[list[int]], leg: Leg, goal: int) -> int:
    """How much longer it is from `goal` to where this leg leads than from where it begins; 0 if it leads nowhere."""
    return 0 if leg.onward < 0 else rows[goal][leg.onward] - rows[leg.at][leg.onward]


def _has_room(asked: Asked, room: Room, aboard: frozenset[str]) -> bool:
    """Whether the ride may be there too where so much room is left, with those aboard."""
    ride, (seats, luggage, wheelchairs) = asked.ride, room
    if ride.seats > seats or ride.luggage > luggage or ride.wheelchairs > wheelchairs:
        return False
    return not aboard or (not ride.alone and asked.strangers.isdisjoint(aboard))


def _spliced(route: Route, asked: Asked, candidate: Candidate) -> tuple[Network, int, int]:
    """The network with the ride in it, and the numbers of its two stops."""
    net = route.net
    _, board, board_joins, alight, alight_joins = candidate
    # Old numbers to new: a stop put in before pushes the others on.
    by_board, by_alight = (FAR if board_joins else board), (FAR if alight_joins else alight)
    moved = [number + (number >= by_board) + (number >= by_alight) for number in range(len(net.spots))]
    on = moved[board] if board_joins else board
    off = moved[alight] if alight_joins else alight + (not board_joins)
    new = Network(
        net.first, net.end, net.ready, net.end_late, net.span, net.driven, net.moved,
        net.spots[:], net.early[:], net.late[:], net.boarding[:], net.alighting[:],
        [(moved[number], ready, unsure) for number, ready, unsure in net.waits],
        [(moved[start], moved[end], limit, direct) for start, end, limit, direct in net.limits],
        [(moved[number], said, near) for number, said, near in net.told],
        [(moved[number], left, direct) for number, left, direct in net.carried],
    )  # fmt: skip
    if alight_joins:
        _share(new, alight, asked.end_early, asked.end_late, 0, asked.alight_s)
    else:
        _insert(new, alight, asked.end, asked.end_early, asked.end_late, 0, asked.alight_s)
    if board_joins:
        _share(new, board, asked.early, asked.late, asked.board_s, 0)
    else:
        _insert(new, board, asked.start, asked.early, asked.late, asked.board_s, 0)
    new.waits.append((on, asked.early, asked.unsure))
    new.limits.append((on, off, asked.limit, asked.direct))
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
