"""Parties, luggage and wheelchairs that grow while a car is on its way: who finds no room there waits for another."""

from datetime import timedelta

import pytest

from clocks import NOON
from dispatched import CONFERENCE, Dispatched, a_pickup, changed
from softlanding.dispatch import plans, store
from softlanding.dispatch.actions import fleet, taps


@pytest.fixture
def here(tmp_path, monkeypatch):
    """One car with three seats and room for four bags."""
    return Dispatched(tmp_path, monkeypatch, cars=1)


def at_the_kerb(number, **changes):
    """Somebody who can board five minutes after noon, and each number a minute later."""
    return a_pickup(number, landing_at=NOON + timedelta(minutes=number - 26), **changes)


def tap(here, number, *steps):
    for what in steps:
        here.act(taps.tap, here.desk, CONFERENCE, f"K7Q{number}", what, here.now)
    here.house.run()


def board(here, number):
    tap(here, number, "accepted", "arrived", "boarded")


def told_unplaced(here):
    return [(one["code"], one["reason"]) for one in here.told("pickup.unplaced")]


def is_valid(here):
    here.check_places()
    hand = here.read(plans.load_hand, here.now, here.desk.settings, here.read(store.load_plan, CONFERENCE))
    return all(plans.violations_of(hand, shift) == [] for shift in here.shifts)


def test_who_finds_no_room_any_more_is_told_and_goes_with_another_car(here):
    first = at_the_kerb(1)
    here.ask(first, at_the_kerb(2))
    board(here, 1)
    here.add_car(2)
    here.ask(changed(first, party=3))
    assert told_unplaced(here) == [("K7Q2", "Car 1 can no longer take K7Q2: K7Q1 changed")]
    assert (here.pickup(1).vehicle, here.pickup(2).vehicle) == ("Car 1", "Car 2")
    assert here.said(1)[-2:] == [("planned", 2), ("boarded", 2)]
    assert is_valid(here)


def test_as_few_people_as_can_be_are_put_off(here):
    first = at_the_kerb(1, party=1, luggage=2)
    here.ask(first, at_the_kerb(2, party=1, luggage=1), at_the_kerb(3, party=1, luggage=1))
    board(here, 1)
    here.ask(changed(first, luggage=3))
    assert [code for code, _ in told_unplaced(here)] == ["K7Q3"]  # Either would do: who boards last waits.


def test_one_person_is_put_off_rather_than_two_who_board_later(here):
    first = at_the_kerb(1, party=1)
    here.act(fleet.save_vehicle, here.desk, a_bus(here, seats=4))
    here.ask(first, at_the_kerb(2, party=1), at_the_kerb(3, party=2))
    board(here, 1)
    here.ask(changed(first, party=2))
    assert [code for code, _ in told_unplaced(here)] == ["K7Q2"]


def a_bus(here, seats):
    car = here.read(store.load_vehicles, CONFERENCE)["V1"]
    return type(car)(**(vars(car) | {"seats": seats, "luggage": 20}))


def test_who_waits_beside_the_car_is_put_off_too(here):
    first = at_the_kerb(1)
    here.ask(first, at_the_kerb(2))
    board(here, 1)
    tap(here, 2, "accepted", "arrived")
    here.ask(changed(first, luggage=4), changed(at_the_kerb(2), luggage=1))
    assert here.pickup(2).shift is None or here.pickup(2).board_at > here.pickup(1).deliver_at
    assert [code for code, _ in told_unplaced(here)][:1] == ["K7Q2"]
    assert is_valid(here)


def test_a_party_that_grows_beside_the_car_boards_if_there_is_room(here):
    first = at_the_kerb(1)
    here.ask(first, at_the_kerb(2))
    tap(here, 1, "accepted", "arrived")
    here.ask(changed(first, party=3))
    assert (here.pickup(1).status, here.pickup(1).revision) == ("arrived", 2)
    assert [code for code, _ in told_unplaced(here)] == ["K7Q2"]
    assert is_valid(here)


def test_who_is_aboard_stays_aboard_and_a_person_is_called(here):
    first = at_the_kerb(1)
    here.ask(first)
    board(here, 1)
    here.ask(changed(first, party=5, luggage=9))
    assert here.pickup(1).status == "boarded"
    words = "Car 1 carries more than it has room for: 5 of 3 seats, 9 of 4 places for luggage"
    assert [one.sentence for one in here.incidents()] == [f"K7Q1 changed while aboard, and {words}. Call the driver"]
    assert words in [one.words for one in here.read(store.list_history, "pickup-1")]
    assert is_valid(here)


def test_what_a_smaller_party_leaves_is_given_to_who_waits(here):
    first = at_the_kerb(1, party=3)
    here.ask(first, at_the_kerb(2, party=2, expires_at=NOON + timedelta(minutes=15)))
    tap(here, 1, "accepted", "arrived")
    assert here.pickup(2).status == "unplaced"
    here.ask(changed(first, party=1))
    assert here.pickup(2).vehicle == "Car 1"
    assert is_valid(here)


def test_a_smaller_car_puts_off_those_it_is_on_its_way_to(here):
    here.ask(at_the_kerb(1), at_the_kerb(2, party=2))
    board(here, 1)
    tap(here, 2, "accepted", "arrived")
    here.act(fleet.save_vehicle, here.desk, a_bus(here, seats=2))
    here.house.run()
    assert told_unplaced(here)[0] == ("K7Q2", "Car 1 can no longer take K7Q2: the fleet changed")
    assert is_valid(here)


def test_more_wheelchairs_than_people_aboard_break_no_plan(here):
    first = at_the_kerb(1)
    here.ask(first)
    board(here, 1)
    here.ask(changed(first, wheelchairs=3), a_pickup(2, landing_at=NOON + timedelta(hours=3)))
    assert here.pickup(2).status == "planned"
