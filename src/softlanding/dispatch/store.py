"""Rows to model and back. Statements are made once: some run thousands of times in one batch of facts."""

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from softlanding import incidents
from softlanding.contracts.cost import Word, word_of
from softlanding.database import Transaction
from softlanding.dispatch.model import ON_VEHICLE, OPEN, Crew, Driver, Pickup, Place, Shift, Shown, Vehicle, changes
from softlanding.dispatch.tables import (
    drivers,
    history,
    pickups,
    places,
    plans,
    sheet_links,
    shifts,
    stops,
    told,
    vehicles,
)
from softlanding.errors import NotFound
from softlanding.lifecycle.outages import Outage
from softlanding.links import Presented, kept_of
from softlanding.messaging.dead_letters import dead_letters
from softlanding.messaging.inbox import Fork
from softlanding.messaging.outbox import outbox

LINKS_AT_ONCE = 100
REVOKED = "!"  # No address has it: a token that begins so opens nothing.
_SAID = sa.select(outbox.c.type, outbox.c.data).order_by(outbox.c.epoch, outbox.c.sequence)
TRY_AGAIN_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class PlanRow:
    """The plan in force. `stamp` is another one with every change of what plans are made from, `freed` whenever
    somebody without a place might get one."""

    conference: str
    number: int
    made_at: datetime
    stamp: str
    freed: str


@dataclass(frozen=True)
class StopRow:
    """Where and when one pickup boards or alights."""

    pickup: str
    kind: str
    conference: str
    shift: str
    vehicle: str
    position: int
    place: str
    arrive_at: datetime
    begin_at: datetime
    depart_at: datetime


@dataclass(frozen=True)
class ToldRow:
    """What a driver knows of a ride that they were shown, and what is in force for them; None: it is not theirs."""

    driver: str
    pickup: str
    conference: str
    seen: Shown | None
    seen_at: datetime
    now: Shown | None
    now_at: datetime

    @property
    def is_unseen(self) -> bool:
        if self.seen is None or self.now is None:
            return self.seen is not None and self.now is None
        return bool(changes(self.seen, self.now))


@dataclass(frozen=True)
class HistoryRow:
    at: datetime
    words: str
    by: str


