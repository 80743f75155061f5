"""A throw-away installation: the whole system as real processes, in a folder of its own, on free loopback ports.

It is started by the command that operators type, killed by process id, and gone when the block ends, whatever happens
inside it. What it holds is counted from its database files when nobody runs any more (counting.py).
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from softlanding.app.addresses import Signing
from softlanding.app.client import SCOPES
from softlanding.clock import Clock, SystemClock
from softlanding.errors import SoftlandingError
from softlanding.settings import plain_environment
from softlanding.supervisor import free_ports
from softlanding.supervisor.run_folder import started_at

T = TypeVar("T")

SERVICES = ("schedule", "dispatch", "statistics")
PROCESSES = (*SERVICES, "nats", "front-door")
LOOK_EVERY_S = 0.005
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 40.0

# Dies with whoever started it, as its own children die with it; then it is the command itself.
_PROGRAM = (
    "import sys; from softlanding.supervisor.nursery import die_with_parent; die_with_parent(int(sys.argv.pop(1))); "
    "from softlanding.cli import main"
)


class NotInTime(SoftlandingError):
    """Something that a drill waits for did not happen."""


@dataclass(frozen=True)
class Kill:
    """One kill -9: who, and when by both clocks."""

    process: str
    pid: int
    at: datetime
    mono: float


@contextmanager
def throw_away(
    *, settings: str = "", words: Sequence[str] = (), folder: Path | None = None, keep: bool = False, plant: str = ""
) -> Iterator["Installation"]:
    """An installation that is not started yet. `settings` is its softlanding.toml, `words` are more for `up`.

    `folder`: an empty one to live in, which stays; without it a temporary one, which goes unless `keep`. `plant`: code
    that is run in its process before it begins, by which a drill shows that it can fail.
    """
    base = folder or Path(tempfile.mkdtemp(prefix="softlanding-drill-"))
    base.mkdir(parents=True, exist_ok=True)
    (base / "softlanding.toml").write_text(settings)
    here = Installation(base, tuple(words), plant=plant)
    try:
        yield here
    finally:
        here.end()
        if folder is None and not keep:
            shutil.rmtree(base, ignore_errors=True)


def mortal_command(*words: str, plant: str = "") -> list[str]:
    """The command `softlanding` with these words, as a child that dies with the process that starts it."""
    return [sys.executable, "-c", f"{_PROGRAM}\n{plant}\nmain()", str(os.getpid()), *words]


def wait_for(condition: Callable[[], T | None], within_s: float, what: str) -> T:
    """The first true value of `condition`. Raises NotInTime that says what did not come."""
    clock, pause = SystemClock(), threading.Event()
    until = clock.monotonic() + within_s
    while not (value := condition()):
        if clock.monotonic() > until:
            raise NotInTime(f"not within {within_s:g} s: {what}")
        pause.wait(LOOK_EVERY_S)
    return value


@dataclass
class Installation:
    """`softlanding up` on a folder, through as many lives as a drill needs."""

    base: Path
    words: tuple[str, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    port: int = 0
    _looking: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=1.0, trust_env=False))
    _up: "subprocess.Popen[bytes] | None" = None
    _heard: int = 0  # Bytes of what `up` said before its present life.
    plant: str = ""

    def __post_init__(self) -> None:
        self.port = free_ports(["front_door"], self.base, random.Random(self.clock.monotonic()))["front_door"]

    # --- Its life

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def up_pid(self) -> int:
        assert self._up is not None, "it is not started"
        return self._up.pid

    def start(self, within_s: float = READY_WITHIN_S) -> dict[str, Any]:
        """Start it and wait; the line in which it says that everything is ready."""
        self.launch()
        return self.wait_ready(within_s)

    def launch(self) -> None:
        """Start it, without waiting."""
        assert self._up is None, "it is started already"
        said = self.base / "up.jsonl"
        self._heard = said.stat().st_size if said.exists() else 0
        command = mortal_command(
            "up", "--json", "--data", str(self.data), "--port", str(self.port), *self.words, plant=self.plant
        )
        with said.open("ab") as output, (self.base / "up.err").open("ab") as errors:
            self._up = subprocess.Popen(
                command,
                cwd=self.base,
                env=plain_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> dict[str, Any]:
        def said() -> dict[str, Any] | None:
            if self._up is None or self._up.poll() is not None:
                raise NotInTime(f"softlanding up has ended: {self.last_words()}")
            return next((line for line in self.happenings() if line.get("ready")), None)

        return wait_for(said, within_s, f"everything is ready; {self.last_words()}")

    def stop(self, within_s: float = STOP_WITHIN_S) -> int:
        """Stop it as Ctrl-C does and wait until no process is left; its exit code."""
        assert self._up is not None, "it is not started"
        self._up.send_signal(signal.SIGTERM)
        try:
            code = self._up.wait(within_s)
        except subprocess.TimeoutExpired:
            raise NotInTime(f"not within {within_s:g} s: softlanding up stops; {self.last_words()}") from None
        self._up = None
        self.wait_nobody()
        return code

    def kill_up(self) -> Kill:
        """kill -9 of the supervisor. Everything dies with it."""
        assert self._up is not None, "it is not started"
        kill = Kill("supervisor", self._up.pid, self.clock.now(), self.clock.monotonic())
        self._up.kill()
        self._up.wait()
        self._up = None
        return kill

    def end(self) -> None:
        """Nothing of it runs when this comes back."""
        if self._up is not None:
            self.kill_up()
        for pid in self.running():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.wait_nobody()
        self._looking.close()

    def wait_nobody(self, within_s: float = 10.0) -> None:
        wait_for(lambda: not self.running(), within_s, f"no process of {self.base} is left: {self.running()}")

    def running(self) -> list[int]:
        """All processes of this installation: its folder is in the command line of each."""
        mark, found = str(self.base).encode() + b"/", []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                is_ours = mark in (entry / "cmdline").read_bytes()
                if is_ours and started_at(int(entry.name)) is not None:
                    found.append(int(entry.name))
        return found

    # --- Its processes

    def happenings(self) -> list[dict[str, Any]]:
        """What `up` has said in its present life."""
        text = (self.base / "up.jsonl").read_bytes()[self._heard :]
        return [json.loads(line) for line in text.split(b"\n")[:-1]]

    def last_words(self) -> str:
        """For a message about what went wrong: the end of what was said."""
        errors = (self.base / "up.err").read_text(errors="replace")[-600:].strip()
        said = (self.base / "up.jsonl").read_text(errors="replace")[-600:].strip()
        return f"{errors}\n{said}".strip()

    def pid(self, process: str) -> int | None:
        """The pid of a process that lives; None while it is down."""
        try:
            children = json.loads((self.data / "run" / "children.json").read_text())
        except (OSError, ValueError):
            return None
        child = children.get(process)
        if child is None or child["started_at"] is None or started_at(child["pid"]) != child["started_at"]:
            return None
        return int(child["pid"])

    def kill(self, process: str, within_s: float = 20.0) -> Kill:
        """kill -9, as soon as it lives; by its pid, and by nothing else."""
        pid = wait_for(lambda: self.pid(process), within_s, f"{process} lives")
        at, mono = self.clock.now(), self.clock.monotonic()
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return Kill(process, pid, at, mono)

    def keep_down(self, first: Kill, until: Callable[[], bool]) -> list[Kill]:
        """kill -9 each life of the process that is brought back, as soon as it is seen; all kills, `first` too."""
        kills, pause = [first], threading.Event()
        while not until():
            if self.pid(first.process) not in (None, kills[-1].pid):
                kills.append(self.kill(first.process))
            pause.wait(LOOK_EVERY_S)
        return kills

    def send_signal(self, process: str, number: signal.Signals) -> int:
        """A signal to the process that lives now; its pid."""
        pid = wait_for(lambda: self.pid(process), 20.0, f"{process} lives")
        os.kill(pid, number)
        return pid

    def wait_working(self, process: str, besides: int, within_s: float = 30.0) -> float:
        """Wait until a life of `process` other than pid `besides` works; the monotonic time of that."""

        def works() -> bool:
            return self.pid(process) not in (None, besides) and self.is_ready(process)

        wait_for(works, within_s, f"{process} works again; {self.last_words()}")
        return self.clock.monotonic()

    def is_ready(self, process: str) -> bool:
        if process == "front-door":
            return self._answers(f"{self.address}/-/front-door")
        if process == "nats":
            return _listens(self.ports()["nats"])
        return self._answers(f"{self.health_address(process)}/readyz")

    def state(self, service: str) -> dict[str, Any]:
        """What the service says about itself at /state; empty while it does not answer."""
        try:
            value: dict[str, Any] = self._looking.get(f"{self.health_address(service)}/state").json()
        except (httpx.HTTPError, ValueError):
            return {}
        return value

    def is_alive(self, service: str) -> bool:
        """Whether its loops turn, by /livez."""
        return self._answers(f"{self.health_address(service)}/livez")

    def metrics(self, service: str) -> str:
        """What it counts, at /metrics; empty while it does not answer."""
        try:
            return self._looking.get(f"{self.health_address(service)}/metrics").text
        except httpx.HTTPError:
            return ""

    def health_address(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports()[f'{service}_health']}/-/{service}"

    def ports(self) -> Mapping[str, int]:
        ports: dict[str, int] = json.loads((self.data / "run" / "ports.json").read_text())
        return ports

    def _answers(self, url: str) -> bool:
        try:
            return self._looking.get(url).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    # --- Its doors

    def signing(self) -> Signing:
        secret = (self.data / "secrets" / "session_secret").read_text().strip()
        return Signing(secret, self.clock)

    def client(self) -> httpx.Client:
        """A program at the front door that may do everything."""
        headers = {"Accept": "application/json"}
        return httpx.Client(
            base_url=self.address, headers=headers, auth=_Fresh(self.signing()), timeout=15.0, trust_env=False
        )

    # --- When it is calm

    def wait_calm(self, within_s: float = 60.0, services: Sequence[str] = SERVICES) -> None:
        """Wait until each service has applied all that the others have told, and nobody tells more."""
        tails: list[object] = []

        def is_calm() -> bool:
            tails.append([_tail(self.state(service)) for service in services])
            return not self.behind(services) and len(tails) > 1 and tails[-1] == tails[-2]

        try:
            wait_for(is_calm, within_s, "everything told is applied")
        except NotInTime as error:
            raise NotInTime(f"{error}; {'; '.join(self.behind(services))}") from error

    def behind(self, services: Sequence[str] = SERVICES) -> list[str]:
        """Who has not yet applied what, in words; empty when all is applied."""
        states = {service: self.state(service) for service in services}
        silent = [f"{service} does not answer" for service, state in states.items() if not state.get("life")]
        return silent or [
            f"{reader} stands at {_place(inbox)} of {source}, which stands at {_tail(states[source])}{_halt(inbox)}"
            for reader, state in states.items()
            for source, inbox in state.get("inboxes", {}).items()
            if source in states and _place(inbox) != _tail(states[source])
        ]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


class _Fresh(httpx.Auth):
    """Each request bears a credential of its own: it is good for minutes, and a drill may take longer."""

    def __init__(self, signing: Signing) -> None:
        self._signing = signing

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        request.headers["Authorization"] = f"Bearer {self._signing.command_token('drill', SCOPES)}"
        yield request


def _place(inbox: Mapping[str, Any]) -> tuple[Any, Any]:
    return inbox.get("epoch"), inbox.get("sequence")


def _halt(inbox: Mapping[str, Any]) -> str:
    return f" (halted: {inbox['halted']})" if inbox.get("halted") else ""


def _tail(state: Mapping[str, Any]) -> tuple[Any, Any]:
    return state.get("life"), state.get("number")
