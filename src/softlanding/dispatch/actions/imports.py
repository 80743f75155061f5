"""Whole tables of places, and of vehicles, drivers and shifts: read beside the writer, written some rows an action.

Each row is known again by its own key (a place by its name, a vehicle by its plate, a driver by name, a shift by its
vehicle and beginning). So the same table twice changes nothing, and one that was cut off half way does the rest when
it is given again.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.apart import read_file
from softlanding.conferences import Conference, zone_of
from softlanding.database import Database, Transaction
from softlanding.dispatch import model, store
from softlanding.dispatch.actions.fleet import (
    PLACES_MAX,
    SHIFTS_MAX,
    VEHICLES_MAX,
    check_count,
    fleet_changed,
    next_code,
    overlap,
    places_changed,
)
from softlanding.dispatch.actions.pickups import tell_crews
from softlanding.dispatch.model import Driver, Place, Shift, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.formats import read_fleet, read_places
from softlanding.formats.fleet_csv import FleetRow, plain_plate
from softlanding.formats.places_csv import PlaceRow
from softlanding.formats.table import RowFault

ROWS_AT_ONCE = 40  # A row takes 1 ms, and mending the plan up to 200: an action stays below 250 ms.


@dataclass
class Report:
    """What an import did, or would do."""

    dry_run: bool
    added: int = 0
    changed: int = 0
    same: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)

    def count(self, before: object, after: object) -> bool:
        """Whether there is something to save."""
        if before == after:
            self.same += 1
            return False
        self.added += before is None
        self.changed += before is not None
        return True

    def fault(self, row: int, reason: str) -> None:
        self.faults.append({"row": row, "reason": reason})

    def answer(self) -> dict[str, Any]:
        return {
            "dry_run": self.dry_run,
            "added": self.added,
            "changed": self.changed,
            "same": self.same,
            "faults": self.faults,
        }


async def import_place_table(
    database: Database, desk: Desk, conference: Conference, body: bytes | str, *, dry_run: bool
) -> dict[str, Any]:
    """A table of places. A dry run answers what would be done. Raises Invalid for a table that cannot be read as a
    whole, and Refused for one that would be too many; then nothing happened."""
    rows = await read_file(read_places, body, conference.zone)
    foreseen = await database.read(foresee_places, conference.slug, rows)
    return foreseen if dry_run else await _write(database, import_places, desk, conference.slug, rows)


async def import_fleet_table(
    database: Database, desk: Desk, conference: Conference, body: bytes | str, *, dry_run: bool
) -> dict[str, Any]:
    """A table of shifts with their vehicles and drivers. Else as `import_place_table`."""
    rows = await read_file(read_fleet, body, conference.zone)
    foreseen = await database.read(foresee_fleet, conference.slug, rows)
    return foreseen if dry_run else await _write(database, import_fleet, desk, conference.slug, rows)


async def _write(
    database: Database, action: Callable[..., dict[str, Any]], desk: Desk, slug: str, rows: Sequence[Any]
) -> dict[str, Any]:
    whole = Report(dry_run=False).answer()
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = await database.write(action, desk, slug, rows[begin : begin + ROWS_AT_ONCE])
        whole |= {name: whole[name] + part[name] for name in ("added", "changed", "same", "faults")}
    return whole


def foresee_places(connection: sa.Connection, conference: str, rows: Sequence[PlaceRow | RowFault]) -> dict[str, Any]:
    """What these rows would do. Raises Refused when they would be too many."""
    report = Report(dry_run=True)
    _take_places(store.load_places(connection, conference), conference, rows, report)
    return report.answer()


def import_places(
    tx: Transaction, now: datetime, desk: Desk, conference: str, rows: Sequence[PlaceRow | RowFault]
) -> dict[str, Any]:
    """Each row a place. Some rows of a table: `ROWS_AT_ONCE`."""
    report = Report(dry_run=False)
    saved = _take_places(store.load_places(tx.connection, conference), conference, rows, report)
    for place in saved:
        store.save_place(tx, place)
    if saved:
        places_changed(tx, now, desk, conference, [place.slug for place in saved])
    return report.answer()


def _take_places(
    known: dict[str, Place], conference: str, rows: Sequence[PlaceRow | RowFault], report: Report
) -> list[Place]:
    """Bring the rows in; the places that are new or other than they were."""
    by_name = {model.plain(place.name): slug for slug, place in reversed(known.items())}  # Of two the first.
    saved = []
    for row in rows:
        if isinstance(row, RowFault):
            report.fault(row.row, row.what)
            continue
        slug = by_name.setdefault(model.plain(row.name), _new_slug(row.name, known))
        place = _place(conference, slug, row, known.get(slug))
        if report.count(known.get(slug), place):
            saved.append(place)
        known[slug] = place
    check_count(known, PLACES_MAX, "places")
    return saved


def _new_slug(name: str, known: Mapping[str, Place]) -> str:
    slug, number = model.slug_of(name), 2
    while slug in known:
        slug, number = f"{model.slug_of(name)[:56]}-{number}", number + 1
    return slug


def _place(conference: str, slug: str, row: PlaceRow, before: Place | None) -> Place:
    """Address and note are not in the table, and it may lack columns: what no cell says stays as it is."""
    place = Place(
        conference=conference,
        slug=slug,
        name=row.name,
        kind=row.kind,
        latitude=row.latitude,
        longitude=row.longitude,
        zone=row.zone,
        iata=row.iata,
        exit_international_min=_minutes(row.exit_international),
        exit_domestic_min=_minutes(row.exit_domestic),
    )
    if before is None:
        return place
    kept = {field: getattr(before, field) for column, field in _FIELDS.items() if column not in row.said}
    if row.kind != "airport":
        kept.pop("iata", None)
    return replace(place, address=before.address, note=before.note, **kept)


_FIELDS = {
    "latitude": "latitude",
    "longitude": "longitude",
    "zone": "zone",
    "iata": "iata",
    "international exit minutes": "exit_international_min",
    "domestic exit minutes": "exit_domestic_min",
}
"""A table's column to the field of a place."""


