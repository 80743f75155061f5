import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rides import a_problem, a_random_day, a_ride, a_vehicle, hhmm, planned
from softlanding.dispatch.planner import (
    Comfort,
    Lock,
    Told,
    assign,
    cost_of_plan,
    place,
    plan_all,
    start_plan,
    take_out,
    vehicle_of,
)
from softlanding.dispatch.planner.explain.differences import Change, changes_between, difference, why_this_vehicle
from softlanding.dispatch.planner.repair.news import at_moment, repair_breakdown, repair_cancellation
from softlanding.errors import NotFound


def test_the_next_best_vehicles_and_what_they_would_cost_are_named():
    near, far = a_vehicle("near"), a_vehicle("far", start_place_id="mid")
    late = a_vehicle("late", shift_start_s=hhmm("10:10"))
    problem = a_problem(near, far, late, a_vehicle("small", seats=0), a_ride())
    why = why_this_vehicle(problem, planned(problem), "K7QX")
    assert why.vehicle_id == "near"
    assert why.words == "K7QX is on near: far could take K7QX, but it would drive 20 min more"
    assert [(one.vehicle_id, one.words) for one in why.others] == [
        ("far", "far could take K7QX, but it would drive 20 min more"),
        ("late", "late could take K7QX, but K7QX would board 10 min later"),
    ]
    assert why.others[0].more.driving == 1200
    assert why.others_fit == 2


def test_others_who_would_wait_for_it_are_a_reason_too():
    held = a_ride("held", ready="10:15", from_place_id="mid")
    one, two = a_vehicle("one"), a_vehicle("two", start_place_id="mid")
    problem = a_problem(one, two, held, a_ride())
    plan = assign(problem, assign(problem, planned(problem, "held"), "held", "two").plan, "K7QX", "one").plan
    assert (
        why_this_vehicle(problem, plan, "K7QX").words
        == "K7QX is on one: two could take K7QX, but others would wait longer"
    )


def test_what_a_passenger_was_told_is_a_reason():
    cars = a_vehicle("car-1"), a_vehicle("car-2", start_place_id="east")
    problem = a_problem(*cars, a_ride(), told={"K7QX": Told("car-2", hhmm("10:00"))})
    assert why_this_vehicle(problem, planned(problem), "K7QX").words == (
        "K7QX is on car-2: car-1 could take K7QX, but K7QX has been told car-2"
    )


def test_a_long_day_at_the_wheel_is_a_reason():
    cars = a_vehicle("near"), a_vehicle("far", start_place_id="mid")
    problem = a_problem(*cars, a_ride("first", ready="08:00"), a_ride(), comfort=Comfort(wheel_free_s=3600))
    plan = assign(problem, assign(problem, start_plan(problem), "K7QX", "far").plan, "first", "near").plan
    assert why_this_vehicle(problem, plan, "K7QX").words == (
        "K7QX is on far: near could take K7QX, but its driver would drive 2 h"
    )
    other = assign(problem, plan, "K7QX", "near").plan
    assert difference(problem, plan, other).gains[0] == (
        "drivers at the wheel beyond 1 h: 1 h in all instead of 0 min, the longest 1 h instead of 0 min"
    )


def test_a_better_vehicle_is_not_hidden():
    problem = a_problem(a_vehicle("near"), a_vehicle("far", start_place_id="mid"), a_ride())
    plan = assign(problem, planned(problem), "K7QX", "far").plan
    assert why_this_vehicle(problem, plan, "K7QX").words == (
        "K7QX is on far, though another would be better now: near: it would drive 20 min less"
    )


def test_facts_locks_lone_vehicles_and_missing_places_are_said_as_such():
    lone = a_problem(a_ride())
    assert why_this_vehicle(lone, planned(lone), "K7QX").words == "K7QX is on car-1: no other vehicle could take it"
    locked = replace(lone, locks=(Lock("to", "K7QX", "car-1", "Ana", "asked"),))
    assert why_this_vehicle(locked, planned(locked), "K7QX").words == "K7QX is locked to car-1 by Ana (asked)"
    aboard, plan = at_moment(lone, planned(lone), hhmm("10:10"))
    assert "that is a fact" in why_this_vehicle(aboard, plan, "K7QX").words
    full = a_problem(a_ride("K7QX", seats=9))
    why = why_this_vehicle(full, planned(full), "K7QX")
    assert (why.vehicle_id, why.words) == (
        None,
        "K7QX has no place: K7QX needs 9 seats, car-1 has 4",
    )
    with pytest.raises(NotFound, match="nobody"):
        why_this_vehicle(lone, planned(lone), "nobody")
    with pytest.raises(NotFound, match="not part of this plan"):
        why_this_vehicle(lone, take_out(lone, planned(lone), "K7QX"), "K7QX")


