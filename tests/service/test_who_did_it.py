"""Who did what is kept in the trail of each service: acts, sign-ins, refusals, starts; and nobody can change it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from test_twice_is_once import Things

from browsers import press_sign_in
from clocks import HandClock
from house import House
from sampled import SERVICES, SLUG, Sampled
from softlanding import audit, auth
from softlanding.web.cookies import own_cookie
from softlanding.web.doors import signer_of

ADDRESS = "testclient"


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled"))


def trail(house: Any, service: str) -> list[audit.Entry]:
    """Oldest first."""
    return house[service].database.read_now(audit.list_entries)[::-1]


def test_grants_roles_links_and_removals_name_who_did_them_and_about_whom(house):
    desk = house.client("schedule", ["organiser"])
    base, keys = "/api/schedule/people", iter(range(100))

    def send(method: str, address: str, body: Any = None) -> Any:
        answer = desk.request(method, address, json=body, headers={"Idempotency-Key": f"k{next(keys)}"})
        assert answer.status_code < 300, answer.text
        return answer.json()

    person = send("POST", base, {"name": "Cleo"})["person"]
    send("PUT", f"{base}/{person}/roles", {"roles": [{"conference": "one", "role": "coordinator"}]})
    link = send("POST", f"{base}/{person}/sign-in-link")["url"]
    send("POST", f"{base}/{person}/revoke")
    entries = trail(house, "schedule")
    assert [entry.what for entry in entries] == ["person.add", "person.roles", "person.link", "person.remove"]
    assert {(entry.who, entry.address, entry.about, entry.outcome) for entry in entries} == {
        (who_signed_in(house), ADDRESS, f"person/{person}", "done")
    }
    assert entries[1].detail == "coordinator of one"
    assert not [entry for entry in entries if link.rpartition("/")[2] in str(entry) or "Cleo" in str(entry)]


def who_signed_in(house: Any) -> str:
    """The id of whoever `house.client` signs in, as the trail names them."""
    query = sa.select(auth.people.c.person).where(auth.people.c.name == "Ana Test")
    return "person/" + house["schedule"].database.read_now(lambda connection: connection.execute(query).scalar_one())


def test_an_act_that_is_repeated_or_refused_leaves_no_second_row(house):
    desk = house.client("schedule", ["organiser"])
    for name in ("Cleo", "Cleo", "Eve"):
        desk.post("/api/schedule/people", json={"name": name}, headers={"Idempotency-Key": "one"})
    assert [entry.what for entry in trail(house, "schedule")] == ["person.add"]


def test_sign_in_and_sign_out_are_kept_where_they_happened(house):
    boss = house.client("schedule", ["organiser"])
    person = boss.post("/api/schedule/people", json={"name": "Cleo"}, headers={"Idempotency-Key": "1"}).json()["person"]
    link = boss.post(f"/api/schedule/people/{person}/sign-in-link", headers={"Idempotency-Key": "2"}).json()["url"]
    house.run()
    browser = house.client("dispatch")
    press_sign_in(browser, link.rpartition("/")[2])
    signer, day = signer_of(house["dispatch"]), timedelta(days=1)
    cookie = signer.read_session(browser.cookies[own_cookie(house.settings)], house.clock.now(), day)
    csrf = signer.csrf(cookie.session)
    assert browser.post("/sign-out", data={"csrf": csrf}, follow_redirects=False).status_code == 303
    told = [(entry.what, entry.who) for entry in trail(house, "dispatch")]
    assert told == [("sign_in", f"person/{person}"), ("sign_out", f"person/{person}")]


@pytest.mark.parametrize("service", SERVICES)
def test_a_refusal_tells_who_where_and_how_often_in_two_rows_a_minute(house, service):
    coordinator, stranger = house.client(service, ["coordinator"], "one"), house.client(service)
    for _ in range(30):
        assert coordinator.get(f"/-letters/{service}").status_code == 403
        assert stranger.get(f"/-letters/{service}").status_code == 401
    house.run()
    for _ in range(30):
        coordinator.get(f"/-letters/{service}")
    house.run()
    house.clock.advance(60)
    house.run()
    found = [(e.who.partition("/")[0], e.what, e.outcome, e.times) for e in trail(house, service)]
    door = f"GET /-letters/{service}"
    assert sorted(found) == sorted([("person", door, "403", 30), ("", door, "401", 30), ("person", door, "403", 30)])


def test_a_flood_of_strangers_costs_a_few_rows_a_minute_and_no_commit_of_its_own(house):
    stranger, work = house.client("dispatch"), house["dispatch"]
    before = work.database.last_number
    for number in range(300):
        address, bearer = f"/conf-{number}/dispatch/", {"Authorization": f"Bearer {number}"}
        assert stranger.get(address, headers=bearer).status_code == 401
    assert trail(house, "dispatch") == []
    house.run()
    entries = trail(house, "dispatch")
    assert len(entries) <= audit.ANONYMOUS_MAX + 1
    assert sum(entry.times for entry in entries) == 300
    assert {entry.who for entry in entries} == {""}
    assert work.database.last_number == before


def test_refusals_wait_for_a_database_that_is_away():
    refusals, now = audit.Refusals(), HandClock().now()
    refusals.add(now, audit.Asker("person/x", "1"), "GET /a", "", "403")
    taken = refusals.take(now)
    assert [entry.times for entry in taken] == [1]
    assert refusals.take(now) == []
    refusals.give_back(taken)
    refusals.add(now, audit.Asker("person/x", "1"), "GET /a", "", "403")
    assert [entry.times for entry in refusals.take(now)] == [2]
    refusals.add(now, audit.Asker("person/x", "1"), "GET /a", "", "403")
    assert refusals.take(now) == []
    assert [entry.times for entry in refusals.take(now + timedelta(minutes=1))] == [1]
    assert refusals.take(now + timedelta(minutes=2)) == []


def test_what_was_refused_last_is_kept_by_an_orderly_end(house):
    house.client("dispatch").get("/-letters/dispatch")
    asyncio.run(house["dispatch"].say_goodbye())
    assert [entry.what for entry in trail(house, "dispatch")] == ["GET /-letters/dispatch"]


@pytest.mark.parametrize("service", SERVICES)
def test_operators_read_the_trail_and_nobody_else(house, service):
    house.client(service).get(f"/-letters/{service}")
    house.run()
    operator = house.client(service, ["operator"])
    page = operator.get(f"/-audit/{service}")
    assert page.status_code == 200
    assert f"GET /-letters/{service}" in page.text
    assert [entry["outcome"] for entry in operator.get(f"/api/{service}/audit").json()] == ["401"]
    for other in (house.client(service, ["organiser", "coordinator"]), house.client(service)):
        assert other.get(f"/-audit/{service}").status_code in (401, 403)
        assert other.get(f"/api/{service}/audit").status_code in (401, 403)


def test_a_program_without_personal_sees_no_names_and_addresses_in_the_trail(sampled):
    sampled.client("schedule").get("/-letters/schedule")
    sampled.house.run()
    told = sampled.program("schedule", "admin").get("/api/schedule/audit").json()
    assert told
    assert not {"name", "about_name", "address"} & set(told[0])
    assert told[0]["outcome"] == "401"


def test_a_start_is_kept_with_its_settings_and_no_secret(house):
    work = house["schedule"]
    work.database.write_now(audit.note_start, "schedule", "1.2", ["zone = Europe/Berlin"])
    entry = trail(house, "schedule")[-1]
    assert (entry.who, entry.what, entry.about) == ("service/schedule", "start", "release/1.2")
    assert signer_of(work).secret not in entry.detail


BY_DOORS = {  # Doors that take `by`: what is good to send.
    "/api/schedule/{conference}/pickups/{pickup}/by-hand": {"word": "taxi"},
    "/api/schedule/{conference}/pickups/{pickup}/not-needed": {"note": "x"},
    **{f"/api/{service}/incidents/{{incident}}/settle": {"word": "understood"} for service in SERVICES},
}


def test_every_door_that_takes_by_is_known_here(sampled):
    for service in SERVICES:
        described = sampled.apps[service].openapi()
        with_by = set()
        for path, methods in described["paths"].items():
            for operation in methods.values():
                content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                if "by" in described["components"]["schemas"].get(name, {}).get("properties", {}):
                    with_by.add(path)
        assert with_by <= set(BY_DOORS)


@pytest.mark.parametrize("path", BY_DOORS)
def test_nobody_but_a_program_with_admin_speaks_for_somebody_else(sampled, path):
    service = path.split("/")[2]
    body = BY_DOORS[path] | {"by": f"Friederike {path}"}
    writer, admin = sampled.program(service, "write"), sampled.program(service, "write", "admin")
    address = _address(sampled, path)
    refused = writer.post(address, json=body, headers={"Idempotency-Key": "w"})
    assert refused.status_code == 403
    assert "admin" in refused.json()["error"]
    told = sampled.bosses()[service].post(address, json=body, headers={"Idempotency-Key": "p"})
    assert told.status_code == 200, told.text
    assert body["by"] not in str(sampled.rows(service))
    spoken = admin.post(_address(sampled, path), json=body, headers={"Idempotency-Key": "a"})
    assert spoken.status_code == 200, spoken.text
    if "not-needed" not in path:  # That keeps who said it with its incident, of which there is none here.
        assert body["by"] in str(sampled.rows(service))


def _address(sampled: Sampled, path: str) -> str:
    thing = Things(sampled, path.split("/")[2])
    values = {"{conference}": SLUG, "{pickup}": "?open pickup", "{incident}": "?incident"}
    for name, value in values.items():
        path = path.replace(name, value)
    return thing.in_text(path)
