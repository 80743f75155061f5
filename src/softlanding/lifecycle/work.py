"""One service at work: its parts, put together, and the table of its steps.

A step is one batch and whether there was more; the supervisor loops over it, the simulator chooses when it runs.
"""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa

from softlanding import audit, keys
from softlanding.clock import Clock, retry
from softlanding.contracts import SOURCES
from softlanding.contracts.everyone import LifeBegan, LifeEnded
from softlanding.database import (
    DATABASE_ERRORS,
    Database,
    HoldLock,
    LeaseState,
    Life,
    Transaction,
    begin_life,
    has_said_goodbye,
    look_at_lease,
    say_goodbye,
)
from softlanding.errors import SoftlandingError
from softlanding.ids import Ids
from softlanding.incidents import open_incident
from softlanding.lifecycle import deaths
from softlanding.lifecycle.clock_guard import ClockGuard
from softlanding.lifecycle.outages import Before, LastEnd, Outage, look_back
from softlanding.lifecycle.phases import Phases
from softlanding.lifecycle.service import Service, Timer
from softlanding.lifecycle.signal import Signal
from softlanding.lifecycle.troubles import Troubles
from softlanding.messaging import dead_letters, inbox, outbox
from softlanding.messaging.beats import Beat, Change, Peers, beat_from_json
from softlanding.messaging.bus import Bus, BusDown
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.feed import Feed, FeedDown
from softlanding.messaging.inbox import Fork, Subscriptions
from softlanding.messaging.receiver import BATCH_MAX, Receiver
from softlanding.messaging.relay import Relay

P = ParamSpec("P")
R = TypeVar("R")

_COMMON_TIMERS = (Timer("keys", keys.has_ended, keys.drop_ended, pause_s=60.0),)

CODES_MAX = 20  # In one sentence.
WANTING_MAX = 500  # It travels with each beat.
WATCHER_LATE_S = 2.0  # A watcher that comes to itself so late begins its count anew.
ASK_AFTER_S = 1.5
NO_BUS = "NATS; facts travel by the second path"
ASK_AT_START_S = 1.0  # What a dead peer may cost each start.


@dataclass(frozen=True)
class Step:
    """One line of the table of loops."""

    name: str
    run: Callable[[], Awaitable[bool]]
    pause_s: float
    wakes_on_commit: bool = False


@dataclass(frozen=True)
class Parts:
    """The real parts, or the simulator's."""

    clock: Clock
    ids: Ids
    rng: random.Random
    bus: Bus
    feed: Feed
    release: str = "0"
    beat_s: float = 1.0
    silent_after_s: float = 3.0
    clock_jump_max_s: float = 2.0
    peer_clock_max_s: float = 30.0
    began: tuple[datetime, float] = field(
        init=False
    )  # Both clocks when the process began: one that stands by may jump.

    def __post_init__(self) -> None:
        object.__setattr__(self, "began", (self.clock.now(), self.clock.monotonic()))


class StandingBy(SoftlandingError):
    """Another process has the lease and beats."""


@dataclass
class LeaseWatch:
    """What a standby has seen of the owner: the beat, and since when (its own monotonic clock) it is unchanged."""

    seen: LeaseState | None = None
    since: float = 0.0
    changes: int = 0  # How often it was another than before: at least one tells that somebody is at work.


def look_on(_watch: LeaseWatch) -> None:
    """Who has nothing to do while another process is at work."""


