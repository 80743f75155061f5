import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rides import LINE, a_problem, a_random_day, a_ride, a_vehicle, hhmm, planned
from softlanding.dispatch.planner import (
    Break,
    Lock,
    Placed,
    Told,
    assign,
    index_of,
    place,
    plan_all,
    plan_to_json,
    problem_to_json,
    start_plan,
    take_out,
    vehicle_of,
)
from softlanding.dispatch.planner.repair.news import (
    at_moment,
    repair_breakdown,
    repair_cancellation,
    repair_changed_ride,
    repair_closed_road,
    repair_delay,
    repair_drop_out,
    repair_late,
)
from softlanding.dispatch.validator import violations
from softlanding.errors import NotFound, Refused

seeds = st.integers(0, 2**32)


def faults_in(repaired):
    return violations(problem_to_json(repaired.problem), plan_to_json(repaired.plan))


def moved_by(repaired):
    """Who changed vehicle: from, to."""
    changes = repaired.changes
    return {
        one.ride_id: (one.from_vehicle_id, one.to_vehicle_id)
        for one in changes
        if one.from_vehicle_id != one.to_vehicle_id
    }


def two_cars(*rides, **changes):
    """Every ride on the first car that it fits on."""
    problem = a_problem(a_vehicle(), a_vehicle("car-2"), *rides, **changes)
    plan = start_plan(problem)
    for ride in rides:
        answers = (place(problem, plan, ride.id, only_vehicle=car) for car in ("car-1", "car-2"))
        plan = next(answer.plan for answer in answers if isinstance(answer, Placed))
    return problem, plan


# A car breaks down


def test_who_waited_for_a_broken_car_is_given_another_and_nobody_else_moves():
    problem, plan = two_cars(a_ride("one"), a_ride("two", ready="12:00"), a_ride("three", ready="12:01", seats=4))
    assert {vehicle_of(plan, "one"), vehicle_of(plan, "two")} == {"car-1"}
    repaired = repair_breakdown(problem, plan, "car-1", hhmm("09:00"))
    assert faults_in(repaired) == []
    assert moved_by(repaired) == {"one": ("car-1", "car-2"), "two": ("car-1", None)}
    assert [one.ride_id for one in repaired.lost] == ["two"]
    assert vehicle_of(repaired.plan, "three") == "car-2"


def test_who_is_aboard_a_broken_car_is_fetched_from_where_it_stands():
    problem, plan = two_cars(a_ride())
    repaired = repair_breakdown(problem, plan, "car-1", hhmm("10:10"), place_id="east")
    assert faults_in(repaired) == []
    assert moved_by(repaired) == {"K7QX": ("car-1", "car-2")}
    fetched = next(one for one in repaired.plan.manifests if one.vehicle_id == "car-2").stops
    assert [(stop.place_id, stop.begin_s) for stop in fetched] == [
        ("east", hhmm("10:20")),
        ("venue", hhmm("10:51")),
    ]
    assert place(repaired.problem, start_plan(repaired.problem), "K7QX", only_vehicle="car-1").ride_id == "K7QX"


def test_who_has_arrived_when_the_car_breaks_down_need_not_be_fetched():
    problem, plan = two_cars(a_ride())
    repaired = repair_breakdown(problem, plan, "car-1", hhmm("10:30"), place_id="venue")
    assert faults_in(repaired) == []
    assert vehicle_of(repaired.plan, "K7QX") == "car-1"
    assert repaired.lost == ()


def test_who_cannot_be_brought_in_time_any_more_is_brought_late():
    problem, plan = two_cars(a_ride(latest_deliver_s=hhmm("10:50")))
    repaired = repair_breakdown(problem, plan, "car-1", hhmm("10:10"), place_id="east")
    assert faults_in(repaired) == []
    assert vehicle_of(repaired.plan, "K7QX") == "car-2"
    assert repaired.said == ("K7QX cannot be at venue by 10:50 UTC, and is brought as soon as can be",)


