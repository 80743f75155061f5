"""One service as a process of its own, as `softlanding serve` runs it; no service needs another to be there."""

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
    """One process of Schedule."""

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
            answer = httpx.get(f"http://127.0.0.1:{self.health}/-/schedule/readyz", trust_env=False)
        except httpx.ConnectError:
            return None
        return answer.status_code, answer.json()["state"]

    def asked(self, what):
        """`state` as a mapping, `metrics` as text."""
        answer = httpx.get(f"http://127.0.0.1:{self.health}/-/schedule/{what}", trust_env=False, timeout=10)
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

    def take_programme(self):
        with self.client() as client:
            return client.post(
                "/api/schedule/programmes",
                content=PROGRAMME.read_bytes(),
                params={"filename": PROGRAMME.name},
                headers={"Idempotency-Key": "the one"},
            )


@contextmanager
def serving(folder, url, name, **more):
    ports = free_ports([f"{name}-{each}" for each in range(6)], folder, random.Random(f"{folder}{name}"))
    numbers = list(ports.values())
    values = {"profile": "embedded", "data_folder": str(folder), "schedule__database_url": url}
    values |= {"session_secret": SECRET, "peer_token": SECRET}
    for place, service in enumerate(SERVICES):
        port, health = numbers[2 * place : 2 * place + 2]
        values |= {f"{service}__port": str(port), f"{service}__health_port": str(health)}
        values |= {f"{service}__address": f"http://127.0.0.1:{port}"}
        values |= {f"{service}__health_address": f"http://127.0.0.1:{health}"}
    values |= more
    settings = {f"SOFTLANDING__{key.upper()}": value for key, value in values.items()}
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            mortal_command("serve", "schedule"),
            cwd=folder,
            env=plain_environment() | settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield Serving(process, numbers[0], numbers[1], folder / f"{name}.log", url)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(20)
