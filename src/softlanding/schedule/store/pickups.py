"""Pickups as they were asked for, rides as Dispatch has told them, and the watch over each revision."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding.contracts.dispatch import RideState
from softlanding.contracts.schedule import PickupState
from softlanding.database import Moment, Transaction, lives
from softlanding.errors import NotFound
from softlanding.messaging.inbox import Fork
from softlanding.schedule.tables import journeys, pickups, rides, watches

OPEN = ("requested", "changed")

_BY_ID = sa.select(pickups).where(pickups.c.id == sa.bindparam("of_id"))
_ADD = sa.insert(pickups)
_SAVE = (
    sa.update(pickups)
    .where(pickups.c.id == sa.bindparam("of_id"))
    .values({column.name: sa.bindparam(f"new_{column.name}") for column in pickups.c if column.name != "id"})
)
_ADD_WATCH = sa.insert(watches)
_REPLACE_WATCH = (
    sa.update(watches)
    .where(watches.c.pickup == sa.bindparam("of_pickup"), watches.c.replaced_by.is_(None))
    .values(replaced_by=sa.bindparam("by"))
)
_END_WATCH = (
    sa.update(watches)
    .where(
        watches.c.pickup == sa.bindparam("of_pickup"),
        watches.c.revision == sa.bindparam("of_revision"),
        watches.c.ended_at.is_(None),
    )
    .values(ended_at=sa.bindparam("at"), ended_by=sa.bindparam("by"))
)
_OVERDUE = (
    sa.select(watches)
    .where(
        watches.c.ended_at.is_(None),
        watches.c.unanswered_at.is_(None),
        watches.c.replaced_by.is_(None),
        watches.c.answer_by <= sa.bindparam("now", type_=Moment),
    )
    .order_by(watches.c.answer_by, watches.c.pickup)
    .limit(sa.bindparam("most"))
)
_RIDE = sa.select(rides).where(rides.c.pickup == sa.bindparam("of_id"))
_ADD_RIDE = sa.insert(rides)
_CODE = sa.select(pickups.c.id).where(pickups.c.code == sa.bindparam("of_code"))
_STANDING_BY = (
    pickups.c.status,
    pickups.c.revision,
    pickups.c.by_hand_at.is_not(None).label("is_by_hand"),
    rides.c.status.label("ride"),
    rides.c.revision.label("ride_revision"),
    (watches.c.unanswered_at.is_not(None) & watches.c.ended_at.is_(None)).label("is_unanswered"),
    (journeys.c.pickup == pickups.c.id).label("is_last"),
)
_NEWEST_WATCH = (watches.c.pickup == pickups.c.id) & (watches.c.revision == pickups.c.revision)
_STANDING = (
    sa.select(*_STANDING_BY, sa.func.count().label("number"))
    .select_from(pickups)
    .join(journeys, journeys.c.id == pickups.c.journey)
    .outerjoin(rides, rides.c.pickup == pickups.c.id)
    .outerjoin(watches, _NEWEST_WATCH)
    .group_by(*_STANDING_BY)
)
_LIFE = sa.select(lives.c.began_at).order_by(lives.c.began_at.desc()).limit(1)


@dataclass(frozen=True)
class Pickup:
    """A pickup as it was last told. `open_leg` is what it holds while it is open."""

    id: str
    conference: str
    journey: str
    open_leg: str | None
    code: str
    revision: int
    status: str
    asked: PickupState
    by_hand_by: str | None = None
    by_hand_word: str | None = None
    by_hand_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(frozen=True)
class Ride:
    """What Dispatch last told about a pickup."""

    pickup: str
    epoch: str
    revision: int
    status: str
    state: RideState
    heard_at: datetime
    sequence: int | None = None


@dataclass(frozen=True)
class Watch:
    """The promise to look after one revision of a pickup until Dispatch has answered about it."""

    pickup: str
    revision: int
    conference: str
    begun_at: datetime
    answer_by: datetime
    ended_at: datetime | None
    ended_by: str | None
    replaced_by: int | None
    unanswered_at: datetime | None
    incident: str | None
    quiet_until: datetime | None


def load_pickup(connection: sa.Connection, pickup: str) -> Pickup | None:
    row = connection.execute(_BY_ID, {"of_id": pickup}).first()
    return _pickup(row) if row else None


def need_pickup(connection: sa.Connection, conference: str, named: str) -> Pickup:
    """By its id or code. Raises NotFound."""
    is_meant = (pickups.c.id == named) | (pickups.c.code == named.upper())
    row = connection.execute(sa.select(pickups).where(is_meant, pickups.c.conference == conference)).first()
    if row is None:
        raise NotFound(f"there is no pickup {named[:40]} in this conference")
    return _pickup(row)


def list_pickups(connection: sa.Connection, conference: str, most: int = 20_000) -> list[Pickup]:
    query = sa.select(pickups).where(pickups.c.conference == conference).order_by(pickups.c.id).limit(most)
    return [_pickup(row) for row in connection.execute(query)]


def pickups_by_id(connection: sa.Connection, wanted: list[str]) -> dict[str, Pickup]:
    return {row.id: _pickup(row) for row in _in_batches(connection, pickups, pickups.c.id, wanted)}


def rides_by_pickup(connection: sa.Connection, wanted: list[str]) -> dict[str, Ride]:
    return {row.pickup: _ride(row) for row in _in_batches(connection, rides, rides.c.pickup, wanted)}


def watches_by_pickup(connection: sa.Connection, wanted: list[str]) -> dict[str, Watch]:
    """The newest revision's watch of each."""
    found: dict[str, Watch] = {}
    for row in _in_batches(connection, watches, watches.c.pickup, wanted):
        if row.pickup not in found or found[row.pickup].revision < row.revision:
            found[row.pickup] = Watch(**row._mapping)
    return found