_PICKUP_FIELDS = tuple(field.name for field in fields(Pickup))
_PICKUP = sa.select(pickups).where(pickups.c.id == sa.bindparam("of_id"))
_PICKUP_BY_CODE = (
    sa.select(pickups)
    .where(pickups.c.conference == sa.bindparam("of_conference"), pickups.c.code == sa.bindparam("of_code"))
    .order_by(pickups.c.requested_at.desc())
    .limit(1)
)
_ADD_PICKUP = sa.insert(pickups)
_SAVE_PICKUP = (
    sa.update(pickups)
    .where(pickups.c.id == sa.bindparam("of_id"))
    .values({name: sa.bindparam(f"new_{name}") for name in _PICKUP_FIELDS if name != "id"})
)
_RETIME = (
    sa.update(pickups)
    .where(pickups.c.id == sa.bindparam("of_id"))
    .values(board_at=sa.bindparam("new_board_at"), deliver_at=sa.bindparam("new_deliver_at"))
)
_ON_VEHICLES = sa.select(pickups).where(
    pickups.c.id.in_(sa.select(stops.c.pickup).where(stops.c.conference == sa.bindparam("of_conference")))
)
_STOPS = (
    sa.select(stops)
    .where(stops.c.conference == sa.bindparam("of_conference"))
    .order_by(stops.c.shift, stops.c.position, stops.c.pickup)
)
_STOPS_OF_SHIFT = (
    sa.select(stops).where(stops.c.shift == sa.bindparam("of_shift")).order_by(stops.c.position, stops.c.pickup)
)
_PLACES_OF_STOPS = sa.select(stops.c.place).where(stops.c.conference == sa.bindparam("of_conference")).distinct()
_ADD_STOP = sa.insert(stops)
_CLEAR_SHIFT = sa.delete(stops).where(stops.c.shift == sa.bindparam("of_shift"))
_CLEAR_PICKUP = sa.delete(stops).where(stops.c.pickup == sa.bindparam("of_pickup"))
_PLAN = sa.select(plans).where(plans.c.conference == sa.bindparam("of_conference"))
_SAVE_PLAN = (
    sa.update(plans)
    .where(plans.c.conference == sa.bindparam("of_conference"))
    .values({name: sa.bindparam(f"new_{name}") for name in ("number", "made_at", "stamp", "freed")})
)
_ADD_HISTORY = sa.insert(history)
_UNSEALED = sa.select(drivers.c.id, drivers.c.token).where(
    drivers.c.link.is_(None), drivers.c.token.not_like(f"{REVOKED}%")
)
_PLACES = sa.select(places).where(places.c.conference == sa.bindparam("of_conference")).order_by(places.c.slug)
_VEHICLES = sa.select(vehicles).where(vehicles.c.conference == sa.bindparam("of_conference")).order_by(vehicles.c.code)
_SHIFTS = (
    sa.select(shifts)
    .where(shifts.c.conference == sa.bindparam("of_conference"))
    .order_by(shifts.c.from_at, shifts.c.id)
)
_CREWS = (
    sa.select(
        shifts.c.id.label("shift"),
        vehicles.c.code,
        vehicles.c.name.label("vehicle"),
        vehicles.c.plate,
        vehicles.c.seats,
        drivers.c.id.label("driver"),
        drivers.c.name.label("driver_name"),
        drivers.c.phone.label("driver_phone"),
        shifts.c.from_at,
        shifts.c.to_at,
    )
    .join(vehicles, (vehicles.c.conference == shifts.c.conference) & (vehicles.c.code == shifts.c.vehicle))
    .join(drivers, drivers.c.id == shifts.c.driver)
    .where(shifts.c.conference == sa.bindparam("of_conference"))
    .order_by(shifts.c.from_at, shifts.c.id)
)
_DUE = sa.select(pickups).where(
    pickups.c.status.in_(("planned", "accepted", "arrived", "unplaced")), pickups.c.due_at <= sa.bindparam("now")
)
_COUNT = (
    sa.select(pickups.c.status, sa.func.count())
    .where(pickups.c.conference == sa.bindparam("of_conference"))
    .group_by(pickups.c.status)
)
_COUNT_DAY = _COUNT.where(
    pickups.c.ready_at < sa.bindparam("end"),
    sa.or_(pickups.c.ready_at >= sa.bindparam("begin"), pickups.c.status.in_(OPEN)),
)
_COUNT_LATER = sa.select(sa.func.count()).where(
    pickups.c.conference == sa.bindparam("of_conference"),
    pickups.c.ready_at >= sa.bindparam("end"),
    pickups.c.status.in_(OPEN),
)
_COUNT_UNPLACED = sa.select(sa.func.count()).where(
    pickups.c.conference == sa.bindparam("of_conference"), pickups.c.status == "unplaced"
)
_RETRY = (
    sa.select(pickups)
    .join(plans, plans.c.conference == pickups.c.conference)
    .where(
        pickups.c.status == "unplaced",
        pickups.c.is_held.is_(False),
        sa.or_(
            pickups.c.tried.is_(None),
            pickups.c.tried != plans.c.freed,
            (pickups.c.ready_at <= sa.bindparam("now")) & (pickups.c.tried_at <= sa.bindparam("before")),
        ),
    )
    .order_by(pickups.c.due_at, pickups.c.id)
    .limit(sa.bindparam("most"))
)
_TRIED = (
    sa.update(pickups)
    .where(pickups.c.id == sa.bindparam("of_id"))
    .values(tried=sa.bindparam("new_tried"), tried_at=sa.bindparam("now"))
)

