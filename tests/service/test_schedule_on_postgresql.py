"""Schedule's story on a real PostgreSQL: the same statements, the same outcome."""

import pytest

import house as houses
from conferences_made import PROMISE, SLUG, a_programme, a_talk, an_arrival, at, bring, dispatch_says, told
from house import House
from postgresql import fresh_database
from softlanding import incidents
from softlanding.formats import read_arrivals
from softlanding.sample import sample
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import announce_arrival, import_arrivals
from softlanding.schedule.actions.sample import load_sample, move_sample


@pytest.fixture
def house(tmp_path, monkeypatch):
    url = fresh_database()
    for name in ("make_engine", "writer_engine"):
        real = getattr(houses, name)
        monkeypatch.setattr(houses, name, lambda _url, options, real=real: real(url, options))
    return House(tmp_path, names=["schedule"])


def write(house, action, *args, **more):
    return house["schedule"].database.write_now(action, *args, **more)


def read(house, view, *args):
    return house["schedule"].database.read_now(view, *args)


def test_from_an_import_to_an_alarm_and_its_answer(house):
    assert read(house, lambda connection: connection.dialect.name) == "postgresql"
    bring(house, a_programme(a_talk("A"), a_talk("B", at(11), persons=("GRACE",))))
    write(house, announce_arrival, SLUG, "ADA", an_arrival(), PROMISE)
    bring(house, a_programme(a_talk("A", at(10, 30)), a_talk("B", at(11), persons=("GRACE",))))
    assert [fact.revision for fact in told(house, "pickup.changed")] == [2]
    house.run()
    house.clock.advance(31)
    house.run()
    kinds = [incident.kind for incident in read(house, incidents.list_incidents)]
    assert kinds.count("unanswered") == 1
    dispatch_says(house, "planned", told(house, "pickup.changed")[0], vehicle="Van")
    [row] = read(house, views.journeys.arrivals, SLUG, "Europe/Berlin")
    assert (row["state"], row["vehicle"]) == ("planned", "Van")
    for path in (f"/{SLUG}/organise/", f"/{SLUG}/organise/arrivals", f"/{SLUG}/organise/speakers"):
        assert house.client("schedule", ["organiser"]).get(path).status_code == 200


def test_the_sample_comes_and_moves(house):
    day = house.clock.now().date()
    assert write(house, load_sample, sample(day), PROMISE)["did"] == "loaded"
    assert write(house, move_sample, sample(day.replace(day=day.day + 1)), PROMISE)["did"] == "moved"
    assert len(read(house, store.journeys.list_open, "softconf")) == len(sample(day).arrivals)


def test_a_faulty_row_and_a_dry_run_leave_the_transaction_whole(house):
    bring(house, a_programme())
    header, row = "speaker,number,date,airport,landing time,to\n", "ADA,LH 1,2026-05-09,HAM,07:30,Hotel\n"
    rows = read_arrivals(header + row + row.replace("ADA", "NOBODY"), "Europe/Berlin")
    assert len(write(house, import_arrivals, SLUG, rows, PROMISE, dry_run=True)["added"]) == 1
    assert told(house, "pickup.requested") == []
    report = write(house, import_arrivals, SLUG, rows, PROMISE)
    assert (len(report["added"]), len(report["faults"])) == (1, 1)
    assert len(told(house, "pickup.requested")) == 1


def test_a_name_with_a_forbidden_character_is_an_answer(house):
    bring(house, a_programme())
    client = house.client("schedule", ["organiser"])
    assert client.get(f"/{SLUG}/organise/arrivals?journey=%00").status_code in (200, 404, 422)
    assert client.post(f"/{SLUG}/organise/people/%00/link", data={"key": "1"}).status_code in (404, 422)
