"""What can be done to a plan: begin one, place a ride, take one out, give one to a vehicle by hand.

Each takes a problem and a plan and returns a new plan; nothing else happens. A plan that comes out of here is valid
for its problem.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import permutations

from softlanding.dispatch.planner.check import KnownRoutes, check_stops, known_routes, study
from softlanding.dispatch.planner.explain.sentences import SayTime, Speech, say_utc
from softlanding.dispatch.planner.explain.ways_out import stops_without, ways_out
from softlanding.dispatch.planner.explain.why_not import open_to, relax, why_not
from softlanding.dispatch.planner.index import FAR, Asked, Index, asked_of, changed, index_of
from softlanding.dispatch.planner.insertion import Fit, cheapest, stops_with
from softlanding.dispatch.planner.objective import Cost, plus, stranded_cost
from softlanding.dispatch.planner.problem import (
    Infeasible,
    Manifest,
    Placed,
    Plan,
    Problem,
    Stop,
    Unplaced,
    UnplacedRide,
    Vehicle,
)
from softlanding.dispatch.planner.routes import (
    Route,
    aboard_at_start,
    route_of,
    schedule_of,
    solved,
    variants,
    with_break,
)
from softlanding.errors import Fault, Invalid, NotFound, Refused

# Places to drop those aboard: up to so many are tried in every order (120), more go to the nearest first.
ORDERED_EXACTLY = 5


def place(
    problem: Problem, plan: Plan, ride_id: str, *, only_vehicle: str | None = None, say_time: SayTime = say_utc
) -> Placed | Unplaced:
    """The ride in its cheapest exact place over all vehicles (or `only_vehicle`), or why there is none and what can
    be done.

    Nobody else changes vehicle; frozen stops keep their times; ties go to the lower vehicle id. Raises `Refused` if
    the ride is planned already, `NotFound` for unknown ids, `Invalid` for a problem or plan that makes no sense.
    """
    return _place(problem, plan, ride_id, only_vehicle, say_time, with_ways_out=True)


def place_quickly(problem: Problem, plan: Plan, ride_id: str, only: frozenset[str] | None = None) -> Placed | None:
    """As `place`, over all vehicles or these, without finding out why not: on a full day the reasons cost fifty times
    the answer. The ride must not be planned yet. Raises `NotFound` and `Invalid` as `place` does."""
    index = index_of(problem)
    asked = asked_of(index, ride_id)
    manifests = manifests_of(index, plan, None)
    known = [known_routes(index, one) for one in manifests if only is None or one.vehicle_id in only]
    fit = cheapest(index, asked, open_to(index, asked, known))
    return _placed(index, plan, asked, fit) if fit else None


def without_ways_out(problem: Problem, plan: Plan, ride_id: str, *, say_time: SayTime = say_utc) -> Placed | Unplaced:
    """As `place`, with the reason but not the ways out, which cost most of the time."""
    return _place(problem, plan, ride_id, None, say_time, with_ways_out=False)


def assign(
    problem: Problem, plan: Plan, ride_id: str, vehicle_id: str, *, say_time: SayTime = say_utc
) -> Placed | Unplaced:
    """The ride on this vehicle, by a coordinator's hand, taken from another if need be; or, with the plan as it
    was, why not.

    Every limit and lock still holds. Raises `Refused` if the ride is aboard or about to be, and as `place` does.
    """
    without = take_out(problem, plan, ride_id) if vehicle_of(plan, ride_id) else plan
    answer = place(problem, without, ride_id, only_vehicle=vehicle_id, say_time=say_time)
    if isinstance(answer, Unplaced) and without is not plan:
        return replace(answer, plan=plan)
    return answer


def take_out(problem: Problem, plan: Plan, ride_id: str) -> Plan:
    """The plan without this ride, planned or unplaced; the others keep their vehicles and order.

    Raises `Refused` if its boarding is frozen, `NotFound` if the plan does not know it. Others may lose their place,
    and are then `unplaced`, only where the rest cannot be driven: on a vehicle whose manifest no longer held anyway
    (times have changed since), or when the time that this ride took at a stop held the car there long enough for
    somebody who may not be delivered early and may not ride for longer.
    """
    index, vehicle_id = index_of(problem), vehicle_of(plan, ride_id)
    if vehicle_id is None:
        if all(one.ride_id != ride_id for one in plan.unplaced):
            raise NotFound(f"{index.name(ride_id)} is not part of this plan")
        return replace(plan, unplaced=tuple(one for one in plan.unplaced if one.ride_id != ride_id))
    frozen = index.frozen(vehicle_id)
    if any(ride_id in stop.boards for stop in frozen):
        raise Refused(
            f"{index.name(ride_id)} is aboard {index.name(vehicle_id)}, or about to be: that cannot be planned away"
        )
    manifest = next(one for one in plan.manifests if one.vehicle_id == vehicle_id)
    # Where a break or a detour made the way through an emptied stop the quicker one, the car goes on passing there.
    passing = stops_without(manifest.stops[len(frozen) :], ride_id, keep_emptied=True)
    needed = stops_without(manifest.stops[len(frozen) :], ride_id)
    return relaid(index, plan, index.vehicle(vehicle_id), (needed, passing))


def start_plan(problem: Problem) -> Plan:
    """The plan before any choice: frozen stops, whoever is aboard brought on, breaks; every other ride unplaced,
    `not_planned`.

    Raises `Invalid`, naming vehicle and ride, when facts already broke a limit: `lift_broken_limits` makes them
    bearable.
    """
    index = index_of(problem)
    bases = [(vehicle, base_of(index, vehicle)) for vehicle in index.vehicles.values()]
    faults = [Fault(f"vehicle {car.id}", base.reason) for car, base in bases if isinstance(base, Infeasible)]
    if faults:
        raise Invalid(*faults)
    manifests = tuple(base for _vehicle, base in bases if isinstance(base, Manifest))
    seen = {ride_id for manifest in manifests for stop in manifest.stops for ride_id in (*stop.boards, *stop.alights)}
    waiting = sorted(ride.id for ride in problem.rides if ride.id not in seen)
    return Plan(manifests, tuple(UnplacedRide(ride_id, "not planned yet", "not_planned") for ride_id in waiting))


def plan_all(problem: Problem, *, say_time: SayTime = say_utc) -> Plan:
    """A first whole plan: every ride placed in turn, by priority, then by when it is ready, then by id."""
    plan, index = start_plan(problem), index_of(problem)
    known = {one.vehicle_id: known_routes(index, one) for one in plan.manifests}
    rides = sorted(
        (index.rides[one.ride_id] for one in plan.unplaced),
        key=lambda ride: (-ride.priority, ride.earliest_board_s, ride.id),
    )
    left = [ride.id for ride in rides if not _taken(index, known, ride.id)]
    index.known.update(known)
    plan = Plan(tuple(one.manifest for one in known.values()))
    # The reasons at last, for now it is known what the others took.
    speech, routes = Speech(index, say_time), list(known.values())
    return with_unplaced(plan, *(_unplaced(speech, routes, ride_id) for ride_id in left))


def cost_of_plan(problem: Problem, plan: Plan) -> Cost:
    """The whole plan on every level of the objective."""
    index = index_of(problem)
    total = Cost(stranded=sum(stranded_cost(index.ride(one.ride_id).priority) for one in plan.unplaced))
    for manifest in plan.manifests:
        route = known_routes(index, manifest).route
        total = plus(total, route.cost) if route else total
    return total


def lift_broken_limits(problem: Problem) -> tuple[Problem, tuple[str, ...]]:
    """The problem with those limits widened that facts have broken (late with somebody aboard, past a shift's end,
    a break gone by), each just so far that it can be kept again, and a sentence for each. No other limit changes.
    Raises `Invalid` if somebody is aboard to a place that no way leads to."""
    return lifted(problem, index_of(problem).vehicles)


def lifted(problem: Problem, vehicle_ids: Iterable[str]) -> tuple[Problem, tuple[str, ...]]:
    """As `lift_broken_limits`, for these vehicles alone."""
    said: list[str] = []
    for vehicle_id in vehicle_ids:
        while isinstance(broken := base_of(index_of(problem), index_of(problem).vehicles[vehicle_id]), Infeasible):
            if broken.over_s >= FAR // 2:
                raise Invalid(Fault(f"vehicle {vehicle_id}", "no way is known to where those aboard go, or to its end"))
            assert broken.over_s > 0, broken.reason
            # Each turn widens one limit by what was missing and none shrinks: it ends after every limit's turn.
            problem = _widened(problem, vehicle_id, broken)
            said.append(f"{broken.reason}: allowed, as it cannot be helped")
    return problem, tuple(said)


def vehicle_of(plan: Plan, ride_id: str) -> str | None:
    """The vehicle that this plan gives the ride, None if none."""
    for manifest in plan.manifests:
        for stop in manifest.stops:
            if ride_id in stop.boards or ride_id in stop.alights:
                return manifest.vehicle_id
    return None


def _place(
    problem: Problem, plan: Plan, ride_id: str, only_vehicle: str | None, say_time: SayTime, *, with_ways_out: bool
) -> Placed | Unplaced:
    index = index_of(problem)
    asked = asked_of(index, ride_id)
    known = [known_routes(index, manifest) for manifest in manifests_of(index, plan, only_vehicle)]
    held = vehicle_of(plan, ride_id) if only_vehicle else _holder(known, ride_id)
    if held:
        raise Refused(f"{index.name(ride_id)} is already planned on {index.name(held)}; take it out first")
    fit = cheapest(index, asked, open_to(index, asked, known))
    if fit:
        return _placed(index, plan, asked, fit)
    speech = Speech(index, say_time)
    relaxed = relax(index, asked, known)
    why = why_not(speech, asked, known, relaxed)
    ways = ways_out(speech, asked, known, relaxed) if with_ways_out else ()
    unplaced = with_unplaced(plan, UnplacedRide(ride_id, why.reason, why.constraint))
    return Unplaced(unplaced, ride_id, why.reason, why.constraint, ways)


def _holder(known: Iterable[KnownRoutes], ride_id: str) -> str | None:
    return next((one.manifest.vehicle_id for one in known if ride_id in one.rides), None)


def _taken(index: Index, known: dict[str, KnownRoutes], ride_id: str) -> bool:
    """Whether one of the vehicles takes the ride; it is then in its routes."""
    asked = asked_of(index, ride_id)
    fit = cheapest(index, asked, open_to(index, asked, known.values()))
    if fit is None:
        return False
    known[fit.route.vehicle.id] = with_fit(index, asked, fit)
    return True


def _unplaced(speech: Speech, known: Sequence[KnownRoutes], ride_id: str) -> UnplacedRide:
    asked = asked_of(speech.index, ride_id)
    why = why_not(speech, asked, known, relax(speech.index, asked, known))
    return UnplacedRide(ride_id, why.reason, why.constraint)


def _placed(index: Index, plan: Plan, asked: Asked, fit: Fit) -> Placed:
    ride_id = asked.ride.id
    known = index.known[fit.route.vehicle.id] = with_fit(index, asked, fit)
    manifest, placed = known.manifest, with_manifest(plan, known.manifest)
    placed = replace(placed, unplaced=tuple(one for one in plan.unplaced if one.ride_id != ride_id))
    return Placed(placed, ride_id, manifest.vehicle_id, fit.added, fit.board_s, fit.deliver_s)


def manifests_of(index: Index, plan: Plan, only_vehicle: str | None) -> list[Manifest]:
    """The plan's manifests by vehicle id, with those that a new vehicle still lacks."""
    by_id = {manifest.vehicle_id: manifest for manifest in plan.manifests}
    unknown = sorted(by_id.keys() - index.vehicles.keys())
    if unknown:
        raise Invalid(
            Fault("plan", f"vehicle {unknown[0]} is not in the problem; take its rides out of the plan first")
        )
    wanted: Iterable[str] = index.vehicles if only_vehicle is None else [index.vehicle(only_vehicle).id]
    return [by_id.get(vehicle_id) or _bare(index, vehicle_id) for vehicle_id in wanted]


