"""Dispatch's door for facts: pickups that Schedule asks for. Facts of no interest just move the cursor."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from softlanding.contracts.schedule import PickupState
from softlanding.database import Transaction
from softlanding.dispatch.actions import pickups
from softlanding.dispatch.plans import Desk
from softlanding.errors import Refused
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler

OnRefused = Callable[[Transaction, datetime, Any, Envelope, Refused], None]


def handlers(desk: Desk) -> Mapping[str, Handler]:
    """By full type. What a handler refuses is answered by `on_refused`."""

    def request(tx: Transaction, now: datetime, fact: PickupState, envelope: Envelope) -> None:
        pickups.hear_request(tx, now, desk, fact, envelope)

    def withdraw(tx: Transaction, now: datetime, fact: PickupState, envelope: Envelope) -> None:
        pickups.hear_withdrawn(tx, now, desk, fact, envelope)

    return {
        "schedule.pickup.requested": request,
        "schedule.pickup.changed": request,
        "schedule.pickup.withdrawn": withdraw,
    }


def on_refused(desk: Desk) -> OnRefused:
    """A refusal is an answer, told as a fact."""

    def refuse(tx: Transaction, now: datetime, fact: Any, envelope: Envelope, refused: Refused) -> None:
        if isinstance(fact, PickupState):
            pickups.refuse_request(tx, now, desk, fact, envelope, refused)

    return refuse