_PARKED_DUE = (
    sa.select(dead_letters.c.subject, dead_letters.c.expires_at)
    .where(
        dead_letters.c.settled_at.is_(None),
        dead_letters.c.type.in_(("schedule.pickup.requested", "schedule.pickup.changed")),
        dead_letters.c.expires_at <= sa.bindparam("now"),
    )
    .order_by(dead_letters.c.expires_at)
    .limit(50)
)
_RISK = (
    sa.update(pickups).where(pickups.c.id == sa.bindparam("of_id")).values(risk_revision=sa.bindparam("new_revision"))
)


def find_pickup(connection: sa.Connection, identity: str) -> Pickup | None:
    row = connection.execute(_PICKUP, {"of_id": identity}).first()
    return Pickup(**row._mapping) if row else None


def load_pickup(connection: sa.Connection, conference: str, code: str) -> Pickup:
    """By its short code or its id. Of two with one code the newest. Raises NotFound."""
    row = connection.execute(_PICKUP_BY_CODE, {"of_conference": conference, "of_code": code.upper()}).first()
    found = Pickup(**row._mapping) if row else find_pickup(connection, code)
    if found is None or found.conference != conference:
        raise NotFound(f"there is no pickup {code} here")
    return found


def list_pickups(
    connection: sa.Connection, conference: str, statuses: Iterable[str] | None = None, most: int = 2000
) -> list[Pickup]:
    """The most urgent first."""
    query = sa.select(pickups).where(pickups.c.conference == conference).order_by(pickups.c.due_at, pickups.c.id)
    if statuses is not None:
        query = query.where(pickups.c.status.in_(tuple(statuses)))
    return [Pickup(**row._mapping) for row in connection.execute(query.limit(most))]


def list_by_code(connection: sa.Connection, conference: str, code: str) -> Pickup | None:
    row = connection.execute(_PICKUP_BY_CODE, {"of_conference": conference, "of_code": code.upper()}).first()
    return Pickup(**row._mapping) if row else None


def list_of_shifts(connection: sa.Connection, of: Iterable[str]) -> list[Pickup]:
    """Those on these shifts now and those that were, by boarding."""
    keys = tuple(sorted(of))
    mine = sa.or_(pickups.c.shift.in_(keys), pickups.c.last_shift.in_(keys))
    rows = connection.execute(sa.select(pickups).where(mine).order_by(pickups.c.board_at, pickups.c.id))
    return [Pickup(**row._mapping) for row in rows]


def list_shown(connection: sa.Connection, conference: str, since: datetime) -> list[Pickup]:
    """Those on vehicles, and those delivered after `since`."""
    is_now = pickups.c.status.in_(ON_VEHICLE)
    was = (pickups.c.status == "delivered") & (pickups.c.delivered_at > since)
    query = sa.select(pickups).where(pickups.c.conference == conference, sa.or_(is_now, was))
    return [Pickup(**row._mapping) for row in connection.execute(query.order_by(pickups.c.board_at, pickups.c.id))]


def count_by_shift(connection: sa.Connection, conference: str) -> dict[str, int]:
    query = sa.select(pickups.c.shift, sa.func.count()).where(
        pickups.c.conference == conference, pickups.c.shift.is_not(None)
    )
    return {row[0]: row[1] for row in connection.execute(query.group_by(pickups.c.shift))}


def codes_of_fork(connection: sa.Connection, source: str, fork: Fork) -> list[str]:
    """Codes of pickups whose newest wish is of the lost facts. One whose number is not known may be."""
    number = pickups.c.asked_sequence
    is_lost = number.between(fork.first, fork.last) | number.is_(None)
    query = sa.select(pickups.c.code).where(pickups.c.epoch == fork.epoch, is_lost).order_by(pickups.c.code)
    return list(connection.execute(query).scalars()) if source == "schedule" else []


def load_words_around(connection: sa.Connection, outage: Outage, until: datetime) -> tuple[list[Word], list[Word]]:
    """What we said of pickups in the lives after the outage's beginning, up to `until`, and before of the same ones:
    (before, after), each in the order of telling."""
    is_after = outbox.c.type.like("dispatch.pickup.%") & outbox.c.epoch.in_(outage.new_lives) & (outbox.c.time <= until)
    is_before = outbox.c.type.like("dispatch.pickup.%") & (outbox.c.epoch < min(outage.new_lives))
    spoken_of = sa.select(outbox.c.subject).where(is_after).distinct()
    return _words(connection, is_before & outbox.c.subject.in_(spoken_of)), _words(connection, is_after)


