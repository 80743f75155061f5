"""Who may come in at which door, and what is answered there."""

import html
import json
import re
from dataclasses import replace
from itertools import product

import pytest

from browsers import press_sign_in
from conferences_made import DAY, PROMISE, SLUG, a_programme, a_talk, an_arrival, at, bring, told
from house import House
from softlanding import apart
from softlanding.auth import Signer, list_people, load_person
from softlanding.formats import write_json, write_xml
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import announce_arrival, withdraw_arrival
from softlanding.schedule.actions.people import add_person, ensure_somebody
from softlanding.schedule.actions.programme import import_programme, prepare
from softlanding.web.doors import links_of

ARRIVAL = {
    "how": "flight",
    "number": "LH 2078",
    "on": DAY.isoformat(),
    "time": "07:30",
    "airport": "HAM",
    "place": "Hotel",
}


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, names=["schedule"])
    bring(house, a_programme())
    house.run()
    return house


@pytest.fixture
def organiser(house):
    return house.client("schedule", ["organiser"])


def read(house, view, *args):
    return house["schedule"].database.read_now(view, *args)


def write(house, action, *args, **more):
    return house["schedule"].database.write_now(action, *args, **more)


def program(house, *scopes):
    client = house.client("schedule")
    token = Signer(house.settings.session_secret.get_secret_value()).command_token("test", scopes, house.clock.now())
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def message(answer):
    return re.sub(
        r"<[^>]+>", "", re.search(r'class="message[^"]*" role="status">(.*?)</p>', answer.text, re.S)[1]
    ).strip()


PAGES = {
    f"/{SLUG}/organise/": {"organiser"},
    f"/{SLUG}/organise/arrivals": {"organiser", "coordinator"},
    f"/{SLUG}/organise/arrivals/template.csv": {"organiser", "coordinator"},
    f"/{SLUG}/organise/people": {"organiser"},
    f"/{SLUG}/organise/speakers": {"organiser"},
    f"/api/schedule/{SLUG}/programme": {"organiser"},
    f"/api/schedule/{SLUG}/releases": {"organiser"},
    f"/api/schedule/{SLUG}/arrivals": {"organiser", "coordinator"},
    f"/api/schedule/{SLUG}/pickups": {"organiser", "coordinator"},
    f"/api/schedule/{SLUG}/unanswered": {"organiser", "coordinator"},
    f"/api/schedule/{SLUG}/speakers": {"organiser"},
    "/api/schedule/people": {"organiser"},
}


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_for_its_roles_alone(house, path):
    for role in ("organiser", "coordinator", "operator"):
        expected = 200 if role in PAGES[path] else 403
        assert house.client("schedule", [role]).get(path).status_code == expected, role
    assert house.client("schedule").get(path).status_code == 401


def test_an_organiser_elsewhere_is_a_stranger_here(house):
    client = house.client("schedule", ["organiser"], conference="another")
    assert client.get(f"/{SLUG}/organise/").status_code == 403
    assert client.get("/api/schedule/people").status_code == 403
    key = {"Idempotency-Key": "1"}
    boss = {"name": "Eve", "roles": [{"conference": "*", "role": "organiser"}]}
    assert client.post("/api/schedule/people", json=boss, headers=key).status_code == 403
    assert client.post("/api/schedule/people/somebody/sign-in-link").status_code == 403
    assert client.post("/api/schedule/people/somebody/revoke", headers=key).status_code == 403
    assert client.put("/api/schedule/people/somebody/roles", json={"roles": []}, headers=key).status_code == 403
    assert client.post("/api/schedule/sample", json={}).status_code == 403
    body = write_xml(a_programme(a_talk("A")), "1", "https://example.org/wharf")
    assert client.post("/api/schedule/programmes", content=body, headers=key).status_code == 403
    assert told(house, "person.granted") == []


def test_a_program_reads_with_read_and_writes_with_write(house):
    reading, writing = program(house, "read"), program(house, "write")
    given = ARRIVAL | {"speaker": "ADA"}
    address, key = f"/api/schedule/{SLUG}/arrivals", {"Idempotency-Key": "k"}
    assert reading.get(address).status_code == 200
    assert reading.post(address, json=given, headers=key).status_code == 403
    assert writing.post(address, json=given, headers=key).status_code == 201


