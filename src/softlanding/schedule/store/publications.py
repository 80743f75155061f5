"""What the public sees of each conference, as the files say, and what keeps the newest release from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.database import Transaction
from softlanding.schedule.tables import programmes, publications, releases

_ALL = sa.select(publications)
_NEWEST = (
    sa.select(
        programmes.c.conference,
        programmes.c.release,
        releases.c.released_at,
        publications.c.number,
        publications.c.public_at,
        publications.c.failing_since,
        publications.c.why,
        publications.c.called_for,
    )
    .join(
        releases,
        sa.and_(releases.c.conference == programmes.c.conference, releases.c.number == programmes.c.release),
    )
    .outerjoin(publications, publications.c.conference == programmes.c.conference)
    .order_by(programmes.c.conference)
)


@dataclass(frozen=True)
class Publication:
    """A conference's newest release beside what the public sees. `number` 0: nothing."""

    conference: str
    newest: int
    released_at: datetime
    number: int = 0
    public_at: datetime | None = None
    failing_since: datetime | None = None
    why: str = ""
    called_for: int = 0  # The release for which a person was called.

    @property
    def is_public(self) -> bool:
        return self.number == self.newest

    @property
    def waiting_since(self) -> datetime | None:
        """Since when the newest release, or its files anew, wait to be served; None when they are."""
        return self.failing_since if self.is_public else self.released_at


def load_publication(connection: sa.Connection, conference: str) -> Publication | None:
    """None for a conference without a release."""
    row = connection.execute(_NEWEST.where(programmes.c.conference == conference)).first()
    return _publication(row) if row else None


def list_waiting(connection: sa.Connection) -> list[Publication]:
    """Those whose newest release, or its files anew, the public does not see yet; by conference."""
    is_behind = publications.c.number.is_(None) | (publications.c.number != programmes.c.release)
    waiting = _NEWEST.where(is_behind | publications.c.failing_since.is_not(None))
    return [_publication(row) for row in connection.execute(waiting)]


def public_numbers(connection: sa.Connection) -> dict[str, int]:
    """The release of each conference that the public sees, as last noted."""
    return {row.conference: row.number for row in connection.execute(_ALL)}


def keep_publication(tx: Transaction, conference: str, values: Mapping[str, Any]) -> None:
    """These columns of the conference's row; it is made when there is none."""
    is_this = publications.c.conference == conference
    if tx.execute(sa.update(publications).where(is_this).values(**values)).rowcount == 0:
        empty = {"number": 0, "public_at": None, "failing_since": None, "why": "", "called_for": 0}
        tx.execute(sa.insert(publications).values(**empty | {"conference": conference} | dict(values)))


def _publication(row: Any) -> Publication:
    return Publication(
        conference=row.conference,
        newest=row.release,
        released_at=row.released_at,
        number=row.number or 0,
        public_at=row.public_at,
        failing_since=row.failing_since,
        why=row.why or "",
        called_for=row.called_for or 0,
    )
