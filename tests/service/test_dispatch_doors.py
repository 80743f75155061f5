"""Dispatch's doors: the board, fleet and places, the driver's phone, run sheets, and the API."""

import itertools
import re
from datetime import timedelta

import pytest
from pydantic import SecretStr

from clocks import NOON
from dispatched import CONFERENCE, Dispatched, a_pickup
from softlanding import audit
from softlanding.dispatch import runsheets, store
from softlanding.dispatch.actions import fleet, taps
from softlanding.dispatch.model import Place
from softlanding.lifecycle.outages import LastEnd
from softlanding.web.doors import links_of, signer_of

BOARD = f"/{CONFERENCE}/dispatch/"
API = f"/api/dispatch/{CONFERENCE}"
LATER = "a later secret, long enough to be one"


@pytest.fixture
def here(tmp_path, monkeypatch):
    return Dispatched(tmp_path, monkeypatch)


@pytest.fixture
def coordinator(here):
    return here.house.client("dispatch", roles=["coordinator"])


NUMBERS = itertools.count(1)


def a_key():
    return f"key-{next(NUMBERS)}"


def post(client, path, form="", **values):
    return client.post(path, data={"key": a_key(), "form": form, **values}, follow_redirects=False)


def call(client, path, key=None, **values):
    return client.post(f"{API}{path}", json=values, headers={"Idempotency-Key": key or a_key()})


def message_on(client, path=BOARD):
    found = re.search(r'<p class="message (\w+)" role="status">(.*?)</p>', client.get(path).text, re.S)
    return (found[1], re.sub(r"<[^>]+>", "", found[2])) if found else None


def test_the_board_shows_who_waits_and_who_rides(here, coordinator):
    here.ask(a_pickup(1), a_pickup(2, party=9))
    page = coordinator.get(BOARD)
    assert page.status_code == 200
    for text in ("Speaker 1", "Speaker 2", "Car 1", "Driver 1", "no vehicle has 9 seats for K7Q2"):
        assert text in page.text
    assert 'data-stream="/softconf/dispatch/stream"' in page.text


def test_a_chosen_pickup_shows_each_vehicle_that_could_take_it(here, coordinator):
    here.ask(a_pickup(1))
    text = coordinator.get(f"{BOARD}?pickup=K7Q1").text
    assert 'value="V2"' in text
    assert "moves nobody" in text
    assert "planned on Car 1" in text


def test_a_ride_is_moved_and_taken_back_by_form_and_says_so(here, coordinator):
    here.ask(a_pickup(1))
    moved = post(coordinator, f"{BOARD}pickups/K7Q1/assign", vehicle="V2", reason="knows her", revision="1")
    assert moved.status_code == 303
    assert message_on(coordinator) == ("done", "K7Q1 is on Car 2")
    assert here.pickup().vehicle == "Car 2"
    post(coordinator, f"{BOARD}pickups/K7Q1/take-back", reason="a friend comes", revision="1")
    assert here.pickup().status == "unplaced"
    post(coordinator, f"{BOARD}pickups/K7Q1/assign", vehicle="V1", reason="", revision="1")
    assert message_on(coordinator)[0] == "refused"
    assert here.pickup().status == "unplaced"


def test_a_form_sent_twice_counts_once(here, coordinator):
    here.ask(a_pickup(1))
    values = {"key": "same", "form": "assign", "vehicle": "V2", "reason": "x", "revision": "1"}
    for _ in range(2):
        coordinator.post(f"{BOARD}pickups/K7Q1/assign", data=values, follow_redirects=False)
    assert len([one for one in here.told("pickup.planned") if one["vehicle"] == "Car 2"]) == 1


def test_an_outdated_page_moves_nothing(here, coordinator):
    here.ask(a_pickup(1, revision=2))
    post(coordinator, f"{BOARD}pickups/K7Q1/assign", vehicle="V2", reason="x", revision="1")
    kind, words = message_on(coordinator)
    assert (kind, here.pickup().vehicle) == ("refused", "Car 1")
    assert "changed meanwhile" in words


