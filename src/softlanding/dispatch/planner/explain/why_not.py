"""Why a ride has no place, in words, with the constraint that binds.

It is found by asking again with one limit lifted: if the ride then fits, that limit is the reason.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from softlanding.dispatch.planner.check import KnownRoutes, check_stops, study, unfit
from softlanding.dispatch.planner.explain.sentences import Speech, count, dimensions, minutes
from softlanding.dispatch.planner.index import FAR, Asked, Index
from softlanding.dispatch.planner.insertion import Boarding, Fit, cheapest, least, stops_with
from softlanding.dispatch.planner.problem import Constraint, Infeasible, Ride, Vehicle

# A limit is lifted by no more than a person would think of, in steps, so that the search stays short.
STEPS_S = (1800, 7200, 21600)


@dataclass(frozen=True, slots=True)
class Why:
    reason: str
    constraint: Constraint


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The best fit for the ride with one limit lifted, or None if that does not help."""

    wait: Fit | None
    ride: Fit | None
    late: Fit | None
    all: Fit | None


def why_not(speech: Speech, asked: Asked, known: Sequence[KnownRoutes], relaxed: Relaxed) -> Why:
    """Why none of these vehicles can take the ride. `relaxed` comes from `relax` over those that could ever fit."""
    never = hopeless(speech, asked) or _never_fits(speech, asked.ride, known)
    if never:
        return never
    fitting = fitting_of(speech.index, asked.ride, known)
    one = speech.name(fitting[0].manifest.vehicle_id) if len(known) == 1 or _locked(speech, asked) else ""
    return _off_shift(speech, asked, fitting, one) or _busy(speech, asked, fitting, relaxed, one)


def relax(index: Index, asked: Asked, known: Sequence[KnownRoutes]) -> Relaxed:
    """One limit lifted at a time: soonest boarding, shortest ride, soonest arrival; then all of them."""
    fitting = fitting_of(index, asked.ride, known)

    def arrives(boarding: Boarding) -> int:
        return boarding.leave + asked.direct

    return Relaxed(
        wait=_first_fit(index, fitting, (_waiting(asked, step) for step in STEPS_S), _boards, _board_s),
        ride=_first_fit(index, fitting, (_riding(asked, step) for step in STEPS_S), lambda _: asked.direct, _ride_s),
        late=_first_fit(index, fitting, (_arriving(asked, step) for step in STEPS_S), arrives, _deliver_s),
        all=_first_fit(
            index,
            fitting,
            (_waiting(_riding(_arriving(asked, step), step), step) for step in STEPS_S),
            arrives,
            _deliver_s,
        ),
    )


def fitting_of(index: Index, ride: Ride, known: Iterable[KnownRoutes]) -> list[KnownRoutes]:
    """Those of these vehicles that the ride's size, skills and locks leave."""
    lock, vehicles = index.locked_to.get(ride.id), index.vehicles
    if lock is not None:
        known = [one for one in known if one.manifest.vehicle_id == lock.vehicle_id]
    return [one for one in known if fits_ever(index, ride, vehicles[one.manifest.vehicle_id])]


def open_to(index: Index, asked: Asked, known: Iterable[KnownRoutes]) -> list[KnownRoutes]:
    """Those of them that are out when the ride can be, too: most are not."""
    late, done = asked.late, asked.early + asked.direct
    out = [
        one for one in known
        if one.route is not None and one.route.leaves[0] <= late and done <= one.route.net.end_late
    ]  # fmt: skip
    return fitting_of(index, asked.ride, out)


def fits_ever(index: Index, ride: Ride, vehicle: Vehicle) -> bool:
    """Whether size, skills and locks leave this vehicle for this ride at all."""
    if ride.seats > vehicle.seats or ride.luggage > vehicle.luggage or ride.wheelchairs > vehicle.wheelchair_places:
        return False
    if ride.needs_skills and not all(skill in vehicle.skills for skill in ride.needs_skills):
        return False
    lock = index.locked_to.get(ride.id)
    return (lock is None or lock.vehicle_id == vehicle.id) and (ride.id, vehicle.id) not in index.never


