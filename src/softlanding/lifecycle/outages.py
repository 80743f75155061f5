"""What an outage is: computed here, told with the life that ends it, and shown by everybody as it was told.

It goes from the last sign of life of a life that was ready to the next one that is. Lives and processes that ended
before they were ready are attempts of it. The last sign is the end that a supervisor saw, else the lease's last beat.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.database import Moment, last_beat_at, lives, shared

deaths = sa.Table(
    "death",
    shared,
    sa.Column("life", sa.String(36), primary_key=True),  # The one that died.
    sa.Column("service", sa.String(40), nullable=False),
    sa.Column("how", sa.String(200)),
    sa.Column("died_at", Moment),
    sa.Column("noticed_at", Moment, nullable=False),
    sa.Column("new_life", sa.String(36)),
    sa.Column("back_at", Moment),  # When the new life began.
    sa.Column("down_since", Moment),  # When its outage began: before `died_at` if this life was an attempt of it.
    sa.Column("attempts", sa.Integer),  # Starts in this outage so far, the new life with them.
)
readiness = sa.Table(
    "readiness",
    shared,
    sa.Column("life", sa.String(36), primary_key=True),  # One that became ready: our own, or a peer's.
    sa.Column("ready_at", Moment),  # Unknown of lives from before this was kept.
)

_DEATHS = sa.select(deaths, readiness.c.life.is_not(None).label("is_back"), readiness.c.ready_at).outerjoin(
    readiness, readiness.c.life == deaths.c.new_life
)
_NEWEST_FIRST = (deaths.c.noticed_at.desc(), deaths.c.life.desc())
_ATTEMPTS_LISTED = 20  # Rows read for each outage that is asked for; a longer row of attempts is still one outage.


@dataclass(frozen=True)
class LastEnd:
    """How the process before ended, as a supervisor saw it."""

    how: str | None = None  # "SIGKILL"
    at: datetime | None = None
    ends: tuple[datetime, ...] = ()  # Of each process since the last one that was ready, that one's the first.
    watched_from: datetime | None = None  # A process that began before may have ended unseen.

    def since(self, began_at: datetime) -> list[datetime]:
        """Ends of the life that began then, and of the processes after it."""
        ends = (self.at,) if self.watched_from is None else self.ends
        return [at for at in ends if at is not None and at >= began_at]

    def has_seen(self, began_at: datetime) -> bool:
        return self.watched_from is None or began_at >= self.watched_from


@dataclass(frozen=True)
class Before:
    """What a new life finds: the end of its parent, and the outage that it is to end."""

    ended_at: datetime | None = None  # The parent's last sign of life.
    ready_at: datetime | None = None
    down_since: datetime | None = None
    attempts: int = 1


def look_back(connection: sa.Connection, parent: str | None, last_end: LastEnd) -> Before:
    """`parent` is the life that has the lease and does not live any more; None: there never was one."""
    row = connection.execute(sa.select(lives).where(lives.c.epoch == parent)).first()
    if row is None:
        return Before()
    ends, is_seen = last_end.since(row.began_at), last_end.has_seen(row.began_at)
    ended_at = row.ended_at or (ends[0] if ends and is_seen else last_beat_at(connection) or row.began_at)
    starts = max(1, len(ends) + (not is_seen))
    known = connection.execute(sa.select(readiness).where(readiness.c.life == parent)).first()
    if known is None and row.down_since is not None:  # An older release wrote down neither.
        return Before(ended_at, None, row.down_since, row.attempts + starts)
    return Before(ended_at, known.ready_at if known is not None else None, ended_at, starts)


@dataclass(frozen=True)
class Death:
    """The end of a life without goodbye, as one watcher knows it."""

    life: str
    service: str
    how: str | None
    died_at: datetime | None
    noticed_at: datetime
    new_life: str | None
    back_at: datetime | None
    down_since: datetime | None = None
    attempts: int | None = None
    is_back: bool = False  # The new life was ready.
    ready_at: datetime | None = None

    @property
    def out_since(self) -> datetime | None:
        return self.down_since or self.died_at


@dataclass(frozen=True)
class Outage:
    """From the last sign of life of a ready life to the next ready one. Without `until` it is not over."""

    service: str
    since: datetime | None
    until: datetime | None
    attempts: int
    deaths: tuple[Death, ...]  # Newest first. The oldest is that of the life that was ready.

    @property
    def how(self) -> str | None:
        """How the last of them ended."""
        return self.deaths[0].how

    @property
    def down_s(self) -> float | None:
        return (self.until - self.since).total_seconds() if self.until and self.since else None

    @property
    def new_lives(self) -> list[str]:
        return sorted(death.new_life for death in self.deaths if death.new_life is not None)

    @property
    def began_again_at(self) -> datetime | None:
        """When the first life after it began."""
        return self.deaths[-1].back_at

    def sentence(self, zone: ZoneInfo) -> str:
        """In words, the same wherever it is told.

        `Dispatch died 10:02:11 (SIGKILL), back 10:02:15 after 4 s`
        `Dispatch was down 62 s (12:01:02 to 12:02:04), 12 attempts`
        """
        name, how = self.service.title(), f" ({self.how})" if self.how else ""
        since, until = _clock(self.since, zone), _clock(self.until, zone)
        after = f"{self.down_s:.0f} s" if self.down_s is not None else ""
        if self.attempts == 1:
            return f"{name} died {since}".rstrip() + how + (f", back {until} after {after}" if after else "")
        if after:
            return f"{name} was down {after} ({since} to {until}), {self.attempts} attempts"
        return f"{name} is down since {since}{how}, {self.attempts} attempts"


def list_deaths(connection: sa.Connection, most: int = 100) -> list[Death]:
    """Newest first."""
    rows = connection.execute(_DEATHS.order_by(*_NEWEST_FIRST).limit(most))
    return [Death(**row._mapping) for row in rows]


def count_deaths(connection: sa.Connection) -> dict[str, float]:
    """All that are in the book, by service."""
    query = sa.select(deaths.c.service, sa.func.count().label("number")).group_by(deaths.c.service)
    return {row.service: float(row.number) for row in connection.execute(query)}


def list_outages(connection: sa.Connection, most: int = 20, service: str | None = None) -> list[Outage]:
    """Newest first."""
    query = _DEATHS if service is None else _DEATHS.where(deaths.c.service == service)
    newest = query.order_by(*_NEWEST_FIRST).limit(most * _ATTEMPTS_LISTED)
    return list(_outages(Death(**row._mapping) for row in connection.execute(newest)))[:most]


def outage_of(connection: sa.Connection, death: Death) -> Outage:
    """The one that this death, which is in the book, is a part of."""
    is_same = (deaths.c.service == death.service) & (deaths.c.down_since == death.down_since)
    rows = connection.execute(_DEATHS.where((deaths.c.life == death.life) | is_same))
    [outage] = _outages(Death(**row._mapping) for row in rows)
    return outage


def find_death(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Death | None:
    row = connection.execute(_DEATHS.where(condition)).first()
    return Death(**row._mapping) if row is not None else None


def was_ready(connection: sa.Connection, life: str) -> bool:
    return connection.execute(sa.select(readiness.c.life).where(readiness.c.life == life)).first() is not None


def _outages(newest_first: Iterable[Death]) -> Iterator[Outage]:
    """Deaths that share their outage's beginning are attempts of it."""
    found: dict[tuple[str, object], list[Death]] = {}
    for death in newest_first:
        found.setdefault((death.service, death.down_since or death.life), []).append(death)
    for members in found.values():
        members.sort(key=lambda death: (death.attempts or 1, death.noticed_at), reverse=True)
        last = members[0]
        until = (last.ready_at or last.back_at) if last.is_back else None
        yield Outage(last.service, last.out_since, until, last.attempts or 1, tuple(members))


def _clock(moment: datetime | None, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%H:%M:%S}" if moment is not None else ""
