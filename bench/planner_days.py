"""The day of 300 rides beside the rivals, each planner in turn on the same machine, with the same seconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.days import FlightRow, Grade, make_day
from bench.judging import Judged, Setting, judge_rival, plan_within
from bench.rivals import Rival, ask_rival
from softlanding.dispatch.planner import Problem
from softlanding.errors import Unavailable

OURS = "softlanding"


@dataclass(frozen=True)
class Run:
    """One planner on one day with one budget: how it fared, or why it has no plan."""

    planner: str
    grade: Grade
    seed: int
    budget_s: float
    judged: Judged | None
    took_s: float = 0.0
    not_run: str = ""


def run_days(
    setting: Setting,
    *,
    grades: Sequence[Grade],
    seeds: Sequence[int],
    budgets_s: Sequence[float],
    rides: int,
    vehicles: int,
    flights: Mapping[Grade, Sequence[FlightRow]],
) -> list[Run]:
    """Every planner on every day with every budget. A fault of one is its own, and ends its part of that run."""
    runs = []
    for grade in grades:
        for seed in seeds:
            day = make_day(seed, grade=grade, rides=rides, vehicles=vehicles, flights=flights.get(grade))
            for budget_s in budgets_s:
                runs.append(_ours(setting, day, grade, seed, budget_s))
                runs += [_theirs(setting, rival, day, grade, seed, budget_s) for rival in setting.rivals]
    return runs


def table_of(runs: Sequence[Run]) -> dict[str, Any]:
    """By grade, budget and planner: rides served on each day, and what is wrong with the plans."""
    table: dict[str, Any] = {}
    for run in runs:
        table.setdefault(run.grade, {}).setdefault(f"{run.budget_s:g} s", {}).setdefault(run.planner, []).append(run)
    return {
        grade: {budget: {name: _row(some) for name, some in by_name.items()} for budget, by_name in by_budget.items()}
        for grade, by_budget in table.items()
    }


def beats_valid_rivals(runs: Sequence[Run]) -> bool:
    """Whether each rival's plan that is valid serves fewer than ours of the same day and budget. False, too, when no
    rival has run: nothing was shown."""
    pairs = list(_pairs(runs))
    return bool(pairs) and all(ours.served > theirs.served for _, ours, theirs in pairs if theirs.is_valid)


def serves_most(runs: Sequence[Run], budget_s: float) -> bool | None:
    """Whether with this budget no rival serves more than we do, valid or not. None when no rival has run."""
    pairs = [(ours, theirs) for run, ours, theirs in _pairs(runs) if run.budget_s == budget_s]
    return all(theirs.served <= ours.served for ours, theirs in pairs) if pairs else None


def _pairs(runs: Sequence[Run]) -> list[tuple[Run, Judged, Judged]]:
    """Each rival's run with ours of the same day and budget."""
    ours = {(run.grade, run.seed, run.budget_s): run.judged for run in runs if run.planner == OURS}
    found = []
    for run in runs:
        own = ours[run.grade, run.seed, run.budget_s]
        if run.planner != OURS and run.judged is not None and own is not None:
            found.append((run, own, run.judged))
    return found


def _ours(setting: Setting, day: Problem, grade: Grade, seed: int, budget_s: float) -> Run:
    began = setting.clock.monotonic()
    plan = plan_within(setting, day, budget_s, seed=seed)
    took_s = setting.clock.monotonic() - began
    return _told(setting, Run(OURS, grade, seed, budget_s, setting.judge.ours(day, plan), took_s))


def _theirs(setting: Setting, rival: Rival, day: Problem, grade: Grade, seed: int, budget_s: float) -> Run:
    if rival.cannot:
        return Run(rival.name, grade, seed, budget_s, None, not_run=rival.cannot)
    try:
        answer = ask_rival(rival, day, setting.environments, budget_s=budget_s, seed=seed, threads=setting.threads)
    except Unavailable as error:
        return _told(setting, Run(rival.name, grade, seed, budget_s, None, not_run=str(error)))
    return _told(setting, Run(rival.name, grade, seed, budget_s, judge_rival(day, answer.plan), answer.took_s))


def _told(setting: Setting, run: Run) -> Run:
    words = f"not run: {run.not_run}"
    if run.judged is not None:
        words = f"{run.judged.served} served, {run.judged.violations} violations, {run.took_s:.1f} s"
    setting.tell(f"{run.grade} day {run.seed}, {run.budget_s:g} s: {run.planner}: {words}")
    return run


def _row(runs: Sequence[Run]) -> dict[str, Any]:
    judged = [run.judged for run in runs if run.judged is not None]
    not_run = next((run.not_run for run in runs if run.not_run), None)
    row = {
        "served": " / ".join("-" if run.judged is None else str(run.judged.served) for run in runs),
        "mean": sum(each.served for each in judged) / len(judged) if judged else None,
        "valid": f"{sum(each.is_valid for each in judged)} of {len(runs)}",
        "violations": sum(each.violations for each in judged) if judged else None,
        "over_limit": sum(each.over_limit for each in judged) if judged else None,
        "took_max_s": max(run.took_s for run in runs) if judged else None,
    }
    return row | ({"not_run": not_run} if not_run else {})
