"""What a service at work has trouble with: when it began, why, until when. Loops and doors report it; readiness, state,
beats, metrics, the log and an incident tell of it.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from softlanding.clock import Clock
from softlanding.conferences import zone_of_all
from softlanding.database import Transaction
from softlanding.incidents import incident_id, load, open_incident, reword_incident

DATABASE = "database"
SAY_AGAIN_S = 60.0  # A trouble that stays is said again, and one whose words change is not said at each word.
TOLD_AFTER_S = 2.0  # A shorter one that refused nobody is a line in the log and no matter for a person.
EARLY_S = 3.0  # A request may be refused before a loop notices why.
LOOPS_THAT_STOP = 2  # So many that cannot reach the database: then no door can.
LEASE = ("lease", "lease.late")  # Its beat failed, or did not come back.


@dataclass
class Trouble:
    """One thing that does not work. `stops`: no request can be answered, so this service is not ready."""

    name: str  # `database`, `feed.schedule`, `chore.publish`
    why: str
    began_at: datetime
    began_mono: float
    stops: bool = False
    ended_at: datetime | None = None
    lasted_s: float = 0.0
    refused: int = 0
    said_mono: float = 0.0
    is_told: bool = False  # An incident tells of its beginning.
    is_told_elsewhere: bool = False  # Who reports it opens an incident by rules of its own.


Tell = Callable[[Literal["begins", "goes on", "is over"], Trouble], None]


def _tell_nobody(_what: str, _trouble: Trouble) -> None:
    pass


@dataclass
class Troubles:
    """All that is wrong now, and what is over and has still to be told. Of the event loop alone."""

    clock: Clock
    tell: Tell = _tell_nobody
    now: dict[str, Trouble] = field(default_factory=dict)
    over: list[Trouble] = field(default_factory=list)  # Ended, and in no incident yet.
    _without_database: set[str] = field(default_factory=set)  # Loops that could not reach it when they last tried.
    _early: deque[float] = field(default_factory=lambda: deque(maxlen=10_000))

    def begin(self, name: str, why: str, *, stops: bool = False, is_told_elsewhere: bool = False) -> None:
        """It is so now; the second time only its words may change."""
        mono = self.clock.monotonic()
        trouble = self.now.get(name)
        if trouble is None:
            trouble = Trouble(name, why, self.clock.now(), mono, stops, said_mono=mono)
            trouble.is_told_elsewhere = is_told_elsewhere
            if stops:
                trouble.refused = sum(1 for at in self._early if mono - at <= EARLY_S)
            self.now[name] = trouble
            self.tell("begins", trouble)
        trouble.why, trouble.stops = why, trouble.stops or stops
        if mono - trouble.said_mono >= SAY_AGAIN_S:
            trouble.said_mono = mono
            self.tell("goes on", trouble)

    def says(self, name: str, why: str) -> bool:
        """Whether that trouble is there, in these words."""
        return name in self.now and self.now[name].why == why

    def end(self, name: str) -> None:
        """It is over, if it was."""
        trouble = self.now.pop(name, None)
        if trouble is None:
            return
        trouble.ended_at = self.clock.now()
        trouble.lasted_s = self.clock.monotonic() - trouble.began_mono
        self._early.clear()
        self.tell("is over", trouble)
        is_worth_it = trouble.is_told or trouble.refused or trouble.lasted_s >= TOLD_AFTER_S
        if is_worth_it and not trouble.is_told_elsewhere:
            self.over.append(trouble)

    def miss_database(self, loop: str, why: str) -> None:
        """A loop could not reach the database. Without the lease's beat, or for several loops, no door can either."""
        self._without_database.add(loop)
        why = why if DATABASE in why else f"the database: {why}"
        stops = loop in LEASE or len(self._without_database) >= LOOPS_THAT_STOP
        self.begin(DATABASE, why, stops=stops)

    def reach_database(self, loop: str) -> None:
        """The loop reached it. The trouble is over when all do that missed it."""
        self._without_database.discard(loop)
        if not self._without_database:
            self.end(DATABASE)

    def refuse(self) -> None:
        """A request was answered that it cannot be done now."""
        stopping = [trouble for trouble in self.now.values() if trouble.stops]
        for trouble in stopping:
            trouble.refused += 1
        if not stopping:
            self._early.append(self.clock.monotonic())

    @property
    def stops(self) -> bool:
        return any(trouble.stops for trouble in self.now.values())

    @property
    def waiting_for(self) -> str | None:
        """All of it in one line; None when all is well."""
        return "; ".join(trouble.why for _, trouble in sorted(self.now.items())) or None

    def untold(self) -> list[Trouble]:
        """What an incident has to tell now: what is over, and what lasts while the database could take it down."""
        mono = self.clock.monotonic()
        lasting = [
            trouble
            for trouble in self.now.values()
            if not (trouble.is_told or trouble.is_told_elsewhere or trouble.stops)
            and mono - trouble.began_mono >= TOLD_AFTER_S
        ]
        return [] if self.stops else [*self.over, *lasting]

    def take_down(self, trouble: Trouble) -> None:
        """Its incident is written."""
        trouble.is_told = True
        if trouble in self.over:
            self.over.remove(trouble)

    def summary(self) -> dict[str, dict[str, object]]:
        """For /state."""
        return {
            name: {"since": trouble.began_at.isoformat(), "why": trouble.why, "refused": trouble.refused}
            for name, trouble in sorted(self.now.items())
        }


def note_trouble(
    tx: Transaction, now: datetime, service: str, trouble: Trouble, until: datetime | None, refused: int
) -> None:
    """One incident a trouble: opened at its beginning or, where that could not be written, when it is over."""
    cause = f"trouble/{tx.life}/{trouble.name}/{trouble.began_at.isoformat()}"
    sentence = _sentence(service, trouble, until, refused, zone_of_all(tx.connection))
    if load(tx.connection, incident_id(cause)) is not None:
        reword_incident(tx, incident_id(cause), sentence)
        return
    open_incident(tx, now, cause=cause, kind="other", about=f"service/{service}", sentence=sentence)


def _sentence(service: str, trouble: Trouble, until: datetime | None, refused: int, zone: str) -> str:
    """The database's own words stay in the log: they may name hosts and users."""
    began = trouble.began_at.astimezone(ZoneInfo(zone))
    span = (
        f"since {began:%H:%M:%S}"
        if until is None
        else f"{began:%H:%M:%S} to {until.astimezone(ZoneInfo(zone)):%H:%M:%S}"
    )
    requests = "1 request" if refused == 1 else f"{refused} requests"
    if trouble.name == DATABASE:
        return f"{service.title()} could not write {span} ({zone}), {requests} refused: its database was away"
    return f"{service.title()} in trouble {span} ({zone}): {trouble.why}"
