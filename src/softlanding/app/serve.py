"""One service as a process of its own, from started to ready to goodbye."""

import asyncio
import os
import random
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import sqlalchemy as sa
import uvicorn
import uvloop

from softlanding import audit
from softlanding.app import births
from softlanding.app.gauges import gauge
from softlanding.app.life import begin_life, ensure_first_person, make_engines, make_service, migrations_of, release
from softlanding.app.patience import Patience
from softlanding.clock import Clock, SystemClock
from softlanding.database import DATABASE_ERRORS, HoldLock, ThreadedDatabase, brief
from softlanding.database.schema import migrate
from softlanding.errors import Exit, Fenced, Misconfigured, Refused, Unavailable
from softlanding.ids import system_ids
from softlanding.lifecycle import Parts, Phases, Service, Standby, Work
from softlanding.lifecycle.needs import Needs
from softlanding.lifecycle.outages import LastEnd, Outage
from softlanding.lifecycle.troubles import Trouble
from softlanding.messaging.beats import Change
from softlanding.messaging.bus import BusDown
from softlanding.messaging.feed import HttpFeed
from softlanding.messaging.jetstream import Access, JetStreamBus
from softlanding.messaging.silent import NoBus
from softlanding.private_files import open_to_others
from softlanding.settings import SERVICES, Settings, explain, fingerprint, load_settings, required
from softlanding.settings import Service as ServiceName
from softlanding.supervisor import Loop, LoopDied, Turns, run_loops
from softlanding.supervisor.nursery import die_with_parent
from softlanding.telemetry import Log, Metrics, set_up_logs
from softlanding.web import make_app, make_health_app, make_standby_app
from softlanding.web.health import Health

SOFT_ERRORS = (BusDown, Unavailable)
HOLD_EVERY_S = 0.5
PROVE_EVERY_S = 2.0
CHORE_ERRORS = (*SOFT_ERRORS, OSError)  # Chores write files: a full disk is waited out, as the database does.


def serve_forked(arguments: Mapping[str, Any]) -> int:
    """A child of the nursery: settings come as the variables that the supervisor made."""
    service = arguments["service"]
    settings = load_settings(folder=Path(arguments["folder"]), environment=arguments["environment"], service=service)
    sample_on = date.fromisoformat(arguments["sample_on"]) if arguments.get("sample_on") else None
    _make_tables_apart(service, settings)
    last_end, accepts = _last_end(arguments.get("last_end")), bool(arguments.get("accept_empty"))
    is_reserved = bool(arguments.get("is_port_reserved"))
    return serve(
        service, settings, last_end=last_end, sample_on=sample_on, accept_empty=accepts, is_port_reserved=is_reserved
    )


def _make_tables_apart(name: ServiceName, settings: Settings) -> None:
    """The first start on a file makes its tables in a process that ends: what that takes, 10 MB, is given back.

    What fails there fails again at the phase `schema`, and is told there.
    """
    url = sa.make_url(required(settings.of(name).database_url, f"{name}.database_url"))
    if url.get_backend_name() != "sqlite" or Path(str(url.database)).exists():
        return
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        die_with_parent(parent)
        with suppress(Exception):  # Whatever it is: this is an attempt, the service makes the one that counts.
            migrate(make_engines(name, settings).writing, migrations_of(make_service(name, settings)))
        os._exit(0)
    os.waitpid(pid, 0)


def serve(
    name: ServiceName,
    settings: Settings,
    *,
    last_end: LastEnd | None = None,
    sample_on: date | None = None,
    accept_empty: bool = False,
    is_port_reserved: bool = False,
) -> int:
    """Run one service until SIGTERM or SIGINT; the exit code. `sample_on`: the sample conference's first day;
    `accept_empty`: also on an empty database where data is expected; `is_port_reserved`: the supervisor holds its ports
    for it."""
    log = set_up_logs(name, level=settings.logs.level, as_json=settings.logs.format == "json")
    server = ServiceProcess(
        name,
        settings,
        last_end or LastEnd(),
        sample_on,
        log,
        accept_empty=accept_empty,
        is_port_reserved=is_port_reserved,
    )
    try:
        return uvloop.run(server.run())
    except (Refused, Misconfigured) as refusal:
        log.error("refused to start", why=str(refusal))
        return Exit.CANNOT_START
    except LoopDied as death:
        log.error("a loop died; the process ends", loop=death.name, exc_info=death.__cause__)
        return Exit.BUG