def _bare(index: Index, vehicle_id: str) -> Manifest:
    base = base_of(index, index.vehicles[vehicle_id])
    return base if isinstance(base, Manifest) else Manifest(vehicle_id, index.frozen(vehicle_id))


def _manifest(index: Index, vehicle: Vehicle, free: Sequence[Stop]) -> Manifest:
    """The timed manifest of stops that can be driven; its route is remembered for the next ride."""
    known = index.known[vehicle.id] = laid(index, route_of(index, vehicle, free))
    return known.manifest


def laid(index: Index, route: Route) -> KnownRoutes:
    """The timed manifest of a route that can be driven, with all that one knows about it."""
    schedule = schedule_of(index, route)
    manifest = Manifest(route.vehicle.id, schedule.stops, schedule.back_s)
    return KnownRoutes(manifest, route)


def with_fit(index: Index, asked: Asked, fit: Fit) -> KnownRoutes:
    """The same with the ride in the place that was found for it; what solving the place found out is taken over."""
    return laid(index, solved(index, fit.route.vehicle, stops_with(fit, asked), fit.net, fit.begins))


def with_manifest(plan: Plan, manifest: Manifest) -> Plan:
    if any(one.vehicle_id == manifest.vehicle_id for one in plan.manifests):
        manifests = (manifest if one.vehicle_id == manifest.vehicle_id else one for one in plan.manifests)
        return replace(plan, manifests=tuple(manifests))
    return replace(plan, manifests=tuple(sorted([*plan.manifests, manifest], key=lambda one: one.vehicle_id)))


