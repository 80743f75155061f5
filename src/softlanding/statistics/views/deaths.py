"""What a death cost, told from the facts: the sentence that operators read, and what drills count."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.lifecycle.deaths import Death, list_deaths
from softlanding.statistics.model.pickups import Cost, Word, cost_of_gap
from softlanding.statistics.model.words import count
from softlanding.statistics.tables import facts, heard_incidents, pickups

SETTLED_WITHIN = timedelta(minutes=10)  # What a new life says later is its own doing, not the death's.
_ASKED = ("schedule.pickup.requested", "schedule.pickup.changed", "schedule.pickup.withdrawn")
_KINDS = {
    "schedule.pickup.withdrawn": "withdrawn",
    "dispatch.pickup.missed": "missed",
    "dispatch.pickup.planned": "answered",
    "dispatch.pickup.unplaced": "answered",
    "dispatch.pickup.refused": "answered",
}

# Live pages ask again and again for what has long been settled, and a backlog of 10 000 pickups takes 0.1 s to count.
Named = tuple[Cost, dict[str, str]]
NOTHING: Named = (Cost(), {})
_KNOWN: WeakKeyDictionary[sa.Engine, dict[tuple[object, ...], Named]] = WeakKeyDictionary()
_KNOWN_MAX = 64


@dataclass(frozen=True)
class DeathStory:
    """One death and what became of the pickups that waited in its gap. Only Dispatch's deaths cost pickups."""

    death: Death
    recovered: tuple[str, ...]  # Codes, sorted.
    expired: tuple[str, ...]
    unsettled: tuple[str, ...]  # Of the expired: a person has still to settle them.

    @property
    def costs_pickups(self) -> bool:
        return self.death.service == "dispatch"

    def sentence(self, zone: ZoneInfo) -> str:
        """`Dispatch died 10:02:11 (SIGKILL), back 10:02:15; 3 pickups recovered, 1 expired`"""
        cost = f"; {count(len(self.recovered), 'pickup')} recovered, {len(self.expired)} expired"
        return self.death.sentence(zone) + (cost if self.costs_pickups else "")


def death_stories(connection: sa.Connection, most: int = 20) -> list[DeathStory]:
    """Newest first."""
    return [death_story(connection, death) for death in list_deaths(connection, most)]


def death_story(connection: sa.Connection, death: Death) -> DeathStory:
    """Its cost is counted from the facts of the life that came after it; nothing is remembered apart from them."""
    cost, named = _cost(connection, death) if death.service == "dispatch" else NOTHING
    is_open = heard_incidents.c.settled_at.is_(None) & (heard_incidents.c.kind == "missed")
    abouts = [f"pickup/{pickup}" for pickup in sorted(cost.expired)]
    query = sa.select(heard_incidents.c.about).where(is_open, heard_incidents.c.about.in_(abouts))
    unsettled = {about.removeprefix("pickup/") for about in connection.execute(query).scalars()} if abouts else set()
    listed = [tuple(sorted(named[pickup] for pickup in of)) for of in (cost.recovered, cost.expired, unsettled)]
    return DeathStory(death, *listed)


def _cost(connection: sa.Connection, death: Death) -> Named:
    """What it cost, with the codes of those pickups."""
    if death.new_life is None or death.back_at is None:
        return NOTHING
    is_after = (facts.c.source == "dispatch") & (facts.c.epoch == death.new_life)
    first = connection.execute(_number_of(is_after).order_by(facts.c.sequence)).scalar()
    if first is None:
        return NOTHING
    is_near = facts.c.told_at <= death.back_at + SETTLED_WITHIN
    last = connection.execute(_number_of(is_after & is_near).order_by(facts.c.sequence.desc())).scalar()
    known = _KNOWN.setdefault(connection.engine, {})
    key = (death, first, last, _schedule_heard(connection, death.back_at))
    if key not in known:
        while len(known) >= _KNOWN_MAX:
            known.pop(next(iter(known)))
        cost = _count_cost(connection, death, death.back_at, first)
        known[key] = cost, _codes(connection, cost.recovered | cost.expired)
    return known[key]


def _number_of(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(facts.c.number).where(condition).limit(1)


def _schedule_heard(connection: sa.Connection, until: datetime) -> int:
    """How far Schedule was heard, as far as it matters: facts told after `until` change nothing."""
    of_schedule = sa.select(facts.c.number, facts.c.told_at).where(facts.c.source == "schedule")
    row = connection.execute(of_schedule.order_by(facts.c.number.desc()).limit(1)).first()
    return row.number if row is not None and row.told_at < until else 0


def _count_cost(connection: sa.Connection, death: Death, back_at: datetime, first: int) -> Cost:
    is_after = (facts.c.source == "dispatch") & (facts.c.epoch == death.new_life)
    is_near = facts.c.told_at <= back_at + SETTLED_WITHIN
    spoken_of = sa.select(facts.c.pickup).where(is_after, is_near, facts.c.pickup.is_not(None)).distinct()
    about = facts.c.pickup.in_(spoken_of)
    asked = _words(connection, facts.c.type.in_(_ASKED) & about & (facts.c.told_at < back_at))
    before = _words(connection, (facts.c.source == "dispatch") & about & (facts.c.number < first))
    after = _words(connection, is_after & is_near & facts.c.pickup.is_not(None))
    return cost_of_gap(asked, before, after, (death.out_since or death.noticed_at, back_at))


def _words(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Word]:
    columns = (facts.c.pickup, facts.c.revision, facts.c.type, facts.c.expires_at)
    query = sa.select(*columns).where(condition, facts.c.revision.is_not(None)).order_by(facts.c.number)
    return [_word(row) for row in connection.execute(query)]


def _word(row: Any) -> Word:
    other = "asked" if row.type in _ASKED else "other"
    return Word(row.pickup, row.revision, _KINDS.get(row.type, other), row.expires_at)


def _codes(connection: sa.Connection, wanted: frozenset[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for some in _slices(sorted(wanted), 500):  # Databases limit the values of one statement.
        query = sa.select(pickups.c.pickup, pickups.c.code).where(pickups.c.pickup.in_(some))
        named |= {row.pickup: row.code or row.pickup for row in connection.execute(query)}
    return named


def _slices(values: Sequence[str], size: int) -> list[Sequence[str]]:
    return [values[at : at + size] for at in range(0, len(values), size)]


def gap_of(death: Death, since: datetime | None) -> tuple[datetime, datetime | None]:
    """From the last sign of life to the return. `since`: when the life was last heard, if its silence was noticed."""
    known = [moment for moment in (death.died_at, since) if moment is not None]
    return max(known, default=death.noticed_at), death.back_at
