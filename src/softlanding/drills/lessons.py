"""What a drill is: one lesson of the talk, played on a throw-away installation, with a result that can fail."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from softlanding.drills.counting import SOURCES, Count, Sent, count, noticed_at, run_sql
from softlanding.drills.installation import Kill
from softlanding.sim.checks import Checker, Record

Tell = Callable[[str], None]
"""Says a sentence about what is going on."""


@dataclass(frozen=True)
class Drill:
    """`run(tell)` gives the result; its `held` says whether the lesson held."""

    name: str
    lesson: str
    run: Callable[[Tell], dict[str, Any]]


def count_all(data: Path, sent: Iterable[Sent], stopped_at: datetime) -> Count:
    """The drills' own count, and what the simulation's checkers say of the same three files.

    Those of its checks that need no simulated installation: numbers and lines of lives, manifests, deaths told, and
    that all three services say the same of each pickup.
    """
    found = count(data, sent, stopped_at)
    checker = Checker({service: data / f"{service}.db" for service in SOURCES}, Record(stopped_at))
    try:
        for service in SOURCES:
            found.faults += checker._look_at_outbox(service, stopped_at)
        found.faults += checker._look_at_dispatch() + checker._unsaid_deaths() + checker._disagreements()
    finally:
        checker.close_all()
    return found


def is_whole(found: Count) -> bool:
    """Nothing lost, nothing doubled, nothing odd, and who expired is owed to a person."""
    return not (found.lost or found.doubled or found.faults) and found.unsettled == found.expired


def noticed(data: Path, kill: Kill, victim: str) -> dict[str, Any]:
    """How long after the kill another service wrote it down, and which; by its own row."""
    seen = noticed_at(data, victim, kill.at)
    if seen is None:
        return {"noticed_s": None, "noticed_by": None}
    watcher, at = seen
    return {"noticed_s": seconds_between(kill.at, at), "noticed_by": watcher}


_OUTAGE = re.compile(r"was down (\d+) s \((\d\d:\d\d:\d\d) to \d\d:\d\d:\d\d\), (\d+) attempts \(([\w/]+)\)")
NEAR_S = 2.0


def untrue_words(data: Path, kills: Sequence[Kill], down_s: float) -> list[str]:
    """Where the words of the incident differ from what the killer has done: its first kill, all kills, the time down.

    The incident is the newest of that service in Statistics' file.
    """
    about = f"service/{kills[0].process}"
    query = "SELECT sentence FROM incident WHERE kind = 'death' AND about = ? ORDER BY grown_at DESC"
    told = [row["sentence"] for row in run_sql(data, "statistics", query, (about,))]
    words = _OUTAGE.search(told[0]) if told else None
    if words is None:
        return [f"no incident tells an outage with attempts: {told[:1]}"]
    seconds, since, attempts, zone = words.groups()
    killed_at = kills[0].at.astimezone(ZoneInfo(zone))
    began = datetime.combine(killed_at.date(), time.fromisoformat(since), killed_at.tzinfo)
    wrong = [f"killed {len(kills)} times"] if int(attempts) != len(kills) else []
    wrong += [f"down for {down_s:.1f} s"] if abs(int(seconds) - down_s) > NEAR_S else []
    wrong += [f"first killed {killed_at:%H:%M:%S}"] if abs((began - killed_at).total_seconds()) > NEAR_S else []
    return [f"{each}, and the incident says: {told[0]}" for each in wrong]


def seconds_between(earlier: datetime, later: datetime) -> float:
    return round((later - earlier).total_seconds(), 2)
