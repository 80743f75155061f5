"""A command when nothing runs: the services that it needs, at work in its own process, for a moment.

It takes the lease as any other life does and is answered by the service's own doors, so that parsing, keys, permissions
and words are the same. It listens on no port and turns no loops but the lease's: what is told stays in the outbox and
travels at the next start. It ends with a goodbye, so that nobody takes it for a death.
"""

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa

from softlanding.app import births
from softlanding.app.addresses import Signing
from softlanding.app.client import Installation
from softlanding.app.life import (
    Engines,
    begin_life,
    ensure_first_person,
    make_engines,
    make_service,
    migrations_of,
    release,
)
from softlanding.clock import SystemClock
from softlanding.database import DATABASE_ERRORS, HoldLock, ThreadedDatabase, brief
from softlanding.database.schema import migrate
from softlanding.errors import NotFound, SoftlandingError, Unavailable
from softlanding.ids import system_ids
from softlanding.lifecycle import Parts, Phases, Work
from softlanding.lifecycle.outages import LastEnd
from softlanding.lifecycle.work import StandingBy
from softlanding.messaging import feed as feeds
from softlanding.messaging import outbox
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.silent import NoBus
from softlanding.settings import SERVICES, Settings, required
from softlanding.settings import Service as ServiceName
from softlanding.supervisor import Loop, run_loops
from softlanding.telemetry import set_up_logs
from softlanding.web import make_app

T = TypeVar("T")
WAIT_SHARE = 0.25  # Of the time after which a lease counts as stale: a command never takes it from a living process.


@contextmanager
def alone(settings: Settings, address: str, tell: Callable[[str], None]) -> Iterator[Installation]:
    """An installation that answers from this process. `address` is where it will be once it runs.

    Services come to work when they are first asked. Raises Unavailable when another process has a service's lease.
    """
    tell(f"Nothing runs in {settings.data_folder}: done without it; the others hear of it when the system next starts.")
    set_up_logs("command", level=settings.logs.level, to=sys.stderr)
    secret = required(settings.session_secret, "session_secret").get_secret_value()
    at_work: dict[str, AtWork] = {}

    async def answer(request: httpx.Request) -> httpx.Response:
        name = next(name for name in SERVICES if request.url.path.startswith(f"/api/{name}/"))
        if name not in at_work:
            at_work[name] = await _come_to_work(name, settings, address, tell)
        return await at_work[name].beating(at_work[name].client.send(request))

    with asyncio.Runner() as runner:
        try:
            yield Installation(
                address, Signing(secret, SystemClock()), lambda request: runner.run(answer(request)), is_alone=True
            )
        finally:
            for each in at_work.values():
                runner.run(each.leave(tell))


@dataclass
class AtWork:
    """One service at work without a port. `ended` becomes what ended its writer: fenced, or a bug."""

    work: Work
    database: ThreadedDatabase
    hold: HoldLock
    engines: Engines
    client: httpx.AsyncClient
    ended: "asyncio.Future[Exception]"

    async def beating(self, doing: Coroutine[Any, Any, T]) -> T:
        """The outcome, while the lease is beaten: a standby must not take long work for a death.

        Raises Unavailable when the lease is lost all the same.
        """
        parts = self.work.parts
        beat = Loop("lease", self.work.beat_lease, parts.beat_s / 2, soft_errors=(Unavailable,))
        beats = asyncio.create_task(run_loops([beat], parts.clock, rng=parts.rng))
        asked = asyncio.create_task(doing)
        try:
            waits: list[asyncio.Future[Any]] = [asked, self.ended]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise Unavailable(f"{self.work.service.name.title()} cannot go on here ({self.ended.result()})")
            return asked.result()
        finally:
            beats.cancel()
            asked.cancel()
            await asyncio.gather(beats, asked, return_exceptions=True)

    async def leave(self, tell: Callable[[str], None]) -> None:
        """Say goodbye and let go, in this order."""
        if not self.ended.done():
            try:
                await self.work.say_goodbye()
            except SoftlandingError as error:
                tell(f"{self.work.service.name.title()} could not say goodbye; it will count as a death ({error}).")
        await self.client.aclose()
        await asyncio.to_thread(self.database.close)
        self.hold.release()
        self.engines.dispose()