def _minutes(length: timedelta | None) -> int | None:
    return None if length is None else round(length.total_seconds() / 60)


def foresee_fleet(connection: sa.Connection, conference: str, rows: Sequence[FleetRow | RowFault]) -> dict[str, Any]:
    """What these rows would do. Raises Refused when they would be too many."""
    report, numbers = Report(dry_run=True), count(1)
    fleet = _Fleet.load(connection, conference, new_id=lambda: f"foreseen-{next(numbers)}")
    fleet.take_all(rows, report)
    return report.answer()


def import_fleet(
    tx: Transaction, now: datetime, desk: Desk, conference: str, rows: Sequence[FleetRow | RowFault]
) -> dict[str, Any]:
    """Each row a shift, with its vehicle and driver. Places that a row names must be known. Some rows of a table:
    `ROWS_AT_ONCE`."""
    report = Report(dry_run=False)
    fleet = _Fleet.load(tx.connection, conference, new_id=tx.ids.new)
    known = set(fleet.vehicles)
    fleet.take_all(rows, report)
    if fleet.changed:
        crews = store.load_crews(tx.connection, conference)
        fleet.save(tx)
        driven = {one.code for one in fleet.changed if isinstance(one, Vehicle)} & known
        fleet_changed(tx, now, desk, conference, driven)
        tell_crews(tx, now, desk, conference, crews)
    return report.answer()