async def take_up_work(
    service: Service,
    engine: sa.Engine,
    parts: Parts,
    *,
    hold: HoldLock,
    phases: Phases,
    stale_s: float,
    last_end: LastEnd,
    wait_s: float = float("inf"),
    look: Callable[[LeaseWatch], None] = look_on,
    on_trouble: Callable[[BaseException, float], None] | None = None,
) -> tuple[Life, int]:
    """Stand by until the lease can be taken, then begin a life; the life and its last fact number.

    At once if the former holder is dead (it let go of its lock), else when its beat stood still for `stale_s`.
    `look` is shown the lease each time that it cannot be taken. `on_trouble(error, waited_s)` hears what the database
    raises, and this goes on; without it that is raised.
    """
    watch = LeaseWatch()
    run = asyncio.to_thread if engine.dialect.name == "postgresql" else _at_once  # A server may keep us waiting.

    async def attempt() -> tuple[Life, int]:
        taken = await run(_try_to_take, service, engine, parts, watch, hold, stale_s, last_end)
        if taken is None:
            raise StandingBy("another process is at work")
        return taken

    def waiting(error: BaseException, waited_s: float) -> None:
        if not isinstance(error, StandingBy):
            watch.seen = None  # What stood still while nobody could look may be alive: count anew.
            hold.release()
            assert on_trouble is not None
            on_trouble(error, waited_s)
            return
        phases.is_standby = True
        phases.wait_for("the lease: another process is at work")
        look(watch)

    try:
        return await retry(
            attempt,
            clock=parts.clock,
            rng=parts.rng,
            deadline_s=wait_s,
            errors=(StandingBy, *(DATABASE_ERRORS if on_trouble is not None else ())),
            longest_s=0.5,
            waiting=waiting,
        )
    finally:
        phases.is_standby = False


async def _at_once(doing: Callable[P, R], *args: P.args, **kw: P.kwargs) -> R:
    return doing(*args, **kw)


def _try_to_take(
    service: Service,
    engine: sa.Engine,
    parts: Parts,
    watch: LeaseWatch,
    hold: HoldLock,
    stale_s: float,
    last_end: LastEnd,
) -> tuple[Life, int] | None:
    with engine.connect() as connection:
        seen = look_at_lease(connection)
        is_over = seen is None or has_said_goodbye(connection, seen.token)
        before = look_back(connection, seen.token if seen is not None else None, last_end)
    now_mono = parts.clock.monotonic()
    if seen != watch.seen:
        watch.changes += watch.seen is not None
        watch.seen, watch.since = seen, now_mono
    still_s = now_mono - watch.since
    if (
        seen is not None
        and not is_over
        and still_s < stale_s
        and (still_s < hold.proves_after_s or not hold.is_free(seen.token))
    ):
        return None
    epoch = parts.ids.new_after(seen.token) if seen is not None else parts.ids.new()  # Peers sort lives by their ids.
    hold.hold(epoch)

    def announce(life: Life) -> list[outbox.Told]:
        return [outbox.tell_first(parts.ids, _life_began(service, life, parts.release, last_end, before))]

    taken = begin_life(
        engine,
        parts.clock.now(),
        epoch,
        seen,
        outbox.numbering(service.name),
        last_end=last_end.how,
        last_end_at=before.ended_at,
        down_since=before.down_since,
        attempts=before.attempts,
        announce=announce,
    )
    if taken is None:
        hold.release()
    return taken


def _life_began(service: Service, life: Life, release: str, last_end: LastEnd, before: Before) -> LifeBegan:
    died = life.parent is not None and not life.parent_said_goodbye
    return LifeBegan(
        service=service.name,
        life=life.epoch,
        parent=life.parent,
        parent_last=life.parent_last,
        parent_said_goodbye=life.parent_said_goodbye,
        parent_ready_at=before.ready_at,
        last_end=(last_end.how or "unseen") if died else None,
        last_end_at=life.last_end_at,
        down_since=life.down_since if died else None,
        attempts=life.attempts,
        began_at=life.began_at,
        release=release,
    )


