"""The organiser's desk: the draft against what is public, and what is wrong with it."""

import re
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.conferences import zone_of
from softlanding.formats.programme import Programme
from softlanding.schedule import store
from softlanding.schedule.model import compare, find_faults, slots_by_speaker
from softlanding.schedule.store.programmes import DraftHead, ReleaseHead
from softlanding.schedule.views.journeys import IS_OVER, count_journeys, load_ways, lost_talks
from softlanding.schedule.views.staff import codes_that_left

CHANGES_SHOWN = 100


def desk(connection: sa.Connection, conference: str, now: datetime, *, by_name: bool = True) -> dict[str, Any]:
    """All of organise.html but its live fragments. Speakers are spoken of by name, or by their codes."""
    head = store.programmes.load_draft_head(connection, conference)
    if head is None:
        return _empty() | {"journeys": count_journeys(connection, conference)}
    release = store.programmes.load_newest_head(connection, conference)
    lost = lost_in_sentences(connection, conference, now, by_name=by_name)
    changes, faults = _against_release(connection, head, release, now, by_name=by_name)
    return {
        "draft": {name: head.imported[name] for name in ("talks", "speakers", "rooms")}
        | {"changed_at": head.changed_at},
        "release": _release(release),
        "published": published(connection, conference),
        "changes": changes[:CHANGES_SHOWN],
        "changes_total": len(changes) if release else head.imported["talks"],
        "faults": [fault for fault in faults if fault["text"] not in lost],
        "lost": lost,
        "left": left_in_sentences(connection, conference, by_name=by_name),
        "imported": _imported(head),
        "set_aside": _set_aside(connection, conference),
        "journeys": count_journeys(connection, conference),
    }


def _empty() -> dict[str, Any]:
    return {
        "draft": {"talks": 0, "speakers": 0, "rooms": 0, "changed_at": None},
        "release": None,
        "published": None,
        "changes": [],
        "changes_total": 0,
        "faults": [],
        "lost": [],
        "left": [],
        "imported": None,
        "set_aside": None,
    }


def left_in_sentences(connection: sa.Connection, conference: str, *, by_name: bool) -> list[str]:
    """Who left the programme and is still to be fetched, each in a sentence; without names only how many."""
    left = codes_that_left(connection, conference)
    journeys = [each for each in store.journeys.list_open(connection, conference) if each.speaker in left]
    ways = [way for way in load_ways(connection, journeys) if way.state not in IS_OVER and way.pickup is not None]
    if not by_name:
        return [f"{len(ways)} of those who left the programme are still to be fetched."] if ways else []
    return [
        f"{way.journey.speaker_name} left the programme and is still to be fetched "
        f"({way.pickup.code if way.pickup else ''}): withdraw the arrival if they do not come."
        for way in ways
    ]


def _set_aside(connection: sa.Connection, conference: str) -> dict[str, Any] | None:
    found = store.programmes.load_set_aside(connection, conference)
    return found | {"at": datetime.fromisoformat(found["at"])} if found else None


def lost_in_sentences(
    connection: sa.Connection, conference: str, now: datetime, draft: Programme | None = None, *, by_name: bool = True
) -> list[str]:
    """Talks that begin before their speakers land, each in a sentence; without names only how many."""
    zone = zone_of(connection, conference).key
    slots = slots_by_speaker(draft) if draft else None
    found = lost_talks(connection, conference, zone, now, slots)
    if by_name:
        return [f"{name}: {words}." for name, words in found]
    return [f"{len(found)} of the speakers land after their talk begins."] if found else []


def _against_release(
    connection: sa.Connection, head: DraftHead, release: ReleaseHead | None, now: datetime, *, by_name: bool
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(changes, faults). A draft that is public is not read: there is nothing to say about it."""
    if release is not None and release.draft_digest == head.digest:
        return [], []
    draft = store.programmes.load_draft(connection, head.conference)
    assert draft is not None
    faults = [{"blocks": blocks, "text": text} for blocks, text in find_faults(draft, by_name=by_name)]
    lost = lost_in_sentences(connection, head.conference, now, draft, by_name=by_name)
    faults += [{"blocks": False, "text": text} for text in lost]
    if release is None:
        return [], faults
    public = store.programmes.load_release(connection, head.conference, release.number)
    lines = compare(public.programme if public else None, draft).lines(draft.conference.zone)
    return [asdict(line) for line in lines], faults


def published(connection: sa.Connection, conference: str) -> dict[str, Any] | None:
    """What the public sees of the newest release; None while there is none. As templates/_published.html wants it."""
    known = store.publications.load_publication(connection, conference)
    if known is None:
        return None
    return {
        "number": known.newest,
        "is_public": known.is_public,
        "public_at": known.public_at if known.is_public else None,
        "shown": known.number,
        "waiting_since": known.waiting_since,
        "why": known.why,
    }


def _release(head: ReleaseHead | None) -> dict[str, Any] | None:
    if head is None:
        return None
    return {
        "number": head.number,
        "at": head.released_at,
        "by": head.released_by or "a program",
        "note": head.note,
        "talks": head.talks,
    }


def _imported(head: DraftHead) -> dict[str, Any]:
    said = head.imported
    return {
        "file": said["file"],
        "at": datetime.fromisoformat(said["at"]),
        **{name: said[name] for name in ("added", "changed", "removed", "same")},
        "notes": [_note(note) for note in said["notes"]],
    }


def _note(note: dict[str, Any]) -> dict[str, Any]:
    line = re.search(r":(\d+)$", note["where"])
    more = f" ({note['times']} times)" if note["times"] > 1 else ""
    return {"line": int(line[1]) if line else None, "text": note["what"] + more}


def programme_summary(
    connection: sa.Connection, conference: str, now: datetime, *, by_name: bool = True
) -> dict[str, Any]:
    """Draft and releases, for programs; speakers by name, or by their codes. Raises NotFound."""
    head = store.programmes.need_draft(connection, conference)
    found = desk(connection, conference, now, by_name=by_name)
    return {
        "conference": conference,
        "draft": found["draft"] | {"digest": head.digest},
        "changes": found["changes"],
        "changes_total": found["changes_total"],
        "faults": found["faults"],
        "lost": found["lost"],
        "left": found["left"],
        "imported": found["imported"],
        "published": found["published"],
        "releases": [release_view(each) for each in store.programmes.list_release_heads(connection, conference)],
    }


def release_view(head: ReleaseHead) -> dict[str, Any]:
    """A release without its programme and changes."""
    names = ("number", "name", "note", "released_by", "released_at", "talks", "speakers", "rooms")
    return {name: getattr(head, name) for name in names} | {"changes": len(head.changes)}
