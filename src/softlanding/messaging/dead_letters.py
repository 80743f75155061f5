"""Facts given up on, each with its reason, parked with all that follows on their subject.

They keep their expiry, are told in receipts, and are replayed in order in the transaction that frees the subject, or
dropped with a reason by a person.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from softlanding.database import Moment, Transaction, shared
from softlanding.errors import NotFound
from softlanding.messaging.envelope import Envelope, envelope_from_json

dead_letters = sa.Table(
    "dead_letter",
    shared,
    sa.Column("id", sa.String(36), primary_key=True),  # The fact's id.
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("epoch", sa.String(36), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String(80), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("envelope", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("parked_at", Moment, nullable=False),
    sa.Column("settled_at", Moment),
    sa.Column("settled_by", sa.String(200)),
    sa.Column("settled_how", sa.Text),
)

_OPEN = sa.select(dead_letters).where(dead_letters.c.settled_at.is_(None))
_SUBJECTS = (
    sa.select(dead_letters.c.subject)
    .where(dead_letters.c.source == sa.bindparam("of_source"), dead_letters.c.settled_at.is_(None))
    .distinct()
)


@dataclass(frozen=True)
class DeadLetter:
    """A parked fact as people see it."""

    id: str
    source: str
    epoch: str
    sequence: int
    type: str
    subject: str
    reason: str
    parked_at: datetime
    expires_at: datetime | None


def parked_subjects(connection: sa.Connection, source: str) -> set[str]:
    return set(connection.execute(_SUBJECTS, {"of_source": source}).scalars())


def list_parked(connection: sa.Connection) -> list[DeadLetter]:
    """All that waits, oldest first."""
    rows = connection.execute(_OPEN.order_by(dead_letters.c.parked_at, dead_letters.c.sequence))
    names = DeadLetter.__dataclass_fields__
    return [DeadLetter(**{name: getattr(row, name) for name in names}) for row in rows]


def park(tx: Transaction, now: datetime, envelope: Envelope, reason: str) -> None:
    """Put the fact aside. Parking it again changes nothing."""
    if tx.execute(sa.select(dead_letters.c.id).where(dead_letters.c.id == envelope.id)).first() is not None:
        return
    tx.execute(
        sa.insert(dead_letters).values(
            id=envelope.id,
            source=envelope.source,
            epoch=envelope.epoch,
            sequence=envelope.sequence,
            type=envelope.type,
            subject=envelope.subject,
            envelope=json.dumps(envelope.to_mapping(), ensure_ascii=False),
            reason=reason,
            expires_at=envelope.expires_at,
            parked_at=now,
        )
    )


def replay(
    tx: Transaction, now: datetime, subject: str, *, by: str, apply: Callable[[Transaction, datetime, Envelope], None]
) -> int:
    """Apply all parked facts of the subject in order, and free it; how many. Whatever `apply` raises undoes it all."""
    waiting = _load(tx, subject)
    for envelope in waiting:
        apply(tx, now, envelope)
    _settle(tx, now, subject, by=by, how="replayed")
    return len(waiting)


def drop(tx: Transaction, now: datetime, subject: str, *, by: str, reason: str) -> int:
    """Give the parked facts of the subject up for good; they stay on record. How many."""
    waiting = _load(tx, subject)
    _settle(tx, now, subject, by=by, how=f"dropped: {reason}")
    return len(waiting)


def _load(tx: Transaction, subject: str) -> list[Envelope]:
    rows = tx.execute(_OPEN.where(dead_letters.c.subject == subject).order_by(dead_letters.c.id)).all()
    if not rows:
        raise NotFound(f"nothing is parked about {subject}")
    return [envelope_from_json(row.envelope.encode()) for row in rows]


def _settle(tx: Transaction, now: datetime, subject: str, *, by: str, how: str) -> None:
    is_open = (dead_letters.c.subject == subject) & dead_letters.c.settled_at.is_(None)
    tx.execute(sa.update(dead_letters).where(is_open).values(settled_at=now, settled_by=by, settled_how=how))
