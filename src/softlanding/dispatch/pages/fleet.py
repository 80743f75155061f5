"""Vehicles, drivers with their personal links, shifts."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import segno
from fastapi import Request
from fastapi.responses import Response

from softlanding.conferences import Conference
from softlanding.dispatch import store, views
from softlanding.dispatch.actions import fleet
from softlanding.dispatch.actions.imports import import_fleet_table
from softlanding.dispatch.model import Shift, Vehicle
from softlanding.dispatch.pages.shared import COORDINATORS, Name, refused_form
from softlanding.dispatch.plans import Desk
from softlanding.errors import Fault, Invalid, NotFound, SoftlandingError
from softlanding.formats import fleet_template
from softlanding.lifecycle import Work
from softlanding.web import ANSWERS, Doors, Form, Pages, of_this_age, once, read_form, read_upload, see_other
from softlanding.web.doors import link_address

PATH = "/{conference}/dispatch/fleet"


def add_doors(doors: Doors, work: Work, pages: Pages, desk: Desk) -> None:
    show = _Shown(work, pages)
    _add_looking(doors, work, pages, show)
    _add_vehicles(doors, work, pages, desk, show)
    _add_drivers(doors, work, pages, desk, show)
    _add_shifts(doors, work, pages, desk, show)
    _add_import(doors, work, pages, desk, show)


class _Shown:
    """The page, as it is or with a form that was refused."""

    def __init__(self, work: Work, pages: Pages) -> None:
        self._work = work
        self._pages = pages

    async def page(
        self,
        request: Request,
        conference: Conference,
        *,
        edit: str = "",
        form: Form | None = None,
        error: SoftlandingError | None = None,
        report: dict[str, Any] | None = None,
    ) -> Response:
        given = await self._work.database.read(views.fleet, conference.slug)
        known = await self._work.database.read(store.load_places, conference.slug)
        slug, address_of = conference.slug, link_address(self._work, request, conference.slug, "drive")
        for driver in given["drivers"]:
            if link := driver["link"]:
                driver["link"] = address_of(link)
                driver["qr"] = f"/{slug}/dispatch/fleet/{driver['id']}/qr.svg?v={link[-6:]}"
        return self._pages.show(
            request,
            "fleet.html",
            conference=conference,
            title="Fleet",
            refusal=error,
            refused=refused_form(form, error) if form and error else None,
            report=report,
            places=sorted(((place.slug, place.name) for place in known.values()), key=lambda place: place[1]),
            edited=_edited(given, edit, conference.zone),
            **given,
        )


def _edited(fleet: dict[str, Any], named: str, zone: str) -> dict[str, Any] | None:
    """What `?edit=` names: "vehicle/V1", "driver/" or "shift/" and an id."""
    kind, _, identity = named.partition("/")
    lists = {"vehicle": ("vehicles", "code"), "driver": ("drivers", "id"), "shift": ("shifts", "id")}
    listed, name = lists.get(kind, ("", ""))
    found = next((one for one in fleet.get(listed, ()) if one[name] == identity), None)
    if found is None:
        return None
    hours = _shown_hours(found["from_at"], found["to_at"], zone) if kind == "shift" else {}
    return {"kind": kind, "of": found, "hours": hours}


def _add_looking(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page(PATH, who=COORDINATORS)
    async def look(request: Request, conference: str, edit: str = "") -> Response:
        return await show.page(request, await pages.conference(conference), edit=edit)

    @doors.page(f"{PATH}/template.csv", who=COORDINATORS)
    async def template() -> Response:
        headers = {"Content-Disposition": 'attachment; filename="fleet.csv"'}
        return Response(fleet_template(), media_type="text/csv; charset=utf-8", headers=headers)

    @doors.page(f"{PATH}/{{driver}}/qr.svg", who=COORDINATORS)
    async def code(request: Request, conference: str, driver: Name) -> Response:
        found = await work.database.read(store.load_driver, conference, driver)
        if found.link is None:
            raise NotFound(f"{found.name} has no personal link; make a new one")
        return Response(
            qr_svg(link_address(work, request, conference, "drive")(found.link)),
            media_type="image/svg+xml",
            headers={"Cache-Control": "no-store"},
        )


def qr_svg(text: str) -> bytes:
    """A QR code as an image that stands alone."""
    into = io.BytesIO()
    segno.make(text, error="m").save(into, kind="svg", scale=4, border=2, dark="#000", light="#fff")
    return into.getvalue()


def _address(conference: Conference) -> str:
    return f"/{conference.slug}/dispatch/fleet"


def _add_vehicles(doors: Doors, work: Work, pages: Pages, desk: Desk, show: _Shown) -> None:
    @doors.page(f"{PATH}/vehicles", who=COORDINATORS, methods=("POST",))
    async def add(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            car = _vehicle_from(form, found.slug)
            await once(work, request, form.key, "vehicle.add", fleet.add_vehicle, desk, car)
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return see_other(_address(found), f"{car.name} is added")

    @doors.page(f"{PATH}/vehicles/{{code}}/change", who=COORDINATORS, methods=("POST",))
    async def change(request: Request, conference: str, code: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            changes = {field: read() for field, read in _reads_of_vehicle(form).items() if field in form.values}
            await once(work, request, form.key, "vehicle.change", fleet.change_vehicle, desk, found.slug, code, changes)
        except ANSWERS as error:
            return await show.page(request, found, edit=f"vehicle/{code}", form=form, error=error)
        return see_other(_address(found), f"{code} is changed")

    @doors.page(f"{PATH}/vehicles/{{code}}/remove", who=COORDINATORS, methods=("POST",))
    async def remove(request: Request, conference: str, code: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await once(work, request, form.key, "vehicle.remove", fleet.remove_vehicle, desk, found.slug, code)
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), f"{code} is removed; its rides are planned anew")


def _vehicle_from(form: Form, conference: str) -> Vehicle:
    code = form.required("code", "a short code, such as V1", most=8)
    if not code.isascii() or not code.replace("-", "").isalnum():
        raise Invalid(Fault("code", "use letters and digits, such as V1"))
    return Vehicle(
        conference=conference, code=code, **{field: read() for field, read in _reads_of_vehicle(form).items()}
    )


def _reads_of_vehicle(form: Form) -> dict[str, Callable[[], Any]]:
    """How each field of a vehicle is read."""
    return {
        "name": lambda: form.required("name", "a name", most=200),
        "plate": lambda: form.text("plate", most=40),
        "seats": lambda: form.number("seats", least=1, most=60, default=3),
        "luggage": lambda: form.number("luggage", least=0, most=240, default=3),
        "wheelchair_places": lambda: form.number("wheelchair_places", least=0, most=10, default=0),
        "start_place": lambda: form.text("start_place", most=60) or None,
    }


def _add_drivers(doors: Doors, work: Work, pages: Pages, desk: Desk, show: _Shown) -> None:
    @doors.page(f"{PATH}/drivers", who=COORDINATORS, methods=("POST",))
    async def add(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            name, phone = form.required("name", "a name", most=200), form.required("phone", "a phone", most=40)
            await once(work, request, form.key, "driver.add", fleet.add_driver, found.slug, name, phone)
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return see_other(_address(found), f"{name} is a driver; give them their link or show the code")

    @doors.page(f"{PATH}/drivers/{{driver}}/change", who=COORDINATORS, methods=("POST",))
    async def change(request: Request, conference: str, driver: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            changes = {
                field: form.required(field, f"a {field}", most=most)
                for field, most in (("name", 200), ("phone", 40))
                if field in form.values
            }
            done = await once(
                work, request, form.key, "driver.change", fleet.change_driver, desk, found.slug, driver, changes
            )
        except ANSWERS as error:
            return await show.page(request, found, edit=f"driver/{driver}", form=form, error=error)
        return see_other(_address(found), f"{done['name']} is changed; whom they fetch is told")

    @doors.page(f"{PATH}/drivers/{{driver}}/link", who=COORDINATORS, methods=("POST",))
    async def link(request: Request, conference: str, driver: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await once(work, request, form.key, "driver.link", fleet.renew_link, found.slug, driver)
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), "There is a new link; the old one ended")

    @doors.page(f"{PATH}/drivers/{{driver}}/revoke", who=COORDINATORS, methods=("POST",))
    async def revoke(request: Request, conference: str, driver: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            done = await once(work, request, form.key, "driver.link.revoke", fleet.revoke_link, found.slug, driver)
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), f"{done['name']} has no personal link any more")

    @doors.page(f"{PATH}/drivers/{{driver}}/remove", who=COORDINATORS, methods=("POST",))
    async def remove(request: Request, conference: str, driver: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await once(work, request, form.key, "driver.remove", fleet.remove_driver, desk, found.slug, driver)
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), "The driver is removed; the rides are planned anew")


def _add_shifts(doors: Doors, work: Work, pages: Pages, desk: Desk, show: _Shown) -> None:
    @doors.page(f"{PATH}/shifts", who=COORDINATORS, methods=("POST",))
    async def add(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            from_at, to_at = _hours(form, found.zone)
            driver, car = form.required("driver", "a driver", most=36), form.required("vehicle", "a vehicle", most=8)
            await once(
                work,
                request,
                form.key,
                "shift.add",
                fleet.add_shift,
                desk,
                found.slug,
                driver=driver,
                vehicle=car,
                from_at=from_at,
                to_at=to_at,
                start_place=form.text("start_place", most=60),
            )
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return see_other(_address(found), "The shift is added")

    @doors.page(f"{PATH}/shifts/{{shift}}/change", who=COORDINATORS, methods=("POST",))
    async def change(request: Request, conference: str, shift: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            known = (await work.database.read(store.load_shifts, found.slug)).get(shift)
            if known is None:
                raise NotFound("there is no such shift")
            changes = _changes_of_shift(form, known, found.zone)
            done = await once(
                work, request, form.key, "shift.change", fleet.change_shift, desk, found.slug, shift, changes
            )
        except ANSWERS as error:
            return await show.page(request, found, edit=f"shift/{shift}", form=form, error=error)
        said = "The shift is changed; its rides stay as far as they fit" if done["is_changed"] else "It is as it was"
        return see_other(_address(found), said)

    @doors.page(f"{PATH}/shifts/{{shift}}/remove", who=COORDINATORS, methods=("POST",))
    async def remove(request: Request, conference: str, shift: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await once(work, request, form.key, "shift.remove", fleet.remove_shift, desk, found.slug, shift)
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), "The shift is removed; its rides are planned anew")


def _changes_of_shift(form: Form, known: Shift, zone: str) -> dict[str, Any]:
    """What the form showed, and nothing else. Hours that read as before are the same moments, also in the hour that
    comes twice when summer time ends."""
    what = {"driver": ("a driver", 36), "vehicle": ("a vehicle", 8), "start_place": ("a place", 60)}
    changes: dict[str, Any] = {
        field: form.required(field, words, most=most) for field, (words, most) in what.items() if field in form.values
    }
    shown = _shown_hours(known.from_at, known.to_at, zone)
    typed = shown | {field: form.values[field].strip() for field in shown if field in form.values}
    if typed != shown:
        changes["from_at"], changes["to_at"] = _hours(replace(form, values={**form.values, **typed}), zone)
    return changes


def _shown_hours(from_at: datetime, to_at: datetime, zone: str) -> dict[str, str]:
    """As the form shows a shift's two ends, and `_hours` reads them."""
    begin, end = from_at.astimezone(ZoneInfo(zone)), to_at.astimezone(ZoneInfo(zone))
    return {"on": f"{begin:%Y-%m-%d}", "from": f"{begin:%H:%M}", "to": f"{end:%H:%M}"}


