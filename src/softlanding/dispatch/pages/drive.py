"""The driver's phone: the rides of whoever bears the link, and the word for each step."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path, Request
from fastapi.responses import JSONResponse, Response

from softlanding import keys
from softlanding.conferences import Conference
from softlanding.dispatch import driving, store
from softlanding.dispatch.actions import taps, telling
from softlanding.dispatch.model import Driver
from softlanding.dispatch.pages.shared import Values, live
from softlanding.dispatch.plans import Desk
from softlanding.errors import Fault, Forbidden, Invalid, Unavailable
from softlanding.lifecycle import Work
from softlanding.links import unknown
from softlanding.web import ANSWERS, Doors, Form, Pages, asked, link, of_this_age, read_form, see_other
from softlanding.web.doors import presented, refuse_ended

SEEN_EVERY_S = 60.0
TAPS_PER_MINUTE = 300  # Beyond any hand; a phone that had no network for a day sends all it kept at once.
CODES_MOST = 20  # Rides at one stop of which one press tells.

Token = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


def add_doors(doors: Doors, work: Work, pages: Pages, desk: Desk) -> None:
    _add_looking(doors, work, pages)
    _add_taps(doors, work, pages, desk)


async def _driver(work: Work, slug: str, token: str) -> Driver:
    given = presented(work, "drive", token)
    found = await work.database.read(store.find_bearer, slug, given)
    if found is None:
        raise unknown(given, "the desk")
    await refuse_ended(work, slug)
    return found


DRIVER = link(_driver)
TAPPING = link(_driver, writes_per_minute=TAPS_PER_MINUTE)


def _add_looking(doors: Doors, work: Work, pages: Pages) -> None:
    seen_s: dict[str, float] = {}

    async def note_seen(driver: str) -> None:
        """An open page is a sign of life of the phone; written down once a minute, for each commit wakes everybody."""
        now_s = work.parts.clock.monotonic()
        if now_s - seen_s.get(driver, -SEEN_EVERY_S) >= SEEN_EVERY_S:
            seen_s[driver] = now_s
            with suppress(Unavailable):  # The page is worth more than the mark.
                await work.database.write(store.note_seen, driver)

    async def shown(found: Conference, driver: Driver) -> driving.Drive:
        """What the page shows, and the mark that it was shown: what changes from now on is told."""
        driven = await work.database.read(driving.drive, found, work.parts.clock.now(), driver)
        if driven.unshown:
            with suppress(Unavailable):
                await work.database.write(telling.note_shown, found.slug, driver.id, driven.unshown)
        return driven

    @doors.page("/{conference}/drive/{token}", who=DRIVER)
    async def look(request: Request, conference: str, token: Token) -> Response:
        found = await pages.conference(conference)
        driven = await shown(found, request.state.bearer)
        address = f"/{found.slug}/drive/{token}"
        response = pages.show(
            request,
            "drive.html",
            conference=found,
            title="My rides",
            stream=f"{address}/stream",
            address=address,
            **driven.values,
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @doors.page("/{conference}/drive/{token}/stream", who=DRIVER)
    async def look_live(request: Request, conference: str, token: Token) -> Response:
        found, driver = await pages.conference(conference), request.state.bearer

        async def values() -> Values:
            await note_seen(driver.id)
            driven = await shown(found, driver)
            return {"rides": driven.values | {"address": f"/{found.slug}/drive/{token}"}}

        return live(request, pages, found, values)


def _add_taps(doors: Doors, work: Work, pages: Pages, desk: Desk) -> None:
    @doors.page("/{conference}/drive/{token}/taps", who=TAPPING, methods=("POST",))
    async def tap(request: Request, conference: str, token: Token) -> Response:
        found, form = await pages.conference(conference), await read_form(request)
        driver = request.state.bearer
        is_form = "application/json" not in request.headers.get("Accept", "")
        try:
            answer = await _tap(request, work, desk, found, form, driver.id, driver.name)
        except (*ANSWERS, Forbidden) as error:
            if not is_form:
                raise
            return see_other(f"/{found.slug}/drive/{token}", str(error), "refused")
        if is_form:
            return see_other(f"/{found.slug}/drive/{token}", f"{answer['code']}: {answer['words']}")
        return JSONResponse({"state": answer["state"], "words": answer["words"]})


async def _tap(
    request: Request, work: Work, desk: Desk, found: Conference, form: Form, driver: str, name: str
) -> dict[str, Any]:
    """One word about one ride, or about each of several at a stop: of those, what is refused keeps no other back."""
    codes = form.required("pickup", "the ride's code", most=CODES_MOST * 37).split()[:CODES_MOST]
    answers = list[dict[str, Any]]()
    for code in codes:
        name_of_key = form.key if len(codes) == 1 else f"{form.key}/{code}"
        key = await asked(request, name_of_key, "tap", who=f"driver/{driver}")
        try:
            answers.append(await _hear(work, desk, key, form, found.slug, code, driver=driver, by=name))
        except (*ANSWERS, Forbidden) as error:
            if len(codes) == 1:
                raise
            answers.append({"code": code, "state": "", "words": str(error)})
    return {
        "code": ", ".join(one["code"] for one in answers),
        "state": answers[-1]["state"],
        "words": "; ".join(dict.fromkeys(one["words"] for one in answers)),
    }


async def _hear(
    work: Work, desk: Desk, key: keys.Key, form: Form, conference: str, code: str, *, driver: str, by: str
) -> dict[str, Any]:
    """One word about one ride: what happened, or that a change of the plan was seen."""
    what, write = form.required("tap", "what happened", most=20), work.database.write
    if what == "seen":
        version = form.required("version", "which change was seen", most=40)
        return await write(keys.once, key, telling.see, conference, code, version, driver=driver, by=by)
    return await write(keys.once, key, taps.tap, desk, conference, code, what, _moment(form), driver=driver, by=by)


def _moment(form: Form) -> datetime | None:
    """When it was tapped, by the phone's clock; None: now."""
    text = form.text("tapped_at", most=40)
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(Fault("tapped_at", "give the time of the tap as 2026-11-21T13:02:11Z")) from None
    return of_this_age(moment if moment.tzinfo else moment.replace(tzinfo=UTC), "tapped_at")
