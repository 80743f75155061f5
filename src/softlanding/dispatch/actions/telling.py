"""What drivers are told and have seen: a ride that changes or goes away is told on the phone that showed it until its
driver says that they have seen it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from softlanding.database import Transaction
from softlanding.dispatch import model, store
from softlanding.dispatch.model import Crew, Pickup, Shown
from softlanding.dispatch.store import ToldRow


def note_shown(tx: Transaction, now: datetime, conference: str, driver: str, codes: Iterable[str]) -> None:
    """These rides stand on the driver's page for the first time, or again: from now on each change of them is told."""
    crews = store.load_crews(tx.connection, conference)
    for code in codes:
        pickup = store.load_pickup(tx.connection, conference, code)
        known = in_force(pickup, crews.get(pickup.shift or ""), driver)
        if known is not None:
            store.keep_told(tx, ToldRow(driver, pickup.id, conference, known, now, known, now))


def note_change(tx: Transaction, at: datetime, pickup: Pickup, crew: Crew | None) -> None:
    """The ride is told anew, on this crew's car or on none: what that is for whoever was shown it."""
    for row in store.list_told(tx.connection, "pickup", pickup.id):
        after = in_force(pickup, crew, row.driver)
        if pickup.status == "no_show":  # Its driver said so, and knows it.
            store.keep_told(tx, replace(row, seen=None, seen_at=at, now=None, now_at=at))
            continue
        if after is not None and row.now is not None and pickup.status in ("boarded", "delivered"):
            after = replace(row.now, to_place=after.to_place)  # Where to is all that is news of who sits in the car.
        if after != row.now:
            store.keep_told(tx, replace(row, now=after, now_at=at))


def in_force(pickup: Pickup, crew: Crew | None, driver: str) -> Shown | None:
    """What this driver goes by; None when the ride is not theirs."""
    if crew is None or crew.driver != driver or not (pickup.is_on_vehicle or pickup.status == "delivered"):
        return None
    return model.shown(pickup, " ".join((crew.vehicle, crew.plate)).strip())


def see(
    tx: Transaction, now: datetime, conference: str, code: str, version: str, *, driver: str, by: str
) -> dict[str, Any]:
    """The driver has seen what was told in this `version` (the time of the change). What changed since is told on."""
    pickup = store.load_pickup(tx.connection, conference, code)
    rows = store.list_told(tx.connection, "pickup", pickup.id)
    row = next((one for one in rows if one.driver == driver), None)
    if row is None or not row.is_unseen:
        return {"code": pickup.code, "state": "seen", "words": "seen"}
    if row.now_at.isoformat() != version:
        return {"code": pickup.code, "state": "changed", "words": f"{pickup.code} has changed once more: look again"}
    store.keep_told(tx, replace(row, seen=row.now, seen_at=now))
    store.note_seen(tx, now, driver)
    store.add_history(tx, now, pickup.id, f"the driver has seen that {'it changed' if row.now else 'it is gone'}", by)
    return {"code": pickup.code, "state": "seen", "words": "seen; the desk knows"}
