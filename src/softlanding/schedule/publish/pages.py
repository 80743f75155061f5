"""A release as files: pages from templates, and the exchange formats. Pure but for the templates."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from types import SimpleNamespace
from typing import Any

import jinja2
from markupsafe import Markup

from softlanding.conferences import Conference
from softlanding.formats import write_ics, write_json, write_xml
from softlanding.formats.identity import slug_from
from softlanding.formats.programme import Break, Day, Person, Programme, Room, Talk, talks_by_day
from softlanding.schedule.model import slug_of
from softlanding.schedule.store.programmes import Release, ReleaseHead
from softlanding.web.pages import make_environment

Page = Mapping[str, Any]


def pages_of(
    release: Release, history: list[ReleaseHead], base_url: str, generator_version: str
) -> Iterator[tuple[str, bytes]]:
    """(path, content) of each file. `history` are all releases, newest first; the same arguments, the same bytes."""
    shown = _Shown(release)
    programme = release.programme
    yield "index.html", shown.render("programme.html", **shown.programme())
    yield "now/index.html", shown.render("programme.html", **shown.programme())
    yield "changes/index.html", shown.render("changes.html", releases=[_history(head) for head in history])
    for talk in programme.talks:
        yield f"talks/{talk.code}/index.html", shown.render("talk.html", **shown.talk_page(talk))
    for person in programme.persons:
        yield f"speakers/{person.code}/index.html", shown.render("speaker.html", **shown.person_page(person))
    for room in programme.rooms:
        yield f"rooms/{room.slug}/index.html", shown.render("room.html", **shown.room_page(room))
    yield "schedule.xml", write_xml(programme, generator_version, base_url)
    yield "schedule.json", write_json(programme, generator_version, base_url)
    yield "schedule.ics", write_ics(programme, generator_version, base_url, release.removed)


def list_page(conferences: Iterable[Conference]) -> str:
    """The page of several conferences, each with its address."""
    nothing = dict.fromkeys(("conference", "zone", "who", "now", "message", "refused"))
    page = nothing | {"title": "Conferences", "csrf": ""}
    return _environment().get_template("conferences.html").render(page=page, key=_no_key, conferences=conferences)


def _history(head: ReleaseHead) -> dict[str, Any]:
    return {"number": head.number, "at": head.released_at, "note": head.note, "changes": head.changes}


class _Shown:
    """A release in the shapes that templates want; each talk is made once."""

    def __init__(self, release: Release) -> None:
        programme, head = release.programme, release.head
        self._release = release
        self._programme = programme
        self._names = {person.code: person for person in programme.persons}
        self._rooms = {room.name: room for room in programme.rooms}
        self._tracks = _tracks(programme)
        self._was = {change.code: change for change in head.changes if change.code}
        self._talks = {talk.code: self._talk(talk) for talk in programme.talks}
        self._by_person = _by_person(programme)
        self._head = {"number": head.number, "at": head.released_at, "note": head.note}
        self._page = _page(programme, head.released_at)

    def render(self, template: str, **context: Any) -> bytes:
        page = self._page
        return _environment().get_template(template).render(page=page, key=_no_key, **context).encode()

    def programme(self) -> dict[str, Any]:
        days = talks_by_day(self._programme)
        return {
            "release": self._head,
            "days": [self._day(day, talks) for day, talks in days],
            "rooms": [_room(room) for room in self._programme.rooms],
            "tracks": list(self._tracks.values()),
            "counts": {
                "talks": len(self._programme.talks),
                "speakers": len(self._programme.persons),
                "changes": len(self._release.head.changes),
            },
        }

    def talk_page(self, talk: Talk) -> dict[str, Any]:
        shown = SimpleNamespace(**vars(self._talks[talk.code]))
        shown.subtitle = talk.subtitle
        shown.kind = talk.kind or "talk"
        shown.abstract = Markup(talk.abstract_html)
        shown.description = Markup(talk.description_html)
        shown.links = [SimpleNamespace(title=each.title, url=each.url) for each in (*talk.links, *talk.attachments)]
        people = [_person(self._names[code]) for code in talk.persons if code in self._names]
        return {"talk": shown, "people": people, "release": self._head}

    def person_page(self, person: Person) -> dict[str, Any]:
        talks = [self._talks[talk.code] for talk in self._by_person.get(person.code, ())]
        return {"person": _person(person), "talks": talks, "release": self._head}

    def room_page(self, room: Room) -> dict[str, Any]:
        days = []
        for day, talks in talks_by_day(self._programme):
            here = [self._talks[talk.code] for talk in talks if talk.room == room.name]
            if here:
                days.append({"on": _middle(day), "talks": here})
        shown = {"slug": room.slug, "name": room.name, "seats": room.capacity, "note": room.description}
        return {"room": shown, "days": days, "release": self._head}

    def _talk(self, talk: Talk) -> SimpleNamespace:
        change = self._was.get(talk.code)
        room = self._rooms.get(talk.room)
        return SimpleNamespace(
            code=talk.code,
            title=talk.title,
            kind=slug_from(talk.kind, "kind") if talk.kind else "talk",
            speakers=[self._names[code].name for code in talk.persons if code in self._names],
            room=_room(room) if room else SimpleNamespace(slug="", name=talk.room),
            track=self._tracks.get(talk.track),
            start_at=talk.starts_at,
            duration=talk.duration,
            language=talk.language,
            was="cancelled" if talk.is_cancelled else _was(change),
            is_new=change is not None and change.kind == "new",
        )

    def _day(self, day: Day, talks: tuple[Talk, ...]) -> dict[str, Any]:
        shown = [self._talks[talk.code] for talk in talks]
        pauses = [_pause(each) for each in self._programme.breaks if day.starts_at <= each.starts_at < day.ends_at]
        slots = groupby(sorted([*pauses, *shown], key=_start), key=_start)
        used = {talk.room.slug for talk in shown}
        return {
            "number": day.index,
            "on": _middle(day),
            "rooms": [_room(room) for room in self._programme.rooms if room.slug in used],
            "slots": [{"start_at": at, "talks": list(together)} for at, together in slots],
        }


def _start(talk: SimpleNamespace) -> datetime:
    at: datetime = talk.start_at
    return at


def _was(change: Any) -> str:
    return f"was {change.was}" if change is not None and change.kind == "moved" else ""


def _pause(each: Break) -> SimpleNamespace:
    return SimpleNamespace(
        code="",
        title=each.title,
        kind="break",
        speakers=[],
        room=SimpleNamespace(slug="", name=each.room),
        track=None,
        start_at=each.starts_at,
        duration=each.duration,
        language="",
        was="",
        is_new=False,
    )


def _room(room: Room) -> SimpleNamespace:
    return SimpleNamespace(slug=room.slug, name=room.name)


def _person(person: Person) -> SimpleNamespace:
    return SimpleNamespace(code=person.code, name=person.name, biography=Markup(person.biography_html))


def _tracks(programme: Programme) -> dict[str, SimpleNamespace]:
    return {
        track.name: SimpleNamespace(slug=track.slug, name=track.name, number=number)
        for number, track in enumerate(programme.tracks, 1)
    }


def _by_person(programme: Programme) -> dict[str, list[Talk]]:
    found: dict[str, list[Talk]] = {}
    for talk in programme.talks:
        for code in talk.persons:
            found.setdefault(code, []).append(talk)
    return found


def _middle(day: Day) -> datetime:
    """A moment that is of that day in the conference's zone, also when the day begins at midnight."""
    return day.starts_at + timedelta(minutes=1)


def _page(programme: Programme, released_at: datetime) -> Page:
    """The frame of a public page: nobody is signed in, and now is when it was released."""
    conference = programme.conference
    return {
        "title": conference.title,
        "conference": {"slug": slug_of(conference.acronym), "name": conference.title},
        "zone": conference.zone,
        "who": None,
        "csrf": "",
        "now": released_at,
        "message": None,
        "refused": None,
    }


def _no_key() -> str:
    raise AssertionError("a public page has no forms that do something")


@cache
def _environment() -> jinja2.Environment:
    return make_environment("schedule")
