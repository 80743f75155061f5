"""Arrivals and what is asked for them: each state told whole, each request once."""

import asyncio
from datetime import time, timedelta

import pytest
import sqlalchemy as sa

from conferences_made import DAY, PROMISE, SLUG, ZONE, a_programme, a_talk, an_arrival, at, bring, dispatch_says, told
from house import House
from softlanding import keys
from softlanding.conferences import load_conference
from softlanding.errors import NotFound, Refused
from softlanding.formats import read_arrivals
from softlanding.schedule import store, views
from softlanding.schedule.actions import programme
from softlanding.schedule.actions.journeys import (
    announce_arrival,
    change_arrival,
    enter_flight_news,
    import_arrivals,
    withdraw_arrival,
)
from softlanding.schedule.actions.journeys import import_table as import_table_of
from softlanding.schedule.actions.programme import import_programme, prepare, release_draft
from softlanding.schedule.model import News
from softlanding.schedule.tables import pickups


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path, names=["schedule"])
    bring(
        house,
        a_programme(a_talk(), a_talk("SQL", at(14), persons=("GRACE",)), a_talk("TWO", at(16), persons=("TWIN",))),
    )
    return house


def write(house, action, *args, **more):
    return house["schedule"].database.write_now(action, *args, **more)


def announce(house, speaker="ADA", arrival=None):
    return write(house, announce_arrival, SLUG, speaker, arrival or an_arrival(), PROMISE)


def test_an_announced_arrival_is_asked_for_at_once(house):
    answer = announce(house)
    [asked] = told(house, "pickup.requested")
    assert (asked.pickup, asked.code, asked.revision) == (answer["pickup"], answer["code"], 1)
    assert (asked.speaker_name, asked.from_place, asked.to_place) == ("Ada Lovelace", "HAM", "Hotel Zur Elbe")
    assert (asked.talk, asked.deadline_at) == ("KEY", at(10))
    assert answer["warnings"] == []


def test_a_speaker_arrives_once_a_day(house):
    announce(house)
    with pytest.raises(Refused, match="arrives on 2026-05-09 already"):
        announce(house)
    announce(house, arrival=an_arrival(on=DAY + timedelta(days=1)))
    announce(house, "GRACE")
    assert len(told(house, "pickup.requested")) == 3


def test_two_open_pickups_of_one_leg_are_impossible(house):
    announce(house)
    row = house["schedule"].database.read_now(lambda c: c.execute(sa.select(pickups)).mappings().one())
    with pytest.raises(sa.exc.IntegrityError):
        write(
            house, lambda tx, now: tx.execute(sa.insert(pickups).values(**dict(row) | {"id": "other", "code": "OTHER"}))
        )


def test_strangers_are_not_fetched(house):
    with pytest.raises(NotFound):
        announce(house, "NOBODY")


def test_the_same_key_twice_is_one_arrival(house):
    given = (keys.Key("key-1", "arrival.announce"), announce_arrival, SLUG, "ADA", an_arrival(), PROMISE)
    assert write(house, keys.once, *given) == write(house, keys.once, *given)
    assert len(told(house, "pickup.requested")) == 1


def test_a_change_is_the_next_revision_and_the_same_again_is_none(house):
    journey = announce(house)["journey"]
    later = an_arrival(at=time(9, 0), luggage=3)
    assert write(house, change_arrival, SLUG, journey, later, PROMISE)["revision"] == 2
    assert write(house, change_arrival, SLUG, journey, later, PROMISE)["is_changed"] is False
    [changed] = told(house, "pickup.changed")
    assert (changed.revision, changed.landing_at, changed.luggage) == (2, at(9), 3)
    assert changed.reason == "the arrival was changed"


def test_a_withdrawn_arrival_may_be_announced_anew(house):
    first = announce(house)
    write(house, withdraw_arrival, SLUG, first["journey"], reason="comes by car")
    [withdrawn] = told(house, "pickup.withdrawn")
    assert (withdrawn.pickup, withdrawn.revision, withdrawn.reason) == (first["pickup"], 2, "comes by car")
    with pytest.raises(Refused):
        write(house, withdraw_arrival, SLUG, first["journey"], reason="again")
    second = announce(house)
    assert (second["revision"], second["pickup"] != first["pickup"]) == (1, True)


