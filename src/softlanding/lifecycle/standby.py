"""Standing by: another process is at work, and this one answers what needs no lease."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

import sqlalchemy as sa

from softlanding.database import Action, LeaseState, Life, lease, lives
from softlanding.database.access import View, read_view
from softlanding.database.engine import READERS
from softlanding.errors import NotFound, SoftlandingError, Unavailable
from softlanding.lifecycle.phases import Phases
from softlanding.lifecycle.service import Service
from softlanding.lifecycle.work import LeaseWatch, Parts, Work
from softlanding.messaging.beats import beat_from_json

P = ParamSpec("P")
R = TypeVar("R")

_PRESENT = sa.select(lives).join(lease, lease.c.token == lives.c.epoch)


def load_life_at_work(connection: sa.Connection) -> Life:
    """The life that has the lease. Raises NotFound where nobody was ever at work."""
    row = connection.execute(_PRESENT).first()
    if row is None:
        raise NotFound("nobody has ever been at work here")
    return Life(row.epoch, row.parent, row.parent_last, True, row.began_at, row.last_end)


class ReadingDatabase:
    """A database that another process writes. Reads as any other; each write is refused in words."""

    def __init__(self, engine: sa.Engine) -> None:
        self.seen = LeaseState("", 0, 0)
        self._engine = engine
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="standby")

    @property
    def life(self) -> str:
        return self.seen.token

    @property
    def last_number(self) -> int:
        return self.seen.last_number

    async def write(self, action: Action[P, R], *args: P.args, **kw: P.kwargs) -> R:  # noqa: ARG002 - see Database
        raise Unavailable("this process stands by, another one is at work; nothing of this happened")

    async def read(self, view: View[P, R], *args: P.args, **kw: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._readers, read_view, self._engine, view, args, kw)


class Standby:
    """What stands by until this process has the lease. `show(work)` is called once another was seen at work.

    A lease that merely has not gone stale yet is nobody at work: then the port stays closed, and the front door holds
    the requests for whoever takes over in a moment.
    """

    def __init__(
        self,
        parts: Parts,
        engine: sa.Engine,
        phases: Phases,
        settings: Any,
        make: Callable[[], Service],
        show: Callable[[Work], None],
    ) -> None:
        self.work: Work | None = None
        self._parts = parts
        self._database = ReadingDatabase(engine)
        self._phases = phases
        self._settings = settings
        self._make = make
        self._show = show
        self._turn: asyncio.Task[None] | None = None

    def look(self, watch: LeaseWatch) -> None:
        """The lease could not be taken. Raises what a bug raised since the last look."""
        if watch.seen is None or not watch.changes or (self._turn is not None and not self._turn.done()):
            return
        if self._turn is not None:
            self._turn.result()
        self._turn = asyncio.create_task(self._look_around(watch.seen))

    def end(self) -> None:
        """This process takes over, or stops."""
        if self._turn is not None:
            self._turn.cancel()

    async def _look_around(self, seen: LeaseState) -> None:
        """Who is at work now, how the others are; live pages look again, for each group commit beats the lease."""
        self._database.seen = seen
        with suppress(Unavailable, NotFound):
            life = await self._database.read(load_life_at_work)
            if self.work is None:
                self.work = self._begin(life)
                self._show(self.work)
            work, self.work.life = self.work, life
            work.commits.fire()
            await asyncio.gather(*(self._ask(work, peer) for peer in work.peers.unheard(self._parts.beat_s)))
            work.peers.find_silent()

    def _begin(self, life: Life) -> Work:
        """With a service value of its own: what the active one keeps in memory must not be from before its life."""
        work = Work(self._make(), self._parts, self._database, life, self._phases, settings=self._settings)
        work.is_standby = True
        return work

    async def _ask(self, work: Work, peer: str) -> None:
        with suppress(SoftlandingError):  # Silent, or no words of ours: the same as silent.
            work.peers.hear(beat_from_json(await self._parts.feed.beat(peer)))
