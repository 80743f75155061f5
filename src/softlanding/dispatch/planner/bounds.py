"""What bounds a ride that is added to a route, leg by leg: a place is solved exactly only where it may be good."""

from operator import itemgetter
from typing import NamedTuple

from softlanding.dispatch.planner.index import FAR
from softlanding.dispatch.planner.network import HERE, Network, Room, services, settled
from softlanding.dispatch.planner.objective import patience_of, waiting_cost
from softlanding.dispatch.planner.problem import Comfort

# Of those who wait longer when a stop begins later, so many are thought of in a bound.
PRESSED_MAX = 3


class Pressed(NamedTuple):
    """Somebody who waits longer when an earlier stop begins later: how long until now and how unsure that is. `until`
    counts from when the stop would begin if the car never stood idle: so long there is nothing to wait for."""

    until: int
    waits: int
    unsure: int


class Delayed(NamedTuple):
    """Who rides longer for a detour: how much longer than the direct way at least, and what the limit still spares."""

    extra: int
    spare: int


class Leg(NamedTuple):
    """The way to a stop, or home from the last one, and what bounds a ride that is added there: true whatever is added
    elsewhere, for `leaves` hangs on the stops before alone and `latest` on those after."""

    leaves: int
    at: int
    to: int  # HERE if that is a break, or home.
    onward: int  # Where the car drives next, past breaks; -1 for nowhere.
    way: int  # How long it would take to the stop if the car never stood idle.
    latest: int  # When the stop, or home, is reached at the latest.
    calm: int  # And so that nobody of those pressed would wait at a higher price.
    pressed: tuple[Pressed, ...]
    room: Room
    aboard: frozenset[str]
    delayed: tuple[Delayed, ...]
    waiting: int  # What is left of it at least, whoever is added here, less what is now.


def from_the_start(rows: list[list[int]], net: Network) -> list[int]:
    here, time, soonest = net.first, net.ready, list[int]()
    for place, early, service in zip(settled(net), net.early, services(net), strict=True):
        time = max(time + rows[here][place], early)
        soonest.append(time)
        time += service
        here = place
    return soonest


def from_the_end(rows: list[list[int]], net: Network) -> list[int]:
    last, following, next_place = [], net.end_late, net.end
    places, service = settled(net), services(net)
    for position in range(len(places) - 1, -1, -1):
        # A break moves with the car, so the drives around it may get shorter: a bound counts none.
        moves = next_place < 0 or net.spots[position] == HERE
        drive = 0 if moves else rows[places[position]][next_place]
        following = min(net.late[position], following - drive - service[position])
        last.append(following)
        next_place = net.spots[position]
    return last[::-1]


def ways_of(rows: list[list[int]], net: Network) -> list[int]:
    """How long it would take to each stop if the car never stood idle."""
    here, way, ways = net.first, 0, list[int]()
    for place, service in zip(settled(net), services(net), strict=True):
        way += rows[here][place]
        ways.append(way)
        way += service
        here = place
    return ways


def pressed_of(
    net: Network, ways: list[int], begins: list[int] | None, latest: list[int], comfort: Comfort
) -> tuple[list[int], list[tuple[Pressed, ...]]]:
    """By leg, until when its stop is reached early enough that nobody waits at a higher price; and whom it delays, the
    next first. Nobody for a break, which moves with the car."""
    pressed: list[tuple[Pressed, ...]] = [()] * len(latest)
    calm, whom, until, waits = list(latest), pressed[0], FAR, dict[int, Pressed]()
    if begins is None:
        return calm, pressed
    for position, ready, unsure in sorted(net.waits, key=itemgetter(1), reverse=True):
        waits[position] = Pressed(begins[position] - ways[position], begins[position] - ready, unsure)
    for position in range(len(ways) - 1, -1, -1):
        if position in waits:
            who = waits[position]
            until = min(until, who.until + patience_of(who.unsure, comfort.wait_free_s, who.waits))
            whom = (who, *whom)[:PRESSED_MAX]
        if whom and net.spots[position] != HERE:
            calm[position], pressed[position] = min(calm[position], until + ways[position]), whom
    return calm, pressed


def firm_waits(net: Network, soonest: list[int], comfort: Comfort, now: int) -> list[int]:
    """By leg what waiting is left at least, less what is now, whoever is added there. A break that is taken nearer to
    where the car goes next may spare those some who board after it, and nobody else."""
    waits = [0] * len(soonest)
    for position, ready, unsure in net.waits:
        waits[position] += waiting_cost(soonest[position] - ready, unsure, comfort.wait_free_s)
    firm = sum(waits) - now
    legs = [firm]
    for position in range(len(waits) - 1, -1, -1):
        if net.spots[position] == HERE:
            firm = sum(waits[:position]) - now
        legs.append(firm)
    return legs[::-1]


def least_rides(net: Network, ways: list[int]) -> list[tuple[int, int, Delayed]]:
    """Where each ride begins (-1: aboard from the start) and ends, and how it would be if the car never stood idle: for
    that may be spared, but no drive and no service between."""
    service, rides = services(net), []
    for on, off, limit, direct in net.limits:
        takes = ways[off] - ways[on] - service[on]
        rides.append((on, off, Delayed(takes - direct, limit - takes)))
    for off, left, direct in net.carried:
        rides.append((-1, off, Delayed(net.ready + ways[off] - left - direct, FAR)))
    return rides


def delayed_of(net: Network, rides: list[tuple[int, int, Delayed]]) -> list[tuple[Delayed, ...]]:
    """By leg, whom a detour there delays."""
    delayed: list[tuple[Delayed, ...]] = [()] * (len(net.spots) + 1)
    for on, off, one in rides:
        for leg in range(on + 1, off + 1):
            delayed[leg] = (*delayed[leg], one)
    return delayed


def next_places(net: Network) -> list[int]:
    """For each leg where the car drives next, looking past breaks; -1 for nowhere."""
    following, onward = net.end, [net.end]
    for spot in reversed(net.spots):
        following = following if spot == HERE else spot
        onward.append(following)
    return onward[::-1]
