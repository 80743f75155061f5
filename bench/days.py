"""A day of rides to measure and test with, made from a seed: the speakers of a conference, their flights, the fleet.

Over-full on purpose when vehicles are few for the rides (300 on 25): a plan that serves everybody is then out of
reach, and how many it serves tells planners apart. Flights come from real rows where given, else from this file's own
distributions; nothing else is asked of the outside, so that a seed gives the same day everywhere.
"""

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import cos, radians
from typing import Literal, NamedTuple

from softlanding.dispatch.planner.problem import Break, Problem, Ride, Vehicle
from softlanding.dispatch.travel import Matrix, Point, matrix

Grade = Literal["ordinary", "bad", "storm"]

EPOCH = datetime(2026, 5, 1, tzinfo=UTC)
PLANNED_AT_HOUR = 11  # One table of times for the whole day: neither rush hour nor night.
MINUTE, HOUR = 60, 3600

# Where: three terminals out of town, the station and the venue in it, and hotels around them.
CENTRE: Point = (50.0, 8.0)
TERMINALS = ("terminal-1", "terminal-2", "terminal-3")
AIRPORT_KM = 28.0
HOTELS = (18, 30)
HOTELS_KM = 4.5  # One standard deviation around the centre, each way.
GARAGES = ("garage-airport", "garage-city")

# Who: by share of all rides. A passenger in a wheelchair takes one wheelchair place, the others of the party seats.
INBOUND, BY_TRAIN, FLIGHT_UNKNOWN, IN_WHEELCHAIR, WITH_TALK, IN_FRENCH = 0.60, 0.05, 0.03, 0.02, 0.20, 0.04
PARTIES = {1: 78, 2: 15, 3: 4, 4: 3}
LUGGAGE = {0: 20, 1: 60, 2: 20}  # Pieces, by person.
FLIGHT_SHARED_MAX = 4

# When: waves of flights, in hours, with their weights; then from the door of the aeroplane to the kerb.
WAVES = ((8.0, 1.4, 35), (12.5, 1.6, 25), (18.0, 2.0, 40))
FIRST_FLIGHT_S, LAST_FLIGHT_S = 7 * HOUR, 22 * HOUR
CLOSES_S = 24 * HOUR  # The airport at night: nothing lands or leaves later.
INTERNATIONAL = 0.35
OUT_OF_AIRPORT = {False: 20 * MINUTE, True: 45 * MINUTE}
AT_AIRPORT_BEFORE = {False: 75 * MINUTE, True: 105 * MINUTE}
FLIGHT_SPREAD = 18 * MINUTE  # Of a flight that has left: a standard deviation.
OUT_OF_STATION, AT_STATION_BEFORE = 8 * MINUTE, 12 * MINUTE
PATIENCE = (15 * MINUTE, 40 * MINUTE)
PATIENCE_UNKNOWN = 3 * HOUR  # Nobody knows when they come: the earliest guess, and a long window.
EARLY_AT_AIRPORT = (25 * MINUTE, 60 * MINUTE)
TALK_AFTER = (25 * MINUTE, 150 * MINUTE)  # After the quickest possible arrival, as it was planned.
TALK_MOVED = 25 * MINUTE  # A talk that a delay made impossible is moved to so long after the quickest arrival.
BOARDING, ALIGHTING = 120, 60
RIDE_MAX_SHARE, RIDE_MAX_MORE = 1.6, 15 * MINUTE

# The fleet, by share: seats, luggage, wheelchair places.
FLEET = (((3, 4, 0), 10), ((6, 9, 0), 9), ((8, 12, 0), 4), ((4, 6, 2), 2))
SHIFT_STARTS = (4.0, 5.5, 7.5, 10.0, 12.5, 15.0, 17.5)
SHIFT_S, BREAK_S = 8 * HOUR, 30 * MINUTE
BREAK_AFTER = (150 * MINUTE, 330 * MINUTE)
WITH_BREAK, ENDS_AT_START, SPEAKS_FRENCH = 0.6, 0.7, 0.3


class FlightRow(NamedTuple):
    """A flight as it was: due so many seconds after midnight, and how late it came. `delay_s` None: it did not."""

    due_s: int
    delay_s: int | None


