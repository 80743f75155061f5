"""Pickups: asked for, changed, withdrawn, too late, given to a vehicle or taken back by a person.

`publish` is the one way by which a plan comes into force.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from softlanding import incidents
from softlanding.contracts.dispatch import (
    PickupAccepted,
    PickupBoarded,
    PickupDelivered,
    PickupDriverArrived,
    PickupMissed,
    PickupPlanned,
    PickupRefused,
    PickupStoodDown,
    PickupUnplaced,
    PlanPublished,
    RideState,
    TalkAtRisk,
)
from softlanding.contracts.schedule import PickupState
from softlanding.database import Transaction
from softlanding.dispatch import model, plans, store
from softlanding.dispatch.actions import telling
from softlanding.dispatch.model import TOLD_FROM, Crew, Pickup, Place, Shown
from softlanding.dispatch.planner import time_at
from softlanding.dispatch.plans import Desk, Found, Hand
from softlanding.errors import Conflict, Fault, Invalid, Refused
from softlanding.messaging import outbox
from softlanding.messaging.envelope import Envelope

MISSED_AT_ONCE = 50  # In one action.
TRIED_AT_ONCE = 10  # To seek a place takes 4 ms, on a very large fleet 30.
EXPLAINED_MAX = 5  # So many rides without a place are told all the reasons; on a fuller day who looks is told.
NOBODY_DRIVES = ("driven by taxi", "came by themselves", "not needed")  # Words after which no car is to come.
ASK_AGAIN_AFTER = timedelta(minutes=30)  # Of a driver who waits beyond the time of a pickup.


# Schedule's words


def hear_request(tx: Transaction, now: datetime, desk: Desk, fact: PickupState, envelope: Envelope) -> None:
    """A pickup is asked for, or changed: plan it at once, and answer for this revision. Raises Refused when it can
    never be planned as asked."""
    known = store.find_pickup(tx.connection, fact.pickup)
    if known is not None and _is_old_word(known, fact, envelope):
        return
    hand = plans.take_hand(tx, now, desk, fact.conference)
    pickup = _asked(hand, desk, now, fact, envelope, known)
    _call_if_lost(tx, now, hand, known, pickup)
    if fact.news == "diverted":
        _call_if_diverted(tx, now, pickup)
    if pickup.status == "delivered":
        _say_delivered(tx, now, hand, pickup)
    elif pickup.is_aboard:
        _serve_on(tx, now, desk, hand, pickup)
    elif pickup.due_at <= now and pickup.status != "arrived" and not tx.clock_in_doubt:
        _miss(tx, now, desk, hand, [pickup], is_new=known is None)
    elif reason := model.impossible(pickup, hand.seats_most, hand.zone):
        raise Refused(reason)
    elif pickup.status == "arrived" and known is not None and _may_board_there(hand, known, pickup):
        _serve_on(tx, now, desk, hand, pickup)
    else:
        _plan_anew(tx, now, desk, hand, pickup, is_new=known is None)


def hear_withdrawn(tx: Transaction, now: datetime, desk: Desk, fact: PickupState, envelope: Envelope) -> None:
    """It is not wanted any more: out of the plan, and the driver stands down; unless somebody is aboard."""
    known = store.find_pickup(tx.connection, fact.pickup)
    if known is not None and _is_old_word(known, fact, envelope):
        return
    hand = plans.take_hand(tx, now, desk, fact.conference)
    pickup = _asked(hand, desk, now, fact, envelope, known)
    if pickup.status == "delivered":
        _say_delivered(tx, now, hand, pickup)
    elif pickup.is_aboard:
        store.save_pickup(tx, pickup)
        hand = replace(hand, pickups={**hand.pickups, pickup.id: pickup})
        publish(tx, now, desk, hand, (), reason=f"{pickup.code} withdrawn, but aboard")
        _note(tx, now, pickup, "withdrawn, but aboard already: the ride goes on")
        tell(tx, PickupBoarded, pickup, now, hand, reason="aboard already; nobody can stand down")
    else:
        reason = fact.reason or "withdrawn"
        gone = model.off_vehicle(pickup, "stood_down", reason, now)
        _leave(tx, now, desk, hand, gone, is_new=known is None, reason=f"{pickup.code} withdrawn")
        _note(tx, now, gone, f"withdrawn: {reason}")
        tell(tx, PickupStoodDown, gone, now, hand, reason=reason)
        if fact.news == "cancelled":
            _call_if_cancelled(tx, now, gone)


def refuse_request(
    tx: Transaction, now: datetime, desk: Desk, fact: PickupState, envelope: Envelope, refused: Refused
) -> None:
    """It can never be planned as asked: kept, out of the plan, and said so."""
    known = store.find_pickup(tx.connection, fact.pickup)
    hand = plans.take_hand(tx, now, desk, fact.conference)
    pickup = _asked(hand, desk, now, fact, envelope, known)
    gone = model.off_vehicle(pickup, "refused", str(refused), now)
    _leave(tx, now, desk, hand, gone, is_new=known is None, reason=f"{pickup.code} refused")
    _note(tx, now, gone, f"refused: {refused}")
    tell(tx, PickupRefused, gone, now, hand, reason=str(refused))
    _call(tx, now, gone, "stranded", f"refused/{gone.id}/{gone.revision}", f"{gone.code} cannot be fetched as asked")


def _call(tx: Transaction, now: datetime, pickup: Pickup, kind: incidents.Kind, cause: str, sentence: str) -> None:
    """No plan can help here: a person must, and it stands until they say what was done.

    As every incident's, its sentence is told to all services: it names codes and cars, nobody and no place.
    """
    incidents.open_incident(
        tx,
        now,
        cause=cause,
        kind=kind,
        about=f"pickup/{pickup.id}",
        code=pickup.code,
        conference=pickup.conference,
        sentence=sentence,
    )


def _call_if_diverted(tx: Transaction, now: datetime, pickup: Pickup) -> None:
    """The car still goes to where the flight was to land: nobody but a person knows where it went."""
    sentence = f"{pickup.code} was diverted, and the car still goes to where it was to land: ask where they are"
    _call(tx, now, pickup, "stranded", f"diverted/{pickup.id}/{pickup.from_text}", sentence)


def _call_if_cancelled(tx: Transaction, now: datetime, pickup: Pickup) -> None:
    sentence = f"{pickup.code} does not come: what they travel with was cancelled. Ask how they come now"
    _call(tx, now, pickup, "stranded", f"cancelled/{pickup.id}/{pickup.revision}", sentence)


def _call_if_lost(tx: Transaction, now: datetime, hand: Hand, known: Pickup | None, pickup: Pickup) -> None:
    """The loudest alarm: no car brings them to their talk. One for a pickup and talk, told again when it gets worse."""
    if not model.is_talk_lost(pickup, plans.onward_of(hand, pickup.from_place)):
        return
    assert pickup.deadline_at is not None, "a lost talk begins at some time"
    begins, ready = (f"{at.astimezone(hand.zone):%a %d %b %H:%M}" for at in (pickup.deadline_at, pickup.ready_at))
    sentence = f"The talk of {pickup.code} is lost: it begins {begins}, and they can be fetched from {ready} on"
    cause = f"lost/{pickup.id}/{pickup.talk}"
    first = incidents.load(tx.connection, incidents.incident_id(cause))
    is_worse = known is not None and _late_by(pickup) >= _late_by(known) + TOLD_FROM
    if first is None or not is_worse:
        _call(tx, now, pickup, "lost", cause, sentence)
    elif first.settled_at is None:
        incidents.grow_incident(tx, now, first, sentence)
    else:
        _call(tx, now, pickup, "lost", f"{cause}/{_late_by(pickup)}", sentence)


def _late_by(pickup: Pickup) -> timedelta:
    """From the talk's beginning to when they can be fetched."""
    return pickup.ready_at - pickup.deadline_at if pickup.deadline_at else timedelta.min


