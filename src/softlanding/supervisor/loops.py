"""Loops inside a service: each is a `step`, called again and again; nobody else loops or sleeps."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from softlanding.clock import Clock

BACKOFF_FIRST_S = 0.05
STEP_MAX_S = 30.0  # Longer than any wait inside a step; a step that takes longer hangs.


@dataclass(frozen=True)
class Loop:
    """One step and when to call it again: at once while it had work, else after `pause_s` or when `wake` is set.

    `soft_errors` are those of a broken wire: waited out with backoff. Any other exception is a bug.
    """

    name: str
    step: Callable[[], Awaitable[bool]]
    pause_s: float
    wake: asyncio.Event | None = None
    soft_errors: tuple[type[Exception], ...] = ()
    backoff_max_s: float = 5.0
    step_max_s: float = STEP_MAX_S


class LoopDied(Exception):
    """A loop met a bug. The process must end: half a service is worse than one that is started again."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"loop {name} died of a bug")


@dataclass
class Turns:
    """When each loop last began a turn, and until when the next one is due: what /livez looks at."""

    turned_at: dict[str, float] = field(default_factory=dict)
    due_at: dict[str, float] = field(default_factory=dict)

    def late(self, now: float) -> list[str]:
        """The loops that do not turn, by name, at `now` on the monotonic clock."""
        return sorted(name for name, due_at in self.due_at.items() if now > due_at)


def _nobody(_name: str, _error: BaseException) -> None:
    pass


def _nobody_again(_name: str) -> None:
    pass


async def run_loops(
    loops: Sequence[Loop],
    clock: Clock,
    *,
    rng: random.Random,
    turns: Turns | None = None,
    on_trouble: Callable[[str, BaseException], None] = _nobody,
    on_recovery: Callable[[str], None] = _nobody_again,
    on_death: Callable[[str, BaseException], None] = _nobody,
) -> None:
    """Turn all loops until cancelled; then stop them in the order given, each before the next.

    `on_trouble(name, error)` hears of each soft error, `on_recovery(name)` of the first good step after some. A bug
    in one stops all: `on_death(name, error)` hears of it and LoopDied is raised from it.
    """
    turns = turns or Turns()
    tasks = {
        asyncio.create_task(_turn(loop, clock, rng, turns, on_trouble, on_recovery), name=f"loop {loop.name}"): loop
        for loop in loops
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        died = next(task for task in tasks if task in done)
        error = died.exception() if not died.cancelled() else None
        error = error or RuntimeError("it was cancelled from inside")
        on_death(tasks[died].name, error)
        raise LoopDied(tasks[died].name) from error
    finally:
        await _stop(list(tasks))


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
        # Whatever a loop says while it is stopped comes too late to matter; the next life recovers.
        with suppress(asyncio.CancelledError, Exception):
            await task


async def _turn(
    loop: Loop,
    clock: Clock,
    rng: random.Random,
    turns: Turns,
    on_trouble: Callable[[str, BaseException], None],
    on_recovery: Callable[[str], None],
) -> None:
    backoff_s = BACKOFF_FIRST_S
    while True:
        _note(turns, loop, clock.monotonic(), loop.step_max_s)
        if loop.wake is not None:
            loop.wake.clear()  # Before the step: what arrives during it is not slept over.
        try:
            had_work = await loop.step()
        except loop.soft_errors as error:
            on_trouble(loop.name, error)
            pause_s = backoff_s * (0.5 + rng.random())
            backoff_s = min(loop.backoff_max_s, backoff_s * 2)
            _note(turns, loop, clock.monotonic(), pause_s + loop.step_max_s)
            await clock.sleep(pause_s)
            continue
        if backoff_s != BACKOFF_FIRST_S:
            on_recovery(loop.name)
        backoff_s = BACKOFF_FIRST_S
        if had_work:
            await clock.sleep(0)  # A step that never waits must not starve the doors.
        else:
            _note(turns, loop, clock.monotonic(), loop.pause_s + loop.step_max_s)
            await _pause(loop, clock)


def _note(turns: Turns, loop: Loop, now: float, within_s: float) -> None:
    turns.turned_at[loop.name] = now
    turns.due_at[loop.name] = now + within_s


async def _pause(loop: Loop, clock: Clock) -> None:
    if loop.wake is None:
        await clock.sleep(loop.pause_s)
        return
    waits = [asyncio.ensure_future(loop.wake.wait()), asyncio.ensure_future(clock.sleep(loop.pause_s))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
