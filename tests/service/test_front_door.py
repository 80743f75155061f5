"""The front door before real services of a few lines: what it serves alone, what it holds, what it says.

Run as a program, this file is such a service: `python test_front_door.py NAME PORT`.
"""

import asyncio
import concurrent.futures
import gzip
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from softlanding.errors import Invalid, NotFound
from softlanding.front_door import (
    FrontDoorPlan,
    NatsPlan,
    caddy_binary,
    caddyfile,
    lead_home,
    lead_to_all,
    nats_binary,
    nats_config,
    prepare_site,
    refresh_site,
    switch_release,
)
from softlanding.supervisor import free_ports
from waiting import wait_until

SERVICES = ("schedule", "dispatch", "statistics")
TOKEN = "sEcReT-sEcReT-sEcReT"
RELEASE_LINE = "x" * 200_000


# --- A service of a few lines -----------------------------------------------------------------------------------------


async def application(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[dict[str, Any]], Any]) -> None:
    """Echoes what came; streams on …/stream; dies in the midst of an answer on …/die."""
    if scope["type"] != "http":
        return
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if scope["path"].endswith("/die"):
        _die_once(Path(sys.argv[3]))
    if scope["path"].endswith("/stream"):
        await _stream(receive, send)
        return
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    echo = {"service": sys.argv[1], "path": scope["path"], "method": scope["method"], "headers": headers}
    answer = json.dumps({**echo, "body_bytes": len(body), "pid": os.getpid()}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": answer})


def _die_once(mark: Path) -> None:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


async def _stream(receive: Callable[[], Any], send: Callable[[dict[str, Any]], Any]) -> None:
    """One small message, and then nothing until the reader leaves."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await send({"type": "http.response.body", "body": b"data: now\n\n", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


# --- The front door before three of them ------------------------------------------------------------------------------


@dataclass
class Street:
    """A front door, its services, and the folders between them."""

    folder: Path
    ports: dict[str, int]
    plan: FrontDoorPlan
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def site(self) -> Path:
        return self.plan.site_folder

    @property
    def died_once(self) -> Path:
        return self.folder / "died-once"

    def begin(self, name: str) -> None:
        command = [sys.executable, __file__, name, str(self.ports[name]), str(self.died_once)]
        search = f"PYTHONPATH={Path(__file__).parent.parent}"
        self.running[name] = subprocess.Popen(["/usr/bin/env", search, *command], stderr=subprocess.DEVNULL)

    def end(self, name: str) -> None:
        self.running[name].kill()
        self.running.pop(name).wait(10)

    def wait_for(self, name: str) -> None:
        url = f"http://127.0.0.1:{self.ports[name]}/"
        wait_until(lambda: _answers(url), 20, f"{name} on {url}")

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{self.plan.port}", timeout=20, **options)

    def log(self) -> str:
        return (self.folder / "caddy.log").read_text()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def a_street(folder: Path, services: tuple[str, ...], **told: Any) -> Iterator[Street]:
    ports = free_ports([*SERVICES, "caddy"], folder / "data", random.Random())
    static = folder / "static"
    static.mkdir()
    (static / "frame.css").write_text("a { color: red }")
    plan = FrontDoorPlan(
        port=ports["caddy"],
        site_folder=folder / "data" / "site",
        storage_folder=folder / "data" / "caddy",
        upstreams={name: f"127.0.0.1:{ports[name]}" for name in SERVICES},
        static_folders={"": static},
        **told,
    )
    prepare_site(plan.site_folder)
    (folder / "Caddyfile").write_text(caddyfile(plan))
    street = Street(folder, ports, plan)
    command = [caddy_binary(), "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]
    try:
        with (folder / "caddy.log").open("wb") as log:
            street.running["caddy"] = subprocess.Popen(command, stdout=log, stderr=log)
        for name in services:
            street.begin(name)
        wait_until(lambda: _answers(f"http://127.0.0.1:{plan.port}/-/front-door"), 20, "the front door")
        for name in services:
            street.wait_for(name)
        yield street
    finally:
        for process in street.running.values():
            process.kill()
        for process in street.running.values():
            process.wait(10)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    """All three services are up. Tests that kill one take a street of their own."""
    with a_street(tmp_path_factory.mktemp("a street"), SERVICES) as street:
        publish(street.site, "landing-2026", "r1", "first")
        lead_home(street.site, "landing-2026")
        yield street


def publish(site: Path, conference: str, release: str, mark: str) -> None:
    folder = site / conference / "releases" / release
    (folder / "talks").mkdir(parents=True)
    page = f"<!doctype html><title>{mark}</title>{RELEASE_LINE}<!-- {mark} -->"
    (folder / "index.html").write_text(page)
    (folder / "index.html.gz").write_bytes(gzip.compress(page.encode(), 1))
    (folder / "talks" / "K7QX.html").write_text(f"talk of {mark}")
    (folder / "schedule.ics").write_text("BEGIN:VCALENDAR")
    switch_release(site, conference, f"releases/{release}")


# --- Who answers what -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/api/schedule/facts", "schedule"),
        ("/api/dispatch/openapi.json", "dispatch"),
        ("/api/statistics/facts", "statistics"),
        ("/landing-2026/organise", "schedule"),
        ("/landing-2026/organise/speakers", "schedule"),
        (f"/landing-2026/speaker/{TOKEN}", "schedule"),
        ("/landing-2026/dispatch/", "dispatch"),
        (f"/landing-2026/drive/{TOKEN}", "dispatch"),
        ("/landing-2026/statistics/", "statistics"),
        ("/landing-2026/follow/K7QX", "statistics"),
        ("/operations/", "statistics"),
        (f"/sign-in/{TOKEN}", "schedule"),
        ("/sign-out", "schedule"),
    ],
)
def test_each_address_has_its_service(path: str, service: str, street: Street) -> None:
    with street.client() as client:
        answer = client.get(path)
    assert (answer.status_code, answer.json()["service"], answer.json()["path"]) == (200, service, path)
    assert answer.json()["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert answer.json()["headers"]["x-forwarded-proto"] == "http"


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere/",
        "/landing-2026/organised",
        "/landing-2026/talks/NONE",
        "/landing-2026/current.txt",
        "/landing-2026/releases/r1/index.html",
        "/landing-2026/index.html.gz",
        "/landing-2026/../current.txt",
        "/-/dispatch/readyz",
        "/-/",
        "/trees/",
        "/static/none.css",
        "/static/",
    ],
)
def test_what_is_not_public_is_not_found(path: str, street: Street) -> None:
    with street.client() as client:
        answer = client.get(path)
    assert answer.status_code == 404
    assert "nothing at this address" in answer.text


def test_an_unknown_api_says_no_to_programs(street: Street) -> None:
    with street.client() as client:
        answer = client.get("/api/nothing/")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_every_answer_is_guarded(street: Street) -> None:
    with street.client() as client:
        for path in ("/landing-2026/", "/landing-2026/dispatch/", "/static/frame.css", "/nowhere/", "/"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src" in policy, path
            assert "unsafe" not in policy, path
            assert "frame-ancestors 'none'" in policy, path
            assert headers["referrer-policy"] == "no-referrer", path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["x-frame-options"] == "DENY", path
            assert "server" not in headers or "Caddy" not in headers["server"], path


def test_too_large_a_body_is_refused_before_it_is_read(street: Street) -> None:
    with street.client() as client:
        assert client.post("/api/schedule/x", content=b"x" * 11_000_000).json()["body_bytes"] == 11_000_000
        assert client.post("/api/schedule/x", content=b"x" * 13_000_000).status_code == 413


def test_personal_links_come_into_no_log(street: Street) -> None:
    paths = [f"/landing-2026/{kind}/{TOKEN}" for kind in ("drive", "speaker")] + [f"/sign-in/{TOKEN}"]
    with street.client() as client:
        for path in paths:
            client.get(path)
            client.post(f"{path}/tap", headers={"Referer": path, "Cookie": f"a={TOKEN}"})
        client.get("/landing-2026/dispatch/board-seen-by-nobody", headers={"Referer": paths[0]})
    wait_until(lambda: "board-seen-by-nobody" in street.log(), what="the access log")
    assert TOKEN not in street.log()


# --- Files ------------------------------------------------------------------------------------------------------------


def test_the_home_address_leads_to_the_conference(street: Street) -> None:
    with street.client() as client:
        answer = client.get("/")
        assert (answer.status_code, answer.headers["location"]) == (302, "/landing-2026/")
        assert client.get("/landing-2026").headers["location"] == "/landing-2026/"


def test_where_several_are_published_the_home_address_shows_them(tmp_path: Path) -> None:
    with a_street(tmp_path, ()) as street, street.client() as client:
        lead_to_all(street.site, "<!doctype html><title>Conferences</title>")
        answer = client.get("/")
        assert (answer.status_code, answer.text) == (200, "<!doctype html><title>Conferences</title>")
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
        assert client.get("/", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        assert client.get("/conferences.html").status_code == 404
        lead_home(street.site, "landing-2026")
        assert client.get("/").headers["location"] == "/landing-2026/"


def test_the_programme_is_compressed_and_known_again(street: Street) -> None:
    with street.client() as client:
        answer = client.get("/landing-2026/", headers={"Accept-Encoding": "gzip"})
        assert (answer.status_code, answer.headers["content-encoding"]) == (200, "gzip")
        assert answer.text.endswith("<!-- first -->")
        assert int(answer.headers["content-length"]) < 2_000
        etag = answer.headers["etag"]
        assert etag.startswith('"')
        again = client.get("/landing-2026/", headers={"Accept-Encoding": "gzip", "If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        plain = client.get("/landing-2026/", headers={"Accept-Encoding": "identity"})
        assert len(plain.content) > 200_000
        assert plain.headers["etag"] != etag
        assert "Accept-Encoding" in plain.headers["vary"]


def test_pages_have_short_addresses_and_exports_their_type(street: Street) -> None:
    with street.client() as client:
        assert client.get("/landing-2026/talks/K7QX").text == "talk of first"
        export = client.get("/landing-2026/schedule.ics")
        assert export.headers["content-type"] == "text/calendar; charset=utf-8"
        assert export.headers["access-control-allow-origin"] == "*"


def test_static_files_with_a_version_stay_in_the_browser(street: Street) -> None:
    with street.client() as client:
        assert client.get("/static/frame.css").headers["cache-control"] == "no-cache"
        assert "immutable" in client.get("/static/frame.css?v=abc").headers["cache-control"]


def test_run_sheets_are_for_who_knows_the_secret(street: Street) -> None:
    folder = street.site / "landing-2026" / "runsheets" / TOKEN
    folder.mkdir(parents=True)
    (folder / "latest.html").write_text("Ana drives")
    (folder.parent / "short").mkdir()
    (folder.parent / "short" / "latest.html").write_text("guessed")
    with street.client() as client:
        answer = client.get(f"/landing-2026/runsheets/{TOKEN}/latest.html")
        assert (answer.status_code, answer.text) == (200, "Ana drives")
        assert answer.headers["x-robots-tag"] == "noindex"
        for path in ("", "/", f"/{TOKEN}", f"/{TOKEN}/", "/short/latest.html"):
            assert client.get(f"/landing-2026/runsheets{path}").status_code == 404


def test_a_switch_under_load_breaks_no_answer(tmp_path: Path) -> None:
    """Whoever reads while releases change gets one of them whole."""
    with a_street(tmp_path, ()) as street:
        publish(street.site, "landing", "r0", "mark-0")
        stop = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(_read_until, stop, street) for _ in range(4)]
            try:
                for number in range(1, 60):
                    publish(street.site, "landing", f"r{number}", f"mark-{number}")
            finally:
                stop.set()
            marks = [mark for reader in readers for mark in reader.result(30)]
        with street.client() as client:
            assert "mark-59" in client.get("/landing/").text
    assert len(marks) > 100
    assert len(set(marks)) > 10
    assert len(list((street.site / "trees").iterdir())) <= 6


def _read_until(stop: threading.Event, street: Street) -> list[str]:
    marks = []
    with street.client() as client:
        while not stop.is_set():
            answer = client.get("/landing/", headers={"Accept-Encoding": random.choice(["gzip", "identity"])})  # noqa: TID251
            assert answer.status_code == 200
            found = re.fullmatch(r"<!doctype html><title>(mark-\d+)</title>x{200000}<!-- \1 -->", answer.text)
            assert found, answer.text[:80]
            marks.append(found.group(1))
    return marks


def test_publishing_again_changes_nothing_and_survives_a_lost_pointer(tmp_path: Path) -> None:
    prepare_site(tmp_path)
    publish(tmp_path, "landing", "r1", "first")
    before = (tmp_path / "current.txt").read_text()
    refresh_site(tmp_path)
    assert (tmp_path / "current.txt").read_text() == before
    (tmp_path / "current.txt").unlink()
    refresh_site(tmp_path)
    tree = tmp_path / "trees" / (tmp_path / "current.txt").read_text()
    assert (tree / "landing" / "talks" / "K7QX.html").read_text() == "talk of first"


def test_publishing_what_is_not_there_is_refused(tmp_path: Path) -> None:
    prepare_site(tmp_path)
    with pytest.raises(NotFound, match="no folder"):
        switch_release(tmp_path, "landing", "releases/none")
    for name in ("Landing", "operations"):
        (tmp_path / name / "r1").mkdir(parents=True)
        with pytest.raises(Invalid, match="cannot be an address"):
            switch_release(tmp_path, name, "r1")


def test_nothing_published_says_so(tmp_path: Path) -> None:
    with a_street(tmp_path, ()) as street, street.client() as client:
        answer = client.get("/")
        assert answer.status_code == 200
        assert "Nothing is published yet" in answer.text
        assert client.get("/landing/").status_code == 404


# --- While a service is away ------------------------------------------------------------------------------------------


def test_requests_wait_for_a_service_that_restarts(tmp_path: Path) -> None:
    with a_street(tmp_path, ("dispatch",)) as street, street.client() as client:
        assert client.get("/api/dispatch/x").status_code == 200
        street.end("dispatch")
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(client.request, method, "/api/dispatch/x") for method in ("GET", "POST")]
            street.begin("dispatch")
            answers = [future.result(20) for future in asked]
        assert [(answer.status_code, answer.json()["method"]) for answer in answers] == [(200, "GET"), (200, "POST")]


def test_a_question_is_asked_again_when_the_service_dies_answering(tmp_path: Path) -> None:
    pool = concurrent.futures.ThreadPoolExecutor(1)
    with a_street(tmp_path, ("dispatch",)) as street, street.client() as client, pool:
        asked = pool.submit(client.get, "/api/dispatch/die")
        wait_until(street.died_once.exists)
        street.running.pop("dispatch").wait(10)
        street.begin("dispatch")
        assert asked.result(20).status_code == 200


def test_a_change_is_not_sent_twice_and_its_outcome_is_called_unknown(tmp_path: Path) -> None:
    with a_street(tmp_path, ("dispatch",)) as street, street.client() as client:
        answer = client.post("/api/dispatch/die", content=b"x")
        assert (answer.status_code, answer.json()["sent"]) == (503, "perhaps")
        assert "The outcome is unknown" in answer.json()["detail"]


def test_who_is_down_and_what_goes_on_is_said(tmp_path: Path) -> None:
    with a_street(tmp_path, ("statistics",)) as street, street.client() as client:
        publish(street.site, "landing", "r1", "first")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            looked = pool.submit(client.get, "/landing/dispatch/")
            posted = pool.submit(client.post, "/landing/organise/arrivals", content=b"x")
            asked = pool.submit(client.post, "/api/dispatch/pickups", content=b"x")
            signed = pool.submit(client.get, f"/sign-in/{TOKEN}")
        assert looked.result().status_code == 503
        assert looked.result().headers["retry-after"] == "2"
        assert "etag" not in looked.result().headers
        assert "Dispatch is not answering" in looked.result().text
        assert "nothing was changed" in looked.result().text
        assert "Schedule is not answering" in posted.result().text
        assert "was not saved" in posted.result().text
        assert asked.result().headers["content-type"] == "application/problem+json"
        assert (asked.result().status_code, asked.result().json()["sent"]) == (503, "not")
        assert signed.result().json()["service"] == "statistics"  # Whoever is up.
        assert client.get("/landing/talks/K7QX").text == "talk of first"
    assert TOKEN not in street.log()


def test_streams_pass_at_once(street: Street) -> None:
    began = time.monotonic()  # noqa: TID251 - the test measures
    with street.client() as client, client.stream("GET", "/landing-2026/dispatch/stream") as answer:
        first = next(answer.iter_bytes())
        assert first == b"data: now\n\n"
        assert time.monotonic() - began < 1.0  # noqa: TID251
        assert "content-encoding" not in answer.headers


# --- By TLS, by other names, by visitors who are slow or change what is only looked at -----------------------------


def test_phones_are_served_by_tls_and_led_to_it(tmp_path: Path) -> None:
    names = ("127.0.0.2", "car.local")
    with a_street(tmp_path, SERVICES, tls_hosts=names[:1], tls_names=names, names=("127.0.0.1", *names)) as street:
        publish(street.site, "landing-2026", "r1", "first")
        port = street.plan.port
        certificate = tmp_path / "root.crt"
        with httpx.Client(base_url=f"https://127.0.0.2:{port}", verify=False) as unknowing:
            wait_until(lambda: _is_tls(unknowing), 20, "TLS")
            assert "Android" in unknowing.get("/-/trust").text
            certificate.write_bytes(unknowing.get("/-/root.crt").content)
        trust = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=f"https://127.0.0.2:{port}", verify=trust, timeout=20) as phone:
            assert "first" in phone.get("/landing-2026/").text
            assert phone.get("/landing-2026/dispatch/").json()["headers"]["x-forwarded-proto"] == "https"
            assert phone.post("/landing-2026/drive/x", content=b"a tap").json()["body_bytes"] == 5
            with phone.stream("GET", "/landing-2026/dispatch/stream") as stream:
                assert next(stream.iter_bytes()) == b"data: now\n\n"
        plain = httpx.get(f"http://127.0.0.2:{port}/landing-2026/")
        assert (plain.status_code, plain.headers["location"]) == (308, f"https://127.0.0.2:{port}/landing-2026/")
        with street.client() as here:
            assert here.get("/landing-2026/dispatch/").json()["headers"]["x-forwarded-proto"] == "http"


def _is_tls(client: httpx.Client) -> bool:
    try:
        return client.get("/-/front-door").is_success
    except httpx.TransportError:
        return False


def test_a_foreign_name_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    with a_street(tmp_path, ("schedule",), names=("127.0.0.1", "localhost")) as street, street.client() as client:
        publish(street.site, "landing-2026", "r1", "first")
        for path in ("/", "/landing-2026/", "/landing-2026/organise", "/api/schedule/x", "/static/frame.css"):
            answer = client.get(path, headers={"Host": "evil.example"})
            assert (answer.status_code, "location" in answer.headers) == (421, False), path
            assert path.startswith("/api/") or "another name" in answer.text
            assert "evil" not in answer.text
        assert client.get("/landing-2026/organise", headers={"Host": f"localhost:{street.plan.port}"}).is_success


@pytest.mark.parametrize("path", ["/landing-2026/", "/static/frame.css", "/landing-2026/talks/K7QX"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_method_that_a_file_has_not_is_refused_in_a_whole_answer(path: str, method: str, street: Street) -> None:
    with street.client(headers={"Accept-Encoding": "gzip"}) as client:
        answer = client.request(method, path)
        assert answer.status_code == 405
        assert "content-encoding" not in answer.headers
        assert answer.headers["allow"] == "GET, HEAD"
        assert int(answer.headers["content-length"]) == len(answer.content) < 100
        assert client.head(path).status_code == 200


def test_a_body_that_does_not_come_is_the_visitor_s_and_no_service_s(tmp_path: Path) -> None:
    with a_street(tmp_path, ("schedule",), body_within_s=1) as street:
        with socket.create_connection(("127.0.0.1", street.plan.port), timeout=15) as wire:
            head = (
                "POST /landing-2026/organise HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000\r\n\r\nab"
            )
            wire.sendall(head.encode())
            answer = b"".join(iter(lambda: wire.recv(65_536), b""))
        assert answer.startswith(b"HTTP/1.1 408"), answer[:300]
        assert b"did not arrive" in answer
        assert b"not answering" not in answer


def test_search_engines_are_kept_from_personal_pages(street: Street) -> None:
    with street.client() as client:
        said = client.get("/robots.txt")
    assert said.headers["content-type"].startswith("text/plain")
    assert {"Disallow: /*/drive", "Disallow: /*/speaker", "Disallow: /sign-in/"} <= set(said.text.splitlines())


# --- Configuration ----------------------------------------------------------------------------------------------------


def test_a_folder_that_caddy_could_misread_is_refused(tmp_path: Path) -> None:
    upstreams = dict.fromkeys(SERVICES[:2], "127.0.0.1:1")
    plan = FrontDoorPlan(8000, Path("/data/{site}"), Path("relative"), upstreams)
    with pytest.raises(Invalid) as refused:
        caddyfile(plan)
    assert [fault.where for fault in refused.value.faults] == ["statistics", "/data/{site}", "relative"]


def test_names_get_certificates_of_our_own(tmp_path: Path) -> None:
    plan = FrontDoorPlan(
        port=8443,
        site_folder=tmp_path / "a b",
        storage_folder=tmp_path,
        upstreams=dict.fromkeys(SERVICES, "127.0.0.1:1"),
        hosts=("127.0.0.1",),
        tls_hosts=("127.0.0.2",),
        tls_names=("car.local",),
        admin_socket=tmp_path / "a b" / "admin",
    )
    (tmp_path / "Caddyfile").write_text(caddyfile(plan))
    command = [caddy_binary(), "adapt", "--validate", "--adapter", "caddyfile", "--config", tmp_path / "Caddyfile"]
    adapted = subprocess.run(command, capture_output=True, timeout=20)
    assert adapted.returncode == 0, adapted.stderr
    assert b'"car.local"' in adapted.stdout
    assert b'"127.0.0.2:8443"' in adapted.stdout
    assert b"not formatted" not in adapted.stderr


def test_nats_is_told_to_sync_always(tmp_path: Path) -> None:
    config = nats_config(NatsPlan(4222, tmp_path / 'a "b"', passwords={"schedule": 'to "ken', "dispatch": "x"}))
    (tmp_path / "nats.conf").write_text(config)
    checked = subprocess.run([nats_binary(), "-t", "-c", tmp_path / "nats.conf"], capture_output=True, timeout=20)
    assert checked.returncode == 0, checked.stderr
    assert "sync_interval: always" in config


if __name__ == "__main__":
    config = uvicorn.Config(application, port=int(sys.argv[2]), log_level="error", timeout_keep_alive=30)
    asyncio.run(uvicorn.Server(config).serve())
