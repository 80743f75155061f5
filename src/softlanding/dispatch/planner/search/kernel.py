"""The search's inner loops, on flat arrays: compiled by numba where it is installed, the same Python where it is not.

A vehicle's route is a row of nodes: ride `r` boards at node `2r` and alights at `2r + 1`; breaks come after all rides.
Neighbours at one place share a halt when who alights comes first and nobody waits for the next to be ready. `measure`
solves the temporal network of `routes.py` for a row; tests hold both equal, and what is found here is judged there.

Chance is an array of two numbers that the caller owns, so that a seed replays.

One file, however long: numba keeps what it compiled by the stamp of the file that a function stands in, and does not
see that a function or constant of another file has changed. Split, this would go on reckoning with yesterday's code.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])
Array = Any
Price = Any  # A float, numba's or numpy's.

try:
    import numba
except ImportError:
    numba = None  # type: ignore[assignment]


def compiled(function: F) -> F:
    """Compiled at the first call and kept on disk; without numba as it is: as true, and a hundred times slower.

    `_nrt=False`: no arrays are made or counted in here. The callers own them all, and counting forty of them at each
    call took three quarters of the time."""
    options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
    return function if numba is None else cast(F, numba.njit(**options)(function))


HERE = -1  # The place of a break: where the car stands.
FAR = 10**9
NEVER = 1e30  # The price of a row that breaks a limit.
NO_LIMIT = 10**15
NOISE = 1e-13  # A total that is lower by no more than this share may be so by rounding.
CANDIDATES_MAX = 8192  # Positions of one ride in one row that are looked at; the rest of a longer row is not.
MADE_ANEW_MAX = 12  # So many of those left behind are tried again at a turn.
HALT_ALIGHTS, HALT_BOARDS, HALT_BREAK = range(3)

# Columns. Of nodes: the place or HERE, the window, the service (a break's duration is BOARD_S).
SPOT, EARLY, LATE, ALIGHT_S, BOARD_S = range(5)
# Of rides: from when waiting counts, the longest ride, the direct one, the load, when it left the stop of boarding (-1:
# it still boards), whether it stays on its vehicle, the vehicle that the passenger was told (-1: none), how unsure the
# moment is at which the passenger is ready.
READY, LIMIT, DIRECT, LOAD, LEFT, IS_FIXED, TOLD, UNSURE, RIDE_COLUMNS = 0, 1, 2, 3, 6, 7, 8, 9, 10
WEIGHT, CHANGE = range(2)
# Of vehicles: the first place, the last (-1: any), its times, the longest time out, room and what is aboard at the
# beginning (seats, luggage, wheelchairs), how long it was driven before, the vehicle before it that is its equal (-1:
# none).
FIRST, END, BEGIN, END_LATE, SPAN, ROOM, ABOARD, DRIVEN, TWIN, CAR_COLUMNS = 0, 1, 2, 3, 4, 5, 8, 11, 12, 13
# Prices: of a second's driving; of waiting, riding and driving beyond the free seconds (squared); of unease, of a
# vehicle's use.
BY_DRIVING, BY_WAITING, BY_RIDING, BY_HOURS, BY_UNEASE, BY_VEHICLE, FREE_WAITING, FREE_RIDING, FREE_WHEEL = range(9)
# Of halts: place, earliest beginning, latest, service, kind.
H_SPOT, H_FLOOR, H_LATE, H_ALIGHT_S, H_BOARD_S, H_KIND = range(6)
# Of legs: earliest departure and beginning before it and where that is; latest beginning after it and where it leads,
# past breaks; driving and service before it; how much longer those aboard may drive; the load; driving before it, and
# of the last one all driving.
LEAVE, BEGUN, AT, LAST, ONWARD, PURE, SLACK, LOADS, WHEEL, LEG_COLUMNS = 0, 1, 2, 3, 4, 5, 6, 7, 10, 11


class Flat(NamedTuple):
    """A problem as a few tables, for a function with few arguments is called quickly; their columns are named above."""

    drive: Array  # [place, place] seconds
    nodes: Array  # [node, column]
    rides: Array  # [ride, column]
    worth: Array  # [ride, 2] the price of leaving it behind, and of another vehicle than the one that was told
    may: Array  # [ride, vehicle]
    strangers: Array  # [ride, ride] who must not meet; [1, 1] when nobody minds anybody
    cars: Array  # [vehicle, column]
    price: Array  # [9]
    near: Array  # [ride, k] other rides, the most alike first


class Desk(NamedTuple):
    """Scratch of one search. Halts are what nodes at one place share; a leg leads to the node of the same number."""

    halts: Array  # [halt, column]
    halt_of: Array  # [node]
    legs: Array  # [vehicle, leg, column]
    looked: Array  # [vehicle] the version of the row that its legs are of; 0 for none
    bids: Array  # [vehicle] what a ride adds at least there
    marks: Array  # [ride, 2] halt or node of boarding; a list of those aboard
    row: Array
    sums: Array  # [2] driving, the drive back
    least: Array  # [candidate] what it adds at least
    spots: Array  # [candidate, 2] legs of boarding and alighting


class State(NamedTuple):
    """A plan as rows."""

    rows: Array  # [vehicle, node]
    length: Array  # [vehicle]
    price: Array  # [vehicle]
    home: Array  # [ride] vehicle, -1 for none
    total: Array  # [1]
    version: Array  # [vehicle] changes with its row
    newest: Array  # [1]


class Trail(NamedTuple):
    """What one turn changes, to undo it; and what insertions cost, as long as a row stays the same."""

    rows: Array  # [slot, node]
    length: Array
    price: Array
    version: Array
    vehicle: Array
    slot: Array  # [vehicle] -1 when unchanged
    used: Array  # [1]
    out: Array  # [n] rides to place
    was: Array  # [n] their vehicles before
    order: Array  # [n]
    is_out: Array  # [ride]
    missed: Array  # [ride] how often it was left behind
    added: Array  # [ride, vehicle] at least, or exactly
    legs: Array  # [ride, vehicle, 2]
    seen: Array  # [ride, vehicle] the version of the row for which both hold: negative as long as it is a bound
    found: Array  # [2]


def make_desk(vehicles: int, nodes: int, rides: int) -> Desk:
    """For rows of so many nodes at most."""

    def whole(*shape: int) -> Array:
        return np.zeros(shape, dtype=np.int64)

    return Desk(
        halts=whole(nodes + 4, 6),
        halt_of=whole(nodes + 4),
        legs=whole(vehicles, nodes + 4, LEG_COLUMNS),
        looked=whole(vehicles),
        bids=np.zeros(vehicles),
        marks=whole(rides + 1, 2),
        row=whole(nodes + 4),
        sums=whole(2),
        least=np.zeros(CANDIDATES_MAX),
        spots=whole(CANDIDATES_MAX, 2),
    )


def make_state(vehicles: int, nodes: int, rides: int) -> State:
    return State(
        rows=np.zeros((vehicles, nodes + 4), dtype=np.int64),
        length=np.zeros(vehicles, dtype=np.int64),
        price=np.zeros(vehicles),
        home=np.full(rides, -1, dtype=np.int64),
        total=np.zeros(1),
        version=np.arange(1, vehicles + 1, dtype=np.int64),
        newest=np.full(1, vehicles + 1, dtype=np.int64),
    )


def make_trail(vehicles: int, nodes: int, rides: int) -> Trail:
    def whole(*shape: int) -> Array:
        return np.zeros(shape, dtype=np.int64)

    return Trail(
        rows=whole(vehicles, nodes + 4),
        length=whole(vehicles),
        price=np.zeros(vehicles),
        version=whole(vehicles),
        vehicle=whole(vehicles),
        slot=np.full(vehicles, -1, dtype=np.int64),
        used=whole(1),
        out=whole(rides),
        was=whole(rides),
        order=np.zeros(rides),
        is_out=whole(rides),
        missed=np.ones(rides),
        added=np.zeros((rides, vehicles)),
        legs=whole(rides, vehicles, 2),
        seen=whole(rides, vehicles),
        found=whole(2),
    )


def make_chance(seed: int) -> Array:
    """Two streams of their own for each seed."""
    return np.array([1 + seed * 2654435761 % 2147483562, 1 + seed * 40503 % 2147483398], dtype=np.int64)


@compiled
def draw(chance: Array) -> Price:
    """Above 0, below 1. Two congruential generators combined: L'Ecuyer, Communications of the ACM 31 (1988)."""
    chance[0] = chance[0] * 40014 % 2147483563
    chance[1] = chance[1] * 40692 % 2147483399
    number = chance[0] - chance[1]
    if number < 1:
        number += 2147483562
    return number / 2147483563.0