def _hours(form: Form, zone: str) -> tuple[datetime, datetime]:
    """A shift's two ends, in the conference's zone; an earlier end is the next morning."""
    try:
        on = date.fromisoformat(form.required("on", "a day", most=10))
    except ValueError:
        raise Invalid(Fault("on", "write the day as 2026-09-17")) from None
    of_this_age(on, "on")
    begin, end = (_clock(form, field) for field in ("from", "to"))
    from_at = datetime.combine(on, begin, ZoneInfo(zone))
    to_at = datetime.combine(on if end > begin else on + timedelta(days=1), end, ZoneInfo(zone))
    return from_at, to_at


def _clock(form: Form, field: str) -> time:
    try:
        return time.fromisoformat(form.required(field, "a time", most=8)).replace(tzinfo=None)
    except ValueError:
        raise Invalid(Fault(field, "write the time as 14:05")) from None


def _add_import(doors: Doors, work: Work, pages: Pages, desk: Desk, show: _Shown) -> None:
    @doors.page(f"{PATH}/import", who=COORDINATORS, methods=("POST",))
    async def take_table(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            filename, body = await read_upload(request)
            report = await import_fleet_table(work.database, desk, found, body, dry_run=form.is_on("dry_run"))
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return await show.page(request, found, report=report | {"file": filename})
