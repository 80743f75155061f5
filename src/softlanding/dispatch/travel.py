"""How long a drive takes when nobody has been asked: a formula over coordinates, and the table of times that plans
are made with.

It is the last of the layers (learnt, provider, last good, formula): always there, never precise, and honest about
its spread.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import asin, cos, exp, isfinite, radians, sin, sqrt
from statistics import NormalDist

from softlanding.errors import Fault, Invalid

Point = tuple[float, float]  # Latitude and longitude in degrees.

EARTH_RADIUS_KM = 6371.0

# Real roads lie 22 to 43 % above the straight line; short ways wind more.
DETOUR_SHORT, DETOUR_LONG, DETOUR_FADES_KM = 1.40, 1.25, 10.0

# Lights and corners at first, then ring roads, then motorways.
SPEED_SHORT_KMH, SPEED_LONG_KMH, SPEED_RISES_KM = 20.0, 68.0, 20.0

# How much longer the same drive takes at each hour of the day: two rush hours, empty nights.
HOUR_FACTORS = (
    0.85, 0.82, 0.80, 0.80, 0.84, 0.92, 1.05, 1.22, 1.28, 1.14, 1.04, 1.02,
    1.04, 1.04, 1.06, 1.12, 1.22, 1.30, 1.24, 1.10, 1.00, 0.95, 0.92, 0.88,
)  # fmt: skip

# The times between 500 places take 0.2 s to reckon and 20 MB to keep; those of a usual conference a hundredth of that.
TABLES_KEPT = 8

# One standard deviation: a fixed part (lights, ramps, finding the door) and a share of the way.
SPREAD_FIXED_S, SPREAD_SHARE = 60.0, 0.12


@dataclass(frozen=True, slots=True)
class TravelTime:
    """The median drive, one standard deviation around it, and who says so."""

    seconds: int
    spread_s: int
    source: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Seconds to plan with between any two places: `seconds[i][j]` from `place_ids[i]` to `place_ids[j]`; None
    where no way is known. They are a quantile, so that plans hold more often than every second time; `spread_s`
    bears the uncertainty."""

    place_ids: tuple[str, ...]
    seconds: tuple[tuple[int | None, ...], ...]
    spread_s: tuple[tuple[int | None, ...], ...] = ()
    quantile: float = 0.5
    source: str = "formula"


def matrix(places: Mapping[str, Point], at: datetime, *, quantile: float = 0.8) -> Matrix:
    """The times between all these places at `at`, places sorted by id. Raises `Invalid` naming each impossible
    coordinate."""
    if not 0 < quantile < 1:
        raise Invalid(Fault("quantile", f"{quantile} is not between 0 and 1"))
    faults = [Fault(place_id, fault) for place_id in sorted(places) if (fault := _point_fault(places[place_id]))]
    if faults:
        raise Invalid(*faults)
    return _table(tuple((place_id, places[place_id]) for place_id in sorted(places)), at.hour, quantile)


@lru_cache(TABLES_KEPT)
def _table(places: tuple[tuple[str, Point], ...], hour: int, quantile: float) -> Matrix:
    """Kept, for plans are made all the time and places change seldom. There and back take the same."""
    share = NormalDist().inv_cdf(quantile)
    seconds, spread = ([[0] * len(places) for _ in places] for _ in range(2))
    for row, (_, start) in enumerate(places):
        for column, (_, end) in enumerate(places[:row]):
            drive_s, spread_s = _drive(start, end, hour)
            seconds[row][column] = seconds[column][row] = _quantile(drive_s, spread_s, share)
            spread[row][column] = spread[column][row] = spread_s
    return Matrix(
        place_ids=tuple(place_id for place_id, _ in places),
        seconds=tuple(tuple(row) for row in seconds),
        spread_s=tuple(tuple(row) for row in spread),
        quantile=quantile,
    )


def travel(start: Point, end: Point, at: datetime) -> TravelTime:
    """The drive from `start` to `end`. The hour is that of `at` in the zone it bears: give local time. Zero for one
    place."""
    for point in (start, end):
        if fault := _point_fault(point):
            raise Invalid(Fault("coordinates", fault))
    return TravelTime(*_drive(start, end, at.hour), "formula")


def _drive(start: Point, end: Point, hour: int) -> tuple[int, int]:
    """Median and spread, in seconds."""
    straight_km = great_circle_km(start, end)
    if straight_km == 0:
        return 0, 0
    seconds = road_km(straight_km) / speed_kmh(straight_km) * 3600 * HOUR_FACTORS[hour]
    return round(seconds), round(SPREAD_FIXED_S + SPREAD_SHARE * seconds)


def planned_seconds(time: TravelTime, quantile: float) -> int:
    """What to plan with so that the drive takes no longer in `quantile` of all cases (normal spread); never
    negative."""
    return _quantile(time.seconds, time.spread_s, NormalDist().inv_cdf(quantile))


def _quantile(seconds: int, spread_s: int, share: float) -> int:
    return max(0, round(seconds + share * spread_s))


def great_circle_km(start: Point, end: Point) -> float:
    """Haversine on a sphere: within 0.5 % of the truth, far inside the formula's own spread."""
    lat_1, lon_1, lat_2, lon_2 = radians(start[0]), radians(start[1]), radians(end[0]), radians(end[1])
    half = sin((lat_2 - lat_1) / 2) ** 2 + cos(lat_1) * cos(lat_2) * sin((lon_2 - lon_1) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, half)))


def road_km(straight_km: float) -> float:
    return straight_km * (DETOUR_LONG + (DETOUR_SHORT - DETOUR_LONG) * exp(-straight_km / DETOUR_FADES_KM))


def speed_kmh(straight_km: float) -> float:
    return SPEED_LONG_KMH - (SPEED_LONG_KMH - SPEED_SHORT_KMH) * exp(-straight_km / SPEED_RISES_KM)


def _point_fault(point: Point) -> str:
    latitude, longitude = point
    if not (isfinite(latitude) and isfinite(longitude)):
        return f"latitude {latitude}, longitude {longitude} are not numbers of degrees"
    if not -90 <= latitude <= 90:
        return f"latitude {latitude} is not between -90 and 90 degrees; are latitude and longitude swapped?"
    if not -180 <= longitude <= 180:
        return f"longitude {longitude} is not between -180 and 180 degrees"
    return ""
