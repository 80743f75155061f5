"""One simulated process of a service: born as a real one, turning the real table of steps, ended at any line."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.contracts import SOURCES, Fact
from softlanding.database import HoldLock, Transaction, Writer
from softlanding.errors import Refused, Unavailable
from softlanding.lifecycle import Parts, Phases, Service, Step, Work, take_up_work
from softlanding.lifecycle.outages import LastEnd
from softlanding.messaging import outbox
from softlanding.messaging.bus import BusDown
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import ANY
from softlanding.settings import Settings
from softlanding.sim.parts import Engines, SimBus, SimClock, SimDatabase
from softlanding.sim.turns import Task, others_may_run

SOFT_ERRORS = (BusDown, Unavailable)
LEASE_STALE_S = 4.0

tables = sa.MetaData()
applied = sa.Table(
    "sim_applied",
    tables,
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("epoch", sa.String(36), nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("id", sa.String(36), nullable=False),
    sa.Column("type", sa.String(80), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("revision", sa.Integer),
    sa.Column("is_refused", sa.Integer, nullable=False),
)
"""What the simulation writes beside each service's own tables: every fact that took effect, in its transaction."""

_NOTE = sa.insert(applied)


@dataclass
class Process:
    """From started to ended. `name` is for the trace; `slot` says which of a service's two processes it is."""

    name: str
    service: Service
    slot: int
    clock: SimClock
    engines: Engines
    parts: Parts
    last_end: LastEnd
    settings: Settings
    is_stopped: bool = False
    work: Work | None = None
    database: SimDatabase | None = None
    hold: HoldLock | None = None
    tasks: dict[str, Task] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)

    def begin(self) -> None:
        self.tasks["birth"] = Task("birth", self._be_born())

    @property
    def is_at_work(self) -> bool:
        return self.work is not None and self.work.phases.is_ready

    def start_step(self, name: str) -> None:
        self.tasks[name] = Task(name, self._turn(self.steps[name]))
        self.tasks[name].began_at, self.tasks[name].error_s = self.clock.now(), self.clock.error_s

    def start(self, name: str, coroutine: Any) -> None:
        self.tasks[name] = Task(name, coroutine)

    def advance(self, name: str) -> Any:
        """Let a task run to its next wait; None, or the task once it has ended. Raises what ends the process."""
        task = self.tasks[name]
        if not task.advance():
            return None
        del self.tasks[name]
        return task

    def end(self) -> None:
        """Nothing is flushed, nobody is told."""
        for name in sorted(self.tasks):
            self.tasks[name].drop()
        self.tasks.clear()
        if self.database is not None:
            self.database.close()
        else:
            self.engines.reading.dispose()
        if isinstance(self.parts.bus, SimBus):
            self.parts.bus.cut()
        if self.hold is not None:
            self.hold.release()
        self.engines.fuse.left = None

    async def _turn(self, step: Step) -> bool | None:
        """Whether there was work; None if a wire was broken: the supervisor waits and comes again."""
        try:
            return await step.run()
        except SOFT_ERRORS:
            return None

    async def _be_born(self) -> None:
        phases = Phases(self.clock)
        self.hold = HoldLock(self.engines.reading)
        life, number = await take_up_work(
            self.service,
            self.engines.writing,
            self.parts,
            hold=self.hold,
            phases=phases,
            stale_s=LEASE_STALE_S,
            last_end=self.last_end,
        )
        await others_may_run()
        numbering = outbox.numbering(self.service.name)
        writer = Writer(self.engines.writing, life.epoch, self.clock, self.parts.ids, numbering)
        writer.last_number = number
        self.database = SimDatabase(self.engines, writer)
        work = Work(self.service, self.parts, self.database, life, phases, self.last_end, self.settings)
        self.database.on_commit = work.commits.fire
        await self.parts.bus.start()  # type: ignore[attr-defined]
        await work.recover()
        for name in ("listening", "ready"):
            phases.enter(name)
        self.steps = {step.name: step for step in work.steps()}
        self.work = work
        await work.send_beat()


def watched(service: Service) -> Service:
    """The service, noting each fact that takes effect in the transaction in which it does."""
    kept = service.handlers.get(ANY)
    answer = service.on_refused

    def note(tx: Transaction, now: datetime, fact: Any, envelope: Envelope) -> None:
        if kept is not None:
            kept(tx, now, fact, envelope)
        _note(tx, fact, envelope, is_refused=False)

    def note_refused(tx: Transaction, now: datetime, fact: Any, envelope: Envelope, refused: Refused) -> None:
        if answer is not None:
            answer(tx, now, fact, envelope, refused)
        _note(tx, fact, envelope, is_refused=True)

    return replace(service, handlers=dict(service.handlers) | {ANY: note}, on_refused=note_refused)


def _note(tx: Transaction, fact: Fact, envelope: Envelope, *, is_refused: bool) -> None:
    values = {"source": envelope.source, "epoch": envelope.epoch, "sequence": envelope.sequence, "id": envelope.id}
    values |= {"type": envelope.type, "subject": envelope.subject}
    tx.execute(_NOTE, values | {"revision": getattr(fact, "revision", None), "is_refused": int(is_refused)})


def others_of(service: str) -> list[str]:
    return [source for source in SOURCES if source != service]


Maker = Callable[[Settings], Service]
