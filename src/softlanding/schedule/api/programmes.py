"""Conferences, their programmes and releases, and the sample."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import Header, Query, Request

from softlanding import keys
from softlanding.auth import as_seen_by
from softlanding.conferences import list_conferences
from softlanding.errors import Refused
from softlanding.lifecycle import Work
from softlanding.schedule import store, views
from softlanding.schedule.actions.people import must_organise
from softlanding.schedule.actions.pickups import promise_of
from softlanding.schedule.actions.programme import (
    Prepared,
    WouldRemove,
    import_programme,
    must_be_of,
    prepare_import,
    release_draft,
)
from softlanding.schedule.actions.sample import at_up
from softlanding.schedule.api.shared import (
    ORGANISERS,
    ORGANISERS_LOOK,
    ORGANISERS_OF_ALL,
    TRAVEL_LOOK,
    Day,
    Given,
    Line,
    Note,
    Slug,
    a_file,
    read_body,
)
from softlanding.web import Doors, asked, once
from softlanding.web.common import Key

# Told to a program without `personal`: not who released it, nor an import's notes, which may name a speaker.
_OF_PROGRAMMES = frozenset(
    [
        "added",
        "at",
        "changed",
        "changed_at",
        "changes",
        "changes_total",
        "conference",
        "digest",
        "draft",
        "faults",
        "file",
        "imported",
        "is_public",
        "name",
        "note",
        "number",
        "public_at",
        "published",
        "released_at",
        "releases",
        "removed",
        "rooms",
        "same",
        "shown",
        "speakers",
        "talks",
        "waiting_since",
        "why",
    ]
)

Half = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=190)]  # Two actions share it.


class Release(Given):
    """`name` is what exports call the version; the file's own by default."""

    name: Line = ""
    note: Note = ""


class SampleDay(Given):
    first_day: Day | None = None


def add_doors(doors: Doors, work: Work) -> None:
    _add_programme(doors, work)
    _add_releases(doors, work)
    _add_conferences(doors, work)


def _add_programme(doors: Doors, work: Work) -> None:
    @doors.api(
        "/api/schedule/programmes",
        who=ORGANISERS,
        methods=("POST",),
        summary="Import schedule.xml or schedule.json into the draft of its conference, and release it if asked",
        openapi_extra=a_file("application/octet-stream", "<schedule>…</schedule>"),
    )
    async def take_programme(
        request: Request,
        key: Half,
        filename: Annotated[str, Query(max_length=200)] = "schedule",
        zone: Annotated[str | None, Query(max_length=60)] = None,
        release: bool = False,
        note: Annotated[str, Query(max_length=500)] = "",
        dry_run: bool = False,
        conference: Annotated[str | None, Query(max_length=80, pattern=r"^[a-z0-9][a-z0-9-]*$")] = None,
        accept_removed: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> dict[str, Any]:
        """`conference`: the one that it must be of, a file of another is refused. The answer names where it went."""
        body = await read_body(request)
        prepared = await prepare_import(body, filename, zone, work.settings.zone)
        if conference is not None:
            must_be_of(prepared, conference)
        must_organise(request.state.visitor, prepared.conference)
        if dry_run:
            return await work.database.write(import_programme, prepared, accept_removed=accept_removed, dry_run=True)
        return await _take(request, work, prepared, body, key, note, accept_removed, release=release)

    @doors.api(
        "/api/schedule/{conference}/programme",
        who=ORGANISERS_LOOK,
        summary="The draft against what is public, what is wrong with it, and the releases",
    )
    async def programme(request: Request, conference: Slug) -> dict[str, Any]:
        visitor, now = request.state.visitor, work.parts.clock.now()
        found = await work.database.read(views.desk.programme_summary, conference, now, by_name=visitor.sees_personal)
        return as_seen_by(visitor, found, _OF_PROGRAMMES)


async def _take(
    request: Request,
    work: Work,
    prepared: Prepared,
    body: bytes,
    key: str,
    note: str,
    accept_removed: int,
    *,
    release: bool,
) -> dict[str, Any]:
    """Two actions, each below 250 ms; cut off between them, the same key does the second."""
    named = await asked(request, key, "programme.import", content=body)
    try:
        report = await work.database.write(keys.once, named, import_programme, prepared, accept_removed=accept_removed)
    except WouldRemove as asks:
        how = f"accept_removed={asks.removed}, or `softlanding import programme --yes`"
        raise Refused(f"{asks}; nothing was changed. If that is meant, send it again with {how}") from asks
    if not release:
        return report
    released = await work.database.write(
        keys.once,
        await asked(request, f"{key}#release", "programme.release", content=body),
        release_draft,
        prepared.conference,
        note=note.replace("\x00", ""),
        by=request.state.visitor.name,
        promise=promise_of(work.settings),
    )
    return report | {"release": released | await _published(work, prepared.conference)}


async def _published(work: Work, conference: str) -> dict[str, Any]:
    """Whether the public sees the newest release yet, and since when or why not."""
    return {"published": await work.database.read(views.desk.published, conference)}


def _add_releases(doors: Doors, work: Work) -> None:
    @doors.api("/api/schedule/{conference}/releases", who=ORGANISERS_LOOK, summary="Releases, newest first")
    async def releases(request: Request, conference: Slug) -> list[dict[str, Any]]:
        heads = await work.database.read(store.programmes.list_release_heads, conference)
        listed = [views.desk.release_view(head) for head in heads]
        return as_seen_by(request.state.visitor, listed, _OF_PROGRAMMES)

    @doors.api("/api/schedule/{conference}/releases", who=ORGANISERS, methods=("POST",), summary="Release the draft")
    async def release(request: Request, conference: Slug, key: Key, given: Release) -> dict[str, Any]:
        released = await once(
            work,
            request,
            key,
            "programme.release",
            release_draft,
            conference,
            given.name,
            given.note,
            by=request.state.visitor.name,
            promise=promise_of(work.settings),
        )
        return released | await _published(work, conference)


def _add_conferences(doors: Doors, work: Work) -> None:
    @doors.api("/api/schedule/conferences", who=TRAVEL_LOOK, summary="Conferences that are yours, the latest first")
    async def conferences(request: Request) -> list[dict[str, Any]]:
        known, visitor = await work.database.read(list_conferences), request.state.visitor
        return [vars(found) for found in known if visitor.is_staff_of(found.slug)]

    @doors.api(
        "/api/schedule/sample",
        who=ORGANISERS_OF_ALL,
        methods=("POST",),
        summary="Bring the sample conference in where there is none, or move an untouched one",
    )
    async def sample(given: SampleDay) -> dict[str, Any]:
        if work.settings.profile == "production":
            raise Refused("the sample is made up, and would be public here: try it with `softlanding up`")
        first_day = given.first_day or work.parts.clock.now().date() + timedelta(days=1)
        return await at_up(work.database, first_day, promise_of(work.settings))
