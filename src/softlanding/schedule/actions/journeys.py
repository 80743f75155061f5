"""Arrivals announced, changed and withdrawn, news of their flights, and whole tables of them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.apart import read_file
from softlanding.conferences import Conference, load_conference, zone_of
from softlanding.contracts.schedule import PickupState
from softlanding.database import Database, Transaction
from softlanding.errors import Fault, Invalid, NotFound, Refused, SoftlandingError
from softlanding.formats import ArrivalRow, RowFault, read_arrivals
from softlanding.formats.airports import airport
from softlanding.formats.arrivals_csv import WHICH_ARRIVAL
from softlanding.schedule import store
from softlanding.schedule.actions.pickups import ask_for_pickup, is_aboard, withdraw_pickup
from softlanding.schedule.model import (
    Arrival,
    Journey,
    News,
    Promise,
    Speaker,
    is_lost,
    leg_of,
    lost_in_words,
    read_arrival,
    rewritten,
)
from softlanding.schedule.views.speaker import present_journey

ROWS_AT_ONCE = 40  # A row takes 2 to 4 ms: an action stays below 250 ms.


class _OnlyLooked(Exception):
    """Ends a dry run: all that it did is rolled back."""


def announce_arrival(
    tx: Transaction,
    now: datetime,
    conference: str,
    speaker: str,
    arrival: Arrival,
    promise: Promise,
    *,
    source_key: str | None = None,
    source_digest: str | None = None,
) -> dict[str, Any]:
    """A speaker (by code) arrives: the journey is kept and its pickup asked for.

    Raises NotFound for strangers, Refused when that speaker already arrives on that day.
    """
    known = need_speaker(tx.connection, conference, speaker)
    twin = store.journeys.find_by_leg(tx.connection, leg_of(conference, known.code, arrival.on))
    if twin is not None:
        raise Refused(f"{known.name} arrives on {arrival.on} already ({twin.arrival.number}): change that arrival")
    store.programmes.touch_sample(tx)
    journey = Journey(
        tx.ids.new(),
        conference,
        known.code,
        known.name,
        arrival,
        now,
        source_key=source_key,
        source_digest=source_digest,
    )
    store.journeys.add_journey(tx, journey)
    return _answer(tx, now, ask_for_pickup(tx, now, journey, promise))


def change_arrival(
    tx: Transaction,
    now: datetime,
    conference: str,
    journey: str,
    arrival: Arrival,
    promise: Promise,
    *,
    reason: str = "the arrival was changed",
) -> dict[str, Any]:
    """Another flight, time, party or place: the next revision of its pickup. The same again changes nothing.

    Raises Refused when it was withdrawn, when the passenger is aboard, or when the other day is taken.
    """
    known = _need_open(tx, conference, journey)
    if known.arrival == arrival:
        return _answer(tx, now, known) | {"is_changed": False}
    twin = store.journeys.find_by_leg(tx.connection, leg_of(conference, known.speaker, arrival.on))
    if twin is not None and twin.id != known.id:
        raise Refused(f"{known.speaker_name} arrives on {arrival.on} already ({twin.arrival.number})")
    store.programmes.touch_sample(tx)
    news = known.news if known.arrival.is_same_trip(arrival) else None
    changed = store.journeys.save_journey(tx, replace(known, arrival=arrival, news=news))
    return _answer(tx, now, ask_for_pickup(tx, now, changed, promise, reason))


def rewrite_arrival(
    tx: Transaction,
    now: datetime,
    conference: str,
    journey: str,
    typed: Mapping[str, Any],
    promise: Promise,
    *,
    reason: str = "the arrival was changed",
) -> dict[str, Any]:
    """What a form shows of an arrival is so from now on, and nothing else of it changes. Raises as `change_arrival`."""
    known = _need_open(tx, conference, journey)
    arrival = rewritten(known.arrival, typed, zone_of(tx.connection, conference).key)
    return change_arrival(tx, now, conference, journey, arrival, promise, reason=reason)


def withdraw_arrival(tx: Transaction, now: datetime, conference: str, journey: str, *, reason: str) -> dict[str, Any]:
    """Nobody is to be fetched. Raises Refused when that was said already or the passenger is aboard."""
    known = _need_open(tx, conference, journey)
    store.programmes.touch_sample(tx)
    withdrawn = store.journeys.save_journey(tx, replace(known, withdrawn_at=now))
    pickup = store.pickups.load_pickup(tx.connection, known.pickup) if known.pickup else None
    if pickup is not None and pickup.is_open:
        withdraw_pickup(tx, now, pickup, reason or "withdrawn")
    return _answer(tx, now, withdrawn)


def withdraw_present_arrival(
    tx: Transaction, now: datetime, conference: str, speaker: str, *, reason: str
) -> dict[str, Any]:
    """The speaker's own word about the one arrival on their page. Raises NotFound when there is none."""
    journey = present_journey(tx.connection, conference, speaker)
    if journey is None:
        raise NotFound("there is no arrival of yours to withdraw")
    return withdraw_arrival(tx, now, conference, journey.id, reason=reason)


