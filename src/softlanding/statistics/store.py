"""Facts to rows. Statements are built once: each fact costs a few of them, and thousands may come in a second."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.contracts import Fact, personal_fields
from softlanding.contracts.dispatch import RideState
from softlanding.contracts.everyone import IncidentState, LifeBegan, LifeEnded
from softlanding.contracts.schedule import BY_HAND, PickupState
from softlanding.database import Transaction
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Fork
from softlanding.statistics.model.pickups import ride_word
from softlanding.statistics.tables import (
    fact_counts,
    facts,
    heard_incidents,
    heard_lives,
    log_counts,
    logs,
    pickups,
)

_HAPPENED = ("at", "began_at", "ended_at", "settled_at", "released_at", "published_at", "used_at")
_STORED: dict[type[Fact], frozenset[str]] = {}

_ADD_FACT = sa.insert(facts)
_COUNT = (
    sa.update(fact_counts)
    .where(
        fact_counts.c.conference == sa.bindparam("of_conference"),
        fact_counts.c.minute == sa.bindparam("of_minute"),
        fact_counts.c.type == sa.bindparam("of_type"),
    )
    .values(count=fact_counts.c.count + 1)
)
_ADD_COUNT = sa.insert(fact_counts)
_OF_ASKED = ("answer_by", "expires_at", "landing_at", "direction", "party")
_ASKED = ("asked_word", "asked_revision", "asked_kind", "asked_at", *_OF_ASKED)
_OF_RIDE = ("vehicle", "board_at", "deliver_at", "boarded_at", "delivered_at")
_RIDE = ("ride_word", "ride_revision", "ride_at", *_OF_RIDE)


def _update_pickup(columns: Sequence[str]) -> sa.Update:
    is_it = pickups.c.pickup == sa.bindparam("of_pickup")
    names = ("conference", "code", *columns)
    return sa.update(pickups).where(is_it).values({name: sa.bindparam(f"to_{name}") for name in names})


_UPDATE_ASKED = _update_pickup(_ASKED)
_UPDATE_RIDE = _update_pickup(_RIDE)
_ADD_PICKUP = sa.insert(pickups)
_ADD_LIFE = sa.insert(heard_lives)
_END_LIFE = (
    sa.update(heard_lives).where(heard_lives.c.life == sa.bindparam("of_life")).values(ended_at=sa.bindparam("at"))
)
_INCIDENT = ("kind", "about", "code", "conference", "sentence", "opened_at", "times", "settled_at", "settled_word")
_UPDATE_INCIDENT = (
    sa.update(heard_incidents)
    .where(heard_incidents.c.service == sa.bindparam("of_service"), heard_incidents.c.id == sa.bindparam("of_id"))
    .values({name: sa.bindparam(f"to_{name}") for name in _INCIDENT})
)
_ADD_INCIDENT = sa.insert(heard_incidents)
_ADD_LOGS = sa.insert(logs)


def stored_fields(fact: type[Fact]) -> frozenset[str]:
    """What is kept of a fact: the fields that this release knows not to be personal. Unknown ones might be."""
    if fact not in _STORED:
        # At any depth: where a field may be absent, the mark stands at one of its choices.
        shapes = fact.model_json_schema()["properties"].items()
        marked = {name for name, shape in shapes if '"personal": true' in json.dumps(shape)}
        _STORED[fact] = frozenset(fact.model_fields) - marked - personal_fields(fact)
    return _STORED[fact]


def add_fact(tx: Transaction, now: datetime, fact: Fact, envelope: Envelope) -> None:
    """Keep the fact without what it tells about persons, and count it."""
    kept = stored_fields(type(fact))
    data = {name: value for name, value in envelope.data.items() if name in kept}
    tx.execute(
        _ADD_FACT,
        {
            "id": envelope.id,
            "source": envelope.source,
            "epoch": envelope.epoch,
            "sequence": envelope.sequence,
            "type": envelope.type,
            "subject": envelope.subject,
            "conference": envelope.conference,
            "pickup": pickup_of(fact),
            "code": getattr(fact, "code", None),
            "revision": getattr(fact, "revision", None),
            "happened_at": happened_at(fact, envelope),
            "told_at": envelope.time,
            "applied_at": now,
            "expires_at": envelope.expires_at,
            "causation": envelope.causation,
            "data": json.dumps(data | _words_for(fact)),
        },
    )
    count_fact(tx, envelope)


def count_fact(tx: Transaction, envelope: Envelope) -> None:
    conference = envelope.conference or ""
    minute = envelope.time.replace(second=0, microsecond=0)
    values = {"of_conference": conference, "of_minute": minute, "of_type": envelope.type}
    if tx.execute(_COUNT, values).rowcount == 0:
        tx.execute(_ADD_COUNT, {"conference": conference, "minute": minute, "type": envelope.type, "count": 1})


def pickup_of(fact: Fact) -> str | None:
    """The pickup that it is about, also for incidents."""
    pickup: str | None = getattr(fact, "pickup", None)
    about = getattr(fact, "about", "")
    return about.removeprefix("pickup/") if pickup is None and about.startswith("pickup/") else pickup


def happened_at(fact: Fact, envelope: Envelope) -> datetime:
    """When it happened: the driver's tap, the end of a life; else when it was told."""
    for name in _HAPPENED:
        moment = getattr(fact, name, None)
        if moment is not None:
            return moment  # type: ignore[no-any-return]
    return envelope.time


