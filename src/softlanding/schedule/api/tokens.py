"""Programs' tokens: who has one, for what; made, and revoked."""

from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import Field

from softlanding import tokens
from softlanding.auth import as_seen_by
from softlanding.lifecycle import Work
from softlanding.schedule.actions.tokens import make_token, revoke_token, text_of
from softlanding.schedule.api.shared import Given, NeededLine
from softlanding.web import Doors, once, staff
from softlanding.web.common import Key
from softlanding.web.doors import signer_of

ADMIN = staff("organiser", scopes=("admin",), everywhere=True)

# Told to a program without `personal`: not who made one, nor who revoked it.
_OF_TOKENS = frozenset(("conference", "ends_at", "made_at", "name", "revoked_at", "scopes", "seen_at", "token"))


class NewToken(Given):
    """`conference`: the one for which it holds; without it, it holds for all."""

    name: NeededLine
    scopes: Annotated[
        list[Literal["read", "write", "personal", "facts", "admin", "logs"]], Field(min_length=1, max_length=6)
    ]
    conference: Annotated[str | None, Field(max_length=80, pattern=r"^[a-z0-9][a-z0-9-]*$")] = None


class Named(Given):
    """By its name or id."""

    token: NeededLine


def add_doors(doors: Doors, work: Work) -> None:
    @doors.api("/api/schedule/tokens", who=ADMIN, summary="Programs' tokens, the newest first; never their text")
    async def listed(request: Request) -> list[dict[str, Any]]:
        found = [token_view(one) for one in await work.database.read(tokens.list_tokens)]
        return as_seen_by(request.state.visitor, found, _OF_TOKENS)

    @doors.api("/api/schedule/tokens", who=ADMIN, methods=("POST",), status_code=201, summary="Make a token")
    async def make(request: Request, key: Key, given: NewToken) -> dict[str, Any]:
        """`text` is what the program bears. It is told here alone."""
        signer, by = signer_of(work), request.state.visitor.name
        made = await once(
            work,
            request,
            key,
            "token.make",
            make_token,
            signer,
            name=given.name,
            scopes=given.scopes,
            conference=given.conference,
            by=by,
        )
        return made | {"text": text_of(signer, made["token"])}

    @doors.api("/api/schedule/tokens/revoke", who=ADMIN, methods=("POST",), summary="A token holds no more")
    async def revoke(request: Request, key: Key, given: Named) -> dict[str, Any]:
        by = request.state.visitor.name
        return await once(work, request, key, "token.revoke", revoke_token, given.token, by=by)


def token_view(one: tokens.Token) -> dict[str, Any]:
    return {name: value for name, value in vars(one).items() if name != "token_hash"}