@dataclass
class Work:
    """A service at work, from the lease to the goodbye."""

    service: Service
    parts: Parts
    database: Database
    life: Life
    phases: Phases
    last_end: LastEnd = field(default_factory=LastEnd)
    settings: Any = None  # softlanding.settings.Settings; doors look things up there.
    troubles: Troubles = field(init=False)
    peers: Peers = field(init=False)
    guard: ClockGuard = field(init=False)
    relay: Relay = field(init=False)
    subscriptions: Subscriptions = field(init=False)
    receivers: dict[str, Receiver] = field(init=False)
    commits: Signal = field(default_factory=Signal)  # Fired after each group commit: wakes loops and live pages.
    beat: Beat | None = None
    held_noted: str | None = None
    ready_at: datetime | None = None  # As the database knows it.
    parked: int = 0
    refusals: audit.Refusals = field(default_factory=audit.Refusals)
    is_standby: bool = False  # Another process is at work; this one only reads.
    is_stopping: bool = False  # Live pages end their streams, so that the server can close.
    answered: Callable[[int, float], None] = lambda _status, _took_s: None  # Hears of each request.
    tell_change: Callable[[Change], None] = lambda _change: None  # Hears of peers gone silent, and back.
    tell_outage: Callable[[Outage], None] = lambda _outage: None  # Hears of the one that this life has ended.
    _unnoted: list[Change] = field(default_factory=list)
    _beats: int = 0
    _watched_mono: float | None = None

    def __post_init__(self) -> None:
        parts, name = self.parts, self.service.name
        others = tuple(source for source in SOURCES if source != name)
        self.troubles = Troubles(parts.clock)
        self.peers = Peers(others, parts.clock, parts.silent_after_s)
        self.guard = ClockGuard(parts.clock, parts.clock_jump_max_s, parts.peer_clock_max_s, *parts.began)
        self.relay = Relay(self.database, parts.bus)
        self.subscriptions = Subscriptions(
            handlers=deaths.handlers(name, others) | dict(self.service.handlers),
            on_refused=self.service.on_refused,
            on_fork=functools.partial(_report_fork, self.service),
            on_parked=_report_parked,
            is_clock_in_doubt=self.guard.is_in_doubt,
        )
        careful = BATCH_MAX if self.life.parent is not None and not self.life.parent_said_goodbye else 0
        self.receivers = {
            source: Receiver(
                source,
                self.database,
                parts.bus,
                parts.feed,
                self.subscriptions,
                parts.clock,
                careful,
                self._report_halt,
                self._report_forged,
            )
            for source in others
        }

    async def recover(self) -> None:
        """Before anything is sent or heard: what the last life's end means, and what became too late meanwhile."""
        self.guard.look()
        self.guard.look_at_last_sign(await self.database.read(outbox.time_before_life, self.life.epoch))
        await self._ask_the_time()
        await self.database.write(deaths.note_own_birth, self.service.name)
        if self.guard.held is None:
            for action in self.service.at_start:
                while await self.database.write(action):
                    continue
        for receiver in self.receivers.values():
            receiver.cursor = await self.database.read(inbox.load_cursor, receiver.source)

    async def _ask_the_time(self) -> None:
        """A process that starts by a wrong clock can know it from its peers, if one is there. Who agrees is heard
        first: then one that differs is alone with its time.
        """
        beats = await self.parts.feed.beats(self.peers.services, ASK_AT_START_S)
        now = self.parts.clock.now()
        skews = [((beat.at - now).total_seconds(), beat.service) for body in beats if (beat := _read_beat(body))]
        for skew_s, service in sorted(skews, key=lambda each: abs(each[0])):
            self.guard.look_at_peer(service, skew_s)

    def steps(self) -> list[Step]:
        """The table of loops."""
        table = [
            Step("relay", self.relay.step, 0.5, wakes_on_commit=True),
            Step("beat", self.send_beat, self.parts.beat_s),
            Step("hear", self.hear, 0.2),
            Step("watch", self.watch, 0.5),
            Step("lease", self.beat_lease, self.parts.beat_s / 2),
            Step("parked", self.count_parked, 2.0),
        ]
        for source, receiver in self.receivers.items():
            table.append(Step(f"listen.{source}", receiver.listen, 0.05))
            table.append(Step(f"repair.{source}", receiver.repair, 0.25))
        for timer in (*_COMMON_TIMERS, *self.service.timers):
            table.append(Step(f"timer.{timer.name}", self._timer_step(timer), timer.pause_s))
        for chore in self.service.chores:
            table.append(
                Step(f"chore.{chore.name}", self._chore_step(chore.step), chore.pause_s, chore.wakes_on_commit)
            )
        return table

    async def send_beat(self) -> bool:
        """Say that we live. Made of what is in memory; the bus being down only means that peers ask over HTTP."""
        self._beats += 1
        receipts = {name: receipt for name, r in self.receivers.items() if (receipt := r.receipt()) is not None}
        self.beat = Beat(
            service=self.service.name,
            life=self.life.epoch,
            number=self.database.last_number,
            count=self._beats,
            at=self.parts.clock.now(),
            phase=self.phases.phase,
            release=self.parts.release,
            receipts=receipts,
            backlog=max(0, self.database.last_number - self.relay.sent),
            parked=self.parked,
            is_degraded=self.state != "ready",
            detail=self.waiting_for,
            ready_at=(self.ready_at or self.phases.since) if self.phases.is_ready else None,
            state=self.state,
        )
        try:
            await self.parts.bus.send_beat(self.service.name, self.beat.to_json())
        except BusDown:
            return False
        return False

    async def hear(self) -> bool:
        """Take in the beats that came by the bus."""
        self.guard.look()
        await self._note_clock()
        try:
            heard = await self.parts.bus.take_beats()
        except BusDown:
            return False
        for _service, body in heard:
            await self._take_beat(body)
        return len(heard) >= 100

    async def watch(self) -> bool:
        """Ask over HTTP who was not heard; then say who is silent."""
        now = self.parts.clock.monotonic()
        if self._watched_mono is not None and now - self._watched_mono > WATCHER_LATE_S:
            self.peers.begin_anew()
        self._watched_mono = now
        for service in self.peers.unheard(ASK_AFTER_S):
            try:
                await self._take_beat(await self.parts.feed.beat(service))
            except FeedDown:
                continue
        await self._note(self.peers.find_silent())
        return False

    async def beat_lease(self) -> bool:
        """An idle owner commits a beat a second, so that standbys see that it lives, and with it what was refused."""
        if self.phases.is_ready:
            await self.note_ready()
        await self._keep_refusals(is_end=False)
        return False

    async def note_ready(self) -> None:
        """Before anybody is told that it is ready: a life that is killed before this was an attempt, and the outage
        before it goes on."""
        if self.ready_at is None:
            ready_at = self.phases.since if self.phases.is_ready else self.parts.clock.now()
            outage = await self.database.write(deaths.note_ready, self.service.name, self.life.epoch, ready_at)
            self.ready_at = ready_at
            if outage is not None:
                self.tell_outage(outage)

    async def _keep_refusals(self, *, is_end: bool) -> None:
        due = self.refusals.take(self.parts.clock.now(), is_end=is_end)
        try:
            await self.database.write(audit.keep_refusals, due)
        except SoftlandingError:
            self.refusals.give_back(due)
            raise

    async def count_parked(self) -> bool:
        """Receipts name what is parked now, also after a replay."""
        parked = await self.database.read(dead_letters.list_parked)
        self.parked = len(parked)
        for receiver in self.receivers.values():
            receiver.parked_numbers = tuple(p.sequence for p in parked if p.source == receiver.source)[-100:]
        return False

    async def say_goodbye(self) -> None:
        """The last words of a life that ends in order, sent if the bus is there."""
        await self._keep_refusals(is_end=True)
        await self.database.write(_goodbye, self.service.name)
        try:
            while await self.relay.step():
                pass
        except BusDown:
            return

    def replay_action(self, tx: Transaction, now: datetime, subject: str, by: str) -> dict[str, Any]:
        """Apply what is parked about `subject`, in order, in the transaction that frees it."""

        def apply(tx: Transaction, now: datetime, envelope: Envelope) -> None:
            inbox.apply_parked(tx, now, envelope, self.subscriptions)

        return {"subject": subject, "replayed": dead_letters.replay(tx, now, subject, by=by, apply=apply)}

    @property
    def state(self) -> str:
        """How it stands, once it is ready: `ready`, `degraded` (something does not work), `unready` (no request can be
        answered)."""
        if self.troubles.stops:
            return "unready"
        return "degraded" if self.waiting_for else "ready"

    @property
    def waiting_for(self) -> str:
        """All that is missing, in words for operators; "" when nothing is."""
        clock = f"a clock to trust: {self.guard.held}" if self.guard.held else None
        bus = None if self.parts.bus.is_up else NO_BUS
        return "; ".join(filter(None, (self.phases.waiting_for, self.troubles.waiting_for, clock, bus)))[:WANTING_MAX]

    def summary(self) -> dict[str, Any]:
        """For /state."""
        return self.phases.summary() | {
            "waiting_for": self.waiting_for or None,
            "troubles": self.troubles.summary(),
            "service": self.service.name,
            "life": self.life.epoch,
            "number": self.database.last_number,
            "sent": self.relay.sent,
            "bus_is_up": self.parts.bus.is_up,
            "clock_held": self.guard.held,
            "parked": self.parked,
            "release": self.parts.release,
            "inboxes": {
                name: {
                    "epoch": receiver.cursor.epoch if receiver.cursor else None,
                    "sequence": receiver.cursor.sequence if receiver.cursor else None,
                    "halted": receiver.halted,
                }
                for name, receiver in self.receivers.items()
            },
            "peers": self.peers.summary(),
        }

    def as_of(self, service: str) -> tuple[bool, datetime | None]:
        """(whether what this peer tells is applied here up to now, else up to when as far as is known)."""
        peer, receiver = self.peers.by_name[service], self.receivers[service]
        if receiver.is_behind(peer):
            return False, receiver.told_at
        return peer.silent_since is None, peer.heard_at

    def silent_peers(self) -> dict[str, float]:
        """1 for each peer that is silent, 0 for the others."""
        return {name: float(peer.silent_since is not None) for name, peer in self.peers.by_name.items()}

    def facts_behind(self) -> dict[str, float]:
        """How many facts of each peer's present life it told of in its beat and we have not applied."""
        behind: dict[str, float] = {}
        for name, receiver in self.receivers.items():
            beat, here = self.peers.by_name[name].beat, receiver.cursor
            if beat is not None:
                at = here.sequence if here is not None and here.epoch == beat.life else 0
                behind[name] = float(max(0, beat.number - at))
        return behind

    def facts_applied(self) -> dict[str, float]:
        """In this life, by who told them."""
        return {name: float(receiver.applied) for name, receiver in self.receivers.items()}

    async def _take_beat(self, body: bytes) -> None:
        beat = _read_beat(body)
        if beat is None:
            return
        changes = self.peers.hear(beat)
        peer = self.peers.by_name.get(beat.service)
        if peer is not None and peer.beat is beat:  # A copy, or one overtaken by a later, says nothing of this moment.
            self.guard.look_at_peer(beat.service, peer.skew_s)
            self.receivers[beat.service].look_at_tail(peer)
        await self._note(changes)

    async def _note(self, changes: Sequence[Change]) -> None:
        """Write down what changed, with what a full disk kept us from writing before."""
        for change in changes:
            self.tell_change(change)
        self._unnoted += changes
        while self._unnoted:
            change = self._unnoted[0]
            await self.database.write(deaths.note_change, self.service.name, change)
            if self._unnoted and self._unnoted[0] is change:  # Two loops come here; twice written is once.
                self._unnoted.pop(0)

    async def _note_clock(self) -> None:
        """A held clock is an incident: deadlines wait for it."""
        if self.guard.held is None or self.guard.held == self.held_noted:
            return
        held = self.guard.held
        await self.database.write(_open_clock_incident, self.service.name, held)
        self.held_noted = held

    async def _report_halt(self, source: str, why: str) -> None:
        await self.database.write(_open_halt_incident, self.service.name, source, why)

    async def _report_forged(self, source: str, why: str) -> None:
        await self.database.write(_open_forged_incident, self.service.name, source, why)

    def _timer_step(self, timer: Timer) -> Callable[[], Awaitable[bool]]:
        async def step() -> bool:
            self.guard.look()
            if timer.is_deadline and self.guard.held is not None:
                return False
            action = self._unless_clock_jumps(timer) if timer.is_deadline else timer.action
            if not await self.database.read(timer.is_due, self.parts.clock.now()):
                return False
            return await self.database.write(action)

        return step

    def _unless_clock_jumps(self, timer: Timer) -> Callable[[Transaction, datetime], bool]:
        """The timer's action; nothing if the clock jumps until the writer comes to it. The guard sees it next."""
        clock = self.parts.clock
        wall, mono = clock.now(), clock.monotonic()

        def act(tx: Transaction, now: datetime) -> bool:
            apart = (now - wall).total_seconds() - (clock.monotonic() - mono)
            return abs(apart) <= self.parts.clock_jump_max_s and timer.action(tx, now)

        return act

    def _chore_step(self, run: Callable[["Work"], Awaitable[bool]]) -> Callable[[], Awaitable[bool]]:
        async def step() -> bool:
            return await run(self)

        return step