def enter_flight_news(
    tx: Transaction, now: datetime, conference: str, journey: str, news: News, promise: Promise
) -> dict[str, Any]:
    """What was heard of a flight. Older news never overwrites newer; a cancelled flight withdraws its pickup.

    Raises Refused for an arrival that was withdrawn.
    """
    known = store.journeys.load_journey(tx.connection, conference, journey)
    if known.withdrawn_at is not None:
        raise Refused("this arrival was withdrawn")
    if known.news is not None and news.at < known.news.at:
        return _answer(tx, now, known) | {"is_applied": False}
    store.programmes.touch_sample(tx)
    expected_at = _expected(known, news)
    heard = store.journeys.save_journey(tx, replace(known, news=replace(news, expected_at=expected_at)))
    reason = f"{heard.arrival.number or 'the train'}: {news.state.replace('_', ' ')}"
    return _answer(tx, now, ask_for_pickup(tx, now, heard, promise, reason)) | {"is_applied": True}


def _expected(journey: Journey, news: News) -> datetime | None:
    """When it lands by this news; what was expected before holds where the news names no time."""
    if news.state == "on_time":
        return None
    return news.expected_at or (journey.news.expected_at if journey.news else None)


async def import_table(
    database: Database, conference: Conference, body: bytes | str, promise: Promise, *, dry_run: bool
) -> dict[str, Any]:
    """A whole table, in actions of some rows each. Cut off half way, the same table again does the rest.

    Raises Invalid for a table that cannot be read as a whole; then nothing happened.
    """
    rows = await read_file(read_arrivals, body, conference.zone)
    whole: dict[str, Any] = {"added": [], "changed": [], "same": 0, "faults": [], "warnings": [], "dry_run": dry_run}
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[begin : begin + ROWS_AT_ONCE]
        report = await database.write(import_arrivals, conference.slug, part, promise, dry_run=dry_run)
        for name, found in report.items():
            whole[name] += found
    return whole