def test_a_form_of_another_session_does_nothing(house, organiser):
    del organiser.headers["X-CSRF"]
    answer = organiser.post(f"/{SLUG}/organise/arrivals", data=ARRIVAL | {"speaker": "ADA", "key": "k"})
    assert answer.status_code == 403
    assert told(house, "pickup.requested") == []


# --- Arrivals ---------------------------------------------------------------------------------------------------------


def test_a_form_sent_twice_is_one_arrival(house, organiser):
    given = ARRIVAL | {"speaker": "ADA", "key": "k", "form": "arrival", "wheelchair": "on"}
    for _ in range(2):
        assert "is asked for" in message(organiser.post(f"/{SLUG}/organise/arrivals", data=given))
    [asked] = told(house, "pickup.requested")
    assert (asked.wheelchairs, asked.landing_at) == (1, at(7, 30))


def test_a_faulty_form_comes_back_as_it_was_typed(house, organiser):
    given = ARRIVAL | {"speaker": "ADA", "key": "k", "form": "arrival", "number": "Lufthansa", "place": "Hotel Ritz"}
    answer = organiser.post(f"/{SLUG}/organise/arrivals", data=given)
    assert answer.status_code == 422
    assert 'value="Lufthansa"' in answer.text
    assert "write the flight&#39;s number as LH 2078" in answer.text
    assert told(house, "pickup.requested") == []


def test_changing_news_and_withdrawing_by_form(house, organiser):
    journey = write(house, announce_arrival, SLUG, "ADA", an_arrival(), PROMISE)["journey"]
    address = f"/{SLUG}/organise/arrivals/{journey}"
    assert organiser.get(f"/{SLUG}/organise/arrivals?journey={journey}").status_code == 200
    organiser.post(f"{address}/change", data=ARRIVAL | {"luggage": "3", "key": "1"})
    organiser.post(f"{address}/news", data={"news": "late", "on": DAY.isoformat(), "expected": "08:45", "key": "2"})
    organiser.post(f"{address}/withdraw", data={"reason": "comes by car", "key": "3"})
    assert [fact.luggage for fact in told(house, "pickup.changed")] == [3, 3]
    assert told(house, "pickup.changed")[-1].landing_at == at(8, 45)
    assert [fact.reason for fact in told(house, "pickup.withdrawn")] == ["comes by car"]


def test_an_arrival_that_is_not_there_is_said_in_words(organiser):
    answer = organiser.post(f"/{SLUG}/organise/arrivals/nothing/withdraw", data={"reason": "x", "key": "1"})
    assert answer.status_code == 404
    assert "There is no such arrival" in answer.text


TABLE = """\
speaker,number,date,airport,landing time,to
ADA,LH 2078,2026-05-09,HAM,07:30,Hotel
NOBODY,LH 1,2026-05-09,HAM,07:30,Hotel
"""


def test_a_table_is_looked_at_before_it_is_taken(house, organiser):
    address = f"/{SLUG}/organise/arrivals/import"
    dry = organiser.post(
        address, data={"key": "1", "form": "import", "dry_run": "on"}, files={"file": ("a.csv", TABLE)}
    )
    assert "Would happen: a.csv" in dry.text
    assert "nobody in the programme is called" in dry.text
    assert told(house, "pickup.requested") == []
    organiser.post(address, data={"key": "2", "form": "import"}, files={"file": ("a.csv", TABLE)})
    assert len(told(house, "pickup.requested")) == 1


def test_an_unreadable_table_changes_nothing(house, organiser):
    address = f"/{SLUG}/organise/arrivals/import"
    answer = organiser.post(
        address, data={"key": "1", "form": "import"}, files={"file": ("a.csv", "who,when\nAda,now\n")}
    )
    assert answer.status_code == 422
    assert "Nothing was imported" in answer.text
    assert "column date is missing" in answer.text


def test_the_pages_say_who_is_down(house, organiser):
    for _ in range(6):
        house.clock.advance(1)
        house.run()
    page = organiser.get(f"/{SLUG}/organise/arrivals").text
    assert "Dispatch is down" in page


def test_taking_by_hand_by_form(house, organiser):
    code = write(house, announce_arrival, SLUG, "ADA", an_arrival(), PROMISE)["code"]
    house.clock.advance(31)
    house.run()
    assert f"unanswered/{code}/by-hand" in organiser.get(f"/{SLUG}/organise/arrivals").text
    address = f"/{SLUG}/organise/unanswered/{code}/by-hand"
    assert "give who fetches them" in message(organiser.post(address, data={"key": "1", "note": ""}))
    assert "taken by hand: Ben" in message(organiser.post(address, data={"key": "2", "note": "Ben"}))
    page = organiser.get(f"/{SLUG}/organise/arrivals").text
    assert f"unanswered/{code}" not in page
    assert "a driver may still come" in page


