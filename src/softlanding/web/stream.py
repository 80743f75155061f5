"""Server-sent events: a page's live fragments, always as the present state, never as differences.

On connect every fragment is sent; then each that changed. So a reconnect misses nothing and nothing is replayed.
"""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from fastapi.responses import StreamingResponse

from softlanding.lifecycle import Work
from softlanding.lifecycle.signal import Signal

BEAT_S = 10.0
BURST_S = 0.15

_PASSING = re.compile(r'name="key" value="[^"]*"|(?<=data-ages>)[^<]*')

Fragments = Callable[[], Awaitable[Mapping[str, str]]]
"""Element id to HTML, rendered now."""


def stream(work: Work, fragments: Fragments) -> StreamingResponse:
    """The stream of one page."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(work, fragments), media_type="text/event-stream", headers=headers)


async def _events(work: Work, fragments: Fragments) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    shown: dict[str, str] = {}
    beat_at = work.parts.clock.monotonic()
    while not work.is_stopping:
        seen = work.commits.count
        for name, html in (await fragments()).items():
            if shown.get(name) != (essence := _essence(html)):
                shown[name] = essence
                yield f"event: fragment\ndata: {json.dumps({'id': name, 'html': html})}\n\n"
        if await work.commits.wait(seen, BEAT_S) != seen:
            await Signal.quiet(BURST_S)
        if work.parts.clock.monotonic() - beat_at >= BEAT_S:
            beat_at = work.parts.clock.monotonic()
            yield ": beat\n\n"


def _essence(html: str) -> str:
    """The fragment without what differs in each rendering: one-time keys, and ages that the page counts by itself."""
    return _PASSING.sub("", html)
