"""What holds for every answer of a service, whichever door gives it.

A request for a name that is not ours is refused: links and redirects begin with the name that was asked for, and a
browser may be led here under a stranger's (DNS rebinding). No answer is kept by browsers or proxies, or listed by
search engines; whoever asks only for the head gets it; and cookies that come by TLS go back by TLS alone.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from softlanding.guards import HEADERS
from softlanding.lifecycle import Work
from softlanding.settings import Settings, known_hosts
from softlanding.web.cookies import OwnCookies

HEAD_S = 10.0  # After that an answer counts as a stream, whose head has long been sent.
_PORT = re.compile(r":\d{1,5}$")
_DEFAULTS = HEADERS | {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


def public_url(work: Work, request: Request) -> str:
    """What absolute addresses begin with, without a slash at its end: the address that people know, where it is set;
    the one for phones in the same network; else the name that was asked for, which is one of ours."""
    door = work.settings.front_door
    return str(door.public_url or door.lan_url or request.base_url).rstrip("/")


@dataclass(frozen=True)
class Guard:
    """Around an application: `refuse` makes the answer to a request for a foreign name."""

    app: ASGIApp
    settings: Settings
    service: str
    refuse: Callable[[Request], Response]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        host = _host_of(scope)
        if self._is_behind_tls(host):
            scope["scheme"] = "https"
        is_ours = host in known_hosts(self.settings) or self._is_of_peers(scope)
        app = self.app if is_ours else self.refuse(Request(scope))
        answer = _Answer(scope, send)
        if scope["method"] == "HEAD":
            await _only_the_head(app({**scope, "method": "GET"}, receive, answer.send))
        else:
            await app(scope, receive, answer.send)

    def _is_behind_tls(self, host: str) -> bool:
        """Who ends TLS may stand on another machine, whose word about the scheme is not taken."""
        public = urlsplit(self.settings.front_door.public_url or "")
        return public.scheme == "https" and host == _folded(public.hostname or "")

    def _is_of_peers(self, scope: Scope) -> bool:
        """Peers ask for the feed by whatever name their network has for us; it makes no links, and asks for a token."""
        return bool(scope["path"] == f"/api/{self.service}/facts")


class _Answer:
    """One answer on its way out."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._is_head = scope["method"] == "HEAD"
        self._is_file = scope["path"].startswith("/static/")
        self._is_tls = scope["scheme"] == "https"
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._complete(MutableHeaders(scope=message))
            await self._send(message)
            if self._is_head:
                await self._send({"type": "http.response.body", "body": b""})
        elif not self._is_head:
            await self._send(message)

    def _complete(self, headers: MutableHeaders) -> None:
        for name, value in (HEADERS if self._is_file else _DEFAULTS).items():
            headers.setdefault(name, value)
        if self._is_tls:
            headers.raw[:] = [_secured(name, value) for name, value in headers.raw]


async def _only_the_head(answering: Awaitable[None]) -> None:
    """A stream has no end by itself, and whoever asked for its head does not leave."""
    task = asyncio.ensure_future(answering)
    try:
        await asyncio.wait((task,), timeout=HEAD_S)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
    if not task.cancelled():
        task.result()


class GuardedApp(FastAPI):
    """An application all of whose answers pass the guard, the one to a fault of ours included."""

    guard: Guard | None = None

    def put_guard(self, work: Work, refuse: Callable[[Request], Response]) -> None:
        self.guard = Guard(OwnCookies(super().__call__, work.settings), work.settings, work.service.name, refuse)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self.guard or super().__call__)(scope, receive, send)


def _secured(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    is_open = name == b"set-cookie" and b"; secure" not in value.lower()
    return name, value + b"; Secure" if is_open else value


def _host_of(scope: Scope) -> str:
    found = [value for name, value in scope["headers"] if name == b"host"]
    return _folded(_PORT.sub("", found[0].decode("latin-1"))) if len(found) == 1 else ""


def _folded(name: str) -> str:
    return name.lower().strip("[]").rstrip(".")
