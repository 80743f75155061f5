"""Sessions are rows in every service: begun by a sign-in, seen, and ended for all three by one fact.

The cookie is signed and says whose session it is and since when, so that a service which has not heard of its beginning
takes it all the same; one that has heard of its end refuses it. What ends many at once (other roles, a removal) is a
moment: whatever this person began before is over.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from softlanding.contracts.everyone import SessionBegan, SessionEnded
from softlanding.database import Moment, Transaction, shared
from softlanding.errors import NotFound
from softlanding.messaging import outbox
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler

SEEN_ANEW = timedelta(minutes=5)  # Not each request is worth a commit, nor a new cookie.
SHOWN_MAX = 50

sessions = sa.Table(
    "session",
    shared,
    sa.Column("session", sa.String(64), primary_key=True),
    sa.Column("person", sa.String(36), nullable=False),
    sa.Column("began_at", Moment),  # None: its end was heard before its beginning.
    sa.Column("began_in", sa.String(40)),
    sa.Column("address", sa.String(60)),
    sa.Column("agent", sa.String(200)),
    sa.Column("seen_at", Moment),  # In this service.
    sa.Column("ended_at", Moment),
    sa.Column("ended_by", sa.String(200)),
    sa.Column("ended_why", sa.String(40)),
    sa.Index("session_of_person", "person", "ended_at"),
)
cuts = sa.Table(
    "session_cut",
    shared,
    sa.Column("person", sa.String(36), primary_key=True),
    sa.Column("before", Moment, nullable=False),  # What began earlier is over.
)


@dataclass(frozen=True)
class Session:
    session: str
    person: str
    began_at: datetime | None
    began_in: str | None
    address: str | None
    agent: str | None
    seen_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None
    ended_why: str | None


def is_over(connection: sa.Connection, session: str, person: str, began_at: datetime) -> bool:
    """Whether it was ended, as far as is heard here."""
    ended = sa.select(sessions.c.ended_at).where(sessions.c.session == session, sessions.c.ended_at.is_not(None))
    if connection.execute(ended).first() is not None:
        return True
    before = connection.execute(sa.select(cuts.c.before).where(cuts.c.person == person)).scalar()
    return before is not None and began_at < before


def begin(tx: Transaction, began: SessionBegan) -> None:
    """Somebody has signed in here: kept, told to the others."""
    _keep_began(tx, began)
    outbox.add(tx, began)


def see(tx: Transaction, now: datetime, session: str) -> None:
    """It is in use."""
    tx.execute(sa.update(sessions).where(sessions.c.session == session).values(seen_at=now))


def end(tx: Transaction, now: datetime, session: str, person: str, *, by: str, why: str) -> bool:
    """It is over from now on, in all services as they hear of it. False: it was over already."""
    known = _load(tx.connection, session)
    if known is not None and known.person != person:
        raise NotFound("there is no such session of yours")
    if known is not None and known.ended_at is not None:
        return False
    ended = SessionEnded(session=session, session_of=person, ended_at=now, by=by, why=why)
    _keep_ended(tx, ended)
    outbox.add(tx, ended)
    return True


def end_all(tx: Transaction, now: datetime, person: str, *, by: str, why: str, but: str = "") -> int:
    """Every open session of this person that is known here, but for one; how many."""
    others = [one.session for one in list_open(tx.connection, person) if one.session != but]
    return sum(end(tx, now, one, person, by=by, why=why) for one in others)


def cut(tx: Transaction, at: datetime, person: str, *, why: str) -> None:
    """Whatever this person began up to now is over: kept here; each service does so when it hears of the cause."""
    known = tx.execute(sa.select(cuts.c.before).where(cuts.c.person == person)).scalar()
    if known is None:
        tx.execute(sa.insert(cuts).values(person=person, before=at))
    elif known < at:
        tx.execute(sa.update(cuts).where(cuts.c.person == person).values(before=at))
    is_open = (sessions.c.person == person) & sessions.c.ended_at.is_(None) & (sessions.c.began_at < at)
    tx.execute(sa.update(sessions).where(is_open).values(ended_at=at, ended_why=why))


def list_open(connection: sa.Connection, person: str) -> list[Session]:
    """This person's sessions that are not over, the newest first."""
    is_open = (sessions.c.person == person) & sessions.c.ended_at.is_(None)
    rows = connection.execute(sa.select(sessions).where(is_open).order_by(sessions.c.began_at.desc()).limit(SHOWN_MAX))
    return [Session(**row._mapping) for row in rows]


def handlers(me: str, peers: Iterable[str]) -> dict[str, Handler]:
    """What each service does with the others' words about sessions."""
    table: dict[str, Handler] = {}
    for peer in peers:
        table[f"{peer}.session.began"] = _hear_began
        table[f"{peer}.session.ended"] = _hear_ended
    assert me not in peers, "nobody hears itself"
    return table


def _hear_began(tx: Transaction, _now: datetime, fact: SessionBegan, _envelope: Envelope) -> None:
    _keep_began(tx, fact)


def _hear_ended(tx: Transaction, _now: datetime, fact: SessionEnded, _envelope: Envelope) -> None:
    _keep_ended(tx, fact)


def _keep_began(tx: Transaction, began: SessionBegan) -> None:
    before = tx.execute(sa.select(cuts.c.before).where(cuts.c.person == began.session_of)).scalar()
    values = {
        "person": began.session_of,
        "began_at": began.began_at,
        "began_in": began.began_in,
        "address": began.address[:60],
        "agent": began.agent[:200],
    }
    if before is not None and began.began_at < before:
        values |= {"ended_at": before, "ended_why": "began before"}
    _save(tx, began.session, values)


def _keep_ended(tx: Transaction, ended: SessionEnded) -> None:
    values = {"person": ended.session_of, "ended_at": ended.ended_at, "ended_by": ended.by, "ended_why": ended.why}
    _save(tx, ended.session, values)


def _save(tx: Transaction, session: str, values: dict[str, object]) -> None:
    if tx.execute(sa.update(sessions).where(sessions.c.session == session).values(**values)).rowcount == 0:
        tx.execute(sa.insert(sessions).values(session=session, **values))


def _load(connection: sa.Connection, session: str) -> Session | None:
    row = connection.execute(sa.select(sessions).where(sessions.c.session == session)).first()
    return Session(**row._mapping) if row else None
