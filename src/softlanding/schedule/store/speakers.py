"""Speakers as their journeys need them, their personal links, and the sign-in links that were made for staff."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter

from softlanding import auth
from softlanding.auth import used_links
from softlanding.database import Transaction
from softlanding.formats.programme import Person
from softlanding.links import Presented, kept_of
from softlanding.schedule.model import Speaker, TalkSlot
from softlanding.schedule.tables import sign_in_links, speaker_links, speakers

LINKS_AT_ONCE = 100
NO_TALKS = "[]"

_SLOTS = TypeAdapter(tuple[TalkSlot, ...])
_ONE = sa.select(speakers).where(
    speakers.c.conference == sa.bindparam("of"), speakers.c.code == sa.bindparam("of_code")
)
_ALL = (
    sa.select(speakers).where(speakers.c.conference == sa.bindparam("of")).order_by(speakers.c.folded, speakers.c.code)
)
_UNSEALED = sa.select(speaker_links.c.token).where(speaker_links.c.link.is_(None))
_UNLINKED = sa.select(speakers.c.conference, speakers.c.code).where(speakers.c.is_linked.is_(False))


@dataclass(frozen=True)
class SpeakerLink:
    """A personal link: whoever has it speaks for that speaker. `id` is empty until an old one is sealed."""

    id: str
    conference: str
    speaker: str
    is_live: bool
    made_at: datetime
    seen_at: datetime | None


def fold(name: str) -> str:
    return " ".join(name.casefold().split())[:300]


def load_speaker(connection: sa.Connection, conference: str, code: str) -> Speaker | None:
    row = connection.execute(_ONE, {"of": conference, "of_code": code}).first()
    return _speaker(row) if row else None


def list_speakers(connection: sa.Connection, conference: str) -> list[Speaker]:
    """By name."""
    return [_speaker(row) for row in connection.execute(_ALL, {"of": conference})]


def names_by_code(connection: sa.Connection, conference: str) -> dict[str, str]:
    """Everybody who was ever in a draft of it."""
    query = sa.select(speakers.c.code, speakers.c.name).where(speakers.c.conference == conference)
    return {row.code: row.name for row in connection.execute(query)}


def codes_without_talks(connection: sa.Connection, conference: str) -> set[str]:
    """Of speakers with no talk in the newest release."""
    query = sa.select(speakers.c.code).where(speakers.c.conference == conference, speakers.c.talks == "[]")
    return set(connection.execute(query).scalars())


def find_speakers(connection: sa.Connection, conference: str, named: str) -> list[Speaker]:
    """Those whose code, name or e-mail address this is; more than one when a name is borne twice."""
    code = load_speaker(connection, conference, named.strip().upper())
    if code is not None:
        return [code]
    folded = fold(named)
    is_meant = (speakers.c.folded == folded) | ((speakers.c.email == folded) & (speakers.c.email != ""))
    query = sa.select(speakers).where(speakers.c.conference == conference, is_meant).order_by(speakers.c.code)
    return [_speaker(row) for row in connection.execute(query.limit(5))]


def keep_persons(
    tx: Transaction,
    now: datetime,
    conference: str,
    persons: Iterable[Person],
    talks: Mapping[str, tuple[TalkSlot, ...]] | None,
) -> None:
    """Know these persons besides those known already; with `talks`, those are everybody's talks from now on.

    With the last talk a speaker's personal link ends; who comes back gets a new one.
    """
    known = {row.code: dict(row._mapping) for row in tx.execute(_ALL, {"of": conference})}
    for person in persons:
        values = {"name": person.name[:300], "folded": fold(person.name), "email": person.email.casefold()[:300]}
        empty = {"conference": conference, "code": person.code, "talks": NO_TALKS, "is_linked": False}
        known[person.code] = known.get(person.code, empty) | values
    if talks is not None:
        for code, row in known.items():
            had_talks, row["talks"] = row["talks"] != NO_TALKS, _SLOTS.dump_json(talks.get(code, ())).decode()
            if had_talks and row["talks"] == NO_TALKS:
                _end_link(tx, now, conference, code, "left")
            elif not had_talks and row["talks"] != NO_TALKS and row["is_linked"]:
                row["is_linked"] = not _has_left(tx, conference, code)
    tx.execute(sa.delete(speakers).where(speakers.c.conference == conference))
    if known:
        tx.execute(sa.insert(speakers), list(known.values()))


def has_unlinked(connection: sa.Connection) -> bool:
    return connection.execute(_UNLINKED.limit(1)).first() is not None


def list_unlinked(connection: sa.Connection) -> list[tuple[str, str]]:
    return [(row.conference, row.code) for row in connection.execute(_UNLINKED.limit(LINKS_AT_ONCE))]


def renew_link(tx: Transaction, now: datetime, conference: str, code: str) -> str:
    """A new personal link for this speaker, by its id; the old one is dead from now on."""
    _end_link(tx, now, conference, code, "renewed")
    link = tx.ids.new()
    values = {"token": link, "link": link, "conference": conference, "speaker": code, "made_at": now}
    tx.execute(sa.insert(speaker_links).values(live_for=_live_for(conference, code), **values))
    is_this = (speakers.c.conference == conference) & (speakers.c.code == code)
    tx.execute(sa.update(speakers).where(is_this).values(is_linked=True))
    return link


def revoke_link(tx: Transaction, now: datetime, conference: str, code: str) -> bool:
    """The speaker has no personal link from now on. False: there was none."""
    return _end_link(tx, now, conference, code, "revoked")


def _end_link(tx: Transaction, now: datetime, conference: str, code: str, why: str) -> bool:
    is_live = speaker_links.c.live_for == _live_for(conference, code)
    ended = sa.update(speaker_links).where(is_live).values(live_for=None, revoked_at=now, ended_by=why)
    return tx.execute(ended).rowcount > 0


def _live_for(conference: str, code: str) -> str:
    return f"{conference}/{code}"


def _has_left(tx: Transaction, conference: str, code: str) -> bool:
    """Whether the newest link ended because its speaker was in the programme no longer."""
    links = speaker_links.c
    query = sa.select(links.ended_by).where(links.conference == conference, links.speaker == code)
    return tx.execute(query.order_by(links.made_at.desc(), links.token.desc()).limit(1)).scalar() == "left"


def load_link(connection: sa.Connection, conference: str, presented: Presented) -> SpeakerLink | None:
    """The link, live or ended, that is presented so."""
    links = speaker_links.c
    is_old = (links.token == presented.kept) | (links.link.is_(None) & (links.token == presented.text))
    is_it = links.link == presented.link if presented.link is not None else is_old
    row = connection.execute(sa.select(speaker_links).where(is_it, links.conference == conference)).first()
    return _link(row) if row else None


def has_unsealed(connection: sa.Connection) -> bool:
    return connection.execute(_UNSEALED.limit(1)).first() is not None


def seal_links(tx: Transaction) -> bool:
    """Of links kept as they stand in their address, keep hashes, a slice at a time. True: there may be more."""
    tokens = tx.execute(_UNSEALED.limit(LINKS_AT_ONCE)).scalars().all()
    for token in tokens:
        sealed = sa.update(speaker_links).where(speaker_links.c.token == token)
        tx.execute(sealed.values(token=kept_of(token), link=tx.ids.new()))
    return len(tokens) == LINKS_AT_ONCE


def links_by_speaker(connection: sa.Connection, conference: str) -> dict[str, SpeakerLink]:
    is_live = (speaker_links.c.conference == conference) & speaker_links.c.live_for.is_not(None)
    return {row.speaker: _link(row) for row in connection.execute(sa.select(speaker_links).where(is_live))}


def see_link(tx: Transaction, now: datetime, link: str) -> None:
    tx.execute(sa.update(speaker_links).where(speaker_links.c.link == link).values(seen_at=now))


def signed_in_at(connection: sa.Connection) -> dict[str, datetime]:
    """When each person last used a sign-in link: as is heard, or, of older ones, by the links that were made here."""
    joined = sign_in_links.join(used_links, used_links.c.token_hash == sign_in_links.c.token_hash)
    rows = connection.execute(sa.select(sign_in_links.c.person, used_links.c.used_at).select_from(joined))
    latest = auth.signed_in_at(connection)
    for row in rows:
        latest[row.person] = max(row.used_at, latest.get(row.person, row.used_at))
    return latest


def _speaker(row: sa.Row[Any]) -> Speaker:
    talks = _SLOTS.validate_json(row.talks) if row.talks != NO_TALKS else ()
    return Speaker(row.conference, row.code, row.name, row.email, talks)


def _link(row: sa.Row[Any]) -> SpeakerLink:
    is_live = row.live_for is not None
    return SpeakerLink(row.link or "", row.conference, row.speaker, is_live, row.made_at, row.seen_at)
