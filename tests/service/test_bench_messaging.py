"""A short run of our own contestants on the real course: real processes, real nats-server, real PostgreSQL."""

import json
import sys
from pathlib import Path

import pytest

from bench.messaging import bench_messaging
from bench.servers import measure_fsyncs
from softlanding.clock import SystemClock


@pytest.mark.timeout(120)
def test_our_own_contestants_run_the_course_and_nothing_is_lost():
    said = []
    result = bench_messaging(said.append, rounds=1, beside=Path(sys.executable), load_s=1.0, pace_s=1.0)

    for database in ("sqlite", "postgresql"):
        ours = result["softlanding"][database]
        assert result["ratios"]["the build beside"][database] > 0
        assert ours["facts_per_s"] > 50
        assert 0 < ours["p50_ms"] <= ours["p99_ms"]
    assert result["aims"]["2x faststream"] is None
    assert len(said) == 4
    assert json.loads(json.dumps(result)) == result


def test_the_disk_is_measured_where_the_databases_lie(tmp_path):
    per_s, ms = measure_fsyncs(tmp_path, SystemClock(), for_s=0.1)

    assert per_s > 0
    assert ms > 0
    assert list(tmp_path.iterdir()) == []
