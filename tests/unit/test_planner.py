import json
import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rides import LINE, a_matrix, a_problem, a_random_day, a_ride, a_vehicle, hhmm, planned
from softlanding.dispatch.planner import (
    Break,
    Comfort,
    Infeasible,
    Lock,
    Placed,
    Prices,
    Schedule,
    Stop,
    Told,
    Unplaced,
    Vehicle,
    assign,
    check_stops,
    cost_of_plan,
    lift_broken_limits,
    place,
    plan_all,
    plan_from_json,
    plan_to_json,
    problem_from_json,
    problem_to_json,
    seconds_at,
    start_plan,
    take_out,
    time_at,
    vehicle_of,
    with_ride,
    without_ride,
)
from softlanding.dispatch.planner.explain.ways_out import stops_without
from softlanding.dispatch.planner.index import index_of
from softlanding.dispatch.planner.objective import excess_cost, unsure_of, waiting_cost
from softlanding.dispatch.travel import Matrix
from softlanding.dispatch.validator import violations
from softlanding.errors import Invalid, NotFound, Refused

seeds = st.integers(0, 2**32)
slow_ok = settings(deadline=None, max_examples=150)


def faults_in(problem, plan):
    return violations(problem_to_json(problem), plan_to_json(plan))


def stops_of(plan, vehicle_id="car-1"):
    """Place, who boards, who alights, when service begins: what a manifest says, in short."""
    manifest = next(one for one in plan.manifests if one.vehicle_id == vehicle_id)
    return [(stop.place_id, stop.boards, stop.alights, stop.begin_s) for stop in manifest.stops]


# One ride


def test_a_ride_is_fetched_when_ready_and_brought_the_direct_way():
    problem = a_problem(a_ride())
    answer = place(problem, start_plan(problem), "K7QX")
    assert isinstance(answer, Placed)
    assert (answer.vehicle_id, answer.board_s, answer.deliver_s) == ("car-1", hhmm("10:00"), hhmm("10:41"))
    assert stops_of(answer.plan) == [
        ("airport", ("K7QX",), (), hhmm("10:00")),
        ("venue", (), ("K7QX",), hhmm("10:41")),
    ]
    assert answer.plan.unplaced == ()


def test_the_nearer_vehicle_takes_it_and_ties_go_to_the_lower_id():
    far, near = a_vehicle("car-1", start_place_id="venue"), a_vehicle("car-2")
    problem = a_problem(far, near, replace(near, id="car-3"), a_ride())
    assert place(problem, start_plan(problem), "K7QX").vehicle_id == "car-2"


def test_passengers_of_one_place_and_time_share_a_stop():
    problem = a_problem(a_ride("one"), a_ride("two", ready="10:02"))
    plan = planned(problem)
    assert stops_of(plan) == [
        ("airport", ("one", "two"), (), hhmm("10:02")),
        ("venue", (), ("one", "two"), hhmm("10:43")),
    ]


def test_nobody_waits_beyond_comfort_to_spare_a_drive():
    problem = a_problem(a_vehicle(), a_vehicle("car-2"), a_ride("one"), a_ride("two", ready="10:18"))
    plan = planned(problem)
    assert {vehicle_of(plan, "one"), vehicle_of(plan, "two")} == {"car-1", "car-2"}


def test_a_ride_that_would_be_too_long_boards_later_instead_of_being_refused():
    waits = a_ride("late", ready="10:00", from_place_id="east", latest_board_s=hhmm("11:00"), ride_max_s=hhmm("0:40"))
    joins = a_ride("joins", ready="10:30", from_place_id="mid", latest_board_s=hhmm("10:30"))
    problem = a_problem(waits, joins)
    stops = [
        Stop("east", boards=("late",)),
        Stop("mid", boards=("joins",)),
        Stop("venue", alights=("late", "joins")),
    ]
    schedule = check_stops(problem, problem.vehicles[0], stops)
    assert isinstance(schedule, Schedule)
    assert [stop.begin_s for stop in schedule.stops] == [hhmm("10:10"), hhmm("10:30"), hhmm("10:51")]


# A driver's hours


def test_a_driver_leaves_just_in_time_when_hours_are_limited():
    early, late = a_ride("early", ready="10:00", from_place_id="east"), a_ride("late", ready="12:00")
    problem = a_problem(a_vehicle(span_max_s=hhmm("4:00")), early, replace(late, to_place_id="east"))
    plan = planned(problem)
    manifest = plan.manifests[0]
    assert (manifest.stops[0].arrive_s, manifest.stops[0].begin_s) == (hhmm("10:00"), hhmm("10:00"))
    assert faults_in(problem, plan) == []
    tight = replace(problem, vehicles=(a_vehicle(span_max_s=hhmm("2:00")),))
    answer = place(tight, planned(tight, "early"), "late")
    assert isinstance(answer, Unplaced)
    assert (answer.reason, answer.constraint) == (
        "the driver of car-1 would be out for 2 h 02, longer than 2 h",
        "span",
    )


def test_who_waits_shortens_the_drivers_hours_as_far_as_the_window_permits():
    first = a_ride("first", ready="10:00", latest_board_s=hhmm("10:30"), to_place_id="mid", ride_max_s=1800)
    second = a_ride("second", ready="11:00", from_place_id="mid", latest_board_s=hhmm("11:10"))
    stops = [
        Stop("airport", boards=("first",)),
        Stop("mid", alights=("first",)),
        Stop("mid", boards=("second",)),
        Stop("venue", alights=("second",)),
    ]
    problem = a_problem(a_vehicle(span_max_s=hhmm("1:02")), first, second)
    assert check_stops(problem, problem.vehicles[0], stops).stops[0].begin_s == hhmm("10:19") + 30
    problem = a_problem(a_vehicle(span_max_s=hhmm("0:50")), first, second)
    assert check_stops(problem, problem.vehicles[0], stops).reason == (
        "the driver of car-1 would be out for 52 min, longer than 50 min"
    )


