"""Times in programme files: zones, moments, durations and days, with all that generators get wrong about them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from softlanding.formats.programme import Day
from softlanding.formats.raw import RawProgramme, RawTalk
from softlanding.formats.report import Report

DAY_CHANGE = time(4)  # The small hours belong to the day before; most generators change the day at four.
SMALL_HOURS = time(6)  # Before this a start without a date is meant as after midnight.
YEARS = range(1970, 2201)  # Others are typing errors, and some would overflow.
ZONE_HINT = "pass --zone Europe/Brussels (the IANA name of the conference's own zone)"


def zone_of(raw: RawProgramme, wanted: str | None, report: Report) -> str:
    """The conference's zone: the one asked for, the file's, or that of its offsets. Raises Invalid when unknown."""
    named = str(raw.extras.get("zone") or raw.conference.get("time_zone_name") or "").strip()
    if wanted:
        if not is_zone(wanted):
            raise report.refuse(raw.line, f"{no_zone(wanted)}: {ZONE_HINT}")
        if named and named != wanted:
            report.note(raw.line, f"the file says {named}, but {wanted} was asked for and is taken")
        return wanted
    if is_zone(named):
        return named
    if named:
        raise report.refuse(raw.line, f"{no_zone(named)}: {ZONE_HINT}")
    return _zone_by_offset(raw, report)


def is_zone(name: str) -> bool:
    """Whether it is an IANA time zone name that this machine knows."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", name):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def no_zone(name: str) -> str:
    """The sentence that refuses a zone, with the nearest right one."""
    nearest = get_close_matches(name, sorted(available_timezones()), n=1, cutoff=0.6)
    return f"{name} is no IANA time zone" + (f"; did you mean {nearest[0]}" if nearest else "")


def moment(text: str, zone: ZoneInfo) -> datetime | None:
    """An ISO date with time as UTC; without an offset it is meant in `zone`. None when it is something else."""
    read = _iso(text)
    if read is None:
        return None
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def has_offset(text: str) -> bool:
    read = _iso(text)
    return read is not None and read.tzinfo is not None


def day_of(text: str) -> date | None:
    """The date that an ISO text begins with."""
    try:
        on = date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None
    return on if on.year in YEARS else None


