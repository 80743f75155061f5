"""Services as processes of their own, as `softlanding serve` runs them; no service needs another to be there."""

import json
import random
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from softlanding.app.addresses import Signing
from softlanding.clock import SystemClock
from softlanding.drills.installation import mortal_command
from softlanding.settings import plain_environment
from softlanding.supervisor import free_ports

SECRET = "a secret of the tests, long enough to be one"
PROGRAMME = Path(__file__).parent / "fixtures" / "programmes" / "small.json"
SERVICES = ("schedule", "dispatch", "statistics")


@dataclass
class Serving:
    """One process of a service."""

    service: str
    process: "subprocess.Popen[bytes]"
    port: int
    health: int
    log: Path
    url: str

    def client(self):
        token = Signing(SECRET, SystemClock()).command_token("test", ("read", "write", "personal"))
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=10, trust_env=False)

    def readiness(self):
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.health}/-/{self.service}/readyz", trust_env=False)
        except httpx.ConnectError:
            return None
        return answer.status_code, answer.json()["state"]

    def asked(self, what):
        """`state` as a mapping, `metrics` as text."""
        answer = httpx.get(f"http://127.0.0.1:{self.health}/-/{self.service}/{what}", trust_env=False, timeout=10)
        return answer.json() if what == "state" else answer.text

    def said(self):
        """Its log, line by line."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def conferences(self):
        """Their slugs; None while the port is closed."""
        try:
            with self.client() as client:
                return [found["slug"] for found in client.get("/api/schedule/conferences").json()]
        except httpx.ConnectError:
            return None

    def take_programme(self, key="the one"):
        with self.client() as client:
            return client.post(
                "/api/schedule/programmes",
                content=PROGRAMME.read_bytes(),
                params={"filename": PROGRAMME.name},
                headers={"Idempotency-Key": key},
            )

    def kill(self):
        """As kill -9."""
        self.process.kill()
        self.process.wait(20)

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


@contextmanager
def serving(folder, url, name, **more):
    """Schedule, on this database."""
    ports = _ports(folder, name)
    (folder / f"{name}.log").unlink(missing_ok=True)
    here = _start(folder, name, "schedule", ports, {"schedule__database_url": url} | more, url=url)
    try:
        yield here
    finally:
        here.end()


class Together:
    """All three, each on its file in the folder, each started when it is wanted."""

    def __init__(self, folder, **more):
        self._folder, self._more = folder, more
        self._ports = _ports(folder, "together")
        self.running = {}

    def start(self, service, *, plant="", **more):
        """The service in a new life. `plant`: code that its process runs before anything else."""
        values = self._more | more
        url = f"sqlite:///{self.file(service)}"
        self.running[service] = _start(self._folder, service, service, self._ports, values, url=url, plant=plant)
        return self.running[service]

    def file(self, service):
        return self._folder / f"{service}.db"

    def end(self):
        for here in self.running.values():
            if here.process.poll() is None:
                here.end()


@contextmanager
def together(folder, **more):
    here = Together(folder, **more)
    try:
        yield here
    finally:
        here.end()


def _ports(folder, name):
    """By service, the one for requests and the one for health."""
    found = free_ports([f"{name}-{each}" for each in range(6)], folder, random.Random(f"{folder}{name}"))
    numbers = list(found.values())
    return {service: numbers[2 * place : 2 * place + 2] for place, service in enumerate(SERVICES)}


def _start(folder, name, service, ports, more, *, url, plant=""):
    values = {"profile": "embedded", "data_folder": str(folder), "session_secret": SECRET, "peer_token": SECRET}
    for each, (port, health) in ports.items():
        values |= {f"{each}__port": str(port), f"{each}__health_port": str(health)}
        values |= {f"{each}__address": f"http://127.0.0.1:{port}"}
        values |= {f"{each}__health_address": f"http://127.0.0.1:{health}"}
    values |= {f"{service}__database_url": url} | more
    settings = {f"SOFTLANDING__{key.upper()}": value for key, value in values.items()}
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            mortal_command("serve", service, plant=plant),
            cwd=folder,
            env=plain_environment() | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    return Serving(service, process, *ports[service], folder / f"{name}.log", url)
