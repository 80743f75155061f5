"""Schedule's rules, without a database: what a form may say, what changed between releases, what is asked for."""

from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from conferences_made import DAY, PROMISE, ZONE, a_programme, a_talk, an_arrival, at
from softlanding.errors import Invalid
from softlanding.schedule.model import (
    Journey,
    News,
    compare,
    find_faults,
    is_lost,
    is_same_wish,
    pickup_state,
    read_news,
    slots_by_speaker,
    slug_of,
    stamp,
    still_removed,
    talk_of,
)


def a_journey(arrival=None, **more):
    return Journey("j1", "wharf-2026", "ADA", "Ada Lovelace", arrival or an_arrival(), at(0), **more)


def asked(journey, talks=(), now=None, revision=1, before=None, theirs=()):
    now = now or at(0)
    talk = talk_of(journey, talks, now, theirs=theirs, asked=before)
    return pickup_state(journey, talk, PROMISE, now, pickup="p1", code="K7QX", revision=revision)


def test_times_are_those_of_the_clocks_where_it_lands():
    assert an_arrival(place="LIS", at=time(13, 5)).landing_at == at(14, 5)


def test_a_station_is_in_the_zone_of_the_conference():
    train = an_arrival(kind="train", number="ICE 705", place="Hamburg Hbf")
    assert (train.zone, train.landing_at) == (ZONE, at(7, 30))


