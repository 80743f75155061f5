"""Who plans beside Softlanding in `bench planner`, each in an environment and a process of its own, each given the
same seconds; and its routes turned into a plan of ours, with the benefit of every doubt, so that one judge judges all.

A rival's program imports nothing of Softlanding; its versions are pinned with hashes in requirements/bench-NAME.txt.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.peers import make_environment
from softlanding.dispatch.planner import (
    Infeasible,
    Manifest,
    Plan,
    Problem,
    Ride,
    Schedule,
    Stop,
    UnplacedRide,
    Vehicle,
    check_stops,
    index_of,
    problem_to_json,
)
from softlanding.dispatch.planner.routes import VARIANTS_MAX, with_break
from softlanding.errors import Unavailable

GRACE_S = 120.0  # To read the problem, build its model and write the answer: time that costs a rival nothing.

Visit = tuple[str, bool, int]  # A ride, whether it boards, and when the rival has it begin.


@dataclass(frozen=True)
class Rival:
    """One library, asked as its documentation recommends. `cannot`: why it is given no day of rides. `plans_pairs`:
    it plans pickups and deliveries for the fewest vehicles, all alike."""

    name: str
    library: str  # Its requirements are in bench-LIBRARY.txt.
    program: str
    cannot: str = ""
    plans_pairs: bool = False


RIVALS = (
    Rival("pyvroom", "pyvroom", "pyvroom_shipments.py"),
    Rival("pyvrp", "pyvrp", "pyvrp_shipments.py"),
    Rival("ortools", "ortools", "ortools_routing.py"),
    Rival(
        "commiv",
        "commiv",
        "commiv_pairs.py",
        cannot="it knows one depot, one load, no shifts of each vehicle and no skills, and leaves no ride out",
        plans_pairs=True,
    ),
)


@dataclass(frozen=True)
class Answer:
    """A rival's plan in our form and how long its solver was at work."""

    plan: Plan
    took_s: float


def ask_rival(
    rival: Rival, problem: Problem, environments: Path, *, budget_s: float, seed: int, threads: int
) -> Answer:
    """Its plan for this problem. Raises Unavailable in words when it cannot be installed, or has none."""
    python = make_environment(rival.library, environments)
    program = Path(__file__).parent / rival.program
    question = {"problem": problem_to_json(problem), "budget_s": budget_s, "seed": seed, "threads": threads}
    said = _run([str(python), str(program)], json.dumps(question), budget_s + GRACE_S)
    if "not_run" in said:
        raise Unavailable(str(said["not_run"]))
    return Answer(plan_of(problem, said["routes"]), said["took_s"])


def _run(command: Sequence[str], question: str, within_s: float) -> dict[str, Any]:
    try:
        done = subprocess.run(command, input=question, capture_output=True, text=True, timeout=within_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"no answer within {within_s:.0f} s") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Unavailable(f"it ended with code {done.returncode}; its last words: {last[:200]}")
    said: dict[str, Any] = json.loads(lines[-1])
    return said


def plan_of(problem: Problem, routes: Mapping[str, Sequence[Sequence[Any]]]) -> Plan:
    """Routes (ride, boards, begins) as a plan. Each gets the stops, breaks and times that break no limit where there
    are any; else such that only its breaks are left out, or only ride limits broken, or both; else the earliest."""
    loose = replace(problem, rides=tuple(replace(ride, ride_max_s=None) for ride in problem.rides))
    manifests = [
        _manifest(problem, loose, vehicle, [(ride_id, boards, at_s) for ride_id, boards, at_s in routes[vehicle.id]])
        if routes.get(vehicle.id)
        else _idle(problem, vehicle)
        for vehicle in sorted(problem.vehicles, key=lambda vehicle: vehicle.id)
    ]
    served = {ride_id for manifest in manifests for stop in manifest.stops for ride_id in stop.boards}
    left = sorted(ride.id for ride in problem.rides if ride.id not in served)
    return Plan(tuple(manifests), tuple(UnplacedRide(ride_id, "not served", "not_planned") for ride_id in left))


