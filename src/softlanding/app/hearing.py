"""Whether the services have heard what Schedule told: asked by hand, so that the supervisor stays small.

Each is ready by itself a moment before it knows the conference, and before the public files are made; whoever is told
"ready" may click at once.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from softlanding.clock import Clock, retry

ANSWER_S = 1.0
WITHIN_S = 4.0  # Then they are ready all the same: a service that is down must not keep the others from being used.
State = Mapping[str, Any]


class _NotYet(Exception):
    """Somebody has yet to hear something, to answer, or to make a page."""


async def wait_until_heard(
    state_urls: Mapping[str, str], clock: Clock, *, is_served: Callable[[], bool] = lambda: True
) -> bool:
    """Come back once all have applied what Schedule has told so far, and the public files are served as well; False if
    that is not so within WITHIN_S."""

    async def look() -> None:
        if not is_served():
            raise _NotYet
        states = dict(zip(state_urls, await asyncio.gather(*map(_state, state_urls.values())), strict=True))
        if not all(has_heard(state, states["schedule"]) for name, state in states.items() if name != "schedule"):
            raise _NotYet

    with suppress(_NotYet):
        await retry(
            look, clock=clock, rng=random.Random(), deadline_s=WITHIN_S, errors=(_NotYet,), first_s=0.02, longest_s=0.2
        )
        return True
    return False


def has_heard(state: State, schedule: State) -> bool:
    """Whether this service has applied all that Schedule has told. One that stands still will not, and says so."""
    inbox = state.get("inboxes", {}).get("schedule")
    if inbox is None or "life" not in schedule:
        return False
    place = (inbox["epoch"], inbox["sequence"])
    return bool(inbox["halted"]) or (place[0] == schedule["life"] and place[1] >= schedule["number"])


async def _state(url: str) -> State:
    """What the service says of itself; empty when it does not answer."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"GET {parts.path} HTTP/1.0\r\nHost: {host}:{port}\r\n\r\n".encode())
                _, _, body = (await reader.read()).partition(b"\r\n\r\n")
            finally:
                writer.close()
        state: State = json.loads(body)
    except (OSError, TimeoutError, ValueError):
        return {}
    return state
