"""Places, vehicles, drivers, shifts: entered one by one or as a table, and what each change does to the plan."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from softlanding import incidents
from softlanding.contracts.dispatch import PlacesChanged
from softlanding.database import Transaction
from softlanding.dispatch import model, plans, store
from softlanding.dispatch.actions.pickups import lose, mend, publish, stir
from softlanding.dispatch.model import Driver, Place, Shift, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.errors import Fault, Invalid, NotFound, Refused
from softlanding.formats.fleet_csv import FleetRow
from softlanding.formats.places_csv import PlaceRow
from softlanding.formats.table import RowFault
from softlanding.messaging import outbox
from softlanding.sample import ACRONYM, Sample

SHIFT_MAX = timedelta(hours=16)
VEHICLES_MAX, SHIFTS_MAX, PLACES_MAX = 500, 5000, 500  # A plan looks at all of them.


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


def import_places(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    conference: str,
    rows: Sequence[PlaceRow | RowFault],
    dry_run: bool = False,
) -> dict[str, Any]:
    """Each row a place, known again by its name. The same table twice changes nothing."""
    report = Report(dry_run)
    known = store.load_places(tx.connection, conference)
    saved = []
    for row in rows:
        if isinstance(row, RowFault):
            report.fault(row.row, row.what)
            continue
        slug = _slug_for(row.name, known)
        place = _place(conference, slug, row, known.get(slug))
        if report.count(known.get(slug), place):
            saved.append(place)
        known[slug] = place
    _check_count(known, PLACES_MAX, "places")
    if saved and not dry_run:
        for place in saved:
            store.save_place(tx, place)
        _places_changed(tx, now, desk, conference)
    return report.answer()


def _slug_for(name: str, known: dict[str, Place]) -> str:
    """The slug of the place with this name, or a new one."""
    same = next((slug for slug, place in known.items() if model.plain(place.name) == model.plain(name)), None)
    if same is not None:
        return same
    slug, number = model.slug_of(name), 2
    while slug in known:
        slug, number = f"{model.slug_of(name)[:56]}-{number}", number + 1
    return slug


def _place(conference: str, slug: str, row: PlaceRow, before: Place | None) -> Place:
    """Address and note are not in the table: they stay."""
    return Place(
        conference=conference,
        slug=slug,
        name=row.name,
        kind=row.kind,
        latitude=row.latitude,
        longitude=row.longitude,
        zone=row.zone,
        iata=row.iata,
        address=before.address if before else "",
        note=before.note if before else "",
        exit_international_min=_minutes(row.exit_international),
        exit_domestic_min=_minutes(row.exit_domestic),
    )


def _minutes(length: timedelta | None) -> int | None:
    return None if length is None else round(length.total_seconds() / 60)


def _check_count(found: Iterable[object], most: int, what: str) -> None:
    count = len(list(found))
    if count > most:
        raise Refused(f"that would be {count} {what}; more than {most} is not planned for")


def save_place(tx: Transaction, now: datetime, desk: Desk, place: Place) -> dict[str, Any]:
    """A place, new or changed. Whoever waits because it was not known is planned at once."""
    known = store.load_places(tx.connection, place.conference)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", place.slug):
        raise Invalid(Fault("slug", "use small letters, digits and hyphens: hotel-adlon"))
    same = next((one for one in known.values() if model.plain(one.name) == model.plain(place.name)), None)
    if same is not None and same.slug != place.slug:
        raise Refused(f"{same.name} is a place already: {same.slug}")
    _check_count({*known, place.slug}, PLACES_MAX, "places")
    before = known.get(place.slug)
    if before != place:
        store.save_place(tx, place)
        _places_changed(tx, now, desk, place.conference)
    return {"slug": place.slug, "is_new": before is None}


def remove_place(tx: Transaction, now: datetime, _desk: Desk, conference: str, slug: str) -> dict[str, Any]:
    """Raises Refused while rides or shifts need it."""
    if slug not in store.load_places(tx.connection, conference):
        raise NotFound(f"there is no place {slug} here")
    if store.is_place_used(tx.connection, conference, slug):
        raise Refused(f"{slug} is needed by rides or shifts; change those first")
    store.remove_place(tx, conference, slug)
    _tell_places(tx, conference)
    stir(tx, now, conference)
    return {"slug": slug, "removed": True}


def _places_changed(tx: Transaction, now: datetime, desk: Desk, conference: str) -> None:
    _tell_places(tx, conference)
    stir(tx, now, conference, freed=True)
    mend(tx, now, desk, conference, reason="places changed")


def _tell_places(tx: Transaction, conference: str) -> None:
    """Schedule's forms offer these as destinations."""
    places = store.load_places(tx.connection, conference).values()
    names = sorted(place.name for place in places if place.kind != "airport")
    outbox.add(tx, PlacesChanged(conference=conference, names=tuple(names)))


