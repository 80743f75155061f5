"""A found plan brought onto the plan of today: what still fits is taken, what has moved on meanwhile is thrown away.

A search thinks for seconds about a plan that facts go on changing. Rides that changed vehicle tie vehicles together;
vehicles so tied are one change, taken whole or not at all.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from softlanding.dispatch.planner.check import check_stops
from softlanding.dispatch.planner.index import index_of
from softlanding.dispatch.planner.objective import Cost
from softlanding.dispatch.planner.operations import cost_of_plan
from softlanding.dispatch.planner.problem import Manifest, Plan, Problem, Schedule, Stop


@dataclass(frozen=True)
class Rebased:
    """The plan of today with the changes that still fit, those vehicles, how many changes were thrown away, and the
    cost before and after. Without `is_better` the plan is the one of today."""

    plan: Plan
    vehicle_ids: tuple[str, ...]
    thrown_away: int
    before: Cost
    after: Cost

    @property
    def is_better(self) -> bool:
        return self.after < self.before


def rebase(problem: Problem, plan: Plan, start: Plan, found: Plan) -> Rebased:
    """`found` was sought from `start`; `plan` and `problem` are what holds now. Only what makes the plan better, by the
    objective with its price of changes, is taken."""
    before = cost_of_plan(problem, plan)
    best, cost, taken, thrown_away = plan, before, list[str](), 0
    for change in _changes(start, found):
        moved = _with(problem, best, start, found, change)
        after = cost if moved is None else cost_of_plan(problem, moved)
        if moved is not None and after < cost:
            best, cost = moved, after
            taken += change
        else:
            thrown_away += 1
    return Rebased(best, tuple(sorted(taken)), thrown_away, before, cost)


def _changes(start: Plan, found: Plan) -> list[tuple[str, ...]]:
    """Vehicles whose stops differ, those together between which rides moved; in the order of their ids."""
    was, now = _by_vehicle(start), _by_vehicle(found)
    changed = sorted(key for key in now if key not in was or _halts(was[key]) != _halts(now[key]))
    before, after = _cars_of(start), _cars_of(found)
    group = {vehicle_id: vehicle_id for vehicle_id in changed}
    for ride_id, vehicle_id in after.items():
        other = before.get(ride_id, vehicle_id)
        if other != vehicle_id:
            joined, gone = sorted((group[vehicle_id], group[other]))
            group = {key: joined if value == gone else value for key, value in group.items()}
    return [tuple(key for key in changed if group[key] == name) for name in sorted(set(group.values()))]


def _with(problem: Problem, plan: Plan, start: Plan, found: Plan, change: Iterable[str]) -> Plan | None:
    """The plan with these vehicles as they were found; None where something has moved on."""
    index = index_of(problem)
    was, now, here = _by_vehicle(start), _by_vehicle(found), _by_vehicle(plan)
    fresh = {}
    for vehicle_id in change:
        if vehicle_id not in index.vehicles or vehicle_id not in here:
            return None
        if vehicle_id in was and _halts(here[vehicle_id]) != _halts(was[vehicle_id]):
            return None
        if any(ride_id not in index.rides for ride_id in _rides_of(now[vehicle_id])):
            return None
        schedule = check_stops(problem, index.vehicles[vehicle_id], _resumed(problem, now[vehicle_id]))
        if not isinstance(schedule, Schedule):
            return None
        fresh[vehicle_id] = Manifest(vehicle_id, schedule.stops, schedule.back_s)
    manifests = tuple(fresh.get(one.vehicle_id, one) for one in plan.manifests)
    served = [ride_id for one in manifests for ride_id in _rides_of(one)]
    if len(set(served)) < len(served):
        return None  # Somebody found another place meanwhile.
    lost = {one.ride_id: one for one in (*found.unplaced, *plan.unplaced)}
    unplaced = tuple(lost[ride_id] for ride_id in sorted(set(index.rides) - set(served)) if ride_id in lost)
    if len(unplaced) + len(served) < len(index.rides):
        return None
    return replace(plan, manifests=manifests, unplaced=unplaced)


def _resumed(problem: Problem, manifest: Manifest) -> tuple[Stop, ...]:
    """Its stops, those that are frozen by now with their true times."""
    frozen = problem.frozen.get(manifest.vehicle_id, ())
    return (*frozen, *manifest.stops[len(frozen) :])


def _by_vehicle(plan: Plan) -> Mapping[str, Manifest]:
    return {manifest.vehicle_id: manifest for manifest in plan.manifests}


def _halts(manifest: Manifest) -> list[tuple[object, ...]]:
    """Who boards and alights where, in order: what makes two manifests the same drive."""
    return [(stop.place_id, stop.boards, stop.alights, stop.break_id) for stop in manifest.stops]


def _rides_of(manifest: Manifest) -> list[str]:
    return [ride_id for stop in manifest.stops for ride_id in stop.boards]


def _cars_of(plan: Plan) -> dict[str, str]:
    return {ride_id: one.vehicle_id for one in plan.manifests for ride_id in _rides_of(one)}
