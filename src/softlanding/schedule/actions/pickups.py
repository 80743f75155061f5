"""Pickups asked for, changed and withdrawn; each revision is watched until Dispatch has answered about it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding import incidents
from softlanding.conferences import zone_of
from softlanding.contracts.schedule import BY_HAND, PickupChanged, PickupRequested, PickupState, PickupWithdrawn
from softlanding.database import Transaction
from softlanding.errors import Refused
from softlanding.incidents import open_incident, settle_incident
from softlanding.messaging import outbox
from softlanding.notices import add_notice
from softlanding.schedule import store
from softlanding.schedule.model import (
    HAS_TAKEN_PLACE,
    Journey,
    Promise,
    TalkSlot,
    is_same_wish,
    pickup_state,
    talk_of,
)
from softlanding.schedule.store.pickups import Pickup, Ride, Watch
from softlanding.settings import Settings

OVERDUE_AT_ONCE = 40  # Some 60 ms of incidents and notices; the timer comes again at once if there are more.
HEARS_FIRST = timedelta(seconds=3)  # What was answered while this service was down is heard before it is missed.
GOES_ON_WAITING = timedelta(minutes=5)
CODE_LENGTHS = (4, 4, 4, 5, 5, 6, 8)  # Tried in turn until one is free.


def promise_of(settings: Settings) -> Promise:
    """What these settings promise."""
    within, after = settings.schedule.answer_within_seconds, settings.schedule.pickup_expires_after_minutes
    return Promise(timedelta(seconds=within), timedelta(minutes=after))


def ask_for_pickup(tx: Transaction, now: datetime, journey: Journey, promise: Promise, reason: str = "") -> Journey:
    """What this journey now needs is what is asked for: the first revision, the next one, or none any more.

    A pickup that a person took by hand, or whose passenger is aboard, is left as it is.
    """
    speaker = store.speakers.load_speaker(tx.connection, journey.conference, journey.speaker)
    last = store.pickups.load_pickup(tx.connection, journey.pickup) if journey.pickup else None
    ride = store.pickups.load_ride(tx.connection, last.id) if last else None
    theirs = store.journeys.list_of_speaker(tx.connection, journey.conference, journey.speaker)
    talks, asked = speaker.talks if speaker else (), last.asked if last else None
    talk = talk_of(journey, talks, now, theirs=theirs, asked=asked)
    return settle_wish(tx, now, journey, last, ride, talk, promise, reason)


def settle_wish(
    tx: Transaction,
    now: datetime,
    journey: Journey,
    last: Pickup | None,
    ride: Ride | None,
    talk: TalkSlot | None,
    promise: Promise,
    reason: str,
) -> Journey:
    """As `ask_for_pickup`, for who has loaded everything already."""
    if last is not None and (last.by_hand_at is not None or is_aboard(ride)):
        return journey
    if not journey.needs_pickup:
        if last is not None and last.is_open:
            withdraw_pickup(tx, now, last, reason, news=journey.grave_news)
        return journey
    if last is not None and last.is_open:
        _change_pickup(tx, now, journey, last, talk, promise, reason)
        return journey
    return _request_pickup(tx, now, journey, talk, promise, reason)


def is_aboard(ride: Ride | None) -> bool:
    """The passenger was picked up: what is asked for now comes too late."""
    return ride is not None and ride.status in HAS_TAKEN_PLACE


def withdraw_pickup(
    tx: Transaction, now: datetime, pickup: Pickup, reason: str, kind: str = "", news: str = ""
) -> Pickup:
    """It is not wanted any more: the next revision says so, and the leg is free for another."""
    said = {"reason": reason, "reason_kind": kind, "news": news, "requested_at": now}
    asked = pickup.asked.model_copy(update={"revision": pickup.revision + 1, **said})
    withdrawn = replace(pickup, revision=asked.revision, status="withdrawn", asked=asked, open_leg=None)
    store.pickups.save_pickup(tx, withdrawn)
    store.pickups.replace_watches(tx, pickup.id, asked.revision)
    outbox.add(tx, PickupWithdrawn(**asked.model_dump()))
    return withdrawn


def take_by_hand(tx: Transaction, now: datetime, conference: str, named: str, *, by: str, word: str) -> dict[str, Any]:
    """A person fetches them: Dispatch is told to stand down, and what is open about it is settled.

    Until Dispatch says that it stood down, a driver may still come. Raises Refused when it is too late for that.
    """
    pickup = store.pickups.need_pickup(tx.connection, conference, named)
    if not pickup.is_open:
        raise Refused(f"pickup {pickup.code} is {'taken by hand' if pickup.by_hand_at else 'withdrawn'} already")
    if is_aboard(store.pickups.load_ride(tx.connection, pickup.id)):
        raise Refused(f"the passenger of pickup {pickup.code} is aboard already")
    if not word.strip():
        raise Refused("say who fetches them, and how")
    store.programmes.touch_sample(tx)
    marked = replace(pickup, by_hand_by=by, by_hand_word=word, by_hand_at=now)
    withdrawn = withdraw_pickup(tx, now, marked, f"by hand: {word}", BY_HAND)
    _settle_unanswered(tx, now, pickup.id, by=by, word="taken by hand", note=word)
    return {"pickup": pickup.id, "code": pickup.code, "revision": withdrawn.revision, "by": by, "word": word}


def say_not_needed(
    tx: Transaction, now: datetime, conference: str, named: str, *, by: str, note: str
) -> dict[str, Any]:
    """The unanswered pickup is not needed: withdrawn, and settled as such."""
    pickup = store.pickups.need_pickup(tx.connection, conference, named)
    store.programmes.touch_sample(tx)
    revision = pickup.revision
    if pickup.is_open:
        reason = "not needed" + (f": {note}" if note else "")
        revision = withdraw_pickup(tx, now, pickup, reason).revision
    _settle_unanswered(tx, now, pickup.id, by=by, word="not needed", note=note)
    return {"pickup": pickup.id, "code": pickup.code, "revision": revision, "word": "not needed"}


def do_as_settled(tx: Transaction, now: datetime, incident: incidents.Incident) -> None:
    """Wherever a person settles an unanswered pickup, its word is done: nobody else drives there as well.

    Raises Refused when the passenger is aboard already.
    """
    if incident.kind != "unanswered" or incident.conference is None:
        return
    pickup = store.pickups.load_pickup(tx.connection, incident.about.removeprefix("pickup/"))
    if pickup is None or not pickup.is_open:
        return
    by, word, note = incident.settled_by or "", incident.settled_word or "", incident.settled_note or ""
    if word == "not needed":
        say_not_needed(tx, now, incident.conference, pickup.id, by=by, note=note)
    elif word in ("taken by hand", "driven by taxi"):
        take_by_hand(tx, now, incident.conference, pickup.id, by=by, word=note or word)


def go_on_waiting(tx: Transaction, now: datetime, conference: str, named: str, *, by: str, note: str) -> dict[str, Any]:
    """Answered meanwhile: settled. Still unanswered: out of sight for five minutes, and then back."""
    pickup = store.pickups.need_pickup(tx.connection, conference, named)
    until = now + GOES_ON_WAITING
    waiting = [w for w in store.pickups.watches_of(tx.connection, pickup.id) if w.unanswered_at is not None]
    for watch in waiting:
        if watch.ended_at is not None or watch.replaced_by is not None:
            _settle_watch(tx, now, watch, by=by, word="answered meanwhile", note=note)
        else:
            store.pickups.keep_quiet(tx, watch, until)
    return {"pickup": pickup.id, "code": pickup.code, "quiet_until": until.isoformat()}


def has_unanswered(connection: sa.Connection, now: datetime) -> bool:
    """Cheap: whether a watch's time for an answer has passed."""
    return bool(_overdue(connection, now, 1))


