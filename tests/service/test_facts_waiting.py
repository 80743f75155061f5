"""How old the oldest fact is that a peer has not applied: the one number that grows while a receiver is dead."""

import asyncio

from house import House
from softlanding.contracts.schedule import ConferenceChanged
from softlanding.lifecycle.needs import Needs
from softlanding.messaging import outbox


def a_house(folder):
    house = House(folder)
    house.run()
    beats(house)
    return house


def beats(house):
    """Everybody says how far they are, and everybody hears it."""
    for work in house.works.values():
        asyncio.run(work.send_beat())
    house.run()


def waiting(house, service="schedule"):
    """As /metrics tells it."""
    needs = Needs(house[service], committed_s_ago=lambda: 0.0, turned_at={})
    asyncio.run(needs.count())
    return needs.waiting_s()


def tell(house, slug):
    on = house.clock.now().date()
    fact = ConferenceChanged(conference=slug, title=slug.title(), zone="UTC", first_on=on, last_on=on)
    house["schedule"].database.write_now(lambda tx, _now: outbox.add(tx, fact))


def test_nothing_waits_where_all_is_applied(tmp_path):
    house = a_house(tmp_path)
    tell(house, "one")
    house.run()
    beats(house)
    assert waiting(house) == {"dispatch": 0.0, "statistics": 0.0}


def test_what_a_dead_peer_has_not_applied_grows_older_for_it_alone(tmp_path):
    house = a_house(tmp_path)
    house.kill("dispatch")
    tell(house, "one")
    house.clock.advance(60)
    tell(house, "two")
    house.run()
    beats(house)
    assert waiting(house) == {"dispatch": 60.0, "statistics": 0.0}
    house.clock.advance(60)
    assert waiting(house)["dispatch"] == 120.0
    house.start("dispatch")
    house.run()
    beats(house)
    assert waiting(house)["dispatch"] == 0.0


def test_a_new_life_of_the_producer_knows_at_least_that_its_own_facts_wait(tmp_path):
    house = a_house(tmp_path)
    house.kill("dispatch")
    house.kill("schedule")
    house.start("schedule")
    house.clock.advance(60)
    tell(house, "one")
    house.run()
    beats(house)
    assert waiting(house) == {"dispatch": 60.0, "statistics": 0.0}


def test_who_stands_at_the_end_of_an_earlier_life_waits_for_the_first_fact_of_the_next(tmp_path):
    house = a_house(tmp_path)
    house["dispatch"].receivers["schedule"].halted = "a test"
    house.kill("schedule")
    house.start("schedule")
    house.clock.advance(30)
    house.run()
    beats(house)
    assert waiting(house)["dispatch"] == 30.0
