"""A database that is empty where data is expected was lost, or is another one: nobody begins on it unnoticed.

That data was here is known by the birth mark (in the data folder: the oldest life of the database that was used with
it), and by peers, whose beats say how far they have heard this service.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from softlanding.database import DATABASE_ERRORS, Transaction, lives
from softlanding.errors import Invalid, Refused
from softlanding.incidents import open_incident
from softlanding.messaging.beats import beat_from_json
from softlanding.settings import SERVICES, Settings
from softlanding.settings import Service as ServiceName

ASK_PEERS_S = 1.0


def mark_of(settings: Settings, name: ServiceName) -> Path:
    return settings.data_folder / "births" / name


def expected_by_mark(settings: Settings, name: ServiceName) -> str | None:
    """Why data is expected, in words."""
    mark = mark_of(settings, name)
    return f"{mark} says that its data began with life {birth[:13]}" if (birth := read_mark(mark)) else None


def expected_by_peers(beats: Sequence[bytes], name: ServiceName) -> str | None:
    """As `expected_by_mark`, by what peers say that they have heard of us."""
    for body in beats:
        try:
            beat = beat_from_json(body)
        except Invalid:
            continue
        receipt = beat.receipts.get(name)
        if receipt is not None and receipt.sequence > 0:
            return f"{beat.service.title()} has heard {receipt.sequence} facts of its life {receipt.epoch[:13]}"
    return None


def is_empty(engine: sa.Engine) -> bool:
    """No life ever began in it. A file that is not there is not made by looking."""
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return True
    with engine.connect() as connection:
        return not sa.inspect(connection).has_table("lives") or oldest_life(connection) is None


def refusal(name: ServiceName, why: str, command: str) -> Refused:
    return Refused(
        f"{name.title()}'s database is empty, but {why}: give it back its own database (volume, path, address), "
        f"or begin anew with `softlanding {command} --accept-empty`"
    )


def refuse_lost(settings: Settings, engines: dict[ServiceName, sa.Engine], command: str) -> None:
    """Before anything is started: raises Refused for the first service whose data is gone, by its mark."""
    for name in SERVICES:
        why = expected_by_mark(settings, name)
        try:
            if why is not None and name in engines and is_empty(engines[name]):
                raise refusal(name, why, command)
        except DATABASE_ERRORS:
            continue  # The service itself waits for its database, or says what is wrong with it.
        finally:
            if name in engines:
                engines[name].dispose()


def oldest_life(connection: sa.Connection) -> str | None:
    query = sa.select(lives.c.epoch).order_by(lives.c.began_at, lives.c.epoch).limit(1)
    birth: str | None = connection.execute(query).scalar()
    return birth


def note_birth(tx: Transaction, now: datetime, name: str, marked: str | None, why: str | None) -> str | None:
    """The birth to be marked. One incident when it is not the one that was marked, or peers knew of data before."""
    known = tx.execute(sa.select(lives.c.epoch).where(lives.c.epoch == marked)).first() is not None
    if (marked is not None and not known) or why is not None:
        why = why or f"life {str(marked)[:13]}, with which its data began, is unknown there"
        _open_incident(tx, now, name, marked or tx.life, why)
    return marked if known else oldest_life(tx.connection)


def _open_incident(tx: Transaction, now: datetime, name: str, cause: str, why: str) -> None:
    open_incident(
        tx,
        now,
        cause=f"empty/{name}/{cause}",
        kind="fork",
        about=f"service/{name}",
        sentence=f"{name.title()} began on another database, accepted as empty: {why}. What it had told is kept by the "
        "others; compare before you go on.",
    )


def read_mark(mark: Path) -> str | None:
    try:
        return mark.read_text().strip() or None
    except OSError:
        return None


def write_mark(mark: Path, birth: str) -> None:
    """For its owner alone. Raises OSError: then only peers know."""
    mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = mark.with_suffix(".new")
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(birth + "\n")
    beside.replace(mark)
