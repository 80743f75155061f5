"""What a seed of the simulation has found: one small test each."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

import house
from clocks import NOON, HandClock
from dispatched import CONFERENCE, Dispatched, a_pickup, changed, withdrawn
from house import House
from softlanding.dispatch.actions import pickups, taps
from softlanding.errors import Unavailable
from softlanding.incidents import settle_incident
from softlanding.lifecycle import Service, Timer
from softlanding.lifecycle.deaths import list_silences
from softlanding.messaging import inbox
from softlanding.messaging.beats import Beat, Peers
from softlanding.messaging.dead_letters import list_parked


@pytest.fixture
def decided():
    """When the bare services' deadline timer decided that something is too late."""
    return []


@pytest.fixture
def bare(tmp_path, monkeypatch, decided):
    """The common parts, with one timer of deadlines that has always something due."""

    def decide(tx, now):
        decided.append(now)
        return False

    def bare_service(name, _settings):
        timer = Timer("late", lambda connection, now: is_due(now), decide, is_deadline=True)
        return Service(name, sa.MetaData(), f"softlanding.{name}", {}, timers=(timer,))

    def is_due(now):
        return bare.on_look is None or bare.on_look() is None

    monkeypatch.setattr(house, "make_service", bare_service)
    bare = House(tmp_path)
    bare.on_look = None
    return bare


def a_beat(service, life, count):
    at = HandClock().now()
    return Beat(service=service, life=life, number=1, count=count, at=at, phase="ready", release="test")


def silences(bare, watcher):
    return [silence.service for silence in bare[watcher].database.read_now(list_silences)]


def fall_silent(bare, name):
    """The service dies, and the others come to call it silent."""
    bare.run()
    bare.kill(name)
    for _ in range(5):
        bare.clock.advance(1)
        bare.run()


def test_a_silence_ends_although_its_watcher_died_meanwhile(bare):
    fall_silent(bare, "dispatch")
    assert silences(bare, "statistics") == ["dispatch"]
    bare.kill("statistics")
    bare.start("statistics")
    bare.start("dispatch")
    bare.run()
    assert silences(bare, "statistics") == []


def test_a_silence_is_noted_although_the_disk_was_full_when_it_was_seen(bare, monkeypatch):
    bare.run()
    bare.kill("dispatch")
    work = bare["statistics"]
    write, calls = work.database.write, []

    async def write_on_full_disk(action, *args, **kw):
        if action.__name__ == "note_change" and not calls:
            calls.append(action)
            raise Unavailable("the disk is full")
        return await write(action, *args, **kw)

    monkeypatch.setattr(work.database, "write", write_on_full_disk)
    for _ in range(6):
        bare.clock.advance(1)
        try:
            bare.run()
        except Unavailable:
            continue
    assert calls
    assert silences(bare, "statistics") == ["dispatch"]


def test_lives_sort_in_their_order_although_a_clock_went_back(bare):
    first = bare["dispatch"].life.epoch
    bare.kill("dispatch")
    bare.clock.jump(-7200)
    assert bare.start("dispatch").life.epoch > first


def test_a_voice_that_sorts_before_a_silent_life_is_heard():
    clock = HandClock()
    peers = Peers(("dispatch",), clock, silent_after_s=3)
    peers.hear(a_beat("dispatch", "b", 1))
    assert peers.hear(a_beat("dispatch", "a", 9)) == []  # A straggler, while "b" is heard.
    clock.advance(4)
    assert [change.kind for change in peers.find_silent()] == ["silent"]
    assert [change.kind for change in peers.hear(a_beat("dispatch", "a", 10))] == ["new_life", "back", "ready"]


def test_a_clock_that_jumps_just_before_a_timer_looks_decides_nothing(bare, decided):
    bare.run()
    decided.clear()
    bare.clock.jump(3600)
    step = next(step for step in bare["dispatch"].steps() if step.name == "timer.late")
    assert asyncio.run(step.run()) is False
    assert decided == []


def test_a_clock_that_jumps_while_a_timer_waits_for_the_writer_decides_nothing(bare, decided):
    bare.run()
    decided.clear()
    bare.on_look = lambda: bare.clock.jump(3600)
    step = next(step for step in bare["dispatch"].steps() if step.name == "timer.late")
    asyncio.run(step.run())
    assert decided == []


def test_a_page_of_the_feed_that_the_bus_has_overtaken_does_not_lead_back(bare):
    bare.run()
    for _ in range(2):
        bare.kill("statistics")
        bare.start("statistics")
        bare["statistics"].relay.sent = 0
        asyncio.run(bare["statistics"].relay.step())
    receiver = bare["dispatch"].receivers["statistics"]
    ask, pages = receiver.feed.facts, []

    async def facts(source, epoch, after):
        page = await ask(source, epoch, after)
        pages.append(epoch)
        if len(pages) == 1:
            while await receiver.listen():
                pass
        return page

    receiver.feed.facts = facts
    receiver.needs_repair = True
    asyncio.run(receiver.repair())
    assert pages[0] != bare["statistics"].life.epoch
    assert receiver.cursor.epoch == bare["statistics"].life.epoch
    known = bare["dispatch"].database.read_now(inbox.load_known_epochs, "statistics")
    assert [epoch for epoch, _ in known] == sorted(epoch for epoch, _ in known)


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch)