def test_hours_count_from_when_the_driver_left():
    fetched = Stop("east", boards=("K7QX",), arrive_s=hhmm("10:00"), begin_s=hhmm("10:20"), depart_s=hhmm("10:20"))
    problem = a_problem(a_vehicle(span_max_s=hhmm("0:55")), a_ride(from_place_id="east"), frozen={"car-1": (fetched,)})
    with pytest.raises(Invalid, match="would be out for 1 h 01, longer than 55 min"):
        start_plan(problem)
    lifted, said = lift_broken_limits(problem)
    assert lifted.vehicles[0].span_max_s == hhmm("1:00") + 30
    assert said == ("the driver of car-1 would be out for 1 h 01, longer than 55 min: allowed, as it cannot be helped",)
    assert faults_in(lifted, start_plan(lifted)) == []


# What passengers know already


def test_nobody_gets_another_car_for_less_driving_than_they_were_told():
    told = {"K7QX": Told("car-2", hhmm("10:00"))}
    cars = a_vehicle("car-1"), a_vehicle("car-2", start_place_id="east")
    plan = planned(a_problem(*cars, a_ride()))
    assert vehicle_of(plan, "K7QX") == "car-1"
    problem = a_problem(*cars, a_ride(), told=told)
    kept = planned(problem)
    assert vehicle_of(kept, "K7QX") == "car-2"
    assert (cost_of_plan(problem, kept).changes, cost_of_plan(problem, plan).changes) == (0, 2 * 2)
    soon = replace(problem, now_s=hhmm("09:40"))
    assert cost_of_plan(soon, plan).changes == 2 * 8


def test_another_time_is_a_change_from_five_minutes_on():
    for late, price in ((300, 0), (301, 2), (-301, 2)):
        problem = a_problem(a_ride(), told={"K7QX": Told("car-1", hhmm("10:00") - late)})
        assert cost_of_plan(problem, planned(problem)).changes == price


# What nobody knows yet, and who drives much already


@pytest.mark.parametrize("order", [("known", "unsure"), ("unsure", "known")])
def test_of_two_ready_together_the_one_who_may_be_ready_sooner_is_fetched_first(order):
    patient = {"latest_board_s": hhmm("12:00")}
    rides = a_ride("known", **patient), a_ride("unsure", ready_spread_s=1080, **patient)
    plan = planned(a_problem(a_vehicle(seats=1), *rides), *order)
    assert [stop.boards for stop in plan.manifests[0].stops if stop.boards] == [("unsure",), ("known",)]


@given(st.integers(0, 7200), st.integers(0, 3600))
def test_the_price_of_waiting_grows_with_it_and_with_doubt(seconds, spread_s):
    unsure = unsure_of(spread_s)
    price = waiting_cost(seconds, unsure, 300)
    assert waiting_cost(0, unsure, 300) == 0
    assert price >= excess_cost(seconds, 300)
    assert waiting_cost(seconds + 60, unsure, 300) >= price
    if seconds > 300 + unsure:  # Far beyond what is free the price is a square, and its expectation known.
        helpless = excess_cost(unsure, 300) / 6
        assert price == pytest.approx((seconds - 300) ** 2 + spread_s**2 - helpless, abs=2 + 4 * spread_s)


def test_who_drives_much_already_drives_no_more_for_a_shorter_way():
    rides = a_ride("early", ready="09:00"), a_ride("later", ready="11:00", to_place_id="mid"), a_ride(ready="13:00")
    problem = a_problem(a_vehicle("tired"), a_vehicle("rested", start_place_id="venue"), *rides)
    plan = assign(problem, assign(problem, start_plan(problem), "early", "tired").plan, "later", "tired").plan
    assert vehicle_of(place(problem, plan, "K7QX").plan, "K7QX") == "tired", "four hours are nobody's concern"
    weary = replace(problem, comfort=Comfort(wheel_free_s=2 * 3600))
    assert vehicle_of(place(weary, plan, "K7QX").plan, "K7QX") == "rested"


def test_hours_at_the_wheel_count_from_the_beginning_of_the_shift():
    done = (
        Stop("venue", arrive_s=hhmm("08:40"), begin_s=hhmm("08:40"), depart_s=hhmm("08:40")),
        Stop("airport", arrive_s=hhmm("09:20"), begin_s=hhmm("09:20"), depart_s=hhmm("09:20")),
    )
    comfort = Comfort(wheel_free_s=3600)
    fresh = a_problem(a_ride(), comfort=comfort)
    weary = a_problem(a_ride(), comfort=comfort, frozen={"car-1": done}, now_s=hhmm("09:20"))
    assert place(fresh, start_plan(fresh), "K7QX").added.hours == 0
    assert place(weary, start_plan(weary), "K7QX").added.hours == 3600**2 - 1200**2


# Facts and hands


def test_nobody_moves_and_frozen_stops_keep_their_times():
    first = planned(a_problem(a_ride("one"), a_ride("two", ready="12:00")))
    frozen = first.manifests[0].stops[:2]
    problem = a_problem(
        a_ride("one"), a_ride("two", ready="12:00"), a_ride("new", ready="12:05"), frozen={"car-1": frozen}
    )
    answer = place(problem, first, "new")
    assert isinstance(answer, Placed)
    assert answer.plan.manifests[0].stops[:2] == frozen
    assert faults_in(problem, answer.plan) == []


