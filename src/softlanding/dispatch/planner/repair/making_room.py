"""A ride that fits nowhere, and somebody else who could ride elsewhere: who must move so that everybody has a place.

First one other ride moves; then one that moves in the place of another; then several of one vehicle; then a ride of
lower priority gives way. Each way is judged exactly. Rides boarding near in time are tried first, and every search has
a stated maximum.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from softlanding.dispatch.planner.check import KnownRoutes
from softlanding.dispatch.planner.explain.ways_out import stops_without
from softlanding.dispatch.planner.explain.why_not import fits_ever, open_to
from softlanding.dispatch.planner.index import Asked, Index, asked_of
from softlanding.dispatch.planner.insertion import Fit, cheapest
from softlanding.dispatch.planner.objective import Cost, minus, plus
from softlanding.dispatch.planner.operations import with_fit
from softlanding.dispatch.planner.routes import route_of

Routes = dict[str, KnownRoutes]  # By vehicle: a plan while it is being worked at.

# Rides taken out for a try, for the ride itself and for each of those that would have to move on; how many of these;
# and after how many ways that work the cheapest of them is good enough.
TRIES, TRIES_ONWARD, ONWARD, ENOUGH = 250, 60, 12, 6

# How many leave one vehicle together; how often that is thought to the end; and after how many ways that work the
# cheapest of them is good enough.
TOGETHER, TRIES_TOGETHER, ENOUGH_TOGETHER = (2, 3, 4), 20, 2

# How far from its own time a ride looks for others who could make room: a long drive there and back.
NEAR_S = 7200


class Way(NamedTuple):
    """Routes in which the ride has its place: how many who were told had to move, what it adds, and who moved."""

    told: int
    added: Cost
    moved: tuple[str, ...]
    routes: Routes


@dataclass(slots=True)
class _Blocked:
    """Routes in which the ride has its place, but somebody has lost theirs by it."""

    ride_id: str
    routes: Routes
    added: Cost


@dataclass(slots=True)
class _Search:
    """What was found so far, and how much may still be tried."""

    tries: int
    found: list[Way] = field(default_factory=list)
    blocked: list[_Blocked] = field(default_factory=list)


def placed(index: Index, routes: Routes, ride_id: str) -> Routes | None:
    """The routes with this ride in its cheapest place, nobody else moved; None if there is no place."""
    asked = asked_of(index, ride_id)
    fit = cheapest(index, asked, open_to(index, asked, list(routes.values())))
    return None if fit is None else _with_fit(index, routes, asked, fit)


def make_room(index: Index, routes: Routes, ride_id: str) -> Way | None:
    """The routes with this ride in a place that others have made, as few of those who have been told as can be and
    then as cheaply as was found; None if nobody can make room."""
    asked = asked_of(index, ride_id)
    search = _leave_one_by_one(index, routes, asked, frozenset((ride_id,)), TRIES)
    for blocked in [] if search.found else search.blocked[:ONWARD]:
        search.found += _onward(index, blocked, frozenset((ride_id,)))
    if not search.found:
        search.found += _leave_together(index, routes, asked)
    return min(search.found, key=lambda way: way[:3], default=None)


def give_way(index: Index, routes: Routes, ride_id: str) -> tuple[Routes, str] | None:
    """The routes with this ride in the place of one of lower priority, the lowest first, and who that was."""
    asked = asked_of(index, ride_id)
    search = _leave_one_by_one(index, routes, asked, frozenset((ride_id,)), TRIES, below=asked.ride.priority)
    lowest = min(search.blocked, key=lambda one: (index.rides[one.ride_id].priority, one.added), default=None)
    return None if lowest is None else (lowest.routes, lowest.ride_id)


def without(index: Index, known: KnownRoutes, ride_ids: Iterable[str]) -> KnownRoutes | None:
    """The vehicle's routes without these rides, which have not boarded; None if it cannot drive them."""
    route = known.route
    if route is None:
        return None
    for keep_emptied in (False, True):
        left = route.stops
        for ride_id in ride_ids:
            left = stops_without(left, ride_id, keep_emptied=keep_emptied)
        emptier = route_of(index, route.vehicle, left)
        found = KnownRoutes(known.manifest, emptier)
        if emptier.begins is not None or any(one.begins is not None for one in found.ways(index)):
            return found
    return None


def cost_between(before: Routes, after: Routes) -> Cost:
    """What these routes cost more than those."""
    total = Cost()
    for vehicle_id, known in after.items():
        was = before[vehicle_id]
        if known is not was and known.route:
            total = plus(total, known.route.cost)
            total = minus(total, was.route.cost) if was.route else total
    return total


