"""What the publisher found and did: a release is public when its files are served; one that is not calls a person."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa

from softlanding.conferences import zone_of
from softlanding.database import Transaction
from softlanding.incidents import open_incident
from softlanding.schedule import store
from softlanding.schedule.store.publications import Publication

WAITS_AT_MOST = timedelta(seconds=10)
WHY_MAX = 300


def note_served(tx: Transaction, now: datetime, numbers: Mapping[str, int]) -> None:
    """What the files say when a life begins: the release of each conference that the public sees, 0 for none."""
    known = store.publications.public_numbers(tx.connection)
    for conference, number in numbers.items():
        if known.get(conference) != number:
            values = {"number": number, "public_at": now if number else None}
            store.publications.keep_publication(tx, conference, values)


def note_public(tx: Transaction, now: datetime, conference: str, number: int) -> None:
    """The public sees this release from now on."""
    is_new = store.publications.public_numbers(tx.connection).get(conference) != number
    values = {"number": number, "failing_since": None, "why": ""} | ({"public_at": now} if is_new else {})
    store.publications.keep_publication(tx, conference, values)


def note_not_published(tx: Transaction, now: datetime, conference: str, why: str) -> None:
    """A try failed; it is tried again."""
    known = store.publications.load_publication(tx.connection, conference)
    since = known.failing_since if known else None
    store.publications.keep_publication(tx, conference, {"failing_since": since or now, "why": why[:WHY_MAX]})


def has_unpublished(connection: sa.Connection, now: datetime) -> bool:
    """Cheap: whether a release waits too long and nobody was called yet."""
    return bool(_too_late(connection, now))


def call_for_unpublished(tx: Transaction, now: datetime) -> bool:
    """A person is called, once for each release that the public does not see in time."""
    for waiting in _too_late(tx.connection, now):
        open_incident(
            tx,
            now,
            cause=f"unpublished/{waiting.conference}/{waiting.newest}",
            kind="other",
            about=f"conference/{waiting.conference}",
            sentence=_in_words(tx, waiting),
            conference=waiting.conference,
        )
        store.publications.keep_publication(tx, waiting.conference, {"called_for": waiting.newest})
    return False


def _too_late(connection: sa.Connection, now: datetime) -> list[Publication]:
    began_at = store.pickups.life_began_at(connection)
    if began_at is not None and began_at <= now < began_at + WAITS_AT_MOST:
        return []  # What waited while this service was down has its time, too.
    return [
        each
        for each in store.publications.list_waiting(connection)
        if each.called_for != each.newest and each.waiting_since is not None
        if each.waiting_since + WAITS_AT_MOST <= now
    ]


def _in_words(tx: Transaction, waiting: Publication) -> str:
    zone = zone_of(tx.connection, waiting.conference)
    since = waiting.waiting_since.astimezone(zone) if waiting.waiting_since else None
    shown = f"the public still sees v{waiting.number}" if waiting.number else "the public sees nothing of it"
    what = f"its files cannot be written anew: {shown}" if waiting.is_public else f"it is not public yet: {shown}"
    why = f" ({waiting.why})" if waiting.why else ""
    return f"Release v{waiting.newest} of {waiting.conference} waits since {since:%H:%M:%S} ({zone.key}), {what}{why}"