@compiled
def draw_below(chance: Array, count: int) -> int:
    return min(int(draw(chance) * count), count - 1)


# One row


@compiled
def measure(flat: Flat, desk: Desk, v: int, row: Array, n: int) -> Price:
    """The price of this row on vehicle `v`, NEVER if it breaks a limit. Its halts and their times stay on the desk."""
    if n == 0:
        home = flat.cars[v, END]  # An idle driver gets there too, as `routes.py` has it.
        return _price_driving(flat, v, flat.drive[flat.cars[v, FIRST], home] if home >= 0 else 0)
    halts = _lay(flat, desk, v, row, n)
    if halts < 0 or not _settle(flat, desk, v, row, n, halts):
        return NEVER
    return _price(flat, desk, v, row, n)


@compiled
def _lay(flat: Flat, desk: Desk, v: int, row: Array, n: int) -> int:
    """Halts at their earliest times before anybody's ride is looked at; how many, -1 if a limit is broken."""
    drive, nodes, rides, cars = flat.drive, flat.nodes, flat.rides, flat.cars
    halts, halt_of, marks = desk.halts, desk.halt_of, desk.marks
    count = rides.shape[0]
    load0, load1, load2 = cars[v, ABOARD], cars[v, ABOARD + 1], cars[v, ABOARD + 2]
    room0, room1, room2 = cars[v, ROOM], cars[v, ROOM + 1], cars[v, ROOM + 2]
    company = _begin_company(flat, desk, row, n)
    here, time, total, h = cars[v, FIRST], cars[v, BEGIN], 0, -1
    for k in range(n):
        node = row[k]
        r, spot, early = node >> 1, nodes[node, SPOT], nodes[node, EARLY]
        alights = r < count and node & 1 == 1
        joins = h >= 0 and spot >= 0 and halts[h, H_SPOT] == spot and early <= halts[h, H_FLOOR]
        if joins and halts[h, H_KIND] != HALT_BREAK and (not alights or halts[h, H_KIND] == HALT_ALIGHTS):
            halts[h, H_LATE] = min(halts[h, H_LATE], nodes[node, LATE])
            halts[h, H_ALIGHT_S] = max(halts[h, H_ALIGHT_S], nodes[node, ALIGHT_S])
            halts[h, H_BOARD_S] = max(halts[h, H_BOARD_S], nodes[node, BOARD_S])
        else:
            if h >= 0:
                time = halts[h, H_FLOOR] + halts[h, H_ALIGHT_S] + halts[h, H_BOARD_S]
            h += 1
            spot = spot if spot >= 0 else here
            total += drive[here, spot]
            halts[h, H_SPOT], halts[h, H_FLOOR] = spot, max(time + drive[here, spot], early)
            halts[h, H_LATE] = nodes[node, LATE]
            halts[h, H_ALIGHT_S], halts[h, H_BOARD_S] = nodes[node, ALIGHT_S], nodes[node, BOARD_S]
            halts[h, H_KIND] = HALT_BREAK
            here = spot
        halt_of[k] = h
        if halts[h, H_FLOOR] > halts[h, H_LATE]:
            return -1
        if r >= count:
            if load0 + load1 + load2 > 0:
                return -1
        elif alights:
            halts[h, H_KIND] = HALT_ALIGHTS
            load0, load1, load2 = load0 - rides[r, LOAD], load1 - rides[r, LOAD + 1], load2 - rides[r, LOAD + 2]
            company = _leave_company(marks, company, r)
        else:
            halts[h, H_KIND] = HALT_BOARDS
            load0, load1, load2 = load0 + rides[r, LOAD], load1 + rides[r, LOAD + 1], load2 + rides[r, LOAD + 2]
            if load0 > room0 or load1 > room1 or load2 > room2:
                return -1
            marks[r, 0] = h
            company = _join_company(flat.strangers, marks, company, r)
            if company == -2:
                return -1
    desk.sums[0] = total
    desk.sums[1] = drive[here, cars[v, END]] if cars[v, END] >= 0 else 0
    return h + 1


