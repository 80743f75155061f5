"""What a benchmark says of what it measured: medians, ratios, aims, and what did not run."""

from pathlib import Path

import pytest

from bench.messaging import Contestant, Score, report
from bench.peers import PEERS, REQUIREMENTS, make_environment, program_of, version_of
from bench.peers.course import Heard, percentile
from bench.tables import render
from softlanding.errors import Unavailable

FSYNCS = [(2000.0, 0.5), (1000.0, 1.0), (900.0, 1.1)]


def a_report(**peers):
    """Of Softlanding with 6 000 and 2 000 facts a second, and of peers with scores or a reason."""
    scores = {
        Contestant("softlanding", "sqlite"): [
            Score(6000.0, 4.0, 60.0),
            Score(9000.0, 4.0, 50.0),
            Score(3000.0, 9.0, 40),
        ],
        Contestant("softlanding", "postgresql"): [Score(2000.0, 12.0, 80.0)],
    }
    for name, given in peers.items():
        scores[Contestant(name, "postgresql")] = given
    return report(list(scores), scores, FSYNCS)


def test_rounds_become_medians_and_ratios_are_on_the_same_database_and_of_the_best():
    result = a_report(faststream=[Score(2500.0, 3.0, 9.0)])

    assert result["softlanding"]["sqlite"] == {"facts_per_s": 6000.0, "p50_ms": 4.0, "p99_ms": 50.0}
    assert result["ratios"] == {"faststream": {"postgresql": 0.8, "best": 2.4}}
    assert (result["fsyncs_per_s"], result["fsync_ms"]) == (1000.0, 1.0)


def test_aims_grow_with_the_disk_and_are_held_or_not():
    result = a_report(faststream=[Score(2500.0, 3.0, 9.0)], dramatiq=[Score(2000.0, 3.0, 9.0)])

    assert result["p50_aim_ms"] == 11.0
    assert result["aims"] == {
        "2x faststream": True,
        "4x dramatiq": False,
        "15x procrastinate": None,
        "p50 on sqlite": True,
        "p99 on sqlite": True,
        "p50 on postgresql": False,
        "p99 on postgresql": False,
    }


def test_a_peer_that_did_not_run_says_why_and_has_no_ratio():
    result = a_report(dbos="dbos could not be installed: no network")

    assert result["peers"]["dbos"]["postgresql"]["not_run"] == "dbos could not be installed: no network"
    assert result["ratios"]["dbos"] == {"postgresql": None, "best": None}


def test_a_round_that_was_lost_is_not_left_out():
    result = a_report(dbos=[Score(100.0, 3.0, 9.0), Score(None, None, None)])

    assert result["peers"]["dbos"]["postgresql"]["facts_per_s"] is None
    assert result["ratios"]["dbos"]["postgresql"] is None


def test_a_table_shows_all_of_it():
    text = render(a_report(dbos="not installed", faststream=[Score(2500.0, 3.0, 9.0)]))

    assert "fsyncs_per_s = 1000" in text
    assert ["sqlite", "6000", "4.00", "50.00"] in [line.split() for line in text.splitlines()]
    assert "not installed" in text
    assert "  15x procrastinate = -" in text


def test_a_rate_counts_when_95_of_100_have_taken_effect():
    heard = Heard()
    heard._times = [(float(number), 10.0 + number) for number in range(100)]

    window = {"began": 0.0, "ended": 100.0, "told": 100}
    assert heard._report(window)["per_s"] == pytest.approx(95 / 104.0)
    assert heard._report(window | {"told": 200})["per_s"] is None


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100)])
def test_percentiles_are_by_nearest_rank(percent, value):
    assert percentile([float(number) for number in range(1, 101)], percent) == value
    assert percentile([], percent) is None


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_peer_has_its_program_and_its_pinned_requirements(peer):
    text = (REQUIREMENTS / f"bench-{peer.library}.txt").read_text()

    assert program_of(peer).is_file()
    assert version_of(peer.library)
    assert text.count("--hash=sha256:") > text.count("==")


def test_without_requirements_a_peer_is_unavailable_in_words():
    with pytest.raises(Unavailable, match=r"requirements/bench-nobody\.txt is not here"):
        make_environment("nobody", Path("nowhere"))