def import_fleet(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    conference: str,
    rows: Sequence[FleetRow | RowFault],
    dry_run: bool = False,
) -> dict[str, Any]:
    """Each row a shift, with its vehicle (known again by its plate) and driver (by name). Twice is once. Places that a
    row names must be known."""
    report, fleet = Report(dry_run), _Fleet.load(tx, conference)
    for row in rows:
        if isinstance(row, RowFault):
            report.fault(row.row, row.what)
        elif fault := fleet.take(tx, row, report):
            report.fault(row.row, fault)
    _check_count(fleet.vehicles, VEHICLES_MAX, "vehicles")
    _check_count(fleet.shifts, SHIFTS_MAX, "shifts")
    if fleet.changed and not dry_run:
        fleet.save(tx)
        _fleet_changed(tx, now, desk, conference)
    return report.answer()


@dataclass
class _Fleet:
    """The fleet as it is and as a table changes it."""

    conference: str
    by_text: dict[str, str]
    vehicles: dict[str, Vehicle]
    drivers: dict[str, Driver]
    shifts: dict[str, Shift]
    changed: list[Vehicle | Driver | Shift] = field(default_factory=list)

    @staticmethod
    def load(tx: Transaction, conference: str) -> "_Fleet":
        known = store.load_places(tx.connection, conference)
        drivers = {model.plain(one.name): one for one in store.list_drivers(tx.connection, conference)}
        vehicles = store.load_vehicles(tx.connection, conference)
        shifts = store.load_shifts(tx.connection, conference)
        return _Fleet(conference, model.places_by_text(known), vehicles, drivers, shifts)

    def take(self, tx: Transaction, row: FleetRow, report: Report) -> str:
        """Bring one row in; what is wrong with it otherwise."""
        start = model.find_place(row.start_place, self.by_text)
        if start is None:
            return f"place '{row.start_place}' is not known: import places first, or add it under Places"
        vehicle = self._vehicle(row, start)
        driver = self._driver(tx, row)
        before = next(
            (one for one in self.shifts.values() if (one.vehicle, one.from_at) == (vehicle.code, row.shift_starts_at)),
            None,
        )
        shift = replace(before, driver=driver.id, to_at=row.shift_ends_at, start_place=start) if before else None
        if shift is None:
            shift = Shift(
                tx.ids.new(), self.conference, vehicle.code, driver.id, row.shift_starts_at, row.shift_ends_at, start
            )
        if clash := overlap(shift, self.shifts.values()):
            return clash
        known = (before, self.vehicles.get(vehicle.code), self.drivers.get(model.plain(row.driver)))
        if report.count(known if before else None, (shift, vehicle, driver)):
            self._keep(vehicle, driver, shift)
        return ""

    def _keep(self, vehicle: Vehicle, driver: Driver, shift: Shift) -> None:
        self.vehicles[vehicle.code] = vehicle
        self.drivers[model.plain(driver.name)] = driver
        self.shifts[shift.id] = shift
        self.changed += [vehicle, driver, shift]

    def _vehicle(self, row: FleetRow, start: str) -> Vehicle:
        before = next((one for one in self.vehicles.values() if _plate(one.plate) == _plate(row.plate)), None)
        return Vehicle(
            conference=self.conference,
            code=before.code if before else next_code(self.vehicles),
            name=row.vehicle,
            plate=row.plate,
            seats=row.seats,
            luggage=row.luggage,
            wheelchair_places=row.wheelchair_places,
            start_place=before.start_place if before else start,
        )

    def _driver(self, tx: Transaction, row: FleetRow) -> Driver:
        before = self.drivers.get(model.plain(row.driver))
        if before is not None:
            return replace(before, phone=row.phone or before.phone)
        return Driver(tx.ids.new(), self.conference, row.driver, row.phone, tx.ids.secret())

    def save(self, tx: Transaction) -> None:
        for one in self.changed:
            if isinstance(one, Vehicle):
                store.save_vehicle(tx, one)
            elif isinstance(one, Driver):
                store.save_driver(tx, one)
            else:
                store.save_shift(tx, one)


