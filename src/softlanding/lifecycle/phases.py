"""Where a process stands on its way from started to ready; shown at /state on a socket that is opened first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from softlanding.clock import Clock

ORDER = ("started", "settings", "secrets", "database", "schema", "lease", "listening", "ready")


@dataclass
class Phases:
    """The phases that a process has gone through, each with its time, and what it waits for now."""

    clock: Clock
    tell: Callable[[str, float], None] | None = None
    phase: str = "started"
    waiting_for: str | None = None
    is_standby: bool = False
    since: datetime = field(init=False)
    took_s: dict[str, float] = field(default_factory=dict)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self.since = self.clock.now()
        self._began = self.clock.monotonic()

    def enter(self, phase: str) -> None:
        """The phase before is done; `tell(phase, seconds since started)`."""
        assert phase in ORDER, phase
        self.took_s[self.phase] = round(self.clock.monotonic() - self._began, 3)
        self.phase = phase
        self.since = self.clock.now()
        self.waiting_for = None
        if self.tell is not None:
            self.tell(phase, self.clock.monotonic() - self._began)

    def wait_for(self, what: str) -> None:
        self.waiting_for = what

    @property
    def is_ready(self) -> bool:
        return self.phase == "ready"

    def summary(self) -> dict[str, Any]:
        return {
            "phase": self.phase,
            "since": self.since.isoformat(),
            "waiting_for": self.waiting_for,
            "standby": self.is_standby,
            "took_s": self.took_s,
        }
