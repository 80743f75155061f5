"""schedule.ics: a calendar that other calendars can follow through every change (RFC 5545, RFC 7986).

Each talk keeps its UID for ever, SEQUENCE rises with each change, and what was removed or cancelled stays, as
STATUS:CANCELLED: a calendar that merely misses it would show it for ever.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time

from icalendar import Calendar, Event, Timezone

from softlanding.formats import extras
from softlanding.formats.programme import Programme, Talk
from softlanding.formats.texts import plain, plain_from_html


def write_ics(programme: Programme, generator_version: str, base_url: str, removed: Sequence[Talk] = ()) -> bytes:
    """The programme as a calendar. `removed` are talks of earlier releases that are in it no more.

    The same programme gives the same bytes: DTSTAMP is a talk's last change, else the release, else the first day.
    """
    calendar = Calendar()
    calendar.add("prodid", f"-//Softlanding//Softlanding {generator_version}//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("name", plain(programme.conference.title))
    calendar.add("x-wr-calname", plain(programme.conference.title))
    calendar.add("x-wr-timezone", programme.conference.zone)
    calendar.add_component(_timezone(programme, removed))
    names = {person.code: plain(person.name) for person in programme.persons}
    off = [(talk, True) for talk in removed]
    for talk, is_off in [*((talk, talk.is_cancelled) for talk in programme.talks), *off]:
        speakers = ", ".join(names[code] for code in talk.persons if code in names)
        calendar.add_component(_event(programme, talk, speakers, base_url, is_off=is_off))
    written: bytes = calendar.to_ical()
    return written


def _timezone(programme: Programme, removed: Sequence[Talk]) -> Timezone:
    """The zone's rules around the conference: a year before and after is enough for all its times."""
    years = [talk.starts_at.year for talk in (*programme.talks, *removed)]
    years += [programme.conference.starts_on.year, programme.conference.ends_on.year]
    first = programme.conference.starts_on.replace(year=min(years) - 1, month=1, day=1)
    last = first.replace(year=max(years) + 2)
    return Timezone.from_tzid(programme.conference.zone, first_date=first, last_date=last)


def _event(programme: Programme, talk: Talk, speakers: str, base_url: str, *, is_off: bool) -> Event:
    event = Event()
    stamp = talk.changed_at or programme.released_at or _midnight(programme)
    event.add("uid", extras.exported_guid(talk))
    event.add("dtstamp", stamp)
    event.add("last-modified", stamp)
    event.add("sequence", talk.sequence)
    event.add("status", "CANCELLED" if is_off else "CONFIRMED")
    event.add("dtstart", talk.starts_at.astimezone(programme.zone))
    event.add("dtend", talk.ends_at.astimezone(programme.zone))
    event.add("summary", plain(talk.title))
    event.add("location", plain(talk.room))
    event.add("url", extras.page_of(talk, base_url))
    if described := _description(talk, speakers):
        event.add("description", described)
    if talk.track:
        event.add("categories", [plain(talk.track)])
    return event


def _description(talk: Talk, speakers: str) -> str:
    parts = (plain(talk.subtitle), speakers, plain_from_html(talk.abstract_html))
    return "\n\n".join(part for part in parts if part)


def _midnight(programme: Programme) -> datetime:
    return datetime.combine(programme.conference.starts_on, time(0), tzinfo=UTC)
