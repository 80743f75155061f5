"""News, and a plan that answers them: a delay, a cancellation, a driver or a car that is lost, a closed road.

Only the routes that the news touch are looked at first; whoever loses their place there is placed anew, the dearest
first, and nobody else moves. If somebody would be stranded, others make room (`making_room`). Locks hold and facts
stay facts; what cannot be kept is said.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from softlanding.dispatch.planner.check import known_routes, study
from softlanding.dispatch.planner.explain.differences import Change, changes_between
from softlanding.dispatch.planner.explain.sentences import SayTime, Speech, say_utc
from softlanding.dispatch.planner.explain.ways_out import stops_without
from softlanding.dispatch.planner.explain.why_not import hopeless
from softlanding.dispatch.planner.index import FAR, Index, asked_of, changed, index_of, without_ride
from softlanding.dispatch.planner.operations import (
    base_of,
    cost_of_plan,
    laid,
    lifted,
    manifests_of,
    vehicle_of,
    with_manifest,
    with_unplaced,
    without_ways_out,
)
from softlanding.dispatch.planner.problem import Lock, Manifest, Plan, Problem, Ride, Stop, UnplacedRide, Vehicle
from softlanding.dispatch.planner.repair.making_room import Routes, give_way, make_room, placed
from softlanding.dispatch.planner.routes import route_of
from softlanding.dispatch.travel import Matrix
from softlanding.errors import Refused

# Who stands at the roadside is fetched however long it takes, within reason: their old window says nothing any more.
RESCUED_WITHIN_S = 7200


@dataclass(frozen=True, slots=True)
class Repaired:
    """The problem as the news have it, a valid plan for it, which rides ride otherwise than before, which have lost
    their place and why, and what could not be kept, in words."""

    problem: Problem
    plan: Plan
    changes: tuple[Change, ...]
    lost: tuple[UnplacedRide, ...]
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _News:
    """What news have made of problem and plan: who is without a place by it, whom the plan must not lean on any more,
    and what is said already."""

    before: Plan
    problem: Problem
    plan: Plan
    homeless: tuple[str, ...] = ()
    off: str = ""
    said: tuple[str, ...] = ()


def repair_breakdown(
    problem: Problem, plan: Plan, vehicle_id: str, at_s: int, *, place_id: str = "", say_time: SayTime = say_utc
) -> Repaired:
    """The car breaks down at `at_s` and takes nobody any more. Who is aboard is fetched from `place_id`, or from its
    last stop; if nobody can do so in time for their deadline, then later.

    Until then all went as planned, so that what began before `at_s` is a fact afterwards (see `at_moment`). Raises
    `NotFound` and `Invalid` as `place` does."""
    before, index = plan, index_of(problem)
    index.vehicle(vehicle_id)
    if at_s > problem.now_s:
        problem, plan = at_moment(problem, plan, at_s)
        index = index_of(problem)
    car, stops = index.vehicle(vehicle_id), _manifest_of(index, plan, vehicle_id).stops
    done = tuple(stop for stop in index.frozen(vehicle_id) if stop.begin_s <= problem.now_s)
    here = place_id or (done[-1].place_id if done else car.start_place_id)
    aboard = [ride_id for ride_id in _boarding(done) if all(ride_id not in stop.alights for stop in done)]
    arrived = tuple(ride_id for ride_id in aboard if index.rides[ride_id].to_place_id == here)
    rescued = [_rescued(index, index.rides[ride_id], here) for ride_id in aboard if ride_id not in arrived]
    facts = _without_all(done, {ride.id for ride in rescued}, keep_emptied=True)
    if arrived:
        facts += (Stop(here, (), arrived, None, problem.now_s, problem.now_s, problem.now_s),)
    waiting = _boarding(stops[len(done) :])
    kept, spent = _spent_locks(index, vehicle_id, {ride.id for ride in rescued})
    gone = _out_of_service(car, facts, problem.now_s)
    problem = changed(problem, vehicles=[gone], rides=rescued, frozen={vehicle_id: facts}, locks=kept)
    plan = with_manifest(plan, laid(index_of(problem), route_of(index_of(problem), gone, ())).manifest)
    homeless = (*(ride.id for ride in rescued), *waiting)
    return _late_rather_than_never(_News(before, problem, plan, homeless, vehicle_id, spent), rescued, say_time)


def repair_drop_out(
    problem: Problem, plan: Plan, vehicle_id: str, from_s: int, *, say_time: SayTime = say_utc
) -> Repaired:
    """The driver takes nobody any more from `from_s` on, but brings on who is aboard by then, and what fits before
    stays theirs. The car may end anywhere."""
    index, before = index_of(problem), plan
    car, stops = index.vehicle(vehicle_id), _manifest_of(index, plan, vehicle_id).stops
    from_s = max(from_s, problem.now_s)
    fixed = tuple(stop for stop in index.frozen(vehicle_id) if stop.begin_s <= from_s)
    undone = index.frozen(vehicle_id)[len(fixed) :]
    taken = {stop.break_id for stop in fixed}
    breaks = tuple(one for one in car.breaks if one.id in taken or one.latest_s + one.duration_s <= from_s)
    end_s = max(car.shift_start_s, from_s)
    shorter = replace(car, shift_end_s=end_s, end_place_id=None, breaks=breaks)
    problem = changed(problem, vehicles=[shorter], frozen={vehicle_id: fixed})
    problem, said = lifted(problem, [vehicle_id])
    if said:
        # The driver only brings on who is aboard: nobody else may use the hours that this takes.
        full = replace(index_of(problem).vehicle(vehicle_id), seats=0, luggage=0, wheelchair_places=0)
        problem = changed(problem, vehicles=[full])
    free = _without_all(stops[len(index.frozen(vehicle_id)) :], set(_boarding(undone)))
    free = tuple(stop for stop in free if not stop.break_id or stop.break_id in {one.id for one in breaks})
    plan, lost = _relaid(index_of(problem), plan, vehicle_id, free)
    return _settled(_News(before, problem, plan, (*_boarding(undone), *lost), vehicle_id, said), say_time)


def repair_cancellation(problem: Problem, plan: Plan, ride_id: str, *, say_time: SayTime = say_utc) -> Repaired:
    """The ride is not wanted any more; rides without a place may find one where it was. Raises `Refused` for somebody
    aboard, `NotFound` for an unknown ride."""
    index, vehicle_id = index_of(problem), vehicle_of(plan, ride_id)
    index.ride(ride_id)
    before = plan
    if vehicle_id is None:
        plan = replace(plan, unplaced=tuple(one for one in plan.unplaced if one.ride_id != ride_id))
        return _settled(_News(before, without_ride(problem, ride_id), plan), say_time)
    if ride_id in _boarding(_begun(index, vehicle_id)):
        raise Refused(f"{index.name(ride_id)} is aboard {index.name(vehicle_id)}; bring them on, or say where to")
    problem, plan, lost, said = _taken_out(problem, plan, vehicle_id, ride_id)
    problem = without_ride(problem, ride_id)
    news = _News(before, problem, plan, lost, "", said)
    return _settled(_filled(news, vehicle_id), say_time)


def repair_delay(problem: Problem, plan: Plan, ride_id: str, ready_s: int, *, say_time: SayTime = say_utc) -> Repaired:
    """The passenger is ready at `ready_s` (later, or sooner) and waits as long as before; deadlines stay."""
    ride = index_of(problem).ride(ride_id)
    late_s = ready_s - ride.earliest_board_s
    expires_s = None if ride.expires_s is None else ride.expires_s + late_s
    moved = replace(
        ride, earliest_board_s=ready_s, latest_board_s=max(0, ride.latest_board_s + late_s), expires_s=expires_s
    )
    return repair_changed_ride(problem, plan, moved, say_time=say_time)


def repair_changed_ride(problem: Problem, plan: Plan, ride: Ride, *, say_time: SayTime = say_utc) -> Repaired:
    """The ride is another: its times, its deadline (a changed talk), its places, its load.

    It stays where it is if it can, unless elsewhere spares waiting that is worth telling somebody anew. Who is aboard
    is brought to wherever the ride now goes, whatever that breaks."""
    index, vehicle_id = index_of(problem), vehicle_of(plan, ride.id)
    index.ride(ride.id)
    if vehicle_id is None:
        return _settled(_News(plan, changed(problem, rides=[ride]), plan, (ride.id,)), say_time)
    if ride.id in _boarding(_begun(index, vehicle_id)):
        return _redirected(problem, plan, vehicle_id, ride, say_time)
    changed_problem = changed(problem, rides=[ride])
    stays = _stays(changed_problem, plan, vehicle_id, ride.id)
    before = plan
    problem, plan, lost, said = _taken_out(problem, plan, vehicle_id, ride.id)
    problem = changed(problem, rides=[ride])
    moved = _settled(_News(before, problem, plan, (ride.id, *lost), "", said), say_time)
    if stays is None or _is_worth_it(stays, moved):
        return moved
    return Repaired(changed_problem, stays, changes_between(before, stays), ())


def repair_late(
    problem: Problem, plan: Plan, vehicle_id: str, frozen: Sequence[Stop], *, say_time: SayTime = say_utc
) -> Repaired:
    """The facts of one vehicle are others: a driver is late, or was quicker. `frozen` takes the place of its frozen
    stops; who boards or alights there does not change."""
    index, before = index_of(problem), plan
    index.vehicle(vehicle_id)
    free = _manifest_of(index, plan, vehicle_id).stops[len(index.frozen(vehicle_id)) :]
    if _boarding(frozen) != _boarding(index.frozen(vehicle_id)):
        raise Refused(f"the frozen stops of {index.name(vehicle_id)} must keep who boards there")
    problem = changed(problem, frozen={vehicle_id: tuple(frozen)})
    problem, said = lifted(problem, [vehicle_id])
    plan, lost = _relaid(index_of(problem), plan, vehicle_id, free)
    return _settled(_News(before, problem, plan, lost, "", said), say_time)


def repair_closed_road(
    problem: Problem, plan: Plan, seconds: Mapping[tuple[str, str], int | None], *, say_time: SayTime = say_utc
) -> Repaired:
    """The drives between these pairs of places take so long now; None: there is no way. Vehicles that drive none of
    them keep their times."""
    before, index = plan, index_of(problem)
    problem = replace(problem, matrix=_with_times(problem.matrix, seconds))
    problem = replace(problem, vehicles=tuple(_out_since(index, car, seconds) for car in problem.vehicles))
    fresh = index_of(problem)
    homeless: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    for manifest in manifests_of(index, plan, None):
        car, fixed = fresh.vehicle(manifest.vehicle_id), len(fresh.frozen(manifest.vehicle_id))
        if not seconds.keys() & _legs(car, manifest, fixed):
            continue
        problem, words = lifted(problem, [car.id])
        plan, lost = _relaid(index_of(problem), plan, car.id, manifest.stops[fixed:])
        homeless, said = (*homeless, *lost), (*said, *words)
    return _settled(_News(before, problem, plan, homeless, "", said), say_time)


def at_moment(problem: Problem, plan: Plan, now_s: int) -> tuple[Problem, Plan]:
    """Problem and plan at a later moment, if all went as planned: stops that have begun, and those that a car must
    be on its way to by then, are frozen; cars that may wait before they drive on arrive later."""
    index, frozen = index_of(problem), dict(problem.frozen)
    for manifest in plan.manifests:
        car = index.vehicle(manifest.vehicle_id)
        frozen[car.id] = manifest.stops[: _under_way(index, car, manifest, now_s)]
    problem = replace(problem, now_s=max(problem.now_s, now_s), frozen={key: one for key, one in frozen.items() if one})
    before, index, manifests = index, index_of(problem), []
    for manifest in plan.manifests:
        car, begun = index.vehicle(manifest.vehicle_id), index.frozen(manifest.vehicle_id)
        if not begun and car.shift_start_s >= problem.now_s:
            known = known_routes(before, manifest)  # It has yet to begin: nothing of it changes.
        else:
            known = study(index, car, manifest)
            known = laid(index, known.route) if known.route and len(manifest.stops) > len(begun) else known
        if known.route:
            index.known[car.id] = known
        manifests.append(known.manifest)
    return problem, replace(plan, manifests=tuple(manifests))


def _settled(news: _News, say_time: SayTime) -> Repaired:
    """Everybody without a place placed anew, others making room where need be, and whoever is left with the reason."""
    index, plan = index_of(news.problem), news.plan
    known = [known_routes(index, manifest) for manifest in manifests_of(index, plan, None)]
    routes: Routes = {one.manifest.vehicle_id: one for one in known}
    waiting: list[str] = []
    for ride_id in sorted(news.homeless, key=lambda ride_id: _dearness(index, ride_id)):
        better = placed(index, routes, ride_id)
        routes = better or routes
        waiting += [] if better else [ride_id]
    routes, left = _with_room(Speech(index, say_time), routes, waiting)
    manifests = tuple(one.manifest for _vehicle_id, one in sorted(routes.items()))
    planned = {ride_id for one in routes.values() for ride_id in one.rides}
    index.known.update({key: one for key, one in routes.items() if one.route})
    plan = Plan(manifests, tuple(one for one in plan.unplaced if one.ride_id not in planned))
    for ride_id in left:
        plan = _told_why(news, plan, ride_id, say_time)
    had_place = {one for manifest in news.before.manifests for stop in manifest.stops for one in stop.boards}
    lost = tuple(one for one in plan.unplaced if one.ride_id in had_place)
    return Repaired(news.problem, plan, changes_between(news.before, plan), lost, news.said)


def _dearness(index: Index, ride_id: str) -> tuple[int, int, int, str]:
    """By priority; then who can wait least; then who is ready first."""
    ride = index.rides[ride_id]
    return -ride.priority, ride.latest_board_s - ride.earliest_board_s, ride.earliest_board_s, ride_id


def _with_room(speech: Speech, routes: Routes, waiting: list[str]) -> tuple[Routes, list[str]]:
    """Others make room for each of these; and who is left. Whoever gives way has a lower priority than who comes, so
    it ends."""
    left, queue = [], list(waiting)
    while queue:
        ride_id = queue.pop(0)
        if hopeless(speech, asked_of(speech.index, ride_id)):
            left.append(ride_id)
            continue
        way = make_room(speech.index, routes, ride_id)
        given = None if way else give_way(speech.index, routes, ride_id)
        if way:
            routes = way.routes
        elif given:
            routes, other_id = given
            queue.append(other_id)
        else:
            left.append(ride_id)
    return routes, left


def _told_why(news: _News, plan: Plan, ride_id: str, say_time: SayTime) -> Plan:
    index = index_of(news.problem)
    lock = index.locked_to.get(ride_id)
    if lock and lock.vehicle_id == news.off:
        speech, car = Speech(index, say_time), index.name(news.off)
        words = f"{index.name(ride_id)} is locked to {car} {speech.by(lock)}, and {car} takes nobody any more"
        return with_unplaced(plan, UnplacedRide(ride_id, words, "lock"))
    return without_ways_out(news.problem, plan, ride_id, say_time=say_time).plan


def _late_rather_than_never(news: _News, rescued: Sequence[Ride], say_time: SayTime) -> Repaired:
    """Who stands at the roadside and cannot be brought in time is brought late."""
    repaired = _settled(news, say_time)
    left = {one.ride_id for one in repaired.plan.unplaced}
    late = [ride for ride in rescued if ride.id in left and ride.latest_deliver_s is not None]
    if not late:
        return repaired
    speech = Speech(index_of(news.problem), say_time)
    said = tuple(
        f"{speech.name(ride.id)} cannot be at {speech.name(ride.to_place_id)} by "
        f"{speech.time(ride.latest_deliver_s or 0)}, and is brought as soon as can be"
        for ride in late
    )
    problem = changed(repaired.problem, rides=[replace(ride, latest_deliver_s=None) for ride in late])
    homeless = tuple(ride.id for ride in late)
    return _settled(_News(news.before, problem, repaired.plan, homeless, news.off, (*news.said, *said)), say_time)


def _filled(news: _News, vehicle_id: str) -> _News:
    """With those without a place whom this one vehicle can now take, the dearest first."""
    index, plan = index_of(news.problem), news.plan
    for ride_id in sorted((one.ride_id for one in plan.unplaced), key=lambda ride_id: _dearness(index, ride_id)):
        known = known_routes(index, _manifest_of(index, plan, vehicle_id))
        better = placed(index, {vehicle_id: known}, ride_id)
        if better:
            index.known[vehicle_id] = better[vehicle_id]
            plan = with_manifest(plan, better[vehicle_id].manifest)
    planned = {one for stop in _manifest_of(index, plan, vehicle_id).stops for one in stop.boards}
    return replace(news, plan=replace(plan, unplaced=tuple(one for one in plan.unplaced if one.ride_id not in planned)))


def _taken_out(
    problem: Problem, plan: Plan, vehicle_id: str, ride_id: str
) -> tuple[Problem, Plan, tuple[str, ...], tuple[str, ...]]:
    """Problem and plan with this ride nowhere, though its stops be frozen; who lost their place by it, and what was
    said. A car that is on its way to the ride's stop still passes there."""
    index = index_of(problem)
    frozen, manifest = index.frozen(vehicle_id), _manifest_of(index, plan, vehicle_id)
    if any(ride_id in (*stop.boards, *stop.alights) for stop in frozen):
        ahead = len(_begun(index, vehicle_id)) + 1
        fixed = (
            *_without_all(frozen[:ahead], {ride_id}, keep_emptied=True),
            *_without_all(frozen[ahead:], {ride_id}),
        )
        problem = changed(problem, frozen={vehicle_id: fixed})
    problem, said = lifted(problem, [vehicle_id])
    free = manifest.stops[len(frozen) :]
    for keep_emptied in (False, True):
        way = _without_all(free, {ride_id}, keep_emptied=keep_emptied)
        relaid, lost = _relaid(index_of(problem), plan, vehicle_id, way)
        if not lost:
            break
    return problem, relaid, lost, said