def _may_board_there(hand: Hand, known: Pickup, pickup: Pickup) -> bool:
    """The driver stands where they come, and the car has room for them as they now are."""
    return known.from_place == pickup.from_place and pickup.id not in plans.carrying(hand, pickup)[1]


def _is_old_word(known: Pickup, fact: PickupState, envelope: Envelope) -> bool:
    """Revisions compare within one epoch; a newer epoch's word replaces an older one's."""
    return known.epoch == envelope.epoch and fact.revision <= known.revision


def _asked(
    hand: Hand, desk: Desk, now: datetime, fact: PickupState, envelope: Envelope, known: Pickup | None
) -> Pickup:
    """The pickup as Schedule now asks for it, in the state in which it stands here."""
    asked = {
        "code": fact.code,
        "epoch": envelope.epoch,
        "asked_sequence": envelope.sequence,
        "revision": fact.revision,
        "direction": fact.direction,
        "speaker": fact.speaker,
        "speaker_name": fact.speaker_name,
        "phone": fact.phone,
        "travel_number": fact.travel_number,
        "from_text": fact.from_place,
        "to_text": fact.to_place,
        "landing_at": fact.landing_at,
        "party": fact.party,
        "luggage": fact.luggage,
        "wheelchairs": fact.wheelchairs,
        "talk": fact.talk,
        "talk_title": fact.talk_title,
        "deadline_at": fact.deadline_at,
        "note": fact.note,
        "requested_at": fact.requested_at,
        "answer_by": fact.answer_by,
        "expires_at": fact.expires_at,
        "due_at": fact.expires_at,
        "asked_at": envelope.time,
        "heard_at": now,
    }
    if known is None:
        late = {"ready_at": fact.landing_at, "latest_board_at": fact.landing_at}
        pickup = Pickup(id=fact.pickup, conference=fact.conference, **asked, **late)  # type: ignore[arg-type]
    else:
        pickup = replace(known, **asked)  # type: ignore[arg-type]
    located = _located(hand, desk, now, pickup)
    if known is not None and known.status in ("boarded", "delivered"):
        # The ride goes on, or is over, as it was driven; another goal for who is aboard is looked at by itself.
        return replace(located, from_place=known.from_place, to_place=known.to_place)
    return located


def _located(hand: Hand, desk: Desk, now: datetime, pickup: Pickup) -> Pickup:
    """With its places found, and from when to when it can board."""
    start, end = model.find_place(pickup.from_text, hand.by_text), model.find_place(pickup.to_text, hand.by_text)
    exit_default = timedelta(minutes=desk.settings.leave_airport_international_minutes)
    ready = model.ready_at(pickup, hand.places.get(start or ""), hand.places.get(end or ""), exit_default)
    wait_max = timedelta(minutes=desk.settings.wait_max_minutes)
    latest = max(ready, now) + wait_max
    if pickup.direction == "departure":
        latest = max(latest, model.leave_by(pickup, hand.places.get(end or "")))
    return replace(pickup, from_place=start, to_place=end, ready_at=ready, latest_board_at=latest)


def _say_delivered(tx: Transaction, now: datetime, hand: Hand, pickup: Pickup) -> None:
    store.save_pickup(tx, pickup)
    _note(tx, now, pickup, "changed after it was delivered: nothing to do")
    tell(tx, PickupDelivered, pickup, now, hand, reason="delivered already; the change came too late")


