"""The whole system in one place: true time, a broker, three services' processes, and a record from outside.

Nothing in it happens by itself: whoever drives a world (run.py) says which process turns which step, when time passes
and what breaks. Under one seed and one order of calls all of it happens again the same way.
"""

import hashlib
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from softlanding.contracts import SOURCES
from softlanding.database import make_engine, shared
from softlanding.errors import Fenced, Unavailable
from softlanding.ids import RandomIds
from softlanding.lifecycle import Parts, Service, Work
from softlanding.lifecycle.outages import LastEnd
from softlanding.messaging.bus import BusDown, Delivery
from softlanding.messaging.feed import FeedDown
from softlanding.messaging.memory import KIND, MemoryBroker
from softlanding.settings import Settings, load_settings
from softlanding.sim import process as processes
from softlanding.sim.checks import Checker, Record
from softlanding.sim.parts import QUICK, Engines, Killed, SimBus, SimClock, SimFeed, TrueTime
from softlanding.sim.process import Process, others_of, watched
from softlanding.sim.turns import Task

BEGIN = datetime(2026, 9, 16, 9, 0, tzinfo=UTC)
SLOTS = 2  # Two processes of one service: one at work and one standing by, or one stopped and its successor.
WAITS_MAX = 300  # Many more than any step has.
SECRET = "a secret of the simulation, long enough to be one"

Maker = Callable[[str, Settings], Service]


class Ground:
    """What outlives a seed: a folder in memory where there is one, empty databases, engines with their statements."""

    def __init__(self, make: Maker) -> None:
        memory = Path("/dev/shm")
        parent = memory if memory.is_dir() else None
        self._folder = tempfile.TemporaryDirectory(prefix="softlanding-sim-", dir=parent)
        self.folder = Path(self._folder.name)
        self.make = make
        values = {"data_folder": str(self.folder / "data"), "session_secret": SECRET, "peer_token": SECRET}
        self.settings = load_settings(folder=self.folder, environment={}, command_line=values)
        self.empty = {name: self._make_empty(name) for name in SOURCES}
        self.engines = {(name, slot): Engines(self.path(name)) for name in SOURCES for slot in range(SLOTS)}

    def path(self, service: str) -> Path:
        return self.folder / "now" / f"{service}.db"

    def clear(self) -> None:
        """Empty databases for the next seed."""
        for name in ("now", "then", "data"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            (self.folder / name).mkdir()
        for name, empty in self.empty.items():
            shutil.copy(empty, self.path(name))

    def close(self) -> None:
        for engines in self.engines.values():
            engines.reading.dispose()
        self._folder.cleanup()

    def _make_empty(self, name: str) -> Path:
        path = self.folder / "empty" / f"{name}.db"
        engine = make_engine(f"sqlite:///{path}", QUICK)
        for tables in (shared, self.make(name, self.settings).tables, processes.tables):
            tables.create_all(engine)
        with engine.connect() as connection:
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        engine.dispose()
        return path


@dataclass
class Trace:
    """What happened, as a running hash and, when asked for, as lines."""

    keep: bool = False
    lines: list[str] = field(default_factory=list)
    _hash: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))

    def say(self, words: str) -> None:
        self._hash.update(words.encode() + b"\n")
        if self.keep:
            self.lines.append(words)

    @property
    def digest(self) -> str:
        return str(self._hash.hexdigest())


