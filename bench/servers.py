"""The servers that contestants need, each durable, in a folder of its own, gone when the block ends."""

import asyncio
import os
import random
import shutil
import socket
import statistics
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from softlanding.clock import Clock, retry
from softlanding.errors import Unavailable
from softlanding.front_door import NatsPlan, nats_binary, nats_config
from softlanding.supervisor import free_ports

LISTENS_WITHIN_S = 10.0
INSTALL_WITHIN_S = 180


@asynccontextmanager
async def running_nats(folder: Path, clock: Clock, rng: random.Random) -> AsyncIterator[str]:
    """The URL of a nats-server that syncs before it acknowledges, configured as `softlanding up` does."""
    _make_folder(folder)
    port = free_ports(["nats"], folder, rng)["nats"]
    config = folder / "nats.conf"
    config.write_text(nats_config(NatsPlan(port, folder / "jetstream")))
    address = ("127.0.0.1", port)
    with _running([str(nats_binary()), "-c", str(config)], folder / "nats.log"):
        await _until_listening(socket.AF_INET, address, clock, rng)
        yield f"nats://127.0.0.1:{port}"


@asynccontextmanager
async def running_redis(binary: Path, folder: Path, clock: Clock, rng: random.Random) -> AsyncIterator[str]:
    """The URL of a Redis that syncs its append-only file at each write."""
    _make_folder(folder)
    door = folder / "redis.sock"
    durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
    command = [str(binary), "--port", "0", "--unixsocket", str(door), "--dir", str(folder), *durable]
    with _running(command, folder / "redis.log"):
        await _until_listening(socket.AF_UNIX, str(door), clock, rng)
        yield f"unix://{door}"


def find_redis() -> Path:
    """The binary, installed by apt where this user may. Raises Unavailable in words."""
    found = shutil.which("redis-server")
    if found is None and shutil.which("apt-get") and os.geteuid() == 0:
        quiet = {"RUNLEVEL": "1", "DEBIAN_FRONTEND": "noninteractive", "PATH": os.defpath}  # Installed, not started.
        command = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "redis-server"]
        subprocess.run(command, env=quiet, capture_output=True, check=False, timeout=INSTALL_WITHIN_S)
        found = shutil.which("redis-server")
    if found is None:
        raise Unavailable("redis-server is not installed; on Debian: apt-get install redis-server")
    return Path(found)


def measure_fsyncs(folder: Path, clock: Clock, *, for_s: float = 1.0) -> tuple[float, float]:
    """How often a second 4 KiB can be appended and synced in the folder, and the median of one in milliseconds."""
    path = folder / "fsync-probe"
    took: list[float] = []
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        began = clock.monotonic()
        while clock.monotonic() - began < for_s:
            before = clock.monotonic()
            os.write(handle, b"\0" * 4096)
            os.fdatasync(handle)
            took.append(clock.monotonic() - before)
    finally:
        os.close(handle)
        path.unlink()
    return len(took) / sum(took), 1000 * statistics.median(took)


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True)


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


async def _until_listening(family: socket.AddressFamily, address: Any, clock: Clock, rng: random.Random) -> None:
    async def attempt() -> None:
        with socket.socket(family) as probe:
            probe.settimeout(1)
            await asyncio.to_thread(probe.connect, address)

    await retry(attempt, clock=clock, rng=rng, deadline_s=LISTENS_WITHIN_S, errors=(OSError,), longest_s=0.2)