def _serve_on(tx: Transaction, now: datetime, desk: Desk, hand: Hand, pickup: Pickup) -> None:
    """It changed while the driver has the passenger, or stands there: the same car, to a new place if that changed.
    Who is still to board and has no room there any more waits for another: be it this passenger themselves."""
    before, shift, goal = hand.pickups.get(pickup.id), pickup.shift, model.find_place(pickup.to_text, hand.by_text)
    kept = replace(pickup, to_place=before.to_place if before else pickup.to_place)
    after, lost = plans.carrying(hand, kept)
    changed, words = ((shift,) if shift and lost else ()), f"{pickup.code} changed"
    # Nobody is driven to where they boarded.
    is_same = before is None or goal in (None, before.to_place, pickup.from_place)
    if not is_same and shift is not None and shift in hand.shifts:
        after, late = plans.redirected(after, desk, replace(kept, to_place=goal))
        if kept.id in late:  # Room as far as the old place, but none beside those who ride on to the new one.
            _plan_anew(tx, now, desk, hand, pickup, is_new=False)
            return
        kept = _timed(after, after.pickups[kept.id], shift)
        lost, changed, words = (*lost, *late), (shift,), f"{pickup.code} goes elsewhere"
    store.save_pickup(tx, kept)
    is_freed = before is not None and plans.load_of(before) != plans.load_of(kept)
    after = publish(tx, now, desk, after, changed, reason=words, quiet=(kept.id,), freed=is_freed)
    lose(tx, now, after, hand, lost, words)
    timed = after.pickups[kept.id]
    kept = replace(kept, board_at=timed.board_at, deliver_at=timed.deliver_at)
    _note(tx, now, kept, f"revision {kept.revision} while {model.said(kept.status)}")
    tell(tx, PickupPlanned, kept, now, after)
    _tell_again(tx, now, after, kept, reason="")
    _call_if_overfull(tx, now, after, kept)


def _call_if_overfull(tx: Transaction, now: datetime, hand: Hand, pickup: Pickup) -> None:
    """Who is aboard, is aboard: when there is no room for them by what was told, a person asks the driver."""
    too_much = plans.too_much_aboard(hand, pickup)
    if not too_much:
        return
    words = f"{pickup.vehicle} carries more than it has room for: {too_much}"
    _note(tx, now, pickup, words)
    incidents.open_incident(
        tx,
        now,
        cause=f"overfull/{pickup.id}/{pickup.revision}",
        kind="other",
        about=f"pickup/{pickup.id}",
        code=pickup.code,
        conference=pickup.conference,
        sentence=f"{pickup.code} changed while aboard, and {words}. Call the driver",
    )


def _timed(hand: Hand, pickup: Pickup, shift: str) -> Pickup:
    board_at, deliver_at = plans.times_in(hand, shift)[pickup.id]
    return replace(pickup, board_at=board_at, deliver_at=deliver_at, plan=hand.row.number + 1)


def lose(tx: Transaction, now: datetime, hand: Hand, before: Hand, lost: Iterable[str], why: str) -> None:
    """Rides that their car can no longer take wait without a place; the timer seeks another at once, but for who was
    placed by a person: that person must say what now."""
    for ride_id in lost:
        pickup = before.pickups[ride_id]
        reason = f"{pickup.vehicle} can no longer take {pickup.code}: {why}"
        if pickup.is_pinned:
            reason = f"a person placed it on {pickup.vehicle}, but {reason}; assign it anew, or unlock it"
        gone = replace(model.off_vehicle(pickup, "unplaced", reason, now), tried=None, is_held=pickup.is_pinned)
        store.clear_stops(tx, ride_id)
        store.save_pickup(tx, gone)
        _note(tx, now, gone, reason)
        tell(tx, PickupUnplaced, gone, now, hand, reason=reason)


# Planning


def _plan_anew(tx: Transaction, now: datetime, desk: Desk, hand: Hand, pickup: Pickup, *, is_new: bool) -> None:
    """Out of the car where it was, and into the same one again if it fits there; else into the best."""
    was = pickup.shift
    accepted = _accepted(tx, hand, pickup)
    if pickup.is_on_vehicle:
        hand = plans.without(hand, pickup.id)
    if pickup.is_held:
        left_out(tx, now, desk, hand, pickup, pickup.reason or "a person keeps it out of the plan", was, is_new=is_new)
        return
    unknown = _unknown_place(pickup)
    if unknown:
        left_out(tx, now, desk, hand, pickup, unknown, was, is_new=is_new)
        return
    found = plans.seek(hand, desk, pickup, only=_same_car(hand, pickup, was)) if was else None
    if found is None or (found.placed is None and not pickup.is_pinned):
        found = plans.seek(hand, desk, pickup)
    if found.placed is None:
        reason = _fits_elsewhere(hand, desk, pickup) if pickup.is_pinned else ""
        reason = reason or _reason(tx, hand, found, pickup)
        if pickup.is_pinned:
            reason = f"a person placed it on {pickup.vehicle}, where it no longer fits: {reason}"
        held = replace(pickup, is_held=pickup.is_pinned)
        left_out(tx, now, desk, hand, held, reason, was, is_new=is_new)
    else:
        put(tx, now, desk, hand, found, pickup, was, is_new=is_new, accepted=accepted)


def _accepted(tx: Transaction, hand: Hand, pickup: Pickup) -> Shown | None:
    """What the driver has agreed to: the ride as they have last seen it."""
    before, crew = hand.pickups.get(pickup.id), hand.crews.get(pickup.shift or "")
    if before is None or crew is None or before.status != "accepted":
        return None
    told = store.list_told(tx.connection, "pickup", pickup.id)
    seen = next((row.seen for row in told if row.driver == crew.driver), None)
    return seen or telling.in_force(before, crew, crew.driver)


def _fits_elsewhere(hand: Hand, desk: Desk, pickup: Pickup) -> str:
    """Which other car is free for what a person placed on one that is not; "" if none is."""
    other = plans.seek(hand, desk, pickup).placed
    if other is None:
        return ""
    crew, board_at = hand.crews[other.vehicle_id], plans.moment(hand, other.board_s)
    return f"{crew.vehicle} with {crew.driver_name} is free for it at {hand.say(board_at)}; move it there, or unlock it"


