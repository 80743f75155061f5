"""Where to meet is typed once, at the place, and read by whom the driver fetches there: from Dispatch to Schedule."""

import pytest

from sampled import SLUG, Sampled
from softlanding.contracts.dispatch import RIDES, PickupPlanned
from softlanding.contracts.fact import personal_fields
from softlanding.dispatch import store
from softlanding.dispatch.actions import taps
from softlanding.dispatch.plans import Desk

WORDS = "Arrivals hall, left of the coffee shop"


@pytest.fixture
def sampled(tmp_path):
    return Sampled(tmp_path)


def the_ride(sampled):
    """One that is planned, of somebody who has a page."""
    rides = sampled.read("dispatch", store.list_pickups, SLUG, ("planned",))
    return next(ride for ride in rides if ride.direction == "arrival" and ride.speaker in sampled.real("speaker"))


def type_at(sampled, slug, note):
    """The coordinator changes the words in Places; everybody does what there is to do."""
    form = {"note": note, "key": f"{note} at {slug}"}
    answer = sampled.bosses()["dispatch"].post(f"/{SLUG}/dispatch/places/{slug}/change", data=form)
    assert answer.status_code == 303, answer.text
    sampled.house.run()


def speakers_page(sampled, ride):
    number = sampled.real("speaker").index(ride.speaker)
    return sampled.client("schedule").get(f"/{SLUG}/speaker/{sampled.real('speaker token')[number]}").text


def test_where_to_meet_reaches_the_speakers_page_and_follows_what_is_typed(sampled):
    ride = the_ride(sampled)
    assert WORDS not in speakers_page(sampled, ride)
    type_at(sampled, ride.from_place, WORDS)
    assert WORDS in speakers_page(sampled, ride)
    type_at(sampled, ride.from_place, "Gate B, at the clock")
    assert "Gate B, at the clock" in speakers_page(sampled, ride)
    assert WORDS not in speakers_page(sampled, ride)
    type_at(sampled, ride.from_place, "")
    assert "Gate B" not in speakers_page(sampled, ride)


def test_a_ride_that_is_planned_later_tells_it_too(sampled):
    ride = the_ride(sampled)
    type_at(sampled, ride.from_place, WORDS)
    car = sampled.read("dispatch", store.load_crews, SLUG)[ride.shift].code
    asked = {"vehicle": str(car), "reason": "they know each other", "key": "again"}
    answer = sampled.bosses()["dispatch"].post(f"/{SLUG}/dispatch/pickups/{ride.code}/assign", data=asked)
    assert answer.status_code == 303, answer.text
    sampled.house.run()
    assert WORDS in speakers_page(sampled, ride)


def test_who_is_aboard_or_boards_elsewhere_is_told_nothing_anew(sampled):
    rides = sampled.read("dispatch", store.list_pickups, SLUG, ("planned",))
    by_place = {ride.from_place: [one for one in rides if one.from_place == ride.from_place] for ride in rides}
    place, (aboard, waiting, *_) = max(by_place.items(), key=lambda item: len(item[1]))
    desk = Desk(sampled.house.settings.dispatch)
    sampled.write("dispatch", taps.tap, desk, SLUG, aboard.code, "boarded", None, by="x")
    type_at(sampled, next(slug for slug in sampled.real("slug") if slug not in by_place), WORDS)
    assert told_of(sampled) == []
    type_at(sampled, place, WORDS)
    told = told_of(sampled)
    assert (any(waiting.id in row for row in told), any(aboard.id in row for row in told)) == (True, False)


def told_of(sampled):
    return [row for row in sampled.rows("dispatch")["history"] if WORDS in row]


def test_where_to_meet_is_personal_and_kept_by_no_one_who_may_not_know(sampled):
    assert all("meeting" in personal_fields(ride) for ride in RIDES)
    type_at(sampled, the_ride(sampled).from_place, WORDS)
    epoch = sampled.work("dispatch").life.epoch
    may, may_not = (
        sampled.program("dispatch", *scopes).get(f"/api/dispatch/facts?epoch={epoch}").text
        for scopes in (("facts", "personal"), ("facts",))
    )
    assert (WORDS in may, WORDS in may_not) == (True, False)
    assert [name for name, rows in sampled.rows("statistics").items() if WORDS in str(rows)] == []


def test_a_fact_of_the_release_before_is_read_without_it():
    given = {"conference": SLUG, "pickup": "p", "code": "K7Q1", "revision": 1, "status": "planned"}
    assert PickupPlanned(**given, at="2026-05-09T07:30:00Z").meeting == ""
