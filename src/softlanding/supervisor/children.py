"""Bringing children to life, from a program or from the nursery, and hearing of their end."""

import asyncio
import functools
import json
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from softlanding.supervisor.logs import Lines, RotatingFile, Shipper
from softlanding.supervisor.nursery import (
    MESSAGE_BYTES_MAX,
    Nursery,
    die_with_parent,
    reap_nursery,
    restart_nursery,
)
from softlanding.supervisor.run_folder import started_at

FORK_WITHIN_S = 30.0  # A new nursery loads its libraries first; on a cold disk that takes seconds.
KILL_WITHIN_S = 2.0
GONE_WITHIN_S = 5.0
GONE_PROBE_S = 0.005


class NurseryDied(Exception):
    """The nursery ended before it answered. Nothing was started, or it died with it."""


@dataclass(eq=False)
class Child:
    """One life of a process. `ended` becomes its exit code, negative for a signal."""

    name: str
    pid: int
    ended: asyncio.Future[int]

    def send(self, number: signal.Signals) -> None:
        """A signal, if it still lives."""
        if not self.ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Launcher:
    """Starts children and keeps what they print."""

    def __init__(
        self,
        nursery: Nursery,
        log_folder: Path,
        shipper: Shipper,
        log_bytes_max: int,
        on_nursery_end: Callable[[int, int], None],
    ) -> None:
        self._nursery = nursery
        self._log_folder = log_folder
        self._shipper = shipper
        self._log_bytes_max = log_bytes_max
        self._on_nursery_end = on_nursery_end
        self._files: dict[str, RotatingFile] = {}
        self._programs: dict[Child, subprocess.Popen[bytes]] = {}
        self._forked: dict[int, Child] = {}
        self._asked: dict[int, tuple[str, asyncio.Future[Child]]] = {}
        self._asked_count = 0
        self._is_nursery_up = False
        self._renewing = asyncio.Lock()
        self._going: list[asyncio.Task[None]] = []

    @property
    def lines_not_kept(self) -> int:
        return sum(file.lost for file in self._files.values())

    def attach(self) -> None:
        """Begin to listen: to the nursery, and to the ends of children."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_reader(self._nursery.control, self._hear)
        self._nursery.control.setblocking(False)
        self._is_nursery_up = True

    async def close(self) -> None:
        """Let the nursery go; by now it has no children."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._nursery.control)
        loop.remove_signal_handler(signal.SIGCHLD)
        self._kill_nursery()
        await self._nursery_is_gone()
        self._nursery.control.close()

    def spawn(self, name: str, argv: tuple[str, ...], env: Mapping[str, str] | None) -> Child:
        """A program of its own, in a session of its own. Raises OSError when there is no such program."""
        output, theirs = self._pipe()
        try:
            program = subprocess.Popen(
                argv,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                preexec_fn=functools.partial(die_with_parent, os.getpid()),
            )
        except OSError:
            os.close(output)
            raise
        finally:
            os.close(theirs)
        child = Child(name, program.pid, asyncio.get_running_loop().create_future())
        self._programs[child] = program
        self._collect(child, output)
        self._reap()  # It may have ended before anybody listened.
        return child

    async def fork(self, name: str, target: str, arguments: Mapping[str, Any]) -> Child:
        """A child of the nursery. Raises NurseryDied, OSError; ValueError when the arguments are too long."""
        await self._nursery_up()
        self._asked_count += 1
        key, answer = self._asked_count, asyncio.get_running_loop().create_future()
        request = json.dumps({"key": key, "target": target, "arguments": dict(arguments)}).encode()
        if len(request) > MESSAGE_BYTES_MAX:
            raise ValueError(f"{name}: its arguments are {len(request)} bytes, at most {MESSAGE_BYTES_MAX} fit")
        output, theirs = self._pipe()
        self._asked[key] = (name, answer)
        try:
            socket.send_fds(self._nursery.control, [request], [theirs])
            async with asyncio.timeout(FORK_WITHIN_S):
                child: Child = await answer
        except BaseException as error:
            os.close(output)
            self._asked.pop(key, None)
            if isinstance(error, TimeoutError):
                self._kill_nursery()  # It hangs; its children go with it and are started again.
                raise NurseryDied(f"the nursery did not answer within {FORK_WITHIN_S:g} s and is killed") from None
            raise
        finally:
            os.close(theirs)
        self._collect(child, output)
        return child

    async def insist(self, child: Child) -> None:
        """After SIGKILL: if even the end is not told, the nursery hangs, and goes."""
        await asyncio.wait([child.ended], timeout=KILL_WITHIN_S)
        if not child.ended.done() and child not in self._programs:
            self._kill_nursery()

    # --- The nursery

    async def _nursery_up(self) -> None:
        async with self._renewing:
            if self._is_nursery_up:
                return
            code = await self._nursery_is_gone()
            await asyncio.gather(*self._going)
            self._going.clear()
            self._on_nursery_end(self._nursery.pid, code)
            restart_nursery(self._nursery)
            self.attach()

    async def _nursery_is_gone(self) -> int:
        """Its exit code. A process whose control socket is closed has ended, or is about to."""
        async with asyncio.timeout(GONE_WITHIN_S):
            while (code := reap_nursery(self._nursery)) is None:
                await asyncio.sleep(GONE_PROBE_S)  # noqa: TID251 - the supervisor may
            return code

    def _kill_nursery(self) -> None:
        if self._is_nursery_up:
            os.kill(self._nursery.pid, signal.SIGKILL)

    def _hear(self) -> None:
        while True:
            try:
                data = self._nursery.control.recv(MESSAGE_BYTES_MAX)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._lose_nursery()
                return
            self._take(json.loads(data))

    def _take(self, message: Mapping[str, Any]) -> None:
        if "ended" in message:
            self._end(self._forked.pop(message["ended"], None), message["status"])
            return
        name, answer = self._asked.pop(message["key"], ("", None))
        if answer is None or answer.done():
            if "started" in message:
                os.kill(message["started"], signal.SIGKILL)  # Nobody waits for it any more.
        elif "error" in message:
            answer.set_exception(OSError(message["error"]))
        else:
            child = Child(name, message["started"], asyncio.get_running_loop().create_future())
            self._forked[child.pid] = child
            answer.set_result(child)

    def _lose_nursery(self) -> None:
        """Its children are dying with it. They count as ended only when they are gone and their ports are free."""
        self._is_nursery_up = False
        asyncio.get_running_loop().remove_reader(self._nursery.control)
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(NurseryDied("the nursery died"))
        self._asked.clear()
        for child in self._forked.values():
            child.send(signal.SIGKILL)
            self._going.append(asyncio.create_task(self._gone(child, started_at(child.pid))))
        self._forked.clear()

    async def _gone(self, child: Child, began: int | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(GONE_WITHIN_S):
                while began is not None and started_at(child.pid) == began:
                    await asyncio.sleep(GONE_PROBE_S)  # noqa: TID251 - the supervisor may
        self._end(child, -signal.SIGKILL)

    # --- Ends and output

    def _reap(self) -> None:
        for child, program in list(self._programs.items()):
            code = program.poll()
            if code is not None:
                del self._programs[child]
                self._end(child, code)

    def _end(self, child: Child | None, code: int) -> None:
        if child is not None and not child.ended.done():
            child.ended.set_result(code)

    def _pipe(self) -> tuple[int, int]:
        ours, theirs = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(ours, False)
        return ours, theirs

    def _collect(self, child: Child, output: int) -> None:
        """Keep and ship what it prints, until it has ended and its pipe is empty."""
        loop = asyncio.get_running_loop()
        path = self._log_folder / f"{child.name}.log"
        file = self._files.setdefault(child.name, RotatingFile(path, self._log_bytes_max))

        def take(lines: list[bytes]) -> None:
            file.write(b"".join(line + b"\n" for line in lines))
            for line in lines:
                self._shipper.add(child.name, child.pid, line)

        lines = Lines(output, take)

        def finish(_: asyncio.Future[int]) -> None:
            loop.remove_reader(output)
            lines.drain()
            os.close(output)

        def readable() -> None:
            if not lines.read():
                loop.remove_reader(output)

        loop.add_reader(output, readable)
        child.ended.add_done_callback(finish)
