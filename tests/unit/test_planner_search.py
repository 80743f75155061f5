"""The search gives no worse plan than it was given, keeps what must be kept, and reckons as the exact check does."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.days import make_day
from rides import a_problem, a_random_day, a_ride, a_vehicle, hhmm, planned
from softlanding.clock import SystemClock
from softlanding.dispatch import validator
from softlanding.dispatch.planner import (
    Lock,
    cost_of_plan,
    plan_all,
    plan_to_json,
    problem_to_json,
    start_plan,
    take_out,
    vehicle_of,
)
from softlanding.dispatch.planner.search import kernel
from softlanding.dispatch.planner.search.search import FIRM, Goal, improve
from softlanding.dispatch.planner.search.tables import Weights, desk_of, plan_of, sheet_of
from softlanding.errors import Invalid

CLOCK = SystemClock()
SEEDS = st.integers(0, 10**6)
# A compiled function is slow at its first call, whichever example makes it.
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LEVELS = {
    "waiting": Weights(0, 1, 0, 0, 0, 0),
    "riding": Weights(0, 0, 1, 0, 0, 0),
    "hours": Weights(0, 0, 0, 0, 1, 0),
    "driving": Weights(0, 0, 0, 0, 0, 1),
    "unease": Weights(0, 0, 0, 0, 0, 0, unease=1),
}


def broken(problem, plan):
    return validator.violations(problem_to_json(problem), plan_to_json(plan))


def rows_given_away(sheet):
    """The sheet as if each row were new: so every manifest is made from its row."""
    return replace(sheet, before=tuple(() for _ in sheet.before))


@UNHURRIED
@given(SEEDS)
def test_what_it_finds_is_valid_and_no_worse(seed):
    problem = a_random_day(seed, rides=10)
    plan = plan_all(problem)
    found = improve(problem, plan, seed=seed, turns=40, clock=CLOCK)
    assert broken(problem, found.plan) == []
    assert found.after == cost_of_plan(problem, found.plan) <= found.before
    assert {one.ride_id for one in found.plan.unplaced} | {ride.id for ride in problem.rides} == {
        ride.id for ride in problem.rides
    }


@UNHURRIED
@given(SEEDS)
def test_a_detour_quicker_than_the_direct_way_does_not_mislead_it(seed):
    problem = a_random_day(seed, rides=8, triangle=False)
    found = improve(problem, plan_all(problem), seed=seed, turns=40, clock=CLOCK)
    assert broken(problem, found.plan) == []


@UNHURRIED
@given(SEEDS, st.sampled_from(sorted(LEVELS)))
def test_a_row_costs_what_its_manifest_costs(seed, level):
    assert_rows_cost_what_manifests_cost(seed, level)


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(1076, id="a break before the car leaves is no time out"),
        pytest.param(1254, id="those who board together keep the order that is locked when they are parted"),
        pytest.param(325, id="a halt is longer for whoever shares it"),
    ],
)
def test_a_row_costs_what_its_manifest_costs_on_the_day_when(seed):
    assert_rows_cost_what_manifests_cost(seed, "unease")


def assert_rows_cost_what_manifests_cost(seed, level):
    problem = a_random_day(seed, rides=10)
    sheet = rows_given_away(sheet_of(problem, plan_all(problem), LEVELS[level]))
    desk, total = desk_of(sheet), 0.0
    for v, vehicle in enumerate(sheet.vehicles):
        if vehicle.id not in sheet.sealed:
            total += kernel.measure(sheet.flat, desk, v, sheet.state.rows[v], sheet.state.length[v])
    manifests = [one for one in plan_of(sheet, sheet.state).manifests if one.vehicle_id not in sheet.sealed]
    only_rows = replace(plan_of(sheet, sheet.state), manifests=tuple(manifests), unplaced=())
    assert getattr(cost_of_plan(problem, only_rows), level) == total


def has_break(row, n, rides):
    return any(node >= 2 * rides for node in row[:n].tolist())


@UNHURRIED
@given(SEEDS, st.sampled_from(sorted(LEVELS)))
@example(34259, "waiting")
def test_what_the_kernel_says_of_a_place_is_what_it_costs_there(seed, level):
    """Each second ride out and into its best place again: exactly so much dearer, and no less than the bound."""
    problem = a_random_day(seed, rides=8)
    plan = plan_all(problem)
    for ride in problem.rides[::2]:
        plan = take_out(problem, plan, ride.id)
    sheet = rows_given_away(sheet_of(problem, plan, LEVELS[level]))
    desk, found = desk_of(sheet), np.zeros(2, dtype=np.int64)
    for v in range(len(sheet.vehicles)):
        row, n = sheet.state.rows[v], int(sheet.state.length[v])
        price = kernel.measure(sheet.flat, desk, v, row, n)
        for r in range(len(sheet.ride_ids)):
            if sheet.state.home[r] >= 0 or not sheet.flat.may[r, v]:
                continue
            kernel.look(sheet.flat, desk, v, row, n)
            added = kernel.best_place(sheet.flat, desk, v, row, n, price, r, found)
            if added < kernel.NEVER:
                nodes = row[:n].tolist()
                nodes[found[1] : found[1]] = [2 * r + 1]
                nodes[found[0] : found[0]] = [2 * r]
                longer = np.array([*nodes, 0], dtype=np.int64)
                assert kernel.measure(sheet.flat, desk, v, longer, n + 2) == pytest.approx(price + added)
                is_bound = level in ("driving", "hours")  # Others may ride shorter when they board later.
                is_bound |= level == "waiting" and not has_break(
                    row, n, len(sheet.ride_ids)
                )  # Seed 34259: a break moves with the car.
                if is_bound:
                    assert kernel.least_price(sheet.flat, desk, v, row, n, r) <= added + 1e-6


def test_the_same_seed_and_turns_give_the_same_plan():
    problem = a_random_day(5, rides=14)
    plan = plan_all(problem)
    one = improve(problem, plan, seed=3, turns=200, clock=CLOCK)
    assert improve(problem, plan, seed=3, turns=200, clock=CLOCK) == one


def test_a_minute_less_to_drive_is_seen_beside_all_the_waiting_of_a_day():
    """With larger weights a good day once stayed as it was: every gain was lost in the digits of the sum."""
    problem = make_day(1, rides=1000, vehicles=200)
    sheet = sheet_of(problem, plan_all(problem), FIRM)
    kernel.add_up(sheet.flat, desk_of(sheet), sheet.state)
    assert float(sheet.state.total[0]) * kernel.NOISE < 60


def test_without_its_compiler_it_finds_the_same():
    """numba is a quicker way to the same plan."""
    problem = a_random_day(7, rides=9)
    plan = plan_all(problem)
    program = (
        "import json, sys; sys.modules['numba'] = None\n"
        "from softlanding.clock import SystemClock\n"
        "from softlanding.dispatch.planner import plan_from_json, plan_to_json, problem_from_json\n"
        "from softlanding.dispatch.planner.search.search import improve\n"
        "problem, plan = json.load(sys.stdin)\n"
        "found = improve(problem_from_json(problem), plan_from_json(plan), seed=1, turns=30, clock=SystemClock())\n"
        "print(json.dumps(plan_to_json(found.plan)))"
    )
    given = json.dumps([problem_to_json(problem), plan_to_json(plan)])
    done = subprocess.run(
        [sys.executable, "-c", program], input=given, capture_output=True, text=True, check=True, timeout=120
    )
    assert json.loads(done.stdout) == plan_to_json(improve(problem, plan, seed=1, turns=30, clock=CLOCK).plan)


def test_who_was_left_behind_is_served_when_others_make_room():
    """The early ride took the only large car; the party of six that came later fits nowhere else."""
    small, large = a_vehicle("small", seats=2), a_vehicle("large", seats=6)
    first = a_ride("FRST", seats=1)
    party = a_ride("PRTY", seats=6, latest_board_s=hhmm("10:05"))
    problem = a_problem(small, large, first, party)
    plan = planned(replace(problem, vehicles=(large,)), "FRST")
    plan = replace(plan, unplaced=plan_all(problem).unplaced)
    start = start_plan(problem)
    plan = replace(
        start, manifests=tuple(sorted((*plan.manifests, *start.manifests[1:]), key=lambda one: one.vehicle_id))
    )
    assert vehicle_of(plan, "PRTY") is None
    found = improve(problem, plan, turns=50, clock=CLOCK).plan
    assert (vehicle_of(found, "FRST"), vehicle_of(found, "PRTY")) == ("small", "large")


def test_rides_that_are_held_keep_their_vehicles():
    problem = a_random_day(11, rides=12)
    plan = plan_all(problem)
    held = frozenset(ride.id for ride in problem.rides)
    found = improve(problem, plan, turns=100, clock=CLOCK, held=held).plan
    kept = {ride_id: vehicle_of(plan, ride_id) for ride_id in held if vehicle_of(plan, ride_id)}
    assert {ride_id: vehicle_of(found, ride_id) for ride_id in kept} == kept


@UNHURRIED
@given(SEEDS)
def test_locks_survive(seed):
    problem = a_random_day(seed, rides=10)
    ride = problem.rides[0]
    others = tuple(lock for lock in problem.locks if ride.id not in (lock.ride_id, *lock.ride_ids))
    locked = replace(problem, locks=(*others, Lock("to", ride.id, problem.vehicles[0].id, "Ana", "asked for")))
    found = improve(locked, plan_all(locked), seed=seed, turns=40, clock=CLOCK).plan
    assert vehicle_of(found, ride.id) in (None, problem.vehicles[0].id)
    assert broken(locked, found) == []


def test_fewer_vehicles_where_that_is_the_goal():
    rides = [a_ride(f"R{number}", ready=f"{9 + number:02}:00") for number in range(4)]
    cars = [a_vehicle(f"car-{number}") for number in range(3)]
    problem = a_problem(*cars, *rides)
    plan = start_plan(problem)
    for number, ride in enumerate(rides):
        one = planned(replace(problem, vehicles=(cars[number % 3],), rides=tuple(rides[number % 3 : number + 1 : 3])))
        plan = replace(
            plan,
            manifests=tuple(
                one.manifests[0] if each.vehicle_id == f"car-{number % 3}" else each for each in plan.manifests
            ),
        )
        assert vehicle_of(plan, ride.id) == f"car-{number % 3}"
    found = improve(problem, plan, turns=2000, clock=CLOCK, goal=Goal.fewest_vehicles()).plan
    assert sum(bool(manifest.stops) for manifest in found.manifests) == 1
    assert broken(problem, found) == []


def test_a_plan_that_was_searched_already_gets_better_again():
    """What the weights gained and the levels refused was once lost with the whole search."""
    problem = make_day(3, rides=60, vehicles=20)
    plan = plan_all(problem)
    for _ in range(4):
        found = improve(problem, plan, seed=1, turns=300, clock=CLOCK)
        assert found.is_better
        plan = found.plan


@pytest.mark.parametrize("turns", [1, 30, 400])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_budget_that_is_used_up_early_is_no_harm(turns, workers):
    problem = a_random_day(3, rides=10)
    plan = plan_all(problem)
    found = improve(problem, plan, turns=turns, clock=CLOCK, goal=Goal.fewest_vehicles(), workers=workers)
    assert broken(problem, found.plan) == []
    assert len(found.plan.unplaced) <= len(plan.unplaced)


def test_it_stops_when_asked_and_tells_how_it_stands():
    problem = a_random_day(2, rides=10)
    seen = []
    found = improve(
        problem, plan_all(problem), budget_s=60, clock=CLOCK, on_progress=seen.append, should_stop=lambda: len(seen) > 2
    )
    assert [one.share <= 1 for one in seen] == [True] * len(seen)
    assert found.turns > 0


@pytest.mark.parametrize("budget", [{}, {"turns": 0}, {"budget_s": -1}, {"turns": 5, "budget_s": 1.0}])
def test_a_search_without_an_end_is_refused(budget):
    problem = a_random_day(1)
    with pytest.raises(Invalid, match="give budget_s or turns"):
        improve(problem, plan_all(problem), clock=CLOCK, **budget)
