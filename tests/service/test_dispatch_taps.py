"""What drivers say, and what becomes of the plan."""

from datetime import timedelta

import pytest

from clocks import NOON
from dispatched import CONFERENCE, Dispatched, a_pickup, changed, withdrawn
from softlanding import keys
from softlanding.dispatch import plans, store
from softlanding.dispatch.actions import fleet, taps
from softlanding.dispatch.actions import pickups as hand
from softlanding.errors import Forbidden, Refused


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch)


def tap(here, what, number=1, *, at=None, driver=0):
    answer = here.act(
        taps.tap, here.desk, CONFERENCE, f"K7Q{number}", what, at, driver=here.drivers[driver].id, by="a driver"
    )
    here.house.run()
    here.check_places()
    return answer


def drive(here, *steps, number=1):
    """Each step when it is planned: accepted now, arrived and aboard at boarding, delivered at the end."""
    for what in steps:
        pickup = here.pickup(number)
        at = {"arrived": pickup.board_at, "boarded": pickup.board_at, "delivered": pickup.deliver_at}.get(what)
        if at is not None:
            here.pass_time(seconds=max(0, (at - here.now).total_seconds()))
        tap(here, what, number)


def test_the_whole_ride_is_told_step_by_step(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded", "delivered")
    assert here.said() == [(what, 1) for what in ("planned", "accepted", "driver_arrived", "boarded", "delivered")]
    pickup = here.pickup()
    assert pickup.status == "delivered"
    assert NOON < pickup.boarded_at < pickup.delivered_at == here.now
    shift = here.read(store.load_shifts, CONFERENCE)[here.shifts[0]]
    assert (shift.at_place, shift.at_since) == ("venue", pickup.delivered_at)
    assert here.read(store.list_stops, CONFERENCE) == []


def test_a_tap_that_comes_twice_has_one_effect_and_the_first_answer(here):
    here.ask(a_pickup())
    arguments = (here.desk, CONFERENCE, "K7Q1", "accepted", NOON)
    first = here.act(keys.once, keys.Key("key-1", "tap"), taps.tap, *arguments, driver=here.drivers[0].id)
    here.house.clock.advance(60)
    again = here.act(keys.once, keys.Key("key-1", "tap"), taps.tap, *arguments, driver=here.drivers[0].id)
    other_key = here.act(keys.once, keys.Key("key-2", "tap"), taps.tap, *arguments, driver=here.drivers[0].id)
    assert first == again
    assert other_key["state"] == "accepted"
    assert here.said() == [("planned", 1), ("accepted", 1)]


def test_dropped_off_tells_of_aboard_too(here):
    here.ask(a_pickup())
    here.pass_time(seconds=(here.pickup().board_at - here.now).total_seconds())
    assert tap(here, "delivered")["state"] == "delivered"
    assert here.said() == [("planned", 1), ("boarded", 1), ("delivered", 1)]
    assert here.read(store.list_stops, CONFERENCE) == []


def test_a_no_show_of_who_is_aboard_is_noted_and_a_person_compares(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded")
    assert "aboard by your own word" in tap(here, "no_show")["words"]
    assert here.pickup().status == "boarded"
    assert ["no-show" in one.sentence for one in here.incidents()] == [True]


def test_another_drivers_ride_cannot_be_taken(here):
    here.ask(a_pickup())
    with pytest.raises(Forbidden):
        tap(here, "accepted", driver=1)


def test_who_sits_in_another_car_than_was_planned_is_in_that_car_and_the_desk_is_told(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived")
    assert tap(here, "boarded", driver=1)["state"] == "boarded"
    assert (here.pickup().vehicle, here.pickup().last_shift) == ("Car 2", here.shifts[0])
    [told] = here.incidents()
    assert "aboard Car 2, but Car 1 was to fetch them" in told.sentence
    assert here.told()[-1]["driver_name"] == "Driver 2"
    tap(here, "delivered", driver=1)
    assert here.pickup().status == "delivered"


def test_two_drivers_who_both_say_aboard_are_two_stories_for_a_person(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded")
    before = here.pickup()
    for what in ("boarded", "delivered"):
        assert "noted" in tap(here, what, driver=1)["words"]
    assert here.pickup() == before
    assert all("but it is aboard with Car 1" in one.sentence for one in here.incidents())
    assert "kept beside what is known" in here.read(store.list_history, "pickup-1")[0].words


def test_a_ride_moved_away_while_its_passenger_boarded_comes_back(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived")
    here.act(hand.assign, here.desk, CONFERENCE, "K7Q1", "V2", reason="nearer", by="Ana")
    assert tap(here, "boarded")["state"] == "boarded"
    assert here.pickup().vehicle == "Car 1"
    assert len(here.incidents()) == 1


@pytest.mark.parametrize("gone", ["withdrawn", "taken back"])
def test_who_is_aboard_of_a_ride_that_is_gone_is_aboard(here, gone):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived")
    if gone == "withdrawn":
        here.ask(withdrawn(a_pickup()))
    else:
        here.act(hand.take_back, here.desk, CONFERENCE, "K7Q1", reason="no", by="Ana")
    assert tap(here, "arrived")["words"].startswith("noted")
    assert tap(here, "boarded")["state"] == "boarded"
    assert here.said()[-1][0] == "boarded"
    assert any("aboard" in one.sentence for one in here.incidents())
    tap(here, "delivered")
    assert here.pickup().status == "delivered"


def test_a_driver_without_a_shift_who_says_aboard_is_heard(here):
    here.ask(a_pickup())
    other = here.act(fleet.add_driver, CONFERENCE, "Extra", "")["driver"]
    answer = here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", "boarded", None, driver=other, by="Extra")
    assert "noted as aboard" in answer["words"]
    assert ["Somebody says about K7Q1" in one.sentence for one in here.incidents()] == [True]
    assert here.read(store.list_history, "pickup-1")[0].by == "Extra"
    assert here.pickup().status == "planned"


def test_nothing_is_missed_while_a_driver_stands_there_but_a_person_is_asked(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived")
    here.pass_time(seconds=(here.pickup().due_at - here.now).total_seconds() + 1)
    assert (here.pickup().status, here.pickup().shift) == ("arrived", here.shifts[0])
    [asked] = here.incidents()
    assert "The driver of Car 1 waits for K7Q1 since 15:30: is the passenger still expected?" in asked.sentence
    here.pass_time(minutes=10)
    assert len(here.incidents()) == 1
    here.pass_time(minutes=21)
    assert len(here.incidents()) == 2  # Still there: asked once more.
    assert tap(here, "boarded")["state"] == "boarded"
    here.check_places()


def test_picked_up_after_a_no_show(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived")
    here.pass_time(minutes=16)
    tap(here, "no_show")
    page = here.house.client("dispatch").get(here.drive_path()).text
    assert "Picked up after all" in page
    here.pass_time(minutes=2)
    assert tap(here, "boarded")["state"] == "boarded"
    assert here.said()[-2:] == [("no_show", 1), ("boarded", 1)]


def test_a_late_word_is_accepted_in_its_place_and_marked(here):
    here.ask(a_pickup())
    drive(here, "accepted")
    pickup = here.pickup()
    here.pass_time(seconds=(pickup.board_at - here.now).total_seconds() + 600)
    tap(here, "boarded", at=pickup.board_at + timedelta(minutes=5))
    answer = tap(here, "arrived", at=pickup.board_at)
    assert answer["state"] == "boarded"
    assert "told later" in answer["words"]
    boarded, arrived = here.told()[-2:]
    assert (boarded["type"], boarded["is_late_word"]) == ("pickup.boarded", True)
    assert (arrived["type"], arrived["is_late_word"], arrived["status"]) == ("pickup.driver_arrived", True, "boarded")
    assert here.pickup().arrived_at == pickup.board_at


def test_a_phone_whose_clock_is_ahead_taps_now(here):
    here.ask(a_pickup())
    tap(here, "accepted", at=NOON + timedelta(hours=5))
    assert here.pickup().accepted_at == here.now


def test_aboard_after_it_was_declared_missed_is_the_truth(here):
    here.ask(a_pickup())
    boarded_at = here.pickup().board_at + timedelta(minutes=1)
    here.pass_time(hours=4)
    assert here.pickup().status == "missed"
    answer = tap(here, "boarded", at=boarded_at)
    assert answer["state"] == "boarded"
    assert "missed" in answer["words"]
    assert here.said()[-2:] == [("missed", 1), ("boarded", 1)]
    assert len(here.incidents()) == 1  # A person still has to say what happened.
    assert (here.pickup().shift, here.pickup().boarded_at) == (here.shifts[0], boarded_at)
    tap(here, "delivered")
    assert here.pickup().status == "delivered"


def test_a_no_show_may_be_said_once_the_driver_has_waited(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived")
    with pytest.raises(Refused, match="please wait for K7Q1 until 15:45"):
        tap(here, "no_show")
    here.pass_time(minutes=16)
    assert tap(here, "no_show")["state"] == "no_show"
    assert here.said()[-1] == ("no_show", 1)
    assert [one.code for one in here.incidents()] == ["K7Q1"]
    assert here.read(store.load_shifts, CONFERENCE)[here.shifts[0]].at_place == "ham"
    here.pass_time(hours=4)
    assert here.pickup().status == "no_show"


def test_a_withdrawn_ride_is_taken_from_the_driver_in_words(here):
    here.ask(a_pickup())
    here.ask(withdrawn(a_pickup()))
    with pytest.raises(Refused, match="withdrawn: nobody has to come"):
        tap(here, "accepted")


def test_who_is_aboard_cannot_be_stood_down(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded")
    here.ask(withdrawn(a_pickup()))
    assert here.said()[-1] == ("boarded", 2)
    assert here.pickup().status == "boarded"


def test_another_goal_while_aboard_is_driven_to(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded")
    here.ask(changed(a_pickup(), to_place="Pension Plan B"))
    assert ("planned", 2) in here.said()
    assert here.said()[-1] == ("boarded", 2)
    [board, alight] = here.read(store.list_stops, CONFERENCE)
    assert (board.kind, board.place, alight.place) == ("board", "ham", "hotel")
    here.check_places()


def test_changes_after_delivery_are_answered_and_nothing_else(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded", "delivered")
    here.ask(changed(a_pickup(), to_place="hotel"))
    assert here.said()[-1] == ("delivered", 2)
    assert here.pickup().status == "delivered"


def test_a_late_car_moves_the_times_of_who_comes_after(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1, party=3), a_pickup(2, party=3, landing_at=NOON + timedelta(hours=2)))
    before = here.pickup(2)
    drive(here, "accepted", "arrived")
    here.pass_time(minutes=20)
    tap(here, "boarded")
    after = here.pickup(2)
    assert after.status == "planned"
    assert after.board_at > before.board_at
    assert here.told("pickup.planned")[-1]["reason"].startswith("times moved")


def test_a_car_much_too_late_loses_the_next_ride_which_says_so(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1, party=3), a_pickup(2, party=3, landing_at=NOON + timedelta(hours=2)))
    drive(here, "accepted", "arrived")
    here.pass_time(minutes=85)
    tap(here, "boarded")
    assert here.pickup(1).status == "boarded"
    assert ("unplaced", 1) in here.said(2)


def test_shared_rides_end_one_by_one_and_the_car_is_where_the_last_left(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1), a_pickup(2, to_place="hotel"))
    for what in ("accepted", "arrived", "boarded"):
        drive(here, what, number=1)
        drive(here, what, number=2)
    first, last = sorted((1, 2), key=lambda number: here.pickup(number).deliver_at)
    drive(here, "delivered", number=first)
    assert len(here.read(store.list_stops, CONFERENCE)) == 4
    drive(here, "delivered", number=last)
    assert here.read(store.list_stops, CONFERENCE) == []
    shift = here.read(store.load_shifts, CONFERENCE)[here.shifts[0]]
    assert shift.at_place == here.pickup(last).to_place


def test_the_coordinator_assigns_and_no_plan_takes_it_away(here):
    here.ask(a_pickup())
    arguments = (here.desk, CONFERENCE, "K7Q1", "V2")
    answer = here.act(hand.assign, *arguments, reason="knows her", by="Ana")
    assert answer["vehicle"] == "Car 2"
    assert here.told("pickup.planned")[-1]["reason"] == "by a person: knows her"
    here.ask(changed(a_pickup(), landing_at=NOON + timedelta(hours=1, minutes=10)))
    assert (here.pickup().vehicle, here.pickup().is_pinned) == ("Car 2", True)
    history = [(one.words.split(",")[0], one.by) for one in here.read(store.list_history, "pickup-1")]
    assert ("planned on Car 2", "Ana") in history
    here.check_places()


def test_what_does_not_fit_is_refused_in_words_and_nothing_changes(here):
    here.add_car(3, seats=2)
    here.ask(a_pickup(1, party=3), a_pickup(2, party=3))
    before = here.pickup(1)
    with pytest.raises(Refused, match="K7Q1 needs 3 seats, Car 3 has 2"):
        here.act(hand.assign, here.desk, CONFERENCE, "K7Q1", "V3", reason="why not", by="Ana")
    with pytest.raises(Refused, match="V9 has no shift"):
        here.act(hand.assign, here.desk, CONFERENCE, "K7Q1", "V9", reason="why not", by="Ana")
    assert here.pickup(1) == before


def test_who_is_aboard_cannot_be_moved(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded")
    with pytest.raises(Refused, match="aboard Car 1"):
        here.act(hand.assign, here.desk, CONFERENCE, "K7Q1", "V2", reason="x", by="Ana")
    with pytest.raises(Refused, match="aboard"):
        here.act(hand.take_back, here.desk, CONFERENCE, "K7Q1", reason="x", by="Ana")


def test_what_is_taken_back_waits_for_a_person_until_it_is_unlocked(here):
    here.ask(a_pickup())
    here.act(hand.take_back, here.desk, CONFERENCE, "K7Q1", reason="fetched by a friend", by="Ana")
    here.pass_time(minutes=2)
    assert here.pickup().status == "unplaced"
    assert here.said() == [("planned", 1), ("unplaced", 1)]
    here.ask(changed(a_pickup()))
    assert here.pickup().status == "unplaced"
    here.act(hand.unlock, here.desk, CONFERENCE, "K7Q1", reason="the friend has no car", by="Ana")
    assert here.pickup().status == "planned"
    here.check_places()


def test_the_missed_can_be_taken_up_again_and_the_incident_stays(here):
    here.ask(a_pickup())
    here.pass_time(hours=4)
    here.act(hand.take_back, here.desk, CONFERENCE, "K7Q1", reason="still at the airport", by="Ana")
    here.pass_time(minutes=1)
    assert here.pickup().status == "planned"
    assert here.said() == [("planned", 1), ("missed", 1), ("planned", 1)]
    assert len(here.incidents()) == 1
    here.pass_time(hours=2)
    assert here.pickup().status == "missed"
    assert len(here.incidents()) == 1


def test_a_shift_that_ends_gives_its_rides_to_others(here):
    here.ask(a_pickup())
    here.act(fleet.remove_shift, here.desk, CONFERENCE, here.shifts[0])
    here.house.run()
    assert here.said() == [("planned", 1), ("unplaced", 1), ("planned", 1)]
    assert here.pickup().vehicle == "Car 2"
    here.check_places()


def test_a_shift_with_somebody_aboard_cannot_be_taken_out(here):
    here.ask(a_pickup())
    drive(here, "accepted", "arrived", "boarded")
    with pytest.raises(Refused, match="aboard on that shift"):
        here.act(fleet.remove_shift, here.desk, CONFERENCE, here.shifts[0])


def test_a_smaller_car_loses_who_no_longer_fits(here):
    here.ask(a_pickup(1, party=3))
    car = here.read(store.load_vehicles, CONFERENCE)["V1"]
    here.act(fleet.save_vehicle, here.desk, type(car)(**(vars(car) | {"seats": 2})))
    here.house.run()
    assert here.pickup(1).vehicle == "Car 2"
    here.check_places()


def test_plans_are_valid_after_all_that(here):
    here.ask(*(a_pickup(number, landing_at=NOON + timedelta(minutes=11 * number)) for number in range(1, 8)))
    row = here.read(store.load_plan, CONFERENCE)
    loaded = here.read(plans.load_hand, here.now, here.desk.settings, row)
    assert [plans.violations_of(loaded, shift) for shift in here.shifts] == [[], []]
