"""The organiser's desk: import into the draft, look at what changed, release."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from softlanding.conferences import Conference, load_conference
from softlanding.errors import SoftlandingError
from softlanding.lifecycle import Work
from softlanding.schedule import views
from softlanding.schedule.actions.programme import (
    WouldRemove,
    import_programme,
    must_be_of,
    prepare_import,
    release_draft,
)
from softlanding.schedule.actions.set_aside import drop_set_aside, import_set_aside, set_aside
from softlanding.schedule.pages.shared import ORGANISERS, Values, alarms, live, promise, refused_form
from softlanding.web import ANSWERS, Doors, Pages, once, read_form, read_upload, see_other

Show = Callable[..., Awaitable[Response]]


def add_doors(doors: Doors, work: Work, pages: Pages) -> None:
    async def show(request: Request, slug: str, error: SoftlandingError | None = None, form: Any = None) -> Response:
        conference = await _conference(work, slug)
        now = work.parts.clock.now()
        values = await work.database.read(views.desk.desk, slug, now) | await alarms(work, conference)
        return pages.show(
            request,
            "organise.html",
            conference=conference,
            title="Organise",
            stream=f"/{slug}/organise/stream",
            refusal=error,
            refused=refused_form(form, error) if error else None,
            **values,
        )

    _add_looking(doors, work, pages, show)
    _add_import(doors, work, show)
    _add_set_aside(doors, work, show)
    _add_release(doors, work, show)


def _add_looking(doors: Doors, work: Work, pages: Pages, show: Show) -> None:
    @doors.page("/{conference}/organise/", who=ORGANISERS)
    async def organise(request: Request, conference: str) -> Response:
        return await show(request, conference)

    @doors.page("/{conference}/organise/stream", who=ORGANISERS)
    async def organise_stream(request: Request, conference: str) -> Response:
        found = await _conference(work, conference)

        async def values() -> Values:
            given = await alarms(work, found)
            given["published"] = await work.database.read(views.desk.published, found.slug)
            return {name: {name: given[name]} for name in ("peers", "unanswered", "published")}

        return live(request, pages, found, values)


def _add_import(doors: Doors, work: Work, show: Show) -> None:
    @doors.page("/{conference}/organise/import", who=ORGANISERS, methods=("POST",))
    async def take_programme(request: Request, conference: str) -> Response:
        form = await read_form(request)
        try:
            filename, body = await read_upload(request)
            prepared = await prepare_import(body, filename, None, work.settings.zone)
            must_be_of(prepared, conference)
            report = await once(work, request, form.key, "programme.import", import_programme, prepared)
        except WouldRemove as asks:
            await work.database.write(set_aside, prepared, asks, request.state.visitor.name)
            return see_other(f"/{conference}/organise/#import", f"{asks}. Nothing was changed.", "note")
        except ANSWERS as error:
            return await show(request, conference, error, form)
        return see_other(f"/{conference}/organise/", _said(report))


def _add_set_aside(doors: Doors, work: Work, show: Show) -> None:
    @doors.page("/{conference}/organise/import/accept", who=ORGANISERS, methods=("POST",))
    async def accept(request: Request, conference: str) -> Response:
        form = await read_form(request)
        try:
            report = await once(
                work,
                request,
                form.key,
                "programme.accept",
                import_set_aside,
                conference,
                form.text("digest", most=64),
                form.number("accept_removed", least=0, most=1_000_000, default=0),
            )
        except ANSWERS as error:
            return await show(request, conference, error, form)
        return see_other(f"/{conference}/organise/", _said(report))

    @doors.page("/{conference}/organise/import/drop", who=ORGANISERS, methods=("POST",))
    async def drop(request: Request, conference: str) -> Response:
        form = await read_form(request)
        try:
            done = await once(
                work, request, form.key, "programme.drop", drop_set_aside, conference, form.text("digest", most=64)
            )
        except ANSWERS as error:
            return await show(request, conference, error, form)
        return see_other(f"/{conference}/organise/", f"{done['file']} was not imported.")


def _add_release(doors: Doors, work: Work, show: Show) -> None:
    @doors.page("/{conference}/organise/release", who=ORGANISERS, methods=("POST",))
    async def release(request: Request, conference: str) -> Response:
        form = await read_form(request)
        try:
            done = await once(
                work,
                request,
                form.key,
                "programme.release",
                release_draft,
                conference,
                note=form.text("note", most=300),
                by=request.state.visitor.name,
                promise=promise(work),
            )
        except ANSWERS as error:
            return await show(request, conference, error, form)
        already = "was released already" if done["is_same"] else "is released; below you see when it is public"
        return see_other(f"/{conference}/organise/", f"v{done['number']} {already}.")


async def _conference(work: Work, slug: str) -> Conference:
    """The conference; one that is not there yet has a desk all the same, where its programme is imported."""
    today = work.parts.clock.now().date()
    known = await work.database.read(load_conference, slug)
    return known or Conference(slug, slug, work.settings.zone or "UTC", today, today)


def _said(report: dict[str, Any]) -> str:
    if report["is_same"]:
        return f"{report['file']} is what the draft already has: nothing was changed."
    words = {"added": "new", "changed": "changed", "removed": "removed", "same": "as they were"}
    counts = ", ".join(f"{report[name]} {word}" for name, word in words.items())
    return f"{report['file']} is in the draft of {report['title']}: {counts}. Nothing is public until you release."
