"""One vehicle's stops as a simple temporal network, in flat lists.

Driving at the earliest times and then testing ride times rejects good routes wrongly: whoever would ride too long
may board later. So: a forward pass of earliest times; for each ride that is too long raise its boarding to
(alighting - limit - service); repeat to the fixpoint, which is the earliest schedule there is, or until a latest
time is passed. A round settles at least one more link of any chain of raises, hence as many rounds as there are
limits, and one, find every contradiction; it always ends.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import add

from softlanding.dispatch.planner.bounds import (
    Leg,
    delayed_of,
    firm_waits,
    from_the_end,
    from_the_start,
    least_rides,
    next_places,
    pressed_of,
    ways_of,
)
from softlanding.dispatch.planner.index import FAR, Asked, Index, asked_of
from softlanding.dispatch.planner.network import HERE, Network, Room, services, settled
from softlanding.dispatch.planner.objective import NEW_CAR, NEW_TIME, Cost, excess_cost, waiting_cost
from softlanding.dispatch.planner.problem import Break, Comfort, Schedule, Stop, Vehicle

# Breaks move between gaps with nobody aboard: two breaks in ten gaps are 55 ways. No more than this are tried.
VARIANTS_MAX = 64


@dataclass(slots=True)
class Route:
    """A vehicle's free stops, their network and its exact solution (`begins` None: there is none), and bounds to
    prune with. A leg leads to the stop of the same number; there is one more, after the last stop."""

    vehicle: Vehicle
    stops: list[Stop]
    net: Network
    begins: list[int] | None
    cost: Cost
    before: Cost  # Of the route as it is driven now: what a ride adds is counted from there.
    soonest: list[int]  # When each stop begins at the earliest, by the stops before alone.
    last: list[int]  # And at the latest, by the stops after alone.
    legs: list[Leg]
    leaves: list[int]  # Of each leg.
    spared: tuple[int, int, int]  # Of waiting, riding and changes: what is firm, whatever is added, less what is now.
    wheel: int  # Seconds that the driver drives.


def route_of(index: Index, vehicle: Vehicle, free: Sequence[Stop]) -> Route:
    """The flat form of free stops whose structure is sound (see check.py), solved."""
    net = _network(index, vehicle, free)
    return solved(index, vehicle, free, net, earliest(index.rows, net))


def solved(
    index: Index, vehicle: Vehicle, free: Sequence[Stop], net: Network, begins: list[int] | None,
    before: Cost | None = None,
) -> Route:  # fmt: skip
    """The same where the network and what came of it is known. `before`: of the route as it is driven now, if that is
    another."""
    rows, comfort = index.rows, index.problem.comfort
    cost = Cost() if begins is None else cost_of(rows, comfort, net, begins)
    now = cost if before is None else before
    soonest, last, ways = from_the_start(rows, net), from_the_end(rows, net), ways_of(rows, net)
    latest, rides = [*last, net.end_late], least_rides(net, ways)
    leaves, waiting = [net.ready, *map(add, soonest, services(net))], firm_waits(net, soonest, comfort, now.waiting)
    columns = (
        leaves, [net.first, *settled(net)], [*net.spots, HERE], next_places(net), [*ways, 0], latest,
        *pressed_of(net, ways, begins, latest, comfort), *_loads(index, vehicle, free), delayed_of(net, rides), waiting,
    )  # fmt: skip
    firm_riding = sum(excess_cost(one.extra, comfort.ride_free_s) for _on, _off, one in rides)
    return Route(
        vehicle=vehicle,
        stops=list(free),
        net=net,
        begins=begins,
        cost=cost,
        before=now,
        soonest=soonest,
        last=last,
        legs=[Leg(*row) for row in zip(*columns, strict=True)],
        leaves=leaves,
        spared=(waiting[-1], firm_riding - now.riding, net.moved - now.changes),
        wheel=net.driven + _driving(rows, net),
    )


def earliest(rows: list[list[int]], net: Network) -> list[int] | None:
    """When service begins at each stop, as early as every limit permits; None when the limits contradict each
    other."""
    floor, late, service, places = list(net.early), net.late, services(net), settled(net)
    for _ in range(len(net.limits) + 1 + (net.span < FAR)):
        here, time = net.first, net.ready
        for position, place in enumerate(places):
            time += rows[here][place]
            if time > floor[position]:
                floor[position] = time
            else:
                time = floor[position]
            if time > late[position]:
                return None
            time += service[position]
            here = place
        time += rows[here][net.end] if net.end >= 0 else 0
        if places and time > net.end_late:
            return None
        raised = net.span < FAR and _leaves_later(rows, net, floor, time)
        for on, off, limit, _direct in net.limits:
            needed = floor[off] - limit - service[on]
            if needed > floor[on]:
                floor[on] = needed
                raised = True
        if not raised:
            return floor
    return None


def leaves_for(net: Network) -> int:
    """The stop for which the car leaves its start place, -1 for none: a break is taken where it stands."""
    return next((position for position, spot in enumerate(net.spots) if spot != HERE), -1)


def cost_of(rows: list[list[int]], comfort: Comfort, net: Network, begins: list[int]) -> Cost:
    """A route's share of the objective. A boarding that is a fact has no price any more; the ride goes on having
    one."""
    service, driving = services(net), _driving(rows, net)
    waiting = riding = unease = 0
    for position, ready, unsure in net.waits:
        wait = begins[position] - ready
        unease += wait
        if wait + unsure > comfort.wait_free_s:
            waiting += waiting_cost(wait, unsure, comfort.wait_free_s)
    rides = [begins[off] - begins[on] - service[on] - direct for on, off, _limit, direct in net.limits]
    rides += [begins[off] - left - direct for off, left, direct in net.carried]
    for extra in rides:
        unease += extra
        if extra > comfort.ride_free_s:
            riding += excess_cost(extra, comfort.ride_free_s)
    changes = net.moved + changes_of(comfort, net.told, begins) if net.told else net.moved
    hours = excess_cost(net.driven + driving, comfort.wheel_free_s)
    return Cost(0, waiting, riding, changes, hours, driving, unease)


def over_span(rows: list[list[int]], net: Network) -> int:
    """By how many seconds the shortest way to drive these stops is longer than the car may be out; 0 if that is not
    what keeps them from being driven."""
    begins = None if net.span >= FAR else earliest(rows, replace(net, span=FAR))
    if begins is None or not begins:
        return 0
    return bisect_left(
        range(net.end_late), 1, key=lambda over: earliest(rows, replace(net, span=net.span + over)) is not None
    )


def changes_of(comfort: Comfort, told: Sequence[tuple[int, int, int]], begins: Sequence[int]) -> int:
    """What it costs that these board at another time than they were told."""
    return sum(NEW_TIME * near for at, said, near in told if abs(begins[at] - said) > comfort.told_free_s)


def schedule_of(index: Index, route: Route) -> Schedule:
    """The whole manifest with its times, of a route that can be driven."""
    assert route.begins is not None, "only a route that can be driven has a schedule"
    net, names = route.net, index.problem.matrix.place_ids
    here, time, timed = net.first, net.ready, []
    for stop, begin, place, service in zip(route.stops, route.begins, settled(net), services(net), strict=True):
        arrive, depart = time + index.rows[here][place], begin + service
        timed.append(Stop(names[place], stop.boards, stop.alights, stop.break_id, arrive, begin, depart))
        here, time = place, depart
    if net.span < FAR:
        _leave_late(timed, leaves_for(net))
    stops = (*index.frozen(route.vehicle.id), *timed)
    if not stops:
        return Schedule((), None)
    return Schedule(stops, time + (index.rows[here][net.end] if net.end >= 0 else 0))


def variants(index: Index, route: Route) -> list[Route]:
    """The other ways to drive the same rides with the breaks laid elsewhere, in gaps in which nobody is aboard. Some of
    them cannot be driven, but may if a ride more brings the car nearer before its break."""
    pauses = [stop for stop in route.stops if stop.break_id]
    if not pauses:
        return []
    laid = [[stop for stop in route.stops if not stop.break_id]]
    for pause in pauses:
        laid = [way for stops in laid for way in with_break(index, route.vehicle, stops, pause)][:VARIANTS_MAX]
    found = []
    for stops in laid:
        net = _network(index, route.vehicle, stops)
        if stops != route.stops and _may_be_driven(index.rows, net):
            found.append(solved(index, route.vehicle, stops, net, earliest(index.rows, net), before=route.cost))
    return found


def _may_be_driven(rows: list[list[int]], net: Network) -> bool:
    """Whether the windows and the shift can be kept if no drive after a break took any time."""
    here, time = net.first, net.ready
    for position, (spot, service) in enumerate(zip(net.spots, services(net), strict=True)):
        time += rows[here][spot] if here >= 0 and spot >= 0 else 0
        time = max(time, net.early[position])
        if time > net.late[position]:
            return False
        time, here = time + service, spot
    return time + (rows[here][net.end] if here >= 0 and net.end >= 0 else 0) <= net.end_late


def with_break(index: Index, vehicle: Vehicle, stops: list[Stop], pause: Stop) -> list[list[Stop]]:
    """Each way to lay this break after the breaks already laid."""
    aboard = aboard_at_start(index, vehicle)
    after = max((position + 1 for position, stop in enumerate(stops) if stop.break_id), default=0)
    ways = []
    for position in range(len(stops) + 1):
        if position:
            aboard = (aboard - set(stops[position - 1].alights)) | set(stops[position - 1].boards)
        if position >= after and not aboard:
            ways.append([*stops[:position], pause, *stops[position:]])
    return ways


def aboard_at_start(index: Index, vehicle: Vehicle) -> set[str]:
    """Who boarded at a frozen stop and has not alighted at one."""
    aboard: set[str] = set()
    for stop in index.frozen(vehicle.id):
        aboard = (aboard - set(stop.alights)) | set(stop.boards)
    return aboard


def left_at(index: Index, vehicle: Vehicle) -> int | None:
    """When this vehicle left its start place, by its frozen stops; None if it has not yet."""
    for stop in index.frozen(vehicle.id):
        if not stop.break_id:
            drive = index.rows[index.places[vehicle.start_place_id]][index.places[stop.place_id]]
            return stop.arrive_s - (drive if drive < FAR else 0)
    return None


def break_of(vehicle: Vehicle, break_id: str) -> Break | None:
    return next((pause for pause in vehicle.breaks if pause.id == break_id), None)


def room_after(room: Room, asked: Asked, sign: int) -> Room:
    ride = asked.ride
    return room[0] + sign * ride.seats, room[1] + sign * ride.luggage, room[2] + sign * ride.wheelchairs


def _leaves_later(rows: list[list[int]], net: Network, floor: list[int], back: int) -> bool:
    """Raise the first stop's beginning so far that a car that leaves for it just in time, and is back at `back`, is
    out no longer than it may be. Whether that changed anything."""
    first = leaves_for(net)
    if first < 0:
        return False
    needed = back - net.span + rows[net.first][net.spots[first]]
    if needed <= floor[first]:
        return False
    floor[first] = needed
    return True


def _leave_late(timed: list[Stop], first: int) -> None:
    """A driver whose hours are limited leaves just in time for the first passenger: later rides find more of them
    left."""
    if first >= 0:
        timed[first] = replace(timed[first], arrive_s=timed[first].begin_s)


def _network(index: Index, vehicle: Vehicle, free: Sequence[Stop]) -> Network:
    frozen = index.frozen(vehicle.id)
    left_s, span = left_at(index, vehicle), FAR if vehicle.span_max_s is None else vehicle.span_max_s
    net = Network(
        first=index.places[frozen[-1].place_id if frozen else vehicle.start_place_id],
        end=-1 if vehicle.end_place_id is None else index.places[vehicle.end_place_id],
        ready=max([vehicle.shift_start_s, index.problem.now_s, *(stop.depart_s for stop in frozen)]),
        end_late=vehicle.shift_end_s if left_s is None else min(vehicle.shift_end_s, left_s + span),
        span=span if left_s is None else FAR,
        driven=_driven(index, vehicle),
    )
    left = {ride_id: stop.depart_s for stop in frozen for ride_id in stop.boards}
    boarded: dict[str, int] = {}
    for position, stop in enumerate(free):
        _add_stop(index, net, vehicle, stop)
        for ride_id in stop.alights:
            asked = asked_of(index, ride_id)
            if ride_id in boarded:
                net.limits.append((boarded[ride_id], position, asked.limit, asked.direct))
            else:
                net.carried.append((position, left[ride_id], asked.direct))
                net.late[position] = min(net.late[position], left[ride_id] + asked.limit)
        for ride_id in stop.boards:
            boarded[ride_id] = position
            asked = asked_of(index, ride_id)
            net.waits.append((position, asked.early, asked.unsure))
            add_told(net, vehicle, asked, position)
    return net


def add_told(net: Network, vehicle: Vehicle, asked: Asked, position: int) -> None:
    """What this ride's passenger has been told, for a boarding at that stop."""
    if asked.told and asked.told.vehicle_id != vehicle.id:
        net.moved += NEW_CAR * asked.near
    elif asked.told:
        net.told.append((position, asked.told.board_s, asked.near))


