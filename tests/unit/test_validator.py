import copy
import sys

import pytest

from rides import a_problem, a_ride, a_vehicle, hhmm, planned
from softlanding.dispatch import validator
from softlanding.dispatch.planner import (
    Break,
    Lock,
    Stop,
    UnplacedRide,
    plan_to_json,
    problem_to_json,
    start_plan,
)
from softlanding.dispatch.validator import violations


def a_day(**changes):
    """Two rides on one vehicle with a break between, one unplaced, as plain values; valid as it stands."""
    rest = Break("rest", hhmm("11:00"), hhmm("12:00"), 1800)
    car = a_vehicle(breaks=(rest,), end_place_id="airport", skills=("french",))
    rides = (
        a_ride("one", latest_deliver_s=hhmm("11:00"), ride_max_s=hhmm("0:45")),
        a_ride("two", ready="13:00", earliest_deliver_s=hhmm("13:30"), luggage=2, needs_skills=("french",)),
        a_ride("many", seats=9),
    )
    problem = a_problem(car, a_vehicle("car-2", start_place_id="venue", wheelchair_places=1), *rides, **changes)
    return problem_to_json(problem), plan_to_json(planned(problem))


def stop_of(plan, number):
    return plan["manifests"][0]["stops"][number]


def shift_times(stop, seconds):
    for name in ("arrive_s", "begin_s", "depart_s"):
        stop[name] += seconds


def test_a_valid_day_has_no_violations():
    problem, plan = a_day()
    assert [stop["break_id"] for stop in plan["manifests"][0]["stops"]] == [None, None, "rest", None, None]
    assert violations(problem, plan) == []


# Each fault is planted alone into the valid day; the words must name it.
FAULTS = {
    "vehicle car-1 has two manifests": lambda problem, plan: again(plan["manifests"], 0),
    "vehicle car-9 is unknown": lambda problem, plan: plan["manifests"][1].update(vehicle_id="car-9"),
    "stranger is planned but unknown": lambda problem, plan: stop_of(plan, 0)["boards"].append("stranger"),
    "many is neither planned nor unplaced": lambda problem, plan: plan.update(unplaced=[]),
    "one is planned on car-1 and also unplaced": lambda problem, plan: plan["unplaced"][0].update(ride_id="one"),
    "many is unplaced twice": lambda problem, plan: again(plan["unplaced"], 0),
    "many is unplaced without a reason": lambda problem, plan: plan["unplaced"][0].update(reason=""),
    "one is on several vehicles: car-1, car-2": lambda problem, plan: also_on_the_other(plan, stop_of(plan, 0)),
    "two boards car-1 twice": lambda problem, plan: stop_of(plan, 4)["boards"].append("two"),
    "one boards car-1 and never alights": lambda problem, plan: stop_of(plan, 1)["alights"].remove("one"),
    "one alights from car-1 without being aboard": lambda problem, plan: stop_of(plan, 0)["boards"].remove("one"),
    "one boards at airport instead of east": lambda problem, plan: of_ride(problem, from_place_id="east"),
    "one alights at venue instead of west": lambda problem, plan: of_ride(problem, to_place_id="west"),
    "vehicle car-1 cannot be at venue": lambda problem, plan: shift_times(stop_of(plan, 1), -1),
    "vehicle car-1 stops at moon, which is unknown": lambda problem, plan: stop_of(plan, 2).update(place_id="moon"),
    "from airport to venue, where no way is known": lambda problem, plan: no_way(problem),
    "venue: arrival, service and departure are out of order": lambda problem, plan: stop_of(plan, 1).update(
        arrive_s=38461
    ),
    "leaves airport after less than 60 s": lambda problem, plan: stop_of(plan, 0).update(depart_s=36059),
    "one boards at 36000, before being ready at 36001": lambda problem, plan: of_ride(problem, earliest_board_s=36001),
    "one boards at 36000, later than 35999": lambda problem, plan: of_ride(problem, latest_board_s=35999),
    "one boards at 36000, after it expired at 35999": lambda problem, plan: of_ride(problem, expires_s=35999),
    "one is delivered at 38460, after its deadline 38459": lambda problem, plan: of_ride(
        problem, latest_deliver_s=38459
    ),
    "one is delivered at 38460, before 38461": lambda problem, plan: of_ride(problem, earliest_deliver_s=38461),
    "one rides for 2400 s, longer than 2399 s": lambda problem, plan: of_ride(problem, ride_max_s=2399),
    "with seats 1 of 0": lambda problem, plan: of_car(problem, seats=0),
    "with luggage 2 of 1": lambda problem, plan: of_car(problem, luggage=1),
    "with wheelchairs 1 of 0": lambda problem, plan: of_ride(problem, wheelchairs=1),
    "two needs french, which vehicle car-1 lacks": lambda problem, plan: of_car(problem, skills=[]),
    "break rest is left out": lambda problem, plan: plan["manifests"][0]["stops"].pop(2),
    "break rest begins at 39600, outside its window": lambda problem, plan: of_break(problem, earliest_s=39601),
    "break rest is shorter than 1801 s": lambda problem, plan: of_break(problem, duration_s=1801),
    "break rest is unknown": lambda problem, plan: of_car(problem, breaks=[]),
    "break rest is taken twice": lambda problem, plan: again(plan["manifests"][0]["stops"], 2),
    "break rest is taken with passengers aboard": lambda problem, plan: stop_of(plan, 1).update(break_id="rest"),
    "car-1 is back after its shift ends": lambda problem, plan: of_car(problem, shift_end_s=hhmm("14:00")),
    "the driver of car-1 is out for 22890 s, longer than 22889 s": lambda problem, plan: of_car(
        problem, span_max_s=22889
    ),
    "vehicle car-1 cannot be back at 0": lambda problem, plan: plan["manifests"][0].update(back_s=0),
    "vehicle car-1 cannot be at airport": lambda problem, plan: of_car(problem, shift_start_s=hhmm("10:00") + 1),
    "vehicle car-1 cannot be at airport at": lambda problem, plan: problem.update(now_s=hhmm("10:00") + 1),
    "no way from airport to its end": lambda problem, plan: no_way_home(problem, plan),
    "the lock of Ana on one says car-2, but": lambda problem, plan: lock(problem, "to", "car-2"),
    "the lock of Ana on one keeps it off car-1": lambda problem, plan: lock(problem, "never", "car-1"),
    "one boards car-1 before two, against the lock of Ana": lambda problem, plan: problem["locks"].append(
        {"kind": "order", "ride_id": "", "vehicle_id": "", "author": "Ana", "reason": "", "ride_ids": ["two", "one"]}
    ),
    "vehicle car-1 does not begin with its frozen": lambda problem, plan: freeze(problem, "car-1", stop_of(plan, 1)),
    "vehicle car-3 has frozen stops and no manifest": lambda problem, plan: freeze(problem, "car-3", stop_of(plan, 1)),
    "the plan cannot be read": lambda problem, plan: stop_of(plan, 0).pop("boards"),
}