def refuse_settings(name: ServiceName | None, error: Misconfigured) -> int:
    """Say what is wrong with the settings, as a log line like all others; the exit code."""
    set_up_logs(name or "softlanding").error("refused to start", why=str(error), faults=[str(f) for f in error.faults])
    return Exit.CANNOT_START


def _last_end(told: Any) -> LastEnd:
    if not isinstance(told, Mapping):
        return LastEnd()
    how = told.get("signal") or (f"exit code {told['exit_code']}" if told.get("exit_code") is not None else None)
    why = told.get("why")
    ends = tuple(map(datetime.fromisoformat, told.get("ends", ())))
    watched_from = datetime.fromisoformat(told["watched_from"]) if told.get("watched_from") else None
    at = datetime.fromisoformat(told["at"])
    return LastEnd(f"{how}, {why}" if how and why else how, at, ends, watched_from)


async def _keep(hold: HoldLock) -> bool:
    await asyncio.to_thread(hold.keep)
    return False


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own order of stopping."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class _Web:
    """One listening socket and what answers on it."""

    server: _Server
    task: "asyncio.Task[None]"

    async def stop(self) -> None:
        self.server.should_exit = True
        await asyncio.wait([self.task], timeout=3.0)
        self.task.cancel()


def _listen(app: Any, host: str, port: int, *, is_reserved: bool) -> _Web:
    """Bind now: from here on requests are taken. Raises Refused in words when the port is taken. `is_reserved`: it is
    held for us by the supervisor (see `reserved`)."""
    try:
        bound = socket.create_server((host, port), backlog=2048, reuse_port=is_reserved)
    except OSError as error:
        raise Refused(f"cannot listen on {host}:{port}: {error.strerror}; stop what uses it or set another") from error
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        http="httptools",
        proxy_headers=True,
        forwarded_allow_ips="127.0.0.1",
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=30,
    )
    server = _Server(config)
    return _Web(server, asyncio.create_task(server.serve(sockets=[bound]), name=f"listening on {port}"))


class _Door:
    """The service's own port: closed until somebody can answer: a standby that only reads, or the service at work."""

    def __init__(self, host: str, port: int, *, is_reserved: bool) -> None:
        self._host, self._port, self._is_reserved = host, port, is_reserved
        self._app: Any = None
        self._work: Work | None = None
        self._web: _Web | None = None

    def open(self, work: Work) -> None:
        """From here on `work` answers. Raises Refused in words when the port is taken."""
        self._end_streams()
        self._work, self._app = work, make_standby_app(work) if work.is_standby else make_app(work)
        if self._web is None:
            self._web = _listen(self, self._host, self._port, is_reserved=self._is_reserved)

    async def stop(self) -> None:
        """Let requests end."""
        self._end_streams()
        if self._web is not None:
            await self._web.stop()

    def _end_streams(self) -> None:
        """Live pages come again by themselves."""
        if self._work is not None:
            self._work.is_stopping = True
            self._work.commits.fire()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