def with_unplaced(plan: Plan, *rides: UnplacedRide) -> Plan:
    ids = {ride.ride_id for ride in rides}
    others = [one for one in plan.unplaced if one.ride_id not in ids]
    return replace(plan, unplaced=tuple(sorted([*others, *rides], key=lambda one: one.ride_id)))


def relaid(index: Index, plan: Plan, vehicle: Vehicle, ways: Iterable[list[Stop]]) -> Plan:
    """The plan with the first of these ways that the vehicle can drive; if it can drive none, with as many of their
    rides as can be placed anew, in their order."""
    free: list[Stop] = []
    for free in ways:
        route = route_of(index, vehicle, free)
        for way in (route, *variants(index, route)):
            if way.begins is not None:
                return with_manifest(plan, _manifest(index, vehicle, way.stops))
    base = base_of(index, vehicle)
    if isinstance(base, Infeasible):
        raise Invalid(Fault(f"vehicle {vehicle.id}", base.reason))
    known, lost = study(index, vehicle, base), []
    for ride_id in [ride_id for stop in free for ride_id in stop.boards]:
        fit = cheapest(index, asked_of(index, ride_id), [known])
        if fit:
            known = study(index, vehicle, _manifest(index, vehicle, stops_with(fit, asked_of(index, ride_id))))
        else:
            reason = f"{index.name(ride_id)} no longer fits on {index.name(vehicle.id)}"
            lost.append(UnplacedRide(ride_id, reason, "busy"))
    return with_unplaced(with_manifest(plan, known.manifest), *lost)