def test_who_is_aboard_is_brought_on_from_where_the_car_is():
    aboard = Stop("airport", boards=("K7QX",), arrive_s=hhmm("10:00"), begin_s=hhmm("10:00"), depart_s=hhmm("10:05"))
    here = Stop("mid", arrive_s=hhmm("10:30"), begin_s=hhmm("10:30"), depart_s=hhmm("10:30"))
    problem = a_problem(a_ride(), now_s=hhmm("10:31"), frozen={"car-1": (aboard, here)})
    plan = start_plan(problem)
    assert stops_of(plan)[2:] == [("venue", (), ("K7QX",), hhmm("10:51"))]
    assert faults_in(problem, plan) == []
    with pytest.raises(Refused, match="aboard car-1"):
        take_out(problem, plan, "K7QX")


def test_limits_that_facts_have_broken_are_lifted_just_enough_and_named():
    aboard = Stop("airport", boards=("K7QX",), arrive_s=hhmm("19:50"), begin_s=hhmm("19:50"), depart_s=hhmm("19:50"))
    ride = a_ride(ready="19:40", latest_deliver_s=hhmm("20:10"), ride_max_s=hhmm("0:30"))
    rest = Break("rest", hhmm("18:00"), hhmm("19:00"), 600)
    problem = a_problem(a_vehicle(breaks=(rest,)), ride, frozen={"car-1": (aboard,)}, now_s=hhmm("19:55"))
    with pytest.raises(Invalid, match="K7QX"):
        start_plan(problem)
    lifted, said = lift_broken_limits(problem)
    assert len(said) == 4
    assert any("K7QX" in sentence for sentence in said)
    assert lifted.rides[0].latest_deliver_s == hhmm("20:35")
    assert lifted.vehicles[0].shift_end_s == hhmm("20:45") + 30
    assert faults_in(lifted, start_plan(lifted)) == []
    assert lift_broken_limits(lifted) == (lifted, ())


def test_of_two_who_alight_together_the_one_whose_ride_is_too_long_is_lifted():
    """The limit of the other was widened without end."""
    at = hhmm("10:00")
    aboard = Stop("airport", boards=("K7QX", "LATE"), arrive_s=at, begin_s=at, depart_s=at)
    here = Stop("east", arrive_s=hhmm("10:40"), begin_s=hhmm("10:40"), depart_s=hhmm("10:40"))
    rides = (a_ride(), a_ride("LATE", ride_max_s=hhmm("0:50")))
    problem = a_problem(*rides, frozen={"car-1": (aboard, here)}, now_s=hhmm("10:40"))
    lifted, said = lift_broken_limits(problem)
    assert len(said) == 1
    assert [ride.ride_max_s for ride in lifted.rides] == [None, hhmm("1:10")]
    assert faults_in(lifted, start_plan(lifted)) == []


def test_locks_are_kept_and_say_who_set_them():
    never = Lock("never", "K7QX", "car-1", "Ana", "they quarrelled")
    problem = a_problem(a_vehicle(), a_vehicle("car-2", start_place_id="venue"), a_ride(), locks=(never,))
    assert place(problem, start_plan(problem), "K7QX").vehicle_id == "car-2"
    refused = assign(problem, start_plan(problem), "K7QX", "car-1")
    assert isinstance(refused, Unplaced)
    assert (refused.reason, refused.constraint) == ("K7QX is kept off car-1 by Ana (they quarrelled)", "lock")
    only = replace(problem, locks=(Lock("to", "K7QX", "car-2", "Ana", ""),))
    assert place(only, start_plan(only), "K7QX").vehicle_id == "car-2"
    assert assign(only, start_plan(only), "K7QX", "car-1").reason == "K7QX is locked to car-2 by Ana"


def test_a_lock_on_the_order_is_kept_and_says_who_set_it():
    order = Lock("order", "", "", "Ana", "the prize first", ("late", "early"))
    rides = a_ride("early", from_place_id="mid"), a_ride("late", ready="10:10", from_place_id="east")
    problem = a_problem(*rides, locks=(order,))
    plan = planned(problem)
    answer = place(problem, planned(problem, "early"), "late")
    assert isinstance(answer, Unplaced)
    assert answer.constraint == "lock"
    assert answer.reason == "late fits on car-1 only out of the order late, early, locked by Ana (the prize first)"
    assert faults_in(problem, plan) == []
    two = replace(problem, vehicles=(a_vehicle(), a_vehicle("car-2")))
    plan = planned(two)
    assert {vehicle_of(plan, "early"), vehicle_of(plan, "late")} == {"car-1", "car-2"}
    turned = [Stop("mid", boards=("early",)), Stop("east", boards=("late",)), Stop("venue", alights=("early", "late"))]
    assert check_stops(problem, problem.vehicles[0], turned).reason == (
        "late would board car-1 after early, but the other order is locked by Ana (the prize first)"
    )
    without = without_ride(problem, "early")
    assert without.locks == ()


def test_those_of_a_locked_order_may_share_a_stop():
    order = Lock("order", "", "", "Ana", "", ("two", "one"))
    problem = a_problem(a_ride("one"), a_ride("two", ready="10:02"), locks=(order,))
    assert [stop[1] for stop in stops_of(planned(problem))] == [("one", "two"), ()]


def test_a_hand_moves_a_ride_or_leaves_the_plan_as_it_was():
    problem = a_problem(a_vehicle(), a_vehicle("car-2"), a_vehicle("small", seats=0), a_ride())
    plan = planned(problem)
    moved = assign(problem, plan, "K7QX", "car-2")
    assert isinstance(moved, Placed)
    assert vehicle_of(moved.plan, "K7QX") == "car-2"
    kept = assign(problem, plan, "K7QX", "small")
    assert isinstance(kept, Unplaced)
    assert kept.plan == plan
    assert kept.reason == "K7QX needs 1 seat, small has 0"


