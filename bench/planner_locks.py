"""Locks over many re-plans: whatever happens to a day, a person's word stands."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bench.days import make_day
from bench.judging import Setting
from softlanding.dispatch.planner import (
    Lock,
    Plan,
    Problem,
    assign,
    place,
    plan_all,
    plan_to_json,
    problem_to_json,
    take_out,
    vehicle_of,
)
from softlanding.dispatch.planner.repair.news import repair_breakdown, repair_cancellation, repair_delay
from softlanding.dispatch.planner.search.search import improve
from softlanding.dispatch.validator import violations
from softlanding.errors import Refused

RIDES, VEHICLES = 60, 8
LOCKS_TO, LOCKS_NEVER, LOCKS_ORDER = 12, 12, 4
DAYS_EVERY = 50  # Re-plans until another day.
STEPS_MAX = 4
TURNS = 100
LATE_S = (-1800, 5400)

State = tuple[Problem, Plan]


def run_locks(setting: Setting, *, replans: int, seed: int) -> dict[str, Any]:
    """So many times a planned, locked day is changed at random: rides out and in, by hand, late, cancelled, a car
    lost, a search. The locks are held against each result by the validator, as they were given."""
    rng = random.Random(seed)
    broken, examples = 0, list[str]()
    day, locks = _locked_day(rng)
    for number in range(replans):
        if number and number % DAYS_EVERY == 0:
            day, locks = _locked_day(rng)
        problem, plan = day
        for step in rng.choices(STEPS, k=rng.randint(1, STEPS_MAX)):
            problem, plan = step(setting, rng, (problem, plan))
        setting.judge.ours(problem, plan)
        found = _broken(replace(problem, locks=locks), plan)
        broken += len(found)
        examples += found[: 3 - len(examples)]
    setting.tell(f"{replans} re-plans: {broken} locks broken {examples or ''}")
    return {"replans": replans, "locks": len(locks), "broken": broken}


def _locked_day(rng: random.Random) -> tuple[State, tuple[Lock, ...]]:
    """A day planned with its locks: some rides to where a first plan had them, some away from there, some in order."""
    day = make_day(rng.randrange(1_000_000), rides=RIDES, vehicles=VEHICLES)
    first = plan_all(day)
    planned = [(ride.id, car) for ride in day.rides if (car := vehicle_of(first, ride.id))]
    chosen = rng.sample(planned, LOCKS_TO + LOCKS_NEVER)
    locks = [Lock("to", ride_id, car, "Ana", "asked for") for ride_id, car in chosen[:LOCKS_TO]]
    locks += [Lock("never", ride_id, car, "Ana", "quarrelled") for ride_id, car in chosen[LOCKS_TO:]]
    pairs = [rng.sample(planned, 2) for _ in range(LOCKS_ORDER)]
    locks += [Lock("order", "", "", "Ana", "asked for", (one[0], other[0])) for one, other in pairs]
    problem = replace(day, locks=tuple(locks))
    return (problem, plan_all(problem)), problem.locks


def _out_and_in(_setting: Setting, rng: random.Random, state: State) -> State:
    """Some rides are taken out and placed again, in another order."""
    problem, plan = state
    ride_ids = rng.sample([ride.id for ride in problem.rides], min(5, len(problem.rides)))
    for ride_id in ride_ids:
        plan = _unless_refused(lambda plan, ride_id: take_out(problem, plan, ride_id), plan, ride_id)
    for ride_id in reversed(ride_ids):
        plan = _unless_refused(lambda plan, ride_id: place(problem, plan, ride_id).plan, plan, ride_id)
    return problem, plan


def _by_hand(_setting: Setting, rng: random.Random, state: State) -> State:
    problem, plan = state
    car = rng.choice(problem.vehicles).id
    ride_id = rng.choice(problem.rides).id
    return problem, _unless_refused(lambda plan, ride_id: assign(problem, plan, ride_id, car).plan, plan, ride_id)


def _late(_setting: Setting, rng: random.Random, state: State) -> State:
    problem, plan = state
    ride = rng.choice(problem.rides)
    repaired = repair_delay(problem, plan, ride.id, max(0, ride.earliest_board_s + rng.randint(*LATE_S)))
    return repaired.problem, repaired.plan


def _cancelled(_setting: Setting, rng: random.Random, state: State) -> State:
    problem, plan = state
    unlocked = [ride.id for ride in problem.rides if not _is_named(problem, ride.id)]
    if not unlocked:
        return state
    repaired = repair_cancellation(problem, plan, rng.choice(unlocked))
    return repaired.problem, repaired.plan


def _lost_car(_setting: Setting, rng: random.Random, state: State) -> State:
    """Before the day begins, so that nobody is aboard for whom a lock would be spent."""
    problem, plan = state
    repaired = repair_breakdown(problem, plan, rng.choice(problem.vehicles).id, problem.now_s)
    return repaired.problem, repaired.plan


def _searched(setting: Setting, rng: random.Random, state: State) -> State:
    problem, plan = state
    found = improve(problem, plan, seed=rng.randrange(1_000_000), turns=TURNS, clock=setting.clock)
    return problem, found.plan


STEPS: tuple[Callable[[Setting, random.Random, State], State], ...] = (
    _out_and_in, _by_hand, _late, _cancelled, _lost_car, _searched,
)  # fmt: skip


def _unless_refused(work: Callable[[Plan, str], Plan], plan: Plan, ride_id: str) -> Plan:
    """A refusal is an answer: the plan stays."""
    try:
        return work(plan, ride_id)
    except Refused:
        return plan


def _is_named(problem: Problem, ride_id: str) -> bool:
    return any(ride_id == lock.ride_id or ride_id in lock.ride_ids for lock in problem.locks)


def _broken(problem: Problem, plan: Plan) -> list[str]:
    return [words for words in violations(problem_to_json(problem), plan_to_json(plan)) if "the lock of" in words]
