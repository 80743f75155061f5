"""What a day of rides is, as plain values: the problem, and the plan that answers it.

Times are whole seconds since the problem's `epoch_at` (quick to reckon with); `seconds_at` and `time_at` convert. A
window or a deadline speaks of the moment at which service at the stop begins. All values are frozen: a change makes
a new one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from softlanding.dispatch.planner.objective import Cost
from softlanding.dispatch.travel import Matrix

Constraint = Literal[
    "seats", "luggage", "wheelchairs", "skills", "lock", "shift", "break", "latest_board", "latest_deliver",
    "ride_max", "span", "alone", "not_with", "expiry", "frozen", "order", "place", "busy", "not_planned",
]  # fmt: skip
WayOutKind = Literal["wait", "ride", "move", "shift", "taxi"]


@dataclass(frozen=True, slots=True)
class Break:
    """A pause of the driver with nobody aboard, taken where the car stands. It begins between `earliest_s` and
    `latest_s`."""

    id: str
    earliest_s: int
    latest_s: int
    duration_s: int


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One shift: a car with a driver. A car that two drivers share is two of these. `end_place_id` None: it may end
    anywhere. `span_max_s`: the longest time from leaving the start place to being back (a driver's hours); who waits
    at the start place, or has a break there first, has not left."""

    id: str
    seats: int
    start_place_id: str
    shift_start_s: int
    shift_end_s: int
    end_place_id: str | None = None
    luggage: int = 0
    wheelchair_places: int = 0
    breaks: tuple[Break, ...] = ()
    skills: tuple[str, ...] = ()
    span_max_s: int | None = None


@dataclass(frozen=True, slots=True)
class Ride:
    """A pickup to plan. `earliest_board_s` is when the passenger is ready, `latest_board_s` how long that passenger
    may wait, `latest_deliver_s` the deadline of the talk or flight. `ride_max_s` counts from leaving the boarding
    stop to reaching the other one. `expires_s`: boarding later is of no use. A passenger in a wheelchair needs a
    wheelchair place, not a seat. `ready_spread_s`: the standard deviation of the moment at which the passenger is
    really ready, as of a flight's arrival."""

    id: str
    from_place_id: str
    to_place_id: str
    earliest_board_s: int
    latest_board_s: int
    earliest_deliver_s: int | None = None
    latest_deliver_s: int | None = None
    seats: int = 1
    luggage: int = 0
    wheelchairs: int = 0
    board_service_s: int = 0
    alight_service_s: int = 0
    ride_max_s: int | None = None
    priority: int = 0
    alone: bool = False
    not_with: tuple[str, ...] = ()
    needs_skills: tuple[str, ...] = ()
    expires_s: int | None = None
    ready_spread_s: int = 0


@dataclass(frozen=True, slots=True)
class Lock:
    """A person's word that every plan keeps: this ride on that vehicle (`to`), or never on it (`never`); or `order`:
    those of `ride_ids` who share a vehicle board it in this order, or at one stop."""

    kind: Literal["to", "never", "order"]
    ride_id: str
    vehicle_id: str
    author: str
    reason: str
    ride_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Told:
    """What a passenger has been told: the vehicle, and when service there begins."""

    vehicle_id: str
    board_s: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A halt. Who alights does so before who boards; all begin at `begin_s`. A break is a stop of its own, where
    the car stands."""

    place_id: str
    boards: tuple[str, ...] = ()
    alights: tuple[str, ...] = ()
    break_id: str | None = None
    arrive_s: int = 0
    begin_s: int = 0
    depart_s: int = 0


@dataclass(frozen=True, slots=True)
class Comfort:
    """What nobody counts: the objective sees waiting, detours and a driver's time at the wheel only beyond these, and
    then their square; and whoever has been told a time it sees as changed only when it moves by more. After 4.5 hours
    at the wheel a driver must rest by Regulation (EC) No 561/2006."""

    wait_free_s: int = 300
    ride_free_s: int = 600
    told_free_s: int = 300
    wheel_free_s: int = 16200


@dataclass(frozen=True, slots=True)
class Prices:
    """What each way out costs, in minutes of a passenger's patience: a scale to rank by, not money."""

    wait_per_min: int = 1
    ride_per_min: int = 1
    told: int = 15  # Somebody who knows another car and must be told anew.
    shift: int = 30  # Asking a driver at all.
    shift_per_min: int = 1
    taxi: int = 120


@dataclass(frozen=True)
class Problem:
    """All that a plan must answer to. `frozen` gives, by vehicle, the stops that are facts or as good as (done, or
    being driven to), in order and with their times; who boarded there and has not alighted is aboard. `told` gives,
    by ride, what its passenger knows already: to change that has a price. `names` says what people read for an id of
    a ride, vehicle or place."""

    epoch_at: datetime
    vehicles: tuple[Vehicle, ...]
    rides: tuple[Ride, ...]
    matrix: Matrix
    now_s: int = 0
    frozen: Mapping[str, tuple[Stop, ...]] = field(default_factory=dict)
    locks: tuple[Lock, ...] = ()
    comfort: Comfort = field(default_factory=Comfort)
    prices: Prices = field(default_factory=Prices)
    told: Mapping[str, Told] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A vehicle's stops in driving order, frozen ones first. `back_s`: at its end place, or free where it stands;
    None if idle."""

    vehicle_id: str
    stops: tuple[Stop, ...] = ()
    back_s: int | None = None


@dataclass(frozen=True, slots=True)
class UnplacedRide:
    """A ride that no vehicle bears, and why, as a coordinator reads it."""

    ride_id: str
    reason: str
    constraint: Constraint


@dataclass(frozen=True, slots=True)
class Plan:
    """Every vehicle's manifest, by vehicle id, and the rides without a place, by ride id."""

    manifests: tuple[Manifest, ...]
    unplaced: tuple[UnplacedRide, ...] = ()


@dataclass(frozen=True, slots=True)
class Schedule:
    """The stops with the earliest times that keep every limit; no other schedule has anybody board or alight
    earlier."""

    stops: tuple[Stop, ...]
    back_s: int | None


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Why these stops cannot be driven: in words, the constraint, the ride it is about, and by how much it is
    passed."""

    reason: str
    constraint: Constraint
    ride_id: str = ""
    over_s: int = 0
    break_id: str = ""


@dataclass(frozen=True, slots=True)
class WayOut:
    """What a person may do for a ride without a place: in words, its price to rank by, the ride or car to change,
    by how much, and whom one must tell."""

    kind: WayOutKind
    words: str
    price: int
    ride_id: str = ""
    vehicle_id: str = ""
    extra_s: int = 0
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """The plan with the ride in it, what it adds to the objective, and when service begins at its two stops."""

    plan: Plan
    ride_id: str
    vehicle_id: str
    added: Cost
    board_s: int
    deliver_s: int


@dataclass(frozen=True, slots=True)
class Unplaced:
    """The plan without a place for the ride, the reason in words, the constraint that binds, and the ways out,
    cheapest first."""

    plan: Plan
    ride_id: str
    reason: str
    constraint: Constraint
    ways_out: tuple[WayOut, ...] = ()


def seconds_at(problem: Problem, at: datetime) -> int:
    """Whole seconds from the problem's epoch to `at`, which must be aware."""
    return round((at - problem.epoch_at).total_seconds())


def time_at(problem: Problem, seconds: int) -> datetime:
    return problem.epoch_at + timedelta(seconds=seconds)
