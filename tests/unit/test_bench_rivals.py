"""A rival's routes as a plan of ours, with the benefit of every doubt; and who has beaten whom."""

from pathlib import Path

import pytest

from bench import rivals
from bench.judging import Judged, judge_rival
from bench.peers import REQUIREMENTS, version_of
from bench.planner_days import OURS, Run, beats_valid_rivals, serves_most, table_of
from bench.rivals import RIVALS, Rival, ask_rival, plan_of
from bench.rivals.nodes import Nodes
from rides import a_problem, a_ride, a_vehicle, hhmm
from softlanding.dispatch.planner import Break, problem_to_json
from softlanding.errors import Unavailable


def converted(problem, *visits):
    plan = plan_of(problem, {"car-1": [(ride_id, boards, hhmm(at)) for ride_id, boards, at in visits]})
    return plan, judge_rival(problem, plan)


ONE_AFTER_THE_OTHER = (("one", True, "10:00"), ("two", True, "10:05"), ("one", False, "10:50"), ("two", False, "10:50"))


def test_a_valid_route_is_a_valid_plan_and_who_boards_together_shares_a_stop():
    problem = a_problem(a_ride("one"), a_ride("two", ready="10:05"))
    plan, judged = converted(problem, *ONE_AFTER_THE_OTHER)
    assert judged == Judged(served=2, violations=0, over_limit=0)
    assert [stop.boards for stop in plan.manifests[0].stops] == [("one", "two"), ()]


def test_who_cannot_board_at_one_time_boards_one_after_the_other():
    patient = a_ride("two", ready="10:30")
    problem = a_problem(a_ride("one"), patient)
    plan, judged = converted(problem, *ONE_AFTER_THE_OTHER)
    assert judged.is_valid
    assert [stop.boards for stop in plan.manifests[0].stops][:2] == [("one",), ("two",)]


def test_breaks_are_laid_where_they_fit_although_the_rival_knows_none():
    rest = Break("rest", hhmm("11:00"), hhmm("13:00"), 1800)
    problem = a_problem(a_vehicle(breaks=(rest,)), a_ride("one"), a_ride("two", ready="14:00"))
    plan, judged = converted(
        problem, ("one", True, "10:00"), ("one", False, "10:41"), ("two", True, "14:00"), ("two", False, "14:41")
    )
    assert judged.is_valid
    assert [stop.break_id for stop in plan.manifests[0].stops] == [None, None, "rest", None, None]


def test_a_ride_over_its_limit_is_counted_and_so_is_everybody_left_out():
    problem = a_problem(a_ride("one", ride_max_s=2400), a_ride("two", ready="10:30"), a_ride("three"))
    plan, judged = converted(problem, *ONE_AFTER_THE_OTHER)
    assert judged == Judged(served=2, violations=1, over_limit=1)
    assert [one.ride_id for one in plan.unplaced] == ["three"]


def test_a_break_that_fits_nowhere_is_one_violation_and_no_ride_limit():
    rest = Break("rest", hhmm("10:10"), hhmm("10:20"), 1800)
    problem = a_problem(a_vehicle(breaks=(rest,)), a_ride("one"))
    _plan, judged = converted(problem, ("one", True, "10:00"), ("one", False, "10:41"))
    assert judged == Judged(served=1, violations=1, over_limit=0)


def test_a_route_that_comes_too_late_is_driven_all_the_same_and_judged():
    problem = a_problem(a_vehicle(start_place_id="venue", shift_start_s=hhmm("10:00")), a_ride("one"))
    _plan, judged = converted(problem, ("one", True, "10:00"), ("one", False, "10:41"))
    assert (judged.served, judged.is_valid) == (1, False)


def test_nodes_hold_what_a_stop_of_ours_means():
    problem = a_problem(a_ride("one"), a_ride("two"), a_ride("back", from_place_id="venue", to_place_id="airport"))
    nodes = Nodes(problem_to_json(problem))
    one_boards, one_alights, two_boards, two_alights, back_boards, _ = range(6)
    assert nodes.between(one_boards, two_boards) == nodes.between(one_alights, two_alights) == 0
    assert nodes.between(one_boards, one_alights) == 60 + 2400
    assert nodes.between(one_alights, back_boards) == 30
    assert (nodes.early[one_boards], nodes.late[one_boards]) == (hhmm("10:00"), hhmm("10:20"))


def run(planner, served, violations=0, budget_s=1.0, seed=1):
    return Run(planner, "ordinary", seed, budget_s, Judged(served, violations, 0), 1.0)


def test_a_valid_plan_of_a_rival_must_serve_fewer_and_an_invalid_one_is_no_match():
    assert beats_valid_rivals([run(OURS, 286), run("vroom", 285), run("pyvrp", 290, violations=3)])
    assert not beats_valid_rivals([run(OURS, 286), run("vroom", 286)])
    assert not beats_valid_rivals([run(OURS, 286), run(OURS, 286, seed=2), run("vroom", 287, seed=2)])


def test_without_a_rival_nobody_is_beaten():
    not_run = Run("vroom", "ordinary", 1, 1.0, None, not_run="no network")
    assert not beats_valid_rivals([run(OURS, 286), not_run])
    assert serves_most([run(OURS, 286), not_run], 1.0) is None


def test_who_serves_most_counts_invalid_plans_too_and_only_this_budget():
    runs = [run(OURS, 280), run("vroom", 290, violations=9), run(OURS, 290, budget_s=10), run("vroom", 290, 9, 10)]
    assert serves_most(runs, 10) is True
    assert serves_most(runs, 1) is False


def test_the_table_has_every_day_side_by_side_and_says_why_a_rival_did_not_run():
    not_run = Run("vroom", "ordinary", 1, 1.0, None, not_run="no network")
    rows = table_of([run(OURS, 280), run(OURS, 282, seed=2), not_run])["ordinary"]["1 s"]
    assert (rows[OURS]["served"], rows[OURS]["mean"], rows[OURS]["valid"]) == ("280 / 282", 281, "2 of 2")
    assert (rows["vroom"]["served"], rows["vroom"]["not_run"]) == ("-", "no network")


def test_every_rival_has_its_program_and_pinned_requirements_with_hashes():
    for rival in RIVALS:
        assert (Path(rivals.__file__).parent / rival.program).is_file()
        assert version_of(rival.library)
        assert "--hash=sha256:" in (REQUIREMENTS / f"bench-{rival.library}.txt").read_text()


def test_a_rival_that_cannot_be_had_says_so(tmp_path):
    with pytest.raises(Unavailable, match=r"requirements/bench-nobody.txt is not here"):
        ask_rival(Rival("nobody", "nobody", "x.py"), a_problem(), tmp_path, budget_s=1, seed=1, threads=1)
