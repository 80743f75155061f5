"""Who may do what: people and their roles, sign-in links, and who asks.

People and roles are facts of Schedule that every service keeps, so that a coordinator can sign in while Schedule is
dead. Sessions and links are signed with one secret that all three know; their uses and ends are told as facts.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa

from softlanding import sessions, tokens
from softlanding.contracts.everyone import SessionBegan, SignInUsed
from softlanding.contracts.schedule import PersonGranted, PersonRevoked, PersonState, SignInMade
from softlanding.database import Moment, Transaction, shared
from softlanding.errors import Forbidden, Refused
from softlanding.messaging import outbox
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler
from softlanding.signing import FIRST_PERSON, SESSION_LASTS, SIGN_IN_LASTS, Signer, hash_of

__all__ = [
    "EVERYWHERE", "FIRST_PERSON", "NOBODY", "SCOPES", "SESSION_LASTS", "SIGN_IN_LASTS", "STAFF_ROLES", "Person",
    "Signer", "Visitor", "as_seen_by", "grant", "handlers", "hash_of", "list_people", "load_person", "may_sign_in",
    "note_sign_in_made", "people", "revoke", "sign_in_used_at", "signed_in_at", "use_sign_in", "used_links",
]  # fmt: skip

T = TypeVar("T")

STAFF_ROLES = ("organiser", "coordinator", "operator")
EVERYWHERE = "*"
SCOPES = ("read", "write", "personal", "facts", "admin", "logs")
SCOPES_IN_WORDS = """\
Programs send a token (`softlanding token NAME --scope …`) as `Authorization: Bearer …`. Its scopes say what it may do:

- `read` looks at what staff see; `write` looks, too, and changes.
- `admin` manages people, their roles and sign-in links, personal links and tokens; no other scope does.
- `facts` follows the feed; `logs` sends log lines.
- `personal` adds what tells about persons (names, phones, e-mail addresses, flights, notes, personal links; codes of
  speakers and talks, places and reasons). Without it those fields are absent from every answer to a `GET`, the feed's
  facts among them.

A token holds for one conference or for all of them. One of a conference opens the addresses of that conference, and
no others.
"""

people = sa.Table(
    "person",
    shared,
    sa.Column("person", sa.String(36), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("email", sa.String(200), nullable=False),
    sa.Column("phone", sa.String(60), nullable=False),
    sa.Column("roles", sa.Text, nullable=False),  # JSON: [[conference or "*", role], …]
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("revoked_at", Moment),
)
newest_links = sa.Table(
    "sign_in_newest",
    shared,
    sa.Column("person", sa.String(36), primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False),  # "": none that was made up to then.
    sa.Column("made_at", Moment, nullable=False),
)
used_links = sa.Table(
    "sign_in_used",
    shared,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column("used_at", Moment, nullable=False),
    sa.Column("person", sa.String(36)),
)


@dataclass(frozen=True)
class Person:
    person: str
    name: str
    email: str
    phone: str
    roles: tuple[tuple[str, str], ...]
    revision: int
    is_revoked: bool


@dataclass(frozen=True)
class Visitor:
    """Who asks: a person signed in, a program with scopes, or nobody known."""

    person: str | None = None
    name: str = ""
    roles: frozenset[tuple[str, str]] = frozenset()
    scopes: frozenset[str] = frozenset()
    session: str = ""
    place: str = EVERYWHERE  # The conference for which a program's scopes hold.
    token: str = ""  # A program's token, by its id.

    @property
    def is_known(self) -> bool:
        return self.person is not None or bool(self.scopes)

    @property
    def sees_personal(self) -> bool:
        """Staff do. A program needs the scope `personal`, whatever else it may do."""
        return self.person is not None or "personal" in self.scopes

    def has_scope(self, wanted: Iterable[str], conference: str | None) -> bool:
        """A program's: one of the wanted scopes, for this conference; for what belongs to none only one for all."""
        return bool(self.scopes & set(wanted)) and self.place in (EVERYWHERE, conference)

    def has_role(self, wanted: Iterable[str], conference: str | None) -> bool:
        """One of the wanted roles, for this conference or everywhere; anywhere, where no conference is meant."""
        return any(
            role in wanted and (conference is None or place in (EVERYWHERE, conference)) for place, role in self.roles
        )

    def is_staff_of(self, conference: str | None) -> bool:
        """Whether what belongs to this conference is theirs to see and settle; what belongs to none is for those alone
        whose role or scope holds everywhere."""
        place = EVERYWHERE if conference is None else conference
        return self.has_scope(self.scopes, place) or self.has_role(STAFF_ROLES, place)