def test_a_ride_is_placed_once_and_unknown_ones_are_named():
    problem = a_problem(a_ride())
    plan = planned(problem)
    with pytest.raises(Refused, match="already planned on car-1"):
        place(problem, plan, "K7QX")
    with pytest.raises(NotFound, match="nobody"):
        place(problem, plan, "nobody")
    with pytest.raises(NotFound, match="car-9"):
        place(problem, take_out(problem, plan, "K7QX"), "K7QX", only_vehicle="car-9")
    with pytest.raises(NotFound, match="K7QX"):
        take_out(problem, take_out(problem, plan, "K7QX"), "K7QX")


def test_who_rides_alone_and_who_does_not_ride_with_whom_is_kept_whoever_came_first():
    quiet = a_ride("quiet", alone=True, ready="10:05")
    foe = a_ride("foe", not_with=("one",))
    for rides in ([a_ride("one"), quiet], [quiet, a_ride("one")], [a_ride("one"), foe], [foe, a_ride("one")]):
        problem = a_problem(a_vehicle(), a_vehicle("car-2"), *rides)
        plan = planned(problem)
        assert vehicle_of(plan, rides[0].id) != vehicle_of(plan, rides[1].id)
        assert faults_in(problem, plan) == []


def test_a_break_is_taken_where_the_car_stands_and_moves_aside_for_a_ride():
    rest = Break("rest", hhmm("10:00"), hhmm("12:00"), 1800)
    problem = a_problem(a_vehicle(breaks=(rest,)), a_ride(ready="10:10"))
    plan = start_plan(problem)
    assert stops_of(plan) == [("airport", (), (), hhmm("10:00"))]
    plan = place(problem, plan, "K7QX").plan
    assert stops_of(plan) == [
        ("airport", ("K7QX",), (), hhmm("10:10")),
        ("venue", (), ("K7QX",), hhmm("10:51")),
        ("venue", (), (), hhmm("10:51") + 30),
    ]
    assert faults_in(problem, plan) == []


# Why not


@pytest.mark.parametrize(
    ("vehicle", "ride", "constraint", "reason"),
    [
        ({}, {"seats": 9}, "seats", "no vehicle has 9 seats for K7QX; the largest has 4"),
        ({}, {"luggage": 9}, "luggage", "no vehicle has 9 pieces of luggage for K7QX; the largest has 8"),
        ({}, {"needs_skills": ("french",)}, "skills", "no vehicle has french, which K7QX needs"),
        (
            {"wheelchair_places": 1, "shift_start_s": hhmm("12:00")},
            {"wheelchairs": 1, "seats": 0},
            "shift",
            "no vehicle with a wheelchair place is on shift between 10:00 UTC and 10:20 UTC",
        ),
        (
            {},
            {"latest_deliver_s": hhmm("10:30")},
            "latest_deliver",
            "K7QX can be at venue at 10:41 UTC by the direct way, 11 min after the deadline 10:30 UTC",
        ),
        (
            {},
            {"ride_max_s": 1800},
            "ride_max",
            "the direct way from airport to venue takes 40 min, longer than the 30 min that K7QX may ride",
        ),
        (
            {},
            {"latest_board_s": hhmm("09:50")},
            "latest_board",
            "K7QX is ready at 10:00 UTC, but should have boarded by 09:50 UTC",
        ),
        ({}, {"expires_s": hhmm("09:00")}, "expiry", "K7QX was of use only until 09:00 UTC"),
        (
            {"shift_end_s": hhmm("10:30")},
            {},
            "shift",
            "no vehicle with 1 free seat can bring K7QX and be done before the shift ends",
        ),
    ],
)
def test_the_reason_names_the_constraint_that_binds(vehicle, ride, constraint, reason):
    problem = a_problem(a_vehicle(**vehicle), a_vehicle("car-2", **{**vehicle, "wheelchair_places": 0}), a_ride(**ride))
    answer = place(problem, start_plan(problem), "K7QX")
    assert isinstance(answer, Unplaced)
    assert (answer.reason, answer.constraint) == (reason, constraint)
    assert [(one.ride_id, one.reason) for one in answer.plan.unplaced] == [("K7QX", reason)]
    assert faults_in(problem, answer.plan) == []


def a_busy_day(**changes):
    """Both cars are full with somebody who must not wait, when K7QX lands."""
    busy = [a_ride(f"busy-{n}", seats=4, ready="09:55", latest_board_s=hhmm("09:55")) for n in (1, 2)]
    problem = a_problem(a_vehicle(), a_vehicle("car-2"), *busy, a_ride(**changes))
    return problem, planned(problem, "busy-1", "busy-2")


def test_when_all_drive_the_reason_says_until_when_in_the_callers_words():
    problem, plan = a_busy_day()
    answer = place(problem, plan, "K7QX", say_time=lambda at: f"{at:%H.%M} h")
    assert isinstance(answer, Unplaced)
    assert answer.constraint == "latest_board"
    assert answer.reason == (
        "every vehicle with 1 free seat is driving until 11.16 h; K7QX would board 77 min late, the tolerance is 20 min"
    )


def test_every_way_out_works_and_the_cheapest_comes_first():
    problem, plan = a_busy_day()
    extra = a_vehicle("car-3", shift_start_s=hhmm("10:45"))
    elsewhere = a_vehicle("big", seats=4, start_place_id="venue", shift_start_s=hhmm("09:00"), luggage=0)
    problem = replace(problem, vehicles=(*problem.vehicles, extra))
    answer = place(problem, plan, "K7QX")
    assert isinstance(answer, Unplaced)
    ways = {way.kind: way for way in answer.ways_out}
    assert [way.price for way in answer.ways_out] == sorted(way.price for way in answer.ways_out)
    assert set(ways) == {"wait", "shift", "taxi"}
    later = replace(problem, rides=tuple(_patient(ride, ways["wait"].extra_s) for ride in problem.rides))
    assert isinstance(place(later, plan, "K7QX"), Placed)
    assert "car-3" in ways["shift"].words
    assert ways["shift"].vehicle_id == "car-3"
    moved = replace(problem, vehicles=(*problem.vehicles, elsewhere), rides=(*problem.rides, a_ride("K8", luggage=1)))
    assert any(way.kind == "taxi" for way in place(moved, plan, "K8").ways_out)


