"""Programs' tokens of a conference: who has one, for what; made, shown once, and revoked."""

from typing import Any

from fastapi import Request
from fastapi.responses import Response

from softlanding import tokens
from softlanding.auth import EVERYWHERE, SCOPES
from softlanding.errors import SoftlandingError
from softlanding.lifecycle import Work
from softlanding.schedule.actions.tokens import make_token, revoke_token, text_of
from softlanding.schedule.pages.shared import ORGANISERS, refused_form
from softlanding.web import ANSWERS, Doors, Form, Pages, once, read_form, see_other
from softlanding.web.doors import signer_of

PATH = "/{conference}/organise/tokens"


def add_doors(doors: Doors, work: Work, pages: Pages) -> None:
    @doors.page(PATH, who=ORGANISERS)
    async def listed(request: Request, conference: str) -> Response:
        return await _show(request, work, pages, conference)

    @doors.page(PATH, who=ORGANISERS, methods=("POST",))
    async def make(request: Request, conference: str) -> Response:
        form, signer, by = await read_form(request), signer_of(work), request.state.visitor.name
        is_for_all = form.is_on("everywhere") and _is_everywhere(request)
        try:
            made = await once(
                work,
                request,
                form.key,
                "token.make",
                make_token,
                signer,
                name=form.required("name", "a name", most=80),
                scopes=[scope for scope in SCOPES if form.is_on(scope)],
                conference=None if is_for_all else conference,
                by=by,
            )
        except ANSWERS as error:
            return await _show(request, work, pages, conference, form=form, error=error)
        return await _show(request, work, pages, conference, made=made | {"text": text_of(signer, made["token"])})

    @doors.page(f"{PATH}/revoke", who=ORGANISERS, methods=("POST",))
    async def revoke(request: Request, conference: str) -> Response:
        form, address = await read_form(request), f"/{conference}/organise/tokens"
        place = None if _is_everywhere(request) else conference
        try:
            done = await once(
                work,
                request,
                form.key,
                "token.revoke",
                revoke_token,
                form.required("token", "which token", most=64),
                by=request.state.visitor.name,
                conference=place,
            )
        except ANSWERS as error:
            return see_other(address, str(error), "refused")
        return see_other(address, f"{done['name']} holds no more.")


def _is_everywhere(request: Request) -> bool:
    return (EVERYWHERE, "organiser") in request.state.visitor.roles


async def _show(
    request: Request,
    work: Work,
    pages: Pages,
    slug: str,
    *,
    form: Form | None = None,
    error: SoftlandingError | None = None,
    made: dict[str, Any] | None = None,
) -> Response:
    conference = await pages.conference(slug)
    found = await work.database.read(tokens.list_tokens, None if _is_everywhere(request) else slug)
    now = work.parts.clock.now()
    return pages.show(
        request,
        "tokens.html",
        conference=conference,
        title="Programs",
        refusal=error,
        refused=refused_form(form, error) if form and error else None,
        tokens=[one for one in found if one.holds_at(now)],
        over=[one for one in found if not one.holds_at(now)],
        may_everywhere=_is_everywhere(request),
        made=made,
    )
