"""Bounds on the work that one visitor can make: streams held open, requests a minute. What is beyond them is refused
for now (429), with how long to wait."""

from collections import Counter
from math import ceil

from softlanding.clock import Clock
from softlanding.errors import TooMany

KNOWN_MAX = 10_000  # Whose requests are counted at once; a minute's honest visitors are fewer.
MINUTE_S = 60.0
STREAM_WAIT_S = 30  # A page that was refused a stream asks for the page meanwhile, every ten seconds.


class Held:
    """How many streams each visitor holds open."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def take(self, holder: str, most: int) -> None:
        """One more for this holder. Raises TooMany."""
        if self._open[holder] >= most:
            raise TooMany(
                f"{most} live pages are open already; close some of them, this one then goes on", STREAM_WAIT_S
            )
        self._open[holder] += 1

    def give_back(self, holder: str) -> None:
        self._open[holder] -= 1
        if self._open[holder] <= 0:
            del self._open[holder]


class Rate:
    """How many requests of each visitor count in the minute that is running."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock, self._most = clock, most
        self._counts: Counter[str] = Counter()
        self._began_s = clock.monotonic()

    def take(self, who: str) -> None:
        """One more request of this visitor. Raises TooMany."""
        passed_s = self._clock.monotonic() - self._began_s
        if passed_s >= MINUTE_S or len(self._counts) >= KNOWN_MAX:
            self._counts.clear()
            self._began_s, passed_s = self._clock.monotonic(), 0.0
        self._counts[who] += 1
        if self._counts[who] > self._most:
            wait_s = max(1, ceil(MINUTE_S - passed_s))
            raise TooMany(
                f"more than {self._most} changes a minute come from here; wait {wait_s} s and send it again", wait_s
            )
