"""What is declared moves: three services are driven through a bad day, and none of their metrics stays as it was."""

import re
import sqlite3
import threading
from collections import defaultdict
from contextlib import contextmanager

import pytest

from nats_server import running_nats
from serving import together
from waiting import wait_until

pytestmark = pytest.mark.timeout(180)

QUICK = """
from softlanding.lifecycle import needs
needs.COUNT_S = 0.5
"""
PLANTED = f"""{QUICK}
from softlanding.app import gauges
real = gauges._gauge_standing
def planted(metrics, *more):
    metrics.watch("planted", "Nothing moves it", lambda: 0.0)
    real(metrics, *more)
gauges._gauge_standing = planted
"""
BY_NATURE = {"softlanding_build_info", "process_max_fds", "process_start_time_seconds"}  # They never change in a life.
SAMPLE = re.compile(r"^(\w+)(\{.*\})? (\S+)$", re.MULTILINE)


class Watched:
    """All that /metrics of all processes ever said, and what of it moved: took another value within one life, or
    appeared with a label and a value after its metric was there without."""

    def __init__(self, here):
        self._here = here
        self.declared, self.moved = set(), set()
        self._values = defaultdict(dict)  # By process and metric: the samples as they were last.

    def ask(self, service):
        """The service's metrics now, taken down."""
        serving = self._here.running[service]
        text = serving.asked("metrics")
        declared = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
        for name in declared:
            was = self._values.get((serving.process.pid, name))
            now = {sample: float(value) for metric, sample, value in SAMPLE.findall(text) if is_of(metric, name)}
            if was is not None and any(value != was.get(sample, 0.0) for sample, value in now.items()):
                self.moved.add(name)
            self._values[serving.process.pid, name] = now
        self.declared |= declared
        return text

    def value(self, service, sample):
        """None where there is no such sample."""
        found = re.search(rf"^softlanding_{re.escape(sample)} (\S+)$", self.ask(service), re.MULTILINE)
        return float(found[1]) if found else None

    def until(self, service, sample, within_s=30, *, is_=lambda value: value > 0):
        def is_so():
            value = self.value(service, sample)
            return value is not None and is_(value)

        wait_until(is_so, within_s, f"{service}: {sample}")


def is_of(sample, metric):
    return re.fullmatch(rf"{metric}(_bucket|_sum|_count)?", sample) is not None


@contextmanager
def database_locked(file):
    """As a backup that holds it would: nobody else writes."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def tell_behind_its_back(file):
    """Two facts of the life that has just died: one that keeps no contract, one of a type that nobody knows."""
    with sqlite3.connect(file) as connection:
        [(epoch, last)] = connection.execute("SELECT token, last_number FROM lease").fetchall()
        [(at,)] = connection.execute("SELECT max(time) FROM outbox").fetchall()
        for number, kind in enumerate(("pickup.requested", "pickup.beamed"), last + 1):
            row = (
                epoch,
                number,
                f"00000000-0000-7000-8000-{number:012d}",
                f"schedule.{kind}",
                f"pickup/{number}",
                at,
                "{}",
            )
            columns = "epoch, sequence, id, type, subject, time, data"
            connection.execute(f"INSERT INTO outbox ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("UPDATE lease SET last_number = last_number + 2")
    connection.close()


def bring_the_programme(serving):
    """By three callers at once: who comes while the writer is held up waits."""
    asking = [threading.Thread(target=serving.take_programme, args=(f"key {number}",)) for number in range(3)]
    for thread in asking:
        thread.start()
    return asking


def bring_the_sample(serving):
    with serving.client() as client:
        return client.post("/api/schedule/sample", json={}, headers={"Idempotency-Key": "sample"})


def drive(here, nats, watched):
    """Each service alone, together, dead, cut off and back."""
    schedule = here.start("schedule", plant=PLANTED)
    wait_until(schedule.readiness, 30, "schedule is there")
    watched.until("schedule", 'state{state="degraded"}')
    assert bring_the_sample(schedule).status_code == 200
    watched.until("schedule", 'request_seconds_count{status="200"}')
    watched.until("schedule", 'pickups{state="unanswered"}')  # Asked, and nobody answers.
    watched.until("schedule", 'incidents_open{kind="unanswered"}')
    watched.until("schedule", 'peer_silent{peer="dispatch"}')
    watched.until("schedule", 'facts_waiting_seconds{peer="dispatch"}', is_=lambda age_s: age_s > 3)

    here.start(
        "statistics", plant=QUICK, lifecycle__clock_skew_max_seconds="0.000001"
    )  # Each look at the clock is a jump.
    wait_until(here.running["statistics"].readiness, 30, "statistics is there")
    watched.until("statistics", "clock_held")
    watched.until("statistics", "clock_held", is_=lambda held: not held)  # Schedule agrees.
    here.start("dispatch", plant=QUICK)
    wait_until(here.running["dispatch"].readiness, 30, "dispatch is there")
    for service in ("dispatch", "schedule", "statistics"):
        watched.until(service, 'pickups{state="unplaced"}')  # There is no car.
    watched.until("schedule", 'pickups{state="unanswered"}', is_=lambda count: not count)
    watched.until("dispatch", 'facts_applied_total{source="schedule"}')
    watched.until("schedule", 'facts_waiting_seconds{peer="dispatch"}', is_=lambda age_s: not age_s)

    with database_locked(here.file("schedule")):
        asking = bring_the_programme(schedule)
        watched.until("schedule", "writer_waiting")
        watched.until("schedule", "database_up", is_=lambda up: not up)
        watched.until("schedule", 'trouble{name="database"}')
        watched.until("schedule", "lease_age_seconds", is_=lambda age_s: age_s > 3)
    for thread in asking:
        thread.join(30)
    watched.until("schedule", "database_up")

    watched.until("schedule", "facts_unsent")
    nats.start()
    watched.until("schedule", "bus_up")
    watched.until("schedule", "bus_durable")
    watched.until("schedule", "facts_unsent", is_=lambda unsent: not unsent)

    schedule.kill()
    watched.until("statistics", 'peer_silent{peer="schedule"}')
    schedule = here.start("schedule", plant=PLANTED)
    watched.until("dispatch", 'deaths{service="schedule"}')

    schedule.kill()
    tell_behind_its_back(here.file("schedule"))
    schedule = here.start("schedule", plant=PLANTED)
    watched.until("dispatch", "parked")
    watched.until("dispatch", 'incidents_open{kind="halted"}')
    watched.until("dispatch", 'facts_behind{peer="schedule"}')
    wait_until(schedule.readiness, 30, "schedule is back")
    watched.until("schedule", 'facts_waiting_seconds{peer="dispatch"}', is_=lambda age_s: age_s > 1)


def test_what_is_declared_moves_on_a_bad_day_and_what_is_planted_without_effect_is_found(tmp_path):
    with (
        running_nats(tmp_path / "nats") as nats,
        together(
            tmp_path,
            nats__urls=nats.url,
            nats__monitor_urls=nats.monitor_url,
            schedule__answer_within_seconds="0.5",
        ) as here,
    ):
        nats.kill()
        watched = Watched(here)
        drive(here, nats, watched)
        text, silent = watched.ask("statistics"), here.running["statistics"].said()
    assert watched.declared - watched.moved - BY_NATURE == {"softlanding_planted"}
    assert re.search(r'^softlanding_build_info\{release=".+",service="statistics"\} 1.0$', text, re.MULTILINE)
    assert re.search(r"^process_start_time_seconds [1-9]", text, re.MULTILINE)
    assert "schedule" in [line["peer"] for line in silent if line["event"] == "a peer is silent"]
