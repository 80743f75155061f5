"""Server-sent events: a page's live fragments, always as the present state, never as differences.

On connect every fragment is sent; then each that changed. So a reconnect misses nothing and nothing is replayed.

A stream asks again before each sending, and at each beat, whether its visitor may still see the page; who may not any
more hears nothing more. Streams of one page and of equal rights share one rendering: it is made for a visitor without
a name, and what belongs to one session (its token against forgery, one-time keys) is put in at the sending.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from softlanding.auth import Visitor
from softlanding.errors import SoftlandingError
from softlanding.lifecycle import Work
from softlanding.lifecycle.signal import Signal
from softlanding.signing import hash_of
from softlanding.telemetry import get_log
from softlanding.web.bounds import Held
from softlanding.web.doors import signer_of

BEAT_S = 10.0
BURST_S = 0.15
# A phone and a laptop with some tabs each; what a lost network left open ends by itself within minutes.
PER_LINK, PER_SESSION, PER_PROGRAM, PER_ADDRESS = 8, 16, 16, 64

_KEY = re.compile(r'name="key" value="[^"]*"')
_CSRF = 'name="csrf" value=""'
_PASSING = re.compile(r'name="key" value="[^"]*"|(?<=data-ages>)[^<]*')

Fragments = Callable[[], Awaitable[Mapping[str, str]]]
"""Element id to HTML, rendered now."""


def stream(request: Request, fragments: Fragments) -> StreamingResponse:
    """The stream of one page, for a request that its door let in. Raises TooMany.

    What `fragments` renders may be sent to everybody with this visitor's rights: `request.state.visitor` has no name
    and no session there.
    """
    streams: Streams = request.app.state.streams
    return streams.open(request, fragments)


class Streams:
    """The streams of one service: who holds how many, and the pages that they show."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._held = Held()
        self._shows: dict[str, _Show] = {}

    def open(self, request: Request, fragments: Fragments) -> StreamingResponse:
        visitor: Visitor = request.state.visitor
        holder, most = _holder(request, visitor)
        self._held.take(holder, most)
        name = _name_of_show(request, visitor)
        request.state.visitor = _as_one_of_many(visitor)
        show = self._shows.setdefault(name, _Show(self._work, fragments))
        show.watchers += 1

        def leave() -> None:
            self._held.give_back(holder)
            show.watchers -= 1
            if show.watchers == 0:
                del self._shows[name]

        return _Stream(_events(self._work, show, request, visitor), leave)


class _Stream(StreamingResponse):
    """It ends once, however it ends: by our word, by the visitor's leaving, or before it began."""

    def __init__(self, events: AsyncIterator[str], leave: Callable[[], None]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class _Show:
    """One page as all who watch it with equal rights see it: rendered once for each commit, whoever asks first."""

    def __init__(self, work: Work, fragments: Fragments) -> None:
        self.watchers = 0
        self._work, self._fragments = work, fragments
        self._lock = asyncio.Lock()
        self._seen, self._rendered_s = -1, 0.0
        self._shown: Mapping[str, str] = {}

    async def present(self) -> Mapping[str, str]:
        """The fragments, not older than the last commit before this call (nor than a beat)."""
        async with self._lock:
            count, now_s = self._work.commits.count, self._work.parts.clock.monotonic()
            if self._seen != count or now_s - self._rendered_s >= BEAT_S / 2:
                self._shown = dict(await self._fragments())
                self._seen, self._rendered_s = count, now_s
            return self._shown


async def _events(work: Work, show: _Show, request: Request, visitor: Visitor) -> AsyncIterator[str]:
    try:
        async for event in _changes(work, show, request, visitor):
            yield event
    except SoftlandingError as error:
        # Who may not see it any more, or what is not there any more, or not just now. The page asks by itself and
        # gets the refusal in words.
        get_log().debug("a live page ended", door=_door_of(request), reason=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - the answer has begun, no handler can say it any more
        get_log().error("a live page broke", door=_door_of(request), exc_info=error)


async def _changes(work: Work, show: _Show, request: Request, visitor: Visitor) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    csrf = signer_of(work).csrf(visitor.session) if visitor.session else ""
    sent: dict[str, str] = {}
    beat_at = work.parts.clock.monotonic()
    while not work.is_stopping:
        seen = work.commits.count
        shown = await show.present()
        changed = {name: html for name, html in shown.items() if sent.get(name) != _essence(html)}
        if changed:
            await _ask_again(request, visitor)
        for name, html in changed.items():
            sent[name] = _essence(html)
            own = _of_this_session(html, csrf, work.parts.ids.secret)
            yield f"event: fragment\ndata: {json.dumps({'id': name, 'html': own})}\n\n"
        if await work.commits.wait(seen, BEAT_S) != seen:
            await Signal.quiet(BURST_S)
        if work.parts.clock.monotonic() - beat_at >= BEAT_S:
            beat_at = work.parts.clock.monotonic()
            await _ask_again(request, visitor)
            yield ": beat\n\n"


async def _ask_again(request: Request, visitor: Visitor) -> None:
    """Raises what the door would answer now; also where the rights, though good for the page, are others than those
    that it is rendered for."""
    present, _ = await request.state.ask_again()
    if _rights(present) != _rights(visitor):
        raise RightsChanged("what you may see has changed; the page comes anew")


class RightsChanged(SoftlandingError):
    """The visitor's roles are others now. The stream ends, and the page asks for one with the rights of today."""


def _holder(request: Request, visitor: Visitor) -> tuple[str, int]:
    """Whose streams are counted together, and how many they may be."""
    if "token" in request.path_params:
        return f"link/{hash_of(request.path_params['token'])}", PER_LINK
    if visitor.person is not None:
        return f"session/{visitor.person}/{visitor.session}", PER_SESSION
    if visitor.scopes:
        return f"program/{visitor.name}", PER_PROGRAM
    return f"address/{request.client.host if request.client else ''}", PER_ADDRESS


def _name_of_show(request: Request, visitor: Visitor) -> str:
    return json.dumps([request.url.path, sorted(request.query_params.multi_items()), _rights(visitor)])


def _rights(visitor: Visitor) -> list[Any]:
    """All of a visitor that may change what a page shows."""
    return [visitor.person is not None, sorted(visitor.roles), sorted(visitor.scopes)]


def _as_one_of_many(visitor: Visitor) -> Visitor:
    """The visitor's rights without who it is."""
    return replace(visitor, person=visitor.person and "somebody", name="", session="")


def _of_this_session(html: str, csrf: str, new_key: Callable[[], str]) -> str:
    """The fragment with the visitor's own token against forgery, and with one-time keys of its own."""
    own = html.replace(_CSRF, f'name="csrf" value="{csrf}"')
    return _KEY.sub(lambda _: f'name="key" value="{new_key()}"', own)


def _essence(html: str) -> str:
    """The fragment without what differs in each rendering: one-time keys, and ages that the page counts by itself."""
    return _PASSING.sub("", html)


def _door_of(request: Request) -> str:
    """The route's pattern: the path itself may bear somebody's personal link."""
    return str(getattr(request.scope.get("route"), "path", "unknown"))
