"""What the processes print: kept in bounded files, and carried on in batches to whoever collects logs."""

import json
import os
import select
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

from softlanding.clock import Clock

LINE_BYTES_MAX = 64_000
LINES_MAX = 10_000  # Waiting to be shipped; older ones are dropped first, and counted.
BATCH_MAX = 500
SHIP_EVERY_S = 0.25
SHIP_BACKOFF_MAX_S = 5.0

Ship = Callable[[list[dict[str, object]]], Awaitable[None]]


class RotatingFile:
    """A file of at most `bytes_max`, and one older one beside it. A full disk loses lines, never the process."""

    def __init__(self, path: Path, bytes_max: int) -> None:
        self.lost = 0
        self._path = path
        self._bytes_max = bytes_max
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, data: bytes) -> None:
        try:
            if self._path.exists() and self._path.stat().st_size + len(data) > self._bytes_max:
                self._path.replace(self._path.with_name(f"{self._path.stem}.1{self._path.suffix}"))
            with self._path.open("ab", buffering=0) as file:
                file.write(data)
        except OSError:
            self.lost += data.count(b"\n")


class Lines:
    """One child's output: bytes from its pipe in, whole lines out."""

    def __init__(self, fd: int, take: Callable[[list[bytes]], None]) -> None:
        self.fd = fd
        self._take = take
        self._rest = b""

    def read(self) -> bool:
        """Take what is there now. False when no more will come."""
        try:
            data = os.read(self.fd, 65_536)
        except BlockingIOError:
            return True
        if not data:
            self._flush()
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        if lines:
            self._take([line[:LINE_BYTES_MAX] for line in lines])
        if len(self._rest) > LINE_BYTES_MAX:
            self._flush()
        return True

    def drain(self) -> None:
        """The last words of a process that has ended. Bounded: its grandchildren may hold the pipe and go on."""
        for _ in range(64):
            if not self.read() or not select.select([self.fd], [], [], 0)[0]:
                break
        self._flush()

    def _flush(self) -> None:
        if self._rest:
            self._take([self._rest[:LINE_BYTES_MAX]])
            self._rest = b""


class Shipper:
    """Lines wait here until `ship` has taken them. What did not fit is counted and said in a line of its own."""

    def __init__(self, ship: Ship, clock: Clock) -> None:
        self.lost_total = 0
        self._ship = ship
        self._clock = clock
        self._lost = 0
        self._waiting: deque[dict[str, object]] = deque()

    def add(self, process: str, pid: int, line: bytes) -> None:
        if len(self._waiting) >= LINES_MAX:
            self._waiting.popleft()
            self._lost += 1
            self.lost_total += 1
        self._waiting.append(_as_record(process, pid, line, self._clock))

    async def run(self) -> None:
        """Ship until cancelled. Trouble is waited out: logs are the least of all."""
        pause_s = SHIP_EVERY_S
        while True:
            await self._clock.sleep(pause_s)
            try:
                while self._waiting or self._lost:
                    await self.ship_batch()
                pause_s = SHIP_EVERY_S
            except Exception:  # noqa: BLE001 - whatever the collector's trouble is, the processes must go on
                pause_s = min(SHIP_BACKOFF_MAX_S, pause_s * 2)

    async def ship_batch(self) -> None:
        """The oldest lines, at most BATCH_MAX. When it fails they are back in their place."""
        lost = self._lost
        batch = [self._waiting.popleft() for _ in range(min(BATCH_MAX, len(self._waiting)))]
        try:
            await self._ship([self._about_lost(lost), *batch] if lost else batch)
        except BaseException:
            self._waiting.extendleft(reversed(batch))
            raise
        self._lost -= lost

    def _about_lost(self, lost: int) -> dict[str, object]:
        at = self._clock.now().isoformat()
        return {"process": "supervisor", "level": "warning", "event": "log lines lost", "lost": lost, "timestamp": at}


def _as_record(process: str, pid: int, line: bytes, clock: Clock) -> dict[str, object]:
    text = line.decode("utf-8", "replace")
    try:
        record = json.loads(text) if text.startswith("{") else None
    except ValueError:
        record = None
    if isinstance(record, dict):
        return {"process": process, "pid": pid, **record}
    return {"process": process, "pid": pid, "event": text, "timestamp": clock.now().isoformat()}