def _read_beat(body: bytes) -> Beat | None:
    """None for a foreign voice on the subject: not a sign of anybody's life."""
    try:
        return beat_from_json(body)
    except SoftlandingError:
        return None


def _goodbye(tx: Transaction, now: datetime, service: str) -> None:
    outbox.add(tx, LifeEnded(service=service, life=tx.life, ended_at=now))
    say_goodbye(tx, now)


def _report_fork(service: Service, tx: Transaction, now: datetime, source: str, fork: Fork) -> None:
    """With the codes by which people at the desk know the pickups in question."""
    count = fork.last - fork.first + 1
    codes = service.pickups_of_fork(tx.connection, source, fork) if service.pickups_of_fork is not None else ()
    more = f" and {len(codes) - CODES_MAX} more" if len(codes) > CODES_MAX else ""
    about = f" Pickups that stand by them: {', '.join(sorted(codes)[:CODES_MAX])}{more}." if codes else ""
    open_incident(
        tx,
        now,
        cause=f"fork/{source}/{fork.epoch}/{fork.first}",
        kind="fork",
        about=f"service/{source}",
        sentence=f"The database of {source.title()} went back: {count} facts ({fork.first} to {fork.last} of life "
        f"{fork.epoch[:13]}) are applied here and unknown there. They are kept here; compare before you go on.{about}",
    )


