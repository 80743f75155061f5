"""Programs' tokens: rows that Schedule makes and ends, told to all; only a hash of each is kept.

A token holds for one conference or for all, for what its scopes say, until it ends or is revoked.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from softlanding.contracts.schedule import TokenGranted, TokenRevoked, TokenState
from softlanding.database import Moment, Transaction, shared
from softlanding.errors import NotFound, Refused
from softlanding.messaging import outbox
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler
from softlanding.signing import hash_of

LASTS = timedelta(days=365)
SEEN_ANEW = timedelta(minutes=5)  # Not each request is worth a commit.
PREFIX = "slt_"  # By it a token is known in a log or a file that it got into by mistake.

tokens = sa.Table(
    "program_token",
    shared,
    sa.Column("token", sa.String(36), primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("conference", sa.String(80)),  # None: all of them, and what belongs to none.
    sa.Column("scopes", sa.Text, nullable=False),  # JSON list
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("ends_at", Moment, nullable=False),
    sa.Column("revoked_at", Moment),
    sa.Column("revoked_by", sa.String(200)),
    sa.Column("seen_at", Moment),  # In this service.
)


@dataclass(frozen=True)
class Token:
    token: str
    token_hash: str
    name: str
    conference: str | None
    scopes: tuple[str, ...]
    made_by: str
    made_at: datetime
    ends_at: datetime
    revoked_at: datetime | None
    revoked_by: str | None
    seen_at: datetime | None

    def holds_at(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.ends_at


def find(connection: sa.Connection, raw: str) -> Token | None:
    """The token of which this is the text."""
    row = connection.execute(sa.select(tokens).where(tokens.c.token_hash == hash_of(raw))).first()
    return _from_row(row) if row else None


def list_tokens(connection: sa.Connection, conference: str | None = None) -> list[Token]:
    """The newest first; with a conference, those of that one alone."""
    query = sa.select(tokens).order_by(tokens.c.made_at.desc(), tokens.c.token).limit(500)
    if conference is not None:
        query = query.where(tokens.c.conference == conference)
    return [_from_row(row) for row in connection.execute(query)]


def grant(tx: Transaction, granted: TokenGranted) -> None:
    """Schedule's own making of one. Raises Refused when another that holds bears the name."""
    twin = sa.select(tokens.c.token).where(
        tokens.c.name == granted.name, tokens.c.revoked_at.is_(None), tokens.c.ends_at > granted.made_at
    )
    if tx.execute(twin).first() is not None:
        raise Refused(f"there is a token '{granted.name}' already; revoke it first, or give this one another name")
    _keep(tx, granted)
    outbox.add(tx, granted)


def revoke(tx: Transaction, now: datetime, named: str, *, by: str, conference: str | None = None) -> Token:
    """By its id or name, it holds no more. Raises NotFound; with a conference, also for one that is not of that."""
    is_meant = ((tokens.c.token == named) | (tokens.c.name == named)) & tokens.c.revoked_at.is_(None)
    if conference is not None:
        is_meant &= tokens.c.conference == conference
    row = tx.execute(sa.select(tokens).where(is_meant).order_by(tokens.c.made_at.desc())).first()
    if row is None:
        raise NotFound(f"no token that holds has the name or id '{named[:80]}'; `softlanding token list` shows them")
    known = _from_row(row)
    revoked = TokenRevoked.model_validate(_state(known) | {"revoked_at": now, "revoked_by": by})
    _keep(tx, revoked)
    outbox.add(tx, revoked)
    return known


def see(tx: Transaction, now: datetime, token: str) -> None:
    """It is in use."""
    tx.execute(sa.update(tokens).where(tokens.c.token == token).values(seen_at=now))


def handlers(me: str) -> dict[str, Handler]:
    if me == "schedule":
        return {}
    return {"schedule.token.granted": _hear, "schedule.token.revoked": _hear}


def _hear(tx: Transaction, _now: datetime, fact: TokenState, _envelope: Envelope) -> None:
    _keep(tx, fact)


def _keep(tx: Transaction, state: TokenState) -> None:
    values = _state(state) | {"scopes": json.dumps(sorted(state.scopes))}
    values |= {"revoked_at": state.revoked_at, "revoked_by": state.revoked_by}
    identity = values.pop("token")
    if tx.execute(sa.update(tokens).where(tokens.c.token == identity).values(**values)).rowcount == 0:
        tx.execute(sa.insert(tokens).values(token=identity, **values))


def _state(one: Token | TokenState) -> dict[str, object]:
    names = ("token", "token_hash", "name", "conference", "scopes", "made_by", "made_at", "ends_at")
    return {name: getattr(one, name) for name in names}


def scopes_of(wanted: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Sorted, each once. Raises Refused for one that there is not."""
    strange = sorted(set(wanted) - set(known))
    if strange:
        raise Refused(f"there is no scope '{strange[0][:40]}': choose of {', '.join(known)}")
    return tuple(sorted(set(wanted)))


def _from_row(row: sa.Row[tuple[object, ...]]) -> Token:
    return Token(**dict(row._mapping) | {"scopes": tuple(json.loads(row.scopes))})