def again(items, number):
    items.insert(number + 1, copy.deepcopy(items[number]))


def also_on_the_other(plan, stop):
    plan["manifests"][1]["stops"].append(copy.deepcopy(stop))


def of_ride(problem, **changes):
    problem["rides"][0].update(changes)


def of_car(problem, **changes):
    problem["vehicles"][0].update(changes)


def of_break(problem, **changes):
    problem["vehicles"][0]["breaks"][0].update(changes)


def no_way(problem):
    problem["matrix"]["seconds"][0][4] = None


def no_way_home(problem, plan):
    stops = plan["manifests"][0]["stops"]
    stops[-1]["place_id"] = problem["rides"][1]["to_place_id"] = "airport"
    of_car(problem, end_place_id="west")
    problem["matrix"]["seconds"][0][3] = None


def lock(problem, kind, vehicle_id):
    problem["locks"].append({"kind": kind, "ride_id": "one", "vehicle_id": vehicle_id, "author": "Ana", "reason": ""})


def freeze(problem, vehicle_id, stop):
    problem["frozen"][vehicle_id] = [stop]


@pytest.mark.parametrize("words", FAULTS)
def test_a_planted_fault_is_named(words):
    problem, plan = a_day()
    FAULTS[words](problem, plan)
    found = violations(problem, plan)
    assert any(words in one for one in found), found


def test_company_that_must_not_meet_is_named():
    problem = a_problem(a_ride("one"), a_ride("two"))
    plain, plan = problem_to_json(problem), plan_to_json(planned(problem))
    assert violations(plain, plan) == []
    plain["rides"][0]["alone"] = True
    plain["rides"][1]["not_with"] = ["one"]
    assert violations(plain, plan) == [
        "one rides alone, but meets two aboard car-1",
        "two must not ride with one, but does aboard car-1",
    ]


def test_facts_are_not_judged_but_what_follows_is():
    late = Stop("airport", boards=("one",), arrive_s=hhmm("12:00"), begin_s=hhmm("12:00"), depart_s=hhmm("12:01"))
    problem = a_problem(a_vehicle(seats=0), a_ride("one"), frozen={"car-1": (late,)})
    plain, plan = problem_to_json(problem), plan_to_json(start_plan(problem))
    assert violations(plain, plan) == []
    plain["rides"][0]["ride_max_s"] = 60
    assert violations(plain, plan) == ["one rides for 2400 s, longer than 60 s"]


def test_a_ride_without_a_place_is_no_violation_but_must_have_its_reason():
    problem = a_problem(a_ride())
    plan = start_plan(problem)
    assert plan.unplaced == (UnplacedRide("K7QX", "not planned yet", "not_planned"),)
    assert violations(problem_to_json(problem), plan_to_json(plan)) == []


def test_it_shares_no_code_with_the_planner():
    source = vars(validator)
    assert not [name for name, value in source.items() if "planner" in str(getattr(value, "__module__", ""))]
    with open(sys.modules[validator.__name__].__file__ or "") as file:
        assert "import softlanding" not in file.read().replace("from softlanding", "import softlanding")


def test_locks_that_hold_are_no_violation():
    locks = (Lock("to", "one", "car-1", "Ana", "asked for"), Lock("never", "one", "car-2", "Ana", "asked for"))
    problem, plan = a_day(locks=locks)
    assert violations(problem, plan) == []
