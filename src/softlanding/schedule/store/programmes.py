"""Drafts and releases. A programme is one text; FOSDEM's has 3.5 MB and is read or written within some 30 ms."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from softlanding.database import Transaction
from softlanding.errors import NotFound
from softlanding.formats.programme import Programme, Talk
from softlanding.schedule.model import Change
from softlanding.schedule.tables import flags, programmes, releases

SAMPLE = "sample-untouched"
FOLLOW = "follow/"
ASIDE, ASIDE_TEXT = "import/", "import-text/"

_FOLLOWING = (
    sa.select(flags)
    .where(flags.c.name >= FOLLOW, flags.c.name < FOLLOW.replace("/", "0"))  # "0" is the next letter after "/".
    .order_by(flags.c.name)
    .limit(1)
)

_DRAFT = sa.select(programmes).where(programmes.c.conference == sa.bindparam("of"))
_HEAD = _DRAFT.with_only_columns(
    programmes.c.conference, programmes.c.digest, programmes.c.changed_at, programmes.c.imported, programmes.c.release
)
_RELEASE = sa.select(releases).where(
    releases.c.conference == sa.bindparam("of"), releases.c.number == sa.bindparam("of_number")
)
_HEADS = sa.select(
    releases.c.conference,
    releases.c.number,
    releases.c.name,
    releases.c.note,
    releases.c.released_by,
    releases.c.released_at,
    releases.c.digest,
    releases.c.draft_digest,
    releases.c.changes,
    releases.c.talks,
    releases.c.speakers,
    releases.c.rooms,
)
_CHANGES = TypeAdapter(tuple[Change, ...])


@dataclass(frozen=True)
class DraftHead:
    """What is known of a draft without reading it."""

    conference: str
    digest: str
    changed_at: datetime
    imported: dict[str, Any]
    release: int


@dataclass(frozen=True)
class ReleaseHead:
    """A release without its programme."""

    conference: str
    number: int
    name: str
    note: str
    released_by: str
    released_at: datetime
    digest: str
    draft_digest: str
    changes: tuple[Change, ...]
    talks: int
    speakers: int
    rooms: int


@dataclass(frozen=True)
class Release:
    """A frozen programme; `removed` are talks of earlier releases that are in it no more."""

    head: ReleaseHead
    programme: Programme
    removed: tuple[Talk, ...]


@cache
def _programme_type() -> TypeAdapter[Programme]:
    return TypeAdapter(Programme)


@cache
def _talks_type() -> TypeAdapter[tuple[Talk, ...]]:
    return TypeAdapter(tuple[Talk, ...])


def text_of(programme: Programme) -> str:
    """The same programme gives the same text."""
    return _programme_type().dump_json(programme).decode()


def programme_from(text: str) -> Programme:
    return _programme_type().validate_json(text)


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def load_draft_head(connection: sa.Connection, conference: str) -> DraftHead | None:
    row = connection.execute(_HEAD, {"of": conference}).first()
    if row is None:
        return None
    return DraftHead(row.conference, row.digest, row.changed_at, json.loads(row.imported), row.release)


def load_draft(connection: sa.Connection, conference: str) -> Programme | None:
    row = connection.execute(_DRAFT.with_only_columns(programmes.c.draft), {"of": conference}).first()
    return programme_from(row.draft) if row else None


def save_draft(
    tx: Transaction, now: datetime, conference: str, text: str, digest: str, imported: dict[str, Any]
) -> None:
    values = {"draft": text, "digest": digest, "changed_at": now, "imported": json.dumps(imported)}
    changed = tx.execute(sa.update(programmes).where(programmes.c.conference == conference).values(**values))
    if changed.rowcount == 0:
        tx.execute(sa.insert(programmes).values(conference=conference, release=0, **values))


def load_release(connection: sa.Connection, conference: str, number: int) -> Release | None:
    row = connection.execute(_RELEASE, {"of": conference, "of_number": number}).first()
    if row is None:
        return None
    return Release(_head(row), programme_from(row.programme), _talks_type().validate_json(row.removed))


def load_newest_release(connection: sa.Connection, conference: str) -> Release | None:
    head = load_draft_head(connection, conference)
    return load_release(connection, conference, head.release) if head and head.release else None


def load_newest_head(connection: sa.Connection, conference: str) -> ReleaseHead | None:
    query = _HEADS.where(releases.c.conference == conference).order_by(releases.c.number.desc()).limit(1)
    row = connection.execute(query).first()
    return _head(row) if row else None


def list_release_heads(connection: sa.Connection, conference: str, most: int = 200) -> list[ReleaseHead]:
    """Newest first."""
    query = _HEADS.where(releases.c.conference == conference).order_by(releases.c.number.desc()).limit(most)
    return [_head(row) for row in connection.execute(query).all()]


def list_newest(connection: sa.Connection) -> list[tuple[str, int, str]]:
    """(conference, number, digest) of each conference's newest release, by conference."""
    joined = releases.join(
        programmes,
        sa.and_(programmes.c.conference == releases.c.conference, programmes.c.release == releases.c.number),
    )
    query = sa.select(releases.c.conference, releases.c.number, releases.c.digest).select_from(joined)
    return [(row.conference, row.number, row.digest) for row in connection.execute(query.order_by("conference"))]


