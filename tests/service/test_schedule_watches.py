"""The one who asks, watches: help is called when Dispatch does not answer, and nothing but its word ends a watch."""

import pytest

from conferences_made import EPOCH, PROMISE, SLUG, a_programme, an_arrival, bring, dispatch_says, told
from house import House
from softlanding import incidents, notices
from softlanding.errors import Refused
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import announce_arrival, change_arrival, enter_flight_news
from softlanding.schedule.actions.pickups import go_on_waiting, say_not_needed, take_by_hand
from softlanding.schedule.model import News

ZONE = "Europe/Berlin"


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, names=["schedule"])
    bring(house, a_programme())
    house.run()  # It is public: nobody is called for that.
    house.clock.advance(60)
    return house


@pytest.fixture
def asked(house):
    write(house, announce_arrival, SLUG, "ADA", an_arrival(note="has a cello"), PROMISE)
    return told(house, "pickup.requested")[0]


def write(house, action, *args, **more):
    return house["schedule"].database.write_now(action, *args, **more)


def read(house, view, *args):
    return house["schedule"].database.read_now(view, *args)


def open_incidents(house):
    """But for the silence of the others, who are not at work in these tests."""
    listed = read(house, incidents.list_incidents)
    return [each for each in listed if each.settled_at is None and each.kind != "silence"]


def alarms(house):
    return read(house, views.journeys.unanswered, SLUG, ZONE, house.clock.now())


def journey_row(house):
    [row] = read(house, views.journeys.arrivals, SLUG, ZONE)
    return row


def watch_of(house, asked):
    return read(house, store.pickups.watches_of, asked.pickup)[-1]


def wait(house, seconds=31):
    house.clock.advance(seconds)
    house.run()


@pytest.mark.parametrize("word", ["planned", "unplaced", "refused", "missed"])
def test_dispatchs_word_about_the_revision_ends_the_watch(house, asked, word):
    dispatch_says(house, word, asked, reason="because")
    assert watch_of(house, asked).ended_by == word
    wait(house)
    assert open_incidents(house) == []


def test_no_other_word_ends_it(house, asked):
    dispatch_says(house, "stood_down", asked)
    assert watch_of(house, asked).ended_at is None
    wait(house)
    assert [incident.kind for incident in open_incidents(house)] == ["unanswered"]


def test_a_word_about_the_revision_before_ends_nothing(house, asked):
    journey = journey_row(house)["id"]
    write(house, change_arrival, SLUG, journey, an_arrival(luggage=4), PROMISE)
    dispatch_says(house, "planned", asked)
    assert watch_of(house, asked).ended_at is None
    wait(house)
    assert [alarm["pickup"] for alarm in alarms(house)] == [asked.code]
    assert "revision 2" in open_incidents(house)[0].sentence


def test_not_before_the_time_and_not_twice(house, asked):
    wait(house, 29)
    assert open_incidents(house) == []
    wait(house, 2)
    wait(house, 600)
    assert len(open_incidents(house)) == 1
    assert len(read(house, notices.list_notices)) == 1


def test_the_incident_names_nobody_and_the_notice_says_all(house, asked):
    wait(house)
    [incident] = open_incidents(house)
    [notice] = read(house, notices.list_notices)
    assert (incident.code, incident.conference) == (asked.code, SLUG)
    for personal in ("Ada", "+49 1", "LH2078", "cello"):
        assert personal not in incident.sentence
        assert personal in notice.text
    assert "Hotel Zur Elbe" in notice.text
    assert "landing 2026-05-09 07:30 (Europe/Berlin)" in notice.text
    assert incident.sentence.endswith("asked for at 14:01:00, an answer due by 14:01:30 (Europe/Berlin)")
    assert incident.id == incidents.incident_id(f"unanswered/{asked.pickup}/1")


def test_schedule_never_says_missed(house, asked):
    wait(house, 3 * 86400)
    assert told(house, "pickup.missed") == []
    assert journey_row(house)["state"] == "unanswered"


def test_what_was_answered_while_schedule_was_dead_is_heard_before_help_is_called(house, asked):
    house.kill("schedule")
    house.clock.advance(3600)
    house.start("schedule")
    house.run()
    assert open_incidents(house) == []
    wait(house, 4)
    assert len(open_incidents(house)) == 1


def test_deadlines_hold_while_the_clock_is_in_doubt(house, asked):
    house.run()
    house.clock.jump(3600)
    house.run()
    assert [incident.kind for incident in open_incidents(house)] == ["clock"]


def test_taken_by_hand_stands_dispatch_down_and_settles_the_alarm(house, asked):
    wait(house)
    write(house, take_by_hand, SLUG, asked.code, by="Ben", word="Ben, own car")
    [withdrawn] = told(house, "pickup.withdrawn")
    assert (withdrawn.revision, withdrawn.reason) == (2, "by hand: Ben, own car")
    assert open_incidents(house) == []
    [settled] = told(house, "incident.settled")
    assert (settled.settled_word, settled.settled_by) == ("taken by hand", "Ben")
    assert alarms(house) == []


def press(house, word, number=1):
    """The button on Operations, which leads to the service that keeps the incident."""
    [incident] = open_incidents(house)
    data = {"incident": incident.id, "word": word, "note": "", "key": f"press-{number}"}
    operator = house.client("schedule", ["operator"], conference="*")
    return operator.post("/-settle/schedule", data=data, follow_redirects=False)