def _same_car(hand: Hand, pickup: Pickup, was: str) -> list[str]:
    """The shift where it was; with a person's word for the car, any shift of that car."""
    if not pickup.is_pinned or was not in hand.crews:
        return [was]
    code = hand.crews[was].code
    return [key for key, crew in hand.crews.items() if crew.code == code]


def _unknown_place(pickup: Pickup) -> str:
    texts = [
        text
        for text, slug in ((pickup.from_text, pickup.from_place), (pickup.to_text, pickup.to_place))
        if slug is None
    ]
    if not texts:
        return ""
    named = " and ".join(f"'{text}'" for text in texts)
    if len(texts) == 1:
        return f"place {named} is not known: add it under Places"
    return f"places {named} are not known: add them under Places"


def _reason(tx: Transaction, hand: Hand, found: Found, pickup: Pickup) -> str:
    """Why there is no place, with the ways out; briefly when there are so many that it would take seconds."""
    if store.count_unplaced(tx.connection, hand.conference) >= EXPLAINED_MAX:
        return plans.why_not_briefly(hand, pickup)
    why, ways = plans.why_not(hand, found, pickup)
    why = why or plans.why_not_briefly(hand, pickup)
    said = "; ".join(ways[: plans.WAYS_OUT_SAID])
    return f"{why}. Ways out: {said}" if said else why


def put(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    hand: Hand,
    found: Found,
    pickup: Pickup,
    was: str | None,
    *,
    is_new: bool = False,
    reason: str = "",
    by: str = "",
    accepted: Shown | None = None,
) -> Pickup:
    """The pickup into the place that was found, judged first, and told; it had been on the shift `was`. Its driver need
    not agree anew to what they `accepted`."""
    placed = found.placed
    assert placed is not None, "only a place that was found can be taken"
    shift, crew = placed.vehicle_id, hand.crews[placed.vehicle_id]
    after = replace(hand, problem=found.problem, plan=placed.plan)
    if broken := plans.violations_of(after, shift):
        return _judged_out(tx, now, desk, hand, pickup, was, broken, is_new=is_new)
    planned = replace(
        pickup,
        status="planned",
        reason="",
        shift=shift,
        last_shift=was if was not in (None, shift) else pickup.last_shift,
        vehicle=crew.vehicle,
        board_at=time_at(found.problem, placed.board_s),
        deliver_at=time_at(found.problem, placed.deliver_s),
        plan=hand.row.number + 1,
        accepted_at=None,
        arrived_at=None,
        ended_at=None,
        is_held=False,
    )
    if was == shift and accepted is not None and not _changes(accepted, planned, crew):
        planned = replace(planned, status="accepted", accepted_at=pickup.accepted_at)
    is_risk_new = _is_risk_new(hand, planned)
    planned = replace(planned, risk_revision=planned.revision) if is_risk_new else planned
    after = replace(after, pickups={**hand.pickups, planned.id: planned})
    store.keep_pickup(tx, planned, is_new=is_new)
    shifts = (shift,) if was in (None, shift) else (was, shift)
    after = publish(
        tx, now, desk, after, shifts, reason=f"{planned.code} planned", quiet=(planned.id,), freed=was is not None
    )
    words = f"planned on {crew.vehicle}, {hand.say(planned.board_at or now)} to {hand.say(planned.deliver_at or now)}"
    _note(tx, now, planned, f"{words}{': ' + reason if reason else ''}", by)
    tell(tx, PickupPlanned, planned, now, after, reason=reason)
    if is_risk_new:
        _tell_risk(tx, planned)
    return planned


def _changes(accepted: Shown, pickup: Pickup, crew: Crew) -> tuple[str, ...]:
    now = telling.in_force(pickup, crew, crew.driver)
    assert now is not None, "a ride that is put on a car is its driver's"
    return model.changes(accepted, now)


def _judged_out(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    hand: Hand,
    pickup: Pickup,
    was: str | None,
    broken: list[str],
    *,
    is_new: bool,
) -> Pickup:
    """The planner's answer broke a limit: nobody sees that plan, and a person is called."""
    reason = f"the plan with {pickup.code} broke a limit and was not used: {broken[0]}"
    incidents.open_incident(
        tx,
        now,
        cause=f"invalid-plan/{pickup.id}/{pickup.revision}",
        kind="other",
        about=f"pickup/{pickup.id}",
        code=pickup.code,
        conference=pickup.conference,
        sentence=f"The planner's place for {pickup.code} broke a limit and was not used: assign it by hand",
    )
    left_out(tx, now, desk, hand, replace(pickup, is_held=True), reason, was, is_new=is_new)
    return pickup


def left_out(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    hand: Hand,
    pickup: Pickup,
    reason: str,
    was: str | None,
    *,
    is_new: bool = False,
    by: str = "",
) -> Pickup:
    """The pickup without a place, with the reason, told. It had been on the shift `was`; `hand` no longer shows it."""
    gone = model.off_vehicle(replace(pickup, shift=was), "unplaced", reason, now)
    gone = replace(gone, tried=hand.row.freed, tried_at=now, is_held=pickup.is_held)
    store.keep_pickup(tx, gone, is_new=is_new)
    if was is not None:
        hand = publish(tx, now, desk, hand, (was,), reason=f"{gone.code} has no place", freed=True)
    _note(tx, now, gone, reason, by)
    tell(tx, PickupUnplaced, gone, now, hand, reason=reason)
    return gone


