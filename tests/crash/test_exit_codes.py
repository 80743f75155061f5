"""Exit codes are promises to supervisors and scripts: each is that of a real process, with its fault planted."""

import json
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from softlanding.errors import Exit
from softlanding.formats import write_json
from softlanding.messaging.beats import Beat, Receipt
from softlanding.sample import FIRST_DAY, sample
from softlanding.settings import plain_environment

ROOT = Path(__file__).parents[2]
SECRETS = {"SESSION_SECRET": "k3s9-xw71-q0vd-82mb-zz41", "PEER_TOKEN": "p8fa-1c77-mm20-uh55-9qet"}


def ended(folder, *words, environment=None, plant=""):
    """A command as a process of its own, with `plant` run before it; (exit code, stdout, stderr)."""
    program = f"import sys\n{plant}\nfrom softlanding import cli\nsys.argv[0] = 'softlanding'\ncli.main()\n"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=folder,
        env=plain_environment() | {f"SOFTLANDING__{name}": value for name, value in (environment or {}).items()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serving(folder, **more):
    """All that one service alone on this machine is told."""
    values = {"PROFILE": "embedded", "DATA_FOLDER": str(folder / "data"), **SECRETS}
    for service in ("SCHEDULE", "DISPATCH", "STATISTICS"):
        for leaf in ("", "HEALTH_"):
            port = free_port()
            values |= {f"{service}__{leaf}PORT": str(port), f"{service}__{leaf}ADDRESS": f"http://127.0.0.1:{port}"}
    return values | more


def last_line(stdout):
    return json.loads(stdout.splitlines()[-1])


def test_done(tmp_path):
    assert ended(tmp_path, "--version")[0] == Exit.DONE
    assert ended(tmp_path, "settings")[0] == Exit.DONE


def test_a_command_line_that_cannot_be_read(tmp_path):
    assert ended(tmp_path, "serve", "nothing")[0] == Exit.USAGE
    assert ended(tmp_path, "drill", "no-such-drill")[0] == Exit.USAGE


@pytest.mark.parametrize("words", [("settings",), ("up",), ("migrate", "schedule"), ("sign-in-link",)])
def test_settings_that_are_refused(tmp_path, words):
    code, _, said = ended(tmp_path, *words, environment={"FRONT_DOOR__PORT": "ninety"})
    assert (code, "FRONT_DOOR__PORT" in said) == (Exit.CANNOT_START, True)


def test_a_service_whose_settings_are_missing_says_so_as_a_log_line_and_touches_nothing(tmp_path):
    code, stdout, stderr = ended(tmp_path, "serve", "dispatch")
    assert (code, stderr) == (Exit.CANNOT_START, "")
    line = last_line(stdout)
    assert (line["event"], line["level"], line["service"]) == ("refused to start", "error", "dispatch")
    assert [name for name in ("dispatch.database_url", "peer_token", "nats.urls") if name not in line["why"]] == []
    assert list(tmp_path.iterdir()) == []


def test_serve_is_in_production_unless_told_otherwise(tmp_path):
    (tmp_path / ".env").write_text("".join(f"SOFTLANDING__{name}={value}\n" for name, value in SECRETS.items()))
    assert ended(tmp_path, "serve", "dispatch")[0] == Exit.CANNOT_START


def test_a_service_on_anothers_database(tmp_path):
    url = f"sqlite:///{tmp_path}/schedule.db"
    migrated = ended(tmp_path, "migrate", "schedule", environment={"SCHEDULE__DATABASE_URL": url})
    assert migrated[0] == Exit.DONE, migrated
    code, stdout, stderr = ended(
        tmp_path, "serve", "dispatch", environment=serving(tmp_path, DISPATCH__DATABASE_URL=url)
    )
    assert (code, stderr) == (Exit.CANNOT_START, "")
    assert "the database is Schedule's" in last_line(stdout)["why"]


STOPS_WHEN_READY = """
from softlanding.app.serve import ServiceProcess
async def stop(self, *more): pass
ServiceProcess._turn_loops = stop
"""


def told_of_emptiness(database):
    with closing(sqlite3.connect(database)) as books:
        rows = books.execute("SELECT sentence FROM incident WHERE kind = 'fork'").fetchall()
    return [sentence for (sentence,) in rows if "accepted as empty" in sentence]


@pytest.mark.timeout(120)
def test_a_database_that_was_lost(tmp_path):
    environment, database = serving(tmp_path), tmp_path / "data" / "dispatch.db"
    serve = {"environment": environment, "plant": STOPS_WHEN_READY}
    for _ in range(2):
        assert ended(tmp_path, "serve", "dispatch", **serve)[0] == Exit.DONE
    assert told_of_emptiness(database) == []
    for file in database.parent.glob("dispatch.db*"):
        file.unlink()
    code, _, said = ended(tmp_path, "up", "--data", str(tmp_path / "data"), "--port", str(free_port()))
    assert (code, "Dispatch's database is empty" in said, "softlanding up --accept-empty" in said) == (78, True, True)
    assert not database.exists(), "to look makes nothing"
    for _ in range(2):  # Also with the tables that the first start has made.
        code, stdout, stderr = ended(tmp_path, "serve", "dispatch", **serve)
        assert (code, stderr) == (Exit.CANNOT_START, "")
        assert "softlanding serve dispatch --accept-empty" in last_line(stdout)["why"]
    assert ended(tmp_path, "serve", "dispatch", "--accept-empty", **serve)[0] == Exit.DONE
    assert ended(tmp_path, "serve", "dispatch", **serve)[0] == Exit.DONE
    assert len(told_of_emptiness(database)) == 1


def test_an_empty_database_of_which_a_peer_has_heard(tmp_path):
    receipt = Receipt(epoch="019e0775-7a00-7000-8000-000000000001", sequence=65)
    now = datetime(2026, 5, 8, tzinfo=UTC)
    beat = Beat(service="schedule", life="b", number=1, count=1, at=now, phase="ready", release="1")
    body = beat.model_copy(update={"receipts": {"dispatch": receipt}}).to_json()
    with answering(body) as address:
        environment = serving(tmp_path, SCHEDULE__HEALTH_ADDRESS=address)
        serve = {"environment": environment, "plant": STOPS_WHEN_READY}
        code, stdout, _ = ended(tmp_path, "serve", "dispatch", **serve)
        assert (code, "Schedule has heard 65 facts" in last_line(stdout)["why"]) == (Exit.CANNOT_START, True)
        assert ended(tmp_path, "serve", "dispatch", "--accept-empty", **serve)[0] == Exit.DONE
    assert len(told_of_emptiness(tmp_path / "data" / "dispatch.db")) == 1


@contextmanager
def answering(body):
    """A server that gives this body for each GET; its address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_port_that_is_taken(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = serving(tmp_path, DISPATCH__HEALTH_PORT=port)
        code, stdout, _ = ended(tmp_path, "serve", "dispatch", environment=environment)
        assert (code, f":{port}" in last_line(stdout)["why"]) == (Exit.CANNOT_START, True)
        assert ended(tmp_path, "up", "--port", port)[0] == Exit.CANNOT_START


def test_a_bug_in_a_loop_ends_the_service(tmp_path):
    plant = "from softlanding.lifecycle.work import Work\nWork.watch = lambda self: 1 / 0"
    code, stdout, _ = ended(tmp_path, "serve", "dispatch", environment=serving(tmp_path), plant=plant)
    assert code == Exit.BUG, stdout[-2000:]
    assert '"a loop died; the process ends"' in stdout


def test_a_bug_in_a_command(tmp_path):
    plant = "import softlanding.settings as s\nimport softlanding.cli as c\nc.explain = lambda settings: 1 / 0"
    code, _, stderr = ended(tmp_path, "settings", plant=plant)
    assert (code, "ZeroDivisionError" in stderr) == (Exit.BUG, True)


def test_a_person_who_interrupts(tmp_path):
    plant = "import softlanding.cli as c, click\ndef stop(*a):\n    raise click.Abort\nc.explain = stop"
    assert ended(tmp_path, "settings", plant=plant)[0] == Exit.INTERRUPTED


@pytest.mark.timeout(120)
def test_a_table_with_a_faulty_row(tmp_path):
    (tmp_path / "places.csv").write_text("name,kind,latitude,longitude\nVenue,venue,53.5,9.9\nNowhere,venue,999,9.9\n")
    programme = tmp_path / "programme.json"
    programme.write_bytes(write_json(sample(FIRST_DAY).programme, "test", "http://localhost"))
    data = ("--data", str(tmp_path / "data"))
    taken = ended(tmp_path, "import", "programme", str(programme), "--release", *data)
    assert taken[0] == Exit.DONE, taken
    code, stdout, _ = ended(tmp_path, "import", "places", "places.csv", *data)
    assert (code, "1 faulty" in stdout) == (Exit.REFUSED, True), stdout
    (tmp_path / "places.csv").write_text("name,kind,latitude,longitude\nVenue,venue,53.5,9.9\n")
    assert ended(tmp_path, "import", "places", "places.csv", *data)[0] == Exit.DONE


@pytest.mark.parametrize(("held", "code"), [(True, Exit.DONE), (False, Exit.REFUSED)])
def test_a_drill_whose_promise_is_broken(tmp_path, held, code):
    plant = (
        "import types, softlanding.drills as d\n"
        f"d.DRILLS['planted'] = types.SimpleNamespace(run=lambda tell: {{'held': {held}, 'lost': 3}})"
    )
    for name in ("planted", "all"):
        only = "\nd.DRILLS = {'planted': d.DRILLS['planted']}"
        result = ended(tmp_path, "drill", name, "--json", plant=plant + only)
        assert (result[0], last_line(result[1])["held"]) == (code, held)


@pytest.mark.parametrize(("held", "code"), [(True, Exit.DONE), (False, Exit.REFUSED)])
def test_a_simulation_whose_promise_is_broken(tmp_path, held, code):
    plant = f"import softlanding.sim.run as r\nr.command = lambda *a: {{'held': {held}}}"
    assert ended(tmp_path, "sim", "--seeds", "1", plant=plant)[0] == code


def test_the_runbooks_table_is_the_codes_own():
    rows = re.findall(r"^\| (\d+) \| ", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert [int(row) for row in rows] == [code.value for code in Exit]
