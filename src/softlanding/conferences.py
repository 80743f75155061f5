"""The conferences that a service knows: name, zone and days. Schedule owns them; the others keep what it told."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.contracts.schedule import ConferenceChanged
from softlanding.database import Transaction, shared
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler

conferences = sa.Table(
    "conference",
    shared,
    sa.Column("slug", sa.String(80), primary_key=True),
    sa.Column("title", sa.String(300), nullable=False),
    sa.Column("zone", sa.String(60), nullable=False),
    sa.Column("first_on", sa.Date, nullable=False),
    sa.Column("last_on", sa.Date, nullable=False),
)


@dataclass(frozen=True)
class Conference:
    slug: str
    title: str
    zone: str  # IANA
    first_on: date
    last_on: date


def load_conference(connection: sa.Connection, slug: str) -> Conference | None:
    row = connection.execute(sa.select(conferences).where(conferences.c.slug == slug)).first()
    return Conference(**row._mapping) if row else None


def list_conferences(connection: sa.Connection) -> list[Conference]:
    """The newest first."""
    rows = connection.execute(sa.select(conferences).order_by(conferences.c.first_on.desc(), conferences.c.slug))
    return [Conference(**row._mapping) for row in rows]


def zone_of(connection: sa.Connection, slug: str) -> ZoneInfo:
    """Where people read this conference's times; UTC while nobody has told of it."""
    known = load_conference(connection, slug)
    return ZoneInfo(known.zone if known else "UTC")


def zone_of_all(connection: sa.Connection) -> str:
    """Where people read what belongs to no conference by their own clocks: the zone that all share, else UTC."""
    zones = connection.execute(sa.select(conferences.c.zone).distinct().limit(2)).scalars().all()
    return zones[0] if len(zones) == 1 else "UTC"


def keep(tx: Transaction, conference: Conference) -> None:
    """Write it down, new or changed."""
    values = {name: getattr(conference, name) for name in ("title", "zone", "first_on", "last_on")}
    changed = tx.execute(sa.update(conferences).where(conferences.c.slug == conference.slug).values(**values))
    if changed.rowcount == 0:
        tx.execute(sa.insert(conferences).values(slug=conference.slug, **values))


def handlers(me: str) -> dict[str, Handler]:
    return {} if me == "schedule" else {"schedule.conference.changed": _hear_changed}


def _hear_changed(tx: Transaction, _now: datetime, fact: ConferenceChanged, _envelope: Envelope) -> None:
    keep(tx, Conference(fact.conference, fact.title, fact.zone, fact.first_on, fact.last_on))
