"""Processes on one machine: started side by side, watched, started again, stopped in order.

Nobody waits for another here: each process bears that the others are not there yet.
"""

import asyncio
import functools
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from softlanding.clock import Clock
from softlanding.supervisor.children import Child, Launcher, NurseryDied
from softlanding.supervisor.logs import Ship, Shipper
from softlanding.supervisor.nursery import Nursery
from softlanding.supervisor.probes import http_ok, port_open
from softlanding.supervisor.run_folder import Children, End, Ends, up_lock

READY_PROBE_S = 0.02
SHIP_REST_S = 1.0  # What the last lines get before the end.


@dataclass(frozen=True)
class External:
    """A program of its own. `env`: its whole environment; None hands on ours."""

    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Forked:
    """A function `module:function`, called as `function(arguments)` in a child of the nursery.

    `arguments` must be JSON. The child finds `last_end` in them: how its last life ended (see `End`), or None;
    with `ends`, of each since the last one that was ready, and `watched_from`.
    """

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class HttpReady:
    """Ready when GET answers 200."""

    url: str


@dataclass(frozen=True)
class PortReady:
    """Ready when somebody listens."""

    port: int
    host: str = "127.0.0.1"


@dataclass(frozen=True)
class Process:
    """What to run, how to know that it is ready and alive, how to stop it. A higher `stage` is stopped earlier."""

    name: str
    start: External | Forked
    ready: HttpReady | PortReady
    livez_url: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 5.0
    stage: int = 1


@dataclass(frozen=True)
class Watching:
    """How patient the supervisor is."""

    probe_every_s: float = 1.0
    probe_timeout_s: float = 1.0
    silent_probes: int = 5  # Counted, not timed: who watches may have slept himself.
    start_within_s: float = 20.0  # A process that has never answered /livez is given this long.
    steady_after_s: float = 10.0  # A life this long was no failed start.
    backoff_first_s: float = 0.1
    backoff_max_s: float = 5.0
    loop_ends: int = 5
    loop_within_s: float = 60.0
    log_bytes_max: int = 5_000_000


What = Literal[
    "starting", "ready", "all_ready", "slow", "silent", "ended", "restart_loop", "stopping", "stopped", "stop_killed",
    "stale_killed", "logs_lost",
]  # fmt: skip


@dataclass(frozen=True)
class Happening:
    """What a person or a program is told. `after_s` counts from the start of that life, for `all_ready` of all."""

    at: datetime
    process: str
    what: What
    after_s: float
    words: str
    pid: int | None = None


@dataclass
class _Desk:
    """What the supervisor knows and holds while it runs."""

    clock: Clock
    watching: Watching
    tell: Callable[[Happening], None]
    launcher: Launcher
    children: Children
    ends: Ends
    began: float
    began_at: datetime
    current: dict[str, Child] = field(default_factory=dict)
    ready: set[str] = field(default_factory=set)
    was_all_ready: bool = False
    stopping: set[str] = field(default_factory=set)
    why: dict[int, str] = field(default_factory=dict)

    def say(self, process: str, what: What, since: float, words: str, pid: int | None = None) -> None:
        self.tell(Happening(self.clock.now(), process, what, self.clock.monotonic() - since, words, pid))


async def supervise(
    processes: Sequence[Process],
    *,
    data_folder: Path,
    nursery: Nursery,
    clock: Clock,
    tell: Callable[[Happening], None],
    ship_logs: Ship,
    stop: asyncio.Event,
    watching: Watching | None = None,
    holds_lock: bool = False,
) -> None:
    """Run `processes` until `stop` is set, SIGTERM or SIGINT arrives; then stop them, highest stage first.

    Ended ones are started again, silent ones killed first; it never gives up. A second signal kills all at once.
    Raises Refused when another supervisor runs on this data folder (`holds_lock`: the caller has asked already).
    Needs asyncio's own event loop on the main thread.
    """
    with up_lock(data_folder, clock) if not holds_lock else nullcontext():
        watching = watching or Watching()
        shipper = Shipper(ship_logs, clock)
        ends = Ends(data_folder)
        on_nursery_end = functools.partial(_say_nursery_end, clock, tell, ends)
        launcher = Launcher(nursery, data_folder / "logs", shipper, watching.log_bytes_max, on_nursery_end)
        began_at = clock.now()
        desk = _Desk(clock, watching, tell, launcher, Children(data_folder), ends, clock.monotonic(), began_at)
        _clear_stale(desk)
        keepers = [(process, asyncio.create_task(_keep_alive(desk, process, len(processes)))) for process in processes]
        shipping = asyncio.create_task(shipper.run())
        _on_signals(desk, stop)
        launcher.attach()
        try:
            await _until_stop(stop, [keeper for _, keeper in keepers])
        finally:
            await _stop_all(desk, keepers)
            await _ship_rest(desk, shipper, shipping)
            await launcher.close()
            _off_signals()