def _patient(ride, extra_s):
    return replace(ride, latest_board_s=ride.latest_board_s + extra_s) if ride.id == "K7QX" else ride


def test_moving_somebody_else_is_a_way_out_when_it_makes_room():
    plain = a_vehicle("plain", start_place_id="airport")
    lift = a_vehicle("with-lift", wheelchair_places=1)
    problem = a_problem(plain, lift, a_ride("one", seats=4), a_ride("chair", wheelchairs=1, seats=1))
    plan = assign(problem, start_plan(problem), "one", "with-lift").plan
    answer = place(problem, plan, "chair")
    assert isinstance(answer, Unplaced)
    move = next(way for way in answer.ways_out if way.kind == "move")
    assert (move.ride_id, move.vehicle_id) == ("one", "plain")
    moved = assign(problem, plan, move.ride_id, move.vehicle_id).plan
    assert isinstance(place(problem, moved, "chair"), Placed)


# The exact check beside an independent one


@slow_ok
@given(seeds)
def test_the_check_finds_the_earliest_schedule_that_difference_constraints_permit(seed):
    problem, vehicle, stops = _a_random_route(seed)
    answer = check_stops(problem, vehicle, stops)
    begins = _bellman_ford(problem, vehicle, stops)
    if begins is None:
        assert isinstance(answer, Infeasible)
        assert answer.reason
    else:
        assert isinstance(answer, Schedule), answer
        assert [stop.begin_s for stop in answer.stops] == begins


def _a_random_route(seed):
    """Stops whose structure is sound (loads, order), so that only the times decide."""
    rng = random.Random(seed)
    day = a_random_day(seed, rides=rng.randint(1, 5), vehicles=1, triangle=rng.random() < 0.5)
    rides = tuple(replace(r, alone=False, not_with=(), needs_skills=(), wheelchairs=0) for r in day.rides)
    vehicle = replace(day.vehicles[0], seats=99, luggage=99)
    stops, waiting, aboard = [], list(rides), []
    while waiting or aboard:
        if waiting and (not aboard or rng.random() < 0.6):
            ride = waiting.pop(rng.randrange(len(waiting)))
            aboard.append(ride)
            _add(stops, Stop(ride.from_place_id, boards=(ride.id,)), rng)
        else:
            ride = aboard.pop(rng.randrange(len(aboard)))
            _add(stops, Stop(ride.to_place_id, alights=(ride.id,)), rng)
        if not aboard and vehicle.breaks and all(not stop.break_id for stop in stops) and rng.random() < 0.5:
            stops.append(Stop(stops[-1].place_id, break_id=vehicle.breaks[0].id))
    if vehicle.breaks and all(not stop.break_id for stop in stops):
        stops.append(Stop(stops[-1].place_id, break_id=vehicle.breaks[0].id))
    return replace(day, vehicles=(vehicle,), rides=rides, locks=()), vehicle, stops


def _add(stops, stop, rng):
    last = stops[-1] if stops else None
    shareable = last and last.place_id == stop.place_id and not last.break_id
    if shareable and not set(stop.alights) & set(last.boards) and rng.random() < 0.7:
        stops[-1] = replace(last, boards=last.boards + stop.boards, alights=last.alights + stop.alights)
    else:
        stops.append(stop)


def _bellman_ford(problem, vehicle, stops):
    """Longest paths over the edges x[j] >= x[i] + weight from a source at time zero; None on a positive cycle."""
    rides = {ride.id: ride for ride in problem.rides}
    number = {place_id: i for i, place_id in enumerate(problem.matrix.place_ids)}

    def drive(start, end):
        return 0 if start == end else problem.matrix.seconds[number[start]][number[end]]

    source, edges, service = len(stops), [], []
    for k, stop in enumerate(stops):
        on, off = [rides[one] for one in stop.boards], [rides[one] for one in stop.alights]
        pause = vehicle.breaks[0] if stop.break_id else None
        service.append(
            pause.duration_s
            if pause
            else max([0, *(r.board_service_s for r in on)]) + max([0, *(r.alight_service_s for r in off)])
        )
        bounds = [(pause.earliest_s, pause.latest_s)] if pause else []
        bounds += [(r.earliest_board_s, min(r.latest_board_s, r.expires_s or 10**9)) for r in on]
        bounds += [
            (r.earliest_deliver_s or 0, 10**9 if r.latest_deliver_s is None else r.latest_deliver_s) for r in off
        ]
        for early, late in bounds:
            edges += [(source, k, early), (k, source, -late)]
    edges.append((source, 0, vehicle.shift_start_s + drive(vehicle.start_place_id, stops[0].place_id)))
    for k, (one, two) in enumerate(pairwise(stops)):
        edges.append((k, k + 1, service[k] + drive(one.place_id, two.place_id)))
    home = 0 if vehicle.end_place_id is None else drive(stops[-1].place_id, vehicle.end_place_id)
    edges.append((len(stops) - 1, source, -(vehicle.shift_end_s - service[-1] - home)))
    for ride in rides.values():
        if ride.ride_max_s is not None:
            on = next(k for k, stop in enumerate(stops) if ride.id in stop.boards)
            off = next(k for k, stop in enumerate(stops) if ride.id in stop.alights)
            edges.append((off, on, -(service[on] + ride.ride_max_s)))
    if vehicle.span_max_s is not None:
        first = next(k for k, stop in enumerate(stops) if not stop.break_id)
        out = drive(vehicle.start_place_id, stops[first].place_id) + service[-1] + home
        edges.append((len(stops) - 1, first, out - vehicle.span_max_s))
    times = [0] * (len(stops) + 1)
    for _ in range(len(times) + 1):
        before = list(times)
        for start, end, weight in edges:
            times[end] = max(times[end], times[start] + weight)
        if times == before:
            return times[:-1]
    return None


