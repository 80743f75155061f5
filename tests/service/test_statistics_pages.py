"""What people see: numbers, one pickup's story, and who may look."""

import asyncio
from datetime import timedelta

import pytest

import statistics_told as told
from clocks import NOON
from softlanding.contracts.dispatch import (
    PickupAccepted,
    PickupBoarded,
    PickupDelivered,
    PickupDriverArrived,
    PickupMissed,
    PickupPlanned,
)
from softlanding.contracts.schedule import PickupChanged, PickupWithdrawn
from softlanding.lifecycle.outages import LastEnd
from statistics_told import asked, rode, tell, told_and_heard
from streams import live_page

BOARDED_AT, DELIVERED_AT = NOON + timedelta(minutes=18), NOON + timedelta(minutes=48)


@pytest.fixture
def house(tmp_path, monkeypatch):
    return told.make_house(tmp_path, monkeypatch)


@pytest.fixture
def staff(house):
    return house.client("statistics", roles=["coordinator"])


def page(client, address, status=200):
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    return answer.text


def ride_to_the_end(house, pickup="p1"):
    told_and_heard(house, "schedule", asked(pickup))
    for kind in (PickupPlanned, PickupAccepted, PickupDriverArrived):
        told_and_heard(house, "dispatch", rode(kind, pickup))
    told_and_heard(house, "dispatch", rode(PickupBoarded, pickup, at=BOARDED_AT, boarded_at=BOARDED_AT))
    done = {"boarded_at": BOARDED_AT, "delivered_at": DELIVERED_AT, "at": DELIVERED_AT}
    told_and_heard(house, "dispatch", rode(PickupDelivered, pickup, **done))


def test_an_empty_conference_says_why_it_is_empty(staff):
    text = page(staff, "/softconf/statistics/")
    assert "No pickup was asked for yet" in text
    assert "Nobody has boarded yet" in text


def test_numbers_count_pickups_waits_and_facts(house, staff):
    ride_to_the_end(house)
    told_and_heard(house, "schedule", asked("p2"))
    text = page(staff, "/softconf/statistics/")
    assert "18 min" in text  # From the landing to aboard.
    assert "planned it onto V1, boards 14:15" in text  # In the conference's zone.
    assert 'href="/softconf/follow/K2QX"' in text
    program = house.client("statistics", roles=["operator"])
    counts = program.get("/api/statistics/counts", params={"conference": "softconf"}).json()
    assert counts["pickups"] == {"requested": 1, "delivered": 1}
    assert counts["facts"]["schedule.pickup.requested"] == 2
    assert counts["facts_total"] == 8
    waits = program.get("/api/statistics/waits").json()
    assert (waits["count"], waits["p50"], waits["p95"]) == (1, 1080.0, 1080.0)


def test_a_story_goes_through_all_services_with_its_times(house, staff):
    ride_to_the_end(house)
    text = page(staff, "/softconf/follow/K1QX")
    for words in ("asked for a ride: arrival, 1 person", "accepted the ride", "brought them there"):
        assert words in text
    assert "complete" in text
    assert told.NAME not in text
    story = house.client("statistics", roles=["operator"]).get("/api/statistics/softconf/pickups/K1QX").json()
    assert [step["kind"] for step in story["steps"]] == [
        "pickup.requested",
        "pickup.planned",
        "pickup.accepted",
        "pickup.driver_arrived",
        "pickup.boarded",
        "pickup.delivered",
    ]
    assert [step["lane"] for step in story["steps"]] == ["schedule", "dispatch"] + ["driver"] * 4
    assert story["pickup"]["complete"]
    assert story["gaps"] == story["expected"] == []


def test_a_tap_that_came_late_is_marked(house):
    told_and_heard(house, "schedule", asked())
    house.clock.advance(120)
    told_and_heard(house, "dispatch", rode(PickupAccepted, at=NOON + timedelta(seconds=5), is_late_word=True))
    story = house.client("statistics", roles=["operator"]).get("/api/statistics/softconf/pickups/K1QX").json()
    late = story["steps"][-1]
    assert late["is_late"]
    assert late["happened_at"] == "2026-05-08T12:00:05Z"
    assert late["recorded_at"] == "2026-05-08T12:02:00Z"


