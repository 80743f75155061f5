"""A clock that a test moves by hand."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)


class HandClock:
    """Wall and monotonic time that stand still until somebody moves them; sleeping moves them."""

    def __init__(self, at: datetime = NOON) -> None:
        self.wall = at
        self.mono = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.mono

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.mono += seconds

    def jump(self, seconds: float) -> None:
        """Only the wall clock."""
        self.wall += timedelta(seconds=seconds)
