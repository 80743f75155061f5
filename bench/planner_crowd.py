"""1 000 rides on 200 vehicles: a plan from nothing, one ride more, a vehicle less."""

import gc
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

from bench.days import make_day
from bench.judging import Setting, improved, percentiles_ms
from softlanding.dispatch.planner import (
    Plan,
    Problem,
    Ride,
    Unplaced,
    cost_of_plan,
    place,
    plan_all,
    with_ride,
)
from softlanding.dispatch.planner.repair.news import Repaired, repair_breakdown

WARM_UP = 3  # Rides placed before the clock counts: a service that answers has placed some before.
BREAKS_FROM_S, BREAKS_UNTIL_S = 8 * 3600, 20 * 3600


class Crowd:
    """A day and the rides that come when it is planned already."""

    def __init__(self, seed: int, rides: int, vehicles: int, more: int) -> None:
        whole = make_day(seed, rides=rides + more, vehicles=vehicles)
        self.problem = Problem(whole.epoch_at, whole.vehicles, whole.rides[:rides], whole.matrix)
        self.more: tuple[Ride, ...] = whole.rides[rides:]


def plan_from_nothing(
    setting: Setting, crowd: Crowd, looks_s: Sequence[float], seed: int
) -> tuple[dict[str, Any], Plan]:
    """The first plan and when it was there; then what it has become after so many seconds in all, each look a search
    that goes on from the last one's plan, as the service's does. The last plan, too. A look that comes before the first
    plan has nothing to see."""
    began = setting.clock.monotonic()
    plan = plan_all(crowd.problem)
    first_s = at_s = setting.clock.monotonic() - began
    costs, looks = [cost_of_plan(crowd.problem, plan)], {"first": _look(setting, crowd, plan, first_s)}
    for look_s in looks_s:
        if look_s <= at_s:
            continue
        plan = improved(setting, crowd.problem, plan, look_s - at_s, seed=seed)
        at_s = look_s
        costs.append(cost_of_plan(crowd.problem, plan))
        looks[f"{look_s:g} s"] = _look(setting, crowd, plan, look_s)
    better = all(later < earlier for earlier, later in pairwise(costs)) if len(costs) > 1 else None
    setting.tell(f"{len(crowd.problem.rides)} rides on {len(crowd.problem.vehicles)} vehicles: {first_s:.2f} s")
    return {"first_s": first_s, "better_each_time": better, "looks": looks}, plan


def place_one_more(setting: Setting, crowd: Crowd, plan: Plan) -> dict[str, Any]:
    """Each ride that comes, alone, into the same plan: milliseconds, and who else had to change vehicle."""
    vehicles, answers, took_ms = _vehicles(plan), [], []
    with _rest_forgotten():
        for ride in crowd.more:
            began = setting.clock.monotonic()
            problem = with_ride(crowd.problem, ride)
            answers.append((problem, place(problem, plan, ride.id)))
            took_ms.append(1000 * (setting.clock.monotonic() - began))
    took_ms, moved, unplaced = took_ms[WARM_UP:], 0, 0
    for problem, placed in answers:  # Afterwards: a judge between two rides would be timed in the next.
        setting.judge.ours(problem, placed.plan)
        after = _vehicles(placed.plan)
        moved += sum(after.get(ride_id) != vehicle_id for ride_id, vehicle_id in vehicles.items())
        unplaced += isinstance(placed, Unplaced)
    row = {"rides": len(took_ms), **percentiles_ms(took_ms)}
    setting.tell(f"one ride more: {row}")
    return row | {"moved": moved, "unplaced": unplaced}


def break_down(
    setting: Setting, crowd: Crowd, plan: Plan, *, seed: int, count: int, searched: int, search_s: float
) -> dict[str, Any]:
    """So many vehicles break down, each alone, somewhere in its day. For the first few, whom a long search would have
    saved of those that the repair left behind."""
    rng = random.Random(seed)
    took_ms, stranded, saved = [], 0, 0
    used = [manifest.vehicle_id for manifest in plan.manifests if manifest.stops]
    answers = []
    with _rest_forgotten():
        for vehicle_id in rng.sample(used, min(count, len(used))):
            at_s = rng.randrange(BREAKS_FROM_S, BREAKS_UNTIL_S)
            began = setting.clock.monotonic()
            answers.append(repair_breakdown(crowd.problem, plan, vehicle_id, at_s))
            took_ms.append(1000 * (setting.clock.monotonic() - began))
    for number, repaired in enumerate(answers):
        setting.judge.ours(repaired.problem, repaired.plan)
        stranded += len(repaired.plan.unplaced) - len(plan.unplaced)
        if number < searched:
            saved += _saved(setting, repaired, search_s, seed)
    row = {"breakdowns": len(took_ms), **percentiles_ms(took_ms)}
    setting.tell(f"breakdown: {row}, {stranded} more stranded, {saved} of them saved by a search of {search_s:g} s")
    return row | {"stranded": stranded, "searched": min(searched, len(took_ms)), "saved_by_search": saved}


@contextmanager
def _rest_forgotten() -> Iterator[None]:
    """What the bench has built so far, days and rivals' answers, is no garbage of the planner's: a collection that goes
    through all of it takes longer than what is measured."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _look(setting: Setting, crowd: Crowd, plan: Plan, at_s: float) -> dict[str, Any]:
    judged, cost = setting.judge.ours(crowd.problem, plan), cost_of_plan(crowd.problem, plan)
    return {
        "at_s": at_s,
        "served": judged.served,
        "violations": judged.violations,
        "waiting": cost.waiting,
        "hours": cost.hours,
        "driving_h": cost.driving / 3600,
    }


def _vehicles(plan: Plan) -> dict[str, str]:
    return {
        ride_id: manifest.vehicle_id
        for manifest in plan.manifests
        for stop in manifest.stops
        for ride_id in stop.boards
    }


def _saved(setting: Setting, repaired: Repaired, search_s: float, seed: int) -> int:
    searched = improved(setting, repaired.problem, repaired.plan, search_s, seed=seed)
    setting.judge.ours(repaired.problem, searched)
    return max(0, len(repaired.plan.unplaced) - len(searched.unplaced))
