"""Facts to tell: written with the change that they tell of, numbered at the group's commit, kept until forgotten.

The outbox is the truth. The relay sends it, the feed serves it, and nothing ever leaves it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.contracts import Fact
from softlanding.database import Moment, Numbering, Transaction, lease, lives, shared
from softlanding.errors import NotFound
from softlanding.ids import Ids
from softlanding.messaging.envelope import Envelope

outbox = sa.Table(
    "outbox",
    shared,
    sa.Column("epoch", sa.String(36), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("type", sa.String(80), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("conference", sa.String(80)),
    sa.Column("time", Moment, nullable=False),
    sa.Column("expires_at", Moment),
    sa.Column("traceparent", sa.String(55)),
    sa.Column("causation", sa.String(36)),
    sa.Column("data", sa.Text, nullable=False),
    sa.Index("outbox_by_subject", "subject"),
)

_INSERT = sa.insert(outbox)
_AFTER = (
    sa.select(outbox)
    .where(outbox.c.epoch == sa.bindparam("epoch"), outbox.c.sequence > sa.bindparam("after"))
    .order_by(outbox.c.sequence)
    .limit(sa.bindparam("most"))
)
_OLDEST = _AFTER.with_only_columns(outbox.c.time).limit(1)
_LIVES = sa.select(lives.c.epoch, lives.c.parent, lives.c.parent_last, lives.c.began_at)
_LEASE = sa.select(lease.c.token, lease.c.last_number)


@dataclass(frozen=True, slots=True)
class Told:
    """A fact that an action told, before it has a number."""

    id: str
    fact: Fact
    causation: str | None


@dataclass(frozen=True)
class Epoch:
    """One life in a producer's line: its parent, and up to which of the parent's numbers it knows."""

    epoch: str
    parent: str | None
    parent_last: int | None


def add(tx: Transaction, fact: Fact) -> str:
    """Tell a fact in this transaction; its id. It exists if and only if the transaction commits."""
    told = Told(tx.ids.new(), fact, tx.cause)
    tx.told.append(told)
    return told.id


def tell_first(ids: Ids, fact: Fact) -> Told:
    """A fact outside an action: the first of a life, which is told by the transaction that takes the lease."""
    return Told(ids.new(), fact, None)


def numbering(source: str, trace: Callable[[], str | None] | None = None) -> Numbering:
    """The database's hook: told facts become rows of this source, numbered onwards from `after`."""

    def number(connection: sa.Connection, life: str, after: int, told: Sequence[Told], now: datetime) -> int:
        rows = [_row(source, life, after + index, item, now, trace) for index, item in enumerate(told, 1)]
        connection.execute(_INSERT, rows)
        return after + len(rows)

    return number


def _row(
    source: str, life: str, sequence: int, told: Told, now: datetime, trace: Callable[[], str | None] | None
) -> dict[str, Any]:
    fact = told.fact
    return {
        "epoch": life,
        "sequence": sequence,
        "id": told.id,
        "type": f"{source}.{fact.TYPE}",
        "subject": fact.subject,
        "conference": fact.conference,
        "time": now,
        "expires_at": fact.expires,
        "traceparent": trace() if trace else None,
        "causation": told.causation,
        "data": fact.model_dump_json(),
    }


def load_after(connection: sa.Connection, epoch: str, after: int, most: int) -> list[Envelope]:
    """Up to `most` facts of the epoch beyond number `after`, in order."""
    rows = connection.execute(_AFTER, {"epoch": epoch, "after": after, "most": most})
    return [_envelope(row) for row in rows]


def time_of_next(connection: sa.Connection, epoch: str, after: int) -> datetime | None:
    """When the oldest fact beyond number `after` of `epoch` was told, be it in a later life: the age of what a receiver
    that stands there has not applied. None: it has all."""
    line = [life.epoch for life in lineage(connection)]
    later = line[line.index(epoch) + 1 :] if epoch in line else line[-1:]
    for each, number in ((epoch, after), *((life, 0) for life in later)):
        moment: datetime | None = connection.execute(_OLDEST, {"epoch": each, "after": number, "most": 1}).scalar()
        if moment is not None:
            return moment
    return None


def lineage(connection: sa.Connection) -> list[Epoch]:
    """The line of lives that leads to the present one, oldest first. Lives of a lost branch are not in it."""
    present = connection.execute(_LEASE).first()
    if present is None:
        return []
    by_epoch = {row.epoch: row for row in connection.execute(_LIVES)}
    line: list[Epoch] = []
    at: str | None = present.token
    while at is not None and at in by_epoch:
        row = by_epoch.pop(at)
        line.append(Epoch(row.epoch, row.parent, row.parent_last))
        at = row.parent
    return line[::-1]


def feed_page(connection: sa.Connection, epoch: str, after: int, most: int) -> list[Envelope]:
    """A page of the feed. Raises NotFound for an epoch that is not in this producer's line."""
    if epoch not in {life.epoch for life in lineage(connection)}:
        raise NotFound(f"epoch {epoch} is not known here")
    return load_after(connection, epoch, after, most)


def last_number(connection: sa.Connection) -> tuple[str, int] | None:
    """The present epoch and its last number, from the lease."""
    row = connection.execute(_LEASE).first()
    return (row.token, row.last_number) if row else None


def _envelope(row: Any) -> Envelope:
    return Envelope(
        id=row.id,
        source=row.type.partition(".")[0],
        type=row.type,
        subject=row.subject,
        conference=row.conference,
        epoch=row.epoch,
        sequence=row.sequence,
        time=row.time,
        data=json.loads(row.data),
        expires_at=row.expires_at,
        traceparent=row.traceparent,
        causation=row.causation,
    )


def time_of_last(connection: sa.Connection) -> datetime | None:
    """When this database last told a fact: its last sign before a death."""
    moment: datetime | None = connection.execute(sa.select(sa.func.max(outbox.c.time, type_=Moment))).scalar()
    return moment


def time_before_life(connection: sa.Connection, life: str) -> datetime | None:
    """As `time_of_last`, of all lives but this one."""
    query = sa.select(sa.func.max(outbox.c.time, type_=Moment)).where(outbox.c.epoch != life)
    moment: datetime | None = connection.execute(query).scalar()
    return moment
