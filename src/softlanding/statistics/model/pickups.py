"""What became of a pickup, how long people waited: read off what the services said. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

ENDED = frozenset({"delivered", "no_show", "missed", "refused", "by_hand", "withdrawn", "stood_down"})

_RIDE_WORDS = {
    "unplaced": "unplaced",
    "planned": "planned",
    "accepted": "accepted",
    "arrived": "arrived",
    "driver_arrived": "arrived",
    "boarded": "boarded",
    "aboard": "boarded",  # As rows of earlier releases have it.
    "delivered": "delivered",
    "no_show": "no_show",
    "missed": "missed",
    "refused": "refused",
    "stood_down": "stood_down",
}
WAIT_BINS_MIN = (0, 5, 10, 15, 20, 30, 45, 60)


def ride_word(status: str, fact_type: str) -> str:
    """Our word for a ride's state: by the status that Dispatch gave, else by the type of its fact."""
    tail = fact_type.rpartition(".")[2]
    return _RIDE_WORDS.get(status) or _RIDE_WORDS.get(tail) or tail


def kept_word(word: str | None) -> str | None:
    """A ride's word as it was kept, spelled as today."""
    return _RIDE_WORDS.get(word, word) if word else None


@dataclass(frozen=True)
class Waits:
    """How long people waited from ready to aboard. Bins as (label in minutes, count)."""

    count: int
    p50: timedelta | None
    p95: timedelta | None
    bins: tuple[tuple[str, int], ...]


def summarize_waits(waits: Iterable[timedelta]) -> Waits:
    ordered = sorted(waits)
    edges = (*WAIT_BINS_MIN, None)
    bins = tuple(
        (f"{low}–{high}" if high is not None else f"{low}+", sum(_is_between(wait, low, high) for wait in ordered))
        for low, high in pairwise(edges)
        if low is not None
    )
    return Waits(len(ordered), _percentile(ordered, 50), _percentile(ordered, 95), bins)


def wait_of(
    direction: str | None, landing_at: datetime | None, board_at: datetime | None, boarded_at: datetime
) -> timedelta:
    """From ready to aboard: who arrives is ready at the landing, who leaves at the planned time. Never negative."""
    ready_at = landing_at if direction != "departure" and landing_at is not None else board_at
    return max(timedelta(0), boarded_at - (ready_at or boarded_at))


def _is_between(wait: timedelta, low_min: int, high_min: int | None) -> bool:
    return timedelta(minutes=low_min) <= wait and (high_min is None or wait < timedelta(minutes=high_min))


def _percentile(ordered: Sequence[timedelta], percent: int) -> timedelta | None:
    """The smallest value that at least `percent` of all do not exceed (nearest rank)."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
