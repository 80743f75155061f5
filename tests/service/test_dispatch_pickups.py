"""What Dispatch does with what Schedule asks."""

import asyncio
from datetime import timedelta

import pytest

from clocks import NOON
from dispatched import AIRPORT, CONFERENCE, HOTEL, VENUE, Dispatched, a_pickup, changed, withdrawn
from softlanding.dispatch import plans, store
from softlanding.dispatch.actions import fleet, pickups
from softlanding.dispatch.model import Place
from softlanding.incidents import settle_incident
from softlanding.lifecycle.outages import LastEnd
from softlanding.messaging.envelope import Envelope


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch)


def test_a_request_is_planned_once_and_told(here):
    here.ask(a_pickup())
    [planned] = here.told("pickup.planned")
    pickup = here.pickup()
    assert (pickup.status, pickup.vehicle, pickup.revision) == ("planned", "Car 1", 1)
    assert (planned["vehicle"], planned["plate"], planned["driver_name"]) == ("Car 1", "HH-1", "Driver 1")
    assert planned["revision"] == 1
    assert planned["plan"] == here.told("plan.published")[-1]["plan"]
    ready = NOON + timedelta(hours=1, minutes=30)  # Landing, and the airport's half hour to the kerb.
    assert ready <= pickup.board_at <= ready + timedelta(minutes=20)
    assert pickup.deliver_at > pickup.board_at
    here.check_places()


def test_each_request_of_many_is_planned_exactly_once(here):
    here.ask(*(a_pickup(number, landing_at=NOON + timedelta(minutes=20 * number)) for number in range(1, 10)))
    first = [one["pickup"] for one in here.told("pickup.planned") if not one["reason"]]
    assert sorted(first) == sorted(f"pickup-{number}" for number in range(1, 10))
    plans_told = [(one["pickup"], one["plan"]) for one in here.told("pickup.planned")]
    assert len(plans_told) == len(set(plans_told))
    here.check_places()


def test_copies_and_disorder_on_the_wire_change_nothing(here):
    here.house.broker.copies = 0.5
    here.ask(a_pickup(1), a_pickup(2), a_pickup(3))
    here.house.run()
    assert [here.said(number) for number in (1, 2, 3)] == [[("planned", 1)]] * 3


def test_a_kill_between_hearing_and_telling_loses_and_doubles_nothing(here):
    here.tell(a_pickup(1))
    here.house.kill("dispatch")
    here.tell(a_pickup(2))
    here.house.start("dispatch", LastEnd("SIGKILL", here.now))
    here.house.run()
    here.house.kill("dispatch")
    here.house.start("dispatch", LastEnd("SIGKILL", here.now))
    here.house.run()
    assert [one["pickup"] for one in here.told("pickup.planned") if not one["reason"]] == ["pickup-1", "pickup-2"]
    here.check_places()


def test_what_expired_while_dispatch_was_dead_is_missed_with_one_incident_that_recovery_leaves_open(here):
    here.house.kill("dispatch")
    here.tell(a_pickup(1, landing_at=NOON - timedelta(hours=1), expires_at=NOON + timedelta(minutes=1)), a_pickup(2))
    here.house.clock.advance(120)
    here.house.start("dispatch", LastEnd("SIGKILL", here.now))
    here.house.run()
    assert here.said(1) == [("missed", 1)]
    assert here.said(2) == [("planned", 1)]
    assert [(one.kind, one.code) for one in here.incidents()] == [("missed", "K7Q1")]
    here.house.kill("dispatch")
    here.house.start("dispatch", LastEnd("SIGKILL", here.now))
    here.pass_time(minutes=5)
    assert [(one.kind, one.code) for one in here.incidents()] == [("missed", "K7Q1")]
    here.act(settle_incident, here.incidents()[0].id, by="Ana", word="driven by taxi")
    assert here.incidents() == []


def test_a_planned_ride_that_nobody_boards_is_missed_when_its_time_has_passed(here):
    here.ask(a_pickup())
    here.pass_time(hours=3, seconds=1)
    assert here.said() == [("planned", 1), ("missed", 1)]
    assert [one.about for one in here.incidents()] == ["pickup/pickup-1"]
    here.check_places()


def test_what_is_due_at_start_is_missed_before_anything_is_heard(here):
    here.ask(a_pickup())
    here.house.kill("dispatch")
    here.house.clock.advance(4 * 3600)
    here.house.start("dispatch", LastEnd("SIGKILL", here.now))
    assert here.pickup().status == "missed"