def test_a_lock_to_a_broken_car_stays_and_is_named_unless_the_passenger_was_aboard():
    locks = (Lock("to", "aboard", "car-1", "Ana", ""), Lock("to", "later", "car-1", "Bo", "asked"))
    problem, plan = two_cars(a_ride("aboard"), a_ride("later", ready="14:00"), locks=locks)
    repaired = repair_breakdown(problem, plan, "car-1", hhmm("10:10"))
    assert faults_in(repaired) == []
    assert repaired.problem.locks == locks[1:]
    assert repaired.said == ("the lock of Ana on aboard ends: car-1 broke down",)
    assert [(one.ride_id, one.reason, one.constraint) for one in repaired.lost] == [
        ("later", "later is locked to car-1 by Bo (asked), and car-1 takes nobody any more", "lock")
    ]


def test_nobody_is_ever_put_into_a_broken_car():
    problem, plan = two_cars(a_ride("one", board_service_s=0, alight_service_s=0))
    repaired = repair_breakdown(problem, plan, "car-1", hhmm("09:00"))
    for ride in repaired.problem.rides:
        without = take_out(repaired.problem, repaired.plan, ride.id)
        assert not isinstance(place(repaired.problem, without, ride.id, only_vehicle="car-1"), Placed)


# Others make room


def full_day(*, told=()):
    """`one` fits in either car and sits in the only one with a lift, when `chair` has no other."""
    plain, lift = a_vehicle("plain"), a_vehicle("with-lift", wheelchair_places=1)
    spare = a_vehicle("spare", wheelchair_places=1, seats=1)
    rides = a_ride("one", seats=4, luggage=2), a_ride("chair", wheelchairs=1)
    known = {ride_id: Told("with-lift", hhmm("10:00")) for ride_id in told}
    problem = a_problem(plain, lift, spare, *rides, told=known)
    plan = assign(problem, start_plan(problem), "one", "with-lift").plan
    return problem, assign(problem, plan, "chair", "spare").plan


def test_somebody_makes_room_rather_than_that_somebody_is_stranded():
    problem, plan = full_day()
    repaired = repair_breakdown(problem, plan, "spare", hhmm("08:30"))
    assert faults_in(repaired) == []
    assert moved_by(repaired) == {"chair": ("spare", "with-lift"), "one": ("with-lift", "plain")}
    assert repaired.lost == ()


def test_two_make_room_one_for_the_other():
    problem, plan = full_day()
    small = a_vehicle("small", luggage=0)
    filler = a_ride("filler", seats=4)
    problem = replace(problem, vehicles=(*problem.vehicles, small), rides=(*problem.rides, filler))
    plan = assign(
        problem, replace(plan, manifests=(*plan.manifests, start_plan(problem).manifests[1])), "filler", "plain"
    ).plan
    repaired = repair_breakdown(problem, plan, "spare", hhmm("08:30"))
    assert faults_in(repaired) == []
    assert moved_by(repaired) == {
        "chair": ("spare", "with-lift"),
        "one": ("with-lift", "plain"),
        "filler": ("plain", "small"),
    }


def test_a_lock_keeps_who_could_make_room_where_they_are():
    problem, plan = full_day()
    problem = replace(problem, locks=(Lock("to", "one", "with-lift", "Ana", ""),))
    repaired = repair_breakdown(problem, plan, "spare", hhmm("08:30"))
    assert vehicle_of(repaired.plan, "one") == "with-lift"
    assert [one.ride_id for one in repaired.lost] == ["chair"]


def test_of_those_who_could_make_room_one_who_was_told_nothing_does():
    rides = a_ride("told", seats=2), a_ride("untold", seats=2), a_ride("chair", wheelchairs=1, seats=1)
    cars = a_vehicle("lift", wheelchair_places=1), a_vehicle("spare", wheelchair_places=1), a_vehicle("plain", seats=2)
    problem = a_problem(*cars, *rides, told={"told": Told("lift", hhmm("10:00"))})
    plan = start_plan(problem)
    for ride_id, car in (("told", "lift"), ("untold", "lift"), ("chair", "spare")):
        plan = assign(problem, plan, ride_id, car).plan
    repaired = repair_breakdown(problem, plan, "spare", hhmm("08:30"))
    assert moved_by(repaired) == {"chair": ("spare", "lift"), "untold": ("lift", "plain")}