def test_a_landing_long_past_is_taken_with_a_warning(house):
    house.clock.advance(2 * 86400)
    answer = announce(house)
    assert answer["warnings"] == ["this landing is too long ago for a pickup: Dispatch will call it missed"]
    assert len(told(house, "pickup.requested")) == 1


LOST = "the landing (Sat 9 May 11:00) is after “On KEY” begins (Sat 9 May 10:00): that talk is lost"


def test_late_news_move_the_pickup_and_a_talk_that_is_lost_is_told_and_warned_of(house):
    journey = announce(house)["journey"]
    heard = News("late", at(11), house.clock.now())
    answer = write(house, enter_flight_news, SLUG, journey, heard, PROMISE)
    [changed] = told(house, "pickup.changed")
    assert (changed.landing_at, changed.expires_at, changed.deadline_at) == (at(11), at(12, 30), at(10))
    assert (changed.talk, changed.talk_title, changed.reason) == ("KEY", "On KEY", "LH2078: late")
    assert answer["warnings"] == [LOST]


def test_an_arrival_entered_or_changed_to_land_after_the_talk_is_taken_with_a_warning(house):
    late = an_arrival(at=time(11))
    answer = announce(house, arrival=late)
    assert (answer["warnings"], told(house, "pickup.requested")[0].deadline_at) == ([LOST], at(10))
    journey = announce(house, "GRACE")["journey"]
    assert write(house, change_arrival, SLUG, journey, an_arrival(at=time(18)), PROMISE)["warnings"]
    assert told(house, "pickup.changed")[-1].deadline_at == at(14)


def test_a_lost_talk_stands_on_the_desk_the_list_and_the_speakers_page_until_it_is_mended(house):
    late = News("late", at(11), house.clock.now())
    journey = announce(house)["journey"]
    write(house, enter_flight_news, SLUG, journey, late, PROMISE)
    read, now = house["schedule"].database.read_now, house.clock.now()
    assert read(views.desk.desk, SLUG, now)["lost"] == [f"Ada Lovelace: {LOST}."]
    assert read(views.desk.desk, SLUG, now, by_name=False)["lost"] == [
        "1 of the speakers land after their talk begins."
    ]
    assert [row["lost"] for row in read(views.journeys.arrivals, SLUG, ZONE)] == [LOST]
    assert read(views.speaker.journey_of_speaker, SLUG, "ADA", now)["journey"]["lost"]["start_at"] == at(10)
    assert read(views.desk.desk, SLUG, at(12, 30))["lost"] == []  # Nothing can be done any more.
    write(house, enter_flight_news, SLUG, journey, News("on_time", at(9), house.clock.now()), PROMISE)
    assert read(views.desk.desk, SLUG, now)["lost"] == []
    assert read(views.speaker.journey_of_speaker, SLUG, "ADA", now)["journey"]["lost"] is None


def test_a_draft_that_moves_a_talk_before_its_speakers_landing_says_so_before_it_is_released(house):
    announce(house)
    early = a_programme(a_talk(starts_at=at(6)), a_talk("SQL", at(14), persons=("GRACE",)))
    words = "Ada Lovelace: the landing (Sat 9 May 07:30) is after “On KEY” begins (Sat 9 May 06:00): that talk is lost."
    assert write(house, import_programme, prepare(early, "early.xml"))["warnings"] == [words]
    read, now = house["schedule"].database.read_now, house.clock.now()
    review = read(views.desk.desk, SLUG, now)
    assert (review["faults"], review["lost"]) == ([{"blocks": False, "text": words}], [])
    assert write(house, release_draft, SLUG, promise=PROMISE)["warnings"] == [words]
    assert read(views.desk.desk, SLUG, now)["lost"] == [words]
    assert [(fact.talk, fact.deadline_at) for fact in told(house, "pickup.changed")] == [("KEY", at(6))]


