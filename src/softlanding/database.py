"""One service's database: readers that never wait, and the one writer with its lease.

An action is one plain function, `(tx, now, …values) -> result`. The writer runs waiting actions one after the other,
each in a savepoint of its own, and commits them together; nobody is answered before that commit returned. Each group
commit begins by beating the lease: a process that lost it may write no more.

The same statements serve SQLite and PostgreSQL.
"""

import asyncio
import fcntl
import hashlib
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from softlanding.clock import Clock
from softlanding.errors import Fenced, OutcomeUnknown, SoftlandingError, Unavailable
from softlanding.ids import Ids

P = ParamSpec("P")
R = TypeVar("R")

GROUP_MAX = 64  # Savepoints in one commit. PostgreSQL slows down beyond 64 subtransactions; we take 50 there.
GROUP_MAX_POSTGRESQL = 50
QUEUE_MAX = 2000  # Waiting actions; beyond that a door says "busy" rather than hoard promises.
READERS = 4

DATABASE_ERRORS = (sa.exc.DBAPIError, sqlite3.Error, psycopg.Error)

shared = sa.MetaData()
"""Tables that each service's database has: this module's, messaging's, auth's, incidents', notices'."""


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps it as ISO text of fixed width, so that text order is time order."""

    impl = sa.String(27)
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        return dialect.type_descriptor(sa.String(27))

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without zone: {value}")
        utc = value.astimezone(_UTC)
        return utc if dialect.name == "postgresql" else utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: Any, _dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        moment: datetime = value
        return moment.astimezone(_UTC)


_UTC = datetime.fromisoformat("2000-01-01T00:00:00+00:00").tzinfo

lease = sa.Table(
    "lease",
    shared,
    sa.Column("id", sa.Integer, primary_key=True),  # Always 1: there is one lease.
    sa.Column("token", sa.String(36), nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("last_number", sa.BigInteger, nullable=False),  # Of this life's facts.
)
lives = sa.Table(
    "lives",
    shared,
    sa.Column("epoch", sa.String(36), primary_key=True),
    sa.Column("parent", sa.String(36)),
    sa.Column("parent_last", sa.BigInteger),
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),  # Set by a goodbye only: a death cannot write.
    sa.Column("last_end", sa.String(200)),  # What the supervisor knew of the parent's end: "SIGKILL".
)

_BEAT = sa.update(lease).where(lease.c.token == sa.bindparam("mine")).values(beat=lease.c.beat + 1)
_BEAT_RETURNING = _BEAT.returning(lease.c.last_number)
_COUNT = sa.update(lease).where(lease.c.token == sa.bindparam("mine")).values(last_number=sa.bindparam("number"))
_LEASE = sa.select(lease.c.token, lease.c.beat, lease.c.last_number)
_LIFE = sa.select(lives)


class Transaction:
    """What an action works in: statements, new ids, and facts that are told if and only if it commits."""

    __slots__ = ("cause", "connection", "ids", "life", "told")

    def __init__(self, connection: sa.Connection, life: str, ids: Ids) -> None:
        self.connection = connection
        self.life = life
        self.ids = ids
        self.told: list[Any] = []  # messaging.outbox puts facts here.
        self.cause: str | None = None  # The id of the fact being applied; the inbox sets it.

    def execute(self, statement: sa.Executable, values: Any = None) -> sa.CursorResult[Any]:
        return self.connection.execute(statement, values)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside leaves nothing behind, neither rows nor facts; the error goes on to the caller."""
        told = len(self.told)
        driver = _driver(self.connection)
        driver.execute("SAVEPOINT inner_step")
        try:
            yield
        except BaseException:
            if is_transaction_open(self.connection):
                driver.execute("ROLLBACK TO SAVEPOINT inner_step")
                driver.execute("RELEASE SAVEPOINT inner_step")
            del self.told[told:]
            raise
        driver.execute("RELEASE SAVEPOINT inner_step")


Action = Callable[Concatenate[Transaction, datetime, P], R]
View = Callable[Concatenate[sa.Connection, P], R]


class Numbering(Protocol):
    """How told facts become rows: messaging.outbox. Called once a group, before the commit."""

    def __call__(self, connection: sa.Connection, life: str, after: int, told: Sequence[Any], now: datetime) -> int:
        """Write the facts as numbers `after` + 1, + 2, …; return the last number."""


