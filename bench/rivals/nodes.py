"""What every rival's program shares: the question on its input, the problem as nodes, the answer on its output.

Only the standard library: a rival's program imports this as its neighbour, in its own environment. A problem comes in
the planner's JSON form. Each ride is two nodes, 2n boards and 2n+1 alights, so that a library of pickups and
deliveries can be asked; `between` holds what a stop of ours means: who boards, or alights, at one place does so at
once.
"""

import json
import sys
import time
from typing import Any

FAR = 10_000_000  # No way known: further than any shift is long, and still small when a library scales it.
LOADS = (("seats", "seats"), ("luggage", "luggage"), ("wheelchairs", "wheelchair_places"))
SERVED_ABOVE_ALL = 100_000  # Leaving a ride out costs more than any way to serve it, in seconds of driving.

Visit = tuple[int, int]  # A node, and when service there begins.


def question() -> dict[str, Any]:
    """`problem`, `budget_s`, `seed`, `threads`."""
    asked: dict[str, Any] = json.load(sys.stdin)
    return asked


class Nodes:
    """A problem for whoever thinks in nodes. `place[n]`, `early[n]`, `late[n]`, `service[n]`, `load[ride]`."""

    def __init__(self, problem: dict[str, Any]) -> None:
        self.rides: list[dict[str, Any]] = problem["rides"]
        self.vehicles: list[dict[str, Any]] = problem["vehicles"]
        self.numbers = {place_id: number for number, place_id in enumerate(problem["matrix"]["place_ids"])}
        self.seconds = [[FAR if cell is None else cell for cell in row] for row in problem["matrix"]["seconds"]]
        self.horizon = max((vehicle["shift_end_s"] for vehicle in self.vehicles), default=0)
        self.place: list[int] = []
        self.early: list[int] = []
        self.late: list[int] = []
        self.service: list[int] = []
        for ride in self.rides:
            self._add(ride)
        self.load = [[ride[needs] for needs, _ in LOADS] for ride in self.rides]

    def _add(self, ride: dict[str, Any]) -> None:
        """Both nodes. The ride limit is left to who knows one: as a narrower window of the end it would not be kept
        either, and fewer would be served."""
        board_late = min(ride["latest_board_s"], self._or_horizon(ride["expires_s"]))
        alight_late = self._or_horizon(ride["latest_deliver_s"])
        self.place += [self.numbers[ride["from_place_id"]], self.numbers[ride["to_place_id"]]]
        self.early += [ride["earliest_board_s"], ride["earliest_deliver_s"] or 0]
        self.late += [board_late, alight_late]
        self.service += [ride["board_service_s"], ride["alight_service_s"]]

    def _or_horizon(self, seconds: int | None) -> int:
        return self.horizon if seconds is None else seconds

    def between(self, one: int, other: int) -> int:
        """Seconds from the begin of service at one node to the earliest at the other, when it comes next."""
        if self.place[one] == self.place[other] and one % 2 == other % 2:
            return 0  # They board, or alight, side by side.
        return self.service[one] + self.seconds[self.place[one]][self.place[other]]

    def drive(self, one: int, other: int) -> int:
        return self.seconds[self.place[one]][self.place[other]]

    def out(self, vehicle: dict[str, Any], node: int) -> int:
        return self.seconds[self.numbers[vehicle["start_place_id"]]][self.place[node]]

    def back(self, vehicle: dict[str, Any], node: int) -> int:
        """The drive home; 0 for who may end anywhere."""
        home = vehicle["end_place_id"]
        return 0 if home is None else self.seconds[self.place[node]][self.numbers[home]]

    def may(self, vehicle: dict[str, Any], ride: int) -> bool:
        return set(self.rides[ride]["needs_skills"]) <= set(vehicle["skills"])


def capacity(vehicle: dict[str, Any]) -> list[int]:
    return [vehicle[has] for _, has in LOADS]


class Stopwatch:
    """How long the solver itself was at work."""

    def __init__(self) -> None:
        self._began = time.monotonic()  # noqa: TID251 - a contestant's program is all about the clock

    def seconds(self) -> float:
        return time.monotonic() - self._began  # noqa: TID251


def answer(nodes: Nodes, routes: dict[str, list[Visit]], took_s: float) -> None:
    """The routes by vehicle id, each a list of visits in order."""
    said = {
        vehicle_id: [[nodes.rides[node // 2]["id"], node % 2 == 0, at_s] for node, at_s in visits]
        for vehicle_id, visits in routes.items()
    }
    _say({"routes": said, "took_s": took_s})


def decline(reason: str) -> None:
    """There is no plan, and why."""
    _say({"not_run": reason})


def _say(values: dict[str, Any]) -> None:
    sys.stdout.flush()
    sys.stdout.write("\n" + json.dumps(values) + "\n")
    sys.stdout.flush()