def _redirected(problem: Problem, plan: Plan, vehicle_id: str, ride: Ride, say_time: SayTime) -> Repaired:
    """Who is aboard is brought to where the ride now goes; what of its limits cannot be kept is lifted."""
    index, before = index_of(problem), plan
    begun, frozen = len(_begun(index, vehicle_id)), index.frozen(vehicle_id)
    if any(ride.id in stop.alights for stop in frozen[:begun]):
        raise Refused(f"{index.name(ride.id)} has been delivered; its ride cannot be changed")
    stops = _manifest_of(index, plan, vehicle_id).stops
    fixed = (*frozen[:begun], *_without_all(frozen[begun:], {ride.id}))
    problem = changed(problem, rides=[ride], frozen={vehicle_id: fixed})
    problem, said = lifted(problem, [vehicle_id])
    free = _without_all(stops[len(frozen) :], {ride.id})
    plan, lost = _relaid(index_of(problem), plan, vehicle_id, free)
    return _settled(_News(before, problem, plan, lost, "", said), say_time)


def _stays(problem: Problem, plan: Plan, vehicle_id: str, ride_id: str) -> Plan | None:
    """The plan with the ride where it was, timed anew; None if that breaks a limit or the ride is a frozen one's."""
    index = index_of(problem)
    if ride_id in _boarding(index.frozen(vehicle_id)):
        return None
    known = study(index, index.vehicle(vehicle_id), _manifest_of(index, plan, vehicle_id))
    if known.route is None:
        return None
    index.known[vehicle_id] = known = laid(index, known.route)
    return with_manifest(plan, known.manifest)


