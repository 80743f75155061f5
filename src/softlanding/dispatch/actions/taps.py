"""What drivers say from their phones, when it happened, however late it is heard. A fact is the truth: a plan that it
upsets is mended around it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from softlanding import incidents
from softlanding.contracts.dispatch import (
    PickupAccepted,
    PickupBoarded,
    PickupDelivered,
    PickupDriverArrived,
    PickupNoShow,
    RideState,
)
from softlanding.database import Transaction
from softlanding.dispatch import model, plans, store
from softlanding.dispatch.actions.pickups import lose, mend_shift, publish, stir, tell
from softlanding.dispatch.model import Pickup, Shift, Tapped
from softlanding.dispatch.plans import Desk, Hand
from softlanding.dispatch.store import StopRow
from softlanding.errors import Fault, Forbidden, Invalid, Refused

AHEAD_MAX = timedelta(minutes=2)  # A phone whose clock is ahead by more did not tap in the future: it tapped now.

FACTS: dict[str, type[RideState]] = {
    "accepted": PickupAccepted,
    "arrived": PickupDriverArrived,
    "boarded": PickupBoarded,
    "delivered": PickupDelivered,
    "no_show": PickupNoShow,
}


def tap(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    conference: str,
    code: str,
    what: str,
    tapped_at: datetime | None,
    *,
    driver: str | None = None,
    by: str = "",
) -> dict[str, Any]:
    """A driver's word about a ride, or (`driver` None) one that the desk types from paper. Answers `state` and `words`.

    What happened is never refused, whatever the plan says meanwhile: it takes effect where it can, and is kept beside
    what is known, and told to a person, where two stories disagree. Raises Refused, in words for the driver, for what
    has not happened (yet); Forbidden for taking another driver's ride.
    """
    if what not in model.TAPS:
        raise Invalid(Fault("tap", f"'{what}' is none of {', '.join(model.TAPS)}"))
    pickup = store.load_pickup(tx.connection, conference, code)
    at = now if tapped_at is None or tapped_at > now + AHEAD_MAX else min(tapped_at, now)
    if what == "delivered" and pickup.status not in ("boarded", "delivered"):
        # Nobody is dropped off who was not aboard: the one word tells of both.
        _hear(tx, now, desk, pickup, "boarded", at, driver, by)
    answer = _hear(tx, now, desk, store.load_pickup(tx.connection, conference, pickup.id), what, at, driver, by)
    if driver is not None:
        store.note_seen(tx, now, driver)
    return answer


def _hear(
    tx: Transaction, now: datetime, desk: Desk, pickup: Pickup, what: str, at: datetime, driver: str | None, by: str
) -> dict[str, Any]:
    """One word about one step."""
    hand = plans.take_hand(tx, now, desk, pickup.conference)
    shift, is_mine = _shift_of(tx, hand, pickup, driver, at)
    if what == "accepted" and not is_mine:
        raise Forbidden(f"{pickup.code} is another driver's ride")
    done = model.tapped(pickup, what, at, hand.say, is_mine=is_mine)
    if done.is_news and what == "boarded" and not (is_mine and pickup.is_on_vehicle):
        against = _cannot_ride(hand, pickup, shift)
        done = replace(done, against=against, words=against or done.words)
    if done.against:
        _keep_beside(tx, now, hand, pickup, what, done, by, is_mine=is_mine)
    elif done.is_news:
        assert shift is not None, "what takes effect does so on a shift"
        _take_in(tx, now, desk, hand, pickup, done, what, shift, is_mine=is_mine)
        store.add_history(tx, now, pickup.id, _sentence(what, hand.say(done.at), done.marked), by)
    return _answer(tx, pickup, done, what)


def _shift_of(
    tx: Transaction, hand: Hand, pickup: Pickup, driver: str | None, at: datetime
) -> tuple[Shift | None, bool]:
    """The shift on which it happened, and whether the ride is that driver's: the one that has it, or that had it last
    when nobody has it now. Else the driver's own shift of that time. Raises Refused when the desk tells of a ride that
    is on no car."""
    shifts = store.load_shifts(tx.connection, pickup.conference)
    of_ride, was = shifts.get(pickup.shift or ""), shifts.get(pickup.last_shift or "")
    if driver is None:
        found = of_ride or was
        if found is None:
            raise Refused(f"{pickup.code} is on no vehicle: assign it first")
        return found, True
    if of_ride is not None and of_ride.driver == driver:
        return of_ride, True
    if was is not None and was.driver == driver:
        return was, of_ride is None
    own = [shift for shift in shifts.values() if shift.driver == driver and shift.id in hand.shifts]
    return min(own, key=lambda one: (not one.from_at <= at <= one.to_at, abs(one.from_at - at)), default=None), False


def _cannot_ride(hand: Hand, pickup: Pickup, shift: Shift | None) -> str:
    """Why nobody can be put aboard this shift's car; "" when it can be."""
    if shift is None or shift.id not in hand.shifts:
        return f"{pickup.code} is noted as aboard, but you have no shift now. Call the desk"
    if pickup.from_place is None or pickup.to_place in (None, pickup.from_place):
        return f"{pickup.code} goes from {pickup.from_text} to {pickup.to_text}, which is not known. Call the desk"
    return ""


