"""Files from outside are read in a process of their own, which can be stopped: a thread cannot.

However much work a file hides, it costs one process up to its deadline, and then it is refused in words. That process
is a fresh interpreter, so that it has neither our threads, locks and open files nor the secrets in our environment.
Small files stay in a thread: 100 kB take some 25 ms to read, and starting an interpreter ten times as long.
"""

import asyncio
import ctypes
import os
import pickle
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from typing import Any, TypeVar

from softlanding.errors import Fault, Invalid, TooMany

WITHIN_S = 30.0  # FOSDEM's programme, the largest known, takes one or two.
IN_A_THREAD_BYTES = 100_000
AT_ONCE = 4  # Processes of this kind that one service has; each may take 64 MB of file, unpacked.
AGAIN_S = 10
PR_SET_PDEATHSIG = 1  # prctl(2)
_GZIP = b"\x1f\x8b"

T = TypeVar("T")

_at_work: set[object] = set()  # One thing for each process that is reading now.


async def read_file(read: Callable[..., T], body: bytes | str, *more: Any, within_s: float = WITHIN_S) -> T:
    """What `read(body, *more)` answers; it and all that it is given and answers must be picklable.

    Raises Invalid as `read` does, and when it takes longer than `within_s`, of the wall's or the processor's seconds;
    TooMany while others are being read.
    """
    if not _is_small(body):
        return await _read_apart(read, (body, *more), within_s)
    return await asyncio.to_thread(read, body, *more)


def _is_small(body: bytes | str) -> bool:
    """What is packed tells nothing of its size that could be believed."""
    is_packed = isinstance(body, bytes) and body.startswith(_GZIP)
    return len(body) <= IN_A_THREAD_BYTES and not is_packed


async def _read_apart(read: Callable[..., T], given: tuple[Any, ...], within_s: float) -> T:
    if len(_at_work) >= AT_ONCE:
        raise TooMany(f"{AT_ONCE} files are being read already: send this one again in {AGAIN_S} s", AGAIN_S)
    seat = object()
    _at_work.add(seat)
    try:
        is_read, answer = await _ask(pickle.dumps((read, given)), within_s)
    finally:
        _at_work.discard(seat)
    if not is_read:
        raise Invalid(*answer)
    result: T = answer
    return result


async def _ask(question: bytes, within_s: float) -> tuple[bool, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", __name__, str(max(1, round(within_s))), stdin=PIPE, stdout=PIPE, stderr=PIPE,
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1"},
    )  # fmt: skip
    try:
        async with asyncio.timeout(within_s):
            said, complaint = await child.communicate(question)
    except TimeoutError:
        raise _too_long(within_s) from None
    finally:
        await _end(child)
    if child.returncode == -signal.SIGXCPU:
        raise _too_long(within_s)
    if child.returncode is not None and child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        raise Invalid(Fault("file", f"reading it was ended by {name}, as when memory is short; send a smaller file"))
    if child.returncode != 0:
        raise RuntimeError(f"a reader broke: {complaint.decode(errors='replace')[-2000:]}")
    answer: tuple[bool, Any] = pickle.loads(said)
    return answer


def _too_long(within_s: float) -> Invalid:
    return Invalid(
        Fault("file", f"took longer than {within_s:g} s to read; take out what is repeated or nested, or split it")
    )


async def _end(child: Process) -> None:
    """Also when whoever asked has gone: nothing of it is left."""
    if child.returncode is None:
        child.kill()
        await asyncio.shield(child.wait())


def _answer(seconds: int) -> None:
    """In the process apart: one question from standard input, its answer to standard output."""
    _bound(seconds)
    read, given = pickle.load(sys.stdin.buffer)
    try:
        answer = (True, read(*given))
    except Invalid as error:
        answer = (False, error.faults)
    sys.stdout.buffer.write(pickle.dumps(answer))


def _bound(seconds: int) -> None:
    """The processor's time ends even if nobody is there any more to look at the clock."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    _answer(int(sys.argv[1]))