def test_a_flight_number_is_written_in_one_way():
    assert an_arrival(number="lh-2078").number == "LH2078"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"number": "Lufthansa"}, "number"),
        ({"place": "Hamburg"}, "airport"),
        ({"place": "QQQ"}, "airport"),
        ({"kind": "boat"}, "how"),
        ({"on": None}, "on"),
        ({"at": None}, "time"),
        ({"party": 51}, "party"),
        ({"party": 0}, "party"),
        ({"luggage": 201}, "luggage"),
        ({"wheelchairs": 2}, "wheelchair"),
        ({"to_place": " "}, "place"),
        ({"on": date(1926, 5, 9)}, "on"),
        ({"on": date(2026, 3, 29), "at": time(2, 30)}, "time"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_field(wrong, field):
    with pytest.raises(Invalid) as refusal:
        an_arrival(**wrong)
    assert [fault.where for fault in refusal.value.faults] == [field]


def test_all_faults_come_at_once():
    with pytest.raises(Invalid) as refusal:
        an_arrival(number="x", party=0, at=None)
    assert {fault.where for fault in refusal.value.faults} == {"number", "party", "time"}


def slots_of(*talks):
    return slots_by_speaker(a_programme(*talks))["ADA"]


def test_a_pickup_says_what_it_is_for_and_until_when():
    state = asked(a_journey(), slots_of(a_talk("LATE", at(15)), a_talk("EARLY", at(9))), now=at(1))
    assert (state.talk, state.deadline_at) == ("EARLY", at(9))
    assert state.answer_by == at(1) + timedelta(seconds=30)
    assert state.expires_at == at(7, 30) + timedelta(minutes=90)


@pytest.mark.parametrize("hours", [8.99, 9, 10, 15, 40])
def test_a_delay_however_long_leaves_the_talk_that_was_asked_for(hours):
    talks, expected = slots_of(a_talk("EARLY", at(9)), a_talk("NOON", at(12))), at(0) + timedelta(hours=hours)
    first = asked(a_journey(), talks)
    state = asked(a_journey(news=News("late", expected, at(5))), talks, now=at(5), before=first)
    assert (state.landing_at, state.talk, state.deadline_at) == (expected, "EARLY", at(9))
    assert is_lost(state.landing_at, state.deadline_at) == (hours >= 9)
    after = asked(a_journey(news=News("late", expected, at(20))), talks, now=at(20), before=state)
    assert (after.talk == "EARLY") == (hours >= 9)  # Over and in time for it: held. Over and lost: it stays lost.


def test_a_talk_before_the_landing_is_what_the_arrival_is_for_and_lost():
    talks = slots_of(a_talk("BEFORE", at(6)), a_talk("EARLY", at(9)))
    assert asked(a_journey(), talks, now=at(1)).talk == "BEFORE"
    assert asked(a_journey(), slots_of(a_talk("ONLY", at(6))), now=at(1)).deadline_at == at(6)


def test_a_talk_that_is_over_when_the_arrival_is_announced_is_nobodys_deadline():
    over = a_talk("OVER", at(6))
    assert asked(a_journey(), slots_of(over, a_talk("EARLY", at(9))), now=at(6, 45)).talk == "EARLY"
    assert asked(a_journey(), slots_of(over), now=at(6, 45)).talk is None
    assert asked(a_journey(), slots_of(over), now=at(6, 44)).talk == "OVER"


def test_a_talk_that_another_arrival_is_in_time_for_is_not_lost_by_the_next_one():
    talks, friday = slots_of(a_talk("FIRST", at(9)), a_talk("NEXT", at(9, day=DAY + timedelta(days=1)))), a_journey()
    saturday = replace(friday, id="j2", arrival=an_arrival(on=DAY + timedelta(days=1)))
    assert asked(friday, talks, theirs=(friday, saturday)).talk == "FIRST"
    assert asked(saturday, talks, theirs=(friday, saturday)).talk == "NEXT"
    cancelled = replace(friday, news=News("cancelled", None, at(5)))
    assert asked(saturday, talks, theirs=(cancelled, saturday)).talk == "FIRST"


def test_an_earlier_talk_than_the_one_asked_for_is_the_one_to_be_there_for():
    first = asked(a_journey(), slots_of(a_talk("NOON", at(12))))
    for start in (at(11), at(7, 30), at(2)):
        assert asked(a_journey(), slots_of(a_talk("NOON", start)), now=at(1), before=first).deadline_at == start
        both = slots_of(a_talk("NOON", at(12)), a_talk("MORE", start))
        assert asked(a_journey(), both, now=at(1), before=first).talk == "MORE"


def test_a_cancelled_flight_brings_nobody():
    assert not a_journey(news=News("cancelled", None, at(5))).needs_pickup
    assert a_journey(news=News("late", at(9), at(5))).needs_pickup


def test_the_same_wish_at_another_time_is_the_same():
    first, later = asked(a_journey()), asked(a_journey(), now=at(3), revision=2)
    assert is_same_wish(first, later)
    assert not is_same_wish(first, asked(a_journey(an_arrival(luggage=2))))


def test_late_without_a_time_is_no_news():
    with pytest.raises(Invalid):
        read_news("late", DAY, None, ZONE, at=at(5))
    with pytest.raises(Invalid):
        read_news("vanished", None, None, ZONE, at=at(5))
    assert read_news("late", DAY, time(9, 10), ZONE, at=at(5)).expected_at == at(9, 10)


def test_a_cancelled_talk_is_nobodys_deadline():
    programme = a_programme(a_talk("OFF", at(9), is_cancelled=True), a_talk("ON", at(12)))
    slots = slots_by_speaker(programme)["ADA"]
    assert [slot.code for slot in slots] == ["ON"]
    assert asked(a_journey(), slots).deadline_at == at(12)


def test_what_changed_is_found_by_guid():
    old = a_programme(a_talk("A"), a_talk("B", at(11)), a_talk("C", at(12)), a_talk("D", at(13)), a_talk("E", at(14)))
    new = a_programme(
        a_talk("A", at(10, 30)),
        a_talk("B", at(11), title="Other"),
        a_talk("C", at(12), is_cancelled=True),
        a_talk("E", at(14)),
        a_talk("F", at(15)),
    )
    diff = compare(old, new)
    assert [(before.code, after.starts_at) for before, after in diff.moved] == [("A", at(10, 30))]
    assert [after.code for _, after in diff.changed] == ["B"]
    assert [after.code for _, after in diff.cancelled] == ["C"]
    assert [talk.code for talk in diff.removed] == ["D"]
    assert [talk.code for talk in diff.added] == ["F"]
    assert (diff.same, diff.count) == (1, 5)
    assert [(line.kind, line.code, line.was, line.now) for line in diff.lines(ZONE)] == [
        ("moved", "A", "Sat 9 May 10:00, Hall", "Sat 9 May 10:30, Hall"),
        ("removed", "", "Sat 9 May 13:00, Hall", ""),
        ("removed", "C", "Sat 9 May 12:00, Hall", "cancelled"),
        ("new", "F", "", "Sat 9 May 15:00, Hall"),
        ("changed", "B", "On B", "Other"),
    ]


def test_calendars_learn_of_changes_by_the_sequence():
    first = stamp(None, a_programme(a_talk("A"), a_talk("B", at(11))), "v1", at(1))
    assert [talk.sequence for talk in first.talks] == [0, 0]
    second = stamp(
        first, a_programme(a_talk("A", at(10, 30)), a_talk("B", at(11), abstract_html="<p>more</p>")), "v2", at(2)
    )
    assert [(talk.sequence, talk.changed_at) for talk in second.talks] == [(1, at(2)), (0, None)]
    third = stamp(second, a_programme(a_talk("A", at(10, 30)), a_talk("B", at(11))), "v3", at(3))
    assert [talk.sequence for talk in third.talks] == [1, 0]


def test_what_was_removed_stays_known_until_it_comes_back():
    one, two = a_talk("A"), a_talk("B", at(11))
    old, new = a_programme(one, two), a_programme(one)
    gone = still_removed((), compare(old, new), new, at(1))
    assert [(talk.code, talk.sequence) for talk in gone] == [("B", 1)]
    assert still_removed(gone, compare(new, new), new, at(2)) == gone
    assert still_removed(gone, compare(new, old), old, at(2)) == ()


def test_clashes_are_named():
    room = a_programme(a_talk("A"), a_talk("B", at(10, 30), persons=("GRACE",)))
    assert [text for _, text in find_faults(room)] == ["Hall is taken twice: “On A” and “On B”, Sat 9 May 10:30"]
    person = a_programme(a_talk("A"), a_talk("B", at(10, 30), room="Dock"))
    assert [text for _, text in find_faults(person)] == [
        "Ada Lovelace is in two talks at once: “On A” and “On B”, Sat 9 May 10:30"
    ]
    assert find_faults(person, by_name=False)[0][1].startswith("ADA is in two talks at once")
    assert find_faults(a_programme(a_talk("A"), a_talk("B", at(10, 45)))) == []


def test_an_empty_programme_cannot_be_released():
    assert find_faults(replace(a_programme(), talks=())) == [(True, "There is no talk in it.")]


def test_a_conference_cannot_take_an_address_that_is_needed():
    assert slug_of("fosdem_2026") == "fosdem-2026"
    for acronym in ("api", "operations", "sign-in", "sign-out", "Static", "-", "trees", "___"):
        with pytest.raises(Invalid, match="cannot be a conference's address"):
            slug_of(acronym)
