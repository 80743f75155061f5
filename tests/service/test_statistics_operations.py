"""For operators: what a death cost, what people must settle, what was given up on, and what was logged."""

import json
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

import statistics_told as told
from clocks import NOON
from softlanding import incidents
from softlanding.auth import Signer
from softlanding.contracts.dispatch import PickupBoarded, PickupMissed, PickupPlanned, PickupUnplaced
from softlanding.contracts.everyone import IncidentOpened, IncidentSettled
from softlanding.contracts.schedule import PickupChanged, PickupWithdrawn
from softlanding.lifecycle.outages import LastEnd, list_deaths
from softlanding.messaging import dead_letters, inbox
from softlanding.statistics import store, views
from softlanding.statistics.tables import log_counts, logs
from softlanding.statistics.timers import make_timers
from statistics_told import asked, rode, tell, told_and_heard


@pytest.fixture
def house(tmp_path, monkeypatch):
    return told.make_house(tmp_path, monkeypatch)


@pytest.fixture
def operator(house):
    return house.client("statistics", roles=["operator"])


def kill_dispatch(house):
    """It dies now, by SIGKILL; the moment."""
    house.kill("dispatch")
    return house.clock.now()


def an_incident(house, **values):
    incident = {"incident": house.ids.new(), "kind": "missed", "about": "pickup/p4", "code": "K4QX"}
    incident |= {"conference": "softconf", "sentence": "K4QX was missed", "opened_at": house.clock.now()}
    return incident | values


def a_death_with_three_recovered_and_one_expired(house):
    """p0 is planned before; p1 was asked just before; p2 asked and p0 changed in the gap; p4 ran out in it; p5 was
    withdrawn in it. The incident of p4.
    """
    soon = house.clock.now() + timedelta(seconds=2)
    told_and_heard(house, "schedule", asked("p0"), asked("p9"))
    told_and_heard(house, "dispatch", rode(PickupPlanned, "p0"), rode(PickupPlanned, "p9"))
    tell(house, "schedule", asked("p1"), asked("p5"))
    died_at = kill_dispatch(house)
    house.clock.advance(1)
    tell(house, "schedule", asked("p2"), asked("p0", PickupChanged, revision=2), asked("p4", expires_at=soon))
    tell(house, "schedule", asked("p5", PickupWithdrawn, revision=2))
    house.clock.advance(3)
    house.start("dispatch", LastEnd("SIGKILL", died_at))
    incident = an_incident(house)
    tell(house, "dispatch", rode(PickupMissed, "p4"), IncidentOpened(**incident))
    tell(
        house, "dispatch", rode(PickupPlanned, "p1"), rode(PickupUnplaced, "p2"), rode(PickupPlanned, "p0", revision=2)
    )
    house.run()
    house.clock.advance(60)
    asked_at = house.clock.now()
    told_and_heard(house, "schedule", asked("p7"))  # After it was back: nothing to do with the death.
    told_and_heard(house, "dispatch", rode(PickupPlanned, "p7", asked_at=asked_at), rode(PickupBoarded, "p9"))
    return incident


def test_a_death_is_told_with_what_it_cost(house, operator):
    incident = a_death_with_three_recovered_and_one_expired(house)
    # As in Berlin.
    sentence = "Dispatch died 14:00:00 (SIGKILL), back 14:00:04 after 4 s; 3 pickups recovered, 1 expired"
    (death,) = operator.get("/api/statistics/deaths").json()
    assert (death["sentence"], death["zone"]) == (sentence, "Europe/Berlin")
    assert death["recovered"] == ["K0QX", "K1QX", "K2QX"]
    assert death["expired"] == death["unsettled"] == ["K4QX"]
    text = operator.get("/operations/").text
    assert sentence in text
    assert "recovered: K0QX, K1QX, K2QX" in text
    assert "1 of the expired is still to be settled" in text
    settled = {"settled_at": house.clock.now(), "settled_by": "Bert", "settled_word": "not needed"}
    told_and_heard(house, "dispatch", IncidentSettled(**incident, **settled))
    (death,) = operator.get("/api/statistics/deaths").json()
    assert (death["expired"], death["unsettled"]) == (["K4QX"], [])
    assert sentence in operator.get("/operations/").text  # Recovery and settling of pickups do not close the death.