@compiled
def _begin_company(flat: Flat, desk: Desk, row: Array, n: int) -> int:
    """How many are aboard at the start, listed on the desk; -1 when nobody minds anybody, and no list is kept."""
    if flat.strangers.shape[0] == 1:
        return -1
    count = 0
    for k in range(n):
        r = row[k] >> 1
        if r < flat.rides.shape[0] and row[k] & 1 == 1 and flat.rides[r, LEFT] >= 0:
            desk.marks[count, 1] = r
            count += 1
    return count


@compiled
def _join_company(strangers: Array, marks: Array, count: int, r: int) -> int:
    """How many are aboard now; -2 when somebody minds."""
    if count < 0:
        return count
    for a in range(count):
        if strangers[r, marks[a, 1]]:
            return -2
    marks[count, 1] = r
    return count + 1


@compiled
def _leave_company(marks: Array, count: int, r: int) -> int:
    for a in range(count):
        if marks[a, 1] == r:
            marks[a, 1] = marks[count - 1, 1]
            return count - 1
    return count


@compiled
def _settle(flat: Flat, desk: Desk, v: int, row: Array, n: int, count: int) -> bool:
    """Raise beginnings until nobody rides too long, nor the driver; False when a limit cannot be kept."""
    drive, rides, halts, halt_of, marks = flat.drive, flat.rides, desk.halts, desk.halt_of, desk.marks
    end_late, span, back = flat.cars[v, END_LATE], flat.cars[v, SPAN], desk.sums[1]
    first = _leaves_for(halts, count)
    out = drive[flat.cars[v, FIRST], halts[first, H_SPOT]] if first >= 0 else 0
    time = halts[count - 1, H_FLOOR] + halts[count - 1, H_ALIGHT_S] + halts[count - 1, H_BOARD_S] + back
    if time > end_late:
        return False
    for _ in range(n + 2):
        lowest = count
        for k in range(n):
            r = row[k] >> 1
            if row[k] & 1 == 1 and r < rides.shape[0] and rides[r, LEFT] < 0:
                on = marks[r, 0]
                needed = halts[halt_of[k], H_FLOOR] - rides[r, LIMIT] - halts[on, H_ALIGHT_S]
                needed -= halts[on, H_BOARD_S]
                if needed > halts[on, H_FLOOR]:
                    halts[on, H_FLOOR] = needed
                    lowest = min(lowest, on)
        if first >= 0 and time - span + out > halts[first, H_FLOOR]:
            halts[first, H_FLOOR] = time - span + out
            lowest = min(lowest, first)
        if lowest == count:
            return True
        if halts[lowest, H_FLOOR] > halts[lowest, H_LATE]:
            return False
        time = halts[lowest, H_FLOOR] + halts[lowest, H_ALIGHT_S] + halts[lowest, H_BOARD_S]
        for h in range(lowest + 1, count):
            time = max(time + drive[halts[h - 1, H_SPOT], halts[h, H_SPOT]], halts[h, H_FLOOR])
            halts[h, H_FLOOR] = time
            if time > halts[h, H_LATE]:
                return False
            time += halts[h, H_ALIGHT_S] + halts[h, H_BOARD_S]
        time += back
        if time > end_late:
            return False
    return False