def _report_parked(tx: Transaction, now: datetime, envelope: Envelope, reason: str) -> None:
    open_incident(
        tx,
        now,
        cause=f"poison/{envelope.source}/{envelope.subject}",
        kind="poison",
        about=envelope.subject,
        conference=envelope.conference,
        sentence=f"{envelope.type} about {envelope.subject} is parked: {reason}",
        grows=True,
    )


def _open_clock_incident(tx: Transaction, now: datetime, service: str, why: str) -> None:
    open_incident(
        tx,
        now,
        cause=f"clock/{tx.life}/{why}/{now - timedelta(seconds=now.second, microseconds=now.microsecond)}",
        kind="clock",
        about=f"service/{service}",
        sentence=f"{service.title()} holds its deadlines: {why}. It goes on when a peer agrees or a person says so.",
        grows=True,
    )


def _open_forged_incident(tx: Transaction, now: datetime, service: str, source: str, why: str) -> None:
    open_incident(
        tx,
        now,
        cause=f"forged/{tx.life}/{source}",
        kind="other",
        about=f"service/{source}",
        sentence=f"{service.title()}, hearing {source.title()}: {why}. Somebody has that service's password for NATS.",
    )


def _open_halt_incident(tx: Transaction, now: datetime, service: str, source: str, why: str) -> None:
    open_incident(
        tx,
        now,
        cause=f"halt/{tx.life}/{source}",
        kind="halted",
        about=f"service/{service}",
        sentence=f"{service.title()} has stopped hearing {source.title()}: {why}",
    )
