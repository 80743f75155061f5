"""What is read apart answers as if it had been read here, and can be stopped."""

import asyncio
import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from softlanding import apart
from softlanding.apart import IN_A_THREAD_BYTES, read_file
from softlanding.errors import Fault, Invalid, TooMany
from waiting import until, wait_until

LARGE = b"x" * (IN_A_THREAD_BYTES + 1)


def where(body, *more):
    return os.getpid(), len(body), more


def environment(_body):
    return dict(os.environ)  # noqa: TID251


def write_down_and_work(_body, folder):
    """A slow reader: it works for days, within one call."""
    Path(folder, str(os.getpid())).touch()
    sum(range(10**15))


def write_down_and_wait(_body, folder):
    Path(folder, str(os.getpid())).touch()
    threading.Event().wait(3600)


def refuse(_body):
    raise Invalid(Fault("file.xml:1", "not like this"), Fault("file.xml:2", "nor this"))


def break_down(_body):
    raise KeyError("a fault of ours")


def read(*args, **more):
    return asyncio.run(read_file(*args, **more))


def is_alive(pid):
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True, check=False).returncode == 0


def test_small_files_are_read_here_and_large_or_packed_ones_in_a_process_of_their_own():
    assert read(where, b"small", 1) == (os.getpid(), 5, (1,))
    packed = gzip.compress(b"small")
    for body in (LARGE, LARGE.decode(), packed):
        pid, length, more = read(where, body, "Europe/Berlin")
        assert (length, more) == (len(body), ("Europe/Berlin",))
        assert pid != os.getpid()
        assert not is_alive(pid)


def test_the_process_knows_nothing_of_our_environment(monkeypatch):
    monkeypatch.setenv("SOFTLANDING_SESSION_SECRET", "secret")
    assert not any("SOFTLANDING" in name for name in read(environment, LARGE))


@pytest.mark.parametrize("slow", [write_down_and_work, write_down_and_wait])
def test_a_slow_reader_is_stopped_in_words_and_leaves_nothing_running(slow, tmp_path):
    with pytest.raises(Invalid, match="took longer than 2 s to read; take out"):
        read(slow, LARGE, str(tmp_path), within_s=2)
    [pid] = [int(path.name) for path in tmp_path.iterdir()]
    assert not is_alive(pid)


def test_a_reader_ends_with_whoever_asked(tmp_path):
    """Nobody waits any more: the request was cancelled, or the service was killed."""

    async def begun():
        return list(tmp_path.iterdir())

    async def cancelled():
        asking = asyncio.create_task(read_file(write_down_and_wait, LARGE, str(tmp_path)))
        await until(begun)
        asking.cancel()
        await asyncio.wait([asking])

    asyncio.run(cancelled())
    [pid] = [int(path.name) for path in tmp_path.iterdir()]
    assert not is_alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
def test_a_reader_ends_with_a_killed_service(tmp_path):
    asks = "import asyncio, test_apart as t; asyncio.run(t.read_file(t.write_down_and_work, t.LARGE, {!r}))"
    path = os.pathsep.join(filter(None, sys.path))
    service = subprocess.Popen([sys.executable, "-c", asks.format(str(tmp_path))], env={"PYTHONPATH": path})
    try:
        wait_until(lambda: list(tmp_path.iterdir()))
    finally:
        service.kill()
        service.wait()
    [pid] = [int(path.name) for path in tmp_path.iterdir()]
    wait_until(lambda: not is_alive(pid))


def test_refusals_come_back_whole_and_faults_of_ours_loudly():
    with pytest.raises(Invalid) as refused:
        read(refuse, LARGE)
    assert refused.value.faults == (Fault("file.xml:1", "not like this"), Fault("file.xml:2", "nor this"))
    with pytest.raises(RuntimeError, match="a fault of ours"):
        read(break_down, LARGE)


def test_few_are_read_at_once_and_the_next_one_is_told_when(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "AT_ONCE", 1)

    async def begun():
        return list(tmp_path.iterdir())

    async def two():
        first = asyncio.create_task(read_file(write_down_and_wait, LARGE, str(tmp_path), within_s=3))
        await until(begun)
        with pytest.raises(TooMany, match="send this one again in 10 s"):
            await read_file(where, LARGE)
        with pytest.raises(Invalid):
            await first
        return await read_file(where, LARGE)

    assert asyncio.run(two())[1] == len(LARGE)
