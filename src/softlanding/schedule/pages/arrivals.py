"""Speakers' journeys for organisers and coordinators: enter, change, withdraw, news of flights, whole tables."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from softlanding.conferences import Conference
from softlanding.errors import SoftlandingError
from softlanding.formats import arrivals_template
from softlanding.lifecycle import Work
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import (
    announce_arrival,
    enter_flight_news,
    import_table,
    rewrite_arrival,
    withdraw_arrival,
)
from softlanding.schedule.model import read_news
from softlanding.schedule.pages.shared import (
    TRAVEL,
    Name,
    Values,
    alarms,
    arrival_from,
    clock_of,
    day_of,
    live,
    promise,
    refused_form,
    typed_arrival,
)
from softlanding.web import ANSWERS, Doors, Form, Pages, once, read_form, read_upload, see_other


def add_doors(doors: Doors, work: Work, pages: Pages) -> None:
    show = _Shown(work, pages)
    _add_looking(doors, work, pages, show)
    _add_entering(doors, work, pages, show)
    _add_changing(doors, work, pages, show)
    _add_import(doors, work, pages, show)


class _Shown:
    """The page, as it is or with a form that was refused."""

    def __init__(self, work: Work, pages: Pages) -> None:
        self._work, self._pages = work, pages

    async def page(
        self,
        request: Request,
        conference: Conference,
        *,
        journey: str = "",
        form: Form | None = None,
        error: SoftlandingError | None = None,
        report: dict[str, Any] | None = None,
    ) -> Response:
        read, slug, zone = self._work.database.read, conference.slug, conference.zone
        return self._pages.show(
            request,
            "arrivals.html",
            conference=conference,
            title="Arrivals",
            stream=_address(conference, "/stream"),
            refusal=error,
            refused=refused_form(form, error) if form and error else None,
            journeys=await read(views.journeys.arrivals, slug, zone),
            counts=await read(views.journeys.count_journeys, slug),
            speakers=await read(views.staff.speaker_choices, slug),
            places=await read(views.journeys.destinations, slug),
            chosen=await read(views.journeys.chosen_view, slug, zone, journey) if journey else None,
            report=report,
            **await alarms(self._work, conference),
        )


def _add_looking(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page("/{conference}/organise/arrivals", who=TRAVEL)
    async def arrivals(request: Request, conference: str, journey: str = "") -> Response:
        return await show.page(request, await pages.conference(conference), journey=journey.replace("\x00", "")[:36])

    @doors.page("/{conference}/organise/arrivals/stream", who=TRAVEL)
    async def arrivals_stream(request: Request, conference: str) -> Response:
        found = await pages.conference(conference)

        async def values() -> Values:
            given = await alarms(work, found)
            journeys = await work.database.read(views.journeys.arrivals, found.slug, found.zone)
            counts = await work.database.read(views.journeys.count_journeys, found.slug)
            shown: Values = {name: {name: given[name]} for name in ("peers", "unanswered")}
            return {**shown, "journeys": {"journeys": journeys, "counts": counts}}

        return live(request, pages, found, values)

    @doors.page("/{conference}/organise/arrivals/template.csv", who=TRAVEL)
    async def template() -> Response:
        headers = {"Content-Disposition": 'attachment; filename="arrivals.csv"'}
        return Response(arrivals_template(), media_type="text/csv; charset=utf-8", headers=headers)


def _add_entering(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page("/{conference}/organise/arrivals", who=TRAVEL, methods=("POST",))
    async def announce(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            speaker = form.required("speaker", "a speaker", most=40)
            arrival = arrival_from(form, found.zone)
            answer = await once(
                work,
                request,
                form.key,
                "arrival.announce",
                announce_arrival,
                found.slug,
                speaker,
                arrival,
                promise(work),
            )
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        return see_other(_address(found), _said(answer, "is asked for"))


def _add_changing(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page("/{conference}/organise/arrivals/{journey}/change", who=TRAVEL, methods=("POST",))
    async def change(request: Request, conference: str, journey: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            typed = typed_arrival(form)
            answer = await once(
                work, request, form.key, "arrival.change", rewrite_arrival, found.slug, journey, typed, promise(work)
            )
        except ANSWERS as error:
            return await show.page(request, found, journey=journey, form=form, error=error)
        return see_other(_address(found), _said(answer, "is changed" if answer["is_changed"] else "is as it was"))

    @doors.page("/{conference}/organise/arrivals/{journey}/withdraw", who=TRAVEL, methods=("POST",))
    async def withdraw(request: Request, conference: str, journey: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            reason = form.required("reason", "a reason")
            answer = await once(
                work, request, form.key, "arrival.withdraw", withdraw_arrival, found.slug, journey, reason=reason
            )
        except ANSWERS as error:
            return await show.page(request, found, journey=journey, form=form, error=error)
        return see_other(_address(found), _said(answer, "is withdrawn"))

    @doors.page("/{conference}/organise/arrivals/{journey}/news", who=TRAVEL, methods=("POST",))
    async def news(request: Request, conference: str, journey: Name) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            known = await work.database.read(store.journeys.load_journey, found.slug, journey)
            heard = read_news(
                form.text("news", most=20),
                day_of(form.text("on", most=20), "on"),
                clock_of(form.text("expected", most=20), "expected"),
                known.arrival.zone,
                at=work.parts.clock.now(),
                note=form.text("note", most=300),
            )
            answer = await once(
                work, request, form.key, "arrival.news", enter_flight_news, found.slug, journey, heard, promise(work)
            )
        except ANSWERS as error:
            return await show.page(request, found, journey=journey, form=form, error=error)
        return see_other(_address(found), _said(answer, "has the news"))


def _add_import(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page("/{conference}/organise/arrivals/import", who=TRAVEL, methods=("POST",))
    async def take_table(request: Request, conference: str) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        try:
            filename, body = await read_upload(request)
            report = await import_table(work.database, found, body, promise(work), dry_run=form.is_on("dry_run"))
        except ANSWERS as error:
            return await show.page(request, found, form=form, error=error)
        counts = {"added": len(report["added"]), "changed": len(report["changed"])}
        return await show.page(request, found, report=report | counts | {"file": filename})


def _address(conference: Conference, more: str = "") -> str:
    return f"/{conference.slug}/organise/arrivals{more}"


def _said(answer: dict[str, Any], what: str) -> str:
    warnings = "".join(f" But {warning}." for warning in answer["warnings"])
    code = f" {answer['code']}" if answer["code"] else ""
    return f"Pickup{code} for {answer['speaker_name']} {what}.{warnings}"
