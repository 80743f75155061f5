"""Lives, deaths and silences, as each service writes down those of the others and its own.

An outage (see `outages`) is one incident: each of its attempts makes it grow.

A death is a new life of a service whose parent neither said goodbye nor still beats; so a restart within a second is
noticed too. Recovery does not close what a death opened.

To a person one death is one incident: the silence that went before it is merged into it, once the service is heard
again and its death is in the book, whichever comes first. A silence that was an orderly stop closes by itself when the
service is back.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.conferences import zone_of_all
from softlanding.contracts.everyone import STOPPED, LifeBegan, LifeEnded
from softlanding.contracts.statistics import ServiceBack, ServiceSilent
from softlanding.database import Moment, Transaction, has_said_goodbye, lives, shared
from softlanding.incidents import (
    Incident,
    close_incident,
    grow_incident,
    incident_id,
    list_incidents,
    load,
    merge_incident,
    open_incident,
    reword_incident,
)
from softlanding.lifecycle.outages import Death, Outage, deaths, find_death, outage_of, readiness, was_ready
from softlanding.messaging import outbox
from softlanding.messaging.beats import Change
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler

silences = sa.Table(
    "silence",
    shared,
    sa.Column("service", sa.String(40), primary_key=True),
    sa.Column("since", Moment, primary_key=True),
    sa.Column("life", sa.String(36)),
    sa.Column("noticed_at", Moment, nullable=False),
    sa.Column("back_at", Moment),
)

farewells = sa.Table(
    "farewell",
    shared,
    sa.Column("life", sa.String(36), primary_key=True),  # One that ended in order.
    sa.Column("service", sa.String(40), nullable=False),
    sa.Column("ended_at", Moment, nullable=False),
    sa.Column("back_at", Moment),  # When the next one began.
)

_CHILDREN = lives.alias("child")
_UNTOLD = (
    sa.select(
        lives.c.epoch.label("life"),
        _CHILDREN.c.epoch.label("new_life"),
        _CHILDREN.c.last_end.label("how"),
        _CHILDREN.c.last_end_at.label("died_at"),
        _CHILDREN.c.began_at.label("back_at"),
        _CHILDREN.c.down_since,
        _CHILDREN.c.attempts,
    )
    .join(_CHILDREN, _CHILDREN.c.parent == lives.c.epoch)
    .where(lives.c.ended_at.is_(None), lives.c.epoch.not_in(sa.select(deaths.c.life)))
    .order_by(lives.c.began_at, lives.c.epoch)
)
GOODBYE_WITHIN = timedelta(seconds=5)  # Of the last beat that a peer heard.
_LATELY_MAX = 100  # Silences of a service that may still be open; older ones were merged long ago.
_ENDED_BY_DEATH = (
    sa.select(silences.c.life, silences.c.since)
    .where(
        silences.c.service == sa.bindparam("of_service"),
        silences.c.back_at.is_not(None),
        sa.exists().where(
            deaths.c.service == silences.c.service,
            sa.or_(
                deaths.c.life == silences.c.life,
                # Never heard before it was silent: then that death is meant which was noticed meanwhile.
                sa.and_(
                    silences.c.life.is_(None),
                    deaths.c.noticed_at >= silences.c.since,
                    deaths.c.back_at <= silences.c.back_at,
                ),
            ),
        ),
    )
    .order_by(silences.c.since.desc())
    .limit(_LATELY_MAX)
)


@dataclass(frozen=True)
class Silence:
    service: str
    since: datetime
    life: str | None
    noticed_at: datetime
    back_at: datetime | None


def list_silences(connection: sa.Connection, *, is_open: bool = True, most: int = 100) -> list[Silence]:
    query = sa.select(silences).order_by(silences.c.since.desc()).limit(most)
    if is_open:
        query = query.where(silences.c.back_at.is_(None))
    return [Silence(**row._mapping) for row in connection.execute(query)]


def handlers(watcher: str, peers: tuple[str, ...]) -> dict[str, Handler]:
    """What every service does when a peer tells that its life began."""

    def hear(tx: Transaction, now: datetime, fact: LifeBegan, _envelope: Envelope) -> None:
        if fact.parent is None:
            return
        if fact.parent_ready_at is not None:
            note_ready(tx, now, watcher, fact.parent, fact.parent_ready_at)
        if fact.parent_said_goodbye:
            known = (farewells.c.life == fact.parent) & farewells.c.back_at.is_(None)
            tx.execute(sa.update(farewells).where(known).values(back_at=fact.began_at))
            _carry_on(tx, fact.parent, fact.life, fact.attempts)
            _settle_stops(tx, now, fact.service)
        else:
            note_death(tx, now, watcher, _death_told(fact, now))

    def hear_goodbye(tx: Transaction, _now: datetime, fact: LifeEnded, _envelope: Envelope) -> None:
        if tx.execute(sa.select(farewells.c.life).where(farewells.c.life == fact.life)).first() is None:
            tx.execute(sa.insert(farewells).values(life=fact.life, service=fact.service, ended_at=fact.ended_at))

    began = {f"{peer}.life.began": hear for peer in peers}
    return began | {f"{peer}.life.ended": hear_goodbye for peer in peers}


def _death_told(fact: LifeBegan, now: datetime) -> Death:
    assert fact.parent is not None
    return Death(
        life=fact.parent,
        service=fact.service,
        how=fact.last_end,
        died_at=fact.last_end_at,
        noticed_at=now,
        new_life=fact.life,
        back_at=fact.began_at,
        down_since=fact.down_since,
        attempts=fact.attempts,
    )


def note_own_birth(tx: Transaction, now: datetime, service: str) -> None:
    """A service whose parent died writes that down itself: also Statistics' own death leaves an incident.

    And those before: a life that is killed between taking the lease and this line could not tell its parent's death.
    """
    for row in tx.execute(_UNTOLD):
        note_death(tx, now, service, Death(service=service, noticed_at=now, **row._mapping))
    own = tx.execute(sa.select(lives).where(lives.c.epoch == tx.life)).first()
    if own is not None and own.parent is not None and has_said_goodbye(tx.connection, own.parent):
        _carry_on(tx, own.parent, own.epoch, own.attempts)


def note_ready(tx: Transaction, _now: datetime, watcher: str, life: str, ready_at: datetime) -> Outage | None:
    """The outage before this life is over: it is told how long it was. None where there was none, and a second time."""
    if was_ready(tx.connection, life):
        return None
    tx.execute(sa.insert(readiness).values(life=life, ready_at=ready_at))
    death = find_death(tx.connection, deaths.c.new_life == life)
    if death is None:
        return None
    outage = outage_of(tx.connection, death)
    incident = _open_incident_of(tx, death) if watcher == "statistics" else None
    if incident is not None:
        reword_incident(tx, incident.id, _sentence(tx, outage))
    return outage


def _open_incident_of(tx: Transaction, death: Death) -> Incident | None:
    """The one that the newest death of a service opened or made grow."""
    about = f"service/{death.service}"
    likely = [i for i in list_incidents(tx.connection, is_open=True) if i.kind == "death" and i.about == about]
    return max(likely, key=lambda incident: incident.grown_at, default=None)


def _carry_on(tx: Transaction, stopped: str, life: str, attempts: int | None) -> None:
    """A life that was stopped before it was ready has not ended the outage: the one after it may."""
    is_open = (deaths.c.new_life == stopped) & ~sa.exists().where(readiness.c.life == stopped)
    tx.execute(sa.update(deaths).where(is_open).values(new_life=life, attempts=attempts))


def note_death(tx: Transaction, now: datetime, watcher: str, death: Death) -> None:
    """Write the death down, once; whoever is responsible opens its incident."""
    known = find_death(tx.connection, deaths.c.life == death.life)
    if known is None:
        death = replace(death, down_since=death.down_since or death.died_at, attempts=death.attempts or 1)
        tx.execute(sa.insert(deaths).values(**{column.name: getattr(death, column.name) for column in deaths.c}))
    else:
        later = {"how": death.how or known.how, "died_at": death.died_at or known.died_at}
        later |= {"new_life": death.new_life or known.new_life, "back_at": death.back_at or known.back_at}
        tx.execute(sa.update(deaths).where(deaths.c.life == death.life).values(**later))
    if watcher == "statistics":
        _tell_death(tx, now, known or death)
    _merge_silences(tx, now, death.service)


def _tell_death(tx: Transaction, now: datetime, death: Death) -> None:
    """An outage is one incident, however far apart its attempts are; another within ten minutes makes it grow, too."""
    cause, about = f"death/{death.life}", f"service/{death.service}"
    outage = outage_of(tx.connection, death)
    sentence = _sentence(tx, outage)
    growing = _open_incident_of(tx, death) if len(outage.deaths) > 1 else None
    if growing is not None:
        grow_incident(tx, now, growing, sentence)
    else:
        open_incident(tx, now, cause=cause, kind="death", about=about, sentence=sentence, grows=True)


def note_change(tx: Transaction, now: datetime, watcher: str, change: Change) -> None:
    """A peer went silent, came back, became ready, or is heard with a new life."""
    if change.kind == "silent":
        _note_silence(tx, now, watcher, change)
    elif change.kind == "back":
        _note_back(tx, now, watcher, change)
    elif change.kind == "ready" and change.life is not None and change.ready_at is not None:
        note_ready(tx, now, watcher, change.life, change.ready_at)


def _note_silence(tx: Transaction, now: datetime, watcher: str, change: Change) -> None:
    since = change.last_heard_at or now
    of_service = silences.c.service == change.service
    is_known = of_service & (silences.c.back_at.is_(None) | (silences.c.since == since))
    if tx.execute(sa.select(silences.c.since).where(is_known)).first() is not None:
        return  # Noted already, perhaps by an earlier life of ours: it has been silent all the time.
    values = {"service": change.service, "since": since, "life": change.life, "noticed_at": now}
    tx.execute(sa.insert(silences).values(**values))
    if watcher == "statistics":
        outbox.add(
            tx, ServiceSilent(service=change.service, life=change.life, last_heard_at=change.last_heard_at, at=now)
        )
    if watcher == "statistics" or change.service == "statistics":
        _open_silence(tx, now, watcher, Silence(change.service, since, change.life, now, None))


def _open_silence(tx: Transaction, now: datetime, watcher: str, silence: Silence) -> None:
    """One incident a life, as long as it is open: it grows when the life goes silent once more."""
    service, zone = silence.service, zone_of_all(tx.connection)
    since = silence.since.astimezone(ZoneInfo(zone))
    sentence = f"{service.title()} is silent since {since:%H:%M:%S} ({zone}), noticed by {watcher.title()}"
    known = [load(tx.connection, identity) for identity in _silence_incidents(tx, service, silence.life)]
    growing = next((one for one in known if one is not None and one.settled_at is None), None)
    if growing is not None:
        grow_incident(tx, now, growing, sentence)
        return
    cause = _silence_cause(service, silence.life, silence.since)
    open_incident(tx, now, cause=cause, kind="silence", about=f"service/{service}", sentence=sentence)


def _silence_cause(service: str, life: str | None, since: datetime) -> str:
    return f"silence/{service}/{life}/{since.isoformat()}"


def _silence_incidents(tx: Transaction, service: str, life: str | None) -> list[str]:
    """Ids of what this life's silences may have opened, the newest first."""
    is_of = (silences.c.service == service) & (silences.c.life == life)
    rows = tx.execute(sa.select(silences.c.since).where(is_of).order_by(silences.c.since.desc()).limit(_LATELY_MAX))
    return [incident_id(_silence_cause(service, life, row.since)) for row in rows]


