"""The drills, as an operator plays them; and the proof that their count can fail."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from softlanding.drills import DRILLS, dispatcher_dies, green_while_dead, leaky_doors
from softlanding.drills.counting import Sent, count
from softlanding.drills.installation import mortal_command, throw_away
from softlanding.drills.sending import Wanted, free_legs, send

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def play(name: str) -> dict[str, Any]:
    """The object in the last line of `softlanding drill NAME --json`."""
    done = subprocess.run(
        mortal_command("drill", name, "--json"), capture_output=True, text=True, timeout=170, check=False
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (lines[-3:], done.stderr[-2000:])
    result: dict[str, Any] = lines[-1]
    return result


def test_the_dispatcher_dies_and_nothing_is_lost_and_who_expired_waits_for_a_person() -> None:
    result = play("dispatcher-dies")
    assert (result["lost"], result["doubled"]) == (0, 0)
    assert result["unsettled"] == result["expired"] != 0
    assert result["recovered"] == result["sent"] - result["expired"]
    assert result["noticed_s"] is not None
    assert result["back_s"] > 0
    assert (result["untrue"], result["kills"] > 2) == ([], True)


LAST_END = """
import softlanding.lifecycle.outages as outages
outages.LastEnd.since = lambda self, began_at: [self.at] * len(self.ends)
"""


def test_an_outage_told_by_the_end_of_its_last_attempt_is_seen() -> None:
    """62 s were told as 5 s."""
    result = dispatcher_dies.run(print, plant=LAST_END)
    assert result["held"] is False
    assert len(result["untrue"]) == 2


def test_the_broker_loses_its_disk_and_nothing_is_lost() -> None:
    result = play("broker-loses-disk")
    assert (result["lost"], result["doubled"]) == (0, 0)
    assert result["recovered"] == result["sent"] == 24


def test_doors_files_and_live_pages_are_shut_to_whom_they_are_not_for() -> None:
    result = play("leaky-doors")
    assert (result["leaks"], result["tried"]) == ([], len(leaky_doors.ATTEMPTS))


LEAKS = {
    "keys": """
import hashlib, softlanding.keys as keys, softlanding.web.asked as asked
keys.Key.id = property(lambda self: hashlib.sha256(self.text.encode()).hexdigest())
async def the_same(*_): return ""
asked._digest = the_same
""",
    "sessions": """
import softlanding.sessions as sessions
sessions.is_over = lambda *_: False
""",
    "tokens": """
import softlanding.tokens as tokens
tokens.Token.holds_at = lambda self, now: True
""",
    "streams": """
import sys, softlanding.web.stream
async def nobody_asks(*_): pass
sys.modules["softlanding.web.stream"]._ask_again = nobody_asks
""",
    "files": """
import os, softlanding.private_files as private
private.OTHERS = 0o022
os.umask(0o022)
""",
    "nats": """
import softlanding.front_door.nats as nats
whole = nats._user
nats._user = lambda name, *more: whole(name, *more).replace("facts." + name + ".>", "facts.>")
""",
    "personal": """
