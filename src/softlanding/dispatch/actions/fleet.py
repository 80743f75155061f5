"""Places, vehicles, drivers, shifts: entered one by one, and what each change does to the plan."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from softlanding.conferences import zone_of
from softlanding.contracts.dispatch import PlacesChanged
from softlanding.database import Transaction
from softlanding.dispatch import model, plans, store
from softlanding.dispatch.actions.pickups import lose, mend, publish, stir, tell_crews, tell_meeting
from softlanding.dispatch.model import Driver, Pickup, Place, Shift, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.errors import Fault, Invalid, NotFound, Refused
from softlanding.formats.fleet_csv import plain_plate
from softlanding.formats.when import is_zone, no_zone
from softlanding.messaging import outbox

SHIFT_MAX = timedelta(hours=16)
VEHICLES_MAX, SHIFTS_MAX, PLACES_MAX = 500, 2000, 500  # A plan looks at all of them, within a quarter of a second.

Changes = Mapping[str, Any]
"""Field's name to what it is from now on; all that is not named stays as it is."""


def check_count(found: Iterable[object], most: int, what: str) -> None:
    count = len(list(found))
    if count > most:
        raise Refused(f"that would be {count} {what}; more than {most} is not planned for: take out those not needed")


def add_place(tx: Transaction, now: datetime, desk: Desk, place: Place) -> dict[str, Any]:
    """A new place. Raises Refused where its short name or name is taken: what exists is edited, not overwritten."""
    known = store.load_places(tx.connection, place.conference).get(place.slug)
    if known is not None:
        raise Refused(f"{place.slug} is a place already, {known.name}: edit it, or choose another short name")
    return save_place(tx, now, desk, place)


def change_place(
    tx: Transaction, now: datetime, desk: Desk, conference: str, slug: str, changes: Changes
) -> dict[str, Any]:
    """What `changes` names of a place is so from now on, and nothing else of it changes. Raises NotFound."""
    known = store.load_places(tx.connection, conference).get(slug)
    if known is None:
        raise NotFound(f"there is no place {slug} here")
    return save_place(tx, now, desk, replace(known, **changes))


def save_place(tx: Transaction, now: datetime, desk: Desk, place: Place) -> dict[str, Any]:
    """A whole place, new or changed. Whoever waits because it was not known is planned at once."""
    known = store.load_places(tx.connection, place.conference)
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,59}", place.slug):
        raise Invalid(Fault("slug", "use small letters, digits and hyphens: hotel-adlon"))
    if place.iata and place.kind != "airport":
        raise Invalid(Fault("iata", "only airports have a code: leave it empty, or choose airport as the kind"))
    if not is_zone(place.zone):
        raise Invalid(Fault("zone", no_zone(place.zone)))
    same = next((one for one in known.values() if model.plain(one.name) == model.plain(place.name)), None)
    if same is not None and same.slug != place.slug:
        raise Refused(f"{same.name} is a place already, {same.slug}: edit it, or choose another name")
    check_count({*known, place.slug}, PLACES_MAX, "places")
    before = known.get(place.slug)
    if before != place:
        store.save_place(tx, place)
        places_changed(tx, now, desk, place.conference, (place.slug,))
        if before is not None and before.note != place.note:
            tell_meeting(tx, now, desk, place)
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


def places_changed(tx: Transaction, now: datetime, desk: Desk, conference: str, slugs: Iterable[str]) -> None:
    """After these places were saved: where manifests lead to one of them, they are mended."""
    _tell_places(tx, conference)
    stir(tx, now, conference, freed=True)
    if not store.list_places_of_stops(tx.connection, conference).isdisjoint(slugs):
        mend(tx, now, desk, conference, reason="places changed")


def _tell_places(tx: Transaction, conference: str) -> None:
    """Schedule's forms offer these as destinations."""
    places = store.load_places(tx.connection, conference).values()
    names = sorted(place.name for place in places if place.kind != "airport")
    outbox.add(tx, PlacesChanged(conference=conference, names=tuple(names)))


def next_code(vehicles: dict[str, Vehicle]) -> str:
    """V1, V2, …: what is painted on the window of a vehicle for which nobody chose."""
    number = len(vehicles) + 1
    while f"V{number}" in vehicles:
        number += 1
    return f"V{number}"


def overlap(shift: Shift, others: Iterable[Shift], zone: ZoneInfo) -> str:
    """Why this car or driver cannot drive then, told in this zone; "" if they can."""
    for other in others:
        if other.id == shift.id or other.from_at >= shift.to_at or other.to_at <= shift.from_at:
            continue
        who = "vehicle" if other.vehicle == shift.vehicle else "driver" if other.driver == shift.driver else ""
        if who:
            from_at, to_at = other.from_at.astimezone(zone), other.to_at.astimezone(zone)
            times = f"from {from_at:%Y-%m-%d %H:%M} to {to_at:%H:%M}"
            return f"the {who} has another shift {times}; choose other times or another {who}"
    return ""