def clock_time(text: str) -> time | None:
    """A time of day, `H:MM` or `HH:MM:SS`."""
    match = re.fullmatch(r"\s*(\d{1,2}):(\d{2})(?::(\d{2}))?\s*", text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        return None
    return time(int(match[1]), int(match[2]), int(match[3] or 0))


def duration(text: str) -> timedelta | None:
    """A duration, `H:MM`, `H:MM:SS` or whole minutes, rounded up to minutes."""
    match = re.fullmatch(r"\s*(?:(\d{1,4}):)?(\d{1,5})(?::(\d{1,2}))?\s*", text)
    if match is None or (match[3] and not match[1]):
        return None
    minutes = int(match[1] or 0) * 60 + int(match[2]) + (1 if int(match[3] or 0) else 0)
    return timedelta(minutes=minutes)


def local(on: date, at: time, zone: ZoneInfo) -> datetime:
    """A wall time of the zone as UTC. One that a clock change skips comes an hour later."""
    return datetime.combine(on, at, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True)
class PlacedDay:
    """A day of the file with its line, and whether the file gave its bounds."""

    line: int
    day: Day


def days_as_given(raw: RawProgramme, zone: ZoneInfo, report: Report) -> list[PlacedDay]:
    """The file's days in its order. Bounds that are missing run from change to change."""
    change = clock_time(raw.conference.get("day_change", "")) or DAY_CHANGE
    days: list[PlacedDay] = []
    for number, each in enumerate(raw.days, start=1):
        starts_at, ends_at = moment(each.start, zone), moment(each.end, zone)
        on = day_of(each.date) or (starts_at.astimezone(zone).date() if starts_at else None)
        if on is None:
            report.fault(each.line, f'day {number} has neither date nor start: give it date="2026-01-31"')
            continue
        starts_at = starts_at or local(on, change, zone)
        if ends_at is None or ends_at <= starts_at:
            ends_at = local(on + timedelta(days=1), change, zone)
        days.append(PlacedDay(each.line, Day(number, on, starts_at, max(ends_at, starts_at))))
    report.raise_faults()
    return days


def start_of(talk: RawTalk, day: Day, zone: ZoneInfo, report: Report) -> datetime | None:
    """When a talk starts: its zoned date, or its time on its day. None, with a fault, when neither can be read."""
    date_text, start_text = talk.fields.get("date", "").strip(), talk.fields.get("start", "").strip()
    at, starts_at = clock_time(start_text), moment(date_text, zone)
    if starts_at is not None:
        if not has_offset(date_text):
            report.note(talk.line, f"dates without an offset are taken as {zone.key}")
        if at is not None and starts_at.astimezone(zone).time().replace(second=0) != at.replace(second=0):
            report.note(talk.line, "date and start disagree, date is taken", f"{date_text}, {start_text}")
        return starts_at
    if at is None:
        what = f"date {date_text!r} and start {start_text!r}" if date_text or start_text else "neither date nor start"
        report.fault(talk.line, f"{what}: write <date>2026-01-31T10:00:00+01:00</date> or <start>10:00</start>")
        return None
    report.note(talk.line, f"talks without a zoned date are placed by start and day in {zone.key}")
    small = at < min(SMALL_HOURS, day.starts_at.astimezone(zone).time())
    return local(day.on + timedelta(days=1 if small else 0), at, zone)


def settled_days(
    placed: Sequence[PlacedDay], starts: Iterable[tuple[int, datetime]], zone: ZoneInfo, report: Report, is_ours: bool
) -> tuple[Day, ...]:
    """The days as they are: with the talks' own dates, early talks inside, in order, each date once."""
    by_day: dict[int, list[datetime]] = {}
    for number, starts_at in starts:
        by_day.setdefault(number, []).append(starts_at)
    if not is_ours:
        placed = _dated_by_talks(placed, by_day, zone, report)
    merged: dict[date, Day] = {}
    for number, each in enumerate(placed):
        day = _begun_before_its_talks(each, by_day.get(number, []), report)
        if same := merged.get(day.on):
            report.note(each.line, f"{day.on} occurs twice and is taken as one day")
            day = replace(same, starts_at=min(same.starts_at, day.starts_at), ends_at=max(same.ends_at, day.ends_at))
        merged[day.on] = day
    ordered = sorted(merged.values(), key=lambda day: (day.starts_at, day.on))
    return tuple(replace(day, index=number) for number, day in enumerate(ordered, start=1))


def _dated_by_talks(
    placed: Sequence[PlacedDay], by_day: dict[int, list[datetime]], zone: ZoneInfo, report: Report
) -> list[PlacedDay]:
    """Days dated by where most of their talks are: generators write the UTC date of a day's start."""
    dated: list[PlacedDay] = []
    for number, each in enumerate(placed):
        dates = Counter(
            (at.astimezone(zone) - timedelta(hours=DAY_CHANGE.hour)).date() for at in by_day.get(number, [])
        )
        on = each.day.on if not dates or each.day.on in dates else dates.most_common(1)[0][0]
        dated.append(replace(each, day=replace(each.day, on=on)))
    if len({each.day.on for each in dated}) < len(dated):
        return list(placed)
    for before, after in zip(placed, dated, strict=True):
        if before.day.on != after.day.on:
            report.note(
                before.line, "a day is dated by its talks", f"{after.day.on} in {zone.key}, not {before.day.on}"
            )
    return dated


def _begun_before_its_talks(placed: PlacedDay, starts: list[datetime], report: Report) -> Day:
    day = placed.day
    earliest = min(starts, default=day.starts_at)
    if day.starts_at - timedelta(hours=12) <= earliest < day.starts_at:
        report.note(placed.line, f"day {day.on} begins with its first talk, earlier than it says")
        return replace(day, starts_at=earliest)
    return day


def _zone_by_offset(raw: RawProgramme, report: Report) -> str:
    """A fixed zone, if all talks bear the same offset in whole hours. It knows no summer time, and says so."""
    moments = [read for talk in raw.talks if (read := _iso(talk.fields.get("date", ""))) is not None]
    offsets = {read.utcoffset() for read in moments}
    offset = offsets.pop() if len(offsets) == 1 else None
    if offset is None or offset % timedelta(hours=1) or len(moments) < len(raw.talks):
        raise report.refuse(raw.line, f"the file names no time zone: {ZONE_HINT}")
    hours = offset // timedelta(hours=1)
    name = "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"
    report.note(
        raw.line, f"the file names no time zone; by its offsets {name} is assumed, without summer time: {ZONE_HINT}"
    )
    return name


def _iso(text: str) -> datetime | None:
    text = text.strip()
    if not re.match(r"\d{4}-\d{2}-\d{2}[T ]\d", text):
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.year in YEARS else None
