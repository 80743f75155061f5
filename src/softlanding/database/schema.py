"""Migrations at start, under a lock: `pre_` add before new code runs, `post_` remove after old code is gone.

Each service's database has two branches of migrations: the common tables' and its own. A database that is newer than
the code is refused in words.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Literal

import sqlalchemy as sa

from softlanding.database.engine import exclusively


def migrate(engine: sa.Engine, packages: Sequence[str], stage: Literal["pre", "post"] = "pre") -> list[str]:
    """Bring the database up to what the code needs; the revisions that were applied, [] when there was nothing to do.

    Waits while another process migrates. Raises Refused when the database is newer than this code.
    """
    with exclusively(engine, "migrations"):
        if _is_current(engine, packages):
            return []
        from softlanding.database import revisions  # Only now: a service that does not migrate need not bear Alembic.

        return revisions.upgrade(engine, packages, stage)


def _is_current(engine: sa.Engine, packages: Sequence[str]) -> bool:
    """The usual case, told without Alembic: it would cost each process 13 MB and a tenth of a second."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return False
        applied = set(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars())
    return applied == {head for package in packages for head in _heads(package)}


def _heads(package: str) -> list[str]:
    """The newest revision of each branch, by file name: `pre_schedule_0002`."""
    names = sorted(path.name.removesuffix(".py") for path in files(package).iterdir() if path.name.endswith(".py"))
    newest = {name.rpartition("_")[0]: name for name in names if name.startswith(("pre_", "post_"))}
    return sorted(newest.values())
