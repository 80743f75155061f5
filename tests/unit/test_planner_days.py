"""The day generator: the same day from the same seed, shares as it states them, always a valid problem."""

import random
from collections import Counter
from statistics import mean, quantiles, variance

import pytest

from bench.days import DELAYS, FlightRow, flights_of_day, make_day
from softlanding.dispatch.planner import (
    Placed,
    place,
    plan_all,
    plan_to_json,
    problem_faults,
    problem_to_json,
    start_plan,
)
from softlanding.dispatch.validator import violations

GRADES = tuple(DELAYS)


def share(rides, chosen):
    return sum(1 for ride in rides if chosen(ride)) / len(rides)


def is_inbound(ride):
    return ride.to_place_id.startswith("hotel") or ride.to_place_id == "venue"


@pytest.mark.parametrize("grade", GRADES)
def test_a_seed_gives_the_same_day_again_and_another_seed_another(grade):
    assert make_day(7, grade=grade) == make_day(7, grade=grade) == make_day(random.Random(7), grade=grade)
    assert make_day(7, grade=grade).rides != make_day(8, grade=grade).rides


@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("seed", range(4))
def test_every_day_is_a_valid_problem_over_full_and_its_first_plan_is_valid(seed, grade):
    day = make_day(seed, grade=grade)
    assert list(problem_faults(day)) == []
    assert (len(day.rides), len(day.vehicles)) == (300, 25)
    assert 20 <= len(day.matrix.place_ids) <= 40

    plan = plan_all(day)

    assert violations(problem_to_json(day), plan_to_json(plan)) == []
    assert 200 <= 300 - len(plan.unplaced) <= 290


def test_nearly_every_ride_alone_is_possible():
    for seed in range(3):
        day = make_day(seed)
        empty = start_plan(day)
        possible = [ride for ride in day.rides if isinstance(place(day, empty, ride.id), Placed)]
        assert len(possible) >= 0.97 * len(day.rides)


def test_the_shares_are_as_stated():
    rides = [ride for seed in range(10) for ride in make_day(seed).rides]
    parties = Counter(ride.seats + ride.wheelchairs for ride in rides)
    assert share(rides, is_inbound) == pytest.approx(0.60, abs=0.002)
    for size, stated in {1: 0.78, 2: 0.15, 3: 0.04, 4: 0.03}.items():
        assert parties[size] / len(rides) == pytest.approx(stated, abs=0.02)
    assert share(rides, lambda ride: "station" in (ride.from_place_id, ride.to_place_id)) == pytest.approx(
        0.05, abs=0.015
    )
    assert share(rides, lambda ride: ride.wheelchairs) == pytest.approx(0.02, abs=0.01)
    assert share(rides, lambda ride: ride.needs_skills) == pytest.approx(0.04, abs=0.015)
    assert share(rides, lambda ride: ride.latest_board_s - ride.earliest_board_s == 3 * 3600) == pytest.approx(
        0.03, abs=0.015
    )


def test_the_fleet_is_as_stated_and_grows_with_its_number():
    assert Counter((car.seats, car.wheelchair_places) for car in make_day(1).vehicles) == {
        (3, 0): 10,
        (6, 0): 9,
        (8, 0): 4,
        (4, 2): 2,
    }
    for count in (1, 7, 200):
        assert len(make_day(1, rides=10, vehicles=count).vehicles) == count
    cars = [car for seed in range(10) for car in make_day(seed).vehicles]
    assert share(cars, lambda car: car.breaks) == pytest.approx(0.6, abs=0.1)
    assert share(cars, lambda car: car.skills == ("french",)) == pytest.approx(0.3, abs=0.1)


def test_no_ride_may_last_longer_than_1_6_times_the_direct_drive_and_a_quarter_of_an_hour():
    day = make_day(3)
    numbers = {place_id: number for number, place_id in enumerate(day.matrix.place_ids)}
    for ride in day.rides:
        direct = day.matrix.seconds[numbers[ride.from_place_id]][numbers[ride.to_place_id]]
        assert ride.ride_max_s == round(1.6 * direct) + 900
        assert ride.latest_deliver_s is None or ride.latest_deliver_s >= ride.earliest_board_s + 120 + direct


def test_who_flies_out_has_a_deadline_and_some_who_come_have_a_talk():
    rides = [ride for seed in range(5) for ride in make_day(seed).rides]
    coming = [ride for ride in rides if is_inbound(ride)]
    assert all(ride.latest_deliver_s for ride in rides if not is_inbound(ride))
    assert share(coming, lambda ride: ride.latest_deliver_s) == pytest.approx(0.2, abs=0.04)


@pytest.mark.parametrize(("grade", "p95_min"), [("ordinary", 45), ("bad", 120), ("storm", 120)])
def test_flights_are_as_late_as_the_grade_says_and_days_differ(grade, p95_min):
    days = [
        [(flight.at_s - flight.due_s) / 60 for flight in flights_of_day(random.Random(seed), grade, 100) if flight.at_s]
        for seed in range(200)
    ]
    assert quantiles([late for day in days for late in day], n=20)[-1] == pytest.approx(p95_min, rel=0.12)
    between, within = variance(mean(day) for day in days), mean(variance(day) for day in days)
    assert between / (between + within) == pytest.approx(1 / 3, abs=0.08)


def test_in_a_storm_half_of_all_flights_are_lost_and_everybody_still_rides():
    assert [flight.at_s is None for flight in flights_of_day(random.Random(1), "storm", 100)].count(True) == 50
    assert len(make_day(1, grade="storm").rides) == 300


def test_given_flights_are_flown_when_they_were_and_a_day_without_any_still_has_its_rides():
    rows = [FlightRow(10 * 3600, 600), FlightRow(15 * 3600, None)]
    flights = flights_of_day(random.Random(1), "ordinary", 60, rows)
    assert {(flight.due_s, flight.at_s) for flight in flights} <= {
        (36000, 36600),
        (36000, None),
        (54000, None),
    }
    assert {flight.due_s for flight in flights} == {36000, 54000}

    day = make_day(1, rides=20, flights=[FlightRow(54000, None)])

    assert len(day.rides) == 20
    assert list(problem_faults(day)) == []


@pytest.mark.parametrize(("rides", "vehicles"), [(0, 0), (1, 1), (1000, 200), (10_000, 200)])
def test_days_of_any_size_are_made(rides, vehicles):
    day = make_day(1, rides=rides, vehicles=vehicles)
    assert len({ride.id for ride in day.rides}) == rides
    assert list(problem_faults(day)) == []
