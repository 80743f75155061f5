"""May this vehicle drive these stops? The exact answer, with the reason in words when not, and what is remembered
of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from softlanding.dispatch.planner.explain.sentences import SayTime, Speech, count, dimensions, hours, minutes, say_utc
from softlanding.dispatch.planner.index import Index, asked_of, index_of
from softlanding.dispatch.planner.network import services, settled
from softlanding.dispatch.planner.problem import (
    Constraint,
    Infeasible,
    Manifest,
    Problem,
    Ride,
    Schedule,
    Stop,
    Vehicle,
)
from softlanding.dispatch.planner.routes import (
    Route,
    aboard_at_start,
    break_of,
    over_span,
    route_of,
    schedule_of,
    variants,
)


@dataclass(slots=True)
class KnownRoutes:
    """What is remembered of one vehicle: its manifest and its route, or why it cannot be driven."""

    manifest: Manifest
    route: Route | None
    trouble: Infeasible | None = None
    rides: frozenset[str] = field(init=False)  # Who boards or alights.
    all_ways: tuple[Route, ...] | None = None

    def __post_init__(self) -> None:
        self.rides = frozenset(one for stop in self.manifest.stops for one in (*stop.boards, *stop.alights))

    def ways(self, index: Index) -> tuple[Route, ...]:
        """The route, and each other way to lay its breaks: looked for when a ride first asks, as most never do."""
        if self.all_ways is None:
            self.all_ways = () if self.route is None else (self.route, *variants(index, self.route))
        return self.all_ways


@dataclass(slots=True)
class _Walk:
    """Who is aboard, who has boarded, and which breaks were taken, on the way through the stops."""

    aboard: list[str]
    boarded: set[str]
    taken: set[str] = field(default_factory=set)


def check_stops(
    problem: Problem, vehicle: Vehicle, stops: Sequence[Stop], *, say_time: SayTime = say_utc
) -> Schedule | Infeasible:
    """Whether `vehicle` can drive these stops in this order, and the earliest times if so. Exact: every limit of
    the problem and no other. `stops` is the whole manifest, frozen stops first; the times in its free stops are not
    looked at."""
    index = index_of(problem)
    speech = Speech(index, say_time)
    broken = _structure_fault(speech, vehicle, stops)
    if broken:
        return broken
    route = route_of(index, vehicle, stops[len(index.frozen(vehicle.id)) :])
    return _why_late(speech, route) if route.begins is None else schedule_of(index, route)


def known_routes(index: Index, manifest: Manifest) -> KnownRoutes:
    """The routes of this manifest's vehicle, remembered until the manifest changes."""
    known = index.known.get(manifest.vehicle_id)
    if known is None or known.manifest is not manifest:
        known = index.known[manifest.vehicle_id] = study(index, index.vehicle(manifest.vehicle_id), manifest)
    return known


def study(index: Index, vehicle: Vehicle, manifest: Manifest) -> KnownRoutes:
    """As `known_routes`, for a vehicle that may differ from the problem's (a longer shift), and not remembered."""
    speech = Speech(index, say_utc)
    broken = _structure_fault(speech, vehicle, manifest.stops)
    if broken:
        return KnownRoutes(manifest, None, broken)
    free = manifest.stops[len(index.frozen(vehicle.id)) :]
    route = route_of(index, vehicle, free)
    if route.begins is None:
        return KnownRoutes(manifest, None, _why_late(speech, route))
    return KnownRoutes(manifest, route)


def unfit(speech: Speech, vehicle: Vehicle, ride: Ride) -> Infeasible | None:
    """Why this ride can never be this vehicle's, whatever the hour: locks, skills, size."""
    index, car, who = speech.index, speech.name(vehicle.id), speech.name(ride.id)
    lock = index.locked_to.get(ride.id)
    if lock is not None and lock.vehicle_id != vehicle.id:
        return Infeasible(f"{who} is locked to {speech.name(lock.vehicle_id)} {speech.by(lock)}", "lock", ride.id)
    lock = index.never.get((ride.id, vehicle.id))
    if lock is not None:
        return Infeasible(f"{who} is kept off {car} {speech.by(lock)}", "lock", ride.id)
    missing = [skill for skill in ride.needs_skills if skill not in vehicle.skills]
    if missing:
        return Infeasible(f"{car} lacks {', '.join(missing)}, which {who} needs", "skills", ride.id)
    for constraint, needed, there, noun in dimensions(ride, vehicle):
        if needed > there:
            return Infeasible(
                f"{who} needs {count(needed, noun)}, {car} has {there}", constraint, ride.id, needed - there
            )
    return None


