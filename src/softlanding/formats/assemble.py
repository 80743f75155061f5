"""From what a file says to a programme: each trap of real files is repaired with a note, or refused with its line."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from softlanding.formats import identity, when
from softlanding.formats.extras import CANCELLED_MARK
from softlanding.formats.people import key_of, people_of
from softlanding.formats.programme import (
    LINK_KINDS,
    TIMESLOT,
    Break,
    Conference,
    Day,
    Link,
    Programme,
    Room,
    Talk,
    Track,
    by_appearance,
    in_order,
)
from softlanding.formats.raw import RawLink, RawProgramme, RawRoom, RawTalk, RawTrack
from softlanding.formats.report import Report
from softlanding.formats.texts import one_line, plain, safe_html, web_address

GENERATOR = "softlanding"
UNNAMED_ROOM = "Unnamed room"
DURATION_ASSUMED = timedelta(minutes=30)
_CODE = re.compile(r"[A-Z0-9]{2,20}")
# Peers have no field for it and write it into the title.
_CANCELLED = re.compile(r"\s*(?:[\[(]\s*cancell?ed\s*[\])]\s*[:–-]?|cancell?ed\s*[:–])\s*", re.IGNORECASE)


def assemble(raw: RawProgramme, wanted_zone: str | None, report: Report) -> Programme:
    """The programme, or Invalid with every fault of the file."""
    zone = ZoneInfo(when.zone_of(raw, wanted_zone, report))
    acronym = _acronym(raw, report)
    is_ours = raw.generator == GENERATOR
    placed = when.days_as_given(raw, zone, report)
    given = [each.day for each in placed]
    starts = [(talk, when.start_of(talk, given[talk.day], zone, report)) for talk in raw.talks]
    days = when.settled_days(
        placed, [(talk.day, at) for talk, at in starts if at is not None], zone, report, is_ours=is_ours
    )
    rooms = _rooms(raw, acronym, report)
    persons, codes = people_of(raw, acronym, report)
    reader = _TalkReader(acronym, is_ours, codes, raw.conference.get("base_url", ""), report)
    talks = in_order(tuple(reader.talk(talk, at) for talk, at in starts if at is not None), rooms)
    report.raise_faults()
    if not raw.version.strip():
        report.note(raw.line, "the file has no version")
    return Programme(
        version=one_line(raw.version),
        conference=_conference(raw, acronym, zone, days, is_ours),
        days=days,
        rooms=rooms,
        tracks=_tracks(raw, report),
        persons=by_appearance(persons, talks),
        talks=talks,
        breaks=_breaks(raw.extras, zone),
        released_at=when.moment(str(raw.extras.get("released_at", "")), zone),
    )


def _acronym(raw: RawProgramme, report: Report) -> str:
    """What Softlanding wrote beside the format is truer to the letter; but it never names another conference."""
    seen, hidden = raw.conference.get("acronym", "").strip(), str(raw.extras.get("acronym", "")).strip()
    if seen and hidden and _as_address(seen) != _as_address(hidden):
        report.fault(
            raw.line,
            f"the file calls its conference {seen}, and in its softlanding part {hidden}; "
            "nothing was changed: say the same in both, or leave the softlanding part out",
        )
    given = hidden or seen
    acronym = identity.acronym_from(given or raw.conference.get("title", "") or "conference")
    if acronym != given:
        report.note(raw.line, f"the conference's address is {acronym}", f"made from {given or 'its title'}")
    return acronym


def _as_address(acronym: str) -> str:
    """Some formats have no `-` for it."""
    return identity.acronym_from(acronym).replace("_", "-")


def _conference(raw: RawProgramme, acronym: str, zone: ZoneInfo, days: tuple[Day, ...], is_ours: bool) -> Conference:
    fields = raw.conference
    starts_on, ends_on = (
        moment.astimezone(zone).date() if (moment := when.moment(text, zone)) else when.day_of(text)
        for text in (fields.get("start", ""), fields.get("end", ""))
    )
    starts_on = starts_on or days[0].on
    return Conference(
        acronym=acronym,
        title=one_line(fields.get("title", "")) or acronym,
        zone=zone.key,
        starts_on=starts_on,
        ends_on=max(starts_on, ends_on or days[-1].on),
        timeslot=when.duration(fields.get("timeslot_duration", "")) or TIMESLOT,
        url=web_address(fields.get("url", "")) or ("" if is_ours else web_address(fields.get("base_url", ""))),
    )


def _rooms(raw: RawProgramme, acronym: str, report: Report) -> tuple[Room, ...]:
    """Each room once, by name; the first to say something about it is believed."""
    listed = raw.extras.get("rooms")
    known = [
        _extra_room(raw.line, each) for each in (listed if isinstance(listed, list) else []) if isinstance(each, dict)
    ]
    rooms: dict[str, RawRoom] = {}
    for room in (*known, *raw.rooms):
        name = _room_name(room.name)
        if name == UNNAMED_ROOM and room.name != name:
            report.note(room.line, f"rooms without a name are called {UNNAMED_ROOM}")
        rooms.setdefault(name, room)
    slugs: set[str] = set()
    guids: set[str] = set()
    return tuple(_room(name, room, acronym, slugs, guids) for name, room in rooms.items())


def _room(name: str, raw: RawRoom, acronym: str, slugs: set[str], guids: set[str]) -> Room:
    slug = identity.slug_given(raw.slug) or identity.slug_from(name, "room")
    guid = (
        raw.guid if identity.is_uuid(raw.guid) and raw.guid not in guids else identity.guid_from(acronym, "room", name)
    )
    guids.add(guid)
    capacity = int(float(raw.capacity)) if re.fullmatch(r"\d{1,6}(\.0*)?", raw.capacity) else None
    return Room(name, identity.unused(slug, slugs), guid, capacity, plain(raw.description))


def _extra_room(line: int, values: Mapping[str, Any]) -> RawRoom:
    texts = {name: str(values[name]) for name in ("slug", "guid", "capacity", "description") if name in values}
    return RawRoom(line, str(values.get("name", "")), **texts)


def _room_name(name: str) -> str:
    return one_line(name) or UNNAMED_ROOM


def _tracks(raw: RawProgramme, report: Report) -> tuple[Track, ...]:
    """The tracks that the file lists, then those that only talks name."""
    named = [RawTrack(talk.line, talk.fields.get("track", "")) for talk in raw.talks]
    tracks: dict[str, Track] = {}
    slugs: set[str] = set()
    for each in (*raw.tracks, *named):
        name = one_line(each.name)
        if not name or name in tracks:
            continue
        slug = identity.slug_given(each.slug) or identity.slug_from(name, "track")
        color = each.color.lower() if re.fullmatch(r"#[0-9a-fA-F]{6}", each.color) else ""
        if each.color and not color:
            report.note(each.line, "a colour that is not #rrggbb was left out", each.color)
        tracks[name] = Track(name, identity.unused(slug, slugs), color)
    return tuple(tracks.values())


def _breaks(extras: Mapping[str, Any], zone: ZoneInfo) -> tuple[Break, ...]:
    listed = extras.get("breaks")
    breaks: list[Break] = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict):
            continue
        starts_at = when.moment(str(each.get("starts_at", "")), zone)
        length = when.duration(str(each.get("duration", "")))
        if starts_at is not None and length is not None:
            title, room = one_line(str(each.get("title", ""))), one_line(str(each.get("room", "")))
            breaks.append(Break(title, starts_at, length, room))
    return tuple(breaks)


@dataclass
class _Taken:
    """What must be unique among talks."""

    guids: set[str]
    numbers: set[int]
    codes: set[str]


class _TalkReader:
    def __init__(
        self, acronym: str, is_ours: bool, codes: Mapping[tuple[str, str], str], base_url: str, report: Report
    ) -> None:
        self._acronym = acronym
        self._is_ours = is_ours
        self._codes = codes
        self._base_url = base_url
        self._report = report
        self._taken = _Taken(set(), set(), set())

    def talk(self, raw: RawTalk, starts_at: datetime) -> Talk:
        fields = raw.fields
        title, is_cancelled = self._title(raw)
        guid = self._guid(raw, starts_at)
        return Talk(
            code=self._code(raw, guid),
            guid=guid,
            number=self._number(raw, guid),
            title=title,
            room=_room_name(raw.room),
            starts_at=starts_at,
            duration=self._duration(raw, starts_at),
            subtitle=one_line(fields.get("subtitle", "")),
            track=one_line(fields.get("track", "")),
            kind=one_line(fields.get("type", "")),
            language=one_line(fields.get("language", "")),
            abstract_html=safe_html(fields.get("abstract", "")),
            description_html=safe_html(fields.get("description", "")),
            persons=tuple(
                dict.fromkeys(self._codes[key] for each in raw.persons if (key := key_of(each)) in self._codes)
            ),
            url=web_address(fields.get("origin_url", ""))
            or ("" if self._is_ours else web_address(fields.get("url", ""))),
            feedback_url=web_address(fields.get("feedback_url", "")),
            links=self._links(raw.links),
            attachments=self._links(raw.attachments),
            recording_license=one_line(fields.get("recording_license", "")),
            do_not_record=_is_true(fields.get("recording_optout", "")),
            do_not_stream=_is_true(str(raw.extras.get("do_not_stream", fields.get("do_not_stream", "")))),
            is_cancelled=is_cancelled,
            sequence=_count(raw.extras.get("sequence")),
            changed_at=when.moment(str(raw.extras.get("changed_at", "")), ZoneInfo("UTC")),
        )

    def _title(self, raw: RawTalk) -> tuple[str, bool]:
        title = one_line(raw.fields.get("title", ""))
        if self._is_ours:
            return title.removeprefix(CANCELLED_MARK), title.startswith(CANCELLED_MARK)
        cancelled = _CANCELLED.match(title)
        if cancelled is not None:
            self._report.note(raw.line, "a title says cancelled: the talk is taken as such", title)
            title = title[cancelled.end() :]
        if not title:
            self._report.note(raw.line, "a talk without a title is called Untitled")
        return title or "Untitled", cancelled is not None

    def _guid(self, raw: RawTalk, starts_at: datetime) -> str:
        """The talk's identity: kept as it came, made from what does not change where there is none."""
        fields = raw.fields
        guid = str(raw.extras.get("guid") or fields.get("guid", "")).strip()
        if not guid:
            self._report.note(raw.line, "talks without a guid got one made from the conference and their id")
            ident = fields.get("id") or fields.get("slug") or fields.get("title", "") + raw.room + starts_at.isoformat()
            guid = identity.guid_from(self._acronym, "talk", ident.strip())
        elif not identity.is_uuid(guid) and not self._is_ours:
            self._report.note(raw.line, "guids that are no UUIDs are kept; exports bear UUIDs made from them")
        if guid in self._taken.guids:
            self._report.note(raw.line, "a guid occurs twice: the later talk got its own", guid)
            guid = identity.guid_from(self._acronym, guid, starts_at.isoformat(), raw.room, str(raw.line))
        self._taken.guids.add(guid)
        return guid

    def _code(self, raw: RawTalk, guid: str) -> str:
        """The short code: the file's, pretalx's in slug or address, or one made from the guid."""
        fields = raw.fields
        in_slug = re.match(r"([0-9A-Z]{6})-", fields.get("slug", ""))
        in_address = re.search(r"/talk/([0-9A-Z]{6})(?:/|\Z)", fields.get("url", ""))
        given = str(raw.extras.get("code") or fields.get("code", "")).strip().upper()
        found = given or (in_slug and in_slug[1]) or (in_address and in_address[1]) or ""
        wanted = found if _CODE.fullmatch(found) else identity.code_from(guid)
        return identity.unused_code(wanted, self._taken.codes, guid)

    def _number(self, raw: RawTalk, guid: str) -> int:
        text = raw.fields.get("id", "").strip()
        number = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else 0
        if 0 < number <= identity.NUMBER_MAX and number not in self._taken.numbers:
            self._taken.numbers.add(number)
            return number
        self._report.note(raw.line, "talks without a positive id of their own got one made from their guid")
        return identity.unused_number(identity.number_from(guid), self._taken.numbers)

    def _duration(self, raw: RawTalk, starts_at: datetime) -> timedelta:
        text = str(raw.extras.get("duration") or raw.fields.get("duration", "")).strip()
        ends_at = when.moment(raw.fields.get("end", ""), ZoneInfo("UTC"))
        if not text and ends_at is not None and ends_at >= starts_at:
            return timedelta(minutes=-(-(ends_at - starts_at) // timedelta(minutes=1)))
        if not text:
            self._report.note(raw.line, "talks without a duration are taken as 30 minutes")
            return DURATION_ASSUMED
        length = when.duration(text)
        if length is None:
            self._report.fault(raw.line, f"duration {text!r} cannot be read: write 0:45")
        return length or timedelta(0)

    def _links(self, raws: tuple[RawLink, ...]) -> tuple[Link, ...]:
        links: list[Link] = []
        for raw in raws:
            url = self._address(raw.url)
            if not url:
                self._report.note(raw.line, "a link that is no web address was left out", raw.url.strip()[:100])
                continue
            links.append(Link(url, one_line(raw.title), raw.kind if raw.kind in LINK_KINDS else ""))
        return tuple(links)

    def _address(self, text: str) -> str:
        """A web address; one without scheme begins `www.` or is relative to the programme's own (c3voc)."""
        if re.match(r"\s*www\.", text):
            return web_address(f"https://{text.strip()}")
        if re.match(r"\s*/?[\w.-]+/", text):
            return web_address(urljoin(self._base_url, text.strip()))
        return web_address(text)


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("true", "1", "yes")


def _count(value: object) -> int:
    return value if type(value) is int and 0 <= value <= identity.NUMBER_MAX else 0
