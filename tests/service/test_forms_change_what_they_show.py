"""A form changes what it shows and nothing else; what exists is edited, never overwritten by adding it again."""

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from clocks import NOON
from dispatched import CONFERENCE, HOTEL, Dispatched, a_pickup
from forms import PASSING, the_form
from softlanding.dispatch import store
from softlanding.dispatch.actions import fleet, taps
from softlanding.dispatch.model import Place

DESK = f"/{CONFERENCE}/dispatch"
API = f"/api/dispatch/{CONFERENCE}"
NUMBERS = itertools.count(1)
FAR = Place(
    CONFERENCE, "vgo", "Vigo", "airport", 42.2318, -8.62677, "Europe/Madrid", "VGO", "Peinador", "Door 2", 30, 15
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    there = Dispatched(tmp_path, monkeypatch)
    there.act(fleet.save_place, there.desk, FAR)
    car = replace(there.read(store.load_vehicles, CONFERENCE)["V1"], wheelchair_places=2, luggage=150)
    there.act(fleet.save_vehicle, there.desk, car)
    return there


@pytest.fixture
def coordinator(here):
    return here.house.client("dispatch", roles=["coordinator"])


def edit(client, page, what):
    shown = client.get(f"{DESK}/{page}?edit={what}")
    assert shown.status_code == 200
    return the_form(shown.text, "edit")


def send(client, form, **changes):
    values = form.sent | {"key": f"key-{next(NUMBERS)}"} | changes
    answer = client.post(form.action, data=values, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer


def everything(here):
    """All that these forms could change."""
    return {
        ("place", slug): place for slug, place in here.read(store.load_places, CONFERENCE).items()
    } | {
        ("vehicle", code): car for code, car in here.read(store.load_vehicles, CONFERENCE).items()
    } | {
        ("driver", one.id): one for one in here.read(store.list_drivers, CONFERENCE)
    } | {
        ("shift", one.id): one for one in here.read(store.load_shifts, CONFERENCE).values()
    }  # fmt: skip


def hour(clock, day=NOON):
    return datetime.fromisoformat(f"{day:%Y-%m-%d}T{clock}").replace(tzinfo=ZoneInfo("Europe/Berlin"))


FORMS = {
    "places": {
        "name": ("Vigo Airport", {"name": "Vigo Airport"}),
        "kind": None,  # Not of an airport with a code: see below.
        "latitude": ("42,5", {"latitude": 42.5}),
        "longitude": ("-8.5", {"longitude": -8.5}),
        "zone": ("Europe/Lisbon", {"zone": "Europe/Lisbon"}),
        "iata": ("opo", {"iata": "OPO"}),
        "address": ("", {"address": ""}),
        "note": ("Under the clock", {"note": "Under the clock"}),
        "exit_international_min": ("0", {"exit_international_min": 0}),
        "exit_domestic_min": ("", {"exit_domestic_min": None}),
    },
    "vehicle": {
        "name": ("Bus", {"name": "Bus"}),
        "plate": ("HH-77", {"plate": "HH-77"}),
        "seats": ("2", {"seats": 2}),
        "luggage": ("9", {"luggage": 9}),
        "wheelchair_places": ("1", {"wheelchair_places": 1}),
        "start_place": ("", {"start_place": None}),
    },
    "driver": {"name": ("Dana", {"name": "Dana"}), "phone": ("+49 1", {"phone": "+49 1"})},
    "shift": {
        "driver": ("?driver", {"driver": "?driver"}),
        "vehicle": ("V9", {"vehicle": "V9"}),
        "on": (f"{NOON + timedelta(days=3):%Y-%m-%d}", {"from_at": 3, "to_at": 3}),
        "from": ("09:00", {"from_at": hour("09:00")}),
        "to": ("21:30", {"to_at": hour("21:30")}),
        "start_place": ("hotel", {"start_place": "hotel"}),
    },
}
EACH = [(kind, field) for kind, fields in FORMS.items() for field, change in fields.items() if change]


def name_of(here, kind):
    """What is edited: its page, its name there, its place in `everything`."""
    if kind == "places":
        return "places", "vgo", ("place", "vgo")
    identity = {"vehicle": "V1", "driver": here.drivers[0].id, "shift": here.shifts[0]}[kind]
    return "fleet", f"{kind}/{identity}", (kind, identity)


@pytest.mark.parametrize(("kind", "field"), EACH)
@pytest.mark.parametrize("is_whole", [True, False])
def test_each_field_of_each_form_changes_itself_and_nothing_else(here, coordinator, kind, field, is_whole):
    spare = here.act(fleet.add_driver, CONFERENCE, "Spare", "+49 2")["driver"]
    here.act(
        fleet.save_vehicle, here.desk, replace(here.read(store.load_vehicles, CONFERENCE)["V1"], code="V9", plate="")
    )
    page, named, key = name_of(here, kind)
    before, form = everything(here), edit(coordinator, page, named)
    typed, expected = FORMS[kind][field]
    typed = spare if typed == "?driver" else typed
    if not is_whole:
        form.sent = {name: form.sent[name] for name in ("csrf", "form")}
    send(coordinator, form, **{field: typed})
    changes = {
        name: spare if value == "?driver" else getattr(before[key], name) + timedelta(days=value)
        if name in ("from_at", "to_at") and isinstance(value, int)
        else value
        for name, value in expected.items()
    }  # fmt: skip
    assert everything(here) == before | {key: replace(before[key], **changes)}


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_that_is_sent_as_it_is_shown_changes_nothing(here, coordinator, kind):
    page, named, _ = name_of(here, kind)
    before, form = everything(here), edit(coordinator, page, named)
    assert set(FORMS[kind]) == set(form.sent) - set(PASSING)
    send(coordinator, form)
    assert everything(here) == before


def test_a_shift_in_the_hour_that_comes_twice_stays_in_it_when_its_driver_changes(here, coordinator):
    night = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("UTC"))  # 02:30 in Berlin, for the second time.
    hours = {"from_at": night, "to_at": night + timedelta(hours=5)}
    made = here.act(fleet.add_shift, here.desk, CONFERENCE, driver=here.drivers[0].id, vehicle="V1", **hours)["shift"]
    before = everything(here)
    send(coordinator, edit(coordinator, "fleet", f"shift/{made}"), driver=here.drivers[1].id)
    key = ("shift", made)
    assert everything(here) == before | {key: replace(before[key], driver=here.drivers[1].id)}


def test_a_place_gets_another_kind_only_without_a_code(here, coordinator):
    form = edit(coordinator, "places", "vgo")
    refused = coordinator.post(form.action, data=form.sent | {"key": "k", "kind": "hotel"})
    assert refused.status_code == 422
    assert "only airports have a code" in refused.text
    assert 'id="edit"' in refused.text
    send(coordinator, form, kind="hotel", iata="")
    assert here.read(store.load_places, CONFERENCE)["vgo"] == replace(FAR, kind="hotel", iata="")


def test_what_exists_is_not_overwritten_by_adding_it_again(here, coordinator):
    before = everything(here)
    where = {"latitude": "1", "longitude": "2"}
    for path, values, said in (
        ("places", {"slug": "vgo", "name": "Other", **where}, "vgo is a place already, Vigo: edit it"),
        ("places", {"slug": "other", "name": "vigo", **where}, "Vigo is a place already, vgo: edit it"),
        ("fleet/vehicles", {"code": "V1", "name": "Other"}, "V1 is a vehicle already, Car 1: edit it"),
        ("fleet/vehicles", {"code": "V9", "name": "Other", "plate": "hh 1"}, "V1 has the plate HH-1 already: edit"),
        ("fleet/drivers", {"name": "driver 1", "phone": "1"}, "is a driver here already: edit"),
    ):
        answer = coordinator.post(f"{DESK}/{path}", data={"key": f"key-{next(NUMBERS)}", **values})
        assert answer.status_code == 409
        assert said in answer.text
    for path, values in (
        ("places", {"slug": "vgo", "name": "Other", "kind": "hotel", "latitude": 1, "longitude": 2}),
        ("vehicles", {"code": "V1", "name": "Other", "seats": 1, "luggage": 1}),
        ("drivers", {"name": "Driver 1", "phone": "1"}),
    ):
        key = {"Idempotency-Key": f"key-{next(NUMBERS)}"}
        assert coordinator.post(f"{API}/{path}", json=values, headers=key).status_code == 409
    assert everything(here) == before


@pytest.mark.parametrize(
    ("path", "key", "sent", "expected"),
    [
        ("places/vgo", ("place", "vgo"), {"note": "Under the clock"}, {}),
        ("places/vgo", ("place", "vgo"), {"exit_domestic_min": None}, {}),
        ("vehicles/V1", ("vehicle", "V1"), {"start_place": HOTEL.name}, {"start_place": "hotel"}),
        ("drivers/?", ("driver", "?"), {"phone": "+49 1"}, {}),
        (
            "shifts/?",
            ("shift", "?"),
            {"to_at": (NOON + timedelta(hours=9)).isoformat()},
            {"to_at": NOON + timedelta(hours=9)},
        ),
    ],
)
def test_a_program_changes_only_the_fields_that_it_sends(here, coordinator, path, key, sent, expected):
    identity = {"driver": here.drivers[0].id, "shift": here.shifts[0]}.get(key[0], key[1])
    before, key = everything(here), (key[0], identity)
    answer = coordinator.post(
        f"{API}/{path.replace('?', identity)}/change", json=sent, headers={"Idempotency-Key": f"key-{next(NUMBERS)}"}
    )
    assert answer.status_code == 200, answer.text
    assert everything(here) == before | {key: replace(before[key], **(expected or sent))}
    wrong = coordinator.post(
        f"{API}/{path.replace('?', identity)}/change", json={"nmae": "x"}, headers={"Idempotency-Key": "wrong"}
    )
    assert wrong.status_code == 422


def test_a_table_without_a_column_or_with_an_empty_cell_leaves_the_value(here, coordinator):
    before = everything(here)
    head = "vehicle,plate,seats,start place,driver,shift start,shift end\n"
    shift = f"Car 1,HH-1,3,HAM,Driver 1,{NOON + timedelta(days=2):%Y-%m-%d} 08:00,12:00\n"
    for table, body in (
        ("places", "name,kind,latitude,longitude\nVigo,airport,42.2318,-8.62677\n"),
        ("places", "name,kind,latitude,longitude,zone,iata,international exit minutes\nVigo,airport,,,,VGO,\n"),
        ("fleet", head + shift),
    ):
        answer = coordinator.post(f"{API}/{table}/import", content=body.encode())
        assert answer.status_code == 200
        assert answer.json()["faults"] == []
    after = everything(here)
    assert {key: after[key] for key in before} == before


def test_a_driver_who_is_renamed_is_told_to_whom_they_fetch(here, coordinator):
    here.ask(a_pickup(1))
    ride = here.read(store.load_pickup, CONFERENCE, "K7Q1")
    driver = here.read(store.load_shifts, CONFERENCE)[ride.shift].driver
    link = here.read(store.load_driver, CONFERENCE, driver).link
    send(coordinator, edit(coordinator, "fleet", f"driver/{driver}"), name="Dana", phone="+49 1")
    told = here.told("pickup.planned")[-1]
    assert (told["driver_name"], told["driver_phone"]) == ("Dana", "+49 1")
    assert here.read(store.load_driver, CONFERENCE, driver).link == link


def test_rides_stay_on_a_shift_that_another_driver_and_car_take_over(here, coordinator):
    here.ask(a_pickup(1))
    ride = here.read(store.load_pickup, CONFERENCE, "K7Q1")
    here.act(
        fleet.add_vehicle, here.desk, replace(here.read(store.load_vehicles, CONFERENCE)["V1"], code="V9", plate="HH-9")
    )
    spare = here.act(fleet.add_driver, CONFERENCE, "Spare", "+49 2")["driver"]
    send(coordinator, edit(coordinator, "fleet", f"shift/{ride.shift}"), driver=spare, vehicle="V9")
    after = here.read(store.load_pickup, CONFERENCE, "K7Q1")
    assert (after.shift, after.status) == (ride.shift, "planned")
    stops = here.read(store.list_stops_of_shift, ride.shift)
    assert {stop.vehicle for stop in stops} == {"V9"}
    told = here.told("pickup.planned")[-1]
    assert (told["driver_name"], told["plate"]) == ("Spare", "HH-9")


def test_a_shift_that_ends_earlier_lets_go_only_of_whom_it_cannot_fetch(here, coordinator):
    here.ask(a_pickup(1))
    ride = here.read(store.load_pickup, CONFERENCE, "K7Q1")
    end = (ride.board_at - timedelta(minutes=5)).astimezone(ZoneInfo("Europe/Berlin"))
    send(coordinator, edit(coordinator, "fleet", f"shift/{ride.shift}"), to=f"{end:%H:%M}")
    here.house.run()
    after = here.read(store.load_pickup, CONFERENCE, "K7Q1")
    assert after.status == "planned"
    assert after.shift != ride.shift


def test_nobody_who_is_aboard_loses_their_car_by_an_edit(here, coordinator):
    here.ask(a_pickup(1))
    ride = here.read(store.load_pickup, CONFERENCE, "K7Q1")
    car = replace(here.read(store.load_vehicles, CONFERENCE)["V1"], code="V9", plate="HH-9")
    here.act(fleet.add_vehicle, here.desk, car)
    here.act(taps.tap, here.desk, CONFERENCE, "K7Q1", "boarded", None, by="the desk")
    before = everything(here)
    form = edit(coordinator, "fleet", f"shift/{ride.shift}")
    refused = coordinator.post(form.action, data=form.sent | {"key": "k", "vehicle": "V9"})
    assert refused.status_code == 409
    assert "on that shift; let the ride end" in refused.text
    assert everything(here) == before