def publish(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    hand: Hand,
    shifts: Iterable[str],
    *,
    reason: str,
    quiet: Iterable[str] = (),
    freed: bool = False,
) -> Hand:
    """The hand's plan comes into force: the manifests of these shifts are written, who shares a car and is fetched at
    another time is told, and run sheets follow. The hand as it is then kept. `quiet`: whom the caller tells of."""
    row = replace(hand.row, number=hand.row.number + 1, made_at=now, stamp=tx.ids.new())
    row = replace(row, freed=tx.ids.new()) if freed else row
    hand = replace(hand, row=row)
    changed = sorted(set(shifts))
    store.save_stops(tx, {shift: plans.rows_of(hand, shift) if shift in hand.shifts else [] for shift in changed})
    for shift in changed:
        hand = _retime(tx, now, hand, shift, set(quiet), reason)
    store.save_plan(tx, row)
    outbox.add(
        tx,
        PlanPublished(
            conference=row.conference,
            plan=row.number,
            published_at=now,
            rides=sum(one.is_on_vehicle for one in hand.pickups.values()),
            vehicles=sum(bool(one.stops) for one in hand.plan.manifests),
            unplaced=store.count_unplaced(tx.connection, row.conference),
            reason=reason,
        ),
    )
    plans.keep_hand(tx, desk, hand)
    return hand


def _retime(tx: Transaction, now: datetime, hand: Hand, shift: str, quiet: set[str], reason: str) -> Hand:
    """Who shares the car and is fetched or brought at another time than they were told, is told."""
    pickups = dict(hand.pickups)
    for ride_id, (board_at, deliver_at) in plans.times_in(hand, shift).items():
        other = pickups[ride_id]
        if not other.is_on_vehicle or other.board_at is None or other.deliver_at is None:
            continue
        if other.is_aboard:
            board_at = other.board_at
        if (board_at, deliver_at) == (other.board_at, other.deliver_at):
            continue
        moved = max(abs(board_at - other.board_at), abs(deliver_at - other.deliver_at))
        other = pickups[ride_id] = replace(other, board_at=board_at, deliver_at=deliver_at)
        store.retime(tx, ride_id, board_at, deliver_at)
        if moved >= TOLD_FROM and ride_id not in quiet:
            told = replace(other, plan=hand.row.number)
            _note(tx, now, told, f"now {hand.say(board_at)} to {hand.say(deliver_at)}: {reason}")
            _tell_again(tx, now, hand, told, reason=f"times moved: {reason}")
        if _is_risk_new(hand, other):
            pickups[ride_id] = replace(other, risk_revision=other.revision)
            store.mark_risk(tx, ride_id, other.revision)
            _tell_risk(tx, other)
    return replace(hand, pickups=pickups)


def _leave(tx: Transaction, now: datetime, desk: Desk, hand: Hand, gone: Pickup, *, is_new: bool, reason: str) -> None:
    """Keep a pickup that is over, and take it out of the plan if it was in it."""
    store.keep_pickup(tx, gone, is_new=is_new)
    before = hand.pickups.get(gone.id)
    if before is not None and before.shift is not None:
        store.clear_stops(tx, gone.id)
        publish(tx, now, desk, plans.without(hand, gone.id), (before.shift,), reason=reason, freed=True)


def tell(
    tx: Transaction,
    kind: type[RideState],
    pickup: Pickup,
    at: datetime,
    hand: Hand,
    *,
    reason: str = "",
    is_late_word: bool = False,
) -> None:
    """The pickup's whole state as a fact. `status` is where it stands, whichever fact this is."""
    crew: Crew | None = hand.crews.get(pickup.shift or "")
    telling.note_change(tx, at, pickup, crew)
    outbox.add(
        tx,
        kind(
            conference=pickup.conference,
            pickup=pickup.id,
            code=pickup.code,
            revision=pickup.revision,
            status=pickup.status,
            at=at,
            vehicle=crew.vehicle if crew else None,
            driver_name=crew.driver_name if crew else None,
            driver_phone=crew.driver_phone if crew else None,
            plate=crew.plate if crew else None,
            meeting=_meeting(hand, pickup) if crew else "",
            board_at=pickup.board_at,
            deliver_at=pickup.deliver_at,
            boarded_at=pickup.boarded_at,
            delivered_at=pickup.delivered_at,
            plan=pickup.plan,
            reason=reason,
            asked_at=pickup.asked_at,
            due_at=pickup.due_at,
            is_late_word=is_late_word,
        ),
    )


def _meeting(hand: Hand, pickup: Pickup) -> str:
    place = hand.places.get(pickup.from_place or "")
    return place.note if place else ""


_STANDS: dict[str, type[RideState]] = {
    "planned": PickupPlanned,
    "accepted": PickupAccepted,
    "arrived": PickupDriverArrived,
    "boarded": PickupBoarded,
}


def _tell_again(tx: Transaction, now: datetime, hand: Hand, pickup: Pickup, *, reason: str) -> None:
    """The pickup's state once more, because something about it changed: by the fact that brought it where it stands."""
    since = {"accepted": pickup.accepted_at, "arrived": pickup.arrived_at, "boarded": pickup.boarded_at}
    tell(tx, _STANDS[pickup.status], pickup, since.get(pickup.status) or now, hand, reason=reason)


def _is_risk_new(hand: Hand, pickup: Pickup) -> bool:
    is_at_risk = model.is_talk_at_risk(pickup, plans.onward_of(hand, pickup.to_place))
    return bool(pickup.talk) and is_at_risk and pickup.risk_revision != pickup.revision


def _tell_risk(tx: Transaction, pickup: Pickup) -> None:
    """Once a revision: as planned, the speaker comes too late for the talk."""
    assert pickup.talk is not None, "only a talk is at risk"
    assert pickup.deadline_at is not None, "a talk at risk begins at some time"
    outbox.add(
        tx,
        TalkAtRisk(
            conference=pickup.conference,
            talk=pickup.talk,
            pickup=pickup.id,
            code=pickup.code,
            starts_at=pickup.deadline_at,
            deliver_at=pickup.deliver_at,
        ),
    )