def test_when_somebody_must_be_left_it_is_the_one_of_lower_priority():
    problem, plan = two_cars(a_ride("guest", seats=4), a_ride("chair", seats=4, priority=2))
    car = vehicle_of(plan, "chair")
    repaired = repair_breakdown(problem, plan, car, hhmm("08:30"))
    assert faults_in(repaired) == []
    assert [one.ride_id for one in repaired.lost] == ["guest"]
    assert vehicle_of(repaired.plan, "chair") is not None


# Other news


def test_a_driver_who_drops_out_brings_on_who_is_aboard_and_keeps_what_fits_before():
    rides = a_ride("aboard"), a_ride("soon", ready="12:00"), a_ride("later", ready="15:00")
    problem, plan = two_cars(*rides)
    assert {vehicle_of(plan, ride.id) for ride in rides} == {"car-1"}
    later = repair_drop_out(problem, plan, "car-1", hhmm("13:00"))
    assert faults_in(later) == []
    assert moved_by(later) == {"later": ("car-1", "car-2")}
    problem, plan = at_moment(problem, plan, hhmm("10:10"))
    now = repair_drop_out(problem, plan, "car-1", hhmm("10:10"))
    assert faults_in(now) == []
    assert moved_by(now) == {"soon": ("car-1", "car-2"), "later": ("car-1", "car-2")}
    assert len(now.said) == 1


def test_a_driver_who_drops_out_owes_no_break():
    rest = Break("rest", hhmm("14:00"), hhmm("15:00"), 1800)
    problem = a_problem(a_vehicle(breaks=(rest,)), a_vehicle("car-2"), a_ride("one"), a_ride("two", ready="16:00"))
    repaired = repair_drop_out(problem, planned(problem), "car-1", hhmm("12:00"))
    assert faults_in(repaired) == []
    assert vehicle_of(repaired.plan, "two") == "car-2"


def test_a_cancellation_makes_room_for_somebody_without_a_place():
    problem = a_problem(a_ride("one", seats=4), a_ride("two", seats=4))
    plan = planned(problem)
    repaired = repair_cancellation(problem, plan, "one")
    assert faults_in(repaired) == []
    assert [ride.id for ride in repaired.problem.rides] == ["two"]
    assert moved_by(repaired) == {"one": ("car-1", None), "two": (None, "car-1")}
    assert repaired.plan.unplaced == ()
    again = repair_cancellation(problem, plan, "two")
    assert (again.plan.unplaced, [ride.id for ride in again.problem.rides]) == ((), ["one"])


def test_a_car_on_its_way_to_somebody_who_cancels_still_passes_there_and_who_is_aboard_cannot_cancel():
    problem, plan = two_cars(a_ride(from_place_id="mid"), a_ride("later", ready="12:00"))
    problem, plan = at_moment(problem, plan, hhmm("09:50"))
    assert [stop.place_id for stop in problem.frozen["car-1"]] == ["mid"]
    repaired = repair_cancellation(problem, plan, "K7QX")
    assert faults_in(repaired) == []
    assert [stop.place_id for stop in repaired.plan.manifests[0].stops] == ["mid", "airport", "venue"]
    problem, plan = at_moment(problem, plan, hhmm("10:05"))
    with pytest.raises(Refused, match="aboard car-1"):
        repair_cancellation(problem, plan, "K7QX")


def test_a_delayed_ride_keeps_its_car_if_it_can_and_else_finds_another():
    problem, plan = two_cars(a_ride("one"), a_ride("two", ready="12:00"))
    kept = repair_delay(problem, plan, "one", hhmm("10:30"))
    assert faults_in(kept) == []
    assert moved_by(kept) == {}
    assert [(one.ride_id, one.to_board_s) for one in kept.changes] == [("one", hhmm("10:30"))]
    moved = repair_delay(problem, plan, "one", hhmm("12:30"))
    assert faults_in(moved) == []
    assert moved_by(moved) == {"one": ("car-1", "car-2")}


def test_a_delay_that_makes_others_wait_long_is_not_shared():
    one, two = a_ride("one", latest_board_s=hhmm("11:00")), a_ride("two", latest_board_s=hhmm("11:00"))
    problem, plan = two_cars(one, two)
    assert vehicle_of(plan, "one") == vehicle_of(plan, "two")
    moved = repair_delay(problem, plan, "one", hhmm("10:55"))
    assert vehicle_of(moved.plan, "one") != vehicle_of(moved.plan, "two")


