"""Real processes, killed and starved under load; each test ends with a count over the database files."""

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from softlanding.drills.counting import Count, run_sql
from softlanding.drills.crashes import run_crashes
from softlanding.drills.installation import Installation, throw_away, wait_for
from softlanding.drills.lessons import count_all
from softlanding.drills.sending import Load, Wanted, free_legs, send, under_load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SEED = 20261
FULL_S = 3.0  # The slowest chore comes every two seconds.


def say(line: str) -> None:
    """What pytest shows when a test fails: seed, victims, figures."""
    print(line)


def first_day(here: Installation) -> date:
    """Of the sample conference: far enough away that nothing expires."""
    return here.clock.now().astimezone(ZoneInfo("Europe/Berlin")).date() + timedelta(days=7)


@contextmanager
def running(*words: str, folder: Path | None = None) -> Iterator[Installation]:
    """An installation that is up, with the sample conference."""
    with throw_away(folder=folder) as here:
        here.words = ("--sample-on", first_day(here).isoformat(), *words)
        here.start()
        here.wait_calm()
        yield here


def wanted(here: Installation, name: str, first: int, many: int) -> list[Wanted]:
    """Arrivals on days of the conference that nobody else asks for."""
    legs = free_legs(first_day(here))[first : first + many]
    at = datetime.min.time().replace(hour=11)
    return [Wanted(f"{name}-{number}", speaker, on, at) for number, (speaker, on) in enumerate(legs)]


def stop_and_count(here: Installation, load: Load) -> Count:
    here.wait_calm()
    stopped_at = here.clock.now()
    assert here.stop() == 0
    assert load.faults == []
    return count_all(here.data, load.sent, stopped_at)


def assert_whole(found: Count) -> None:
    assert (found.lost, found.doubled, found.faults) == ([], [], [])


# --- kill -9 ----------------------------------------------------------------------------------------------------------


def test_nothing_is_lost_or_doubled_when_every_process_is_killed_again_and_again() -> None:
    result = run_crashes(kills=24, seed=SEED, tell=say)
    assert (result["lost"], result["doubled"], result["told"]) == (0, 0, [])
    assert result["held"]
    assert set(result["by_process"]) == {"schedule", "dispatch", "statistics", "nats", "front-door", "supervisor"}


def test_without_any_broker_the_whole_work_goes_on_by_the_feed() -> None:
    with running("--without-nats") as here:
        with under_load(here, first_day(here), seed=SEED) as load:
            wait_for(lambda: len(load.sent) >= 20, 20, "20 requests are accepted")
            kill = here.kill("dispatch")
            here.wait_working("dispatch", kill.pid)
            wait_for(lambda: len(load.sent) >= 40, 20, "40 requests are accepted")
        assert here.pid("nats") is None
        found = stop_and_count(here, load)
    assert_whole(found)
    assert found.recovered == len(load.sent) >= 40


# --- A disk without room ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "reason"), [("full", "disk is full"), ("files may not grow", "disk I/O error")])
def test_a_disk_without_room_is_answered_with_503_and_a_reason_and_needs_no_restart(
    kind: str, reason: str, tmp_path: Path
) -> None:
    with disk_of(kind, tmp_path) as disk, running(folder=tmp_path) as here:
        before = {name: here.pid(name) for name in ("schedule", "dispatch", "statistics")}
        load = Load(here, first_day(here), SEED, per_second=0)
        load.sent += send(here, wanted(here, "before", 0, 3))
        disk.fill(here)
        at = here.clock.monotonic()
        wait_for(lambda: here.clock.monotonic() - at > FULL_S, FULL_S + 5, "every loop has met the full disk")
        refused = refused_while_full(here, wanted(here, "full", 3, 1)[0])
        disk.free(here)
        load.sent += send(here, wanted(here, "full", 3, 1) + wanted(here, "after", 4, 3))
        assert {name: here.pid(name) for name in before} == before, "nobody was started again"
        found = stop_and_count(here, load)
    assert refused.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert reason in refused.json()["error"]
    assert_whole(found)