def _words(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[Word]:
    return [word_of(row.type, json.loads(row.data)) for row in connection.execute(_SAID.where(condition))]


def add_pickup(tx: Transaction, pickup: Pickup) -> None:
    tx.execute(_ADD_PICKUP, _values(pickup))


def save_pickup(tx: Transaction, pickup: Pickup) -> None:
    values = {f"new_{name}": value for name, value in _values(pickup).items() if name != "id"}
    tx.execute(_SAVE_PICKUP, values | {"of_id": pickup.id})


def keep_pickup(tx: Transaction, pickup: Pickup, *, is_new: bool) -> None:
    (add_pickup if is_new else save_pickup)(tx, pickup)


def _values(pickup: Pickup) -> dict[str, Any]:
    return {name: getattr(pickup, name) for name in _PICKUP_FIELDS}


def retime(tx: Transaction, identity: str, board_at: datetime | None, deliver_at: datetime | None) -> None:
    tx.execute(_RETIME, {"of_id": identity, "new_board_at": board_at, "new_deliver_at": deliver_at})


def mark_tried(tx: Transaction, now: datetime, identity: str, freed: str) -> None:
    tx.execute(_TRIED, {"of_id": identity, "new_tried": freed, "now": now})


def mark_risk(tx: Transaction, identity: str, revision: int) -> None:
    tx.execute(_RISK, {"of_id": identity, "new_revision": revision})


def list_in_stops(connection: sa.Connection, conference: str) -> dict[str, Pickup]:
    """Every pickup that has stops, by id."""
    rows = connection.execute(_ON_VEHICLES, {"of_conference": conference})
    return {row.id: Pickup(**row._mapping) for row in rows}


def list_stops(connection: sa.Connection, conference: str) -> list[StopRow]:
    return [StopRow(*row) for row in connection.execute(_STOPS, {"of_conference": conference})]


def list_stops_of_shift(connection: sa.Connection, shift: str) -> list[StopRow]:
    return [StopRow(*row) for row in connection.execute(_STOPS_OF_SHIFT, {"of_shift": shift})]


def list_places_of_stops(connection: sa.Connection, conference: str) -> set[str]:
    """The places where manifests lead."""
    return set(connection.execute(_PLACES_OF_STOPS, {"of_conference": conference}).scalars())


def save_stops(tx: Transaction, manifests: Mapping[str, Sequence[StopRow]]) -> None:
    """The whole manifests of these shifts, in place of what they were."""
    for shift in manifests:
        tx.execute(_CLEAR_SHIFT, {"of_shift": shift})
    for rows in manifests.values():
        if rows:
            tx.execute(_ADD_STOP, [dict(zip(StopRow.__dataclass_fields__, _row(row), strict=True)) for row in rows])


def _row(row: StopRow) -> tuple[Any, ...]:
    return (
        row.pickup,
        row.kind,
        row.conference,
        row.shift,
        row.vehicle,
        row.position,
        row.place,
        row.arrive_at,
        row.begin_at,
        row.depart_at,
    )


def clear_stops(tx: Transaction, pickup: str) -> None:
    tx.execute(_CLEAR_PICKUP, {"of_pickup": pickup})


def write_stop_time(tx: Transaction, pickup: str, kind: str, at: datetime) -> None:
    """When it really happened. Where others board or alight too, the car stood until the last of them."""
    row = tx.execute(sa.select(stops).where(stops.c.pickup == pickup, stops.c.kind == kind)).first()
    if row is None:
        return
    halt = (stops.c.shift == row.shift) & (stops.c.position == row.position)
    is_shared = len(tx.execute(sa.select(stops.c.pickup).where(halt)).all()) > 1
    begin_at = row.begin_at if is_shared else at
    depart_at = max(row.depart_at, at) if is_shared else at
    times = {"arrive_at": min(row.arrive_at, begin_at), "begin_at": begin_at, "depart_at": depart_at}
    tx.execute(sa.update(stops).where(halt).values(times))


def list_told(connection: sa.Connection, column: str, value: str) -> list[ToldRow]:
    """Of one `driver`, one `pickup` or one `conference`, what changed last first."""
    query = sa.select(told).where(told.c[column] == value).order_by(told.c.now_at.desc(), told.c.driver, told.c.pickup)
    return [
        ToldRow(**{**row._mapping, "seen": _shown_of(row.seen), "now": _shown_of(row.now)})
        for row in connection.execute(query)
    ]


def keep_told(tx: Transaction, row: ToldRow) -> None:
    values = vars(row) | {"seen": _shown_text(row.seen), "now": _shown_text(row.now)}
    _upsert(tx, told, values, ("driver", "pickup"))


def _shown_text(known: Shown | None) -> str:
    return json.dumps(vars(known) | {"board_at": known.board_at.isoformat()}) if known is not None else ""


def _shown_of(text: str) -> Shown | None:
    if not text:
        return None
    values = json.loads(text)
    return Shown(**values | {"board_at": datetime.fromisoformat(values["board_at"])})


def load_plan(connection: sa.Connection, conference: str) -> PlanRow | None:
    row = connection.execute(_PLAN, {"of_conference": conference}).first()
    return PlanRow(*row) if row else None


def take_plan(tx: Transaction, now: datetime, conference: str) -> PlanRow:
    """The plan in force; a conference that has none begins with number 0."""
    found = load_plan(tx.connection, conference)
    if found is None:
        found = PlanRow(conference, 0, now, tx.ids.new(), tx.ids.new())
        tx.execute(sa.insert(plans).values(asdict(found)))
    return found


def save_plan(tx: Transaction, plan: PlanRow) -> None:
    values: dict[str, Any] = {f"new_{name}": getattr(plan, name) for name in ("number", "made_at", "stamp", "freed")}
    tx.execute(_SAVE_PLAN, values | {"of_conference": plan.conference})


def list_plans(connection: sa.Connection) -> list[PlanRow]:
    return [PlanRow(*row) for row in connection.execute(sa.select(plans).order_by(plans.c.conference))]


def load_sheet_link(connection: sa.Connection, conference: str) -> str | None:
    """The id that the address of its run sheets is made from; None: there is no such address yet."""
    query = sa.select(sheet_links.c.link).where(sheet_links.c.conference == conference)
    return connection.execute(query).scalar_one_or_none()


def list_sheet_links(connection: sa.Connection) -> dict[str, str]:
    """By conference."""
    return {row.conference: row.link for row in connection.execute(sa.select(sheet_links))}


def save_sheet_link(tx: Transaction, conference: str, link: str) -> None:
    _upsert(tx, sheet_links, {"conference": conference, "link": link}, ("conference",))


def list_driver_ids(connection: sa.Connection) -> dict[str, list[str]]:
    """By conference, in order."""
    found: dict[str, list[str]] = {}
    query = sa.select(drivers.c.conference, drivers.c.id).where(drivers.c.removed_at.is_(None))
    for row in connection.execute(query.order_by(drivers.c.id)):
        found.setdefault(row.conference, []).append(row.id)
    return found


def add_history(tx: Transaction, now: datetime, pickup: str, words: str, by: str = "") -> None:
    tx.execute(_ADD_HISTORY, {"id": tx.ids.new(), "pickup": pickup, "at": now, "words": words, "by": by})


def list_history(connection: sa.Connection, pickup: str) -> list[HistoryRow]:
    """Newest first."""
    query = sa.select(history.c.at, history.c.words, history.c.by).where(history.c.pickup == pickup)
    return [HistoryRow(*row) for row in connection.execute(query.order_by(history.c.id.desc()).limit(200))]


def list_due(connection: sa.Connection, now: datetime, most: int) -> list[Pickup]:
    """Those whose time has passed before anybody boarded, longest ago first."""
    rows = connection.execute(_DUE.order_by(pickups.c.due_at, pickups.c.id).limit(most), {"now": now})
    return [Pickup(**row._mapping) for row in rows]


def has_due(connection: sa.Connection, now: datetime) -> bool:
    query = _DUE.with_only_columns(pickups.c.id).limit(1)
    return connection.execute(query, {"now": now}).first() is not None


def list_to_retry(connection: sa.Connection, now: datetime, most: int) -> list[Pickup]:
    """Those without a place that might get one now, the most urgent first: something was freed since they were last
    tried, or they stand at the kerb and a minute has passed."""
    values = {"most": most, "now": now, "before": now - TRY_AGAIN_AFTER}
    return [Pickup(**row._mapping) for row in connection.execute(_RETRY, values)]


def count_by_status(connection: sa.Connection, conference: str) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(_COUNT, {"of_conference": conference})}


