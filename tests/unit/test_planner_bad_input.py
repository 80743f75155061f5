"""Whatever one asks: refused, or planned around, in words that name it; never an endless loop, never a plan that the
validator rejects."""

import copy
import json
import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rides import LINE, a_matrix, a_problem, a_random_day, a_ride, a_vehicle, hhmm, planned
from softlanding.dispatch.planner import (
    Break,
    Lock,
    Placed,
    Stop,
    Told,
    Unplaced,
    at_moment,
    index_of,
    lift_broken_limits,
    place,
    plan_all,
    plan_to_json,
    problem_from_json,
    problem_to_json,
    repair_breakdown,
    repair_changed_ride,
    repair_delay,
    repair_drop_out,
    start_plan,
    vehicle_of,
    with_ride,
)
from softlanding.dispatch.travel import Matrix
from softlanding.dispatch.validator import violations
from softlanding.errors import Invalid

seeds = st.integers(0, 2**32)


def faults_in(problem, plan):
    return violations(problem_to_json(problem), plan_to_json(plan))


def unplaced_in(problem):
    """Planned in one go: the rides without a place, each with its reason."""
    plan = plan_all(problem)
    assert faults_in(problem, plan) == []
    return {one.ride_id: one.reason for one in plan.unplaced}


# Rides that nobody can serve are unplaced, with their reason, and the others are served


@pytest.mark.parametrize(
    ("ride", "words"),
    [
        ({"latest_board_s": hhmm("09:00")}, "K7QX is ready at 10:00 UTC, but should have boarded by 09:00 UTC"),
        ({"latest_deliver_s": hhmm("10:40")}, "after the deadline 10:40 UTC"),
        (
            {"earliest_deliver_s": hhmm("15:00"), "ride_max_s": hhmm("1:00")},
            "must not be at venue before 15:00 UTC, but boards by 10:20 UTC and rides no longer than 60 min",
        ),
        (
            {"earliest_deliver_s": hhmm("11:00"), "latest_deliver_s": hhmm("10:50")},
            "K7QX must not be at venue before 11:00 UTC, but should be there by 10:50 UTC",
        ),
        ({"ride_max_s": 0}, "longer than the 0 min that K7QX may ride"),
        ({"expires_s": 0}, "K7QX was of use only until 00:00 UTC"),
        ({"seats": 5}, "no vehicle has 5 seats for K7QX; the largest has 4"),
        ({"seats": 3, "wheelchairs": 1}, "no single vehicle has all that K7QX needs"),
        ({"needs_skills": ("latin",)}, "no vehicle has latin, which K7QX needs"),
        ({"earliest_board_s": hhmm("23:00"), "latest_board_s": hhmm("23:30")}, "is on shift between 23:00"),
    ],
)
def test_a_ride_that_cannot_be_served_is_named_and_the_others_are_served(ride, words):
    lift = a_vehicle("lift", seats=2, wheelchair_places=1)
    problem = a_problem(a_vehicle(), lift, a_ride(**ride), a_ride("fine", ready="12:00"))
    found = unplaced_in(problem)
    assert set(found) == {"K7QX"}
    assert words in found["K7QX"]


def test_a_conference_without_vehicles_or_rides_is_planned_all_the_same():
    empty = replace(a_problem(a_ride()), vehicles=())
    assert unplaced_in(empty) == {"K7QX": "there is no vehicle"}
    assert place(empty, start_plan(empty), "K7QX").ways_out[0].kind == "taxi"
    assert unplaced_in(a_problem()) == {}


def test_a_ride_locked_to_a_car_that_cannot_take_it_is_named():
    lock = Lock("to", "K7QX", "small", "Ana", "asked")
    problem = a_problem(a_vehicle(), a_vehicle("small", seats=1), a_ride(seats=3), locks=(lock,))
    assert unplaced_in(problem) == {"K7QX": "K7QX needs 3 seats, small has 1"}


