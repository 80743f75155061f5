"""What Schedule hears: Dispatch's word about each pickup. The word about a revision ends the watch over it."""

from collections.abc import Mapping
from datetime import datetime

from softlanding import auth, conferences
from softlanding.contracts import SOURCES, full_type
from softlanding.contracts.dispatch import RIDES, PlacesChanged, RideState
from softlanding.database import Transaction
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Handler
from softlanding.schedule import store
from softlanding.schedule.model import SETTLING_WORDS
from softlanding.schedule.store.pickups import Ride

ME = "schedule"
PEERS = tuple(source for source in SOURCES if source != ME)
TAPPED = ("accepted", "arrived", "boarded", "delivered", "no_show")  # By a person: the sample is in use.

STATES = {ride.TYPE: ride.TYPE.removeprefix("pickup.") for ride in RIDES} | {"pickup.driver_arrived": "arrived"}


def handlers() -> Mapping[str, Handler]:
    rides: dict[str, Handler] = {full_type("dispatch", ride): hear_ride for ride in RIDES}
    places: dict[str, Handler] = {full_type("dispatch", PlacesChanged): hear_places}
    return auth.handlers(ME, PEERS) | conferences.handlers(ME) | rides | places


def hear_places(tx: Transaction, _now: datetime, fact: PlacesChanged, _envelope: Envelope) -> None:
    """The choices of "where to" in forms."""
    store.programmes.keep_destinations(tx, fact.conference, fact.names)


def hear_ride(tx: Transaction, now: datetime, fact: RideState, envelope: Envelope) -> None:
    """Keep the ride as Dispatch has it now; end the watch if this answers what is watched.

    The fact's type is what was said, its status where the ride stands: a late word does not set it back.

    Revisions compare within one epoch; the word of a newer epoch replaces an older one's. A pickup that is not known
    here (this database was copied back) is kept all the same: it is the whole state.
    """
    word = STATES[fact.TYPE]
    if word in SETTLING_WORDS:
        store.pickups.end_watch(tx, now, fact.pickup, fact.revision, word)
    if word in TAPPED:
        store.programmes.touch_sample(tx)
    known = store.pickups.load_ride(tx.connection, fact.pickup)
    if known is not None and known.epoch == envelope.epoch and fact.revision < known.revision:
        return
    store.pickups.keep_ride(
        tx, Ride(fact.pickup, envelope.epoch, fact.revision, fact.status, fact, now, envelope.sequence)
    )