@dataclass(frozen=True, slots=True)
class Flight:
    """A flight of the day. `at_s` is when it really comes or goes; a lost one has none."""

    due_s: int
    at_s: int | None
    terminal: str
    is_international: bool


class _Delays(NamedTuple):
    """Minutes of delay: what lies on all flights of a day and how it differs between days, then one flight's own
    spread and the long tail that a share of them has; and the share that is lost."""

    day: float
    day_spread: float
    spread: float
    tail_share: float
    tail: float
    lost: float


# 95 of 100 flights are less late than three quarters of an hour on an ordinary day, and than two hours on a bad one or
# in a storm; a third of the variance lies between days, as in real rows.
DELAYS: dict[Grade, _Delays] = {
    "ordinary": _Delays(-5, 15, 13, 0.2, 28, 0.01),
    "bad": _Delays(15, 28, 20, 0.35, 46, 0.05),
    "storm": _Delays(15, 28, 20, 0.35, 46, 0.50),
}


def make_day(
    seed: int | random.Random,
    *,
    grade: Grade = "ordinary",
    rides: int = 300,
    vehicles: int = 25,
    flights: Sequence[FlightRow] | None = None,
) -> Problem:
    """A whole day: the same for the same seed, valid by `problem_faults`, each ride possible for a free car.

    Nobody has priority over others, is alone or shuns company, so that rides served can be counted and other planners
    can be given the same day. Passengers of a flight that was lost come with a later one. `flights`: to draw from;
    on an ordinary day they are as late as they were, on the others as late as the grade says.
    """
    rng = random.Random(seed) if isinstance(seed, int) else seed
    places = _places(rng)
    table = matrix(places, EPOCH + timedelta(hours=PLANNED_AT_HOUR))
    town = _Town(table, {place_id: number for number, place_id in enumerate(table.place_ids)})
    inbound = round(rides * INBOUND)
    digits = len(str(rides))
    people = [
        *_riders(rng, town, grade, flights, inbound, is_inbound=True),
        *_riders(rng, town, grade, flights, rides - inbound, is_inbound=False),
    ]
    rng.shuffle(people)
    numbered = tuple(person.ride(f"ride-{number:0{digits}}") for number, person in enumerate(people, 1))
    return Problem(EPOCH, _fleet(rng, vehicles), numbered, table)


def flights_of_day(
    rng: random.Random, grade: Grade, count: int, given: Sequence[FlightRow] | None = None
) -> list[Flight]:
    """So many flights, by the hour at which they were due. Of those of a storm half are lost, exactly."""
    delays = DELAYS[grade]
    day = rng.gauss(delays.day, delays.day_spread)
    lost = set(rng.sample(range(count), round(count * delays.lost)))
    found = []
    for number in range(count):
        row = rng.choice(given) if given else FlightRow(_due(rng), None)
        drawn_s = _delay(rng, delays, day)
        late_s = row.delay_s if given and grade == "ordinary" else drawn_s
        at_s = None if number in lost or late_s is None else min(row.due_s + late_s, CLOSES_S)
        found.append(Flight(row.due_s, at_s, rng.choice(TERMINALS), rng.random() < INTERNATIONAL))
    return sorted(found, key=lambda flight: flight.due_s)


def _due(rng: random.Random) -> int:
    while True:
        middle, spread, _ = rng.choices(WAVES, [weight for _, _, weight in WAVES])[0]
        due_s = round(rng.gauss(middle, spread) * 12) * 5 * MINUTE
        if FIRST_FLIGHT_S <= due_s <= LAST_FLIGHT_S:
            return due_s


def _delay(rng: random.Random, delays: _Delays, day: float) -> int:
    tail = rng.expovariate(1 / delays.tail) if rng.random() < delays.tail_share else 0.0
    return round((rng.gauss(day, delays.spread) + tail) * MINUTE)


class _Town(NamedTuple):
    """The places and the drives between them."""

    table: Matrix
    numbers: dict[str, int]

    def drive(self, start: str, end: str) -> int:
        return self.table.seconds[self.numbers[start]][self.numbers[end]] or 0

    def somewhere(self, rng: random.Random) -> str:
        return rng.choice([place_id for place_id in self.table.place_ids if place_id.startswith("hotel")])


