"""The form of an arrival, at the desk and on the speaker's own page, changes what it shows and nothing else."""

import itertools
from dataclasses import replace
from datetime import date, time, timedelta

import pytest
import sqlalchemy as sa

from conferences_made import DAY, PROMISE, SLUG, a_programme, an_arrival, bring, told
from forms import PASSING, forms_of, the_form
from house import House
from softlanding.schedule import store
from softlanding.schedule.actions.journeys import announce_arrival
from softlanding.schedule.tables import journeys
from softlanding.web.doors import links_of

NUMBERS = itertools.count(1)
PLAIN_NOTE = "Two bags of cables"
EACH = {
    "how": None,  # With the station: see below.
    "number": ("BA 966", {"number": "BA966"}),
    "on": (f"{DAY + timedelta(days=1)}", {"landing_at": timedelta(days=1)}),
    "time": ("09:15", {"landing_at": time(9, 15)}),
    "airport": ("ber", {"place": "BER"}),
    "place": ("Venue", {"to_place": "Venue"}),
    "party": ("4", {"party": 4}),
    "luggage": ("0", {"luggage": 0}),
    "wheelchair": ("off", {"wheelchairs": 0}),
    "phone": ("", {"phone": ""}),
    "note": ("Comes alone", {"note": "Comes alone"}),
}


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, names=["schedule"])
    bring(house, a_programme())
    asked = an_arrival(at=time(7, 30, 42), party=3, luggage=5, wheelchairs=2, note=PLAIN_NOTE)
    house["schedule"].database.write_now(announce_arrival, SLUG, "ADA", asked, PROMISE)
    house.run()
    return house


@pytest.fixture
def desk(house):
    return house.client("schedule", roles=["organiser"])


def read(house, view, *args):
    return house["schedule"].database.read_now(view, *args)


def arrival(house):
    [journey] = read(house, store.journeys.list_open, SLUG)
    return journey.arrival


def form_at(house, client, where):
    """The form as the desk sees it, or the speaker."""
    if where == "desk":
        [journey] = read(house, store.journeys.list_open, SLUG)
        page = client.get(f"/{SLUG}/organise/arrivals?journey={journey.id}")
        return the_form(page.text, "change", "/change")
    link = read(house, store.speakers.links_by_speaker, SLUG)["ADA"].id
    address = f"/{SLUG}/speaker/{links_of(house['schedule']).token('speaker', link)}"
    [form] = [one for one in forms_of(client.get(address).text) if one.action.endswith("/arrival")]
    return form


def send(client, form, **changes):
    values = form.sent | {"key": f"key-{next(NUMBERS)}"} | changes
    answer = client.post(form.action, data=values, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer


def expected(before, changes):
    """Times of day and whole days are those of the clocks there; seconds stay but where the time was typed."""
    moved = changes.get("landing_at")
    if isinstance(moved, timedelta):
        return replace(before, landing_at=before.landing_at + moved)
    if isinstance(moved, time):
        return replace(before, landing_at=before.landing_at.replace(hour=moved.hour - 2, minute=moved.minute, second=0))
    return replace(before, **changes)


@pytest.mark.parametrize("where", ["desk", "speaker"])
@pytest.mark.parametrize("field", [field for field, change in EACH.items() if change])
@pytest.mark.parametrize("is_whole", [True, False])
def test_each_field_changes_itself_and_nothing_else(house, desk, where, field, is_whole):
    before, form = arrival(house), form_at(house, desk, where)
    typed, changes = EACH[field]
    if not is_whole:
        form.sent = {name: form.sent[name] for name in ("csrf", "form") if name in form.sent}
    send(desk, form, **{field: typed})
    assert arrival(house) == expected(before, changes)


@pytest.mark.parametrize("where", ["desk", "speaker"])
def test_a_form_that_is_sent_as_it_is_shown_changes_nothing_and_asks_for_nothing(house, desk, where):
    before, form, facts = arrival(house), form_at(house, desk, where), len(told(house))
    assert set(EACH) == set(form.sent) - set(PASSING)
    send(desk, form)
    assert arrival(house) == before
    assert len(told(house)) == facts


def test_a_note_of_two_lines_stays_when_its_form_shows_it_in_one(house, desk):
    two = "Ring twice.\r\nThen wait."
    house["schedule"].database.write_now(lambda tx, now: tx.execute(sa.update(journeys).values(note=two)))
    form = form_at(house, desk, "desk")
    form.sent["note"] = form.sent["note"].replace("\r", "").replace("\n", "")  # As a browser does.
    send(desk, form, party="4")
    assert (arrival(house).note, arrival(house).party) == (two, 4)


def test_a_landing_in_the_hour_that_comes_twice_stays_in_it(house, desk):
    night = an_arrival(on=date(2026, 10, 25), at=time(2, 30, fold=1), number="LH 9")
    house["schedule"].database.write_now(announce_arrival, SLUG, "GRACE", night, PROMISE)
    [journey] = [one for one in read(house, store.journeys.list_open, SLUG) if one.speaker == "GRACE"]
    page = desk.get(f"/{SLUG}/organise/arrivals?journey={journey.id}").text
    send(desk, the_form(page, "change", "/change"), phone="+49 7")
    after = read(house, store.journeys.load_journey, SLUG, journey.id).arrival
    assert after == replace(night, phone="+49 7")


def test_a_smaller_party_has_no_more_wheelchairs_than_people(house, desk):
    send(desk, form_at(house, desk, "desk"), party="1")
    assert (arrival(house).party, arrival(house).wheelchairs) == (1, 1)


def test_a_train_instead_of_a_flight_is_read_by_the_clocks_of_the_conference(house, desk):
    send(desk, form_at(house, desk, "desk"), airport="LHR")
    assert arrival(house).zone == "Europe/London"
    send(desk, form_at(house, desk, "desk"), how="train", number="ICE 71", airport="Hamburg Hbf", time="08:00")
    after = arrival(house)
    assert (after.kind, after.number, after.place, after.zone) == ("train", "ICE 71", "Hamburg Hbf", "Europe/Berlin")
    assert f"{after.landing_at:%H:%M}" == "06:00"


def test_what_is_wrong_is_said_beside_the_form_which_keeps_what_was_typed(house, desk):
    before, form = arrival(house), form_at(house, desk, "desk")
    for wrong in ({"airport": "XXQ"}, {"time": ""}, {"party": "0"}, {"number": ""}):
        answer = desk.post(form.action, data=form.sent | {"key": f"key-{next(NUMBERS)}"} | wrong)
        assert answer.status_code == 422
        again = the_form(answer.text, "change", "/change")
        assert again.sent["wheelchair"] == "on"
        assert again.sent[next(iter(wrong))] == next(iter(wrong.values()))
    answer = desk.post(form.action, data=form.sent | {"key": "k", "wheelchair": "off", "time": ""})
    assert the_form(answer.text, "change", "/change").sent["wheelchair"] == "off"
    assert arrival(house) == before
