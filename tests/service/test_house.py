"""The common parts of a service at work, on the smallest services there can be."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

import house
from house import House
from softlanding import incidents
from softlanding.errors import Fenced, Refused
from softlanding.incidents import open_incident
from softlanding.lifecycle import Service
from softlanding.lifecycle.outages import LastEnd, list_deaths
from softlanding.messaging import inbox, outbox

heard: list[tuple[str, str]] = []


def bare_service(name, _settings):
    def hear(tx, now, fact, envelope):
        heard.append((name, envelope.type))

    return Service(name, sa.MetaData(), f"softlanding.{name}", {"*": hear})


@pytest.fixture
def bare(tmp_path, monkeypatch):
    monkeypatch.setattr(house, "make_service", bare_service)
    heard.clear()
    return House(tmp_path)


def an_incident(tx, now, cause="x"):
    return open_incident(tx, now, cause=cause, kind="other", about="test", sentence="Something")


def test_facts_reach_the_others_once_and_in_order(bare):
    for number in range(5):
        bare["schedule"].database.write_now(an_incident, cause=str(number))
    bare.run()
    for receiver in ("dispatch", "statistics"):
        got = [kind for name, kind in heard if name == receiver and kind.startswith("schedule")]
        assert got == ["schedule.life.began"] + ["schedule.incident.opened"] * 5
        cursor = bare[receiver].database.read_now(inbox.load_cursor, "schedule")
        assert (cursor.epoch, cursor.sequence) == (bare["schedule"].life.epoch, 6)


def test_without_a_broker_the_feed_carries_everything(bare):
    bare.broker.is_down = True
    bare["schedule"].database.write_now(an_incident)
    bare.run()
    assert ("dispatch", "schedule.incident.opened") in heard


def test_a_death_is_noticed_and_leaves_an_incident_that_recovery_does_not_close(bare):
    bare.run()
    died = bare["dispatch"].life.epoch
    bare.kill("dispatch")
    bare.clock.advance(2)
    bare.start("dispatch", LastEnd("SIGKILL", bare.clock.now() - timedelta(seconds=1)))
    bare.run()
    deaths = bare["schedule"].database.read_now(list_deaths)
    assert [(death.life, death.how) for death in deaths] == [(died, "SIGKILL")]
    opened = bare["statistics"].database.read_now(incidents.list_incidents, is_open=True)
    assert [incident.kind for incident in opened] == ["death"]
    assert "Dispatch died" in opened[0].sentence
    assert "SIGKILL" in opened[0].sentence


def test_a_goodbye_is_no_death(bare):
    bare.run()
    asyncio.run(bare["dispatch"].say_goodbye())
    bare.kill("dispatch")
    bare.start("dispatch")
    bare.run()
    assert bare["schedule"].database.read_now(list_deaths) == []


def test_the_fenced_process_may_write_no_more(bare):
    old = bare["schedule"]
    old.hold.release()
    bare.start("schedule")
    with pytest.raises(Fenced):
        old.database.write_now(an_incident)
    assert bare["schedule"].database.read_now(incidents.list_incidents) == []


def test_an_action_that_refuses_leaves_neither_rows_nor_facts(bare):
    def tell_then_refuse(tx, now):
        an_incident(tx, now)
        raise Refused("no")

    work = bare["schedule"]
    before = work.database.last_number
    with pytest.raises(Refused):
        work.database.write_now(tell_then_refuse)
    assert work.database.last_number == before
    assert work.database.read_now(incidents.list_incidents) == []


def test_lives_form_a_line(bare):
    first = bare["schedule"].life.epoch
    bare.kill("schedule")
    second = bare.start("schedule").life.epoch
    line = bare["schedule"].database.read_now(outbox.lineage)
    assert [life.epoch for life in line] == [first, second]
    assert line[1].parent == first
    assert line[1].parent_last == 1


def test_steps_have_distinct_names(bare):
    names = [step.name for step in bare["schedule"].steps()]
    assert len(names) == len(set(names))
