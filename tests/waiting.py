"""Waiting for conditions, with a deadline: what tests do instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], deadline_s: float = 10.0, what: str = "") -> T:
    """The first true value of `condition`, asked every 10 ms. Fails when the deadline passes."""
    end = time.monotonic() + deadline_s  # noqa: TID251
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:  # noqa: TID251
            raise AssertionError(f"not within {deadline_s} s: {what or condition}")
        time.sleep(0.01)  # noqa: TID251


async def until(condition: Callable[[], Awaitable[T]], deadline_s: float = 10.0, what: str = "") -> T:
    """As `wait_until`, for a condition that is awaited."""
    end = time.monotonic() + deadline_s  # noqa: TID251
    while True:
        value = await condition()
        if value:
            return value
        if time.monotonic() > end:  # noqa: TID251
            raise AssertionError(f"not within {deadline_s} s: {what or condition}")
        await asyncio.sleep(0.01)  # noqa: TID251