def _clear_stale(desk: _Desk) -> None:
    """A killed supervisor's children were killed with it; for the next life that is how the last one ended."""
    for stale in desk.children.kill_stale():
        at = desk.clock.now().isoformat()
        desk.ends.add(End(stale.name, stale.pid, None, "SIGKILL", at, None, "its supervisor died"))
        if stale.was_alive:
            words = f"{stale.name} (pid {stale.pid}) was left by a killed supervisor; it is killed now"
            desk.say(stale.name, "stale_killed", desk.began, words, stale.pid)


def _say_nursery_end(clock: Clock, tell: Callable[[Happening], None], ends: Ends, pid: int, code: int) -> None:
    end = _end("nursery", pid, code, clock.now(), None, "")
    ends.add(end)
    words = f"the nursery ended: {end.words()}; its children died with it, all are started again"
    tell(Happening(clock.now(), "nursery", "ended", 0.0, words, pid))


async def _until_stop(stop: asyncio.Event, keepers: list[asyncio.Task[None]]) -> None:
    """Comes back when `stop` is set. A keeper ends only by a bug, which is raised."""
    waiting = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([waiting, *keepers], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is not waiting:
                task.result()
    finally:
        waiting.cancel()


# --- One process, life after life -------------------------------------------------------------------------------------


async def _keep_alive(desk: _Desk, process: Process, of: int) -> None:
    """Until it is to stop. The first end is answered at once, quick ones after it with growing pauses."""
    ends_at: deque[float] = deque(maxlen=desk.watching.loop_ends)
    lives = quick = 0
    while process.name not in desk.stopping:
        began = desk.clock.monotonic()
        end = await _live(desk, process, of)
        if process.name in desk.stopping:
            return
        lives += 1
        now = desk.clock.monotonic()
        ends_at.append(now)
        quick = quick + 1 if lives > 1 and now - began < desk.watching.steady_after_s else 0
        pause_s = _pause_s(desk.watching, quick)
        _say_end(desk, process, end, began, pause_s, ends_at)
        await _pause(desk, process, pause_s)


def _pause_s(watching: Watching, quick: int) -> float:
    return min(watching.backoff_max_s, watching.backoff_first_s * 2 ** min(quick - 1, 20)) if quick else 0.0


def _say_end(desk: _Desk, process: Process, end: End, began: float, pause_s: float, ends_at: deque[float]) -> None:
    name, when = process.name, f"in {pause_s:.1f} s" if pause_s else "at once"
    desk.say(name, "ended", began, f"{name} ended: {end.words()}; it is started again {when}", end.pid)
    within_s = ends_at[-1] - ends_at[0]
    if len(ends_at) == ends_at.maxlen and within_s < desk.watching.loop_within_s:
        words = f"{name} ended {len(ends_at)} times within {within_s:.0f} s: see its log; it is started all the same"
        desk.say(name, "restart_loop", began, words, end.pid)


async def _pause(desk: _Desk, process: Process, pause_s: float) -> None:
    """In small pieces, so that stopping need not wait for it."""
    until = desk.clock.monotonic() + pause_s
    while process.name not in desk.stopping and (left_s := until - desk.clock.monotonic()) > 0:
        await desk.clock.sleep(min(left_s, 0.1))


async def _live(desk: _Desk, process: Process, of: int) -> End:
    """One life, from start to end, recorded."""
    began = desk.clock.monotonic()
    desk.say(process.name, "starting", began, f"{process.name} is started")
    try:
        child = await _launch(desk, process)
    except (OSError, NurseryDied) as error:
        return _record(desk, process, 0, None, began, f"it could not be started: {error}")
    desk.current[process.name] = child
    desk.children.add(process.name, child.pid)
    probes = [asyncio.create_task(probe) for probe in _probes(desk, process, child, began, of)]
    try:
        if process.name in desk.stopping:
            child.send(process.stop_signal)
        code = await child.ended
    finally:
        for probe in probes:
            probe.cancel()
    _raise_bugs(await asyncio.gather(*probes, return_exceptions=True))
    del desk.current[process.name]
    was_ready = process.name in desk.ready
    desk.ready.discard(process.name)
    desk.children.remove(process.name)
    return _record(desk, process, child.pid, code, began, desk.why.pop(child.pid, ""), was_ready=was_ready)


def _raise_bugs(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def _launch(desk: _Desk, process: Process) -> Child:
    if isinstance(process.start, External):
        return desk.launcher.spawn(process.name, process.start.argv, process.start.env)
    last = desk.ends.last.get(process.name)
    told = {"ends": desk.ends.since_ready(process.name), "watched_from": desk.began_at.isoformat()}
    arguments = {**process.start.arguments, "last_end": last.as_dict() | told if last else None}
    return await desk.launcher.fork(process.name, process.start.target, arguments)


def _record(
    desk: _Desk, process: Process, pid: int, code: int | None, began: float, why: str, *, was_ready: bool = False
) -> End:
    end = _end(process.name, pid, code, desk.clock.now(), round(desk.clock.monotonic() - began, 3), why)
    desk.ends.add(end, was_ready=was_ready)
    return end


def _end(name: str, pid: int, code: int | None, at: datetime, lived_s: float | None, why: str) -> End:
    """`code` as subprocess gives it: negative for a signal."""
    by_signal = code is not None and code < 0
    exit_code = None if by_signal else code
    name_of_signal = _signal_name(-code) if code is not None and by_signal else None
    return End(name, pid, exit_code, name_of_signal, at.isoformat(), lived_s, why)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# --- Watching ---------------------------------------------------------------------------------------------------------


def _probes(desk: _Desk, process: Process, child: Child, began: float, of: int) -> list[Coroutine[Any, Any, None]]:
    probes: list[Coroutine[Any, Any, None]] = [_await_ready(desk, process, child, began, of)]
    if process.livez_url is not None:
        probes.append(_kill_when_silent(desk, process, child, process.livez_url, began))
    return probes


async def _await_ready(desk: _Desk, process: Process, child: Child, began: float, of: int) -> None:
    was_slow = False
    while not await _is_ready(process.ready, desk.watching.probe_timeout_s):
        if not was_slow and desk.clock.monotonic() - began > desk.watching.start_within_s:
            was_slow = True
            words = f"{process.name} is not ready after {desk.watching.start_within_s:.0f} s: see its log"
            desk.say(process.name, "slow", began, words, child.pid)
        await desk.clock.sleep(READY_PROBE_S)
    desk.ready.add(process.name)
    desk.say(process.name, "ready", began, f"{process.name} is ready", child.pid)
    if len(desk.ready) == of and not desk.was_all_ready:
        desk.was_all_ready = True
        desk.say("all", "all_ready", desk.began, "everything is ready")


async def _is_ready(ready: HttpReady | PortReady, timeout_s: float) -> bool:
    if isinstance(ready, HttpReady):
        return await http_ok(ready.url, timeout_s)
    return await port_open(ready.host, ready.port, timeout_s)


async def _kill_when_silent(desk: _Desk, process: Process, child: Child, url: str, began: float) -> None:
    watching, misses = desk.watching, 0
    was_heard = False
    while misses < watching.silent_probes:
        asked_at = desk.clock.monotonic()
        if await http_ok(url, watching.probe_timeout_s):
            was_heard, misses = True, 0
        elif was_heard or process.name in desk.ready or asked_at - began > watching.start_within_s:
            misses += 1
        spent_s = desk.clock.monotonic() - asked_at
        await desk.clock.sleep(max(0.0, watching.probe_every_s - spent_s))
    why = f"killed: /livez did not answer {misses} times in a row"
    desk.why[child.pid] = why
    desk.say(process.name, "silent", began, f"{process.name} is {why}", child.pid)
    child.send(signal.SIGKILL)
    await desk.launcher.insist(child)


# --- Stopping ---------------------------------------------------------------------------------------------------------


def _on_signals(desk: _Desk, stop: asyncio.Event) -> None:
    def asked() -> None:
        if stop.is_set():
            for child in desk.current.values():
                child.send(signal.SIGKILL)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked)


def _off_signals() -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)