def _idle(problem: Problem, vehicle: Vehicle) -> Manifest:
    """Nobody to fetch: only the breaks, where it stands."""
    found = _first_schedule(problem, vehicle, [[]])
    return Manifest(vehicle.id, found.stops, found.back_s) if found else Manifest(vehicle.id)


def _manifest(problem: Problem, loose: Problem, vehicle: Vehicle, visits: Sequence[Visit]) -> Manifest:
    ways = list(_ways(index_of(problem).rides, visits))
    bare = replace(vehicle, breaks=())
    for judge, car in ((problem, vehicle), (problem, bare), (loose, vehicle), (loose, bare)):
        found = _first_schedule(judge, car, ways)
        if found:
            return Manifest(vehicle.id, found.stops, found.back_s)
    return _driven(problem, vehicle, ways[0])


def _ways(rides: Mapping[str, Ride], visits: Sequence[Visit]) -> Iterator[list[Stop]]:
    """The visits as stops: who boards or alights in a row at one place does so together, or only when the rival had
    them begin together, or never; or, as one stop may have both, who alights there with who boards next."""
    stops = [_stop(rides[ride_id], boards=boards, at_s=at_s) for ride_id, boards, at_s in visits]
    apart = _joined(stops, lambda _one, _other: False)
    together = _joined(stops, _is_alike)
    yield together
    yield _joined(stops, lambda one, other: _is_alike(one, other) and one.begin_s == other.begin_s)
    yield apart
    yield _joined(together, lambda one, other: bool(one.alights and not one.boards and other.boards))


def _stop(ride: Ride, *, boards: bool, at_s: int) -> Stop:
    if boards:
        return Stop(ride.from_place_id, boards=(ride.id,), begin_s=at_s)
    return Stop(ride.to_place_id, alights=(ride.id,), begin_s=at_s)


def _is_alike(one: Stop, other: Stop) -> bool:
    return bool(one.boards) == bool(other.boards)


def _joined(stops: Sequence[Stop], may_join: Any) -> list[Stop]:
    """Neighbours at one place made one stop where they may be."""
    found: list[Stop] = []
    for stop in stops:
        if found and found[-1].place_id == stop.place_id and may_join(found[-1], stop):
            last = found.pop()
            stop = replace(stop, boards=last.boards + stop.boards, alights=last.alights + stop.alights)
        found.append(stop)
    return found


def _first_schedule(problem: Problem, vehicle: Vehicle, ways: Iterable[list[Stop]]) -> Schedule | None:
    """Of all these ways, with the breaks laid in any gap, the first that breaks no limit."""
    index = index_of(problem)
    for way in ways:
        laid = [way]
        for pause in sorted(vehicle.breaks, key=lambda pause: (pause.earliest_s, pause.id)):
            stop = Stop(vehicle.start_place_id, break_id=pause.id)
            laid = [one for stops in laid for one in with_break(index, vehicle, stops, stop)][:VARIANTS_MAX]
        for stops in laid:
            judged = check_stops(problem, vehicle, stops)
            if not isinstance(judged, Infeasible):
                return judged
    return None


def _driven(problem: Problem, vehicle: Vehicle, stops: Sequence[Stop]) -> Manifest:
    """The stops at the earliest times, whatever limits that breaks."""
    index = index_of(problem)
    here, time_s, timed = index.places[vehicle.start_place_id], vehicle.shift_start_s, []
    for stop in stops:
        on, off = ([index.rides[ride_id] for ride_id in ids] for ids in (stop.boards, stop.alights))
        arrive = time_s + index.rows[here][index.places[stop.place_id]]
        begin = max([arrive, *(ride.earliest_board_s for ride in on), *(ride.earliest_deliver_s or 0 for ride in off)])
        boarding = max((ride.board_service_s for ride in on), default=0)
        alighting = max((ride.alight_service_s for ride in off), default=0)
        here, time_s = index.places[stop.place_id], begin + alighting + boarding
        timed.append(replace(stop, arrive_s=arrive, begin_s=begin, depart_s=time_s))
    home = 0 if vehicle.end_place_id is None else index.rows[here][index.places[vehicle.end_place_id]]
    return Manifest(vehicle.id, tuple(timed), time_s + home)
