"""How far our plans of the literature's instances are from the best that anybody has found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.instances import (
    DIAL_A_RIDE,
    LI_LIM,
    Instance,
    distance_of,
    read_dial_a_ride,
    read_pairs,
    read_text,
    vehicles_of,
)
from bench.judging import Judged, Setting, judge_rival, plan_within
from bench.rivals import Rival, ask_rival
from softlanding.dispatch.planner import Plan
from softlanding.dispatch.planner.search.search import Goal
from softlanding.errors import Unavailable


def run_dial_a_ride(
    setting: Setting, folder: Path, *, names: Sequence[str], budgets_s: Sequence[float], seed: int
) -> dict[str, Any]:
    """By instance: the best known distance, then ours and the gap in per cent after each budget."""
    rows: dict[str, Any] = {}
    for name in names:
        instance, best = read_dial_a_ride(read_text(folder, f"darp/{name}.txt")), DIAL_A_RIDE[name]
        rows[name] = {"best": best}
        for budget_s in budgets_s:
            plan = plan_within(setting, instance.problem, budget_s, seed=seed, goal=Goal.distance())
            judged = setting.judge.ours(instance.problem, plan)
            distance = distance_of(instance, plan)
            rows[name] |= {f"{budget_s:g} s": distance, gap_name(budget_s): _gap(instance, judged, distance, best)}
        setting.tell(f"dial-a-ride {name}: {rows[name]}")
    return rows


def run_li_lim(
    setting: Setting, folder: Path, *, names: Sequence[str], budgets_s: Sequence[float], seed: int
) -> dict[str, Any]:
    """By instance, budget and planner: vehicles and distance beside the best known, and the gap in per cent."""
    rows: dict[str, Any] = {}
    for name in names:
        instance = read_pairs(read_text(folder, f"pdptw/{name}.txt"))
        vehicles, distance = LI_LIM[name]
        rows[name] = {"best": {"vehicles": vehicles, "distance": distance}}
        for budget_s in budgets_s:
            plan = plan_within(setting, instance.problem, budget_s, seed=seed, goal=Goal.fewest_vehicles())
            judged = setting.judge.ours(instance.problem, plan)
            beside = {rival.name: _beside(setting, rival, name, instance, budget_s, seed) for rival in setting.rivals}
            ours = {"softlanding": _fleet_row(name, instance, plan, judged)}
            rows[name][f"{budget_s:g} s"] = ours | {rival: row for rival, row in beside.items() if row}
        setting.tell(f"Li & Lim {name}: {rows[name]}")
    return rows


def gap_name(budget_s: float) -> str:
    return f"gap % {budget_s:g} s"


def mean_gap(rows: Mapping[str, Any], budget_s: float) -> float | None:
    """Of all instances of the dial-a-ride; None when one has no valid plan that serves everybody."""
    gaps = [row[gap_name(budget_s)] for row in rows.values()]
    return None if None in gaps or not gaps else sum(gaps) / len(gaps)


def _gap(instance: Instance, judged: Judged, distance: float, best: float) -> float | None:
    """In per cent; None for a plan that is not valid or leaves somebody out, whose distance says nothing."""
    if not judged.is_valid or judged.served < len(instance.problem.rides):
        return None
    return 100 * (distance / best - 1)


def _beside(
    setting: Setting, rival: Rival, name: str, instance: Instance, budget_s: float, seed: int
) -> dict[str, Any]:
    """A rival that plans pairs for the fewest vehicles; nothing for the others."""
    if not rival.plans_pairs:
        return {}
    try:
        answer = ask_rival(
            rival, instance.problem, setting.environments, budget_s=budget_s, seed=seed, threads=setting.threads
        )
    except Unavailable as error:
        return {"not_run": str(error)}
    return _fleet_row(name, instance, answer.plan, judge_rival(instance.problem, answer.plan))


def _fleet_row(name: str, instance: Instance, plan: Plan, judged: Judged) -> dict[str, Any]:
    distance = distance_of(instance, plan)
    return {
        "vehicles": vehicles_of(plan),
        "distance": distance,
        "gap_%": _gap(instance, judged, distance, LI_LIM[name][1]),
        "unserved": len(plan.unplaced),
        "violations": judged.violations,
    }
