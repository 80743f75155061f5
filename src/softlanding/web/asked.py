"""What a key counts for: who asks, where, at which door, and for what."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Concatenate, ParamSpec

from fastapi import Request
from starlette.datastructures import UploadFile

from softlanding import keys
from softlanding.audit import Asker
from softlanding.auth import NOBODY, Visitor
from softlanding.database import Transaction
from softlanding.errors import Forbidden
from softlanding.keys import Answer, Key
from softlanding.lifecycle import Work
from softlanding.signing import hash_of
from softlanding.web.forms import parsed_form

P = ParamSpec("P")

PASSING = ("key", "csrf")  # Fields that tell nothing of what is asked.


async def asked(request: Request, key: str, door: str, *, who: str = "", content: bytes = b"") -> Key:
    """The key of this request, bound to who asks and to what is asked.

    `who` names the person behind a personal link, which may be renewed meanwhile; `content` is a body that was read
    as a stream.
    """
    conference, asks = request.path_params.get("conference", ""), asker(request)
    digest = await _digest(request, content)
    return Key(key, door, who or asks.who, conference, digest, asks.address, _about(request))


async def once(
    work: Work,
    request: Request,
    key: str,
    door: str,
    action: Callable[Concatenate[Transaction, datetime, P], Answer],
    /,
    *args: P.args,
    **kw: P.kwargs,
) -> Answer:
    """The action's answer; for a key that was used before for the same, the first answer, and nothing happens (`keys`).

    Raises what the action raises, and Invalid for a key that came with another request.
    """
    return await work.database.write(keys.once, await asked(request, key, door), action, *args, **kw)


def asker(request: Request) -> Asker:
    """Who asks, and from where. Nobody known has no name."""
    return Asker(_who(request), request.client.host if request.client else "")


def speaks_as(request: Request, named: str) -> str:
    """In whose name this is done. People speak for themselves, whatever was said; a program for itself, and with the
    scope `admin` for whom it names. Raises Forbidden for a program without it that names somebody."""
    visitor: Visitor = request.state.visitor
    if visitor.person is not None or named.strip() in ("", visitor.name):
        return visitor.name
    if "admin" not in visitor.scopes:
        raise Forbidden("a program speaks for somebody else only with the scope admin: leave out `by`, or ask for one")
    return named.strip()


def _about(request: Request) -> str:
    """Whom the address names."""
    params = request.path_params
    if "code" in params and "/speakers/" in request.url.path:
        return f"speaker/{params['code']}"
    return next((f"{name}/{params[name]}" for name in ("person", "driver") if name in params), "")


def _who(request: Request) -> str:
    visitor = getattr(request.state, "visitor", NOBODY)
    if visitor.person is not None:
        return f"person/{visitor.person}"
    if visitor.scopes:
        return f"program/{visitor.token or visitor.name}"
    token = request.path_params.get("token", "")
    return f"link/{hash_of(token)}" if token else ""


async def _digest(request: Request, content: bytes) -> str:
    """Of method, address (but for a personal link in it), query and body, whichever way they were written."""
    route = getattr(request.scope.get("route"), "path", request.url.path)
    place = {name: value for name, value in request.path_params.items() if name != "token"}
    query = sorted(request.query_params.multi_items())
    told = json.dumps([request.method, route, place, query, await _body(request, content)], sort_keys=True, default=str)
    return hashlib.sha256(told.encode()).hexdigest()


async def _body(request: Request, content: bytes) -> Any:
    if content:
        return hashlib.sha256(content).hexdigest()
    if "form" in request.headers.get("Content-Type", ""):
        fields = (await parsed_form(request)).multi_items()
        return sorted([(name, await _value(value)) for name, value in fields if name not in PASSING])
    body = await request.body()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return hashlib.sha256(body).hexdigest()


async def _value(value: UploadFile | str) -> str:
    if isinstance(value, str):
        return value
    await value.seek(0)
    digest = hashlib.sha256(await value.read()).hexdigest()
    await value.seek(0)
    return f"{value.filename}/{digest}"
