"""`ready` looks at what it needs, on a real PostgreSQL that is stopped, restarted and locked: nothing stays green while
it is dead, and nothing that a database does ends in a traceback."""

import itertools
import os
import re
import signal

import pytest

from postgresql import Restartable, psql
from serving import serving
from softlanding.errors import Exit
from waiting import wait_until

pytestmark = pytest.mark.timeout(180)

numbers = itertools.count(1)
AT_WORK = (200, "degraded")  # Without a broker.


@pytest.fixture(scope="module")
def server():
    server = Restartable()
    yield server
    server.away()


@pytest.fixture
def clerk(server):
    """A user of its own for the test, with a database of the same name; the password is `right`."""
    name = f"clerk_{next(numbers)}"
    server.start()  # Whatever the test before left.
    psql(server.url, f"CREATE ROLE {name} LOGIN PASSWORD 'right'")
    psql(server.url, f"CREATE DATABASE {name} OWNER {name}")
    server.ask_for_passwords(name)
    return name


@pytest.fixture
def url(server, clerk):
    return server.url_of(clerk, clerk, "right")


@pytest.fixture
def schedule(url, tmp_path):
    with serving(tmp_path, url, "a") as schedule:
        wait_until(lambda: schedule.readiness() == AT_WORK, 30, "it is at work")
        yield schedule


def troubles(schedule, name="database"):
    return [line["event"] for line in schedule.said() if line.get("trouble") == name]


def incidents(schedule):
    found = psql(schedule.url, "SELECT sentence FROM incident WHERE kind = 'other' ORDER BY opened_at")
    return [row.sentence for row in found]


def test_a_database_that_goes_is_seen_told_and_over_each_time_anew(server, schedule):
    for times in (1, 2, 3):
        server.stop()
        wait_until(lambda: schedule.readiness() == (503, "unready"), 5, "not ready without its database")
        state = schedule.asked("state")
        assert "database" in state["waiting_for"]
        assert list(state["troubles"]) == ["database"]
        assert "softlanding_database_up 0.0" in schedule.asked("metrics")
        refused = schedule.take_programme()
        assert refused.status_code == 503
        assert not re.search(r"socket|connection|server|port|user", refused.json()["error"])
        server.start()
        wait_until(lambda: schedule.readiness() == AT_WORK, 5, "ready again")
        assert "softlanding_database_up 1.0" in schedule.asked("metrics")
        wait_until(lambda times=times: len(incidents(schedule)) == times, 5, "one incident for each")
        assert troubles(schedule) == ["trouble begins", "trouble is over"] * times
    pattern = (
        r"Schedule could not write \d\d:\d\d:\d\d to \d\d:\d\d:\d\d \(UTC\), 1 request refused: its database was away"
    )
    assert [sentence for sentence in incidents(schedule) if not re.fullmatch(pattern, sentence)] == []
    assert "Traceback" not in schedule.log.read_text()


def test_a_database_that_hangs_is_no_reason_to_be_green(server, schedule, clerk):
    found = psql(server.url, f"SELECT pid FROM pg_stat_activity WHERE usename = '{clerk}'")
    backends = [row.pid for row in found]
    for pid in backends:
        os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: schedule.readiness() == (503, "unready"), 6, "its lease is not renewed")
        assert "the lease was not renewed" in schedule.asked("state")["waiting_for"]
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: schedule.readiness() == AT_WORK, 15, "ready again")


def test_a_restart_of_the_database_costs_neither_the_one_at_work_nor_the_standby(server, schedule, url, tmp_path):
    with serving(tmp_path, url, "b") as standby:
        wait_until(lambda: standby.readiness() == (503, "standby"), 30, "it stands by")
        server.stop()
        wait_until(lambda: schedule.readiness() == (503, "unready"), 5, "not ready without its database")
        server.start()
        wait_until(lambda: schedule.readiness() == AT_WORK, 5, "ready again")
        wait_until(lambda: standby.readiness() == (503, "standby"), 5, "still standing by")
        with serving(tmp_path, url, "c") as newcomer:
            wait_until(lambda: newcomer.readiness() == (503, "standby"), 30, "a newcomer stands by, too")
            assert schedule.readiness() == AT_WORK
        lives = psql(url, "SELECT epoch FROM lives")
        assert (len(lives), schedule.process.poll(), standby.process.poll()) == (1, None, None)
        assert "Traceback" not in standby.log.read_text()
        schedule.process.kill()
        wait_until(lambda: standby.readiness() == AT_WORK, 10, "it takes over from who is dead")


def test_a_password_that_is_no_longer_right_is_seen_while_at_work(server, schedule, clerk):
    psql(server.url, f"ALTER ROLE {clerk} PASSWORD 'new'")
    psql(server.url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{clerk}'")
    wait_until(lambda: schedule.readiness() == (503, "unready"), 5, "nobody lets it in")
    assert "password authentication failed" in schedule.asked("state")["waiting_for"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("password", "the password or the user is wrong"),
        ("database", "there is no such database"),
        ("rights", "make it the owner"),
        ("read only", "give a user, and a server, that may write"),
    ],
)
def test_a_fault_that_no_waiting_mends_is_one_sentence_and_the_end(server, clerk, tmp_path, fault, words):
    database, password = "nowhere" if fault == "database" else clerk, "wrong" if fault == "password" else "right"
    if fault == "rights":
        psql(server.url, f"ALTER DATABASE {clerk} OWNER TO postgres")
    if fault == "read only":
        psql(server.url, f"ALTER ROLE {clerk} SET default_transaction_read_only = on")
    url = server.url_of(database, clerk, password)
    with serving(tmp_path, url, "a") as schedule:
        assert schedule.process.wait(30) == Exit.CANNOT_START
    [line] = [line for line in schedule.said() if line["level"] == "error" or "waiting" in line["event"]]
    assert (line["event"], words in line["why"]) == ("refused to start", True), line
    assert "Traceback" not in schedule.log.read_text()


def test_a_data_folder_that_cannot_be_written_is_told(tmp_path):
    url = f"sqlite:///{tmp_path / 'schedule.db'}"
    with serving(tmp_path, url, "a", data_folder="/proc/nowhere") as schedule:
        wait_until(lambda: (schedule.readiness() or (0,))[0] == 200, 30, "requests work")
        wait_until(lambda: "data folder cannot be written" in (schedule.asked("state")["waiting_for"] or ""), 5, "told")
        assert schedule.readiness() == AT_WORK
        assert troubles(schedule, "data_folder") == ["trouble begins"]
        assert 'softlanding_trouble{name="data_folder"} 1.0' in schedule.asked("metrics")