def hopeless(speech: Speech, asked: Asked) -> Why | None:
    """What is wrong with the ride itself: no car, however near and empty, could keep its limits."""
    ride, who = asked.ride, speech.name(asked.ride.id)
    start, end = speech.name(ride.from_place_id), speech.name(ride.to_place_id)
    if asked.direct >= FAR:
        return Why(f"no way is known from {start} to {end}, so {who} cannot be planned", "place")
    if ride.expires_s is not None and ride.expires_s < max(asked.early, speech.index.problem.now_s):
        return Why(f"{who} was of use only until {speech.time(ride.expires_s)}", "expiry")
    if ride.latest_board_s < ride.earliest_board_s:
        ready, last = speech.time(ride.earliest_board_s), speech.time(ride.latest_board_s)
        return Why(f"{who} is ready at {ready}, but should have boarded by {last}", "latest_board")
    if asked.late < speech.index.problem.now_s:
        return Why(f"{who} should have boarded by {speech.time(asked.late)}, which is past", "latest_board")
    if asked.direct > asked.limit:
        takes, limit = minutes(asked.direct), minutes(asked.limit)
        return Why(
            f"the direct way from {start} to {end} takes {takes}, longer than the {limit} that {who} may ride",
            "ride_max",
        )
    soonest = max(asked.early, speech.index.problem.now_s) + asked.board_s + asked.direct
    if soonest > asked.end_late:
        deadline, over = speech.time(asked.end_late), minutes(soonest - asked.end_late)
        reason = (
            f"{who} can be at {end} at {speech.time(soonest)} by the direct way, {over} after the deadline {deadline}"
        )
        return Why(reason, "latest_deliver")
    return _too_soon(speech, asked)


def _too_soon(speech: Speech, asked: Asked) -> Why | None:
    """The ride may not arrive before a time that its other limits do not reach."""
    who, end, sooner = speech.name(asked.ride.id), speech.name(asked.ride.to_place_id), speech.time(asked.end_early)
    if asked.end_early > asked.end_late:
        by = speech.time(asked.end_late)
        return Why(f"{who} must not be at {end} before {sooner}, but should be there by {by}", "latest_deliver")
    if asked.late + asked.board_s + asked.limit < asked.end_early and asked.end_early < FAR:
        last, longest = speech.time(asked.late), minutes(asked.limit)
        reason = f"{who} must not be at {end} before {sooner}, but boards by {last} and rides no longer than {longest}"
        return Why(reason, "ride_max")
    return None


def _never_fits(speech: Speech, ride: Ride, known: Sequence[KnownRoutes]) -> Why | None:
    """No vehicle is large or skilled enough, or people's locks leave none."""
    index, who = speech.index, speech.name(ride.id)
    vehicles = [index.vehicle(one.manifest.vehicle_id) for one in known]
    if not vehicles:
        return Why("there is no vehicle", "shift")
    if len(vehicles) == 1:
        broken = unfit(speech, vehicles[0], ride)
        return Why(broken.reason, broken.constraint) if broken else None
    for number, (constraint, needed, _there, noun) in enumerate(dimensions(ride, vehicles[0])):
        most = max(dimensions(ride, vehicle)[number][2] for vehicle in vehicles)
        if needed > most:
            return Why(f"no vehicle has {count(needed, noun)} for {who}; the largest has {most}", constraint)
    skilled = [vehicle for vehicle in vehicles if set(ride.needs_skills) <= set(vehicle.skills)]
    if not skilled:
        return Why(f"no vehicle has {' and '.join(ride.needs_skills)}, which {who} needs", "skills")
    lock = index.locked_to.get(ride.id)
    if lock:
        vehicles = [vehicle for vehicle in vehicles if vehicle.id == lock.vehicle_id]
        broken = unfit(speech, vehicles[0], ride) if vehicles else None
        return Why(broken.reason, broken.constraint) if broken else None
    if any(fits_ever(index, ride, vehicle) for vehicle in vehicles):
        return None
    never = [lock for (ride_id, _vehicle_id), lock in sorted(index.never.items()) if ride_id == ride.id]
    if never:
        return Why(
            f"{who} is kept off {speech.name(never[0].vehicle_id)} {speech.by(never[0])}, and no other fits", "lock"
        )
    return Why(f"no single vehicle has all that {who} needs: {_needs(ride, vehicles)}", "seats")


