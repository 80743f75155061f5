"""Instances that the literature measures planners with, and real flights, as problems of ours.

One unit of an instance is 1000 of our seconds, each drive rounded up: what is valid here is valid there, and a detour
is never shorter than the direct way. Distances are then reckoned anew from the coordinates, unrounded. The data lies
where SOFTLANDING_REAL_DATA says, and nowhere else.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, hypot
from pathlib import Path

from bench.days import FlightRow
from softlanding.dispatch.planner import Comfort, Plan, Problem, Ride, Vehicle
from softlanding.dispatch.travel import Matrix
from softlanding.errors import Fault, Invalid

EPOCH = datetime(2026, 5, 1, tzinfo=UTC)  # Instances know no date; a plan must have one.
SCALE = 1000
ROUNDED = 1e-6  # What floating point adds to a distance that is a whole number of thousandths.
# The literature counts distance alone.
NOBODY_MINDS = Comfort(wait_free_s=10**9, ride_free_s=10**9, wheel_free_s=10**9)

# Best known in the literature, by distance.
DIAL_A_RIDE = {
    "R1a": 190.02, "R2a": 301.34, "R3a": 532.00, "R4a": 570.25, "R5a": 625.64,
    "a2-16": 294.25, "a4-48": 668.82, "a8-96": 1229.66,
}  # fmt: skip

# Best known in the literature: vehicles, then distance.
LI_LIM = {
    "lc101": (10, 828.94), "lr105": (14, 1377.11), "lr112": (9, 1003.77), "lrc106": (11, 1424.73),
    "lc1_2_1": (20, 2704.57), "lr1_2_5": (16, 4760.18),
}  # fmt: skip


@dataclass(frozen=True)
class Instance:
    """A problem and where its places lie, in the instance's own units."""

    problem: Problem
    points: Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class _Node:
    """One line of a file."""

    place_id: str
    point: tuple[float, float]
    load: int
    early: int
    late: int
    service: int


def read_dial_a_ride(text: str) -> Instance:
    """Cordeau and Laporte's format: vehicles, nodes, longest route, seats, longest ride; then the depot and each
    node: number, x, y, service, load, window; in some files the depot again, with the window to be back in. Node i
    boards and node n/2 + i alights. Raises `Invalid` for another text."""
    head, *lines = _rows(text, head=5, row=7)
    vehicles, count, span, seats, ride_max = (int(value) for value in head)
    nodes = [
        _Node(_place_id(line[0]), (line[1], line[2]), int(line[4]), int(line[5]), int(line[6]), int(line[3]))
        for line in lines
    ]
    back = nodes.pop() if len(nodes) == count + 2 and nodes[-1].point == nodes[0].point else nodes[0]
    if len(nodes) != count + 1 or count % 2:
        raise Invalid(Fault("", f"the first line speaks of {count} nodes besides the depot, {len(nodes) - 1} follow"))
    half = count // 2
    pairs = list(zip(nodes[1 : half + 1], nodes[half + 1 :], strict=True))
    return _instance(nodes, pairs, vehicles, seats, _scaled(back.late), ride_max=ride_max, span=span)


def read_pairs(text: str) -> Instance:
    """Li and Lim's format: vehicles, capacity, speed; then the depot and each node: number, x, y, load, window,
    service, the node of its pickup (0: it is one), the node of its delivery. Raises `Invalid` for another text."""
    head, *lines = _rows(text, head=3, row=9)
    vehicles, seats, _speed = (int(value) for value in head)
    nodes = [
        _Node(_place_id(line[0]), (line[1], line[2]), int(line[3]), int(line[4]), int(line[5]), int(line[6]))
        for line in lines
    ]
    by_id = {node.place_id: node for node in nodes}
    pairs = [
        (node, by_id[_place_id(line[8])])
        for node, line in zip(nodes, lines, strict=True)
        if line[8] and _place_id(line[8]) in by_id
    ]
    if 2 * len(pairs) != len(nodes) - 1:
        raise Invalid(Fault("", f"{len(pairs)} pickups for {len(nodes) - 1} nodes; each needs its delivery"))
    return _instance(nodes, pairs, vehicles, seats, _scaled(nodes[0].late))


