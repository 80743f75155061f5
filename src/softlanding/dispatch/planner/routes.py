"""One vehicle's stops as a simple temporal network, in flat lists.

Driving at the earliest times and then testing ride times rejects good routes wrongly: whoever would ride too long
may board later. So: a forward pass of earliest times; for each ride that is too long raise its boarding to
(alighting - limit - service); repeat to the fixpoint, which is the earliest schedule there is, or until a latest
time is passed. A round settles at least one more link of any chain of raises, hence as many rounds as there are
limits, and one, find every contradiction; it always ends.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import add, itemgetter
from typing import NamedTuple

from softlanding.dispatch.planner.index import FAR, Asked, Index, asked_of
from softlanding.dispatch.planner.objective import NEW_CAR, NEW_TIME, Cost, excess_cost, patience_of, waiting_cost
from softlanding.dispatch.planner.problem import Break, Comfort, Schedule, Stop, Vehicle

# Breaks move between gaps with nobody aboard: two breaks in ten gaps are 55 ways. No more than this are tried.
VARIANTS_MAX = 64

# Of those who wait longer when a stop begins later, so many are thought of in a bound.
PRESSED_MAX = 3

# The place of a break in `Network.spots`: where the car stands.
HERE = -1

Room = tuple[int, int, int]  # Seats, luggage, wheelchair places.


class Pressed(NamedTuple):
    """Somebody who waits longer when an earlier stop begins later: how long until now and how unsure that is. `until`
    counts from when the stop would begin if the car never stood idle: so long there is nothing to wait for."""

    until: int
    waits: int
    unsure: int


class Delayed(NamedTuple):
    """Who rides longer for a detour: how much longer than the direct way at least, and what the limit still spares."""

    extra: int
    spare: int


@dataclass(slots=True)
class Network:
    """The times of a route: nodes are its free stops. `end` is -1 when it may end anywhere. `span` is how long the
    car may be out, FAR if that is not limited or, as the car has left already, part of `end_late`."""

    first: int
    end: int
    ready: int
    end_late: int
    span: int
    driven: int = 0  # Seconds at the wheel by its frozen stops.
    moved: int = 0  # The price of those aboard or to board who were told another car.
    spots: list[int] = field(default_factory=list)
    early: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    boarding: list[int] = field(default_factory=list)
    alighting: list[int] = field(default_factory=list)
    waits: list[tuple[int, int, int]] = field(default_factory=list)  # Boards at, when ready, how unsure that is.
    limits: list[tuple[int, int, int, int]] = field(
        default_factory=list
    )  # Boards at, alights at, longest, direct ride.
    told: list[tuple[int, int, int]] = field(default_factory=list)  # Boards at, told when, weight.
    carried: list[tuple[int, int, int]] = field(
        default_factory=list
    )  # Alights at, left at, direct: aboard from the start.


class Leg(NamedTuple):
    """The way to a stop, or home from the last one, and what bounds a ride that is added there: true whatever is added
    elsewhere, for `leaves` hangs on the stops before alone and `latest` on those after."""

    leaves: int
    at: int
    to: int  # HERE if that is a break, or home.
    onward: int  # Where the car drives next, past breaks; -1 for nowhere.
    way: int  # How long it would take to the stop if the car never stood idle.
    latest: int  # When the stop, or home, is reached at the latest.
    calm: int  # And so that nobody of those pressed would wait at a higher price.
    pressed: tuple[Pressed, ...]
    room: Room
    aboard: frozenset[str]
    delayed: tuple[Delayed, ...]
    waiting: int  # What is left of it at least, whoever is added here, less what is now.


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
    soonest, last, ways = _from_the_start(rows, net), _from_the_end(rows, net), _ways(rows, net)
    latest, rides = [*last, net.end_late], _least_rides(net, ways)
    leaves, waiting = [net.ready, *map(add, soonest, services(net))], _firm_waits(net, soonest, comfort, now.waiting)
    columns = (
        leaves, [net.first, *settled(net)], [*net.spots, HERE], _next_places(net), [*ways, 0], latest,
        *_pressed(net, ways, begins, latest, comfort), *_loads(index, vehicle, free), _delayed(net, rides), waiting,
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


def services(net: Network) -> list[int]:
    """Seconds at each stop: its passengers alight side by side, then board side by side."""
    return [off + on for off, on in zip(net.alighting, net.boarding, strict=True)]


def settled(net: Network) -> list[int]:
    """The places in order, each break where the car then stands."""
    if HERE not in net.spots:
        return net.spots
    here, places = net.first, []
    for place in net.spots:
        here = here if place == HERE else place
        places.append(here)
    return places


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


def _from_the_start(rows: list[list[int]], net: Network) -> list[int]:
    here, time, soonest = net.first, net.ready, list[int]()
    for place, early, service in zip(settled(net), net.early, services(net), strict=True):
        time = max(time + rows[here][place], early)
        soonest.append(time)
        time += service
        here = place
    return soonest


def _from_the_end(rows: list[list[int]], net: Network) -> list[int]:
    last, following, next_place = [], net.end_late, net.end
    places, service = settled(net), services(net)
    for position in range(len(places) - 1, -1, -1):
        # A break moves with the car, so the drives around it may get shorter: a bound counts none.
        moves = next_place < 0 or net.spots[position] == HERE
        drive = 0 if moves else rows[places[position]][next_place]
        following = min(net.late[position], following - drive - service[position])
        last.append(following)
        next_place = net.spots[position]
    return last[::-1]


def _ways(rows: list[list[int]], net: Network) -> list[int]:
    """How long it would take to each stop if the car never stood idle."""
    here, way, ways = net.first, 0, list[int]()
    for place, service in zip(settled(net), services(net), strict=True):
        way += rows[here][place]
        ways.append(way)
        way += service
        here = place
    return ways


def _pressed(
    net: Network, ways: list[int], begins: list[int] | None, latest: list[int], comfort: Comfort
) -> tuple[list[int], list[tuple[Pressed, ...]]]:
    """By leg, until when its stop is reached early enough that nobody waits at a higher price; and whom it delays, the
    next first. Nobody for a break, which moves with the car."""
    pressed: list[tuple[Pressed, ...]] = [()] * len(latest)
    calm, whom, until, waits = list(latest), pressed[0], FAR, dict[int, Pressed]()
    if begins is None:
        return calm, pressed
    for position, ready, unsure in sorted(net.waits, key=itemgetter(1), reverse=True):
        waits[position] = Pressed(begins[position] - ways[position], begins[position] - ready, unsure)
    for position in range(len(ways) - 1, -1, -1):
        if position in waits:
            who = waits[position]
            until = min(until, who.until + patience_of(who.unsure, comfort.wait_free_s, who.waits))
            whom = (who, *whom)[:PRESSED_MAX]
        if whom and net.spots[position] != HERE:
            calm[position], pressed[position] = min(calm[position], until + ways[position]), whom
    return calm, pressed


def _firm_waits(net: Network, soonest: list[int], comfort: Comfort, now: int) -> list[int]:
    """By leg what waiting is left at least, less what is now, whoever is added there. A break that is taken nearer to
    where the car goes next may spare those some who board after it, and nobody else."""
    waits = [0] * len(soonest)
    for position, ready, unsure in net.waits:
        waits[position] += waiting_cost(soonest[position] - ready, unsure, comfort.wait_free_s)
    firm = sum(waits) - now
    legs = [firm]
    for position in range(len(waits) - 1, -1, -1):
        if net.spots[position] == HERE:
            firm = sum(waits[:position]) - now
        legs.append(firm)
    return legs[::-1]


def _least_rides(net: Network, ways: list[int]) -> list[tuple[int, int, Delayed]]:
    """Where each ride begins (-1: aboard from the start) and ends, and how it would be if the car never stood idle: for
    that may be spared, but no drive and no service between."""
    service, rides = services(net), []
    for on, off, limit, direct in net.limits:
        takes = ways[off] - ways[on] - service[on]
        rides.append((on, off, Delayed(takes - direct, limit - takes)))
    for off, left, direct in net.carried:
        rides.append((-1, off, Delayed(net.ready + ways[off] - left - direct, FAR)))
    return rides


def _delayed(net: Network, rides: list[tuple[int, int, Delayed]]) -> list[tuple[Delayed, ...]]:
    """By leg, whom a detour there delays."""
    delayed: list[tuple[Delayed, ...]] = [()] * (len(net.spots) + 1)
    for on, off, one in rides:
        for leg in range(on + 1, off + 1):
            delayed[leg] = (*delayed[leg], one)
    return delayed


def _next_places(net: Network) -> list[int]:
    """For each leg where the car drives next, looking past breaks; -1 for nowhere."""
    following, onward = net.end, [net.end]
    for spot in reversed(net.spots):
        following = following if spot == HERE else spot
        onward.append(following)
    return onward[::-1]


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