def _locked(speech: Speech, asked: Asked) -> bool:
    return asked.ride.id in speech.index.locked_to


def _off_shift(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes], one: str) -> Why | None:
    """Nobody who could take the ride is on shift while it may board."""
    vehicles = [speech.index.vehicle(one.manifest.vehicle_id) for one in fitting]
    if any(v.shift_start_s <= asked.late and v.shift_end_s >= asked.early for v in vehicles):
        return None
    window = f"between {speech.time(asked.early)} and {speech.time(asked.late)}"
    if one:
        return Why(f"{one} is not on shift {window}", "shift")
    return Why(f"no vehicle with {_needs(asked.ride, vehicles)} is on shift {window}", "shift")


def _busy(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes], relaxed: Relaxed, one: str) -> Why:
    """Every vehicle is taken: the limit that is passed by least is the one that binds."""
    vehicles = [speech.index.vehicle(known.manifest.vehicle_id) for known in fitting]
    cars = f"{one} is" if one else f"every vehicle with {_needs(asked.ride, vehicles)} is"
    who, passed = speech.name(asked.ride.id), []
    if relaxed.wait:
        passed.append((relaxed.wait.board_s - asked.late, _would_wait(speech, asked, vehicles, relaxed.wait, cars)))
    if relaxed.ride:
        takes, limit = minutes(relaxed.ride.ride_s), minutes(asked.limit)
        reason = f"{cars} driving others; {who} would ride for {takes}, the limit is {limit}"
        passed.append((relaxed.ride.ride_s - asked.limit, Why(reason, "ride_max")))
    if relaxed.late:
        at, over = speech.time(relaxed.late.deliver_s), minutes(relaxed.late.deliver_s - asked.end_late)
        deadline, place = speech.time(asked.end_late), speech.name(asked.ride.to_place_id)
        reason = f"{cars} driving; {who} would be at {place} at {at}, {over} after the deadline {deadline}"
        passed.append((relaxed.late.deliver_s - asked.end_late, Why(reason, "latest_deliver")))
    if passed:
        return min(passed, key=lambda way: (way[0], way[1].constraint))[1]
    return _beyond(speech, asked, fitting, relaxed, one)


def _would_wait(speech: Speech, asked: Asked, vehicles: Sequence[Vehicle], fit: Fit, cars: str) -> Why:
    on_shift = all(car.shift_start_s <= asked.early and car.shift_end_s >= asked.late for car in vehicles)
    busy = "driving" if on_shift else "driving or off shift"
    late, tolerance = minutes(fit.board_s - asked.early), minutes(asked.late - asked.early)
    who, until = speech.name(asked.ride.id), speech.time(fit.board_s)
    reason = f"{cars} {busy} until {until}; {who} would board {late} late, the tolerance is {tolerance}"
    return Why(reason, "latest_board")