def _places(rng: random.Random) -> dict[str, Point]:
    """Terminals close together and far out, everything else around the centre."""
    airport = _away(CENTRE, AIRPORT_KM * 0.6, AIRPORT_KM * 0.8)
    places = {terminal: _away(airport, 0.7 * number, 0.3) for number, terminal in enumerate(TERMINALS)}
    places |= {"venue": _away(CENTRE, 1.5, -2.0), "station": _away(CENTRE, -0.6, 0.4)}
    places |= {"garage-airport": _away(airport, -1.5, 0.5), "garage-city": _away(CENTRE, 2.5, 1.0)}
    for number in range(1, rng.randint(*HOTELS) + 1):
        places[f"hotel-{number:02}"] = _away(CENTRE, rng.gauss(0, HOTELS_KM), rng.gauss(0, HOTELS_KM))
    return places


def _away(start: Point, north_km: float, east_km: float) -> Point:
    latitude = start[0] + north_km / 111.2
    return round(latitude, 5), round(start[1] + east_km / (111.2 * cos(radians(start[0]))), 5)


class _Rider(NamedTuple):
    """A party on its way, before it has a number."""

    start: str
    end: str
    board: tuple[int, int]
    deliver_by: int | None
    direct_s: int
    party: int
    luggage: int
    in_wheelchair: bool
    in_french: bool
    spread_s: int

    def ride(self, ride_id: str) -> Ride:
        return Ride(
            ride_id,
            self.start,
            self.end,
            *self.board,
            latest_deliver_s=self.deliver_by,
            seats=self.party - self.in_wheelchair,
            luggage=self.luggage,
            wheelchairs=int(self.in_wheelchair),
            board_service_s=BOARDING,
            alight_service_s=ALIGHTING,
            ride_max_s=round(RIDE_MAX_SHARE * self.direct_s) + RIDE_MAX_MORE,
            needs_skills=("french",) if self.in_french else (),
            ready_spread_s=self.spread_s,
        )


def _riders(
    rng: random.Random, town: _Town, grade: Grade, given: Sequence[FlightRow] | None, count: int, *, is_inbound: bool
) -> list[_Rider]:
    """One to four parties on each flight, and a few by train or by a flight that nobody was told."""
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(min(rng.randint(1, FLIGHT_SHARED_MAX), count - sum(sizes)))
    flights = flights_of_day(rng, grade, len(sizes), given)
    flown = [flight for flight in flights if flight.at_s is not None] or [_unhindered(flight) for flight in flights]
    riders = []
    for flight, size in zip(flights, sizes, strict=True):
        taken = flight if flight.at_s is not None else _next_flown(rng, flown, flight)
        riders += [_rider(rng, town, taken, is_inbound=is_inbound) for _ in range(size)]
    return riders


def _unhindered(flight: Flight) -> Flight:
    return Flight(flight.due_s, flight.due_s, flight.terminal, flight.is_international)


def _next_flown(rng: random.Random, flown: Sequence[Flight], lost: Flight) -> Flight:
    """One of the next four that fly, or the day's last one."""
    first = min(bisect_right([flight.due_s for flight in flown], lost.due_s), len(flown) - 1)
    return rng.choice(flown[first : first + 4])


def _rider(rng: random.Random, town: _Town, flight: Flight, *, is_inbound: bool) -> _Rider:
    party = rng.choices(list(PARTIES), list(PARTIES.values()))[0]
    luggage = sum(rng.choices(list(LUGGAGE), list(LUGGAGE.values()), k=party))
    in_wheelchair = rng.random() < IN_WHEELCHAIR
    if in_wheelchair:
        party, luggage = min(party, 2), min(luggage, 3)  # Room for them is small, and there is little of it.
    in_french = not in_wheelchair and party < 4 and rng.random() < IN_FRENCH
    by_train = rng.random() < BY_TRAIN
    arrive = _arriving if is_inbound else _leaving
    start, end, board, deliver_by = arrive(rng, town, flight, by_train)
    direct_s = town.drive(start, end)
    spread_s = FLIGHT_SPREAD if is_inbound and not by_train else 0
    return _Rider(start, end, board, deliver_by, direct_s, party, luggage, in_wheelchair, in_french, spread_s)