# The cheapest place beside every place


@settings(deadline=None, max_examples=300)
@given(seeds)
def test_the_place_found_is_the_cheapest_of_all_that_pass_the_check(seed):
    problem = a_random_day(seed, rides=5, vehicles=2)
    plan = _planned_in_part(problem, [ride.id for ride in problem.rides[:-1]])
    last = problem.rides[-1]
    answer = place(problem, plan, last.id)
    costs = [
        _whole_cost(problem, plan, v, schedule)
        for v in problem.vehicles
        for schedule in _every_place(problem, plan, v, last)
    ]
    if isinstance(answer, Unplaced):
        assert costs == []
    else:
        assert _whole_cost(problem, answer.plan, None, None) == min(costs)
        after, before = cost_of_plan(problem, answer.plan), cost_of_plan(problem, plan)
        assert tuple(after[1:]) == min(costs)
        assert answer.added[1:] == tuple(b - a for a, b in zip(before[1:], after[1:], strict=True))


def _planned_in_part(problem, ride_ids):
    """Rides placed in turn; days on which the cars' own breaks cannot be kept lose the breaks."""
    try:
        plan = start_plan(problem)
    except Invalid:
        raise AssertionError("random days keep their breaks") from None
    for ride_id in ride_ids:
        plan = place(problem, plan, ride_id).plan
    return plan


def _every_place(problem, plan, vehicle, ride):
    """Every way to put the ride into the stops, with its break in every gap; judged by `check_stops` alone."""
    stops = next(m for m in plan.manifests if m.vehicle_id == vehicle.id).stops
    pauses = [stop for stop in stops if stop.break_id]
    riding = [stop for stop in stops if not stop.break_id]
    on, off = Stop(ride.from_place_id, boards=(ride.id,)), Stop(ride.to_place_id, alights=(ride.id,))
    for with_on, at in _put(riding, on, 0):
        for with_off, _at in _put(with_on, off, at):
            gaps = range(len(with_off) + 1) if pauses else [0]
            for gap in gaps:
                here = with_off[gap - 1].place_id if gap else vehicle.start_place_id
                laid = [*with_off[:gap], *(replace(stop, place_id=here) for stop in pauses), *with_off[gap:]]
                schedule = check_stops(problem, vehicle, laid)
                if isinstance(schedule, Schedule):
                    yield schedule


def _put(stops, stop, start):
    """The stop on its own in each gap from `start`, or shared with one there."""
    for gap in range(start, len(stops) + 1):
        yield [*stops[:gap], stop, *stops[gap:]], gap + 1
    for gap in range(start, len(stops)):
        if stops[gap].place_id == stop.place_id:
            both = replace(
                stops[gap], boards=stops[gap].boards + stop.boards, alights=stops[gap].alights + stop.alights
            )
            yield [*stops[:gap], both, *stops[gap + 1 :]], gap + 1


def _whole_cost(problem, plan, vehicle, schedule):
    """Every level below the first if this vehicle drives this schedule, reckoned from the times alone."""
    total = [0, 0, 0, 0, 0, 0]
    for manifest in plan.manifests:
        stops = schedule.stops if vehicle and manifest.vehicle_id == vehicle.id else manifest.stops
        car = next(v for v in problem.vehicles if v.id == manifest.vehicle_id)
        for level, cost in enumerate(_cost_of_stops(problem, car, stops)):
            total[level] += cost
    return tuple(total)


def _cost_of_stops(problem, car: Vehicle, stops):
    number = {place_id: i for i, place_id in enumerate(problem.matrix.place_ids)}
    rides = {ride.id: ride for ride in problem.rides}
    waiting = riding = changes = unease = 0
    left = {}
    for stop in stops:
        for ride_id in stop.alights:
            ride = rides[ride_id]
            direct = problem.matrix.seconds[number[ride.from_place_id]][number[ride.to_place_id]]
            extra = stop.begin_s - left[ride_id] - direct
            riding += max(0, extra - problem.comfort.ride_free_s) ** 2
            unease += extra
        for ride_id in stop.boards:
            left[ride_id] = stop.depart_s
            wait = stop.begin_s - rides[ride_id].earliest_board_s
            waiting += _expected_waiting(problem, rides[ride_id], wait)
            unease += wait
            changes += _change_cost(problem, car, stop, ride_id)
    places = [car.start_place_id, *(stop.place_id for stop in stops), *([car.end_place_id] if car.end_place_id else [])]
    driving = sum(0 if a == b else problem.matrix.seconds[number[a]][number[b]] for a, b in pairwise(places))
    hours = max(0, driving - problem.comfort.wheel_free_s) ** 2
    return waiting, riding, changes, hours, driving, unease


def _expected_waiting(problem, ride, wait):
    """Over three moments that stand for a normal spread, as textbooks have them, less what waiting for nobody costs."""
    price = lambda seconds: max(0, seconds - problem.comfort.wait_free_s) ** 2  # noqa: E731
    apart = round(ride.ready_spread_s * 3**0.5)
    return sum(
        Fraction(share, 6) * (price(wait + by) - price(by)) for share, by in ((1, -apart), (4, 0), (1, apart))
    ).__ceil__()