@dataclass(slots=True)
class Work:
    """One waiting action and its outcome: exactly one of `result` and `error` counts once it is done."""

    action: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    result: Any = None
    error: BaseException | None = None
    settle: Callable[["Work"], None] | None = None


class GroupLostError(SoftlandingError):
    """The transaction is gone, with everything in it."""


class Writer:
    """The one writer of one life. Not thread-safe: whoever owns it runs one group at a time."""

    def __init__(self, engine: sa.Engine, life: str, clock: Clock, ids: Ids, numbering: Numbering) -> None:
        self.life = life
        self.last_number = 0
        self.committed_at = clock.monotonic()
        self.is_fenced = False
        self._engine = engine
        self._clock = clock
        self._ids = ids
        self._numbering = numbering
        self._connection: sa.Connection | None = None
        self.group_max = GROUP_MAX_POSTGRESQL if engine.dialect.name == "postgresql" else GROUP_MAX

    def run_group(self, works: Sequence[Work]) -> None:
        """Run, number, commit; then each work has its outcome. Raises nothing but Fenced, after all were told."""
        try:
            connection = self._begin()
            told = self._run(connection, works)
            number = self._number(connection, told)
            self._commit(connection)
        except Fenced as error:
            self.is_fenced = True
            self._forget_connection()
            _fail(works, Unavailable(f"another process has taken over; nothing of this happened ({error})"))
            raise
        except SoftlandingError as error:
            self._forget_connection()
            _fail(works, error)
        except DATABASE_ERRORS as error:
            self._forget_connection()
            _fail(works, Unavailable(f"the database cannot write: {brief(error)}; nothing of this happened"))
        else:
            self.last_number = number
            self.committed_at = self._clock.monotonic()

    def close(self) -> None:
        self._forget_connection()

    def _begin(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        connection.begin()
        row = connection.execute(_BEAT_RETURNING, {"mine": self.life}).first()
        if row is None:
            raise Fenced(f"the lease of life {self.life} is gone")
        if row.last_number < self.last_number:
            raise Fenced(f"the database stands at fact {row.last_number}, this life has committed {self.last_number}")
        return connection

    def _run(self, connection: sa.Connection, works: Sequence[Work]) -> list[Any]:
        driver = _driver(connection)
        told: list[Any] = []
        for work in works:
            driver.execute("SAVEPOINT action")
            tx = Transaction(connection, self.life, self._ids)
            try:
                work.result = work.action(tx, self._clock.now(), *work.arguments, **work.keywords)
            except Exception as error:  # It is the work's outcome; its caller gets it.
                if not is_transaction_open(connection):
                    raise GroupLostError(f"the transaction was lost: {brief(error)}") from error
                driver.execute("ROLLBACK TO SAVEPOINT action")
                work.error = _as_answer(error)
            else:
                told += tx.told
            driver.execute("RELEASE SAVEPOINT action")
        return told

    def _number(self, connection: sa.Connection, told: Sequence[Any]) -> int:
        if not told:
            return self.last_number
        number = self._numbering(connection, self.life, self.last_number, told, self._clock.now())
        connection.execute(_COUNT, {"mine": self.life, "number": number})
        return number

    def _commit(self, connection: sa.Connection) -> None:
        try:
            connection.commit()
        except DATABASE_ERRORS as error:
            if connection.dialect.name == "postgresql":
                raise OutcomeUnknown("the connection broke during the commit; repeat with the same key") from error
            raise

    def _forget_connection(self) -> None:
        """After trouble the next group gets a new connection: what was open is rolled back by closing."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                connection.invalidate()
            finally:
                connection.close()


def _as_answer(error: Exception) -> BaseException:
    if isinstance(error, sa.exc.OperationalError):
        return Unavailable(f"the database cannot do it now: {brief(error)}; nothing of this happened")
    return error


def _fail(works: Sequence[Work], error: SoftlandingError) -> None:
    for work in works:
        work.error = Unavailable(str(error)) if isinstance(error, GroupLostError) else error


@dataclass(frozen=True)
class Life:
    """One run of a service as its active process. Its epoch numbers its facts."""

    epoch: str
    parent: str | None
    parent_last: int | None
    parent_said_goodbye: bool
    began_at: datetime
    last_end: str | None


@dataclass(frozen=True)
class LeaseState:
    """Who holds the lease, and how often it has beaten; None: nobody ever."""

    token: str
    beat: int
    last_number: int


def look_at_lease(connection: sa.Connection) -> LeaseState | None:
    row = connection.execute(_LEASE).first()
    return LeaseState(row.token, row.beat, row.last_number) if row else None


def take_lease(
    connection: sa.Connection, now: datetime, epoch: str, seen: LeaseState | None, last_end: str | None
) -> Life | None:
    """Begin a life in the caller's transaction, if the lease still is as `seen`; None if somebody was quicker."""
    if seen is None:
        if look_at_lease(connection) is not None:
            return None
        connection.execute(sa.insert(lease).values(id=1, token=epoch, beat=0, last_number=0))
    else:
        unchanged = (lease.c.token == seen.token) & (lease.c.beat == seen.beat)
        taken = connection.execute(sa.update(lease).where(unchanged).values(token=epoch, beat=0, last_number=0))
        if taken.rowcount == 0:
            return None
    said_goodbye = True  # Nobody before us: nobody died.
    if seen is not None:
        parent = connection.execute(_LIFE.where(lives.c.epoch == seen.token)).first()
        said_goodbye = parent is not None and parent.ended_at is not None
    life = Life(epoch, seen.token if seen else None, seen.last_number if seen else None, said_goodbye, now, last_end)
    connection.execute(
        sa.insert(lives).values(
            epoch=epoch, parent=life.parent, parent_last=life.parent_last, began_at=now, last_end=last_end
        )
    )
    return life


def begin_life(
    engine: sa.Engine,
    now: datetime,
    epoch: str,
    seen: LeaseState | None,
    numbering: Numbering,
    *,
    last_end: str | None,
    announce: Callable[[Life], Sequence[Any]],
) -> tuple[Life, int] | None:
    """Take the lease and tell `announce(life)` as the first facts of the epoch, in one transaction.

    The life and its last number; None if somebody else was quicker.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        life = take_lease(connection, now, epoch, seen, last_end)
        if life is None:
            transaction.rollback()
            return None
        number = numbering(connection, epoch, 0, announce(life), now)
        connection.execute(_COUNT, {"mine": epoch, "number": number})
    return life, number


def say_goodbye(tx: Transaction, now: datetime) -> None:
    """The last action of a life that ends in order. Whoever does not get here has died."""
    tx.execute(sa.update(lives).where(lives.c.epoch == tx.life).values(ended_at=now))


class HoldLock:
    """Evidence that a process lives: a lock that the operating system or PostgreSQL lets go when it dies.

    The lease decides who may write; this only tells a newcomer, at once, that the former holder is dead.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._file: int | None = None
        self._connection: sa.Connection | None = None

    def hold(self, token: str) -> None:
        """Hold the lock of this life until the process ends."""
        if self._engine.dialect.name == "postgresql":
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            self._connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _lock_key(token)})
            return
        self._file = os.open(self._path(token), os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def is_free(self, token: str) -> bool:
        """Nobody holds the lock of that life: its process is dead, or on another machine's disk (then wait)."""
        if self._engine.dialect.name == "postgresql":
            return self._is_free_on_postgresql(token)
        path = self._path(token)
        if not path.exists():
            return True
        file = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            path.unlink(missing_ok=True)
            return True
        finally:
            os.close(file)

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _is_free_on_postgresql(self, token: str) -> bool:
        with self._engine.connect() as connection:
            key = {"key": _lock_key(token)}
            got = bool(connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), key).scalar())
            if got:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)
            return got

    def _path(self, token: str) -> Path:
        return Path(str(self._engine.url.database) + f".{token}.alive")