def refused_while_full(here: Installation, one: Wanted) -> httpx.Response:
    """The first answer that is no acknowledgement. What was acknowledged before it must be kept."""
    with here.client() as client:
        return client.post(
            "/api/schedule/softconf/arrivals", json=one.values(), headers={"Idempotency-Key": one.key}, timeout=20
        )


class SmallDisk:
    """A file system of its own with little room."""

    def __init__(self, folder: Path) -> None:
        self.ballast = folder / "ballast"

    def fill(self, here: Installation) -> None:
        with self.ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError as error:
                say(f"the disk is full: {error}")

    def free(self, here: Installation) -> None:
        self.ballast.unlink()


class FileLimit:
    """Schedule's files may not grow any more: needs nobody's leave, and is an I/O error rather than a full disk."""

    def fill(self, here: Installation) -> None:
        self._limit(here, 4096)

    def free(self, here: Installation) -> None:
        self._limit(here, resource.RLIM_INFINITY)

    def _limit(self, here: Installation, most: int) -> None:
        pid = here.pid("schedule")
        assert pid is not None
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))


@contextmanager
def disk_of(kind: str, base: Path) -> Iterator[SmallDisk | FileLimit]:
    """A small tmpfs as data folder, where root may mount one; or a limit on the size of files."""
    if kind != "full":
        yield FileLimit()
        return
    data = base / "data"
    data.mkdir()
    options = ["-t", "tmpfs", "-o", "size=48m", "tmpfs", str(data)]
    mount = shutil.which("mount")
    mounted = mount and subprocess.run([mount, *options], capture_output=True, text=True, check=False)
    if not mounted or mounted.returncode != 0:
        pytest.skip(f"NO FULL DISK WAS TRIED: only root may mount one here ({mounted and mounted.stderr.strip()})")
    try:
        yield SmallDisk(data)
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


# --- A database file copied back --------------------------------------------------------------------------------------


def test_a_database_copied_back_is_seen_as_a_fork_and_swallows_no_number(tmp_path: Path) -> None:
    yesterday = tmp_path / "yesterday"
    yesterday.mkdir()
    with running() as here:
        load = Load(here, first_day(here), SEED, per_second=0)
        load.sent += send(here, wanted(here, "kept", 0, 3))
        here.wait_calm()
        here.stop()
        copy_database(here.data, yesterday)
        here.start()
        lost = send(here, wanted(here, "lost", 3, 4))
        here.wait_calm()
        here.stop()
        copy_database(yesterday, here.data)
        here.start()
        load.sent += send(here, wanted(here, "after", 7, 3))
        found = stop_and_count(here, load)
        forks = {name: run_sql(here.data, name, "SELECT * FROM inbox_fork") for name in ("dispatch", "statistics")}
        told = {name: run_sql(here.data, name, FORKS_TOLD) for name in ("dispatch", "statistics")}
    assert (found.lost, found.doubled) == ([], [])
    gone = [fault for fault in found.faults if "which Schedule does not have" in fault]
    assert len(gone) == len(lost), "what was applied is kept where it was applied"
    for name in ("dispatch", "statistics"):
        assert [fork["source"] for fork in forks[name]] == ["schedule"]
        assert forks[name][0]["first"] == 1
        assert forks[name][0]["last"] >= len(lost)
        assert f"{forks[name][0]['last']} facts (1 to" in told[name][0]["sentence"]
    assert len(found.faults) == len(gone) + 2, "two receivers saw it and nothing else is odd"


FORKS_TOLD = "SELECT sentence FROM incident WHERE kind = 'fork'"


def copy_database(source: Path, target: Path) -> None:
    """As `cp` does, while nobody runs."""
    for suffix in ("", "-wal", "-shm"):
        (target / f"schedule.db{suffix}").unlink(missing_ok=True)
        if (file := source / f"schedule.db{suffix}").exists():
            shutil.copy2(file, target / file.name)
