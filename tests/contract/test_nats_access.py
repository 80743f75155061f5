"""Who may do what on a real nats-server that is told what `softlanding up` tells it."""

import json
import random
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import nats
import nats.errors
import pytest
import uvloop
from nats.aio.client import Client
from test_bus import PASSWORDS, an_envelope, async_of, numbers

from nats_server import NatsServer, running_nats
from softlanding.clock import SystemClock
from softlanding.front_door import nats_accounts
from softlanding.messaging.jetstream import Access, JetStreamBus
from waiting import until

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("nats"), monitor=False, extra=nats_accounts(PASSWORDS)) as running:
        yield running


def test_a_stranger_of_the_machine_is_not_let_in(server: NatsServer) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), timeout=5) as wire:
        wire.recv(4096)
        wire.sendall(b'CONNECT {"verbose":true,"headers":false}\r\nPUB facts.schedule.x 2\r\nhi\r\nPING\r\n')
        assert b"Authorization Violation" in wire.recv(4096)


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("facts.dispatch.pickup.planned", b"{}"),  # Another's fact.
        ("facts.statistics.life.began", b"{}"),
        ("softlanding.beat.dispatch", b"{}"),  # Another's sign of life.
        ("$JS.API.STREAM.DELETE.facts-dispatch", b""),
        ("$JS.API.STREAM.PURGE.facts-dispatch", b""),
        ("$JS.API.STREAM.CREATE.facts-dispatch", b'{"name":"facts-dispatch","subjects":["facts.dispatch.>"]}'),
        ("$JS.API.STREAM.CREATE.other", b'{"name":"other","subjects":["other.>"]}'),
        ("$JS.API.STREAM.UPDATE.facts-dispatch", b'{"name":"facts-dispatch","subjects":["nothing"]}'),
        ("$JS.API.STREAM.MSG.DELETE.facts-dispatch", b'{"seq":1}'),
        ("$JS.API.STREAM.DELETE.facts-schedule", b""),  # Its own, too: what was told is not taken back.
        ("$JS.API.CONSUMER.DELETE.facts-dispatch.statistics", b""),
        ("$JS.API.CONSUMER.MSG.NEXT.facts-dispatch.statistics", b"1"),  # Another's share.
        ("$SYS.REQ.SERVER.PING.CONNZ", b"{}"),
    ],
)
def test_a_service_may_not_speak_for_another_nor_take_anything_away(
    server: NatsServer, subject: str, body: bytes
) -> None:
    async def story() -> None:
        await with_facts_of_dispatch(server)
        refusals = await tried(server, "schedule", lambda hand: hand.publish(subject, body, reply="_INBOX_schedule.x"))
        assert any("permissions violation for publish" in refusal for refusal in refusals)
        assert await kept_of_dispatch(server) == [1]

    uvloop.run(story())


@pytest.mark.parametrize("subject", ["facts.>", "facts.dispatch.>", "_INBOX_dispatch.>", "$JS.>", ">"])
def test_a_service_may_not_listen_to_what_is_not_for_it(server: NatsServer, subject: str) -> None:
    refusals = uvloop.run(tried(server, "schedule", lambda hand: hand.subscribe(subject)))
    assert any("permissions violation for subscription" in refusal for refusal in refusals)


def test_with_another_s_password_nobody_is_let_in(server: NatsServer) -> None:
    async def story() -> None:
        with pytest.raises(nats.errors.Error):
            await nats.connect(
                server.url, user="schedule", password="dispatch-word", allow_reconnect=False, max_reconnect_attempts=1
            )

    uvloop.run(story())


def test_the_runbook_has_these_rights_for_a_server_of_one_s_own() -> None:
    template = nats_accounts({name: f"${name.upper()}_PASSWORD" for name in PASSWORDS})
    assert template in (ROOT / "docs" / "runbook.md").read_text()


async def tried(server: NatsServer, service: str, act: Callable[[Client], Awaitable[Any]]) -> list[str]:
    """What the server says against this act of a service's credential."""
    said: list[str] = []

    async def hear(error: Exception) -> None:
        said.append(str(error))

    hand = await nats.connect(server.url, user=service, password=f"{service}-word", error_cb=hear)
    try:
        await act(hand)
        await hand.flush(5)
        await until(async_of(lambda: bool(said)), 5, what="the server refuses")
    finally:
        await hand.close()
    return said


async def with_facts_of_dispatch(server: NatsServer) -> None:
    """One fact of Dispatch's in its stream, however often this is called."""
    bus = await a_bus(server, "dispatch")
    try:
        if await kept_of_dispatch(server) == []:
            await bus.publish([an_envelope(1, source="dispatch")])
    finally:
        await bus.close()


async def kept_of_dispatch(server: NatsServer) -> list[int]:
    """The numbers that a reader finds who has read nothing so far."""
    bus = await a_bus(server, "statistics", "dispatch")
    try:
        return numbers(await bus.receive("dispatch", limit=10, wait_s=0.5))
    finally:
        await bus.close()


async def a_bus(server: NatsServer, receiver: str, *sources: str) -> JetStreamBus:
    access = Access(user=receiver, password=json.loads(PASSWORDS[receiver]))
    bus = JetStreamBus([server.url], receiver, sources, SystemClock(), rng=random.Random(1), access=lambda: access)
    await bus.start()
    await until(async_of(lambda: bus.is_up), what=f"{receiver} is connected")
    return bus
