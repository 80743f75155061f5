"""A service that died says so itself when it is back, whatever happened to the lives in between."""

import asyncio
from datetime import time, timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from clocks import NOON
from house import QUICK, House
from sampled import SLUG, Sampled
from softlanding import incidents
from softlanding.database import HoldLock, lives, make_engine, writer_engine
from softlanding.drills.sending import Wanted, free_legs, speakers
from softlanding.lifecycle import Parts, Phases, outages, take_up_work
from softlanding.lifecycle.outages import LastEnd


def told_deaths(work):
    return {death.life: death.how for death in work.database.read_now(outages.list_deaths)}


def test_a_life_killed_just_after_it_took_the_lease_hides_no_death(tmp_path):
    """Found by kill -9 under load: the life before such a one was never told as dead, and had no incident."""
    house = House(tmp_path, ["statistics"])
    first = house["statistics"].life.epoch
    house.kill("statistics")
    second = asyncio.run(take_lease_only(house))
    work = house.start("statistics", LastEnd("SIGKILL", house.clock.now()))
    assert told_deaths(work) == {first: "exit code 1", second: "SIGKILL"}
    died = [one for one in work.database.read_now(incidents.list_incidents) if one.kind == "death"]
    assert sum(incident.times for incident in died) == 2


def test_the_time_of_death_is_the_last_sign_of_life_and_not_the_last_fact(tmp_path):
    """An idle service tells nothing for a night; its lease beats all the while."""
    house = House(tmp_path)
    house.run()
    for _ in range(60):
        house.clock.advance(60)
        asyncio.run(house["dispatch"].beat_lease())
    killed_at = house.clock.now()
    house.kill("dispatch")
    house.clock.advance(4)
    house.start("dispatch")
    house.run()
    for service in ("dispatch", "schedule", "statistics"):
        [death] = house[service].database.read_now(outages.list_deaths)
        assert death.died_at == killed_at


def test_who_was_killed_before_it_could_tell_leaves_the_time_of_the_death_before_it_all_the_same(tmp_path):
    house = House(tmp_path, ["statistics"])
    first = house["statistics"].life.epoch
    house.clock.advance(3600)
    asyncio.run(house["statistics"].beat_lease())
    died_at = house.clock.now()
    house.kill("statistics")
    house.clock.advance(60)
    asyncio.run(take_lease_only(house))
    house.clock.advance(60)
    work = house.start("statistics")
    found = {death.life: death.died_at for death in work.database.read_now(outages.list_deaths)}
    assert found[first] == died_at


def test_a_goodbye_is_no_death(tmp_path):
    house = House(tmp_path, ["statistics"])
    work = house["statistics"]
    asyncio.run(work.say_goodbye())
    house.kill("statistics")
    work = house.start("statistics")
    assert told_deaths(work) == {}
    assert len(work.database.read_now(lambda connection: connection.execute(sa.select(lives)).all())) == 2


def test_a_coordinator_reads_of_a_death_on_the_board_and_is_not_sent_where_only_operators_go(tmp_path):
    house = Sampled(tmp_path).house
    house.kill("dispatch")
    house.start("dispatch", LastEnd("SIGKILL", house.clock.now()))
    house.run()
    board = house.client("dispatch", roles=["coordinator"]).get(f"/{SLUG}/dispatch/").text
    assert "Dispatch died" in board
    assert "(SIGKILL)" in board
    assert "/operations/" not in board
    assert house.client("statistics", roles=["coordinator"]).get("/operations/").status_code == 403
    both = house.client("dispatch", roles=["coordinator", "operator"]).get(f"/{SLUG}/dispatch/").text
    assert '<a href="/operations/">Operations</a>' in both


