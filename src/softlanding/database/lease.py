"""The lease: who may write. A life is one run of a service as its active process; its token is its facts' epoch."""

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa

from softlanding.database.engine import Moment, lock_key, shared

lease = sa.Table(
    "lease",
    shared,
    sa.Column("id", sa.Integer, primary_key=True),  # Always 1: there is one lease.
    sa.Column("token", sa.String(36), nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("last_number", sa.BigInteger, nullable=False),  # Of this life's facts.
    sa.Column("beat_at", Moment),  # By its owner's clock; an older release leaves it as it is.
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
    sa.Column("last_end_at", Moment),  # When the parent ended: as the supervisor saw it, else its last sign of life.
    sa.Column("down_since", Moment),  # The last sign of life of the last life before this that was ready.
    sa.Column("attempts", sa.Integer),  # Starts since then, this one with them.
)

BEAT = (
    sa.update(lease)
    .where(lease.c.token == sa.bindparam("mine"))
    .values(beat=lease.c.beat + 1, beat_at=sa.bindparam("now"))
    .returning(lease.c.last_number)
)
COUNT = sa.update(lease).where(lease.c.token == sa.bindparam("mine")).values(last_number=sa.bindparam("number"))
STILL_S = 1.2  # An owner beats twice a second, and takes a lost lock again as often.
RETAKEN_WITHIN_S = 30.0  # After a restart of PostgreSQL its owner has the lock again.
_TRY_LOCK = sa.text(
    "SELECT pg_try_advisory_lock(:key), extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())"
)
_BEAT_OF_LIFE = sa.select(lease.c.beat_at).join(lives, lives.c.epoch == lease.c.token)
_LEASE = sa.select(lease.c.token, lease.c.beat, lease.c.last_number)
_LIFE = sa.select(lives)


class Numbering(Protocol):
    """How told facts become rows: messaging.outbox. Called once a group, before the commit."""

    def __call__(self, connection: sa.Connection, life: str, after: int, told: Sequence[Any], now: datetime) -> int:
        """Write the facts as numbers `after` + 1, + 2, …; return the last number."""


@dataclass(frozen=True)
class Life:
    """One run of a service as its active process. Its epoch numbers its facts."""

    epoch: str
    parent: str | None
    parent_last: int | None
    parent_said_goodbye: bool
    began_at: datetime
    last_end: str | None
    last_end_at: datetime | None = None  # Of the parent, if it died.
    down_since: datetime | None = None
    attempts: int = 1


@dataclass(frozen=True)
class LeaseState:
    """Who holds the lease, and how often it has beaten; None: nobody ever."""

    token: str
    beat: int
    last_number: int


def look_at_lease(connection: sa.Connection) -> LeaseState | None:
    row = connection.execute(_LEASE).first()
    return LeaseState(row.token, row.beat, row.last_number) if row else None


def has_said_goodbye(connection: sa.Connection, token: str) -> bool:
    """Whether that life ended in order: then there is nothing to wait for."""
    ended = sa.select(lives.c.epoch).where(lives.c.epoch == token, lives.c.ended_at.is_not(None))
    return connection.execute(ended).first() is not None


def last_beat_at(connection: sa.Connection) -> datetime | None:
    """When the present life last committed anything; None where it never did by this release."""
    moment: datetime | None = connection.execute(_BEAT_OF_LIFE.where(lease.c.beat_at >= lives.c.began_at)).scalar()
    return moment


def take_lease(
    connection: sa.Connection,
    now: datetime,
    epoch: str,
    seen: LeaseState | None,
    last_end: str | None,
    last_end_at: datetime | None = None,
    down_since: datetime | None = None,
    attempts: int = 1,
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
        before = connection.execute(_LIFE.where(lives.c.epoch == seen.token)).first()
        said_goodbye = before is not None and before.ended_at is not None
    parent, parent_last = (seen.token, seen.last_number) if seen else (None, None)
    life = Life(
        epoch,
        parent,
        parent_last,
        said_goodbye,
        now,
        last_end,
        None if said_goodbye else last_end_at,
        down_since or now,
        attempts,
    )
    connection.execute(
        sa.insert(lives).values(
            epoch=epoch,
            parent=life.parent,
            parent_last=life.parent_last,
            began_at=now,
            last_end=last_end,
            last_end_at=life.last_end_at,
            down_since=life.down_since,
            attempts=life.attempts,
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
    last_end_at: datetime | None = None,
    down_since: datetime | None = None,
    attempts: int = 1,
    announce: Callable[[Life], Sequence[Any]],
) -> tuple[Life, int] | None:
    """Take the lease and tell `announce(life)` as the first facts of the epoch, in one transaction.

    The life and its last number; None if somebody else was quicker.
    """
    with engine.connect() as connection, connection.begin() as transaction:
        life = take_lease(connection, now, epoch, seen, last_end, last_end_at, down_since, attempts)
        if life is None:
            transaction.rollback()
            return None
        number = numbering(connection, epoch, 0, announce(life), now)
        connection.execute(COUNT, {"mine": epoch, "number": number})
    return life, number


class HoldLock:
    """Evidence that a process lives: a lock that the operating system or PostgreSQL lets go when it dies.

    The lease decides who may write; this only tells a newcomer, at once, that the former holder is dead.

    PostgreSQL's lock goes with its connection, also when the server restarts under a healthy process: `keep` takes it
    again, and until that must have happened a free lock proves nothing.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._file: int | None = None
        self._connection: sa.Connection | None = None
        self._token: str | None = None

    @property
    def proves_after_s(self) -> float:
        """So long must the lease have stood still before a free lock counts."""
        return STILL_S if self._engine.dialect.name == "postgresql" else 0.0

    def keep(self) -> None:
        """See that the lock is still held, or take it again. Raises what the database raises: ask again soon."""
        if self._token is None or self._engine.dialect.name != "postgresql":
            return
        try:
            if self._connection is None:
                self._connection = self._locked_connection(self._token)
            self._connection.execute(sa.text("SELECT 1"))
        except sa.exc.DBAPIError:
            self._let_go_of_connection()
            raise

    def hold(self, token: str) -> None:
        """Hold the lock of this life until the process ends."""
        self._token = token
        if self._engine.dialect.name == "postgresql":
            self._connection = self._locked_connection(token)
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
        self._token = None
        self._let_go_of_connection()

    def _locked_connection(self, token: str) -> sa.Connection:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": lock_key(token)})
        except sa.exc.DBAPIError:
            connection.close()
            raise
        return connection

    def _let_go_of_connection(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()

    def _is_free_on_postgresql(self, token: str) -> bool:
        with self._engine.connect() as connection:
            key = {"key": lock_key(token)}
            got, up_s = connection.execute(_TRY_LOCK, key).one()
            if got:
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)
            return bool(got) and float(up_s) > RETAKEN_WITHIN_S

    def _path(self, token: str) -> Path:
        return Path(str(self._engine.url.database) + f".{token}.alive")