def _is_worth_it(stays: Plan, moved: Repaired) -> bool:
    """Whether giving the ride another place is better than leaving it: nobody is lost by it, and what waiting and
    riding it spares is more than the patience that a new message costs."""
    if len(moved.plan.unplaced) > len(stays.unplaced):
        return False
    stay, move = cost_of_plan(moved.problem, stays), cost_of_plan(moved.problem, moved.plan)
    worth = (60 * moved.problem.prices.told) ** 2
    return stay.waiting + stay.riding - move.waiting - move.riding > worth


def _relaid(index: Index, plan: Plan, vehicle_id: str, free: tuple[Stop, ...]) -> tuple[Plan, tuple[str, ...]]:
    """The plan with these stops driven by this vehicle; if that breaks a limit, with as many of their rides as fit, in
    their order; and who does not."""
    vehicle = index.vehicle(vehicle_id)
    known = study(index, vehicle, Manifest(vehicle_id, (*index.frozen(vehicle_id), *free)))
    if known.route:
        index.known[vehicle_id] = known = laid(index, known.route)
        return with_manifest(plan, known.manifest), ()
    base = base_of(index, vehicle)
    assert isinstance(base, Manifest), "limits that facts have broken were lifted"
    routes: Routes = {vehicle_id: study(index, vehicle, base)}
    lost = []
    for ride_id in _boarding(free):
        better = placed(index, routes, ride_id)
        routes = better or routes
        lost += [] if better else [ride_id]
    index.known[vehicle_id] = routes[vehicle_id]
    return with_manifest(plan, routes[vehicle_id].manifest), tuple(lost)


