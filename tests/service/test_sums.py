"""Numbers that people compare are the same on every page, in every API and metric, and add up: one day with everything
that can become of a pickup."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import time

import pytest

from conferences_made import PROMISE, SLUG, ZONE, a_programme, a_talk, an_arrival, at, bring
from house import House
from softlanding.contracts import standing
from softlanding.dispatch.actions import fleet, taps
from softlanding.dispatch.model import Place, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.formats.programme import Person
from softlanding.lifecycle.needs import Needs
from softlanding.schedule import views
from softlanding.schedule.actions.journeys import announce_arrival, enter_flight_news, withdraw_arrival
from softlanding.schedule.actions.pickups import take_by_hand
from softlanding.schedule.model import News
from softlanding.statistics.views.operations import services_rows

AIRPORT = Place(SLUG, "ham", "Hamburg Airport", "airport", 53.6304, 9.9882, ZONE, "HAM", "", "", 30, 20)
VENUE = Place(SLUG, "venue", "Kaispeicher Nine", "venue", 53.5413, 9.9965, ZONE)
PEOPLE = tuple(f"S{number}" for number in range(1, 20))
LATE_TALK, LOST_TALK = at(22), at(8)


class Day:
    """The three services, a fleet, and people who may arrive."""

    def __init__(self, folder):
        self.house = house = House(folder)
        self.desk = Desk(house.settings.dispatch)
        self.pickups, self.journeys = {}, {}
        bring(house, everybody_speaks())
        house.run()
        for place in (AIRPORT, VENUE):
            self.dispatch(fleet.save_place, self.desk, place)
        for number in range(1, 9):
            car = Vehicle(SLUG, f"V{number}", f"Car {number}", f"HH {number}", 3, 4, 0, "ham")
            self.dispatch(fleet.save_vehicle, self.desk, car)
            driver = self.dispatch(fleet.add_driver, SLUG, f"Driver {number}", "+49 40 555 0200")["driver"]
            hours = {"from_at": at(6, 30), "to_at": at(22)}
            self.dispatch(fleet.add_shift, self.desk, SLUG, driver=driver, vehicle=f"V{number}", **hours)
        self.until(6)

    def schedule(self, action, *args, **more):
        return self.house["schedule"].database.write_now(action, SLUG, *args, **more)

    def dispatch(self, action, *args, **more):
        return self.house["dispatch"].database.write_now(action, *args, **more)

    def until(self, hour, minute=0):
        """By the clocks of the conference."""
        self.house.clock.advance((at(hour, minute) - self.house.clock.now()).total_seconds())
        self.house.run()

    def lands(self, who, hour, minute=0, **more):
        arrival = an_arrival(at=time(hour, minute), to_place="Kaispeicher Nine", **more)
        answer = self.schedule(announce_arrival, who, arrival, PROMISE)
        self.pickups[who], self.journeys[who] = answer["code"], answer["journey"]
        self.house.run()

    def news(self, who, state):
        self.schedule(enter_flight_news, self.journeys[who], News(state, None, self.house.clock.now()), PROMISE)
        self.house.run()

    def tap(self, what, *who):
        for each in who:
            self.dispatch(taps.tap, self.desk, SLUG, self.pickups[each], what, None, by="Ana")
        self.house.run()


def everybody_speaks():
    persons = tuple(Person(code, f"Speaker {code}", n, f"p-{code}") for n, code in enumerate(PEOPLE, 1))
    talks = (a_talk("ALL", LATE_TALK, persons=PEOPLE[1:]), a_talk("EARLY", LOST_TALK, persons=PEOPLE[:1]))
    return replace(a_programme(), persons=persons, talks=talks)


def a_day(folder):
    """Everything that can become of a pickup, as far as Dispatch has answered."""
    day = Day(folder)
    day.lands("S1", 17)  # Their talk is at 8: lost, and fetched all the same.
    day.lands("S2", 18)
    day.lands("S3", 18, 30)
    for who in ("S4", "S5", "S6", "S7"):
        day.lands(who, 9)
    day.lands("S8", 7)  # Nobody comes.
    day.lands("S9", 19, party=9)
    day.lands("S10", 19, party=25)
    for who in ("S11", "S12", "S13", "S14"):
        day.lands(who, 20)
    day.schedule(take_by_hand, day.pickups["S11"], by="Ana", word="my own car")
    day.schedule(withdraw_arrival, day.journeys["S12"], reason="comes by bicycle")
    day.news("S13", "cancelled")
    day.news("S14", "cancelled")
    day.news("S14", "on_time")  # Another pickup for the same journey.
    day.tap("accepted", "S3")
    day.until(9, 50)
    day.tap("arrived", "S4", "S5", "S6", "S7")
    day.until(10, 20)
    day.tap("boarded", "S5", "S6")
    day.tap("no_show", "S7")
    day.until(10, 25)
    day.tap("delivered", "S6")
    return day


def without_word(day):
    """Dispatch is dead: what is asked, and taken back, has no answer."""
    day.house.kill("dispatch")
    day.lands("S15", 21)
    day.house.clock.advance(40)
    day.house.run()
    day.lands("S16", 21)
    day.schedule(withdraw_arrival, day.journeys["S2"], reason="comes by train")
    for _second in range(5):  # Who looks away for longer blames nobody for the silence.
        day.house.clock.advance(1)
        day.house.run()


@pytest.fixture
def day(tmp_path):
    return a_day(tmp_path)


def read(day, service, view, *args):
    return day.house[service].database.read_now(view, *args)


def metrics(day, service):
    """Those above 0, as /metrics tells them."""
    needs = Needs(day.house[service], committed_s_ago=lambda: 0.0, turned_at={})
    asyncio.run(needs.count())
    return {state: int(count) for state, count in needs.counted["pickups"].items() if count}


def board(day):
    client = day.house.client("dispatch", roles=["coordinator"])
    counts = client.get(f"/api/dispatch/{SLUG}/board").json()["counts"]
    assert counts["total"] == sum(counts[state] for state in standing.STATES if state in counts)
    return {state: counts[state] for state in standing.STATES if counts.get(state)}


def statistics(day):
    client = day.house.client("statistics", roles=["operator"])
    return client.get("/api/statistics/counts", params={"conference": SLUG}).json()["pickups"]


def as_dispatch_counts(states):
    """It hears of no pickup before it answers, and of what was taken by hand or withdrawn only that it stood down."""
    named = Counter()
    for state, count in states.items():
        if state not in ("requested", "unanswered"):
            named["stood_down" if state in ("by_hand", "withdrawn") else state] += count
    return dict(named)


def as_statistics_counts(states):
    """Whether the time for an answer has passed is Schedule's alone to say."""
    named = Counter(states)
    named["requested"] += named.pop("unanswered", 0)
    return dict(+named)


