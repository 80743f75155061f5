"""A person's word on an incident is done by whichever page it is said: where nobody has to drive, no car comes."""

import pytest

from dispatched import CONFERENCE, Dispatched, a_pickup, changed, withdrawn
from softlanding.dispatch.actions import pickups, taps


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch)


@pytest.fixture
def operator(here):
    """At Operations, whose form is taken by the service that keeps the incident."""
    return here.house.client("dispatch", roles=["operator", "coordinator"])


def settle(here, operator, word, note=""):
    [incident] = here.incidents()
    given = {"incident": incident.id, "word": word, "note": note, "key": f"{incident.id}{word}"}
    operator.post("/-settle/dispatch", data=given, follow_redirects=False)


def missed_and_planned_again(here):
    here.ask(a_pickup(1))
    here.pass_time(hours=4)
    assert here.pickup().status == "missed"
    here.act(pickups.take_back, here.desk, CONFERENCE, "K7Q1", reason="they wait", by="Ana")
    here.house.run()
    assert here.pickup().status == "planned"


@pytest.mark.parametrize("word", ["driven by taxi", "came by themselves", "not needed"])
def test_a_missed_ride_that_was_planned_again_stands_down_where_nobody_has_to_drive(here, operator, word):
    missed_and_planned_again(here)
    settle(here, operator, word, "42 euro")
    pickup = here.pickup()
    assert (pickup.status, pickup.shift) == ("stood_down", None)
    [told] = here.told("pickup.stood_down")
    assert told["reason"] == f"{word}, says Ana Test: 42 euro"
    assert here.incidents() == []
    here.check_places()


@pytest.mark.parametrize("word", ["fetched later", "could not be reached"])
def test_other_words_leave_the_ride_as_it_is(here, operator, word):
    missed_and_planned_again(here)
    settle(here, operator, word)
    assert here.pickup().status == "planned"


def test_who_is_stranded_and_was_planned_after_a_correction_stands_down(here, operator):
    asked = a_pickup(1, party=25)
    here.ask(asked)
    here.ask(changed(asked, party=2))
    assert here.pickup().status == "planned"
    settle(here, operator, "driven by taxi")
    assert here.pickup().status == "stood_down"


def test_a_word_that_the_passenger_aboard_gives_the_lie_to_is_refused_and_nothing_is_settled(here, operator):
    missed_and_planned_again(here)
    here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", "boarded", None)
    [incident] = here.incidents()
    path = f"/api/dispatch/incidents/{incident.id}/settle"
    answer = operator.post(path, json={"word": "driven by taxi"}, headers={"Idempotency-Key": "1"})
    assert answer.status_code == 409
    assert "K7Q1 is aboard Car 1 already; say 'fetched later' or 'could not be reached'" in answer.text
    settle(here, operator, "driven by taxi")
    assert here.pickup().status == "boarded"
    assert len(here.incidents()) == 1


def test_what_is_asked_anew_after_that_waits_for_a_person(here, operator):
    missed_and_planned_again(here)
    settle(here, operator, "driven by taxi")
    here.ask(changed(a_pickup(1), party=2, expires_at=here.now.replace(hour=23)))
    pickup = here.pickup()
    assert (pickup.status, pickup.is_held) == ("unplaced", True)
    assert pickup.reason == "driven by taxi, says Ana Test"


def test_who_has_no_ride_any_more_is_only_settled(here, operator):
    asked = a_pickup(1)
    here.ask(asked)
    here.pass_time(hours=4)
    settle(here, operator, "driven by taxi")
    assert here.pickup().status == "missed"
    here.ask(withdrawn(asked))
    assert here.pickup().status == "stood_down"
