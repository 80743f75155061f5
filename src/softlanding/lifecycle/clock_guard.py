"""Deadlines go by wall time, and wall clocks lie: while ours is in doubt, nothing is declared too late.

In doubt: wall and monotonic time part by more than 2 s; a peer's beat differs by more than 30 s, and no other peer is
with us; at start the last sign in the database lies in the future. It goes on when a peer agrees or a person says so.
So of three clocks the one that differs holds, and the two that agree go on.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from softlanding.clock import Clock

AGREES_S = 2.0
HEARD_WITHIN_S = 5.0  # An older sign says nothing about a clock of now.


@dataclass
class ClockGuard:
    clock: Clock
    jump_max_s: float
    peer_max_s: float
    wall: datetime  # Both clocks when they were last compared; at first, when the process began.
    monotonic: float
    held: str | None = None  # Why deadline timers hold; None: they run.
    held_at: datetime | None = None
    _skews: dict[str, tuple[float, float]] = field(default_factory=dict)  # By peer: how far off, and heard when.

    def look(self) -> None:
        """Compare the two clocks with the last look."""
        apart = self._apart_s()
        self.wall, self.monotonic = self.clock.now(), self.clock.monotonic()
        if abs(apart) > self.jump_max_s:
            self._skews.clear()  # They were measured by the clock before the jump.
            self.hold(f"the clock jumped by {apart:+.0f} s")

    def is_in_doubt(self) -> bool:
        """Held, or about to be: for who decides between two looks. Changes nothing; any thread may ask."""
        return self.held is not None or abs(self._apart_s()) > self.jump_max_s

    def _apart_s(self) -> float:
        return (self.clock.now() - self.wall).total_seconds() - (self.clock.monotonic() - self.monotonic)

    def look_at_last_sign(self, last_at: datetime | None) -> None:
        """At start: what the database last saw must not lie in the future."""
        if last_at is not None and last_at > self.clock.now() + timedelta(seconds=self.jump_max_s):
            self.hold(f"the database was last used at {last_at:%Y-%m-%d %H:%M:%S} UTC, which is in the future")

    def look_at_peer(self, service: str, skew_s: float) -> None:
        """A beat was heard: `skew_s` is the peer's clock less ours, with the way of the beat in it."""
        self._skews[service] = skew_s, self.clock.monotonic()
        if abs(skew_s) > self.peer_max_s and not self._is_another_with_us(service):
            self.hold(f"{service.title()}'s clock differs by {skew_s:+.0f} s")
        elif self.held is not None and abs(skew_s) <= AGREES_S:
            self.release()

    def _is_another_with_us(self, than: str) -> bool:
        """Then it is the one that differs whose clock is wrong."""
        since = self.clock.monotonic() - HEARD_WITHIN_S
        heard = [skew_s for service, (skew_s, at) in self._skews.items() if service != than and at >= since]
        return any(abs(skew_s) <= self.peer_max_s for skew_s in heard)

    def hold(self, why: str) -> None:
        if self.held is None:
            self.held, self.held_at = why, self.clock.now()

    def release(self) -> None:
        """A peer agrees, or a person says that the clock is right."""
        self.held, self.held_at = None, None
