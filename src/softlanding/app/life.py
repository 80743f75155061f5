"""From settings to a life: the service's value, its engines, migrations and lease. What a process that serves and a
command that works alone have in common.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module, metadata

import sqlalchemy as sa

from softlanding import audit
from softlanding.app.patience import Patience
from softlanding.auth import FIRST_PERSON, STAFF_ROLES, grant, list_people
from softlanding.contracts import SOURCES
from softlanding.contracts.schedule import PersonState
from softlanding.database import (
    EngineOptions,
    HoldLock,
    ThreadedDatabase,
    Transaction,
    Writer,
    make_engine,
    writer_engine,
)
from softlanding.database.schema import migrate
from softlanding.errors import Refused
from softlanding.lifecycle import Parts, Phases, Service, Work, take_up_work
from softlanding.lifecycle.outages import LastEnd
from softlanding.lifecycle.work import LeaseWatch, look_on
from softlanding.messaging import outbox
from softlanding.settings import Service as ServiceName
from softlanding.settings import Settings, required

COMMON_MIGRATIONS = "softlanding.migrations"


@dataclass(frozen=True)
class Engines:
    """One service's database: connections for readers, and the writer's one."""

    reading: sa.Engine
    writing: sa.Engine

    def dispose(self) -> None:
        self.reading.dispose()
        self.writing.dispose()


def release() -> str:
    return metadata.version("softlanding")


def make_service(name: str, settings: Settings) -> Service:
    """The service by its name; imported here so that one service's process needs no other's code."""
    if name not in SOURCES:
        raise Refused(f"there is no service '{name}': choose one of {', '.join(SOURCES)}")
    service: Service = import_module(f"softlanding.{name}.service").make_service(settings)
    return service


def migrations_of(service: Service) -> tuple[str, ...]:
    return (COMMON_MIGRATIONS, service.migrations)


def make_engines(name: ServiceName, settings: Settings) -> Engines:
    """Nothing is connected yet."""
    url = required(settings.of(name).database_url, f"{name}.database_url")
    options = EngineOptions()
    return Engines(make_engine(url, options), writer_engine(url, options))


async def begin_life(
    service: Service,
    settings: Settings,
    parts: Parts,
    engines: Engines,
    *,
    hold: HoldLock,
    phases: Phases,
    last_end: LastEnd,
    on_end: Callable[[Exception], None],
    wait_s: float = float("inf"),
    look: Callable[[LeaseWatch], None] = look_on,
    patience: Patience | None = None,
) -> tuple[Work, ThreadedDatabase]:
    """Stand by until the lease can be taken; then the service at work, on a migrated database. Recovery comes next.

    `on_end` hears of the writer's end: fenced, or a bug. With `patience` a database that is away is waited for, without
    it what it raises is raised. Raises StandingBy when the lease is not free within `wait_s`.
    """
    life, number = await take_up_work(
        service,
        engines.writing,
        parts,
        hold=hold,
        phases=phases,
        stale_s=settings.lifecycle.lease_stale_seconds,
        last_end=last_end,
        wait_s=wait_s,
        look=look,
        on_trouble=patience.wait if patience is not None else None,
    )

    async def remove_what_is_old() -> list[str]:
        return await asyncio.to_thread(migrate, engines.writing, migrations_of(service), "post")

    await (patience.until_done(remove_what_is_old) if patience is not None else remove_what_is_old())
    writer = Writer(engines.writing, life.epoch, parts.clock, parts.ids, outbox.numbering(service.name))
    writer.last_number = number
    database = ThreadedDatabase(engines.reading, writer, on_end=on_end)
    work = Work(service, parts, database, life, phases, last_end, settings)
    database.on_commit = work.commits.fire
    return work, database


async def ensure_first_person(work: Work) -> None:
    """Whoever set it up may do everything: their link can only be made with the installation's secret. Grants nothing
    when there is staff already."""
    if work.service.name == "schedule":
        await work.database.write(_ensure_first_person)


def _ensure_first_person(tx: Transaction, now: datetime) -> None:
    if not list_people(tx.connection):
        roles = tuple(("*", role) for role in STAFF_ROLES)
        grant(tx, now, PersonState(person=FIRST_PERSON, name="Admin", roles=roles))
        by = audit.Asker("service/schedule")
        audit.note_done(tx, now, by, "person.add", {"person": FIRST_PERSON, "roles": roles})