def _keep_beside(
    tx: Transaction, now: datetime, hand: Hand, pickup: Pickup, what: str, done: Tapped, by: str, *, is_mine: bool
) -> None:
    """A word that disagrees with what is known stands in the record; where somebody may stand or sit somewhere because
    of it, a person compares."""
    crew = hand.crews.get(pickup.shift or "")
    known = f"{model.said(pickup.status)}{f' with {crew.driver_name}' if crew else ''}"
    told = _sentence(what, hand.say(done.at), "")
    store.add_history(tx, now, pickup.id, f"{told}; kept beside what is known: {pickup.code} is {known}", by)
    is_harmless = what in ("arrived", "no_show") and (pickup.status in model.OVER or (is_mine and what == "arrived"))
    if not is_harmless:
        known = f"{model.said(pickup.status)}{f' with {crew.vehicle}' if crew else ''}"
        sentence = f"Somebody says about {pickup.code}: {told}; but it is {known}. Call both (its record says whom)"
        who = by or "A driver"
        _open(tx, now, pickup, f"two-stories/{pickup.id}/{pickup.revision}/{what}/{who}", sentence)


def _open(tx: Transaction, now: datetime, pickup: Pickup, cause: str, sentence: str) -> None:
    incidents.open_incident(
        tx,
        now,
        cause=cause,
        kind="other",
        about=f"pickup/{pickup.id}",
        code=pickup.code,
        conference=pickup.conference,
        sentence=sentence,
    )


def _take_in(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    hand: Hand,
    before: Pickup,
    done: Tapped,
    what: str,
    shift: Shift,
    *,
    is_mine: bool,
) -> None:
    """Keep what was said, tell it, and mend what it upsets."""
    after, at, reason = done.pickup, done.at, done.marked
    if what == "boarded" and not (is_mine and before.is_on_vehicle):
        reason = reason or _after_all(before)
        after = _aboard_after_all(tx, now, desk, hand, before, after, shift, at)
        _tell_desk(tx, now, hand, before, after)
    elif what == "no_show":
        _end_without(tx, now, desk, hand, after, shift, at)
    else:
        store.save_pickup(tx, after)
        _write_time(tx, after, what, at)
    stir(tx, now, before.conference, freed=what in ("delivered", "no_show"))
    if what == "delivered":
        _clear_away(tx, shift.id, after)
    if what in ("boarded", "delivered"):
        mend_shift(tx, now, desk, after, shift.id, at)
        after = store.load_pickup(tx.connection, after.conference, after.id)
    is_late = now - at > model.LATE_WORD_AFTER
    told = replace(after, shift=after.shift or shift.id)
    tell(tx, FACTS[what], told, at, hand, reason=reason, is_late_word=is_late)


def _after_all(before: Pickup) -> str:
    if before.status == "missed":
        return "boarded after it was declared missed"
    if before.is_on_vehicle:
        return "boarded another car than was planned"
    return f"boarded after all; it was {model.said(before.status)}"


def _tell_desk(tx: Transaction, now: datetime, hand: Hand, before: Pickup, after: Pickup) -> None:
    """Somebody is in a car whom nobody expected there. Of who was missed or did not come a person knows already."""
    if before.status not in (*model.ON_VEHICLE, "stood_down", "refused") and not before.is_held:
        return
    crew = hand.crews.get(before.shift or "")
    known = f"{crew.vehicle} was to fetch them" if crew else f"that was {model.said(before.status)}"
    sentence = f"{after.code} is said to be aboard {after.vehicle}, but {known}. Call if that is wrong"
    _open(tx, now, after, f"aboard-elsewhere/{after.id}/{after.revision}/{after.shift}", sentence)


