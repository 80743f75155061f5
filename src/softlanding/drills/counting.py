"""What the three database files say when nobody runs any more: what was lost, what was doubled, what is owed.

Plain SQL on SQLite's files. It shares no code with the services: who counts by the rules that he checks finds nothing.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SOURCES = ("schedule", "dispatch", "statistics")
ON_VEHICLE = ("planned", "accepted", "arrived", "boarded")
BEFORE_BOARDING = ("planned", "accepted", "arrived", "unplaced")
PICKUP_WORDS = ("schedule.pickup.requested", "schedule.pickup.changed", "schedule.pickup.withdrawn")


@dataclass(frozen=True)
class Sent:
    """One request that was acknowledged: its key, the leg it asks for, and the answer that came."""

    key: str
    speaker: str
    on: str  # ISO date of the landing, by the clocks there.
    pickup: str | None = None  # Its id, as the answer named it; None when the answer names none.
    journey: str | None = None


@dataclass
class Count:
    """What was found. `lost`, `doubled` and `faults` are sentences; none is good."""

    pickups: int = 0
    recovered: int = 0
    expired: int = 0
    unsettled: int = 0
    facts: int = 0
    lives: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For a drill's last line: numbers, and the sentences where there are any."""
        numbers = {"lost": len(self.lost), "doubled": len(self.doubled), "faults": len(self.faults)}
        told = [*self.lost, *self.doubled, *self.faults][:20]
        return numbers | ({"told": told} if told else {})