def add_vehicle(tx: Transaction, now: datetime, desk: Desk, vehicle: Vehicle) -> dict[str, Any]:
    """A new vehicle. Raises Refused where its code or plate is taken: what exists is edited, not overwritten."""
    known = store.load_vehicles(tx.connection, vehicle.conference).get(vehicle.code)
    if known is not None:
        raise Refused(f"{vehicle.code} is a vehicle already, {known.name}: edit it, or choose another code")
    return save_vehicle(tx, now, desk, vehicle)


def change_vehicle(
    tx: Transaction, now: datetime, desk: Desk, conference: str, code: str, changes: Changes
) -> dict[str, Any]:
    """What `changes` names of a vehicle is so from now on, and nothing else of it changes. Raises NotFound."""
    known = store.load_vehicles(tx.connection, conference).get(code)
    if known is None:
        raise NotFound(f"there is no vehicle {code} here")
    return save_vehicle(tx, now, desk, replace(known, **changes))


def save_vehicle(tx: Transaction, now: datetime, desk: Desk, vehicle: Vehicle) -> dict[str, Any]:
    """A whole vehicle, new or changed. Its start place may be given by any of its names."""
    known = store.load_vehicles(tx.connection, vehicle.conference)
    before = known.get(vehicle.code)
    same = next(
        (one for one in known.values() if vehicle.plate and plain_plate(one.plate) == plain_plate(vehicle.plate)), None
    )
    if same is not None and same.code != vehicle.code:
        raise Refused(f"{same.code} has the plate {same.plate} already: edit that one, or correct the plate")
    check_count({*known, vehicle.code}, VEHICLES_MAX, "vehicles")
    start = _known_place(store.load_places(tx.connection, vehicle.conference), vehicle.start_place or "")
    kept = replace(vehicle, start_place=start)
    if before != kept:
        crews = store.load_crews(tx.connection, vehicle.conference)
        store.save_vehicle(tx, kept)
        fleet_changed(tx, now, desk, vehicle.conference, () if before is None else (kept.code,))
        tell_crews(tx, now, desk, vehicle.conference, crews)
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
    _refuse_namesake(tx, conference, name)
    driver = Driver(tx.ids.new(), conference, name, phone, "").with_link(tx.ids.new())
    store.save_driver(tx, driver)
    stir(tx, now, conference)
    return {"driver": driver.id, "link": driver.link}


def change_driver(
    tx: Transaction, now: datetime, desk: Desk, conference: str, driver: str, changes: Changes
) -> dict[str, Any]:
    """What `changes` names of a driver (name, phone) is so from now on; whom they fetch is told at once. The personal
    link stays. Raises NotFound, and Refused when somebody else here bears that name."""
    known = store.load_driver(tx.connection, conference, driver)
    changed = replace(known, **changes)
    _refuse_namesake(tx, conference, changed.name, but=driver)
    if changed != known:
        crews = store.load_crews(tx.connection, conference)
        store.save_driver(tx, changed)
        stir(tx, now, conference)
        tell_crews(tx, now, desk, conference, crews)
    return {"driver": driver, "name": changed.name}


def _refuse_namesake(tx: Transaction, conference: str, name: str, but: str = "") -> None:
    others = (one for one in store.list_drivers(tx.connection, conference) if one.id != but)
    if any(model.plain(one.name) == model.plain(name) for one in others):
        raise Refused(f"{name} is a driver here already: edit that one, or add something to tell them apart")


def open_run_sheets(tx: Transaction, now: datetime, conference: str) -> str:
    """The id that the address of the run sheets is made from; a conference without one gets it."""
    known = store.load_sheet_link(tx.connection, conference)
    return known or renew_run_sheets(tx, now, conference)["link"]


def renew_run_sheets(tx: Transaction, _now: datetime, conference: str) -> dict[str, str]:
    """Another address for the run sheets, by its id; the old one ends with the chore's next step."""
    link = tx.ids.new()
    store.save_sheet_link(tx, conference, link)
    return {"link": link}


def renew_link(tx: Transaction, _now: datetime, conference: str, driver: str) -> dict[str, Any]:
    """Another personal link, by its id; the old one ends at once."""
    renewed = store.load_driver(tx.connection, conference, driver).with_link(tx.ids.new())
    store.save_driver(tx, renewed)
    return {"driver": driver, "link": renewed.link}


def revoke_link(tx: Transaction, _now: datetime, conference: str, driver: str) -> dict[str, Any]:
    """This driver has no personal link until a new one is made. Raises NotFound, Refused when there is none."""
    known = store.load_driver(tx.connection, conference, driver)
    if not store.revoke_link(tx, driver):
        raise Refused(f"{known.name} has no personal link")
    return {"driver": driver, "name": known.name}


def seal_links(tx: Transaction, _now: datetime) -> bool:
    """No link is kept as it stands in its address. True: there may be more."""
    return store.seal_links(tx)


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
    shift = Shift(tx.ids.new(), conference, vehicle, driver, from_at, to_at, start_place)
    _keep_shift(tx, shift)
    fleet_changed(tx, now, desk, conference, ())
    return {"shift": shift.id}


