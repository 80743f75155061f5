"""The conference that is simulated: small enough for thousands of seeds, with too few seats so that choices hurt."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import TypeVar
from zoneinfo import ZoneInfo

from softlanding.formats import ArrivalRow, FleetRow, PlaceRow, RowFault, read_arrivals, read_fleet, read_places
from softlanding.sample import sample
from softlanding.schedule.actions.programme import Prepared, prepare
from softlanding.schedule.model import Arrival

T = TypeVar("T")
ZONE = "Europe/Berlin"
FIRST_DAY = date(2026, 9, 16)
TALKS = 14
PLACES = """\
name,kind,latitude,longitude,zone,iata,international exit minutes,domestic exit minutes
Hamburg Airport,airport,53.6304,9.9882,Europe/Berlin,HAM,20,15
Hamburg Hbf,station,53.5528,10.0067,Europe/Berlin,,,
Kaispeicher Nine,venue,53.5413,9.9965,Europe/Berlin,,,
Hotel Hafen,hotel,53.5463,9.9712,Europe/Berlin,,,
"""
FLEET = """\
vehicle,plate,seats,luggage,wheelchair places,start place,driver,phone,shift start,shift end
Albatross,HH-SL 1,4,5,1,Hamburg Airport,Jale Toprak,+49 40 1,2026-09-16 09:00,23:00
Bustard,HH-SL 2,3,3,0,Kaispeicher Nine,Henk Overbeek,+49 40 2,2026-09-16 10:00,15:00
Cormorant,HH-SL 3,2,2,0,Hamburg Airport,Ada Krog,+49 40 3,2026-09-16 12:00,20:00
"""
HOTELS = ("Hotel Hafen", "Kaispeicher Nine", "Hotel Nowhere")  # The last one is no place that Dispatch knows.
VEHICLES = ("V1", "V2", "V3")


@cache
def programme() -> Prepared:
    """The first talks of the sample conference and who gives them."""
    whole = sample(FIRST_DAY).programme
    talks = whole.talks[:TALKS]
    speaking = {person for talk in talks for person in talk.persons}
    persons = tuple(person for person in whole.persons if person.code in speaking)
    return prepare(replace(whole, talks=talks, persons=persons), "the scene")


@cache
def speakers() -> tuple[str, ...]:
    return tuple(sorted(person.code for person in programme().programme.persons))


@cache
def places() -> tuple[PlaceRow, ...]:
    return _whole(read_places(PLACES, ZONE))


@cache
def fleet() -> tuple[FleetRow, ...]:
    return _whole(read_fleet(FLEET, ZONE))


def arrival(number: int, landing_at: datetime, to_place: str, party: int, luggage: int, wheelchairs: int) -> Arrival:
    """One by plane; its number tells it from all others."""
    return Arrival(
        kind="flight",
        number=f"SL{number}",
        place="HAM",
        zone=ZONE,
        landing_at=landing_at.replace(second=0, microsecond=0),
        to_place=to_place,
        party=party,
        luggage=luggage,
        wheelchairs=wheelchairs,
        phone="+49 170 0",
    )


def table(speakers: list[str], landing_at: datetime, number: int) -> tuple[ArrivalRow | RowFault, ...]:
    """Arrivals as a file brings them, half an hour apart; the last row is faulty."""
    rows = ["speaker,number,date,airport,landing time,party,luggage,wheelchair,to"]
    for index, speaker in enumerate(speakers):
        local = (landing_at + timedelta(minutes=30 * index)).astimezone(ZoneInfo(ZONE))
        rows.append(f"{speaker},XQ {number + index},{local:%Y-%m-%d},HAM,{local:%H:%M},1,1,no,{HOTELS[0]}")
    rows.append("Nobody,XQ 1,2026-09-16,HAM,12:00,1,1,no,Hotel Hafen")
    return tuple(read_arrivals("\n".join(rows), ZONE))


def _whole(rows: list[T | RowFault]) -> tuple[T, ...]:
    return tuple(row for row in rows if not isinstance(row, RowFault))
