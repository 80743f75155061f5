"""The sample's places and fleet: loaded where nothing is yet, and moved along while nobody has touched them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from softlanding import incidents
from softlanding.database import Transaction
from softlanding.dispatch import store
from softlanding.dispatch.actions.fleet import fleet_changed
from softlanding.dispatch.actions.imports import import_fleet, import_places
from softlanding.dispatch.model import Shift, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.formats.fleet_csv import FleetRow, plain_plate
from softlanding.sample import ACRONYM, Sample


def load_sample(tx: Transaction, now: datetime, desk: Desk, given: Sample) -> dict[str, Any]:
    """The sample's places and fleet where nothing is yet; moved to another first day where nobody touched them."""
    conference = ACRONYM
    shifts = store.load_shifts(tx.connection, conference)
    if not shifts and not store.load_places(tx.connection, conference):
        import_places(tx, now, desk, conference, given.places)
        return {"did": "loaded"} | import_fleet(tx, now, desk, conference, given.fleet)
    moved = _moved_by(shifts, given.fleet, store.load_vehicles(tx.connection, conference))
    if not moved:
        return {"did": "nothing"}
    for shift, row in _in_safe_order(shifts, moved):
        was = shifts[shift]
        later = replace(was, from_at=row.shift_starts_at, to_at=row.shift_ends_at, at_place=None, at_since=None)
        store.save_shift(tx, later)
    fleet_changed(tx, now, desk, conference, {one.vehicle for one in shifts.values()})
    _settle_old(tx, now, conference)
    return {"did": "moved", "changed": len(moved)}


def _moved_by(shifts: dict[str, Shift], fleet: Sequence[FleetRow], vehicles: dict[str, Vehicle]) -> dict[str, FleetRow]:
    """Which shift becomes which, if these are the sample's shifts of another day; {} if not, or of this day."""
    ours = sorted((plain_plate(vehicles[one.vehicle].plate), one.from_at, one.to_at, one.id) for one in shifts.values())
    theirs = sorted(fleet, key=lambda row: (plain_plate(row.plate), row.shift_starts_at))
    if len(ours) != len(theirs) or not ours:
        return {}
    apart = {
        (row.shift_starts_at - from_at, row.shift_ends_at - to_at, plate == plain_plate(row.plate))
        for (plate, from_at, to_at, _), row in zip(ours, theirs, strict=True)
    }
    # A change of clocks on the way moves all by an hour more or less, at both ends.
    whole = [one for one in apart if one[2] and abs(one[0] - one[1]) <= timedelta(hours=1)]
    days = {round(one[0] / timedelta(days=1)) for one in apart}
    if len(whole) != len(apart) or len(days) != 1 or days == {0}:
        return {}
    return {identity: row for (_, _, _, identity), row in zip(ours, theirs, strict=True)}


def _in_safe_order(shifts: dict[str, Shift], moved: dict[str, FleetRow]) -> list[tuple[str, FleetRow]]:
    """So that none takes the hour of another that has not moved yet."""
    is_later = all(row.shift_starts_at > shifts[key].from_at for key, row in moved.items())
    return sorted(moved.items(), key=lambda item: (shifts[item[0]].from_at, item[0]), reverse=is_later)


def _settle_old(tx: Transaction, now: datetime, conference: str) -> None:
    """Nobody had to fetch the sample's passengers: what was missed while nothing ran is no alarm."""
    for incident in incidents.list_incidents(tx.connection, conference=conference, is_open=True, most=1000):
        if incident.kind == "missed" and incident.conference == conference:
            note = "the sample conference was moved to another day"
            incidents.settle_incident(tx, now, incident.id, by="Softlanding", word="not needed", note=note)