def _structure_fault(speech: Speech, vehicle: Vehicle, stops: Sequence[Stop]) -> Infeasible | None:
    """What is wrong with who boards and alights where, before any time is looked at."""
    index, car = speech.index, speech.name(vehicle.id)
    frozen = index.frozen(vehicle.id)
    if tuple(stops[: len(frozen)]) != tuple(frozen):
        return Infeasible(f"{car} must begin with its {count(len(frozen), 'frozen stop')} as they are", "frozen")
    walk = _Walk(
        aboard=sorted(aboard_at_start(index, vehicle)),
        boarded={ride_id for stop in frozen for ride_id in stop.boards},
        taken={stop.break_id for stop in frozen if stop.break_id},
    )
    for stop in stops[len(frozen) :]:
        broken = _step_fault(speech, vehicle, stop, walk)
        if broken:
            return broken
    if walk.aboard:
        return Infeasible(f"{speech.name(walk.aboard[0])} boards {car} and never alights", "order", walk.aboard[0])
    missing = [pause.id for pause in vehicle.breaks if pause.id not in walk.taken]
    return Infeasible(f"{car} has no time set for its break {missing[0]}", "break") if missing else None


def _step_fault(speech: Speech, vehicle: Vehicle, stop: Stop, walk: _Walk) -> Infeasible | None:
    """What is wrong at this stop; if nothing, `walk` goes past it."""
    if stop.break_id:
        broken = _break_fault(speech, vehicle, stop, walk)
        walk.taken.add(stop.break_id)
        return broken
    broken = _alighting_fault(speech, vehicle, stop, walk) or _boarding_fault(speech, vehicle, stop, walk)
    if broken:
        return broken
    walk.aboard = [ride_id for ride_id in walk.aboard if ride_id not in stop.alights] + list(stop.boards)
    walk.boarded.update(stop.boards)
    # Who only alights makes nothing worse: a car that is overfull by fact may still empty itself.
    return _crowd_fault(speech, vehicle, stop, walk) if stop.boards else None


def _break_fault(speech: Speech, vehicle: Vehicle, stop: Stop, walk: _Walk) -> Infeasible | None:
    car = speech.name(vehicle.id)
    if stop.boards or stop.alights or walk.aboard:
        return Infeasible(f"{car} cannot take its break {stop.break_id} with passengers aboard", "break")
    if stop.break_id in walk.taken or break_of(vehicle, stop.break_id or "") is None:
        return Infeasible(f"{car} has no break {stop.break_id} to take", "break")
    return None


def _alighting_fault(speech: Speech, vehicle: Vehicle, stop: Stop, walk: _Walk) -> Infeasible | None:
    if len(set(stop.alights)) < len(stop.alights):
        return Infeasible(
            f"somebody alights from {speech.name(vehicle.id)} twice at one stop", "order", stop.alights[0]
        )
    for ride_id in stop.alights:
        who = speech.name(ride_id)
        if ride_id not in walk.aboard:
            return Infeasible(f"{who} alights from {speech.name(vehicle.id)} without being aboard", "order", ride_id)
        if speech.index.rides[ride_id].to_place_id != stop.place_id:
            return Infeasible(f"{who} does not go to {speech.name(stop.place_id)}", "place", ride_id)
    return None


def _boarding_fault(speech: Speech, vehicle: Vehicle, stop: Stop, walk: _Walk) -> Infeasible | None:
    index = speech.index
    for number, ride_id in enumerate(stop.boards):
        who = speech.name(ride_id)
        if ride_id not in index.rides:
            return Infeasible(f"there is no ride {who}", "order", ride_id)
        if ride_id in walk.boarded or ride_id in stop.boards[:number]:
            return Infeasible(f"{who} boards {speech.name(vehicle.id)} twice", "order", ride_id)
        if index.rides[ride_id].from_place_id != stop.place_id:
            return Infeasible(f"{who} is not at {speech.name(stop.place_id)}", "place", ride_id)
        broken = unfit(speech, vehicle, index.rides[ride_id]) or _turn_fault(speech, vehicle, ride_id, walk)
        if broken:
            return broken
    return None


def _turn_fault(speech: Speech, vehicle: Vehicle, ride_id: str, walk: _Walk) -> Infeasible | None:
    """Somebody who must not board before this ride has."""
    sooner = walk.boarded & speech.index.behind.get(ride_id, frozenset())
    if not sooner:
        return None
    other = min(sooner)
    lock = speech.index.order_of(ride_id, other)
    reason = f"{speech.name(ride_id)} would board {speech.name(vehicle.id)} after {speech.name(other)}"
    return Infeasible(f"{reason}, but the other order is locked {speech.by(lock)}", "lock", ride_id)