def _lock_key(token: str) -> int:
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:8], "big", signed=True)


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
        return _read(self._engine, view, args, kw)


class ThreadedDatabase:
    """The writer on a thread of its own; doors await it, readers run on a few threads beside it."""

    def __init__(
        self,
        engine: sa.Engine,
        writer: Writer,
        *,
        on_commit: Callable[[], None] | None = None,
        on_fenced: Callable[[Fenced], None] | None = None,
    ) -> None:
        self._engine = engine
        self.writer = writer
        self._on_commit = on_commit
        self._on_fenced = on_fenced
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
        return await self._loop.run_in_executor(self._readers, _read, self._engine, view, args, kw)

    def close(self, within_s: float = 5.0) -> None:
        """Finish what waits, then stop the thread."""
        self._works.put(None)
        self._thread.join(within_s)
        self._readers.shutdown(wait=False)
        if not self._thread.is_alive():
            self.writer.close()

    def _write_for_ever(self) -> None:
        while (group := self._next_group()) is not None:
            fenced: Fenced | None = None
            try:
                self.writer.run_group(group)
            except Fenced as error:
                fenced = error
            self._loop.call_soon_threadsafe(self._answer, group, fenced)
            if fenced is not None:
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

    def _answer(self, group: Sequence[Work], fenced: Fenced | None) -> None:
        """On the loop: one wake-up for the whole group."""
        for work in group:
            if work.settle is not None:
                work.settle(work)
        if fenced is not None and self._on_fenced is not None:
            self._on_fenced(fenced)
        elif self._on_commit is not None:
            self._on_commit()


