"""What every bus promises: one suite over the broker in memory and a real nats-server, on both event loops."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import nats
import pytest
import uvloop

from nats_server import NatsServer, running_nats
from softlanding.clock import SystemClock
from softlanding.front_door import nats_accounts
from softlanding.messaging import jetstream
from softlanding.messaging.bus import Bus, BusDown, Delivery
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.jetstream import Access, JetStreamBus
from softlanding.messaging.memory import KIND, MemoryBroker, MemoryBus, Nastiness
from waiting import until

PASSWORDS = {name: f'"{name}-word"' for name in ("schedule", "dispatch", "statistics")}


class World(Protocol):
    """A broker, and what can happen to it."""

    async def bus(self, receiver: str, *sources: str) -> Bus: ...
    def stop(self) -> None: ...
    def start(self) -> None: ...
    def lose_disk(self) -> None: ...
    async def put(self, source: str, body: bytes) -> None: ...
    def run(self, story: Callable[[], Awaitable[None]]) -> None: ...
    async def pass_time(self) -> None: ...


@pytest.fixture(params=["memory", "jetstream", "jetstream on asyncio", "jetstream with users"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(jetstream, "ANSWER_S", 3.0)  # How quickly a laden disk syncs is not asked here.
    with ExitStack() as stack:
        if request.param == "memory":
            yield MemoryWorld()
        else:
            users = nats_accounts(PASSWORDS) if "users" in request.param else ""
            server = stack.enter_context(running_nats(tmp_path / "nats", extra=users))
            yield NatsWorld(server, asyncio.run if "asyncio" in request.param else uvloop.run, has_users=bool(users))


def test_facts_come_in_the_order_of_publishing_with_all_they_say(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        facts = [
            an_envelope(1, subject="pickup/ä", traceparent="00-1-2-03", causation="cause", expires_at=NOON),
            an_envelope(2, conference=None, type="schedule.odd type>*"),
            an_envelope(3, type="life.began"),
        ]
        for fact in facts:
            await producer.publish([fact])
        assert [delivery.envelope for delivery in await received(receiver, 3)] == facts

    world.run(story)


def test_five_hundred_facts_arrive_whole_and_in_order(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(n) for n in range(1, 501)])
        await producer.publish([an_envelope(501), an_envelope(502)])
        assert numbers(await received(receiver, 502)) == list(range(1, 503))

    world.run(story)


def test_no_more_than_the_limit_is_given_at_once(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(n) for n in range(1, 8)])
        first = await until(lambda: receiver.receive("schedule", limit=3, wait_s=0.5))
        assert len(first) <= 3
        assert numbers(first + await received(receiver, 7 - len(first), limit=3)) == list(range(1, 8))

    world.run(story)


def test_nothing_comes_from_a_source_that_said_nothing(world: World) -> None:
    async def story() -> None:
        receiver = await world.bus("dispatch", "schedule")
        assert await receiver.receive("schedule", limit=10, wait_s=0.05) == []

    world.run(story)


def test_what_was_not_acknowledged_comes_again_to_the_next_life_at_once_and_in_order(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(n) for n in range(1, 11)])
        given = await received(receiver, 10)
        await receiver.acknowledge("schedule", given[:4])
        await receiver.close()
        await producer.publish([an_envelope(11)])
        next_life = await world.bus("dispatch", "schedule")
        assert numbers(await received(next_life, 7, within_s=3)) == list(range(5, 12))

    world.run(story)


def test_what_was_acknowledged_does_not_come_again(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(1), an_envelope(2)])
        await receiver.acknowledge("schedule", await received(receiver, 2))
        await receiver.close()
        await producer.publish([an_envelope(3)])
        assert numbers(await received(await world.bus("dispatch", "schedule"), 1)) == [3]

    world.run(story)


def test_a_fact_left_out_comes_again_though_later_ones_were_acknowledged(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(n) for n in (1, 2, 3)])
        one, _two, three = await received(receiver, 3)
        await receiver.acknowledge("schedule", [one, three])
        await receiver.close()
        next_life = await world.bus("dispatch", "schedule")
        assert numbers(await received(next_life, 1))[0] == 2

    world.run(story)


def test_what_was_not_acknowledged_comes_again_in_the_same_life(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(1)])
        assert numbers(await received(receiver, 1)) == [1]
        await world.pass_time()
        assert numbers(await received(receiver, 1)) == [1]

    world.run(story)


def test_each_receiver_gets_all_of_each_source(world: World) -> None:
    async def story() -> None:
        schedule, dispatch = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        statistics = await world.bus("statistics", "schedule", "dispatch")
        await schedule.publish([an_envelope(1), an_envelope(2)])
        await dispatch.publish([an_envelope(1, source="dispatch", type="dispatch.pickup.planned")])
        assert numbers(await received(dispatch, 2)) == [1, 2]
        assert numbers(await received(statistics, 2)) == [1, 2]
        assert [d.envelope.source for d in await received(statistics, 1, source="dispatch")] == ["dispatch"]

    world.run(story)


def test_a_receiver_that_comes_late_gets_all_that_is_kept(world: World) -> None:
    async def story() -> None:
        producer = await world.bus("schedule")
        await producer.publish([an_envelope(n) for n in range(1, 400)])
        assert numbers(await received(await world.bus("dispatch", "schedule"), 399)) == list(range(1, 400))

    world.run(story)


def test_beats_are_heard_by_all_others_and_not_by_oneself(world: World) -> None:
    async def story() -> None:
        schedule, dispatch, standby = (
            await world.bus("schedule"),
            await world.bus("dispatch"),
            await world.bus("schedule"),
        )
        await schedule.send_beat("schedule", b"1")
        await schedule.send_beat("schedule", b"2")
        for hearer in (dispatch, standby):
            assert await heard(hearer, 2) == [("schedule", b"1"), ("schedule", b"2")]
            assert await hearer.take_beats() == []
        await dispatch.send_beat("dispatch", b"3")
        assert await heard(schedule, 1) == [("dispatch", b"3")]

    world.run(story)


def test_of_many_beats_the_last_hundred_are_kept(world: World) -> None:
    async def story() -> None:
        producer, hearer = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        for n in range(150):
            await producer.send_beat("schedule", b"%d" % n)
        await producer.publish([an_envelope(1)])  # Behind the beats on the same wire: when it is here, they are.
        await received(hearer, 1)
        assert [int(body) for _, body in await hearer.take_beats()] == list(range(50, 150))

    world.run(story)


def test_a_stranger_s_message_is_counted_and_skipped_and_stalls_nobody(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(1)])
        for body in (b"", b"\xff\x00", b"{}", b"[" * 100_000):
            await world.put("schedule", body)
        await producer.publish([an_envelope(2)])
        given = await received(receiver, 2)
        assert numbers(given) == [1, 2]
        assert receiver.undecodable == 4  # type: ignore[attr-defined]
        await receiver.acknowledge("schedule", given)
        await receiver.close()
        next_life = await world.bus("dispatch", "schedule")
        assert await next_life.receive("schedule", limit=10, wait_s=0.1) == []
        assert next_life.undecodable == 0  # type: ignore[attr-defined]

    world.run(story)


def test_without_a_broker_all_says_so_at_once_and_all_goes_on_when_it_is_back(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(1)])
        given = await received(receiver, 1)
        world.stop()
        await until(async_of(lambda: not producer.is_up and not receiver.is_up))
        began = asyncio.get_running_loop().time()
        for attempt in (
            producer.publish([an_envelope(2)]),
            receiver.receive("schedule", limit=1, wait_s=60),
            receiver.acknowledge("schedule", given),
            producer.send_beat("schedule", b""),
        ):
            with pytest.raises(BusDown):
                await attempt
        assert asyncio.get_running_loop().time() - began < 1
        world.start()
        await until(async_of(lambda: producer.is_up and receiver.is_up))
        await producer.publish([an_envelope(2)])
        assert 2 in numbers(await received(receiver, 1, unlike=[1]))

    world.run(story)


def test_a_bus_starts_without_a_broker_and_finds_it_later(world: World) -> None:
    async def story() -> None:
        world.stop()
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        assert not producer.is_up
        with pytest.raises(BusDown):
            await producer.publish([an_envelope(1)])
        world.start()
        await until(async_of(lambda: producer.is_up and receiver.is_up))
        await producer.publish([an_envelope(1)])
        assert numbers(await received(receiver, 1)) == [1]

    world.run(story)


def test_after_a_lost_disk_new_facts_flow(world: World) -> None:
    async def story() -> None:
        producer, receiver = await world.bus("schedule"), await world.bus("dispatch", "schedule")
        await producer.publish([an_envelope(1), an_envelope(2)])
        given = await received(receiver, 2)
        world.stop()
        world.lose_disk()
        world.start()
        with suppress(BusDown):  # Perhaps nobody has noticed yet that the old connection is dead.
            await producer.publish([an_envelope(1)])
        await until(async_of(lambda: producer.is_up and receiver.is_up))
        await producer.publish([an_envelope(n) for n in range(3, 9)])
        await receiver.acknowledge("schedule", given)  # Given before: settles nothing of what is new.
        assert numbers(await received(receiver, 6, unlike=[1])) == list(range(3, 9))

    world.run(story)


def test_a_bus_may_be_closed_twice_and_when_its_broker_is_gone(world: World) -> None:
    async def story() -> None:
        producer = await world.bus("schedule")
        world.stop()
        await producer.close()
        await producer.close()
        with pytest.raises(BusDown):
            await producer.publish([an_envelope(1)])

    world.run(story)


def test_each_fault_of_the_memory_broker_shows_and_the_same_seed_shows_the_same() -> None:
    quiet = outcome(KIND)
    assert quiet == (list(range(1, 101)), 0)
    assert set(outcome(Nastiness(drop=0.3))[0]) < set(quiet[0])
    assert set(outcome(Nastiness(forget=0.3))[0]) < set(quiet[0])
    assert len(outcome(Nastiness(copy=0.3))[0]) > 100
    assert len(outcome(Nastiness(lose_acknowledgement=0.3))[0]) > 100
    for late in (Nastiness(delay=0.3), Nastiness(disorder=0.5)):
        came, _ = outcome(late)
        assert came != quiet[0]
        assert sorted(came) == quiet[0]
    came, refused = outcome(Nastiness(refuse=0.3))
    assert refused > 0
    assert len(came) == 100 - 5 * refused
    came, refused = outcome(Nastiness(unknown=0.3))
    assert refused > 0
    assert came == quiet[0]
    nasty = Nastiness(drop=0.1, delay=0.2, copy=0.2, disorder=0.2, forget=0.1, refuse=0.1, unknown=0.1)
    assert outcome(nasty) == outcome(nasty) != outcome(nasty, seed=2)


def test_a_service_cut_off_from_the_memory_broker_is_alone_in_that() -> None:
    async def story() -> None:
        broker = MemoryBroker(random.Random(1))
        schedule, dispatch = MemoryBus(broker, "schedule", []), MemoryBus(broker, "dispatch", ["schedule"])
        broker.cut_off.add("dispatch")
        await schedule.publish([an_envelope(1)])
        await schedule.send_beat("schedule", b"")
        assert await dispatch.take_beats() == []
        with pytest.raises(BusDown):
            await dispatch.receive("schedule", limit=1, wait_s=0)
        broker.cut_off.clear()
        assert numbers(await dispatch.receive("schedule", limit=1, wait_s=0)) == [1]

    asyncio.run(story())


def outcome(nastiness: Nastiness, seed: int = 1) -> tuple[list[int], int]:
    """The numbers that come when 20 batches of 5 are published, and how many publishes heard BusDown."""

    async def story() -> tuple[list[int], int]:
        broker = MemoryBroker(random.Random(seed), nastiness)
        producer, receiver = MemoryBus(broker, "schedule", []), MemoryBus(broker, "dispatch", ["schedule"])
        came, refused = [], 0
        for tick in range(400):
            if tick < 20:
                try:
                    await producer.publish([an_envelope(5 * tick + n) for n in range(1, 6)])
                except BusDown:
                    refused += 1
            deliveries = await receiver.receive("schedule", limit=10, wait_s=0)
            came += numbers(deliveries)
            await receiver.acknowledge("schedule", deliveries)
            broker.tick()
        return came, refused

    return asyncio.run(story())


NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def an_envelope(sequence: int, *, source: str = "schedule", **others: object) -> Envelope:
    values: dict[str, object] = {
        "id": f"id-{sequence}",
        "type": "schedule.pickup.requested",
        "subject": f"pickup/{sequence}",
        "conference": "meeting",
        "epoch": "epoch-1",
        "time": NOON,
        "data": {"code": "K7QX", "seats": 2},
    }
    return Envelope(source=source, sequence=sequence, **(values | others))  # type: ignore[arg-type]


def numbers(deliveries: Sequence[Delivery]) -> list[int]:
    return [delivery.envelope.sequence for delivery in deliveries]


async def received(
    bus: Bus,
    count: int,
    *,
    source: str = "schedule",
    limit: int = 100,
    within_s: float = 10,
    unlike: Sequence[int] = (),
) -> list[Delivery]:
    """The first `count` facts that come, or more; facts numbered as in `unlike` are left out."""
    came: list[Delivery] = []

    async def are_enough() -> bool:
        for delivery in await bus.receive(source, limit=limit, wait_s=0.2):
            if delivery.envelope.sequence not in unlike:
                came.append(delivery)
        return len(came) >= count

    await until(are_enough, within_s, f"{count} facts came")
    return came


async def heard(bus: Bus, count: int) -> list[tuple[str, bytes]]:
    beats: list[tuple[str, bytes]] = []

    async def are_enough() -> bool:
        beats.extend(await bus.take_beats())
        return len(beats) >= count

    await until(are_enough, what=f"{count} beats were heard")
    return beats


def async_of(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return condition()

    return asked


class MemoryWorld:
    def __init__(self) -> None:
        self._broker = MemoryBroker(random.Random(1))

    async def bus(self, receiver: str, *sources: str) -> Bus:
        bus = MemoryBus(self._broker, receiver, sources)
        await bus.start()
        return bus

    def stop(self) -> None:
        self._broker.is_down = True

    def start(self) -> None:
        self._broker.is_down = False

    def lose_disk(self) -> None:
        self._broker.lose_disk()

    async def put(self, source: str, body: bytes) -> None:
        self._broker.put(source, body)

    def run(self, story: Callable[[], Awaitable[None]]) -> None:
        asyncio.run(_awaited(story))

    async def pass_time(self) -> None:
        for _ in range(KIND.redeliver_ticks):
            self._broker.tick()


class NatsWorld:
    def __init__(self, server: NatsServer, run: Callable[..., None], *, has_users: bool) -> None:
        self._has_users = has_users
        self._server = server
        self._run = run
        self._buses: list[JetStreamBus] = []

    async def bus(self, receiver: str, *sources: str) -> Bus:
        access = self._access(receiver)
        bus = JetStreamBus(
            [self._server.url], receiver, sources, SystemClock(), rng=random.Random(1), redeliver_s=1.5, access=access
        )
        self._buses.append(bus)
        await bus.start()
        if self._server.is_running:  # `start` gives up waiting after a while; beats sent until then are not heard.
            await until(async_of(lambda: bus.is_up), what=f"{receiver} is connected")
        return bus

    def _access(self, service: str) -> Callable[[], Access]:
        return lambda: Access(user=service, password=f"{service}-word") if self._has_users else Access()

    def stop(self) -> None:
        self._server.kill()

    def start(self) -> None:
        self._server.start()

    def lose_disk(self) -> None:
        self._server.wipe()

    async def put(self, source: str, body: bytes) -> None:
        access = self._access(source)()
        inbox = f"_INBOX_{source}"
        stranger = await nats.connect(self._server.url, user=access.user, password=access.password, inbox_prefix=inbox)
        await stranger.jetstream().publish(f"facts.{source}.odd", body)
        await stranger.close()

    def run(self, story: Callable[[], Awaitable[None]]) -> None:
        async def told() -> None:
            try:
                await story()
            finally:
                for bus in self._buses:
                    await bus.close()

        self._run(told())

    async def pass_time(self) -> None:
        """Nothing to do: it passes, and who waits for a condition waits long enough."""


async def _awaited(story: Callable[[], Awaitable[None]]) -> None:
    await story()
