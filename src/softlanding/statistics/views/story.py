"""One pickup's story through all services: what happened, what lay between, what should have come."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.contracts.standing import state_of
from softlanding.errors import NotFound
from softlanding.incidents import incidents
from softlanding.lifecycle.deaths import list_silences
from softlanding.lifecycle.outages import Outage, list_outages
from softlanding.messaging import inbox
from softlanding.statistics.model.pickups import ENDED
from softlanding.statistics.model.words import LATE_S, Clock, lane_of, ride_summary, words_of
from softlanding.statistics.tables import facts, pickups
from softlanding.statistics.views.numbers import words_of_row

STEPS_MAX = 500
BOARDING_LASTS = timedelta(minutes=15)  # From the driver's coming until somebody should be aboard.


def find_pickup(connection: sa.Connection, conference: str, wanted: str) -> str | None:
    """The pickup's id, by its code, itself, or a fact about it."""
    of = pickups.c.conference == conference
    newest = (pickups.c.asked_at.desc(), pickups.c.pickup)
    about_fact = sa.select(facts.c.pickup).where(facts.c.id == wanted)
    for is_it in (
        pickups.c.code == wanted.upper(),
        pickups.c.pickup == wanted,
        pickups.c.pickup.in_(about_fact),
    ):
        found: str | None = connection.execute(sa.select(pickups.c.pickup).where(of, is_it).order_by(*newest)).scalar()
        if found is not None:
            return found
    return None


def pickup_story(connection: sa.Connection, pickup: str, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """`pickup`, `steps`, `gaps` and `expected`, as _story.html takes them. Raises NotFound."""
    row = connection.execute(sa.select(pickups).where(pickups.c.pickup == pickup)).first()
    if row is None:
        raise NotFound("no fact about this pickup has arrived here")
    state = state_of(words_of_row(row))
    steps = _steps(connection, pickup, Clock(zone, now))
    until = steps[-1]["happened_at"] if steps and state in ENDED else now
    gaps = _gaps(connection, steps[0]["happened_at"], until) if steps else []
    awaited = _awaited(state, row, {step["kind"] for step in steps})
    head = {
        "code": row.code or pickup,
        "id": pickup,
        "passenger": None,  # Names stay with Schedule and Dispatch.
        "what": ride_summary(row.direction, row.party),
        "state": state,
        "complete": state in ENDED and not awaited,
    }
    expected = [{"words": words, "by": by} for words, by in awaited if by is not None]
    return {"pickup": head, "steps": steps, "gaps": gaps, "expected": expected}


def _steps(connection: sa.Connection, pickup: str, clock: Clock) -> list[dict[str, Any]]:
    query = sa.select(facts).where(facts.c.pickup == pickup)
    heard = connection.execute(query.order_by(facts.c.number).limit(STEPS_MAX)).all()
    tried = _attempts(connection, heard)
    steps = [_step(row, tried.get((row.source, row.epoch, row.sequence), 1), clock) for row in heard]
    steps += _own_steps(connection, pickup)
    return sorted(steps, key=lambda step: (step["happened_at"], step["recorded_at"], step["id"]))


def _step(row: Any, attempts: int, clock: Clock) -> dict[str, Any]:
    data = json.loads(row.data)
    late = row.told_at - row.happened_at > timedelta(seconds=LATE_S)
    return {
        "id": row.id,
        "lane": lane_of(row.type),
        "kind": row.type.partition(".")[2],
        "words": words_of(row.type, data, clock),
        "happened_at": row.happened_at,
        "recorded_at": row.told_at,
        "received_at": row.applied_at,
        "is_late": late or bool(data.get("is_late_word")),
        "seq": row.sequence,
        "cause": row.causation or "",
        "attempts": attempts,
    }


def _attempts(connection: sa.Connection, heard: Sequence[Any]) -> dict[tuple[str, str, int], int]:
    """How often a fact was tried here, where that was counted: after a death inside a batch."""
    numbers = [(row.source, row.epoch, row.sequence) for row in heard]
    if not numbers:
        return {}
    tried = inbox.attempts.c
    query = sa.select(inbox.attempts).where(sa.tuple_(tried.source, tried.epoch, tried.sequence).in_(numbers))
    return {(row.source, row.epoch, row.sequence): row._mapping["count"] for row in connection.execute(query)}


def _own_steps(connection: sa.Connection, pickup: str) -> list[dict[str, Any]]:
    """What Statistics itself has to say: a fact about this pickup that it could not apply."""
    rows = connection.execute(sa.select(incidents).where(incidents.c.about == f"pickup/{pickup}"))
    common = {"lane": "statistics", "kind": "incident.opened", "is_late": False, "seq": 0, "cause": "", "attempts": 1}
    return [
        common
        | {"id": row.id, "words": row.sentence}
        | dict.fromkeys(("happened_at", "recorded_at", "received_at"), row.opened_at)
        for row in rows
    ]


def _gaps(connection: sa.Connection, first: datetime, until: datetime) -> list[dict[str, Any]]:
    """Deaths and silences while the pickup was under way, oldest first."""
    silences = list_silences(connection, is_open=False, most=200)
    gaps = [_outage_gap(outage) for outage in list_outages(connection, 50)]
    for silence in silences:
        if not any(gap["lane"] == silence.service and _overlap(gap, silence.since, silence.back_at) for gap in gaps):
            words = f"{silence.service.title()} was silent"
            gaps.append(_gap(silence.service, silence.since, silence.back_at, words))
    return sorted((gap for gap in gaps if _overlap(gap, first, until)), key=lambda gap: gap["from_at"])


def _outage_gap(outage: Outage) -> dict[str, Any]:
    how = f" ({outage.how})" if outage.how else ""
    since = outage.since or outage.deaths[-1].noticed_at
    return _gap(outage.service, since, outage.until, f"{outage.service.title()} was down{how}")


def _gap(lane: str, from_at: datetime, to_at: datetime | None, words: str) -> dict[str, Any]:
    return {"lane": lane, "from_at": from_at, "to_at": to_at, "words": words}


def _overlap(gap: dict[str, Any], first: datetime, until: datetime | None) -> bool:
    begins_in_time = until is None or gap["from_at"] <= until
    return begins_in_time and (gap["to_at"] is None or gap["to_at"] > first)


def _awaited(state: str, row: Any, kinds: set[str]) -> list[tuple[str, datetime | None]]:
    """What should follow, or should have come before what came: words and by when, where that is known."""
    boarding_by = row.board_at + BOARDING_LASTS if row.board_at else None
    waits: list[tuple[str, datetime | None]] = []
    if state == "requested":
        waits = [("Dispatch's answer", row.answer_by)]
    elif state == "unplaced":
        waits = [("a vehicle", row.expires_at)]
    elif state in ("withdrawn", "by_hand") and row.ride_word not in (
        None,
        "stood_down",
        "unplaced",
        "refused",
        "missed",
    ):
        waits = [("the driver's standing down", row.answer_by)]
    elif state in ("planned", "accepted", "arrived", "boarded", "delivered"):
        steps = {"pickup.driver_arrived": ("the driver there", row.board_at), "pickup.boarded": ("aboard", boarding_by)}
        steps["pickup.delivered"] = ("delivered", row.deliver_at)
        waits = [wait for kind, wait in steps.items() if kind not in kinds and not _is_passed_over(kind, state)]
    if row.asked_word is None:
        waits.insert(0, ("Schedule's request", row.ride_at))
    return waits


def _is_passed_over(kind: str, state: str) -> bool:
    """A driver who is aboard with the passengers need not have tapped that they came."""
    return kind == "pickup.driver_arrived" and state in ("boarded", "delivered")
