"""Migrations at start, under a lock: `pre_` add before new code runs, `post_` remove after old code is gone.

Each service's database has two branches of migrations: the common tables' and its own. A database that is newer than
the code can bear is refused in words: one whose newer `pre_` migrations only added is not.
"""

from collections.abc import Sequence
from importlib.resources import files
from typing import Literal

import sqlalchemy as sa

from softlanding.database.engine import exclusively
from softlanding.errors import Refused


def migrate(engine: sa.Engine, packages: Sequence[str], stage: Literal["pre", "post"] = "pre") -> list[str]:
    """Bring the database up to what the code needs; the revisions that were applied, [] when there was nothing to do.

    Waits while another process migrates. Raises Refused when the database is newer than this code.
    """
    with exclusively(engine, "migrations"):
        applied, known = _applied(engine), {head for package in packages for head in _heads(package)}
        _refuse_strange(applied, known)
        if _is_current(applied, {revision for revision in known if revision.startswith(f"{stage}_")}):
            return []
        from softlanding.database import revisions  # Only now: a service that does not migrate need not bear Alembic.

        return revisions.upgrade(engine, packages, stage)


def _applied(engine: sa.Engine) -> set[str]:
    """The newest applied revision of each branch; told without Alembic, which costs 13 MB and a tenth of a second."""
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return set()
        return set(connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars())


def _refuse_strange(applied: set[str], known: set[str]) -> None:
    """A newer release's `pre_` may be there: it only added, so this release works beside it. Raises Refused for a
    newer `post_`, which removed what this release needs, and for another service's database."""
    at, knows = dict(map(_parted, applied)), dict(map(_parted, known))
    others = sorted(branch for branch in at if branch not in knows and branch.startswith("pre_"))
    if others:
        owner = others[0].removeprefix("pre_").title()
        raise Refused(f"the database is {owner}'s (it is at {', '.join(sorted(applied))}): give each service its own")
    newer = sorted(branch for branch, number in at.items() if number > knows.get(branch, 0))
    lags = any(at.get(branch, 0) < number for branch, number in knows.items() if branch.startswith("pre_"))
    if any(branch.startswith("post_") for branch in newer) or (newer and lags):
        raise Refused(
            f"the database is at {', '.join(sorted(applied))}, which this release cannot use (it knows up to "
            f"{', '.join(sorted(known))}): start the newer release, or restore the backup from before the update"
        )


def _is_current(applied: set[str], known: set[str]) -> bool:
    at = dict(map(_parted, applied))
    return all(at.get(branch, 0) >= number for branch, number in map(_parted, known))


def _parted(revision: str) -> tuple[str, int]:
    """`pre_schedule_0002`: its branch and its number."""
    branch, _, number = revision.rpartition("_")
    return branch, int(number)


def _heads(package: str) -> list[str]:
    """The newest revision of each branch, by file name: `pre_schedule_0002`."""
    names = sorted(path.name.removesuffix(".py") for path in files(package).iterdir() if path.name.endswith(".py"))
    newest = {name.rpartition("_")[0]: name for name in names if name.startswith(("pre_", "post_"))}
    return sorted(newest.values())