def test_the_story_is_the_same_when_statistics_was_dead_as_well(house):
    house.kill("statistics")
    a_death_with_three_recovered_and_one_expired(house)
    house.start("statistics", LastEnd("SIGKILL", NOON))
    house.run()
    stories = house["statistics"].database.read_now(views.outage_stories)
    said = {story.outage.service: story.sentence(ZoneInfo("UTC")) for story in stories}
    assert said["dispatch"].endswith("3 pickups recovered, 1 expired")
    assert said["statistics"].startswith("Statistics died 12:00:00 (SIGKILL), back ")
    assert "recovered" not in said["statistics"]


def test_two_deaths_share_no_pickup(house):
    for number in range(2):
        died_at = kill_dispatch(house)
        house.clock.advance(1)
        tell(house, "schedule", asked(f"p{number}"))
        house.clock.advance(1)
        house.start("dispatch", LastEnd("exit code 1", died_at))
        told_and_heard(house, "dispatch", rode(PickupPlanned, f"p{number}"))
        house.clock.advance(5)
    stories = house["statistics"].database.read_now(views.outage_stories)
    assert sorted(story.recovered for story in stories) == [("K0QX",), ("K1QX",)]
    (growing,) = house["statistics"].database.read_now(incidents.list_incidents, is_open=True)
    assert growing.times == 2
    text = house.client("statistics", roles=["operator"]).get("/operations/").text
    assert "2 times, last: Dispatch died" in text


def another_conference(house, zone):
    told_and_heard(house, "schedule", told.a_conference("pier").model_copy(update={"title": "Pier 26", "zone": zone}))


def test_two_conferences_of_one_zone_are_linked_and_keep_their_clocks(house, operator):
    assert 'id="conferences"' not in operator.get("/operations/").text  # The header leads to the only one.
    another_conference(house, "Europe/Berlin")
    a_death_with_three_recovered_and_one_expired(house)
    text = operator.get("/operations/").text
    for slug in ("softconf", "pier"):
        assert f'<a href="/{slug}/">Programme</a>' in text
        assert f'<a href="/{slug}/statistics/">Statistics</a>' in text
        assert f'<a href="/{slug}/dispatch/">' not in text  # An operator is no coordinator.
    assert "Times are in Europe/Berlin." in text
    assert "Dispatch died 14:00:00 (SIGKILL)" in text
    both = house.client("statistics", roles=["operator", "coordinator"]).get("/operations/").text
    assert '<a href="/pier/dispatch/">Board</a>' in both


def test_conferences_of_several_zones_are_told_in_utc_and_their_own_matters_name_their_zone(house, operator):
    another_conference(house, "Europe/Lisbon")
    a_death_with_three_recovered_and_one_expired(house)
    text = operator.get("/operations/").text
    assert "Times are in UTC." in text
    assert "Dispatch died 12:00:00 (SIGKILL)" in text
    missed = text[text.index("K4QX was missed") :]
    assert "SoftConf 26 · times in Europe/Berlin" in re.sub(r"\s+", " ", missed)


def test_dead_letters_and_refusals_name_the_zone_only_where_there_are_times(house, operator):
    assert "Times are in Europe/Berlin." in operator.get("/-letters/statistics").text
    assert "Times are in" not in operator.get("/operations/nothing-here").text
    assert "UTC" not in house.client("statistics").get("/operations/").text  # Please sign in.


def test_lives_name_how_they_ended_and_who_noticed(house, operator):
    a_death_with_three_recovered_and_one_expired(house)
    lives = operator.get("/api/statistics/lives").json()
    dead = [life for life in lives if life["service"] == "dispatch" and life["ended_at"]]
    assert [(life["ending"], life["noticed_by"], life["recovered"], life["expired"]) for life in dead] == [
        ("SIGKILL", "statistics", 3, 1)
    ]
    assert {life["service"] for life in lives if not life["ended_at"]} == {"schedule", "dispatch", "statistics"}
    assert all(life["ready_at"] for life in lives if not life["ended_at"])


