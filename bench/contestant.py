"""Softlanding's own side of `bench messaging`: a service that tells, or one that hears, in a process of its own.

Wired as `softlanding serve` wires a service: the same writer, relay, bus, receiver and loops, with two small tables in
the place of a conference. Started by messaging.py as `python -m bench.contestant ARGUMENTS`, in a clone.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa
import uvloop

from bench.peers.course import TEXT, Heard, arguments, tell_on_loop
from softlanding.clock import SystemClock
from softlanding.contracts import BY_SOURCE, Fact
from softlanding.database import (
    DATABASE_ERRORS,
    HoldLock,
    ThreadedDatabase,
    Transaction,
    Writer,
    brief,
    make_engine,
    shared,
    writer_engine,
)
from softlanding.ids import system_ids
from softlanding.lifecycle import Parts, Phases, Service, Work, take_up_work
from softlanding.lifecycle.outages import LastEnd
from softlanding.messaging import feed, outbox
from softlanding.messaging.bus import BusDown
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.jetstream import JetStreamBus
from softlanding.supervisor import Loop, run_loops

TELLER, HEARER = "schedule", "dispatch"
tables = sa.MetaData()
told = sa.Table(
    "told",
    tables,
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("asked", sa.Float, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
noted = sa.Table(
    "noted",
    tables,
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("asked", sa.Float, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
)
_TELL = sa.insert(told)
_NOTE = sa.insert(noted)


class Noted(Fact):
    """What travels: the same values as every peer sends."""

    TYPE: ClassVar[str] = "bench.noted"

    number: int
    asked: float
    text: str

    @property
    def subject(self) -> str:
        return f"bench/{self.number}"


BY_SOURCE[TELLER][Noted.TYPE] = Noted  # In this process only: no release of Softlanding knows it.


def tell(tx: Transaction, _now: datetime, number: int, asked: float) -> None:
    """The action: one business row, one fact."""
    tx.execute(_TELL, {"number": number, "asked": asked, "text": TEXT})
    outbox.add(tx, Noted(number=number, asked=asked, text=TEXT))


@dataclass
class TellersFeed:
    """The teller's feed, read from its database: what a lost broker's receivers would ask for over HTTP."""

    url: str

    def __post_init__(self) -> None:
        self._engine = make_engine(self.url)

    async def line(self, source: str) -> feed.Line:
        return await asyncio.to_thread(self._read, source, feed.load_line)

    async def facts(self, source: str, epoch: str, after: int) -> list[Envelope]:
        return await asyncio.to_thread(self._read, source, outbox.feed_page, epoch, after, feed.PAGE_MAX)

    async def beat(self, service: str) -> bytes:
        raise feed.FeedDown(f"{service} has no health socket in this benchmark")

    async def beats(self, services: Sequence[str], within_s: float) -> list[bytes]:  # noqa: ARG002 - see Feed
        return []

    def _read(self, source: str, view: Callable[..., Any], *values: Any) -> Any:
        if source != TELLER:
            raise feed.FeedDown(f"there is no {source} in this benchmark")
        try:
            with self._engine.connect() as connection:
                return view(connection, *values)
        except DATABASE_ERRORS as error:
            raise feed.FeedDown(f"the teller has no tables yet: {brief(error)}") from error


async def run(given: dict[str, Any]) -> None:
    """Take up work on the role's database and turn all of a service's loops until the questions end."""
    name = TELLER if given["role"] == "tell" else HEARER
    heard = Heard()
    applied: list[float] = []

    def note(tx: Transaction, _now: datetime, fact: Noted, _envelope: Envelope) -> None:
        tx.execute(_NOTE, {"number": fact.number, "asked": fact.asked, "text": fact.text})
        applied.append(fact.asked)

    handlers = {f"{TELLER}.{Noted.TYPE}": note} if name == HEARER else {}
    work, database = await _take_up(Service(name, tables, "", handlers), given)

    def committed() -> None:
        heard.note(*applied)
        applied.clear()
        work.commits.fire()

    database.on_commit = committed
    loops = [
        Loop(step.name, step.run, step.pause_s, work.commits.subscribe() if step.wakes_on_commit else None, (BusDown,))
        for step in work.steps()
    ]
    turning = asyncio.create_task(run_loops(loops, work.parts.clock, rng=work.parts.rng))
    if name == HEARER:
        heard.answer_questions()
        await turning
    else:
        await tell_on_loop(lambda number, asked: database.write(tell, number, asked))


async def _take_up(service: Service, given: dict[str, Any]) -> tuple[Work, ThreadedDatabase]:
    clock, rng = SystemClock(), random.Random()
    ids = system_ids(clock)
    engine, writing = make_engine(given[given["role"]]), writer_engine(given[given["role"]])
    shared.create_all(writing)
    tables.create_all(writing)
    others = [source for source in BY_SOURCE if source != service.name]
    bus = JetStreamBus([given["nats"]], service.name, [service.name, *others], clock, rng=rng)
    parts = Parts(clock, ids, rng, bus, TellersFeed(given["tell"]))
    phases = Phases(clock)
    life, number = await take_up_work(
        service, writing, parts, hold=HoldLock(engine), phases=phases, stale_s=4, last_end=LastEnd()
    )
    writer = Writer(writing, life.epoch, clock, ids, outbox.numbering(service.name))
    writer.last_number = number
    database = ThreadedDatabase(engine, writer)
    work = Work(service, parts, database, life, phases)
    await bus.start()
    await work.recover()
    return work, database


if __name__ == "__main__":
    uvloop.run(run(arguments()))