def _beyond(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes], relaxed: Relaxed, one: str) -> Why:
    """No single limit helps: all of them together may, or the shifts are over, or the cars have troubles of their
    own."""
    who = speech.name(asked.ride.id)
    vehicles = [speech.index.vehicle(known.manifest.vehicle_id) for known in fitting]
    in_turn = _turn(speech, asked, fitting)
    if in_turn:
        return in_turn
    cars = one or f"every vehicle with {_needs(asked.ride, vehicles)}"
    if relaxed.all:
        on, off = speech.time(relaxed.all.board_s), speech.time(relaxed.all.deliver_s)
        return Why(f"{cars} is driving; at best {who} would board at {on} and arrive at {off}", "busy")
    troubles = [known.trouble for known in fitting if known.trouble]
    if len(troubles) == len(fitting):
        return Why(f"{cars} cannot be planned: {troubles[0].reason}", troubles[0].constraint)
    out = _least_out(speech, asked, fitting)
    if out:
        return Why(out.reason, out.constraint)
    cars = one or f"no vehicle with {_needs(asked.ride, vehicles)}"
    return Why(f"{cars} can{'not' if one else ''} bring {who} and be done before the shift ends", "shift")


def _turn(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes]) -> Why | None:
    """A lock on the order, if that is all that stands against the ride."""
    index, ride_id = speech.index, asked.ride.id
    if ride_id not in index.ahead and ride_id not in index.behind:
        return None
    free = replace(index, ahead={}, behind={})
    fit = cheapest(free, asked, fitting)
    if fit is None:
        return None
    lock = next(lock for lock in index.problem.locks if ride_id in lock.ride_ids)
    order, car = ", ".join(speech.name(one) for one in lock.ride_ids), speech.name(fit.route.vehicle.id)
    return Why(f"{speech.name(ride_id)} fits on {car} only out of the order {order}, locked {speech.by(lock)}", "lock")


def _least_out(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes]) -> Infeasible | None:
    """The driver who would be out too long by least, if drivers' hours are all that stands against the ride."""
    found = []
    for known in fitting:
        index, vehicle = speech.index, speech.index.vehicle(known.manifest.vehicle_id)
        if vehicle.span_max_s is None:
            continue
        fit = cheapest(index, asked, [study(index, replace(vehicle, span_max_s=None), known.manifest)])
        if fit:
            stops = (*index.frozen(vehicle.id), *stops_with(fit, asked))
            broken = check_stops(index.problem, vehicle, stops, say_time=speech.say_time)
            found += [broken] if isinstance(broken, Infeasible) and broken.constraint == "span" else []
    return min(found, key=lambda broken: broken.over_s, default=None)


def _first_fit(
    index: Index,
    fitting: Sequence[KnownRoutes],
    wider: Iterable[Asked],
    bound: Callable[[Boarding], int],
    measure: Callable[[Fit], int],
) -> Fit | None:
    """The fit with the least measure, with the narrowest of these limits under which there is one."""
    for asked in wider:
        best = least(index, asked, fitting, bound, measure)
        if best:
            return best
    return None


_boards, _board_s = attrgetter("begin"), attrgetter("board_s")
_ride_s, _deliver_s = attrgetter("ride_s"), attrgetter("deliver_s")


def _waiting(asked: Asked, step_s: int) -> Asked:
    expires = asked.ride.expires_s
    return replace(asked, late=min(asked.late + step_s, FAR if expires is None else expires))


def _riding(asked: Asked, step_s: int) -> Asked:
    return replace(asked, limit=min(asked.limit + step_s, FAR))


def _arriving(asked: Asked, step_s: int) -> Asked:
    return replace(asked, end_late=min(asked.end_late + step_s, FAR))


def _needs(ride: Ride, vehicles: Sequence[Vehicle]) -> str:
    """`5 free seats`, `a wheelchair place`: what a vehicle must have left; luggage only where it may be scarce."""
    wanted = []
    if ride.seats:
        wanted.append(count(ride.seats, "free seat"))
    if ride.wheelchairs:
        wanted.append("a wheelchair place" if ride.wheelchairs == 1 else count(ride.wheelchairs, "wheelchair place"))
    if ride.luggage and (not wanted or any(vehicle.luggage < 2 * ride.luggage for vehicle in vehicles)):
        wanted.append(f"room for {count(ride.luggage, 'piece of luggage')}")
    return " and ".join([*wanted, *ride.needs_skills])