def change_shift(
    tx: Transaction, now: datetime, desk: Desk, conference: str, shift: str, changes: Changes
) -> dict[str, Any]:
    """What `changes` names of a shift (driver, vehicle, from_at, to_at, start_place) is so from now on. Its rides stay
    on it as far as they fit; who is fetched by another driver or vehicle is told.

    Raises NotFound; Refused when it would leave somebody who is aboard, or be over already.
    """
    known = _need_shift(tx, conference, shift)
    changed = replace(known, **changes)
    is_other_car = changed.vehicle != known.vehicle
    if changed.to_at <= now < known.to_at:
        raise Refused("the shift would be over already; remove it instead")
    if is_other_car or not changed.from_at <= now < changed.to_at:
        _refuse_busy(plans.take_hand(tx, now, desk, conference).pickups.values(), shift)
    if is_other_car:  # Where the other one stands is not known from this one.
        changed = replace(changed, at_place=None, at_since=None)
    if changed == known:
        return {"shift": shift, "is_changed": False}
    crews = store.load_crews(tx.connection, conference)
    _keep_shift(tx, changed)
    tell_crews(tx, now, desk, conference, crews)
    fleet_changed(tx, now, desk, conference, (changed.vehicle,))
    if is_other_car:
        publish(tx, now, desk, plans.take_hand(tx, now, desk, conference), (shift,), reason="another vehicle")
    return {"shift": shift, "is_changed": True}


def _keep_shift(tx: Transaction, shift: Shift) -> None:
    """Raises Invalid, NotFound and Refused for one that cannot be driven."""
    conference = shift.conference
    car = store.load_vehicles(tx.connection, conference).get(shift.vehicle)
    if car is None:
        raise Invalid(Fault("vehicle", f"there is no vehicle {shift.vehicle} here"))
    store.load_driver(tx.connection, conference, shift.driver)
    if not timedelta(0) < shift.to_at - shift.from_at <= SHIFT_MAX:
        raise Invalid(Fault("to", "a shift ends after it begins, within 16 hours"))
    start = _start(store.load_places(tx.connection, conference), shift.start_place, car)
    known = store.load_shifts(tx.connection, conference)
    if clash := overlap(shift, known.values(), zone_of(tx.connection, conference)):
        raise Refused(clash)
    check_count({*known, shift.id}, SHIFTS_MAX, "shifts")
    store.save_shift(tx, replace(shift, start_place=start))


def _known_place(places: dict[str, Place], text: str) -> str | None:
    """The slug of the place that is meant; None where none is named."""
    slug = model.find_place(text, model.places_by_text(places)) if text else None
    if text and slug is None:
        raise Invalid(Fault("start_place", f"place '{text}' is not known: add it under Places"))
    return slug


def _start(places: dict[str, Place], text: str, car: Vehicle) -> str:
    if named := _known_place(places, text):
        return named
    if car.start_place in places:
        return str(car.start_place)
    venues = [slug for slug, place in places.items() if place.kind == "venue"]
    if not venues and not places:
        raise Refused("there is no place yet where a shift could start: add one under Places")
    return (venues or sorted(places))[0]


def remove_shift(tx: Transaction, now: datetime, desk: Desk, conference: str, shift: str) -> dict[str, Any]:
    """Its rides are planned anew. Raises Refused while somebody is aboard."""
    _end_shift(tx, now, desk, _need_shift(tx, conference, shift))
    stir(tx, now, conference, freed=True)
    return {"shift": shift, "removed": True}


def _need_shift(tx: Transaction, conference: str, shift: str) -> Shift:
    known = store.load_shifts(tx.connection, conference).get(shift)
    if known is None:
        raise NotFound("there is no such shift")
    return known


def _end_shift(tx: Transaction, now: datetime, desk: Desk, shift: Shift) -> None:
    before = plans.take_hand(tx, now, desk, shift.conference)
    mine = [one for one in before.pickups.values() if one.shift == shift.id and one.is_on_vehicle]
    _refuse_busy(mine, shift.id)
    hand = before
    for pickup in mine:
        hand = plans.without(hand, pickup.id)
    if mine:
        words = "the shift was taken out"
        hand = publish(tx, now, desk, hand, (shift.id,), reason=words, freed=True)
        lose(tx, now, hand, before, [pickup.id for pickup in mine], words)
    store.remove_shift(tx, shift.id)
    stir(tx, now, shift.conference, freed=True)


def _refuse_busy(rides: Iterable[Pickup], shift: str) -> None:
    busy = next((one for one in rides if one.shift == shift and one.status in ("arrived", "boarded")), None)
    if busy is not None:
        raise Refused(f"{busy.code} is {model.said(busy.status)} on that shift; let the ride end, or move it first")


def fleet_changed(tx: Transaction, now: datetime, desk: Desk, conference: str, vehicles: Iterable[str]) -> None:
    """After vehicles or shifts were saved: the manifests of these vehicles, which were known before, are mended."""
    stir(tx, now, conference, freed=True)
    codes = frozenset(vehicles)
    if codes:
        mend(tx, now, desk, conference, reason="the fleet changed", vehicles=codes)