def _note(tx: Transaction, now: datetime, pickup: Pickup, words: str, by: str = "") -> None:
    store.add_history(tx, now, pickup.id, words, by)


def tell_crews(tx: Transaction, now: datetime, desk: Desk, conference: str, before: Mapping[str, Crew]) -> None:
    """After cars, drivers or shifts were saved: whoever rides with another driver, telephone or plate than they were
    told is told anew. A new driver has agreed to nothing yet."""
    hand = plans.take_hand(tx, now, desk, conference)
    after = store.load_crews(tx.connection, conference)
    changed = {key for key, crew in after.items() if key in before and _is_told_anew(before[key], crew)}
    if not changed:
        return
    hand = replace(hand, crews=after)
    for pickup in store.list_of_shifts(tx.connection, changed):
        if pickup.shift not in changed or not pickup.is_on_vehicle:
            continue
        crew = after[pickup.shift]
        pickup = replace(pickup, vehicle=crew.vehicle)
        if crew.driver != before[crew.shift].driver and pickup.status == "accepted":
            pickup = replace(pickup, status="planned", accepted_at=None)
        store.save_pickup(tx, pickup)
        words = f"{crew.driver_name} in {crew.vehicle} {crew.plate}"
        _note(tx, now, pickup, f"now with {words}")
        _tell_again(tx, now, hand, pickup, reason=f"now with {words}")
    stir(tx, now, conference)


def tell_meeting(tx: Transaction, now: datetime, desk: Desk, place: Place) -> None:
    """After a place was saved with other words on where to meet: whoever is still to board there is told them."""
    hand = plans.take_hand(tx, now, desk, place.conference)
    for _, pickup in sorted(hand.pickups.items()):
        if pickup.from_place == place.slug and pickup.is_on_vehicle and not pickup.is_aboard:
            _note(tx, now, pickup, f"where to meet: {place.note or 'no words on it any more'}")
            _tell_again(tx, now, hand, pickup, reason="where to meet has changed")


def _is_told_anew(before: Crew, after: Crew) -> bool:
    told = ("vehicle", "plate", "driver", "driver_name", "driver_phone")
    return any(getattr(before, name) != getattr(after, name) for name in told)


# Time's words


def declare_missed(tx: Transaction, now: datetime, desk: Desk) -> bool:
    """Those whose time passed before anybody was aboard: missed, each with an incident that a person must settle; but
    where a driver stands and waits, a person is asked. True: there may be more."""
    due = store.list_due(tx.connection, now, MISSED_AT_ONCE)
    for conference in sorted({pickup.conference for pickup in due}):
        hand = plans.take_hand(tx, now, desk, conference)
        of_here = [one for one in due if one.conference == conference]
        for pickup in of_here:
            if pickup.status == "arrived":
                _ask_whether_expected(tx, now, hand, pickup)
        hand = plans.take_hand(tx, now, desk, conference)
        _miss(tx, now, desk, hand, [one for one in of_here if one.status != "arrived"], is_new=False)
    return len(due) == MISSED_AT_ONCE


def _ask_whether_expected(tx: Transaction, now: datetime, hand: Hand, pickup: Pickup) -> None:
    """The ride stays with the driver who waits, and of use for a while; then a person is asked once more."""
    _change(tx, now, replace(pickup, due_at=now + ASK_AGAIN_AFTER))
    crew = hand.crews.get(pickup.shift or "")
    who = f"The driver of {crew.vehicle}" if crew else "The driver"
    since = hand.say(pickup.arrived_at or now)
    sentence = f"{who} waits for {pickup.code} since {since}: is the passenger still expected?"
    _note(tx, now, pickup, f"{sentence} A person is asked")
    incidents.open_incident(
        tx,
        now,
        cause=f"waiting/{pickup.id}/{pickup.due_at.isoformat()}",
        kind="other",
        about=f"pickup/{pickup.id}",
        code=pickup.code,
        conference=pickup.conference,
        sentence=f"{sentence} Call; take the ride back if not",
    )


def _miss(tx: Transaction, now: datetime, desk: Desk, hand: Hand, due: list[Pickup], *, is_new: bool) -> None:
    planned = [before for pickup in due if (before := hand.pickups.get(pickup.id)) is not None and before.shift]
    hand = plans.without_all(hand, [one.id for one in planned])
    for pickup in due:
        gone = model.off_vehicle(pickup, "missed", f"nobody was aboard by {hand.say(pickup.due_at)}", now)
        store.clear_stops(tx, pickup.id)
        store.keep_pickup(tx, gone, is_new=is_new)
        _note(tx, now, gone, f"missed: {gone.reason}")
        tell(tx, PickupMissed, gone, now, hand, reason=gone.reason)
        incidents.open_incident(
            tx,
            now,
            cause=_missed_cause(tx, pickup),
            kind="missed",
            about=f"pickup/{pickup.id}",
            code=pickup.code,
            conference=pickup.conference,
            sentence=f"{pickup.code} was missed: nobody was aboard by {hand.say(pickup.due_at)}",
        )
    if planned:
        shifts = {one.shift for one in planned if one.shift}
        publish(tx, now, desk, hand, shifts, reason=f"{len(due)} missed", freed=True)


def _missed_cause(tx: Transaction, pickup: Pickup) -> str:
    """The pickup and revision; once that is settled, taken up again by a person and missed again, another matter."""
    cause = f"missed/{pickup.id}/{pickup.revision}"
    first = incidents.load(tx.connection, incidents.incident_id(cause))
    return cause if first is None or first.settled_at is None else f"{cause}/{pickup.due_at.isoformat()}"


