"""Who runs next is the simulator's to say: coroutines that stop at each wait, advanced one wait at a time.

No event loop, no thread: under one seed the same turns come in the same order.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Generator
from datetime import datetime
from typing import Any


class _Wait:
    def __await__(self) -> Generator[None, None, None]:
        yield


def others_may_run() -> _Wait:
    """Await it wherever a real service waits: for the disk, the network, a clock."""
    return _Wait()


class _Inline:
    """Stands where the event loop would: what services hand to other threads runs here and now."""

    def run_in_executor(self, _executor: object, work: Callable[..., Any], *args: Any) -> Coroutine[Any, Any, Any]:
        async def run() -> Any:
            await others_may_run()
            return work(*args)

        return run()

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)  # type: ignore[arg-type]

    def call_soon(self, *_arguments: object, **_keywords: object) -> None:
        """Nobody waits for a callback: whoever awaits a future is asked again and again whether it is done."""

    def get_debug(self) -> bool:
        return False


_INLINE: Any = _Inline()


class Task:
    """One coroutine on its way. `advance` lets it run to its next wait."""

    def __init__(self, name: str, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.name = name
        self.result: Any = None
        self.began_at: datetime | None = None  # By its process's clock, which was wrong by `error_s`.
        self.error_s = 0.0
        self._coroutine = coroutine
        self._waits_for: asyncio.Future[Any] | None = None

    def advance(self) -> bool:
        """True once it has ended, with its `result`. What it raises is raised here."""
        if self._waits_for is not None and not self._waits_for.done():
            return False
        asyncio._set_running_loop(_INLINE)
        try:
            self._waits_for = self._coroutine.send(None)
        except StopIteration as end:
            self.result = end.value
            return True
        finally:
            asyncio._set_running_loop(None)
        return False

    def finish(self, turns_max: int = 10_000) -> Any:
        """Run it to its end with nobody in between; its result."""
        for _ in range(turns_max):
            if self.advance():
                return self.result
        raise AssertionError(f"{self.name} does not end")

    def drop(self) -> None:
        """It never comes to its next line."""
        with contextlib.suppress(RuntimeError):  # One that awaits while it is closed: let it be.
            self._coroutine.close()