def test_what_a_person_locked_is_left_to_the_plan_again_by_form(here, coordinator):
    here.ask(a_pickup(1))
    assert "/unlock" not in coordinator.get(f"{BOARD}?pickup=K7Q1").text
    post(coordinator, f"{BOARD}pickups/K7Q1/assign", vehicle="V2", reason="knows her", revision="1")
    assert "placed it on Car 2, and no plan moves it" in coordinator.get(f"{BOARD}?pickup=K7Q1").text
    post(coordinator, f"{BOARD}pickups/K7Q1/unlock", reason="either will do")
    assert message_on(coordinator) == ("done", "K7Q1 is unlocked, and on Car 2")
    assert not here.pickup().is_pinned
    post(coordinator, f"{BOARD}pickups/K7Q1/take-back", reason="a friend comes", revision="1")
    assert "keeps it out of every plan" in coordinator.get(f"{BOARD}?pickup=K7Q1").text
    post(coordinator, f"{BOARD}pickups/K7Q1/unlock", reason="the friend has no car")
    assert here.pickup().status == "planned"


def test_a_missed_ride_is_taken_up_again_by_form(here, coordinator):
    here.ask(a_pickup(1))
    here.pass_time(hours=4)
    assert "Plan it anew" in coordinator.get(f"{BOARD}?pickup=K7Q1").text
    post(coordinator, f"{BOARD}pickups/K7Q1/take-back", reason="still at the airport", revision="1")
    assert message_on(coordinator) == ("done", "K7Q1 is on Car 1")
    assert here.pickup().status == "planned"


def test_the_board_counts_the_pickups_of_today(here, coordinator):
    days = {1: 0, 2: 0, 3: 1, 4: 30}
    here.ask(*(a_pickup(number, landing_at=NOON + timedelta(days=day)) for number, day in days.items()))
    counts = coordinator.get(f"{API}/board").json()["counts"]
    assert (counts["planned"], counts["unplaced"], counts["later"]) == (2, 0, 2)
    assert "2 on later days" in coordinator.get(BOARD).text
    here.pass_time(hours=11)  # Past midnight in Berlin.
    counts = coordinator.get(f"{API}/board").json()["counts"]
    assert (counts["missed"], counts["unplaced"], counts["later"]) == (0, 1, 1)


def test_a_missed_ride_is_settled_on_the_board(here, coordinator):
    here.ask(a_pickup(1))
    here.pass_time(hours=4)
    [incident] = here.incidents()
    page = coordinator.get(BOARD).text
    assert "K7Q1 was missed" in page
    assert "Driven by taxi" in page
    post(coordinator, f"{BOARD}incidents/{incident.id}/settle", word="driven by taxi", note="42 euro")
    assert here.incidents() == []
    [settled] = here.incidents(is_open=False)
    assert (settled.settled_by, settled.settled_word, settled.settled_note) == ("Ana Test", "driven by taxi", "42 euro")


def test_whoever_is_signed_in_settles_by_their_own_name(here, coordinator):
    here.ask(a_pickup(1), a_pickup(2))
    here.pass_time(hours=4)
    first, second = here.incidents()
    post(coordinator, f"/-settle/dispatch?incident={first.id}", word="not needed", by="Ben")
    values = {"word": "not needed", "by": "Ben"}
    answer = coordinator.post(
        f"/api/dispatch/incidents/{second.id}/settle", json=values, headers={"Idempotency-Key": a_key()}
    )
    assert answer.json()["by"] == "Ana Test"
    assert [one.settled_by for one in here.incidents(is_open=False)] == ["Ana Test", "Ana Test"]


def test_strangers_and_other_roles_see_nothing(here):
    driver = here.house.client("dispatch", roles=["organiser"])
    assert here.house.client("dispatch").get(BOARD).status_code == 401
    assert driver.get(BOARD).status_code == 403
    other = here.house.client("dispatch", roles=["coordinator"], conference="otherconf")
    assert other.get(BOARD).status_code == 403