def declare_parked_missed(tx: Transaction, now: datetime) -> bool:
    """A fact that was given up on keeps its deadline: when that has passed, a person must look after the pickup."""
    for row in store.list_parked_due(tx.connection, now):
        incidents.open_incident(
            tx,
            now,
            cause=store.parked_cause(row),
            kind="missed",
            about=row.subject,
            sentence=f"The request about {row.subject} could not be applied here, and its time has passed",
        )
    return False


def retry_unplaced(tx: Transaction, now: datetime, desk: Desk) -> bool:
    """Seek a place for those that have none, the most urgent first. True: there may be more."""
    waiting = store.list_to_retry(tx.connection, now, TRIED_AT_ONCE)
    for pickup in waiting:
        hand = plans.take_hand(tx, now, desk, pickup.conference)
        _retry(tx, now, desk, hand, pickup)
    return len(waiting) == TRIED_AT_ONCE


def _retry(tx: Transaction, now: datetime, desk: Desk, hand: Hand, pickup: Pickup) -> None:
    located = _located(hand, desk, now, pickup)
    if located.from_place is None or located.to_place is None:
        store.mark_tried(tx, now, pickup.id, hand.row.freed)
        return
    if located.from_place == located.to_place:
        store.mark_tried(tx, now, pickup.id, hand.row.freed)
        return
    found = plans.seek(hand, desk, located)
    if found.placed is not None:
        put(tx, now, desk, hand, found, located, None)
    elif None in (pickup.from_place, pickup.to_place):
        left_out(tx, now, desk, hand, located, _reason(tx, hand, found, located), None)
    else:
        store.mark_tried(tx, now, pickup.id, hand.row.freed)


# What facts did to manifests


def mend(
    tx: Transaction, now: datetime, desk: Desk, conference: str, *, reason: str, vehicles: frozenset[str] | None = None
) -> None:
    """Manifests (of these vehicles; None: all) that no longer hold after facts changed are laid anew; who loses a place
    waits for another, which the timer seeks at once."""
    before = plans.take_hand(tx, now, desk, conference)
    driven = [one.vehicle_id for one in before.plan.manifests if one.stops]
    of_these = [shift for shift in driven if vehicles is None or before.crews[shift].code in vehicles]
    _mend(tx, now, desk, before, of_these, reason)


def mend_shift(tx: Transaction, now: datetime, desk: Desk, pickup: Pickup, shift: str, at: datetime) -> None:
    """As `mend`, for one car after news of this pickup at `at`: it may be late, or early, for all that follows."""
    conference = pickup.conference
    row = store.take_plan(tx, now, conference)
    before = plans.load_hand(tx.connection, now, desk.settings, row, news=(shift, at))
    if shift in before.shifts and before.manifest(shift).stops:
        _mend(tx, now, desk, before, [shift], f"{pickup.code} {model.said(pickup.status)}", quiet=(pickup.id,))
    stir(tx, now, conference)


def _mend(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    before: Hand,
    shifts: list[str],
    reason: str,
    quiet: Iterable[str] = (),
) -> None:
    hand = before
    lost: list[str] = []
    changed: list[str] = []
    for shift in shifts:
        hand, gone = plans.mended(hand, shift)
        lost += gone
        if gone or hand.manifest(shift).stops != before.manifest(shift).stops:
            changed.append(shift)
    if changed:
        hand = publish(tx, now, desk, hand, changed, reason=reason, freed=bool(lost), quiet=quiet)
        lose(tx, now, hand, before, lost, reason)


# People's words


def assign(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    conference: str,
    code: str,
    vehicle: str,
    *,
    reason: str,
    by: str,
    revision: int | None = None,
) -> dict[str, Any]:
    """A person gives the ride to this vehicle, or moves it there; no plan takes it away again. A person may let
    somebody wait longer than a plan may; every other limit holds. Raises Refused with the limit in words."""
    pickup = _in_hand(tx, conference, code, reason, revision)
    if pickup.is_aboard:
        raise Refused(f"{pickup.code} is aboard {pickup.vehicle}; it cannot be moved")
    if pickup.status not in ("planned", "accepted", "arrived", "unplaced", "missed", "no_show"):
        raise Refused(f"{pickup.code} is {model.said(pickup.status)}; it cannot be assigned")
    hand = plans.take_hand(tx, now, desk, conference)
    shifts = [key for key, crew in hand.crews.items() if crew.code == vehicle and key in hand.shifts]
    if not shifts:
        raise Refused(f"vehicle {vehicle} has no shift from now on: add one under Fleet")
    pickup = _located(hand, desk, now, pickup)
    if unknown := _unknown_place(pickup):
        raise Refused(unknown)
    was, hand = pickup.shift, plans.without(hand, pickup.id)
    pickup = _of_use(pickup, now)
    patient = replace(pickup, latest_board_at=pickup.due_at, is_pinned=True)
    found = plans.seek(hand, desk, patient, only=shifts)
    if found.placed is None:
        raise Refused(_why_not_there(hand, found, patient, shifts))
    planned = put(tx, now, desk, hand, found, patient, was, reason=f"by a person: {reason}", by=by)
    return answer_of(planned)


def _why_not_there(hand: Hand, found: Found, pickup: Pickup, shifts: list[str]) -> str:
    """Why not in the shift of this vehicle that would be nearest."""
    nearest = min(shifts, key=lambda key: abs(hand.shifts[key].from_at - pickup.ready_at))
    at_the_time = [key for key in shifts if hand.shifts[key].from_at <= pickup.ready_at <= hand.shifts[key].to_at]
    why, _ways = plans.why_not(hand, found, pickup, only=(at_the_time or [nearest])[0])
    return why or "it does not fit there"