def test_a_talk_that_is_sooner_is_still_reached_or_the_reason_is_given():
    problem, plan = two_cars(a_ride())
    sooner = repair_changed_ride(problem, plan, replace(problem.rides[0], latest_deliver_s=hhmm("10:45")))
    assert (faults_in(sooner), sooner.changes, sooner.lost) == ([], (), ())
    never = repair_changed_ride(problem, plan, replace(problem.rides[0], latest_deliver_s=hhmm("10:30")))
    assert "after the deadline 10:30" in never.lost[0].reason


def test_who_is_aboard_may_change_where_to():
    problem, plan = two_cars(a_ride(), a_ride("with", ready="10:01"))
    problem, plan = at_moment(problem, plan, hhmm("10:10"))
    ride = replace(problem.rides[0], to_place_id="west")
    repaired = repair_changed_ride(problem, plan, ride)
    assert faults_in(repaired) == []
    assert [stop.place_id for stop in repaired.plan.manifests[0].stops] == ["airport", "venue", "west"]
    late = repair_changed_ride(problem, plan, replace(problem.rides[0], latest_deliver_s=hhmm("10:20")))
    assert faults_in(late) == []
    assert "after the deadline" in late.said[0]


def test_a_party_that_has_grown_gets_a_larger_car():
    problem = a_problem(a_vehicle(), a_vehicle("large", seats=8, start_place_id="venue"), a_ride())
    repaired = repair_changed_ride(problem, planned(problem), replace(problem.rides[0], seats=6))
    assert moved_by(repaired) == {"K7QX": ("car-1", "large")}
    assert faults_in(repaired) == []


def test_a_closed_road_is_driven_around_and_who_does_not_use_it_keeps_their_times():
    rides = a_ride("far", latest_deliver_s=hhmm("10:50")), a_ride("near", to_place_id="east", ready="10:01", seats=4)
    problem, plan = two_cars(*rides)
    slow = {("airport", "venue"): hhmm("0:45"), ("venue", "airport"): None}
    repaired = repair_closed_road(problem, plan, slow)
    assert faults_in(repaired) == []
    assert [(one.ride_id, one.to_deliver_s) for one in repaired.changes] == [("far", hhmm("10:46"))]
    closed = repair_closed_road(problem, plan, {("airport", place): None for place in LINE[1:]})
    assert faults_in(closed) == []
    assert [one.ride_id for one in closed.lost] == ["far", "near"]
    assert closed.lost[0].reason == "no way is known from airport to venue, so far cannot be planned"


def test_a_late_driver_keeps_who_still_fits():
    rides = a_ride("one", ride_max_s=3600), a_ride("two", ready="11:30", latest_board_s=hhmm("11:35"))
    problem, plan = two_cars(*rides)
    problem, plan = at_moment(problem, plan, hhmm("10:05"))
    late = replace(problem.frozen["car-1"][0], depart_s=hhmm("10:30"))
    repaired = repair_late(problem, plan, "car-1", (late,))
    assert faults_in(repaired) == []
    assert moved_by(repaired) == {"two": ("car-1", "car-2")}
    with pytest.raises(Refused, match="must keep who boards there"):
        repair_late(problem, plan, "car-1", ())


def test_unknown_rides_and_vehicles_are_named():
    problem, plan = two_cars(a_ride())
    for repair in (
        lambda: repair_breakdown(problem, plan, "car-9", 0),
        lambda: repair_drop_out(problem, plan, "car-9", 0),
        lambda: repair_late(problem, plan, "car-9", ()),
    ):
        with pytest.raises(NotFound, match="car-9"):
            repair()
    for repair in (
        lambda: repair_cancellation(problem, plan, "nobody"),
        lambda: repair_delay(problem, plan, "nobody", 0),
        lambda: repair_changed_ride(problem, plan, a_ride("nobody")),
    ):
        with pytest.raises(NotFound, match="nobody"):
            repair()


# Whatever happens, in whatever order


@settings(deadline=None, max_examples=150)
@given(seeds, st.booleans())
def test_after_any_news_the_plan_is_valid_and_facts_are_facts(seed, triangle):
    rng = random.Random(seed)
    problem = a_random_day(seed, rides=10, triangle=triangle)
    plan = plan_all(problem)
    for _ in range(6):
        repaired = _news(rng, problem, plan)
        assert faults_in(repaired) == []
        _facts_stay(problem, repaired)
        problem, plan = repaired.problem, repaired.plan
        if rng.random() < 0.5:
            problem, plan = at_moment(problem, plan, problem.now_s + rng.randint(0, 3000))
            assert violations(problem_to_json(problem), plan_to_json(plan)) == []


