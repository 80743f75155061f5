"""Two `serve schedule` on one database: who stands by answers reads, refuses the rest, and takes over."""

import json
import random
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from postgresql import fresh_database
from softlanding.app.addresses import Signing
from softlanding.clock import SystemClock
from softlanding.drills.installation import mortal_command
from softlanding.settings import plain_environment
from softlanding.signing import FIRST_PERSON, Signer
from softlanding.supervisor import free_ports
from softlanding.web.doors import COOKIE
from waiting import wait_until

pytestmark = pytest.mark.timeout(120)

SECRET = "a secret of the tests, long enough to be one"
PROGRAMME = Path(__file__).parents[1] / "fixtures" / "programmes" / "small.json"
ARRIVAL = {
    "speaker": "ABC123",
    "number": "LH2034",
    "on": "2030-04-30",
    "time": "12:00",
    "airport": "HAM",
    "place": "Inn",
}
SERVICES = ("schedule", "dispatch", "statistics")


@dataclass
class Serving:
    """One process of Schedule. Nobody else runs: no service needs another."""

    process: "subprocess.Popen[bytes]"
    port: int
    health: int

    def client(self):
        token = Signing(SECRET, SystemClock()).program_token("test", ("read", "write", "personal"))
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=10, trust_env=False)

    def readiness(self):
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.health}/-/schedule/readyz", trust_env=False)
        except httpx.ConnectError:
            return None
        return answer.status_code, answer.json()["state"]

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


@pytest.fixture(params=["sqlite", "postgresql"])
def two(request, tmp_path):
    """An active Schedule and one that stands by, in this order."""
    url = fresh_database() if request.param == "postgresql" else f"sqlite:///{tmp_path / 'schedule.db'}"
    with serving(tmp_path, url, "a") as first:
        wait_until(lambda: first.readiness() == (200, "degraded"), 30, "the first is at work, without a broker")
        with serving(tmp_path, url, "b") as second:
            wait_until(lambda: second.readiness() == (503, "standby"), 30, "the second stands by")
            wait_until(lambda: second.conferences() is not None, 10, "it listens: somebody was seen at work")
            yield first, second


@contextmanager
def serving(folder, url, name):
    ports = free_ports([f"{name}-{each}" for each in range(6)], folder, random.Random(name))
    numbers = list(ports.values())
    values = {"profile": "embedded", "data_folder": str(folder), "schedule__database_url": url}
    values |= {"session_secret": SECRET, "peer_token": SECRET}
    for place, service in enumerate(SERVICES):
        port, health = numbers[2 * place : 2 * place + 2]
        values |= {f"{service}__port": str(port), f"{service}__health_port": str(health)}
        values |= {f"{service}__address": f"http://127.0.0.1:{port}"}
        values |= {f"{service}__health_address": f"http://127.0.0.1:{health}"}
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
        yield Serving(process, numbers[0], numbers[1])
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(20)


def test_a_standby_answers_reads_refuses_writes_and_takes_over_on_the_same_port(two):
    first, second = two
    refused = second.take_programme()
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert "this process stands by; the active one is life" in refused.json()["error"]
    assert first.take_programme().status_code == 200
    [slug] = first.conferences()
    assert second.conferences() == [slug]
    first.process.kill()
    wait_until(lambda: second.readiness() == (200, "degraded"), 15, "the second takes over")
    answer = second.take_programme()
    assert answer.status_code == 200
    assert answer.json()["conference"] == slug


def test_a_standby_shows_pages_and_says_to_people_what_it_is(two):
    _, second = two
    page = httpx.get(f"http://127.0.0.1:{second.port}/sign-in/nonsense", trust_env=False)
    assert page.status_code == 403
    assert "not valid" in page.text
    form = httpx.post(f"http://127.0.0.1:{second.port}/sign-in/nonsense", trust_env=False)
    assert form.status_code == 503
    assert "This process stands by" in form.text
    assert form.headers["Retry-After"] == "2"
    assert httpx.get(f"http://127.0.0.1:{second.port}/api/schedule/people", trust_env=False).status_code == 401


def test_a_live_page_of_a_standby_follows_and_ends_when_it_takes_over(two):
    first, second = two
    slug = first.take_programme().json()["conference"]
    cookies = {COOKIE: Signer(SECRET).session_cookie(FIRST_PERSON, "session-1", SystemClock().now())}
    address = f"http://127.0.0.1:{second.port}/{slug}/organise/arrivals/stream"
    with httpx.stream("GET", address, cookies=cookies, timeout=20, trust_env=False) as stream:
        assert stream.status_code == 200
        lines = stream.iter_lines()
        shown = next_fragment(lines)
        assert shown["html"]
        assert ARRIVAL["number"] not in shown["html"]
        with first.client() as client:
            path = f"/api/schedule/{slug}/arrivals"
            assert client.post(path, json=ARRIVAL, headers={"Idempotency-Key": "2"}).status_code == 201
        assert any(ARRIVAL["number"] in next_fragment(lines)["html"] for _ in range(9)), "shown without being asked"
        first.process.kill()
        for _ in lines:
            pass
    wait_until(lambda: second.readiness() == (200, "degraded"), 15, "the second takes over")


def next_fragment(lines):
    for line in lines:
        if line.startswith("data: {"):
            return json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended")
