"""Releases: what changed between two programmes, and what a calendar must learn of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from softlanding.errors import Fault, Invalid
from softlanding.formats.programme import Programme, Talk
from softlanding.schedule.model.journeys import TalkSlot, at_in_words

RESERVED = frozenset({"api", "operations", "sign-in", "sign-out", "static", "trees", "-"})
FAULTS_SHOWN = 20
CALENDAR_FIELDS = ("title", "room", "starts_at", "duration", "is_cancelled")
COMPARED = (*CALENDAR_FIELDS, "subtitle", "track", "kind", "language", "abstract_html", "description_html", "persons")


@dataclass(frozen=True)
class Change:
    """One line of what changed, as people read it. `kind` is new, moved, removed or changed."""

    kind: str
    code: str  # Empty when the talk has no page any more.
    title: str
    was: str = ""
    now: str = ""


@dataclass(frozen=True)
class Diff:
    """What changed from one programme to the next, matched by guid. Pairs are (before, after)."""

    added: tuple[Talk, ...] = ()
    removed: tuple[Talk, ...] = ()
    cancelled: tuple[tuple[Talk, Talk], ...] = ()
    moved: tuple[tuple[Talk, Talk], ...] = ()
    changed: tuple[tuple[Talk, Talk], ...] = ()
    same: int = 0

    @property
    def count(self) -> int:
        return len(self.added) + len(self.removed) + len(self.cancelled) + len(self.moved) + len(self.changed)

    def lines(self, zone: str) -> tuple[Change, ...]:
        """For people, in the conference's zone: what moved and what is off first, for that is what hurts."""
        where = ZoneInfo(zone)
        return (
            *(Change("moved", new.code, new.title, _when(old, where), _when(new, where)) for old, new in self.moved),
            *(Change("removed", "", old.title, _when(old, where)) for old in self.removed),
            *(Change("removed", new.code, new.title, _when(old, where), "cancelled") for old, new in self.cancelled),
            *(Change("new", talk.code, talk.title, "", _when(talk, where)) for talk in self.added),
            *(_change(old, new) for old, new in self.changed),
        )


def slug_of(acronym: str) -> str:
    """The conference's address. Raises Invalid for one that the front door needs itself or cannot serve."""
    slug = acronym.lower().replace("_", "-").strip("-")[:80]
    if slug in RESERVED or not re.fullmatch(r"[a-z0-9][a-z0-9-]*", slug):
        raise Invalid(Fault("acronym", f"{acronym!r} cannot be a conference's address; give another acronym"))
    return slug


def compare(old: Programme | None, new: Programme) -> Diff:
    before = {talk.guid: talk for talk in old.talks} if old else {}
    kinds: dict[str, list[tuple[Talk, Talk]]] = {"cancelled": [], "moved": [], "changed": [], "same": []}
    added: list[Talk] = []
    for talk in new.talks:
        known = before.pop(talk.guid, None)
        if known is None:
            added.append(talk)
        else:
            kinds[_kind(known, talk)].append((known, talk))
    return Diff(
        tuple(added),
        tuple(before.values()),
        tuple(kinds["cancelled"]),
        tuple(kinds["moved"]),
        tuple(kinds["changed"]),
        len(kinds["same"]),
    )


def _kind(old: Talk, new: Talk) -> str:
    if new.is_cancelled and not old.is_cancelled:
        return "cancelled"
    if (old.starts_at, old.room) != (new.starts_at, new.room):
        return "moved"
    return "changed" if any(getattr(old, name) != getattr(new, name) for name in COMPARED) else "same"


def stamp(old: Programme | None, new: Programme, name: str, now: datetime) -> Programme:
    """The programme as it is released: each talk with the number and time of its last change that calendars show."""
    before = {talk.guid: talk for talk in old.talks} if old else {}
    talks = tuple(_stamped(before.get(talk.guid), talk, now, is_first=old is None) for talk in new.talks)
    return replace(new, version=name, talks=talks, released_at=now)


def _stamped(old: Talk | None, new: Talk, now: datetime, *, is_first: bool) -> Talk:
    if old is None:
        return new if is_first else replace(new, changed_at=now)
    if all(getattr(old, name) == getattr(new, name) for name in CALENDAR_FIELDS):
        return replace(new, sequence=max(old.sequence, new.sequence), changed_at=old.changed_at)
    return replace(new, sequence=max(old.sequence + 1, new.sequence), changed_at=now)