def test_a_restart_loop_is_one_outage_and_its_incident_says_how_long_and_how_many_attempts(tmp_path):
    """Lives that die before they are ready bring nobody back; a second outage is told by itself."""
    house = House(tmp_path, ["statistics"])
    asyncio.run(house["statistics"].beat_lease())
    killed_at = house.clock.now()
    house.kill("statistics")
    for _ in range(3):
        house.clock.advance(900)  # Longer than deaths that have nothing to do with each other grow together.
        house.start("statistics")
        house.kill("statistics")
    house.clock.advance(900)
    work = house.start("statistics")
    asyncio.run(work.beat_lease())
    took = f"{(house.clock.now() - killed_at).total_seconds():.0f} s"
    [died] = [one for one in work.database.read_now(incidents.list_incidents) if one.kind == "death"]
    assert died.sentence.startswith(f"Statistics was down {took} ({killed_at:%H:%M:%S} to ")
    assert ", 4 attempts" in died.sentence
    house.clock.advance(900)
    house.kill("statistics")
    work = house.start("statistics")
    both = [one.sentence for one in work.database.read_now(incidents.list_incidents) if one.kind == "death"]
    assert len(both) == 2
    assert sum("attempts" in sentence for sentence in both) == 1


def test_a_peers_outage_ends_when_it_says_that_it_is_ready(tmp_path):
    house = House(tmp_path)
    house.run()
    house.kill("dispatch")
    house.clock.advance(30)
    house.start("dispatch")
    house.kill("dispatch")
    house.clock.advance(30)
    house.start("dispatch")
    house.run()
    [died] = [one for one in house["statistics"].database.read_now(incidents.list_incidents) if one.kind == "death"]
    assert died.sentence.startswith("Dispatch was down ")
    assert ", 2 attempts" in died.sentence


def test_processes_that_ended_before_they_were_a_life_count_and_leave_the_beginning_as_it_was(tmp_path):
    """Only the supervisor saw them: 62 s were told as 5 s, from the end of the last of them."""
    house = House(tmp_path, ["statistics"])
    watched_from = house.clock.now()
    run_beat(house)
    house.kill("statistics")
    ends = [house.clock.now()]
    for _ in range(3):
        house.clock.advance(20)
        ends.append(house.clock.now())
    house.clock.advance(2)
    house.start("statistics", LastEnd("SIGKILL", ends[-1], tuple(ends), watched_from))
    run_beat(house)
    [outage] = house["statistics"].database.read_now(outages.list_outages)
    assert (outage.since, outage.down_s, outage.attempts) == (ends[0], 62, 4)
    assert outage.sentence(ZoneInfo("UTC")) == "Statistics was down 62 s (12:00:00 to 12:01:02), 4 attempts"


def test_what_ended_before_the_supervisor_watched_ended_at_its_last_beat(tmp_path):
    """It died with its supervisor; the next one came an hour later."""
    house = House(tmp_path, ["statistics"])
    run_beat(house)
    killed_at = house.clock.now()
    house.kill("statistics")
    house.clock.advance(3600)
    watched_from = house.clock.now()
    house.clock.advance(5)
    failed_at = house.clock.now()
    house.start("statistics", LastEnd("exit code 1", failed_at, (failed_at,), watched_from))
    run_beat(house)
    [outage] = house["statistics"].database.read_now(outages.list_outages)
    assert (outage.since, outage.down_s, outage.attempts) == (killed_at, 3605, 2)


def test_an_attempt_that_was_stopped_does_not_end_the_outage(tmp_path):
    house = House(tmp_path)
    house.run()
    killed_at = house.clock.now()
    house.kill("dispatch")
    house.clock.advance(30)
    asyncio.run(house.start("dispatch").say_goodbye())
    house.kill("dispatch")
    house.clock.advance(30)
    house.start("dispatch")
    house.run()
    for service in ("dispatch", "schedule", "statistics"):
        [outage] = house[service].database.read_now(outages.list_outages)
        assert (outage.since, outage.down_s, outage.attempts) == (killed_at, 60, 2)