def _add_stop(index: Index, net: Network, vehicle: Vehicle, stop: Stop) -> None:
    pause = break_of(vehicle, stop.break_id) if stop.break_id else None
    if pause:
        spot, early, late, boarding, alighting = HERE, pause.earliest_s, pause.latest_s, pause.duration_s, 0
    else:
        spot, early, late, boarding, alighting = index.places[stop.place_id], 0, FAR, 0, 0
        for ride_id in stop.boards:
            asked = asked_of(index, ride_id)
            early, late, boarding = max(early, asked.early), min(late, asked.late), max(boarding, asked.board_s)
        for ride_id in stop.alights:
            asked = asked_of(index, ride_id)
            early, late = max(early, asked.end_early), min(late, asked.end_late)
            alighting = max(alighting, asked.alight_s)
    net.spots.append(spot)
    net.early.append(early)
    net.late.append(late)
    net.boarding.append(boarding)
    net.alighting.append(alighting)


def _loads(index: Index, vehicle: Vehicle, free: Sequence[Stop]) -> tuple[list[Room], list[frozenset[str]]]:
    aboard = aboard_at_start(index, vehicle)
    room = (vehicle.seats, vehicle.luggage, vehicle.wheelchair_places)
    for ride_id in aboard:
        room = room_after(room, asked_of(index, ride_id), -1)
    rooms, crowds = [room], [frozenset(aboard)]
    for stop in free:
        aboard = (aboard - set(stop.alights)) | set(stop.boards)
        for ride_id in stop.alights:
            room = room_after(room, asked_of(index, ride_id), 1)
        for ride_id in stop.boards:
            room = room_after(room, asked_of(index, ride_id), -1)
        rooms.append(room)
        crowds.append(frozenset(aboard))
    return rooms, crowds


def _driven(index: Index, vehicle: Vehicle) -> int:
    here, total = index.places[vehicle.start_place_id], 0
    for stop in index.frozen(vehicle.id):
        there = index.places[stop.place_id]
        drive = index.rows[here][there]
        total += drive if drive < FAR else 0
        here = there
    return total


def _driving(rows: list[list[int]], net: Network) -> int:
    here, total = net.first, 0
    for place in settled(net):
        total += rows[here][place]
        here = place
    return total + (rows[here][net.end] if net.end >= 0 else 0)