def still_removed(earlier: tuple[Talk, ...], diff: Diff, new: Programme, now: datetime) -> tuple[Talk, ...]:
    """Talks of earlier releases that are in the programme no more: calendars are told for ever that they are off."""
    present = {talk.guid for talk in new.talks}
    gone = (replace(talk, sequence=talk.sequence + 1, changed_at=now) for talk in diff.removed)
    kept = (talk for talk in earlier if talk.guid not in present)
    return (*kept, *gone)


def slots_by_speaker(programme: Programme) -> Mapping[str, tuple[TalkSlot, ...]]:
    """Each speaker's talks that take place, in order of time."""
    slots: dict[str, list[TalkSlot]] = {}
    for talk in programme.talks:
        if talk.is_cancelled:
            continue
        minutes = int(talk.duration.total_seconds() // 60)
        for code in talk.persons:
            slots.setdefault(code, []).append(TalkSlot(talk.code, talk.title, talk.room, talk.starts_at, minutes))
    return {code: tuple(sorted(given, key=lambda slot: (slot.starts_at, slot.code))) for code, given in slots.items()}


def _when(talk: Talk, zone: ZoneInfo) -> str:
    return f"{at_in_words(talk.starts_at, zone)}, {talk.room}"


def _change(old: Talk, new: Talk) -> Change:
    if old.title != new.title:
        return Change("changed", new.code, new.title, old.title, new.title)
    if old.duration != new.duration:
        return Change("changed", new.code, new.title, _minutes(old), _minutes(new))
    if old.is_cancelled:
        return Change("changed", new.code, new.title, "cancelled", "takes place after all")
    names = {"persons": "speakers", "abstract_html": "text", "description_html": "text"}
    what = dict.fromkeys(names.get(name, name) for name in COMPARED if getattr(old, name) != getattr(new, name))
    return Change("changed", new.code, new.title, "", "new " + ", ".join(what))


def _minutes(talk: Talk) -> str:
    return f"{int(talk.duration.total_seconds() // 60)} min"


def find_faults(programme: Programme, *, by_name: bool = True) -> list[tuple[bool, str]]:
    """(blocks the release, sentence) for what is wrong, blocking ones first; at most `FAULTS_SHOWN`.

    Speakers are spoken of by name, or by their codes.
    """
    blocking = [] if programme.talks else [(True, "There is no talk in it.")]
    takes_place = [talk for talk in programme.talks if not talk.is_cancelled]
    rooms = {talk.code: (talk.room,) for talk in takes_place}
    persons = {talk.code: talk.persons for talk in takes_place}
    names = {person.code: person.name for person in programme.persons} if by_name else {}
    zone = programme.zone
    clashes = [
        *(f"{room} is taken twice: {_pair(pair, zone)}" for room, pair in _overlaps(takes_place, rooms)),
        *(
            f"{names.get(code, code)} is in two talks at once: {_pair(pair, zone)}"
            for code, pair in _overlaps(takes_place, persons)
        ),
    ]
    more = [f"and {len(clashes) - FAULTS_SHOWN} more of this kind"] if len(clashes) > FAULTS_SHOWN else []
    return blocking + [(False, text) for text in (*clashes[:FAULTS_SHOWN], *more)]


def _overlaps(talks: list[Talk], holders: Mapping[str, tuple[str, ...]]) -> list[tuple[str, tuple[Talk, Talk]]]:
    """Who or what is held by two talks at once, with the two. Touching ends are no overlap."""
    last: dict[str, Talk] = {}
    found = []
    for talk in sorted(talks, key=lambda each: (each.starts_at, each.code)):
        for holder in holders[talk.code]:
            before = last.get(holder)
            if before is not None and talk.starts_at < before.ends_at:
                found.append((holder, (before, talk)))
            if before is None or talk.ends_at > before.ends_at:
                last[holder] = talk
    return found


def _pair(pair: tuple[Talk, Talk], zone: ZoneInfo) -> str:
    return f"“{pair[0].title}” and “{pair[1].title}”, {at_in_words(pair[1].starts_at, zone)}"