class Books:
    """The three files, open for reading."""

    def __init__(self, connections: Mapping[str, sqlite3.Connection]) -> None:
        self._connections = connections

    def rows(self, service: str, query: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
        return [dict(row) for row in self._connections[service].execute(query, tuple(values))]


@contextmanager
def open_books(data: Path) -> Iterator[Books]:
    """Only when no process of the installation runs any more."""
    connections = {}
    try:
        for service in SOURCES:
            connections[service] = sqlite3.connect(f"file:{data / service}.db?mode=ro", uri=True)
            connections[service].row_factory = sqlite3.Row
        yield Books(connections)
    finally:
        for connection in connections.values():
            connection.close()


def count(data: Path, sent: Iterable[Sent], stopped_at: datetime) -> Count:
    """Count everything. `sent`: what was acknowledged; `stopped_at`: when timers could run for the last time."""
    found, sent = Count(), list(sent)
    with open_books(data) as books:
        _count_requests(found, books, sent)
        _count_rides(found, books)
        _count_expired(found, books, sent, stopped_at)
        _check_lines(found, books)
        _check_heard(found, books)
        _check_nothing_parked(found, books)
    return found


# --- What was asked, and what became of it ----------------------------------------------------------------------------


def _count_requests(found: Count, books: Books, sent: list[Sent]) -> None:
    """Each acknowledged request is one pickup in Schedule, and told once for each revision."""
    legs = Counter(map(_leg, books.rows("schedule", "SELECT leg FROM journey")))
    asked = books.rows("schedule", "SELECT id, code, revision FROM pickup")
    named = {row["id"] for row in asked} | {row["code"] for row in asked}
    found.pickups = len(asked)
    for one in sent:
        how_many = legs[one.speaker, one.on]
        if how_many == 0:
            found.lost.append(f"Schedule has no pickup of {one.speaker} on {one.on}, which it had acknowledged")
        if how_many > 1:
            found.doubled.append(f"{one.speaker} has {how_many} pickups on {one.on}")
        if one.pickup is not None and one.pickup not in named:
            found.lost.append(f"Schedule does not know pickup {one.pickup}, which it had named in its answer")
    told = Counter(
        (row["subject"], json.loads(row["data"])["revision"])
        for row in books.rows("schedule", f"SELECT subject, data FROM outbox WHERE type IN {PICKUP_WORDS}")
    )
    for row in asked:
        for revision in range(1, row["revision"] + 1):
            times = told[f"pickup/{row['id']}", revision]
            if times == 0:
                found.lost.append(f"revision {revision} of pickup {row['code']} was never told")
            if times > 1:
                found.doubled.append(f"revision {revision} of pickup {row['code']} was told {times} times")


def _leg(row: Mapping[str, Any]) -> tuple[str, str]:
    """Speaker and day of `conference/speaker/day/arrival`."""
    _, speaker, day, _ = row["leg"].rsplit("/", 3)
    return speaker, day


def _count_rides(found: Count, books: Books) -> None:
    """Each pickup is in Dispatch once, in its newest revision, in one vehicle or on the list of the unplaced."""
    asked = {row["id"]: row for row in books.rows("schedule", "SELECT id, code, revision, status FROM pickup")}
    rides = {row["id"]: row for row in books.rows("dispatch", "SELECT * FROM pickup")}
    stops: dict[str, list[dict[str, Any]]] = {}
    for stop in books.rows("dispatch", "SELECT * FROM stop"):
        stops.setdefault(stop["pickup"], []).append(stop)
    for identity, pickup in asked.items():
        ride = rides.get(identity)
        if ride is None:
            found.lost.append(f"Dispatch never heard of pickup {pickup['code']}")
        elif ride["revision"] != pickup["revision"]:
            found.lost.append(
                f"Dispatch has revision {ride['revision']} of {pickup['code']}, Schedule {pickup['revision']}"
            )
    for identity, ride in rides.items():
        if identity not in asked:
            found.faults.append(f"Dispatch has pickup {ride['code']}, which Schedule does not have")
        _check_place(found, ride, stops.get(identity, []))
    _check_words(found, books, rides)


def _check_place(found: Count, ride: Mapping[str, Any], stops: list[dict[str, Any]]) -> None:
    code, kinds, shifts = ride["code"], sorted(stop["kind"] for stop in stops), {stop["shift"] for stop in stops}
    if ride["status"] in ON_VEHICLE:
        if kinds != ["alight", "board"] or ride["shift"] is None:
            found.lost.append(f"{code} is {ride['status']} and in no vehicle's manifest ({kinds})")
        elif shifts != {ride["shift"]}:
            found.doubled.append(f"{code} is in more than one manifest")
    elif ride["status"] == "unplaced":
        if stops:
            found.doubled.append(f"{code} is unplaced and in a manifest")
        if not ride["reason"]:
            found.faults.append(f"{code} is unplaced without a reason")


def _check_words(found: Count, books: Books, rides: Mapping[str, Mapping[str, Any]]) -> None:
    """Dispatch has answered about the newest revision of each pickup, and never said the same twice."""
    answered, said = set(), Counter[tuple[Any, ...]]()
    for row in books.rows("dispatch", "SELECT type, data FROM outbox WHERE type LIKE 'dispatch.pickup.%' ORDER BY id"):
        data = json.loads(row["data"])
        answered.add((data["pickup"], data["revision"]))
        if row["type"] == "dispatch.pickup.planned":
            said[data["code"], data["revision"], data["plan"]] += 1
    for identity, ride in rides.items():
        if (identity, ride["revision"]) not in answered:
            found.lost.append(f"Dispatch has said nothing about revision {ride['revision']} of {ride['code']}")
    found.doubled += [f"plan {plan} planned {code} {n} times" for (code, _, plan), n in said.items() if n > 1]


def _count_expired(found: Count, books: Books, sent: list[Sent], stopped_at: datetime) -> None:
    """What is too late is missed, and each missed one is an incident that waits for a person."""
    legs = {(one.speaker, one.on) for one in sent}
    query = "SELECT pickup.id, leg FROM pickup JOIN journey ON journey.id = pickup.journey"
    ours = {row["id"] for row in books.rows("schedule", query) if _leg(row) in legs}
    incidents = books.rows("dispatch", "SELECT about, settled_at FROM incident WHERE kind = 'missed'")
    about = Counter(row["about"].removeprefix("pickup/") for row in incidents)
    is_open = {row["about"].removeprefix("pickup/") for row in incidents if row["settled_at"] is None}
    for ride in books.rows("dispatch", "SELECT id, code, status, due_at FROM pickup"):
        if ride["status"] == "missed":
            found.expired += ride["id"] in ours
            found.unsettled += ride["id"] in ours and ride["id"] in is_open
            if about[ride["id"]] == 0:
                found.lost.append(f"{ride['code']} is missed, and no incident says so")
            if about[ride["id"]] > 1:
                found.doubled.append(f"{about[ride['id']]} incidents say that {ride['code']} is missed")
        elif ride["id"] in ours:
            found.recovered += 1
        if ride["status"] in BEFORE_BOARDING and moment(ride["due_at"]) < stopped_at:
            found.faults.append(f"{ride['code']} was due at {ride['due_at']} and is still {ride['status']}")


# --- What was told, and what was heard --------------------------------------------------------------------------------


def _check_lines(found: Count, books: Books) -> None:
    """Each source's numbers are whole: from 1, without a gap, as far as its lease and its next life say."""
    for source in SOURCES:
        told: dict[str, list[int]] = {}
        for row in books.rows(source, "SELECT epoch, sequence FROM outbox ORDER BY epoch, sequence"):
            told.setdefault(row["epoch"], []).append(row["sequence"])
        found.facts += sum(map(len, told.values()))
        for epoch, numbers in told.items():
            if numbers != list(range(1, len(numbers) + 1)):
                found.lost.append(f"the facts of {source}'s life {epoch} have gaps")
        ends = {row["parent"]: row["parent_last"] for row in books.rows(source, "SELECT * FROM lives")}
        ends |= {row["token"]: row["last_number"] for row in books.rows(source, "SELECT * FROM lease")}
        found.lives += len(books.rows(source, "SELECT epoch FROM lives"))
        for epoch, last in ends.items():
            if epoch is not None and len(told.get(epoch, ())) != last:
                has = len(told.get(epoch, ()))
                found.lost.append(f"{source}'s life {epoch} told {last} facts, and its outbox has {has}")


def _check_heard(found: Count, books: Books) -> None:
    """Each receiver has applied each fact that lies before its cursor, once; Statistics keeps them as told."""
    kept: Counter[tuple[str, str, int]] = Counter()
    for row in books.rows("statistics", "SELECT source, epoch, sequence FROM fact"):
        kept[row["source"], row["epoch"], row["sequence"]] += 1
    found.doubled += [f"Statistics keeps {number} {times} times" for number, times in kept.items() if times > 1]
    for source in SOURCES:
        told = books.rows(source, "SELECT epoch, sequence, type FROM outbox")
        line = line_of(books, source)
        for reader in SOURCES:
            if reader != source:
                _check_cursor(found, books, reader, source, line, told)
        if source != "statistics":
            passed = _passed(books, "statistics", source, line)
            for row in told:
                number = (source, row["epoch"], row["sequence"])
                if row["sequence"] <= passed.get(row["epoch"], 0) and not kept[number]:
                    found.lost.append(f"Statistics has passed {number} ({row['type']}) and does not keep it")


def _check_cursor(
    found: Count, books: Books, reader: str, source: str, line: list[str], told: list[dict[str, Any]]
) -> None:
    """What it has not heard may only be what was said while all were stopping."""
    passed = _passed(books, reader, source, line)
    missing = [row["type"] for row in told if row["epoch"] in line and row["sequence"] > passed.get(row["epoch"], 0)]
    for kind in sorted({kind for kind in missing if not _is_of_the_stop(kind)}):
        found.lost.append(f"{reader.title()} has not heard {missing.count(kind)} {kind}")


def _passed(books: Books, reader: str, source: str, line: list[str]) -> dict[str, float]:
    """By epoch of the present line: how far the reader has come. Epochs before the cursor's are passed whole."""
    cursor = books.rows(reader, "SELECT epoch, sequence FROM inbox_cursor WHERE source = ?", [source])
    if not cursor or cursor[0]["epoch"] not in line:
        return {}
    before = line[: line.index(cursor[0]["epoch"])]
    return {epoch: float("inf") for epoch in before} | {cursor[0]["epoch"]: cursor[0]["sequence"]}


def line_of(books: Books, source: str) -> list[str]:
    """The epochs that lead to the source's present life, oldest first."""
    parents = {row["epoch"]: row["parent"] for row in books.rows(source, "SELECT epoch, parent FROM lives")}
    line, at = [], books.rows(source, "SELECT token FROM lease")[0]["token"]
    while at in parents:
        line.append(at)
        at = parents.pop(at)
    return line[::-1]


def _is_of_the_stop(kind: str) -> bool:
    word = kind.partition(".")[2]
    return word.startswith(("life.", "service.", "incident."))


def _check_nothing_parked(found: Count, books: Books) -> None:
    for service in SOURCES:
        for row in books.rows(service, "SELECT type, subject, reason FROM dead_letter WHERE settled_at IS NULL"):
            found.lost.append(f"{service.title()} has parked {row['type']} about {row['subject']}: {row['reason']}")
        query = "SELECT sentence FROM incident WHERE kind IN ('poison', 'halted', 'clock', 'fork')"
        found.faults += [f"{service.title()} says: {row['sentence']}" for row in books.rows(service, query)]


# --- When others noticed ----------------------------------------------------------------------------------------------


def noticed_at(data: Path, victim: str, killed_at: datetime) -> tuple[str, datetime] | None:
    """Who first wrote down that `victim` died or went silent after `killed_at`, and when. Another one than itself."""
    with open_books(data) as books:
        rows = [
            (moment(row["noticed_at"]), watcher)
            for watcher in SOURCES
            if watcher != victim
            for table in ("death", "silence")
            for row in books.rows(watcher, f"SELECT noticed_at FROM {table} WHERE service = ?", [victim])
        ]
    after = sorted(row for row in rows if row[0] >= killed_at)
    return (after[0][1], after[0][0]) if after else None


def moment(text: str) -> datetime:
    """A moment as the files keep it."""
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def run_sql(data: Path, service: str, query: str, values: Iterable[Any] = ()) -> list[dict[str, Any]]:
    """One question to one file, for a drill's own look."""
    with closing(sqlite3.connect(f"file:{data / service}.db?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, tuple(values))]
