"""What leaves the system towards a person: a row first, then sent by a step, outcome on record.

Words are exact. As long as no channel (mail, SMS) is set, a notice says "no channel is set: nobody was told" and waits
on the pages of those whom it concerns until one of them takes it.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from softlanding.database import Moment, Transaction, shared
from softlanding.errors import NotFound, Refused

NO_CHANNEL = "no channel is set: nobody was told outside these pages"

notices = sa.Table(
    "notice",
    shared,
    sa.Column("key", sa.String(200), primary_key=True),  # (pickup, revision, kind): sent once, however often asked.
    sa.Column("conference", sa.String(80)),
    sa.Column("role", sa.String(20), nullable=False),  # Whom it concerns.
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("taken_at", Moment),
    sa.Column("taken_by", sa.String(200)),
)


@dataclass(frozen=True)
class Notice:
    key: str
    conference: str | None
    role: str
    about: str
    text: str
    made_at: datetime
    outcome: str
    taken_at: datetime | None
    taken_by: str | None


def add_notice(
    tx: Transaction, now: datetime, *, key: str, role: str, about: str, text: str, conference: str | None = None
) -> None:
    """Keep a notice for everybody of that role. The same key twice is once."""
    if tx.execute(sa.select(notices.c.key).where(notices.c.key == key)).first() is not None:
        return
    values = {"key": key, "conference": conference, "role": role, "about": about, "text": text}
    tx.execute(sa.insert(notices).values(**values, made_at=now, outcome=NO_CHANNEL))


def take_notice(tx: Transaction, now: datetime, key: str, *, by: str) -> None:
    """A person takes it; it repeats no more. Raises NotFound; Refused when somebody else has it."""
    row = tx.execute(sa.select(notices).where(notices.c.key == key)).first()
    if row is None:
        raise NotFound("there is no such notice")
    if row.taken_by is not None and row.taken_by != by:
        raise Refused(f"{row.taken_by} took this already")
    tx.execute(sa.update(notices).where(notices.c.key == key).values(taken_at=now, taken_by=by))


def list_notices(connection: sa.Connection, *, conference: str | None = None, is_open: bool = True) -> list[Notice]:
    """Oldest first: the one that has waited longest is the most urgent."""
    query = sa.select(notices).order_by(notices.c.made_at, notices.c.key).limit(500)
    if is_open:
        query = query.where(notices.c.taken_at.is_(None))
    if conference is not None:
        query = query.where(sa.or_(notices.c.conference == conference, notices.c.conference.is_(None)))
    return [Notice(**row._mapping) for row in connection.execute(query)]