def test_without_room_a_ride_is_unplaced_and_says_why(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1, party=3), a_pickup(2, party=3), a_pickup(3, party=8))
    assert here.pickup(1).status == "planned"
    assert here.pickup(2).status == here.pickup(3).status == "unplaced"
    busy, large = here.told("pickup.unplaced")
    assert "K7Q2" in busy["reason"]
    assert "taxi" in busy["reason"]
    assert "K7Q3 needs 8 seats" in large["reason"]
    here.check_places()


def test_when_a_car_is_added_those_who_wait_are_planned(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1, party=3), a_pickup(2, party=3))
    here.add_car(2)
    here.house.run()
    assert (here.pickup(1).vehicle, here.pickup(2).vehicle) == ("Car 1", "Car 2")
    assert here.said(2) == [("unplaced", 1), ("planned", 1)]


def test_an_unknown_place_is_named_and_planned_when_it_is_added(here):
    here.ask(a_pickup(to_place="Grand Hotel"))
    assert here.pickup().reason == "place 'Grand Hotel' is not known: add it under Places"
    grand = Place(CONFERENCE, "grand", "Grand Hotel", "hotel", 53.55, 9.99)
    here.act(fleet.save_place, here.desk, grand)
    here.house.run()
    assert here.said() == [("unplaced", 1), ("planned", 1)]
    assert here.pickup().to_place == "grand"


@pytest.mark.parametrize("text", ["ham", "HAM", " hamburg  airport "])
def test_a_place_is_known_by_slug_code_and_name(here, text):
    here.ask(a_pickup(from_place=text))
    assert here.pickup().from_place == "ham"


def test_what_can_never_be_planned_is_refused(here):
    here.ask(a_pickup(1, to_place="HAM"), a_pickup(2, party=40), a_pickup(3, wheelchairs=2))
    assert [here.said(number) for number in (1, 2, 3)] == [[("refused", 1)]] * 3
    assert "same place" in here.pickup(1).reason
    here.ask(changed(a_pickup(1), to_place="venue"))
    assert here.said(1) == [("refused", 1), ("planned", 2)]
    here.check_places()


def test_a_change_is_planned_anew_in_the_same_car_and_nobody_else_moves(here):
    first, second = a_pickup(1, party=3), a_pickup(2, party=3)
    here.ask(first, second)
    before = here.pickup(2)
    car = here.pickup(1).vehicle
    here.ask(changed(first, landing_at=first.landing_at + timedelta(minutes=25)))
    assert here.said(1) == [("planned", 1), ("planned", 2)]
    assert (here.pickup(1).vehicle, here.pickup(1).revision) == (car, 2)
    assert here.pickup(1).board_at >= NOON + timedelta(hours=1, minutes=55)
    assert (here.pickup(2).vehicle, here.pickup(2).board_at) == (before.vehicle, before.board_at)
    here.check_places()


def test_an_old_revision_changes_nothing(here):
    first = a_pickup()
    here.ask(changed(first, to_place="hotel"))
    here.ask(first)
    assert here.said() == [("planned", 2)]
    assert here.pickup().to_place == "hotel"


def test_a_withdrawn_pickup_leaves_the_plan_and_the_driver_stands_down(here):
    here.ask(a_pickup())
    here.ask(withdrawn(a_pickup()))
    assert here.said() == [("planned", 1), ("stood_down", 2)]
    pickup = here.pickup()
    assert (pickup.status, pickup.shift, pickup.last_shift) == ("stood_down", None, here.shifts[0])
    here.pass_time(hours=4)
    assert here.incidents() == []
    here.check_places()


def test_a_pickup_first_heard_of_when_withdrawn_is_answered(here):
    here.ask(withdrawn(a_pickup()))
    assert here.said() == [("stood_down", 2)]


def test_a_withdrawal_frees_the_car_for_who_waits(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1, party=3), a_pickup(2, party=3))
    here.ask(withdrawn(a_pickup(1, party=3)))
    assert here.pickup(2).status == "planned"


def test_the_newer_epoch_of_schedule_is_believed(here):
    here.ask(a_pickup(), changed(a_pickup(), to_place="hotel"))
    here.house.kill("schedule")
    here.house.start("schedule", LastEnd("SIGKILL", here.now))
    here.ask(a_pickup(to_place="venue"))
    assert (here.pickup().revision, here.pickup().to_place) == (1, "venue")