def count_standing(connection: sa.Connection, conference: str | None = None) -> list[sa.Row[Any]]:
    """How many pickups there are of each: what the two services last said of them, whether they are unanswered, and
    whether they are their journey's last (`is_last`). None: of all conferences."""
    query = _STANDING if conference is None else _STANDING.where(pickups.c.conference == conference)
    return list(connection.execute(query))


def has_code(connection: sa.Connection, code: str) -> bool:
    return connection.execute(_CODE, {"of_code": code}).first() is not None


def add_pickup(tx: Transaction, pickup: Pickup) -> None:
    tx.execute(_ADD, _row(pickup))


def save_pickup(tx: Transaction, pickup: Pickup) -> None:
    tx.execute(_SAVE, {"of_id": pickup.id} | {f"new_{name}": value for name, value in _row(pickup).items()})


def load_ride(connection: sa.Connection, pickup: str) -> Ride | None:
    row = connection.execute(_RIDE, {"of_id": pickup}).first()
    return _ride(row) if row else None


def codes_of_fork(connection: sa.Connection, source: str, fork: Fork) -> list[str]:
    """Codes of pickups whose ride stands as the lost facts told. One whose number is not known may be."""
    is_lost = rides.c.sequence.between(fork.first, fork.last) | rides.c.sequence.is_(None)
    query = sa.select(pickups.c.code).join(rides, rides.c.pickup == pickups.c.id)
    found = query.where(rides.c.epoch == fork.epoch, is_lost).order_by(pickups.c.code)
    return list(connection.execute(found).scalars()) if source == "dispatch" else []


def keep_ride(tx: Transaction, ride: Ride) -> None:
    values = {
        "pickup": ride.pickup,
        "epoch": ride.epoch,
        "revision": ride.revision,
        "status": ride.status,
        "state": ride.state.model_dump_json(),
        "heard_at": ride.heard_at,
        "sequence": ride.sequence,
    }
    if tx.execute(sa.update(rides).where(rides.c.pickup == ride.pickup).values(**values)).rowcount == 0:
        tx.execute(_ADD_RIDE, values)


def begin_watch(tx: Transaction, now: datetime, asked: PickupState) -> None:
    """Watch over this revision. Earlier ones are replaced: they are not what is asked for any more."""
    replace_watches(tx, asked.pickup, asked.revision)
    values = {"begun_at": now, "answer_by": asked.answer_by, "conference": asked.conference}
    tx.execute(_ADD_WATCH, {"pickup": asked.pickup, "revision": asked.revision, **values})


def replace_watches(tx: Transaction, pickup: str, revision: int) -> None:
    tx.execute(_REPLACE_WATCH, {"of_pickup": pickup, "by": revision})


def end_watch(tx: Transaction, now: datetime, pickup: str, revision: int, word: str) -> None:
    """Dispatch has answered about exactly this revision."""
    tx.execute(_END_WATCH, {"of_pickup": pickup, "of_revision": revision, "at": now, "by": word})


def list_overdue(connection: sa.Connection, now: datetime, most: int) -> list[Watch]:
    """Watches whose time for an answer has passed, the oldest first."""
    return [Watch(**row._mapping) for row in connection.execute(_OVERDUE, {"now": now, "most": most})]


def mark_unanswered(tx: Transaction, now: datetime, watch: Watch, incident: str) -> None:
    _change_watch(tx, watch, unanswered_at=now, incident=incident)


def keep_quiet(tx: Transaction, watch: Watch, until: datetime) -> None:
    _change_watch(tx, watch, quiet_until=until)


def list_unanswered(connection: sa.Connection, conference: str) -> list[Watch]:
    """All that were ever told as unanswered, the oldest first; their incidents say which are open."""
    query = sa.select(watches).where(watches.c.conference == conference, watches.c.unanswered_at.is_not(None))
    rows = connection.execute(query.order_by(watches.c.answer_by.desc(), watches.c.pickup).limit(1000))
    return [Watch(**row._mapping) for row in rows][::-1]


def watches_of(connection: sa.Connection, pickup: str) -> list[Watch]:
    """By revision."""
    query = sa.select(watches).where(watches.c.pickup == pickup).order_by(watches.c.revision)
    return [Watch(**row._mapping) for row in connection.execute(query)]


def life_began_at(connection: sa.Connection) -> datetime | None:
    """Since when this service is at work."""
    moment: datetime | None = connection.execute(_LIFE).scalar()
    return moment


def _change_watch(tx: Transaction, watch: Watch, **values: Any) -> None:
    is_this = (watches.c.pickup == watch.pickup) & (watches.c.revision == watch.revision)
    tx.execute(sa.update(watches).where(is_this).values(**values))


def _in_batches(connection: sa.Connection, table: sa.Table, column: Any, wanted: list[str]) -> list[Any]:
    """Rows whose column is one of many values; SQLite takes only so many at once."""
    found: list[Any] = []
    for begin in range(0, len(wanted), 500):
        found += connection.execute(sa.select(table).where(column.in_(wanted[begin : begin + 500])))
    return found


def _row(pickup: Pickup) -> dict[str, Any]:
    values = {name: getattr(pickup, name) for name in Pickup.__dataclass_fields__}
    return values | {"asked": pickup.asked.model_dump_json()}


def _pickup(row: sa.Row[Any]) -> Pickup:
    values = {name: row._mapping[name] for name in Pickup.__dataclass_fields__}
    return Pickup(**values | {"asked": PickupState.model_validate_json(row.asked)})


def _ride(row: sa.Row[Any]) -> Ride:
    state = RideState.model_validate_json(row.state)
    return Ride(row.pickup, row.epoch, row.revision, row.status, state, row.heard_at, row.sequence)
