"""schedule.json (c3voc) as it comes: frab, pretalx and relatives, read with the line of every object."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from json import decoder, scanner
from typing import Any

from softlanding.formats.raw import (
    RawDay,
    RawLink,
    RawPerson,
    RawProgramme,
    RawRoom,
    RawTalk,
    RawTrack,
)
from softlanding.formats.report import Report

# What schedule.json names otherwise than schedule.xml.
_RENAMED = {"do_not_record": "recording_optout", "daysCount": "days"}


def parse_json(body: bytes, report: Report) -> RawProgramme:
    """The programme in a schedule.json, or Invalid with line and reason."""
    document = _document(body, report)
    schedule = document.get("schedule") if isinstance(document, dict) else None
    conference = schedule.get("conference") if isinstance(schedule, dict) else None
    if not isinstance(schedule, dict) or not isinstance(conference, dict) or not _objects(conference, "days"):
        raise report.refuse(
            1, "this JSON is no conference schedule: schedule.conference.days is expected (c3voc schedule.json)"
        )
    extras = _extras(conference)
    numbered = list(enumerate(_objects(conference, "days")))
    placed = [(number, room, events) for number, day in numbered for room, events in _rooms_of(day)]
    listed = tuple(_room(room) for room in _objects(conference, "rooms"))
    return RawProgramme(
        line=_line(conference),
        version=_text(schedule, "version"),
        generator=_text(_object(document, "generator"), "name"),
        conference=_fields(conference)
        | ({} if "base_url" in conference else {"base_url": _text(schedule, "base_url")}),
        days=tuple(_day(day) for _, day in numbered),
        rooms=listed + tuple(RawRoom(_line_of_first(events), room) for _, room, events in placed),
        tracks=tuple(_track(track) for track in _objects(conference, "tracks")),
        talks=tuple(
            _talk(event, number, room, _object(extras, "talks"))
            for number, room, events in placed
            for event in events
            if isinstance(event, dict)
        ),
        extras=extras,
    )


class _Lined(dict[str, Any]):
    """A JSON object that knows its line."""

    line: int = 1


class _LinedDecoder(json.JSONDecoder):
    """The standard decoder, but each object knows the line that it begins on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._ends = [position for position, letter in enumerate(text) if letter == "\n"]
        self._plain_object: Callable[..., tuple[dict[str, Any], int]] = vars(decoder)["JSONObject"]
        self.parse_object = self._lined_object
        self.parse_constant = _refuse_constant
        self.scan_once = vars(scanner)["py_make_scanner"](self)

    def _lined_object(self, begin: tuple[str, int], *options: Any) -> tuple[_Lined, int]:
        values, end = self._plain_object(begin, *options)
        lined = _Lined(values)
        lined.line = bisect_right(self._ends, begin[1] - 1) + 1
        return lined, end


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number in JSON")


def _document(body: bytes, report: Report) -> Any:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise report.refuse(body.count(b"\n", 0, error.start) + 1, "not UTF-8: save the file as UTF-8") from None
    try:
        return _LinedDecoder(text).decode(text)
    except json.JSONDecodeError as error:
        raise report.refuse(error.lineno, f"this is not well-formed JSON: {error.msg} (column {error.colno})") from None
    except ValueError as error:
        raise report.refuse(1, f"this is not well-formed JSON: {error}") from None
    except RecursionError:
        raise report.refuse(1, "this JSON is nested too deeply to be a conference schedule") from None


def _rooms_of(day: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    for room, events in _object(day, "rooms").items():
        yield room, events if isinstance(events, list) else []


def _day(day: Mapping[str, Any]) -> RawDay:
    values = [_text(day, name) for name in ("index", "date", "day_start", "day_end")]
    return RawDay(_line(day), *values)


def _room(room: Mapping[str, Any]) -> RawRoom:
    values = {name: _text(room, name) for name in ("name", "slug", "guid", "capacity", "description")}
    return RawRoom(_line(room), **values)


def _track(track: Mapping[str, Any]) -> RawTrack:
    return RawTrack(_line(track), *(_text(track, name) for name in ("name", "slug", "color")))


def _talk(event: Mapping[str, Any], day: int, room: str, extras: Mapping[str, Any]) -> RawTalk:
    return RawTalk(
        line=_line(event),
        day=day,
        room=room or _text(event, "room"),
        fields=_fields(event),
        persons=tuple(_person(person) for person in _objects(event, "persons")),
        links=tuple(_link(link) for link in _objects(event, "links")),
        attachments=tuple(_link(link) for link in _objects(event, "attachments")),
        extras=_object(extras, _text(event, "guid")),
    )


def _person(person: Mapping[str, Any]) -> RawPerson:
    return RawPerson(
        line=_line(person),
        name=_text(person, "name") or _text(person, "public_name"),
        number=_text(person, "id"),
        guid=_text(person, "guid"),
        code=_text(person, "code"),
        biography=_text(person, "biography"),
        url=_text(person, "url"),
    )


def _link(link: Mapping[str, Any]) -> RawLink:
    return RawLink(_line(link), *(_text(link, name) for name in ("url", "title", "type")))


def _extras(conference: Mapping[str, Any]) -> Mapping[str, Any]:
    return _object(_object(conference, "meta"), "softlanding")


def _fields(values: Mapping[str, Any]) -> dict[str, str]:
    return {_RENAMED.get(name, name): _text(values, name) for name in values}


def _text(values: Mapping[str, Any], name: str) -> str:
    """A value as text, nothing if it is a list. Of translations the English, or the first."""
    value = values.get(name)
    if isinstance(value, dict):
        value = value.get("en", next(iter(value.values()), ""))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _object(values: Any, name: str) -> Mapping[str, Any]:
    value = values.get(name) if isinstance(values, dict) else None
    return value if isinstance(value, dict) else {}


def _objects(values: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = values.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _line(values: Mapping[str, Any]) -> int:
    return values.line if isinstance(values, _Lined) else 1


def _line_of_first(events: list[Any]) -> int:
    return next((_line(event) for event in events if isinstance(event, dict)), 1)
