"""Whole tables of places and fleet: written some rows an action, once, and to the end when they are given again."""

import asyncio
from datetime import timedelta

import pytest

from clocks import NOON
from dispatched import CONFERENCE, Dispatched, a_pickup
from softlanding.conferences import load_conference
from softlanding.dispatch import store
from softlanding.dispatch.actions import fleet, imports
from softlanding.dispatch.actions import pickups as hand
from softlanding.errors import Refused, Unavailable

PLACES = "name,kind,latitude,longitude\n"
FLEET = "vehicle,plate,seats,start place,driver,shift start,shift end\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch, cars=1)


def hotels(count):
    return PLACES + "".join(f"Hotel {number},hotel,53.5,{9 + number / 1000:.3f}\n" for number in range(count))


def vans(count, seats=7):
    day = f"{NOON:%Y-%m-%d}"
    return FLEET + "".join(
        f"Van {number},V-{number},{seats},HAM,Robin {number},{day} 10:00,20:00\n" for number in range(count)
    )


def take(here, table, body, *, dry_run=False):
    database, conference = here.house["dispatch"].database, here.read(load_conference, CONFERENCE)
    report = asyncio.run(table(database, here.desk, conference, body, dry_run=dry_run))
    assert report["dry_run"] is dry_run
    return report


def counts(report):
    return report["added"], report["changed"], report["same"], len(report["faults"])


def test_a_long_table_is_several_actions_and_one_report(here):
    rows = imports.ROWS_AT_ONCE * 2 + 5
    faulty = hotels(rows) + "Hotel X,castle,53.5,9\n"
    before = here.house["dispatch"].database.last_number
    assert counts(take(here, imports.import_place_table, faulty, dry_run=True)) == (rows, 0, 0, 1)
    assert here.house["dispatch"].database.last_number == before
    report = take(here, imports.import_place_table, faulty)
    assert counts(report) == (rows, 0, 0, 1)
    assert "castle" in report["faults"][0]["reason"]
    assert len(here.told("places.changed")) == 3 + 3  # One an action; the first three are the house's own.
    assert counts(take(here, imports.import_place_table, hotels(rows))) == (0, 0, rows, 0)


def test_a_table_that_was_cut_off_goes_on_where_it_stopped(here, monkeypatch):
    rows = imports.ROWS_AT_ONCE + 5
    database = here.house["dispatch"].database
    write, done = database.write, []

    async def write_once(action, *args, **kw):
        if done:
            raise Unavailable("the disk is full")
        done.append(action)
        return await write(action, *args, **kw)

    monkeypatch.setattr(database, "write", write_once)
    with pytest.raises(Unavailable):
        take(here, imports.import_fleet_table, vans(rows))
    monkeypatch.undo()
    assert counts(take(here, imports.import_fleet_table, vans(rows))) == (5, 0, imports.ROWS_AT_ONCE, 0)
    assert len(here.read(store.load_vehicles, CONFERENCE)) == rows + 1
    assert len(here.read(store.list_drivers, CONFERENCE)) == rows + 1


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_table_that_would_be_too_much_changes_nothing(here, dry_run):
    with pytest.raises(Refused, match=r"that would be 504 places; more than 500 .* take out those not needed"):
        take(here, imports.import_place_table, hotels(fleet.PLACES_MAX + 1), dry_run=dry_run)
    with pytest.raises(Refused, match="502 vehicles"):
        take(here, imports.import_fleet_table, vans(fleet.VEHICLES_MAX + 1), dry_run=dry_run)
    assert len(here.read(store.load_places, CONFERENCE)) == 3
    assert len(here.read(store.load_vehicles, CONFERENCE)) == 1


def test_a_table_that_makes_cars_smaller_mends_their_plans(here):
    take(here, imports.import_fleet_table, vans(1))
    here.ask(a_pickup(1, party=6))
    assert here.pickup().vehicle == "Van 0"
    assert counts(take(here, imports.import_fleet_table, vans(1, seats=4))) == (0, 1, 0, 0)
    assert here.pickup().status == "unplaced"
    assert here.told("pickup.unplaced")[-1]["reason"] == "Van 0 can no longer take K7Q1: the fleet changed"
    here.check_places()


def test_who_was_placed_by_a_person_waits_for_one_when_the_car_gets_too_small(here):
    take(here, imports.import_fleet_table, vans(2))
    here.ask(a_pickup(1, party=6))
    here.act(hand.assign, here.desk, CONFERENCE, "K7Q1", "V2", reason="knows her", by="Ana")
    take(here, imports.import_fleet_table, vans(1, seats=4))
    reason = "a person placed it on Van 0, but Van 0 can no longer take K7Q1: the fleet changed"
    assert here.told("pickup.unplaced")[-1]["reason"] == f"{reason}; assign it anew, or unlock it"
    here.pass_time(minutes=2)
    assert here.pickup().status == "unplaced", "nobody but a person moves it to Van 1"
    here.act(hand.unlock, here.desk, CONFERENCE, "K7Q1", reason="Van 1 will do", by="Ana")
    assert here.pickup().vehicle == "Van 1"


def test_a_table_that_moves_a_place_moves_the_times_of_who_goes_there(here):
    here.ask(a_pickup())
    before = here.pickup()
    take(here, imports.import_place_table, PLACES + "Kaispeicher Nine,venue,53.40,10.10\n")
    assert here.pickup().deliver_at > before.deliver_at + timedelta(minutes=5)


def test_a_row_against_a_shift_that_is_known_is_named(here):
    table = vans(2) + f"Van 9,V-9,7,HAM,Driver 1,{NOON:%Y-%m-%d} 08:00,16:00\n"
    for dry_run in (True, False):
        report = take(here, imports.import_fleet_table, table, dry_run=dry_run)
        assert counts(report) == (2, 0, 0, 1)
        assert report["faults"][0]["row"] == 4
        times = f"from {NOON:%Y-%m-%d} 12:00 to 22:00"
        wanted = f"the driver has another shift {times}; choose other times or another driver"
        assert report["faults"][0]["reason"] == wanted