def _rescued(index: Index, ride: Ride, place_id: str) -> Ride:
    """The ride from the roadside: as soon as can be, no longer than the direct way if that is longer than allowed."""
    now_s, rows, places = index.problem.now_s, index.rows, index.places
    direct = rows[places[place_id]][places[ride.to_place_id]] if place_id in places else 0
    return replace(
        ride,
        from_place_id=place_id,
        earliest_board_s=now_s,
        latest_board_s=max(ride.latest_board_s, now_s + RESCUED_WITHIN_S),
        ride_max_s=None if ride.ride_max_s is None else max(ride.ride_max_s, direct),
        expires_s=None,
        ready_spread_s=0,
    )


def _out_of_service(car: Vehicle, facts: Sequence[Stop], at_s: int) -> Vehicle:
    """A car that has no room for anybody and owes nothing any more."""
    taken = {stop.break_id for stop in facts}
    return replace(
        car,
        seats=0,
        luggage=0,
        wheelchair_places=0,
        shift_end_s=max(car.shift_start_s, at_s),
        end_place_id=None,
        span_max_s=None,
        breaks=tuple(one for one in car.breaks if one.id in taken),
    )


def _spent_locks(index: Index, vehicle_id: str, rescued: set[str]) -> tuple[tuple[Lock, ...], tuple[str, ...]]:
    """The locks without those by which somebody had to ride in this car who now cannot, and words for these."""
    locks, name = index.problem.locks, index.name
    spent = [one for one in locks if one.kind == "to" and one.vehicle_id == vehicle_id and one.ride_id in rescued]
    words = (f"the lock of {one.author} on {name(one.ride_id)} ends: {name(vehicle_id)} broke down" for one in spent)
    return tuple(one for one in locks if one not in spent), tuple(words)


