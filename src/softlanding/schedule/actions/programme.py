"""Programmes taken into a draft, and drafts frozen into releases."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from softlanding import conferences
from softlanding.apart import read_file
from softlanding.conferences import Conference, load_conference
from softlanding.contracts.schedule import ConferenceChanged, ReleasePublished, TalkCancelled, TalkMoved
from softlanding.database import Transaction
from softlanding.errors import Fault, Invalid, Refused
from softlanding.formats import Note, read_programme
from softlanding.formats.programme import Programme, Talk
from softlanding.messaging import outbox
from softlanding.schedule import store
from softlanding.schedule.actions.pickups import settle_wish
from softlanding.schedule.model import (
    PROMISE,
    Diff,
    Promise,
    compare,
    recognise,
    slots_by_speaker,
    slug_of,
    stamp,
    still_removed,
    talk_of,
)
from softlanding.schedule.store.programmes import Release, ReleaseHead
from softlanding.schedule.views.desk import lost_in_sentences

NOTES_KEPT = 100
ASKS_ABOVE = 1 / 3  # Of the draft's talks: who takes so many away has more often the wrong file than a new plan.
FOLLOWED_AT_ONCE = 200  # Pickups told anew in one action take 0.1 s, and the release itself as long.


class WouldRemove(Refused):
    """So much of the draft would go that a person must say yes to the number."""

    def __init__(self, filename: str, conference: str, removed: int, of: int) -> None:
        super().__init__(f"{filename} would remove {removed} of {of} talks from the draft of {conference}")
        self.removed = removed
        self.of = of


@dataclass(frozen=True)
class Prepared:
    """A programme that was read and waits to be taken into its conference's draft."""

    conference: str
    programme: Programme
    text: str
    digest: str
    filename: str
    notes: tuple[Note, ...]
    other_codes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # Of its speakers, from other files.


async def prepare_import(body: bytes, filename: str, zone: str | None, otherwise_zone: str | None = None) -> Prepared:
    """Read the file, outside any transaction: FOSDEM's takes a second. Raises Invalid with every fault, and for what
    takes too long to read.

    `zone` wins over the file's, `otherwise_zone` is taken where neither names one.
    """
    reading = await read_file(read_programme, body, filename, zone, otherwise_zone)
    prepared = await asyncio.to_thread(prepare, reading.programme, filename, reading.notes)
    return replace(prepared, other_codes=reading.other_codes)


def prepare(programme: Programme, filename: str, notes: tuple[Note, ...] = ()) -> Prepared:
    """As `prepare_import`, for a programme that is a value already."""
    text = store.programmes.text_of(programme)
    slug = slug_of(programme.conference.acronym)
    return Prepared(slug, programme, text, store.programmes.digest_of(text), filename, notes)


def must_be_of(prepared: Prepared, conference: str) -> None:
    """Raises Refused where the file names another conference: nothing is written, there or here."""
    if prepared.conference != conference:
        raise Refused(
            f"{prepared.filename} is of the conference '{prepared.conference}' and not of '{conference}'; nothing was "
            f"changed. Choose a file of '{conference}', or import this one at '{prepared.conference}'"
        )


def import_programme(
    tx: Transaction, now: datetime, prepared: Prepared, *, accept_removed: int | None = 0, dry_run: bool = False
) -> dict[str, Any]:
    """The programme becomes its conference's draft; nothing is public. The same file twice changes nothing.

    Raises WouldRemove for one that takes away more than a third of the draft's talks, unless that many are accepted
    (None: any number); Invalid for one without talks.
    """
    if not prepared.programme.talks:
        raise Invalid(Fault(prepared.filename, "there is no talk in it; the draft stays as it is"))
    prepared = _with_known_speakers(tx, prepared)
    slug, programme = prepared.conference, prepared.programme
    head = store.programmes.load_draft_head(tx.connection, slug)
    if head is not None and head.digest == prepared.digest:
        return _report(prepared, Diff(same=len(programme.talks))) | {
            "is_same": True,
            "dry_run": dry_run,
            "warnings": [],
        }
    diff = compare(store.programmes.load_draft(tx.connection, slug) if head else None, programme)
    report = _report(prepared, diff) | {"is_same": False, "dry_run": dry_run}
    warnings = {"warnings": lost_in_sentences(tx.connection, slug, now, programme)}
    asks = _asks_first(prepared, diff, accept_removed)
    if dry_run:
        return report | {"warnings": [*([f"{asks}: this asks first"] if asks else []), *warnings["warnings"]]}
    if asks is not None:
        raise asks
    store.programmes.drop_set_aside(tx, slug)
    store.programmes.touch_sample(tx)
    store.programmes.save_draft(tx, now, slug, prepared.text, prepared.digest, report | {"at": now.isoformat()})
    store.speakers.keep_persons(tx, now, slug, programme.persons, None)
    if head is None or head.release == 0:
        _tell_conference(tx, now, slug, programme)
    return report | warnings


