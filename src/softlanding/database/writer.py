"""The one writer: waiting actions run one after the other in savepoints and share one commit.

An action is one plain function, `(tx, now, …values) -> result`, that does nothing outside the database: on PostgreSQL,
where savepoints cost round trips, a group is run without them; when one fails, it is undone and run again with them.
Nobody is answered before the group's commit returned. Each group commit begins by beating the lease: a process that
lost it may write no more.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from softlanding.clock import Clock
from softlanding.database.engine import DATABASE_ERRORS, brief, driver_of, is_transaction_failed, is_transaction_open
from softlanding.database.lease import BEAT, COUNT, Numbering, lives
from softlanding.errors import Fenced, OutcomeUnknown, SoftlandingError, Unavailable
from softlanding.ids import Ids

P = ParamSpec("P")
R = TypeVar("R")

GROUP_MAX = 64  # Savepoints in one commit. PostgreSQL slows down beyond 64 subtransactions; we take 50 there.
GROUP_MAX_POSTGRESQL = 50
OF_THE_DISK = ("disk is full", "disk I/O error", "No space left on device")


class Transaction:
    """What an action works in: statements, new ids, and facts that are told if and only if it commits."""

    __slots__ = ("cause", "clock_in_doubt", "connection", "ids", "life", "told")

    def __init__(self, connection: sa.Connection, life: str, ids: Ids) -> None:
        self.connection = connection
        self.life = life
        self.ids = ids
        self.told: list[Any] = []  # messaging.outbox puts facts here.
        self.cause: str | None = None  # The id of the fact being applied; the inbox sets it.
        self.clock_in_doubt = False  # Then nothing may be called too late; the inbox sets it.

    def execute(self, statement: sa.Executable, values: Any = None) -> sa.CursorResult[Any]:
        return self.connection.execute(statement, values)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """What fails inside leaves nothing behind, neither rows nor facts; the error goes on to the caller."""
        told = len(self.told)
        driver = driver_of(self.connection)
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
        self.commits = 0
        self.committed_at = clock.monotonic()
        self.is_fenced = False
        self._engine = engine
        self._clock = clock
        self._ids = ids
        self._numbering = numbering
        self._connection: sa.Connection | None = None
        is_postgresql = engine.dialect.name == "postgresql"
        self.group_max = GROUP_MAX_POSTGRESQL if is_postgresql else GROUP_MAX
        # Two round trips to a server for each action: there a group is run without, and again with, if one fails.
        self._are_savepoints_dear = is_postgresql

    def run_group(self, works: Sequence[Work]) -> None:
        """Run, number, commit; then each work has its outcome.

        Raises Fenced, or a bug of ours, once all works were told that nothing happened: the process must end.
        """
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
            _fail(works, _cannot_write(brief(error)))
        except Exception as error:
            self._forget_connection()
            _fail(works, Unavailable(f"a fault of ours ({type(error).__name__}); nothing of this happened"))
            raise
        else:
            self.last_number = number
            self.commits += 1
            self.committed_at = self._clock.monotonic()

    def close(self) -> None:
        self._forget_connection()

    def _begin(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        connection = self._connection
        connection.begin()
        row = connection.execute(BEAT, {"mine": self.life, "now": self._clock.now()}).first()
        if row is None:
            raise Fenced(f"the lease of life {self.life} is gone")
        if row.last_number < self.last_number:
            raise Fenced(f"the database stands at fact {row.last_number}, this life has committed {self.last_number}")
        return connection

    def _run(self, connection: sa.Connection, works: Sequence[Work]) -> list[Any]:
        if not self._are_savepoints_dear:
            return self._run_in_savepoints(connection, works)
        try:
            return self._run_without_savepoints(connection, works)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the outcome of one work: find out whose
            self._begin_anew(connection, error)
            if len(works) > 1:
                return self._run_in_savepoints(connection, works)
            works[0].error = _as_answer(error)
            return []

    def _run_without_savepoints(self, connection: sa.Connection, works: Sequence[Work]) -> list[Any]:
        """Raises what the first failing action raises: then none of them has happened."""
        told: list[Any] = []
        for work in works:
            tx = Transaction(connection, self.life, self._ids)
            work.result = work.action(tx, self._clock.now(), *work.arguments, **work.keywords)
            told += tx.told
        if is_transaction_failed(connection):  # An action has kept the error to itself; a commit would do nothing.
            raise Unavailable("a statement failed, and the action went on; nothing of this happened")
        return told

    def _begin_anew(self, connection: sa.Connection, error: Exception) -> None:
        if not is_transaction_open(connection):
            raise GroupLostError(f"the transaction was lost: {brief(error)}") from error
        connection.rollback()
        self._begin()

    def _run_in_savepoints(self, connection: sa.Connection, works: Sequence[Work]) -> list[Any]:
        driver = driver_of(connection)
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
        connection.execute(COUNT, {"mine": self.life, "number": number})
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
        return _cannot_write(brief(error))
    return error


def _cannot_write(why: str) -> Unavailable:
    """The driver's words may name host and user: they are for operators alone; but for a disk without room, which
    names nobody."""
    reason = next((f": {words}" for words in OF_THE_DISK if words in why), "")
    said = f"the database cannot write now{reason}; nothing of this happened"
    return Unavailable(said, f"the database cannot write: {why}")


def _fail(works: Sequence[Work], error: SoftlandingError) -> None:
    for work in works:
        work.error = _cannot_write(str(error)) if isinstance(error, GroupLostError) else error


def say_goodbye(tx: Transaction, now: datetime) -> None:
    """The last action of a life that ends in order. Whoever does not get here has died."""
    tx.execute(sa.update(lives).where(lives.c.epoch == tx.life).values(ended_at=now))