class World:
    """All that is simulated under one seed."""

    def __init__(self, seed: int, ground: Ground, trace: Trace) -> None:
        ground.clear()
        self.ground = ground
        self.trace = trace
        self.time = TrueTime(BEGIN)
        self.rng = random.Random(seed)
        self.parts_rng = random.Random(seed + 1_000_003)
        self.broker = MemoryBroker(random.Random(seed + 2_000_003), KIND)
        self.processes: list[Process] = []
        self.back_at: dict[str, tuple[float, LastEnd]] = {}  # Services that are down, and when they are started.
        self.clock_errors: dict[str, float] = {}
        self.feed_cut: set[frozenset[str]] = set()
        self.feed_loss = 0.0
        self.faults: dict[str, int] = {}
        self.violations: list[str] = []
        self.on_done: dict[str, Callable[[Any, BaseException | None], None]] = {}
        self.record = Record(since=BEGIN)
        self.checker = Checker({name: ground.path(name) for name in SOURCES}, self.record)
        self._started = 0
        for engines in ground.engines.values():
            engines.fuse.left = None

    # Processes

    def start(self, name: str, last_end: LastEnd | None = None) -> Process | None:
        """A new process of the service, beside a living one if there is one; None when both slots are taken."""
        taken = {process.slot for process in self.of(name)}
        slot = next((slot for slot in range(SLOTS) if slot not in taken), None)
        if slot is None:
            return None
        self._started += 1
        clock = SimClock(self.time, self.clock_errors.get(name, 0.0))
        if clock.error_s:
            self.record.started_wrong.add(name)
        ids = RandomIds(clock, random.Random(self.parts_rng.getrandbits(64)))
        feed = SimFeed(lambda peer: self.find(peer, asked_by=name), self.parts_rng, lambda: self.feed_loss)
        bus = SimBus(self.broker, name, others_of(name), self._record_acknowledged)
        parts = Parts(clock, ids, self.parts_rng, bus, feed, release="simulated")
        service = watched(self.ground.make(name, self.ground.settings))
        engines = self.ground.engines[name, slot]
        end = last_end or LastEnd()
        process = Process(f"{name}-{self._started}", service, slot, clock, engines, parts, end, self.ground.settings)
        self.processes.append(process)
        self.back_at.pop(name, None)
        self.trace.say(f"start {process.name} {end.how}")
        process.begin()
        return process

    def kill(self, process: Process, how: str, back_in_s: float | None = None) -> None:
        """It ends at once. Its service is started again after `back_in_s`, unless another process of it lives."""
        self.trace.say(f"end {process.name} {how}")
        for name in list(process.tasks):
            if name in self.on_done:
                self.on_done.pop(name)(None, Killed())
        service = process.service.name
        if process.work is not None and how in ("SIGKILL", "bug"):
            self.record.killed.append((service, process.work.life.epoch))
        process.end()
        self.processes.remove(process)
        if not self.of(service):
            wait_s = self.rng.choice((0.0, 0.0, 0.2, 1.0, 4.0, 30.0)) if back_in_s is None else back_in_s
            is_seen = self.rng.random() < 0.5
            end = LastEnd(how, self.time.wall) if is_seen else LastEnd()
            self.back_at[service] = (self.time.mono + wait_s, end)

    def of(self, service: str) -> list[Process]:
        return [process for process in self.processes if process.service.name == service]

    @property
    def awake(self) -> list[Process]:
        return [process for process in self.processes if not process.is_stopped]

    def at_work(self, service: str) -> list[Process]:
        """Those that take requests: the one at work, and one that does not know yet that it is not."""
        return [process for process in self.of(service) if process.is_at_work and not process.is_stopped]

    def find(self, service: str, asked_by: str) -> Work | None:
        """Whoever of the service answers its peers now."""
        if frozenset((service, asked_by)) in self.feed_cut:
            return None
        answering = self.at_work(service)
        return self.parts_rng.choice(answering).work if answering else None

    # Turns

    def advance(self, process: Process, name: str) -> bool:
        """Let a task run to its next wait; True when it ended, or its process did. Then the checkers look."""
        held = self._held(process)
        try:
            task = process.advance(name)
        except Killed:
            self.kill(process, "SIGKILL")
            task = True
        except Fenced:
            self.kill(process, "fenced")
            task = True
        except (Unavailable, BusDown, FeedDown, sa.exc.OperationalError, sqlite3.OperationalError) as error:
            task = self._failed(process, name, error)
        except Exception as error:  # noqa: BLE001 - whatever else a step raises is what we are looking for
            self.violations.append(f"{process.name} died of a bug in {name}: {type(error).__name__}: {error}")
            self.kill(process, "bug")
            task = True
        else:
            if task is not None:
                self._ended(process, task, is_held=held or self._held(process))
        self.look()
        return task is not None

    def run_step(self, process: Process, name: str) -> None:
        """One step from begin to end, nobody in between; one that waits for another goes on later."""
        if name not in process.tasks:
            process.start_step(name)
        for _ in range(WAITS_MAX):
            if process not in self.processes or self.advance(process, name):
                return

    def pass_time(self, seconds: float) -> None:
        self.time.advance(seconds)
        for _ in range(max(1, min(100, int(seconds * 2)))):
            self.broker.tick()
        for service, (at, end) in sorted(self.back_at.items()):
            if at <= self.time.mono:
                self.start(service, end)

    def look(self) -> None:
        self.violations += self.checker.look(self.time.wall)

    def _record_acknowledged(self, receiver: str, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            envelope = delivery.envelope
            self.record.acknowledged.append((receiver, envelope.source, envelope.epoch, envelope.sequence))

    def _held(self, process: Process) -> bool:
        return process.work is not None and process.work.guard.held is not None

    def _ended(self, process: Process, task: Task, *, is_held: bool) -> None:
        if task.name in self.on_done:
            self.on_done.pop(task.name)(task.result, None)
        elif task.began_at is not None and task.name.startswith("timer.") and task.result is False and not is_held:
            if task.error_s != process.clock.error_s:
                return  # A clock that jumped decides nothing.
            self.violations += self.checker.after_timer(process.service.name, task.name[6:], task.began_at)

    def _failed(self, process: Process, name: str, error: Exception) -> bool:
        """A broken wire or a full disk ends a birth or a request, not more."""
        process.tasks.pop(name, None)
        self.trace.say(f"failed {process.name} {name}")
        if name in self.on_done:
            self.on_done.pop(name)(None, error)
        elif process.work is None:
            self.kill(process, "could not start")
        return True

    # Files

    def copy_away(self, service: str) -> None:
        """Keep a copy of the database as it is now, with its log, as a careless backup does."""
        for suffix in ("", "-wal"):
            source = Path(f"{self.ground.path(service)}{suffix}")
            target = self.ground.folder / "then" / source.name
            if source.exists():
                shutil.copy(source, target)
            else:
                target.unlink(missing_ok=True)
        self.record.copied(service)

    def copy_back(self, service: str) -> None:
        """End all of its processes and put the old files where the new ones were."""
        for process in self.of(service):
            self.kill(process, "SIGKILL", 0.0)
        self.checker.close(service)
        path = self.ground.path(service)
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        for suffix in ("", "-wal"):
            old = self.ground.folder / "then" / f"{path.name}{suffix}"
            if old.exists():
                shutil.copy(old, f"{path}{suffix}")
        self.record.copied_back(service)
        self.checker.reopen(service)

    def close(self) -> None:
        for process in list(self.processes):
            process.end()
        self.processes.clear()
        self.checker.close_all()
