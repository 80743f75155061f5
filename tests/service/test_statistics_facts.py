"""What Statistics keeps: each fact once, whatever the broker does, and nothing about persons."""

import random
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import statistics_told as told
from clocks import NOON
from softlanding.contracts import personal_fields
from softlanding.contracts.dispatch import (
    RIDES,
    PickupAccepted,
    PickupBoarded,
    PickupDelivered,
    PickupDriverArrived,
    PickupMissed,
    PickupPlanned,
    PickupUnplaced,
    TalkAtRisk,
)
from softlanding.contracts.everyone import IncidentOpened, IncidentSettled
from softlanding.contracts.schedule import PersonGranted, PickupChanged, PickupWithdrawn
from softlanding.messaging import inbox
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.memory import NASTY
from softlanding.statistics import store, subscriptions, views
from softlanding.statistics.tables import fact_counts, facts, pickups, tables
from statistics_told import asked, rode, tell, told_and_heard

LECTURE = NOON.replace(hour=16, minute=17, second=18)


@pytest.fixture
def house(tmp_path, monkeypatch):
    return told.make_house(tmp_path, monkeypatch)


def read(house, query):
    return house["statistics"].database.read_now(lambda connection: connection.execute(query).all())


def a_whole_ride(house):
    told_and_heard(house, "schedule", asked())
    for kind in (PickupPlanned, PickupAccepted, PickupDriverArrived):
        told_and_heard(house, "dispatch", rode(kind))
    boarded_at, delivered_at = NOON + timedelta(minutes=18), NOON + timedelta(minutes=48)
    told_and_heard(house, "dispatch", rode(PickupBoarded, boarded_at=boarded_at, at=boarded_at))
    done = {"boarded_at": boarded_at, "delivered_at": delivered_at}
    told_and_heard(house, "dispatch", rode(PickupDelivered, at=delivered_at, **done))


def test_each_fact_is_kept_once_and_counted_although_the_broker_loses_copies_and_shuffles(tmp_path, monkeypatch):
    house = told.make_house(tmp_path, monkeypatch)
    house.broker.nastiness = NASTY
    for number in range(60):
        tell(house, "schedule", asked(f"p{number}"))
        tell(house, "dispatch", rode(PickupPlanned, f"p{number}"))
        house.clock.advance(0.5)
        house.broker.tick()
        house.run(turns=3)
    house.broker.nastiness = type(NASTY)()
    for _ in range(10):
        house.clock.advance(1)
        house.broker.tick()
        house.run()
    for source in ("schedule", "dispatch"):
        numbers = [row.sequence for row in read(house, sa.select(facts).where(facts.c.source == source))]
        last = house[source].database.last_number
        assert sorted(numbers) == list(range(1, last + 1))
    kept = len(read(house, sa.select(facts)))
    assert sum(row.total for row in read(house, sa.select(fact_counts.c.count.label("total")))) == kept
    assert house["statistics"].database.read_now(views.count_pickups, "softconf") == [("planned", 60)]


def test_nothing_personal_is_in_any_table(house):
    a_whole_ride(house)
    typed = ("her sister drives her", "ask PETERPAN", "by hand: PETERPAN")
    asked_of = {"talk_title": "On Engines", "wheelchairs": 1, "deadline_at": LECTURE}
    told_and_heard(house, "schedule", asked("p7", reason=typed[0], **asked_of))
    told_and_heard(house, "dispatch", rode(PickupUnplaced, "p7", reason=typed[1]))
    risk = {"conference": "softconf", "talk": "TALK1", "pickup": "p7", "code": "K7QX", "starts_at": LECTURE}
    told_and_heard(house, "dispatch", TalkAtRisk(**risk, deliver_at=NOON))
    told_and_heard(house, "schedule", asked("p7", PickupWithdrawn, revision=2, reason=typed[2], reason_kind="by_hand"))
    incident = {"incident": house.ids.new(), "kind": "missed", "about": "pickup/p1", "code": "K1QX"}
    incident |= {"conference": "softconf", "sentence": "K1QX was missed", "opened_at": NOON}
    told_and_heard(house, "dispatch", IncidentOpened(**incident))
    settled = {"settled_at": NOON, "settled_by": "Bert Settler", "settled_word": "not needed"}
    told_and_heard(house, "dispatch", IncidentSettled(**incident, **settled, settled_note="spoke with the mother"))
    told_and_heard(house, "schedule", PersonGranted(person="b1", name="Carla Coordinator", email="carla@example.org"))
    texts = every_text(house)
    of_people = (told.NAME, told.PHONE, told.FLIGHT, told.DRIVER, told.PLATE, told.NOTE, "Bert Settler", "the mother")
    identify = ("LOVELACE", "TALK1", "On Engines", "Terminal 1", "Hotel Adlon", "wheelchairs", "16:17:18")
    for personal in (*of_people, *identify, *typed, "PETERPAN"):
        assert [(table, text) for table, text in texts if personal in text] == []
    # Staff can sign in while Schedule is dead: their names are in that table alone.
    assert {table for table, text in texts if "Carla Coordinator" in text} == {"person"}
    assert [table for table, text in texts if "carla@example.org" in text] == []
    assert ("pickup_state", "by_hand") in texts  # The search itself can find something.