def _crowd_fault(speech: Speech, vehicle: Vehicle, stop: Stop, walk: _Walk) -> Infeasible | None:
    """Too much aboard, or company that somebody must not have, when the car leaves this stop."""
    rides = [speech.index.rides[ride_id] for ride_id in walk.aboard]
    loads: tuple[tuple[Constraint, int, int, str], ...] = (
        ("seats", sum(ride.seats for ride in rides), vehicle.seats, "seat"),
        ("luggage", sum(ride.luggage for ride in rides), vehicle.luggage, "piece of luggage"),
        ("wheelchairs", sum(ride.wheelchairs for ride in rides), vehicle.wheelchair_places, "wheelchair place"),
    )
    for constraint, load, room, noun in loads:
        if load > room:
            place, car = speech.name(stop.place_id), speech.name(vehicle.id)
            reason = f"leaving {place}, {car} would need {count(load, noun)} and has {room}"
            return Infeasible(reason, constraint, stop.boards[0], load - room)
    return next((fault for ride in rides if (fault := _company_fault(speech, ride, rides))), None)


def _company_fault(speech: Speech, ride: Ride, rides: Sequence[Ride]) -> Infeasible | None:
    others = [other.id for other in rides if other.id != ride.id]
    if ride.alone and others:
        reason = f"{speech.name(ride.id)} rides alone, but would meet {speech.name(others[0])}"
        return Infeasible(reason, "alone", ride.id)
    unwanted = [other for other in others if other in ride.not_with]
    if unwanted:
        reason = f"{speech.name(ride.id)} must not ride with {speech.name(unwanted[0])}"
        return Infeasible(reason, "not_with", ride.id)
    return None


def _why_late(speech: Speech, route: Route) -> Infeasible:
    """The first latest time that is passed when driving as early as possible; if none is, the longest rides
    contradict."""
    net, rows, car = route.net, speech.index.rows, speech.name(route.vehicle.id)
    here, time = net.first, net.ready
    for position, (place, service) in enumerate(zip(settled(net), services(net), strict=True)):
        time = max(time + rows[here][place], net.early[position])
        if time > net.late[position]:
            return _late_at(speech, route, position, time)
        time, here = time + service, place
    time += rows[here][net.end] if net.end >= 0 else 0
    if time > net.end_late:
        if net.end_late < route.vehicle.shift_end_s:
            return _out_too_long(speech, route.vehicle, time - net.end_late)
        reason = f"{car} would be done at {speech.time(time)}, {minutes(time - net.end_late)} after its shift ends"
        return Infeasible(reason, "shift", "", time - net.end_late)
    over = over_span(speech.index.rows, net)
    return _out_too_long(speech, route.vehicle, over) if over else _too_long(speech, route)


def _out_too_long(speech: Speech, vehicle: Vehicle, over_s: int) -> Infeasible:
    allowed = vehicle.span_max_s or 0
    reason = f"the driver of {speech.name(vehicle.id)} would be out for {hours(allowed + over_s)}"
    return Infeasible(f"{reason}, longer than {hours(allowed)}", "span", "", over_s)


def _late_at(speech: Speech, route: Route, position: int, time: int) -> Infeasible:
    stop, late, index = route.stops[position], route.net.late[position], speech.index
    car, over = speech.name(route.vehicle.id), time - late
    if stop.break_id:
        reason = f"{car} could begin its break {stop.break_id} at {speech.time(time)}, {minutes(over)} too late"
        return Infeasible(reason, "break", "", over, stop.break_id)
    for ride_id in stop.boards:
        asked, who = asked_of(index, ride_id), speech.name(ride_id)
        if asked.late == late:
            kind: Constraint = "latest_board" if asked.ride.latest_board_s == late else "expiry"
            reason = f"{car} could fetch {who} at {speech.time(time)}, {minutes(over)} later than {speech.time(late)}"
            return Infeasible(reason, kind, ride_id, over)
    for ride_id in stop.alights:
        who, place = speech.name(ride_id), speech.name(stop.place_id)
        if asked_of(index, ride_id).end_late == late:
            reason = f"{who} would be at {place} at {speech.time(time)}, {minutes(over)} after the deadline"
            return Infeasible(reason, "latest_deliver", ride_id, over)
    left = {one: boarding.depart_s for boarding in index.frozen(route.vehicle.id) for one in boarding.boards}
    ride_id = next(one for one in stop.alights if one in left and left[one] + asked_of(index, one).limit == late)
    reason = f"who is aboard {car} would ride {minutes(over)} longer than allowed to {speech.name(stop.place_id)}"
    return Infeasible(reason, "ride_max", ride_id, over)


def _too_long(speech: Speech, route: Route) -> Infeasible:
    """Every window alone can be kept: name the ride that is most too long at the latest boarding its window
    permits."""
    net, worst, over = route.net, "", 0
    for on, off, limit, _direct in net.limits:
        boards_last = min(net.late[on], route.last[on])
        excess = route.soonest[off] - boards_last - services(net)[on] - limit
        if excess > over or not worst:
            ids = set(route.stops[on].boards) & set(route.stops[off].alights)
            worst, over = min(ids), max(excess, 1)
    reason = f"{speech.name(worst)} would ride longer aboard {speech.name(route.vehicle.id)} than allowed"
    return Infeasible(reason, "ride_max", worst, over)
