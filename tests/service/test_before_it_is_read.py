"""What somebody sends is read after it is known who they are, and no more of it than the door needs."""

import asyncio
import json

import pytest
from fastapi.routing import APIRoute

from sampled import Sampled
from softlanding.settings import SERVICES
from softlanding.web.app import FAULTS_SAID
from softlanding.web.doors import EVERYONE, VALUES_MAX

SLUG = "softconf"


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled"))


def doors_with_values(app):
    """(address, method) of each door that takes values and is not for everyone."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.body_field is not None and route.softlanding_who != EVERYONE:
            address = route.path.replace("{conference}", SLUG)
            for name in route.param_convertors:
                address = address.replace(f"{{{name}}}", "some")
            yield address, next(iter(route.methods))


def ask(app, method, address, host):
    """The status of an answer, and whether what was sent was read before it."""
    read, statuses = [], []

    async def receive():
        read.append(True)
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    headers = [(b"host", host), (b"content-type", b"application/json"), (b"idempotency-key", b"k-1")]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"}
    scope |= {"path": address, "raw_path": address.encode(), "query_string": b"", "root_path": "", "headers": headers}
    scope |= {"client": ("127.0.0.1", 5000), "server": ("127.0.0.1", 80), "state": {}}
    asyncio.run(app(scope, receive, send))
    return statuses[0], bool(read)


@pytest.mark.parametrize("service", SERVICES)
def test_nobodys_values_are_not_read(sampled, service):
    app = sampled.apps[service]
    doors = list(doors_with_values(app))
    assert doors
    answers = {door: ask(app, door[1], door[0], b"127.0.0.1") for door in doors}
    assert {door: answer for door, answer in answers.items() if answer != (401, False)} == {}


@pytest.mark.parametrize("service", SERVICES)
def test_values_are_few_and_more_is_refused_in_words(sampled, service):
    token, client = sampled.token("read", "write", "admin", "personal", "logs", "facts"), sampled.client(service)
    large = json.dumps({f"a{number}": 1 for number in range(VALUES_MAX // 8)}).encode()
    assert len(large) > VALUES_MAX
    for address, method in doors_with_values(sampled.apps[service]):
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": address, "Content-Type": "application/json"}
        answer = client.request(method, address, content=large, headers=headers)
        assert answer.status_code == 422, address
        assert "is larger than 64 kB" in answer.text, address


def test_no_more_faults_are_said_than_anybody_reads(sampled):
    headers = {"Authorization": f"Bearer {sampled.token('write')}", "Idempotency-Key": "many"}
    odd = {f"a{number}": 1 for number in range(3000)}
    answer = sampled.client("dispatch").post(f"/api/dispatch/{SLUG}/places", json=odd, headers=headers)
    assert answer.status_code == 422
    assert len(answer.json()["faults"]) == FAULTS_SAID
