"""A process that has loaded the heavy libraries once, and forks each service from there: quick to start, little memory.

It is forked before the supervisor has a loop or a thread, has one thread itself, and opens nothing that must not be
shared: no database, no connection, no loop. Its children die with it, and it dies with the supervisor. When it is
killed alone, a new one is started from nothing by the same supervisor.
"""

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from softlanding.errors import Exit

MESSAGE_BYTES_MAX = 65_536
PR_SET_PDEATHSIG = 1  # prctl(2)


@dataclass
class Nursery:
    """The supervisor's end. `pid` and `control` change when a new nursery replaces a killed one."""

    pid: int
    control: socket.socket
    preload: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    exit_code: int | None = None


def start_nursery(preload: Sequence[str]) -> Nursery:
    """Fork the nursery; it loads `preload` on its own time. Call it on the main thread, before any loop or thread.

    Each of `preload` is a module to import, or `module:function` to call once, for what it keeps.
    """
    assert_alone()
    ours, theirs = _socket_pair()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_nursery(theirs, preload, parent)
    theirs.close()
    return Nursery(pid, ours, tuple(preload))


def restart_nursery(nursery: Nursery) -> None:
    """A new nursery in place of a dead one. From nothing: by now this process has a loop, and must not be copied."""
    nursery.control.close()
    ours, theirs = _socket_pair()
    program = (
        "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
        "from softlanding.supervisor import nursery; nursery.main()"
    )
    arguments = [json.dumps(sys.path), str(theirs.fileno()), str(os.getpid()), json.dumps(nursery.preload)]
    command = [sys.executable, "-c", program, *arguments]
    nursery.process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    nursery.pid = nursery.process.pid
    nursery.control = ours
    theirs.close()


def reap_nursery(nursery: Nursery) -> int | None:
    """Its exit code (negative: the signal) once it has ended; None while it lives. Waits for nothing."""
    if nursery.process is not None:
        return nursery.process.poll()
    if nursery.exit_code is None:
        pid, status = os.waitpid(nursery.pid, os.WNOHANG)
        nursery.exit_code = os.waitstatus_to_exitcode(status) if pid else None
    return nursery.exit_code


def main() -> NoReturn:
    """The program of a nursery that was not forked: search path, control socket, parent, modules."""
    control, parent, preload = sys.argv[2:]
    _be_nursery(socket.socket(fileno=int(control)), json.loads(preload), int(parent))


def die_with_parent(parent: int) -> None:
    """SIGKILL for this process when the thread that forked it ends, as it does when its process is killed."""
    if _PRCTL is not None:
        _PRCTL(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # It died between the fork and the line above.
        os._exit(Exit.BUG)


def assert_alone() -> None:
    """A second thread could hold a lock that stays locked in the copy for ever."""
    assert threading.current_thread() is threading.main_thread(), "fork on the main thread: children die with it"
    threads = Path("/proc/self/task")
    count = len(list(threads.iterdir())) if threads.exists() else threading.active_count()
    names = ", ".join(thread.name for thread in threading.enumerate())
    assert count == 1, f"{count} threads before the fork ({names}): start them afterwards"


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    """Keeps the borders of messages, and tells each end at once that the other is gone."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _load_prctl() -> Any:
    """Loaded early: after a fork, a loader's lock may be held by nobody."""
    return getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)


_PRCTL = _load_prctl()


# --- Inside the nursery -----------------------------------------------------------------------------------------------


def _be_nursery(control: socket.socket, preload: Sequence[str], parent: int) -> NoReturn:
    """The nursery's whole life. Leaves by `os._exit` alone, so that nothing of the copied parent runs twice."""
    try:
        os.setsid()  # Ctrl-C is for the supervisor, which stops all in order.
        die_with_parent(parent)
        _close_others(control)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        wake = _wake_on_child()
        gc.disable()  # Memory freed before the fork leaves holes, which each child fills in a copy of its own.
        for each in preload:
            _load(each)
        assert_alone()
        gc.freeze()  # Pages that the collector never touches stay shared.
        _serve(control, wake)
    except BaseException:  # noqa: BLE001 - told on stderr; the supervisor sees the end and its code
        traceback.print_exc()
        os._exit(Exit.BUG)
    os._exit(0)


def _load(each: str) -> None:
    if ":" in each:
        _find(each)()
    else:
        importlib.import_module(each)


def _close_others(control: socket.socket) -> None:
    """A lock or a port that was open before the fork must not live on here."""
    kept = control.fileno()
    os.closerange(3, kept)
    os.closerange(kept + 1, 4096)


def _wake_on_child() -> socket.socket:
    """A socket that becomes readable when a child has ended."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader


def _serve(control: socket.socket, wake: socket.socket) -> None:
    """Fork on request, tell each end, until the supervisor is gone."""
    poll = select.poll()
    poll.register(control, select.POLLIN)
    poll.register(wake, select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll()}
        if wake.fileno() in ready:
            with suppress(BlockingIOError):
                wake.recv(4096)
            _tell_ends(control)
        if control.fileno() in ready:
            data, fds, _, _ = socket.recv_fds(control, MESSAGE_BYTES_MAX, 1)
            if not data:
                return
            _fork(control, json.loads(data), fds[0])
            _tell_ends(control)


def _tell_ends(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell(control, {"ended": pid, "status": os.waitstatus_to_exitcode(status)})


def _fork(control: socket.socket, request: Mapping[str, Any], output: int) -> None:
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        _tell(control, {"key": request["key"], "error": str(error)})
        os.close(output)
        return
    if pid == 0:
        _be_child(control, request, output, parent)
    os.close(output)
    _tell(control, {"key": request["key"], "started": pid})


def _tell(control: socket.socket, message: Mapping[str, object]) -> None:
    control.send(json.dumps(message).encode())


# --- Inside a child ---------------------------------------------------------------------------------------------------


def _be_child(control: socket.socket, request: Mapping[str, Any], output: int, parent: int) -> NoReturn:
    """The service's whole life: its function's number, or 0, is the exit code; an exception is a bug and is printed."""
    code: int = Exit.BUG
    try:
        os.setsid()
        die_with_parent(parent)
        _forget_signals()
        _take_output(output)
        _close_others(control)
        control.close()
        gc.enable()
        code = _call(request["target"], request["arguments"])
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001 - this is the top of the process
        traceback.print_exc()
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _take_output(output: int) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # A pipe makes Python collect its output; a line should leave when it is whole.
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _call(target: str, arguments: Mapping[str, Any]) -> int:
    outcome = _find(target)(dict(arguments))
    return outcome if isinstance(outcome, int) else 0


def _find(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