@dataclass
class _Fleet:
    """The fleet as it is and as a table changes it, by all that a row is known by."""

    conference: str
    places: Mapping[str, str]
    new_id: Callable[[], str]
    zone: ZoneInfo
    vehicles: dict[str, Vehicle] = field(default_factory=dict)
    plates: dict[str, str] = field(default_factory=dict)
    drivers: dict[str, Driver] = field(default_factory=dict)
    shifts: dict[str, Shift] = field(default_factory=dict)
    begun: dict[tuple[str, datetime], str] = field(default_factory=dict)
    roads: defaultdict[str, dict[str, Shift]] = field(default_factory=lambda: defaultdict(dict))
    changed: list[Vehicle | Driver | Shift] = field(default_factory=list)

    @staticmethod
    def load(connection: sa.Connection, conference: str, *, new_id: Callable[[], str]) -> "_Fleet":
        places = model.places_by_text(store.load_places(connection, conference))
        fleet = _Fleet(conference, places, new_id, zone_of(connection, conference))
        for vehicle in store.load_vehicles(connection, conference).values():
            fleet._keep_vehicle(vehicle)
        fleet.drivers = {model.plain(one.name): one for one in store.list_drivers(connection, conference)}
        for shift in store.load_shifts(connection, conference).values():
            fleet._keep_shift(shift)
        return fleet

    def take_all(self, rows: Sequence[FleetRow | RowFault], report: Report) -> None:
        for row in rows:
            fault = row.what if isinstance(row, RowFault) else self._take(row, report)
            if fault:
                report.fault(row.row, fault)
        check_count(self.vehicles, VEHICLES_MAX, "vehicles")
        check_count(self.shifts, SHIFTS_MAX, "shifts")

    def _take(self, row: FleetRow, report: Report) -> str:
        """Bring one row in; what is wrong with it otherwise."""
        start = model.find_place(row.start_place, self.places)
        if start is None:
            return f"place '{row.start_place}' is not known: import places first, or add it under Places"
        vehicle, driver = self._vehicle(row, start), self._driver(row)
        shift = Shift(
            self.begun.get((vehicle.code, row.shift_starts_at)) or self.new_id(),
            self.conference,
            vehicle.code,
            driver.id,
            row.shift_starts_at,
            row.shift_ends_at,
            start,
        )
        before = self.shifts.get(shift.id)
        if before is not None:
            shift = replace(shift, at_place=before.at_place, at_since=before.at_since)
        if clash := overlap(shift, (*self.roads[vehicle.code].values(), *self.roads[driver.id].values()), self.zone):
            return clash
        known = (before, self.vehicles.get(vehicle.code), self.drivers.get(model.plain(row.driver)))
        if report.count(known if before else None, (shift, vehicle, driver)):
            self._keep_vehicle(vehicle)
            self.drivers[model.plain(driver.name)] = driver
            self._keep_shift(shift)
            self.changed += [vehicle, driver, shift]
        return ""

    def _vehicle(self, row: FleetRow, start: str) -> Vehicle:
        before = self.vehicles.get(self.plates.get(plain_plate(row.plate), ""))
        return Vehicle(
            conference=self.conference,
            code=before.code if before else next_code(self.vehicles),
            name=row.vehicle,
            plate=row.plate,
            seats=row.seats,
            luggage=before.luggage if before and "luggage" not in row.said else row.luggage,
            wheelchair_places=before.wheelchair_places
            if before and "wheelchair places" not in row.said
            else row.wheelchair_places,
            start_place=before.start_place if before else start,
        )

    def _driver(self, row: FleetRow) -> Driver:
        before = self.drivers.get(model.plain(row.driver))
        if before is not None:
            return replace(before, phone=row.phone or before.phone)
        return Driver(self.new_id(), self.conference, row.driver, row.phone, "").with_link(self.new_id())

    def _keep_vehicle(self, vehicle: Vehicle) -> None:
        self.vehicles[vehicle.code] = vehicle
        self.plates.setdefault(plain_plate(vehicle.plate), vehicle.code)

    def _keep_shift(self, shift: Shift) -> None:
        before = self.shifts.get(shift.id)
        if before is not None:
            self.roads[before.driver].pop(shift.id, None)
        self.shifts[shift.id] = shift
        self.begun[shift.vehicle, shift.from_at] = shift.id
        self.roads[shift.vehicle][shift.id] = self.roads[shift.driver][shift.id] = shift

    def save(self, tx: Transaction) -> None:
        for one in self.changed:
            if isinstance(one, Vehicle):
                store.save_vehicle(tx, one)
            elif isinstance(one, Driver):
                store.save_driver(tx, one)
            else:
                store.save_shift(tx, one)