NOBODY = Visitor()


def as_seen_by(visitor: Visitor, answer: T, shown: frozenset[str]) -> T:
    """The answer; for who may not see what is personal, only the fields that are named in `shown`, at whatever depth.

    What is not named is not told: a view's new field is held back until somebody has thought about it.
    """
    return answer if visitor.sees_personal else _only(answer, shown)


def _only(value: Any, shown: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {name: _only(each, shown) for name, each in value.items() if name in shown}
    return [_only(each, shown) for each in value] if isinstance(value, list | tuple) else value


def load_person(connection: sa.Connection, person: str) -> Person | None:
    row = connection.execute(sa.select(people).where(people.c.person == person)).first()
    return _from_row(row) if row else None


def list_people(connection: sa.Connection) -> list[Person]:
    """Everybody who is not revoked, by name."""
    rows = connection.execute(sa.select(people).where(people.c.revoked_at.is_(None)).order_by(people.c.name))
    return [_from_row(row) for row in rows]


def use_sign_in(
    tx: Transaction, now: datetime, token: str, person: str, made_at: datetime, began: SessionBegan
) -> Person:
    """The link is used and a session begins: kept here, told to the others. Raises Refused the second time and for one
    that another has replaced, Forbidden for strangers."""
    known = may_sign_in(tx.connection, token, person, made_at)
    if sign_in_used_at(tx.connection, token) is not None:
        raise Refused("this sign-in link was used already; ask for a new one")
    used = SignInUsed(token_hash=hash_of(token), used_at=now, person=person, made_at=made_at)
    _keep_used(tx, used)
    outbox.add(tx, used)
    sessions.begin(tx, began)
    return known


def may_sign_in(connection: sa.Connection, token: str, person: str, made_at: datetime) -> Person:
    """Whom the link lets in, if it is not used yet. Raises Forbidden in words: a stranger, or a link that is over."""
    known = load_person(connection, person)
    if known is None or known.is_revoked:
        raise Forbidden("this link is for somebody who is not on the staff (any more)")
    newest = connection.execute(sa.select(newest_links).where(newest_links.c.person == person)).first()
    if newest is not None and newest.token_hash != hash_of(token) and made_at <= newest.made_at:
        raise Forbidden("another link was made after this one, or it was withdrawn; use the newest")
    return known


def note_sign_in_made(tx: Transaction, now: datetime, person: str, token: str = "") -> None:
    """Of this person's links only this one holds from now on; without it, none that was made up to now."""
    made = SignInMade(person=person, token_hash=hash_of(token) if token else "", made_at=now)
    _keep_newest(tx, made.person, made.token_hash, made.made_at)
    outbox.add(tx, made)


def sign_in_used_at(connection: sa.Connection, token: str) -> datetime | None:
    """When this link let somebody in, as far as is heard here; None: it is good."""
    query = sa.select(used_links.c.used_at).where(used_links.c.token_hash == hash_of(token))
    moment: datetime | None = connection.execute(query).scalar()
    return moment


def signed_in_at(connection: sa.Connection) -> dict[str, datetime]:
    """When each person last used a sign-in link."""
    last = sa.func.max(used_links.c.used_at, type_=Moment)
    query = sa.select(used_links.c.person, last.label("at")).where(used_links.c.person.is_not(None))
    return {row.person: row.at for row in connection.execute(query.group_by(used_links.c.person))}


def grant(tx: Transaction, now: datetime, person: PersonState) -> None:
    """Schedule's own change of a person, told to all. Other roles end their sessions."""
    _keep(tx, person, None, now)
    outbox.add(tx, PersonGranted(**person.model_dump()))


def revoke(tx: Transaction, now: datetime, person: PersonState) -> None:
    _keep(tx, person, now, now)
    outbox.add(tx, PersonRevoked(**person.model_dump()))


def handlers(me: str, peers: Iterable[str], *, keeps_contacts: bool = True) -> dict[str, Handler]:
    """What each service does with facts about people, their links and sessions, and programs' tokens.

    Without `keeps_contacts` it keeps of people their names and roles, no e-mail address and no phone.
    """
    peers = tuple(peers)
    table: dict[str, Handler] = {f"{peer}.sign_in.used": _hear_used for peer in peers}
    table |= sessions.handlers(me, peers) | tokens.handlers(me)
    if me != "schedule":
        table["schedule.person.granted"] = partial(_hear_granted, keeps_contacts)
        table["schedule.person.revoked"] = partial(_hear_revoked, keeps_contacts)
        table["schedule.sign_in.made"] = _hear_made
    return table


def _hear_granted(
    keeps_contacts: bool, tx: Transaction, _now: datetime, fact: PersonGranted, envelope: Envelope
) -> None:
    _keep(tx, _kept_of(fact, keeps_contacts), None, envelope.time)


def _hear_revoked(
    keeps_contacts: bool, tx: Transaction, now: datetime, fact: PersonRevoked, envelope: Envelope
) -> None:
    _keep(tx, _kept_of(fact, keeps_contacts), now, envelope.time)


def _kept_of(person: PersonState, keeps_contacts: bool) -> PersonState:
    return person if keeps_contacts else person.model_copy(update={"email": "", "phone": ""})


def _hear_made(tx: Transaction, _now: datetime, fact: SignInMade, _envelope: Envelope) -> None:
    _keep_newest(tx, fact.person, fact.token_hash, fact.made_at)


def _hear_used(tx: Transaction, _now: datetime, fact: SignInUsed, _envelope: Envelope) -> None:
    if tx.execute(sa.select(used_links.c.used_at).where(used_links.c.token_hash == fact.token_hash)).first() is None:
        _keep_used(tx, fact)


def _keep_used(tx: Transaction, used: SignInUsed) -> None:
    values = {"token_hash": used.token_hash, "used_at": used.used_at, "person": used.person}
    tx.execute(sa.insert(used_links).values(**values))
    if used.person is not None and used.made_at is not None:
        _keep_newest(tx, used.person, used.token_hash, used.made_at)


def _keep_newest(tx: Transaction, person: str, token_hash: str, made_at: datetime) -> None:
    """Services hear of links in different orders: the latest made counts."""
    known = tx.execute(sa.select(newest_links.c.made_at).where(newest_links.c.person == person)).scalar()
    values = {"token_hash": token_hash, "made_at": made_at}
    if known is None:
        tx.execute(sa.insert(newest_links).values(person=person, **values))
    elif known <= made_at:
        tx.execute(sa.update(newest_links).where(newest_links.c.person == person).values(**values))


def _keep(tx: Transaction, person: PersonState, revoked_at: datetime | None, at: datetime) -> None:
    before = load_person(tx.connection, person.person)
    if before is not None and (revoked_at is not None or set(before.roles) != set(person.roles)):
        sessions.cut(tx, at, person.person, why="removed" if revoked_at else "other roles")
    values = {
        "name": person.name,
        "email": person.email,
        "phone": person.phone,
        "roles": json.dumps(sorted(person.roles)),
        "revision": person.revision,
        "revoked_at": revoked_at,
    }
    if tx.execute(sa.update(people).where(people.c.person == person.person).values(**values)).rowcount == 0:
        tx.execute(sa.insert(people).values(person=person.person, **values))


def _from_row(row: sa.Row[Any]) -> Person:
    roles = tuple((str(place), str(role)) for place, role in json.loads(row.roles))
    return Person(row.person, row.name, row.email, row.phone, roles, row.revision, row.revoked_at is not None)