async def _come_to_work(name: ServiceName, settings: Settings, address: str, tell: Callable[[str], None]) -> AtWork:
    engines = make_engines(name, settings)
    try:
        here = await _take_up(name, settings, engines)
    except DATABASE_ERRORS as error:
        engines.dispose()
        raise Unavailable(f"{name.title()}'s database cannot be used now: {brief(error)}") from error
    except StandingBy as error:
        engines.dispose()
        raise Unavailable(
            f"{name.title()} is at work in another process, and nothing answers at {address}: "
            "say with front_door.public_url where the system is, or stop that process first"
        ) from error
    try:
        await here.beating(_recover(here.work, tell))
    except BaseException:
        await here.leave(tell)
        raise
    return here


async def _take_up(name: ServiceName, settings: Settings, engines: Engines) -> AtWork:
    """A life of the service. Raises StandingBy when another process has the lease, and what the database raises."""
    service, clock = make_service(name, settings), SystemClock()
    ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    parts = Parts(clock, system_ids(clock), random.Random(), NoBus(), OutboxFeed(name, settings), release())
    hold = HoldLock(engines.reading)
    births.refuse_lost(settings, {name: engines.reading}, "up")
    await asyncio.to_thread(migrate, engines.writing, migrations_of(service))
    work, database = await begin_life(
        service,
        settings,
        parts,
        engines,
        hold=hold,
        phases=Phases(clock),
        last_end=LastEnd(),
        on_end=ended.set_result,
        wait_s=settings.lifecycle.lease_stale_seconds * WAIT_SHARE,
    )
    transport = httpx.ASGITransport(make_app(work), raise_app_exceptions=False)
    return AtWork(work, database, hold, engines, httpx.AsyncClient(transport=transport), ended)


async def _recover(work: Work, tell: Callable[[str], None]) -> None:
    """As at every start; then hear what the others have told, for nobody brings it later."""
    await work.recover()
    await ensure_first_person(work)
    work.phases.enter("ready")
    for source, receiver in work.receivers.items():
        await receiver.repair()
        if receiver.needs_repair and receiver.cursor is not None:
            tell(f"What {source.title()} told last could not be read: {work.service.name.title()} has yet to hear it.")


class OutboxFeed:
    """The producers' feeds, straight from their outboxes: nobody serves them now. Readers need no lease."""

    def __init__(self, reader: str, settings: Settings) -> None:
        self._engines: dict[str, Engines] = {name: make_engines(name, settings) for name in SERVICES if name != reader}

    async def line(self, source: str) -> feeds.Line:
        line: feeds.Line = await asyncio.to_thread(self._read, source, feeds.load_line)
        return line

    async def facts(self, source: str, epoch: str, after: int) -> list[Envelope]:
        try:
            page: list[Envelope] = await asyncio.to_thread(
                self._read, source, outbox.feed_page, epoch, after, feeds.PAGE_MAX
            )
        except NotFound as error:
            raise feeds.EpochUnknown(source) from error
        return page

    async def beat(self, service: str) -> bytes:
        raise feeds.FeedDown(f"{service} is not asked: nothing runs")

    async def beats(self, services: Sequence[str], within_s: float) -> list[bytes]:  # noqa: ARG002 - see Feed
        return []

    def _read(self, source: str, view: Callable[..., Any], *args: Any) -> Any:
        engines = self._engines[source]
        engine = engines.reading
        if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
            raise feeds.FeedDown(f"{source} was never started")  # To look must not make its file.
        try:
            with engine.connect() as connection:
                return view(connection, *args)
        except sa.exc.SQLAlchemyError as error:
            raise feeds.FeedDown(f"{source}'s outbox cannot be read: {brief(error)}") from error
        finally:
            engines.dispose()
