"""Identifiers, as something one passes in: UUIDv7 for machines, short codes for people."""

import random
from typing import Protocol

from softlanding.clock import Clock

CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # Without I, L, O, 0, 1: read aloud in a car park.


class Ids(Protocol):
    def new(self) -> str:
        """A new UUIDv7 (RFC 9562), as text. Later ones sort after earlier ones of the same millisecond clock."""

    def new_after(self, other: str) -> str:
        """As `new`, and it sorts after `other`, which another process has made, perhaps by a clock ahead of ours."""

    def code(self, length: int = 4) -> str:
        """A short random code of unmistakable letters, such as K7QX. Not unique by itself: the table decides."""

    def secret(self) -> str:
        """32 url-safe characters (160 bits) that nobody can guess."""


class RandomIds:
    """Identifiers from a clock and a source of randomness: the system's, or a seeded one for the simulation."""

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._last = 0

    def new(self) -> str:
        millis = int(self._clock.now().timestamp() * 1000)
        # Twelve bits count within a millisecond: ids keep their order, also after the clock stepped back.
        stamp = max((millis << 12) | self._rng.getrandbits(8), self._last + 1)
        self._last = stamp
        value = ((stamp >> 12) << 80) | (0x7 << 76) | ((stamp & 0xFFF) << 64) | (0b10 << 62) | self._rng.getrandbits(62)
        text = f"{value:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def new_after(self, other: str) -> str:
        digits = other.replace("-", "")
        self._last = max(self._last, int(digits[:12] + digits[13:16], 16))
        return self.new()

    def code(self, length: int = 4) -> str:
        return "".join(self._rng.choice(CODE_LETTERS) for _ in range(length))

    def secret(self) -> str:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789-_"
        return "".join(self._rng.choice(letters) for _ in range(32))


def system_ids(clock: Clock) -> RandomIds:
    """Identifiers that nobody can guess, from the operating system's randomness."""
    return RandomIds(clock, random.SystemRandom())