@pytest.mark.parametrize("named", ["dispatch", "schedule"])
def test_everybody_tells_the_same_outage(tmp_path, named):
    """From, to, seconds and attempts: in each service's book, in its log, in the incident and on its pages."""
    house = Sampled(tmp_path).house
    told = []
    house.kill(named)
    for _ in range(2):
        house.clock.advance(700)
        house.start(named)
        house.kill(named)
    house.clock.advance(5)
    house.start(named).tell_outage = told.append
    house.run()
    books = {each: house[each].database.read_now(outages.list_outages)[0] for each in house.works}
    assert len({(one.since, one.until, one.down_s, one.attempts) for one in (*books.values(), *told)}) == 1
    words = f"{named.title()} was down 1405 s (14:00:00 to 14:23:25), 3 attempts"
    [died] = [one for one in house["statistics"].database.read_now(incidents.list_incidents) if one.kind == "death"]
    assert died.sentence == f"{words} (Europe/Berlin)"
    pages = [house.client("statistics", roles=["operator"]).get("/operations/").text]
    if named == "dispatch":
        pages.append(house.client("dispatch", roles=["coordinator"]).get(f"/{SLUG}/dispatch/").text)
    assert all(words in page for page in pages)
    assert "times, last:" not in pages[0]


def test_board_and_operations_count_the_same(tmp_path):
    """Of one death: asked just before and not heard, asked in it, run out in it; then work goes on."""
    sampled = Sampled(tmp_path)
    house, today = sampled.house, sampled.first_day - timedelta(days=1)
    legs = [Wanted(f"leg-{n}", *leg, time(11)) for n, leg in enumerate(free_legs(sampled.first_day)[:4])]
    program = sampled.program("schedule", "read", "write", "personal")
    ask_for(program, legs[0])
    house.kill("dispatch")
    house.clock.advance(10)
    ask_for(program, legs[1])
    ask_for(program, legs[2])
    ask_for(program, Wanted("late", speakers(sampled.first_day)[0], today, time(12, 31)))  # Of use for 90 minutes.
    house.clock.advance(80)
    house.start("dispatch", LastEnd("SIGKILL", NOON))
    house.run()
    assert counted(house) == [(3, 1), (3, 1)]
    house.clock.advance(60)
    ask_for(program, legs[3])
    house.run()
    house.clock.advance(7200)
    house.run()
    assert counted(house) == [(3, 1), (3, 1)]
    house.kill("dispatch")
    house.start("dispatch", LastEnd("SIGKILL", house.clock.now()))
    house.run()
    assert counted(house) == [(0, 0), (0, 0)]


def ask_for(program, wanted):
    answer = program.post(
        f"/api/schedule/{SLUG}/arrivals", json=wanted.values(), headers={"Idempotency-Key": wanted.key}
    )
    assert answer.status_code < 300, answer.text


def counted(house):
    """(recovered, expired) of the newest outage, on the board and on Operations."""
    board = house.client("dispatch", roles=["coordinator"]).get(f"/api/dispatch/{SLUG}/board").json()["deaths"][0]
    told = house.client("statistics", roles=["operator"]).get("/api/statistics/deaths").json()[0]
    return [(board["recovered"], board["expired"]), (len(told["recovered"]), len(told["expired"]))]


def run_beat(house):
    asyncio.run(house["statistics"].beat_lease())


async def take_lease_only(house):
    """A life that ends before it has written anything of its own; its epoch."""
    url = f"sqlite:///{house.folder / 'statistics'}.db"
    engine = make_engine(url, QUICK)
    hold = HoldLock(engine)
    works = house.services["statistics"], writer_engine(url, QUICK)
    parts = Parts(house.clock, house.ids, house.rng, None, None)
    life, _ = await take_up_work(
        *works, parts, hold=hold, phases=Phases(house.clock), stale_s=4, last_end=LastEnd("exit code 1")
    )
    hold.release()
    engine.dispose()
    return life.epoch