def test_older_news_never_overwrite_newer(house):
    journey = announce(house)["journey"]
    now = house.clock.now()
    write(house, enter_flight_news, SLUG, journey, News("late", at(11), now), PROMISE)
    older = News("on_time", None, now - timedelta(minutes=5), source="feed")
    assert write(house, enter_flight_news, SLUG, journey, older, PROMISE)["is_applied"] is False
    assert len(told(house, "pickup.changed")) == 1


def test_a_cancelled_flight_withdraws_and_another_flight_asks_anew(house):
    first = announce(house)
    write(house, enter_flight_news, SLUG, first["journey"], News("cancelled", None, house.clock.now()), PROMISE)
    assert [fact.reason for fact in told(house, "pickup.withdrawn")] == ["LH2078: cancelled"]
    second = write(house, change_arrival, SLUG, first["journey"], an_arrival(number="LH 2080", at=time(9)), PROMISE)
    assert second["pickup"] != first["pickup"]
    assert [fact.travel_number for fact in told(house, "pickup.requested")] == ["LH2078", "LH2080"]


def test_who_is_aboard_is_not_changed_any_more(house):
    journey = announce(house)["journey"]
    [asked] = told(house, "pickup.requested")
    dispatch_says(house, "boarded", asked)
    with pytest.raises(Refused, match="aboard"):
        write(house, change_arrival, SLUG, journey, an_arrival(luggage=5), PROMISE)
    with pytest.raises(Refused, match="aboard"):
        write(house, withdraw_arrival, SLUG, journey, reason="no")


def test_a_moved_talk_is_the_next_revision_of_its_speakers_pickup_alone(house):
    announce(house)
    announce(house, "GRACE")
    bring(house, a_programme(a_talk(starts_at=at(9)), a_talk("SQL", at(14), persons=("GRACE",))))
    [changed] = told(house, "pickup.changed")
    assert (changed.speaker, changed.deadline_at, changed.reason) == ("ADA", at(9), "a new release of the programme")


def test_of_many_pickups_some_follow_a_release_at_once_and_the_others_after_a_kill(house, monkeypatch):
    monkeypatch.setattr(programme, "FOLLOWED_AT_ONCE", 1)
    for hour, speaker in ((9, "TWIN"), (8, "GRACE"), (7, "ADA")):
        announce(house, speaker, an_arrival(at=time(hour)))
    later = [a_talk(code, at(18), persons=(who,)) for code, who in (("KEY", "ADA"), ("SQL", "GRACE"), ("TWO", "TWIN"))]
    bring(house, a_programme(*later))
    assert [one.speaker for one in told(house, "pickup.changed")] == ["ADA"]
    house.kill("schedule")
    house.start("schedule")
    house.run()
    assert [(one.speaker, one.deadline_at) for one in told(house, "pickup.changed")] == [
        ("GRACE", at(18)),
        ("TWIN", at(18)),
    ]
    assert not house["schedule"].database.read_now(store.programmes.has_followers, house.clock.now())


HEADER = "speaker,number,date,airport,landing time,party,luggage,wheelchair,to\n"
ROW = "ADA,LH 2078,2026-05-09,HAM,07:30,1,1,no,Hotel Zur Elbe\n"
GRACE = "grace@example.org,ICE 705,2026-05-09,Hamburg Hbf,08:37,2,2,yes,Hotel Zur Elbe\n"


def take(house, *lines, dry_run=False):
    return write(
        house, import_arrivals, SLUG, read_arrivals(HEADER + "".join(lines), "Europe/Berlin"), PROMISE, dry_run=dry_run
    )


def counts(report):
    return len(report["added"]), len(report["changed"]), report["same"], len(report["faults"])


def test_the_same_table_twice_changes_nothing(house):
    assert counts(take(house, ROW, GRACE)) == (2, 0, 0, 0)
    before = len(told(house))
    assert counts(take(house, ROW, GRACE)) == (0, 0, 2, 0)
    assert len(told(house)) == before