def count_day(connection: sa.Connection, conference: str, begin: datetime, end: datetime) -> dict[str, int]:
    """By status: those ready on this day, and those from before that are not over."""
    rows = connection.execute(_COUNT_DAY, {"of_conference": conference, "begin": begin, "end": end})
    return {row[0]: row[1] for row in rows}


def count_all(connection: sa.Connection) -> dict[str, float]:
    """By status."""
    query = sa.select(pickups.c.status, sa.func.count()).group_by(pickups.c.status)
    return {row[0]: float(row[1]) for row in connection.execute(query)}


def count_later(connection: sa.Connection, conference: str, end: datetime) -> int:
    """Those ready after this day that are not over."""
    return int(connection.execute(_COUNT_LATER, {"of_conference": conference, "end": end}).scalar_one())


def count_unplaced(connection: sa.Connection, conference: str) -> int:
    return int(connection.execute(_COUNT_UNPLACED, {"of_conference": conference}).scalar_one())


def load_places(connection: sa.Connection, conference: str) -> dict[str, Place]:
    rows = connection.execute(_PLACES, {"of_conference": conference})
    return {row.slug: Place(**row._mapping) for row in rows}


def load_vehicles(connection: sa.Connection, conference: str) -> dict[str, Vehicle]:
    rows = connection.execute(_VEHICLES, {"of_conference": conference})
    return {row.code: Vehicle(**row._mapping) for row in rows}


