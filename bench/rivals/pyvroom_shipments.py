# mypy: ignore-errors
# Checked where it runs: in VROOM's own environment.
"""VROOM: shipments with windows, three loads, skills, shifts and breaks with nobody aboard. It has no ride limit."""

from datetime import timedelta

import vroom
from nodes import Nodes, Stopwatch, answer, capacity, question

EXPLORE = 5  # The most thorough level.
BOARD, ALIGHT, GARAGE = range(3)


def main() -> None:
    asked = question()
    nodes = Nodes(asked["problem"])
    problem = vroom.Input()
    problem.set_durations_matrix("car", _matrix(nodes))
    skills = {name: number for number, name in enumerate(_skills(nodes))}
    for ride in range(len(nodes.rides)):
        problem.add_job(_shipment(nodes, ride, skills))
    for number, vehicle in enumerate(nodes.vehicles):
        problem.add_vehicle(_vehicle(nodes, number, vehicle, skills))
    watch = Stopwatch()
    solution = problem.solve(EXPLORE, nb_threads=asked["threads"], timeout=timedelta(seconds=asked["budget_s"]))
    took_s = watch.seconds()
    answer(nodes, _routes(nodes, solution.to_dict()), took_s)


def _matrix(nodes):
    """Every place three times, for boarding, alighting and the garage: VROOM counts set-up once for tasks in a row at
    one location, which is what boarding side by side means, but alighting and boarding take their time each."""
    return [row * 3 for row in nodes.seconds] * 3


def _at(nodes, place, kind):
    return place + kind * len(nodes.seconds)


def _skills(nodes):
    named = [vehicle["skills"] for vehicle in nodes.vehicles] + [ride["needs_skills"] for ride in nodes.rides]
    return sorted({skill for skills in named for skill in skills})


def _shipment(nodes, ride, skills):
    steps = [
        vroom.ShipmentStep(
            2 * ride + kind,
            _at(nodes, nodes.place[2 * ride + kind], kind),
            default_setup=nodes.service[2 * ride + kind],
            time_windows=[vroom.TimeWindow(nodes.early[2 * ride + kind], nodes.late[2 * ride + kind])],
        )
        for kind in (BOARD, ALIGHT)
    ]
    needs = {skills[skill] for skill in nodes.rides[ride]["needs_skills"]}
    priority = min(100, 10 * nodes.rides[ride]["priority"])
    return vroom.Shipment(*steps, amount=nodes.load[ride], skills=needs, priority=priority)


def _vehicle(nodes, number, vehicle, skills):
    home = vehicle["end_place_id"]
    return vroom.Vehicle(
        number,
        start=_at(nodes, nodes.numbers[vehicle["start_place_id"]], GARAGE),
        end=None if home is None else _at(nodes, nodes.numbers[home], GARAGE),
        capacity=capacity(vehicle),
        skills={skills[skill] for skill in vehicle["skills"]},
        time_window=vroom.TimeWindow(vehicle["shift_start_s"], vehicle["shift_end_s"]),
        breaks=[
            vroom.Break(
                each,
                time_windows=[vroom.TimeWindow(pause["earliest_s"], pause["latest_s"])],
                service=pause["duration_s"],
                max_load=[0, 0, 0],
            )
            for each, pause in enumerate(vehicle["breaks"])
        ],
    )


def _routes(nodes, solution):
    return {
        nodes.vehicles[route["vehicle"]]["id"]: [
            (step["id"], step["arrival"] + step["waiting_time"])
            for step in route["steps"]
            if step["type"] in ("pickup", "delivery")
        ]
        for route in solution["routes"]
    }


main()
