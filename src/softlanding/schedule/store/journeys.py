"""Journeys: one row each, changed by comparing its version."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.database import Transaction
from softlanding.errors import Conflict, NotFound
from softlanding.schedule.model import Arrival, Journey, News
from softlanding.schedule.tables import journeys

_ARRIVAL = tuple(Arrival.__dataclass_fields__)
_ONE = sa.select(journeys).where(journeys.c.id == sa.bindparam("of_id"), journeys.c.conference == sa.bindparam("of"))
_BY_LEG = sa.select(journeys).where(journeys.c.leg == sa.bindparam("of_leg"), journeys.c.withdrawn_at.is_(None))
_BY_SOURCE = sa.select(journeys).where(journeys.c.source_key == sa.bindparam("of_key"))
_OPEN = (
    sa.select(journeys)
    .where(journeys.c.conference == sa.bindparam("of"), journeys.c.withdrawn_at.is_(None))
    .order_by(journeys.c.landing_at, journeys.c.id)
)
_INSERT = sa.insert(journeys)


def load_journey(connection: sa.Connection, conference: str, journey: str) -> Journey:
    """Raises NotFound."""
    row = connection.execute(_ONE, {"of": conference, "of_id": journey}).first()
    if row is None:
        raise NotFound("there is no such arrival in this conference")
    return _journey(row)


def find_by_leg(connection: sa.Connection, leg: str) -> Journey | None:
    """The open journey of this speaker on this day."""
    row = connection.execute(_BY_LEG, {"of_leg": leg}).first()
    return _journey(row) if row else None


def find_by_source(connection: sa.Connection, source_key: str) -> Journey | None:
    row = connection.execute(_BY_SOURCE, {"of_key": source_key}).first()
    return _journey(row) if row else None


def list_open(connection: sa.Connection, conference: str) -> list[Journey]:
    """Those not withdrawn, by landing time."""
    return [_journey(row) for row in connection.execute(_OPEN, {"of": conference})]


def open_by_speaker(connection: sa.Connection, conference: str) -> dict[str, list[Journey]]:
    """Those not withdrawn; who lands first comes first."""
    found: dict[str, list[Journey]] = {}
    for journey in list_open(connection, conference):
        found.setdefault(journey.speaker, []).append(journey)
    return found


def list_recent(connection: sa.Connection, conference: str, most: int = 2000) -> list[Journey]:
    """All, the withdrawn too, by planned landing time."""
    query = sa.select(journeys).where(journeys.c.conference == conference)
    rows = connection.execute(query.order_by(journeys.c.landing_at, journeys.c.id).limit(most))
    return [_journey(row) for row in rows]


def count_without_pickup(connection: sa.Connection, conference: str) -> dict[bool, int]:
    """Journeys for which none was ever asked, by whether they are withdrawn."""
    is_withdrawn = journeys.c.withdrawn_at.is_not(None)
    is_meant = (journeys.c.conference == conference) & journeys.c.pickup.is_(None)
    rows = connection.execute(sa.select(is_withdrawn, sa.func.count()).where(is_meant).group_by(is_withdrawn))
    return {bool(row[0]): row[1] for row in rows}


def list_of_speaker(connection: sa.Connection, conference: str, speaker: str) -> list[Journey]:
    """Latest announced first."""
    query = sa.select(journeys).where(journeys.c.conference == conference, journeys.c.speaker == speaker)
    rows = connection.execute(query.order_by(journeys.c.announced_at.desc(), journeys.c.id.desc()).limit(50))
    return [_journey(row) for row in rows]


def add_journey(tx: Transaction, journey: Journey) -> None:
    tx.execute(_INSERT, _row(journey))


def save_journey(tx: Transaction, journey: Journey) -> Journey:
    """The journey with its next version. Raises Conflict when somebody changed it meanwhile."""
    saved = replace(journey, version=journey.version + 1)
    is_same = (journeys.c.id == journey.id) & (journeys.c.version == journey.version)
    if tx.execute(sa.update(journeys).where(is_same).values(**_row(saved))).rowcount == 0:
        raise Conflict("somebody changed this arrival meanwhile; look at it again")
    return saved


def forget_source(tx: Transaction, journey: str) -> None:
    """Its row of the file now belongs to another journey."""
    tx.execute(sa.update(journeys).where(journeys.c.id == journey).values(source_key=None, source_digest=None))


def _row(journey: Journey) -> dict[str, Any]:
    news = journey.news
    return {
        "id": journey.id,
        "conference": journey.conference,
        "speaker": journey.speaker,
        "speaker_name": journey.speaker_name,
        **{name: getattr(journey.arrival, name) for name in _ARRIVAL},
        "news": news.state if news else "",
        "news_expected_at": news.expected_at if news else None,
        "news_at": news.at if news else None,
        "news_source": news.source if news else "",
        "news_note": news.note if news else "",
        "pickup": journey.pickup,
        "leg": journey.leg,
        "source_key": journey.source_key,
        "source_digest": journey.source_digest,
        "version": journey.version,
        "announced_at": journey.announced_at,
        "withdrawn_at": journey.withdrawn_at,
    }


def _journey(row: sa.Row[Any]) -> Journey:
    return Journey(
        id=row.id,
        conference=row.conference,
        speaker=row.speaker,
        speaker_name=row.speaker_name,
        arrival=Arrival(**{name: row._mapping[name] for name in _ARRIVAL}),
        announced_at=row.announced_at,
        news=_news(row),
        pickup=row.pickup,
        version=row.version,
        withdrawn_at=row.withdrawn_at,
        source_key=row.source_key,
        source_digest=row.source_digest,
    )


def _news(row: sa.Row[Any]) -> News | None:
    heard_at: datetime | None = row.news_at
    if heard_at is None:
        return None
    return News(row.news, row.news_expected_at, heard_at, row.news_source, row.news_note)
