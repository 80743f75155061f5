"""What makes one plan better than another: levels, compared in order; no gain on a lower one pays for a loss on a
higher.

Valid plans only: broken limits have no price. Waiting, detours and time at the wheel count by their square, so that
one passenger is not left to wait for an hour in order that ten save two minutes, nor one driver to drive all day.
"""

from math import sqrt
from operator import add, sub
from typing import NamedTuple

# Another time or another car is worse news the sooner it counts: within so many seconds, so many times the price.
NEARNESS = ((1800, 8), (10800, 4), (86400, 2))
NEW_TIME, NEW_CAR = 1, 2

# Of a longer wait so many seconds may be lost where its price is rounded.
ROUNDED_S = 2

# One ride of a priority outweighs nine of the next lower; priorities beyond 9 count as 9.
PRIORITY_WEIGHT, PRIORITY_MAX = 10, 9


class Cost(NamedTuple):
    """Compared from left to right; seconds, or their squares. `changes` counts what differs from what passengers
    have been told, weighed by how soon it is; `hours` what drivers drive more than nobody counts. `unease` breaks ties:
    all waiting and detour, however short."""

    stranded: int = 0
    waiting: int = 0
    riding: int = 0
    changes: int = 0
    hours: int = 0
    driving: int = 0
    unease: int = 0


def stranded_cost(priority: int) -> int:
    weight: int = PRIORITY_WEIGHT ** max(0, min(priority, PRIORITY_MAX))
    return weight


def excess_cost(seconds: int, free_s: int) -> int:
    """The convex price of waiting, of riding longer than needed or of driving, for `seconds` of which `free_s` are
    nobody's concern."""
    over = seconds - free_s
    return over * over if over > 0 else 0


def waiting_cost(seconds: int, unsure_s: int, free_s: int) -> int:
    """What it costs to be fetched so long after one is thought to be ready, as expected over when one really is, less
    what nobody can help; 0 up to `free_s` less `unsure_s`, above it beyond. `unsure_s`: see `unsure_of`; 0 when the
    moment is known."""
    if not unsure_s:
        return excess_cost(seconds, free_s)
    sooner, later = excess_cost(seconds + unsure_s, free_s), excess_cost(seconds - unsure_s, free_s)
    six_times = sooner + 4 * excess_cost(seconds, free_s) + later - excess_cost(unsure_s, free_s)
    return -(-six_times // 6)


def patience_of(unsure_s: int, free_s: int, waited_s: int = 0) -> int:
    """How much longer than that one may wait before it costs more for sure: as a price is a whole number, a second or
    two may be lost in it."""
    return max(0, free_s - unsure_s - waited_s) + (ROUNDED_S if unsure_s else 0)


def unsure_of(spread_s: int) -> int:
    """How far the outer two lie from the middle one of the three moments that stand for a normal spread, weighed 1, 4
    and 1: Gauss-Hermite quadrature, exact for any polynomial up to the fifth degree."""
    return round(sqrt(3) * spread_s)


def nearness(seconds: int) -> int:
    """How much a change weighs for somebody who boards in `seconds`."""
    return next((weight for within, weight in NEARNESS if seconds <= within), 1)


def plus(one: Cost, other: Cost) -> Cost:
    return Cost(*map(add, one, other))


def minus(one: Cost, other: Cost) -> Cost:
    return Cost(*map(sub, one, other))
