"""Vehicles, drivers with their personal links, shifts."""

import io
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import segno
from fastapi import Request
from fastapi.responses import Response

from softlanding import keys
from softlanding.conferences import Conference
from softlanding.dispatch import store, views
from softlanding.dispatch.actions import fleet
from softlanding.dispatch.actions.imports import import_fleet_table
from softlanding.dispatch.model import Vehicle
from softlanding.dispatch.pages.shared import ANSWERS, COORDINATORS, Name, refused_form, status_of
from softlanding.dispatch.plans import Desk
from softlanding.errors import Fault, Invalid, NotFound, SoftlandingError
from softlanding.formats import fleet_template
from softlanding.lifecycle import Work
from softlanding.web import Doors, Form, Pages, asked, of_this_age, read_form, read_upload, see_other
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
            status=status_of(error) if error else 200,
            refused=refused_form(form, error) if form and error else None,
            report=report,
            places=sorted(((place.slug, place.name) for place in known.values()), key=lambda place: place[1]),
            **given,
        )


def _add_looking(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page(PATH, who=COORDINATORS)
    async def look(request: Request, conference: str) -> Response:
        return await show.page(request, await pages.conference(conference))

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
    async def save(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            car = _vehicle_from(form, found.slug)
            await work.database.write(
                keys.once, await asked(request, form.key, "vehicle.save"), fleet.save_vehicle, desk, car
            )
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return see_other(_address(found), f"{car.name} is saved")

    @doors.page(f"{PATH}/vehicles/{{code}}/remove", who=COORDINATORS, methods=("POST",))
    async def remove(request: Request, conference: str, code: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await work.database.write(
                keys.once,
                await asked(request, form.key, "vehicle.remove"),
                fleet.remove_vehicle,
                desk,
                found.slug,
                code,
            )
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), f"{code} is removed; its rides are planned anew")


def _vehicle_from(form: Form, conference: str) -> Vehicle:
    code = form.required("code", "a short code, such as V1", most=8)
    if not code.isascii() or not code.replace("-", "").isalnum():
        raise Invalid(Fault("code", "use letters and digits, such as V1"))
    return Vehicle(
        conference=conference,
        code=code,
        name=form.required("name", "a name", most=40),
        plate=form.text("plate", most=16),
        seats=form.number("seats", least=1, most=60, default=3),
        luggage=form.number("luggage", least=0, most=99, default=3),
        wheelchair_places=1 if form.is_on("wheelchair") else 0,
        start_place=form.text("start_place", most=60) or None,
    )


def _add_drivers(doors: Doors, work: Work, pages: Pages, desk: Desk, show: _Shown) -> None:
    @doors.page(f"{PATH}/drivers", who=COORDINATORS, methods=("POST",))
    async def add(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            name, phone = form.required("name", "a name", most=60), form.required("phone", "a phone", most=30)
            await work.database.write(
                keys.once, await asked(request, form.key, "driver.add"), fleet.add_driver, found.slug, name, phone
            )
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return see_other(_address(found), f"{name} is a driver; give them their link or show the code")

    @doors.page(f"{PATH}/drivers/{{driver}}/link", who=COORDINATORS, methods=("POST",))
    async def link(request: Request, conference: str, driver: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await work.database.write(
                keys.once, await asked(request, form.key, "driver.link"), fleet.renew_link, found.slug, driver
            )
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), "There is a new link; the old one ended")

    @doors.page(f"{PATH}/drivers/{{driver}}/revoke", who=COORDINATORS, methods=("POST",))
    async def revoke(request: Request, conference: str, driver: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            key = await asked(request, form.key, "driver.link.revoke")
            done = await work.database.write(keys.once, key, fleet.revoke_link, found.slug, driver)
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), f"{done['name']} has no personal link any more")

    @doors.page(f"{PATH}/drivers/{{driver}}/remove", who=COORDINATORS, methods=("POST",))
    async def remove(request: Request, conference: str, driver: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await work.database.write(
                keys.once,
                await asked(request, form.key, "driver.remove"),
                fleet.remove_driver,
                desk,
                found.slug,
                driver,
            )
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
            await work.database.write(
                keys.once,
                await asked(request, form.key, "shift.add"),
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

    @doors.page(f"{PATH}/shifts/{{shift}}/remove", who=COORDINATORS, methods=("POST",))
    async def remove(request: Request, conference: str, shift: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await work.database.write(
                keys.once, await asked(request, form.key, "shift.remove"), fleet.remove_shift, desk, found.slug, shift
            )
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), "The shift is removed; its rides are planned anew")


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