def _with_fit(index: Index, routes: Routes, asked: Asked, fit: Fit) -> Routes:
    return {**routes, fit.route.vehicle.id: with_fit(index, asked, fit)}


def _leave_one_by_one(
    index: Index, routes: Routes, asked: Asked, stay: frozenset[str], tries: int, below: int | None = None
) -> _Search:
    """Every near ride in turn leaves its place to this one, and looks for another."""
    search = _Search(tries)
    for _distance, vehicle_id, (other_id,) in _near(index, asked, routes, 1):
        if not search.tries or len(search.found) == ENOUGH:
            break
        if other_id in stay or (below is not None and index.rides[other_id].priority >= below):
            continue
        search.tries -= 1
        taken = _in_place_of(index, routes, asked, vehicle_id, (other_id,))
        if taken is None:
            continue
        moved = placed(index, taken, other_id)
        if moved:
            search.found.append(Way(_told(index, other_id), cost_between(routes, moved), (other_id,), moved))
        else:
            search.blocked.append(_Blocked(other_id, taken, cost_between(routes, taken)))
    return search


def _onward(index: Index, blocked: _Blocked, stay: frozenset[str]) -> list[Way]:
    """Somebody makes room for who has lost their place."""
    ride_id, stay = blocked.ride_id, stay | {blocked.ride_id}
    search = _leave_one_by_one(index, blocked.routes, asked_of(index, ride_id), stay, TRIES_ONWARD)
    told = _told(index, ride_id)
    return [
        Way(told + way.told, plus(blocked.added, way.added), (ride_id, *way.moved), way.routes) for way in search.found
    ]


def _leave_together(index: Index, routes: Routes, asked: Asked) -> list[Way]:
    """Some who follow each other in one vehicle leave it, and each finds another place, or somebody makes room."""
    near = [one for length in TOGETHER for one in _near(index, asked, routes, length)]
    near.sort(key=lambda one: (one[0], len(one[2]), one[1:]))
    found: list[Way] = []
    tries = TRIES_TOGETHER
    for _distance, vehicle_id, others in near[:TRIES]:
        taken = _in_place_of(index, routes, asked, vehicle_id, others)
        if taken is None:
            continue
        tries -= 1
        way = _each_placed(index, Way(0, cost_between(routes, taken), (), taken), asked.ride.id, others)
        found += [way] if way else []
        if not tries or len(found) == ENOUGH_TOGETHER:
            break
    return found


def _each_placed(index: Index, way: Way, ride_id: str, others: tuple[str, ...]) -> Way | None:
    for other_id in others:
        moved = placed(index, way.routes, other_id)
        told, added = way.told + _told(index, other_id), way.added
        if moved:
            way = Way(told, plus(added, cost_between(way.routes, moved)), (*way.moved, other_id), moved)
            continue
        stay = frozenset((ride_id, *others))
        blocked = _Blocked(other_id, way.routes, added)
        onward = min(_onward(index, blocked, stay), key=lambda one: one[:3], default=None)
        if onward is None:
            return None
        way = Way(way.told + onward.told, onward.added, (*way.moved, *onward.moved), onward.routes)
    return way


def _in_place_of(index: Index, routes: Routes, asked: Asked, vehicle_id: str, others: tuple[str, ...]) -> Routes | None:
    """The routes with this ride on that vehicle and those others nowhere, if it then fits."""
    emptier = without(index, routes[vehicle_id], others)
    fit = emptier and cheapest(index, asked, [emptier])
    return _with_fit(index, routes, asked, fit) if fit else None


def _near(index: Index, asked: Asked, routes: Routes, length: int) -> list[tuple[int, str, tuple[str, ...]]]:
    """So many rides, boarding one after the other, who could leave a vehicle that fits the ride; nearest in time
    first."""
    early, done = asked.early, min(asked.late, asked.early + NEAR_S) + min(asked.limit, asked.direct + NEAR_S)
    found: list[tuple[int, str, tuple[str, ...]]] = []
    for vehicle_id, known in routes.items():
        if known.route is None or not fits_ever(index, asked.ride, known.route.vehicle):
            continue
        route, begins = known.route, known.route.begins or []
        if not begins or route.net.ready > done or route.net.end_late < early:
            continue
        boarding = [
            (abs(begin - early), other)
            for stop, begin in zip(route.stops, begins, strict=True)
            if early - NEAR_S <= begin <= done
            for other in stop.boards
        ]
        for first in range(len(boarding) - length + 1):
            run = boarding[first : first + length]
            found.append((max(run)[0], vehicle_id, tuple(other for _, other in run)))
    found.sort()
    return found


def _told(index: Index, ride_id: str) -> int:
    return int(ride_id in index.problem.told)
