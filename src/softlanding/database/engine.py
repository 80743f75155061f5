"""Engines for SQLite and PostgreSQL, set up so that the same statements serve both."""

import fcntl
import hashlib
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

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
        if dialect.name == "postgresql":
            return utc
        # Not strftime: it writes the year 169 with three digits, and no reader could read the row again.
        return utc.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"

    def process_result_value(self, value: Any, _dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        moment: datetime = value
        return moment.astimezone(_UTC)


_UTC = datetime.fromisoformat("2000-01-01T00:00:00+00:00").tzinfo

_VALUE_QUOTED = re.compile(r': "[^"]*"?\)?$')


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
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": 5.0}, **options.extra
    )

    @sa.event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # We say BEGIN ourselves.
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if options.is_durable else 'OFF'}")
        connection.execute("PRAGMA foreign_keys = ON")

    hide_values(engine)

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # IMMEDIATE for everybody who begins by hand; readers run under autobegin and see DEFERRED.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _postgresql_engine(url: str, options: EngineOptions) -> sa.Engine:
    timeouts = f"-c statement_timeout={options.statement_timeout_s}s -c idle_in_transaction_session_timeout=2s"
    arguments = {"options": timeouts, "tcp_user_timeout": 5000, "connect_timeout": 3, "prepare_threshold": 2}
    engine = sa.create_engine(
        url, hide_parameters=True, connect_args=arguments, pool_size=READERS + 2, pool_pre_ping=True, **options.extra
    )
    hide_values(engine)
    return engine


def writer_engine(url: str, options: EngineOptions | None = None) -> sa.Engine:
    """An engine for the writer alone: one connection, write transactions from their first statement."""
    options = options or EngineOptions()
    extra = dict(options.extra) | {"poolclass": NullPool}
    if url.startswith("sqlite"):
        engine = make_engine(url, EngineOptions(options.is_durable, options.statement_timeout_s, extra))
        return engine.execution_options(writes=True)
    timeouts = f"-c statement_timeout={options.statement_timeout_s}s -c idle_in_transaction_session_timeout=2s"
    arguments = {"options": timeouts, "tcp_user_timeout": 5000, "connect_timeout": 3, "prepare_threshold": 2}
    engine = sa.create_engine(url, hide_parameters=True, connect_args=arguments, **extra)
    hide_values(engine)
    return engine


def hide_values(engine: sa.Engine) -> None:
    """What a statement failed with is logged and shown, and values may be personal: PostgreSQL repeats them in the
    lines after its first one, and in quotes at the end of that."""

    @sa.event.listens_for(engine, "handle_error")
    def _shorten(context: sa.engine.ExceptionContext) -> None:
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None and error.args and isinstance(error.args[0], str):
                error.args = (_VALUE_QUOTED.sub("", error.args[0].partition("\n")[0]), *error.args[1:])


def is_transaction_open(connection: sa.Connection) -> bool:
    """Whether the database still has the transaction. SQLite ends it by itself on a full disk or an I/O error."""
    if connection.invalidated:
        return False
    driver = driver_of(connection)
    if connection.dialect.name == "sqlite":
        return bool(driver.in_transaction)
    status = driver.info.transaction_status.name
    return status in ("INTRANS", "INERROR", "ACTIVE")


def is_transaction_failed(connection: sa.Connection) -> bool:
    """Whether PostgreSQL would answer a commit by a rollback, without a word. SQLite never does."""
    if connection.dialect.name == "sqlite":
        return False
    return bool(driver_of(connection).info.transaction_status.name == "INERROR")


def brief(error: BaseException) -> str:
    """The driver's own first line, without SQL and values: values may be personal."""
    original = getattr(error, "orig", None) or error
    return (str(original).strip().splitlines() or [type(original).__name__])[0]


_DATABASE_IS_AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError)
_NO_RIGHTS = "42501"
_REMEDIES = (  # What the server or SQLite says in vain again and again, and what a person does about it.
    ("password authentication failed", "the password or the user is wrong: correct the database URL"),
    ("no password supplied", "the database asks for a password: add it to the database URL"),
    ("no pg_hba.conf entry", "the server lets this user or address not in: correct pg_hba.conf or the database URL"),
    ("role ", "there is no such user: make it, or correct the database URL"),
    ("database ", "there is no such database: make it, or correct the database URL"),
    ("permission denied", "the user may not do what is needed: make it the owner of the database"),
    ("must be owner", "the user may not do what is needed: make it the owner of the database"),
    ("read-only transaction", "the user or the server only reads: give a user, and a server, that may write"),
    ("certificate verify failed", "the server's certificate is not by the given authority: correct sslrootcert"),
    ("root certificate file", "the authority's certificate is not there: correct sslrootcert"),
    ("does not match host name", "the server's certificate is for another name: correct the host in the database URL"),
    ("server does not support SSL", "the server speaks no TLS: correct sslmode in the database URL, or the server"),
    ("readonly database", "the file may not be written: give this user the right to write it and its folder"),
    ("unable to open database file", "the file cannot be opened: see that its folder is there and may be written"),
    ("file is not a database", "the file is no SQLite database: correct the database URL, or restore the backup"),
)
_ONLY_IF_ABSENT = ("role ", "database ")  # 'database "x" does not exist', but not 'the database system is starting up'.


def is_away(error: BaseException) -> bool:
    """The database's trouble, or its No to this user; not a fault of the statement."""
    return isinstance(error, _DATABASE_IS_AWAY) or getattr(getattr(error, "orig", None), "sqlstate", None) == _NO_RIGHTS


def remedy(words: str) -> str | None:
    """For the driver's words of a fault that no waiting mends: what to do, in one sentence. None: it may pass."""
    for said, what_to_do in _REMEDIES:
        if said in words and (said not in _ONLY_IF_ABSENT or (f'{said}"' in words and "does not exist" in words)):
            return f"the database cannot be used ({words}): {what_to_do}"
    return None


def driver_of(connection: sa.Connection) -> Any:
    """The driver's own connection: savepoints issued there cost a fiftieth of `begin_nested`."""
    return connection.connection.driver_connection


def lock_key(text: str) -> int:
    """A PostgreSQL advisory lock's number for a name."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def take_its_time(connection: sa.Connection) -> None:
    """No limits for this connection: what a migration does may take minutes, and waits for others' locks."""
    if connection.dialect.name == "postgresql":
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout"):
            connection.execute(sa.text(f"SET {limit} = 0"))
        connection.commit()


@contextmanager
def exclusively(engine: sa.Engine, name: str) -> Iterator[None]:
    """One process at a time inside, for migrations. Waits; a dead holder lets go by itself, its connection closed."""
    if engine.dialect.name == "postgresql":
        # Without a transaction: one that is idle for long is ended by the server, and the lock with it.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            take_its_time(connection)
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": lock_key(name)})
            yield
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": lock_key(name)})
        return
    file = os.open(f"{engine.url.database}.{name}", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
