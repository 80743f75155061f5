"""Airports, venue, hotels: where people board and alight."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import Response

from softlanding.conferences import Conference
from softlanding.dispatch import plans, views
from softlanding.dispatch.actions import fleet
from softlanding.dispatch.actions.imports import import_place_table
from softlanding.dispatch.model import Place
from softlanding.dispatch.pages.shared import COORDINATORS, Name, degrees, refused_form
from softlanding.dispatch.plans import Desk
from softlanding.errors import Fault, Invalid, SoftlandingError
from softlanding.formats import places_template
from softlanding.formats.places_csv import EXIT_MINUTES_MAX, KINDS
from softlanding.lifecycle import Work
from softlanding.web import ANSWERS, Doors, Form, Pages, once, read_form, read_upload, see_other

PATH = "/{conference}/dispatch/places"


def add_doors(doors: Doors, work: Work, pages: Pages, desk: Desk) -> None:
    show = _Shown(work, pages)
    _add_looking(doors, pages, show)
    _add_changing(doors, work, pages, desk, show)
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
        at = _hour_of_plans(self._work.parts.clock.now(), conference)
        places = await self._work.database.read(views.places, conference.slug, at)
        return self._pages.show(
            request,
            "places.html",
            conference=conference,
            title="Places",
            refusal=error,
            refused=refused_form(form, error) if form and error else None,
            places=places,
            edited=next((place for place in places if place["slug"] == edit), None),
            report=report,
        )


def _hour_of_plans(now: datetime, conference: Conference) -> datetime:
    return now.astimezone(ZoneInfo(conference.zone)).replace(hour=plans.PLAN_HOUR)


def _add_looking(doors: Doors, pages: Pages, show: _Shown) -> None:
    @doors.page(PATH, who=COORDINATORS)
    async def look(request: Request, conference: str, edit: str = "") -> Response:
        return await show.page(request, await pages.conference(conference), edit=edit)

    @doors.page(f"{PATH}/template.csv", who=COORDINATORS)
    async def template() -> Response:
        headers = {"Content-Disposition": 'attachment; filename="places.csv"'}
        return Response(places_template(), media_type="text/csv; charset=utf-8", headers=headers)


def _address(conference: Conference) -> str:
    return f"/{conference.slug}/dispatch/places"


def _add_changing(doors: Doors, work: Work, pages: Pages, desk: Desk, show: _Shown) -> None:
    @doors.page(PATH, who=COORDINATORS, methods=("POST",))
    async def add(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            place = _place_from(form, found)
            await once(work, request, form.key, "place.add", fleet.add_place, desk, place)
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return see_other(_address(found), f"{place.name} is added")

    @doors.page(f"{PATH}/{{slug}}/change", who=COORDINATORS, methods=("POST",))
    async def change(request: Request, conference: str, slug: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            changes = _changes_from(form, found)
            await once(work, request, form.key, "place.change", fleet.change_place, desk, found.slug, slug, changes)
        except ANSWERS as error:
            return await show.page(request, found, edit=slug, form=form, error=error)
        return see_other(_address(found), f"{slug} is changed")

    @doors.page(f"{PATH}/{{slug}}/remove", who=COORDINATORS, methods=("POST",))
    async def remove(request: Request, conference: str, slug: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            await once(work, request, form.key, "place.remove", fleet.remove_place, desk, found.slug, slug)
        except ANSWERS as error:
            return see_other(_address(found), str(error), "refused")
        return see_other(_address(found), f"{slug} is removed")


NEEDED = ("name", "kind", "latitude", "longitude")  # Of a new place. Of one that exists, a form shows what it likes.


def _place_from(form: Form, conference: Conference) -> Place:
    """A new place. An airport whose short name is its code is known by that, unless another is given."""
    slug = form.required("slug", "a short name, such as adlon", most=60)
    given = {"zone": conference.zone} | {
        field: read()
        for field, read in _reads(form, conference.zone).items()
        if field in form.values or field in NEEDED
    }
    if given["kind"] == "airport" and not given.get("iata") and len(slug) == 3 and slug.isalpha():
        given["iata"] = slug.upper()
    return Place(conference=conference.slug, slug=slug, **given)


def _changes_from(form: Form, conference: Conference) -> dict[str, Any]:
    """What the form showed, and nothing else."""
    return {field: read() for field, read in _reads(form, conference.zone).items() if field in form.values}


def _reads(form: Form, zone: str) -> dict[str, Callable[[], Any]]:
    """How each field of a place is read."""
    return {
        "name": lambda: form.required("name", "a name", most=200),
        "kind": lambda: _kind(form),
        "latitude": lambda: degrees(form, "latitude", 90),
        "longitude": lambda: degrees(form, "longitude", 180),
        "zone": lambda: form.text("zone", most=60) or zone,
        "iata": lambda: _iata(form),
        "address": lambda: form.text("address", most=200),
        "note": lambda: form.text("note", most=200),
        "exit_international_min": lambda: _minutes(form, "exit_international_min"),
        "exit_domestic_min": lambda: _minutes(form, "exit_domestic_min"),
    }


def _kind(form: Form) -> str:
    kind = form.text("kind", most=20) or "hotel"
    if kind not in KINDS:
        raise Invalid(Fault("kind", f"choose one of: {', '.join(KINDS)}"))
    return kind


def _iata(form: Form) -> str:
    code = form.text("iata", most=3).upper()
    if code and not re.fullmatch("[A-Z]{3}", code):
        raise Invalid(Fault("iata", "give the three letters of the airport, such as HAM"))
    return code


def _minutes(form: Form, field: str) -> int | None:
    """From landing to the kerb; None: as anywhere."""
    return form.number(field, least=0, most=EXIT_MINUTES_MAX, default=0) if form.text(field) else None


def _add_import(doors: Doors, work: Work, pages: Pages, desk: Desk, show: _Shown) -> None:
    @doors.page(f"{PATH}/import", who=COORDINATORS, methods=("POST",))
    async def take_table(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            filename, body = await read_upload(request)
            report = await import_place_table(work.database, desk, found, body, dry_run=form.is_on("dry_run"))
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return await show.page(request, found, report=report | {"file": filename})