def base_of(index: Index, vehicle: Vehicle) -> Manifest | Infeasible:
    """What the vehicle must do anyway: its frozen stops, then those aboard brought on in the best order, and its
    breaks."""
    ways = _ways_home(index, vehicle)
    for stop in _breaks_left(index, vehicle):
        ways = [way for stops in ways for way in with_break(index, vehicle, stops, stop)]
    routes = [route for route in (route_of(index, vehicle, way) for way in ways) if route.begins is not None]
    if routes:
        best = min(enumerate(routes), key=lambda one: (one[1].cost, one[0]))[1]
        schedule = schedule_of(index, best)
        return Manifest(vehicle.id, schedule.stops, schedule.back_s)
    broken = check_stops(index.problem, vehicle, (*index.frozen(vehicle.id), *ways[0]))
    assert isinstance(broken, Infeasible), "no way home can be driven"
    return broken


def _ways_home(index: Index, vehicle: Vehicle) -> list[list[Stop]]:
    """The orders in which those aboard may be dropped, the nearest first at the head of the list."""
    frozen = index.frozen(vehicle.id)
    by_place: dict[str, list[str]] = {}
    for ride_id in sorted(aboard_at_start(index, vehicle)):
        by_place.setdefault(index.rides[ride_id].to_place_id, []).append(ride_id)
    stops = [Stop(place_id, alights=tuple(ride_ids)) for place_id, ride_ids in sorted(by_place.items())]
    nearest, here = [], frozen[-1].place_id if frozen else vehicle.start_place_id
    while stops:
        row = index.rows[index.places[here]]
        stops.sort(key=lambda stop: (row[index.places[stop.place_id]], stop.place_id))
        nearest.append(stops.pop(0))
        here = nearest[-1].place_id
    if len(nearest) > ORDERED_EXACTLY:
        return [nearest]
    return [list(order) for order in permutations(nearest)]


def _breaks_left(index: Index, vehicle: Vehicle) -> list[Stop]:
    taken = {stop.break_id for stop in index.frozen(vehicle.id)}
    left = sorted(
        (pause for pause in vehicle.breaks if pause.id not in taken), key=lambda pause: (pause.earliest_s, pause.id)
    )
    return [Stop(vehicle.start_place_id, break_id=pause.id) for pause in left]


def _widened(problem: Problem, vehicle_id: str, broken: Infeasible) -> Problem:
    """The problem with the one limit that is broken widened by what is missing."""
    index = index_of(problem)
    if broken.ride_id:
        ride = index.rides[broken.ride_id]
        if broken.constraint == "latest_deliver":
            return changed(
                problem, rides=[replace(ride, latest_deliver_s=(ride.latest_deliver_s or 0) + broken.over_s)]
            )
        return changed(problem, rides=[replace(ride, ride_max_s=(ride.ride_max_s or 0) + broken.over_s)])
    car = index.vehicles[vehicle_id]
    if broken.constraint == "shift":
        car = replace(car, shift_end_s=car.shift_end_s + broken.over_s)
    elif broken.constraint == "span":
        car = replace(car, span_max_s=(car.span_max_s or 0) + broken.over_s)
    else:
        later = (replace(p, latest_s=p.latest_s + broken.over_s) if p.id == broken.break_id else p for p in car.breaks)
        car = replace(car, breaks=tuple(later))
    return changed(problem, vehicles=[car])
