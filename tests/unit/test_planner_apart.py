"""A search in another process: its plan comes back, fits the plan of today or is thrown away, and it can be ended."""

from dataclasses import replace

import pytest

from rides import a_problem, a_random_day, a_ride, a_vehicle, hhmm, planned
from softlanding.clock import SystemClock
from softlanding.dispatch import validator
from softlanding.dispatch.planner import (
    Stop,
    place,
    plan_all,
    plan_to_json,
    problem_to_json,
    start_plan,
    take_out,
    vehicle_of,
    with_ride,
)
from softlanding.dispatch.planner.search.process import think
from softlanding.dispatch.planner.search.rebase import rebase
from softlanding.dispatch.planner.search.search import improve
from softlanding.errors import Unavailable

CLOCK = SystemClock()


@pytest.fixture
def crowded():
    """The early ride has the only large car; the party of six that came later fits nowhere else."""
    small, large = a_vehicle("small", seats=2), a_vehicle("large", seats=6)
    problem = a_problem(small, large, a_ride("FRST"), a_ride("PRTY", seats=6, latest_board_s=hhmm("10:05")))
    first = place(problem, start_plan(problem), "FRST", only_vehicle="large").plan
    return problem, place(problem, first, "PRTY").plan


def test_a_plan_comes_back_from_the_other_process(crowded):
    problem, plan = crowded
    thinking = think(problem, plan, seed=1, budget_s=0.5)
    try:
        assert thinking.look(wait_s=120)
        assert vehicle_of(thinking.plan, "PRTY") == "large"
        assert thinking.share > 0
        assert thinking.process.poll() is not None
    finally:
        thinking.stop()


def test_a_search_that_was_ended_says_so(crowded):
    problem, plan = crowded
    thinking = think(problem, plan, seed=1, budget_s=60)
    assert not thinking.look()
    thinking.process.kill()
    with pytest.raises(Unavailable, match="ended without one"):
        thinking.look(wait_s=30)


def test_what_still_fits_is_taken(crowded):
    problem, plan = crowded
    found = improve(problem, plan, turns=50, clock=CLOCK).plan
    problem = with_ride(problem, a_ride("LATE", ready="15:00"))
    today = place(problem, plan, "LATE", only_vehicle="small").plan
    # The small car has moved on, and who went from the large one to it is bound to it.
    assert rebase(problem, today, plan, found).thrown_away == 1
    today = rebase(replace(problem, rides=problem.rides[:2]), plan, plan, found)
    assert today.is_better
    assert (today.vehicle_ids, today.thrown_away) == (("large", "small"), 0)
    assert vehicle_of(today.plan, "PRTY") == "large"


def test_a_ride_that_is_no_more_is_not_brought_back(crowded):
    problem, plan = crowded
    found = improve(problem, plan, turns=50, clock=CLOCK).plan
    today = take_out(problem, plan, "FRST")
    fewer = replace(problem, rides=problem.rides[1:])
    rebased = rebase(fewer, today, plan, found)
    assert rebased.plan == today
    assert not rebased.is_better


def test_a_stop_that_became_a_fact_meanwhile_keeps_its_times(crowded):
    problem, plan = crowded
    found = improve(problem, plan, turns=50, clock=CLOCK).plan
    started = Stop("airport", boards=("FRST",), arrive_s=hhmm("10:00"), begin_s=hhmm("10:01"), depart_s=hhmm("10:03"))
    today = replace(problem, frozen={"large": (started,)})
    rebased = rebase(today, replace(start_plan(today), unplaced=plan.unplaced), plan, found)
    assert vehicle_of(rebased.plan, "FRST") == "large"


@pytest.mark.parametrize("seed", range(12))
def test_what_is_taken_is_valid_whatever_happened_meanwhile(seed):
    problem = a_random_day(seed, rides=12)
    plan = planned(problem)
    found = improve(problem, plan, seed=seed, turns=100, clock=CLOCK).plan
    gone = problem.rides[seed % 12].id
    today = take_out(problem, plan, gone)
    rest = replace(
        problem,
        rides=tuple(ride for ride in problem.rides if ride.id != gone),
        locks=(),
        told={key: told for key, told in problem.told.items() if key != gone},
    )
    rebased = rebase(rest, today, plan, found)
    assert validator.violations(problem_to_json(rest), plan_to_json(rebased.plan)) == []
    assert rebased.after <= rebased.before


def test_a_whole_day_comes_through_unchanged_when_nothing_happened():
    problem = a_random_day(3, rides=14)
    plan = plan_all(problem)
    found = improve(problem, plan, seed=3, turns=200, clock=CLOCK)
    assert rebase(problem, plan, plan, found.plan).after == found.after
