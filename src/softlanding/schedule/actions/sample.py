"""The sample conference: loaded into an empty installation, and moved along while nobody has touched it."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

from softlanding import auth
from softlanding.conferences import list_conferences
from softlanding.database import Database, Transaction
from softlanding.formats import ArrivalRow
from softlanding.sample import Sample, sample
from softlanding.schedule import store
from softlanding.schedule.actions.journeys import import_arrivals
from softlanding.schedule.actions.people import add_person
from softlanding.schedule.actions.pickups import is_aboard, withdraw_pickup
from softlanding.schedule.actions.programme import import_programme, prepare, release_draft
from softlanding.schedule.model import Journey, Promise
from softlanding.schedule.store.programmes import SAMPLE

FILE = "the sample"
NOTE = "A conference to play with. Nobody has to come."


async def at_up(database: Database, first_day: date, promise: Promise) -> dict[str, Any]:
    """An empty installation gets the sample, beginning on that day; an untouched one is moved there.

    `did` is `loaded`, `moved` or `nothing`. Raises what the database raises.
    """
    flag = await database.read(store.programmes.load_flag, SAMPLE)
    if flag is not None:
        if flag["first_day"] == first_day.isoformat():
            return {"did": "nothing", "conference": flag["conference"], "first_day": flag["first_day"]}
        return await database.write(move_sample, sample(first_day), promise)
    if await database.read(list_conferences):
        return {"did": "nothing", "conference": None, "first_day": None}
    return await database.write(load_sample, sample(first_day), promise)


def load_sample(tx: Transaction, now: datetime, given: Sample, promise: Promise) -> dict[str, Any]:
    """The programme released, its staff known, its pickups asked for; nothing where there is a conference already."""
    if list_conferences(tx.connection):
        return {"did": "nothing", "conference": None, "first_day": None}
    slug = _release(tx, now, given, promise, is_fresh=True)
    store.programmes.keep_destinations(tx, slug, [place.name for place in given.places if place.kind != "airport"])
    known = {person.email for person in auth.list_people(tx.connection)}
    for row in given.staff:
        if row.email not in known:
            add_person(tx, now, name=row.name, email=row.email, roles=[_role(slug, row.role)])
    report = import_arrivals(tx, now, slug, _still_to_come(given, now), promise)
    return _mark(tx, slug, given, "loaded") | {"arrivals": len(report["added"]), "faults": report["faults"]}


def move_sample(tx: Transaction, now: datetime, given: Sample, promise: Promise) -> dict[str, Any]:
    """The sample begins on another day: a new release, and each arrival asked for anew. Nothing if it was touched."""
    flag = store.programmes.load_flag(tx.connection, SAMPLE)
    if flag is None:
        return {"did": "nothing", "conference": None, "first_day": None}
    for journey in store.journeys.list_open(tx.connection, flag["conference"]):
        _end(tx, now, journey)
    slug = _release(tx, now, given, promise, is_fresh=True)
    report = import_arrivals(tx, now, slug, _still_to_come(given, now), promise)
    return _mark(tx, slug, given, "moved") | {"arrivals": len(report["added"]), "faults": report["faults"]}


def is_sample_untouched(tx: Transaction) -> bool:
    return store.programmes.load_flag(tx.connection, SAMPLE) is not None


def _still_to_come(given: Sample, now: datetime) -> list[ArrivalRow]:
    """Who had landed before the sample came: nobody must be missed in a conference that was not there."""
    return [row for row in given.arrivals if row.lands_at > now]


def _release(tx: Transaction, now: datetime, given: Sample, promise: Promise, *, is_fresh: bool) -> str:
    prepared = prepare(given.programme, FILE)
    import_programme(tx, now, prepared, accept_removed=None)
    release_draft(tx, now, prepared.conference, note=NOTE, by="Softlanding", promise=promise, is_fresh=is_fresh)
    return prepared.conference


def _end(tx: Transaction, now: datetime, journey: Journey) -> None:
    """Yesterday's arrival is over; what Dispatch has not finished is withdrawn."""
    pickup = store.pickups.load_pickup(tx.connection, journey.pickup) if journey.pickup else None
    ride = store.pickups.load_ride(tx.connection, pickup.id) if pickup else None
    if pickup is not None and pickup.is_open and not is_aboard(ride):
        withdraw_pickup(tx, now, pickup, "the sample conference was moved to another day")
    store.journeys.save_journey(tx, replace(journey, withdrawn_at=now))


def _role(slug: str, role: str) -> tuple[str, str]:
    """Operators look after the whole system, others after their conference."""
    return (auth.EVERYWHERE if role == "operator" else slug, role)


def _mark(tx: Transaction, slug: str, given: Sample, did: str) -> dict[str, Any]:
    """The flag comes last: all that was done before is no touch."""
    mark = {"conference": slug, "first_day": given.first_day.isoformat()}
    store.programmes.save_flag(tx, SAMPLE, mark)
    return {"did": did} | mark