def add_release(tx: Transaction, release: Release) -> None:
    """Keep it, and make it the newest."""
    head, text = release.head, text_of(release.programme)
    values = asdict(replace(head, changes=())) | {
        "digest": digest_of(text + head.note),
        "programme": text,
        "removed": _talks_type().dump_json(release.removed).decode(),
        "changes": _CHANGES.dump_json(head.changes).decode(),
    }
    tx.execute(sa.insert(releases).values(**values))
    newest = sa.update(programmes).where(programmes.c.conference == head.conference)
    tx.execute(newest.values(release=head.number))


def _head(row: Any) -> ReleaseHead:
    values = {name: row._mapping[name] for name in ReleaseHead.__dataclass_fields__}
    return ReleaseHead(**values | {"changes": _CHANGES.validate_json(row.changes)})


def need_draft(connection: sa.Connection, conference: str) -> DraftHead:
    """Raises NotFound in words."""
    head = load_draft_head(connection, conference)
    if head is None:
        raise NotFound(f"conference '{conference}' has no programme; import one first")
    return head


def load_flag(connection: sa.Connection, name: str) -> dict[str, Any] | None:
    row = connection.execute(sa.select(flags.c.value).where(flags.c.name == name)).first()
    return json.loads(row.value) if row else None


def save_flag(tx: Transaction, name: str, value: dict[str, Any]) -> None:
    drop_flag(tx, name)
    tx.execute(sa.insert(flags).values(name=name, value=json.dumps(value)))


def drop_flag(tx: Transaction, name: str) -> None:
    tx.execute(sa.delete(flags).where(flags.c.name == name))


def keep_destinations(tx: Transaction, conference: str, names: Sequence[str]) -> None:
    """Where one can be taken, for the choices of forms."""
    save_flag(tx, f"destinations/{conference}", {"names": list(dict.fromkeys(names))})


def load_destinations(connection: sa.Connection, conference: str) -> list[str]:
    told = load_flag(connection, f"destinations/{conference}") or {}
    return [str(name) for name in told.get("names", [])]


def keep_set_aside(tx: Transaction, conference: str, head: dict[str, Any], read: dict[str, Any]) -> None:
    """A file that was read and waits for a person's yes; its text apart, for that is long."""
    save_flag(tx, f"{ASIDE}{conference}", head)
    save_flag(tx, f"{ASIDE_TEXT}{conference}", read)


def load_set_aside(connection: sa.Connection, conference: str) -> dict[str, Any] | None:
    return load_flag(connection, f"{ASIDE}{conference}")


def load_set_aside_text(connection: sa.Connection, conference: str) -> dict[str, Any] | None:
    return load_flag(connection, f"{ASIDE_TEXT}{conference}")


def drop_set_aside(tx: Transaction, conference: str) -> None:
    for name in (ASIDE, ASIDE_TEXT):
        drop_flag(tx, f"{name}{conference}")


def keep_followers(tx: Transaction, conference: str, journeys: Sequence[str]) -> None:
    """Whose pickups have not followed the newest release yet."""
    drop_flag(tx, f"{FOLLOW}{conference}")
    if journeys:
        save_flag(tx, f"{FOLLOW}{conference}", {"journeys": list(journeys)})


def load_followers(connection: sa.Connection) -> tuple[str | None, list[str]]:
    """A conference that has some, and which journeys; None when there is none."""
    row = connection.execute(_FOLLOWING).first()
    return (row.name.removeprefix(FOLLOW), json.loads(row.value)["journeys"]) if row else (None, [])


def has_followers(connection: sa.Connection, _now: datetime) -> bool:
    return connection.execute(_FOLLOWING).first() is not None


def touch_sample(tx: Transaction) -> None:
    """Somebody works with this data: it is no untouched sample any more."""
    drop_flag(tx, SAMPLE)
