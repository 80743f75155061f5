"""A fork names the pickups in question by the codes that people at the desk know."""

import sqlite3
from contextlib import closing
from datetime import time

import pytest

from sampled import SLUG, Sampled
from softlanding import incidents
from softlanding.drills.sending import Wanted, free_legs


def ask_for(program, wanted):
    """The new pickup's code."""
    headers = {"Idempotency-Key": wanted.key}
    answer = program.post(f"/api/schedule/{SLUG}/arrivals", json=wanted.values(), headers=headers)
    assert answer.status_code < 300, answer.text
    return answer.json()["code"]


def copy(source, target):
    """As a backup of a database at work is made, or brought back."""
    for suffix in ("", "-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as made:
        original.backup(made)


def fork_words(house, service):
    found = house[service].database.read_now(incidents.list_incidents, is_open=True)
    return [incident.sentence for incident in found if incident.kind == "fork"]


@pytest.mark.parametrize("lost", ["schedule", "dispatch"])
def test_a_fork_names_the_pickups_that_stand_by_lost_facts_and_no_others(tmp_path, lost):
    """The copy was made in the middle of a life: what that life told before is not lost."""
    sampled = Sampled(tmp_path)
    house, program = sampled.house, sampled.program("schedule", "read", "write", "personal")
    legs = [Wanted(f"leg-{n}", *leg, time(11)) for n, leg in enumerate(free_legs(sampled.first_day)[:3])]
    kept = ask_for(program, legs[0])
    house.run()
    copy(tmp_path / f"{lost}.db", tmp_path / "backup.db")
    gone = [ask_for(program, leg) for leg in legs[1:]]
    house.run()
    house.kill(lost)
    copy(tmp_path / "backup.db", tmp_path / f"{lost}.db")
    house.start(lost)
    house.run()
    for service in {"schedule", "dispatch", "statistics"} - {lost}:
        [words] = fork_words(house, service)
        assert f"Pickups that stand by them: {', '.join(sorted(gone))}." in words
        assert kept not in words