def _change_cost(problem, car, stop, ride_id):
    """By the words of the objective: another car counts double, and both the more the sooner."""
    told = problem.told.get(ride_id)
    if told is None:
        return 0
    hours = (told.board_s - problem.now_s) / 3600
    weight = 8 if hours <= 0.5 else 4 if hours <= 3 else 2 if hours <= 24 else 1
    if told.vehicle_id != car.id:
        return 2 * weight
    return weight if abs(stop.begin_s - told.board_s) > problem.comfort.told_free_s else 0


# Whatever is done to a plan, it stays valid


@slow_ok
@given(seeds, st.booleans())
def test_every_plan_is_valid_keeps_locks_and_moves_nobody(seed, triangle):
    rng = random.Random(seed)
    problem = a_random_day(seed, triangle=triangle)
    plan = start_plan(problem)
    for _ in range(14):
        ride_id = rng.choice(problem.rides).id
        before = {ride.id: vehicle_of(plan, ride.id) for ride in problem.rides}
        stranded = set()
        if before[ride_id] is None:
            plan = place(problem, plan, ride_id).plan
        else:
            rest = take_out(problem, plan, ride_id)
            stranded = stranded_by_hold(problem, plan, rest, ride_id)
            if rng.random() < 0.5:
                plan = assign(problem, plan, ride_id, rng.choice(problem.vehicles).id).plan
            else:
                plan = place(problem, rest, ride_id).plan
        assert faults_in(problem, plan) == []
        after = {ride.id: vehicle_of(plan, ride.id) for ride in problem.rides}
        moved = {one for one in before if one != ride_id and before[one] != after[one]}
        assert moved == {one for one in stranded if after[one] is None}


def stranded_by_hold(problem, plan, rest, ride_id):
    """Who lost their place because without this ride nobody can drive what remains, whichever way: judged, not
    believed."""
    lost = {ride.id for ride in problem.rides if ride.id != ride_id and vehicle_of(plan, ride.id)}
    lost -= {ride.id for ride in problem.rides if vehicle_of(rest, ride.id)}
    car = vehicle_of(plan, ride_id)
    stops = next(one for one in plan.manifests if one.vehicle_id == car).stops
    for keeps_passing in (True, False):
        left = stops_without(stops, ride_id, keep_emptied=keeps_passing)
        if lost:
            assert isinstance(check_stops(problem, index_of(problem).vehicle(car), left), Infeasible)
    return lost


def test_who_may_ride_only_because_another_held_the_car_there_loses_the_place_with_them():
    hold = a_ride("HOLD", to_place_id="west")
    board_by = hhmm("10:40")
    not_early = board_by + 60 + 600 + 60
    tight = a_ride("TIGHT", from_place_id="west", latest_board_s=board_by, earliest_deliver_s=not_early, ride_max_s=640)
    problem = a_problem(hold, tight)
    plan = planned(problem)
    assert (vehicle_of(plan, "HOLD"), vehicle_of(plan, "TIGHT")) == ("car-1", "car-1")
    rest = take_out(problem, plan, "HOLD")
    assert [one.ride_id for one in rest.unplaced] == ["TIGHT"]


@slow_ok
@given(seeds)
def test_a_day_in_the_middle_stays_valid_with_its_first_stops_frozen(seed):
    rng = random.Random(seed)
    problem = a_random_day(seed)
    plan = _planned_in_part(problem, [ride.id for ride in problem.rides[:5]])
    frozen = {one.vehicle_id: one.stops[: rng.randint(0, len(one.stops))] for one in plan.manifests}
    problem = replace(problem, frozen=frozen)
    for ride in problem.rides[5:]:
        plan = place(problem, plan, ride.id).plan
        assert faults_in(problem, plan) == []
    for manifest in plan.manifests:
        assert manifest.stops[: len(frozen[manifest.vehicle_id])] == frozen[manifest.vehicle_id]


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_a_saved_day_is_read_back_the_same_and_planned_the_same(seed):
    problem = a_random_day(seed)
    saved = json.loads(json.dumps(problem_to_json(problem)))
    again = problem_from_json(saved)
    assert again == problem
    plan = plan_all(problem)
    assert plan_all(again) == plan
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan


def test_one_ride_more_is_the_same_by_the_quick_way_and_the_long_way():
    day = a_random_day(7)
    fewer = without_ride(replace(day, locks=()), day.rides[-1].id)
    plan = plan_all(fewer)
    quick = with_ride(fewer, replace(day.rides[-1], not_with=("r1",)))
    slow = replace(fewer, rides=quick.rides)
    assert place(quick, plan, day.rides[-1].id) == place(slow, plan, day.rides[-1].id)
    with pytest.raises(Refused, match="already part"):
        with_ride(quick, day.rides[-1])


# Bad input


def test_a_problem_that_makes_no_sense_is_refused_with_every_fault_named():
    rides = (
        a_ride("nowhere", to_place_id="moon"),
        a_ride("circle", to_place_id="airport"),
        a_ride("past", earliest_board_s=-5),
        a_ride("less", seats=-1),
        a_ride("doubt", ready_spread_s=-60),
        a_ride("twice"),
        a_ride("twice"),
    )
    locks = (Lock("to", "twice", "car-9", "Ana", ""), Lock("never", "less", "car-1", "Ana", ""))
    odd = {"comfort": Comfort(wheel_free_s=-1), "prices": Prices(taxi=-1)}
    problem = a_problem(a_vehicle(shift_end_s=0), *rides, locks=(*locks, Lock("to", "less", "car-1", "Bo", "")), **odd)
    with pytest.raises(Invalid) as error:
        start_plan(problem)
    said = str(error.value)
    for part in ("nowhere: place moon", "ride circle", "ride past: earliest_board_s", "ride less: seats", "ride twice"):
        assert part in said
    assert "ride doubt: ready_spread_s is -60; it cannot be negative" in said
    assert "comfort: wheel_free_s is -1; it cannot be negative" in said
    assert "prices: taxi is -1; it cannot be negative" in said
    assert "car-9" in said
    assert "kept off it by Ana" in said
    assert "its shift ends before it begins" in said


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (Matrix(LINE, a_matrix().seconds[:-1]), "5 rows of 5"),
        (Matrix(LINE, (*a_matrix().seconds[:-1], (0, 0, -1, 0, 0))), "from venue to mid takes -1 s"),
        (Matrix((*LINE[:-1], "mid"), a_matrix().seconds), "place mid"),
    ],
)
def test_a_matrix_that_makes_no_sense_is_refused(matrix, words):
    with pytest.raises(Invalid, match=words):
        start_plan(a_problem(a_ride(), matrix=matrix))


