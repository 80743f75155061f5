"""Arrivals as organisers keep them: who comes when, on which flight or train, with whom and what, and where to."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from softlanding.formats.airports import airport, codes_of_city
from softlanding.formats.table import Cells, Column, RowFault, local_moment, read_table

PARTY_MAX, LUGGAGE_MAX, WHEELCHAIRS_MAX = 50, 200, 10  # A coach. More is a typing error.
WHICH_ARRIVAL = ("row", "key", "speaker", "on")  # Fields of a row that say whose it is, not what it is.
COLUMNS = (
    Column("speaker", ("speaker code", "speaker name", "name", "email", "e-mail", "code", "who"), is_needed=True),
    Column("number", ("flight", "flight number", "flight no", "train", "train number", "flight or train")),
    Column("date", ("day", "arrival date", "landing date", "on"), is_needed=True),
    Column("airport", ("iata", "station", "airport or station", "arrives at", "from", "place"), is_needed=True),
    Column("landing time", ("lands", "lands at", "time", "arrival time", "landing", "sta", "eta"), is_needed=True),
    Column("party", ("persons", "people", "pax", "passengers", "party size")),
    Column("luggage", ("bags", "pieces", "suitcases", "baggage")),
    Column("wheelchair", ("wheelchairs", "wheel chair", "prm")),
    Column("to", ("where to", "destination", "hotel", "drop off", "goes to"), is_needed=True),
)
TEMPLATE = """\
speaker,number,date,airport,landing time,party,luggage,wheelchair,to
Ada Example,LH 2078,2026-09-17,HAM,09:15,1,1,no,Hotel Example
speaker@example.org,BA 964,2026-09-16,HAM,21:40,2,3,no,Hotel Example
K7QX2A,ICE 705,2026-09-17,Hamburg Hbf,08:37,1,1,yes,Conference Centre
"""


@dataclass(frozen=True)
class ArrivalRow:
    """One way in. `speaker` is a code, name or e-mail address as written; `at` an IATA code or a station's name.

    `key` stays the same when the flight or its time changes: the same file twice changes nothing, an edited row is
    the next revision of the same arrival.
    """

    row: int
    key: str
    speaker: str
    kind: str
    number: str
    on: date
    at: str
    lands_at: datetime
    party: int
    luggage: int
    wheelchairs: int
    to: str


def arrivals_template() -> str:
    return TEMPLATE


def arrival_key(speaker: str, on: date) -> str:
    """What makes two rows the same arrival: the speaker and the day."""
    return f"in|{' '.join(speaker.casefold().split())}|{on.isoformat()}"


def read_arrivals(text: str | bytes, zone: str) -> list[ArrivalRow | RowFault]:
    """Each row as an arrival, or what is wrong with it. Times are the airport's, at stations those of `zone`.

    Raises Invalid when the table as a whole cannot be read.
    """
    rows: list[ArrivalRow | RowFault] = []
    seen: dict[str, int] = {}
    for cells in read_table(text, COLUMNS, "arrivals"):
        row = _arrival(cells, zone)
        if isinstance(row, ArrivalRow) and (first := seen.setdefault(row.key, row.row)) != row.row:
            row = RowFault(row.row, f"{row.speaker} arrives on {row.on} in row {first} already: keep one of the two")
        rows.append(row)
    return rows


def _arrival(cells: Cells, zone: str) -> ArrivalRow | RowFault:
    speaker, to = cells.needed("speaker"), cells.needed("to")
    on, at = cells.day("date"), cells.clock("landing time")
    kind, place, place_zone = _place(cells, zone)
    number = _number(cells, kind)
    party = cells.whole("party", default=1, low=1, high=PARTY_MAX)
    luggage = cells.whole("luggage", default=party, low=0, high=LUGGAGE_MAX)
    wheelchairs = cells.count_or_yes("wheelchair", high=party)
    lands_at = local_moment(cells, "landing time", on, at, ZoneInfo(place_zone)) if on and at else None
    if (fault := cells.fault()) or on is None or lands_at is None:
        return fault or RowFault(cells.row, "no landing time")
    key = arrival_key(speaker, on)
    return ArrivalRow(cells.row, key, speaker, kind, number, on, place, lands_at, party, luggage, wheelchairs, to)


def _place(cells: Cells, zone: str) -> tuple[str, str, str]:
    """Kind, place and zone: an IATA code is an airport, anything longer a station."""
    place = cells.needed("airport")
    if re.fullmatch(r"[A-Za-z]{3}", place):
        found = airport(place.upper())
        if found is None:
            cells.faults.append(f"{place.upper()} is no IATA airport code")
        return "flight", place.upper(), found.zone if found else zone
    if _is_flight(cells.text("number")) and (codes := codes_of_city(place)):
        cells.faults.append(f"airport {place!r}: write its IATA code, such as {' or '.join(codes[:3])}")
    return "train", place, zone


def _number(cells: Cells, kind: str) -> str:
    text = cells.text("number").upper()
    if kind == "train":
        return cells.text("number")
    if not text:
        cells.faults.append("number is empty: a flight needs its number, such as LH 2078")
    elif not _is_flight(text):
        cells.faults.append(f"number {text!r} is no flight number: write it as LH 2078")
    return re.sub(r"[\s-]", "", text)


def _is_flight(number: str) -> bool:
    return re.fullmatch(r"(?:[A-Z]{2,3}|[A-Z]\d|\d[A-Z])[\s-]?\d{1,4}[A-Z]?", number.upper()) is not None