def test_a_silent_service_is_shown_at_once_and_its_silence_stays_on_record(house, operator):
    house.run()
    kill_dispatch(house)
    for _ in range(6):
        house.clock.advance(1)
        house.run(turns=1)
    cards = {card["service"]: card for card in operator.get("/api/statistics/services").json()}
    assert cards["dispatch"]["state"] == "silent"
    assert cards["schedule"]["state"] == "ready"
    assert "silent for" in operator.get("/operations/").text
    assert [silence["service"] for silence in operator.get("/api/statistics/silences?is_open=true").json()] == [
        "dispatch"
    ]
    lives = operator.get("/api/statistics/lives").json()
    assert [life["ending"] for life in lives if life["service"] == "dispatch"] == ["silent"]
    house.start("dispatch", LastEnd("SIGKILL", house.clock.now()))
    house.clock.advance(1)
    house.run()
    assert operator.get("/api/statistics/silences?is_open=true").json() == []
    assert len(operator.get("/api/statistics/silences").json()) == 1


def test_cards_tell_backlog_lag_and_missed(house, operator):
    told_and_heard(house, "schedule", asked())
    told_and_heard(house, "dispatch", rode(PickupMissed))
    house.clock.advance(1)
    house.run()
    cards = {card["service"]: card for card in operator.get("/api/statistics/services").json()}
    assert (cards["dispatch"]["expired"], cards["dispatch"]["lag"], cards["dispatch"]["backlog"]) == (1, 0.0, 0)
    house.broker.is_down = True
    house.run(turns=2)
    cards = {card["service"]: card for card in operator.get("/api/statistics/services").json()}
    assert cards["statistics"]["state"] == "degraded"
    assert "NATS" in cards["statistics"]["waiting_for"]


def settle(client, incident, key="key-1", word="understood", follow=True):
    data = {"word": word, "note": "looked at it", "key": key, "form": f"settle-{incident}"}
    return client.post(f"/operations/incidents/{incident}/settle", data=data, follow_redirects=follow)


def test_our_own_incident_is_settled_here_once_however_often_the_form_comes(house, operator):
    a_death_with_three_recovered_and_one_expired(house)
    (death,) = house["statistics"].database.read_now(incidents.list_incidents, is_open=True)
    for _ in range(2):
        answer = settle(operator, death.id)
        assert answer.status_code == 200
        assert "Settled: understood" in answer.text
    assert "looked at it" in operator.get("/operations/").text
    (settled,) = house["statistics"].database.read_now(incidents.list_incidents, is_open=False)
    assert (settled.settled_by, settled.settled_word) == ("Ana Test", "understood")
    assert "settled this already" in settle(operator, death.id, key="key-2").text
    assert "nobody has told" in settle(operator, "unknown", key="key-3").text


def test_another_services_incident_is_settled_where_it_is_kept(house, operator):
    incident = an_incident(house)
    told_and_heard(house, "dispatch", IncidentOpened(**incident))
    text = operator.get("/operations/").text
    assert "K4QX was missed" in text
    assert "kept by Dispatch" in text
    assert 'href="/softconf/follow/K4QX"' in text
    answer = settle(operator, incident["incident"], word="not needed", follow=False)
    assert answer.status_code == 307  # The browser sends the same form there.
    assert answer.headers["location"].startswith("/-settle/dispatch?incident=" + incident["incident"])
    told_and_heard(
        house,
        "dispatch",
        IncidentSettled(**incident, settled_at=NOON, settled_by="Bert Settler", settled_word="not needed"),
    )
    text = operator.get("/operations/").text
    assert "Not needed" in text
    assert "Bert Settler" not in text
    found = [i for i in operator.get("/api/statistics/all-incidents").json() if i["service"] == "dispatch"]
    assert [(i["settled"]["word"], i["settled"]["by"]) for i in found] == [("Not needed", "a member of staff")]