@compiled
def _leaves_for(halts: Array, count: int) -> int:
    """The first halt to which the car drives, -1 for none: a break before it is taken at home, and is not time out."""
    for h in range(count):
        if halts[h, H_KIND] != HALT_BREAK:
            return h
    return -1


@compiled
def _price(flat: Flat, desk: Desk, v: int, row: Array, n: int) -> Price:
    """The levels of `objective.py`, weighed into one number."""
    rides, worth, prices = flat.rides, flat.worth, flat.price
    halts, halt_of, marks = desk.halts, desk.halt_of, desk.marks
    price = _price_driving(flat, v, desk.sums[0] + desk.sums[1]) + prices[BY_VEHICLE]
    counts_times = prices[BY_WAITING] + prices[BY_RIDING] + prices[BY_UNEASE] > 0
    for k in range(n):
        r = row[k] >> 1
        if r >= rides.shape[0]:
            continue
        boards = row[k] & 1 == 0
        if boards and rides[r, TOLD] >= 0 and rides[r, TOLD] != v:
            price += worth[r, CHANGE]
        if not counts_times:
            continue
        at = halts[halt_of[k], H_FLOOR]
        if boards:
            seconds = at - rides[r, READY]
            price += prices[BY_WAITING] * _waiting(flat, r, seconds) + prices[BY_UNEASE] * seconds
        else:
            on, left = marks[r, 0], rides[r, LEFT]
            if left < 0:
                left = halts[on, H_FLOOR] + halts[on, H_ALIGHT_S] + halts[on, H_BOARD_S]
            seconds = at - left - rides[r, DIRECT]
            price += prices[BY_RIDING] * _excess(seconds, prices[FREE_RIDING]) + prices[BY_UNEASE] * seconds
    return price


@compiled
def _price_driving(flat: Flat, v: int, seconds: int) -> Price:
    prices = flat.price
    long = prices[BY_HOURS] * _excess(flat.cars[v, DRIVEN] + seconds, prices[FREE_WHEEL])
    return prices[BY_DRIVING] * seconds + long


@compiled
def _waiting(flat: Flat, r: int, seconds: int) -> Price:
    """`waiting_cost` of `objective.py`."""
    free_s, unsure = flat.price[FREE_WAITING], flat.rides[r, UNSURE]
    if unsure == 0:
        return _excess(seconds, free_s)
    sooner, later = _excess(seconds + unsure, free_s), _excess(seconds - unsure, free_s)
    return np.ceil((sooner + 4 * _excess(seconds, free_s) + later - _excess(unsure, free_s)) / 6)


@compiled
def _excess(seconds: float, free_s: float) -> Price:
    over = max(seconds - free_s, 0.0)
    return over * over


# One ride into one row


@compiled
def best_place(flat: Flat, desk: Desk, v: int, row: Array, n: int, price: float, r: int, found: Array) -> Price:
    """What ride `r` adds to a row of that price, NEVER if it does not fit; `found`: its legs.

    Positions that no bound rules out are judged exactly, the most promising first, until none can be better. The legs
    on the desk are of this row: `look` comes first."""
    count = _gather(flat, desk, v, row, n, r)
    least, spots = desk.least, desk.spots
    best = NEVER
    while count > 0:
        c = 0
        for k in range(1, count):
            if least[k] < least[c]:
                c = k
        if least[c] >= best:
            break
        i, j = spots[c, 0], spots[c, 1]
        count -= 1
        least[c], spots[c, 0], spots[c, 1] = least[count], spots[count, 0], spots[count, 1]
        _splice(desk.row, row, n, i, j, r)
        added = measure(flat, desk, v, desk.row, n + 2) - price
        if added < best and added < NEVER / 2:
            best = added
            found[0], found[1] = i, j
    return best


@compiled
def least_price(flat: Flat, desk: Desk, v: int, row: Array, n: int, r: int) -> Price:
    """What ride `r` adds at least, quickly; NEVER if no position is open. `look` comes first. It is a bound but for the
    riding of others, who may be spared some by boarding later, and for their waiting where a break moves with the
    car."""
    count, least = _gather(flat, desk, v, row, n, r), NEVER
    for c in range(count):
        least = min(least, desk.least[c])
    return least


@compiled
def look(flat: Flat, desk: Desk, v: int, row: Array, n: int) -> None:
    """Lay the bounds of each leg of this row on the desk."""
    _look_along(flat, desk, v, row, n)
    _look_back(flat, desk, v, row, n)


@compiled
def _splice(new: Array, row: Array, n: int, i: int, j: int, r: int) -> None:
    for k in range(i):
        new[k] = row[k]
    new[i] = 2 * r
    for k in range(i, j):
        new[k + 1] = row[k]
    new[j + 1] = 2 * r + 1
    for k in range(j, n):
        new[k + 2] = row[k]


