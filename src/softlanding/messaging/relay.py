"""Sends the outbox to the bus, in order, in atomic batches.

It keeps no place on disk: it begins with its own life's first fact. What an earlier life had not sent, receivers find
by that life's last number and fetch from the feed.
"""

from softlanding.database import Database
from softlanding.messaging import outbox
from softlanding.messaging.bus import BATCH_MAX, Bus


class Relay:
    """One life's sender. Not being able to send is no error: facts wait in the outbox, and the feed serves them."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._database = database
        self._bus = bus
        self.sent = 0  # The last number that the bus has acknowledged.

    async def step(self) -> bool:
        """Send one batch. True if there may be more. Raises BusDown."""
        if self.sent >= self._database.last_number:
            return False
        batch = await self._database.read(outbox.load_after, self._database.life, self.sent, BATCH_MAX)
        if not batch:
            return False
        await self._bus.publish(batch)
        self.sent = batch[-1].sequence
        return True
