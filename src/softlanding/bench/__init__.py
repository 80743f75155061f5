"""This system beside its peers, in one run: `softlanding bench NAME`.

A benchmark is a function that is given `tell` (one sentence of progress) and gives its result, which is printed as a
table (`tables.render`) and as one JSON object.
"""

from softlanding.bench import recovery
from softlanding.bench.idle import bench_idle
from softlanding.bench.messaging import bench_messaging
from softlanding.bench.tables import Benchmark, render

BENCHES: dict[str, Benchmark] = {"messaging": bench_messaging, "idle": bench_idle, "recovery": recovery.run}

__all__ = ["BENCHES", "Benchmark", "render"]