def test_a_flight_that_is_too_late_for_the_talk_puts_the_talk_at_risk_once_a_revision(here):
    talk = {"talk": "T1", "talk_title": "Failing well"}
    fact = a_pickup(deadline_at=NOON + timedelta(hours=2), **talk)
    here.ask(fact)
    assert [one["talk"] for one in here.told("talk.at_risk")] == ["T1"]
    assert here.pickup().status == "planned"  # Late is better than stranded.
    here.ask(changed(fact, landing_at=fact.landing_at + timedelta(minutes=5)))
    assert len(here.told("talk.at_risk")) == 2
    here.ask(changed(fact, revision=3, deadline_at=NOON + timedelta(hours=5)))
    assert len(here.told("talk.at_risk")) == 2


def test_two_conferences_share_nothing(here):
    other = "otherconf"
    here.keep_conference(other)
    for place in (AIRPORT, VENUE, HOTEL):
        here.act(fleet.save_place, here.desk, Place(**(vars(place) | {"conference": other})))
    here.ask(a_pickup(1), a_pickup(2, conference=other))
    assert here.pickup(1).status == "planned"
    assert here.pickup(2).status == "unplaced"
    assert "there is no vehicle" in here.pickup(2).reason


def test_a_rolled_back_plan_poisons_nothing(here):
    """The hand kept by an action that fails afterwards must not be believed by the next."""

    class StopError(Exception):
        pass

    def plan_then_fail(tx, now):
        fact = a_pickup(1)
        data = fact.model_dump(mode="json")
        envelope = Envelope("id", "schedule", "schedule.pickup.requested", fact.subject, CONFERENCE, "e", 1, now, data)
        pickups.hear_request(tx, now, desk, fact, envelope)
        raise StopError

    desk = here.desk
    with pytest.raises(StopError):
        here.act(plan_then_fail)
    hand = here.act(lambda tx, now: plans.take_hand(tx, now, desk, CONFERENCE))
    assert hand.pickups == {}
    assert [one.stops for one in hand.plan.manifests] == [(), ()]


def test_what_is_loaded_again_is_a_valid_plan(here):
    here.ask(*(a_pickup(number, landing_at=NOON + timedelta(minutes=7 * number)) for number in range(1, 12)))

    row = here.read(store.load_plan, CONFERENCE)
    loaded = here.read(plans.load_hand, here.now, here.desk.settings, row)
    assert sum(bool(one.stops) for one in loaded.plan.manifests) == 2
    for manifest in loaded.plan.manifests:
        assert plans.violations_of(loaded, manifest.vehicle_id) == []
        assert plans.is_drivable(loaded, manifest.vehicle_id)


def test_a_request_that_comes_late_is_still_planned_while_it_is_of_use(here):
    late = a_pickup(landing_at=NOON - timedelta(hours=1), expires_at=NOON + timedelta(hours=1))
    here.ask(late)
    assert here.pickup().status == "planned"
    assert here.pickup().board_at >= NOON


def test_the_sample_is_loaded_once_and_moved_while_nobody_touched_it(here):
    database = here.house["dispatch"].database
    load = here.house.services["dispatch"].load_sample
    here.act(_empty)
    loaded = asyncio.run(load(database, NOON.date()))
    assert (loaded["did"], loaded["faults"]) == ("loaded", [])
    before = here.read(store.load_shifts, CONFERENCE)
    assert asyncio.run(load(database, NOON.date()))["did"] == "nothing"
    moved = asyncio.run(load(database, NOON.date() + timedelta(days=1)))
    assert moved["did"] == "moved"
    after = here.read(store.load_shifts, CONFERENCE)
    assert {key: one.from_at - before[key].from_at for key, one in after.items()} == dict.fromkeys(
        before, timedelta(days=1)
    )


def _empty(tx, now):
    for shift in store.load_shifts(tx.connection, CONFERENCE):
        store.remove_shift(tx, shift)
    for code in store.load_vehicles(tx.connection, CONFERENCE):
        store.remove_vehicle(tx, CONFERENCE, code)
    for slug in store.load_places(tx.connection, CONFERENCE):
        store.remove_place(tx, CONFERENCE, slug)


def test_a_long_list_of_missed_is_declared_at_start_some_at_a_time(here, monkeypatch):
    monkeypatch.setattr(pickups, "MISSED_AT_ONCE", 2)
    here.ask(*(a_pickup(number, landing_at=NOON + timedelta(minutes=number)) for number in range(1, 6)))
    here.house.kill("dispatch")
    here.house.clock.advance(timedelta(hours=6).total_seconds())
    here.house.start("dispatch", LastEnd("SIGKILL", here.now))
    assert [here.pickup(number).status for number in range(1, 6)] == ["missed"] * 5
    numbers = [one["plan"] for one in here.told("plan.published")]
    assert numbers[-3:] == [numbers[-3], numbers[-3] + 1, numbers[-3] + 2]
    here.check_places()