def test_a_hole_in_the_matrix_is_driven_around_and_otherwise_named():
    seconds = [list(row) for row in a_matrix().seconds]
    seconds[0][4] = None
    problem = a_problem(a_ride(), a_ride("other", to_place_id="mid"), matrix=Matrix(LINE, tuple(map(tuple, seconds))))
    plan = planned(problem)
    assert [(one.ride_id, one.reason) for one in plan.unplaced] == [
        ("K7QX", "no way is known from airport to venue, so K7QX cannot be planned")
    ]
    assert vehicle_of(plan, "other") == "car-1"
    assert faults_in(problem, plan) == []


def test_a_saved_day_with_wrong_or_misspelt_fields_is_refused():
    good = problem_to_json(a_problem(a_ride()))
    misspelt = json.loads(json.dumps(good))
    misspelt["rides"][0]["wheelchair"] = 1
    with pytest.raises(Invalid, match=r"rides.0.wheelchair: there is no such field"):
        problem_from_json(misspelt)
    wrong = json.loads(json.dumps(good))
    wrong["rides"][0]["seats"] = "two"
    del wrong["vehicles"][0]["seats"]
    with pytest.raises(Invalid) as error:
        problem_from_json(wrong)
    assert {fault.where for fault in error.value.faults} == {"rides.0.seats", "vehicles.0.seats"}
    with pytest.raises(Invalid):
        plan_from_json({"manifests": "none"})


def test_a_plan_with_a_vehicle_that_is_gone_is_refused():
    plan = planned(a_problem(a_vehicle("gone"), a_ride()))
    with pytest.raises(Invalid, match="vehicle gone is not in the problem"):
        place(a_problem(a_ride(), a_ride("new")), plan, "new")


def test_a_route_that_news_have_broken_takes_no_more_rides_and_does_not_stop_the_others():
    one, two = a_ride("one"), a_ride("two", from_place_id="mid", ready="10:15", latest_board_s=hhmm("10:40"))
    before = a_problem(a_vehicle(), one, two)
    plan = planned(before)
    delayed = replace(one, earliest_board_s=hhmm("10:45"), latest_board_s=hhmm("11:00"))
    problem = a_problem(a_vehicle(), a_vehicle("car-2"), delayed, two, a_ride("new", ready="12:00"))
    answer = place(problem, plan, "new")
    assert answer.vehicle_id == "car-2"
    refused = place(problem, plan, "new", only_vehicle="car-1")
    assert isinstance(refused, Unplaced)
    assert refused.reason.startswith("car-1 cannot be planned: car-1 could fetch two at")
    mended = place(problem, take_out(problem, answer.plan, "one"), "one").plan
    assert faults_in(problem, mended) == []
    assert mended.unplaced == ()


def test_rides_that_news_leave_without_a_place_are_unplaced_and_not_lost():
    plan = planned(a_problem(a_ride("one"), a_ride("two"), a_ride("three")))
    tight = a_ride("two", latest_deliver_s=hhmm("10:20"))
    problem = a_problem(a_ride("one"), tight, a_ride("three"))
    left = take_out(problem, plan, "three")
    assert [(one.ride_id, one.reason) for one in left.unplaced] == [("two", "two no longer fits on car-1")]
    assert vehicle_of(left, "one") == "car-1"


def test_somebody_aboard_to_a_place_without_a_way_is_named():
    seconds = [list(row) for row in a_matrix().seconds]
    for row in seconds:
        row[4] = None
    aboard = Stop("airport", boards=("K7QX",), begin_s=hhmm("10:00"), depart_s=hhmm("10:00"))
    problem = a_problem(a_ride(), matrix=Matrix(LINE, tuple(map(tuple, seconds))), frozen={"car-1": (aboard,)})
    with pytest.raises(Invalid, match="no way is known"):
        lift_broken_limits(problem)


@pytest.mark.parametrize(
    ("stops", "constraint"),
    [
        ([Stop("venue", alights=("K7QX",))], "order"),
        ([Stop("airport", boards=("K7QX",))], "order"),
        ([Stop("airport", boards=("K7QX", "K7QX"))], "order"),
        ([Stop("mid", boards=("K7QX",))], "place"),
        ([Stop("airport", boards=("K7QX",)), Stop("mid", alights=("K7QX",))], "place"),
        ([Stop("airport", boards=("nobody",))], "order"),
        ([Stop("airport", break_id="rest")], "break"),
        ([Stop("airport", boards=("K7QX", "many")), Stop("venue", alights=("K7QX", "many"))], "seats"),
    ],
)
def test_stops_whose_structure_is_unsound_are_infeasible(stops, constraint):
    problem = a_problem(a_ride(), a_ride("many", seats=4))
    answer = check_stops(problem, problem.vehicles[0], stops)
    assert isinstance(answer, Infeasible)
    assert answer.constraint == constraint


def test_times_convert_both_ways():
    problem = a_problem(a_ride())
    at = time_at(problem, hhmm("10:00"))
    assert at.isoformat() == "2026-05-01T10:00:00+00:00"
    assert seconds_at(problem, at) == hhmm("10:00")
