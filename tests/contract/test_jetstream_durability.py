"""What the bus keeps, proves and survives on a real nats-server: kills, wiped disks, silence, meddling hands."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import nats
import pytest
import uvloop
from nats.aio.client import Client
from test_bus import an_envelope, async_of, numbers, received

from nats_server import NatsServer, running_nats
from softlanding.clock import SystemClock
from softlanding.front_door import nats_accounts
from softlanding.messaging import jetstream
from softlanding.messaging.bus import BusDown
from softlanding.messaging.jetstream import Access, JetStreamBus, Ledger
from waiting import until


def test_a_server_that_syncs_before_it_acknowledges_is_proven_durable(tmp_path: Path) -> None:
    with running_nats(tmp_path) as server:
        durable = asked_of(server, monitor_urls=[str(server.monitor_url)])
    assert durable.is_durable
    assert "2.15" in durable.why


def test_a_server_that_syncs_now_and_then_is_not_durable(tmp_path: Path) -> None:
    with running_nats(tmp_path, sync_always=False) as server:
        durable = asked_of(server, monitor_urls=[str(server.monitor_url)])
    assert not durable.is_durable
    assert "sync_interval to always" in durable.why


def test_what_no_monitor_says_is_not_proven(tmp_path: Path) -> None:
    with running_nats(tmp_path, monitor=False) as server:
        unasked = asked_of(server, monitor_urls=[])
        silent = asked_of(server, monitor_urls=[server.url.replace("nats:", "http:")])
    assert not unasked.is_durable
    assert "No NATS monitor is configured" in unasked.why
    assert not silent.is_durable
    assert "gave no answer to rely on" in silent.why


def test_without_a_monitor_a_server_proves_by_the_bus_that_it_syncs_if_the_account_may_ask(tmp_path: Path) -> None:
    users = nats_accounts({"schedule": '"s-word"', "dispatch": '"d-word"'})
    access = {"access": lambda: Access(user="schedule", password="s-word")}
    with running_nats(tmp_path / "syncs", monitor=False, extra=users) as server:
        durable = asked_of(server, monitor_urls=[], **access)
    with running_nats(tmp_path / "lazy", monitor=False, extra=users, sync_always=False) as server:
        lazy = asked_of(server, monitor_urls=[], **access)
    assert durable.is_durable, durable.why
    assert not lazy.is_durable
    assert "sync_interval to always" in lazy.why


def test_another_server_s_monitor_proves_nothing(tmp_path: Path) -> None:
    with running_nats(tmp_path / "ours") as ours, running_nats(tmp_path / "other") as other:
        alone = asked_of(ours, monitor_urls=[str(other.monitor_url)])
        together = asked_of(ours, monitor_urls=[str(other.monitor_url), str(ours.monitor_url)])
    assert not alone.is_durable
    assert "belongs to the connected NATS server" in alone.why
    assert together.is_durable


def test_each_monitor_is_asked_though_another_gives_no_answer(tmp_path: Path) -> None:
    with running_nats(tmp_path / "ours") as ours, running_nats(tmp_path / "lazy", sync_always=False) as lazy:
        dead = "http://127.0.0.1:9"
        proven = asked_of(ours, monitor_urls=[dead, str(ours.monitor_url)])
        found_out = asked_of(ours, monitor_urls=[dead, str(ours.monitor_url), str(lazy.monitor_url)])
    assert proven.is_durable, proven.why
    assert f"The NATS monitor {dead} gave no answer to rely on" in proven.why
    assert not found_out.is_durable
    assert f"The NATS server of {lazy.monitor_url} acknowledges before it syncs" in found_out.why


def test_an_old_server_is_named_as_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "SERVER_VERSION_MIN", (99, 0, 0))
    with running_nats(tmp_path) as server:
        durable = asked_of(server, monitor_urls=[str(server.monitor_url)])
    assert not durable.is_durable
    assert "install 99.0.0 or newer" in durable.why


def test_without_a_server_nothing_is_proven(tmp_path: Path) -> None:
    with running_nats(tmp_path) as server:
        server.kill()
        durable = asked_of(server, monitor_urls=[str(server.monitor_url)])
    assert not durable.is_durable
    assert "no connection" in durable.why


def test_kills_under_load_lose_nothing_that_was_acknowledged_and_stall_nobody(tmp_path: Path) -> None:
    with running_nats(tmp_path) as server:
        acknowledged, came = uvloop.run(through_deaths(server, deaths=6, wipe=False))
    assert len(acknowledged) > 500
    assert acknowledged <= came


def test_wiped_disks_under_load_stall_nobody(tmp_path: Path) -> None:
    with running_nats(tmp_path) as server:
        acknowledged, came = uvloop.run(through_deaths(server, deaths=4, wipe=True))
    assert max(acknowledged) in came


async def through_deaths(server: NatsServer, *, deaths: int, wipe: bool) -> tuple[set[int], set[int]]:
    """Publish and receive without a pause while the server is killed and started again; after each death something
    published after it must come within 5 s. What was acknowledged to the producer, and what came."""
    acknowledged: set[int] = set()
    came: set[int] = set()
    sent = 0
    async with a_bus(server, "schedule") as producer, a_bus(server, "dispatch", "schedule") as receiver:

        async def produce() -> None:
            nonlocal sent
            while True:
                batch = list(range(sent + 1, sent + 1 + random.Random(sent).randint(1, 60)))
                sent = batch[-1]
                try:
                    await producer.publish([an_envelope(n) for n in batch])
                    acknowledged.update(batch)
                except BusDown:
                    await until(async_of(lambda: producer.is_up))

        async def consume() -> None:
            while True:
                try:
                    deliveries = await receiver.receive("schedule", limit=100, wait_s=5)
                    came.update(numbers(deliveries))
                    await receiver.acknowledge("schedule", deliveries)
                except BusDown:
                    await until(async_of(lambda: receiver.is_up))

        work = [asyncio.create_task(produce()), asyncio.create_task(consume())]
        for _ in range(deaths):
            mark = len(came)
            await until(async_of(lambda mark=mark: len(came) > mark + 200), what="facts flow before a death")
            server.kill()
            if wipe:
                server.wipe()
            server.start()
            after = sent
            await until(async_of(lambda after=after: max(came) > after), 5, "facts flow after a death")
        work[0].cancel()
        await until(async_of(lambda: wipe or acknowledged <= came), what="all that was acknowledged came")
        work[1].cancel()
        await asyncio.wait(work)
        assert [task.cancelled() for task in work] == [True, True]
    return acknowledged, came


def test_a_server_that_falls_silent_is_down_within_a_second_and_back_when_it_speaks(tmp_path: Path) -> None:
    async def story(server: NatsServer) -> None:
        async with a_bus(server, "schedule") as producer, a_bus(server, "dispatch", "schedule") as receiver:
            await producer.publish([an_envelope(1)])
            assert numbers(await received(receiver, 1)) == [1]
            server.freeze()
            began = asyncio.get_running_loop().time()
            for batch in (1, 500):
                with pytest.raises(BusDown):
                    await producer.publish([an_envelope(n) for n in range(10, 10 + batch)])
            assert asyncio.get_running_loop().time() - began < 3
            await until(async_of(lambda: not producer.is_up and not receiver.is_up), 6, "silence is noticed")
            server.thaw()
            await until(async_of(lambda: producer.is_up and receiver.is_up))
            await producer.publish([an_envelope(2)])
            while 2 not in numbers(await received(receiver, 1)):
                pass  # The silent server had read some of what it did not answer.

    with running_nats(tmp_path) as server:
        uvloop.run(story(server))


def test_a_frozen_life_keeps_nothing_from_the_next(tmp_path: Path) -> None:
    async def story(server: NatsServer) -> None:
        async with a_bus(server, "schedule") as producer, a_bus(server, "dispatch", "schedule") as old:
            await producer.publish([an_envelope(n) for n in range(1, 21)])
            given = await received(old, 20)
            await old.acknowledge("schedule", given[:5])
            # From here the old one does nothing, but keeps its connection. A standby waits longer than a pull lasts.
            async with a_hand(server) as hand:

                async def nobody_asks() -> bool:
                    return (await hand.jetstream().consumer_info("facts-schedule", "dispatch")).num_waiting == 0

                await until(nobody_asks, 4)
            async with a_bus(server, "dispatch", "schedule") as new:
                assert numbers(await received(new, 15, within_s=3)) == list(range(6, 21))

    with running_nats(tmp_path) as server:
        uvloop.run(story(server))


@pytest.mark.parametrize("what", ["STREAM.DELETE.facts-schedule", "CONSUMER.DELETE.facts-schedule.dispatch"])
def test_what_a_hand_deleted_is_made_anew_by_whom_it_belongs_to(tmp_path: Path, what: str) -> None:
    async def story(server: NatsServer) -> None:
        async with a_bus(server, "schedule") as producer, a_bus(server, "dispatch", "schedule") as receiver:
            await producer.publish([an_envelope(1)])
            await receiver.acknowledge("schedule", await received(receiver, 1))
            waiting = asyncio.create_task(receiver.receive("schedule", limit=10, wait_s=1))
            await deleted(server, what)
            await waiting

            async def is_published() -> bool:
                with suppress(BusDown):  # The first attempt finds no stream, and says so.
                    await producer.publish([an_envelope(2), an_envelope(3)])
                    return True
                return False

            await until(is_published, 3)
            assert numbers(await received(receiver, 2, within_s=3, unlike=[1])) == [2, 3]

    with running_nats(tmp_path) as server:
        uvloop.run(story(server))


def test_a_producer_makes_its_stream_anew_at_the_next_attempt(tmp_path: Path) -> None:
    async def story(server: NatsServer) -> None:
        async with a_bus(server, "schedule") as producer:
            await producer.publish([an_envelope(1)])
            await deleted(server, "STREAM.DELETE.facts-schedule")
            with pytest.raises(BusDown, match="makes it anew"):
                await producer.publish([an_envelope(2), an_envelope(3)])
            await producer.publish([an_envelope(2), an_envelope(3)])
            async with a_bus(server, "dispatch", "schedule") as receiver:
                assert numbers(await received(receiver, 2)) == [2, 3]

    with running_nats(tmp_path) as server:
        uvloop.run(story(server))


def test_the_stream_of_an_older_release_is_brought_up_to_date(tmp_path: Path) -> None:
    async def story(server: NatsServer) -> None:
        async with a_hand(server) as hand:
            await hand.jetstream().add_stream(name="facts-schedule", subjects=["facts.schedule.>"], max_age=60)
        async with a_bus(server, "schedule") as producer, a_bus(server, "dispatch", "schedule") as receiver:
            await producer.publish([an_envelope(1), an_envelope(2)])
            assert numbers(await received(receiver, 2)) == [1, 2]
        async with a_hand(server) as hand:
            assert (await hand.jetstream().stream_info("facts-schedule")).config.max_age == 48 * 3600

    with running_nats(tmp_path) as server:
        uvloop.run(story(server))


def test_a_fact_too_large_for_the_wire_is_left_out_counted_and_said(tmp_path: Path) -> None:
    async def story(server: NatsServer) -> None:
        said: list[str] = []
        large = an_envelope(2, data={"text": "x" * 1_100_000})
        async with a_bus(server, "schedule", report=said.append) as producer:
            async with a_bus(server, "dispatch", "schedule") as receiver:
                await producer.publish([an_envelope(1), large, an_envelope(3)])
                await producer.publish([large])
                assert numbers(await received(receiver, 2)) == [1, 3]
            assert producer.oversized == 2
        assert [sentence for sentence in said if "schedule epoch-1 2 has" in sentence]

    with running_nats(tmp_path) as server:
        uvloop.run(story(server))


def test_a_corrected_secret_is_used_without_a_restart_and_never_said(tmp_path: Path) -> None:
    async def story(server: NatsServer) -> None:
        said: list[str] = []
        tokens = ["wrong-secret"]
        access = {"access": lambda: Access(token=tokens[-1])}
        async with a_bus(server, "schedule", is_let_in=False, report=said.append, **access) as bus:
            assert not bus.is_up
            tokens.append("right-secret")
            await until(async_of(lambda: bus.is_up))
            await bus.publish([an_envelope(1)])
        assert any("uthorization" in sentence for sentence in said)
        assert not any("secret" in sentence for sentence in said)

    with running_nats(tmp_path, extra='authorization { token: "right-secret" }') as server:
        uvloop.run(story(server))


def test_the_ledger_acknowledges_no_further_than_all_is_settled() -> None:
    ledger = Ledger()
    for sequence in (1, 2, 3, 4):
        ledger.arrive(sequence, f"reply {sequence}")
    ledger.settle(1)
    ledger.settle(3)
    assert ledger.next_acknowledgement() == "reply 1"
    assert ledger.next_acknowledgement() is None
    ledger.settle(2)
    assert ledger.next_acknowledgement() == "reply 3"
    ledger.arrive(4, "reply 4 again")
    ledger.settle(4)
    ledger.settle(9)
    assert ledger.next_acknowledgement() == "reply 4 again"


@asynccontextmanager
async def a_bus(
    server: NatsServer, receiver: str, *sources: str, is_let_in: bool = True, **others: object
) -> AsyncIterator[JetStreamBus]:
    bus = JetStreamBus([server.url], receiver, sources, SystemClock(), rng=random.Random(1), **others)  # type: ignore[arg-type]
    await bus.start()
    try:
        if server.is_running and is_let_in:
            await until(async_of(lambda: bus.is_up), what=f"{receiver} is connected")
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def a_hand(server: NatsServer) -> AsyncIterator[Client]:
    """Somebody with a tool and access."""
    client = await nats.connect(server.url)
    try:
        yield client
    finally:
        await client.close()


async def deleted(server: NatsServer, what: str) -> None:
    async with a_hand(server) as hand:
        assert json.loads((await hand.request(f"$JS.API.{what}", timeout=5)).data)["success"]


def asked_of(server: NatsServer, *, monitor_urls: Sequence[str], **others: object) -> jetstream.Durability:
    async def story() -> jetstream.Durability:
        async with a_bus(server, "schedule", monitor_urls=monitor_urls, **others) as bus:
            return await bus.durability()

    return uvloop.run(story())