# --- The API ----------------------------------------------------------------------------------------------------------


def test_an_arrival_by_the_api_from_announced_to_withdrawn(house):
    client = program(house, "write", "personal", "admin")
    address = f"/api/schedule/{SLUG}/arrivals"
    made = client.post(address, json=ARRIVAL | {"speaker": "Grace Hopper"}, headers={"Idempotency-Key": "1"}).json()
    again = client.post(address, json=ARRIVAL | {"speaker": "Grace Hopper"}, headers={"Idempotency-Key": "1"}).json()
    assert again == made
    one = f"{address}/{made['journey']}"
    assert client.put(one, json=ARRIVAL | {"party": 2}, headers={"Idempotency-Key": "2"}).json()["revision"] == 2
    news = {"news": "late", "on": DAY.isoformat(), "expected": "09:00"}
    assert client.post(f"{one}/news", json=news, headers={"Idempotency-Key": "3"}).json()["revision"] == 3
    [pickup] = client.get(f"/api/schedule/{SLUG}/pickups").json()
    assert (pickup["state"], pickup["revision"], pickup["asked"]["party"]) == ("requested", 3, 2)
    assert (pickup["watch"]["revision"], pickup["watch"]["ended_at"], pickup["ride"]) == (3, None, None)
    by_hand = f"/api/schedule/{SLUG}/pickups/{made['code']}/by-hand"
    assert client.post(by_hand, json={"word": "Ben", "by": "Ana"}, headers={"Idempotency-Key": "4"}).status_code == 200
    assert client.get(f"/api/schedule/{SLUG}/pickups?state=by_hand").json()[0]["by_hand"] == {
        "by": "Ana",
        "word": "Ben",
    }
    assert client.post(f"{one}/withdraw", json={}, headers={"Idempotency-Key": "5"}).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"speaker": "Nobody"}, 422),
        ({"number": "x"}, 422),
        ({"party": 99}, 422),
        ({"on": "yesterday"}, 422),
        ({"place": "a\x00b"}, 422),
        ({"unknown": 1}, 422),
        ({"airport": "\ud800"}, 422),
    ],
)
def test_what_cannot_be_read_is_refused_by_the_api(house, wrong, status):
    client = program(house, "write")
    body = json.dumps(ARRIVAL | {"speaker": "ADA"} | wrong)
    headers = {"Idempotency-Key": "1", "Content-Type": "application/json"}
    answer = client.post(f"/api/schedule/{SLUG}/arrivals", content=body, headers=headers)
    assert answer.status_code == status
    assert answer.json()["faults"]


def test_creating_needs_a_key(house):
    answer = program(house, "write").post(f"/api/schedule/{SLUG}/arrivals", json=ARRIVAL | {"speaker": "ADA"})
    assert answer.status_code == 422


def test_a_table_by_the_api(house):
    client = program(house, "write")
    address = f"/api/schedule/{SLUG}/arrivals/import"
    dry = client.post(f"{address}?dry_run=true", content=TABLE).json()
    assert (len(dry["added"]), dry["faults"][0]["row"], dry["dry_run"]) == (1, 3, True)
    assert len(client.post(address, content=TABLE).json()["added"]) == 1
    assert client.post(address, content=TABLE).json()["same"] == 1


def test_a_programme_by_the_api_is_imported_and_released_once(house):
    client = program(house, "write")
    programme = a_programme(a_talk("A"), acronym="other-2026")
    body = write_json(programme, "1", "https://example.org/other")
    address = "/api/schedule/programmes?filename=schedule.json"
    headers = {"Content-Type": "application/json"}
    dry = client.post(f"{address}&dry_run=true", content=body, headers=headers | {"Idempotency-Key": "0"})
    assert dry.json()["added"] == 1

    def release(key):
        given = headers | {"Idempotency-Key": key}
        return client.post(f"{address}&release=true", content=body, headers=given).json()

    first = release("1")
    assert (first["conference"], first["added"], first["release"]["number"]) == ("other-2026", 1, 1)
    assert (
        client.post(f"{address}&release=true", content=body, headers=headers | {"Idempotency-Key": "1"}).json() == first
    )
    again = client.post(f"{address}&release=true", content=body, headers=headers | {"Idempotency-Key": "2"}).json()
    assert (again["is_same"], again["release"]["is_same"], again["release"]["number"]) == (True, True, 1)
    summary = client.get("/api/schedule/other-2026/programme").json()
    assert (summary["draft"]["talks"], [each["number"] for each in summary["releases"]]) == (1, [1])
    assert {each["slug"] for each in client.get("/api/schedule/conferences").json()} == {SLUG, "other-2026"}


