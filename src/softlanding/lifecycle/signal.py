"""Something happened: whoever waits for it wakes up, however many they are. Nothing is queued, nothing is lost:
a waiter names the last count that it has seen.
"""

import asyncio


class Signal:
    def __init__(self) -> None:
        self.count = 0
        self._waiting: set[asyncio.Event] = set()

    def fire(self) -> None:
        self.count += 1
        for event in self._waiting:
            event.set()

    def subscribe(self) -> asyncio.Event:
        """An event that is set at each firing; the waiter clears it. For loops, which live as long as the signal."""
        event = asyncio.Event()
        self._waiting.add(event)
        return event

    async def wait(self, seen: int, timeout_s: float) -> int:
        """The count, as soon as it is not `seen` any more, or after `timeout_s`."""
        if self.count != seen:
            return self.count
        event = self.subscribe()
        try:
            await asyncio.wait_for(event.wait(), timeout_s)
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)
        return self.count

    @staticmethod
    async def quiet(for_s: float) -> None:
        """Let more happen before looking again, so that a burst is one look."""
        try:
            await asyncio.wait_for(asyncio.Event().wait(), for_s)
        except TimeoutError:
            return