def _boarding(stops: Iterable[Stop]) -> tuple[str, ...]:
    return tuple(ride_id for stop in stops for ride_id in stop.boards)


def _begun(index: Index, vehicle_id: str) -> tuple[Stop, ...]:
    """The frozen stops that are past, or at which the car stands."""
    return tuple(stop for stop in index.frozen(vehicle_id) if stop.begin_s <= index.problem.now_s)


def _manifest_of(index: Index, plan: Plan, vehicle_id: str) -> Manifest:
    return manifests_of(index, plan, vehicle_id)[0]


def _without_all(stops: Iterable[Stop], ride_ids: set[str], *, keep_emptied: bool = False) -> tuple[Stop, ...]:
    left = list(stops)
    for ride_id in sorted(ride_ids):
        left = stops_without(left, ride_id, keep_emptied=keep_emptied)
    return tuple(left)


def _with_times(matrix: Matrix, seconds: Mapping[tuple[str, str], int | None]) -> Matrix:
    rows = tuple(
        tuple(seconds.get((start, end), old) for end, old in zip(matrix.place_ids, row, strict=True))
        for start, row in zip(matrix.place_ids, matrix.seconds, strict=True)
    )
    return replace(matrix, seconds=rows)


def _out_since(index: Index, car: Vehicle, seconds: Mapping[tuple[str, str], int | None]) -> Vehicle:
    """A car that has left drove its first leg in the time that this took then, whatever it would take now: its
    driver's hours are reckoned by the drive, so that they are given the difference."""
    first = next((stop.place_id for stop in index.frozen(car.id) if not stop.break_id), None)
    if first is None or car.span_max_s is None or (car.start_place_id, first) not in seconds:
        return car
    took = index.rows[index.places[car.start_place_id]][index.places[first]]
    longer = (seconds[car.start_place_id, first] or 0) - (took if took < FAR else 0)
    return replace(car, span_max_s=max(0, car.span_max_s + longer))


def _legs(car: Vehicle, manifest: Manifest, fixed: int) -> set[tuple[str, str]]:
    """The drives that are still ahead."""
    start = manifest.stops[fixed - 1].place_id if fixed else car.start_place_id
    places = [start, *(stop.place_id for stop in manifest.stops[fixed:])]
    places += [car.end_place_id] if car.end_place_id and len(manifest.stops) > fixed else []
    return set(pairwise(places))


def _under_way(index: Index, car: Vehicle, manifest: Manifest, now_s: int) -> int:
    """How many stops, from the first, are past, or must be driven to by now."""
    count, here, fixed = 0, car.start_place_id, len(index.frozen(car.id))
    for number, stop in enumerate(manifest.stops, start=1):
        drive = index.rows[index.places[here]][index.places[stop.place_id]]
        if number <= fixed or stop.begin_s - drive <= now_s:
            count = number
        here = stop.place_id
    return count
