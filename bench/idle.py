"""How soon `softlanding up` is ready, the first time and after, and how much memory it takes when nobody asks anything.

On a throw-away data folder, with the sample conference, as a person starts it.
"""

import json
import os
import random
import selectors
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.tables import Tell
from softlanding.clock import Clock, SystemClock
from softlanding.errors import Unavailable
from softlanding.supervisor import free_ports

FIRST_AIM_S, AGAIN_AIM_S, MEMORY_AIM_MB = 8.0, 3.0, 300.0
READY_WITHIN_S = 120.0
STOP_WITHIN_S = 30.0
IDLE_S = 10.0
PARTS = ("schedule", "dispatch", "statistics", "nats", "front-door")


def bench_idle(tell: Tell) -> dict[str, Any]:
    """Seconds to ready, first and second time, seconds to stop, and megabytes after ten idle seconds."""
    clock = SystemClock()
    with tempfile.TemporaryDirectory(prefix="softlanding-bench-") as folder:
        port = free_ports(["front_door"], Path(folder) / "bench", random.Random())["front_door"]
        with _running(Path(folder), port, clock) as first:
            first_s = first.until_ready()
            tell(f"ready the first time after {first_s:.2f} s")
            memory = first.memory_after(IDLE_S)
            tell(f"idle: {sum(memory.values()):.0f} MB in {len(memory)} processes")
            stop_s = first.stop()
        with _running(Path(folder), port, clock) as again:
            again_s = again.until_ready()
            tell(f"ready again after {again_s:.2f} s")
            again.stop()
    memory_mb = sum(memory.values())
    parts_mb = sum(memory.get(name, 0.0) for name in PARTS)
    return {
        "first_s": first_s,
        "again_s": again_s,
        "stop_s": stop_s,
        "restart_s": stop_s + again_s,
        "memory_mb": memory_mb,
        "parts_mb": parts_mb,
        "processes": {name: {"pss_mb": size} for name, size in sorted(memory.items())},
        "aims": {
            f"ready the first time within {FIRST_AIM_S:.0f} s": first_s <= FIRST_AIM_S,
            f"ready again within {AGAIN_AIM_S:.0f} s": again_s <= AGAIN_AIM_S,
            f"three services, NATS and Caddy idle in {MEMORY_AIM_MB:.0f} MB": parts_mb <= MEMORY_AIM_MB,
            f"with supervisor and nursery in {MEMORY_AIM_MB:.0f} MB": memory_mb <= MEMORY_AIM_MB,
        },
    }


class _Installation:
    """One run of `softlanding up`, from its start to its end."""

    def __init__(self, process: "subprocess.Popen[bytes]", clock: Clock) -> None:
        self._process = process
        self._clock = clock
        self._began = clock.monotonic()
        self._names = {process.pid: "supervisor"}

    def until_ready(self) -> float:
        """Seconds from its start until it said that everything is ready. Raises Unavailable when it does not."""
        for line in self._lines(READY_WITHIN_S):
            said = json.loads(line)
            if isinstance(said.get("pid"), int):
                self._names[said["pid"]] = said["process"]
            if said.get("ready") is True:
                return self._clock.monotonic() - self._began
        raise Unavailable(f"`softlanding up` was not ready within {READY_WITHIN_S:.0f} s")

    def memory_after(self, idle_s: float) -> dict[str, float]:
        """Proportional set size of each process in megabytes, once it has been left alone for so long.

        The nursery, from which services are forked, is the one that `up` does not speak of."""
        for _ in self._lines(idle_s):
            pass  # What it says meanwhile is read, so that it need not wait for us.
        family = descendants(self._process.pid)
        return {self._names.get(pid, "nursery"): _pss_mb(pid) for pid in family}

    def stop(self) -> float:
        """Seconds until it had stopped in order."""
        asked = self._clock.monotonic()
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=STOP_WITHIN_S)
        return self._clock.monotonic() - asked

    def _lines(self, for_s: float) -> Iterator[bytes]:
        """What it says within so many seconds, as it says it; ends early when the process does."""
        out: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        end = self._clock.monotonic() + for_s
        rest = b""
        with selectors.DefaultSelector() as selector:
            selector.register(out, selectors.EVENT_READ)
            while (left_s := end - self._clock.monotonic()) > 0:
                if not selector.select(left_s):
                    return
                chunk = os.read(out.fileno(), 65536)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines


@contextmanager
def _running(folder: Path, port: int, clock: Clock) -> Iterator[_Installation]:
    softlanding = [sys.executable, "-m", "softlanding.cli"]
    command = [*softlanding, "up", "--json", "--data", str(folder / "data"), "--port", str(port)]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        try:
            yield _Installation(process, clock)
        finally:
            process.kill()  # Its children die with it; nothing happens when it has stopped.


def descendants(pid: int) -> list[int]:
    """The process and all that it brought to life, by the kernel's own list."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*"):
        for child in (task / "children").read_text().split():
            found += descendants(int(child))
    return found


def _pss_mb(pid: int) -> float:
    """https://docs.kernel.org/filesystems/proc.html: each page divided by how many processes share it."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise Unavailable("this kernel does not tell the proportional set size")