class ServiceProcess:
    """The way of one process through its phases."""

    def __init__(
        self,
        name: ServiceName,
        settings: Settings,
        last_end: LastEnd,
        sample_on: date | None,
        log: Log,
        *,
        accept_empty: bool = False,
        is_port_reserved: bool = False,
    ) -> None:
        self.accept_empty = accept_empty
        self.is_port_reserved = is_port_reserved
        self.name = name
        self.settings = settings
        self.last_end = last_end
        self.sample_on = sample_on
        self.log = log
        self.clock: Clock = SystemClock()
        self.rng = random.Random()
        self.ids = system_ids(self.clock)
        self.turns = Turns()
        self.is_bus_durable = False
        self._proven_up: bool | None = None  # Whether the bus was up when it was last asked what it keeps.
        self.stop = asyncio.Event()
        self.phases = Phases(self.clock, self._tell_phase)
        self.patience = Patience(self.phases, self.clock, self.rng, self.log)
        self.health = Health(name, self.phases, self._are_loops_turning, Metrics())

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)
        own = self.settings.of(self.name)
        port, of_health = (required(getattr(own, each), f"{self.name}.{each}") for each in ("port", "health_port"))
        door = _Door(own.host, port, is_reserved=self.is_port_reserved)
        health = _listen(make_health_app(self.health), own.host, of_health, is_reserved=self.is_port_reserved)
        try:
            return await self._until_stopped(self._work(door))
        finally:
            await door.stop()
            await health.stop()

    async def _until_stopped(self, work: Any) -> int:
        """Work until it ends by itself or a signal arrives; a stop while still starting ends it there."""
        working = asyncio.create_task(work)
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not working.done() and not self.phases.is_ready:
            working.cancel()
            await asyncio.wait([working])
            return 0
        code: int = await working
        return code

    async def _work(self, door: _Door) -> int:
        self.phases.enter("settings")
        self._look_at_folder()
        service = self._make_service()
        engines = make_engines(self.name, self.settings)
        self.phases.enter("database")
        await self.patience.until_done(lambda: asyncio.to_thread(_ping, engines.reading))
        self.phases.enter("schema")
        applied = await self.patience.until_done(
            lambda: asyncio.to_thread(migrate, engines.writing, migrations_of(service))
        )
        if applied:
            self.log.info("migrated", applied=applied)
        self.phases.enter("lease")
        bus, parts, client = self._parts()
        lost = await self.patience.until_done(lambda: self._look_for_loss(engines.reading, parts))
        hold = HoldLock(engines.reading)
        standby = Standby(parts, engines.reading, self.phases, self.settings, self._make_service, door.open)
        try:
            work, database = await begin_life(
                service,
                self.settings,
                parts,
                engines,
                hold=hold,
                phases=self.phases,
                last_end=self.last_end,
                on_end=self._end_at_once,
                look=standby.look,
                patience=self.patience,
            )
        finally:
            standby.end()
        try:
            await self._come_to_work(work, database, bus, door, lost)
            await self._turn_loops(work, hold)
        except asyncio.CancelledError:  # Told to stop while it was still starting: a life that began says goodbye, too.
            self.log.info("stopped while starting")
        await self._finish(work, door, database, bus, client)
        hold.release()
        return 0

    async def _come_to_work(
        self, work: Work, database: ThreadedDatabase, bus: Any, door: _Door, lost: str | None
    ) -> None:
        """From a life that has begun to one that is ready."""
        await bus.start()
        work.troubles.tell = self._tell_trouble
        await self.patience.until_done(work.recover)
        await self.patience.until_done(lambda: self._mark_birth(work, lost))
        await self.patience.until_done(lambda: self._set_up(work))
        self.needs = self._needs(work, database)
        gauge(self.health, work, database, self.needs, self.clock, lambda: self.is_bus_durable)
        work.tell_change, work.tell_outage = self._tell_change, self._tell_outage
        self.phases.enter("listening")
        door.open(work)
        await self.patience.until_done(work.note_ready)
        self.phases.enter("ready")
        await work.send_beat()
        self.health.work = work

    async def _look_for_loss(self, engine: sa.Engine, parts: Parts) -> str | None:
        """Why an empty database should not be, if that is accepted. Raises Refused if not."""
        if not await asyncio.to_thread(births.is_empty, engine):
            return None
        why = births.expected_by_mark(self.settings, self.name)
        if why is None:
            others = [service for service in SERVICES if service != self.name]
            why = births.expected_by_peers(await parts.feed.beats(others, births.ASK_PEERS_S), self.name)
        if why is not None and not self.accept_empty:
            raise births.refusal(self.name, why, f"serve {self.name}")
        return why

    async def _mark_birth(self, work: Work, lost: str | None) -> None:
        """In this order: killed between the two, the next life finds the mark as it was and says the same once."""
        mark = births.mark_of(self.settings, self.name)
        marked = births.read_mark(mark)
        birth = await work.database.write(births.note_birth, self.name, marked, lost)
        if birth is None or birth == marked:
            return
        try:
            births.write_mark(mark, birth)
        except OSError as error:
            self.log.warning("no birth mark: a lost database will be known by peers alone", why=str(error))

    def _make_service(self) -> Service:
        return make_service(self.name, self.settings)

    async def _set_up(self, work: Work) -> None:
        """The settings of this start, for the trail. Under `up`: somebody who may sign in, and the sample conference,
        which never lies in the past."""
        set_here = [f"{one.name} = {one.value_shown}" for one in explain(self.settings) if one.origin != "default"]
        told = [f"fingerprint {fingerprint(self.settings)}", *set_here]
        await work.database.write(audit.note_start, self.name, release(), told)
        await ensure_first_person(work)
        if self.sample_on is not None and work.service.load_sample is not None:
            await work.service.load_sample(work.database, self.sample_on)

    def _parts(self) -> tuple[Any, Parts, httpx.AsyncClient]:
        settings, others = self.settings, [service for service in SERVICES if service != self.name]
        token = required(settings.peer_token, "peer_token").get_secret_value()
        addresses: dict[str, str] = {peer: required(settings.of(peer).address, f"{peer}.address") for peer in others}
        health: dict[str, str] = {
            peer: required(settings.of(peer).health_address, f"{peer}.health_address") for peer in others
        }
        has_tls = any(url.startswith("https") for url in (*addresses.values(), *health.values()))
        # Without TLS among the peers the authorities' certificates need not be loaded: 3 MB a process.
        client = httpx.AsyncClient(timeout=httpx.Timeout(2.0, connect=0.5), trust_env=False, verify=has_tls)
        lifecycle = settings.lifecycle
        bus = self._bus(others)
        parts = Parts(
            clock=self.clock,
            ids=self.ids,
            rng=self.rng,
            bus=bus,
            feed=HttpFeed(client, addresses, health, token),
            release=release(),
            beat_s=lifecycle.beat_seconds,
            silent_after_s=lifecycle.silent_after_seconds,
            clock_jump_max_s=lifecycle.clock_skew_max_seconds,
            peer_clock_max_s=lifecycle.peer_clock_max_seconds,
        )
        return bus, parts, client

    def _bus(self, others: Sequence[str]) -> Any:
        nats = self.settings.nats
        if not nats.urls:
            return NoBus()
        password = nats.password.get_secret_value() if nats.password else None
        return JetStreamBus(
            nats.urls,
            self.name,
            [self.name, *others],
            self.clock,
            rng=self.rng,
            stream_max_age_s=nats.stream_max_age_hours * 3600,
            monitor_urls=nats.monitor_urls,
            access=lambda: Access(user=nats.user, password=password),
            report=lambda words: self.log.info("bus", words=words),
        )

    def _look_at_folder(self) -> None:
        """Said at start, kept in /state; Operations shows the log line."""
        faults = [str(fault) for fault in open_to_others(self.settings.data_folder)]
        self.health.extra["open_to_others"] = faults
        for fault in faults:
            self.log.warning("the data folder is open", why=fault)

    async def _turn_loops(self, work: Work, hold: HoldLock) -> None:
        loops = [
            Loop(
                step.name,
                step.run,
                step.pause_s,
                work.commits.subscribe() if step.wakes_on_commit else None,
                CHORE_ERRORS if step.name.startswith("chore.") else SOFT_ERRORS,
                backoff_max_s=1.0,
            )
            for step in (*work.steps(), *self.needs.steps())
        ]
        loops.append(Loop("durability", lambda: self._prove_durability(work), PROVE_EVERY_S))
        loops.append(Loop("hold", lambda: _keep(hold), HOLD_EVERY_S, soft_errors=DATABASE_ERRORS, backoff_max_s=1.0))
        turning = asyncio.create_task(
            run_loops(
                loops,
                self.clock,
                rng=self.rng,
                turns=self.turns,
                on_trouble=lambda loop, error: self._note_trouble(work, loop, error),
                on_recovery=lambda loop: self._note_recovery(work, loop),
            )
        )
        stopping = asyncio.create_task(self.stop.wait())
        await asyncio.wait((turning, stopping), return_when=asyncio.FIRST_COMPLETED)
        if turning.done():
            turning.result()
        turning.cancel()
        await asyncio.wait([turning])

    async def _finish(
        self, work: Work, door: _Door, database: ThreadedDatabase, bus: Any, client: httpx.AsyncClient
    ) -> None:
        """Let requests end, say goodbye, let go."""
        await door.stop()
        try:
            await work.say_goodbye()
        except Unavailable as error:
            self.log.warning("could not say goodbye; it will count as a death", why=error.for_operators)
        await bus.close()
        await client.aclose()
        await asyncio.to_thread(database.close)
        self.log.info("stopped")

    async def _prove_durability(self, work: Work) -> bool:
        """Whether the broker keeps what it acknowledges, asked anew at each connection and told when it changes. The
        outboxes keep everything in any case."""
        is_up = work.parts.bus.is_up
        if is_up == self._proven_up:
            return False
        proof = await work.parts.bus.durability()
        self._proven_up, self.is_bus_durable = is_up, proof.is_durable
        self.health.extra["bus_is_durable"] = proof.is_durable
        self.health.extra["bus_durability"] = proof.why
        tell = self.log.info if proof.is_durable else self.log.warning
        tell("bus durability", is_durable=proof.is_durable, why=proof.why)
        return False

    def _tell_change(self, change: Change) -> None:
        """One line when a peer goes silent, one when it is back."""
        if change.kind == "silent":
            self.log.error("a peer is silent", peer=change.service, life=change.life)
        elif change.kind == "back" and change.life_before is not None:
            self.log.warning("a peer is back", peer=change.service, life=change.life)

    def _tell_outage(self, outage: Outage) -> None:
        """In the words of its incident."""
        words = f"{outage.sentence(ZoneInfo('UTC'))} (UTC)"
        self.log.warning("an outage is over", why=words, attempts=outage.attempts, down_s=outage.down_s)

    def _are_loops_turning(self) -> bool:
        return not self.turns.late(self.clock.monotonic())

    def _tell_phase(self, phase: str, after_s: float) -> None:
        self.log.info("phase", phase=phase, after_s=round(after_s, 3))

    def _needs(self, work: Work, database: ThreadedDatabase) -> Needs:
        return Needs(
            work,
            committed_s_ago=lambda: self.clock.monotonic() - database.writer.committed_at,
            turned_at=self.turns.turned_at,
            folder=self.settings.data_folder if work.service.writes_files else None,
        )

    def _note_trouble(self, work: Work, loop: str, error: BaseException) -> None:
        """A bus that is away is said by the bus itself, and is no trouble: facts travel by the feed."""
        if isinstance(error, Unavailable):
            work.troubles.miss_database(loop, error.for_operators)
        elif isinstance(error, DATABASE_ERRORS):
            work.troubles.miss_database(loop, brief(error))
        else:
            work.troubles.reach_database(loop)  # It got as far as the broker or its files.
        if isinstance(error, OSError):
            work.troubles.begin(loop, f"{loop} cannot write its files: {error}")

    def _note_recovery(self, work: Work, loop: str) -> None:
        work.troubles.reach_database(loop)
        work.troubles.end(loop)

    def _tell_trouble(self, what: str, trouble: Trouble) -> None:
        """One line when it begins, one when it is over; one a minute while it lasts."""
        if what == "is over":
            lasted_s = round(trouble.lasted_s, 1)
            self.log.warning("trouble is over", trouble=trouble.name, lasted_s=lasted_s, refused=trouble.refused)
        else:
            self.log.error(f"trouble {what}", trouble=trouble.name, why=trouble.why)

    def _end_at_once(self, error: Exception) -> None:
        """Nothing may be flushed or finished any more: whoever has the lease now writes."""
        if isinstance(error, Fenced):
            self.log.error("fenced; the process ends", why=str(error))
            os._exit(Exit.FENCED)
        self.log.error("the writer died; the process ends", exc_info=error)
        os._exit(Exit.BUG)


def _ping(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT 1"))
