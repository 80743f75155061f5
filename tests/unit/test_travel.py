from datetime import UTC, datetime
from itertools import pairwise
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softlanding.dispatch.travel import (
    Matrix,
    TravelTime,
    great_circle_km,
    matrix,
    planned_seconds,
    road_km,
    speed_kmh,
    travel,
)
from softlanding.errors import Invalid

NOON = datetime(2026, 5, 1, 11, tzinfo=UTC)
BER, ALEX = (52.3667, 13.5033), (52.5219, 13.4132)

points = st.tuples(st.floats(-90, 90), st.floats(-180, 180))
near = st.tuples(st.floats(52, 53), st.floats(13, 14))


def test_known_distances():
    """On a sphere of 6371 km: a degree of latitude, and from the equator to the pole."""
    assert great_circle_km((50.0, 10.0), (51.0, 10.0)) == pytest.approx(111.195, abs=0.001)
    assert great_circle_km((0.0, 0.0), (90.0, 0.0)) == pytest.approx(10007.54, abs=0.01)


def test_from_an_airport_to_the_town_takes_about_as_long_as_it_does():
    time = travel(BER, ALEX, NOON)
    assert time.source == "formula"
    assert 25 * 60 < time.seconds < 45 * 60
    assert 0 < time.spread_s < time.seconds / 3


def test_roads_wind_more_when_short_and_speed_rises_with_length():
    lengths = [0.1, 0.5, 1, 3, 10, 30, 100, 500]
    factors = [road_km(length) / length for length in lengths]
    speeds = [speed_kmh(length) for length in lengths]
    assert factors == sorted(factors, reverse=True)
    assert speeds == sorted(speeds)
    assert factors[0] == pytest.approx(1.4, abs=0.01)
    assert factors[-1] == pytest.approx(1.25, abs=0.01)
    assert speeds[0] == pytest.approx(20, abs=1)
    assert speeds[-1] > 60


def test_further_always_takes_longer():
    times = [travel((50.0, 10.0), (50.0, 10.0 + step / 100), NOON).seconds for step in range(200)]
    assert all(a < b for a, b in pairwise(times))


def test_rush_hours_take_longer_than_nights_in_the_zone_of_the_time_given():
    night, rush = (travel(BER, ALEX, NOON.replace(hour=hour)).seconds for hour in (3, 17))
    assert rush > 1.4 * night


@given(near, near)
def test_there_and_back_take_the_same_and_never_less_than_nothing(one, other):
    there = travel(one, other, NOON)
    assert there == travel(other, one, NOON)
    assert there.seconds >= 0
    assert (there.seconds == 0) <= (great_circle_km(one, other) < 0.01)


@given(points)
def test_the_same_place_takes_no_time(point):
    assert travel(point, point, NOON) == TravelTime(0, 0, "formula")


def test_planning_with_a_higher_quantile_takes_longer():
    time = TravelTime(1800, 300, "formula")
    assert planned_seconds(time, 0.5) == 1800
    assert planned_seconds(time, 0.8) == 1800 + 252
    assert planned_seconds(TravelTime(60, 300, "formula"), 0.01) == 0


def test_a_matrix_has_every_pair_by_place_id():
    table = matrix({"town": ALEX, "airport": BER}, NOON, quantile=0.8)
    there, back = travel(BER, ALEX, NOON), travel(ALEX, BER, NOON)
    assert table == Matrix(
        ("airport", "town"),
        ((0, planned_seconds(there, 0.8)), (planned_seconds(back, 0.8), 0)),
        ((0, there.spread_s), (back.spread_s, 0)),
        0.8,
        "formula",
    )


@pytest.mark.parametrize("bad", [(91, 0), (0, 181), (nan, 0), (0, inf), (-90.1, 0)])
def test_impossible_coordinates_are_refused_and_their_place_is_named(bad):
    with pytest.raises(Invalid, match="hotel"):
        matrix({"hotel": bad, "airport": BER}, NOON)
    with pytest.raises(Invalid, match="coordinates"):
        travel(BER, bad, NOON)


def test_an_impossible_quantile_is_refused():
    with pytest.raises(Invalid, match="quantile"):
        matrix({"airport": BER}, NOON, quantile=1.0)