@compiled
def _look_along(flat: Flat, desk: Desk, v: int, row: Array, n: int) -> None:
    """Bounds by leg, true whatever is put in: neighbours at one place count as one halt wherever that is kinder."""
    drive, nodes, rides, cars, legs, marks = flat.drive, flat.nodes, flat.rides, flat.cars, desk.legs[v], desk.marks
    here, time, begin, pure, wheel = cars[v, FIRST], cars[v, BEGIN], -FAR, 0, 0
    load0, load1, load2 = cars[v, ABOARD], cars[v, ABOARD + 1], cars[v, ABOARD + 2]
    for k in range(n + 1):
        legs[k, SLACK] = NO_LIMIT
        legs[k, LEAVE], legs[k, BEGUN], legs[k, AT], legs[k, PURE], legs[k, WHEEL] = time, begin, here, pure, wheel
        legs[k, LOADS], legs[k, LOADS + 1], legs[k, LOADS + 2] = load0, load1, load2
        if k == n:
            legs[n, WHEEL] += drive[here, cars[v, END]] if cars[v, END] >= 0 else 0
            break
        node = row[k]
        r, spot = node >> 1, nodes[node, SPOT]
        service = nodes[node, ALIGHT_S] + nodes[node, BOARD_S]
        is_shared = k > 0 and spot == here and nodes[row[k - 1], SPOT] >= 0
        if spot >= 0 and not is_shared:
            time += drive[here, spot]
            pure += drive[here, spot]
            wheel += drive[here, spot]
            here = spot
        begin = max(begin if is_shared else time, nodes[node, EARLY])
        time = max(time, begin + service)
        if r < rides.shape[0]:
            sign = 1
            if node & 1 == 0:
                marks[r, 0] = k
            else:
                sign = -1
                if rides[r, LEFT] < 0:
                    # Who alights here has driven so long at least since leaving; on those legs there is so much left.
                    on = marks[r, 0]
                    left = rides[r, LIMIT] - (pure - legs[on + 1, PURE])
                    for leg in range(on + 1, k + 1):
                        legs[leg, SLACK] = min(legs[leg, SLACK], left)
            load0 += sign * rides[r, LOAD]
            load1 += sign * rides[r, LOAD + 1]
            load2 += sign * rides[r, LOAD + 2]
        if not is_shared:
            pure += service


@compiled
def _look_back(flat: Flat, desk: Desk, v: int, row: Array, n: int) -> None:
    drive, nodes, legs = flat.drive, flat.nodes, desk.legs[v]
    following, onward = flat.cars[v, END_LATE], flat.cars[v, END]
    legs[n, LAST], legs[n, ONWARD] = following, onward
    is_break = False  # A break moves with the car: no drive counts around it.
    for k in range(n - 1, -1, -1):
        node = row[k]
        spot, service = nodes[node, SPOT], nodes[node, ALIGHT_S] + nodes[node, BOARD_S]
        if spot < 0:
            following = min(nodes[node, LATE], following - service)
            is_break = True
        else:
            if k < n - 1 and spot == onward and not is_break:
                following = min(nodes[node, LATE], following)
            else:
                gap = drive[spot, onward] if onward >= 0 and not is_break else 0
                following = min(nodes[node, LATE], following - gap - service)
            onward = spot
            is_break = False
        legs[k, LAST], legs[k, ONWARD] = following, onward


@compiled
def _gather(flat: Flat, desk: Desk, v: int, row: Array, n: int, r: int) -> int:
    """Positions that no bound rules out, with what they add at least; how many."""
    drive, nodes, rides, cars, legs, prices = flat.drive, flat.nodes, flat.rides, flat.cars, desk.legs[v], flat.price
    start, early, late = nodes[2 * r, SPOT], nodes[2 * r, EARLY], nodes[2 * r, LATE]
    free0, free1 = cars[v, ROOM] - rides[r, LOAD], cars[v, ROOM + 1] - rides[r, LOAD + 1]
    free2 = cars[v, ROOM + 2] - rides[r, LOAD + 2]
    base = (prices[BY_VEHICLE] if n == 0 else 0.0) - _price_driving(flat, v, legs[n, WHEEL])
    if rides[r, TOLD] >= 0 and rides[r, TOLD] != v:
        base += flat.worth[r, CHANGE]
    count = 0
    for i in range(n + 1):
        if legs[i, BEGUN] > late:
            break
        if legs[i, LOADS] > free0 or legs[i, LOADS + 1] > free1 or legs[i, LOADS + 2] > free2:
            continue
        here, onward = legs[i, AT], legs[i, ONWARD]
        if here == start and i > 0 and nodes[row[i - 1], SPOT] >= 0:
            begin = max(legs[i, BEGUN], early)
            leave = max(legs[i, LEAVE], begin + nodes[2 * r, BOARD_S])
        else:
            begin = max(legs[i, LEAVE] + drive[here, start], early)
            leave = begin + nodes[2 * r, BOARD_S]
        following = onward if i == n else nodes[row[i], SPOT]
        arrives = leave + (drive[start, following] if following >= 0 else 0)
        if begin > late or (arrives > legs[i, LAST] and (i == n or (following >= 0 and following != start))):
            continue
        step = drive[here, start] + (drive[start, onward] - drive[here, onward] if onward >= 0 else 0)
        if step > legs[i, SLACK]:
            continue
        waits = max(begin - rides[r, READY], 0)
        own = base + prices[BY_WAITING] * _waiting(flat, r, waits) + prices[BY_UNEASE] * waits
        count = _gather_alightings(flat, desk, v, row, n, r, i, leave, step, own, count)
    return count