def test_a_foreign_file_is_refused_with_file_line_and_reason(house):
    client = program(house, "write")
    answer = client.post(
        "/api/schedule/programmes?filename=x.xml", content=b"<html>\n</html>", headers={"Idempotency-Key": "1"}
    )
    assert answer.status_code == 422
    assert answer.json()["faults"][0]["where"].startswith("x.xml:")


def test_the_common_doors_are_not_shadowed(house):
    client = program(house, "facts", "read")
    for path in ("facts", "receipts", "incidents"):
        assert client.get(f"/api/schedule/{path}").status_code == 200, path
    assert client.get("/api/schedule/openapi.json").json()["info"]["title"] == "Softlanding Schedule"


# --- People -----------------------------------------------------------------------------------------------------------


def test_a_person_is_added_signed_in_and_removed(house, organiser):
    address = f"/{SLUG}/organise/people"
    given = {"name": "Cleo Park", "email": "cleo@example.org", "coordinator": "on", "key": "1", "form": "person"}
    organiser.post(address, data=given)
    [cleo] = [each for each in read(house, list_people) if each.name == "Cleo Park"]
    assert cleo.roles == ((SLUG, "coordinator"),)
    page = organiser.post(f"{address}/{cleo.person}/link", data={"key": "2"}).text
    link = re.search(r'value="(http[^"]+)"', page)[1]
    assert "data:image/svg" in page
    browser = house.client("schedule")
    press_sign_in(browser, link.rpartition("/")[2])
    assert browser.get(f"/{SLUG}/organise/arrivals").status_code == 200
    assert "cleo@example.org · signed in" in _plain(organiser.get(address).text)
    organiser.post(f"{address}/{cleo.person}/remove", data={"key": "3"})
    assert browser.get(f"/{SLUG}/organise/arrivals").status_code == 401
    assert [fact.name for fact in told(house, "person.revoked")] == ["Cleo Park"]


@pytest.mark.parametrize(
    ("field", "value"), [("name", "Cleo Parker"), ("email", ""), ("email", "c@example.org"), ("phone", "+49 2")]
)
def test_each_field_of_a_person_is_edited_alone_and_nothing_else_changes(house, organiser, field, value):
    person = write(
        house, add_person, name="Cleo", email="cleo@example.org", phone="+49 1", roles=[(SLUG, "coordinator")]
    )
    identity = person["person"]
    page = organiser.get(f"/{SLUG}/organise/people?edit={identity}").text
    before = read(house, load_person, identity)
    whole = {name: getattr(before, name) for name in ("name", "email", "phone")}
    assert all(f'id="edit-{name}" name="{name}"' in page and f'value="{text}"' in page for name, text in whole.items())
    address = f"/{SLUG}/organise/people/{identity}/change"
    for number, sent in enumerate(({field: value}, whole | {field: value}, whole)):
        organiser.post(address, data={"key": f"edit-{number}", "form": "edit", **sent})
        after = read(house, load_person, identity)
        wanted = getattr(before, field) if sent == whole else value
        assert after == replace(before, **{field: wanted, "revision": after.revision})


