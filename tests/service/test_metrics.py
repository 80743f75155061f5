"""What is declared moves: a service that is driven shows each of its metrics, and none stays without effect."""

import re

import pytest

from serving import serving
from waiting import wait_until

pytestmark = pytest.mark.timeout(120)

MOVED = (
    "commits_total",
    "request_seconds_count",
    "facts_told",
    "facts_unsent",
    "lease_age_seconds",
    "peer_silent",
    "state",
)
THERE = (
    "build_info", "bus_durable", "bus_up", "clock_held", "database_up", "deaths", "facts_applied", "facts_behind",
    "incidents_open", "parked", "pickups", "trouble", "writer_waiting",
)  # fmt: skip


def samples(text):
    """By name, the greatest value of any label."""
    found = {}
    for name, value in re.findall(r"^softlanding_(\w+)(?:\{.*\})? (\S+)$", text, re.MULTILINE):
        found[name] = max(float(value), found.get(name, 0.0))
    return found


def test_what_is_declared_moves_and_a_silent_peer_is_a_line_and_a_metric(tmp_path):
    with serving(tmp_path, f"sqlite:///{tmp_path / 'schedule.db'}", "a") as schedule:
        wait_until(lambda: schedule.readiness() == (200, "degraded"), 30, "it is at work")
        assert schedule.take_programme().status_code == 200
        wait_until(lambda: 'peer_silent{peer="dispatch"} 1.0' in schedule.asked("metrics"), 15, "nobody else is there")
        wait_until(lambda: 'incidents_open{kind="silence"}' in schedule.asked("metrics"), 15, "counted")
        text = schedule.asked("metrics")
        assert [name for name in MOVED if not samples(text).get(name)] == []
        declared = set(re.findall(r"^# TYPE softlanding_(\w+) ", text, re.MULTILINE))
        assert [name for name in THERE if not any(one.startswith(name) for one in declared)] == []
        assert re.search(r"^process_start_time_seconds [1-9]", text, re.MULTILINE)
        assert sorted(line["peer"] for line in schedule.said() if line["event"] == "a peer is silent") == [
            "dispatch",
            "statistics",
        ]