def every_text(house):
    def scan(connection):
        names = sa.inspect(connection).get_table_names()
        return [
            (name, value)
            for name in names
            for row in connection.exec_driver_sql(f'SELECT * FROM "{name}"')
            for value in row
            if isinstance(value, str)
        ]

    return house["statistics"].database.read_now(scan)


def test_what_a_newer_producer_adds_is_not_kept_because_it_might_be_personal():
    for kind in (*RIDES, PickupChanged, IncidentSettled):
        stored = store.stored_fields(kind)
        assert stored.isdisjoint(personal_fields(kind) | {"driver_name", "driver_phone", "settled_by", "phone"})
        assert stored <= set(kind.model_fields)


def test_catching_up_gives_the_same_tables_as_listening(house):
    a_whole_ride(house)
    told_and_heard(house, "schedule", asked("p2"), asked("p3"), asked("p3", PickupChanged, revision=2))
    told_and_heard(house, "dispatch", rode(PickupUnplaced, "p2", reason="no seat left"))
    told_and_heard(house, "schedule", asked("p2", PickupWithdrawn, revision=2, reason="by hand: taxi"))
    told_and_heard(house, "dispatch", rode(PickupMissed, "p3", revision=2))
    listening = told.dump(house, tables)
    house.kill("statistics")
    for file in house.folder.glob("statistics.db*"):
        file.unlink()
    house.clock.advance(1)
    house.start("statistics")
    house.run()
    caught_up = told.dump(house, tables)
    assert caught_up["pickup_state"] == listening["pickup_state"]
    assert caught_up["heard_life"] == listening["heard_life"]
    # The others meanwhile told that Statistics' database is another one: that much is new.
    assert [
        fact
        for fact in caught_up["fact"]
        if fact["type"] != "schedule.incident.opened" and fact["type"] != "dispatch.incident.opened"
    ] == listening["fact"]
    assert len(listening["fact"]) > 12


WORDS = st.sampled_from(RIDES)
SCHEDULES = st.lists(
    st.tuples(st.sampled_from((PickupChanged, PickupWithdrawn)), st.sampled_from(("", "by hand"))), max_size=4
)
DISPATCHES = st.lists(st.tuples(WORDS, st.integers(1, 5)), max_size=6)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SCHEDULES, DISPATCHES, st.integers(0, 2**32))
def test_the_order_of_hearing_between_services_does_not_matter(house, changes, rides, seed):
    schedule = [asked()]
    schedule += [asked(kind=kind, revision=at, reason=why) for at, (kind, why) in enumerate(changes, 2)]
    dispatch = [rode(kind, revision=revision) for kind, revision in rides]
    outcomes = {
        apply(house, [("schedule", fact) for fact in schedule] + [("dispatch", fact) for fact in dispatch]),
        apply(house, [("dispatch", fact) for fact in dispatch] + [("schedule", fact) for fact in schedule]),
        apply(house, interleave(random.Random(seed), schedule, dispatch)),
    }
    assert len(outcomes) == 1


def interleave(rng, schedule, dispatch):
    waiting = {"schedule": list(schedule), "dispatch": list(dispatch)}
    while any(waiting.values()):
        source = rng.choice([name for name, rest in waiting.items() if rest])
        yield source, waiting[source].pop(0)


def apply(house, facts_in_order):
    """What is known of the pickups after these facts; nothing of it stays."""

    def action(tx, now):
        tx.execute(sa.delete(pickups))
        for number, (source, fact) in enumerate(facts_in_order):
            life = f"epoch-of-{source}-{tx.ids.new()}"[:36]
            envelope = Envelope(
                tx.ids.new(), source, f"{source}.{fact.TYPE}", fact.subject, fact.conference, life, number + 1, now, {}
            )
            subscriptions.keep(tx, now, fact, envelope)
        rows = tx.execute(sa.select(pickups)).all()
        return str(rows), str(views.count_pickups(tx.connection))

    return house["statistics"].database.write_now(action)


def test_the_cursor_stands_at_the_tail_of_both(house):
    a_whole_ride(house)
    for source in ("schedule", "dispatch"):
        cursor = house["statistics"].database.read_now(inbox.load_cursor, source)
        assert cursor.sequence == house[source].database.last_number
