"""What a service is: one value that supervisor, simulator and commands treat alike."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from softlanding.database import Database, Transaction
from softlanding.errors import Refused
from softlanding.incidents import Incident
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.inbox import Fork, Handler

if TYPE_CHECKING:
    from softlanding.lifecycle.work import Work


@dataclass(frozen=True)
class Timer:
    """A door for time. `action` is run in a transaction when `is_due` (a cheap read) says so; True: there may be more.

    One with `is_deadline` decides by wall time that something is too late: it holds while the clock is in doubt.
    """

    name: str
    is_due: Callable[[sa.Connection, datetime], bool]
    action: Callable[[Transaction, datetime], bool]
    pause_s: float = 1.0
    is_deadline: bool = False


@dataclass(frozen=True)
class Chore:
    """Work outside the database: files written, notices sent. Killable at any line; done again it does no harm."""

    name: str
    step: Callable[["Work"], Awaitable[bool]]
    pause_s: float = 1.0
    wakes_on_commit: bool = True


@dataclass(frozen=True)
class Service:
    """All that one of the three services is. `make_service(settings)` in its `service.py` gives it."""

    name: str  # `dispatch`
    tables: sa.MetaData
    migrations: str  # The package that holds them.
    handlers: Mapping[str, Handler]
    timers: tuple[Timer, ...] = ()
    chores: tuple[Chore, ...] = ()
    doors: Callable[["Work"], list[Any]] | None = None  # FastAPI routers, made by web.Doors.
    on_refused: Callable[[Transaction, datetime, Any, Envelope, Refused], None] | None = None
    on_settled: Callable[[Transaction, datetime, Incident], None] | None = None
    """What a person's word on an incident does besides, in the same transaction; Refused where it cannot."""
    load_sample: Callable[[Database, date], Awaitable[object]] | None = None
    """Bring the sample conference in where there is none, or move an untouched one, to begin on that day."""
    pickups_of_fork: Callable[[sa.Connection, str, Fork], Sequence[str]] | None = None
    """Codes of the pickups that stand here by facts of that source which it has lost."""
    counts: Callable[[sa.Connection], Mapping[str, float]] | None = None  # All pickups by state.
    writes_files: bool = False  # Its chores write to the data folder.
    at_start: tuple[Callable[[Transaction, datetime], bool], ...] = ()  # As timers, before anything is sent or heard.
