"""What doors, steps and loops see of a database: `write` an action, `read` a view."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import sqlalchemy as sa

from softlanding.database.engine import READERS, brief, is_away
from softlanding.database.writer import Action, Work, Writer
from softlanding.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")
View = Callable[Concatenate[sa.Connection, P], R]

QUEUE_MAX = 2000  # Waiting actions; beyond that a door says "busy" rather than hoard promises.


class Database(Protocol):
    """What doors, steps and loops see. `ThreadedDatabase` in production, `DirectDatabase` in tests and simulation."""

    @property
    def life(self) -> str: ...

    @property
    def last_number(self) -> int: ...

    async def write(self, action: Action[P, R], *args: P.args, **kw: P.kwargs) -> R:
        """The action's result, after its commit. Raises what it raised, or Unavailable: nothing happened."""

    async def read(self, view: View[P, R], *args: P.args, **kw: P.kwargs) -> R:
        """What the view answers, on a connection of its own that never waits for the writer."""


class DirectDatabase:
    """Everything at once, on the caller's thread: for tests, the simulation and commands without a running system."""

    def __init__(self, engine: sa.Engine, writer: Writer) -> None:
        self._engine = engine
        self.writer = writer

    @property
    def life(self) -> str:
        return self.writer.life

    @property
    def last_number(self) -> int:
        return self.writer.last_number

    def close(self) -> None:
        """Let go of every connection, as the end of a process does."""
        self.writer.close()
        self._engine.dispose()

    async def write(self, action: Action[P, R], *args: P.args, **kw: P.kwargs) -> R:
        return self.write_now(action, *args, **kw)

    async def read(self, view: View[P, R], *args: P.args, **kw: P.kwargs) -> R:
        return self.read_now(view, *args, **kw)

    def write_now(self, action: Action[P, R], *args: P.args, **kw: P.kwargs) -> R:
        work = Work(action, args, kw)
        self.writer.run_group([work])
        if work.error is not None:
            raise work.error
        result: R = work.result
        return result

    def read_now(self, view: View[P, R], *args: P.args, **kw: P.kwargs) -> R:
        return read_view(self._engine, view, args, kw)


class ThreadedDatabase:
    """The writer on a thread of its own; doors await it, readers run on a few threads beside it."""

    def __init__(
        self,
        engine: sa.Engine,
        writer: Writer,
        *,
        on_commit: Callable[[], None] | None = None,
        on_end: Callable[[Exception], None] | None = None,
    ) -> None:
        self._engine = engine
        self.writer = writer
        self.on_commit = on_commit
        self._on_end = on_end
        self._works: queue.Queue[Work | None] = queue.Queue(QUEUE_MAX)
        self._loop = asyncio.get_running_loop()
        self._readers: Executor = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._thread = threading.Thread(target=self._write_for_ever, name="writer", daemon=True)
        self._thread.start()

    @property
    def life(self) -> str:
        return self.writer.life

    @property
    def last_number(self) -> int:
        return self.writer.last_number

    @property
    def waiting(self) -> int:
        """Actions in the queue now."""
        return self._works.qsize()

    async def write(self, action: Action[P, R], *args: P.args, **kw: P.kwargs) -> R:
        future: asyncio.Future[R] = self._loop.create_future()
        work = Work(action, args, kw, settle=lambda done: _settle(future, done))
        try:
            self._works.put_nowait(work)
        except queue.Full:
            raise Unavailable(f"{QUEUE_MAX} requests are waiting already; nothing of this happened") from None
        return await future

    async def read(self, view: View[P, R], *args: P.args, **kw: P.kwargs) -> R:
        return await self._loop.run_in_executor(self._readers, read_view, self._engine, view, args, kw)

    def close(self, within_s: float = 5.0) -> None:
        """Finish what waits, then stop the thread."""
        self._works.put(None)
        self._thread.join(within_s)
        self._readers.shutdown(wait=False)
        if not self._thread.is_alive():
            self.writer.close()

    def _write_for_ever(self) -> None:
        while (group := self._next_group()) is not None:
            end: Exception | None = None
            try:
                self.writer.run_group(group)
            except Exception as error:  # noqa: BLE001 - fenced or a bug: the works are told, then the process ends
                end = error
            self._loop.call_soon_threadsafe(self._answer, group, end)
            if end is not None:
                return

    def _next_group(self) -> list[Work] | None:
        first = self._works.get()
        if first is None:
            return None
        group = [first]
        while len(group) < self.writer.group_max:
            try:
                work = self._works.get_nowait()
            except queue.Empty:
                break
            if work is None:
                self._works.put(None)
                break
            group.append(work)
        return group

    def _answer(self, group: Sequence[Work], end: Exception | None) -> None:
        """On the loop: one wake-up for the whole group."""
        for work in group:
            if work.settle is not None:
                work.settle(work)
        if end is not None and self._on_end is not None:
            self._on_end(end)
        elif self.on_commit is not None:
            self.on_commit()


def _settle(future: "asyncio.Future[Any]", work: Work) -> None:
    if future.done():  # Whoever asked has gone; what was committed stays committed.
        return
    if work.error is not None:
        future.set_exception(work.error)
    else:
        future.set_result(work.result)


def read_view(engine: sa.Engine, view: Callable[..., R], args: Any, kw: Any) -> R:
    """What the view answers, on a connection of its own. Raises Unavailable."""
    try:
        with engine.connect() as connection:
            return view(connection, *args, **kw)
    except sa.exc.DBAPIError as error:
        if not is_away(error):
            raise
        raise Unavailable("the database cannot be read now", f"the database cannot be read: {brief(error)}") from error
