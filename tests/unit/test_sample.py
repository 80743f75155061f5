"""The sample conference: whole, believable, and the same on any day."""

from datetime import UTC, date, datetime, timedelta
from itertools import combinations

import pytest

from softlanding.formats import read_programme, write_ics, write_json, write_xml
from softlanding.formats.programme import Talk, talks_by_day
from softlanding.sample import FIRST_DAY, Sample, sample

DRIVE = timedelta(minutes=80)  # To the kerb, the longest drive, and the way back for the next.


@pytest.fixture(scope="module")
def softconf() -> Sample:
    return sample(FIRST_DAY)


def test_it_is_as_large_as_promised(softconf: Sample) -> None:
    programme = softconf.programme
    assert programme.conference.acronym == "softconf"
    found = (len(programme.talks), len(programme.persons), len(programme.rooms), len(programme.days))
    assert found == (60, 45, 5, 3)
    assert len({row.plate for row in softconf.fleet}) == 8
    assert sorted(place.kind for place in softconf.places) == ["airport", "hotel", "hotel", "hotel", "station", "venue"]
    assert [staff.role for staff in softconf.staff] == ["organiser", "coordinator", "coordinator", "operator"]
    assert 38 <= len(softconf.arrivals) <= 44


def test_every_name_that_is_used_exists(softconf: Sample) -> None:
    programme = softconf.programme
    places = {place.name for place in softconf.places} | {place.iata for place in softconf.places}
    assert {talk.room for talk in programme.talks} == {room.name for room in programme.rooms}
    assert {talk.track for talk in programme.talks} - {""} == {track.name for track in programme.tracks}
    assert {row.speaker for row in softconf.arrivals} <= {person.code for person in programme.persons}
    assert {row.to for row in softconf.arrivals} | {row.at for row in softconf.arrivals} <= places
    assert {row.start_place for row in softconf.fleet} <= places


def test_nobody_and_no_room_is_needed_twice_at_once(softconf: Sample) -> None:
    clashes = [
        (one.title, other.title)
        for one, other in combinations(softconf.programme.talks, 2)
        if one.starts_at < other.ends_at and other.starts_at < one.ends_at
        if one.room == other.room or set(one.persons) & set(other.persons)
    ]
    assert clashes == []


def test_every_talk_has_something_to_read(softconf: Sample) -> None:
    assert all(len(talk.abstract_html) > 120 for talk in softconf.programme.talks)
    assert all(len(person.biography_html) > 30 for person in softconf.programme.persons)
    assert len({talk.title for talk in softconf.programme.talks}) == 60


def test_the_karaoke_after_midnight_belongs_to_the_first_day(softconf: Sample) -> None:
    first_day_talks = talks_by_day(softconf.programme)[0][1]
    assert first_day_talks[-1].ends_at.astimezone(softconf.programme.zone).date() == FIRST_DAY + timedelta(days=1)


def test_every_speaker_lands_in_time_for_the_first_talk(softconf: Sample) -> None:
    first: dict[str, Talk] = {}
    for talk in softconf.programme.talks:
        for code in talk.persons:
            first.setdefault(code, talk)
    slack = {row.speaker: first[row.speaker].starts_at - row.lands_at for row in softconf.arrivals}
    assert min(slack.values()) >= timedelta(minutes=90)
    assert [code for code, time in slack.items() if time < timedelta(hours=2)] == ["MAEVE"]


def test_the_board_is_alive_on_the_evening_before_and_the_first_morning(softconf: Sample) -> None:
    zone = softconf.programme.zone
    landings = [row.lands_at.astimezone(zone) for row in softconf.arrivals]
    assert all(at.date() > FIRST_DAY - timedelta(days=1) or at.hour >= 16 for at in landings)
    assert sum(at.date() < FIRST_DAY for at in landings) >= 12
    assert sum(at.date() == FIRST_DAY and at.hour < 12 for at in landings) >= 12
    assert sum(row.wheelchairs for row in softconf.arrivals) == 1
    assert sum(row.party > 1 for row in softconf.arrivals) >= 4
    assert sum(row.kind == "train" for row in softconf.arrivals) >= 4


def test_the_fleet_can_fetch_everybody_even_one_by_one(softconf: Sample) -> None:
    free_at: dict[str, datetime] = {}
    left_out = []
    for arrival in sorted(softconf.arrivals, key=lambda row: (row.lands_at, row.speaker)):
        able = [
            shift
            for shift in softconf.fleet
            if shift.seats >= arrival.party and shift.wheelchair_places >= arrival.wheelchairs
            if shift.luggage >= arrival.luggage
            if shift.shift_starts_at <= arrival.lands_at and arrival.lands_at + DRIVE <= shift.shift_ends_at
            if free_at.get(shift.plate, shift.shift_starts_at) <= arrival.lands_at + timedelta(minutes=20)
        ]
        if not able:
            left_out.append(arrival.speaker)
            continue
        smallest = min(able, key=lambda shift: (shift.seats, shift.plate))
        free_at[smallest.plate] = arrival.lands_at + DRIVE
    assert left_out == []


@pytest.mark.parametrize("first_day", [date(2026, 3, 29), date(2026, 10, 25), date(2027, 12, 31), date(2028, 2, 28)])
def test_it_moves_to_any_day_and_keeps_its_wall_times(softconf: Sample, first_day: date) -> None:
    moved = sample(first_day)
    zone = softconf.programme.zone
    ahead = first_day - FIRST_DAY

    def wall(at: datetime) -> datetime:
        return at.astimezone(zone).replace(tzinfo=None)

    assert [day.on for day in moved.programme.days] == [first_day + timedelta(days=number) for number in range(3)]
    for before, after in zip(softconf.programme.talks, moved.programme.talks, strict=True):
        assert (before.guid, before.code) == (after.guid, after.code)
        assert wall(after.starts_at) == wall(before.starts_at) + ahead
    for arrival, later in zip(softconf.arrivals, moved.arrivals, strict=True):
        assert wall(later.lands_at) == wall(arrival.lands_at) + ahead
    for shift, later_shift in zip(softconf.fleet, moved.fleet, strict=True):
        assert wall(later_shift.shift_starts_at) == wall(shift.shift_starts_at) + ahead


def test_it_comes_back_whole_from_its_own_files_without_mail_addresses(softconf: Sample) -> None:
    programme = softconf.programme
    for write in (write_xml, write_json):
        reading = read_programme(write(programme, "1.0", "https://softlanding.example.org/softconf/"), "file")
        assert reading.notes == ()
        assert reading.programme.talks == programme.talks
        assert [person.code for person in reading.programme.persons] == [person.code for person in programme.persons]
        assert {person.email for person in reading.programme.persons} == {""}
    assert write_ics(programme, "1.0", "https://softlanding.example.org/softconf/").count(b"BEGIN:VEVENT") == 60


def test_times_are_utc_inside(softconf: Sample) -> None:
    assert {talk.starts_at.tzinfo for talk in softconf.programme.talks} == {UTC}
    assert {row.lands_at.tzinfo for row in softconf.arrivals} == {UTC}
