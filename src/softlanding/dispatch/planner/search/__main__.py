"""The program behind `process.py`: one task on stdin, how it stands on stdout, and at last the plan."""

import json
import sys
import threading

from softlanding.clock import SystemClock
from softlanding.dispatch.planner.as_json import plan_from_json, plan_to_json, problem_from_json
from softlanding.dispatch.planner.search.search import Progress, improve

TOLD_EVERY = 0.05  # Of the budget.


def main() -> None:
    task = json.loads(sys.stdin.readline())
    is_alone = threading.Event()
    threading.Thread(target=_wait_for_the_end, args=(is_alone,), daemon=True).start()
    told = [-1.0]

    def tell(progress: Progress) -> None:
        if progress.share - told[0] >= TOLD_EVERY:
            told[0] = progress.share
            _say({"share": progress.share, "unplaced": progress.unplaced, "turns": progress.turns})

    found = improve(
        problem_from_json(task["problem"]),
        plan_from_json(task["plan"]),
        seed=task["seed"],
        budget_s=task["budget_s"],
        held=frozenset(task["held"]),
        workers=task["workers"],
        clock=SystemClock(),
        on_progress=tell,
        should_stop=is_alone.is_set,
    )
    _say({"plan": plan_to_json(found.plan), "turns": found.turns})


def _say(told: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def _wait_for_the_end(is_alone: threading.Event) -> None:
    """Whoever asked keeps our stdin open; when that process dies, it closes."""
    sys.stdin.read()
    is_alone.set()


if __name__ == "__main__":
    main()
