"""Whatever answers at a peer's address: what is not the peer's is no answer, and ends nobody."""

import asyncio
import json

import httpx
import pytest

from softlanding.messaging.feed import FeedDown, HttpFeed

ODD = [
    b'{"ok": 1}',
    b"[]",
    b"[1, 2]",
    b"null",
    b"7",
    b'"text"',
    b"<html>Sign in to the hotel's network</html>",
    b"",
    b"\xff\xfe",
    b'{"epochs": 1, "tail": 2}',
    b'{"epochs": [1], "tail": 2}',
    b'{"epochs": [{"epoch": "a"}], "tail": 2}',
    b'{"epochs": [{"epoch": "a", "parent": null, "parent_last": null}], "tail": "2"}',
    b'{"epochs": [{"epoch": 1, "parent": null, "parent_last": null}], "tail": 2}',
    b'{"epochs": [{"epoch": "a", "parent": "b", "parent_last": "c"}], "tail": 2}',
]


def feed_that_answers(body):
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=body))
    client = httpx.AsyncClient(transport=transport)
    return HttpFeed(client, {"schedule": "http://peer"}, {"schedule": "http://peer"}, "token")


@pytest.mark.parametrize("body", ODD)
def test_an_odd_line_is_no_answer(body):
    with pytest.raises(FeedDown):
        asyncio.run(feed_that_answers(body).line("schedule"))


@pytest.mark.parametrize("body", [body for body in ODD if body != b"[]"])
def test_an_odd_page_is_no_answer(body):
    with pytest.raises(FeedDown):
        asyncio.run(feed_that_answers(body).facts("schedule", "a", 0))


def test_a_peers_own_line_is_read():
    told = {"epochs": [{"epoch": "a", "parent": None, "parent_last": None}], "tail": 7}
    assert asyncio.run(feed_that_answers(json.dumps(told).encode()).line("schedule")).tail == 7
