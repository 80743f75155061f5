"""A speaker's own page, opened by a personal link: my talks, my journey, and whatever changes in it."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from softlanding import keys
from softlanding.conferences import Conference
from softlanding.errors import SoftlandingError, Unavailable
from softlanding.lifecycle import Work
from softlanding.links import left, replaced, unknown
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import announce_arrival, rewrite_arrival, withdraw_present_arrival
from softlanding.schedule.actions.people import see_speaker_link
from softlanding.schedule.model import Speaker
from softlanding.schedule.pages.shared import Name, Values, arrival_from, live, promise, refused_form, typed_arrival
from softlanding.web import ANSWERS, Doors, Form, Pages, asked, link, read_form, see_other
from softlanding.web.doors import presented, refuse_ended

SEEN_ANEW = timedelta(minutes=5)  # Not each look is worth a commit.
PATH = "/{conference}/speaker/{token}"


async def _speaker(work: Work, slug: str, token: str) -> Speaker:
    """Whose page this link opens, now. Raises NotFound for a link that is not (any more) good."""
    given = presented(work, "speaker", token)
    found, speaker = await work.database.read(views.staff.bearer, slug, given)
    if found is None:
        raise unknown(given, "the organisers")
    if speaker is None or (not found.is_live and not speaker.talks):
        raise left("the organisers")
    if not found.is_live:
        raise replaced("the organisers")
    await refuse_ended(work, slug)
    return speaker


SPEAKER = link(_speaker)


def add_doors(doors: Doors, work: Work, pages: Pages) -> None:
    show = _Shown(work, pages)
    _add_looking(doors, work, pages, show)
    _add_changing(doors, work, pages, show)


class _Shown:
    """The speaker's page, as it is or with a form that was refused."""

    def __init__(self, work: Work, pages: Pages) -> None:
        self._work, self._pages = work, pages

    async def page(
        self, request: Request, slug: str, token: str, form: Form | None = None, error: SoftlandingError | None = None
    ) -> Response:
        conference, speaker = await self._pages.conference(slug), request.state.bearer
        address, now = f"/{slug}/speaker/{token}", self._work.parts.clock.now()
        response = self._pages.show(
            request,
            "speaker_page.html",
            conference=conference,
            title=speaker.name,
            refusal=error,
            refused=refused_form(form, error) if form and error else None,
            stream=f"{address}/stream",
            address=address,
            **await self._work.database.read(views.speaker.speaker_page, slug, speaker, now),
        )
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


def _add_looking(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page(PATH, who=SPEAKER)
    async def speaker_page(request: Request, conference: str, token: Name) -> Response:
        answer = await show.page(request, conference, token)
        await _see(work, conference, token)
        return answer

    @doors.page(PATH + "/stream", who=SPEAKER)
    async def speaker_stream(request: Request, conference: str) -> Response:
        found, speaker = await pages.conference(conference), request.state.bearer

        async def values() -> Values:
            now = work.parts.clock.now()
            given = await work.database.read(views.speaker.journey_of_speaker, found.slug, speaker.code, now)
            return {"journey": given}

        return live(request, pages, found, values)


def _add_changing(doors: Doors, work: Work, pages: Pages, show: _Shown) -> None:
    @doors.page(PATH + "/arrival", who=SPEAKER, methods=("POST",))
    async def arrival(request: Request, conference: str, token: Name) -> Response:
        form = await read_form(request)
        found, speaker = await pages.conference(conference), request.state.bearer
        try:
            answer = await _announce_or_change(request, work, found, speaker, form)
        except ANSWERS as error:
            return await show.page(request, conference, token, form, error)
        return see_other(f"/{conference}/speaker/{token}", _said(answer))

    @doors.page(PATH + "/withdraw", who=SPEAKER, methods=("POST",))
    async def withdraw(request: Request, conference: str, token: Name) -> Response:
        form = await read_form(request)
        found, speaker = await pages.conference(conference), request.state.bearer
        try:
            await _withdraw(request, work, found, speaker, form)
        except ANSWERS as error:
            return await show.page(request, conference, token, form, error)
        return see_other(f"/{conference}/speaker/{token}", "Your pickup is withdrawn. Nobody is sent.")


async def _see(work: Work, slug: str, token: str) -> None:
    """Organisers see who has opened the page."""
    link = await work.database.read(store.speakers.load_link, slug, presented(work, "speaker", token))
    now = work.parts.clock.now()
    if link is not None and link.id and (link.seen_at is None or now - link.seen_at > SEEN_ANEW):
        with suppress(Unavailable):  # The page is worth more than the mark.
            await work.database.write(see_speaker_link, link.id)


async def _announce_or_change(
    request: Request, work: Work, conference: Conference, speaker: Speaker, form: Form
) -> dict[str, Any]:
    """One arrival per speaker's page: the first time it is announced, then changed."""
    slug = conference.slug
    journey = await work.database.read(views.speaker.present_journey, slug, speaker.code)
    key = await asked(request, form.key, "speaker.arrival", who=f"speaker/{speaker.code}")
    if journey is None:
        wanted = arrival_from(form, conference.zone)
        return await work.database.write(keys.once, key, announce_arrival, slug, speaker.code, wanted, promise(work))
    return await work.database.write(
        keys.once,
        key,
        rewrite_arrival,
        slug,
        journey.id,
        typed_arrival(form),
        promise(work),
        reason="the speaker changed the arrival",
    )


async def _withdraw(request: Request, work: Work, conference: Conference, speaker: Speaker, form: Form) -> None:
    reason = form.text("reason", most=200) or "withdrawn by the speaker"
    key = await asked(request, form.key, "speaker.withdraw", who=f"speaker/{speaker.code}")
    await work.database.write(keys.once, key, withdraw_present_arrival, conference.slug, speaker.code, reason=reason)


def _said(answer: dict[str, Any]) -> str:
    warnings = "".join(f" But {warning}." for warning in answer["warnings"])
    return f"Thank you. We look for a car for you; your pickup is {answer['code']}.{warnings}"
