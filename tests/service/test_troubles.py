"""Troubles are told once each way, and each is one incident with its beginning and its end."""

import asyncio

import pytest

from house import House
from softlanding import incidents
from softlanding.lifecycle.needs import Needs
from softlanding.messaging.feed import FeedRefused


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def needs_of(work, **more):
    said = []
    work.troubles.tell = lambda what, trouble: said.append((what, trouble.name))
    given = {"committed_s_ago": lambda: 0.0, "turned_at": {}} | more
    return Needs(work, **given), said


def told(work):
    return [one.sentence for one in work.database.read_now(incidents.list_incidents) if one.kind == "other"]


def test_a_feed_that_refuses_us_is_told_while_the_bus_still_brings_everything(house, monkeypatch):
    work = house["dispatch"]
    needs, said = needs_of(work)

    async def refuse(_source):
        raise FeedRefused("answer 401")

    with monkeypatch.context() as patch:
        patch.setattr(work.parts.feed, "line", refuse)
        asyncio.run(needs.prove_feeds())
    assert (work.state, said) == ("degraded", [("begins", "feed.schedule"), ("begins", "feed.statistics")])
    assert "give both the same peer_token" in work.waiting_for
    house.clock.advance(3)
    asyncio.run(needs.tell())
    assert sorted(told(work))[0].startswith("Dispatch in trouble since 12:00:00 (UTC): Schedule's feed refuses")
    house.clock.advance(3)
    asyncio.run(needs.prove_feeds())
    asyncio.run(needs.tell())
    assert said[2:] == [("is over", "feed.schedule"), ("is over", "feed.statistics")]
    assert sorted(told(work))[0].startswith("Dispatch in trouble 12:00:00 to 12:00:06 (UTC): Schedule's feed refuses")
    assert len(told(work)) == 2
    assert work.troubles.waiting_for is None


def test_a_lease_that_is_not_renewed_stops_and_the_incident_says_how_many_were_refused(house):
    work, ago = house["schedule"], 0.0
    needs, said = needs_of(work, committed_s_ago=lambda: ago)
    work.troubles.refuse()
    ago = 4.0
    asyncio.run(needs.look())
    assert work.state == "unready"
    work.troubles.refuse()
    asyncio.run(needs.tell())
    assert told(work) == []
    house.clock.advance(20)
    ago = 0.0
    asyncio.run(needs.look())
    asyncio.run(needs.tell())
    asyncio.run(needs.tell())
    sentence = "Schedule could not write 12:00:00 to 12:00:20 (UTC), 2 requests refused: its database was away"
    assert told(work) == [sentence]
    assert said == [("begins", "database"), ("is over", "database")]


def test_a_blink_that_refused_nobody_is_no_matter_for_a_person(house):
    work = house["schedule"]
    needs, said = needs_of(work)
    work.troubles.miss_database("lease", "it blinked")
    assert work.waiting_for == "the database: it blinked"
    house.clock.advance(1)
    work.troubles.reach_database("lease")
    asyncio.run(needs.tell())
    assert (told(work), len(said)) == ([], 2)


def test_a_trouble_that_lasts_is_said_again_each_minute_and_not_at_each_try(house):
    work = house["schedule"]
    _, said = needs_of(work)
    for second in range(130):
        work.troubles.miss_database("lease", f"in other words {second}")
        house.clock.advance(1)
    assert [what for what, _ in said] == ["begins", "goes on", "goes on"]


def test_a_publisher_that_stands_still_is_told(house):
    work = house["schedule"]
    turned = {"chore.publish": house.clock.monotonic()}
    needs, said = needs_of(work, turned_at=turned)
    house.clock.advance(11)
    asyncio.run(needs.look())
    assert said == [("begins", "chore.publish")]
    assert "chore.publish stands still" in work.waiting_for
    turned["chore.publish"] = house.clock.monotonic()
    asyncio.run(needs.look())
    assert work.troubles.now == {}