def test_the_fleet_is_kept_by_forms(here, coordinator):
    fleet = f"{BOARD}fleet"
    post(coordinator, f"{fleet}/vehicles", "vehicle", code="V9", name="Minibus", plate="HH-9", seats="8", luggage="9")
    post(coordinator, f"{fleet}/drivers", "driver", name="Dana", phone="+49 40 555")
    dana = next(one for one in here.read(store.list_drivers, CONFERENCE) if one.name == "Dana")
    hours = {"on": "2026-05-08", "from": "22:00", "to": "02:00"}
    post(coordinator, f"{fleet}/shifts", "shift", driver=dana.id, vehicle="V9", **hours)
    page = coordinator.get(fleet).text
    assert "Minibus" in page
    assert f"/softconf/drive/{links_of(here.house['dispatch']).token('drive', dana.link)}" in page
    shift = next(one for one in here.read(store.load_shifts, CONFERENCE).values() if one.driver == dana.id)
    assert shift.to_at - shift.from_at == timedelta(hours=4)
    code = coordinator.get(f"{fleet}/{dana.id}/qr.svg")
    assert code.headers["content-type"] == "image/svg+xml"
    assert b"<svg" in code.content
    refused = post(coordinator, f"{fleet}/vehicles", "vehicle", code="V10", name="Two", plate="HH 9", seats="200")
    assert refused.status_code == 422
    assert "whole number from 1 to 60" in refused.text
    post(coordinator, f"{fleet}/shifts/{shift.id}/remove")
    post(coordinator, f"{fleet}/drivers/{dana.id}/remove")
    post(coordinator, f"{fleet}/vehicles/V9/remove")
    assert "Minibus" not in coordinator.get(fleet).text


def test_a_vehicle_and_a_shift_start_where_the_forms_say(here, coordinator):
    fleet, values = f"{BOARD}fleet", {"code": "V9", "name": "Minibus", "seats": "8", "luggage": "9"}
    post(coordinator, f"{fleet}/vehicles", "vehicle", start_place="hotel", **values)
    again = post(coordinator, f"{fleet}/vehicles", "vehicle", start_place="", **values)
    assert again.status_code == 409
    assert "V9 is a vehicle already, Minibus: edit it" in again.text
    assert here.read(store.load_vehicles, CONFERENCE)["V9"].start_place == "hotel"
    hours = {"driver": here.drivers[0].id, "vehicle": "V9", "from": "08:00", "to": "12:00"}
    post(coordinator, f"{fleet}/shifts", "shift", on="2026-05-09", **hours)
    post(coordinator, f"{fleet}/shifts", "shift", on="2026-05-10", start_place="venue", **hours)
    shifts = [one for one in here.read(store.load_shifts, CONFERENCE).values() if one.vehicle == "V9"]
    assert [one.start_place for one in shifts] == ["hotel", "venue"]
    assert 'data-label="Starts at">Kaispeicher Nine' in coordinator.get(fleet).text
    refused = post(coordinator, f"{fleet}/vehicles/V9/change", "edit", start_place="moon")
    assert refused.status_code == 422
    assert "place &#39;moon&#39; is not known: add it under Places" in refused.text
    assert call(coordinator, "/vehicles/V9/change", start_place="HAM").is_success
    assert here.read(store.load_vehicles, CONFERENCE)["V9"].start_place == "ham"


def test_tables_are_imported_once_and_faulty_rows_are_named(here, coordinator):
    table = (
        b"vehicle;plate;seats;luggage;wheelchair places;start place;driver;phone;shift start;shift end\n"
        b"Albatross;HH-SL 701;7;9;1;HAM;Jale;+49 40 1;2026-05-08 14:00;22:00\n"
        b"Puffin;HH-SL 702;0;8;0;HAM;Malte;+49 40 2;2026-05-08 14:00;22:00\n"
        b"Heron;HH-SL 703;6;6;1;Nowhere;Idris;+49 40 3;2026-05-08 14:00;22:00\n"
    )
    for dry_run, counts in (("true", (1, 0, 0)), ("false", (1, 0, 0)), ("false", (0, 0, 1))):
        report = coordinator.post(f"{API}/fleet/import?dry_run={dry_run}", content=table).json()
        assert (report["added"], report["changed"], report["same"]) == counts
        assert [fault["row"] for fault in report["faults"]] == [3, 4]
        assert "place 'Nowhere' is not known" in report["faults"][1]["reason"]
    cars = here.read(store.load_vehicles, CONFERENCE)
    assert [(car.code, car.name, car.seats) for car in cars.values() if car.plate == "HH-SL 701"] == [
        ("V3", "Albatross", 7)
    ]
    changed = coordinator.post(f"{API}/fleet/import", content=table.replace(b";7;9;", b";6;9;")).json()
    assert (changed["added"], changed["changed"]) == (0, 1)


