"""What people must settle: opened once by its cause, never closed by recovery, settled by a person with a word.

One thing is one incident to a person: what turns out to be a part of another incident ends by `MERGED`, nobody's word.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from softlanding.contracts.everyone import MERGED, IncidentOpened, IncidentSettled
from softlanding.database import Moment, Transaction, shared
from softlanding.errors import NotFound, Refused
from softlanding.messaging import outbox

Kind = Literal[
    "death", "silence", "missed", "unanswered", "poison", "halted", "clock", "fork", "lost", "stranded", "other"
]

WORDS: dict[str, tuple[str, ...]] = {
    "death": ("understood", "restarted by hand", "cause removed"),
    "silence": ("understood", "network", "restarted by hand"),
    "missed": ("driven by taxi", "fetched later", "came by themselves", "not needed", "could not be reached"),
    "unanswered": ("taken by hand", "driven by taxi", "answered meanwhile", "not needed"),
    "poison": ("replayed", "dropped", "understood"),
    "halted": ("updated", "understood"),
    "clock": ("clock is right", "clock was mended"),
    "fork": ("restored on purpose", "wrong volume", "understood"),
    "lost": ("talk moved", "another speaker", "comes in time after all", "talk falls out"),
    "stranded": ("arrival corrected", "driven by taxi", "not needed", "could not be reached"),
    "other": ("understood", "mended"),
}
"""The few words with which a person settles each kind."""

GROWS_WITHIN = timedelta(minutes=10)  # Deaths of one service this near to each other are one growing incident.
_NAMESPACE = uuid.UUID("5f0d1a52-3c1b-4a6e-9a51-6d0f1e9c7a11")

incidents = sa.Table(
    "incident",
    shared,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("code", sa.String(40)),
    sa.Column("conference", sa.String(80)),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("grown_at", Moment, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("settled_at", Moment),
    sa.Column("settled_by", sa.String(200)),
    sa.Column("settled_word", sa.String(80)),
    sa.Column("settled_note", sa.Text),
    sa.Index("incident_open", "settled_at", "kind"),
)


@dataclass(frozen=True)
class Incident:
    id: str
    kind: str
    about: str
    code: str | None
    conference: str | None
    sentence: str
    opened_at: datetime
    grown_at: datetime
    times: int
    settled_at: datetime | None
    settled_by: str | None
    settled_word: str | None
    settled_note: str | None

    @property
    def words(self) -> tuple[str, ...]:
        return WORDS[self.kind]


def incident_id(cause: str) -> str:
    """The same cause gives the same incident, whoever notices it."""
    return str(uuid.uuid5(_NAMESPACE, cause))


def open_incident(
    tx: Transaction,
    now: datetime,
    *,
    cause: str,
    kind: Kind,
    about: str,
    sentence: str,
    conference: str | None = None,
    code: str | None = None,
    grows: bool = False,
) -> str:
    """Open it unless its cause has opened it before; its id.

    With `grows`, an open one of the same kind about the same thing that last grew within ten minutes grows instead.
    """
    identity = incident_id(cause)
    if load(tx.connection, identity) is not None:
        return identity
    growing = _find_growing(tx, now, kind, about) if grows else None
    if growing is not None:
        return grow_incident(tx, now, growing, sentence)
    tx.execute(
        sa.insert(incidents).values(
            id=identity,
            kind=kind,
            about=about,
            code=code,
            conference=conference,
            sentence=sentence,
            opened_at=now,
            grown_at=now,
            times=1,
        )
    )
    _tell_open(tx, identity)
    return identity


def grow_incident(tx: Transaction, now: datetime, incident: Incident, sentence: str) -> str:
    """It happened once more; its id."""
    changes = {"times": incident.times + 1, "grown_at": now, "sentence": sentence}
    tx.execute(sa.update(incidents).where(incidents.c.id == incident.id).values(**changes))
    _tell_open(tx, incident.id)
    return incident.id


def reword_incident(tx: Transaction, identity: str, sentence: str) -> None:
    """More is known of it now. Who settled it settled the same thing."""
    tx.execute(sa.update(incidents).where(incidents.c.id == identity).values(sentence=sentence))
    if _load_sure(tx, identity).settled_at is None:
        _tell_open(tx, identity)


def merge_incident(tx: Transaction, now: datetime, identity: str) -> None:
    """It is a part of another incident, which stays. One that is not open (any more) is left as it is."""
    incident = load(tx.connection, identity)
    if incident is not None and incident.settled_at is None:
        _settle(tx, now, identity, by=None, word=MERGED, note=None)


def close_incident(tx: Transaction, now: datetime, identity: str, word: str, note: str) -> None:
    """It turned out to be nothing for a person. One that is not open (any more) is left as it is."""
    incident = load(tx.connection, identity)
    if incident is not None and incident.settled_at is None:
        _settle(tx, now, identity, by=None, word=word, note=note)


def settle_incident(tx: Transaction, now: datetime, identity: str, *, by: str, word: str, note: str = "") -> Incident:
    """A person settles it with one of the kind's words. Raises NotFound; Refused for another word or a second time."""
    incident = load(tx.connection, identity)
    if incident is None:
        raise NotFound("there is no such incident here")
    if word not in WORDS[incident.kind]:
        raise Refused(f"'{word}' does not settle this; choose one of: {', '.join(WORDS[incident.kind])}")
    if incident.settled_word == MERGED:
        raise Refused("this is a part of another incident now; settle that one")
    if incident.settled_at is not None:
        raise Refused(f"{incident.settled_by or 'nobody'} settled this already: {incident.settled_word}")
    if not by.strip():
        raise Refused("say who settles it")
    return _settle(tx, now, identity, by=by, word=word, note=note)


