"""A programme as a file has it: texts with lines, not yet judged. Both readers make it, `assemble` judges it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RawPerson:
    line: int
    name: str
    number: str = ""
    guid: str = ""
    code: str = ""
    biography: str = ""
    url: str = ""


@dataclass(frozen=True)
class RawLink:
    line: int
    url: str
    title: str = ""
    kind: str = ""


@dataclass(frozen=True)
class RawTalk:
    """`fields` bear the names of schedule.xml (guid, id, code, date, start, duration, title, type, optout …)."""

    line: int
    day: int
    room: str
    fields: Mapping[str, str]
    persons: tuple[RawPerson, ...] = ()
    links: tuple[RawLink, ...] = ()
    attachments: tuple[RawLink, ...] = ()
    extras: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RawDay:
    line: int
    index: str
    date: str
    start: str
    end: str


@dataclass(frozen=True)
class RawRoom:
    line: int
    name: str
    slug: str = ""
    guid: str = ""
    capacity: str = ""
    description: str = ""


@dataclass(frozen=True)
class RawTrack:
    line: int
    name: str
    slug: str = ""
    color: str = ""


@dataclass(frozen=True)
class RawProgramme:
    """`biographies` are by the person's number; `extras` are what Softlanding itself wrote beside the format."""

    line: int
    version: str
    generator: str
    conference: Mapping[str, str]
    days: tuple[RawDay, ...]
    rooms: tuple[RawRoom, ...]
    tracks: tuple[RawTrack, ...]
    talks: tuple[RawTalk, ...]
    biographies: Mapping[str, str] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)
