"""Facts as they came: for the page's feed, and for programs that follow what was heard."""

import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.messaging.outbox import outbox
from softlanding.statistics.model.words import Clock, words_of
from softlanding.statistics.tables import facts

LAST_MAX = 50


def last_facts(connection: sa.Connection, conference: str, clock: Clock) -> list[dict[str, Any]]:
    """The last that were heard about the conference or about no conference, and our own; newest first."""
    newest = sa.select(facts).order_by(facts.c.number.desc()).limit(LAST_MAX)
    heard = [*connection.execute(newest.where(facts.c.conference == conference))]  # Two questions: each has its index.
    heard += connection.execute(newest.where(facts.c.conference.is_(None)))
    own = connection.execute(sa.select(outbox).order_by(outbox.c.epoch.desc(), outbox.c.sequence.desc()).limit(10))
    rows = [_row(row, row.told_at, row.happened_at, row.code, clock) for row in heard]
    rows += [_row(row, row.time, row.time, None, clock) for row in own]
    return sorted(rows, key=lambda row: row["recorded_at"], reverse=True)[:LAST_MAX]


def _row(row: Any, told_at: datetime, happened_at: datetime, code: str | None, clock: Clock) -> dict[str, Any]:
    service, _, kind = row.type.partition(".")
    return {
        "id": row.id,
        "recorded_at": told_at,
        "happened_at": happened_at,
        "service": service,
        "kind": kind,
        "words": words_of(row.type, json.loads(row.data), clock),
        "pickup": code,
    }


def heard_after(
    connection: sa.Connection, after: int, most: int, conference: str | None = None, fact_type: str | None = None
) -> list[dict[str, Any]]:
    """Facts heard beyond number `after`, in the order of hearing, without what they told about persons."""
    query = sa.select(facts).where(facts.c.number > after).order_by(facts.c.number).limit(most)
    if conference is not None:
        query = query.where(facts.c.conference == conference)
    if fact_type is not None:
        query = query.where(facts.c.type == fact_type)
    return [fact_view(row) for row in connection.execute(query)]


def fact_view(row: Any) -> dict[str, Any]:
    names: tuple[str, ...] = (
        "number",
        "id",
        "source",
        "epoch",
        "sequence",
        "type",
        "subject",
        "conference",
        "pickup",
        "code",
    )
    names += ("happened_at", "told_at", "applied_at", "causation")
    return {name: getattr(row, name) for name in names} | {"data": json.loads(row.data)}
