"""Lives, deaths and silences, as each service writes down those of the others and its own.

A death is a new life of a service whose parent neither said goodbye nor still beats; so a restart within a second is
noticed too. Recovery does not close what a death opened.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from softlanding.contracts.everyone import LifeBegan
from softlanding.contracts.statistics import ServiceBack, ServiceSilent
from softlanding.database import Life, Moment, Transaction, lives, shared
from softlanding.incidents import incident_id, open_incident
from softlanding.messaging import outbox
from softlanding.messaging.beats import Change
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler

deaths = sa.Table(
    "death",
    shared,
    sa.Column("life", sa.String(36), primary_key=True),  # The one that died.
    sa.Column("service", sa.String(40), nullable=False),
    sa.Column("how", sa.String(200)),
    sa.Column("died_at", Moment),
    sa.Column("noticed_at", Moment, nullable=False),
    sa.Column("new_life", sa.String(36)),
    sa.Column("back_at", Moment),
)
silences = sa.Table(
    "silence",
    shared,
    sa.Column("service", sa.String(40), primary_key=True),
    sa.Column("since", Moment, primary_key=True),
    sa.Column("life", sa.String(36)),
    sa.Column("noticed_at", Moment, nullable=False),
    sa.Column("back_at", Moment),
)

_CHILDREN = lives.alias("child")
_UNTOLD = (
    sa.select(
        lives.c.epoch.label("life"),
        _CHILDREN.c.epoch.label("new_life"),
        _CHILDREN.c.last_end.label("how"),
        _CHILDREN.c.began_at.label("back_at"),
    )
    .join(_CHILDREN, _CHILDREN.c.parent == lives.c.epoch)
    .where(lives.c.ended_at.is_(None), lives.c.epoch.not_in(sa.select(deaths.c.life)))
    .order_by(lives.c.began_at, lives.c.epoch)
)
_LAST_SIGN = sa.select(sa.func.max(outbox.outbox.c.time, type_=Moment)).where(
    outbox.outbox.c.epoch == sa.bindparam("of_life")
)


@dataclass(frozen=True)
class Death:
    """The end of a life without goodbye, as one watcher knows it."""

    life: str
    service: str
    how: str | None
    died_at: datetime | None
    noticed_at: datetime
    new_life: str | None
    back_at: datetime | None


@dataclass(frozen=True)
class Silence:
    service: str
    since: datetime
    life: str | None
    noticed_at: datetime
    back_at: datetime | None


def list_deaths(connection: sa.Connection, most: int = 100) -> list[Death]:
    """Newest first."""
    rows = connection.execute(sa.select(deaths).order_by(deaths.c.noticed_at.desc()).limit(most))
    return [Death(**row._mapping) for row in rows]


def list_silences(connection: sa.Connection, *, is_open: bool = True, most: int = 100) -> list[Silence]:
    query = sa.select(silences).order_by(silences.c.since.desc()).limit(most)
    if is_open:
        query = query.where(silences.c.back_at.is_(None))
    return [Silence(**row._mapping) for row in connection.execute(query)]


def handlers(watcher: str, peers: tuple[str, ...]) -> dict[str, Handler]:
    """What every service does when a peer tells that its life began."""

    def hear(tx: Transaction, now: datetime, fact: LifeBegan, _envelope: Envelope) -> None:
        if fact.parent is not None and not fact.parent_said_goodbye:
            note_death(
                tx,
                now,
                watcher,
                Death(
                    life=fact.parent,
                    service=fact.service,
                    how=fact.last_end,
                    died_at=fact.last_end_at,
                    noticed_at=now,
                    new_life=fact.life,
                    back_at=fact.began_at,
                ),
            )

    return {f"{peer}.life.began": hear for peer in peers}


def note_own_birth(tx: Transaction, now: datetime, service: str, life: Life, died_at: datetime | None) -> None:
    """A service whose parent died writes that down itself: also Statistics' own death leaves an incident.

    And those before: a life that is killed between taking the lease and this line could not tell its parent's death.
    """
    for row in tx.execute(_UNTOLD):
        at = died_at if row.new_life == life.epoch else tx.execute(_LAST_SIGN, {"of_life": row.life}).scalar()
        note_death(tx, now, service, Death(row.life, service, row.how, at, now, row.new_life, row.back_at))


def note_death(tx: Transaction, now: datetime, watcher: str, death: Death) -> None:
    """Write the death down, once; whoever is responsible opens its incident."""
    known = tx.execute(sa.select(deaths).where(deaths.c.life == death.life)).first()
    if known is None:
        tx.execute(sa.insert(deaths).values(**{name: getattr(death, name) for name in Death.__dataclass_fields__}))
    else:
        later = {"how": death.how or known.how, "died_at": death.died_at or known.died_at}
        later |= {"new_life": death.new_life or known.new_life, "back_at": death.back_at or known.back_at}
        tx.execute(sa.update(deaths).where(deaths.c.life == death.life).values(**later))
    if watcher == "statistics":
        open_incident(
            tx,
            now,
            cause=f"death/{death.life}",
            kind="death",
            about=f"service/{death.service}",
            sentence=_sentence(death),
            grows=True,
        )


def note_change(tx: Transaction, now: datetime, watcher: str, change: Change) -> None:
    """A peer went silent, came back, or is heard with a new life."""
    if change.kind == "silent":
        _note_silence(tx, now, watcher, change)
    elif change.kind == "back":
        _note_back(tx, now, watcher, change)


def _note_silence(tx: Transaction, now: datetime, watcher: str, change: Change) -> None:
    since = change.last_heard_at or now
    same = (silences.c.service == change.service) & (silences.c.since == since)
    if tx.execute(sa.select(silences.c.since).where(same)).first() is not None:
        return
    values = {"service": change.service, "since": since, "life": change.life, "noticed_at": now}
    tx.execute(sa.insert(silences).values(**values))
    if watcher == "statistics":
        outbox.add(
            tx, ServiceSilent(service=change.service, life=change.life, last_heard_at=change.last_heard_at, at=now)
        )
    if watcher == "statistics" or change.service == "statistics":
        open_incident(
            tx,
            now,
            cause=f"silence/{change.service}/{change.life}/{since.isoformat()}",
            kind="silence",
            about=f"service/{change.service}",
            sentence=f"{change.service.title()} is silent since {since:%H:%M:%S} UTC, noticed by {watcher.title()}",
            grows=True,
        )


def _note_back(tx: Transaction, now: datetime, watcher: str, change: Change) -> None:
    is_open = (silences.c.service == change.service) & silences.c.back_at.is_(None)
    was_silent = tx.execute(sa.update(silences).where(is_open).values(back_at=now)).rowcount > 0
    if was_silent and watcher == "statistics":
        outbox.add(
            tx, ServiceBack(service=change.service, life=change.life, last_heard_at=change.last_heard_at, at=now)
        )


def death_incident_id(life: str) -> str:
    return incident_id(f"death/{life}")


def _sentence(death: Death) -> str:
    when = f" {death.died_at:%H:%M:%S}" if death.died_at else ""
    how = f" ({death.how})" if death.how else ""
    back = f", back {death.back_at:%H:%M:%S}" if death.back_at else ""
    return f"{death.service.title()} died{when}{how}{back} UTC"
