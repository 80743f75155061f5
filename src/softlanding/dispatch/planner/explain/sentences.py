"""How the planner speaks: times by a formatter that the caller passes, numbers with their noun, people by their
codes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from softlanding.dispatch.planner.index import Index
from softlanding.dispatch.planner.problem import Constraint, Lock, Ride, Vehicle, time_at

SayTime = Callable[[datetime], str]


@dataclass(frozen=True, slots=True)
class Speech:
    """Words about one problem."""

    index: Index
    say_time: SayTime

    def name(self, some_id: str) -> str:
        return self.index.name(some_id)

    def time(self, seconds: int) -> str:
        return self.say_time(time_at(self.index.problem, seconds))

    def by(self, lock: Lock) -> str:
        return f"by {lock.author} ({lock.reason})" if lock.reason else f"by {lock.author}"


def say_utc(at: datetime) -> str:
    """`09:10 UTC`: true anywhere, for callers that pass no formatter of their own."""
    return f"{at.astimezone(UTC):%H:%M} UTC"


def minutes(seconds: int) -> str:
    """Whole minutes, rounded up: what somebody must really wait."""
    return f"{-(-seconds // 60)} min"


def hours(seconds: int) -> str:
    """`9 h 10`, `8 h`, `50 min`: how long somebody works, rounded up to minutes."""
    whole, left = divmod(-(-seconds // 60), 60)
    if not whole:
        return f"{left} min"
    return f"{whole} h {left:02}" if left else f"{whole} h"


def count(number: int, noun: str) -> str:
    if number == 1:
        return f"1 {noun}"
    first, _, rest = noun.partition(" of ")
    return f"{number} {first}s of {rest}" if rest else f"{number} {noun}s"


def dimensions(ride: Ride, vehicle: Vehicle) -> tuple[tuple[Constraint, int, int, str], ...]:
    """Each dimension of a load: its constraint, what the ride needs, what the vehicle has, and the noun."""
    return (
        ("seats", ride.seats, vehicle.seats, "seat"),
        ("luggage", ride.luggage, vehicle.luggage, "piece of luggage"),
        ("wheelchairs", ride.wheelchairs, vehicle.wheelchair_places, "wheelchair place"),
    )
