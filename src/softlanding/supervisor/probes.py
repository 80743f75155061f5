"""Asking a process whether it is there. By hand, because the supervisor outlives all and should weigh little."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


async def http_ok(url: str, timeout_s: float) -> bool:
    """Whether GET answers 200 in time. Never raises for what the other side does."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode("ascii"))
                status = await reader.readline()
                return status.split()[1:2] == [b"200"]
            finally:
                await _close(writer)
    except (OSError, TimeoutError, ValueError):  # ValueError: a status line without end.
        return False


async def port_open(host: str, port: int, timeout_s: float) -> bool:
    """Whether somebody listens there."""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host, port)
            await _close(writer)
            return True
    except (OSError, TimeoutError):
        return False


async def _close(writer: asyncio.StreamWriter) -> None:
    # Thrown away, not said goodbye to: who is stopped (SIGSTOP) would never say it back.
    with suppress(OSError):
        writer.transport.abort()