def read_flights(text: str) -> tuple[FlightRow, ...]:
    """Real arrivals as rows of a table with `sched_arr_time` (hours and minutes, local) and `arr_delay` (minutes,
    empty: it did not come). Raises `Invalid` for another text."""
    rows = csv.DictReader(text.splitlines())
    try:
        return tuple(_flight(int(row["sched_arr_time"]), row["arr_delay"]) for row in rows)
    except (KeyError, ValueError, TypeError) as error:
        raise Invalid(
            Fault(f"line {rows.line_num}", f"is no flight with sched_arr_time and arr_delay: {error}")
        ) from error


def read_text(folder: Path, name: str) -> str:
    """A file of the real data. Raises `Invalid`, naming it, where it cannot be read."""
    try:
        return (folder / name).read_text(encoding="utf-8")
    except OSError as error:
        raise Invalid(Fault(name, f"cannot be read: {error}; does SOFTLANDING_REAL_DATA point at it?")) from error


def distance_of(instance: Instance, plan: Plan) -> float:
    """All drives of a plan in the instance's own units, from depot to depot, unrounded."""
    total = 0.0
    depot = {vehicle.id: vehicle.start_place_id for vehicle in instance.problem.vehicles}
    for manifest in plan.manifests:
        if manifest.stops:
            home = depot[manifest.vehicle_id]
            way = [instance.points[place] for place in (home, *(stop.place_id for stop in manifest.stops), home)]
            total += sum(_apart(one, other) for one, other in pairwise(way))
    return total


def vehicles_of(plan: Plan) -> int:
    """How many vehicles leave the depot."""
    return sum(bool(manifest.stops) for manifest in plan.manifests)


def _rows(text: str, *, head: int, row: int) -> list[list[float]]:
    """The numbers of each line that has some."""
    found: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.split()]
        except ValueError as error:
            raise Invalid(Fault(f"line {number}", f"holds something that is no number: {error}")) from error
        wanted = row if found else head
        if len(values) != wanted:
            raise Invalid(Fault(f"line {number}", f"has {len(values)} numbers instead of {wanted}"))
        found.append(values)
    if len(found) < 2:
        raise Invalid(Fault("", "holds no instance: a first line and a depot are the least"))
    return found


def _instance(
    nodes: list[_Node],
    pairs: list[tuple[_Node, _Node]],
    vehicles: int,
    seats: int,
    end_s: int,
    *,
    ride_max: int | None = None,
    span: int | None = None,
) -> Instance:
    depot = nodes[0].place_id
    digits = len(str(vehicles))
    cars = tuple(
        Vehicle(f"v{number:0{digits}}", seats, depot, 0, end_s, end_place_id=depot, span_max_s=_scaled_if(span))
        for number in range(1, vehicles + 1)
    )
    rides = tuple(_ride(board, alight, _scaled_if(ride_max)) for board, alight in pairs)
    problem = Problem(EPOCH, cars, rides, _matrix(nodes), comfort=NOBODY_MINDS)
    return Instance(problem, {node.place_id: node.point for node in nodes})


def _ride(board: _Node, alight: _Node, ride_max_s: int | None) -> Ride:
    return Ride(
        f"r{board.place_id[1:]}",
        board.place_id,
        alight.place_id,
        _scaled(board.early),
        _scaled(board.late),
        earliest_deliver_s=_scaled(alight.early),
        latest_deliver_s=_scaled(alight.late),
        seats=board.load,
        board_service_s=_scaled(board.service),
        alight_service_s=_scaled(alight.service),
        ride_max_s=ride_max_s,
    )


def _matrix(nodes: list[_Node]) -> Matrix:
    rows = tuple(tuple(ceil(_apart(one.point, other.point) * SCALE - ROUNDED) for other in nodes) for one in nodes)
    return Matrix(tuple(node.place_id for node in nodes), rows, source="instance")


def _apart(one: tuple[float, float], other: tuple[float, float]) -> float:
    return hypot(one[0] - other[0], one[1] - other[1])


def _place_id(number: float) -> str:
    return f"n{int(number):03}"


def _scaled(value: int) -> int:
    return value * SCALE


def _scaled_if(value: int | None) -> int | None:
    return None if value is None else _scaled(value)


def _flight(due: int, delay: str) -> FlightRow:
    return FlightRow(due // 100 * 3600 + due % 100 * 60, round(float(delay) * 60) if delay else None)