@compiled
def _gather_alightings(
    flat: Flat,
    desk: Desk,
    v: int,
    row: Array,
    n: int,
    r: int,
    i: int,
    leave: int,
    boarding: int,
    own: float,
    count: int,
) -> int:
    """Ride along from the boarding before node `i`."""
    drive, nodes, rides, cars, legs = flat.drive, flat.nodes, flat.rides, flat.cars, desk.legs[v]
    at, goal, limit = nodes[2 * r, SPOT], nodes[2 * r + 1, SPOT], rides[r, LIMIT]
    early, late, alight_s = nodes[2 * r + 1, EARLY], nodes[2 * r + 1, LATE], nodes[2 * r + 1, ALIGHT_S]
    time, ridden, spare = leave, 0, cars[v, SPAN] - legs[n, PURE]
    for j in range(i, n + 1):
        onward = legs[j, ONWARD]
        here = drive[at, goal] + (drive[goal, onward] - drive[at, onward] if onward >= 0 else 0)
        step = boarding + here
        if j == i:
            # Both on one leg: what the boarding added leads from its place onward, which is now the goal's way.
            here = step
        begin = max(time + drive[at, goal], early)
        if begin <= late and ridden + drive[at, goal] <= limit and step <= spare and here <= legs[j, SLACK]:
            following = onward if j == n else nodes[row[j], SPOT]
            arrives = begin + alight_s + (drive[goal, following] if following >= 0 else 0)
            is_late = arrives > legs[j, LAST] and (j == n or (following >= 0 and following != goal))
            if not is_late and count < CANDIDATES_MAX:
                desk.least[count] = own + _price_driving(flat, v, legs[n, WHEEL] + step)
                desk.spots[count, 0], desk.spots[count, 1] = i, j
                count += 1
        if j == n:
            break
        node, spot = row[j], nodes[row[j], SPOT]
        for d in range(3):
            if legs[j + 1, LOADS + d] + rides[r, LOAD + d] > cars[v, ROOM + d]:
                return count
        if spot < 0:
            break
        if spot == at:
            time = max(time, nodes[node, EARLY])
        else:
            ridden += drive[at, spot]
            time = max(time + drive[at, spot], nodes[node, EARLY])
            if time > legs[j, LAST]:
                break
            time += nodes[node, ALIGHT_S] + nodes[node, BOARD_S]
            ridden += nodes[node, ALIGHT_S] + nodes[node, BOARD_S]
        if ridden > limit:
            break
        at = spot
    return count


# A whole plan


@compiled
def add_up(flat: Flat, desk: Desk, state: State) -> bool:
    """Price every row and the whole; False if a row cannot be driven."""
    total, is_sound = 0.0, True
    for v in range(state.length.shape[0]):
        state.price[v] = measure(flat, desk, v, state.rows[v], state.length[v])
        is_sound = is_sound and state.price[v] < NEVER
        total += state.price[v]
    for r in range(state.home.shape[0]):
        if state.home[r] < 0:
            total += flat.worth[r, WEIGHT]
    state.total[0] = total
    return is_sound


@compiled
def copy_state(to: State, source: State) -> None:
    for v in range(source.length.shape[0]):
        to.length[v] = source.length[v]
        to.price[v] = source.price[v]
        _copy(to.rows[v], source.rows[v], source.length[v])
    _copy(to.home, source.home, source.home.shape[0])
    to.total[0] = source.total[0]


@compiled
def _copy(to: Array, source: Array, count: int) -> None:
    for k in range(count):
        to[k] = source[k]


@compiled
def renew(state: State) -> None:
    """The rows came from elsewhere: nothing that is remembered of them holds."""
    for v in range(state.length.shape[0]):
        state.newest[0] += 1
        state.version[v] = state.newest[0]


@compiled
def _keep(state: State, trail: Trail, v: int) -> None:
    """Remember the row before its first change at this turn."""
    if trail.slot[v] >= 0:
        return
    s = trail.used[0]
    trail.used[0] = s + 1
    trail.slot[v], trail.vehicle[s] = s, v
    trail.length[s], trail.price[s], trail.version[s] = state.length[v], state.price[v], state.version[v]
    _copy(trail.rows[s], state.rows[v], state.length[v])


@compiled
def _undo(state: State, trail: Trail, count: int, total: float) -> None:
    for s in range(trail.used[0]):
        v = trail.vehicle[s]
        state.length[v], state.price[v], state.version[v] = trail.length[s], trail.price[s], trail.version[s]
        _copy(state.rows[v], trail.rows[s], trail.length[s])
    for a in range(count):
        state.home[trail.out[a]] = trail.was[a]
    state.total[0] = total


@compiled
def _touch(state: State, v: int) -> None:
    state.newest[0] += 1
    state.version[v] = state.newest[0]


@compiled
def _take_out(state: State, trail: Trail, r: int, count: int) -> int:
    v = state.home[r]
    _keep(state, trail, v)
    m = 0
    for k in range(state.length[v]):
        if state.rows[v, k] >> 1 != r:
            state.rows[v, m] = state.rows[v, k]
            m += 1
    state.length[v] = m
    state.home[r] = -1
    _touch(state, v)
    trail.is_out[r] = 1
    trail.out[count], trail.was[count] = r, v
    return count + 1


@compiled
def _put_in(desk: Desk, state: State, trail: Trail, r: int, v: int) -> None:
    """Ride `r` where `_added` found its place in this row."""
    _keep(state, trail, v)
    n = state.length[v]
    _splice(desk.row, state.rows[v], n, trail.legs[r, v, 0], trail.legs[r, v, 1], r)
    _copy(state.rows[v], desk.row, n + 2)
    state.length[v] = n + 2
    state.price[v] += trail.added[r, v]
    state.home[r] = v
    _touch(state, v)


