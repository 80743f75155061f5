"""schedule.xml as it comes: Pentabarf, frab, wafer, pretalx and relatives.

XML from strangers: no entities, no DTD, no network, no huge documents. A DOCTYPE is refused, whatever is in it.
"""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

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

LONG_TEXTS = ("abstract", "description", "biography", "extended_biography")
_PROLOG = re.compile(rb"\A(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_CONTROL = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:0*(?:[0-8]|1[124-9]|2\d|3[01])|[xX]0*(?:[0-8bceBCEfF]|1[0-9a-fA-F]));"
)
_ENCODING = re.compile(rb"\A\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")


def parse_xml(body: bytes, report: Report) -> RawProgramme:
    """The programme in a schedule.xml, or Invalid with line and reason."""
    root = _root_of(_fit_to_parse(body, report), report)
    conference = root.find("conference")
    if _name(root) != "schedule" or conference is None or root.find("day") is None:
        raise _foreign(root, report)
    numbered = list(enumerate(root.findall("day")))
    return RawProgramme(
        line=conference.sourceline,
        version=_text(root, "version"),
        generator=_attribute(root.find("generator"), "name"),
        conference={_name(child): _own_text(child) for child in _children(conference)},
        days=tuple(_day(day) for _, day in numbered),
        rooms=tuple(_room(room) for _, day in numbered for room in day.findall("room")),
        tracks=tuple(_track(track) for track in (*conference.findall("track"), *root.findall("tracks/track"))),
        talks=tuple(
            _talk(event, number, _room_name(room, event), report)
            for number, day in numbered
            for room in day.findall("room")
            for event in room.findall("event")
        ),
        biographies={
            _attribute(person, "id"): _text(person, "biography") or _text(person, "extended_biography")
            for person in root.findall("persons/person")
        },
        extras=_extras(root, report),
    )


