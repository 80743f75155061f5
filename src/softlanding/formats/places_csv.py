"""Places that people are driven between: airports, hotels, the venue, stations."""

from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

from softlanding.formats.airports import Airport, airport
from softlanding.formats.table import Cells, Column, RowFault, read_table
from softlanding.formats.when import is_zone, no_zone

KINDS = ("airport", "hotel", "venue", "station")
EXIT_MINUTES_MAX = 240
AIRPORT_OFF_MAX = 0.5  # Degrees that a terminal may lie from the airport's published point: some 50 km.
COLUMNS = (
    Column("name", ("place", "place name"), is_needed=True),
    Column("kind", ("type",), is_needed=True),
    Column("latitude", ("lat",), is_needed=True),
    Column("longitude", ("lon", "lng", "long"), is_needed=True),
    Column("zone", ("time zone", "timezone", "tz")),
    Column("iata", ("iata code", "airport code")),
    Column("international exit minutes", ("international exit", "exit international", "international")),
    Column("domestic exit minutes", ("domestic exit", "exit domestic", "domestic")),
)
TEMPLATE = """\
name,kind,latitude,longitude,zone,iata,international exit minutes,domestic exit minutes
Hamburg Airport,airport,53.6304,9.9882,Europe/Berlin,HAM,40,25
Hamburg Hbf,station,53.5528,10.0067,Europe/Berlin,,,
Hotel Example,hotel,53.5500,9.9800,Europe/Berlin,,,
Conference Centre,venue,53.5620,9.9860,Europe/Berlin,,,
"""


@dataclass(frozen=True)
class PlaceRow:
    """A place with its position in degrees. The exits are how long a passenger needs from landing to the kerb. `said`
    are the columns in which something stands: of a place that exists, the others stay as they are."""

    row: int
    key: str
    name: str
    kind: str
    latitude: float
    longitude: float
    zone: str
    iata: str
    exit_international: timedelta | None
    exit_domestic: timedelta | None
    said: frozenset[str]


def places_template() -> str:
    return TEMPLATE


def place_key(name: str) -> str:
    """What makes two rows the same place: its name, whatever the case."""
    return f"place|{' '.join(name.casefold().split())}"


def read_places(text: str | bytes, zone: str) -> list[PlaceRow | RowFault]:
    """Each row as a place, or what is wrong with it. An airport's position and zone may be left to its IATA code.

    `zone` is taken where the row names none. Raises Invalid when the table as a whole cannot be read.
    """
    rows: list[PlaceRow | RowFault] = []
    seen: dict[str, int] = {}
    for cells in read_table(text, COLUMNS, "places"):
        row = _place(cells, zone)
        if isinstance(row, PlaceRow) and (first := seen.setdefault(row.key, row.row)) != row.row:
            row = RowFault(row.row, f"{row.name} is in row {first} already: names must differ")
        rows.append(row)
    return rows


def _place(cells: Cells, zone: str) -> PlaceRow | RowFault:
    name, kind = cells.needed("name"), _kind(cells)
    known = _airport(cells, kind)
    latitude, longitude = _position(cells, known)
    named_zone = _zone(cells, known.zone if known else zone)
    exits = _minutes(cells, "international exit minutes"), _minutes(cells, "domestic exit minutes")
    if (fault := cells.fault()) or latitude is None or longitude is None:
        return fault or RowFault(cells.row, "no position")
    iata = known.iata if known else ""
    said = frozenset(column.name for column in COLUMNS if cells.text(column.name))
    return PlaceRow(cells.row, place_key(name), name, kind, latitude, longitude, named_zone, iata, *exits, said)


def _kind(cells: Cells) -> str:
    kind = cells.needed("kind").casefold()
    if kind and kind not in KINDS:
        near = get_close_matches(kind, KINDS, n=1)
        meant = f"; did you mean {near[0]}" if near else ""
        cells.faults.append(f"kind {kind!r} is none of {', '.join(KINDS)}{meant}")
    return kind


def _airport(cells: Cells, kind: str) -> Airport | None:
    iata = cells.text("iata").upper()
    if not iata:
        return None
    if kind != "airport":
        cells.faults.append(f"iata {iata} is given, but kind is {kind}: only airports have one")
    known = airport(iata)
    if known is None:
        cells.faults.append(f"{iata} is no IATA airport code")
    return known


def _position(cells: Cells, known: Airport | None) -> tuple[float | None, float | None]:
    latitude, longitude = cells.degrees("latitude", 90), cells.degrees("longitude", 180)
    if known and not cells.text("latitude") and not cells.text("longitude"):
        return known.latitude, known.longitude
    for name in ("latitude", "longitude"):
        cells.needed(name)
    if latitude is None or longitude is None:
        return None, None
    if known and max(abs(latitude - known.latitude), abs(longitude - known.longitude)) > AIRPORT_OFF_MAX:
        there = f"{known.latitude:.4f}, {known.longitude:.4f}"
        cells.faults.append(f"{known.iata} lies at {there}: are latitude and longitude swapped?")
    return latitude, longitude


def _zone(cells: Cells, otherwise: str) -> str:
    zone = cells.text("zone") or otherwise
    if not is_zone(zone):
        cells.faults.append(no_zone(zone))
    return zone


def _minutes(cells: Cells, name: str) -> timedelta | None:
    if not cells.text(name):
        return None
    return timedelta(minutes=cells.whole(name, default=0, low=0, high=EXIT_MINUTES_MAX))