def import_arrivals(
    tx: Transaction,
    now: datetime,
    conference: str,
    rows: Sequence[ArrivalRow | RowFault],
    promise: Promise,
    *,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Rows of a table, each on its own: added, changed, the same, or a fault. The same rows twice change nothing.

    A dry run does all of it and takes it back. At most `ROWS_AT_ONCE` rows; a longer table is several actions.
    """
    place = need_conference(tx.connection, conference)
    report: dict[str, Any] = {"added": [], "changed": [], "same": 0, "faults": [], "warnings": []}
    try:
        with tx.savepoint():
            for row in rows:
                _import_row(tx, now, place, row, promise, report)
            if dry_run:
                raise _OnlyLooked
    except _OnlyLooked:
        return report
    return report


def _import_row(
    tx: Transaction,
    now: datetime,
    conference: Conference,
    row: ArrivalRow | RowFault,
    promise: Promise,
    report: dict[str, Any],
) -> None:
    if isinstance(row, RowFault):
        report["faults"].append({"row": row.row, "reason": row.what})
        return
    try:
        with tx.savepoint():
            outcome, answer = _take_row(tx, now, conference, row, promise)
    except SoftlandingError as error:
        report["faults"].append({"row": row.row, "reason": str(error)})
        return
    if outcome == "same":
        report["same"] += 1
        return
    report[outcome].append({"row": row.row, "speaker": answer["speaker_name"], "code": answer["code"]})
    report["warnings"] += [{"row": row.row, "reason": warning} for warning in answer["warnings"]]


def _take_row(
    tx: Transaction, now: datetime, conference: Conference, row: ArrivalRow, promise: Promise
) -> tuple[str, dict[str, Any]]:
    """What a row leads to. By its own key it is known again even after its arrival was changed by hand."""
    speaker = speaker_meant(tx.connection, conference.slug, row.speaker)
    key, digest = f"{conference.slug}/{speaker.code}/{row.on.isoformat()}", _digest(row)
    known = store.journeys.find_by_source(tx.connection, key)
    if known is not None and known.source_digest == digest:
        return "same", {}
    twin = store.journeys.find_by_leg(tx.connection, leg_of(conference.slug, speaker.code, row.on))
    if known is not None and known.withdrawn_at is not None:
        store.journeys.forget_source(tx, known.id)
        known = None
    known = known or twin
    arrival = _arrival_of(row, conference.zone, known)
    if known is None:
        answer = announce_arrival(
            tx, now, conference.slug, speaker.code, arrival, promise, source_key=key, source_digest=digest
        )
        return "added", answer
    sourced = store.journeys.save_journey(tx, replace(known, source_key=key, source_digest=digest))
    if sourced.arrival == arrival:
        return "same", {}
    return "changed", change_arrival(tx, now, conference.slug, sourced.id, arrival, promise, reason="the list changed")


def _arrival_of(row: ArrivalRow, zone: str, known: Journey | None) -> Arrival:
    """The row's values; what a table has no column for stays as it was."""
    there = airport(row.at) if row.kind == "flight" else None
    zone = there.zone if there else zone
    local = row.lands_at.astimezone(ZoneInfo(zone))
    return read_arrival(  # Judged by the same rules as a form.
        kind=row.kind,
        number=row.number,
        place=row.at,
        conference_zone=zone,
        on=local.date(),
        at=local.time(),
        to_place=row.to,
        party=row.party,
        luggage=row.luggage,
        wheelchairs=row.wheelchairs,
        phone=known.arrival.phone if known else "",
        note=known.arrival.note if known else "",
    )


def need_conference(connection: sa.Connection, slug: str) -> Conference:
    """Raises NotFound."""
    found = load_conference(connection, slug)
    if found is None:
        raise NotFound(f"there is no conference '{slug}' here; import its programme first")
    return found


def need_speaker(connection: sa.Connection, conference: str, code: str) -> Speaker:
    """Raises NotFound."""
    need_conference(connection, conference)
    known = store.speakers.load_speaker(connection, conference, code)
    if known is None:
        raise NotFound(f"no speaker has the code '{code[:40]}' in this conference")
    return known


def speaker_meant(connection: sa.Connection, conference: str, named: str) -> Speaker:
    """By code, name or e-mail address. Raises Invalid when nobody or more than one is meant."""
    found = store.speakers.find_speakers(connection, conference, named)
    if not found:
        raise Invalid(Fault("speaker", f"nobody in the programme is called {named!r}: give a code, name or e-mail"))
    if len(found) > 1:
        codes = ", ".join(speaker.code for speaker in found)
        raise Invalid(Fault("speaker", f"several speakers are called {named!r}: give the code, one of {codes}"))
    return found[0]


def _need_open(tx: Transaction, conference: str, journey: str) -> Journey:
    known = store.journeys.load_journey(tx.connection, conference, journey)
    if known.withdrawn_at is not None:
        raise Refused("this arrival was withdrawn; announce a new one")
    if known.pickup and is_aboard(store.pickups.load_ride(tx.connection, known.pickup)):
        raise Refused(f"{known.speaker_name} is aboard already; announce a new arrival if there is one more")
    return known


def _answer(tx: Transaction, now: datetime, journey: Journey) -> dict[str, Any]:
    pickup = store.pickups.load_pickup(tx.connection, journey.pickup) if journey.pickup else None
    warnings: list[str] = []
    if pickup is not None and pickup.is_open and pickup.asked.expires_at <= now:
        warnings.append("this landing is too long ago for a pickup: Dispatch will call it missed")
    if pickup is not None and pickup.is_open and (lost := _lost(tx, pickup.asked)):
        warnings.append(lost)
    if pickup is not None and pickup.by_hand_at is not None and journey.withdrawn_at is None:
        warnings.append(f"{pickup.by_hand_by} has taken this by hand ({pickup.by_hand_word}): tell them")
    return {
        "journey": journey.id,
        "speaker": journey.speaker,
        "speaker_name": journey.speaker_name,
        "pickup": pickup.id if pickup else None,
        "code": pickup.code if pickup else None,
        "revision": pickup.revision if pickup else None,
        "status": pickup.status if pickup else None,
        "is_changed": True,
        "warnings": warnings,
    }


def _lost(tx: Transaction, asked: PickupState) -> str:
    if asked.deadline_at is None or not is_lost(asked.landing_at, asked.deadline_at):
        return ""
    zone = zone_of(tx.connection, asked.conference)
    return lost_in_words(asked.landing_at, asked.talk_title or asked.talk or "", asked.deadline_at, zone)


def _digest(row: ArrivalRow) -> str:
    """Of all that a row says of an arrival, whatever columns there are; not of whose it is and when, nor where it
    stands in the file."""
    values = tuple(getattr(row, one.name) for one in fields(row) if one.name not in WHICH_ARRIVAL)
    return hashlib.sha256(repr(values).encode()).hexdigest()
