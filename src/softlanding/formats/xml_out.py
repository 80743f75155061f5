"""schedule.xml as the c3voc schema wants it (strict): https://c3voc.de/schedule/schema.xsd."""

import json
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from softlanding.formats import extras
from softlanding.formats.assemble import GENERATOR
from softlanding.formats.programme import Conference, Day, Link, Person, Programme, Talk, talks_by_day
from softlanding.formats.texts import plain


def write_xml(programme: Programme, generator_version: str, base_url: str) -> bytes:
    """The programme as schedule.xml. `base_url` is the public address of the conference's pages."""
    root = etree.Element("schedule")
    root.append(_instruction(_extras(programme)))
    etree.SubElement(root, "generator", name=GENERATOR, system=base_url, version=generator_version)
    _add(root, "url", f"{base_url.rstrip('/')}/schedule.xml")
    _add(root, "version", programme.version)
    _add_conference(root, programme, base_url)
    persons = {person.code: person for person in programme.persons}
    for day, talks in talks_by_day(programme):
        _add_day(root, programme, day, talks, persons, base_url)
    etree.indent(root)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="utf-8")
    return written


def _extras(programme: Programme) -> dict[str, Any]:
    return {**extras.programme_extras(programme), "persons": extras.persons_extras(programme.persons)}


def _add_conference(root: Any, programme: Programme, base_url: str) -> None:
    conference: Conference = programme.conference
    element = etree.SubElement(root, "conference")
    _add(element, "acronym", conference.acronym)
    _add(element, "title", conference.title)
    _add(element, "start", conference.starts_on.isoformat())
    _add(element, "end", conference.ends_on.isoformat())
    _add(element, "days", str(len(programme.days)))
    _add(element, "timeslot_duration", extras.hours_and_minutes(conference.timeslot))
    _add(element, "base_url", base_url)
    if conference.url:
        _add(element, "url", conference.url)
    _add(element, "time_zone_name", conference.zone)
    for track in programme.tracks:
        colored = {"color": track.color} if track.color else {}
        etree.SubElement(element, "track", name=plain(track.name), slug=track.slug, **colored)


def _add_day(
    root: Any, programme: Programme, day: Day, talks: tuple[Talk, ...], persons: dict[str, Person], base_url: str
) -> None:
    zone = programme.zone
    bounds = {"start": day.starts_at.astimezone(zone).isoformat(), "end": day.ends_at.astimezone(zone).isoformat()}
    element = etree.SubElement(root, "day", index=str(day.index), date=day.on.isoformat(), **bounds)
    for room in programme.rooms:
        here = [talk for talk in talks if talk.room == room.name]
        if here:
            room_element = etree.SubElement(element, "room", name=plain(room.name), guid=room.guid)
            for talk in here:
                _add_talk(room_element, talk, programme.conference, zone, persons, base_url)


def _add_talk(
    room: Any, talk: Talk, conference: Conference, zone: ZoneInfo, persons: dict[str, Person], base_url: str
) -> None:
    starts_at = talk.starts_at.astimezone(zone)
    event = etree.SubElement(room, "event", guid=extras.exported_guid(talk), id=str(talk.number))
    if len(talk.code) == 6:
        event.set("code", talk.code)
    event.append(_instruction(extras.talk_extras(talk)))
    _add(event, "date", starts_at.isoformat())
    _add(event, "start", f"{starts_at:%H:%M}")
    _add(event, "duration", extras.exported_duration(talk))
    _add(event, "room", talk.room)
    _add(event, "slug", extras.exported_slug(talk, conference.acronym))
    _add(event, "url", extras.page_of(talk, base_url))
    _add(event, "title", extras.exported_title(talk))
    _add(event, "subtitle", talk.subtitle)
    _add(event, "track", talk.track)
    _add(event, "type", talk.kind)
    _add(event, "language", talk.language)
    _add(event, "abstract", talk.abstract_html)
    _add(event, "description", talk.description_html)
    _add_optional_addresses(event, talk)
    _add_recording(event, talk)
    _add_persons(event, [persons[code] for code in talk.persons if code in persons])
    _add_links(etree.SubElement(event, "links"), "link", talk.links)
    _add_links(etree.SubElement(event, "attachments"), "attachment", talk.attachments)


def _add_optional_addresses(event: Any, talk: Talk) -> None:
    for name, address in (("feedback_url", talk.feedback_url), ("origin_url", talk.url)):
        if address:
            _add(event, name, address)


def _add_recording(event: Any, talk: Talk) -> None:
    recording = etree.SubElement(event, "recording")
    _add(recording, "license", talk.recording_license)
    _add(recording, "optout", "true" if talk.do_not_record else "false")


def _add_persons(event: Any, persons: list[Person]) -> None:
    element = etree.SubElement(event, "persons")
    for person in persons:
        etree.SubElement(element, "person", id=str(person.number), guid=person.guid).text = plain(person.name)


def _add_links(parent: Any, name: str, links: tuple[Link, ...]) -> None:
    for link in links:
        kind = {"type": link.kind} if link.kind else {}
        etree.SubElement(parent, name, href=link.url, **kind).text = plain(link.title)


def _add(parent: Any, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = plain(text)


def _instruction(values: dict[str, Any]) -> Any:
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":")).replace("?", "\\u003f")  # `?>` would end it.
    return etree.ProcessingInstruction("softlanding", text)
