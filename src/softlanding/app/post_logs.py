"""Takes log lines to Statistics, in batches. What cannot be taken is counted by the supervisor and said."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

ANSWER_S = 2.0


class LogPost:
    """A POST by hand, so that the supervisor stays small: no HTTP library is loaded for it."""

    def __init__(self, address: str, make_token: Callable[[], str]) -> None:
        """`make_token` gives one that is good for the very next request."""
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._make_token = make_token

    async def send(self, records: Sequence[dict[str, Any]]) -> None:
        """Raises OSError or TimeoutError when Statistics does not take them."""
        body = json.dumps(list(records), ensure_ascii=False, default=str).encode()
        token = self._make_token()
        head = (
            f"POST /api/statistics/logs HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection(self._host, self._port)
            try:
                writer.write(head.encode() + body)
                await writer.drain()
                status = (await reader.readline()).split(b" ")
            finally:
                writer.close()
        if len(status) < 2 or not status[1].startswith(b"2"):
            raise OSError(f"Statistics answered {status[1:2]}")
