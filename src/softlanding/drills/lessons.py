"""What a drill is: one lesson of the talk, played on a throw-away installation, with a result that can fail."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from softlanding.drills.counting import SOURCES, Count, Sent, count, noticed_at
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


def seconds_between(earlier: datetime, later: datetime) -> float:
    return round((later - earlier).total_seconds(), 2)
