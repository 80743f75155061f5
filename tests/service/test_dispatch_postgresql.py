"""The same statements serve PostgreSQL: a day of rides from asking to delivery, and every view of it."""

import random
from datetime import timedelta

import pytest

import postgresql
from clocks import NOON, HandClock
from dispatched import AIRPORT, CONFERENCE, HOTEL, VENUE, a_pickup, changed, withdrawn
from house import settings_for
from softlanding.conferences import Conference, keep
from softlanding.database import Transaction, make_engine, shared
from softlanding.dispatch import driving, store, views
from softlanding.dispatch.actions import fleet, pickups, taps
from softlanding.dispatch.model import Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.dispatch.tables import tables
from softlanding.ids import RandomIds
from softlanding.lifecycle.outages import Death, Outage
from softlanding.messaging.envelope import Envelope

THE_CONFERENCE = Conference(CONFERENCE, "SoftConf", "Europe/Berlin", NOON.date(), NOON.date())


class Day:
    """Actions on one connection, each at its moment."""

    def __init__(self, connection, desk):
        self.connection, self.desk, self.now = connection, desk, NOON
        self.tx = Transaction(connection, "life", RandomIds(HandClock(), random.Random(1)))

    def hear(self, fact):
        data = fact.model_dump(mode="json")
        kind = f"schedule.{fact.TYPE}"
        envelope = Envelope("id", "schedule", kind, fact.subject, CONFERENCE, "e", 1, self.now, data)
        handle = pickups.hear_withdrawn if kind.endswith("withdrawn") else pickups.hear_request
        handle(self.tx, self.now, self.desk, fact, envelope)

    def status(self, number):
        return store.find_pickup(self.connection, f"pickup-{number}").status


@pytest.fixture
def day(tmp_path):
    engine = make_engine(postgresql.fresh_database())
    shared.create_all(engine)
    tables.create_all(engine)
    with engine.connect() as connection:
        day = Day(connection, Desk(settings_for(tmp_path).dispatch))
        keep(day.tx, THE_CONFERENCE)
        for place in (AIRPORT, VENUE, HOTEL):
            fleet.save_place(day.tx, NOON, day.desk, place)
        fleet.save_vehicle(day.tx, NOON, day.desk, Vehicle(CONFERENCE, "V1", "Car 1", "HH-1", 3, 4, 0, "ham"))
        driver = fleet.add_driver(day.tx, NOON, CONFERENCE, "Dana", "+49")["driver"]
        hours = {"from_at": NOON, "to_at": NOON + timedelta(hours=9)}
        fleet.add_shift(day.tx, NOON, day.desk, CONFERENCE, driver=driver, vehicle="V1", **hours)
        yield day
    engine.dispose()


def test_a_day_of_rides(day):
    for fact in (a_pickup(1), a_pickup(2, to_place="hotel"), a_pickup(3, party=9), a_pickup(4, party=2)):
        day.hear(fact)
    assert [day.status(number) for number in (1, 2, 3, 4)] == ["planned", "planned", "unplaced", "unplaced"]
    day.hear(withdrawn(a_pickup(2)))
    day.hear(changed(a_pickup(1), to_place="hotel"))
    assert pickups.retry_unplaced(day.tx, day.now, day.desk) is False
    assert [day.status(number) for number in (1, 2, 4)] == ["planned", "stood_down", "planned"]
    for what in ("accepted", "arrived", "boarded", "delivered"):
        day.now += timedelta(minutes=30)
        taps.tap(day.tx, day.now, day.desk, CONFERENCE, "K7Q1", what, day.now)
    assert day.status(1) == "delivered"
    day.now += timedelta(hours=6)
    assert store.has_due(day.connection, day.now)
    assert not pickups.declare_missed(day.tx, day.now, day.desk)
    assert [day.status(number) for number in (3, 4)] == ["missed", "missed"]
    assert not store.has_parked_due(day.connection, day.now)


def test_every_view_answers(day):
    day.hear(a_pickup(1))
    board = views.board(day.connection, THE_CONFERENCE, day.now)
    assert board["counts"]["planned"] == 1
    chosen = views.chosen(day.connection, day.desk, THE_CONFERENCE, day.now, "K7Q1")
    assert [option["code"] for option in chosen["options"]] == ["V1"]
    driver = store.list_drivers(day.connection, CONFERENCE)[0]
    assert (
        driving.drive(day.connection, THE_CONFERENCE, day.now, driver).values["stops"][0]["rides"][0]["code"] == "K7Q1"
    )
    assert views.fleet(day.connection, CONFERENCE)["shifts"][0]["rides"] == 1
    assert len(views.places(day.connection, CONFERENCE, day.now)) == 3
    assert (
        driving.sheets(day.connection, THE_CONFERENCE, day.now)["sheets"][0]["stops"][0]["rides"][0]["code"] == "K7Q1"
    )
    died = Death("a", "dispatch", None, NOON, NOON, "b", NOON)
    words = store.load_words_around(day.connection, Outage("dispatch", NOON, NOON, 1, (died,)), NOON)
    assert words == ([], [])
