"""What must be true, whatever happens: looked up in the database files by plain SQL.

This file imports nothing of Softlanding: it knows tables and promises, not code. `Checker.look` is cheap and is
called after each step; `Checker.settled` is called when everything should agree. Each answer is a list of sentences;
empty: all is well.

What the world outside saw is in a `Record`: answers that were given, files that were copied back, words that people
said. What was acknowledged must be in the databases.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

SOURCES = ("schedule", "dispatch", "statistics")
OPEN = ("planned", "accepted", "arrived", "boarded", "unplaced")
ON_VEHICLE = ("planned", "accepted", "arrived", "boarded")
BEFORE_BOARDING = ("planned", "accepted", "arrived", "unplaced")
ANSWERS = ("planned", "unplaced", "refused", "missed")  # Words of Dispatch that end a watch.
CLOCKS_APART_S = 40.0  # Beyond this no clock may have declared anything missed: guards hold at 30 s and a beat.
LATE_S = 5.0  # Timers turn every second or so.
HEARS_FIRST_S = 3.0  # So long after its start Schedule calls nothing unanswered.


@dataclass
class Answer:
    """What somebody outside was told: this key, at this door, had this effect."""

    service: str
    door: str
    key: str
    body: str  # JSON with sorted keys.


@dataclass
class Record:
    """What the world outside saw, kept apart from every database."""

    since: datetime
    answers: dict[str, Answer] = field(default_factory=dict)
    refused: dict[str, Answer] = field(default_factory=dict)  # Told "nothing happened".
    settled: set[str] = field(default_factory=set)  # Incidents about which a person has sent a word.
    acknowledged: list[tuple[str, str, str, int]] = field(default_factory=list)  # receiver, source, epoch, sequence
    killed: list[tuple[str, str]] = field(default_factory=list)  # Service and life of who died at work.
    stopped: set[str] = field(default_factory=set)  # Services that said goodbye; a database copied back forgets it.
    started_wrong: set[str] = field(default_factory=set)  # Who began a life by a wrong clock, and could not know it.
    _copied: dict[str, set[str]] = field(default_factory=dict)

    def copied(self, service: str) -> None:
        """A copy of its database was made: what is answered from now on is not in it."""
        self._copied[service] = {key for key, answer in self.answers.items() if answer.service == service}

    def copied_back(self, service: str) -> None:
        """That copy is the database again: later answers are forgiven. Receivers report the fork."""
        kept = self._copied[service]
        self.answers = {k: a for k, a in self.answers.items() if a.service != service or k in kept}
        self.acknowledged = [one for one in self.acknowledged if one[0] != service]
        self.killed = [one for one in self.killed if one[0] != service]

    def has_copy(self, service: str) -> bool:
        return service in self._copied


@dataclass
class Seen:
    """How far one database was looked at."""

    version: int = -1
    outbox_row: int = 0
    applied_row: int = 0
    fact_row: int = 0
    tails: dict[str, int] = field(default_factory=dict)  # Of its own epochs.
    applied: dict[str, dict[str, int]] = field(default_factory=dict)  # By source and epoch.
    ids: list[str] = field(default_factory=list)  # Applied and not yet seen in Statistics' table.


class Checker:
    """Looks at three database files, each with a connection of its own."""

    def __init__(self, paths: Mapping[str, Path], record: Record) -> None:
        self.record = record
        self._paths = paths
        self._seen: dict[str, Seen] = {}
        self._connections: dict[str, sqlite3.Connection] = {}
        self.told: dict[tuple[str, str, int], str] = {}  # Every fact that was ever committed: its id.
        self.subjects: dict[tuple[str, str, int], str] = {}
        self.births: dict[str, tuple[str | None, int]] = {}  # Every life's parent and the parent's last number.
        self._acknowledged = 0
        self._due: dict[tuple[str, int], str] = {}
        self._looked_after: set[tuple[str, str]] = set()  # Pickups, and when missed, with an incident once seen open.
        for service in SOURCES:
            self.reopen(service)

    # Files

    def reopen(self, service: str) -> None:
        connection = sqlite3.connect(self._paths[service], isolation_level=None)
        connection.row_factory = sqlite3.Row
        self._connections[service] = connection
        self._seen[service] = Seen()
        self._acknowledged = 0

    def close(self, service: str) -> None:
        self._connections.pop(service).close()

    def close_all(self) -> None:
        for service in list(self._connections):
            self.close(service)

    # After each step

    def look(self, now: datetime) -> list[str]:
        """All that can be said at any moment, of the databases that changed since the last look."""
        changed = [service for service in SOURCES if self._has_changed(service)]
        wrong: list[str] = []
        for service in changed:
            wrong += self._look_at_outbox(service, now)
        for service in changed:
            wrong += self._look_at_inbox(service)
            wrong += self._look_at_people(service)
        for service, look in (
            ("schedule", self._look_at_schedule),
            ("dispatch", self._look_at_dispatch),
            ("statistics", self._look_at_statistics),
        ):
            if service in changed:
                wrong += [f"{service}: {words}" for words in look()]
        return wrong + self._look_at_acknowledged()

    def answered(self, answer: Answer) -> list[str]:
        """Somebody was just told this: it is committed, and a repeat is told the same."""
        before = self.record.answers.setdefault(answer.key, answer)
        if before.body != answer.body:
            return [f"{answer.service}: key {answer.key} was answered {before.body}, and now {answer.body}"]
        return self._look_at_key(answer)

    def after_timer(self, service: str, timer: str, at: datetime) -> list[str]:
        """A timer of deadlines said that nothing more is due: then nothing was due when it began."""
        if (service, timer) == ("dispatch", "missed"):
            late = self._all(
                service,
                f"SELECT code, status, due_at FROM pickup WHERE status IN {BEFORE_BOARDING}"
                " AND due_at < ? AND heard_at < ?",
                _text(at),
                _text(at),
            )
            return [f"dispatch: {row['code']} was due at {row['due_at']} and is {row['status']}" for row in late]
        if (service, timer) == ("schedule", "unanswered"):
            late = self._all(
                service,
                "SELECT pickup, revision FROM watch WHERE ended_at IS NULL AND replaced_by IS NULL"
                " AND unanswered_at IS NULL AND answer_by < ? AND begun_at < ?"
                " AND (SELECT max(began_at) FROM lives) < ?",
                _text(at),
                _text(at),
                _text(at - timedelta(seconds=HEARS_FIRST_S)),
            )
            return [f"schedule: revision {row['revision']} of {row['pickup']} is unanswered, unsaid" for row in late]
        return []

    # Facts

    def _look_at_outbox(self, service: str, now: datetime) -> list[str]:
        wrong, seen = [], self._seen[service]
        for row in self._all(
            service,
            "SELECT rowid, epoch, sequence, id, type, subject, data FROM outbox WHERE rowid > ? ORDER BY rowid",
            seen.outbox_row,
        ):
            seen.outbox_row = row["rowid"]
            epoch, sequence = row["epoch"], row["sequence"]
            number = f"{service}'s fact {sequence} of {epoch[:13]}"
            if sequence != seen.tails.get(epoch, 0) + 1:
                wrong.append(f"{number} follows {seen.tails.get(epoch, 0)}")
            if sequence == 1:
                wrong += self._look_at_birth(service, row)
            if self.told.setdefault((service, epoch, sequence), row["id"]) != row["id"]:
                wrong.append(f"{number} was another fact before")
            self.subjects[service, epoch, sequence] = row["subject"]
            seen.tails[epoch] = sequence
            if row["type"].startswith("schedule.pickup."):
                self._note_due(row)
            if row["type"] == "dispatch.pickup.missed":
                wrong += self._look_at_missed(row, now)
        wrong += self._look_at_line(service)
        return wrong

    def _look_at_birth(self, service: str, row: sqlite3.Row) -> list[str]:
        if not row["type"].endswith(".life.began"):
            return [f"{service}'s life {row['epoch'][:13]} begins with {row['type']}"]
        data = json.loads(row["data"])
        self.births[row["epoch"]] = (data["parent"], data["parent_last"] or 0)
        return []

    def _look_at_line(self, service: str) -> list[str]:
        """The lease stands at the tail; nobody wrote in an epoch after its life was over."""
        wrong, tails = [], self._seen[service].tails
        for row in self._all(service, "SELECT token, last_number FROM lease"):
            if tails.get(row["token"], 0) != row["last_number"]:
                wrong.append(f"{service} counts {row['last_number']} facts and has {tails.get(row['token'], 0)}")
        for row in self._all(service, "SELECT parent, parent_last FROM lives WHERE parent IS NOT NULL"):
            if tails.get(row["parent"], 0) != row["parent_last"]:
                told = tails.get(row["parent"], 0)
                wrong.append(
                    f"{service}'s life {row['parent'][:13]} ended at {row['parent_last']} and has {told} facts"
                )
        return wrong

    def _note_due(self, row: sqlite3.Row) -> None:
        """The earliest that was ever told of a revision: after a copy came back its number means something new."""
        data = json.loads(row["data"])
        if data.get("expires_at"):
            about = (row["subject"], data["revision"])
            self._due[about] = min(self._due.get(about, data["expires_at"]), data["expires_at"])

    def _look_at_missed(self, row: sqlite3.Row, now: datetime) -> list[str]:
        data = json.loads(row["data"])
        due = self._due.get((row["subject"], data["revision"]))
        if due is None or "dispatch" in self.record.started_wrong:
            return []  # Nobody could have known.
        if (_moment(due) - now).total_seconds() > CLOCKS_APART_S:
            return [f"dispatch: {data['code']} was declared missed by a wrong clock: due at {due}, it is {now}"]
        return []

    def _look_at_inbox(self, service: str) -> list[str]:
        wrong, seen = [], self._seen[service]
        parked = self._parked(service)
        for row in self._all(
            service,
            "SELECT n, source, epoch, sequence, id FROM sim_applied WHERE n > ? ORDER BY n",
            seen.applied_row,
        ):
            seen.applied_row = row["n"]
            seen.ids.append(row["id"])
            wrong += self._look_at_applied(service, row, parked)
        for row in self._all(service, "SELECT source, epoch, sequence FROM inbox_cursor"):
            applied = self._applied_to(service, row["source"], row["epoch"], parked)
            if applied != row["sequence"]:
                wrong.append(
                    f"{service}'s cursor of {row['source']} stands at {row['sequence']} of {row['epoch'][:13]}, "
                    f"applied are {applied}"
                )
        return wrong

    def _look_at_applied(self, service: str, row: sqlite3.Row, parked: set[tuple[str, str, int]]) -> list[str]:
        source, epoch, sequence = row["source"], row["epoch"], row["sequence"]
        fact = f"{service} applied {source}'s fact {sequence} of {epoch[:13]}"
        if self.told.get((source, epoch, sequence)) != row["id"]:
            return [f"{fact}, which was never committed"]
        applied = self._seen[service].applied.setdefault(source, {})
        if (source, epoch, sequence) in parked:
            return []  # Replayed by a person, after those behind it on other subjects.
        before = self._applied_to(service, source, epoch, parked, upto=sequence - 1)
        if before != sequence - 1:
            return [f"{fact} after {before}"]
        if sequence == 1 and epoch in self.births:
            parent, last = self.births[epoch]
            had = self._applied_to(service, source, parent, parked) if parent else 0
            if had < last:
                return [f"{fact}, a new life, when it had {had} of {last} of the one before"]
        if applied.get(epoch, 0) >= sequence:
            return [f"{fact} twice"]
        applied[epoch] = sequence
        return []

    def _applied_to(
        self, service: str, source: str, epoch: str, parked: set[tuple[str, str, int]], upto: int | None = None
    ) -> int:
        """How far an epoch took effect, parked facts counted as passed."""
        at = self._seen[service].applied.get(source, {}).get(epoch, 0)
        while (source, epoch, at + 1) in parked and (upto is None or at < upto):
            at += 1
        return at

    def _parked(self, service: str) -> set[tuple[str, str, int]]:
        rows = self._all(service, "SELECT source, epoch, sequence FROM dead_letter")
        return {(row["source"], row["epoch"], row["sequence"]) for row in rows}

    def _look_at_acknowledged(self) -> list[str]:
        """What a receiver tells the broker to forget has taken effect there, or is of a branch that is lost."""
        wrong = []
        news = self.record.acknowledged[self._acknowledged :]
        self._acknowledged = len(self.record.acknowledged)
        for receiver, source, epoch, sequence in news:
            if receiver not in self._connections:
                continue
            applied = self._applied_to(receiver, source, epoch, self._parked(receiver) if news else set())
            if applied < sequence and not self._is_lost(source, epoch, sequence):
                wrong.append(f"{receiver} let go of {source}'s fact {sequence} of {epoch[:13]}, applied are {applied}")
        return wrong

    def _is_lost(self, source: str, epoch: str, sequence: int) -> bool:
        return self._one(source, "SELECT 1 FROM outbox WHERE epoch = ? AND sequence = ?", epoch, sequence) is None

    # People

    def _look_at_people(self, service: str) -> list[str]:
        """Incidents are settled by persons; nothing healthy is parked."""
        wrong = []
        for row in self._all(service, "SELECT * FROM incident WHERE settled_at IS NOT NULL"):
            is_known = row["id"] in self.record.settled or row["kind"] == "unanswered"
            if not is_known and not self._was_a_death(service, row) and not self._was_a_stop(row):
                wrong.append(
                    f"{service}: a {row['kind']} incident was settled by {row['settled_by']}, whom nobody sent"
                )
        for row in self._all(service, "SELECT type, sequence, reason FROM dead_letter"):
            if not row["reason"].startswith(("ended the process", "waits behind")):
                wrong.append(f"{service} gave {row['type']} ({row['sequence']}) up: {row['reason']}")
        return wrong

    def _was_a_death(self, watcher: str, silence: sqlite3.Row) -> bool:
        """A silence that nobody settled, because its death is in the watcher's book with the life that followed."""
        if (silence["kind"], silence["settled_by"], silence["settled_word"]) != ("silence", None, "part of another"):
            return False
        return self._one(watcher, f"{_SILENCES_OF_DEAD} AND incident.id = ?", silence["id"]) is not None

    def _was_a_stop(self, silence: sqlite3.Row) -> bool:
        """A silence that nobody settled, because the service had said goodbye."""
        words = (silence["kind"], silence["settled_by"], silence["settled_word"])
        is_told_so = words == ("silence", None, "was stopped")
        return is_told_so and silence["about"].removeprefix("service/") in self.record.stopped

    def _look_at_key(self, answer: Answer) -> list[str]:
        row = self._kept(answer)
        if row is None:
            return [f"{answer.service}: what was acknowledged under {answer.key} ({answer.door}) is lost"]
        if row["door"] != answer.door or _sorted(row["answer"]) != answer.body:
            return [f"{answer.service}: key {answer.key} holds another answer than was given"]
        return []

    def _kept(self, answer: Answer) -> sqlite3.Row | None:
        """What the service keeps under this key: found by who asked (nobody), where (nowhere), at which door."""
        whole = hashlib.sha256(json.dumps(["", "", answer.door, answer.key]).encode()).hexdigest()
        return self._one(answer.service, "SELECT door, answer FROM door_answer WHERE id = ?", whole)

    # The services' own promises

    def _look_at_schedule(self) -> list[str]:
        """Change and fact are one: each pickup's revision was told, and nothing else. Watches end by an answer."""
        wrong = []
        told = {
            row["subject"]: row["revision"]
            for row in self._all(
                "schedule",
                "SELECT subject, max(json_extract(data, '$.revision')) AS revision FROM outbox"
                " WHERE type LIKE 'schedule.pickup.%' GROUP BY subject",
            )
        }
        for row in self._all("schedule", "SELECT id, code, revision FROM pickup"):
            if told.pop(f"pickup/{row['id']}", None) != row["revision"]:
                wrong.append(f"{row['code']} is at revision {row['revision']}, which was not told")
        wrong += [f"{subject} was told and does not exist" for subject in told]
        for row in self._all(
            "schedule",
            "SELECT pickup, revision, ended_by FROM watch WHERE ended_at IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM sim_applied WHERE subject = 'pickup/' || watch.pickup AND revision = watch.revision"
            f" AND type IN ({', '.join(repr(f'dispatch.pickup.{word}') for word in ANSWERS)}))",
        ):
            wrong.append(f"the watch over revision {row['revision']} of {row['pickup']} ended without an answer")
        double = "SELECT journey FROM pickup WHERE open_leg IS NOT NULL GROUP BY journey HAVING count(*) > 1"
        return wrong + [f"journey {row['journey']} has two open pickups" for row in self._all("schedule", double)]

    def _look_at_dispatch(self) -> list[str]:
        """Each open pickup is on one vehicle or on the list of those without, and Dispatch's last word says so."""
        wrong: list[str] = []
        stops: dict[str, list[sqlite3.Row]] = {}
        for row in self._all("dispatch", "SELECT * FROM stop ORDER BY shift, position, kind"):
            stops.setdefault(row["pickup"], []).append(row)
        last = self._last_words()
        for row in self._all("dispatch", "SELECT * FROM pickup"):
            wrong += _ride_wrongs(row, stops.pop(row["id"], []))
            word = last.pop(row["id"], None)
            if word != (row["status"], row["revision"]):
                wrong.append(f"{row['code']} is {row['status']} in revision {row['revision']}, told was {word}")
        wrong += [f"pickup {one} was told and does not exist" for one in sorted(last)]
        wrong += [f"there are stops of pickup {one}, which does not exist" for one in sorted(stops)]
        missed = "SELECT id, code, ended_at FROM pickup WHERE status = 'missed'"
        for row in self._all("dispatch", missed):
            if not self._has_incident(row):
                wrong.append(f"{row['code']} was missed, and nobody has to look after it")
        return wrong + self._overloaded()

    def _last_words(self) -> dict[str, tuple[str, int]]:
        rows = self._all(
            "dispatch",
            "SELECT json_extract(data, '$.pickup') AS pickup, json_extract(data, '$.status') AS status,"
            " json_extract(data, '$.revision') AS revision FROM outbox WHERE type LIKE 'dispatch.pickup.%'"
            " ORDER BY rowid",
        )
        return {row["pickup"]: (row["status"], row["revision"]) for row in rows}

    def _has_incident(self, pickup: sqlite3.Row) -> bool:
        """One that is open, or was when it was missed: a person may settle it, by a clock that was set back since."""
        missed = (pickup["id"], pickup["ended_at"])
        about = "SELECT 1 FROM incident WHERE kind = 'missed' AND about = ? AND settled_at IS NULL"
        if self._one("dispatch", about, f"pickup/{pickup['id']}") is not None:
            self._looked_after.add(missed)
        return missed in self._looked_after

    def _overloaded(self) -> list[str]:
        """Nobody is to board a car without room; who brings a wheelchair sits in it. Who is aboard, is aboard."""
        wrong = []
        rooms = {
            row["id"]: tuple(row)[1:]
            for row in self._all(
                "dispatch",
                "SELECT shift.id, seats, luggage, wheelchair_places FROM shift JOIN vehicle"
                " ON vehicle.code = shift.vehicle AND vehicle.conference = shift.conference",
            )
        }
        loads: dict[str, tuple[int, ...]] = {}
        for row in self._all(
            "dispatch",
            "SELECT stop.shift, stop.kind, party - wheelchairs, luggage, wheelchairs, status FROM stop"
            " JOIN pickup ON pickup.id = stop.pickup WHERE status <> 'delivered'"  # They have got out, and may change.
            " ORDER BY stop.shift, position, stop.kind",
        ):
            shift, sign = row["shift"], 1 if row["kind"] == "board" else -1
            before = loads.get(shift, (0, 0, 0))
            loads[shift] = tuple(load + sign * more for load, more in zip(before, tuple(row)[2:5], strict=True))
            is_choice = sign > 0 and row["status"] in ("planned", "accepted")
            if is_choice and any(
                load > room for load, room in zip(loads[shift], rooms.get(shift, (0, 0, 0)), strict=True)
            ):
                wrong.append(f"shift {shift} holds {loads[shift]} and has room for {rooms.get(shift)}")
        return wrong

    def _look_at_statistics(self) -> list[str]:
        """Every fact that it heard is in its table, once, in the order of hearing, and counted."""
        wrong, seen = [], self._seen["statistics"]
        rows = self._all("statistics", "SELECT number, id FROM fact WHERE number > ? ORDER BY number", seen.fact_row)
        heard, seen.ids = seen.ids, []
        if [row["id"] for row in rows] != heard:
            wrong.append(f"{len(heard)} facts took effect and {len(rows)} were kept")
        if rows:
            seen.fact_row = rows[-1]["number"]
        counted = self._one("statistics", "SELECT (SELECT count(*) FROM fact) - (SELECT total(count) FROM fact_count)")
        if counted is not None and counted[0]:
            wrong.append(f"{counted[0]} facts are not counted")
        return wrong

    # When everything should agree

    def lags(self) -> list[str]:
        """Which receiver does not stand at which producer's tail. Empty: all is heard."""
        behind = []
        for service in SOURCES:
            at = {row["source"]: row for row in self._all(service, "SELECT source, epoch, sequence FROM inbox_cursor")}
            for source in SOURCES:
                tail = self._one(source, "SELECT token, last_number FROM lease")
                here = at.get(source)
                if source == service or tail is None:
                    continue
                if here is None or (here["epoch"], here["sequence"]) != (tail["token"], tail["last_number"]):
                    stands = f"{here['sequence']} of {here['epoch'][:13]}" if here else "nothing"
                    behind.append(f"{service} has heard {stands}, {source} stands at {tail[1]} of {tail[0][:13]}")
        return behind

    def settled(self, now: datetime) -> list[str]:
        """Faults are over and everything was heard: nothing acknowledged is lost, and all three agree."""
        wrong = self.lags() + self.after_timer("dispatch", "missed", now - timedelta(seconds=LATE_S))
        wrong += self.after_timer("schedule", "unanswered", now - timedelta(seconds=LATE_S))
        for answer in self.record.answers.values():
            wrong += self._look_at_key(answer)
        for answer in self.record.refused.values():
            if self._kept(answer) is not None:
                wrong.append(f"{answer.service}: {answer.key} was refused, and is there")
        for service in SOURCES:
            wrong += self._unheard(service) + self._unreported_forks(service) + self._open_ends(service)
        return wrong + self._unsaid_deaths() + self._deaths_told_twice() + self._disagreements()

    def _unheard(self, receiver: str) -> list[str]:
        """Every fact of every producer's present line took effect, or waits parked."""
        wrong, parked = [], self._parked(receiver)
        for source in SOURCES:
            if source == receiver:
                continue
            for row in self._all(source, "SELECT epoch, max(sequence) AS last FROM outbox GROUP BY epoch"):
                if self._applied_to(receiver, source, row["epoch"], parked) < row["last"]:
                    wrong.append(f"{receiver} lacks facts of {source}'s life {row['epoch'][:13]} up to {row['last']}")
        return wrong

    def _unreported_forks(self, receiver: str) -> list[str]:
        """What took effect here and is unknown to its producer since a copy was put back, is reported."""
        wrong = []
        reported = self._all(receiver, "SELECT source, epoch, first, last FROM inbox_fork")
        for source, epochs in self._seen[receiver].applied.items():
            for epoch, applied in epochs.items():
                row = self._one(source, "SELECT max(sequence) AS last FROM outbox WHERE epoch = ?", epoch)
                known = (row["last"] if row else None) or 0
                said = [one for one in reported if (one["source"], one["epoch"]) == (source, epoch)]
                if applied > known and not any(one["first"] <= known + 1 and one["last"] >= applied for one in said):
                    wrong.append(f"{receiver} has facts {known + 1} to {applied} of {source}'s lost branch, unreported")
        return wrong

    def _open_ends(self, service: str) -> list[str]:
        """Everybody hears everybody again."""
        rows = self._all(service, "SELECT service, since FROM silence WHERE back_at IS NULL")
        return [f"{service} still calls {row['service']} silent since {row['since']}" for row in rows]

    def _unsaid_deaths(self) -> list[str]:
        """Each life that ended without goodbye is in every book, and Statistics has an incident that still stands."""
        wrong = [
            f"{service}'s life {life[:13]} died, and the next one lives under its name"
            for service, life in self.record.killed
            if self._one(service, "SELECT 1 FROM lives WHERE parent = ?", life) is None
        ]
        for service in SOURCES:
            deaths = self._all(
                service,
                "SELECT parent.epoch FROM lives JOIN lives AS parent ON lives.parent = parent.epoch"
                " WHERE parent.ended_at IS NULL",
            )
            for row in deaths:
                for watcher in SOURCES:
                    if self._one(watcher, "SELECT 1 FROM death WHERE life = ?", row["epoch"]) is None:
                        wrong.append(f"{watcher} knows nothing of the death of {service}'s life {row['epoch'][:13]}")
            told = self._one(
                "statistics",
                "SELECT total(times) AS times FROM incident WHERE kind = 'death' AND about = ?",
                f"service/{service}",
            )
            if told is not None and told["times"] < len(deaths):
                wrong.append(f"{service} died {len(deaths)} times, incidents tell of {told['times']:.0f}")
        return wrong

    def _deaths_told_twice(self) -> list[str]:
        """No silence is still to be settled beside the death that it was."""
        wrong = []
        for watcher in SOURCES:
            is_open = "incident.settled_at IS NULL AND silence.life IS NOT NULL"
            rows = self._all(watcher, f"{_SILENCES_OF_DEAD} AND {is_open}")
            wrong += [f"{watcher} asks about the silence of {row['service']} beside its death" for row in rows]
        return wrong

    def _disagreements(self) -> list[str]:
        """Schedule, Dispatch and Statistics say the same of each pickup that Schedule knows."""
        wrong = []
        rides = {row["pickup"]: row for row in self._all("schedule", "SELECT pickup, status, revision FROM ride")}
        planned = {row["id"]: row for row in self._all("dispatch", "SELECT id, status, revision FROM pickup")}
        kept = {row["pickup"]: row for row in self._all("statistics", "SELECT * FROM pickup_state")}
        parked = {row["subject"] for service in SOURCES for row in self._waiting(service)}
        apart = parked | self._lost_subjects()
        for row in self._all("schedule", "SELECT id, code, revision, status FROM pickup"):
            if f"pickup/{row['id']}" in apart:
                continue
            ride, here, seen = rides.get(row["id"]), planned.get(row["id"]), kept.get(row["id"])
            if ride is None or here is None or seen is None:
                wrong.append(f"{row['code']} is not known everywhere")
                continue
            revisions = (row["revision"], here["revision"], ride["revision"], seen["asked_revision"])
            if len(set(revisions)) != 1:
                wrong.append(f"{row['code']}: revisions differ: {revisions}")
            if not _is_same_word(here["status"], ride["status"], seen["ride_word"]):
                words = (here["status"], ride["status"], seen["ride_word"])
                wrong.append(f"{row['code']}: Dispatch, Schedule and Statistics say {words}")
        return wrong + self._unended_watches(apart)

    def _lost_subjects(self) -> set[str]:
        """What was told in a branch that its producer has lost: reported as a fork, for people to compare."""
        there = {
            (source, row["epoch"], row["sequence"])
            for source in SOURCES
            for row in self._all(source, "SELECT epoch, sequence FROM outbox")
        }
        return {subject for number, subject in self.subjects.items() if number not in there}

    def _unended_watches(self, apart: set[str]) -> list[str]:
        rows = self._all(
            "schedule",
            "SELECT watch.pickup, watch.revision FROM watch JOIN pickup ON pickup.id = watch.pickup"
            " AND pickup.revision = watch.revision WHERE ended_at IS NULL AND replaced_by IS NULL",
        )
        over = self._passed_without_answer()
        return [
            f"nobody has answered about revision {row['revision']} of {row['pickup']}"
            for row in rows
            if f"pickup/{row['pickup']}" not in apart | over
        ]

    def _passed_without_answer(self) -> set[str]:
        """Rides that were aboard or delivered when they were asked for anew: there is nothing to answer any more."""
        rows = self._all("dispatch", "SELECT id FROM pickup WHERE status IN ('boarded', 'delivered', 'no_show')")
        return {f"pickup/{row['id']}" for row in rows}

    def _waiting(self, service: str) -> list[sqlite3.Row]:
        return self._all(service, "SELECT subject FROM dead_letter WHERE settled_at IS NULL")

    # SQL

    def _has_changed(self, service: str) -> bool:
        version = self._connections[service].execute("PRAGMA data_version").fetchone()[0]
        if version == self._seen[service].version:
            return False
        self._seen[service].version = version
        return True

    def _all(self, service: str, statement: str, *values: Any) -> list[sqlite3.Row]:
        return self._connections[service].execute(statement, values).fetchall()

    def _one(self, service: str, statement: str, *values: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connections[service].execute(statement, values).fetchone()
        return row


_SILENCES_OF_DEAD = (  # Incidents about a silence that is over and was a death which is in the same book.
    "SELECT silence.service FROM incident JOIN silence"
    " ON incident.about = 'service/' || silence.service AND incident.opened_at = silence.noticed_at"
    " JOIN death ON death.service = silence.service AND death.life = coalesce(silence.life, death.life)"
    " WHERE incident.kind = 'silence' AND silence.back_at IS NOT NULL AND death.new_life IS NOT NULL"
)


def _ride_wrongs(row: sqlite3.Row, stops: list[sqlite3.Row]) -> Iterable[str]:
    """On one vehicle with two stops there, or on none, with a reason."""
    code, status = row["code"], row["status"]
    shifts = {stop["shift"] for stop in stops}
    kinds = sorted(stop["kind"] for stop in stops)
    if status in ON_VEHICLE:
        if shifts != {row["shift"]}:
            yield f"{code} is {status} on shift {row['shift']}, its stops are on {sorted(shifts)}"
        if kinds != ["alight", "board"]:
            yield f"{code} is {status} with stops {kinds}"
    elif status == "unplaced":
        if row["shift"] is not None or stops:
            yield f"{code} has no place, but is on shift {row['shift']} with {len(stops)} stops"
        if not row["reason"]:
            yield f"{code} has no place, and nobody says why"
    elif row["shift"] is not None and status != "delivered":
        yield f"{code} is {status}, but is on shift {row['shift']}"
    elif stops and status != "delivered":
        yield f"{code} is {status}, but has stops"


def _is_same_word(dispatch: str, schedule: str, statistics: str) -> bool:
    """Dispatch's status, and the fact by which the others last heard of it."""
    same = {"arrived": {"arrived", "driver_arrived"}}.get(dispatch, {dispatch})
    if dispatch in ON_VEHICLE:
        same |= {"planned"}  # Its times moved: told as planned, whatever the driver has tapped.
    if dispatch == "boarded":
        same |= {"aboard"}  # As Statistics calls it.
    return schedule in same and statistics in same


def _sorted(body: str) -> str:
    return json.dumps(json.loads(body), sort_keys=True)


def _text(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