def mark_unanswered(tx: Transaction, now: datetime) -> bool:
    """The asker calls for help, once for each revision without an answer. True: there may be more."""
    overdue = _overdue(tx.connection, now, OVERDUE_AT_ONCE)
    for watch in overdue:
        pickup = store.pickups.load_pickup(tx.connection, watch.pickup)
        assert pickup is not None, watch.pickup
        store.pickups.mark_unanswered(tx, now, watch, _call_for_help(tx, now, watch, pickup))
    return len(overdue) == OVERDUE_AT_ONCE


def _overdue(connection: sa.Connection, now: datetime, most: int) -> list[Watch]:
    began_at = store.pickups.life_began_at(connection)
    if began_at is not None and began_at <= now < began_at + HEARS_FIRST:
        return []
    return store.pickups.list_overdue(connection, now, most)


def _call_for_help(tx: Transaction, now: datetime, watch: Watch, pickup: Pickup) -> str:
    """An incident without names, and a notice with all that a person needs to act by hand."""
    asked, zone = pickup.asked, zone_of(tx.connection, pickup.conference)
    begun_at, answer_by = (at.astimezone(zone) for at in (watch.begun_at, watch.answer_by))
    incident = open_incident(
        tx,
        now,
        cause=f"unanswered/{watch.pickup}/{watch.revision}",
        kind="unanswered",
        about=f"pickup/{watch.pickup}",
        sentence=f"Dispatch has not answered about pickup {pickup.code} (revision {watch.revision}), "
        f"asked for at {begun_at:%H:%M:%S}, an answer due by {answer_by:%H:%M:%S} ({zone.key})",
        conference=pickup.conference,
        code=pickup.code,
    )
    add_notice(
        tx,
        now,
        key=f"{watch.pickup}/{watch.revision}/unanswered",
        role="coordinator",
        about=f"pickup/{watch.pickup}",
        text=f"Nobody has answered about {pickup.code}: {_in_words(asked, zone)}",
        conference=pickup.conference,
    )
    return incident


