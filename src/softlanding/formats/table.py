"""Tables that people keep in spreadsheets: any usual delimiter, headers in any case and order, every row looked at."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from zoneinfo import ZoneInfo

from softlanding.errors import Fault, Invalid
from softlanding.formats.texts import one_line

ROWS_MAX = 5_000  # A conference has some 2 000 arrivals; what takes longer than a request should is several tables.
COLUMNS_MAX = 200  # Each that is unknown is compared with all that are known.
_YES = ("yes", "y", "true", "x", "1", "ja", "oui", "si", "sí")
_NO = ("", "no", "n", "false", "0", "-", "nein", "non")


@dataclass(frozen=True)
class Column:
    """A column by its own name, what else people call it, and whether a table without it makes sense."""

    name: str
    synonyms: tuple[str, ...] = ()
    is_needed: bool = False


@dataclass(frozen=True)
class RowFault:
    """A row that cannot be taken: its number as spreadsheets count (the header is row 1), and all that is wrong."""

    row: int
    what: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.what}"


@dataclass
class Cells:
    """One row's cells by column. Each reader returns a usable value and remembers what was wrong."""

    row: int
    values: dict[str, str]
    faults: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        return self.values.get(name, "")

    def needed(self, name: str) -> str:
        if not self.text(name):
            self.faults.append(f"{name} is empty")
        return self.text(name)

    def whole(self, name: str, *, default: int, low: int, high: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"\d{1,6}", text) or not low <= int(text) <= high:
            self.faults.append(f"{name} {text!r} is no whole number from {low} to {high}")
            return default
        return int(text)

    def degrees(self, name: str, limit: int) -> float | None:
        text = self.text(name).replace(",", ".").removesuffix("°").strip()
        if not text:
            return None
        if not re.fullmatch(r"[+-]?\d{1,3}(\.\d+)?", text) or abs(float(text)) > limit:
            self.faults.append(f"{name} {text!r} is no number of degrees from -{limit} to {limit}")
            return None
        return float(text)

    def count_or_yes(self, name: str, high: int) -> int:
        """A number, where `yes` is 1 and `no` is 0."""
        text = self.text(name).casefold()
        if text in _YES or text in _NO:
            return int(text in _YES)
        return self.whole(name, default=0, low=0, high=high)

    def day(self, name: str) -> date | None:
        text = self.needed(name)
        read = read_day(text)
        if text and read is None:
            self.faults.append(f"{name} {text!r} is no date: write 2026-09-17")
        return read

    def clock(self, name: str) -> time | None:
        text = self.needed(name)
        read = read_clock(text)
        if text and read is None:
            self.faults.append(f"{name} {text!r} is no time of day: write 14:05")
        return read

    def fault(self) -> RowFault | None:
        return RowFault(self.row, "; ".join(self.faults)) if self.faults else None


def read_table(text: str | bytes, columns: Sequence[Column], what: str) -> Iterator[Cells]:
    """The rows of a table that are not blank. Raises Invalid for a table that cannot be read as a whole.

    Columns that resemble none of ours are passed over; one that nearly does is refused, lest a typo be lost.
    """
    rows = list(_rows(_decoded(text, what), what))
    if not rows:
        raise Invalid(Fault(what, f"the table is empty: its first row names the columns {_names(columns)}"))
    header = _header(rows[0], columns, what)
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
            continue
        cells = Cells(number, {name: one_line(cell) for name, cell in zip(header, row, strict=False) if name})
        if any(cell.strip() for cell in row[len(header) :]):
            cells.faults.append(f"{len(row)} cells, but {len(header)} columns: quote a value that holds the delimiter")
        yield cells


def local_moment(cells: Cells, name: str, on: date, at: time, zone: ZoneInfo) -> datetime:
    """A wall time as UTC. One that a clock change skips is a fault."""
    moment = datetime.combine(on, at, tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).time() != at:
        cells.faults.append(f"{name} {at:%H:%M} does not exist on {on} in {zone.key}: the clocks change")
    return moment


def read_day(text: str) -> date | None:
    """2026-09-17, 20260917 or 17.09.2026. Slashes mean two things in two countries and are not read."""
    if match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text):
        text = f"{match[3]}-{int(match[2]):02}-{int(match[1]):02}"
    try:
        return date.fromisoformat(text) if re.fullmatch(r"(19|20|21)\d{2}-?\d{2}-?\d{2}", text) else None
    except ValueError:
        return None


def read_clock(text: str) -> time | None:
    """14:05, 14.05, 1405, 14h05, 2:05 pm."""
    match = re.fullmatch(r"(\d{1,2})[:.h]?(\d{2})(?::00)?\s*(?:(am|pm)|uhr)?", text.casefold())
    if match is None:
        return None
    hour, minute = int(match[1]), int(match[2])
    if match[3]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match[3] == "pm" else 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _decoded(text: str | bytes, what: str) -> str:
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise Invalid(Fault(f"{what} row {line}", "not UTF-8: save it as \u201cCSV UTF-8\u201d")) from None


def _rows(text: str, what: str) -> Iterator[list[str]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)  # Of equals the first: a table of one column has none.
    try:
        for number, row in enumerate(
            csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), start=1
        ):
            if number > ROWS_MAX + 1:
                raise Invalid(Fault(what, f"more than {ROWS_MAX} rows: split the table"))
            yield row
    except csv.Error as error:
        raise Invalid(Fault(what, f"this is not CSV: {error}")) from None


def _header(row: list[str], columns: Sequence[Column], what: str) -> list[str]:
    """Our name for each column of the table; empty for those passed over."""
    if len(row) > COLUMNS_MAX:
        raise Invalid(Fault(f"{what} row 1", f"{len(row)} columns: leave only those that are needed"))
    known = {_plain(each): column.name for column in columns for each in (column.name, *column.synonyms)}
    header = [known.get(_plain(cell), "") for cell in row]
    meant = {cell.strip(): _nearest(cell, known) for cell, name in zip(row, header, strict=True) if not name}
    faults = [f"unknown column {cell!r}; did you mean {name}?" for cell, name in meant.items() if name]
    faults += [f"two columns mean {name}" for name in sorted(set(header)) if name and header.count(name) > 1]
    faults += [
        f"column {column.name} is missing; the columns are {_names(columns)}"
        for column in columns
        if column.is_needed and column.name not in header and column.name not in meant.values()
    ]
    if faults:
        raise Invalid(*(Fault(f"{what} row 1", fault) for fault in faults))
    return header


def _nearest(cell: str, known: dict[str, str]) -> str:
    near = get_close_matches(_plain(cell), list(known), n=1, cutoff=0.75) if _plain(cell) else []
    return known[near[0]] if near else ""


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[^\w]+|_", " ", name.casefold()).split())


def _names(columns: Sequence[Column]) -> str:
    return ", ".join(column.name for column in columns)
