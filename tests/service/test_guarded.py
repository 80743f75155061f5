"""What holds for every answer of a service: no foreign name is believed, nothing is kept, framed or listed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from test_permissions import address_of, routes

from house import House
from sampled import SERVICES, SLUG, Sampled
from softlanding.auth import list_people
from softlanding.web import guarded, make_app
from softlanding.web.doors import signer_of

FOREIGN = ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost@evil.example", "", "10.0.0.1")
OWN = ("localhost", "LOCALHOST:8000", "127.0.0.1:31999", "[::1]:8000", "localhost.")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    return Sampled(tmp_path_factory.mktemp("guarded"))


@pytest.mark.parametrize("service", SERVICES)
def test_no_door_answers_to_a_foreign_name_or_leads_to_it(sampled: Sampled, service: str) -> None:
    boss = sampled.bosses()[service]
    for host in FOREIGN:
        for path in (f"/{SLUG}/organise", f"/{SLUG}/dispatch/", "/sign-in/x", f"/api/{service}/incidents", "/static/x"):
            for method in ("GET", "POST"):
                answer = boss.request(method, path, headers={"Host": host})
                assert answer.status_code == 421, (host, path)
                assert "evil" not in f"{answer.text}{answer.headers}"


def test_each_of_its_own_names_is_answered(sampled: Sampled) -> None:
    boss = sampled.bosses()["schedule"]
    assert [boss.get(f"/{SLUG}/organise/", headers={"Host": host}).status_code for host in OWN] == [200] * len(OWN)


def test_peers_ask_for_the_feed_by_whatever_name_their_network_has_and_with_their_token_alone(sampled: Sampled) -> None:
    peer, stranger = sampled.program("schedule", "facts"), sampled.client("schedule")
    assert peer.get("/api/schedule/facts", headers={"Host": "schedule.internal:8100"}).status_code == 200
    assert stranger.get("/api/schedule/facts", headers={"Host": "schedule.internal:8100"}).status_code == 401
    assert peer.get("/api/schedule/facts/", headers={"Host": "schedule.internal:8100"}).status_code == 421


@pytest.mark.parametrize("service", SERVICES)
def test_every_answer_of_every_door_is_guarded_and_not_kept(sampled: Sampled, service: str) -> None:
    boss, stranger = sampled.bosses()[service], sampled.client(service)
    paths = {address_of(route) for _, route in routes(sampled, service)} | {"/nowhere", f"/api/{service}/openapi.json"}
    for path in sorted(paths):
        for answer in (boss.get(path), stranger.get(path), stranger.post(path)):
            assert answer.headers["cache-control"] == "no-store", path
            assert answer.headers["x-robots-tag"] == "noindex", path
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], path
            assert answer.headers["x-content-type-options"] == "nosniff", path
            assert answer.headers["referrer-policy"] == "no-referrer", path


def test_files_may_be_kept(sampled: Sampled) -> None:
    answer = sampled.client("schedule").get("/static/softlanding.css")
    assert (answer.status_code, answer.headers.get("cache-control")) == (200, None)


@pytest.mark.parametrize("service", SERVICES)
def test_who_asks_only_for_the_head_gets_it_wherever_there_is_something_to_see(sampled: Sampled, service: str) -> None:
    boss = sampled.bosses()[service]
    for method, route in routes(sampled, service):
        if method == "GET" and not route.path.endswith("stream"):
            path = address_of(route)
            seen, head = boss.get(path), boss.head(path)
            assert (head.status_code, head.content) == (seen.status_code, b""), path
            assert head.headers.get("content-type") == seen.headers.get("content-type"), path


def test_the_head_of_a_stream_comes_at_once_and_the_stream_ends(
    sampled: Sampled, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, boss = sampled.work("schedule"), sampled.bosses()["schedule"]
    work.is_stopping = False  # A stream that would go on.
    monkeypatch.setattr(guarded, "HEAD_S", 0.5)
    try:
        sent = asyncio.run(asyncio.wait_for(asked(boss, "HEAD", f"/{SLUG}/organise/arrivals/stream"), 10))
    finally:
        work.is_stopping = True
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 200


async def asked(client: TestClient, method: str, path: str) -> list[Any]:
    """All messages of the answer to a request whose sender stays."""
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", b"localhost"), (b"cookie", client.headers["cookie"].encode())]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path}
    scope |= {"raw_path": path.encode(), "query_string": b"", "headers": headers, "scheme": "http"}
    scope |= {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "root_path": ""}
    await client.app(scope, receive, send)
    return sent


def test_behind_tls_on_another_machine_redirects_keep_https_and_cookies_are_secure(tmp_path: Path) -> None:
    house = House(tmp_path, ["schedule"], **{"front_door.public_url": "https://conference.example"})
    with house.client("schedule", ["organiser"]) as client:
        client.follow_redirects = False
        public = {"Host": "conference.example", "X-Forwarded-Proto": "http"}
        led_to = client.get("/meeting/organise", headers=public).headers["location"]
        assert led_to.startswith("https://conference.example/")
        cookie = client.post("/-settle/schedule", headers=public, data={"incident": "none", "word": "x", "key": "k"})
        assert "secure" in cookie.headers["set-cookie"].lower()
        inside = client.post("/-settle/schedule", data={"incident": "none", "word": "x", "key": "k2"})
        assert "secure" not in inside.headers["set-cookie"].lower()


def test_links_begin_with_the_address_that_phones_reach(tmp_path: Path) -> None:
    lan = {"front_door.lan": True, "front_door.lan_url": "https://192.0.2.7:8000", "front_door.names": "car.local"}
    house = House(tmp_path, ["schedule"], **lan)
    house.client("schedule", ["organiser"])
    token = signer_of(house["schedule"]).command_token("tests", ("admin", "personal"), house.clock.now())
    person = house["schedule"].database.read_now(list_people)[0].person
    for host in ("localhost", "192.0.2.7:8000", "car.local"):
        client = TestClient(make_app(house["schedule"]), base_url=f"http://{host}")
        path, headers = f"/api/schedule/people/{person}/sign-in-link", {"Authorization": f"Bearer {token}"}
        link = client.post(path, headers=headers | {"Idempotency-Key": f"key-{host}"}).json()["url"]
        assert link.startswith("https://192.0.2.7:8000/sign-in/")