def _asks_first(prepared: Prepared, diff: Diff, accept_removed: int | None) -> WouldRemove | None:
    removed, before = len(diff.removed), diff.count - len(diff.added) + diff.same
    if accept_removed is None or removed <= max(accept_removed, before * ASKS_ABOVE):
        return None
    return WouldRemove(prepared.filename, prepared.conference, removed, before)


def _with_known_speakers(tx: Transaction, prepared: Prepared) -> Prepared:
    """The same, with everybody under the code that was theirs here; nobody under another one's."""
    known = store.speakers.names_by_code(tx.connection, prepared.conference)
    found = recognise(prepared.programme, prepared.other_codes, known)
    notes = (*(Note(prepared.filename, words) for words in found.notes), *prepared.notes)
    if found.programme is prepared.programme:
        return replace(prepared, notes=notes)
    return replace(prepare(found.programme, prepared.filename, notes), other_codes=prepared.other_codes)


def _report(prepared: Prepared, diff: Diff) -> dict[str, Any]:
    programme = prepared.programme
    return {
        "conference": prepared.conference,
        "title": programme.conference.title,
        "file": prepared.filename,
        "talks": len(programme.talks),
        "speakers": len(programme.persons),
        "rooms": len(programme.rooms),
        "added": len(diff.added),
        "changed": len(diff.moved) + len(diff.changed) + len(diff.cancelled),
        "removed": len(diff.removed),
        "same": diff.same,
        "notes": [asdict(note) for note in prepared.notes[:NOTES_KEPT]],
    }


def release_draft(
    tx: Transaction,
    now: datetime,
    conference: str,
    name: str = "",
    note: str = "",
    *,
    by: str = "",
    promise: Promise = PROMISE,
    is_fresh: bool = False,
) -> dict[str, Any]:
    """The draft is frozen as the next release and told, with what changed; pickups follow their talks.

    A draft that is public already stays the same release. `is_fresh` tells no changes: it is a new beginning.
    """
    head = store.programmes.need_draft(tx.connection, conference)
    old = store.programmes.load_release(tx.connection, conference, head.release) if head.release else None
    if old is not None and old.head.draft_digest == head.digest:
        return _released(old.head, is_same=True) | {"warnings": lost_in_sentences(tx.connection, conference, now)}
    draft = store.programmes.load_draft(tx.connection, conference)
    assert draft is not None
    if not draft.talks:
        raise Refused("the draft has no talks; import a programme first")
    release = _freeze(draft, old, conference, head.release + 1, head.digest, name, note, by, now, is_fresh=is_fresh)
    store.programmes.touch_sample(tx)
    store.programmes.add_release(tx, release)
    store.speakers.keep_persons(tx, now, conference, draft.persons, slots_by_speaker(draft))
    _tell_conference(tx, now, conference, draft)
    _tell_release(tx, release, compare(None if is_fresh or old is None else old.programme, release.programme), old)
    _begin_to_follow(tx, now, conference, promise)
    warnings = lost_in_sentences(tx.connection, conference, now, release.programme)
    return _released(release.head, is_same=False) | {"warnings": warnings}


def _freeze(
    draft: Programme,
    old: Release | None,
    conference: str,
    number: int,
    draft_digest: str,
    name: str,
    note: str,
    by: str,
    now: datetime,
    *,
    is_fresh: bool,
) -> Release:
    named = name.strip() or draft.version.strip() or f"v{number}"
    stamped = stamp(old.programme if old else None, draft, named, now)
    diff = compare(old.programme if old else None, stamped)
    is_first = old is None or is_fresh
    head = ReleaseHead(
        conference=conference,
        number=number,
        name=named,
        note=note,
        released_by=by,
        released_at=now,
        digest="",
        draft_digest=draft_digest,
        changes=() if is_first else diff.lines(draft.conference.zone),
        talks=len(draft.talks),
        speakers=len(draft.persons),
        rooms=len(draft.rooms),
    )
    removed = still_removed(old.removed, diff, stamped, now) if old is not None and not is_fresh else ()
    return Release(head, stamped, removed)


