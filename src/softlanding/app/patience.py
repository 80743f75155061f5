"""Waiting for a database that is away, in every phase before ready: said, never silent, and never for what no waiting
mends.
"""

import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from softlanding.clock import Clock, retry
from softlanding.database import DATABASE_ERRORS, brief, is_away, remedy
from softlanding.errors import Refused, Unavailable
from softlanding.lifecycle import Phases
from softlanding.telemetry import Log

T = TypeVar("T")

SAY_AGAIN_S = 60.0


class Patience:
    """One process's waits. Each is said once, and again each minute or when its reason changes."""

    def __init__(self, phases: Phases, clock: Clock, rng: random.Random, log: Log) -> None:
        self._phases, self._clock, self._rng, self._log = phases, clock, rng, log
        self._said: tuple[str, float] | None = None

    async def until_done(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """What the attempt gives, tried again as long as the database is away. It must bear being done twice. Raises
        Refused, with the remedy, for a fault that stays."""
        return await retry(
            attempt,
            clock=self._clock,
            rng=self._rng,
            deadline_s=float("inf"),
            errors=(*DATABASE_ERRORS, Unavailable),
            longest_s=1.0,
            waiting=self.wait,
        )

    def wait(self, error: BaseException, waited_s: float) -> None:
        """The database did not do it: say so. Raises Refused, with the remedy, when no waiting helps."""
        if not (is_away(error) or isinstance(error, Unavailable)):
            raise error  # A statement that is wrong stays wrong: a fault of ours.
        why = error.for_operators if isinstance(error, Unavailable) else brief(error)
        what_to_do = remedy(why)
        if what_to_do is not None:
            raise Refused(what_to_do) from error
        self._phases.wait_for(f"the database: {why}")
        now = self._clock.monotonic()
        if self._said is None or self._said[0] != why or now - self._said[1] >= SAY_AGAIN_S:
            self._said = (why, now)
            self._log.warning("waiting for the database", why=why, waited_s=round(waited_s, 1))