def test_what_should_come_next_is_said_with_its_time(house, staff):
    told_and_heard(house, "schedule", asked())
    assert "Dispatch&#39;s answer" in page(staff, "/softconf/follow/K1QX")
    told_and_heard(house, "dispatch", rode(PickupPlanned))
    text = page(staff, "/softconf/follow/K1QX")
    assert "Dispatch&#39;s answer" not in text
    for words in ("the driver there", "aboard", "delivered"):
        assert f"expected by then: {words}" in text
    house.clock.advance(3600)
    assert "not heard yet" in page(staff, "/softconf/follow/K1QX")


def test_a_ride_that_nobody_saw_board_is_not_complete(house):
    told_and_heard(house, "schedule", asked())
    told_and_heard(house, "dispatch", rode(PickupPlanned), rode(PickupDelivered, at=DELIVERED_AT))
    story = house.client("statistics", roles=["operator"]).get("/api/statistics/softconf/pickups/K1QX").json()
    assert not story["pickup"]["complete"]
    assert [wait["words"] for wait in story["expected"]] == ["aboard"]


def test_a_withdrawn_ride_waits_for_the_driver_to_be_stood_down(house, staff):
    told_and_heard(house, "schedule", asked())
    told_and_heard(house, "dispatch", rode(PickupPlanned))
    told_and_heard(house, "schedule", asked(kind=PickupWithdrawn, revision=2, reason="by hand: taxi"))
    text = page(staff, "/softconf/follow/K1QX")
    assert "by hand" in text
    assert "the driver&#39;s standing down" in text


def test_a_death_between_is_drawn_as_a_gap(house, staff):
    told_and_heard(house, "schedule", asked())
    house.clock.advance(10)
    died_at = house.clock.now()
    house.kill("dispatch")
    house.clock.advance(4)
    house.start("dispatch", LastEnd("SIGKILL", died_at))
    told_and_heard(house, "dispatch", rode(PickupPlanned, at=house.clock.now()))
    text = page(staff, "/softconf/follow/K1QX")
    assert "Dispatch was down (SIGKILL)" in text
    assert "1 gap" in text
    told_and_heard(house, "schedule", asked("p2", requested_at=house.clock.now()))
    assert "was down" not in page(staff, "/softconf/follow/K2QX")  # It came after the death.


@pytest.mark.parametrize("wanted", ["K1QX", "k1qx", "p1", "a fact"])
def test_a_pickup_is_found_by_whatever_people_have(house, staff, wanted):
    told_and_heard(house, "schedule", asked())
    if wanted == "a fact":
        wanted = house["schedule"].database.read_now(
            lambda connection: connection.exec_driver_sql(
                "SELECT max(id) FROM outbox WHERE subject = 'pickup/p1'"
            ).scalar()
        )
    answer = staff.get("/softconf/follow", params={"id": wanted})
    assert answer.status_code == 200
    assert answer.url.path == "/softconf/follow/K1QX"


@pytest.mark.parametrize("wanted", ["LOVELACE", "TALK1"])
def test_whose_ride_a_pickup_is_cannot_be_asked_of_statistics(house, staff, wanted):
    told_and_heard(house, "schedule", asked())
    assert staff.get("/softconf/follow", params={"id": wanted}).status_code == 404


def test_what_was_just_entered_appears_by_itself(house, staff):
    text = page(staff, "/softconf/follow/K1QX", status=404)
    assert "it appears here within a second" in text
    assert 'data-stream="/softconf/follow/K1QX/stream"' in text
    told_and_heard(house, "schedule", asked())
    page(staff, "/softconf/follow/K1QX")


def test_an_unknown_conference_is_said_in_words(staff):
    assert "there is no conference" in page(staff, "/nowhere/statistics/", status=404).lower()


