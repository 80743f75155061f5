"""What needs a person stands on the board: by name, talk and time, in the alarms and in the counts."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from clocks import NOON
from dispatched import CONFERENCE, Dispatched, a_pickup, changed, withdrawn
from softlanding.dispatch import plans, store, views
from softlanding.dispatch.actions import fleet, pickups, taps
from softlanding.dispatch.model import Place

BOARD = f"/{CONFERENCE}/dispatch/"
FAR_HOTEL = Place(CONFERENCE, "far", "Far Hotel", "hotel", 53.75, 9.6, "Europe/Berlin")


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch)


@pytest.fixture
def coordinator(here):
    return here.house.client("dispatch", roles=["coordinator"])


def a_talk(minutes):
    """For a landing at 13:00."""
    return {"talk": "T1", "talk_title": "On SQL", "deadline_at": NOON + timedelta(hours=1, minutes=minutes)}


def alarms(coordinator):
    return coordinator.get(f"/api/dispatch/{CONFERENCE}/board").json()["alarms"]


def kinds(coordinator):
    return [one["kind"] for one in alarms(coordinator)]


def test_nothing_needs_a_person_while_all_is_in_time(here, coordinator):
    here.ask(a_pickup(1, **a_talk(180)))
    assert alarms(coordinator) == []
    assert "Nothing needs a person" in coordinator.get(BOARD).text


@pytest.mark.parametrize("minutes", [-300, 0, 35])
def test_a_lost_talk_is_the_loudest_alarm_however_much_it_is_lost(here, coordinator, minutes):
    here.ask(a_pickup(2, party=9), a_pickup(1, **a_talk(minutes)))
    first = alarms(coordinator)[0]
    assert (first["kind"], first["pickup"]) == ("lost", "K7Q1")
    for text in ("Speaker 1", "On SQL"):
        assert text in first["detail"]
    page = coordinator.get(BOARD).text
    assert "Nothing needs a person" not in page
    assert "Talk moved" in page


def test_a_lost_talk_is_one_incident_and_grows_when_it_gets_worse(here):
    asked = a_pickup(1, **a_talk(10))
    here.ask(asked)
    same = changed(asked, phone="+49 1")
    here.ask(same)
    assert [one.times for one in here.incidents() if one.kind == "lost"] == [1]
    here.ask(changed(same, landing_at=NOON + timedelta(hours=2), expires_at=NOON + timedelta(hours=4)))
    assert [one.times for one in here.incidents() if one.kind == "lost"] == [2]
    here.pass_time(hours=6)
    assert [one.settled_at for one in here.incidents() if one.kind == "lost"] == [None]


def onward(here):
    """From the far hotel to the nearest venue, as plans reckon it."""
    return plans.onward(here.read(store.load_places, CONFERENCE), here.now, ZoneInfo("Europe/Berlin"))["far"]


def minutes_after_landing(here, more):
    """When a talk begins that is so much after the ride to the far hotel ends."""
    return (here.pickup().deliver_at + more - NOON - timedelta(hours=1)) / timedelta(minutes=1)


@pytest.mark.parametrize(
    ("margin", "kind"),
    [
        (-timedelta(minutes=1), "lost"),
        (timedelta(0), "lost"),
        (timedelta(minutes=1), "at_risk"),
        (timedelta(minutes=14), "at_risk"),
        (timedelta(minutes=16), None),
    ],
)
def test_in_time_means_at_the_venue_not_at_the_hotel(here, coordinator, margin, kind):
    here.act(fleet.save_place, here.desk, FAR_HOTEL)
    here.ask(a_pickup(1, to_place="Far Hotel", **a_talk(24 * 60)))
    begins = minutes_after_landing(here, onward(here) + margin)
    here.ask(a_pickup(2, to_place="Far Hotel", **a_talk(begins)))
    found = [one for one in alarms(coordinator) if one["pickup"] == "K7Q2"]
    assert [one["kind"] for one in found] == ([kind] if kind else [])
    assert all("On SQL" in one["detail"] and "Move the ride to another car" in one["to_do"] for one in found)
    assert [one["pickup"] for one in here.told("talk.at_risk")] == (["pickup-2"] if kind else [])


def test_a_talk_that_is_lost_by_its_plan_alone_is_so_until_the_plan_is_another(here, coordinator):
    here.act(fleet.save_place, here.desk, FAR_HOTEL)
    here.ask(a_pickup(1, to_place="Far Hotel", **a_talk(24 * 60)))
    here.ask(changed(a_pickup(1, to_place="Far Hotel", **a_talk(minutes_after_landing(here, timedelta(minutes=1))))))
    [alarm] = alarms(coordinator)
    assert alarm["kind"] == "lost"
    assert alarm["title"].startswith("The talk of K7Q1 is lost: it begins Fri 8 May")
    assert here.incidents() == []  # A plan may still mend it.
    again = a_pickup(1, to_place="Kaispeicher Nine", **a_talk(24 * 60))
    here.ask(changed(again, revision=3))
    assert alarms(coordinator) == []


def test_of_several_venues_the_nearest_one_counts(here, coordinator):
    here.act(fleet.save_place, here.desk, FAR_HOTEL)
    here.ask(a_pickup(1, to_place="Far Hotel", **a_talk(24 * 60)))
    begins = minutes_after_landing(here, onward(here))
    here.act(fleet.save_place, here.desk, Place(CONFERENCE, "barn", "The Barn", "venue", 53.751, 9.6, "Europe/Berlin"))
    here.ask(a_pickup(2, to_place="Far Hotel", **a_talk(begins)))
    assert [one["kind"] for one in alarms(coordinator) if one["pickup"] == "K7Q2"] == []


def test_a_refused_pickup_says_why_and_what_to_do_and_counts(here, coordinator):
    here.ask(a_pickup(1, party=25))
    [alarm] = alarms(coordinator)
    assert (alarm["kind"], alarm["state"]) == ("stranded", "refused")
    assert "split it" in alarm["detail"]
    assert alarm["to_do"]
    page = coordinator.get(BOARD).text
    assert "<b>1</b> refused" in page
    assert "Speaker 1" in page


def test_who_has_no_car_is_an_alarm_until_there_is_one(here, coordinator):
    here.ask(a_pickup(1, party=5))
    assert kinds(coordinator) == ["unplaced"]
    here.add_car(9, seats=8)
    here.house.run()
    assert alarms(coordinator) == []


def test_those_of_later_days_without_a_car_are_one_alarm(here, coordinator):
    later = NOON + timedelta(days=3)
    here.ask(a_pickup(1, landing_at=later), a_pickup(2, landing_at=later))
    [alarm] = alarms(coordinator)
    assert alarm["title"].startswith("2 pickups of later days have no car yet")


def test_a_cancelled_and_a_diverted_flight_are_alarms_until_settled(here, coordinator):
    first, second = a_pickup(1), a_pickup(2)
    here.ask(first, second)
    here.ask(withdrawn(first, news="cancelled"), changed(second, news="diverted"))
    assert kinds(coordinator) == ["stranded", "stranded"]
    here.ask(changed(changed(second, news="diverted"), phone="+49 2", news="diverted"))
    assert kinds(coordinator) == ["stranded", "stranded"]


def test_a_driver_who_does_not_say_that_they_come_is_an_alarm(here, coordinator):
    here.ask(a_pickup(1))
    board_in = (here.pickup().board_at - here.now).total_seconds()
    here.pass_time(seconds=board_in - 15 * 60)
    assert kinds(coordinator) == ["not_taken"]
    here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", "accepted", None)
    assert kinds(coordinator) == []
    here.pass_time(minutes=21)
    assert kinds(coordinator) == ["not_there"]


def test_a_word_of_a_person_that_no_longer_holds_names_the_car_that_is_free(here):
    asked = a_pickup(1)
    here.ask(asked)
    other = "V2" if here.pickup().vehicle == "Car 1" else "V1"
    here.act(pickups.assign, here.desk, CONFERENCE, "K7Q1", other, reason="shorter", by="Ana")
    here.add_car(9, seats=8)
    here.ask(changed(asked, party=6, luggage=1))
    assert here.pickup().status == "unplaced"
    assert "Car 9 with Driver 9 is free for it at" in here.pickup().reason
    assert not here.pickup().reason.rstrip().endswith(":")


def test_the_counts_add_up_whatever_became_of_each(here, coordinator):
    asked = [a_pickup(number) for number in range(1, 5)]
    here.ask(*asked, a_pickup(5, party=25), a_pickup(6, party=9))
    here.ask(withdrawn(asked[0]))
    here.act(taps.tap, here.desk, CONFERENCE, "K7Q2", "accepted", None)
    counts = coordinator.get(f"/api/dispatch/{CONFERENCE}/board").json()["counts"]
    assert sum(counts[name] for name in views.STATES) == counts["total"] == 6
    assert {name: counts[name] for name in views.STATES if counts[name]} == {
        "planned": 2,
        "accepted": 1,
        "refused": 1,
        "unplaced": 1,
        "stood_down": 1,
    }
    here.pass_time(hours=5)
    counts = coordinator.get(f"/api/dispatch/{CONFERENCE}/board").json()["counts"]
    assert sum(counts[name] for name in views.STATES) == counts["total"] == 6
    assert counts["to_settle"] == len(alarms(coordinator))
