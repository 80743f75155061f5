"""Two `serve schedule` on one database: who stands by answers reads, refuses the rest, and takes over."""

import json

import httpx
import pytest

from house import settings_for
from postgresql import fresh_database
from serving import SECRET, serving
from softlanding.clock import SystemClock
from softlanding.signing import FIRST_PERSON, Signer
from softlanding.web.cookies import own_cookie
from waiting import wait_until

pytestmark = pytest.mark.timeout(120)

ARRIVAL = {
    "speaker": "ABC123",
    "number": "LH2034",
    "on": "2030-04-30",
    "time": "12:00",
    "airport": "HAM",
    "place": "Inn",
}


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
    session = Signer(SECRET).session_cookie(FIRST_PERSON, "session-1", SystemClock().now())
    cookies = {own_cookie(settings_for(second.log.parent)): session}
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
