"""What a driver was shown and no longer holds is told until it is seen, and what a speaker reads follows its source."""

import re
from datetime import timedelta

import pytest

from clocks import NOON
from dispatched import CONFERENCE, Dispatched, a_pickup, changed, withdrawn
from softlanding.dispatch import store, views
from softlanding.dispatch.actions import fleet, imports, taps
from softlanding.dispatch.actions import pickups as hand
from softlanding.formats import read_fleet


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch)


def page(here, driver=0):
    return here.house.client("dispatch").get(here.drive_path(driver)).text


def news(here, driver=0):
    """What the page says loudly: headline and the rest, in words."""
    found = re.findall(r'<section class="news.*?</section>', page(here, driver), re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", one).split()) for one in found]


def see(here, driver=0):
    """The driver presses every "Seen" on the page."""
    path = here.drive_path(driver)
    client = here.house.client("dispatch")
    for code, version in re.findall(r'data-news="(\w+)".*?name="version" value="([^"]+)"', client.get(path).text, re.S):
        values = {"pickup": code, "tap": "seen", "version": version, "key": f"seen-{code}-{version}"}
        assert client.post(f"{path}/taps", data=values, follow_redirects=False).status_code == 303


def accept(here, driver=0):
    here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", "accepted", None, driver=here.drivers[driver].id, by="x")


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_ride_moved_to_another_car_is_told_until_it_is_seen(here, is_accepted):
    here.ask(a_pickup())
    assert news(here) == []
    if is_accepted:
        accept(here)
    here.act(hand.assign, here.desk, CONFERENCE, "K7Q1", "V2", reason="nearer", by="Ana")
    for _ in range(2):
        [card] = news(here)
        assert "Do not drive: Speaker 1 Ana gave it to Driver 2, Car 2" in card
    assert "No rides for you now" in page(here)
    [told] = here.read(views.who_was_told, here.pickup())
    assert (told["driver"], told["is_seen"], told["is_gone"]) == ("Driver 1", False, True)
    see(here)
    assert news(here) == []
    assert here.read(views.who_was_told, here.pickup())[0]["is_seen"]


def test_a_ride_taken_back_or_withdrawn_is_told_with_its_reason(here):
    here.ask(a_pickup())
    news(here)
    here.act(hand.take_back, here.desk, CONFERENCE, "K7Q1", reason="a friend comes", by="Ana")
    assert "taken back: a friend comes" in news(here)[0]
    see(here)
    here.act(hand.unlock, here.desk, CONFERENCE, "K7Q1", reason="no friend", by="Ana")
    assert news(here) == []
    here.ask(withdrawn(a_pickup(), reason="stays at home"))
    assert "Do not drive: Speaker 1 stays at home" in news(here)[0]


def test_nobody_is_told_of_a_ride_that_they_were_never_shown(here):
    here.ask(a_pickup())
    here.act(hand.assign, here.desk, CONFERENCE, "K7Q1", "V2", reason="nearer", by="Ana")
    assert news(here) == []


def test_another_time_is_shown_beside_the_old_one_and_needs_another_yes(here):
    here.ask(a_pickup())
    news(here)
    accept(here)
    here.ask(changed(a_pickup(), landing_at=NOON + timedelta(hours=2), expires_at=NOON + timedelta(hours=4)))
    assert here.pickup().status == "planned"
    assert "time: 15:30 16:30" in news(here)[0]
    see(here)
    assert news(here) == []


def test_a_telephone_number_changes_nothing_that_was_agreed(here):
    here.ask(a_pickup())
    news(here)
    accept(here)
    at = here.pickup().accepted_at
    here.ask(changed(a_pickup(), phone="+49 40 1"))
    assert (here.pickup().status, here.pickup().accepted_at, here.pickup().phone) == ("accepted", at, "+49 40 1")
    assert here.said()[-1] == ("planned", 2)
    assert news(here) == []


def test_a_change_after_the_one_that_was_seen_is_told_on(here):
    here.ask(a_pickup())
    news(here)
    first = a_pickup()
    for hours in (2, 3):
        version = re.findall(r'name="version" value="([^"]+)"', page(here))
        first = changed(first, landing_at=NOON + timedelta(hours=hours), expires_at=NOON + timedelta(hours=hours + 2))
        here.pass_time(seconds=5)
        here.ask(first)
    path = here.drive_path()
    values = {"pickup": "K7Q1", "tap": "seen", "version": version[0], "key": "old"}
    answer = here.house.client("dispatch").post(f"{path}/taps", data=values, headers={"Accept": "application/json"})
    assert "changed once more" in answer.json()["words"]
    assert "time: 15:30 17:30" in news(here)[0]


def test_another_plate_or_telephone_is_told_to_who_rides(here):
    here.ask(a_pickup())
    news(here)
    car = here.read(store.load_vehicles, CONFERENCE)["V1"]
    here.act(fleet.save_vehicle, here.desk, type(car)(**(vars(car) | {"plate": "NEW 222"})))
    assert (here.told()[-1]["type"], here.told()[-1]["plate"]) == ("pickup.planned", "NEW 222")
    assert "car: Car 1 HH-1 Car 1 NEW 222" in news(here)[0]


def test_of_who_sits_in_the_car_only_another_goal_is_news(here):
    here.ask(a_pickup(landing_at=NOON - timedelta(hours=1)))
    news(here)
    for what in ("accepted", "arrived", "boarded"):
        here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", what, here.now)
    car = here.read(store.load_vehicles, CONFERENCE)["V1"]
    here.act(fleet.save_vehicle, here.desk, type(car)(**(vars(car) | {"plate": "NEW 222"})))
    assert news(here) == []
    here.ask(changed(a_pickup(landing_at=NOON - timedelta(hours=1)), to_place="Pension Plan B"))
    assert "Pension Plan B" in news(here)[0]


def test_another_driver_by_table_is_told_to_who_rides_and_has_agreed_to_nothing(here):
    here.ask(a_pickup())
    news(here)
    accept(here)
    head = "vehicle,plate,seats,luggage,wheelchair places,start place,driver,phone,shift start,shift end,skills"
    day = f"{NOON:%Y-%m-%d}"
    text = f"{head}\nCar 1,HH-1,3,4,0,HAM,Ben,+49 40 9,{day} 12:00,{day} 22:00,\n"
    here.act(imports.import_fleet, here.desk, CONFERENCE, read_fleet(text, "Europe/Berlin"))
    last = here.told()[-1]
    assert (last["type"], last["driver_name"], last["driver_phone"]) == ("pickup.planned", "Ben", "+49 40 9")
    assert here.pickup().status == "planned"
    assert "Do not drive: Speaker 1 Ben has it now" in news(here)[0]