def test_every_page_api_and_metric_counts_alike_and_the_sums_are_those_of_the_journeys(day):
    sums = read(day, "schedule", views.journeys.count_journeys, SLUG)
    assert dict(sums["states"]) == {
        "planned": 3, "accepted": 1, "arrived": 1, "boarded": 1, "delivered": 1, "no_show": 1, "missed": 1,
        "unplaced": 1, "refused": 1, "by_hand": 1, "stood_down": 2,
    }  # fmt: skip
    assert (sums["count"], sums["earlier"]) == (14, 1)
    listed = Counter(row["state"] for row in read(day, "schedule", views.journeys.arrivals, SLUG, ZONE))
    assert dict(sums["states"]) == dict(listed)
    everything = dict(Counter(listed) + Counter(stood_down=sums["earlier"]))
    assert metrics(day, "schedule") == statistics(day) == metrics(day, "statistics") == everything
    assert metrics(day, "dispatch") == board(day) == as_dispatch_counts(everything)
    operations = read(day, "statistics", services_rows, at(6), day.house.clock.now())
    assert operations.expired["dispatch"] == everything["missed"]


def test_arrivals_and_the_desk_say_the_sum_in_the_words_of_the_board(day):
    words = "14 journeys: 1 no vehicle, 3 planned, 1 accepted, 1 driver there, 1 aboard, 1 delivered, 1 no-show"
    more = "1 missed, 1 refused, 1 by hand, 2 stood down; and 1 pickup before, replaced by another."
    client = day.house.client("schedule", roles=["organiser"])
    for path in ("arrivals", ""):
        assert f"{words}, {more}" in client.get(f"/{SLUG}/organise/{path}").text
    page = day.house.client("dispatch", roles=["coordinator"]).get(f"/{SLUG}/dispatch/").text
    for said in (
        "<b>3</b> planned",
        "<b>1</b> aboard",
        "<b>1</b> no vehicle",
        "<b>1</b> refused",
        "<b>4</b> stood down",
    ):
        assert said in page


def test_a_lost_talk_is_lost_on_arrivals_and_on_the_board(day):
    lost = [row["speaker"]["code"] for row in read(day, "schedule", views.journeys.arrivals, SLUG, ZONE) if row["lost"]]
    client = day.house.client("dispatch", roles=["coordinator"])
    alarms = client.get(f"/api/dispatch/{SLUG}/board").json()["alarms"]
    assert [day.pickups[who] for who in lost] == [one["pickup"] for one in alarms if one["kind"] == "lost"]


def test_what_dispatch_has_not_heard_is_counted_by_the_others_who_say_as_of_when_its_word_is(day):
    silent_from = day.house.clock.now()
    without_word(day)
    sums = read(day, "schedule", views.journeys.count_journeys, SLUG)
    states = dict(sums["states"])
    assert (states["requested"], states["unanswered"], states["withdrawn"], sums["count"]) == (1, 1, 1, 16)
    everything = dict(Counter(states) + Counter(stood_down=sums["earlier"]))
    assert metrics(day, "schedule") == everything
    assert statistics(day) == metrics(day, "statistics") == as_statistics_counts(everything)
    operations = read(day, "statistics", services_rows, at(6), day.house.clock.now())
    assert operations.expired["schedule"] == states["unanswered"]
    said = f'What it said is shown as of <time datetime="{silent_from:%Y-%m-%dT%H:%M}'
    for service, path in (("schedule", "organise/arrivals"), ("schedule", "organise/"), ("statistics", "statistics/")):
        client = day.house.client(service, roles=["organiser", "coordinator", "operator"])
        assert said in client.get(f"/{SLUG}/{path}").text
    day.house.start("dispatch")
    day.house.run()
    sums = read(day, "schedule", views.journeys.count_journeys, SLUG)
    everything = dict(Counter(dict(sums["states"])) + Counter(stood_down=sums["earlier"]))
    assert statistics(day) == everything
    assert board(day) == as_dispatch_counts(everything)


def test_numbers_that_miss_what_a_living_peer_has_told_say_as_of_when_they_are(day):
    client = day.house.client("schedule", roles=["organiser"])
    assert "Not all that Dispatch told" not in client.get(f"/{SLUG}/organise/arrivals").text
    day.house["schedule"].receivers["dispatch"].halted = "a test"
    last_heard = day.house.clock.now()
    day.until(10, 40)
    day.tap("delivered", "S5")
    day.house.run()
    page = client.get(f"/{SLUG}/organise/arrivals").text
    assert "Not all that Dispatch told has come here yet: its words and numbers are shown as of" in page
    assert f'as of <time datetime="{last_heard:%Y-%m-%dT%H:%M}' in page
