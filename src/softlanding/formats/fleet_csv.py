"""The fleet: vehicles, who drives them, and when. Several rows of one vehicle are several shifts."""

import re
from bisect import bisect_left, insort
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from softlanding.formats.table import Cells, Column, RowFault, local_moment, read_clock, read_day, read_table

SHIFT_MAX = timedelta(hours=16)  # Longer is a wrong date, or a driver who should not drive.
COLUMNS = (
    Column("vehicle", ("vehicle name", "car", "name"), is_needed=True),
    Column("plate", ("number plate", "license plate", "licence plate", "registration"), is_needed=True),
    Column("seats", ("passenger seats", "capacity")),
    Column("luggage", ("bags", "luggage pieces", "luggage room")),
    Column("wheelchair places", ("wheelchairs", "wheelchair")),
    Column("start place", ("start", "depot", "base"), is_needed=True),
    Column("driver", ("driver name",), is_needed=True),
    Column("phone", ("driver phone", "telephone", "mobile", "phone number")),
    Column("shift start", ("from", "shift begins", "shift from"), is_needed=True),
    Column("shift end", ("until", "shift ends", "shift to", "shift until"), is_needed=True),
    Column("skills", ("languages", "skill", "speaks")),
)
TEMPLATE = """\
vehicle,plate,seats,luggage,wheelchair places,start place,driver,phone,shift start,shift end,skills
Van 1,HH-SL 101,7,8,1,Hamburg Airport,Robin Example,+49 40 555 0101,2026-09-17 06:00,2026-09-17 14:00,wheelchair;english
Van 1,HH-SL 101,,,,,Sam Example,+49 40 555 0102,2026-09-17 14:00,22:00,english;german
Car 2,HH-SL 102,3,3,0,Conference Centre,Kim Example,+49 40 555 0103,2026-09-17 07:00,15:00,
"""


@dataclass(frozen=True)
class FleetRow:
    """One shift of one driver on one vehicle. `seats` are for passengers; `skills` are lower-case words. `said` are the
    columns in which something stands, here or in an earlier row of the vehicle."""

    row: int
    key: str
    vehicle: str
    plate: str
    seats: int
    luggage: int
    wheelchair_places: int
    start_place: str
    driver: str
    phone: str
    shift_starts_at: datetime
    shift_ends_at: datetime
    skills: tuple[str, ...]
    said: frozenset[str]


def fleet_template() -> str:
    return TEMPLATE


def shift_key(plate: str, starts_at: datetime) -> str:
    """What makes two rows the same shift: the plate and the beginning."""
    return f"shift|{plain_plate(plate)}|{starts_at.isoformat()}"


def plain_plate(plate: str) -> str:
    """Without what people vary when they write a plate: case, blanks, hyphens."""
    return re.sub(r"[^a-z0-9]", "", plate.casefold())


def read_fleet(text: str | bytes, zone: str) -> list[FleetRow | RowFault]:
    """Each row as a shift, or what is wrong with it. A vehicle's own cells may be left empty after its first row.

    Shift times are local to `zone`; an end without a date is the next such time. Raises Invalid when the table as
    a whole cannot be read.
    """
    rows: list[FleetRow | RowFault] = []
    taken = _Taken()
    for cells in read_table(text, COLUMNS, "fleet"):
        row = _shift(_completed(cells, taken), ZoneInfo(zone))
        if isinstance(row, FleetRow):
            row = _fits(row, taken.near(row)) or row
        if isinstance(row, FleetRow):
            taken.add(row)
        rows.append(row)
    return rows


@dataclass
class _Taken:
    """The rows taken so far, by what another row may contradict: they do not contradict each other."""

    by_vehicle: dict[str, FleetRow] = field(default_factory=dict)
    by_plate: dict[str, FleetRow] = field(default_factory=dict)
    roads: dict[str, list[FleetRow]] = field(default_factory=dict)  # Of a plate, of a driver: in order of time.

    def add(self, row: FleetRow) -> None:
        self.by_vehicle.setdefault(row.vehicle.casefold(), row)
        self.by_plate.setdefault(plain_plate(row.plate), row)
        for who in _on_the_road(row):
            insort(self.roads.setdefault(who, []), row, key=_start)

    def near(self, row: FleetRow) -> list[FleetRow]:
        """The rows that this one may contradict, in their order."""
        found = [self.by_vehicle.get(row.vehicle.casefold()), self.by_plate.get(plain_plate(row.plate))]
        for who in _on_the_road(row):
            road = self.roads.get(who, [])
            begin = bisect_left(road, row.shift_starts_at - SHIFT_MAX, key=_start)
            found += road[begin : bisect_left(road, row.shift_ends_at, key=_start)]
        return sorted({one.row: one for one in found if one is not None}.values(), key=lambda one: one.row)


