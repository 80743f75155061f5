"""What makes one plan better than another: levels, compared in order; no gain on a lower one pays for a loss on a
higher.

Valid plans only: broken limits have no price. Waiting and detours count by their square, so that one passenger is
not left to wait for an hour in order that ten save two minutes.
"""

from typing import NamedTuple

# Another time or another car is worse news the sooner it counts: within so many seconds, so many times the price.
NEARNESS = ((1800, 8), (10800, 4), (86400, 2))
NEW_TIME, NEW_CAR = 1, 2

# One ride of a priority outweighs nine of the next lower; priorities beyond 9 count as 9.
PRIORITY_WEIGHT, PRIORITY_MAX = 10, 9


class Cost(NamedTuple):
    """Compared from left to right; seconds, or their squares. `changes` counts what differs from what passengers
    have been told, weighed by how soon it is. `unease` breaks ties: all waiting and detour, however short."""

    stranded: int = 0
    waiting: int = 0
    riding: int = 0
    changes: int = 0
    driving: int = 0
    unease: int = 0


def stranded_cost(priority: int) -> int:
    weight: int = PRIORITY_WEIGHT ** max(0, min(priority, PRIORITY_MAX))
    return weight


def excess_cost(seconds: int, free_s: int) -> int:
    """The convex price of waiting, or of riding longer than needed, for `seconds` of which `free_s` are nobody's
    concern."""
    over = seconds - free_s
    return over * over if over > 0 else 0


def nearness(seconds: int) -> int:
    """How much a change weighs for somebody who boards in `seconds`."""
    return next((weight for within, weight in NEARNESS if seconds <= within), 1)


def plus(one: Cost, other: Cost) -> Cost:
    return Cost(*(a + b for a, b in zip(one, other, strict=True)))


def minus(one: Cost, other: Cost) -> Cost:
    return Cost(*(a - b for a, b in zip(one, other, strict=True)))