def next_code(vehicles: dict[str, Vehicle]) -> str:
    """V1, V2, …: what is painted on the window of a vehicle for which nobody chose."""
    number = len(vehicles) + 1
    while f"V{number}" in vehicles:
        number += 1
    return f"V{number}"


def overlap(shift: Shift, others: Iterable[Shift]) -> str:
    """Why this car or driver cannot drive then; "" if they can."""
    for other in others:
        if other.id == shift.id or other.from_at >= shift.to_at or other.to_at <= shift.from_at:
            continue
        if other.vehicle == shift.vehicle:
            return f"the vehicle has another shift from {other.from_at:%Y-%m-%d %H:%M} to {other.to_at:%H:%M} UTC"
        if other.driver == shift.driver:
            return f"the driver has another shift from {other.from_at:%Y-%m-%d %H:%M} to {other.to_at:%H:%M} UTC"
    return ""


def _plate(plate: str) -> str:
    return re.sub(r"[^a-z0-9]", "", plate.casefold())


def save_vehicle(tx: Transaction, now: datetime, desk: Desk, vehicle: Vehicle) -> dict[str, Any]:
    """A vehicle, new or changed."""
    known = store.load_vehicles(tx.connection, vehicle.conference)
    before = known.get(vehicle.code)
    same = next((one for one in known.values() if vehicle.plate and _plate(one.plate) == _plate(vehicle.plate)), None)
    if same is not None and same.code != vehicle.code:
        raise Refused(f"{same.code} has the plate {same.plate} already")
    _check_count({*known, vehicle.code}, VEHICLES_MAX, "vehicles")
    kept = replace(vehicle, start_place=vehicle.start_place or (before.start_place if before else None))
    if before != kept:
        store.save_vehicle(tx, kept)
        _fleet_changed(tx, now, desk, vehicle.conference)
    return {"vehicle": vehicle.code, "is_new": before is None}


def remove_vehicle(tx: Transaction, now: datetime, desk: Desk, conference: str, code: str) -> dict[str, Any]:
    """With its shifts; their rides are planned anew. Raises Refused while somebody is aboard."""
    if code not in store.load_vehicles(tx.connection, conference):
        raise NotFound(f"there is no vehicle {code} here")
    for shift in store.load_shifts(tx.connection, conference).values():
        if shift.vehicle == code:
            _end_shift(tx, now, desk, shift)
    store.remove_vehicle(tx, conference, code)
    stir(tx, now, conference, freed=True)
    return {"vehicle": code, "removed": True}


def add_driver(tx: Transaction, now: datetime, conference: str, name: str, phone: str) -> dict[str, Any]:
    """A driver with a personal link. Raises Refused when somebody here bears that name."""
    if any(model.plain(one.name) == model.plain(name) for one in store.list_drivers(tx.connection, conference)):
        raise Refused(f"{name} is a driver here already; add something to tell them apart")
    driver = Driver(tx.ids.new(), conference, name, phone, tx.ids.secret())
    store.save_driver(tx, driver)
    stir(tx, now, conference)
    return {"driver": driver.id, "token": driver.token}


def renew_link(tx: Transaction, _now: datetime, conference: str, driver: str) -> dict[str, Any]:
    """Another personal link; the old one ends at once."""
    renewed = replace(store.load_driver(tx.connection, conference, driver), token=tx.ids.secret(), seen_at=None)
    store.save_driver(tx, renewed)
    return {"driver": driver, "token": renewed.token}


def remove_driver(tx: Transaction, now: datetime, desk: Desk, conference: str, driver: str) -> dict[str, Any]:
    """With the shifts to come; their rides are planned anew. Raises Refused while somebody is aboard."""
    gone = replace(store.load_driver(tx.connection, conference, driver), removed_at=now)
    for shift in store.load_shifts(tx.connection, conference).values():
        if shift.driver == driver and shift.to_at > now:
            _end_shift(tx, now, desk, shift)
    store.save_driver(tx, gone)
    stir(tx, now, conference, freed=True)
    return {"driver": driver, "removed": True}