@compiled
def _at_least(flat: Flat, desk: Desk, state: State, trail: Trail, r: int, v: int) -> Price:
    """What ride `r` adds on vehicle `v`: a bound below, or what it is where `_exactly` knows; until the row changes."""
    if abs(trail.seen[r, v]) != state.version[v]:
        trail.seen[r, v] = -state.version[v]
        trail.added[r, v] = NEVER
        if state.length[v] + 2 <= state.rows.shape[1] - 2:
            _look_once(flat, desk, state, v)
            trail.added[r, v] = least_price(flat, desk, v, state.rows[v], state.length[v], r)
    return trail.added[r, v]


@compiled
def _exactly(flat: Flat, desk: Desk, state: State, trail: Trail, r: int, v: int) -> Price:
    """What ride `r` adds on vehicle `v`, after `_at_least`; where it goes is in the trail."""
    if trail.seen[r, v] < 0:
        trail.seen[r, v] = state.version[v]
        if trail.added[r, v] < NEVER:
            _look_once(flat, desk, state, v)
            row, n = state.rows[v], state.length[v]
            trail.added[r, v] = best_place(flat, desk, v, row, n, state.price[v], r, trail.found)
            trail.legs[r, v, 0], trail.legs[r, v, 1] = trail.found[0], trail.found[1]
    return trail.added[r, v]


@compiled
def _look_once(flat: Flat, desk: Desk, state: State, v: int) -> None:
    if desk.looked[v] != state.version[v]:
        desk.looked[v] = state.version[v]
        look(flat, desk, v, state.rows[v], state.length[v])


@compiled
def _is_worth_trying(flat: Flat, state: State, r: int, v: int) -> bool:
    """Of equal cars that stand idle one is enough."""
    if not flat.may[r, v]:
        return False
    if state.length[v] == 0:
        u = flat.cars[v, TWIN]
        while u >= 0:
            if state.length[u] == 0 and flat.may[r, u]:
                return False
            u = flat.cars[u, TWIN]
    return True


# A turn: take some rides out, put them back better


@compiled
def explore(
    flat: Flat, desk: Desk, state: State, best: State, trail: Trail, chance: Array, turns: int, heat: float, most: int,
    regret: float, blink: float,
) -> int:  # fmt: skip
    """So many turns on `state`; `best` becomes the best that was met; how often it was bettered.

    Simulated annealing at `heat` over ruin and recreate: at most `most` rides out at a turn, put back by regret with
    that chance, else one after the other, each car overlooked with the chance `blink`. A plan that leaves behind who
    was left behind less often is taken whatever it costs: after Schrimpf et al. (2000) and Christiaens and
    Vanden Berghe (2020)."""
    gains = 0
    for _ in range(turns):
        trail.used[0] = 0
        total = state.total[0]
        count = _ruin(flat, state, trail, chance, 1 + draw_below(chance, most))
        is_sound = _price_ruins(flat, desk, state, trail)
        count = _call_up(state, trail, chance, count)
        if is_sound and count > 0:
            if draw(chance) < regret:
                _by_regret(flat, desk, state, trail, chance, count, blink)
            else:
                _in_order(flat, desk, state, trail, chance, count, blink)
        gain = _compare(flat, state, trail, count, total)
        if is_sound and (gain > 0 or state.total[0] < total - heat * np.log(draw(chance))):
            if state.total[0] < best.total[0] * (1 - NOISE):
                copy_state(best, state)
                gains += 1
        else:
            _undo(state, trail, count, total)
        for s in range(trail.used[0]):
            trail.slot[trail.vehicle[s]] = -1
    return gains


@compiled
def _ruin(flat: Flat, state: State, trail: Trail, chance: Array, wanted: int) -> int:
    """Take out rides by chance, or those most alike, or strings of neighbours in the rows around one ride."""
    rides = state.home.shape[0]
    kind, seed, count = draw(chance), draw_below(chance, rides), 0
    if kind < 0.12:
        for _ in range(wanted * 3):
            r = draw_below(chance, rides)
            if _may_leave(flat, state, r) and count < wanted:
                count = _take_out(state, trail, r, count)
    elif kind < 0.45:
        for m in range(flat.near.shape[1]):
            r = flat.near[seed, m]
            if _may_leave(flat, state, r) and count < wanted and draw(chance) < 0.7:
                count = _take_out(state, trail, r, count)
    else:
        string = 1 + draw_below(chance, min(10, wanted))
        for m in range(flat.near.shape[1]):
            r = flat.near[seed, m]
            if count < wanted and _may_leave(flat, state, r) and trail.slot[state.home[r]] < 0:
                count = _take_string(flat, state, trail, chance, r, string, count)
    return count


@compiled
def _may_leave(flat: Flat, state: State, r: int) -> bool:
    return state.home[r] >= 0 and not flat.rides[r, IS_FIXED]


@compiled
def _take_string(flat: Flat, state: State, trail: Trail, chance: Array, r: int, string: int, count: int) -> int:
    """Some rides that follow one another in the row of ride `r`, near it."""
    v = state.home[r]
    n, at = state.length[v], 0
    while state.rows[v, at] != 2 * r:
        at += 1
    _keep(state, trail, v)
    row = trail.rows[trail.slot[v]]
    taken = 0
    for k in range(max(0, at - draw_below(chance, 2 * string)), n):
        x = row[k] >> 1
        if taken < string and x < flat.rides.shape[0] and state.home[x] == v and not flat.rides[x, IS_FIXED]:
            count = _take_out(state, trail, x, count)
            taken += 1
    return count