# What makes no sense is refused, each fault with its place


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from_place_id": "moon"}, "ride K7QX: place moon is not in the matrix"),
        ({"to_place_id": "airport"}, "ride K7QX: goes from airport to the same place"),
        ({"earliest_board_s": -1}, "ride K7QX: earliest_board_s is -1; it cannot be negative"),
        ({"ride_max_s": -1}, "ride K7QX: ride_max_s is -1; it cannot be negative"),
        ({"seats": -2}, "ride K7QX: seats is -2; it cannot be negative"),
        ({"seats": 0}, "ride K7QX: carries nobody: give seats, wheelchairs or luggage"),
        ({"latest_board_s": 1_777_500_000_000}, "ride K7QX: latest_board_s is 1777500000000, beyond anything real"),
    ],
)
def test_a_ride_that_makes_no_sense_is_refused_by_every_door(changes, words):
    bad = a_ride(**changes)
    problem = a_problem(a_vehicle(), a_vehicle("car-2"), a_ride(), a_ride("other"))
    plan = planned(problem)
    doors = (
        lambda: start_plan(a_problem(bad)),
        lambda: plan_all(a_problem(bad)),
        lambda: problem_from_json(json.loads(json.dumps(problem_to_json(a_problem(bad))))),
        lambda: with_ride(a_problem(a_ride("other")), bad),
        lambda: repair_changed_ride(problem, plan, bad),
    )
    for door in doors:
        with pytest.raises(Invalid) as refused:
            door()
        assert words in "; ".join(f"{fault.where}: {fault.what}" for fault in refused.value.faults)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (lambda: a_problem(a_vehicle(shift_end_s=0)), "its shift ends before it begins"),
        (lambda: a_problem(a_vehicle(span_max_s=-1)), "span_max_s is -1"),
        (lambda: a_problem(a_vehicle(start_place_id="moon")), "place moon is not in the matrix"),
        (lambda: a_problem(a_vehicle(breaks=(Break("rest", 9, 5, 1),))), "break rest"),
        (lambda: a_problem(a_vehicle(breaks=(Break("", 5, 9, 1),))), "has no id"),
        (lambda: a_problem(a_vehicle(""), a_ride()), "has no id"),
        (lambda: a_problem(now_s=-1), "now_s is -1"),
        (lambda: a_problem(now_s=10**10), "now_s is 10000000000"),
        (lambda: a_problem(told={"K7QX": Told("car-1", -5)}), "told: K7QX: board_s is -5"),
        (lambda: a_problem(a_ride(), frozen={"car-9": ()}), "vehicle car-9 is unknown"),
        (lambda: frozen_in("car-1", Stop("moon")), "place moon is not in the matrix"),
        (lambda: frozen_in("car-1", Stop("airport", boards=("nobody",))), "ride nobody is unknown"),
        (lambda: frozen_in("car-1", Stop("airport", depart_s=-1)), "depart_s is -1"),
        (lambda: frozen_in("car-1", Stop("airport", boards=("K7QX", "K7QX"))), "K7QX is given more than once"),
        (lambda: two_boardings(), "K7QX alights there, but boarded car-1"),
        (lambda: ordered("K7QX"), "give at least two rides, each once"),
        (lambda: ordered("K7QX", "K7QX"), "give at least two rides, each once"),
        (lambda: ordered("K7QX", "nobody"), "but nobody is unknown"),
        (lambda: a_problem(matrix=Matrix(LINE, a_matrix().seconds[:2])), "5 rows of 5"),
        (lambda: a_problem(matrix=a_matrix(step_s=10**12)), "a drive takes no less than 0"),
    ],
)
def test_a_problem_that_makes_no_sense_is_refused_with_words_that_say_where(problem, words):
    with pytest.raises(Invalid) as refused:
        plan_all(problem())
    assert words in "; ".join(
        f"{fault.where} {fault.what} {fault.where}: {fault.what}" for fault in refused.value.faults
    )


def frozen_in(vehicle_id, *stops):
    return a_problem(a_ride(), frozen={vehicle_id: stops})


def two_boardings():
    frozen = {"car-1": (Stop("airport", boards=("K7QX",)),), "car-2": (Stop("venue", alights=("K7QX",)),)}
    return a_problem(a_vehicle(), a_vehicle("car-2"), a_ride(), frozen=frozen)


def ordered(*ride_ids):
    return a_problem(a_ride(), a_ride("other"), locks=(Lock("order", "", "", "Ana", "", ride_ids),))


def test_times_that_are_missing_are_named_and_not_guessed():
    plain = problem_to_json(a_problem(a_ride()))
    plain["rides"][0]["earliest_board_s"] = None
    del plain["rides"][0]["latest_board_s"]
    plain["vehicles"][0]["shift_end_s"] = "20:00"
    with pytest.raises(Invalid) as refused:
        problem_from_json(plain)
    where = {fault.where for fault in refused.value.faults}
    assert where == {"rides.0.earliest_board_s", "rides.0.latest_board_s", "vehicles.0.shift_end_s"}


# Facts that break limits