def add_shift(
    tx: Transaction,
    now: datetime,
    desk: Desk,
    conference: str,
    *,
    driver: str,
    vehicle: str,
    from_at: datetime,
    to_at: datetime,
    start_place: str = "",
) -> dict[str, Any]:
    """When a driver drives which vehicle; from the named place on, else from the vehicle's own, else from the venue."""
    car = store.load_vehicles(tx.connection, conference).get(vehicle)
    if car is None:
        raise Invalid(Fault("vehicle", f"there is no vehicle {vehicle} here"))
    store.load_driver(tx.connection, conference, driver)
    if not timedelta(0) < to_at - from_at <= SHIFT_MAX:
        raise Invalid(Fault("to", "a shift ends after it begins, within 16 hours"))
    start = _start(store.load_places(tx.connection, conference), start_place, car)
    shift = Shift(tx.ids.new(), conference, vehicle, driver, from_at, to_at, start)
    known = store.load_shifts(tx.connection, conference)
    if clash := overlap(shift, known.values()):
        raise Refused(clash)
    _check_count({*known, shift.id}, SHIFTS_MAX, "shifts")
    store.save_shift(tx, shift)
    _fleet_changed(tx, now, desk, conference)
    return {"shift": shift.id}


def _start(places: dict[str, Place], text: str, car: Vehicle) -> str:
    if text:
        slug = model.find_place(text, model.places_by_text(places))
        if slug is None:
            raise Invalid(Fault("start_place", f"place '{text}' is not known: add it under Places"))
        return slug
    if car.start_place in places:
        return str(car.start_place)
    venues = [slug for slug, place in places.items() if place.kind == "venue"]
    if not venues and not places:
        raise Refused("there is no place yet where a shift could start: add one under Places")
    return (venues or sorted(places))[0]


def remove_shift(tx: Transaction, now: datetime, desk: Desk, conference: str, shift: str) -> dict[str, Any]:
    """Its rides are planned anew. Raises Refused while somebody is aboard."""
    known = store.load_shifts(tx.connection, conference).get(shift)
    if known is None:
        raise NotFound("there is no such shift")
    _end_shift(tx, now, desk, known)
    stir(tx, now, conference, freed=True)
    return {"shift": shift, "removed": True}


def _end_shift(tx: Transaction, now: datetime, desk: Desk, shift: Shift) -> None:
    before = plans.take_hand(tx, now, desk, shift.conference)
    mine = [one for one in before.pickups.values() if one.shift == shift.id and one.is_on_vehicle]
    busy = next((one for one in mine if one.status in ("arrived", "boarded")), None)
    if busy is not None:
        raise Refused(f"{busy.code} is {model.said(busy.status)} on that shift; let the ride end, or move it first")
    hand = before
    for pickup in mine:
        hand = plans.without(hand, pickup.id)
    if mine:
        words = "the shift was taken out"
        hand = publish(tx, now, desk, hand, (shift.id,), reason=words, freed=True)
        lose(tx, now, hand, before, [pickup.id for pickup in mine], words)
    store.remove_shift(tx, shift.id)
    stir(tx, now, shift.conference, freed=True)


def _fleet_changed(tx: Transaction, now: datetime, desk: Desk, conference: str) -> None:
    stir(tx, now, conference, freed=True)
    mend(tx, now, desk, conference, reason="the fleet changed")


# The sample


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
    _fleet_changed(tx, now, desk, conference)
    _settle_old(tx, now, conference)
    return {"did": "moved", "changed": len(moved)}


def _moved_by(shifts: dict[str, Shift], fleet: Sequence[FleetRow], vehicles: dict[str, Vehicle]) -> dict[str, FleetRow]:
    """Which shift becomes which, if these are the sample's shifts of another day; {} if not, or of this day."""
    ours = sorted((_plate(vehicles[one.vehicle].plate), one.from_at, one.to_at, one.id) for one in shifts.values())
    theirs = sorted(fleet, key=lambda row: (_plate(row.plate), row.shift_starts_at))
    if len(ours) != len(theirs) or not ours:
        return {}
    apart = {
        (row.shift_starts_at - from_at, row.shift_ends_at - to_at, plate == _plate(row.plate))
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