def _fit_to_parse(body: bytes, report: Report) -> bytes:
    """UTF-8 without control characters; what had to go is noted."""
    if body[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in body[:4]:
        body = _from_utf16(body, report)
    body = body.removeprefix(b"\xef\xbb\xbf")
    declared = _ENCODING.match(body)
    if declared is None or declared.group(1).lower() in (b"utf-8", b"utf8"):
        body = _whole_characters(body, report)
    for line in control_lines(body):
        report.note(line, "a control character, which XML forbids, was left out")
    return _CONTROL.sub(b"", body)


def control_lines(body: bytes) -> Iterator[int]:
    """The line of each control character. Each byte is looked at once, however many they are."""
    line, counted = 1, 0
    for match in _CONTROL.finditer(body):
        line, counted = line + body.count(b"\n", counted, match.start()), match.start()
        yield line


def _from_utf16(body: bytes, report: Report) -> bytes:
    try:
        text = body.decode("utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le")
    except UnicodeDecodeError:
        raise report.refuse(1, "neither UTF-8 nor UTF-16: save the file as UTF-8") from None
    return re.sub(r"\A\s*<\?xml.*?\?>", "", text, flags=re.DOTALL).encode("utf-8", "replace")


def _whole_characters(body: bytes, report: Report) -> bytes:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        report.note(_line_at(body, error.start), "bytes that are not UTF-8 were replaced by \N{REPLACEMENT CHARACTER}")
        return body.decode("utf-8", "replace").encode("utf-8")
    return body


def _root_of(body: bytes, report: Report) -> Any:
    prolog = _PROLOG.match(body)
    if prolog is not None and body[prolog.end() :][:9].upper() == b"<!DOCTYPE":
        line = _line_at(body, prolog.end())
        if re.match(rb"<!doctype\s+html", body[prolog.end() :], re.IGNORECASE):
            raise report.refuse(
                line, "this is a web page, not a programme: download schedule.xml or schedule.json itself"
            )
        raise report.refuse(
            line, "a DOCTYPE can hide entity bombs and foreign files: remove it, schedule.xml needs none"
        )
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        raise report.refuse(error.lineno or 1, f"this is not well-formed XML: {error.msg}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise report.refuse(1, "a DOCTYPE can hide entity bombs and foreign files: remove it, schedule.xml needs none")
    return root


def _foreign(root: Any, report: Report) -> Exception:
    if _name(root) == "html":
        return report.refuse(1, "this is a web page, not a programme: download schedule.xml or schedule.json itself")
    found = ", ".join(dict.fromkeys(f"<{_name(child)}>" for child in _children(root))) or "nothing"
    return report.refuse(
        root.sourceline,
        f"this XML is no conference schedule: <schedule> with <conference> and <day><room><event> is expected "
        f"(frab, pretalx, wafer, Pentabarf), found <{_name(root)}> with {found}",
    )


def _day(day: Any) -> RawDay:
    values = [_attribute(day, name) for name in ("index", "date", "start", "end")]
    return RawDay(day.sourceline, *values)


def _room(room: Any) -> RawRoom:
    name = _attribute(room, "name")
    if not name:
        name = next((text for event in room.findall("event") if (text := _text(event, "room"))), "")
    return RawRoom(room.sourceline, name, slug=_attribute(room, "slug"), guid=_attribute(room, "guid"))


def _room_name(room: Any, event: Any) -> str:
    return _attribute(room, "name") or _text(event, "room")


def _track(track: Any) -> RawTrack:
    name = _attribute(track, "name") or _own_text(track)
    return RawTrack(track.sourceline, name, slug=_attribute(track, "slug"), color=_attribute(track, "color"))


def _talk(event: Any, day: int, room: str, report: Report) -> RawTalk:
    fields = {_name(child): _own_text(child) for child in _children(event)}
    fields |= {f"recording_{_name(child)}": _own_text(child) for child in _children(event.find("recording"))}
    fields |= {name: _attribute(event, name) for name in ("guid", "id", "code")}
    return RawTalk(
        line=event.sourceline,
        day=day,
        room=room,
        fields=fields,
        persons=tuple(_person(person) for person in event.findall("persons/person")),
        links=tuple(_link(link) for link in event.findall("links/link")),
        attachments=tuple(_link(link) for link in event.findall("attachments/attachment")),
        extras=_extras(event, report),
    )


def _person(person: Any) -> RawPerson:
    return RawPerson(
        line=person.sourceline,
        name=_own_text(person),
        number=_attribute(person, "id"),
        guid=_attribute(person, "guid"),
        code=_attribute(person, "code"),
    )


def _link(link: Any) -> RawLink:
    return RawLink(link.sourceline, _attribute(link, "href"), title=_own_text(link), kind=_attribute(link, "type"))


def _extras(element: Any, report: Report) -> dict[str, Any]:
    """What Softlanding wrote beside the format, in a processing instruction that others pass over."""
    for instruction in element.xpath("processing-instruction('softlanding')"):
        try:
            extras = json.loads(instruction.text or "")
        except (ValueError, RecursionError):
            extras = None
        if isinstance(extras, dict):
            return extras
        report.note(instruction.sourceline, "an unreadable <?softlanding?> instruction was left out")
    return {}


def _children(element: Any) -> Iterator[Any]:
    return (child for child in (() if element is None else element) if isinstance(child.tag, str))


def _name(element: Any) -> str:
    return str(etree.QName(element).localname)


def _text(element: Any, name: str) -> str:
    return _own_text(element.find(name))


def _own_text(element: Any) -> str:
    """All text inside. XHTML that somebody forgot to escape in a long text comes as HTML, elsewhere as its text."""
    if element is None or len(element) == 0:
        return "" if element is None else (element.text or "")
    if _name(element) not in LONG_TEXTS:
        return "".join(element.itertext())
    inner = (etree.tostring(child, encoding="unicode") for child in _children(element))
    return html.escape(element.text or "", quote=False) + "".join(inner)


def _attribute(element: Any, name: str) -> str:
    return "" if element is None else str(element.get(name, "")).strip()


def _line_at(body: bytes, position: int) -> int:
    return body.count(b"\n", 0, position) + 1