def take_back(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    conference: str,
    code: str,
    *,
    reason: str,
    by: str,
    revision: int | None = None,
) -> dict[str, Any]:
    """A person takes the ride from its vehicle, to the queue, where it waits for a person; or takes up again what was
    missed, which is then planned anew."""
    pickup = _in_hand(tx, conference, code, reason, revision)
    hand = plans.take_hand(tx, now, desk, conference)
    if pickup.status in ("missed", "no_show"):
        again = replace(_of_use(_located(hand, desk, now, pickup), now), status="unplaced", ended_at=None)
        _note(tx, now, again, f"taken up again: {reason}", by)
        _plan_anew(tx, now, desk, hand, again, is_new=False)
        return answer_of(store.load_pickup(tx.connection, conference, pickup.id))
    if pickup.is_aboard or not pickup.is_on_vehicle:
        raise Refused(f"{pickup.code} is {model.said(pickup.status)}; there is no ride to take back")
    hand = plans.without(hand, pickup.id)
    words = f"taken back: {reason}"
    return answer_of(left_out(tx, now, desk, hand, replace(pickup, is_held=True), words, pickup.shift, by=by))


def do_as_settled(tx: Transaction, now: datetime, desk: Desk, incident: incidents.Incident) -> None:
    """By whichever page a person settles who was missed or is stranded, the word is done: where nobody has to drive any
    more, a ride that was planned again meanwhile is stood down. What is asked anew after that waits for a person.

    Raises Refused when the passenger is aboard.
    """
    if incident.kind not in ("missed", "stranded") or incident.settled_word not in NOBODY_DRIVES:
        return
    pickup = store.find_pickup(tx.connection, incident.about.removeprefix("pickup/"))
    if pickup is None or not pickup.is_open:
        return
    if pickup.is_aboard:
        others = " or ".join(f"'{word}'" for word in incident.words if word not in NOBODY_DRIVES)
        raise Refused(f"{pickup.code} is aboard {pickup.vehicle} already; say {others}")
    by, note = incident.settled_by or "nobody", incident.settled_note
    reason = f"{incident.settled_word}, says {by}{f': {note}' if note else ''}"
    hand = plans.take_hand(tx, now, desk, pickup.conference)
    gone = replace(model.off_vehicle(pickup, "stood_down", reason, now), is_held=True)
    _leave(tx, now, desk, hand, gone, is_new=False, reason=f"{pickup.code} stands down")
    _note(tx, now, gone, f"stood down: {incident.settled_word}{f': {note}' if note else ''}", by)
    tell(tx, PickupStoodDown, gone, now, hand, reason=reason)


def lock(
    tx: Transaction, now: datetime, _desk: Desk, conference: str, code: str, *, reason: str, by: str
) -> dict[str, Any]:
    """The ride stays on its vehicle, whatever is planned."""
    pickup = _in_hand(tx, conference, code, reason, None)
    if not pickup.is_on_vehicle:
        raise Refused(f"{pickup.code} is {model.said(pickup.status)}; only a planned ride can be locked to its vehicle")
    kept = replace(pickup, is_pinned=True)
    _change(tx, now, kept)
    _note(tx, now, kept, f"locked to {pickup.vehicle}: {reason}", by)
    return answer_of(kept)


def unlock(
    tx: Transaction, now: datetime, desk: Desk, conference: str, code: str, *, reason: str, by: str
) -> dict[str, Any]:
    """A person's word for or against a vehicle ends; what waits in the queue is planned again."""
    pickup = _in_hand(tx, conference, code, reason, None)
    if not pickup.is_pinned and not pickup.is_held:
        raise Refused(f"{pickup.code} is not locked")
    free = replace(pickup, is_pinned=False, is_held=False)
    _note(tx, now, free, f"unlocked: {reason}", by)
    if pickup.status == "unplaced":
        hand = plans.take_hand(tx, now, desk, conference)
        _plan_anew(tx, now, desk, hand, _located(hand, desk, now, free), is_new=False)
    else:
        _change(tx, now, free)
    return answer_of(store.load_pickup(tx.connection, conference, pickup.id))


def _in_hand(tx: Transaction, conference: str, code: str, reason: str, revision: int | None) -> Pickup:
    if not reason.strip():
        raise Invalid(Fault("reason", "say why; it is kept in the record"))
    pickup = store.load_pickup(tx.connection, conference, code)
    if revision is not None and revision != pickup.revision:
        raise Conflict(f"{pickup.code} has changed meanwhile (revision {pickup.revision}); look at it again")
    return pickup


def _of_use(pickup: Pickup, now: datetime) -> Pickup:
    """What a person takes up after its time gets a little more time."""
    return replace(pickup, due_at=now + model.GRACE) if pickup.due_at <= now else pickup


def _change(tx: Transaction, now: datetime, pickup: Pickup) -> None:
    """Save what plans are made from, without another plan."""
    store.save_pickup(tx, pickup)
    stir(tx, now, pickup.conference)


def stir(tx: Transaction, now: datetime, conference: str, *, freed: bool = False) -> None:
    """What plans are made from has changed: hands that were kept are of no use. `freed`: somebody without a place might
    get one now."""
    row = store.take_plan(tx, now, conference)
    row = replace(row, stamp=tx.ids.new(), freed=tx.ids.new() if freed else row.freed)
    store.save_plan(tx, row)


def answer_of(pickup: Pickup) -> dict[str, Any]:
    """What a door answers about a pickup, as JSON values."""
    return {
        "pickup": pickup.id,
        "code": pickup.code,
        "revision": pickup.revision,
        "status": pickup.status,
        "vehicle": pickup.vehicle,
        "board_at": pickup.board_at.isoformat() if pickup.board_at else None,
        "deliver_at": pickup.deliver_at.isoformat() if pickup.deliver_at else None,
        "plan": pickup.plan,
        "reason": pickup.reason,
    }
