"""A pickup's rules: where it may go from where it stands, and what may never be planned."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from clocks import NOON
from softlanding.dispatch import model
from softlanding.dispatch.model import Pickup, Place, tapped
from softlanding.errors import Refused

BERLIN = ZoneInfo("Europe/Berlin")
AIRPORT = Place("softconf", "ham", "Hamburg Airport", "airport", 53.6, 10.0, iata="HAM")
HOTEL = Place("softconf", "plan-b", "Pension Plan B", "hotel", 53.5, 10.0)
STATION = Place("softconf", "hbf", "Hamburg Hbf", "station", 53.5, 10.0)


def a_pickup(**changes):
    base = Pickup(
        id="p1",
        conference="softconf",
        code="K7QX",
        epoch="e",
        revision=1,
        direction="arrival",
        speaker="ADA",
        speaker_name="Ada",
        phone="",
        travel_number="LH 2034",
        from_text="HAM",
        to_text="Plan B",
        landing_at=NOON,
        party=1,
        luggage=1,
        wheelchairs=0,
        talk=None,
        talk_title=None,
        deadline_at=None,
        note="",
        requested_at=NOON,
        answer_by=NOON,
        expires_at=NOON + timedelta(hours=2),
        ready_at=NOON + timedelta(minutes=30),
        latest_board_at=NOON + timedelta(minutes=50),
        due_at=NOON + timedelta(hours=2),
        asked_at=NOON,
        heard_at=NOON,
        status="planned",
        shift="s1",
        board_at=NOON + timedelta(minutes=35),
        deliver_at=NOON + timedelta(minutes=60),
    )
    return replace(base, **changes)


def say(at):
    return f"{at:%H:%M}"


def walked(*steps, at=NOON):
    pickup = a_pickup()
    for number, step in enumerate(steps):
        pickup = tapped(pickup, step, at + timedelta(minutes=number), say).pickup
    return pickup


def test_the_steps_in_order():
    pickup = walked("accepted", "arrived", "boarded", "delivered")
    assert pickup.status == "delivered"
    assert [pickup.accepted_at, pickup.arrived_at, pickup.boarded_at, pickup.delivered_at] == [
        NOON + timedelta(minutes=number) for number in range(4)
    ]


@pytest.mark.parametrize(
    ("steps", "tap", "why"),
    [
        ((), "delivered", "K7QX is planned"),
        (("accepted", "arrived", "boarded"), "no_show", "aboard by your own word"),
        (("boarded", "delivered"), "no_show", "K7QX is delivered already"),
    ],
)
def test_a_step_that_contradicts_is_kept_beside_what_is_known(steps, tap, why):
    before = walked(*steps)
    done = tapped(before, tap, NOON + timedelta(hours=1), say)
    assert (done.pickup, done.is_news) == (before, False)
    assert why in done.against
    assert done.words.startswith("noted")


def test_a_time_before_the_step_before_is_marked_and_the_order_kept():
    pickup = walked("boarded", at=NOON + timedelta(minutes=10))
    done = tapped(pickup, "delivered", NOON, say)
    assert (done.pickup.delivered_at, done.is_news) == (pickup.boarded_at, True)
    assert "told as 12:00" in done.marked


@pytest.mark.parametrize("tap", ["accepted", "arrived", "boarded"])
def test_the_same_word_twice_is_no_news(tap):
    pickup = walked("accepted", "arrived", "boarded")
    again = tapped(pickup, tap, NOON + timedelta(hours=1), say)
    assert not again.is_news
    assert again.pickup == pickup


def test_a_step_told_late_takes_its_place_and_changes_no_state():
    pickup = walked("boarded", at=NOON + timedelta(minutes=10))
    late = tapped(pickup, "arrived", NOON + timedelta(minutes=5), say)
    assert (late.is_news, late.pickup.status, late.pickup.arrived_at) == (True, "boarded", NOON + timedelta(minutes=5))
    assert "aboard already" in tapped(pickup, "arrived", NOON + timedelta(minutes=20), say).against


def test_nobody_came_only_after_the_wait_at_the_agreed_time():
    early = tapped(a_pickup(), "arrived", NOON + timedelta(minutes=5), say).pickup
    assert early.no_show_from == NOON + timedelta(minutes=50)  # From when it was agreed, not from when the car came.
    with pytest.raises(Refused, match="12:50"):
        tapped(early, "no_show", NOON + timedelta(minutes=49), say)
    with pytest.raises(Refused, match="12:50"):
        tapped(a_pickup(), "no_show", NOON + timedelta(minutes=49), say)
    gone = tapped(early, "no_show", NOON + timedelta(minutes=50), say).pickup
    assert (gone.status, gone.shift, gone.last_shift) == ("no_show", None, "s1")


@pytest.mark.parametrize("status", ["missed", "no_show", "stood_down", "unplaced", "refused"])
def test_aboard_is_the_truth_whatever_was_declared(status):
    gone = model.off_vehicle(a_pickup(), status, "why", NOON)
    assert tapped(gone, "boarded", NOON, say).pickup.status == "boarded"


def test_ready_at_the_kerb_follows_the_place():
    default = timedelta(minutes=45)
    ready = model.ready_at
    assert ready(a_pickup(), AIRPORT, HOTEL, default) == NOON + timedelta(minutes=45)
    assert ready(a_pickup(), replace(AIRPORT, exit_international_min=30), HOTEL, default) == NOON + timedelta(
        minutes=30
    )
    assert ready(a_pickup(), STATION, HOTEL, default) == NOON + timedelta(minutes=10)
    assert ready(a_pickup(), HOTEL, AIRPORT, default) == NOON
    out = a_pickup(direction="departure", landing_at=NOON + timedelta(hours=5))
    assert ready(out, HOTEL, AIRPORT, default) == NOON + timedelta(hours=2, minutes=30)
    assert model.leave_by(out, AIRPORT) == NOON + timedelta(hours=3, minutes=30)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"from_place": "ham", "to_place": "ham"}, "same place"),
        ({"wheelchairs": 2}, "2 wheelchairs for a party of 1"),
        ({"party": 21}, "split it"),
        (
            {"ready_at": NOON + timedelta(hours=3)},
            "ready only at 2026-05-08 17:00: correct",
        ),
    ],
)
def test_what_can_never_be_planned_says_why(changes, words):
    assert words in model.impossible(a_pickup(**changes), 8, BERLIN)


def test_a_bus_in_the_fleet_takes_more():
    assert model.impossible(a_pickup(party=21), 50, BERLIN) == ""


def test_places_are_found_by_slug_before_code_before_name():
    tricky = Place("softconf", "bus", "HAM", "station", 53.0, 10.0)
    by_text = model.places_by_text({"ham": AIRPORT, "bus": tricky, "plan-b": HOTEL})
    assert model.find_place("ham", by_text) == "ham"
    assert model.find_place("pension  PLAN b", by_text) == "plan-b"
    assert model.find_place("Ritz", by_text) is None


@pytest.mark.parametrize(
    ("name", "slug"), [("Gästehaus Alsterblick", "gaestehaus-alsterblick"), ("  ", "place"), ("Hôtel № 5", "h-tel-5")]
)
def test_slugs_are_plain(name, slug):
    assert model.slug_of(name) == slug


def test_a_talk_is_at_risk_when_the_way_to_the_venue_leaves_no_margin():
    on_time, there = a_pickup(deadline_at=NOON + timedelta(minutes=75)), timedelta(0)
    assert not model.is_talk_at_risk(on_time, there)
    assert model.is_talk_at_risk(on_time, timedelta(minutes=1))
    assert model.is_talk_at_risk(replace(on_time, deadline_at=NOON + timedelta(minutes=74)), there)
