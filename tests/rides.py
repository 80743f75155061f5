"""Builders for days of rides: valid defaults, so that a test shows only what matters, and whole random days from a
seed."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from softlanding.dispatch.planner import Break, Comfort, Lock, Plan, Problem, Ride, Told, Vehicle, place, start_plan
from softlanding.dispatch.travel import Matrix

EPOCH = datetime(2026, 5, 1, tzinfo=UTC)

# Places on a line, ten minutes apart.
LINE = ("airport", "east", "mid", "west", "venue")


def hhmm(text: str) -> int:
    """Seconds since the epoch, which is midnight."""
    hours, minutes = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60


def a_matrix(places: tuple[str, ...] = LINE, step_s: int = 600) -> Matrix:
    numbers = range(len(places))
    return Matrix(places, tuple(tuple(abs(i - j) * step_s for j in numbers) for i in numbers))


def a_vehicle(id: str = "car-1", **changes: Any) -> Vehicle:
    base = Vehicle(id, 4, "airport", hhmm("08:00"), hhmm("20:00"), luggage=8)
    return replace(base, **changes)


def a_ride(id: str = "K7QX", ready: str = "10:00", **changes: Any) -> Ride:
    base = Ride(id, "airport", "venue", hhmm(ready), hhmm(ready) + 1200, board_service_s=60, alight_service_s=30)
    return replace(base, **changes)


def a_problem(*parts: Vehicle | Ride, **changes: Any) -> Problem:
    vehicles = tuple(part for part in parts if isinstance(part, Vehicle)) or (a_vehicle(),)
    rides = tuple(part for part in parts if isinstance(part, Ride))
    return Problem(EPOCH, vehicles, rides, **{"matrix": a_matrix(), **changes})


def planned(problem: Problem, *ride_ids: str) -> Plan:
    """The plan with these rides placed in turn, or all in the order of the problem."""
    plan = start_plan(problem)
    for ride_id in ride_ids or [ride.id for ride in problem.rides]:
        plan = place(problem, plan, ride_id).plan
    return plan


def a_random_day(seed: int, *, rides: int = 8, vehicles: int = 3, triangle: bool = True) -> Problem:
    """A small crowded day in which every kind of limit occurs. Without `triangle` detours may be quicker than
    direct ways."""
    rng = random.Random(seed)
    places = tuple(f"p{number}" for number in range(rng.randint(3, 6)))
    cars = tuple(_random_vehicle(rng, f"car-{number}", places) for number in range(vehicles))
    people = tuple(_random_ride(rng, f"r{number}", places, rides) for number in range(rides))
    locks = []
    for ride in people:
        if rng.random() < 0.15:
            locks.append(Lock(rng.choice(["to", "never"]), ride.id, rng.choice(cars).id, "Ana", "asked for"))
    if rides > 1 and rng.random() < 0.5:
        locks.append(Lock("order", "", "", "Ana", "asked for", tuple(ride.id for ride in rng.sample(people, 2))))
    known = (ride for ride in people if rng.random() < 0.3)
    told = {ride.id: Told(rng.choice(cars).id, ride.earliest_board_s + rng.randint(0, 1200)) for ride in known}
    matrix = _random_matrix(rng, places, triangle=triangle)
    doubt = random.Random(seed + 1)
    people = tuple(replace(ride, ready_spread_s=doubt.choice([0, 0, 300, 1080])) for ride in people)
    comfort = Comfort(wheel_free_s=doubt.choice([0, 1800, 7200]))
    return Problem(EPOCH, cars, people, matrix, locks=tuple(locks), comfort=comfort, told=told)


def _random_matrix(rng: random.Random, places: tuple[str, ...], *, triangle: bool) -> Matrix:
    rows = [[0 if i == j else rng.randint(200, 2400) for j in range(len(places))] for i in range(len(places))]
    if triangle:
        for middle in range(len(places)):
            for start in range(len(places)):
                for end in range(len(places)):
                    rows[start][end] = min(rows[start][end], rows[start][middle] + rows[middle][end])
    return Matrix(places, tuple(tuple(row) for row in rows))


def _random_vehicle(rng: random.Random, id: str, places: tuple[str, ...]) -> Vehicle:
    start = rng.randint(0, 7200)
    breaks = (Break("rest", start + 3600, start + 3600 + rng.randint(0, 7200), rng.randint(300, 1800)),)
    return Vehicle(
        id,
        rng.randint(1, 6),
        rng.choice(places),
        start,
        start + rng.randint(14400, 28800),
        end_place_id=rng.choice([None, *places]),
        luggage=rng.randint(0, 6),
        wheelchair_places=rng.randint(0, 1),
        breaks=breaks if rng.random() < 0.4 else (),
        skills=("french",) if rng.random() < 0.5 else (),
        span_max_s=rng.randint(3600, 14400) if rng.random() < 0.3 else None,
    )


def _random_ride(rng: random.Random, id: str, places: tuple[str, ...], rides: int) -> Ride:
    start, end = rng.sample(places, 2)
    early = rng.randint(0, 14400)
    late = early + rng.choice([300, 1200, 3600])
    return Ride(
        id,
        start,
        end,
        early,
        late,
        latest_deliver_s=late + rng.randint(600, 5400) if rng.random() < 0.4 else None,
        earliest_deliver_s=early + rng.randint(0, 5400) if rng.random() < 0.15 else None,
        seats=rng.choice([1, 1, 1, 2, 3]),
        luggage=rng.choice([0, 0, 1, 2]),
        wheelchairs=int(rng.random() < 0.05),
        board_service_s=rng.choice([0, 60, 180]),
        alight_service_s=rng.choice([0, 60]),
        ride_max_s=rng.randint(600, 4200) if rng.random() < 0.6 else None,
        priority=rng.choice([0, 0, 1]),
        alone=rng.random() < 0.05,
        not_with=(f"r{rng.randrange(rides)}",) if rng.random() < 0.1 else (),
        needs_skills=("french",) if rng.random() < 0.05 else (),
        expires_s=late - rng.randint(0, 200) if rng.random() < 0.1 else None,
    )