import softlanding.auth as auth
auth.as_seen_by = lambda visitor, answer, *_: answer
""",
}


@pytest.mark.parametrize("attempt", leaky_doors.ATTEMPTS)
def test_each_attempt_finds_its_planted_leak(attempt: str) -> None:
    result = leaky_doors.run(print, only=(attempt,), plant=LEAKS[attempt])
    assert (result["held"], result["tried"]) == (False, 1)
    assert "could not be tried" not in str(result["leaks"])


def test_no_light_is_green_while_the_database_is_gone() -> None:
    result = play("green-while-dead")
    assert (result["lies"], result["outages"]) == ([], 3)


BLIND = """
import softlanding.lifecycle.troubles as troubles
troubles.Troubles.miss_database = lambda *_: None
"""


def test_a_light_that_stays_green_is_seen() -> None:
    result = green_while_dead.run(print, plant=BLIND, outages=1)
    assert result["held"] is False
    assert "all say that the database is gone" in str(result["lies"])


def test_every_drill_is_played_here() -> None:
    assert set(DRILLS) == {"dispatcher-dies", "broker-loses-disk", "leaky-doors", "green-while-dead"}


# --- The count can fail -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def quiet() -> Iterator[tuple[Path, list[Sent], datetime]]:
    """The files of an installation that has done three pickups and stopped."""
    with throw_away() as here:
        first_day = here.clock.now().astimezone(ZoneInfo("Europe/Berlin")).date() + timedelta(days=7)
        here.words = ("--sample-on", first_day.isoformat())
        here.start()
        legs = free_legs(first_day)[:3]
        sent = send(here, [Wanted(f"quiet-{n}", speaker, on, time(11)) for n, (speaker, on) in enumerate(legs)])
        here.wait_calm()
        stopped_at = here.clock.now()
        here.stop()
        yield here.data, sent, stopped_at


PLANTED = {
    "a request that Schedule forgot": (
        "schedule",
        "DELETE FROM journey WHERE pickup = :pickup; DELETE FROM pickup WHERE id = :pickup",
        "lost",
        "which it had acknowledged",
    ),
    "a request kept twice": (
        "schedule",
        "CREATE TABLE twin AS SELECT * FROM journey WHERE pickup = :pickup; "
        "UPDATE twin SET id = 'another', source_key = NULL; INSERT INTO journey SELECT * FROM twin",
        "doubled",
        "has 2 pickups",
    ),
    "a request never told": ("schedule", "DELETE FROM outbox WHERE subject = 'pickup/' || :pickup", "lost", "gaps"),
    "a pickup that Dispatch forgot": ("dispatch", "DELETE FROM pickup WHERE id = :pickup", "lost", "never heard"),
    "a pickup in no vehicle": ("dispatch", "DELETE FROM stop WHERE pickup = :pickup", "lost", "in no vehicle"),
    "a pickup in two vehicles": (
        "dispatch",
        "UPDATE stop SET shift = 'another' WHERE pickup = :pickup AND kind = 'board'",
        "doubled",
        "more than one manifest",
    ),
    "a pickup without an answer": (
        "dispatch",
        "DELETE FROM outbox WHERE subject = 'pickup/' || :pickup",
        "lost",
        "has said nothing",
    ),
    "an expiry that nobody saw": (
        "dispatch",
        "UPDATE pickup SET due_at = '2020-01-01T00:00:00.000000Z' WHERE id = :pickup",
        "faults",
        "was due",
    ),
    "a missed one without an incident": (
        "dispatch",
        "UPDATE pickup SET status = 'missed' WHERE id = :pickup",
        "lost",
        "no incident",
    ),
    "a fact that Statistics swallowed": (
        "statistics",
        "DELETE FROM fact WHERE subject = 'pickup/' || :pickup AND source = 'schedule'",
        "lost",
        "does not keep it",
    ),
    "facts that were not heard": (
        "dispatch",
        "UPDATE inbox_cursor SET sequence = 2 WHERE source = 'schedule'",
        "lost",
        "has not heard",
    ),
}


def test_nothing_is_found_where_nothing_is_wrong(quiet: tuple[Path, list[Sent], datetime]) -> None:
    found = count(*quiet)
    assert (found.lost, found.doubled, found.faults) == ([], [], [])
    assert found.recovered == 3


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_fault_is_found(name: str, quiet: tuple[Path, list[Sent], datetime], tmp_path: Path) -> None:
    data, sent, stopped_at = quiet
    service, script, where, words = PLANTED[name]
    for file in data.glob("*.db*"):
        shutil.copy2(file, tmp_path / file.name)
    with closing(sqlite3.connect(tmp_path / f"{service}.db")) as books:
        for statement in script.split("; "):
            books.execute(statement, {"pickup": sent[0].pickup} if ":pickup" in statement else {})
        books.commit()
    found = count(tmp_path, sent, stopped_at)
    assert any(words in sentence for sentence in getattr(found, where)), found
