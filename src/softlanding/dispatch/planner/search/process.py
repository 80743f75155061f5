"""The search in a process of its own, so that the service goes on answering while it thinks.

The task goes in as one line of JSON; how it stands comes out line by line, and at last the plan (`__main__.py`). The
process holds nothing and can be ended at any moment; it ends by itself when nobody listens any more.
"""

import json
import selectors
import subprocess
import sys
from dataclasses import dataclass, field
from typing import IO, Any

from softlanding.dispatch.planner.as_json import plan_from_json, plan_to_json, problem_to_json
from softlanding.dispatch.planner.problem import Plan, Problem
from softlanding.errors import Unavailable

PROGRAM = "softlanding.dispatch.planner.search"
READ_BYTES = 65_536
STOPS_WITHIN_S = 5.0


@dataclass
class Thinking:
    """A search that runs elsewhere. `share` of its budget is used and `unplaced` rides are without a place, as it
    last said; `plan` is None until it has ended well. `start` is the plan that it began with, for `rebase`."""

    start: Plan
    process: "subprocess.Popen[bytes]"
    share: float = 0.0
    unplaced: int | None = None
    plan: Plan | None = None
    _rest: bytes = field(default=b"", repr=False)

    def look(self, wait_s: float = 0.0) -> bool:
        """Hear what it says, for so long at most; whether it has ended. Raises Unavailable when it gave no plan."""
        while self.plan is None:
            chunk = _read(self._out, wait_s)
            if chunk is None:
                return False
            if not chunk:
                self.stop()
                raise Unavailable("the search for a better plan ended without one; the plan stays as it is")
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))
        self.stop()
        return True

    def stop(self) -> None:
        """End it, wherever it is."""
        self.process.kill()
        self.process.communicate(timeout=STOPS_WITHIN_S)

    @property
    def _out(self) -> IO[bytes]:
        assert self.process.stdout is not None, "it was started with a pipe"
        return self.process.stdout

    def _hear(self, told: dict[str, Any]) -> None:
        if "plan" in told:
            self.plan = plan_from_json(told["plan"])
        else:
            self.share, self.unplaced = told["share"], told["unplaced"]


def think(
    problem: Problem,
    plan: Plan,
    *,
    seed: int,
    budget_s: float,
    held: frozenset[str] = frozenset(),
    workers: int = 1,
) -> Thinking:
    """Begin to search for a better plan in another process. Nobody waits: ask the answer's `look` now and then."""
    task = {
        "problem": problem_to_json(problem),
        "plan": plan_to_json(plan),
        "seed": seed,
        "budget_s": budget_s,
        "held": sorted(held),
        "workers": workers,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None, "it was started with a pipe"
    try:
        process.stdin.write(json.dumps(task).encode() + b"\n")
        process.stdin.flush()
    except BrokenPipeError as error:
        process.kill()
        process.communicate(timeout=STOPS_WITHIN_S)
        raise Unavailable("the search for a better plan could not be started; the plan stays as it is") from error
    return Thinking(plan, process)


def _read(out: IO[bytes], wait_s: float) -> bytes | None:
    """What it has said, b"" at its end, None if it said nothing within `wait_s`."""
    with selectors.DefaultSelector() as selector:
        selector.register(out, selectors.EVENT_READ)
        if not selector.select(wait_s):
            return None
    chunk: bytes = out.read1(READ_BYTES)  # type: ignore[attr-defined]
    return chunk
