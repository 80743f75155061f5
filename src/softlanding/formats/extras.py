"""What the exchange formats have no field for, so that our own files come back whole.

In schedule.xml it stands in `<?softlanding {json}?>` instructions, which validators and readers pass over, in
schedule.json in `conference.meta.softlanding`. Nothing in it is private.
"""

from datetime import datetime, timedelta
from typing import Any

from softlanding.formats import identity
from softlanding.formats.programme import Break, Person, Programme, Room, Talk

DURATION_MAX = timedelta(hours=99, minutes=59)  # schedule.xml has two digits for hours.

CANCELLED_MARK = "[CANCELED] "


def programme_extras(programme: Programme) -> dict[str, Any]:
    return _without_blanks(
        {
            "acronym": programme.conference.acronym,
            "zone": programme.conference.zone,
            "released_at": _iso(programme.released_at),
            "rooms": [_room(room) for room in programme.rooms],
            "breaks": [_break(each) for each in programme.breaks],
        }
    )


def persons_extras(persons: tuple[Person, ...]) -> dict[str, Any]:
    """By the integer that stands beside the name in schedule.xml."""
    return {
        str(person.number): _without_blanks(
            {"code": person.code, "biography_html": person.biography_html, "url": person.url}
        )
        for person in persons
    }


def talk_extras(talk: Talk) -> dict[str, Any]:
    return _without_blanks(
        {
            "code": talk.code,
            "guid": talk.guid if exported_guid(talk) != talk.guid else "",
            "duration": hours_and_minutes(talk.duration) if talk.duration > DURATION_MAX else "",
            "do_not_stream": talk.do_not_stream,
            "sequence": talk.sequence or None,
            "changed_at": _iso(talk.changed_at),
        }
    )


def exported_guid(talk: Talk) -> str:
    """The talk's guid; a UUID made from it where it is none, for the formats demand one."""
    return talk.guid if identity.is_uuid(talk.guid) else identity.guid_from("exported", talk.guid)


def exported_duration(talk: Talk) -> str:
    return hours_and_minutes(min(talk.duration, DURATION_MAX))


def exported_title(talk: Talk) -> str:
    """The title; what is cancelled says so, as peers do, for want of a field."""
    return CANCELLED_MARK + talk.title if talk.is_cancelled else talk.title


def exported_slug(talk: Talk, acronym: str) -> str:
    """A slug that both schemas accept, unique by the talk's number."""
    begin = "".join(letter if letter != "-" else "_" for letter in acronym).ljust(4, "_")
    return f"{begin}-{talk.number}-{identity.slug_from(talk.title, 'talk')}"


def page_of(talk: Talk, base_url: str) -> str:
    return f"{base_url.rstrip('/')}/talks/{talk.code}/"


def hours_and_minutes(length: timedelta) -> str:
    minutes = int(length / timedelta(minutes=1))
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _room(room: Room) -> dict[str, Any]:
    values = {"name": room.name, "slug": room.slug, "guid": room.guid}
    return _without_blanks({**values, "capacity": room.capacity, "description": room.description})


def _break(each: Break) -> dict[str, Any]:
    values = {"title": each.title, "starts_at": _iso(each.starts_at), "duration": hours_and_minutes(each.duration)}
    return _without_blanks({**values, "room": each.room})


def _iso(at: datetime | None) -> str:
    return "" if at is None else at.isoformat()


def _without_blanks(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in ("", None, []) and value is not False}