def test_the_stream_sends_the_present_state_first_and_then_what_changed(house):
    told_and_heard(house, "schedule", asked())
    first, changed = asyncio.run(stream_around(house, "/softconf/follow/K1QX/stream"))
    assert list(first) == ["peers", "story"]
    assert "asked for a ride" in first["story"]
    assert list(changed) == ["story"]
    assert "planned it onto V1" in changed["story"]


async def stream_around(house, address):
    """What the stream sends on connect, and after Dispatch planned the ride."""
    work = house["statistics"]
    client = house.client("statistics", roles=["coordinator"])
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items())}
    async with live_page(client.app, address, headers) as page:
        first = await page.fragments(2)
        tell(house, "dispatch", rode(PickupPlanned))
        await house._run(50)
        work.commits.fire()
        changed = await page.fragments(1)
    return first, changed


DOORS = {
    "/softconf/statistics/": {"organiser", "coordinator", "operator"},
    "/softconf/follow/K1QX": {"organiser", "coordinator", "operator"},
    "/operations/": {"operator"},
    "/api/statistics/counts": {"organiser", "coordinator", "operator"},
    "/api/statistics/heard": {"organiser", "coordinator", "operator"},
    "/api/statistics/deaths": {"organiser", "coordinator", "operator"},
    "/api/statistics/logs": {"organiser", "coordinator", "operator"},
}


@pytest.mark.parametrize("address", DOORS)
def test_doors_are_open_to_staff_and_to_nobody_else(house, address):
    told_and_heard(house, "schedule", asked())
    assert house.client("statistics").get(address).status_code == 401
    assert house.client("statistics", roles=["driver"]).get(address).status_code == 403
    for role in ("organiser", "coordinator", "operator"):
        expected = 200 if role in DOORS[address] else 403
        assert house.client("statistics", roles=[role]).get(address).status_code == expected


def test_staff_of_another_conference_see_nothing_of_this_one(house):
    stranger = house.client("statistics", roles=["coordinator"], conference="otherconf")
    assert stranger.get("/softconf/statistics/").status_code == 403
    assert stranger.get("/softconf/follow/K1QX").status_code == 403
    for name in ("services", "lives", "deaths", "silences", "all-dead-letters", "logs"):
        assert stranger.get(f"/api/statistics/{name}").status_code == 403


def test_programs_read_what_was_heard_page_by_page(house):
    for number in range(5):
        told_and_heard(house, "schedule", asked(f"p{number}"))
    told_and_heard(house, "schedule", asked("p0", PickupChanged, revision=2))
    told_and_heard(house, "dispatch", rode(PickupMissed, "p1"))
    client = house.client("statistics", roles=["operator"])
    seen, after = [], 0
    while page_of := client.get("/api/statistics/heard", params={"after": after, "limit": 3}).json():
        seen += page_of
        after = page_of[-1]["number"]
    assert [fact["number"] for fact in seen] == sorted(fact["number"] for fact in seen)
    assert {fact["code"] for fact in seen if fact["type"] == "dispatch.pickup.missed"} == {"K1QX"}
    only = client.get("/api/statistics/heard", params={"type": "schedule.pickup.changed"}).json()
    assert [fact["data"]["revision"] for fact in only] == [2]
    listed = client.get("/api/statistics/pickups", params={"state": "missed"}).json()
    assert [pickup["code"] for pickup in listed] == ["K1QX"]
    minutes = client.get("/api/statistics/minutes").json()
    assert {"minute": "2026-05-08T12:00:00Z", "type": "schedule.pickup.requested", "count": 5} in minutes


def test_text_that_postgresql_cannot_take_is_refused(house):
    client = house.client("statistics", roles=["operator"])
    for address in (
        "/api/statistics/heard?type=%00",
        "/api/statistics/softconf/pickups/%00",
        "/api/statistics/logs?words=%00",
        "/softconf/follow?id=%00",
    ):
        assert client.get(address).status_code == 422