def test_places_are_imported_and_kept_by_form(here, coordinator):
    table = b"name,kind,latitude,longitude\nGrand Hotel,hotel,53.55,9.99\nBad,castle,1,1\n"
    page = coordinator.post(
        f"{BOARD}places/import", data={"key": a_key(), "form": "import"}, files={"file": ("places.csv", table)}
    )
    assert page.status_code == 200
    assert "Imported: places.csv" in page.text
    assert "castle" in page.text
    assert "grand-hotel" in here.read(store.load_places, CONFERENCE)
    values = {"slug": "adlon", "name": "Adlon", "kind": "hotel", "latitude": "53,5", "longitude": "10"}
    post(coordinator, f"{BOARD}places", "place", **values)
    assert here.read(store.load_places, CONFERENCE)["adlon"].latitude == 53.5
    assert post(coordinator, f"{BOARD}places", "place", **(values | {"latitude": "north"})).status_code == 422
    post(coordinator, f"{BOARD}places/ham/remove")
    assert message_on(coordinator, f"{BOARD}places")[0] == "refused"
    assert "Adlon" in coordinator.get(f"{BOARD}places").text
    assert coordinator.get(f"{BOARD}places/template.csv").text.startswith("name,kind")


def drive_path(here, number=0):
    return here.drive_path(number)


def tap(here, what, *, key=None, at=None, number=0, **headers):
    client = here.house.client("dispatch")
    values = {"pickup": "K7Q1", "tap": what, "key": key or a_key(), "tapped_at": at.isoformat() if at else ""}
    return client.post(
        f"{drive_path(here, number)}/taps", data=values, headers={"Accept": "application/json"} | headers
    )


def test_the_drivers_phone_shows_the_ride_and_takes_taps(here):
    here.ask(a_pickup(1))
    phone = here.house.client("dispatch")
    page = phone.get(drive_path(here))
    assert page.status_code == 200
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "Speaker 1" in page.text
    answer = tap(here, "accepted", key="tap-1")
    assert (answer.status_code, answer.json()) == (200, {"state": "accepted", "words": "you took it 14:00"})
    here.house.clock.advance(120)
    assert tap(here, "accepted", key="tap-1").json() == answer.json()
    assert here.said() == [("planned", 1), ("accepted", 1)]
    assert "you took it 14:00" in phone.get(drive_path(here)).text


def test_what_has_not_happened_is_a_verdict_in_words(here):
    here.ask(a_pickup(1))
    verdict = tap(here, "no_show")
    assert verdict.status_code == 409
    assert "please wait for K7Q1" in verdict.json()["error"]
    assert tap(here, "flew").status_code == 422
    assert tap(here, "accepted", number=1).status_code == 403


def test_without_scripts_a_tap_comes_back_to_the_page(here):
    here.ask(a_pickup(1))
    client = here.house.client("dispatch")
    values = {"pickup": "K7Q1", "tap": "accepted", "key": a_key(), "tapped_at": ""}
    answer = client.post(f"{drive_path(here)}/taps", data=values, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, drive_path(here))


def test_the_phone_shows_who_boards_and_alights_at_each_stop_in_driving_order(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1, to_place="hotel"), a_pickup(2, to_place="hotel", phone="+49 40 555 0177"))
    page = here.house.client("dispatch").get(drive_path(here)).text
    stops = re.findall(r'data-stop="(\w+)-|data-ride="(\w+)" data-does="(\w+)"', page)
    assert [one[0] or f"{one[2]} {one[1]}" for one in stops] == [
        "board",
        "board K7Q1",
        "board K7Q2",
        "alight",
        "alight K7Q1",
        "alight K7Q2",
    ]
    assert 'href="tel:+49405550177"' in page
    assert "destination=53.6304%2C9.9882" in page
    sheet = here.house.client("dispatch", roles=["coordinator"]).get(f"{BOARD}print").text
    assert re.findall(r"(in|out): <b>(Speaker \d)", sheet) == [
        ("in", "Speaker 1"),
        ("in", "Speaker 2"),
        ("out", "Speaker 1"),
        ("out", "Speaker 2"),
    ]


