"""Time, as something one passes in.

Business deadlines use `now` (wall time, aware UTC), time-outs use `monotonic` (seconds of this process's own clock).
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Come back after `seconds`. For the supervisor and `retry` alone."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - the one place

    def monotonic(self) -> float:
        return time.monotonic()  # noqa: TID251 - the one place

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251 - the one place


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


async def retry(
    work: Callable[[], Awaitable[T]],
    *,
    clock: Clock,
    rng: random.Random,
    deadline_s: float,
    errors: tuple[type[BaseException], ...],
    first_s: float = 0.05,
    longest_s: float = 2.0,
    waiting: Callable[[BaseException, float], None] | None = None,
) -> T:
    """The result of `work`, tried again on `errors` with doubling, jittered waits until `deadline_s` has passed.

    `waiting(error, waited_s)` is told before each wait, so that nobody waits in silence. The last error is raised.
    """
    began = clock.monotonic()
    pause_s = first_s
    while True:
        try:
            return await work()
        except errors as error:
            waited_s = clock.monotonic() - began
            left_s = deadline_s - waited_s
            if left_s <= 0:
                raise
            if waiting is not None:
                waiting(error, waited_s)
        await clock.sleep(min(left_s, pause_s * (0.5 + rng.random())))
        pause_s = min(longest_s, pause_s * 2)
