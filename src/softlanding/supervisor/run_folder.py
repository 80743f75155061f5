"""What the supervisor leaves in <data>/run, so that the next one knows: lock, ports, children, ends."""

import fcntl
import json
import os
import random
import signal
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from softlanding.clock import Clock
from softlanding.errors import Refused, Unavailable
from softlanding.supervisor.logs import RotatingFile

ENDS_BYTES_MAX = 1_000_000
ENDS_TOLD_MAX = 500  # To the process that comes next: an hour of failed starts. More are not counted.
PORT_TRIES = 2_000


@dataclass(frozen=True)
class End:
    """How one life of a process ended. Just one of `exit_code` and `signal` is known, or neither (`why` says so)."""

    name: str
    pid: int
    exit_code: int | None
    signal: str | None
    at: str  # ISO 8601, UTC
    lived_s: float | None
    why: str  # "stopped", "killed: silent", "its supervisor died", or "" when it ended by itself

    def as_dict(self) -> dict[str, object]:
        return asdict(self)

    def words(self) -> str:
        """ "SIGKILL", "exit code 1", with the reason where there is one."""
        how = self.signal or ("unknown" if self.exit_code is None else f"exit code {self.exit_code}")
        return f"{how} ({self.why})" if self.why else how


@dataclass(frozen=True)
class StaleChild:
    """A child of a supervisor that was killed. `was_alive`: it had to be killed now."""

    name: str
    pid: int
    was_alive: bool


@contextmanager
def up_lock(data_folder: Path, clock: Clock) -> Iterator[None]:
    """One `up` a data folder, for as long as the process lives. Raises Refused that names the other one."""
    path = run_folder(data_folder) / "up.lock"
    # Not inherited: a child must not hold what died with its parent.
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(_who_holds(path, data_folder)) from None
        os.ftruncate(handle, 0)
        os.write(handle, json.dumps({"pid": os.getpid(), "since": clock.now().isoformat(timespec="seconds")}).encode())
        yield
    finally:
        os.close(handle)


def _who_holds(path: Path, data_folder: Path) -> str:
    try:
        holder = json.loads(path.read_text())
        who = f"process {holder['pid']}, since {holder['since']}"
    except (ValueError, KeyError, OSError):
        who = "a process that has just begun"
    return f"Softlanding is already up on {data_folder} ({who}): stop it first, or give another folder with --data"


def free_ports(names: Sequence[str], data_folder: Path, rng: random.Random) -> dict[str, int]:
    """A free loopback port for each name; those of the last time where they are still free.

    They lie below the range from which the system takes ports for outgoing connections: there, while a service is
    away, somebody's connection could take its port, or the front door could even connect to itself.
    """
    remembered = run_folder(data_folder) / "ports.json"
    old = _read_json(remembered)
    held: list[socket.socket] = []
    try:
        ports = {name: _hold_port(old.get(name), rng, held) for name in names}
    finally:
        for held_socket in held:
            held_socket.close()
    _write_json(remembered, {**old, **ports})
    return ports


@contextmanager
def reserved(ports: Iterable[int]) -> Iterator[None]:
    """These loopback ports are this user's for as long as it lasts, though nobody listens there: when a service dies,
    nobody else of this machine takes its port, and with it what the others tell it in confidence.

    Whoever is to listen there sets SO_REUSEPORT; Linux lets processes of one user alone share a port so.
    """
    held: list[socket.socket] = []
    try:
        for port in ports:
            held.append(_reserve(port))
        yield
    finally:
        for one in held:
            one.close()


def _reserve(port: int) -> socket.socket:
    """Bound, and not listening. Without SO_REUSEADDR: with it anybody might bind as well, who sets it, too."""
    held = socket.socket()
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        raise
    return held


def _hold_port(wanted: object, rng: random.Random, held: list[socket.socket]) -> int:
    low, high = 20_000, min(32_000, _outgoing_from() - 1)
    tries = [wanted] if isinstance(wanted, int) else []
    for port in [*tries, *(rng.randrange(low, high) for _ in range(PORT_TRIES))]:
        candidate = socket.socket()
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            _reserve(port).close()  # What was spoken here lately may still stand in the way of that.
            candidate.bind(("127.0.0.1", port))
            candidate.listen(1)
        except OSError:
            candidate.close()
            continue
        held.append(candidate)
        return port
    raise Unavailable(f"no free port between {low} and {high} on 127.0.0.1: stop other programs first")


def _outgoing_from() -> int:
    try:
        return max(20_500, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]))
    except (OSError, ValueError):
        return 32_768


class Children:
    """The children now alive, kept on disk for the supervisor that comes after a killed one."""

    def __init__(self, data_folder: Path) -> None:
        self._path = run_folder(data_folder) / "children.json"
        self._alive: dict[str, Mapping[str, object]] = {}

    def kill_stale(self) -> list[StaleChild]:
        """End what a killed supervisor left behind, and say what it was. A reused pid is left in peace."""
        stale = []
        for name, child in _read_json(self._path).items():
            if not isinstance(child, dict):
                continue
            pid = int(child["pid"])
            is_ours = started_at(pid) == child["started_at"] is not None
            if is_ours:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            stale.append(StaleChild(name, pid, is_ours))
        self._write()
        return stale

    def add(self, name: str, pid: int) -> None:
        self._alive[name] = {"pid": pid, "started_at": started_at(pid)}
        self._write()

    def remove(self, name: str) -> None:
        self._alive.pop(name, None)
        self._write()

    def _write(self) -> None:
        # A full disk must not end the supervisor; the children die with it all the same.
        with suppress(OSError):
            _write_json(self._path, self._alive)


class Ends:
    """The ends of this supervisor's processes: the last one of each in memory, all of them as JSON lines on disk."""

    def __init__(self, data_folder: Path) -> None:
        self.last: dict[str, End] = {}
        self._since_ready: dict[str, list[str]] = {}
        self._file = RotatingFile(run_folder(data_folder) / "ends.jsonl", ENDS_BYTES_MAX)

    def since_ready(self, name: str) -> list[str]:
        """When the processes of this name ended, from the last one on that was ready."""
        return self._since_ready.get(name, [])

    def add(self, end: End, *, was_ready: bool = False) -> None:
        self.last[end.name] = end
        if end.lived_s is not None:  # Of those that it did not watch it does not know when they ended.
            since = [] if was_ready else self._since_ready.get(end.name, [])
            self._since_ready[end.name] = [*since, end.at][:ENDS_TOLD_MAX]
        self._file.write(json.dumps(end.as_dict()).encode() + b"\n")


def started_at(pid: int) -> int | None:
    """When the process began, in ticks since the machine's start (field 22 of proc_pid_stat(5)); None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in parentheses may contain anything, so count from the last one: field 3 follows it.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def run_folder(data_folder: Path) -> Path:
    folder = data_folder / "run"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _read_json(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(value))
    beside.replace(path)