def test_locks_survive_two_hundred_placings_takings_out_and_repairs():
    for seed in range(6):
        rng = random.Random(seed)
        problem = a_random_day(seed, rides=12, vehicles=4)
        plan = plan_all(problem)
        assert problem.locks
        for _ in range(200):
            locks = problem.locks
            problem, plan = _anything(rng, problem, plan)
            assert violations(problem_to_json(problem), plan_to_json(plan)) == []
            assert problem.locks == locks


def _anything(rng, problem, plan):
    """One placing, taking out, or repair that ends no lock: nobody cancels, and nobody is aboard yet."""
    ride, car = rng.choice(problem.rides), rng.choice(problem.vehicles)
    kind = rng.randrange(5)
    if kind == 0:
        repaired = repair_delay(problem, plan, ride.id, max(0, ride.earliest_board_s + rng.randint(-1800, 1800)))
        return repaired.problem, repaired.plan
    if kind == 1:
        start, end = rng.sample(problem.matrix.place_ids, 2)
        repaired = repair_closed_road(problem, plan, {(start, end): rng.randint(200, 2400)})
        return repaired.problem, repaired.plan
    if kind == 2:
        return problem, assign(problem, plan, ride.id, car.id).plan
    held = vehicle_of(plan, ride.id)
    if kind == 3 and held:
        return problem, place(problem, take_out(problem, plan, ride.id), ride.id).plan
    return (problem, plan) if held else (problem, place(problem, plan, ride.id).plan)


def _news(rng, problem, plan):
    kind, car, ride = rng.randrange(7), rng.choice(problem.vehicles), rng.choice(problem.rides)
    at_s = problem.now_s + rng.randint(0, 6000)
    try:
        if kind == 0:
            place_id = rng.choice(["", *problem.matrix.place_ids])
            return repair_breakdown(problem, plan, car.id, at_s, place_id=place_id)
        if kind == 1:
            return repair_drop_out(problem, plan, car.id, at_s)
        if kind == 2:
            return repair_cancellation(problem, plan, ride.id)
        if kind == 3:
            return repair_delay(problem, plan, ride.id, max(0, ride.earliest_board_s + rng.randint(-1800, 5400)))
        if kind == 4:
            return repair_changed_ride(problem, plan, _another(rng, problem, ride))
        if kind == 5:
            start, end = rng.sample(problem.matrix.place_ids, 2)
            return repair_closed_road(problem, plan, {(start, end): rng.randint(200, 4000)})
        later = rng.randint(0, 1200)
        frozen = tuple(replace(stop, depart_s=stop.depart_s + later) for stop in problem.frozen.get(car.id, ()))
        return repair_late(problem, plan, car.id, frozen)
    except Refused:
        return _news(rng, problem, plan)


def _another(rng, problem, ride):
    places = [place_id for place_id in problem.matrix.place_ids if place_id != ride.from_place_id]
    return replace(
        ride,
        to_place_id=rng.choice([ride.to_place_id, *places]),
        seats=rng.choice([ride.seats, 1, 3]) or 1,
        latest_deliver_s=rng.choice([None, ride.latest_deliver_s, ride.latest_board_s + 1800]),
    )


def _facts_stay(before, repaired):
    """What had begun is begun in every plan to come, but for who was fetched from the roadside."""
    rescued = {one.ride_id for one in repaired.changes if one.from_vehicle_id != one.to_vehicle_id}
    for vehicle_id, stops in before.frozen.items():
        begun = [stop for stop in stops if stop.begin_s <= before.now_s]
        manifest = next(one for one in repaired.plan.manifests if one.vehicle_id == vehicle_id)
        now = [ride_id for stop in manifest.stops[: len(begun)] for ride_id in stop.boards]
        was = [ride_id for stop in begun for ride_id in stop.boards if ride_id not in rescued]
        assert [ride_id for ride_id in was if ride_id in index_of(repaired.problem).rides] == now
