"""The smallest run of `python -m bench planner`, without rivals: every row, every plan judged, nothing broken."""

import json
import os

import pytest

from bench import BENCHES
from bench.planner import NO_DATA, Sizes, bench_planner
from bench.tables import render

FOLDER = os.environ.get("SOFTLANDING_REAL_DATA", "")  # noqa: TID251 - where the data lies is the machine's affair.

SMALLEST = Sizes(
    grades=("ordinary", "storm"),
    seeds=(1,),
    budgets_s=(0.5,),
    day=(40, 4),
    crowd=(60, 12),
    looks_s=(0.5, 1.0),
    crowd_beside_s=(),
    more=6,
    breakdowns=3,
    searched=1,
    search_s=0.2,
    dial_a_ride=("a2-16",),
    dial_a_ride_s=(1.0,),
    li_lim=("lc101",),
    li_lim_s=(1.0,),
    replans=8,
)


@pytest.mark.timeout(180)
def test_the_smallest_run_has_every_row_and_breaks_nothing(tmp_path):
    said = []
    result = bench_planner(said.append, sizes=SMALLEST, rivals=(), environments=tmp_path)

    assert (result["violations"], result["beats_valid_rivals"]) == (0, False)
    assert result["plans_judged"] >= 2 + 3 + 6 + 4 + 8
    for grade in SMALLEST.grades:
        assert result["days"][grade]["0.5 s"]["softlanding"]["valid"] == "1 of 1"
    assert result["crowd"]["looks"]["first"]["served"] >= 55
    assert 0 < result["one_ride_more"]["p50_ms"] <= result["one_ride_more"]["p95_ms"]
    assert (result["one_ride_more"]["moved"], result["locks"]["broken"]) == (0, 0)
    assert result["breakdown"]["breakdowns"] == 3
    assert result["aims"]["no plan of ours breaks a limit"] is True
    assert json.loads(json.dumps(result)) == result
    assert "served" in render(result)
    assert said
    assert list(tmp_path.iterdir()) == []


def test_it_is_one_of_the_benchmarks():
    assert "planner" in BENCHES


@pytest.mark.skipif(not FOLDER, reason="needs real data: SOFTLANDING_REAL_DATA is not set")
@pytest.mark.timeout(120)
def test_with_real_data_the_instances_are_run(tmp_path):
    result = bench_planner(lambda _words: None, sizes=SMALLEST, rivals=(), environments=tmp_path)

    assert result["flights"] == "real"
    assert -0.01 < result["dial_a_ride"]["a2-16"]["gap % 1 s"] < 10
    assert result["li_lim"]["lc101"]["1 s"]["softlanding"]["vehicles"] >= 10


def test_without_real_data_the_instances_say_why_they_were_not_run(tmp_path, monkeypatch):
    monkeypatch.delenv("SOFTLANDING_REAL_DATA", raising=False)
    result = bench_planner(lambda _words: None, sizes=SMALLEST, rivals=(), environments=tmp_path)

    assert (result["dial_a_ride"], result["li_lim"]) == (NO_DATA, NO_DATA)
    assert result["aims"]["dial-a-ride: 3 % in 1 s"] is None
    assert result["flights"] == "own"