def test_the_difference_says_who_changes_whom_to_tell_and_what_is_gained():
    problem = a_problem(
        a_vehicle(),
        a_vehicle("car-2", start_place_id="east"),
        a_ride("one", ready="10:20"),
        a_ride("two", ride_max_s=2400),
    )
    before = assign(problem, planned(problem, "two"), "one", "car-2").plan
    after = assign(problem, take_out(problem, before, "two"), "two", "car-2").plan
    found = difference(problem, before, after)
    assert [(one.ride_id, one.from_vehicle_id, one.to_vehicle_id) for one in found.changes] == [
        ("two", "car-1", "car-2")
    ]
    assert (found.passengers, found.vehicles) == (("two",), ("car-1", "car-2"))
    assert found.words == ("two moves from car-1 to car-2 and boards at 10:20 UTC instead of 10:00 UTC",)
    assert found.gains == (
        "waiting beyond 5 min: 15 min in all instead of 0 min, the longest 15 min instead of 0 min",
        "driving: 50 min instead of 1 h 30",
    )
    assert found.gained.waiting == -(900**2)
    assert found.gained.driving == 2400


def test_a_few_minutes_on_the_same_car_are_told_to_nobody_but_shown():
    problem = a_problem(a_ride("one"), a_ride("two", ready="10:04"))
    before = planned(problem, "one")
    after = place(problem, before, "two").plan
    found = difference(problem, before, after)
    assert found.words == (
        "one boards car-1 at 10:04 UTC instead of 10:00 UTC",
        "two is now on car-1 and boards at 10:04 UTC",
    )
    assert found.passengers == ("two",)
    told = replace(problem, told={"one": Told("car-1", hhmm("09:58"))})
    assert difference(told, before, after).passengers == ("one", "two")


def test_a_repair_is_told_as_a_difference_between_two_problems():
    problem = a_problem(a_ride("one"), a_ride("two", ready="12:00"))
    plan = planned(problem)
    broken = repair_breakdown(problem, plan, "car-1", hhmm("09:00"))
    found = difference(broken.problem, plan, broken.plan, was=problem)
    assert found.words[0].startswith("one is no longer on car-1: one needs 1 seat")
    assert found.passengers == ("one", "two")
    assert found.gains[0] == "without a place: 2 rides instead of 0"
    cancelled = repair_cancellation(problem, plan, "one")
    assert difference(cancelled.problem, plan, cancelled.plan, was=problem).words[0] == "one is no longer on car-1"


def test_the_same_plan_has_no_difference():
    problem = a_problem(a_ride())
    plan = planned(problem)
    found = difference(problem, plan, plan)
    assert (found.changes, found.passengers, found.vehicles, found.words, found.gains) == ((), (), (), (), ())


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32))
def test_what_is_said_of_other_vehicles_and_of_plans_is_what_they_cost(seed):
    rng = random.Random(seed)
    problem = a_random_day(seed)
    plan = plan_all(problem)
    for ride in problem.rides:
        why = why_this_vehicle(problem, plan, ride.id)
        assert why.words
        for other in why.others:
            moved = assign(problem, plan, ride.id, other.vehicle_id).plan
            cost, was = cost_of_plan(problem, moved), cost_of_plan(problem, plan)
            assert other.more == tuple(a - b for a, b in zip(cost, was, strict=True))
    ride, car = rng.choice(problem.rides), rng.choice(problem.vehicles)
    after = assign(problem, plan, ride.id, car.id).plan
    found = difference(problem, plan, after)
    assert len(found.words) == len(found.changes)
    for change in found.changes:
        assert isinstance(change, Change)
        assert change.from_vehicle_id == vehicle_of(plan, change.ride_id)
        assert change.to_vehicle_id == vehicle_of(after, change.ride_id)
    assert changes_between(plan, plan) == ()