def over_hours(**changes):
    """K7QX is aboard; the shift was over ten minutes ago."""
    aboard = Stop("airport", boards=("K7QX",), arrive_s=hhmm("19:40"), begin_s=hhmm("19:40"), depart_s=hhmm("19:45"))
    cars = a_vehicle(), a_vehicle("car-2", shift_end_s=hhmm("23:00"))
    rides = a_ride(ready="19:40"), a_ride("next", ready="20:20")
    return a_problem(*cars, *rides, frozen={"car-1": (aboard,)}, now_s=hhmm("20:10"), **changes)


def test_a_passenger_aboard_a_car_whose_shift_is_over_is_named_and_then_brought_on():
    problem = over_hours()
    with pytest.raises(Invalid, match="vehicle car-1: car-1 would be done at"):
        start_plan(problem)
    lifted, said = lift_broken_limits(problem)
    assert said == ("car-1 would be done at 20:50 UTC, 51 min after its shift ends: allowed, as it cannot be helped",)
    plan = plan_all(lifted)
    assert faults_in(lifted, plan) == []
    assert vehicle_of(plan, "next") == "car-2"


def test_news_about_a_car_whose_shift_is_over_are_answered():
    lifted, _said = lift_broken_limits(over_hours())
    plan = plan_all(lifted)
    for repaired in (
        repair_breakdown(lifted, plan, "car-1", hhmm("20:15"), place_id="mid"),
        repair_drop_out(lifted, plan, "car-1", hhmm("20:15")),
        repair_delay(lifted, plan, "next", hhmm("21:00")),
    ):
        assert faults_in(repaired.problem, repaired.plan) == []
        assert repaired.lost == ()


# Size, and matrices without sense


def test_one_ride_more_into_ten_thousand_is_quick():
    rng = random.Random(5)
    people = [
        a_ride(f"r{number}", ready=f"{rng.randint(8, 17):02}:{rng.randint(0, 59):02}", to_place_id=rng.choice(LINE[1:]))
        for number in range(10_000)
    ]
    problem = a_problem(*(a_vehicle(f"car-{number}") for number in range(100)), *people)
    plan = start_plan(problem)
    for ride in people[:500]:
        plan = place(problem, plan, ride.id).plan
    took = []
    for ride in people[500:540]:
        began = time.thread_time()
        answer = place(problem, plan, ride.id)
        took.append(time.thread_time() - began)
        plan = answer.plan
    assert sorted(took)[len(took) // 2] < 0.1
    assert faults_in(problem, plan) == []


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_a_matrix_that_breaks_the_triangle_inequality_gives_valid_plans(seed):
    rng = random.Random(seed)
    problem = a_random_day(seed, rides=8, triangle=False)
    rows = [list(row) for row in problem.matrix.seconds]
    for _ in range(6):
        start, end = rng.randrange(len(rows)), rng.randrange(len(rows))
        rows[start][end] = rng.choice([0, 0, 1, 40_000])
    problem = replace(problem, matrix=Matrix(problem.matrix.place_ids, tuple(map(tuple, rows))))
    problem, _said = lift_broken_limits(problem)  # A car may no longer come home from its break in time.
    assert faults_in(problem, plan_all(problem)) == []


# Anything at all


STRANGE = [
    None, -1, 0, 1, 7, 86400, 10**6, 10**12, 10**30, -(10**15), 1.5, "", "x", "p0", "r0", "car-0", True, [], {},
    ["r0"], ["r0", "r1"], ["x"], [None], "2026-05-01T00:00:00Z", "never",
]  # fmt: skip


@settings(deadline=None, max_examples=250)
@given(seeds)
def test_a_saved_day_with_anything_in_it_is_refused_or_planned(seed):
    rng = random.Random(seed)
    problem = a_random_day(seed % 50, rides=6, vehicles=2)
    if rng.random() < 0.6:
        problem, _plan = at_moment(problem, plan_all(problem), rng.randint(0, 12000))
    plain = json.loads(json.dumps(problem_to_json(problem)))
    places = [path for path in _paths(plain) if path and path[0] != "names"]
    facts = [path for path in places if path[0] in ("frozen", "locks", "told")]
    _put(plain, rng.choice(facts if facts and rng.random() < 0.5 else places), copy.deepcopy(rng.choice(STRANGE)))
    try:
        read, _said = lift_broken_limits(problem_from_json(plain))
    except Invalid:
        return
    plan = plan_all(read)
    assert faults_in(read, plan) == []
    assert json.loads(json.dumps(plan_to_json(plan)))
    for ride_id in list(index_of(read).rides)[:2]:
        answer = place(read, replace(plan, unplaced=()), ride_id) if not vehicle_of(plan, ride_id) else None
        assert answer is None or isinstance(answer, Placed | Unplaced)


def _paths(value, path=()):
    yield path
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield from _paths(value[key], (*path, key))


def _put(value, path, new):
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new
