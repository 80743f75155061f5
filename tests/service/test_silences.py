"""One death is one incident to a person: the silence that went before it is merged into it, and nothing else is."""

import asyncio
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

import house
from house import House
from softlanding import conferences, incidents
from softlanding.conferences import Conference
from softlanding.contracts.everyone import MERGED
from softlanding.errors import Refused
from softlanding.lifecycle import Service
from softlanding.lifecycle.deaths import note_change, note_death
from softlanding.lifecycle.outages import Death, LastEnd
from softlanding.messaging.beats import Change

SERVICES = ("schedule", "dispatch", "statistics")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """The common parts alone, with a conference in Berlin (the clocks there show two hours more than UTC)."""

    def bare_service(name, _settings):
        return Service(name, sa.MetaData(), f"softlanding.{name}", {})

    monkeypatch.setattr(house, "make_service", bare_service)
    bare = House(tmp_path)
    for service in SERVICES:
        add_conference(bare, service, "wharf", "Europe/Berlin")
    bare.run()
    return bare


def add_conference(bare, service, slug, zone):
    day = date(2026, 5, 9)
    bare[service].database.write_now(lambda tx, _now: conferences.keep(tx, Conference(slug, slug, zone, day, day)))


def wait(bare, seconds=5):
    for _ in range(seconds):
        bare.clock.advance(1)
        bare.run()


def lose_sight_of(bare, name, seconds=5):
    """Nobody hears it, and it hears nobody; it lives on."""
    work = bare.works.pop(name)
    wait(bare, seconds)
    bare.works[name] = work
    wait(bare, 2)


def die_for(bare, name, seconds=5):
    bare.kill(name)
    at = bare.clock.now()
    wait(bare, seconds)
    bare.start(name, LastEnd("SIGKILL", at))
    wait(bare, 2)


def stop(bare, name):
    asyncio.run(bare[name].say_goodbye())
    bare.kill(name)


def listed(bare, service, **more):
    return bare[service].database.read_now(incidents.list_incidents, **more)


def all_open(bare):
    return [(each, one.kind, one.times) for each in SERVICES for one in listed(bare, each, is_open=True)]


def test_a_death_that_was_long_silent_is_one_incident(bare):
    die_for(bare, "dispatch")
    assert all_open(bare) == [("statistics", "death", 1)]
    [silence] = [one for one in listed(bare, "statistics") if one.kind == "silence"]
    assert (silence.settled_word, silence.settled_by) == (MERGED, None)
    wait(bare, 60)
    assert all_open(bare) == [("statistics", "death", 1)]


def test_while_it_is_down_the_silence_is_the_incident_and_says_so_by_the_conferences_clocks(bare):
    bare.kill("dispatch")
    wait(bare)
    [silence] = listed(bare, "statistics", is_open=True)
    assert silence.sentence == "Dispatch is silent since 14:00:00 (Europe/Berlin), noticed by Statistics"
    bare.start("dispatch", LastEnd("SIGKILL", bare.clock.now()))
    wait(bare, 2)
    [death] = listed(bare, "statistics", is_open=True)
    assert death.sentence == "Dispatch died 14:00:05 (SIGKILL), back 14:00:05 after 0 s (Europe/Berlin)"


def test_where_conferences_lie_in_several_zones_the_sentence_is_in_utc_and_says_so(bare):
    add_conference(bare, "statistics", "pier", "Europe/Lisbon")
    bare.kill("dispatch")
    wait(bare)
    [silence] = listed(bare, "statistics", is_open=True)
    assert silence.sentence == "Dispatch is silent since 12:00:00 (UTC), noticed by Statistics"


def test_a_silence_that_was_no_death_waits_for_a_person_and_grows(bare):
    lose_sight_of(bare, "dispatch")
    assert all_open(bare) == [("statistics", "silence", 1)]
    lose_sight_of(bare, "dispatch")
    assert all_open(bare) == [("statistics", "silence", 2)]
    wait(bare, 60)
    assert all_open(bare) == [("statistics", "silence", 2)]


def test_a_death_of_statistics_is_one_incident_although_both_others_saw_it(bare):
    bare.kill("statistics")
    wait(bare)
    assert [(each, one.kind) for each in ("schedule", "dispatch") for one in listed(bare, each, is_open=True)] == [
        ("schedule", "silence"),
        ("dispatch", "silence"),
    ]
    bare.start("statistics", LastEnd("SIGKILL", bare.clock.now()))
    wait(bare, 2)
    assert all_open(bare) == [("statistics", "death", 1)]


