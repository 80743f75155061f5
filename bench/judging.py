"""What every row of `bench planner` shares: our plan within so many seconds, and the one judge of all plans."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.peers.course import percentile
from bench.rivals import Rival
from bench.tables import Tell
from softlanding.clock import Clock
from softlanding.dispatch.planner import Plan, Problem, plan_all, plan_to_json, problem_to_json
from softlanding.dispatch.planner.search.search import Goal, improve
from softlanding.dispatch.validator import violations

EXAMPLES_MAX = 5
LEAST_S = 0.01  # A search that is begun at all gets so much.


@dataclass(frozen=True)
class Judged:
    """A plan as the validator sees it. `over_limit`: how many ride longer than they may."""

    served: int
    violations: int
    over_limit: int

    @property
    def is_valid(self) -> bool:
        return self.violations == 0


@dataclass
class Judge:
    """Counts what is wrong with our plans, over all runs, and keeps the first few words of it."""

    violations: int = 0
    plans: int = 0
    examples: list[str] = field(default_factory=list)

    def ours(self, problem: Problem, plan: Plan) -> Judged:
        found = violations(problem_to_json(problem), plan_to_json(plan))
        self.plans += 1
        self.violations += len(found)
        self.examples += found[: EXAMPLES_MAX - len(self.examples)]
        return _judged(plan, found)


@dataclass(frozen=True)
class Setting:
    """Where and how all rows are run. `threads`: what everybody may use who can use more than one."""

    tell: Tell
    clock: Clock
    judge: Judge
    environments: Path
    rivals: Sequence[Rival]
    threads: int

    def took(self, work: Callable[[], object]) -> float:
        """Seconds that this work takes."""
        began = self.clock.monotonic()
        work()
        return self.clock.monotonic() - began


def judge_rival(problem: Problem, plan: Plan) -> Judged:
    return _judged(plan, violations(problem_to_json(problem), plan_to_json(plan)))


def plan_within(setting: Setting, problem: Problem, budget_s: float, *, seed: int, goal: Goal | None = None) -> Plan:
    """A first plan and what the rest of the seconds make of it."""
    began = setting.clock.monotonic()
    plan = plan_all(problem)
    left_s = budget_s - (setting.clock.monotonic() - began)
    return plan if left_s < LEAST_S else improved(setting, problem, plan, left_s, seed=seed, goal=goal)


def improved(
    setting: Setting, problem: Problem, plan: Plan, budget_s: float, *, seed: int, goal: Goal | None = None
) -> Plan:
    """What our search makes of a plan in so many seconds."""
    found = improve(
        problem,
        plan,
        seed=seed,
        budget_s=budget_s,
        clock=setting.clock,
        goal=goal or Goal(),
        workers=setting.threads,
    )
    return found.plan


def percentiles_ms(took_ms: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(took_ms)
    return {f"p{percent}_ms": percentile(ordered, percent) for percent in (50, 95)}


def _judged(plan: Plan, found: Sequence[str]) -> Judged:
    served = sum(len(stop.boards) for manifest in plan.manifests for stop in manifest.stops)
    return Judged(served, len(found), sum(" rides for " in words for words in found))