def _settle(tx: Transaction, now: datetime, identity: str, *, by: str | None, word: str, note: str | None) -> Incident:
    values = {"settled_at": now, "settled_by": by, "settled_word": word, "settled_note": note}
    tx.execute(sa.update(incidents).where(incidents.c.id == identity).values(**values))
    settled = _load_sure(tx, identity)
    outbox.add(tx, IncidentSettled.model_validate(_state(settled)))
    return settled


def load(connection: sa.Connection, identity: str) -> Incident | None:
    row = connection.execute(sa.select(incidents).where(incidents.c.id == identity)).first()
    return _from_row(row) if row else None


def list_incidents(
    connection: sa.Connection, *, conference: str | None = None, is_open: bool | None = None, most: int = 200
) -> list[Incident]:
    """Newest first. `is_open` None: both."""
    query = sa.select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id).limit(most)
    if is_open is not None:
        query = query.where(incidents.c.settled_at.is_(None) if is_open else incidents.c.settled_at.is_not(None))
    if conference is not None:
        query = query.where(sa.or_(incidents.c.conference == conference, incidents.c.conference.is_(None)))
    return [_from_row(row) for row in connection.execute(query)]


def count_open(connection: sa.Connection) -> dict[str, float]:
    """How many wait for a person, by kind."""
    query = sa.select(incidents.c.kind, sa.func.count().label("number")).where(incidents.c.settled_at.is_(None))
    return {row.kind: float(row.number) for row in connection.execute(query.group_by(incidents.c.kind))}


def _find_growing(tx: Transaction, now: datetime, kind: str, about: str) -> Incident | None:
    is_like = (incidents.c.kind == kind) & (incidents.c.about == about) & incidents.c.settled_at.is_(None)
    recent = incidents.c.grown_at > now - GROWS_WITHIN
    row = tx.execute(sa.select(incidents).where(is_like, recent).order_by(incidents.c.grown_at.desc())).first()
    return _from_row(row) if row else None


def _tell_open(tx: Transaction, identity: str) -> None:
    outbox.add(tx, IncidentOpened.model_validate(_state(_load_sure(tx, identity))))


def _state(incident: Incident) -> dict[str, object]:
    return {
        "conference": incident.conference,
        "incident": incident.id,
        "kind": incident.kind,
        "about": incident.about,
        "code": incident.code,
        "sentence": incident.sentence,
        "opened_at": incident.opened_at,
        "times": incident.times,
        "settled_at": incident.settled_at,
        "settled_by": incident.settled_by,
        "settled_word": incident.settled_word,
        "settled_note": incident.settled_note,
    }


def _load_sure(tx: Transaction, identity: str) -> Incident:
    incident = load(tx.connection, identity)
    assert incident is not None
    return incident


def _from_row(row: sa.Row[tuple[object, ...]]) -> Incident:
    return Incident(**row._mapping)
