"""What an outage of Dispatch cost, read off what Dispatch said: the one way to count it, whoever shows it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SETTLED_WITHIN = timedelta(minutes=10)  # Of its return. What it says later is its own doing, not the outage's.
_TIMES = ("asked_at", "due_at")
_KINDS = {
    "dispatch.pickup.planned": "answered",
    "dispatch.pickup.unplaced": "answered",
    "dispatch.pickup.refused": "answered",
    "dispatch.pickup.missed": "missed",
    "dispatch.pickup.stood_down": "withdrawn",
}


@dataclass(frozen=True, slots=True)
class Word:
    """One fact of Dispatch about a pickup, as far as the cost of an outage needs it."""

    pickup: str
    revision: int
    kind: str  # answered, missed, withdrawn, other
    asked_at: datetime | None = None  # When Schedule asked for this revision; older releases do not say.
    due_at: datetime | None = None


@dataclass(frozen=True)
class Cost:
    """Pickups that waited in the outage: answered after it, or too late then."""

    recovered: frozenset[str] = frozenset()
    expired: frozenset[str] = frozenset()


def word_of(fact_type: str, data: Mapping[str, Any]) -> Word:
    asked_at, due_at = (datetime.fromisoformat(data[name]) if data.get(name) else None for name in _TIMES)
    return Word(data["pickup"], data["revision"], _KINDS.get(fact_type, "other"), asked_at, due_at)


def cost_of_outage(before: Iterable[Word], after: Iterable[Word], since: datetime | None, until: datetime) -> Cost:
    """`before`: what lives before the outage said; `after`: the lives after its beginning, until SETTLED_WITHIN after
    `until`, when it was over; each in the order of telling.

    A pickup waited if a revision that was asked for before `until` was not answered before. It expired if it was then
    missed, unless answered first, or if its time ran out in the outage; it is recovered by the first answer.
    """
    answered_to: dict[str, int] = {}
    for word in before:
        answered_to[word.pickup] = max(word.revision, answered_to.get(word.pickup, 0))
    recovered: set[str] = set()
    expired: set[str] = set()
    for word in after:
        if word.pickup in expired or word.asked_at is None or word.asked_at >= until:
            continue
        waited = answered_to.get(word.pickup, 0) < word.revision
        ran_out = word.due_at is not None and since is not None and since <= word.due_at <= until
        if word.kind == "missed" and (ran_out or (waited and word.pickup not in recovered)):
            recovered.discard(word.pickup)
            expired.add(word.pickup)
        elif word.kind == "answered" and waited:
            recovered.add(word.pickup)
        elif word.kind == "withdrawn":
            recovered.discard(word.pickup)
    return Cost(frozenset(recovered), frozenset(expired))