def _settle(future: "asyncio.Future[Any]", work: Work) -> None:
    if future.done():  # Whoever asked has gone; what was committed stays committed.
        return
    if work.error is not None:
        future.set_exception(work.error)
    else:
        future.set_result(work.result)


def _read(engine: sa.Engine, view: Callable[..., R], args: Any, kw: Any) -> R:
    try:
        with engine.connect() as connection:
            return view(connection, *args, **kw)
    except sa.exc.OperationalError as error:
        raise Unavailable(f"the database cannot be read now: {brief(error)}") from error


@dataclass(frozen=True)
class EngineOptions:
    """How hard a database works for its promises. `is_durable=False` is for simulations, where no power fails."""

    is_durable: bool = True
    statement_timeout_s: int = 5
    extra: dict[str, Any] = field(default_factory=dict)


def make_engine(url: str, options: EngineOptions | None = None) -> sa.Engine:
    """Readers' engine, or the writer's: connections are set up alike, so that any of them may write."""
    options = options or EngineOptions()
    if url.startswith("sqlite"):
        return _sqlite_engine(url, options)
    return _postgresql_engine(url, options)


def _sqlite_engine(url: str, options: EngineOptions) -> sa.Engine:
    Path(str(sa.make_url(url).database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"check_same_thread": False, "timeout": 5.0}, **options.extra)

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # We say BEGIN ourselves.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if options.is_durable else 'OFF'}")
        connection.execute("PRAGMA foreign_keys = ON")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # IMMEDIATE for everybody who begins by hand; readers run under autobegin and see DEFERRED.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _postgresql_engine(url: str, options: EngineOptions) -> sa.Engine:
    timeouts = f"-c statement_timeout={options.statement_timeout_s}s -c idle_in_transaction_session_timeout=2s"
    arguments = {"options": timeouts, "tcp_user_timeout": 5000, "connect_timeout": 3, "prepare_threshold": 2}
    return sa.create_engine(url, connect_args=arguments, pool_size=READERS + 2, pool_pre_ping=True, **options.extra)


def writer_engine(url: str, options: EngineOptions | None = None) -> sa.Engine:
    """An engine for the writer alone: one connection, write transactions from their first statement."""
    options = options or EngineOptions()
    extra = dict(options.extra) | {"poolclass": NullPool}
    if url.startswith("sqlite"):
        engine = make_engine(url, EngineOptions(options.is_durable, options.statement_timeout_s, extra))
        return engine.execution_options(writes=True)
    timeouts = f"-c statement_timeout={options.statement_timeout_s}s -c idle_in_transaction_session_timeout=2s"
    arguments = {"options": timeouts, "tcp_user_timeout": 5000, "connect_timeout": 3, "prepare_threshold": 2}
    return sa.create_engine(url, connect_args=arguments, **extra)


def is_transaction_open(connection: sa.Connection) -> bool:
    """Whether the database still has the transaction. SQLite ends it by itself on a full disk or an I/O error."""
    driver = _driver(connection)
    if connection.dialect.name == "sqlite":
        return bool(driver.in_transaction)
    status = driver.info.transaction_status.name
    return status in ("INTRANS", "INERROR", "ACTIVE")


def brief(error: BaseException) -> str:
    """The driver's own first line, without SQL and values: values may be personal."""
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection


@contextmanager
def exclusively(engine: sa.Engine, name: str) -> Iterator[None]:
    """One process at a time inside, for migrations. Waits; a dead holder lets go by itself."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execute(sa.text("SET statement_timeout = 0"))
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _lock_key(name)})
            try:
                yield
            finally:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": _lock_key(name)})
                connection.commit()
        return
    file = os.open(f"{engine.url.database}.{name}", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
