"""The sample conference, so that a first start shows a living system: SoftConf, written for this project.

People, hotels and flights are invented. The files beside this one are ordinary input, such as an organiser would
bring, dated around a fixed first day; `sample` moves them to any other.
"""

import csv
import io
import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from softlanding.formats.arrivals_csv import ArrivalRow, read_arrivals
from softlanding.formats.fleet_csv import FleetRow, read_fleet
from softlanding.formats.identity import guid_from, number_from
from softlanding.formats.places_csv import PlaceRow, read_places
from softlanding.formats.programme import (
    Break,
    Conference,
    Day,
    Person,
    Programme,
    Room,
    Talk,
    Track,
    by_appearance,
    in_order,
)
from softlanding.formats.table import RowFault
from softlanding.formats.texts import safe_html

ACRONYM = "softconf"
FIRST_DAY = date(2026, 9, 17)  # What the files are dated by.
DAYS = 3
DAY_CHANGE = time(4)  # The karaoke of the first day ends after midnight.
T = TypeVar("T")


@dataclass(frozen=True)
class StaffRow:
    """One who works here. `role` is organiser, coordinator or operator."""

    name: str
    email: str
    role: str


@dataclass(frozen=True)
class Sample:
    """A whole conference with its travellers, in the same values that the readers of files give."""

    first_day: date
    programme: Programme
    places: tuple[PlaceRow, ...]
    fleet: tuple[FleetRow, ...]
    arrivals: tuple[ArrivalRow, ...]
    staff: tuple[StaffRow, ...]


def sample(first_day: date) -> Sample:
    """The sample conference, beginning on `first_day`. Wall times stay as they are, whatever the season.

    Arrivals begin in the evening before and name speakers by their codes.
    """
    programme = _programme(json.loads(_text("programme.json")), first_day)
    zone = programme.conference.zone
    return Sample(
        first_day=first_day,
        programme=programme,
        places=_whole(read_places(_text("places.csv"), zone)),
        fleet=_whole(read_fleet(_moved(_text("fleet.csv"), first_day), zone)),
        arrivals=_whole(read_arrivals(_moved(_text("arrivals.csv"), first_day), zone)),
        staff=tuple(StaffRow(**row) for row in csv.DictReader(io.StringIO(_text("staff.csv")))),
    )


def _text(name: str) -> str:
    return files("softlanding.sample").joinpath(name).read_text(encoding="utf-8")


def _moved(text: str, first_day: date) -> str:
    """The text with every date in it moved as far as the first day."""
    ahead = first_day - FIRST_DAY
    return re.sub(r"\b\d{4}-\d{2}-\d{2}\b", lambda match: (date.fromisoformat(match.group()) + ahead).isoformat(), text)


def _whole(rows: list[T | RowFault]) -> tuple[T, ...]:
    faults = [row for row in rows if isinstance(row, RowFault)]
    assert not faults, f"the sample itself is faulty: {faults[0]}"
    return tuple(row for row in rows if not isinstance(row, RowFault))


def _programme(data: dict[str, Any], first_day: date) -> Programme:
    zone = ZoneInfo(data["conference"]["zone"])
    rooms = tuple(Room(guid=guid_from(ACRONYM, "room", each["name"]), **each) for each in data["rooms"])
    talks = in_order(tuple(_talk(each, data["conference"], first_day, zone) for each in data["talks"]), rooms)
    people = tuple(_person(row) for row in csv.DictReader(io.StringIO(_text("speakers.csv"))))
    return Programme(
        version="1.0 Feather",
        conference=_conference(data["conference"], first_day),
        days=tuple(_day(number, first_day, zone) for number in range(1, DAYS + 1)),
        rooms=rooms,
        tracks=tuple(Track(**each) for each in data["tracks"]),
        persons=by_appearance(people, talks),
        talks=talks,
        breaks=tuple(_break(each, first_day, zone) for each in data["breaks"]),
    )


def _conference(data: dict[str, Any], first_day: date) -> Conference:
    return Conference(
        acronym=ACRONYM,
        title=data["title"],
        zone=data["zone"],
        starts_on=first_day,
        ends_on=first_day + timedelta(days=DAYS - 1),
        timeslot=timedelta(minutes=data["timeslot_minutes"]),
        url=data["url"],
    )


def _day(number: int, first_day: date, zone: ZoneInfo) -> Day:
    on = first_day + timedelta(days=number - 1)
    return Day(number, on, _at(number, DAY_CHANGE, first_day, zone), _at(number + 1, DAY_CHANGE, first_day, zone))


def _talk(data: dict[str, Any], conference: dict[str, Any], first_day: date, zone: ZoneInfo) -> Talk:
    is_recorded = data["kind"] not in ("workshop", "discussion", "social")
    return Talk(
        code=data["code"],
        guid=guid_from(ACRONYM, "talk", data["code"]),
        number=number_from(ACRONYM, "talk", data["code"]),
        title=data["title"],
        room=data["room"],
        starts_at=_at(data["day"], time.fromisoformat(data["start"]), first_day, zone),
        duration=timedelta(minutes=data["minutes"]),
        track=data["track"],
        kind=data["kind"],
        language=conference["language"],
        abstract_html=safe_html(data["abstract"]),
        persons=tuple(data["speakers"]),
        recording_license=conference["recording_license"] if is_recorded else "",
        do_not_record=not is_recorded,
    )


def _person(row: dict[str, str]) -> Person:
    return Person(
        code=row["code"],
        name=row["name"],
        number=number_from(ACRONYM, "person", row["code"]),
        guid=guid_from(ACRONYM, "person", row["code"]),
        biography_html=safe_html(row["biography"]),
        email=row["email"],
    )


def _break(data: dict[str, Any], first_day: date, zone: ZoneInfo) -> Break:
    starts_at = _at(data["day"], time.fromisoformat(data["start"]), first_day, zone)
    return Break(data["title"], starts_at, timedelta(minutes=data["minutes"]))


def _at(day: int, at: time, first_day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(first_day + timedelta(days=day - 1), at, tzinfo=zone).astimezone(UTC)