def _write_time(tx: Transaction, pickup: Pickup, what: str, at: datetime) -> None:
    """A stop that happened bears its true time."""
    kind = {"boarded": "board", "delivered": "alight"}.get(what)
    if kind is not None:
        store.write_stop_time(tx, pickup.id, kind, at)


def _aboard_after_all(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    hand: Hand,
    before: Pickup,
    pickup: Pickup,
    shift: Shift,
    at: datetime,
) -> Pickup:
    """Somebody boarded whom this car was not to fetch (any more): on it, and off any other."""
    was = before.shift
    if before.is_on_vehicle:
        hand = plans.without(hand, before.id)
    crew = hand.crews[shift.id]
    again = replace(
        pickup, shift=shift.id, vehicle=crew.vehicle, boarded_at=at, last_shift=was or pickup.last_shift, is_held=False
    )
    after, lost = plans.aboard(hand, desk, again, shift.id, at)
    board_at, deliver_at = plans.times_in(after, shift.id)[again.id]
    again = replace(again, board_at=board_at, deliver_at=deliver_at, plan=hand.row.number + 1)
    after = replace(after, pickups={**after.pickups, again.id: again})
    store.save_pickup(tx, again)
    words = f"{again.code} is aboard after all"
    changed = {shift.id, was or shift.id}
    after = publish(tx, now, desk, after, changed, reason=words, quiet=(again.id,), freed=was is not None)
    lose(tx, now, after, hand, lost, words)
    return again


def _end_without(
    tx: Transaction, now: datetime, desk: Desk, hand: Hand, gone: Pickup, shift: Shift, at: datetime
) -> None:
    """Nobody came: the car is free where it stands, and a person must find out what became of the passenger."""
    store.clear_stops(tx, gone.id)
    store.save_pickup(tx, gone)
    store.save_shift(tx, replace(shift, at_place=gone.from_place, at_since=at))
    publish(tx, now, desk, plans.without(hand, gone.id), (shift.id,), reason=f"{gone.code} did not come", freed=True)
    incidents.open_incident(
        tx,
        now,
        cause=f"no-show/{gone.id}/{gone.revision}",
        kind="missed",
        about=f"pickup/{gone.id}",
        code=gone.code,
        conference=gone.conference,
        sentence=f"{gone.code} did not come: the driver waited until {hand.say(at)}",
    )


def _clear_away(tx: Transaction, shift: str, pickup: Pickup) -> None:
    """Once all that came before is delivered too, the car is empty where it stands, and its past is no plan."""
    rows = store.list_stops_of_shift(tx.connection, shift)
    over = {row.pickup for row in rows if _is_delivered(tx, row.pickup)}
    past = _past(rows, pickup.id)
    if {row.pickup for row in past} <= over:
        for identity in sorted({row.pickup for row in past}):
            store.clear_stops(tx, identity)
        known = store.load_shifts(tx.connection, pickup.conference)[shift]
        store.save_shift(tx, replace(known, at_place=pickup.to_place, at_since=pickup.delivered_at))


def _past(rows: list[StopRow], pickup: str) -> list[StopRow]:
    """The rows up to where this one alighted."""
    last = max((row.position for row in rows if row.pickup == pickup), default=-1)
    return [row for row in rows if row.position <= last]


def _is_delivered(tx: Transaction, pickup: str) -> bool:
    found = store.find_pickup(tx.connection, pickup)
    return found is not None and found.status == "delivered"


def _answer(tx: Transaction, before: Pickup, done: Tapped, what: str) -> dict[str, Any]:
    words = done.words
    if done.is_news and before.status == "missed" and what == "boarded":
        words += f"; {before.code} had been declared missed meanwhile, the desk knows that you have the passenger"
    now_known = store.find_pickup(tx.connection, before.id) or before
    return {"code": before.code, "state": now_known.status, "words": words}


def _sentence(what: str, clock: str, marked: str) -> str:
    said = {
        "accepted": "the driver took it",
        "arrived": "the driver is there",
        "boarded": "aboard",
        "delivered": "dropped off",
        "no_show": "no-show: the driver waited",
    }
    return f"{said[what]}, {clock}{f' ({marked})' if marked else ''}"