@pytest.fixture
def parked(house, monkeypatch):
    """A fact about p1 that broke thrice, and a later one that waits behind it."""

    def break_down(*_arguments):
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as broken:
        broken.setattr(store, "count_fact", break_down)
        for _ in range(3):
            told_and_heard(house, "schedule", *([asked()] if _ == 0 else []))
            house.clock.advance(1)
            house["statistics"].receivers["schedule"].needs_repair = True
    told_and_heard(house, "schedule", asked(kind=PickupChanged, revision=2))
    house.run()
    assert len(house["statistics"].database.read_now(dead_letters.list_parked)) == 2
    return house["statistics"].database.read_now(dead_letters.list_parked)[0].id


def post(client, letter, what, key="key-1", **values):
    return client.post(f"/operations/dead-letters/{letter}/{what}", data={"key": key, "form": what} | values)


def test_a_parked_fact_is_shown_and_applied_after_all(house, operator, parked):
    text = operator.get("/operations/").text
    assert "a bug" in text
    assert "1 later fact behind it" in text
    assert "parked by Statistics" in text
    for _ in range(2):
        assert "Applied after all: 2" in post(operator, parked, "replay").text
    assert house["statistics"].database.read_now(dead_letters.list_parked) == []
    story = operator.get("/api/statistics/softconf/pickups/K1QX").json()
    assert [step["kind"] for step in story["steps"] if step["lane"] == "schedule"] == [
        "pickup.requested",
        "pickup.changed",
    ]
    assert [step["kind"] for step in story["steps"] if step["lane"] == "statistics"] == ["incident.opened"]


def test_a_parked_fact_is_dropped_only_with_a_reason(house, operator, parked):
    assert "give a reason for the record" in post(operator, parked, "drop", reason=" ").text
    assert len(house["statistics"].database.read_now(dead_letters.list_parked)) == 2
    assert "Dropped: 2" in post(operator, parked, "drop", reason="a test").text
    assert house["statistics"].database.read_now(dead_letters.list_parked) == []
    coordinator = house.client("statistics", roles=["coordinator"])
    assert post(coordinator, parked, "drop", key="key-9", reason="x").status_code == 403


def test_what_a_peer_parked_is_shown_from_its_receipt(house, operator):
    told_and_heard(house, "schedule", asked())
    dispatch = house["dispatch"]
    row = house["statistics"].database.read_now(views.heard_after, 0, 500, None, "schedule.pickup.requested")[0]
    cursor = dispatch.database.read_now(inbox.load_cursor, "schedule")
    assert cursor is not None
    dispatch.receivers["schedule"].parked_numbers = (row["sequence"],)
    told = [("dispatch", "schedule", row["epoch"], (row["sequence"],))]
    (letter,) = house["statistics"].database.read_now(views.letters_view, told)
    assert (letter["consumer"], letter["kind"], letter["subject"]) == ("dispatch", "pickup.requested", "pickup/p1")
    assert "another service parked this fact" in post(operator, letter["id"], "replay").text


def a_program(house, *scopes):
    client = house.client("statistics")
    signer = Signer(house.settings.session_secret.get_secret_value())
    client.headers["Authorization"] = "Bearer " + signer.command_token("collector", scopes, house.clock.now())
    return client


def send(client, lines, **headers):
    return client.post("/api/statistics/logs", content="\n".join(lines), headers=headers)


def a_line(event="started", **values):
    return json.dumps({"ts": "2026-05-08T12:00:00Z", "level": "info", "service": "dispatch", "event": event} | values)


def test_lines_are_kept_and_found_by_service_level_and_words(house, operator):
    lines = [a_line("planned", code="K7QX"), a_line("broke", level="error", service="schedule"), "no JSON at all"]
    assert send(a_program(house, "logs"), lines).json() == {"kept": 3, "bad": 1}
    texts = [line["text"] for line in operator.get("/api/statistics/logs").json()]
    assert texts == ["no JSON at all", "broke", "planned"]
    for query, expected in (
        ({"service": "schedule"}, ["broke"]),
        ({"level": "error"}, ["broke"]),
        ({"words": "k7qx PLANNED"}, ["planned"]),
        ({"words": "100%"}, []),
        ({"below": 2}, ["planned"]),
    ):
        assert [line["text"] for line in operator.get("/api/statistics/logs", params=query).json()] == expected
    text = operator.get("/operations/?level=error").text
    assert "broke" in text
    assert "no JSON at all" not in text
    assert 'data-stream="/operations/stream?service=&amp;level=error&amp;words="' in text