async def _stop_all(desk: _Desk, keepers: Sequence[tuple[Process, asyncio.Task[None]]]) -> None:
    for stage in sorted({process.stage for process, _ in keepers}, reverse=True):
        here = [(process, keeper) for process, keeper in keepers if process.stage == stage]
        await asyncio.gather(*(_stop_one(desk, process, keeper) for process, keeper in here))


async def _stop_one(desk: _Desk, process: Process, keeper: asyncio.Task[None]) -> None:
    """Asked, given its time, then killed. Comes back when it is gone."""
    asked_at = desk.clock.monotonic()
    desk.stopping.add(process.name)
    child = desk.current.get(process.name)
    if child is not None:
        desk.why.setdefault(child.pid, "stopped")
        desk.say(process.name, "stopping", asked_at, f"{process.name} is asked to stop", child.pid)
        child.send(process.stop_signal)
    done, _ = await asyncio.wait([keeper], timeout=process.stop_within_s)
    if not done and (child := desk.current.get(process.name)) is not None:
        desk.why[child.pid] = f"killed: did not stop within {process.stop_within_s:g} s"
        desk.say(process.name, "stop_killed", asked_at, f"{process.name} is {desk.why[child.pid]}", child.pid)
        child.send(signal.SIGKILL)
        await desk.launcher.insist(child)
    with suppress(Exception):  # A keeper's bug is raised by `supervise` itself.
        await keeper
    desk.say(process.name, "stopped", asked_at, f"{process.name} has stopped")


async def _ship_rest(desk: _Desk, shipper: Shipper, shipping: asyncio.Task[None]) -> None:
    shipping.cancel()
    with suppress(Exception):  # The collector is most likely stopped already.
        await asyncio.wait_for(shipper.ship_batch(), SHIP_REST_S)
    lost = shipper.lost_total + desk.launcher.lines_not_kept
    if lost:
        desk.say("supervisor", "logs_lost", desk.began, f"{lost} log lines were lost")