def _on_the_road(row: FleetRow) -> tuple[str, str]:
    return f"plate {plain_plate(row.plate)}", f"driver {row.driver.casefold()}"


def _start(row: FleetRow) -> datetime:
    return row.shift_starts_at


def _completed(cells: Cells, taken: _Taken) -> Cells:
    """The row with what an earlier row of the same vehicle said."""
    first = taken.by_vehicle.get(cells.text("vehicle").casefold())
    if first is not None:
        known = {
            "plate": first.plate,
            "seats": str(first.seats),
            "luggage": str(first.luggage),
            "wheelchair places": str(first.wheelchair_places),
            "start place": first.start_place,
        }
        unsaid = {name: value for name, value in known.items() if name in first.said and not cells.text(name)}
        cells.values = cells.values | unsaid
    return cells


def _shift(cells: Cells, zone: ZoneInfo) -> FleetRow | RowFault:
    vehicle, plate, driver = cells.needed("vehicle"), cells.needed("plate"), cells.needed("driver")
    start_place = cells.needed("start place")
    cells.needed("seats")
    seats = cells.whole("seats", default=1, low=1, high=60)
    luggage = cells.whole("luggage", default=seats, low=0, high=240)
    wheelchair_places = cells.count_or_yes("wheelchair places", high=10)
    starts_at = _moment(cells, "shift start", zone, after=None)
    ends_at = _moment(cells, "shift end", zone, after=starts_at)
    if starts_at and ends_at and not timedelta(0) < ends_at - starts_at <= SHIFT_MAX:
        cells.faults.append(f"the shift lasts {ends_at - starts_at}: it must end after it starts, within 16 hours")
    if (fault := cells.fault()) or starts_at is None or ends_at is None:
        return fault or RowFault(cells.row, "no shift")
    return FleetRow(
        row=cells.row,
        key=shift_key(plate, starts_at),
        vehicle=vehicle,
        plate=plate,
        seats=seats,
        luggage=luggage,
        wheelchair_places=wheelchair_places,
        start_place=start_place,
        driver=driver,
        phone=cells.text("phone"),
        shift_starts_at=starts_at,
        shift_ends_at=ends_at,
        skills=_skills(cells.text("skills")),
        said=frozenset(column.name for column in COLUMNS if cells.text(column.name)),
    )


def _moment(cells: Cells, name: str, zone: ZoneInfo, after: datetime | None) -> datetime | None:
    """`2026-09-17 06:00`; with `after` also `14:00` alone, the next such time."""
    text = cells.needed(name)
    day_text, _, clock_text = text.replace("T", " ").rpartition(" ")
    on, at = read_day(day_text.strip()), read_clock(clock_text)
    if on is None and not day_text and after is not None and at is not None:
        on = after.astimezone(zone).date()
        if at <= after.astimezone(zone).time():
            on += timedelta(days=1)
    if on is None or at is None:
        if text and (after is not None or name == "shift start"):
            cells.faults.append(f"{name} {text!r} cannot be read: write 2026-09-17 06:00")
        return None
    return local_moment(cells, name, on, at, zone)


def _skills(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for each in re.split(r"[;,|/]", text.casefold()) if (word := each.strip())))


def _fits(row: FleetRow, others: list[FleetRow]) -> RowFault | None:
    """What contradicts rows before."""
    for other in others:
        same_plate = plain_plate(row.plate) == plain_plate(other.plate)
        if same_plate != (row.vehicle.casefold() == other.vehicle.casefold()):
            what = f"{row.vehicle}, {row.plate} contradicts row {other.row}: {other.vehicle}, {other.plate}"
            return RowFault(row.row, f"{what}; a vehicle has one name and one plate")
        if same_plate and _capacity(row) != _capacity(other):
            return RowFault(row.row, f"{row.vehicle} has other seats, luggage or wheelchair places in row {other.row}")
        overlap = row.shift_starts_at < other.shift_ends_at and other.shift_starts_at < row.shift_ends_at
        if overlap and (same_plate or row.driver.casefold() == other.driver.casefold()):
            who = row.vehicle if same_plate else row.driver
            return RowFault(row.row, f"{who} is on the road in row {other.row} at the same time")
    return None


def _capacity(row: FleetRow) -> tuple[int, int, int]:
    return row.seats, row.luggage, row.wheelchair_places
