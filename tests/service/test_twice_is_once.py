"""Every request that creates something bears a key: sent twice it counts once; a key is for one request at one door."""

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from creating import DOORS, NUMBERS, Things, is_refused
from sampled import SERVICES, Sampled
from softlanding import auth


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled"))


@pytest.fixture(scope="module")
def boss(sampled):
    return sampled.bosses()


@pytest.fixture(scope="module")
def program(sampled):
    return {service: sampled.program(service, *auth.SCOPES) for service in SERVICES}


ELSEWHERE = {  # Doors that are not in the list above, and why.
    "*/import": "each row of a table has a natural key; the same programme twice changes nothing",
    "*/organise/import/*": "a file waits for one press; their own tests",
    "/api/schedule/programmes": "as above; its own tests",
    "/api/schedule/sample": "its day is its key",
    "/api/dispatch/{conference}/pickups/{code}/move": "the very door of assign",
    "*/dead-letters*": "nothing is parked here; their own tests",
    "/-letters/*": "nothing is parked here; their own tests",
    "*/clock/release": "a clock that is released stays so",
    "/api/statistics/logs": "its own tests",
    "/sign-in/{token}": "the token is the key",
    "/sign-out": "it creates nothing",
}


@pytest.mark.parametrize("service", SERVICES)
def test_every_door_that_creates_is_tried_twice(sampled, service):
    tried = {pattern_of(method, path) for of, method, path, _, _ in DOORS if of == service}
    for method, route in sampled.writing_routes(service):
        is_common = service != "schedule" and route.path == "/sign-in/sessions/end"  # As Schedule's.
        if not is_common and not any(fnmatchcase(route.path, pattern) for pattern in ELSEWHERE):
            assert pattern_of(method, re.sub(r"{\w+}", "?x", route.path.replace("{conference}", "<c>"))) in tried


def pattern_of(method: str, path: str) -> str:
    """`POST /{c}/dispatch/places/?/remove`: the door, whatever it is about."""
    return f"{method} " + re.sub(r"/\?[a-z ]+(?=/|$)", "/?", path).replace("<c>", "{c}")


@pytest.mark.parametrize("number", range(len(DOORS)), ids=[f"{method} {path}" for _, method, path, _, _ in DOORS])
def test_twice_is_once(sampled, boss, program, number):
    service, changes = DOORS[number][0], DOORS[number][4]
    asks, key = Things(sampled, service).request(DOORS[number]), f"key-{next(NUMBERS)}"
    client = program[service] if asks.is_api else boss[service]
    start = sampled.rows(service)
    assert_refused(asks.send(client, ""))
    assert sampled.rows(service) == start
    done = asks.send(client, key)
    assert not is_refused(done), done.text[:500]
    once = sampled.rows(service)
    assert once != start or "release" in asks.path
    sampled.house.clock.advance(1)
    again = asks.send(client, key)
    assert again.status_code == done.status_code
    assert not asks.is_api or again.json() == done.json()
    assert _but_seen(sampled.rows(service)) == _but_seen(once)
    other_values = asks.values | changes
    if other_values != asks.values:
        assert_refused(replace(asks, values=other_values).send(client, key))
        assert _but_seen(sampled.rows(service)) == _but_seen(once)
    other = program[service].post(
        f"/api/{service}/dead-letters/replay", json={"subject": "x"}, headers={"Idempotency-Key": key}
    )
    assert other.status_code == 404, "another door has keys of its own"
    sampled.house.run()


def assert_refused(answer: Any) -> None:
    """In words: as a status, or as the message on the page that a form leads back to."""
    assert answer.status_code in (422, 303), answer.text[:500]
    if answer.status_code == 303:
        assert "refused" in answer.headers["Set-Cookie"]


def _but_seen(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """A phone that taps is alive each time."""
    return {name: of for name, of in rows.items() if name != "driver"}
