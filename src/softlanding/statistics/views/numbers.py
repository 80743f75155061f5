"""How many pickups are in which state, how long people waited, how many facts came."""

from collections import Counter
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.contracts.standing import STATES, Words, state_of
from softlanding.statistics.model.pickups import Waits, kept_word, summarize_waits, wait_of
from softlanding.statistics.tables import LEFT_BEHIND, fact_counts, facts, pickups

WAITS_MAX = 5_000  # The newest rides; older ones would not change what people do today.

_WORDS = (
    pickups.c.asked_word,
    pickups.c.asked_revision,
    pickups.c.asked_kind,
    pickups.c.ride_word,
    pickups.c.ride_revision,
)

_SHOWN = [column for column in pickups.c if column not in LEFT_BEHIND]


def words_of_row(row: Any) -> Words:
    return Words(row.asked_word, row.asked_revision, row.asked_kind or "", kept_word(row.ride_word), row.ride_revision)


def count_pickups(connection: sa.Connection, conference: str | None = None) -> list[tuple[str, int]]:
    """(state, count) in the order of a pickup's life; states that no pickup is in are left out."""
    query = sa.select(*_WORDS, sa.func.count().label("number")).group_by(*_WORDS)
    counted: Counter[str] = Counter()
    for row in connection.execute(_of_conference(query, pickups.c.conference, conference)):
        counted[state_of(words_of_row(row))] += row.number
    return [(state, counted[state]) for state in STATES if counted[state]]


def count_all_pickups(connection: sa.Connection) -> dict[str, float]:
    """Of all conferences by state, for metrics; states that none is in are 0."""
    return dict.fromkeys(STATES, 0.0) | {state: float(count) for state, count in count_pickups(connection)}


def list_pickups(
    connection: sa.Connection, conference: str | None = None, state: str | None = None, most: int = 500
) -> list[dict[str, Any]]:
    """Pickups as both services last spoke of them, the newest word of Schedule first."""
    query = _of_conference(sa.select(*_SHOWN), pickups.c.conference, conference)
    rows = connection.execute(query.order_by(pickups.c.asked_at.desc(), pickups.c.pickup))
    found: list[dict[str, Any]] = []
    for row in rows:
        is_in = state_of(words_of_row(row))
        if state in (None, is_in):
            found.append({"state": is_in} | dict(row._mapping))
        if len(found) >= most:
            break
    rows.close()
    return found


def waits(connection: sa.Connection, conference: str | None = None) -> Waits:
    """From ready to aboard, of the newest rides."""
    columns = (pickups.c.direction, pickups.c.landing_at, pickups.c.board_at, pickups.c.boarded_at)
    query = sa.select(*columns).where(pickups.c.boarded_at.is_not(None))
    query = query.order_by(pickups.c.boarded_at.desc()).limit(WAITS_MAX)
    rows = connection.execute(_of_conference(query, pickups.c.conference, conference))
    return summarize_waits(wait_of(*row) for row in rows)


def count_facts(connection: sa.Connection, conference: str | None = None) -> list[tuple[str, int]]:
    """(type, count), the most frequent first."""
    total = sa.func.sum(fact_counts.c.count).label("total")
    query = sa.select(fact_counts.c.type, total).group_by(fact_counts.c.type)
    query = query.order_by(total.desc(), fact_counts.c.type)
    rows = connection.execute(_of_conference(query, fact_counts.c.conference, conference))
    return [(row.type, int(row.total)) for row in rows]


def facts_by_minute(connection: sa.Connection, since: datetime, conference: str | None = None) -> list[dict[str, Any]]:
    """Facts told in each minute since then, by type."""
    total = sa.func.sum(fact_counts.c.count).label("total")
    query = sa.select(fact_counts.c.minute, fact_counts.c.type, total).where(fact_counts.c.minute >= since)
    query = query.group_by(fact_counts.c.minute, fact_counts.c.type)
    query = query.order_by(fact_counts.c.minute, fact_counts.c.type).limit(10_000)
    rows = connection.execute(_of_conference(query, fact_counts.c.conference, conference))
    return [{"minute": row.minute, "type": row.type, "count": int(row.total)} for row in rows]


def last_heard_at(connection: sa.Connection, conference: str | None = None) -> datetime | None:
    """When the last fact was applied here."""
    query = sa.select(facts.c.applied_at).order_by(facts.c.number.desc()).limit(1)
    moment: datetime | None = connection.execute(_of_conference(query, facts.c.conference, conference)).scalar()
    return moment


def _of_conference(query: sa.Select[Any], column: sa.Column[Any], conference: str | None) -> sa.Select[Any]:
    return query if conference is None else query.where(column == conference)
