"""A process that starts by a wrong clock asks its peers before it calls anything too late."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

import house
from clocks import HandClock
from dispatched import Dispatched, a_pickup
from house import House
from softlanding import incidents
from softlanding.lifecycle import Service
from softlanding.messaging.feed import HttpFeed

ran: list[str] = []


def bare_service(name, _settings):
    def missed_first(tx, now):
        ran.append(name)

    return Service(name, sa.MetaData(), f"softlanding.{name}", {}, at_start=(missed_first,))


@pytest.fixture
def bare(tmp_path, monkeypatch):
    monkeypatch.setattr(house, "make_service", bare_service)
    here = House(tmp_path)
    here.run()
    ran.clear()
    return here


def start_by_clock(here, name, **off):
    """A new life of the service by a clock of its own, which is that far off everybody else's."""
    here.kill(name)
    right = here.clock
    here.clock = HandClock(right.now() + timedelta(**off))
    try:
        return here.start(name)
    finally:
        here.clock = right


@pytest.mark.parametrize(("minutes", "why"), [(10, "clock differs by -600 s"), (-10, "which is in the future")])
def test_who_starts_by_a_clock_that_differs_from_a_peers_calls_nothing_too_late_and_says_so(bare, minutes, why):
    work = start_by_clock(bare, "dispatch", minutes=minutes)
    assert ran == []
    assert why in work.guard.held
    bare.run(2)
    told = work.database.read_now(incidents.list_incidents)
    assert [one.kind for one in told if one.about == "service/dispatch"] == ["clock"]
    assert "holds its deadlines" in next(one.sentence for one in told if one.kind == "clock")


def test_who_starts_by_a_clock_that_its_peers_agree_with_goes_on_at_once(bare):
    work = start_by_clock(bare, "dispatch", seconds=1)
    assert ran == ["dispatch"]
    assert work.guard.held is None


def an_hour_ahead(bare, name):
    other = bare[name]
    other.parts = replace(other.parts, clock=HandClock(bare.clock.now() + timedelta(hours=1)))
    return other


def test_one_peer_that_differs_is_doubt_enough_where_no_other_is_heard(bare):
    an_hour_ahead(bare, "statistics")
    bare.kill("schedule")
    work = start_by_clock(bare, "dispatch", seconds=0)
    assert ran == []
    assert "Statistics's clock differs" in work.guard.held


def test_of_three_clocks_the_one_that_differs_holds_and_the_two_that_agree_go_on(bare):
    wrong = an_hour_ahead(bare, "statistics")
    work = start_by_clock(bare, "dispatch", seconds=0)
    assert ran == ["dispatch"]
    for skews in ({"schedule": -3600, "dispatch": -3600}, {"dispatch": -3600, "schedule": -3600}):
        for service, skew_s in skews.items():
            wrong.guard.look_at_peer(service, skew_s)
        assert wrong.guard.held is not None
    for _ in range(5):
        bare.clock.advance(1)
        for service, skew_s in (("schedule", 0), ("statistics", 3600), ("schedule", 1)):
            work.guard.look_at_peer(service, skew_s)
            assert work.guard.held is None


def test_who_agreed_long_ago_does_not_outweigh_who_differs_now(bare):
    work = bare["dispatch"]
    work.guard.look_at_peer("schedule", 0)
    bare.clock.advance(10)
    work.guard.look()
    work.guard.look_at_peer("statistics", 3600)
    assert "Statistics's clock differs" in work.guard.held


def test_with_dead_peers_a_start_trusts_its_own_clock(bare):
    for peer in ("schedule", "statistics"):
        bare.kill(peer)
    start_by_clock(bare, "dispatch", minutes=10)
    assert ran == ["dispatch"]


def test_a_pickup_is_not_missed_by_the_clock_of_a_start_that_is_ahead(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch)
    here.ask(a_pickup())
    work = start_by_clock(here.house, "dispatch", hours=4)
    assert here.pickup().status == "planned", "by the peers' clock it has hours left"
    assert work.guard.held is not None
    here.house.clock.advance(4 * 3600)
    here.house.run()
    assert work.guard.held is None, "a peer agrees now"
    assert here.pickup().status == "missed"


def test_a_peer_that_never_answers_costs_a_start_no_more_than_its_second():
    async def ask():
        server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with_ear, gone = f"http://127.0.0.1:{port}", "http://127.0.0.1:1"
        async with server, httpx.AsyncClient(timeout=30, trust_env=False) as client:
            feed = HttpFeed(client, {}, {"schedule": with_ear, "statistics": gone}, "token")
            loop = asyncio.get_running_loop()
            began = loop.time()
            heard = await feed.beats(("schedule", "statistics"), 0.3)
            return heard, loop.time() - began

    heard, took_s = asyncio.run(ask())
    assert heard == []
    assert took_s < 3


def test_who_stood_by_while_the_clock_jumped_calls_nothing_too_late(bare):
    """Seed 486: no peer could be asked when it took the lease."""
    bare.kill("dispatch")
    right = bare.clock
    bare.clock = HandClock(right.now())
    parts = bare.parts("dispatch")
    bare.clock.jump(1800)
    for other in ("schedule", "statistics"):
        bare.kill(other)
    work = bare.start("dispatch", parts=parts)
    assert ran == []
    assert "jumped by +1800 s" in work.guard.held
    bare.clock = right