def _plain(page):
    """The page's words."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_who_came_in_by_a_link_of_the_command_line_has_signed_in(house, organiser):
    person = write(house, add_person, name="Cleo", email="cleo@example.org")["person"]
    address = f"/{SLUG}/organise/people"
    assert "cleo@example.org · never signed in" in _plain(organiser.get(address).text)
    signer = Signer(house.settings.session_secret.get_secret_value())
    token = signer.sign_in_token(person, "made elsewhere", house.clock.now())
    press_sign_in(house.client("schedule"), token)
    assert "cleo@example.org · signed in 14:00" in _plain(organiser.get(address).text)


def test_you_are_signed_in_and_named_once(house):
    me = house.client("schedule", ["organiser"])
    shown = _plain(me.get(f"/{SLUG}/organise/people").text)
    assert "Ana Test (you) no e-mail · signed in" in shown
    assert "never signed in" not in shown


def test_a_used_link_says_so_and_how_to_get_another(house):
    person = write(house, add_person, name="Cleo", roles=[("*", "coordinator")])["person"]
    signer = Signer(house.settings.session_secret.get_secret_value())
    link = f"/sign-in/{signer.sign_in_token(person, 'n', house.clock.now())}"
    browser, other = house.client("schedule"), house.client("schedule")
    assert "Hello, Cleo" in browser.get(link).text
    press_sign_in(browser, link.rpartition("/")[2])
    house.clock.advance(86400 / 2)
    for client in (browser, other):
        answer = client.get(link)
        assert answer.status_code == 403
        assert "Hello" not in answer.text
        assert "It was used already ( Fri 8 May 14:00 ). Each link works once." in _plain(answer.text)
        assert "Ask an organiser for a new one" in _plain(answer.text)
        assert _plain(client.post(link).text).count("It was used") == 1
    assert "You are signed in as Cleo" in _plain(browser.get(link).text)
    assert "You are signed in" not in other.get(link).text


def test_a_link_is_not_kept_where_it_could_be_read(house, organiser):
    person = write(house, add_person, name="Cleo", roles=[(SLUG, "coordinator")])["person"]
    page = organiser.post(f"/{SLUG}/organise/people/{person}/link", data={"key": "2"}).text
    token = re.search(r"/sign-in/([^\"]+)\"", page)[1]
    assert token.encode() not in (house.folder / "schedule.db").read_bytes()


def test_only_who_organises_everything_makes_operators(house):
    local = house.client("schedule", ["organiser"], conference=SLUG)
    given = {"name": "Eve", "operator": "on", "key": "1", "form": "person"}
    assert local.post(f"/{SLUG}/organise/people", data=given).status_code == 403
    whole = house.client("schedule", ["organiser"])
    assert whole.post(f"/{SLUG}/organise/people", data=given).status_code == 200
    [eve] = [each for each in read(house, list_people) if each.name == "Eve"]
    assert eve.roles == (("*", "operator"),)


def test_an_organiser_of_one_conference_gets_no_link_for_who_may_do_more(house):
    boss = write(house, ensure_somebody, "Boss")["person"]
    local = house.client("schedule", ["organiser"], conference=SLUG)
    address = f"/{SLUG}/organise/people/{boss}"
    assert local.post(f"{address}/link", data={"key": "1"}).status_code == 403
    assert local.post(f"{address}/roles", data={"key": "2"}).status_code == 403
    assert local.post(f"{address}/remove", data={"key": "3"}).status_code == 403
    assert not read(house, load_person, boss).is_revoked


def test_nobody_takes_the_last_key_away(house):
    boss = write(house, ensure_somebody, "Boss")["person"]
    client = program(house, "admin")
    answer = client.post(f"/api/schedule/people/{boss}/revoke", headers={"Idempotency-Key": "1"})
    assert (answer.status_code, "nobody else may manage people" in answer.json()["error"]) == (409, True)
    roles = {"roles": [{"conference": SLUG, "role": "organiser"}]}
    assert (
        client.put(f"/api/schedule/people/{boss}/roles", json=roles, headers={"Idempotency-Key": "2"}).status_code
        == 409
    )


def test_people_by_the_api(house):
    client = program(house, "admin", "personal")
    given = {"name": "Cleo", "roles": [{"conference": SLUG, "role": "coordinator"}]}
    made = client.post("/api/schedule/people", json=given, headers={"Idempotency-Key": "1"}).json()
    link = client.post(f"/api/schedule/people/{made['person']}/sign-in-link", headers={"Idempotency-Key": "2"}).json()
    assert house.client("schedule").get(link["url"]).status_code == 200
    assert [each["roles"] for each in client.get("/api/schedule/people").json() if each["name"] == "Cleo"] == [
        ["coordinator"]
    ]


# --- The speaker's own page -------------------------------------------------------------------------------------------


def link_of(house, code="ADA"):
    link = read(house, store.speakers.links_by_speaker, SLUG)[code].id
    return f"/{SLUG}/speaker/{links_of(house['schedule']).token('speaker', link)}"


def test_a_speaker_announces_changes_and_withdraws(house):
    browser, address = house.client("schedule"), link_of(house)
    page = browser.get(address)
    assert "We do not know when you arrive" in page.text
    assert page.headers["Referrer-Policy"] == "no-referrer"
    browser.post(f"{address}/arrival", data=ARRIVAL | {"key": "1"})
    browser.post(f"{address}/arrival", data=ARRIVAL | {"key": "1"})
    browser.post(f"{address}/arrival", data=ARRIVAL | {"key": "2", "time": "08:30"})
    browser.post(f"{address}/withdraw", data={"key": "3"})
    assert [(fact.speaker, fact.landing_at) for fact in told(house, "pickup.requested")] == [("ADA", at(7, 30))]
    assert [fact.landing_at for fact in told(house, "pickup.changed")] == [at(8, 30)]
    assert [fact.reason for fact in told(house, "pickup.withdrawn")] == ["withdrawn by the speaker"]


def test_a_link_opens_no_other_page(house):
    browser = house.client("schedule")
    assert browser.get(link_of(house)).status_code == 200
    assert browser.get(f"/{SLUG}/speaker/guessed").status_code == 404
    assert browser.get(f"/{SLUG}/organise/speakers").status_code == 401


def test_a_new_link_ends_the_old_one(house, organiser):
    old = link_of(house)
    assert link_of(house) in organiser.get(f"/{SLUG}/organise/speakers").text
    organiser.post(f"/{SLUG}/organise/speakers/ADA/link", data={"key": "1"})
    new = link_of(house)
    browser = house.client("schedule")
    assert new != old
    assert (browser.get(old).status_code, browser.get(new).status_code) == (404, 200)


def test_organisers_see_who_has_looked(house, organiser):
    assert "seen" not in organiser.get(f"/{SLUG}/organise/speakers").text.split("Ada Lovelace")[1].split("</tr>")[0]
    house.client("schedule").get(link_of(house))
    assert "seen" in organiser.get(f"/{SLUG}/organise/speakers").text.split("Ada Lovelace")[1].split("</tr>")[0]


# --- The desk ---------------------------------------------------------------------------------------------------------


def test_a_file_goes_into_the_draft_and_is_released_by_form(house, organiser):
    talks = (a_talk(), a_talk("SQL", at(14), persons=("GRACE",)), a_talk("B", at(11)))
    body = write_xml(a_programme(*talks), "1", "https://example.org/wharf")
    answer = organiser.post(
        f"/{SLUG}/organise/import", data={"key": "1", "form": "import"}, files={"file": ("next.xml", body)}
    )
    assert "next.xml is in the draft of Wharf 2026" in message(answer)
    assert "v2 is released" in message(organiser.post(f"/{SLUG}/organise/release", data={"key": "2", "note": "New"}))
    assert told(house, "release.published")[-1].note == "New"


def send_wrong_file(client):
    """One that takes both talks away and brings another."""
    body = write_xml(a_programme(a_talk("A")), "1", "https://example.org/wharf")
    given = {"data": {"key": "1", "form": "import"}, "files": {"file": ("stage.xml", body)}}
    return client.post(f"/{SLUG}/organise/import", **given)


def waiting(house):
    return read(house, views.desk.desk, SLUG, house.clock.now())["set_aside"]


def test_a_file_that_removes_much_waits_on_the_desk_for_a_press_that_names_the_number(house, organiser):
    answer = send_wrong_file(organiser)
    assert message(answer) == "stage.xml would remove 2 of 2 talks from the draft of wharf-2026. Nothing was changed."
    assert "Import it and remove 2 talks" in answer.text
    assert len(read(house, store.programmes.load_draft, SLUG).talks) == 2
    asked = {"digest": waiting(house)["digest"], "form": "accept", "key": "2"}
    too_few = organiser.post(f"/{SLUG}/organise/import/accept", data=asked | {"accept_removed": "1"})
    assert (too_few.status_code, len(read(house, store.programmes.load_draft, SLUG).talks)) == (409, 2)
    pressed = organiser.post(f"/{SLUG}/organise/import/accept", data=asked | {"accept_removed": "2", "key": "3"})
    assert "stage.xml is in the draft" in message(pressed)
    twice = organiser.post(f"/{SLUG}/organise/import/accept", data=asked | {"accept_removed": "2", "key": "3"})
    assert message(twice) == message(pressed)
    assert [talk.title for talk in read(house, store.programmes.load_draft, SLUG).talks] == ["On A"]
    assert waiting(house) is None
    again = organiser.post(f"/{SLUG}/organise/import/accept", data=asked | {"accept_removed": "2", "key": "4"})
    assert (again.status_code, "does not wait any more" in again.text) == (409, True)


def test_a_file_that_waits_can_be_dropped(house, organiser):
    send_wrong_file(organiser)
    given = {"digest": waiting(house)["digest"], "form": "drop", "key": "2"}
    assert "was not imported" in message(organiser.post(f"/{SLUG}/organise/import/drop", data=given))
    assert (waiting(house), len(read(house, store.programmes.load_draft, SLUG).talks)) == (None, 2)


def test_a_program_names_the_number_that_it_accepts_to_be_removed(house):
    client, body = program(house, "write"), write_xml(a_programme(a_talk("A")), "1", "https://example.org/wharf")
    address = "/api/schedule/programmes?filename=stage.xml"
    refused = client.post(address, content=body, headers={"Idempotency-Key": "1"})
    assert (refused.status_code, "accept_removed=2" in refused.text, "--yes" in refused.text) == (409, True, True)
    dry = client.post(f"{address}&dry_run=true", content=body, headers={"Idempotency-Key": "2"}).json()
    assert "would remove 2 of 2 talks" in dry["warnings"][0]
    taken = client.post(f"{address}&accept_removed=2", content=body, headers={"Idempotency-Key": "3"})
    assert taken.json()["removed"] == 2


def test_a_broken_file_changes_nothing_and_says_where(house, organiser):
    answer = organiser.post(
        f"/{SLUG}/organise/import", data={"key": "1", "form": "import"}, files={"file": ("bad.xml", b"<schedule>\n<x")}
    )
    assert answer.status_code == 422
    assert "bad.xml:2" in answer.text


def drafts(house):
    return [read(house, store.programmes.load_draft_head, slug) for slug in (SLUG, "other-2026")]


def test_a_page_takes_only_files_of_its_own_conference(house):
    before, body = drafts(house), write_xml(a_programme(acronym="other-2026"), "1", "https://example.org/other")
    for client in (house.client("schedule", ["organiser"]), house.client("schedule", ["organiser"], conference=SLUG)):
        given = {"data": {"key": "1", "form": "import"}, "files": {"file": ("other.xml", body)}}
        answer = client.post(f"/{SLUG}/organise/import", **given)
        words = "other.xml is of the conference 'other-2026' and not of 'wharf-2026'; nothing was changed"
        assert (answer.status_code, words in html.unescape(answer.text)) == (409, True)
    assert drafts(house) == before
    assert "the draft of <b>Wharf 2026</b> (wharf-2026)" in client.get(f"/{SLUG}/organise/").text


@pytest.mark.parametrize("kind", ["xml", "json"])
def test_a_hidden_name_that_differs_from_the_one_to_be_seen_is_refused(house, organiser, kind):
    before, write_file = drafts(house), write_xml if kind == "xml" else write_json
    body = write_file(a_programme(acronym=SLUG), "1", "https://example.org/wharf").replace(
        b'"acronym":"wharf-2026"', b'"acronym":"other-2026"'
    )
    body = body.replace(b'"acronym": "wharf-2026"', b'"acronym": "other-2026"')
    assert (body.count(b"other-2026"), b"wharf" in body) == (1, True)
    given = {"data": {"key": "1", "form": "import"}, "files": {"file": (f"next.{kind}", body)}}
    page = organiser.post(f"/{SLUG}/organise/import", **given)
    address, key = f"/api/schedule/programmes?filename=next.{kind}", {"Idempotency-Key": "1"}
    for answer in (page, program(house, "write").post(address, content=body, headers=key)):
        assert answer.status_code == 422
        seen = "wharf_2026" if kind == "json" else SLUG  # That format has no "-" for it.
        assert all(name in answer.text for name in (seen, "other-2026", "nothing was changed"))
    assert drafts(house) == before


def test_a_program_says_of_which_conference_a_file_must_be(house):
    client, body = program(house, "write"), write_xml(a_programme(acronym="other-2026"), "1", "https://example.org/o")
    address, key, before = "/api/schedule/programmes?filename=o.xml", {"Idempotency-Key": "1"}, drafts(house)
    refused = client.post(f"{address}&conference={SLUG}", content=body, headers=key)
    assert (refused.status_code, drafts(house)) == (409, before)
    assert all(name in refused.text for name in (SLUG, "other-2026"))
    assert client.post(f"{address}&conference=other-2026", content=body, headers=key).json()["title"] == "Wharf 2026"
    assert client.post(address, content=body, headers={"Idempotency-Key": "2"}).json()["conference"] == "other-2026"


def test_people_without_a_role_are_for_organisers_of_everywhere(house):
    nobody = write(house, add_person, name="Newcomer", email="new@example.org")["person"]
    elsewhere = write(house, add_person, name="Of Another", roles=[("another", "coordinator")])["person"]
    local, whole = house.client("schedule", ["organiser"], conference=SLUG), house.client("schedule", ["organiser"])
    people = f"/{SLUG}/organise/people"
    assert ("Newcomer" in local.get(people).text, "Newcomer" in whole.get(people).text) == (False, True)
    for number, (person, door) in enumerate(product((nobody, elsewhere), ("roles", "link", "end", "remove"))):
        answer = local.post(f"{people}/{person}/{door}", data={"key": f"n{number}", "coordinator": "on"})
        assert answer.status_code == 404 or "no such person" in message(answer), door
        assert not [name for name in ("Newcomer", "Of Another") if name in answer.text]
    assert read(house, load_person, nobody).roles == ()
    assert not any(read(house, load_person, each).is_revoked for each in (nobody, elsewhere))
    assert "tick at least one role" in local.post(people, data={"key": "m", "name": "Eve", "form": "person"}).text
    assert whole.post(f"{people}/{nobody}/roles", data={"key": "w", "coordinator": "on"}).status_code == 200
    assert read(house, load_person, nobody).roles == ((SLUG, "coordinator"),)


def test_a_first_conference_begins_at_an_empty_desk(tmp_path):
    house = House(tmp_path, names=["schedule"])
    client = house.client("schedule", ["organiser"])
    assert "The draft is empty" in client.get("/first-2026/organise/").text
    body = write_xml(a_programme(acronym="first-2026"), "1", "https://example.org/first")
    answer = client.post(
        "/first-2026/organise/import", data={"key": "1", "form": "import"}, files={"file": ("a.xml", body)}
    )
    assert answer.status_code == 200
    assert "Release v1" in answer.text


def test_who_left_the_programme_is_marked_and_not_fetched_in_silence(house, organiser):
    answer = write(house, announce_arrival, SLUG, "ADA", an_arrival(), PROMISE)

    def standing():
        return {each["code"]: each["has_left"] for each in read(house, views.staff.speakers, SLUG, str)}

    assert standing() == {"ADA": False, "GRACE": False}
    bring(house, a_programme(a_talk("SQL", at(14), persons=("GRACE",))))
    assert standing() == {"GRACE": False, "ADA": True}
    assert "left the programme" in organiser.get(f"/{SLUG}/organise/speakers").text
    words = f"Ada Lovelace left the programme and is still to be fetched ({answer['code']})"
    assert words in organiser.get(f"/{SLUG}/organise/").text
    write(house, withdraw_arrival, SLUG, answer["journey"], reason="does not come")
    assert words not in organiser.get(f"/{SLUG}/organise/").text
    assert "left the programme" in organiser.get(f"/{SLUG}/organise/speakers").text


def test_who_is_in_the_draft_alone_has_not_left(house):
    both = (a_talk(), a_talk("SQL", at(14), persons=("GRACE",)), a_talk("NEW", at(16), persons=("TWIN",)))
    write(house, import_programme, prepare(a_programme(*both), "next.xml"))
    assert [each["has_left"] for each in read(house, views.staff.speakers, SLUG, str)] == [False] * 3


@pytest.mark.parametrize("what", ["programmes?filename=slow.xml", f"{SLUG}/arrivals/import"])
def test_a_file_that_takes_too_long_to_read_is_refused_in_words(house, monkeypatch, what):
    """Its reader is stopped; the next file is read as ever."""
    monkeypatch.setattr(apart.read_file, "__kwdefaults__", {"within_s": 0.01})
    client = program(house, "write")
    body = write_xml(a_programme(a_talk("A"), acronym="other-2026"), "1", "https://example.org/wharf")
    large = body + b"<!-- " + b"x" * apart.IN_A_THREAD_BYTES + b" -->"
    answer = client.post(f"/api/schedule/{what}", content=large, headers={"Idempotency-Key": "slow"})
    assert answer.status_code == 422
    assert "took longer than 0.01 s to read" in answer.text
    small = client.post("/api/schedule/programmes?filename=a.xml", content=body, headers={"Idempotency-Key": "a"})
    assert small.status_code == 200
