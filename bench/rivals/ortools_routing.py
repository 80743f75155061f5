# mypy: ignore-errors
# Checked where it runs: in OR-Tools' own environment.
"""OR-Tools' routing model: pairs of pickup and delivery with a ride limit each, windows, three loads, skills, shifts
and breaks. That nobody is aboard during a break cannot be said."""

from nodes import SERVED_ABOVE_ALL, Nodes, Stopwatch, answer, capacity, decline, question
from ortools.constraint_solver import pywrapcp, routing_enums_pb2


def main() -> None:
    asked = question()
    nodes = Nodes(asked["problem"])
    count, cars = 2 * len(nodes.rides), len(nodes.vehicles)
    starts, ends = list(range(count, count + cars)), list(range(count + cars, count + 2 * cars))
    manager = pywrapcp.RoutingIndexManager(count + 2 * cars, cars, starts, ends)
    routing = pywrapcp.RoutingModel(manager)
    _add_costs(nodes, routing)
    times = _add_times(nodes, manager, routing)
    _add_loads(nodes, routing)
    _add_rides(nodes, manager, routing, times)
    watch = Stopwatch()
    found = routing.SolveWithParameters(_parameters(asked))
    took_s = watch.seconds()
    if found is None:
        decline("it found no plan in time")
    else:
        answer(nodes, _routes(nodes, manager, routing, times, found), took_s)


def _table(nodes, between, out, back):
    """Between all nodes, the starts and ends of the vehicles after those of the rides."""
    count, cars = 2 * len(nodes.rides), len(nodes.vehicles)
    rows = [
        [*(between(one, other) for other in range(count)), *[0] * cars, *(back(car, one) for car in nodes.vehicles)]
        for one in range(count)
    ]
    rows += [[*(out(car, node) for node in range(count)), *[0] * 2 * cars] for car in nodes.vehicles]
    return rows + [[0] * (count + 2 * cars)] * cars


def _add_costs(nodes, routing):
    drives = routing.RegisterTransitMatrix(_table(nodes, nodes.drive, nodes.out, nodes.back))
    routing.SetArcCostEvaluatorOfAllVehicles(drives)


def _add_times(nodes, manager, routing):
    def back(vehicle, node):
        return nodes.service[node] + nodes.back(vehicle, node)

    taken = routing.RegisterTransitMatrix(_table(nodes, nodes.between, nodes.out, back))
    routing.AddDimension(taken, nodes.horizon, nodes.horizon, False, "time")
    times = routing.GetDimensionOrDie("time")
    visits = [0] * routing.Size()
    for node, service in enumerate(nodes.service):
        index = manager.NodeToIndex(node)
        visits[index] = service
        times.CumulVar(index).SetRange(nodes.early[node], max(nodes.early[node], min(nodes.late[node], nodes.horizon)))
    for number, vehicle in enumerate(nodes.vehicles):
        for index in (routing.Start(number), routing.End(number)):
            times.CumulVar(index).SetRange(vehicle["shift_start_s"], vehicle["shift_end_s"])
        pauses = [
            routing.solver().FixedDurationIntervalVar(
                pause["earliest_s"], pause["latest_s"], pause["duration_s"], False, f"break {number}"
            )
            for pause in vehicle["breaks"]
        ]
        if pauses:
            times.SetBreakIntervalsOfVehicle(pauses, number, visits)
    return times


def _add_loads(nodes, routing):
    cars = len(nodes.vehicles)
    for dimension, rooms in enumerate(zip(*(capacity(vehicle) for vehicle in nodes.vehicles), strict=True)):
        changes = [load for ride in nodes.load for load in (ride[dimension], -ride[dimension])] + [0] * 2 * cars
        number = routing.RegisterUnaryTransitVector(changes)
        routing.AddDimensionWithVehicleCapacity(number, 0, list(rooms), True, f"load {dimension}")


def _add_rides(nodes, manager, routing, times):
    solver = routing.solver()
    for ride, said in enumerate(nodes.rides):
        board, alight = manager.NodeToIndex(2 * ride), manager.NodeToIndex(2 * ride + 1)
        routing.AddPickupAndDelivery(board, alight)
        solver.Add(routing.VehicleVar(board) == routing.VehicleVar(alight))
        solver.Add(times.CumulVar(board) <= times.CumulVar(alight))
        for index in (board, alight):
            routing.AddDisjunction([index], SERVED_ABOVE_ALL // 2)
        cars = [number for number, vehicle in enumerate(nodes.vehicles) if nodes.may(vehicle, ride)]
        if len(cars) < len(nodes.vehicles):
            for index in (board, alight):
                # SetAllowedVehiclesForIndex takes no list of Python's in this version.
                routing.VehicleVar(index).SetValues([-1, *cars])
        if said["ride_max_s"] is not None:
            limit = said["board_service_s"] + said["ride_max_s"]
            times.SetPickupToDeliveryLimitFunctionForPair(lambda _board, _alight, limit=limit: limit, ride)


def _parameters(asked):
    """Of the first strategies and metaheuristics, the pair that served most of such days in ten seconds."""
    parameters = pywrapcp.DefaultRoutingSearchParameters()
    parameters.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
    parameters.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    parameters.time_limit.FromMilliseconds(round(1000 * asked["budget_s"]))
    return parameters


def _routes(nodes, manager, routing, times, found):
    routes = {}
    for number, vehicle in enumerate(nodes.vehicles):
        visits, index = [], found.Value(routing.NextVar(routing.Start(number)))
        while not routing.IsEnd(index):
            visits.append((manager.IndexToNode(index), found.Min(times.CumulVar(index))))
            index = found.Value(routing.NextVar(index))
        routes[vehicle["id"]] = visits
    return routes


main()
