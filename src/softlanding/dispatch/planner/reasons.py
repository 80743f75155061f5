"""Why a ride has no place, in words, with the constraint that binds.

It is found by asking again with one limit lifted: if the ride then fits, that limit is the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from softlanding.dispatch.planner.check import KnownRoutes, unfit
from softlanding.dispatch.planner.indexed import FAR, Asked, Index
from softlanding.dispatch.planner.insertion import Fit, every_fit
from softlanding.dispatch.planner.shapes import Constraint, Ride, Vehicle
from softlanding.dispatch.planner.words import Speech, count, dimensions, minutes


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
    hopeless = _hopeless(speech, asked) or _never_fits(speech, asked.ride, known)
    if hopeless:
        return hopeless
    fitting = fitting_of(speech.index, asked.ride, known)
    return _off_shift(speech, asked, fitting) or _busy(speech, asked, fitting, relaxed)


def relax(index: Index, asked: Asked, known: Sequence[KnownRoutes]) -> Relaxed:
    """One limit lifted at a time: soonest boarding, shortest ride, soonest arrival; then all of them."""
    fitting = fitting_of(index, asked.ride, known)
    expires = asked.ride.expires_s
    no_wait_limit = replace(asked, late=FAR if expires is None else expires)
    free = replace(no_wait_limit, limit=FAR, end_late=FAR)
    soonest = min(every_fit(index, no_wait_limit, fitting), key=lambda fit: (fit.board_s, fit.added), default=None)
    return Relaxed(
        wait=soonest,
        ride=_shortest(index, asked, fitting),
        late=_earliest_arrival(index, replace(asked, end_late=FAR), fitting),
        all=_earliest_arrival(index, free, fitting),
    )


def fitting_of(index: Index, ride: Ride, known: Sequence[KnownRoutes]) -> list[KnownRoutes]:
    """Those of these vehicles that the ride's size, skills and locks leave."""
    return [one for one in known if fits_ever(index, ride, index.vehicle(one.manifest.vehicle_id))]


def fits_ever(index: Index, ride: Ride, vehicle: Vehicle) -> bool:
    """Whether size, skills and locks leave this vehicle for this ride at all."""
    lock = index.locked_to.get(ride.id)
    if (lock is not None and lock.vehicle_id != vehicle.id) or (ride.id, vehicle.id) in index.never:
        return False
    if ride.seats > vehicle.seats or ride.luggage > vehicle.luggage or ride.wheelchairs > vehicle.wheelchair_places:
        return False
    return all(skill in vehicle.skills for skill in ride.needs_skills)


def _hopeless(speech: Speech, asked: Asked) -> Why | None:
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
    return Why(f"no single vehicle has all that {who} needs: {_needs(ride)}", "seats")


def _off_shift(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes]) -> Why | None:
    """Nobody who could take the ride is on shift while it may board."""
    vehicles = [speech.index.vehicle(one.manifest.vehicle_id) for one in fitting]
    if any(v.shift_start_s <= asked.late and v.shift_end_s >= asked.early for v in vehicles):
        return None
    window = f"between {speech.time(asked.early)} and {speech.time(asked.late)}"
    if len(vehicles) == 1:
        return Why(f"{speech.name(vehicles[0].id)} is not on shift {window}", "shift")
    return Why(f"no vehicle with {_needs(asked.ride)} is on shift {window}", "shift")


def _busy(speech: Speech, asked: Asked, fitting: Sequence[KnownRoutes], relaxed: Relaxed) -> Why:
    ride, who = asked.ride, speech.name(asked.ride.id)
    one = speech.name(fitting[0].manifest.vehicle_id) if len(fitting) == 1 else ""
    cars = f"{one} is" if one else f"every vehicle with {_needs(ride)} is"
    if relaxed.wait:
        at, late = speech.time(relaxed.wait.board_s), minutes(relaxed.wait.board_s - ride.earliest_board_s)
        tolerance = minutes(asked.late - ride.earliest_board_s)
        return Why(
            f"{cars} driving until {at}; {who} would board {late} late, the tolerance is {tolerance}", "latest_board"
        )
    if relaxed.ride:
        takes, limit = minutes(relaxed.ride.ride_s), minutes(asked.limit)
        return Why(f"{cars} sharing rides; {who} would ride for {takes}, the limit is {limit}", "ride_max")
    if relaxed.late:
        at, over = speech.time(relaxed.late.deliver_s), minutes(relaxed.late.deliver_s - asked.end_late)
        deadline, place = speech.time(asked.end_late), speech.name(ride.to_place_id)
        return Why(
            f"{cars} driving; {who} would be at {place} at {at}, {over} after the deadline {deadline}", "latest_deliver"
        )
    if relaxed.all:
        on, off = speech.time(relaxed.all.board_s), speech.time(relaxed.all.deliver_s)
        return Why(f"{cars} driving; at best {who} would board at {on} and arrive at {off}", "busy")
    broken = next((known.trouble for known in fitting if known.trouble), None)
    if broken and all(known.trouble for known in fitting):
        return Why(f"{cars} not to be planned: {broken.reason}", broken.constraint)
    who_ends = f"{one} cannot" if one else f"no vehicle with {_needs(ride)} can"
    return Why(f"{who_ends} take {who} and be done before the shift ends", "shift")


def _shortest(index: Index, asked: Asked, fitting: Sequence[KnownRoutes]) -> Fit | None:
    if asked.limit >= FAR:
        return None
    fits = every_fit(index, replace(asked, limit=FAR), fitting)
    return min(fits, key=lambda fit: (fit.ride_s, fit.added), default=None)


def _earliest_arrival(index: Index, asked: Asked, fitting: Sequence[KnownRoutes]) -> Fit | None:
    return min(every_fit(index, asked, fitting), key=lambda fit: (fit.deliver_s, fit.added), default=None)


def _needs(ride: Ride) -> str:
    """`5 free seats`, `a wheelchair place`: what a vehicle must have left for this ride."""
    wanted = []
    if ride.seats:
        wanted.append(count(ride.seats, "free seat"))
    if ride.wheelchairs:
        wanted.append("a wheelchair place" if ride.wheelchairs == 1 else count(ride.wheelchairs, "wheelchair place"))
    if ride.luggage:
        wanted.append(f"room for {count(ride.luggage, 'piece of luggage')}")
    return " and ".join([*wanted, *ride.needs_skills])