def test_a_row_that_lands_after_the_talk_is_warned_of_in_a_dry_run_too(house):
    for dry_run in (True, False):
        report = take(house, ROW.replace("07:30", "11:00"), GRACE, dry_run=dry_run)
        assert (counts(report), report["warnings"]) == ((2, 0, 0, 0), [{"row": 2, "reason": LOST}])


def test_a_changed_row_is_the_next_revision(house):
    take(house, ROW)
    assert counts(take(house, ROW.replace("07:30", "08:00"))) == (0, 1, 0, 0)
    assert [(fact.revision, fact.landing_at) for fact in told(house, "pickup.changed")] == [(2, at(8))]


def test_the_same_row_does_not_undo_what_was_changed_since(house):
    take(house, ROW)
    [journey] = house["schedule"].database.read_now(store.journeys.list_open, SLUG)
    write(house, change_arrival, SLUG, journey.id, an_arrival(on=DAY + timedelta(days=1)), PROMISE)
    assert counts(take(house, ROW)) == (0, 0, 1, 0)
    assert len(told(house, "pickup.requested")) == 1


def test_a_row_that_was_withdrawn_stays_so_until_it_changes(house):
    take(house, ROW)
    [journey] = house["schedule"].database.read_now(store.journeys.list_open, SLUG)
    write(house, withdraw_arrival, SLUG, journey.id, reason="comes by car")
    assert counts(take(house, ROW)) == (0, 0, 1, 0)
    assert counts(take(house, ROW.replace("07:30", "08:00"))) == (1, 0, 0, 0)


def test_a_table_that_says_what_was_typed_before_adopts_it(house):
    announce(house)
    assert counts(take(house, ROW)) == (0, 0, 1, 0)
    assert counts(take(house, ROW.replace("07:30", "08:00"))) == (0, 1, 0, 0)


def test_a_dry_run_says_all_and_does_nothing(house):
    take(house, ROW)
    before = len(told(house))
    assert counts(take(house, ROW.replace("07:30", "08:00"), GRACE, dry_run=True)) == (1, 1, 0, 0)
    assert len(told(house)) == before
    assert len(house["schedule"].database.read_now(store.journeys.list_open, SLUG)) == 1


def test_faulty_rows_are_named_and_the_others_taken(house):
    strangers = ROW.replace("ADA", "Charles Babbage")
    twins = ROW.replace("ADA", "Ada Lovelace")
    report = take(house, ROW.replace("HAM", "QQQ"), strangers, twins, GRACE)
    assert [fault["row"] for fault in report["faults"]] == [2, 3, 4]
    assert "QQQ is no IATA airport code" in report["faults"][0]["reason"]
    assert "nobody in the programme is called 'Charles Babbage'" in report["faults"][1]["reason"]
    assert "one of ADA, TWIN" in report["faults"][2]["reason"]
    assert [taken["speaker"] for taken in report["added"]] == ["Grace Hopper"]


async def _take_table(house, table, dry_run):
    work = house["schedule"]
    conference = await work.database.read(load_conference, SLUG)
    return await import_table_of(work.database, conference, table, PROMISE, dry_run=dry_run)


def test_a_long_table_is_taken_in_parts(house):
    days = [DAY + timedelta(days=number) for number in range(150)]
    table = HEADER + "".join(ROW.replace("2026-05-09", day.isoformat()) for day in days)
    assert len(asyncio.run(_take_table(house, table, False))["added"]) == 150
    assert asyncio.run(_take_table(house, table, False))["same"] == 150
    assert len({fact.code for fact in told(house, "pickup.requested")}) == 150


def test_a_ride_that_a_person_settled_at_dispatch_is_seen_to_on_all_pages(house):
    announce(house)
    [asked] = told(house, "pickup.requested")
    dispatch_says(house, "stood_down", asked, reason="driven by taxi, says Ana")
    read = house["schedule"].database.read_now
    [row] = read(views.journeys.arrivals, SLUG, ZONE)
    assert (row["state"], row["why"]) == ("stood_down", "driven by taxi, says Ana")
    now = house.clock.now()
    assert read(views.speaker.journey_of_speaker, SLUG, "ADA", now)["journey"]["said"].startswith("A person has seen")
