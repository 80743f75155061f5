"""Looks at what a service at work needs, and reports to its troubles what is missing: the lease's beat, loops that
turn, the folder that it writes to, peers' feeds that let it in. What is over, or lasts, becomes an incident.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from softlanding.incidents import count_open
from softlanding.lifecycle.outages import count_deaths
from softlanding.lifecycle.troubles import note_trouble
from softlanding.lifecycle.work import Step, Work
from softlanding.messaging.beats import Receipt
from softlanding.messaging.feed import EpochUnknown, FeedDown, FeedRefused
from softlanding.messaging.receipts import Lag, lags, receipts_for

LEASE_LATE_S = 3.0  # It beats twice a second.
LOOP_LATE_S = 10.0  # No step waits so long for anything.
COUNT_S = 5.0
PROVE_S = 3.0  # With the look at it, a fault is seen within five seconds.


@dataclass
class Needs:
    """`committed_s_ago` and `turned_at` (by loop, monotonic) come from who turns the loops. `folder`: written to by
    this service's chores; None: it writes nowhere."""

    work: Work
    committed_s_ago: Callable[[], float]
    turned_at: Mapping[str, float]
    folder: Path | None = None
    counted: dict[str, Mapping[str, float]] = field(default_factory=dict)  # For metrics: by name, each by its label.
    _lags: list[Lag] = field(default_factory=list)

    def steps(self) -> list[Step]:
        table = [
            Step("needs", self.look, 0.5),
            Step("needs.feeds", self.prove_feeds, PROVE_S),
            Step("needs.told", self.tell, 0.5),
            Step("needs.counted", self.count, COUNT_S),
        ]
        if self.folder is not None:
            table.append(Step("needs.folder", self.write_to_folder, PROVE_S))
        return table

    async def look(self) -> bool:
        """At what is in memory. Waits for nothing, so that it sees also what hangs."""
        troubles, late_s = self.work.troubles, self.committed_s_ago()
        if late_s > LEASE_LATE_S:
            troubles.miss_database("lease.late", f"the lease was not renewed for {late_s:.0f} s")
        else:
            troubles.reach_database("lease.late")
        now = self.work.parts.clock.monotonic()
        for loop, turned_at in self.turned_at.items():
            if loop.startswith("chore."):
                self._note(loop, f"{loop} stands still" if now - turned_at > LOOP_LATE_S else None)
        return False

    async def prove_feeds(self) -> bool:
        """The second path is asked for while the first one works: else nobody would know that it is shut."""
        for peer in self.work.receivers:
            try:
                await self.work.parts.feed.line(peer)
            except FeedRefused as refused:
                why = f"{peer.title()}'s feed refuses this service ({refused}): give both the same peer_token"
                self._note(f"feed.{peer}", why)
            except (FeedDown, EpochUnknown):
                continue  # A peer that does not answer is silent, and that is said elsewhere.
            else:
                self._note(f"feed.{peer}", None)
        return False

    async def write_to_folder(self) -> bool:
        """Whether what chores write would find its place."""
        assert self.folder is not None
        try:
            await asyncio.to_thread(_write_probe, self.folder, self.work.service.name)
        except OSError as error:
            self._note("data_folder", f"the data folder cannot be written: {error}")
        else:
            self._note("data_folder", None)
        return False

    async def count(self) -> bool:
        """What metrics tell of the database; whoever asks for them waits for no database."""
        read, counts = self.work.database.read, self.work.service.counts
        self.counted["incidents_open"] = await read(count_open)
        self.counted["deaths"] = await read(count_deaths)
        if counts is not None:
            self.counted["pickups"] = await read(counts)
        self._lags = await read(lags, self.work.service.name, self.work.peers.by_name)
        return False

    def waiting_s(self) -> dict[str, float]:
        """How old the oldest fact told here is that each peer has not applied, as far as it has said; 0: none waits."""
        now, work = self.work.parts.clock.now(), self.work
        told, tail = receipts_for(work.service.name, work.peers.by_name), (work.life.epoch, work.database.last_number)
        return {
            lag.receiver: 0.0
            if lag.oldest_at is None or _position(told.get(lag.receiver)) == tail
            else max(0.0, (now - lag.oldest_at).total_seconds())
            for lag in self._lags
        }

    async def tell(self) -> bool:
        """Open or complete the incidents of troubles."""
        work = self.work
        for trouble in work.troubles.untold():
            told = trouble.ended_at, trouble.refused
            await work.database.write(note_trouble, work.service.name, trouble, *told)
            if trouble.ended_at == told[0]:  # Else it ended meanwhile, and the end is told next.
                work.troubles.take_down(trouble)
            else:
                trouble.is_told = True
        return False

    def _note(self, name: str, why: str | None) -> None:
        if why is None:
            self.work.troubles.end(name)
        else:
            self.work.troubles.begin(name, why)


def _position(receipt: Receipt | None) -> tuple[str, int] | None:
    return (receipt.epoch, receipt.sequence) if receipt is not None else None


def _write_probe(folder: Path, service: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / f".{service}-can-write", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(b"1")
