"""What an outage cost, told from the facts: the sentence that operators read, and what drills count."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding.contracts.cost import SETTLED_WITHIN, Cost, Word, cost_of_outage, word_of
from softlanding.lifecycle.outages import Outage, list_outages
from softlanding.statistics.model.words import count
from softlanding.statistics.tables import facts, heard_incidents, pickups

# Live pages ask again and again for what has long been settled, and a backlog of 10 000 pickups takes 0.1 s to count.
Named = tuple[Cost, dict[str, str]]
NOTHING: Named = (Cost(), {})
_KNOWN: WeakKeyDictionary[sa.Engine, dict[tuple[object, ...], Named]] = WeakKeyDictionary()
_KNOWN_MAX = 64


@dataclass(frozen=True)
class OutageStory:
    """One outage and what became of the pickups that waited in it. Only Dispatch's cost pickups."""

    outage: Outage
    recovered: tuple[str, ...]  # Codes, sorted.
    expired: tuple[str, ...]
    unsettled: tuple[str, ...]  # Of the expired: a person has still to settle them.

    @property
    def costs_pickups(self) -> bool:
        return self.outage.service == "dispatch"

    def sentence(self, zone: ZoneInfo) -> str:
        """`Dispatch died 10:02:11 (SIGKILL), back 10:02:15 after 4 s; 3 pickups recovered, 1 expired`"""
        cost = f"; {count(len(self.recovered), 'pickup')} recovered, {len(self.expired)} expired"
        return self.outage.sentence(zone) + (cost if self.costs_pickups else "")


def outage_stories(connection: sa.Connection, most: int = 20) -> list[OutageStory]:
    """Newest first."""
    return [outage_story(connection, outage) for outage in list_outages(connection, most)]


def outage_story(connection: sa.Connection, outage: Outage) -> OutageStory:
    """Its cost is counted from what the lives after it said; nothing is remembered apart from that."""
    cost, named = _cost(connection, outage) if outage.service == "dispatch" else NOTHING
    is_open = heard_incidents.c.settled_at.is_(None) & (heard_incidents.c.kind == "missed")
    abouts = [f"pickup/{pickup}" for pickup in sorted(cost.expired)]
    query = sa.select(heard_incidents.c.about).where(is_open, heard_incidents.c.about.in_(abouts))
    unsettled = {about.removeprefix("pickup/") for about in connection.execute(query).scalars()} if abouts else set()
    listed = [tuple(sorted(named[pickup] for pickup in of)) for of in (cost.recovered, cost.expired, unsettled)]
    return OutageStory(outage, *listed)


def _cost(connection: sa.Connection, outage: Outage) -> Named:
    """What it cost, with the codes of those pickups. Nothing is counted before it is over."""
    if outage.until is None:
        return NOTHING
    is_after = (facts.c.source == "dispatch") & facts.c.epoch.in_(outage.new_lives)
    first = connection.execute(_number_of(is_after).order_by(facts.c.number)).scalar()
    if first is None:
        return NOTHING
    is_near = facts.c.told_at <= outage.until + SETTLED_WITHIN
    last = connection.execute(_number_of(is_after & is_near).order_by(facts.c.number.desc())).scalar()
    known = _KNOWN.setdefault(connection.engine, {})
    key = (outage, first, last)
    if key not in known:
        while len(known) >= _KNOWN_MAX:
            known.pop(next(iter(known)))
        is_of_pickup = is_after & is_near & facts.c.pickup.is_not(None)
        spoken_of = sa.select(facts.c.pickup).where(is_of_pickup).distinct()
        is_before = (facts.c.source == "dispatch") & facts.c.pickup.in_(spoken_of) & (facts.c.number < first)
        before, after = _words(connection, is_before), _words(connection, is_of_pickup)
        cost = cost_of_outage(before, after, outage.since, outage.until)
        known[key] = cost, _codes(connection, cost.recovered | cost.expired)
    return known[key]


def _number_of(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(facts.c.number).where(condition).limit(1)


def _words(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Word]:
    query = sa.select(facts.c.type, facts.c.data).where(condition, facts.c.revision.is_not(None))
    return [word_of(row.type, json.loads(row.data)) for row in connection.execute(query.order_by(facts.c.number))]


def _codes(connection: sa.Connection, wanted: frozenset[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for some in _slices(sorted(wanted), 500):  # Databases limit the values of one statement.
        query = sa.select(pickups.c.pickup, pickups.c.code).where(pickups.c.pickup.in_(some))
        named |= {row.pickup: row.code or row.pickup for row in connection.execute(query)}
    return named


def _slices(values: Sequence[str], size: int) -> list[Sequence[str]]:
    return [values[at : at + size] for at in range(0, len(values), size)]
