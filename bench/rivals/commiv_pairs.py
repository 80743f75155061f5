# mypy: ignore-errors
# Checked where it runs: in commiv's own environment.
"""commiv: pairs with windows and one load, for vehicles that are all alike and start and end at one depot, the fewest
of them first. It leaves nobody out, and has no ride limit, skills or shifts of single vehicles."""

import commiv
from nodes import Nodes, Stopwatch, answer, decline, question

ALIKE = ("seats", "start_place_id", "end_place_id", "shift_start_s", "shift_end_s")
DEPOT = 1  # The depot is node 0: all others are one higher than ours.


def main() -> None:
    asked = question()
    nodes = Nodes(asked["problem"])
    reason = _cannot(nodes)
    if reason:
        decline(reason)
        return
    watch = Stopwatch()
    try:
        found = _solve(nodes, asked)
    except commiv.CommivError as error:
        decline(f"it says: {error}")
        return
    took_s = watch.seconds()
    ids = [vehicle["id"] for vehicle in nodes.vehicles]
    if len(found.routes) > len(ids):
        decline(f"its plan takes {len(found.routes)} vehicles, there are {len(ids)}")
        return
    routes = zip(ids, found.routes, strict=False)
    answer(nodes, {car: [(node - DEPOT, index) for index, node in enumerate(route)] for car, route in routes}, took_s)


def _cannot(nodes):
    first = nodes.vehicles[0]
    if any(vehicle[name] != first[name] for vehicle in nodes.vehicles for name in ALIKE):
        return "its vehicles are all alike"
    if first["start_place_id"] != first["end_place_id"] or first["shift_start_s"] != 0:
        return "its vehicles start at time 0 and end where they start"
    if any(vehicle["breaks"] or vehicle["span_max_s"] is not None for vehicle in nodes.vehicles):
        return "its breaks and hours are not ours"
    if any(ride["ride_max_s"] is not None or ride["needs_skills"] for ride in nodes.rides):
        return "it knows no ride limit and no skills"
    if any(load[1:] != [0, 0] for load in nodes.load):
        return "it knows one load"
    return ""


def _solve(nodes, asked):
    depot, count = nodes.numbers[nodes.vehicles[0]["start_place_id"]], len(nodes.place)
    places = [depot, *nodes.place]
    return commiv.solve_pdptw(
        [[nodes.seconds[one][other] for other in places] for one in places],
        pickups=list(range(DEPOT, count + DEPOT, 2)),
        deliveries=list(range(DEPOT + 1, count + DEPOT, 2)),
        demand=[load[0] for load in nodes.load],
        capacity=nodes.vehicles[0]["seats"],
        ready=[0, *nodes.early],
        due=[nodes.horizon, *nodes.late],
        service=[0, *nodes.service],
        seed=asked["seed"],
        fleet_min=True,
        wall_ms=round(1000 * asked["budget_s"]),
    )


main()
