"""The same statements serve PostgreSQL: what is kept there is found there, by every view."""

import random
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

import postgresql
from clocks import NOON, HandClock
from softlanding.contracts.dispatch import PickupBoarded, PickupMissed, PickupPlanned
from softlanding.contracts.everyone import IncidentOpened, LifeBegan
from softlanding.database import Transaction, make_engine, shared
from softlanding.ids import RandomIds
from softlanding.lifecycle.deaths import note_death, note_ready
from softlanding.lifecycle.outages import Death
from softlanding.messaging.envelope import Envelope
from softlanding.statistics import actions, store, subscriptions, views
from softlanding.statistics.model.log_lines import read_lines
from softlanding.statistics.model.words import Clock
from softlanding.statistics.tables import tables
from statistics_told import asked, rode

BERLIN = ZoneInfo("Europe/Berlin")
OLD, NEW, SCHEDULE = ("01900000-0000-7000-8000-00000000000" + digit for digit in "123")


@pytest.fixture(scope="module")
def connection():
    engine = make_engine(postgresql.fresh_database())
    shared.create_all(engine)
    tables.create_all(engine)
    with engine.connect() as connection:
        tell_all(Transaction(connection, SCHEDULE, RandomIds(HandClock(), random.Random(1))))
        yield connection
    engine.dispose()


def tell_all(tx):
    """p1 is planned before Dispatch dies, p2 is asked in the gap and recovered, p3 runs out in it."""
    died_at, back_at = NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)
    in_gap, after = NOON + timedelta(minutes=2), NOON + timedelta(minutes=4)
    missed = {"incident": "i1", "kind": "missed", "about": "pickup/p3", "code": "K3QX", "opened_at": after}
    began = LifeBegan(
        service="dispatch",
        life=NEW,
        parent=OLD,
        parent_last=1,
        parent_said_goodbye=False,
        began_at=back_at,
        release="1",
    )
    story = [
        ("schedule", SCHEDULE, NOON, asked("p1")),
        ("dispatch", OLD, NOON, rode(PickupPlanned, "p1")),
        ("schedule", SCHEDULE, in_gap, asked("p2")),
        ("schedule", SCHEDULE, in_gap, asked("p3", expires_at=in_gap)),
        ("dispatch", NEW, back_at, began),
        ("dispatch", NEW, after, rode(PickupMissed, "p3")),
        ("dispatch", NEW, after, IncidentOpened(**missed, conference="softconf", sentence="K3QX was missed")),
        ("dispatch", NEW, after, rode(PickupPlanned, "p2")),
        ("dispatch", NEW, after, rode(PickupBoarded, "p1", boarded_at=after)),
    ]
    numbers = {}
    for source, epoch, told_at, fact in story:
        numbers[epoch] = numbers.get(epoch, 0) + 1
        envelope = Envelope(
            tx.ids.new(),
            source,
            f"{source}.{fact.TYPE}",
            fact.subject,
            fact.conference,
            epoch,
            numbers[epoch],
            told_at,
            fact.model_dump(mode="json"),
            expires_at=fact.expires,
        )
        subscriptions.keep(tx, after, fact, envelope)
    note_death(tx, after, "statistics", Death(OLD, "dispatch", "SIGKILL", died_at, after, NEW, back_at))
    lines = read_lines(b'{"event": "broke", "level": "error", "service": "dispatch", "more": 1}\nno JSON')
    actions.keep_logs(tx, after, lines)
    note_ready(tx, after, "statistics", NEW, back_at)


def test_numbers(connection):
    assert views.count_pickups(connection, "softconf") == [("planned", 1), ("boarded", 1), ("missed", 1)]
    assert views.waits(connection, "softconf").p50 == timedelta(minutes=4)
    assert dict(views.count_facts(connection))["schedule.pickup.requested"] == 3
    assert sum(row["count"] for row in views.facts_by_minute(connection, NOON - timedelta(hours=1))) == 9
    assert [pickup["code"] for pickup in views.list_pickups(connection, "softconf", "missed")] == ["K3QX"]
    assert len(views.last_facts(connection, "softconf", Clock(BERLIN, NOON))) == 9
    assert [fact["number"] for fact in views.heard_after(connection, 7, 10)] == [8, 9]


def test_stories(connection):
    pickup = views.find_pickup(connection, "softconf", "K1QX")
    story = views.pickup_story(connection, pickup, BERLIN, NOON + timedelta(minutes=5))
    assert [step["kind"] for step in story["steps"]] == ["pickup.boarded", "pickup.planned", "pickup.requested"][::-1]
    assert [gap["words"] for gap in story["gaps"]] == ["Dispatch was down (SIGKILL)"]


def test_deaths_and_operations(connection):
    (story,) = views.outage_stories(connection)
    told = "Dispatch died 14:01:00 (SIGKILL), back 14:03:00 after 120 s; 1 pickup recovered, 1 expired"
    assert story.sentence(BERLIN) == told
    assert story.unsettled == ("K3QX",)
    kinds = [(incident["service"], incident["kind"]) for incident in views.incidents_view(connection)]
    assert sorted(kinds) == [("dispatch", "missed"), ("statistics", "death")]
    assert [(life["service"], life["ending"]) for life in views.lives_view(connection)] == [("dispatch", "")]
    rows = views.services_rows(connection, NOON, NOON + timedelta(minutes=5))
    assert rows.expired == {"schedule": 0, "dispatch": 1}
    assert len(rows.beats["dispatch"]) == 30
    assert views.letters_view(connection, [("dispatch", "schedule", SCHEDULE, (1,))])[0]["subject"] == "pickup/p1"


def test_log_lines(connection):
    assert [line["text"] for line in views.list_logs(connection, views.LogFilter())] == ["no JSON", "broke"]
    wanted = views.LogFilter("dispatch", "warning", "BRO")
    assert [line["text"] for line in views.list_logs(connection, wanted)] == ["broke"]
    assert store.log_range(connection)[:2] == (1, 2)
