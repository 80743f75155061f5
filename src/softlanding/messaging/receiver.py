"""The loops of one source's inbox: from the bus while it is there, from the feed for what it lost."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from softlanding.clock import Clock
from softlanding.database import Database
from softlanding.messaging import inbox
from softlanding.messaging.beats import Peer, Receipt
from softlanding.messaging.bus import Bus, BusDown, Delivery
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.feed import EpochUnknown, Feed, FeedDown
from softlanding.messaging.inbox import Applied, Crossing, Cursor, Subscriptions

BATCH_MAX = 256
BATCH_AT_FIRST = 32
ACTION_S = 0.1  # What one action should take: people's actions wait behind it. At most 0.25.
WAIT_S = 1.0
TRIES_MAX = 3
HALT_AFTER_SUBJECTS = 3  # Parked within HALT_WITHIN_S: then the code is broken, not the facts.
HALT_WITHIN_S = 60.0
COMPARE_EVERY_S = 10.0  # With the producer's feed, as long as facts come.
TAKEN_KEPT = 4096  # Ids of facts taken lately: the other way, or the producer's own, brings a copy soon.


@dataclass
class Receiver:
    """One source's facts into one service. `careful` facts are applied one by one, each attempt counted first:
    after a death inside a batch the next life must find out which fact killed it.
    """

    source: str
    database: Database
    bus: Bus
    feed: Feed
    subscriptions: Subscriptions
    clock: Clock
    careful: int = 0
    on_halt: Callable[[str, str], Awaitable[None]] | None = None
    on_forged: Callable[[str, str], Awaitable[None]] | None = None
    halted: str | None = None
    cursor: Cursor | None = None
    needs_repair: bool = True  # At start, and whenever a gap or a lost tail shows.
    parked_numbers: tuple[int, ...] = ()
    applied: int = 0  # In this life.
    told_at: datetime | None = None  # When the newest fact that was taken in this life was told.
    _halting: str | None = None  # Why it is to stand still; `halted` says the same once that is written down.
    _held: list[Delivery] = field(default_factory=list)
    _size: int = BATCH_AT_FIRST  # So many facts an action, by how long the last ones took.
    _counted: dict[str, int] = field(default_factory=dict)  # Tries of careful facts; as many as `careful` at first.
    _counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    _tries: dict[str, int] = field(default_factory=dict)
    _parked_at: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=16))
    _taken: dict[tuple[str, int], str] = field(default_factory=dict)  # Number to id.
    _doubted: tuple[str, int, str] | None = None  # Taken, and then another fact came under its number.
    _compared: tuple[str, int, str] | None = None
    _compare_at: float = -math.inf

    async def listen(self) -> bool:
        """Apply one batch from the bus. True if there was one. Raises BusDown, Unavailable."""
        if await self._is_halted():
            return False
        if not self._held:
            self._held = await self.bus.receive(self.source, limit=BATCH_MAX, wait_s=WAIT_S)
        if not self._held:
            return False
        outcome = await self._apply([delivery.envelope for delivery in self._held])
        await self._let_go(outcome.settled)
        if outcome.gap is not None:
            self.needs_repair = True
            line = await self._catch_up_quietly()
            if line is None:
                return False
            outcome = await self._apply([delivery.envelope for delivery in self._held], line=line)
            await self._let_go(outcome.settled)
        return outcome.settled > 0

    async def repair(self) -> bool:
        """Fetch from the producer's feed what is lacking, when something is. True if facts came."""
        if await self._is_halted():
            return False
        await self._compare()
        if self.halted or not (self.needs_repair or not self.bus.is_up):
            return False
        before = self.cursor
        await self._catch_up_quietly()
        return self.cursor != before

    def look_at_tail(self, peer: Peer) -> None:
        """A beat names the producer's last number; who stands behind the tail of the one before the last fetches."""
        if peer.beat is None or peer.tail_before is None:
            return
        life, number = peer.tail_before
        here = self.cursor
        if number > 0 and (here is None or (here.epoch == life and here.sequence < number)):
            self.needs_repair = True
        if here is not None and here.epoch != life and peer.beat.life == life:
            self.needs_repair = True

    def is_behind(self, peer: Peer) -> bool:
        """Whether facts are lacking here that the producer had told by the beat before its last."""
        if peer.beat is None or peer.tail_before is None or peer.tail_before[1] == 0:
            return False
        life, number = peer.tail_before
        if self.cursor is None or self.cursor.epoch not in (life, peer.beat.life):
            return True
        return self.cursor.epoch == life and self.cursor.sequence < number

    def receipt(self) -> Receipt | None:
        if self.cursor is None:
            return None
        return Receipt(
            epoch=self.cursor.epoch, sequence=self.cursor.sequence, parked=self.parked_numbers, halted=self.halted
        )

    async def _compare(self) -> None:
        """Whether what was taken is what its producer told. Who can speak on the bus in its name may be another; the
        feed is the producer itself. Now and then for the newest fact, and at once when two came under one number.
        """
        mine = self._doubted or await self._newest_to_compare()
        if mine is None:
            return
        try:
            told = await self._told_as(*mine)
        except FeedDown:
            return  # Asked again at the next turn.
        is_doubted, self._doubted, self._compared = self._doubted is not None, None, mine
        self._compare_at = self.clock.monotonic() + COMPARE_EVERY_S
        if told != mine[2]:
            what = f"fact {mine[1]} of {self.source}, applied here, is not what its producer told"
            self._halting = f"{what}: somebody else speaks in its name"
            if await self._is_halted():
                await self.database.write(inbox.step_back, self.source, mine[0], mine[1])
        elif is_doubted and self.on_forged is not None:
            await self.on_forged(self.source, f"a second fact came under number {mine[1]} and was not taken")

    async def _told_as(self, epoch: str, sequence: int, taken: str) -> str | None:
        """The id of the fact that the producer has under this number; None when it has told none in its present life.

        What a branch that it lost had under it is not known any more: then the id taken. Raises FeedDown.
        """
        try:
            page = await self.feed.facts(self.source, epoch, sequence - 1)
        except EpochUnknown:
            return taken
        if page and page[0].sequence == sequence:
            return page[0].id
        line = await self.feed.line(self.source)
        return None if line.epochs and line.epochs[-1].epoch == epoch and sequence > line.tail else taken

    async def _newest_to_compare(self) -> tuple[str, int, str] | None:
        if self.clock.monotonic() < self._compare_at:
            return None
        newest = await self.database.read(inbox.load_newest, self.source)
        return newest if newest != self._compared else None

    def _remember(self, batch: list[Envelope], taken: list[Envelope]) -> None:
        """What was taken under which number, and whether something else came under one of these."""
        for envelope in taken:
            self._taken[envelope.number] = envelope.id
        while len(self._taken) > TAKEN_KEPT:
            del self._taken[next(iter(self._taken))]
        for envelope in batch:
            known = self._taken.get(envelope.number, envelope.id)
            if known != envelope.id:
                self._doubted = (envelope.epoch, envelope.sequence, known)

    async def _let_go(self, settled: int) -> None:
        done, self._held = self._held[:settled], self._held[settled:]
        if done:
            await self.bus.acknowledge(self.source, done)

    async def _catch_up_quietly(self) -> frozenset[str] | None:
        """The producer's epochs once everything up to its tail is applied; None if that could not be done now."""
        try:
            return await self._catch_up()
        except (FeedDown, EpochUnknown):
            return None

    async def _catch_up(self) -> frozenset[str] | None:
        line = await self.feed.line(self.source)
        while not self.halted:
            known = await self.database.read(inbox.load_known_epochs, self.source)
            fetch = inbox.next_fetch(known, line.epochs, line.tail)
            if fetch is None:
                self.needs_repair = False
                return frozenset(life.epoch for life in line.epochs)
            page = await self.feed.facts(self.source, fetch.epoch, fetch.after)
            if fetch.until is not None:
                page = [envelope for envelope in page if envelope.sequence <= fetch.until]
            crossing = fetch.crossing and replace(fetch.crossing, at=known[-1] if known else None)
            outcome = await self._apply(page, crossing=crossing)
            if not outcome.applied and outcome.broken is None:
                return None  # The producer lacks what its line promises, or changed meanwhile: ask again later.
        return None

    async def _apply(
        self, batch: list[Envelope], *, crossing: Crossing | None = None, line: frozenset[str] | None = None
    ) -> Applied:
        """Apply the batch in pieces that nobody waits long for; it ends where a piece stopped."""
        whole, rest = Applied(), batch
        while True:
            piece, rest = rest[: self._size], rest[self._size :]
            began = self.clock.monotonic()
            part = await self._apply_piece(piece, crossing, line)
            self._size = next_size(self._size, len(piece), self.clock.monotonic() - began)
            whole = whole.joined(part)
            if not rest or part.settled < len(piece) or self.halted:
                return whole

    async def _apply_piece(
        self, batch: list[Envelope], crossing: Crossing | None, line: frozenset[str] | None
    ) -> Applied:
        park: dict[str, str] = {}
        if self.careful and batch:
            batch, park = await self._one_with_count(batch, crossing, line)
        outcome = await self.database.write(
            inbox.apply_batch, self.source, batch, self.subscriptions, crossing=crossing, line=line, park=park
        )
        if outcome.broken is not None:
            park = self._count_breakage(*outcome.broken)
            if park:
                rest = batch[outcome.settled :]
                settled, taken = outcome.settled, outcome.taken
                outcome = await self.database.write(
                    inbox.apply_batch, self.source, rest, self.subscriptions, crossing=crossing, line=line, park=park
                )
                outcome.settled += settled
                outcome.taken = taken + outcome.taken
        self._remember(batch, outcome.taken)
        await self._take_note(outcome)
        return outcome

    async def _one_with_count(
        self, batch: list[Envelope], crossing: Crossing | None, line: frozenset[str] | None
    ) -> tuple[list[Envelope], dict[str, str]]:
        """The first fact alone, its attempt committed; after TRIES_MAX attempts that killed us it is parked.

        Counted once a life: what this process has outlived, it may try again. Bus and feed may bring the same fact.
        """
        envelope, here = batch[0], self.cursor
        if here is not None and here.epoch == envelope.epoch and envelope.sequence <= here.sequence:
            return [envelope], {}
        async with self._counting:
            count = self._counted.get(envelope.id, 0)
            if not count:
                count = await self.database.write(inbox.count_attempt, envelope, crossing, line)
                if count:
                    self.careful -= 1
                    self._counted[envelope.id] = count
        reason = f"ended the process {TRIES_MAX} times"
        return [envelope], ({envelope.id: reason} if count > TRIES_MAX else {})

    def _count_breakage(self, envelope: Envelope, error: str) -> dict[str, str]:
        tries = self._tries[envelope.id] = self._tries.get(envelope.id, 0) + 1
        if tries < TRIES_MAX:
            return {}
        del self._tries[envelope.id]
        return {envelope.id: f"broke {TRIES_MAX} times: {error}"}

    async def _take_note(self, outcome: Applied) -> None:
        if outcome.cursor is not None:
            self.cursor = outcome.cursor
        self.applied += outcome.applied
        self.told_at = outcome.taken[-1].time if outcome.taken else self.told_at
        now = self.clock.monotonic()
        for envelope in outcome.parked:
            self.parked_numbers = (*self.parked_numbers, envelope.sequence)[-100:]
            self._parked_at.append((now, envelope.subject))
        recent = {subject for at, subject in self._parked_at if now - at <= HALT_WITHIN_S}
        halt = outcome.halt
        if len(recent) >= HALT_AFTER_SUBJECTS:
            halt = f"{len(recent)} subjects were parked within a minute: the code is broken, not the facts"
        self._halting = self._halting or halt
        await self._is_halted()

    async def _is_halted(self) -> bool:
        """It stands still once that is written down, and it is loud. Until then each step tries to write it again,
        and applies nothing. Raises Unavailable.
        """
        if self.halted is None and self._halting is not None:
            if self.on_halt is not None:
                await self.on_halt(self.source, self._halting)
            self.halted = self._halting
        return self.halted is not None


def next_size(size: int, applied: int, took_s: float) -> int:
    """How many facts the next action takes: what ACTION_S allows at the last one's pace, at most twice as many."""
    fits = BATCH_MAX if took_s <= 0 else int(applied * ACTION_S / took_s)
    return max(1, min(fits, size * 2 if applied == size else size, BATCH_MAX))


async def drain(receiver: Receiver) -> None:
    """Apply all that the bus holds for the receiver now; for tests and commands."""
    try:
        while await receiver.listen():
            pass
    except BusDown:
        return