def load_shifts(connection: sa.Connection, conference: str) -> dict[str, Shift]:
    """By id, in order of time."""
    rows = connection.execute(_SHIFTS, {"of_conference": conference})
    return {row.id: Shift(**row._mapping) for row in rows}


def load_crews(connection: sa.Connection, conference: str) -> dict[str, Crew]:
    """By shift, in order of time."""
    rows = connection.execute(_CREWS, {"of_conference": conference})
    return {row.shift: Crew(**row._mapping) for row in rows}


def list_drivers(connection: sa.Connection, conference: str) -> list[Driver]:
    query = sa.select(drivers).where(drivers.c.conference == conference, drivers.c.removed_at.is_(None))
    return [Driver(**row._mapping) for row in connection.execute(query.order_by(drivers.c.name, drivers.c.id))]


def load_driver(connection: sa.Connection, conference: str, identity: str) -> Driver:
    """Raises NotFound."""
    query = sa.select(drivers).where(drivers.c.id == identity, drivers.c.conference == conference)
    row = connection.execute(query.where(drivers.c.removed_at.is_(None))).first()
    if row is None:
        raise NotFound("there is no such driver")
    return Driver(**row._mapping)


def find_bearer(connection: sa.Connection, conference: str, presented: Presented) -> Driver | None:
    """Whose personal link is presented so."""
    is_old = (drivers.c.token == presented.kept) | (drivers.c.link.is_(None) & (drivers.c.token == presented.text))
    is_it = drivers.c.link == presented.link if presented.link is not None else is_old
    query = sa.select(drivers).where(is_it, drivers.c.conference == conference)
    row = connection.execute(query.where(drivers.c.removed_at.is_(None))).first()
    return Driver(**row._mapping) if row else None