def _released(head: ReleaseHead, *, is_same: bool) -> dict[str, Any]:
    changes = [asdict(change) for change in head.changes[:NOTES_KEPT]]
    return {
        "conference": head.conference,
        "number": head.number,
        "name": head.name,
        "released_at": head.released_at.isoformat(),
        "talks": head.talks,
        "speakers": head.speakers,
        "rooms": head.rooms,
        "changes": changes if not is_same else [],
        "changes_total": len(head.changes) if not is_same else 0,
        "is_same": is_same,
    }


def _tell_conference(tx: Transaction, _now: datetime, slug: str, programme: Programme) -> None:
    """The public facts of the conference, told when they are new or changed."""
    meant = programme.conference
    conference = Conference(slug, meant.title[:300], meant.zone, meant.starts_on, meant.ends_on)
    if load_conference(tx.connection, slug) == conference:
        return
    conferences.keep(tx, conference)
    outbox.add(
        tx,
        ConferenceChanged(
            conference=slug,
            title=conference.title,
            zone=conference.zone,
            first_on=conference.first_on,
            last_on=conference.last_on,
        ),
    )


def _tell_release(tx: Transaction, release: Release, diff: Diff, old: Release | None) -> None:
    head = release.head
    is_first = old is None or len(diff.added) == head.talks
    outbox.add(
        tx,
        ReleasePublished(
            conference=head.conference,
            number=head.number,
            name=head.name,
            note=head.note,
            released_at=head.released_at,
            talks=head.talks,
            speakers=head.speakers,
            rooms=head.rooms,
            added=() if is_first else _codes(diff.added),
            removed=_codes((*diff.removed, *(new for _, new in diff.cancelled))),
            moved=_codes(new for _, new in diff.moved),
        ),
    )
    for talk in (*diff.removed, *(new for _, new in diff.cancelled)):
        outbox.add(tx, TalkCancelled(**_talk_values(talk, head)))
    for before, after in diff.moved:
        outbox.add(tx, TalkMoved(**_talk_values(after, head), was_at=before.starts_at, was_room=before.room))


def _codes(talks: Iterable[Talk]) -> tuple[str, ...]:
    return tuple(talk.code for talk in talks)


def _talk_values(talk: Talk, head: ReleaseHead) -> dict[str, Any]:
    return {
        "conference": head.conference,
        "talk": talk.code,
        "title": talk.title,
        "room": talk.room,
        "starts_at": talk.starts_at,
        "duration_minutes": int(talk.duration.total_seconds() // 60),
        "release": head.number,
    }


def _begin_to_follow(tx: Transaction, now: datetime, conference: str, promise: Promise) -> None:
    """The first to land at once; the others in the timer's next steps, however this process ends."""
    open_journeys = store.journeys.list_open(tx.connection, conference)
    _follow(tx, now, conference, [journey.id for journey in open_journeys if journey.pickup], promise)


def follow_talks(tx: Transaction, now: datetime, promise: Promise) -> bool:
    """Some of the pickups that have not followed the newest release of their conference yet. True: there may be
    more."""
    conference, left = store.programmes.load_followers(tx.connection)
    if conference is not None:
        _follow(tx, now, conference, left, promise)
    return conference is not None


def _follow(tx: Transaction, now: datetime, conference: str, left: list[str], promise: Promise) -> None:
    """Who must be there earlier or later than was asked for: the next revision of their pickups."""
    these = frozenset(left[:FOLLOWED_AT_ONCE])
    by_speaker = store.journeys.open_by_speaker(tx.connection, conference)
    journeys = [one for theirs in by_speaker.values() for one in theirs if one.id in these]
    wanted = [journey.pickup for journey in journeys if journey.pickup]
    pickups = store.pickups.pickups_by_id(tx.connection, wanted)
    rides = store.pickups.rides_by_pickup(tx.connection, wanted)
    talks = {each.code: each.talks for each in store.speakers.list_speakers(tx.connection, conference)}
    for journey in journeys:
        last = pickups.get(journey.pickup or "")
        if last is not None and last.is_open:
            slots, theirs = talks.get(journey.speaker, ()), by_speaker[journey.speaker]
            talk = talk_of(journey, slots, now, theirs=theirs, asked=last.asked)
            settle_wish(tx, now, journey, last, rides.get(last.id), talk, promise, "a new release of the programme")
    store.programmes.keep_followers(tx, conference, left[FOLLOWED_AT_ONCE:])
