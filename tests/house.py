"""Services at work in one process: real actions, steps and SQLite; a hand-moved clock; bus and feed in memory.

house = House(tmp_path)
house.run()                      # every step of every service, until nothing is left to do
house["dispatch"].database.read_now(...)
client = house.client("dispatch", roles=["coordinator"])
"""

import asyncio
import contextlib
import random
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient

from clocks import HandClock
from softlanding.auth import Signer
from softlanding.contracts import SOURCES
from softlanding.contracts.schedule import PersonGranted
from softlanding.database import DirectDatabase, EngineOptions, HoldLock, Writer, make_engine, shared, writer_engine
from softlanding.ids import RandomIds
from softlanding.lifecycle import Parts, Phases, Service, Work, take_up_work
from softlanding.lifecycle.outages import LastEnd
from softlanding.messaging import feed as feeds
from softlanding.messaging import outbox
from softlanding.messaging.bus import BusDown
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.memory import MemoryBroker, MemoryBus
from softlanding.settings import Settings, load_settings
from softlanding.web import make_app
from softlanding.web.cookies import own_cookie

QUICK = EngineOptions(is_durable=False)


class HouseFeed:
    """Producers' feeds, straight from their databases; a service that is not at work does not answer."""

    def __init__(self, works: Mapping[str, Work]) -> None:
        self._works = works

    async def line(self, source: str) -> feeds.Line:
        return self._work(source).database.read_now(feeds.load_line)  # type: ignore[attr-defined]

    async def facts(self, source: str, epoch: str, after: int) -> list[Envelope]:
        return self._work(source).database.read_now(outbox.feed_page, epoch, after, feeds.PAGE_MAX)  # type: ignore[attr-defined]

    async def beat(self, service: str) -> bytes:
        beat = self._work(service).beat
        if beat is None:
            raise feeds.FeedDown(service)
        return beat.to_json()

    async def beats(self, services: Iterable[str], within_s: float) -> list[bytes]:
        """As health sockets give them: said now, by the clock of who says it."""
        works = [self._works[name] for name in services if name in self._works]
        return [
            work.beat.model_copy(update={"at": work.parts.clock.now()}).to_json()
            for work in works
            if work.beat is not None
        ]

    def _work(self, name: str) -> Work:
        if name not in self._works:
            raise feeds.FeedDown(f"{name} is not at work")
        return self._works[name]


class House:
    """All three services, or those named."""

    def __init__(self, folder: Path, names: Iterable[str] = SOURCES, seed: int = 1, **settings: Any) -> None:
        self.folder = folder
        self.clock = HandClock()
        self.rng = random.Random(seed)
        self.ids = RandomIds(self.clock, self.rng)
        self.broker = MemoryBroker(random.Random(seed))
        self.settings = settings_for(folder, **settings)
        self.works: dict[str, Work] = {}
        self.services = {name: make_service(name, self.settings) for name in names}
        for name in self.services:
            self.start(name)

    def __getitem__(self, name: str) -> Work:
        return self.works[name]

    def parts(self, name: str) -> Parts:
        """What a process of this service begins with."""
        bus = MemoryBus(self.broker, name, [source for source in SOURCES if source != name])
        return Parts(self.clock, self.ids, self.rng, bus, HouseFeed(self.works), release="test")

    def start(self, name: str, last_end: LastEnd | None = None, parts: Parts | None = None) -> Work:
        """Begin a life of the service on its database, as after a start or a death, or with a standby's `parts`."""
        service = self.services[name]
        url = f"sqlite:///{self.folder / name}.db"
        engine = make_engine(url, QUICK)
        shared.create_all(engine)
        service.tables.create_all(engine)
        phases = Phases(self.clock)
        work = asyncio.run(
            self._take_up(service, engine, url, parts or self.parts(name), phases, last_end or LastEnd())
        )
        self.works[name] = work
        phases.enter("ready")
        return work

    def kill(self, name: str) -> None:
        """As kill -9: no goodbye, nothing flushed."""
        work = self.works.pop(name)
        work.database.close()  # type: ignore[attr-defined]
        work.hold.release()  # type: ignore[attr-defined]

    def run(self, turns: int = 50) -> None:
        """Every step of every service, round and round, until a whole round has no work (or `turns` rounds)."""
        asyncio.run(self._run(turns))

    def client(self, name: str, roles: Iterable[str] = (), conference: str = "*") -> TestClient:
        """A browser at the service; signed in when roles are given, with the session's CSRF token as header."""
        client = TestClient(make_app(self.works[name]), base_url="http://localhost", raise_server_exceptions=True)
        roles = tuple(roles)
        if roles:
            sign_in(self.works[name], client, roles, conference)
        return client

    async def _take_up(
        self, service: Service, engine: sa.Engine, url: str, parts: Parts, phases: Phases, last_end: LastEnd
    ) -> Work:
        hold = HoldLock(engine)
        life, number = await take_up_work(
            service, writer_engine(url, QUICK), parts, hold=hold, phases=phases, stale_s=4, last_end=last_end
        )
        writer = Writer(writer_engine(url, QUICK), life.epoch, parts.clock, parts.ids, outbox.numbering(service.name))
        writer.last_number = number
        work = Work(service, parts, DirectDatabase(engine, writer), life, phases, last_end, self.settings)
        work.hold = hold  # type: ignore[attr-defined]
        await work.recover()
        return work

    async def _run(self, turns: int) -> None:
        for _ in range(turns):
            worked = False
            for work in list(self.works.values()):
                for step in work.steps():
                    with contextlib.suppress(BusDown):  # The supervisor backs off and comes again.
                        worked |= await step.run()
            if not worked:
                return


def settings_for(folder: Path, **values: Any) -> Settings:
    command_line = {
        "data_folder": str(folder),
        "session_secret": "a secret of the tests, long enough to be one",
        "peer_token": "a token of the tests, long enough to be one",
        **values,
    }
    return load_settings(folder=folder, environment={}, command_line=command_line)


def make_service(name: str, settings: Settings) -> Service:
    from importlib import import_module

    service: Service = import_module(f"softlanding.{name}.service").make_service(settings)
    return service


def sign_in(work: Work, client: TestClient, roles: tuple[str, ...], conference: str) -> str:
    """Make a person with the roles and give the client their session; the CSRF token."""
    from softlanding.auth import _keep

    signer = Signer(work.settings.session_secret.get_secret_value())
    identity = f"tester-{'-'.join(roles)}-{conference.replace('*', 'all')}"[:36]
    person = PersonGranted(person=identity, name="Ana Test", roles=tuple((conference, role) for role in roles))
    work.database.write_now(lambda tx, now: _keep(tx, person, None, now))  # type: ignore[attr-defined]
    client.cookies.set(own_cookie(work.settings), signer.session_cookie(identity, "session-1", work.parts.clock.now()))
    client.headers["X-CSRF"] = signer.csrf("session-1")
    return signer.csrf("session-1")
