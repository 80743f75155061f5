"""Open rides and shifts in, manifests out: pure, exact, the same answer every time.

The core: `problem` are the values, `index` looks things up in them, `check` judges one vehicle's stops, `objective`
says what makes one plan better, `operations` do things to a plan, `as_json` is the JSON form; `routes` and `insertion`
are how. `explain/` says why and what differs, `repair/` answers news, `search/` betters a whole day. `validator.py`
beside this folder judges the results and shares no code with it.
"""

from softlanding.dispatch.planner.as_json import plan_from_json, plan_to_json, problem_from_json, problem_to_json
from softlanding.dispatch.planner.check import check
from softlanding.dispatch.planner.explain.differences import (
    Change,
    Choice,
    Difference,
    Other,
    difference,
    why_this_vehicle,
)
from softlanding.dispatch.planner.explain.sentences import SayTime, say_utc
from softlanding.dispatch.planner.index import (
    index_of,
    problem_faults,
    ride_faults,
    with_ride,
    without_ride,
)
from softlanding.dispatch.planner.objective import Cost
from softlanding.dispatch.planner.operations import (
    assign,
    cost_of_plan,
    lift_broken_limits,
    place,
    plan_all,
    start_plan,
    take_out,
    vehicle_of,
)
from softlanding.dispatch.planner.problem import (
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
from softlanding.dispatch.planner.repair.news import (
    Repaired,
    at_moment,
    repair_breakdown,
    repair_cancellation,
    repair_changed_ride,
    repair_closed_road,
    repair_delay,
    repair_drop_out,
    repair_late,
)

__all__ = [
    "Break",
    "Change",
    "Choice",
    "Comfort",
    "Constraint",
    "Cost",
    "Difference",
    "Infeasible",
    "Lock",
    "Manifest",
    "Other",
    "Placed",
    "Plan",
    "Prices",
    "Problem",
    "Repaired",
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
    "at_moment",
    "check",
    "cost_of_plan",
    "difference",
    "index_of",
    "lift_broken_limits",
    "place",
    "plan_all",
    "plan_from_json",
    "plan_to_json",
    "problem_faults",
    "problem_from_json",
    "problem_to_json",
    "repair_breakdown",
    "repair_cancellation",
    "repair_changed_ride",
    "repair_closed_road",
    "repair_delay",
    "repair_drop_out",
    "repair_late",
    "ride_faults",
    "say_utc",
    "seconds_at",
    "start_plan",
    "take_out",
    "time_at",
    "vehicle_of",
    "why_this_vehicle",
    "with_ride",
    "without_ride",
]
