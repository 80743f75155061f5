"""Who did it: grants, removals, links, tokens, sessions, refusals and the settings of each start, in every service.

Rows are only added: the database itself refuses to change or delete one. People are named by their ids, so that the
trail tells no names; pages look them up. An act is written in its own transaction. Refusals (401, 403) are counted in
memory and written with the lease's beat, each half second: however many there are, they cost no commit of their own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.database import Moment, Transaction, shared

ANONYMOUS_MAX = 10  # Kinds of refusal a minute that are told apart for who is not known; the rest is one kind.
KNOWN_MAX = 100  # The same, for people and programs.
WAITING_MAX = 500  # Kinds that wait for a database that is away; the rest is one kind a minute.
SHOWN_MAX = 200
OTHER_DOORS = "other doors"

rows = sa.Table(
    "audit",
    shared,
    sa.Column("id", sa.String(36), primary_key=True),  # Sorts by time.
    sa.Column("at", Moment, nullable=False),
    sa.Column("who", sa.String(80), nullable=False),  # `person/…`, `program/…`, `service/…`; "": nobody known.
    sa.Column("address", sa.String(60), nullable=False),  # Where the request came from; "" for what no request asked.
    sa.Column("what", sa.String(200), nullable=False),  # `person.roles`; of a refusal the door: `GET /{conference}/…`.
    sa.Column("conference", sa.String(80), nullable=False),
    sa.Column("about", sa.String(120), nullable=False),  # `person/…`, `speaker/…`, `driver/…`, `token/…`.
    sa.Column("outcome", sa.String(20), nullable=False),  # "done", "401", "403"
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
)

_SUBJECTS = ("person", "speaker", "driver")
_ABOUT_RIGHTS = ("clock", "driver", "person", "runsheets", "session", "sign_in", "sign_out", "token")


@dataclass(frozen=True)
class Asker:
    """Who asks, and from where."""

    who: str = ""
    address: str = ""


@dataclass(frozen=True)
class Entry:
    """A row of the trail."""

    at: datetime
    who: str
    what: str
    address: str = ""
    conference: str = ""
    about: str = ""
    outcome: str = "done"
    detail: str = ""
    times: int = 1
    id: str = ""


def note(tx: Transaction, entry: Entry) -> None:
    """Add a row; it stays as it is. Too long texts are cut."""
    values = {column.name: getattr(entry, column.name) for column in rows.c} | {"id": tx.ids.new()}
    for column in rows.c:
        if isinstance(column.type, sa.String) and column.type.length is not None and column.name != "at":
            values[column.name] = values[column.name][: column.type.length]
    tx.execute(sa.insert(rows).values(**values))


def is_recorded(door: str) -> bool:
    """Whether what is done at this door (`person.roles`, `speaker.link`) is about who may do what."""
    subject, *verbs = door.split(".")
    return subject in _ABOUT_RIGHTS or "link" in verbs


def note_done(
    tx: Transaction,
    now: datetime,
    asker: Asker,
    door: str,
    answer: Mapping[str, Any],
    conference: str = "",
    about: str = "",
) -> None:
    """What was done at a door, if it is recorded there, in the act's own transaction."""
    if is_recorded(door):
        subject = about or _about(answer)
        note(tx, Entry(now, asker.who, door, asker.address, conference, subject, detail=_detail(answer)))


def note_start(tx: Transaction, now: datetime, service: str, release: str, settings: Iterable[str]) -> None:
    """What was set when this life began: secrets by their fingerprints."""
    note(tx, Entry(now, f"service/{service}", "start", about=f"release/{release}", detail="\n".join(settings)))


def list_entries(connection: sa.Connection, *, before: str = "", most: int = SHOWN_MAX) -> list[Entry]:
    """The newest first; with `before`, those older than that row."""
    query = sa.select(rows).order_by(rows.c.id.desc()).limit(most)
    if before:
        query = query.where(rows.c.id < before)
    return [Entry(**row._mapping) for row in connection.execute(query)]


def _about(answer: Mapping[str, Any]) -> str:
    return next((f"{name}/{answer[name]}" for name in _SUBJECTS if answer.get(name)), "")


def _detail(answer: Mapping[str, Any]) -> str:
    """Rights that were given. Never a link or a token."""
    given = [f"{role} of {place}" for place, role in answer.get("roles", ())]
    return ", ".join(given + list(answer.get("scopes", ())))


@dataclass(frozen=True)
class _Kind:
    minute: datetime
    who: str
    address: str
    door: str
    conference: str
    outcome: str


@dataclass
class _Count:
    first_at: datetime
    times: int = 0
    written: int = 0


@dataclass
class Refusals:
    """Those of this process: a kind (who, address, door, minute) is at most two rows, however often it happens.

    The first row follows within half a second, the second tells at the minute's end how often it happened after it. A
    kill loses what was not written yet.
    """

    _counts: dict[_Kind, _Count] = field(default_factory=dict)

    def add(self, now: datetime, asker: Asker, door: str, conference: str, outcome: str) -> None:
        kind = _Kind(_minute(now), asker.who, asker.address, door, conference, outcome)
        if kind not in self._counts and self._is_full(kind):
            kind = replace(kind, who="", address="", door=OTHER_DOORS, conference="")
        count = self._counts.setdefault(kind, _Count(now))
        count.times += 1

    def take(self, now: datetime, *, is_end: bool = False) -> list[Entry]:
        """What is to be written now: each kind's first row, and the rest of minutes that are over."""
        minute, due = _minute(now), []
        for kind, count in list(self._counts.items()):
            is_over = is_end or kind.minute < minute
            if count.times > count.written and (count.written == 0 or is_over):
                due.append(_entry(kind, count))
                count.written = count.times
            if is_over and count.times == count.written:
                del self._counts[kind]
        return due

    def give_back(self, entries: Iterable[Entry]) -> None:
        """They could not be written: they are due again."""
        for entry in entries:
            kind = _Kind(_minute(entry.at), entry.who, entry.address, entry.what, entry.conference, entry.outcome)
            count = self._counts.setdefault(kind, _Count(entry.at, entry.times, entry.times))
            count.written -= entry.times

    def _is_full(self, kind: _Kind) -> bool:
        alike = sum(1 for known in self._counts if known.minute == kind.minute and bool(known.who) == bool(kind.who))
        return alike >= (KNOWN_MAX if kind.who else ANONYMOUS_MAX) or len(self._counts) >= WAITING_MAX


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _entry(kind: _Kind, count: _Count) -> Entry:
    times = count.times - count.written
    return Entry(count.first_at, kind.who, kind.door, kind.address, kind.conference, outcome=kind.outcome, times=times)


def keep_refusals(tx: Transaction, _now: datetime, entries: Iterable[Entry]) -> None:
    """As they were counted; nothing, if there are none."""
    for entry in entries:
        note(tx, entry)