def save_driver(tx: Transaction, driver: Driver) -> None:
    _upsert(tx, drivers, asdict(driver), ("id",))


def revoke_link(tx: Transaction, driver: str) -> bool:
    """The driver has no personal link from now on. False: there was none."""
    is_linked = (drivers.c.id == driver) & drivers.c.link.is_not(None)
    ended = sa.update(drivers).where(is_linked).values(link=None, token=f"{REVOKED}{tx.ids.new()}")
    return tx.execute(ended).rowcount > 0


def has_unsealed(connection: sa.Connection) -> bool:
    return connection.execute(_UNSEALED.limit(1)).first() is not None


def seal_links(tx: Transaction) -> bool:
    """Of links kept as they stand in their address, keep hashes, a slice at a time. True: there may be more."""
    rows = tx.execute(_UNSEALED.limit(LINKS_AT_ONCE)).all()
    for row in rows:
        sealed = sa.update(drivers).where(drivers.c.id == row.id)
        tx.execute(sealed.values(token=kept_of(row.token), link=tx.ids.new()))
    return len(rows) == LINKS_AT_ONCE


def save_place(tx: Transaction, place: Place) -> None:
    _upsert(tx, places, asdict(place), ("conference", "slug"))


def save_vehicle(tx: Transaction, vehicle: Vehicle) -> None:
    _upsert(tx, vehicles, asdict(vehicle), ("conference", "code"))


def save_shift(tx: Transaction, shift: Shift) -> None:
    _upsert(tx, shifts, asdict(shift), ("id",))


def remove_place(tx: Transaction, conference: str, slug: str) -> None:
    tx.execute(sa.delete(places).where(places.c.conference == conference, places.c.slug == slug))


def remove_vehicle(tx: Transaction, conference: str, code: str) -> None:
    tx.execute(sa.delete(vehicles).where(vehicles.c.conference == conference, vehicles.c.code == code))


def remove_shift(tx: Transaction, shift: str) -> None:
    tx.execute(sa.delete(shifts).where(shifts.c.id == shift))


def note_seen(tx: Transaction, now: datetime, driver: str) -> None:
    tx.execute(sa.update(drivers).where(drivers.c.id == driver).values(seen_at=now))


def is_place_used(connection: sa.Connection, conference: str, slug: str) -> bool:
    """By a shift, or by a ride that is on a vehicle."""
    at_shift = sa.or_(shifts.c.start_place == slug, shifts.c.at_place == slug)
    if connection.execute(sa.select(shifts.c.id).where(shifts.c.conference == conference, at_shift)).first():
        return True
    on_ride = sa.or_(pickups.c.from_place == slug, pickups.c.to_place == slug) & pickups.c.status.in_(ON_VEHICLE)
    return (
        connection.execute(sa.select(pickups.c.id).where(pickups.c.conference == conference, on_ride)).first()
        is not None
    )


def _upsert(tx: Transaction, table: sa.Table, values: Mapping[str, Any], key: tuple[str, ...]) -> None:
    same = functools.reduce(lambda one, other: one & other, (table.c[name] == values[name] for name in key))
    rest = {name: value for name, value in values.items() if name not in key}
    if tx.execute(sa.update(table).where(same).values(rest)).rowcount == 0:
        tx.execute(sa.insert(table).values(dict(values)))


def list_parked_due(connection: sa.Connection, now: datetime) -> list[sa.Row[Any, Any]]:
    """Parked facts about pickups that are of no more use, and of which no incident tells yet."""
    parked = connection.execute(_PARKED_DUE, {"now": now}).all()
    return [row for row in parked if incidents.load(connection, incidents.incident_id(parked_cause(row))) is None]


def has_parked_due(connection: sa.Connection, now: datetime) -> bool:
    return bool(list_parked_due(connection, now))


def parked_cause(row: sa.Row[Any, Any]) -> str:
    return f"missed/{row.subject.removeprefix('pickup/')}/parked"