def test_a_watcher_that_dies_meanwhile_does_not_ask_twice(bare):
    bare.kill("dispatch")
    wait(bare)
    bare.kill("statistics")
    bare.start("statistics", LastEnd("SIGKILL", bare.clock.now()))
    wait(bare)
    bare.start("dispatch", LastEnd("SIGKILL", bare.clock.now()))
    wait(bare, 2)
    assert sorted(all_open(bare)) == [("statistics", "death", 1), ("statistics", "death", 1)]  # One of each.
    assert {one.about for one in listed(bare, "statistics", is_open=True)} == {"service/dispatch", "service/statistics"}


def test_who_settled_the_silence_is_told_of_the_death_all_the_same(bare):
    bare.kill("dispatch")
    wait(bare)
    [silence] = listed(bare, "statistics", is_open=True)
    settle = {"by": "Ana", "word": "network"}
    bare["statistics"].database.write_now(incidents.settle_incident, silence.id, **settle)
    bare.start("dispatch", LastEnd("SIGKILL", bare.clock.now()))
    wait(bare, 2)
    assert all_open(bare) == [("statistics", "death", 1)]
    settled = next(one for one in listed(bare, "statistics") if one.id == silence.id)
    assert (settled.settled_by, settled.settled_word) == ("Ana", "network")


def test_a_merged_silence_cannot_be_settled_and_says_where_to_look(bare):
    die_for(bare, "dispatch")
    [silence] = [one for one in listed(bare, "statistics") if one.kind == "silence"]
    with pytest.raises(Refused, match="part of another incident"):
        bare["statistics"].database.write_now(incidents.settle_incident, silence.id, by="Ana", word="understood")


@pytest.mark.parametrize("heard_first", ["the new life", "the death"])
def test_the_order_in_which_it_is_heard_does_not_matter(bare, heard_first):
    work, last = bare["statistics"], bare.clock.now()
    bare.clock.advance(10)

    def note(kind, life, before=None):
        work.database.write_now(note_change, "statistics", Change("dispatch", kind, life, before, last))

    def die():
        now = bare.clock.now()
        death = Death("life-1", "dispatch", "SIGKILL", last, now, "life-2", now)
        work.database.write_now(note_death, "statistics", death)

    note("silent", "life-1")
    for step in (die, lambda: note("back", "life-2", "life-1"))[:: 1 if heard_first == "the death" else -1]:
        kinds = {one.kind for one in listed(bare, "statistics", is_open=True)}
        assert "silence" in kinds, "one of the two is not enough"
        step()
    assert all_open(bare) == [("statistics", "death", 1)]


def test_a_later_silence_of_the_new_life_is_a_matter_of_its_own(bare):
    die_for(bare, "dispatch")
    lose_sight_of(bare, "dispatch")
    assert sorted(all_open(bare)) == [("statistics", "death", 1), ("statistics", "silence", 1)]
    die_for(bare, "dispatch", seconds=1)
    assert all_open(bare) == [("statistics", "death", 2)]


@pytest.mark.parametrize("name", SERVICES)
def test_an_orderly_stop_leaves_nothing_to_settle_however_long_it_was(bare, name):
    stop(bare, name)
    wait(bare, 600)
    bare.start(name)
    wait(bare, 3)
    assert all_open(bare) == []
    told = [one for each in SERVICES for one in listed(bare, each) if one.kind == "silence"]
    assert {(one.settled_by, one.settled_word, one.settled_note) for one in told} == {
        (None, "was stopped", "for 600 s")
    }
    assert len(told) == (2 if name == "statistics" else 1)


def test_an_orderly_stop_is_no_excuse_for_the_silence_long_before_it(bare):
    work = bare.works.pop("dispatch")
    wait(bare, 30)
    bare.works["dispatch"] = work
    stop(bare, "dispatch")
    bare.start("dispatch")
    wait(bare, 3)
    assert all_open(bare) == [("statistics", "silence", 1)]


def test_an_old_death_explains_no_silence_of_a_service_never_heard(bare):
    """A watcher that came up while nobody answered does not know whose silence it hears."""
    work, now = bare["statistics"], bare.clock.now()
    death = Death("life-1", "dispatch", "SIGKILL", now, now, "life-2", now)
    work.database.write_now(note_death, "statistics", death)
    bare.clock.advance(3600)
    for kind, life in (("silent", None), ("back", "life-2")):
        bare.clock.advance(timedelta(seconds=5).total_seconds())
        work.database.write_now(note_change, "statistics", Change("dispatch", kind, life, None, None))
    assert sorted(all_open(bare)) == [("statistics", "death", 1), ("statistics", "silence", 1)]
