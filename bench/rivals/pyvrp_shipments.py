# mypy: ignore-errors
# Checked where it runs: in PyVRP's own environment.
"""PyVRP: optional shipments with prizes, windows, three loads, shifts, and a matrix for each kind of driver. It has
no ride limit and no breaks."""

import numpy
from nodes import FAR, SERVED_ABOVE_ALL, Nodes, Stopwatch, answer, capacity, decline, question
from pyvrp import Depot, Location, ProblemData, Shipment, VehicleType, solve
from pyvrp.stop import MaxRuntime


def main() -> None:
    asked = question()
    nodes = Nodes(asked["problem"])
    data = _data(nodes)
    watch = Stopwatch()
    result = solve(data, MaxRuntime(asked["budget_s"]), seed=asked["seed"], collect_stats=False, display=False)
    took_s = watch.seconds()
    if not result.is_feasible():
        decline("it found no feasible plan")
        return
    answer(nodes, {_vehicle_id(nodes, route): _visits(route) for route in result.best.routes()}, took_s)


def _data(nodes):
    """Locations: each ride's two nodes, then each vehicle's start and end. Service lies in the durations."""
    count, cars = 2 * len(nodes.rides), len(nodes.vehicles)
    kinds = sorted({tuple(sorted(vehicle["skills"])) for vehicle in nodes.vehicles})
    durations, distances = _matrices(nodes, count, cars)
    banned = [_banned(nodes, kind) for kind in kinds]
    return ProblemData(
        locations=[Location(0, 0) for _ in range(count + 2 * cars)],
        clients=[],
        depots=[Depot(location=count + number) for number in range(2 * cars)],
        vehicle_types=[_vehicle(vehicle, number, cars, kinds) for number, vehicle in enumerate(nodes.vehicles)],
        distance_matrices=[_without(distances, nodes_of_kind) for nodes_of_kind in banned],
        duration_matrices=[_without(durations, nodes_of_kind) for nodes_of_kind in banned],
        shipments=[_shipment(nodes, ride) for ride in range(len(nodes.rides))],
    )


def _matrices(nodes, count, cars):
    size = count + 2 * cars
    durations, distances = (numpy.zeros((size, size), dtype=numpy.int64) for _ in range(2))
    for one in range(count):
        for other in range(count):
            if one != other:
                durations[one, other] = nodes.between(one, other)
                distances[one, other] = nodes.drive(one, other)
    for number, vehicle in enumerate(nodes.vehicles):
        start, end = count + number, count + cars + number
        for node in range(count):
            durations[start, node] = distances[start, node] = nodes.out(vehicle, node)
            distances[node, end] = nodes.back(vehicle, node)
            durations[node, end] = nodes.service[node] + distances[node, end]
    return durations, distances


def _banned(nodes, kind):
    """The nodes that a driver with these skills does not serve."""
    rides = [ride for ride, _ in enumerate(nodes.rides) if not nodes.may({"skills": kind}, ride)]
    return [node for ride in rides for node in (2 * ride, 2 * ride + 1)]


def _without(matrix, banned):
    copy = matrix.copy()
    copy[:, banned] = FAR
    numpy.fill_diagonal(copy, 0)
    return copy


def _vehicle(vehicle, number, cars, kinds):
    return VehicleType(
        num_available=1,
        capacity=capacity(vehicle),
        start_depot=number,
        end_depot=cars + number,
        tw_early=vehicle["shift_start_s"],
        tw_late=vehicle["shift_end_s"],
        profile=kinds.index(tuple(sorted(vehicle["skills"]))),
    )


def _shipment(nodes, ride):
    board, alight = 2 * ride, 2 * ride + 1
    return Shipment(
        pickup_location=board,
        delivery_location=alight,
        pickup_tw_early=nodes.early[board],
        pickup_tw_late=nodes.late[board],
        delivery_tw_early=nodes.early[alight],
        delivery_tw_late=nodes.late[alight],
        amount=nodes.load[ride],
        prize=SERVED_ABOVE_ALL,
        required=False,
    )


def _vehicle_id(nodes, route):
    return nodes.vehicles[route.vehicle_type()]["id"]


def _visits(route):
    return [
        (2 * one.idx + one.is_delivery(), one.start_time)
        for one in route.schedule()
        if one.is_pickup() or one.is_delivery()
    ]


main()