def test_a_request_heard_while_the_clock_is_in_doubt_is_not_missed(here, monkeypatch):
    guard = here.house["dispatch"].guard
    monkeypatch.setattr(guard, "look_at_peer", lambda service, skew_s: None)  # No peer agrees yet.
    here.house.clock.jump(6 * 3600)
    guard.look()
    assert guard.held
    here.ask(a_pickup())
    assert here.told("pickup.missed") == []
    guard.release()
    here.pass_time(seconds=2)
    assert len(here.told("pickup.missed")) == 1


def test_what_is_missed_again_after_it_was_taken_up_again_has_an_open_incident(here):
    here.ask(a_pickup())
    here.pass_time(hours=4)
    here.act(settle_incident, here.incidents()[0].id, by="Ana", word="fetched later")
    here.act(pickups.assign, here.desk, CONFERENCE, "K7Q1", "V1", reason="later", by="Ana")
    here.pass_time(hours=2)
    assert here.pickup().status == "missed"
    assert [one.about for one in here.incidents()] == ["pickup/pickup-1"]


def test_a_party_that_grows_beyond_the_seats_is_not_planned_on_that_car(here):
    request = a_pickup()
    here.ask(request)
    for what in ("accepted", "arrived"):
        here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", what, here.now)
    here.ask(changed(request, party=9))
    assert here.pickup().shift is None


def test_a_beat_heard_before_the_clock_jumped_does_not_agree_when_it_comes_again(bare):
    """Seed 727: a copy of a beat let the deadlines go on by a clock that was two hours ahead."""
    bare.run()
    dispatch = bare["dispatch"]
    body = bare["schedule"].beat.to_json()
    asyncio.run(dispatch._take_beat(body))
    bare.clock.jump(7200)
    dispatch.guard.look()
    asyncio.run(dispatch._take_beat(body))
    assert "jumped by +7200 s" in dispatch.guard.held


def board(here, code):
    for what in ("accepted", "arrived", "boarded"):
        here.act(taps.tap, here.desk, CONFERENCE, code, what, here.now)
    here.house.run()


def test_revisions_that_are_told_never_go_back(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    first = a_pickup(1, landing_at=NOON - timedelta(minutes=40))
    second = a_pickup(2, landing_at=NOON - timedelta(minutes=35), to_place="Pension Plan B")
    here.ask(first, second)
    board(here, "K7Q1")
    here.ask(withdrawn(first))
    here.ask(changed(second, landing_at=NOON - timedelta(minutes=25)))
    here.ask(a_pickup(3, landing_at=NOON - timedelta(minutes=30)), a_pickup(4, landing_at=NOON - timedelta(minutes=28)))
    told = [revision for _, revision in here.said(1)]
    assert told == sorted(told)


def test_a_party_that_grows_aboard_leaves_nobody_on_a_car_without_room(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    first = a_pickup(1, landing_at=NOON - timedelta(minutes=25))
    here.ask(first, a_pickup(2, landing_at=NOON - timedelta(minutes=20)))
    assert here.pickup(2).shift == here.pickup(1).shift
    board(here, "K7Q1")
    here.ask(changed(first, party=3))
    boards_before = here.pickup(2).board_at is not None and here.pickup(2).board_at < here.pickup(1).deliver_at
    assert here.pickup(2).status == "unplaced" or not boards_before


def test_who_goes_elsewhere_and_has_no_room_beside_those_aboard_then_waits_for_another_car(tmp_path, monkeypatch):
    """Seed 360: the driver stood there, and the other goal lay behind the boarding of somebody with much luggage."""
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    first = a_pickup(1, landing_at=NOON - timedelta(minutes=40), luggage=1, to_place="Pension Plan B")
    here.ask(first)
    for what in ("accepted", "arrived"):
        here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", what, here.now)
    here.pass_time(minutes=45)  # By the plan they have long been brought there; nobody has said so.
    here.ask(a_pickup(2, landing_at=NOON + timedelta(minutes=30), luggage=3, to_place="Pension Plan B"))
    here.act(taps.tap, here.desk, CONFERENCE, "K7Q2", "boarded", here.now)
    here.house.run()
    here.ask(changed(first, luggage=3, to_place="Kaispeicher Nine"))
    assert here.house["dispatch"].database.read_now(list_parked) == []
    here.check_places()
    assert here.pickup(1).to_place == "venue"