@compiled
def _price_ruins(flat: Flat, desk: Desk, state: State, trail: Trail) -> bool:
    """Rows with somebody less. Where detours are quicker than direct ways even that may break a limit: False."""
    is_sound = True
    for s in range(trail.used[0]):
        v = trail.vehicle[s]
        state.price[v] = measure(flat, desk, v, state.rows[v], state.length[v])
        is_sound = is_sound and state.price[v] < NEVER
    return is_sound


@compiled
def _call_up(state: State, trail: Trail, chance: Array, count: int) -> int:
    """Some of those left behind so far try again too."""
    rides = state.home.shape[0]
    begin, called = draw_below(chance, rides), 0
    for k in range(rides):
        r = (begin + k) % rides
        if state.home[r] < 0 and not trail.is_out[r] and called < MADE_ANEW_MAX:
            trail.is_out[r] = 1
            trail.out[count], trail.was[count] = r, -1
            count += 1
            called += 1
    return count


@compiled
def _in_order(flat: Flat, desk: Desk, state: State, trail: Trail, chance: Array, count: int, blink: float) -> None:
    """Each into its cheapest place, in an order by chance, time, width of window, length or hardship."""
    how = draw(chance)
    for a in range(count):
        r = trail.out[a]
        if how < 0.4:
            trail.order[a] = draw(chance)
        elif how < 0.55:
            trail.order[a] = flat.nodes[2 * r, EARLY]
        elif how < 0.7:
            trail.order[a] = flat.nodes[2 * r, LATE] - flat.nodes[2 * r, EARLY]
        elif how < 0.85:
            trail.order[a] = -flat.rides[r, DIRECT]
        else:
            trail.order[a] = -trail.missed[r]
    for a in range(1, count):  # Insertion sort: the list is short.
        r, key, was, b = trail.out[a], trail.order[a], trail.was[a], a - 1
        while b >= 0 and trail.order[b] > key:
            trail.out[b + 1], trail.order[b + 1], trail.was[b + 1] = trail.out[b], trail.order[b], trail.was[b]
            b -= 1
        trail.out[b + 1], trail.order[b + 1], trail.was[b + 1] = r, key, was
    for a in range(count):
        r = trail.out[a]
        _ask_all(flat, desk, state, trail, chance, r, blink)
        to = _cheapest(flat, desk, state, trail, r)
        if to >= 0:
            _put_in(desk, state, trail, r, to)


@compiled
def _ask_all(flat: Flat, desk: Desk, state: State, trail: Trail, chance: Array, r: int, blink: float) -> None:
    """Lay on the desk what each vehicle adds at least."""
    for v in range(state.length.shape[0]):
        desk.bids[v] = NEVER
        if _is_worth_trying(flat, state, r, v) and draw(chance) >= blink:
            desk.bids[v] = _at_least(flat, desk, state, trail, r, v)


@compiled
def _cheapest(flat: Flat, desk: Desk, state: State, trail: Trail, r: int) -> int:
    """Of the vehicles asked the one that adds least; -1 if leaving the ride behind is cheaper.

    Only bids that may be the least are judged exactly."""
    bids = desk.bids
    while True:
        to, best = -1, flat.worth[r, WEIGHT]
        for v in range(bids.shape[0]):
            if bids[v] < best:
                to, best = v, bids[v]
        if to < 0 or trail.seen[r, to] > 0:
            return to
        bids[to] = _exactly(flat, desk, state, trail, r, to)


@compiled
def _by_regret(flat: Flat, desk: Desk, state: State, trail: Trail, chance: Array, count: int, blink: float) -> None:
    """First the ride for which it matters most: whose second best car is dearest beside its best."""
    for _ in range(count):
        most, who, to = -1.0, -1, -1
        for a in range(count):
            r = trail.out[a]
            if state.home[r] >= 0:
                continue
            _ask_all(flat, desk, state, trail, chance, r, blink)
            car = _cheapest(flat, desk, state, trail, r)
            if car < 0:
                continue
            best, desk.bids[car] = desk.bids[car], NEVER
            other = _cheapest(flat, desk, state, trail, r)
            second = desk.bids[other] if other >= 0 else flat.worth[r, WEIGHT]
            if second - best > most:
                most, who, to = second - best, r, car
        if who < 0:
            return
        _put_in(desk, state, trail, who, to)


@compiled
def _compare(flat: Flat, state: State, trail: Trail, count: int, total: float) -> Price:
    """The new total; and whether those placed at this turn had waited more than those now left behind."""
    for s in range(trail.used[0]):
        total += state.price[trail.vehicle[s]] - trail.price[s]
    gain = 0.0
    for a in range(count):
        r = trail.out[a]
        trail.is_out[r] = 0
        if state.home[r] < 0 and trail.was[a] >= 0:
            total += flat.worth[r, WEIGHT]
            gain -= trail.missed[r]
        if state.home[r] >= 0 and trail.was[a] < 0:
            total -= flat.worth[r, WEIGHT]
            gain += trail.missed[r]
        if state.home[r] < 0:
            trail.missed[r] += 1
    state.total[0] = total
    return gain