def save_asked(tx: Transaction, _now: datetime, fact: PickupState, envelope: Envelope) -> None:
    """Schedule's half of a pickup: its last word."""
    values = {
        "asked_word": fact.TYPE.rpartition(".")[2],
        "asked_revision": fact.revision,
        "asked_kind": _kind_of(fact),
        "asked_at": envelope.time,
    }
    values |= {name: getattr(fact, name) for name in _OF_ASKED}
    _save_half(tx, _UPDATE_ASKED, fact, values)


def _words_for(fact: Fact) -> dict[str, str]:
    """What may be counted of a reason, also where the release before did not say it."""
    kind = _kind_of(fact) if isinstance(fact, PickupState) else ""
    return {"reason_kind": kind} if kind else {}


def _kind_of(fact: PickupState) -> str:
    """Why it was withdrawn, as a word. A Schedule of the release before says it in the reason alone."""
    return fact.reason_kind or (BY_HAND if fact.reason.startswith("by hand") else "")


def save_ride(tx: Transaction, _now: datetime, fact: RideState, _envelope: Envelope) -> None:
    """Dispatch's half of a pickup: its last word."""
    values = {
        "ride_word": ride_word(fact.status, fact.TYPE),
        "ride_revision": fact.revision,
        "ride_at": fact.at,
    }
    values |= {name: getattr(fact, name) for name in _OF_RIDE}
    _save_half(tx, _UPDATE_RIDE, fact, values)


def _save_half(tx: Transaction, update: sa.Update, fact: PickupState | RideState, values: dict[str, Any]) -> None:
    values |= {"conference": fact.conference, "code": fact.code}
    changes = {f"to_{name}": value for name, value in values.items()}
    if tx.execute(update, {"of_pickup": fact.pickup, **changes}).rowcount == 0:
        tx.execute(_ADD_PICKUP, {"pickup": fact.pickup, **values})


def add_life(tx: Transaction, _now: datetime, fact: LifeBegan, _envelope: Envelope) -> None:
    names = ("life", "service", "parent", "release", "began_at")
    tx.execute(_ADD_LIFE, {name: getattr(fact, name) for name in names})


def end_life(tx: Transaction, _now: datetime, fact: LifeEnded, _envelope: Envelope) -> None:
    tx.execute(_END_LIFE, {"of_life": fact.life, "at": fact.ended_at})


def save_incident(tx: Transaction, _now: datetime, fact: IncidentState, envelope: Envelope) -> None:
    """A peer's incident as it last told it, without who settled it."""
    values = {name: getattr(fact, name) for name in _INCIDENT}
    changes = {f"to_{name}": value for name, value in values.items()}
    number = {"of_service": envelope.source, "of_id": fact.incident}
    if tx.execute(_UPDATE_INCIDENT, number | changes).rowcount == 0:
        tx.execute(_ADD_INCIDENT, {"service": envelope.source, "id": fact.incident, **values})


def codes_of_fork(connection: sa.Connection, source: str, fork: Fork) -> list[str]:
    """Codes of pickups of which the lost facts told."""
    is_lost = (facts.c.source == source) & (facts.c.epoch == fork.epoch)
    query = sa.select(facts.c.code).where(is_lost, facts.c.sequence.between(fork.first, fork.last))
    found = query.where(facts.c.pickup.is_not(None), facts.c.code.is_not(None)).distinct()
    return sorted(connection.execute(found).scalars())


def add_logs(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """One statement for all of them."""
    if rows:
        tx.execute(_ADD_LOGS, list(rows))


def count_logs(tx: Transaction, name: str, more: int) -> None:
    """Add to one of the counters `kept`, `bad`, `lost`."""
    if more == 0:
        return
    is_it = log_counts.c.name == name
    if tx.execute(sa.update(log_counts).where(is_it).values(count=log_counts.c.count + more)).rowcount == 0:
        tx.execute(sa.insert(log_counts).values(name=name, count=more))


def log_range(connection: sa.Connection) -> tuple[int, int, datetime] | None:
    """(first number, last number, when the first was received) of the lines kept; None when there are none."""
    first = connection.execute(sa.select(logs.c.number, logs.c.received_at).order_by(logs.c.number).limit(1)).first()
    last = connection.execute(sa.select(sa.func.max(logs.c.number))).scalar()
    return (first.number, last, first.received_at) if first is not None and last is not None else None


def drop_logs(tx: Transaction, upto: int, *, before: datetime, floor: int) -> int:
    """Delete lines numbered up to `upto` that were received before `before` or are numbered up to `floor`."""
    is_due = sa.or_(logs.c.received_at < before, logs.c.number <= floor)
    return tx.execute(sa.delete(logs).where(logs.c.number <= upto, is_due)).rowcount
