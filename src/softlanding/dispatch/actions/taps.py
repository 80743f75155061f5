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

    Raises Refused, in words for the driver, when it contradicts what is known; Forbidden for another driver's ride.
    """
    if what not in model.TAPS:
        raise Invalid(Fault("tap", f"'{what}' is none of {', '.join(model.TAPS)}"))
    pickup = store.load_pickup(tx.connection, conference, code)
    hand = plans.take_hand(tx, now, desk, conference)
    shift = _shift_of(tx, pickup, driver)
    at = now if tapped_at is None or tapped_at > now + AHEAD_MAX else min(tapped_at, now)
    done = model.tapped(pickup, what, at, hand.say)
    if done.is_news:
        _take_in(tx, now, desk, hand, pickup, done.pickup, what, at, shift)
        store.add_history(tx, now, pickup.id, _sentence(what, hand.say(at)), by)
    if driver is not None:
        store.note_seen(tx, now, driver)
    return _answer(tx, pickup, done, what)


def _shift_of(tx: Transaction, pickup: Pickup, driver: str | None) -> Shift:
    """The shift on which it happened: the one that has the ride, or the one that had it last."""
    shifts = store.load_shifts(tx.connection, pickup.conference)
    of_ride = shifts.get(pickup.shift or "")
    was = shifts.get(pickup.last_shift or "")
    found = of_ride or was
    if found is None:
        raise Refused(f"{pickup.code} is on no vehicle; call the desk")
    if driver is None or found.driver == driver:
        return found
    if was is not None and was.driver == driver:
        raise Refused(f"{pickup.code} was given to another car. Call the desk if somebody is with you")
    raise Forbidden(f"{pickup.code} is another driver's ride")


def _take_in(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    hand: Hand,
    before: Pickup,
    after: Pickup,
    what: str,
    at: datetime,
    shift: Shift,
) -> None:
    """Keep what was said, tell it, and mend what it upsets."""
    reason = "boarded after it was declared missed" if before.status == "missed" and what == "boarded" else ""
    if what == "boarded" and not before.is_on_vehicle:
        after = _aboard_after_all(tx, now, desk, hand, after, shift, at)
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


def _write_time(tx: Transaction, pickup: Pickup, what: str, at: datetime) -> None:
    """A stop that happened bears its true time."""
    kind = {"boarded": "board", "delivered": "alight"}.get(what)
    if kind is not None:
        store.write_stop_time(tx, pickup.id, kind, at)


def _aboard_after_all(
    tx: Transaction, now: datetime, desk: Desk, hand: Hand, pickup: Pickup, shift: Shift, at: datetime
) -> Pickup:
    """Somebody boarded who was declared missed, or a no-show, meanwhile: back on the car."""
    if shift.id not in hand.shifts:
        raise Refused(f"your shift is over and {pickup.code} was given up; call the desk")
    if pickup.from_place is None or pickup.to_place in (None, pickup.from_place):
        raise Refused(
            f"{pickup.code} goes from {pickup.from_text} to {pickup.to_text}, which is not known; call the desk"
        )
    again = replace(pickup, shift=shift.id, vehicle=hand.crews[shift.id].vehicle, boarded_at=at)
    after, lost = plans.aboard(hand, desk, again, shift.id, at)
    board_at, deliver_at = plans.times_in(after, shift.id)[again.id]
    again = replace(again, board_at=board_at, deliver_at=deliver_at, plan=hand.row.number + 1)
    after = replace(after, pickups={**after.pickups, again.id: again})
    store.save_pickup(tx, again)
    words = f"{again.code} is aboard after all"
    after = publish(tx, now, desk, after, (shift.id,), reason=words, quiet=(again.id,))
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
        sentence=f"{gone.code} did not come: the driver waited at {gone.from_text} until {hand.say(at)}",
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


def _sentence(what: str, clock: str) -> str:
    said = {
        "accepted": "the driver took it",
        "arrived": "the driver is there",
        "boarded": "aboard",
        "delivered": "dropped off",
        "no_show": "no-show: the driver waited",
    }
    return f"{said[what]}, {clock}"