def _merge_silences(tx: Transaction, now: datetime, service: str) -> None:
    """Silences that are over and were a death that is in the book: its incident tells of them."""
    for row in tx.execute(_ENDED_BY_DEATH, {"of_service": service}).all():
        merge_incident(tx, now, incident_id(_silence_cause(service, row.life, row.since)))


def _settle_stops(tx: Transaction, now: datetime, service: str) -> None:
    """Silences that are over and were an orderly stop: there is nothing for a person to settle."""
    over = sa.select(silences).where(silences.c.service == service, silences.c.back_at.is_not(None))
    ended = sa.select(farewells).where(farewells.c.service == service, farewells.c.back_at.is_not(None))
    stops = tx.execute(ended.order_by(farewells.c.ended_at.desc()).limit(_LATELY_MAX)).all()
    for silence in tx.execute(over.order_by(silences.c.since.desc()).limit(_LATELY_MAX)).all():
        stop = next((stop for stop in stops if _was_stop(silence, stop)), None)
        if stop is not None:
            identity = incident_id(_silence_cause(service, silence.life, silence.since))
            close_incident(tx, now, identity, STOPPED, f"for {(stop.back_at - stop.ended_at).total_seconds():.0f} s")


def _was_stop(silence: Any, stop: Any) -> bool:
    """One that was silent long before its goodbye was in trouble, and stays for a person."""
    return silence.life in (None, stop.life) and stop.ended_at - GOODBYE_WITHIN <= silence.since <= stop.back_at


def _note_back(tx: Transaction, now: datetime, watcher: str, change: Change) -> None:
    is_open = (silences.c.service == change.service) & silences.c.back_at.is_(None)
    was_silent = tx.execute(sa.update(silences).where(is_open).values(back_at=now)).rowcount > 0
    if was_silent and watcher == "statistics":
        outbox.add(
            tx, ServiceBack(service=change.service, life=change.life, last_heard_at=change.last_heard_at, at=now)
        )
    _merge_silences(tx, now, change.service)
    _settle_stops(tx, now, change.service)


def death_incident_id(life: str) -> str:
    return incident_id(f"death/{life}")


def _sentence(tx: Transaction, outage: Outage) -> str:
    zone = zone_of_all(tx.connection)
    return f"{outage.sentence(ZoneInfo(zone))} ({zone})"
