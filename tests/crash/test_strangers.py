"""A running installation, met by those who have no business there: other users of the machine, foreign names."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import httpx
import nats
import pytest

from softlanding.drills.installation import SERVICES, Installation, throw_away
from softlanding.private_files import is_open
from waiting import wait_until


@pytest.fixture(scope="module")
def here() -> Iterator[Installation]:
    with throw_away() as installation:
        installation.start()
        installation.wait_calm()
        yield installation


def test_nothing_in_the_data_folder_is_open_to_others(here: Installation) -> None:
    everything = [here.data, *here.data.rglob("*")]
    names = {path.name for path in everything}
    assert {"schedule.db", "dispatch.db", "statistics.db", "ports.json", "site", "logs", "nats_dispatch"} <= names
    assert [str(path) for path in everything if not path.is_symlink() and is_open(path)] == []
    assert [here.state(service)["open_to_others"] for service in SERVICES] == [[], [], []]


def test_what_an_older_release_left_open_is_closed_at_the_next_start_and_said(here: Installation) -> None:
    here.stop()
    (here.data / "schedule.db").chmod(0o644)
    here.data.chmod(0o755)
    here.start()
    assert any("2 files and folders" in line.get("warning", "") for line in here.happenings())
    assert not is_open(here.data)
    assert not is_open(here.data / "schedule.db")


def test_nats_lets_no_stranger_in_and_has_no_open_monitor(here: Installation) -> None:
    assert "nats_monitor" not in here.ports()
    with socket.create_connection(("127.0.0.1", here.ports()["nats"]), timeout=5) as wire:
        wire.recv(4096)
        wire.sendall(b'CONNECT {"verbose":true}\r\nSUB > 1\r\nPING\r\n')
        assert b"Authorization Violation" in wire.recv(4096)


def test_each_service_is_on_the_bus_and_knows_that_it_is_durable(here: Installation) -> None:
    for service in SERVICES:
        state = here.state(service)
        assert (state["state"], state["bus_is_durable"]) == ("ready", True), state


def test_a_foreign_name_is_refused_by_the_front_door_and_by_each_service(here: Installation) -> None:
    doors = [here.address, *(f"http://127.0.0.1:{here.ports()[service]}" for service in SERVICES)]
    for door in doors:
        answer = httpx.get(f"{door}/softconf/organise", headers={"Host": "evil.example"}, trust_env=False)
        assert (answer.status_code, "evil" in f"{answer.headers}{answer.text}") == (421, False), door
        led = httpx.get(f"{door}/softconf/organise", headers={"Host": "localhost:8000"}, trust_env=False)
        assert led.status_code != 421, door


def test_who_steals_a_service_s_password_is_found_out_and_stops_who_believed_it(here: Installation) -> None:
    """Last of all: the others stand still afterwards, and say so."""
    here.wait_calm()
    state = here.state("schedule")
    with here.client() as program:
        after = {"epoch": state["life"], "after": state["number"] - 1}
        (newest,) = program.get("/api/schedule/facts", params=after).json()
    false = newest | {"id": "00000000-0000-7000-8000-000000000000", "sequence": state["number"] + 1}
    asyncio.run(told_in_the_name_of_schedule(here, json.dumps(false).encode()))

    def halted() -> list[str]:
        return [here.state(name)["inboxes"]["schedule"]["halted"] or "" for name in ("dispatch", "statistics")]

    wait_until(lambda: all("not what its producer told" in why for why in halted()), 40, "both stand still")
    with here.client() as program:
        sentences = [incident["sentence"] for incident in program.get("/api/dispatch/incidents").json()]
    assert any("has stopped hearing Schedule" in sentence for sentence in sentences)


async def told_in_the_name_of_schedule(here: Installation, body: bytes) -> None:
    password = (here.data / "secrets" / "nats_schedule").read_text()
    url, inbox = f"nats://127.0.0.1:{here.ports()['nats']}", "_INBOX_schedule"
    thief = await nats.connect(url, user="schedule", password=password, inbox_prefix=inbox)
    try:
        await thief.request("facts.schedule.x", body, timeout=5)
    finally:
        await thief.close()


TAKE = """
import os, socket, sys, time
os.setuid(65534)
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    with socket.socket() as mine:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            mine.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            mine.bind(("127.0.0.1", int(sys.argv[1])))
        except OSError:
            continue
        print("taken")
        break
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try as another user")
@pytest.mark.parametrize("port", ["schedule", "schedule_health"])
def test_nobody_takes_the_port_of_a_service_that_died(here: Installation, port: str) -> None:
    """Who had it would be told the peers' token, sessions and phones."""
    asks = [sys.executable, "-c", TAKE, str(here.ports()[port]), "8"]
    with subprocess.Popen(asks, stdout=subprocess.PIPE, text=True) as stranger:
        kill = here.kill("schedule")
        here.wait_working("schedule", kill.pid)
        stranger.kill()
        told, _ = stranger.communicate()
    assert told == ""
