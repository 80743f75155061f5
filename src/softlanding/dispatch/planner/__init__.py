"""Open rides and shifts in, manifests out: pure, exact, the same answer every time.

`shapes` are the values, `check` judges one vehicle's stops, `planning` does things to a plan, `saved` is the JSON
form; `routes`, `insertion`, `reasons` and `ways_out` are how. `validator.py` beside this folder judges the results
and shares no code with it.
"""

from softlanding.dispatch.planner.check import check
from softlanding.dispatch.planner.indexed import (
    index_of,
    problem_faults,
    ride_faults,
    with_ride,
    without_ride,
)
from softlanding.dispatch.planner.objective import Cost
from softlanding.dispatch.planner.planning import (
    assign,
    cost_of_plan,
    lift_broken_limits,
    place,
    plan_all,
    start_plan,
    take_out,
    vehicle_of,
)
from softlanding.dispatch.planner.saved import plan_from_json, plan_to_json, problem_from_json, problem_to_json
from softlanding.dispatch.planner.shapes import (
    Break,
    Comfort,
    Constraint,
    Infeasible,
    Lock,
    Manifest,
    Placed,
    Plan,
    Prices,
    Problem,
    Ride,
    Schedule,
    Stop,
    Told,
    Unplaced,
    UnplacedRide,
    Vehicle,
    WayOut,
    seconds_at,
    time_at,
)
from softlanding.dispatch.planner.words import SayTime, say_utc

__all__ = [
    "Break",
    "Comfort",
    "Constraint",
    "Cost",
    "Infeasible",
    "Lock",
    "Manifest",
    "Placed",
    "Plan",
    "Prices",
    "Problem",
    "Ride",
    "SayTime",
    "Schedule",
    "Stop",
    "Told",
    "Unplaced",
    "UnplacedRide",
    "Vehicle",
    "WayOut",
    "assign",
    "check",
    "cost_of_plan",
    "index_of",
    "lift_broken_limits",
    "place",
    "plan_all",
    "plan_from_json",
    "plan_to_json",
    "problem_faults",
    "problem_from_json",
    "problem_to_json",
    "ride_faults",
    "say_utc",
    "seconds_at",
    "start_plan",
    "take_out",
    "time_at",
    "vehicle_of",
    "with_ride",
    "without_ride",
]
