"""The fast path, as narrow as it can be: what the real broker, the nasty one in memory, and no broker have in common.

A bus may lose, copy, delay and disorder what it was given, even what it acknowledged: receivers find that out by
numbers and fetch from the producer. It may not invent or change anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from softlanding.errors import SoftlandingError
from softlanding.messaging.envelope import Envelope

BATCH_MAX = 500  # Facts in one atomic batch; nats-server bears 1000.


class BusDown(SoftlandingError):
    """The broker cannot be reached, or did not answer in time; what was being sent may have arrived."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One fact as it came, with what the bus needs to acknowledge it."""

    envelope: Envelope
    token: object


@dataclass(frozen=True, slots=True)
class Durability:
    """Whether an acknowledged batch survives the server's machine losing power, and how we know."""

    is_durable: bool
    why: str


class Bus(Protocol):
    """One receiver's and one producer's end of the broker: made for a service, given its name and its sources."""

    @property
    def is_up(self) -> bool:
        """Connected as far as this end knows. Costs nothing; may be wrong for a second."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """All of them durably, in order, in one atomic batch (1 to BATCH_MAX, of one source).

        Raises BusDown: outcome unknown. One that is too large for the broker is left out, counted and reported:
        receivers meet a gap there and fetch it from the feed.
        """

    async def receive(self, source: str, *, limit: int, wait_s: float) -> list[Delivery]:
        """Up to `limit` of the source's facts that this receiver has not acknowledged, in the stream's order.

        Waits at most `wait_s` for the first one, never for more. Empty when there is none. Raises BusDown.
        What is not acknowledged comes again: at once to a new life, after a while in the same one.
        """

    async def acknowledge(self, source: str, deliveries: Sequence[Delivery]) -> None:
        """These were applied (or seen before) and committed: the bus may forget them. Raises BusDown."""

    async def send_beat(self, service: str, body: bytes) -> None:
        """A sign of life to everybody; not stored. Raises BusDown."""

    async def take_beats(self) -> list[tuple[str, bytes]]:
        """Beats (service, body) heard from others since the last call, oldest first, at most 100. Never waits."""

    async def durability(self) -> Durability:
        """What the server proves about itself. Never raises: not knowing is not durable."""

    async def close(self) -> None:
        """Let go of the connection. What was not acknowledged comes again to the next life."""