Way = tuple[str, str, tuple[int, int], int | None]


def _arriving(rng: random.Random, town: _Town, flight: Flight, by_train: bool) -> Way:
    """From the kerb to a hotel, or to the venue with a talk to give."""
    start = "station" if by_train else flight.terminal
    at_s = flight.due_s if by_train or flight.at_s is None else flight.at_s
    out_s = OUT_OF_STATION if by_train else OUT_OF_AIRPORT[flight.is_international]
    ready_s = max(0, at_s + out_s)
    if not by_train and rng.random() < FLIGHT_UNKNOWN:
        return start, town.somewhere(rng), (ready_s, ready_s + PATIENCE_UNKNOWN), None
    board = (ready_s, ready_s + rng.randint(*PATIENCE))
    if rng.random() >= WITH_TALK:
        return start, town.somewhere(rng), board, None
    quickest_s = BOARDING + town.drive(start, "venue")
    planned_s = max(0, flight.due_s + out_s) + quickest_s + rng.randint(*TALK_AFTER)
    return start, "venue", board, max(planned_s, ready_s + quickest_s + TALK_MOVED)


def _leaving(rng: random.Random, town: _Town, flight: Flight, by_train: bool) -> Way:
    """From a hotel or the venue, not too early, to be there in time. Who flies goes by when the flight really
    leaves."""
    start = "venue" if rng.random() < WITH_TALK else town.somewhere(rng)
    end = "station" if by_train else flight.terminal
    at_s = flight.due_s if by_train or flight.at_s is None else max(flight.due_s, flight.at_s)
    before_s = AT_STATION_BEFORE if by_train else AT_AIRPORT_BEFORE[flight.is_international]
    deliver_by = max(FIRST_FLIGHT_S, at_s - before_s)
    latest_s = deliver_by - BOARDING - town.drive(start, end)
    early_s = PATIENCE_UNKNOWN if not by_train and rng.random() < FLIGHT_UNKNOWN else rng.randint(*EARLY_AT_AIRPORT)
    return start, end, (max(0, latest_s - early_s), latest_s), deliver_by


def _fleet(rng: random.Random, count: int) -> tuple[Vehicle, ...]:
    """Cars by their shares, the largest remainders first. Each kind has its shifts all over the day."""
    total = sum(share for _, share in FLEET)
    numbers = [count * share // total for _, share in FLEET]
    rest = sorted(range(len(FLEET)), key=lambda kind: -(count * FLEET[kind][1] % total))
    for kind in rest[: count - sum(numbers)]:
        numbers[kind] += 1
    cars = [
        (size, SHIFT_STARTS[(2 * rank + 1) * len(SHIFT_STARTS) // (2 * number)])
        for (size, _), number in zip(FLEET, numbers, strict=True)
        for rank in range(number)
    ]
    rng.shuffle(cars)
    digits = len(str(count))
    return tuple(
        _vehicle(rng, f"car-{number:0{digits}}", size, round(start * HOUR), GARAGES[number % len(GARAGES)])
        for number, (size, start) in enumerate(cars, 1)
    )


def _vehicle(
    rng: random.Random, vehicle_id: str, size: tuple[int, int, int], start_s: int, start_place: str
) -> Vehicle:
    seats, luggage, wheelchair_places = size
    earliest_s, latest_s = (start_s + after_s for after_s in BREAK_AFTER)
    return Vehicle(
        vehicle_id,
        seats,
        start_place,
        start_s,
        start_s + SHIFT_S,
        end_place_id=start_place if rng.random() < ENDS_AT_START else None,
        luggage=luggage,
        wheelchair_places=wheelchair_places,
        breaks=(Break("rest", earliest_s, latest_s, BREAK_S),) if rng.random() < WITH_BREAK else (),
        skills=("french",) if rng.random() < SPEAKS_FRENCH else (),
    )
