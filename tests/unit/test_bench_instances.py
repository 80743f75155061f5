"""The literature's instances as problems of ours: small ones written here, and the real ones where they are at hand."""

import os
from pathlib import Path

import pytest

from bench.days import FlightRow, make_day
from bench.instances import (
    DIAL_A_RIDE,
    LI_LIM,
    distance_of,
    read_dial_a_ride,
    read_flights,
    read_pairs,
    vehicles_of,
)
from softlanding.dispatch.planner import plan_all, plan_to_json, problem_faults, problem_to_json
from softlanding.dispatch.validator import violations
from softlanding.errors import Invalid

FOLDER = os.environ.get("SOFTLANDING_REAL_DATA", "")  # noqa: TID251 - where the data lies is the machine's affair.
needs_real_data = pytest.mark.skipif(not FOLDER, reason="needs real data: SOFTLANDING_REAL_DATA is not set")

# Two passengers: the first from (3, 4) to (3, 0), the second, with a friend, from (0, 1) to (1, 1).
TWO_BY_PHONE = """2 4 480 3 30
0 0.000 0.000 0 0 0 1440
1 3.000 4.000 3 1 10 25
2 0.000 1.000 3 2 0 1440
3 3.000 0.000 3 -1 0 1440
4 1.000 1.000 3 -1 100 115
"""
ONE_PAIR = """25 200 1
0 40 50 0 0 1236 0 0 0
1 45 68 -10 912 967 90 2 0
2 45 70 10 825 870 90 0 1
"""


def test_dial_a_ride_has_windows_services_loads_and_both_limits_in_thousandths():
    instance = read_dial_a_ride(TWO_BY_PHONE)
    first, second = instance.problem.rides
    assert list(problem_faults(instance.problem)) == []
    assert (first.from_place_id, first.to_place_id, first.seats, second.seats) == ("n001", "n003", 1, 2)
    assert (first.earliest_board_s, first.latest_board_s, first.board_service_s) == (10_000, 25_000, 3_000)
    assert (second.earliest_deliver_s, second.latest_deliver_s, second.ride_max_s) == (100_000, 115_000, 30_000)
    car = instance.problem.vehicles[0]
    assert (len(instance.problem.vehicles), car.seats, car.span_max_s, car.shift_end_s) == (2, 3, 480_000, 1_440_000)
    assert instance.problem.matrix.seconds[0] == (0, 5_000, 1_000, 3_000, 1_415)


def test_where_the_depot_stands_again_its_window_is_when_to_be_back():
    instance = read_dial_a_ride(TWO_BY_PHONE + "5 0.000 0.000 0 0 0 720\n")
    assert {car.shift_end_s for car in instance.problem.vehicles} == {720_000}
    assert len(instance.points) == 5


def test_pairs_have_their_deliveries_and_no_ride_limit():
    instance = read_pairs(ONE_PAIR)
    (ride,) = instance.problem.rides
    assert (ride.from_place_id, ride.to_place_id, ride.seats, ride.ride_max_s) == ("n002", "n001", 10, None)
    assert (ride.earliest_board_s, ride.latest_deliver_s, ride.board_service_s) == (825_000, 967_000, 90_000)
    assert instance.problem.vehicles[0].span_max_s is None


def test_the_distance_of_a_plan_is_that_of_its_drives_unrounded_and_idle_cars_do_not_count():
    instance = read_pairs(ONE_PAIR)
    plan = plan_all(instance.problem)
    assert violations(problem_to_json(instance.problem), plan_to_json(plan)) == []
    assert distance_of(instance, plan) == pytest.approx((5**2 + 20**2) ** 0.5 + 2 + (5**2 + 18**2) ** 0.5)
    assert vehicles_of(plan) == 1


def test_flights_are_due_in_seconds_and_late_or_lost():
    text = "sched_arr_time,arr_delay\n735,-24.0\n2110,\n"
    assert read_flights(text) == (FlightRow(7 * 3600 + 35 * 60, -1440), FlightRow(21 * 3600 + 600, None))


@pytest.mark.parametrize(
    ("read", "text", "says"),
    [
        (read_dial_a_ride, "", "holds no instance"),
        (read_dial_a_ride, ONE_PAIR, "has 3 numbers instead of 5"),
        (read_dial_a_ride, TWO_BY_PHONE.rsplit("\n", 2)[0], "speaks of 4 nodes besides the depot, 3 follow"),
        (read_pairs, ONE_PAIR.replace("2 45 70", "2 x 70"), "line 4"),
        (read_pairs, ONE_PAIR.replace("10 825 870 90 0 1", "10 825 870 90 0 9"), "each needs its delivery"),
        (read_flights, "flight\nLH 1\n", "line 2"),
    ],
)
def test_another_text_is_refused_in_words(read, text, says):
    with pytest.raises(Invalid, match=says):
        read(text)


@needs_real_data
@pytest.mark.parametrize("name", DIAL_A_RIDE)
def test_real_dial_a_ride_instances_are_valid_problems(name):
    instance = read_dial_a_ride((Path(FOLDER) / "darp" / f"{name}.txt").read_text())
    assert list(problem_faults(instance.problem)) == []
    assert len(instance.problem.rides) * 2 + 1 == len(instance.points)


@needs_real_data
@pytest.mark.parametrize("name", LI_LIM)
def test_real_li_lim_instances_are_valid_problems(name):
    instance = read_pairs((Path(FOLDER) / "pdptw" / f"{name}.txt").read_text())
    assert list(problem_faults(instance.problem)) == []
    assert len(instance.problem.rides) * 2 + 1 == len(instance.points)


@needs_real_data
@pytest.mark.parametrize("name", ["normal", "disrupted"])
def test_days_are_made_from_real_flights(name):
    flights = read_flights((Path(FOLDER) / "flights" / f"flights_ord_{name}.csv").read_text())
    assert len(flights) > 90
    day = make_day(1, flights=flights)
    assert list(problem_faults(day)) == []
    assert len(day.rides) == 300
