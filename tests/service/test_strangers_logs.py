"""Nobody washes the logs away: who hangs up is no error of ours, and what strangers can cause is counted."""

import asyncio
import io
import json
import logging

import pytest
from structlog.testing import capture_logs

from house import House
from softlanding import telemetry
from softlanding.telemetry import STRANGERS_LINES_PER_MINUTE, Bounded, set_up_logs


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, ["schedule"])


async def hang_up(app, cookie):
    """A form is announced, begun, and its sender goes."""
    messages = iter([{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.disconnect"}])
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/softconf/organise/arrivals", "raw_path": b"/softconf/organise/arrivals",
        "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded"),
                    (b"content-length", b"1000"), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1), "server": ("localhost", 80),
    }  # fmt: skip

    async def receive():
        return next(messages)

    async def send(message):
        """Nobody is there."""

    await app(scope, receive, send)


def test_who_hangs_up_in_the_middle_of_a_form_leaves_no_error(house):
    client = house.client("schedule", ["organiser"])
    with capture_logs() as logs:
        asyncio.run(hang_up(client.app, "; ".join(f"{name}={value}" for name, value in client.cookies.items())))
    assert [line["event"] for line in logs] == ["a visitor hung up"]
    assert logs[0]["log_level"] == "debug"


def test_lines_of_one_kind_are_so_many_a_minute_and_then_counted():
    bounded = Bounded(most=2)
    said = [bounded.take("broken", second) for second in (0, 1, 2, 59, 60, 61)]
    assert said == [(True, 0), (True, 0), (False, 0), (False, 0), (True, 2), (True, 0)]
    assert bounded.take("another", 2) == (True, 0)


def test_requests_that_are_no_http_are_told_so_many_times_a_minute():
    out, root = io.StringIO(), logging.getLogger()
    kept = root.handlers[:], root.level
    try:
        set_up_logs("schedule", to=out)
        for _ in range(STRANGERS_LINES_PER_MINUTE * 10):
            logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    finally:
        root.handlers[:], root.level = kept
        logging.getLogger("uvicorn.error").filters.clear()
        telemetry.structlog.reset_defaults()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert 0 < len(lines) <= 2 * STRANGERS_LINES_PER_MINUTE, "two, where a minute ends meanwhile"
