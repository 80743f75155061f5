"""Small conferences and arrivals for tests of Schedule: valid unless a test says otherwise."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from house import House
from softlanding.contracts import contract_of
from softlanding.formats.programme import Conference, Day, Person, Programme, Room, Talk
from softlanding.messaging import outbox
from softlanding.messaging.envelope import Envelope
from softlanding.schedule.actions.programme import import_programme, prepare, release_draft
from softlanding.schedule.model import Promise, read_arrival
from softlanding.schedule.subscriptions import handlers

SLUG = "wharf-2026"
ZONE = "Europe/Berlin"
DAY = date(2026, 5, 9)  # The day after the test clock's noon.
PROMISE = Promise(timedelta(seconds=30), timedelta(minutes=90))
EPOCH = "0199-dispatch-epoch-1"


def at(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    """By the clocks of Berlin in May."""
    return datetime.combine(day, time(hour, minute), tzinfo=UTC) - timedelta(hours=2)


def a_talk(code="KEY", starts_at=None, room="Hall", persons=("ADA",), **more) -> Talk:
    values = {"guid": f"guid-{code}", "number": sum(map(ord, code)), "title": f"On {code}"} | more
    given = {"duration": timedelta(minutes=45)} | values
    return Talk(code=code, room=room, starts_at=starts_at or at(10), persons=persons, **given)


def a_programme(*talks: Talk, acronym=SLUG, version="") -> Programme:
    talks = talks or (a_talk(), a_talk("SQL", at(14), persons=("GRACE",)))
    names = {"ADA": "Ada Lovelace", "GRACE": "Grace Hopper", "TWIN": "Ada Lovelace"}
    codes = dict.fromkeys(code for talk in talks for code in talk.persons)
    persons = tuple(
        Person(code, names[code], n, f"p-{code}", email=f"{code.lower()}@example.org")
        for n, code in enumerate(codes, 1)
    )
    rooms = tuple(Room(name, name.lower(), f"r-{name}") for name in dict.fromkeys(talk.room for talk in talks))
    conference = Conference(acronym, "Wharf 2026", ZONE, DAY, DAY)
    return Programme(version, conference, (Day(1, DAY, at(4), at(23, 59)),), rooms, (), persons, talks)


def an_arrival(**values):
    given = {
        "kind": "flight",
        "number": "LH 2078",
        "place": "HAM",
        "on": DAY,
        "at": time(7, 30),
        "to_place": "Hotel Zur Elbe",
    }
    return read_arrival(**(given | {"conference_zone": ZONE, "phone": "+49 1"} | values))


def bring(house: House, programme: Programme, **release) -> dict:
    """Import and release it."""
    database = house["schedule"].database
    prepared = prepare(programme, "file.xml")
    database.write_now(import_programme, prepared, accept_removed=None)
    return database.write_now(release_draft, prepared.conference, promise=PROMISE, **release)


def told(house: House, kind: str = "") -> list:
    """The facts that Schedule has told, of one type (`pickup.requested`), in order."""
    work = house["schedule"]
    envelopes = work.database.read_now(outbox.load_after, work.life.epoch, 0, 100_000)
    return [contract_of(e.type).model_validate(e.data) for e in envelopes if e.type.endswith(kind)]


def dispatch_says(house: House, word: str, asked, *, epoch: str = EPOCH, **more) -> None:
    """Schedule hears Dispatch's word about what was asked."""
    kind = f"dispatch.pickup.{word}"
    values = {"conference": SLUG, "pickup": asked.pickup, "code": asked.code, "revision": asked.revision} | more
    fact = contract_of(kind)(status=word, at=house.clock.now(), **values)
    envelope = Envelope("id", "dispatch", kind, fact.subject, SLUG, epoch, 1, house.clock.now(), {})
    house["schedule"].database.write_now(handlers()[kind], fact, envelope)


def replaced(programme: Programme, *talks: Talk) -> Programme:
    return replace(programme, talks=talks)