def test_a_stop_on_the_way_is_the_next_stop(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    station = Place(CONFERENCE, "dammtor", "Dammtor", "station", 53.5607, 9.9896, "Europe/Berlin")
    here.act(fleet.save_place, here.desk, station)
    here.ask(a_pickup(1, to_place="hotel"))
    late = here.pickup(1).board_at + timedelta(minutes=10)
    here.ask(a_pickup(2, from_place="Dammtor", to_place="hotel", landing_at=late))
    for what in ("accepted", "arrived", "boarded"):
        here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", what, None, driver=here.drivers[0].id)
        if what == "accepted":
            here.pass_time(seconds=(here.pickup(1).board_at - here.now).total_seconds())
    page = here.house.client("dispatch").get(drive_path(here)).text
    first = page[page.index('data-stop="') : page.index('data-stop="', page.index('data-stop="') + 1)]
    assert "<h2>Dammtor</h2>" in first
    assert 'data-ride="K7Q2" data-does="board"' in first


def test_without_scripts_one_press_tells_of_all_at_a_stop(tmp_path, monkeypatch):
    here = Dispatched(tmp_path, monkeypatch, cars=1)
    here.ask(a_pickup(1), a_pickup(2))
    client = here.house.client("dispatch")
    values = {"pickup": "K7Q1 K7Q2", "tap": "accepted", "key": a_key(), "tapped_at": ""}
    for _ in range(2):
        answer = client.post(f"{drive_path(here)}/taps", data=values, follow_redirects=False)
        assert answer.status_code == 303
    assert [here.pickup(number).status for number in (1, 2)] == ["accepted", "accepted"]
    assert [here.said(number)[-1] for number in (1, 2)] == [("accepted", 1), ("accepted", 1)]


def test_a_new_link_ends_the_old_one(here, coordinator):
    old = drive_path(here)
    renewed = call(coordinator, f"/drivers/{here.drivers[0].id}/link").json()
    assert here.house.client("dispatch").get(old).status_code == 404
    assert here.house.client("dispatch").get(renewed["url"]).status_code == 200


def test_the_api_does_what_the_board_does(here, coordinator):
    here.ask(a_pickup(1))
    assert call(coordinator, "/pickups/K7Q1/assign", vehicle="V2", reason="x").json()["vehicle"] == "Car 2"
    assert call(coordinator, "/pickups/K7Q1/move", vehicle="V1", reason="x").json()["vehicle"] == "Car 1"
    assert call(coordinator, "/pickups/K7Q1/take-back", reason="x").json()["status"] == "unplaced"
    assert call(coordinator, "/pickups/K7Q1/unlock", reason="x").json()["status"] == "planned"
    assert call(coordinator, "/pickups/K7Q1/lock", reason="x").json()["status"] == "planned"
    assert call(coordinator, "/pickups/K7Q1/taps", tap="accepted").json()["state"] == "accepted"
    refused = call(coordinator, "/pickups/K7Q1/assign", vehicle="V9", reason="x")
    assert (refused.status_code, "V9" in refused.json()["error"]) == (409, True)
    assert call(coordinator, "/pickups/NONE/assign", vehicle="V1", reason="x").status_code == 404
    listed = coordinator.get(f"{API}/pickups?status=accepted").json()
    assert [one["code"] for one in listed] == ["K7Q1"]
    assert coordinator.get(f"{API}/pickups/K7Q1").json()["history"][0]["words"].startswith("the driver took it")
    board = coordinator.get(f"{API}/board").json()
    assert board["counts"]["accepted"] == 1
    assert board["plan"]["number"] == here.read(store.load_plan, CONFERENCE).number


def test_a_program_needs_a_scope_and_a_key(here):
    work = here.house["dispatch"]
    client = here.house.client("dispatch")
    for scopes, status in ((("read",), 403), (("write",), 422)):
        token = signer_of(work).command_token("script", scopes, here.now)
        headers = {"Authorization": f"Bearer {token}"}
        values = {"name": "Dana", "phone": "1"}
        assert client.post(f"{API}/drivers", json=values, headers=headers).status_code == status
        assert client.get(f"{API}/pickups", headers=headers).status_code == 200


def test_the_board_tells_of_the_last_death(here, coordinator):
    here.house.kill("dispatch")
    here.tell(
        a_pickup(1, landing_at=NOON - timedelta(hours=1), expires_at=NOON + timedelta(seconds=30)),
        a_pickup(2),
        a_pickup(3),
    )
    here.house.clock.advance(60)
    here.house.start("dispatch", LastEnd("SIGKILL", here.now - timedelta(seconds=60)))
    here.house.run()
    [death] = here.house.client("dispatch", roles=["coordinator"]).get(f"{API}/board").json()["deaths"]
    assert (death["how"], death["recovered"], death["expired"]) == ("SIGKILL", 2, 1)


def served_folders(here):
    return sorted(runsheets.served(here.house.settings, CONFERENCE).iterdir())


def test_run_sheets_are_written_for_each_plan_and_outlive_the_service(here, coordinator):
    here.ask(a_pickup(1))
    [folder] = served_folders(here)
    first = (folder / "plan.txt").read_text()
    assert "Speaker 1" in (folder / "index.html").read_text()
    assert "Speaker 1" in (folder / f"{here.drivers[0].id}.html").read_text()
    assert "Speaker 1" not in (folder / f"{here.drivers[1].id}.html").read_text()
    address = f"/{CONFERENCE}/runsheets/{folder.name}/"
    assert f'<a href="{address}">newest sheets as files</a>' in coordinator.get(f"{BOARD}print").text
    assert "newest sheets as files" not in (folder / "index.html").read_text()
    alone = here.house.settings.data_folder / "runsheets" / CONFERENCE / "all.html"
    assert "<style>" in alone.read_text()
    here.house.run()
    assert (folder / "plan.txt").read_text() == first
    here.ask(a_pickup(2, to_place="hotel"))
    assert (folder / "plan.txt").read_text() != first
    assert "Speaker 2" in (folder / "index.html").read_text()
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    page = coordinator.get(f"{BOARD}print")
    assert page.status_code == 200
    assert "Speaker 2" in page.text
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", folder.name)


def test_a_renewed_address_of_run_sheets_ends_the_old_one(here, coordinator):
    here.ask(a_pickup(1))
    [old] = served_folders(here)
    assert post(coordinator, f"{BOARD}print/renew").status_code == 303
    here.pass_time(seconds=2)
    [new] = served_folders(here)
    assert new.name != old.name
    assert "Speaker 1" in (new / "index.html").read_text()
    page = coordinator.get(f"{BOARD}print").text
    assert f"/{CONFERENCE}/runsheets/{new.name}/" in page
    assert old.name not in page
    done = call(program(here, "admin", "personal"), "/runsheets/renew").json()
    here.pass_time(seconds=2)
    [newest] = served_folders(here)
    assert done["url"].endswith(f"/{CONFERENCE}/runsheets/{newest.name}/")
    assert call(program(here, "write"), "/runsheets/renew").status_code == 403
    told = here.read(audit.list_entries)
    assert [entry.what for entry in told if entry.what.startswith("runsheets")] == ["runsheets.renew"] * 2
    assert newest.name not in str(told)


def test_the_address_of_run_sheets_ends_with_the_personal_links_of_the_conference(here, coordinator):
    here.ask(a_pickup(1))
    assert served_folders(here)
    here.pass_time(days=here.house.settings.personal_links_days + 1)
    assert served_folders(here) == []
    assert "newest sheets as files" not in coordinator.get(f"{BOARD}print").text


def test_an_address_of_run_sheets_goes_with_the_secret_that_made_it(here):
    """It works as long as the secret before is good; whatever else lies there goes at the next start."""
    here.ask(a_pickup(1))
    [old] = served_folders(here)
    (old.parent / ("0" * 32)).mkdir()  # As the release before named it.
    settings = here.house.settings
    secrets = {"session_secret": SecretStr(LATER), "session_secret_previous": settings.session_secret}
    here.house.settings = settings.model_copy(update=secrets)
    here.house.kill("dispatch")
    here.house.start("dispatch")
    here.house.run()
    assert len(served_folders(here)) == 2
    assert old in served_folders(here)
    here.ask(a_pickup(2, to_place="hotel"))
    assert all("Speaker 2" in (folder / "index.html").read_text() for folder in served_folders(here))
    here.house.settings = settings.model_copy(update=secrets | {"session_secret_previous": None})
    here.house.kill("dispatch")
    here.house.start("dispatch")
    here.house.run()
    [new] = served_folders(here)
    assert new.name != old.name


def test_a_removed_driver_has_no_run_sheet_any_more(here):
    here.ask(a_pickup(1))
    [folder] = served_folders(here)
    gone, stays = (folder / f"{driver.id}.html" for driver in here.drivers[:2])
    assert gone.exists()
    here.act(fleet.remove_driver, here.desk, CONFERENCE, here.drivers[0].id)
    here.pass_time(seconds=2)
    assert not gone.exists()
    assert stays.exists()
    assert here.drivers[0].name not in (folder / "index.html").read_text()


def program(here, *scopes):
    client = here.house.client("dispatch")
    token = signer_of(here.house["dispatch"]).command_token("script", scopes, here.now)
    client.headers["Authorization"] = f"Bearer {token}"
    return client
