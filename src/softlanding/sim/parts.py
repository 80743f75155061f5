"""What a simulated process is given: clock, engines that break when told to, database, bus and feed.

Each of them lets others run where a real one would wait, and ends the process where a fuse burns down.
"""

import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from softlanding.database import DirectDatabase, EngineOptions, Writer, make_engine, writer_engine
from softlanding.database import Work as Waiting
from softlanding.database.engine import driver_of
from softlanding.errors import NotFound
from softlanding.messaging import feed as feeds
from softlanding.messaging import outbox
from softlanding.messaging.bus import BusDown, Delivery, Durability
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.memory import MemoryBroker, MemoryBus
from softlanding.sim.turns import Task, others_may_run

QUICK = EngineOptions(is_durable=False)
GROUP_MAX = 64


class Killed(BaseException):
    """The process ends at this very line, as by kill -9."""


@dataclass
class TrueTime:
    """What time it really is; each process has a clock of its own that may be wrong."""

    wall: datetime
    mono: float = 1000.0

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.mono += seconds


@dataclass
class SimClock:
    """One process's clock: true time and an error that faults set."""

    time: TrueTime
    error_s: float = 0.0

    def now(self) -> datetime:
        return self.time.wall + timedelta(seconds=self.error_s)

    def monotonic(self) -> float:
        return self.time.mono

    async def sleep(self, seconds: float) -> None:
        until = self.time.mono + seconds
        while self.time.mono < until:
            await others_may_run()


@dataclass
class Fuse:
    """Burns down by one wherever a writer comes by: at each statement, at each commit, or right after each commit. At
    zero the process is killed there, or its disk is full.
    """

    left: int | None = None
    kind: str = "kill"
    where: str = "statement"
    burnt: int = 0

    def light(self, kind: str, where: str, left: int) -> None:
        self.kind, self.where, self.left = kind, where, left

    def burn(self, where: str, connection: sa.Connection | None) -> None:
        if self.left is None or where != self.where:
            return
        self.left -= 1
        if self.left > 0:
            return
        self.left = None
        self.burnt += 1
        if self.kind == "kill" or connection is None:
            raise Killed
        driver = driver_of(connection)
        if driver.in_transaction:
            driver.execute("ROLLBACK")  # As SQLite does by itself on a full disk.
        raise sqlite3.OperationalError("database or disk is full")


class Engines:
    """Engines for one database file, kept for all lives and all seeds: compiled statements are dear."""

    def __init__(self, path: Path) -> None:
        url = f"sqlite:///{path}"
        self.reading = make_engine(url, QUICK)
        self.writing = writer_engine(url, QUICK)
        self.fuse = Fuse()
        sa.event.listen(self.writing, "before_cursor_execute", self._on_statement)
        sa.event.listen(self.writing, "commit", self._on_commit)

    def _on_statement(self, connection: sa.Connection, *_arguments: Any) -> None:
        self.fuse.burn("statement", connection)

    def _on_commit(self, connection: sa.Connection) -> None:
        self.fuse.burn("commit", connection)


class SimDatabase:
    """The real writer with group commit: who comes while others wait shares their commit."""

    def __init__(self, engines: Engines, writer: Writer) -> None:
        self._direct = DirectDatabase(engines.reading, writer)
        self._fuse = engines.fuse
        self._waiting: list[Waiting] = []
        self.on_commit: Callable[[], None] = lambda: None
        self.error: BaseException | None = None  # The writer's end: the process ends too.

    @property
    def life(self) -> str:
        return self._direct.life

    @property
    def last_number(self) -> int:
        return self._direct.last_number

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def write(self, action: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        work = Waiting(action, args, kw)
        self._waiting.append(work)
        await others_may_run()  # Others may join the group.
        if work in self._waiting:
            group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
            self._direct.writer.run_group(group)
            self._fuse.burn("after", None)
            self.on_commit()
        await others_may_run()  # Committed, and nobody has been answered yet.
        if work.error is not None:
            raise work.error
        return work.result

    async def read(self, view: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        await others_may_run()
        return self._direct.read_now(view, *args, **kw)

    def read_now(self, view: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        return self._direct.read_now(view, *args, **kw)

    def close(self) -> None:
        self._direct.close()


class SimBus:
    """A process's end of the memory bus, with a wait before and after each call."""

    def __init__(
        self,
        broker: MemoryBroker,
        receiver: str,
        sources: Sequence[str],
        record: Callable[[str, Sequence[Delivery]], None] = lambda _receiver, _deliveries: None,
    ) -> None:
        self._broker = broker
        self._sources = sources
        self._bus: MemoryBus | None = None
        self._receiver = receiver
        self._record = record

    @property
    def is_up(self) -> bool:
        return self._bus is not None and self._bus.is_up

    async def start(self) -> None:
        self._bus = MemoryBus(self._broker, self._receiver, self._sources)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await others_may_run()
        await self._started().publish(envelopes)
        await others_may_run()  # Taken, and the producer does not know yet.

    async def receive(self, source: str, *, limit: int, wait_s: float) -> list[Delivery]:
        return await self._started().receive(source, limit=limit, wait_s=wait_s)

    async def acknowledge(self, source: str, deliveries: Sequence[Delivery]) -> None:
        await others_may_run()
        await self._started().acknowledge(source, deliveries)
        self._record(self._receiver, deliveries)

    async def send_beat(self, service: str, body: bytes) -> None:
        await self._started().send_beat(service, body)

    async def take_beats(self) -> list[tuple[str, bytes]]:
        return await self._started().take_beats()

    async def durability(self) -> Durability:
        return await self._started().durability()

    async def close(self) -> None:
        self.cut()

    def cut(self) -> None:
        """As the end of the process does it."""
        if self._bus is not None:
            Task("close", self._bus.close()).finish()
            self._bus = None

    def _started(self) -> MemoryBus:
        if self._bus is None:
            raise BusDown("not started")
        return self._bus


class SimFeed:
    """The second path: asks whichever process of the producer answers now, if the network lets it."""

    def __init__(self, find: Callable[[str], Any], rng: random.Random, loss: Callable[[], float]) -> None:
        self._find = find
        self._rng = rng
        self._loss = loss

    async def line(self, source: str) -> feeds.Line:
        return await self._ask(source, feeds.load_line)  # type: ignore[no-any-return]

    async def facts(self, source: str, epoch: str, after: int) -> list[Envelope]:
        try:
            return await self._ask(source, outbox.feed_page, epoch, after, feeds.PAGE_MAX)  # type: ignore[no-any-return]
        except NotFound as error:
            raise feeds.EpochUnknown(source) from error

    async def beat(self, service: str) -> bytes:
        work = await self._reach(service)
        if work.beat is None:
            raise feeds.FeedDown(service)
        return work.beat.to_json()  # type: ignore[no-any-return]

    async def beats(self, services: Sequence[str], within_s: float) -> list[bytes]:  # noqa: ARG002 - see Feed
        heard = []
        for service in services:
            with suppress(feeds.FeedDown):
                heard.append(await self.beat(service))
        return heard

    async def _ask(self, source: str, view: Callable[..., Any], *args: Any) -> Any:
        work = await self._reach(source)
        answer = work.database.read_now(view, *args)
        await others_may_run()
        return answer

    async def _reach(self, service: str) -> Any:
        await others_may_run()
        work = self._find(service)
        if work is None or self._rng.random() < self._loss():
            raise feeds.FeedDown(f"{service} does not answer")
        return work
