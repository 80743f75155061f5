"""A page's live stream, opened through its door and read as a browser reads it.

async with live_page(app, "/softconf/dispatch/stream", headers) as page:
    page.status
    await page.fragments(2)      # {name: html}, the next two
    await page.ended()           # True once the server has ended it
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote, urlsplit

WITHIN_S = 10

Headers = Mapping[str, str]


class LivePage:
    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self._events: asyncio.Queue[str | None] = asyncio.Queue()
        self._text = ""

    async def fragments(self, count: int) -> dict[str, str]:
        """The next fragments, by name."""
        found: dict[str, str] = {}
        while len(found) < count:
            event = await asyncio.wait_for(self._events.get(), WITHIN_S)
            assert event is not None, "the stream ended"
            if event.startswith("event: fragment"):
                message = json.loads(event.split("data: ", 1)[1])
                found[message["id"]] = message["html"]
        return found

    async def rest(self) -> str:
        """All that comes until the server ends the stream."""
        text = ""
        while (event := await asyncio.wait_for(self._events.get(), WITHIN_S)) is not None:
            text += event
        return text

    def drop_read(self) -> None:
        """What has come so far was seen."""
        while not self._events.empty():
            self._events.get_nowait()

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        self._text += message.get("body", b"").decode()
        *events, self._text = self._text.split("\n\n")
        for event in events:
            self._events.put_nowait(event)
        if not message.get("more_body"):
            self._events.put_nowait(None)


@asynccontextmanager
async def live_page(
    app: Any, address: str, headers: Mapping[str, str | bytes] | None = None
) -> AsyncIterator[LivePage]:
    """The stream is open, or refused, when this is entered; left, the browser has gone."""
    page, gone, is_asked = LivePage(), asyncio.Event(), False

    async def receive() -> dict[str, Any]:
        nonlocal is_asked
        if not is_asked:
            is_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    answer = asyncio.create_task(app(_scope(address, headers or {}), receive, page.send))
    try:
        while not page.status and not answer.done():
            await asyncio.wait([answer], timeout=0.01)
        yield page
    finally:
        gone.set()
        done, _ = await asyncio.wait([answer], timeout=WITHIN_S)
        if not done:
            answer.cancel()
            with suppress(asyncio.CancelledError):
                await answer
        answer.result()


def _scope(address: str, headers: Headers) -> dict[str, Any]:
    parts = urlsplit(address)
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(b"host", b"localhost"), *encoded],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "root_path": "",
    }
