"""Commands when nothing runs: they take the lease, do the same, say goodbye; the next start finds it all."""

import asyncio
import json
import random
import re
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files

import pytest

from postgresql import fresh_database, psql
from softlanding.app.life import make_engines, make_service
from softlanding.app.reach import is_running
from softlanding.clock import SystemClock
from softlanding.database import HoldLock
from softlanding.drills.installation import mortal_command, throw_away
from softlanding.formats import write_json
from softlanding.ids import system_ids
from softlanding.lifecycle import Parts, Phases, take_up_work
from softlanding.lifecycle.outages import LastEnd
from softlanding.sample import FIRST_DAY as SAMPLE_DAY
from softlanding.sample import sample
from softlanding.settings import load_settings, plain_environment
from softlanding.supervisor import up_lock

SLUG = "softconf"
FIRST_DAY = datetime.now(UTC).date() + timedelta(days=5)  # noqa: TID251 - real processes have the real clock
AHEAD = FIRST_DAY - SAMPLE_DAY
DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")


def run(folder, *words):
    """A command on the data folder `folder/data`; its exit code, its result and what it said beside it."""
    done = subprocess.run(
        mortal_command(*words, "--data", str(folder / "data"), "--json"),
        cwd=folder,
        env=plain_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = done.stdout.splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else None, done.stderr


def rows(folder, service, query):
    with closing(sqlite3.connect(folder / "data" / f"{service}.db")) as connection:
        return connection.execute(query).fetchall()


def sample_files(folder):
    given = sample(FIRST_DAY)
    (folder / "programme.json").write_bytes(write_json(given.programme, "test", "http://localhost"))
    for name in ("places", "fleet"):
        text = files("softlanding.sample").joinpath(f"{name}.csv").read_text()
        (folder / f"{name}.csv").write_text(DAY.sub(lambda day: str(date.fromisoformat(day[0]) + AHEAD), text))
    head = files("softlanding.sample").joinpath("arrivals.csv").read_text().splitlines()[0]
    row = f"AMARA,LH 2078,{FIRST_DAY - timedelta(days=1)},HAM,16:50,1,1,no,Hotel Zur Ruhigen Elbe"
    (folder / "arrivals.csv").write_text(f"{head}\n{row}\n")


def set_up(folder):
    """All four imports, one after the other, with nothing running; their results."""
    sample_files(folder)
    given = {"programme": ["programme.json", "--release"]} | {
        what: [f"{what}.csv"] for what in ("places", "fleet", "arrivals")
    }
    results = {}
    for what, words in given.items():
        code, results[what], said = run(folder, "import", what, *words)
        assert code == 0, said
        assert "Nothing runs" in said
    return results


@pytest.mark.timeout(120)
def test_a_conference_is_set_up_with_nothing_running_and_the_next_start_finds_it(tmp_path):
    with throw_away(words=("--empty",), folder=tmp_path) as here:
        results = set_up(tmp_path)
        assert results["programme"]["talks"] == len(sample(FIRST_DAY).programme.talks)
        assert len(results["arrivals"]["added"]) == 1
        again = run(tmp_path, "import", "arrivals", "arrivals.csv")[1]
        assert (again["added"], again["same"]) == ([], 1)
        lives = rows(tmp_path, "schedule", "SELECT epoch FROM lives")
        here.start()
        here.wait_calm()
        with here.client() as client:
            pickups = client.get(f"/api/dispatch/{SLUG}/pickups").json()
            asked = client.get(f"/api/schedule/{SLUG}/pickups").json()
        assert [pickup["status"] for pickup in pickups] == ["planned"]
        assert len(asked) == 1
        code, again, said = run(tmp_path, "import", "arrivals", "arrivals.csv")
        assert (code, again["same"], said) == (0, 1, ""), "asked of the running system, which says it in the same words"
        here.stop()
    assert len(rows(tmp_path, "schedule", "SELECT epoch FROM lives")) == len(lives) + 1, "the running one's alone"
    for service in ("schedule", "dispatch", "statistics"):
        assert rows(tmp_path, service, "SELECT life FROM death") == []
        assert rows(tmp_path, service, "SELECT epoch FROM lives WHERE ended_at IS NULL") == []
        assert rows(tmp_path, service, "SELECT sentence FROM incident WHERE kind = 'death'") == []


def test_dispatch_hears_what_schedule_told_before_it_takes_a_table(tmp_path):
    sample_files(tmp_path)
    code, _, said = run(tmp_path, "import", "places", "places.csv")
    assert code == 1
    assert "begin with `softlanding import programme" in said
    code, _, said = run(tmp_path, "import", "places", "places.csv", "--conference", SLUG)
    assert code == 1
    assert f"there is no conference '{SLUG}' here" in said
    run(tmp_path, "import", "programme", "programme.json")
    code, report, said = run(tmp_path, "import", "places", "places.csv", "--conference", SLUG)
    assert code == 0, said
    assert report["added"]


def test_a_command_that_refuses_says_goodbye_too(tmp_path):
    (tmp_path / "broken.json").write_text("{")
    code, _, said = run(tmp_path, "import", "programme", "broken.json")
    assert code == 1
    assert "broken.json" in said
    assert rows(tmp_path, "schedule", "SELECT count(*), count(ended_at) FROM lives") == [(1, 1)]


def test_the_same_key_counts_once_with_nothing_running(tmp_path):
    set_up(tmp_path)
    words = ("pickup", "request", "--speaker", "CALLUM", "--number", "BA964", "--at", "HAM", "--time", "17:35")
    words += ("--on", str(FIRST_DAY - timedelta(days=1)), "--to", "Pension Plan B", "--key", "the one")
    first, second = run(tmp_path, *words), run(tmp_path, *words)
    assert first[0] == 0, first[2]
    assert first[1] == second[1]
    asked = "SELECT count(*) FROM outbox WHERE type = 'schedule.pickup.requested'"
    assert rows(tmp_path, "schedule", asked) == [(2,)]
    journey = first[1]["journey"]
    code, changed, said = run(tmp_path, "pickup", "change", journey, "--news", "late", "--expected", "18:20")
    assert code == 0, said
    code, withdrawn, said = run(tmp_path, "pickup", "withdraw", journey, "--reason", "comes by bicycle")
    assert code == 0, said
    assert changed["revision"] < withdrawn["revision"]


def test_a_lease_that_a_living_process_holds_is_not_taken(tmp_path):
    sample_files(tmp_path)
    run(tmp_path, "import", "programme", "programme.json")
    settings = settings_of(tmp_path)
    clock, engines = SystemClock(), make_engines("schedule", settings)
    hold = HoldLock(engines.reading)
    parts = Parts(clock, system_ids(clock), random.Random(1), None, None)
    service = make_service("schedule", settings)
    life, _ = asyncio.run(
        take_up_work(service, engines.writing, parts, hold=hold, phases=Phases(clock), stale_s=4.0, last_end=LastEnd())
    )
    code, _, said = run(tmp_path, "import", "programme", "programme.json", "--release")
    hold.release()
    engines.dispose()
    assert code == 1
    assert "Schedule is at work in another process" in said
    assert rows(tmp_path, "schedule", "SELECT token FROM lease") == [(life.epoch,)]


def test_what_holds_the_data_folder_is_asked_and_not_passed_by(tmp_path):
    settings = settings_of(tmp_path)
    assert not is_running(settings)
    with up_lock(settings.data_folder, SystemClock()):
        assert is_running(settings), "it starts or stops, or is another command"
    assert not is_running(settings)


def test_on_postgresql_a_command_alone_begins_and_ends_a_life_too(tmp_path):
    url = fresh_database()
    (tmp_path / "softlanding.toml").write_text(f'[schedule]\ndatabase_url = "{url}"\n')
    sample_files(tmp_path)
    for talks_added in (len(sample(FIRST_DAY).programme.talks), 0):
        code, report, said = run(tmp_path, "import", "programme", "programme.json")
        assert (code, report["added"]) == (0, talks_added), said
    assert psql(url, "SELECT count(*), count(ended_at) FROM lives") == [(2, 2)]


def test_links_and_tokens_need_nothing_that_runs(tmp_path):
    code, answer, said = run(tmp_path, "sign-in-link")
    assert (code, answer["sign_in"].startswith("http://127.0.0.1:")) == (0, True)
    assert "softlanding up" in said
    code, answer, _ = run(tmp_path, "token", "desk", "--scope", "read")
    assert (code, answer["scopes"]) == (0, ["read"])
    assert (tmp_path / "data" / "secrets" / "session_secret").stat().st_mode & 0o077 == 0


def settings_of(folder):
    return load_settings(folder=folder, environment={}, command_line={"data_folder": str(folder / "data")})
