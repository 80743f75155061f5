# ruff: noqa: ARG002 - the protocol names what this bus has no use for
"""No broker at all: everything travels by the feed, a little later."""

from collections.abc import Sequence

from softlanding.messaging.bus import BusDown, Delivery, Durability
from softlanding.messaging.envelope import Envelope


class NoBus:
    """A bus that is always down, for installations without NATS."""

    is_up = False

    async def start(self) -> None:
        """There is nothing to connect to."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        raise BusDown("no NATS server is set")

    async def receive(self, source: str, *, limit: int, wait_s: float) -> list[Delivery]:
        raise BusDown("no NATS server is set")

    async def acknowledge(self, source: str, deliveries: Sequence[Delivery]) -> None:
        raise BusDown("no NATS server is set")

    async def send_beat(self, service: str, body: bytes) -> None:
        raise BusDown("no NATS server is set")

    async def take_beats(self) -> list[tuple[str, bytes]]:
        return []

    async def durability(self) -> Durability:
        return Durability(False, "no NATS server is set; facts travel by the feed, and the outboxes keep them")

    async def close(self) -> None:
        """There is nothing to let go of."""
