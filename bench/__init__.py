"""This system beside its peers, in one run: `python -m bench NAME`, or `make bench NAME=...`.

A benchmark is a function that is given `tell` (one sentence of progress) and gives its result, which is printed as a
table (`tables.render`) and as one JSON object.
"""

from functools import partial
from pathlib import Path
from typing import Any

from bench import recovery
from bench.idle import bench_idle
from bench.messaging import ROUNDS_BESIDE, bench_messaging
from bench.tables import Benchmark, Tell, render


def bench_planner(tell: Tell) -> dict[str, Any]:
    """See planner.py. Loaded when asked for: contestants of other benchmarks are measured without numpy and numba."""
    from bench import planner

    return planner.bench_planner(tell)


def bench_builds(python: Path) -> Benchmark:
    """`messaging` of this build beside another one, whose Python this is."""
    return partial(bench_messaging, beside=python, rounds=ROUNDS_BESIDE)


BENCHES: dict[str, Benchmark] = {
    "messaging": bench_messaging,
    "idle": bench_idle,
    "recovery": recovery.run,
    "planner": bench_planner,
}

__all__ = ["BENCHES", "Benchmark", "bench_builds", "render"]