def _in_words(asked: PickupState, zone: ZoneInfo) -> str:
    more = f" and {asked.party - 1} more" if asked.party > 1 else ""
    wheelchair = ", wheelchair" if asked.wheelchairs else ""
    phone = asked.phone or "no phone known"
    note = f" Note: {asked.note}" if asked.note else ""
    return (
        f"{asked.speaker_name}{more} on {asked.travel_number or 'an unnamed train'}, landing "
        f"{asked.landing_at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key}), {asked.from_place} to {asked.to_place}, "
        f"{asked.luggage} bags{wheelchair}; phone: {phone}.{note}"
    )


def _request_pickup(
    tx: Transaction, now: datetime, journey: Journey, talk: TalkSlot | None, promise: Promise, reason: str
) -> Journey:
    identity, code = tx.ids.new(), _free_code(tx)
    asked = pickup_state(journey, talk, promise, now, pickup=identity, code=code, revision=1, reason=reason)
    pickup = Pickup(identity, journey.conference, journey.id, journey.leg, code, 1, "requested", asked)
    store.pickups.add_pickup(tx, pickup)
    store.pickups.begin_watch(tx, now, asked)
    outbox.add(tx, PickupRequested(**asked.model_dump()))
    return store.journeys.save_journey(tx, replace(journey, pickup=identity))


def _change_pickup(
    tx: Transaction,
    now: datetime,
    journey: Journey,
    last: Pickup,
    talk: TalkSlot | None,
    promise: Promise,
    reason: str,
) -> None:
    revision = last.revision + 1
    asked = pickup_state(journey, talk, promise, now, pickup=last.id, code=last.code, revision=revision, reason=reason)
    if is_same_wish(last.asked, asked):
        return
    changed = replace(last, revision=revision, status="changed", asked=asked, open_leg=journey.leg)
    store.pickups.save_pickup(tx, changed)
    store.pickups.begin_watch(tx, now, asked)
    outbox.add(tx, PickupChanged(**asked.model_dump()))


def _free_code(tx: Transaction) -> str:
    for length in CODE_LENGTHS:
        code = tx.ids.code(length)
        if not store.pickups.has_code(tx.connection, code):
            return code
    raise AssertionError("no free code in seven draws")


def _settle_unanswered(tx: Transaction, now: datetime, pickup: str, *, by: str, word: str, note: str) -> None:
    for watch in store.pickups.watches_of(tx.connection, pickup):
        _settle_watch(tx, now, watch, by=by, word=word, note=note)


def _settle_watch(tx: Transaction, now: datetime, watch: Watch, *, by: str, word: str, note: str) -> None:
    incident = incidents.load(tx.connection, watch.incident) if watch.incident else None
    if incident is not None and incident.settled_at is None:
        settle_incident(tx, now, incident.id, by=by, word=word, note=note)