@pytest.mark.parametrize(("word", "is_by_hand"), [("taken by hand", 1), ("driven by taxi", 1), ("not needed", 0)])
def test_settled_on_operations_the_driver_is_stood_down(house, asked, word, is_by_hand):
    wait(house)
    assert press(house, word).status_code == 303
    assert open_incidents(house) == []
    [fact] = told(house, "pickup.withdrawn")
    assert (fact.pickup, fact.revision, fact.reason_kind == "by_hand") == (asked.pickup, 2, bool(is_by_hand))


def test_answered_meanwhile_on_operations_lets_the_driver_go_on(house, asked):
    wait(house)
    press(house, "answered meanwhile")
    assert open_incidents(house) == []
    assert told(house, "pickup.withdrawn") == []


def test_a_word_that_cannot_be_done_settles_nothing(house, asked):
    wait(house)
    dispatch_says(house, "boarded", asked)
    press(house, "taken by hand")
    assert [incident.kind for incident in open_incidents(house)] == ["unanswered"]
    assert told(house, "pickup.withdrawn") == []


def test_until_it_stood_down_a_driver_may_still_come(house, asked):
    write(house, take_by_hand, SLUG, asked.pickup, by="Ben", word="Ben, own car")
    assert journey_row(house)["state"] == "by_hand"
    assert "a driver may still come" in journey_row(house)["why"]
    [withdrawn] = told(house, "pickup.withdrawn")
    dispatch_says(house, "stood_down", withdrawn)
    assert journey_row(house)["why"] == "Ben, own car (Ben)"


def test_a_late_plan_is_shown_beside_the_hand_made_ride_and_closes_nothing(house, asked):
    wait(house)
    write(house, take_by_hand, SLUG, asked.code, by="Ben", word="Ben, own car")
    dispatch_says(house, "planned", asked, vehicle="Grey van", board_at=asked.landing_at)
    row = journey_row(house)
    assert (row["state"], "Dispatch has planned Grey van, 07:30" in row["why"]) == ("by_hand", True)
    with pytest.raises(Refused, match="taken by hand already"):
        write(house, take_by_hand, SLUG, asked.code, by="Ana", word="Ana")


def test_a_late_plan_does_not_settle_the_alarm_either(house, asked):
    wait(house)
    dispatch_says(house, "planned", asked, vehicle="Grey van", board_at=asked.landing_at)
    assert [alarm["late_plan"] for alarm in alarms(house)] == ["Dispatch planned it after all: Grey van, 07:30."]
    write(house, go_on_waiting, SLUG, asked.code, by="Ben", note="")
    assert [fact.settled_word for fact in told(house, "incident.settled")] == ["answered meanwhile"]


def test_going_on_waiting_is_quiet_for_a_while_only(house, asked):
    wait(house)
    write(house, go_on_waiting, SLUG, asked.code, by="Ben", note="")
    assert alarms(house) == []
    wait(house, 301)
    assert len(alarms(house)) == 1


def test_not_needed_withdraws_and_settles(house, asked):
    wait(house)
    write(house, say_not_needed, SLUG, asked.code, by="Ben", note="came by bus")
    assert [fact.reason for fact in told(house, "pickup.withdrawn")] == ["not needed: came by bus"]
    assert [fact.settled_word for fact in told(house, "incident.settled")] == ["not needed"]


def test_news_about_a_ride_taken_by_hand_ask_for_nothing(house, asked):
    write(house, take_by_hand, SLUG, asked.code, by="Ben", word="Ben, own car")
    journey = journey_row(house)["id"]
    heard = News("late", asked.landing_at.replace(hour=9), house.clock.now())
    answer = write(house, enter_flight_news, SLUG, journey, heard, PROMISE)
    assert answer["warnings"] == ["Ben has taken this by hand (Ben, own car): tell them"]
    assert told(house, "pickup.changed") == []


def test_nobody_is_taken_by_hand_out_of_a_car(house, asked):
    dispatch_says(house, "boarded", asked)
    with pytest.raises(Refused, match="aboard"):
        write(house, take_by_hand, SLUG, asked.code, by="Ben", word="Ben")


def test_the_rides_state_follows_dispatchs_words(house, asked):
    for word in ("planned", "accepted", "driver_arrived", "boarded", "delivered"):
        dispatch_says(house, word, asked)
    assert journey_row(house)["state"] == "delivered"


def test_an_older_revision_of_the_same_epoch_is_passed_over_and_a_new_epoch_replaces(house, asked):
    later = asked.model_copy(update={"revision": 3})
    dispatch_says(house, "planned", later, vehicle="Grey van")
    dispatch_says(house, "unplaced", asked, reason="old")
    assert read(house, store.pickups.load_ride, asked.pickup).status == "planned"
    dispatch_says(house, "unplaced", asked, epoch=EPOCH + "2", reason="restored")
    assert read(house, store.pickups.load_ride, asked.pickup).status == "unplaced"


def test_a_word_about_an_unknown_pickup_is_kept(house, asked):
    dispatch_says(house, "planned", asked.model_copy(update={"pickup": "from-a-lost-branch"}))
    assert read(house, store.pickups.load_ride, "from-a-lost-branch").status == "planned"
