"""A programme as a value: what is read from a file, published as a release and written in every exchange format.

Pure nouns. Times are aware UTC, days are dates in the conference's zone, texts named `_html` hold safe HTML only.
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

TIMESLOT = timedelta(minutes=5)  # The grid that most conferences plan on.


@dataclass(frozen=True)
class Conference:
    """The meeting. `acronym` is its address: four or more of a-z, 0-9, `-` and `_`. `zone` is an IANA name."""

    acronym: str
    title: str
    zone: str
    starts_on: date
    ends_on: date
    timeslot: timedelta = TIMESLOT
    url: str = ""


@dataclass(frozen=True)
class Day:
    """A day of the programme, from 1. It may end after midnight: a talk at 01:00 belongs to the day before."""

    index: int
    on: date
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Room:
    """A place in the venue. Its name is unique within the programme, its slug is its address."""

    name: str
    slug: str
    guid: str
    capacity: int | None = None
    description: str = ""


@dataclass(frozen=True)
class Track:
    """A theme. `color` is `#rrggbb` or empty."""

    name: str
    slug: str
    color: str = ""


@dataclass(frozen=True)
class Link:
    """Something to read or see besides the talk. `kind` is one of `LINK_KINDS` or empty."""

    url: str
    title: str = ""
    kind: str = ""


LINK_KINDS = ("slides", "paper", "web", "blog", "article", "media", "related", "activitypub")  # Of the c3voc schema.


@dataclass(frozen=True)
class Person:
    """A speaker. `code` (A-Z, 0-9) is the address, `number` the integer that old formats ask for.

    `email` is for the organisers' eyes: no public format is ever given it, nor anything made from it.
    """

    code: str
    name: str
    number: int
    guid: str
    biography_html: str = ""
    url: str = ""
    email: str = ""


@dataclass(frozen=True)
class Talk:
    """A programme item. `guid` is its identity over releases and systems and is kept for ever as it came.

    `room` and `track` are names (`track` may be empty), `persons` are codes in the order of the programme,
    `number` is the integer that old formats ask for, `url` is its page where it came from, `sequence` rises with
    each change that a calendar must learn.
    """

    code: str
    guid: str
    number: int
    title: str
    room: str
    starts_at: datetime
    duration: timedelta
    subtitle: str = ""
    track: str = ""
    kind: str = ""
    language: str = ""
    abstract_html: str = ""
    description_html: str = ""
    persons: tuple[str, ...] = ()
    url: str = ""
    feedback_url: str = ""
    links: tuple[Link, ...] = ()
    attachments: tuple[Link, ...] = ()
    recording_license: str = ""
    do_not_record: bool = False
    do_not_stream: bool = False
    is_cancelled: bool = False
    sequence: int = 0
    changed_at: datetime | None = None

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.duration


@dataclass(frozen=True)
class Break:
    """A public pause, in one room or (`room` empty) everywhere."""

    title: str
    starts_at: datetime
    duration: timedelta
    room: str = ""

    @property
    def ends_at(self) -> datetime:
        return self.starts_at + self.duration


@dataclass(frozen=True)
class Programme:
    """All that a release shows. Talks are in order of time, room and guid; persons in order of first appearance."""

    version: str
    conference: Conference
    days: tuple[Day, ...]
    rooms: tuple[Room, ...]
    tracks: tuple[Track, ...]
    persons: tuple[Person, ...]
    talks: tuple[Talk, ...]
    breaks: tuple[Break, ...] = ()
    released_at: datetime | None = None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.conference.zone)


def talks_by_day(programme: Programme) -> tuple[tuple[Day, tuple[Talk, ...]], ...]:
    """Each day with its talks in order. A talk belongs to the last day that has begun when it starts."""
    beginnings = [day.starts_at for day in programme.days]
    talks: list[list[Talk]] = [[] for _ in programme.days]
    for talk in programme.talks:
        talks[max(0, bisect_right(beginnings, talk.starts_at) - 1)].append(talk)
    return tuple((day, tuple(of_day)) for day, of_day in zip(programme.days, talks, strict=True))


def in_order(talks: tuple[Talk, ...], rooms: tuple[Room, ...]) -> tuple[Talk, ...]:
    """Talks by time; at the same time in the order of the rooms, then by guid."""
    place = {room.name: number for number, room in enumerate(rooms)}
    return tuple(sorted(talks, key=lambda talk: (talk.starts_at, place.get(talk.room, len(place)), talk.guid)))


def by_appearance(persons: tuple[Person, ...], talks: tuple[Talk, ...]) -> tuple[Person, ...]:
    """The persons of these talks, in the order in which the talks first name them."""
    known = {person.code: person for person in persons}
    named = dict.fromkeys(code for talk in talks for code in talk.persons)
    return tuple(known[code] for code in named if code in known)
