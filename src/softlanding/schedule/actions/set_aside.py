"""Imports that would remove much of a programme: set aside until a person says yes to the number, or no."""

from datetime import datetime
from typing import Any

from softlanding.database import Transaction
from softlanding.errors import Refused
from softlanding.formats import Note
from softlanding.schedule import store
from softlanding.schedule.actions.programme import Prepared, WouldRemove, import_programme
from softlanding.schedule.store.programmes import programme_from


def set_aside(tx: Transaction, now: datetime, prepared: Prepared, asks: WouldRemove, by: str) -> None:
    """Keep what was read, so that nobody must choose the file again. The next one takes its place."""
    head = {
        "file": prepared.filename,
        "digest": prepared.digest,
        "removed": asks.removed,
        "of": asks.of,
        "by": by,
        "at": now.isoformat(),
    }
    read = {
        "text": prepared.text,
        "notes": [[note.where, note.what, note.times] for note in prepared.notes],
        "other_codes": {code: list(others) for code, others in prepared.other_codes.items()},
    }
    store.programmes.keep_set_aside(tx, prepared.conference, head, read)


def import_set_aside(
    tx: Transaction, now: datetime, conference: str, digest: str, accept_removed: int
) -> dict[str, Any]:
    """The second press, which names the number. Raises Refused when it is another file, or would remove more by now."""
    head, read = _need(tx, conference, digest)
    prepared = Prepared(
        conference=conference,
        programme=programme_from(read["text"]),
        text=read["text"],
        digest=digest,
        filename=head["file"],
        notes=tuple(Note(*note) for note in read["notes"]),
        other_codes=read["other_codes"],
    )
    return import_programme(tx, now, prepared, accept_removed=accept_removed)


def drop_set_aside(tx: Transaction, _now: datetime, conference: str, digest: str) -> dict[str, Any]:
    """It is not imported. Raises Refused when it waits no more."""
    head, _ = _need(tx, conference, digest)
    store.programmes.drop_set_aside(tx, conference)
    return {"file": head["file"]}


def _need(tx: Transaction, conference: str, digest: str) -> tuple[dict[str, Any], dict[str, Any]]:
    head = store.programmes.load_set_aside(tx.connection, conference)
    read = store.programmes.load_set_aside_text(tx.connection, conference)
    if head is None or read is None or head["digest"] != digest:
        raise Refused("that file does not wait any more: look at the draft, and import it again if it is still wanted")
    return head, read
