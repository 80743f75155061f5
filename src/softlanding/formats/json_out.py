"""schedule.json as the c3voc schema wants it (strict): https://c3voc.de/schedule/schema.json."""

import json
import re
from typing import Any
from zoneinfo import ZoneInfo

from softlanding.formats import extras
from softlanding.formats.assemble import GENERATOR
from softlanding.formats.programme import Conference, Day, Link, Person, Programme, Room, Talk, Track, talks_by_day

SCHEMA = "https://c3voc.de/schedule/schema.json"
_ACRONYM = re.compile(r"[a-z0-9_-][a-z0-9_]{3,}(-2[0-9]{3}-[a-z]+)?")
_ZONE = re.compile(r"([A-Z][a-z]+/[A-Z][a-z]+)|UTC$")


def write_json(programme: Programme, generator_version: str, base_url: str) -> bytes:
    """The programme as schedule.json. `base_url` is the public address of the conference's pages."""
    document = {
        "$schema": SCHEMA,
        "generator": {"name": GENERATOR, "version": generator_version, "url": base_url},
        "schedule": {
            "version": programme.version,
            "base_url": base_url,
            "conference": _conference(programme, base_url),
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def _conference(programme: Programme, base_url: str) -> dict[str, Any]:
    conference = programme.conference
    zone = {"time_zone_name": conference.zone} if _ZONE.match(conference.zone) else {}
    website = {"url": conference.url} if conference.url else {}
    talks = {extras.exported_guid(talk): extras.talk_extras(talk) for talk in programme.talks}
    return {
        "acronym": _acronym(conference),
        "title": conference.title,
        "start": conference.starts_on.isoformat(),
        "end": conference.ends_on.isoformat(),
        "daysCount": len(programme.days),
        "timeslot_duration": extras.hours_and_minutes(conference.timeslot),
        **zone,
        **website,
        "tracks": [_track(track) for track in programme.tracks],
        "rooms": [_room(room) for room in programme.rooms],
        "days": _days(programme, base_url),
        "meta": {"softlanding": {**extras.programme_extras(programme), "talks": talks}},
    }


def _acronym(conference: Conference) -> str:
    """The schema knows hyphens only before a year and a word."""
    acronym = conference.acronym
    return acronym if _ACRONYM.fullmatch(acronym) else acronym.replace("-", "_")


def _track(track: Track) -> dict[str, Any]:
    return {"name": track.name, "slug": track.slug} | ({"color": track.color} if track.color else {})


def _room(room: Room) -> dict[str, Any]:
    values = {"name": room.name, "slug": room.slug, "guid": room.guid}
    return {**values, "description": room.description or None, "capacity": room.capacity}


def _days(programme: Programme, base_url: str) -> list[dict[str, Any]]:
    persons = {person.code: person for person in programme.persons}
    return [_day(programme, day, talks, persons, base_url) for day, talks in talks_by_day(programme)]


def _day(
    programme: Programme, day: Day, talks: tuple[Talk, ...], persons: dict[str, Person], base_url: str
) -> dict[str, Any]:
    zone, acronym = programme.zone, programme.conference.acronym
    rooms: dict[str, list[Any]] = {room.name: [] for room in programme.rooms}
    for talk in talks:
        speakers = [persons[code] for code in talk.persons if code in persons]
        rooms.setdefault(talk.room, []).append(_talk(talk, acronym, zone, speakers, base_url))
    return {
        "index": day.index,
        "date": day.on.isoformat(),
        "day_start": day.starts_at.astimezone(zone).isoformat(),
        "day_end": day.ends_at.astimezone(zone).isoformat(),
        "rooms": {name: events for name, events in rooms.items() if events},
    }


def _talk(talk: Talk, acronym: str, zone: ZoneInfo, speakers: list[Person], base_url: str) -> dict[str, Any]:
    starts_at = talk.starts_at.astimezone(zone)
    addresses = {"feedback_url": talk.feedback_url, "origin_url": talk.url}
    return {
        "guid": extras.exported_guid(talk),
        "code": talk.code,
        "id": talk.number,
        "date": starts_at.isoformat(),
        "start": f"{starts_at:%H:%M}",
        "end": talk.ends_at.astimezone(zone).isoformat(),
        "duration": extras.exported_duration(talk),
        "room": talk.room,
        "slug": extras.exported_slug(talk, acronym),
        "url": extras.page_of(talk, base_url),
        "title": extras.exported_title(talk),
        "subtitle": talk.subtitle,
        "track": talk.track or None,
        "type": talk.kind,
        "language": talk.language or None,
        "abstract": talk.abstract_html,
        "description": talk.description_html,
        "recording_license": talk.recording_license,
        "do_not_record": talk.do_not_record,
        "do_not_stream": talk.do_not_stream,
        "persons": [_person(person) for person in speakers],
        "links": [_link(link) for link in talk.links],
        "attachments": [_link(link) for link in talk.attachments],
        **{name: address for name, address in addresses.items() if address},
    }


def _person(person: Person) -> dict[str, Any]:
    """pretalx's kind of person: never beside frab's `public_name`."""
    values = {"guid": person.guid, "id": person.number, "code": person.code, "name": person.name}
    return {**values, "biography": person.biography_html or None} | ({"url": person.url} if person.url else {})


def _link(link: Link) -> dict[str, Any]:
    return {"url": link.url, "title": link.title} | ({"type": link.kind} if link.kind else {})
