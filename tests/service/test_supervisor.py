"""The supervisor on real processes: started, killed, stopped, silenced, and killed itself.

Run as a program, this file is the supervised installation: `python test_supervisor.py PLAN`.
"""

import asyncio
import http.server
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from softlanding.clock import SystemClock
from softlanding.errors import Refused
from softlanding.front_door import (
    FrontDoorPlan,
    NatsPlan,
    caddy_binary,
    caddyfile,
    nats_binary,
    nats_config,
    prepare_site,
)
from softlanding.supervisor import (
    External,
    Forked,
    Happening,
    HttpReady,
    PortReady,
    Process,
    Watching,
    free_ports,
    start_nursery,
    supervise,
    up_lock,
)
from softlanding.supervisor.logs import LINES_MAX, Lines, RotatingFile, Shipper
from softlanding.supervisor.run_folder import Children, started_at
from waiting import wait_until

# --- What is supervised: a service of a few lines, and the installation around it -------------------------------------


class Door(http.server.BaseHTTPRequestHandler):
    arguments: dict[str, Any] = {}  # noqa: RUF012 - one server a process

    def do_GET(self) -> None:
        body = json.dumps({"pid": os.getpid(), "sid": os.getsid(0), "last_end": self.arguments["last_end"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def say(record: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def serve(arguments: dict[str, Any]) -> int:
    """A service: says hello, answers on its port, ends on SIGTERM."""
    Door.arguments = arguments
    say({"event": "hello", "level": "info"})
    sys.stdout.write("not json\n")
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    http.server.ThreadingHTTPServer(("127.0.0.1", arguments["port"]), Door).serve_forever()
    return 0


def serve_stubbornly(arguments: dict[str, Any]) -> int:
    """A service that does not hear SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    Door.arguments = arguments
    http.server.ThreadingHTTPServer(("127.0.0.1", arguments["port"]), Door).serve_forever()
    return 0


def break_down(arguments: dict[str, Any]) -> int:
    raise RuntimeError("broken by design")


QUICK = Watching(
    probe_every_s=0.1, probe_timeout_s=0.3, silent_probes=3, backoff_first_s=0.02, backoff_max_s=0.1, loop_ends=4
)


def main(plan_file: str) -> None:
    """Supervise what the plan says; happenings go to stdout, shipped lines to a file, as JSON lines."""
    plan = json.loads(Path(plan_file).read_text())
    nursery = start_nursery(["http.server", "json"])
    data, shipped = Path(plan["data"]), Path(plan["shipped"])

    async def ship(lines: list[dict[str, object]]) -> None:
        _append(shipped, lines)

    def tell(happening: Happening) -> None:
        told = {"process": happening.process, "what": happening.what, "words": happening.words, "pid": happening.pid}
        say({**told, "after_s": happening.after_s})

    async def run() -> None:
        await supervise(
            [_process(name, entry) for name, entry in plan["processes"].items()],
            data_folder=data,
            nursery=nursery,
            clock=SystemClock(),
            tell=tell,
            ship_logs=ship,
            stop=asyncio.Event(),
            watching=QUICK,
        )

    try:
        asyncio.run(run())
    except Refused as refused:
        say({"process": "up", "what": "refused", "words": str(refused), "pid": None})
        sys.exit(3)


def _append(path: Path, lines: list[dict[str, object]]) -> None:
    with path.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


def _process(name: str, entry: dict[str, Any]) -> Process:
    port = entry["port"]
    if "argv" in entry:
        return Process(name, External(tuple(entry["argv"])), PortReady(port), stage=entry["stage"])
    url = f"http://127.0.0.1:{port}/livez"
    start = Forked(f"test_supervisor:{entry['target']}", {"port": port})
    return Process(name, start, HttpReady(url), livez_url=url, stop_within_s=entry.get("within_s", 5.0))


# --- Running it -------------------------------------------------------------------------------------------------------


@dataclass
class Installation:
    folder: Path
    ports: dict[str, int]
    process: subprocess.Popen[bytes]

    def told(self, what: str, process: str = "") -> list[dict[str, Any]]:
        lines = (self.folder / "told.jsonl").read_text().splitlines()
        found = [json.loads(line) for line in lines if line.endswith("}")]
        return [entry for entry in found if entry["what"] == what and process in ("", entry["process"])]

    def until_told(self, what: str, process: str = "", times: int = 1, within_s: float = 15) -> dict[str, Any]:
        wait_until(lambda: len(self.told(what, process)) >= times, within_s, f"{process} {what} x{times}")
        return self.told(what, process)[times - 1]

    def pid(self, name: str) -> int:
        children = json.loads((self.folder / "data/run/children.json").read_text())
        return int(children[name]["pid"])

    def ends(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "data/run/ends.jsonl").read_text().splitlines()]

    def ask(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"http://127.0.0.1:{self.ports[name]}/", timeout=5).json()
        return answer

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def begin(folder: Path, processes: dict[str, dict[str, Any]]) -> Installation:
    """An installation of its own in `folder`; ready when this returns is not promised."""
    ports = free_ports(list(processes), folder / "data", random.Random())
    plan = {
        "data": str(folder / "data"),
        "shipped": str(folder / "shipped.jsonl"),
        "processes": {name: {"port": ports[name], **entry} for name, entry in processes.items()},
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    with (folder / "told.jsonl").open("ab") as told:
        process = subprocess.Popen(command(folder), stdout=told)
    return Installation(folder, ports, process)


def command(folder: Path) -> list[str]:
    """This file as a program; `env` adds the place of the tests' own modules to the environment."""
    search = f"PYTHONPATH={Path(__file__).parent.parent}"
    return ["/usr/bin/env", search, sys.executable, __file__, str(folder / "plan.json")]


@pytest.fixture
def installations() -> Iterator[list[Installation]]:
    """Those that a test began; none of them, nor any child of theirs, is left when it ends."""
    begun: list[Installation] = []
    yield begun
    for installation in begun:
        pids = [entry["pid"] for entry in installation.told("ready") if entry["pid"]]
        if installation.process.poll() is None:
            installation.process.kill()
            installation.process.wait(10)
        for pid in pids:
            wait_until(lambda pid=pid: started_at(pid) is None, what=f"the end of process {pid}")


TWO = {"schedule": {"target": "serve"}, "dispatch": {"target": "serve"}}


def whole(folder: Path) -> dict[str, dict[str, Any]]:
    """The real broker and the real front door around two small services."""
    ports = free_ports(["nats", "caddy"], folder / "data", random.Random())
    site = folder / "data/site"
    prepare_site(site)
    upstream = "127.0.0.1:9"
    plan = FrontDoorPlan(
        port=ports["caddy"],
        site_folder=site,
        storage_folder=folder / "data/caddy",
        upstreams={"schedule": upstream, "dispatch": upstream, "statistics": upstream},
    )
    (folder / "Caddyfile").write_text(caddyfile(plan))
    (folder / "nats.conf").write_text(nats_config(NatsPlan(ports["nats"], folder / "data/nats")))
    caddy = [str(caddy_binary()), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    return {
        "nats": {"argv": [str(nats_binary()), "-c", str(folder / "nats.conf")], "port": ports["nats"], "stage": 0},
        **TWO,
        "caddy": {"argv": caddy, "port": ports["caddy"], "stage": 2},
    }


def test_all_start_side_by_side_and_stop_in_order(tmp_path: Path, installations: list[Installation]) -> None:
    up = begin(tmp_path, whole(tmp_path))
    installations.append(up)
    up.until_told("all_ready")
    assert up.ask("dispatch")["sid"] == up.ask("dispatch")["pid"]  # Ctrl-C does not reach it.
    assert up.ask("dispatch")["last_end"] is None
    assert up.stop() == 0
    stopped = [entry["process"] for entry in up.told("stopped")]
    assert (stopped[0], set(stopped[1:3]), stopped[3]) == ("caddy", {"schedule", "dispatch"}, "nats")
    assert not up.told("stop_killed")
    assert {(end["name"], end["why"]) for end in up.ends()} == {(name, "stopped") for name in stopped}
    assert {end["exit_code"] for end in up.ends() if end["name"] in TWO} == {0}


@pytest.mark.parametrize("victim", ["nats", "dispatch", "caddy"])
def test_a_killed_process_is_back_and_its_end_is_known(
    victim: str, tmp_path: Path, installations: list[Installation]
) -> None:
    up = begin(tmp_path, whole(tmp_path))
    installations.append(up)
    up.until_told("all_ready")
    killed, began = up.pid(victim), time.monotonic()  # noqa: TID251 - the test measures
    os.kill(killed, signal.SIGKILL)
    back = up.until_told("ready", victim, times=2)
    assert time.monotonic() - began < 2.0  # noqa: TID251
    assert back["pid"] != killed
    assert "SIGKILL" in up.told("ended", victim)[0]["words"]
    [end] = up.ends()
    assert (end["name"], end["pid"], end["signal"], end["exit_code"]) == (victim, killed, "SIGKILL", None)
    if victim == "dispatch":
        told = up.ask("dispatch")["last_end"]
        assert told.pop("watched_from") < end["at"]
        assert told == end | {"ends": [end["at"]]}
        assert up.ask("schedule")["last_end"] is None
    assert up.stop() == 0


def test_a_killed_nursery_is_replaced_and_its_children_with_it(
    tmp_path: Path, installations: list[Installation]
) -> None:
    up = begin(tmp_path, TWO)
    installations.append(up)
    up.until_told("all_ready")
    before = {name: up.pid(name) for name in TWO}
    nursery = next(
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(before["dispatch"]) == int(entry.name)
    )
    os.kill(nursery, signal.SIGKILL)
    for name in TWO:
        up.until_told("ready", name, times=2)
        assert up.ask(name)["pid"] != before[name]
        assert up.ask(name)["last_end"]["signal"] == "SIGKILL"
    assert up.told("ended", "nursery")[0]["pid"] == nursery
    # The second nursery is as good as the first.
    os.kill(up.pid("dispatch"), signal.SIGKILL)
    up.until_told("ready", "dispatch", times=3)
    assert up.stop() == 0


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_process_whose_health_falls_silent_is_killed(tmp_path: Path, installations: list[Installation]) -> None:
    up = begin(tmp_path, TWO)
    installations.append(up)
    up.until_told("all_ready")
    os.kill(up.pid("dispatch"), signal.SIGSTOP)
    assert "did not answer 3 times in a row" in up.until_told("silent", "dispatch")["words"]
    up.until_told("ready", "dispatch", times=2)
    last_end = up.ask("dispatch")["last_end"]
    assert (last_end["signal"], last_end["why"]) == ("SIGKILL", "killed: /livez did not answer 3 times in a row")
    assert not up.told("ended", "schedule")


def test_no_orphan_outlives_a_killed_supervisor(tmp_path: Path, installations: list[Installation]) -> None:
    up = begin(tmp_path, whole(tmp_path))
    installations.append(up)
    up.until_told("all_ready")
    pids = [up.pid(name) for name in ("nats", "schedule", "dispatch", "caddy")]
    up.process.kill()
    up.process.wait(10)
    wait_until(lambda: all(started_at(pid) is None for pid in pids), 5, "the end of all children")
    again = begin(tmp_path, whole(tmp_path))
    installations.append(again)
    again.until_told("all_ready", times=2)
    assert again.ask("dispatch")["last_end"]["why"] == "its supervisor died"
    assert again.stop() == 0


def test_a_second_up_on_the_same_data_is_refused_by_name(tmp_path: Path, installations: list[Installation]) -> None:
    up = begin(tmp_path, TWO)
    installations.append(up)
    up.until_told("all_ready")
    second = subprocess.run(
        [
            "/usr/bin/env",
            f"PYTHONPATH={Path(__file__).parent.parent}",
            sys.executable,
            __file__,
            tmp_path / "plan.json",
        ],
        stdout=subprocess.PIPE,
        timeout=20,
    )
    assert second.returncode == 3
    words = json.loads(second.stdout)["words"]
    assert f"process {up.process.pid}, since 2" in words
    assert str(tmp_path) in words
    assert up.ask("dispatch")["last_end"] is None


def test_who_does_not_stop_in_time_is_killed(tmp_path: Path, installations: list[Installation]) -> None:
    up = begin(tmp_path, {"schedule": {"target": "serve_stubbornly", "within_s": 0.3}})
    installations.append(up)
    up.until_told("all_ready")
    assert up.stop() == 0
    assert "did not stop within 0.3 s" in up.told("stop_killed", "schedule")[0]["words"]
    assert up.ends()[-1]["signal"] == "SIGKILL"


def test_a_broken_service_is_tried_for_ever_and_told(tmp_path: Path, installations: list[Installation]) -> None:
    up = begin(tmp_path, {"schedule": {"target": "serve"}, "dispatch": {"target": "break_down"}})
    installations.append(up)
    assert "4 times" in up.until_told("restart_loop", "dispatch")["words"]
    up.until_told("ended", "dispatch", times=8)
    words = [entry["words"] for entry in up.told("ended", "dispatch")]
    assert words[0].endswith("ended: exit code 70; it is started again at once")
    assert words[7].endswith("started again in 0.1 s")
    assert "broken by design" in (tmp_path / "data/logs/dispatch.log").read_text()
    assert up.ask("schedule")["last_end"] is None
    assert up.stop() == 0


def test_a_program_that_is_not_there_is_told_and_the_others_run(
    tmp_path: Path, installations: list[Installation]
) -> None:
    up = begin(tmp_path, {**TWO, "nats": {"argv": ["/nowhere/nats-server"], "port": 1, "stage": 0}})
    installations.append(up)
    assert "could not be started" in up.until_told("ended", "nats")["words"]
    up.until_told("ready", "dispatch")
    assert up.stop() == 0


def test_what_children_print_is_kept_and_shipped(tmp_path: Path, installations: list[Installation]) -> None:
    up = begin(tmp_path, TWO)
    installations.append(up)
    up.until_told("all_ready")
    shipped = tmp_path / "shipped.jsonl"
    wait_until(lambda: shipped.exists() and len(shipped.read_text().splitlines()) == 4)
    records = [json.loads(line) for line in shipped.read_text().splitlines()]
    mine = [record for record in records if record["process"] == "dispatch"]
    assert [record["event"] for record in mine] == ["hello", "not json"]
    assert mine[0]["level"] == "info"
    assert mine[0]["pid"] == up.pid("dispatch")
    assert '"hello"' in (tmp_path / "data/logs/dispatch.log").read_text()


# --- Parts ------------------------------------------------------------------------------------------------------------


def test_stale_children_are_killed_and_reused_pids_spared(tmp_path: Path) -> None:
    left_behind, stranger = (subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2))
    try:
        Children(tmp_path).add("dispatch", left_behind.pid)
        path = tmp_path / "run/children.json"
        children = json.loads(path.read_text())
        children["caddy"] = {"pid": stranger.pid, "started_at": 1}
        path.write_text(json.dumps(children))
        stale = {child.name: child.was_alive for child in Children(tmp_path).kill_stale()}
        assert stale == {"dispatch": True, "caddy": False}
        assert left_behind.wait(5) == -signal.SIGKILL
        assert stranger.poll() is None
        assert Children(tmp_path).kill_stale() == []
    finally:
        for process in (left_behind, stranger):
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(5)


def test_ports_are_remembered_while_they_are_free(tmp_path: Path) -> None:
    rng = random.Random(1)
    first = free_ports(["nats", "schedule"], tmp_path, rng)
    assert free_ports(["schedule", "nats"], tmp_path, rng) == first
    assert len(set(first.values())) == 2
    assert max(first.values()) < 32_768
    with http.server.HTTPServer(("127.0.0.1", first["nats"]), Door):
        second = free_ports(["nats", "schedule"], tmp_path, rng)
    assert second["nats"] != first["nats"]
    assert second["schedule"] == first["schedule"]


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    with up_lock(tmp_path, SystemClock()), pytest.raises(Refused, match="already up"), up_lock(tmp_path, SystemClock()):
        pass
    with up_lock(tmp_path, SystemClock()):
        pass


def test_log_files_stay_bounded(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "dispatch.log", 1_000)
    for number in range(100):
        file.write(f"{number:099}\n".encode())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dispatch.1.log", "dispatch.log"]
    assert all(path.stat().st_size <= 1_000 for path in tmp_path.iterdir())
    assert (tmp_path / "dispatch.log").read_text().endswith("99\n")


def test_a_full_disk_loses_lines_and_counts_them() -> None:
    file = RotatingFile(Path("/dev/full"), 1_000)
    file.write(b"one\ntwo\n")
    assert file.lost == 2


def test_lines_are_whole_however_they_arrive() -> None:
    ours, theirs = os.pipe2(os.O_NONBLOCK)
    taken: list[bytes] = []
    lines = Lines(ours, taken.extend)
    for piece in (b"on", b"e\ntwo\nth", b"ree"):
        os.write(theirs, piece)
        assert lines.read()
    assert taken == [b"one", b"two"]
    os.close(theirs)
    lines.drain()
    os.close(ours)
    assert taken == [b"one", b"two", b"three"]


async def _ship_after_trouble() -> tuple[list[dict[str, object]], int]:
    received: list[dict[str, object]] = []
    is_down = True

    async def ship(lines: list[dict[str, object]]) -> None:
        if is_down:
            raise ConnectionError
        received.extend(lines)

    shipper = Shipper(ship, SystemClock())
    for number in range(LINES_MAX + 7):
        shipper.add("dispatch", 1, json.dumps({"event": number}).encode())
    with suppress(ConnectionError):
        await shipper.ship_batch()
    is_down = False
    while len(received) <= LINES_MAX:
        await shipper.ship_batch()
    return received, shipper.lost_total


def test_lost_lines_are_counted_and_said() -> None:
    received, lost_total = asyncio.run(_ship_after_trouble())
    assert lost_total == 7
    assert (received[0]["event"], received[0]["lost"]) == ("log lines lost", 7)
    assert [line["event"] for line in received[1:]] == list(range(7, LINES_MAX + 7))


if __name__ == "__main__":
    main(sys.argv[1])