def test_lost_lines_are_counted_and_said(house, operator):
    send(a_program(house, "logs"), [a_line("log lines lost", lost=7), a_line("log lines lost", lost=5)])
    assert "12 lines could not be kept" in operator.get("/operations/").text


def test_whoever_collects_logs_sends_lines_and_nobody_else(house):
    peer = house.client("statistics")
    peer.headers["Authorization"] = "Bearer " + house.settings.peer_token.get_secret_value()
    assert send(peer, [a_line()]).status_code == 403
    assert send(a_program(house, "read", "write", "facts", "personal", "admin"), [a_line()]).status_code == 403
    assert send(a_program(house, "logs"), [a_line()]).status_code == 200
    assert send(house.client("statistics"), [a_line()]).status_code == 401
    assert send(house.client("statistics", roles=["operator"]), [a_line()]).status_code == 403


def test_the_same_batch_under_one_key_is_kept_once(house, operator):
    client = a_program(house, "logs")
    for _ in range(2):
        assert send(client, [a_line()], **{"Idempotency-Key": "batch-1"}).json() == {"kept": 1, "bad": 0}
    assert len(operator.get("/api/statistics/logs").json()) == 1


def test_too_many_lines_are_refused_and_none_is_kept(house, operator):
    answer = send(a_program(house, "logs"), [a_line()] * 1001)
    assert answer.status_code == 422
    assert "at most 1000 lines" in answer.json()["error"]
    assert operator.get("/api/statistics/logs").json() == []


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe\x00", b"[" * 50_000, b'{"event": "\\ud800\\u0000"}', b"[[], 1, null]"]
)
def test_no_line_breaks_the_door(house, operator, body):
    answer = a_program(house, "logs").post("/api/statistics/logs", content=body)
    assert answer.status_code == 200
    assert operator.get("/api/statistics/logs").status_code == 200
    assert operator.get("/operations/").status_code == 200


def test_old_lines_go_in_slices_and_young_ones_stay(tmp_path, monkeypatch):
    house = told.make_house(tmp_path, monkeypatch, names=["statistics"])
    client = a_program(house, "logs")
    for _ in range(5):
        send(client, [a_line("old")] * 1000)
    house.clock.advance(timedelta(days=13).total_seconds())
    send(a_program(house, "logs"), [a_line("young")] * 10)
    house.run()
    assert count_lines(house) == 5010
    house.clock.advance(timedelta(days=2).total_seconds())
    house.run()
    assert count_lines(house) == 10
    counted = house["statistics"].database.read_now(lambda c: dict(c.execute(sa.select(*log_counts.c)).all()))
    assert counted == {"kept": 5010}


def test_a_service_that_shouts_does_not_fill_the_disk(tmp_path, monkeypatch):
    house = told.make_house(tmp_path, monkeypatch, names=["statistics"])
    send(a_program(house, "logs"), [a_line(f"line {number}") for number in range(1000)])
    (trim,) = make_timers(timedelta(days=14), lines_max=100)
    database = house["statistics"].database
    while database.read_now(trim.is_due, house.clock.now()):
        database.write_now(trim.action)
    kept = database.read_now(lambda c: c.execute(sa.select(logs.c.text).order_by(logs.c.number)).scalars().all())
    assert kept == [f"line {number}" for number in range(900, 1000)]


def count_lines(house):
    return house["statistics"].database.read_now(lambda c: c.execute(sa.select(sa.func.count(logs.c.number))).scalar())


def test_every_death_has_one_row_here(house):
    a_death_with_three_recovered_and_one_expired(house)
    assert [death.how for death in house["statistics"].database.read_now(list_deaths)] == ["SIGKILL"]
