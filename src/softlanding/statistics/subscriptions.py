"""Door for facts: every fact of the others is kept and counted; those about pickups, lives and incidents say more."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from softlanding import auth, conferences
from softlanding.contracts import Fact
from softlanding.contracts.dispatch import RIDES
from softlanding.contracts.everyone import IncidentOpened, IncidentSettled, LifeBegan, LifeEnded
from softlanding.contracts.schedule import PickupChanged, PickupRequested, PickupWithdrawn
from softlanding.database import Transaction
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import ANY, Handler
from softlanding.statistics import store

PEERS = ("schedule", "dispatch")


def make_handlers() -> dict[str, Handler]:
    people = auth.handlers("statistics", PEERS, keeps_contacts=False)
    return people | conferences.handlers("statistics") | {ANY: keep}


def keep(tx: Transaction, now: datetime, fact: Fact, envelope: Envelope) -> None:
    """Every fact, once: the inbox's cursor sees to that."""
    store.add_fact(tx, now, fact, envelope)
    save = _SAVE.get(type(fact))
    if save is not None:
        save(tx, now, fact, envelope)


_SAVE: dict[type[Fact], Callable[[Transaction, datetime, Any, Envelope], None]] = {
    **dict.fromkeys((PickupRequested, PickupChanged, PickupWithdrawn), store.save_asked),
    **dict.fromkeys(RIDES, store.save_ride),
    **dict.fromkeys((IncidentOpened, IncidentSettled), store.save_incident),
    LifeBegan: store.add_life,
    LifeEnded: store.end_life,
}
