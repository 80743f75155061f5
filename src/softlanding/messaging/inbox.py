"""What was heard: one cursor a source, moved in the transaction that applies the fact.

A lower number is a copy and is skipped; the next one is applied; a higher one is a gap: the batch stops there and
the rest is fetched from the producer's feed. So each fact takes effect once and in order, whatever the broker does.

Each life of a producer is an epoch of its own that names its parent and the parent's last number. A receiver beyond
that number sees a fork (a database copied back): it keeps what it has, reports it, and goes on with the new epoch.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from softlanding.contracts import Fact, contract_of
from softlanding.database import DATABASE_ERRORS, Moment, Transaction, brief, shared
from softlanding.errors import Refused
from softlanding.messaging import dead_letters
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.outbox import Epoch

Handler = Callable[[Transaction, datetime, Any, Envelope], None]
"""Applies one fact: `(tx, now, fact, envelope)`. Raises Refused as an answer; anything else is a broken handler."""

Guard = Callable[[], AbstractContextManager[None]]
"""What stands around one fact's handlers."""

ANY = "*"

cursors = sa.Table(
    "inbox_cursor",
    shared,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("epoch", sa.String(36), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("id", sa.String(36)),
    sa.Column("moved_at", Moment, nullable=False),
)
epochs = sa.Table(
    "inbox_epoch",
    shared,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("epoch", sa.String(36), primary_key=True),
    sa.Column("place", sa.Integer, nullable=False),  # In the order in which this receiver entered them.
    sa.Column("applied_to", sa.BigInteger, nullable=False),  # When it was left; the present one stands in the cursor.
)
forks = sa.Table(
    "inbox_fork",
    shared,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("epoch", sa.String(36), primary_key=True),  # The lost branch.
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("new_epoch", sa.String(36), nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
)
attempts = sa.Table(
    "inbox_attempt",
    shared,
    sa.Column("source", sa.String(40), primary_key=True),
    sa.Column("epoch", sa.String(36), primary_key=True),
    sa.Column("sequence", sa.BigInteger, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)

_CURSOR = sa.select(cursors).where(cursors.c.source == sa.bindparam("of_source"))
_CURSORS = sa.select(cursors)
_MOVE = (
    sa.update(cursors)
    .where(cursors.c.source == sa.bindparam("of_source"))
    .values(
        epoch=sa.bindparam("to_epoch"),
        sequence=sa.bindparam("to_sequence"),
        id=sa.bindparam("to_id"),
        moved_at=sa.bindparam("now"),
    )
)
_EPOCHS = sa.select(epochs).where(epochs.c.source == sa.bindparam("of_source")).order_by(epochs.c.place)


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source's facts were applied."""

    source: str
    epoch: str
    sequence: int


@dataclass(frozen=True)
class Fork:
    """Numbers of a lost branch that this receiver has applied and the producer no longer knows."""

    epoch: str
    first: int
    last: int


@dataclass(frozen=True)
class Crossing:
    """Leave to enter an epoch after number `after`, given by the producer's own line of lives.

    It holds for who stands at `at`: bus and feed bring facts at once, and by the other way the receiver may be further.
    """

    epoch: str
    after: int
    forks: tuple[Fork, ...] = ()
    at: tuple[str, int] | None = field(default=None, compare=False)  # Where the receiver must stand; None: nowhere yet.


@dataclass(frozen=True)
class Subscriptions:
    """What a service does with facts: handlers by full type, `*` for every fact, and the answer to a refusal."""

    handlers: Mapping[str, Handler]
    on_refused: Callable[[Transaction, datetime, Any, Envelope, Refused], None] | None = None
    on_fork: Callable[[Transaction, datetime, str, Fork], None] | None = None
    on_parked: Callable[[Transaction, datetime, Envelope, str], None] | None = None
    is_clock_in_doubt: Callable[[], bool] | None = None  # Handlers find it as `tx.clock_in_doubt`.

    def for_type(self, full: str) -> tuple[Handler, ...]:
        return tuple(self.handlers[key] for key in (full, ANY) if key in self.handlers)


@dataclass
class Applied:
    """What became of a batch. `settled` facts need not come again; the others stopped at `gap`, `broken` or `halt`."""

    settled: int = 0
    applied: int = 0
    gap: Envelope | None = None
    broken: tuple[Envelope, str] | None = None
    halt: str | None = None
    parked: list[Envelope] = field(default_factory=list)
    taken: list[Envelope] = field(default_factory=list)  # Applied or parked: what is no copy.
    cursor: Cursor | None = None

    def joined(self, then: "Applied") -> "Applied":
        """What became of this one's facts and of those after them."""
        return replace(
            then,
            settled=self.settled + then.settled,
            applied=self.applied + then.applied,
            parked=self.parked + then.parked,
            taken=self.taken + then.taken,
            cursor=then.cursor or self.cursor,
        )


class _OneByOne(Exception):
    """A handler failed in a batch that was applied without savepoints: apply it again, one by one."""


class _Together(AbstractContextManager[None]):
    """No savepoint. What the database itself has trouble with goes on as it is: then there may be nothing to undo."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if not isinstance(error, Exception):
            return
        if isinstance(error, sa.exc.IntegrityError) or not isinstance(error, DATABASE_ERRORS):
            raise _OneByOne from error


def load_cursor(connection: sa.Connection, source: str) -> Cursor | None:
    row = connection.execute(_CURSOR, {"of_source": source}).first()
    return Cursor(row.source, row.epoch, row.sequence) if row else None


def load_newest(connection: sa.Connection, source: str) -> tuple[str, int, str] | None:
    """(epoch, number, id) of the newest fact that was applied."""
    row = connection.execute(_CURSOR, {"of_source": source}).first()
    return (row.epoch, row.sequence, row.id) if row and row.id else None


def load_cursors(connection: sa.Connection) -> list[Cursor]:
    return sorted((Cursor(row.source, row.epoch, row.sequence) for row in connection.execute(_CURSORS)), key=str)


def load_known_epochs(connection: sa.Connection, source: str) -> list[tuple[str, int]]:
    """Epochs that this receiver has entered and how far it applied them, oldest first, the present one last."""
    cursor = load_cursor(connection, source)
    known = [(row.epoch, row.applied_to) for row in connection.execute(_EPOCHS, {"of_source": source})]
    return [*known, (cursor.epoch, cursor.sequence)] if cursor else known


def apply_batch(
    tx: Transaction,
    now: datetime,
    source: str,
    batch: Sequence[Envelope],
    subscriptions: Subscriptions,
    *,
    crossing: Crossing | None = None,
    line: frozenset[str] | None = None,
    park: Mapping[str, str] | None = None,
) -> Applied:
    """Apply what comes next, skip copies, stop at the first gap, broken handler or unknown type.

    `crossing` is leave to enter another epoch. `line` are the epochs of the producer's present line, once asked:
    facts of others are of a lost branch and are skipped. `park` gives facts (by id) up, each with its reason.

    Handlers do nothing outside the transaction: one that fails among others is run again, with a savepoint of its own.
    """
    tx.clock_in_doubt = subscriptions.is_clock_in_doubt is not None and subscriptions.is_clock_in_doubt()
    if len(batch) > 1:
        try:
            with tx.savepoint():
                return _apply_all(tx, now, source, batch, subscriptions, crossing, line, park, _Together)
        except _OneByOne:
            pass  # Nothing of it happened: a savepoint for each costs too much to be the rule.
    return _apply_all(tx, now, source, batch, subscriptions, crossing, line, park, tx.savepoint)


def _apply_all(
    tx: Transaction,
    now: datetime,
    source: str,
    batch: Sequence[Envelope],
    subscriptions: Subscriptions,
    crossing: Crossing | None,
    line: frozenset[str] | None,
    park: Mapping[str, str] | None,
    guard: Guard,
) -> Applied:
    outcome = Applied(cursor=load_cursor(tx.connection, source))
    known = _known_for(tx.connection, source, outcome.cursor, batch)
    parked_subjects = dead_letters.parked_subjects(tx.connection, source)
    last: Envelope | None = None
    for envelope in batch:
        position = _position(envelope, outcome.cursor, known, crossing, line)
        if position == "gap":
            outcome.gap = envelope
            break
        if position != "copy":
            fact_type = contract_of(envelope.type)
            if fact_type is None:
                outcome.halt = f"{envelope.type} is not known to this release; update this service"
                break
            reason = (park or {}).get(envelope.id) or _behind(envelope, parked_subjects)
            reason = reason or _apply_one(tx, now, envelope, fact_type, subscriptions, outcome, guard)
            if outcome.broken is not None:
                break
            if reason is not None:
                _park(tx, now, envelope, reason, subscriptions)
                parked_subjects.add(envelope.subject)
                outcome.parked.append(envelope)
            if position == "enter":
                _enter(tx, now, source, outcome.cursor, crossing, envelope, subscriptions)
                known.add(envelope.epoch)
            outcome.cursor = Cursor(source, envelope.epoch, envelope.sequence)
            outcome.applied += 1
            outcome.taken.append(envelope)
            last = envelope
        outcome.settled += 1
    if last is not None:
        _move(tx, now, source, last)
    return outcome


def _known_for(connection: sa.Connection, source: str, cursor: Cursor | None, batch: Sequence[Envelope]) -> set[str]:
    """The epochs that were entered, asked for only when a fact of another than the present one comes."""
    if cursor is not None and all(envelope.epoch == cursor.epoch for envelope in batch):
        return {cursor.epoch}
    return {epoch for epoch, _ in load_known_epochs(connection, source)}


def _position(
    envelope: Envelope,
    cursor: Cursor | None,
    known: set[str],
    crossing: Crossing | None,
    line: frozenset[str] | None,
) -> str:
    """`copy`, `next`, `enter` (the next one, in an epoch that is new to us) or `gap`."""
    if cursor is not None and envelope.epoch == cursor.epoch and envelope.sequence <= cursor.sequence:
        return "copy"
    if cursor is not None and envelope.epoch == cursor.epoch and envelope.sequence == cursor.sequence + 1:
        return "next"
    here = (cursor.epoch, cursor.sequence) if cursor is not None else None
    if crossing is not None and here == crossing.at and envelope.number == (crossing.epoch, crossing.after + 1):
        return "enter"
    if line is not None and envelope.epoch not in line:
        return "copy"  # Of a branch that its producer has lost.
    if cursor is not None and envelope.epoch == cursor.epoch:
        return "gap"
    if envelope.epoch in known:
        return "copy"
    return "enter" if _continues(envelope, cursor) else "gap"


def _continues(envelope: Envelope, cursor: Cursor | None) -> bool:
    """The first fact of a life says by itself that it follows what we have."""
    if envelope.sequence != 1 or not envelope.type.endswith(".life.began"):
        return False
    parent = envelope.data.get("parent")
    if cursor is None:
        return parent is None
    return bool(parent == cursor.epoch and envelope.data.get("parent_last") == cursor.sequence)


def _behind(envelope: Envelope, parked_subjects: set[str]) -> str | None:
    return "waits behind a parked fact of its subject" if envelope.subject in parked_subjects else None


def _apply_one(
    tx: Transaction,
    now: datetime,
    envelope: Envelope,
    fact_type: type[Fact],
    subscriptions: Subscriptions,
    outcome: Applied,
    guard: Guard,
) -> str | None:
    """Run the handlers. None when applied; a reason when the fact itself can never be read; else `outcome.broken`."""
    handlers = subscriptions.for_type(envelope.type)
    if not handlers:
        return None
    try:
        fact = fact_type.model_validate(envelope.data)
    except ValidationError as error:
        return f"does not keep its contract: {error.error_count()} faults, first: {error.errors()[0]['msg']}"
    tx.cause = envelope.id
    try:
        with guard():
            for handle in handlers:
                handle(tx, now, fact, envelope)
    except _OneByOne:
        raise
    except Refused as refused:
        if subscriptions.on_refused is not None:
            subscriptions.on_refused(tx, now, fact, envelope, refused)
    except sa.exc.IntegrityError as error:
        outcome.broken = (envelope, f"IntegrityError: {brief(error)}")
    except DATABASE_ERRORS:
        raise  # The database's trouble, not the fact's: the whole batch comes again.
    except Exception as error:  # noqa: BLE001 - whatever a handler breaks with, the fact is counted and then parked
        outcome.broken = (envelope, f"{type(error).__name__}: {error}")
    finally:
        tx.cause = None
    return None


def _park(tx: Transaction, now: datetime, envelope: Envelope, reason: str, subscriptions: Subscriptions) -> None:
    dead_letters.park(tx, now, envelope, reason)
    if subscriptions.on_parked is not None:
        subscriptions.on_parked(tx, now, envelope, reason)


def _enter(
    tx: Transaction,
    now: datetime,
    source: str,
    cursor: Cursor | None,
    crossing: Crossing | None,
    first: Envelope,
    subscriptions: Subscriptions,
) -> None:
    """Leave the present epoch for another; what of it is now a lost branch is written down."""
    if cursor is None:
        tx.execute(sa.insert(cursors).values(source=source, epoch=first.epoch, sequence=0, moved_at=now))
    else:
        is_left = (epochs.c.source == source) & (epochs.c.epoch == cursor.epoch)
        tx.execute(sa.delete(epochs).where(is_left))
        place = tx.execute(sa.select(sa.func.coalesce(sa.func.max(epochs.c.place), 0)).where(epochs.c.source == source))
        tx.execute(
            sa.insert(epochs).values(
                source=source, epoch=cursor.epoch, place=place.scalar_one() + 1, applied_to=cursor.sequence
            )
        )
    for fork in crossing.forks if crossing is not None and crossing.epoch == first.epoch else ():
        _remember_fork(tx, now, source, fork, first.epoch)
        if subscriptions.on_fork is not None:
            subscriptions.on_fork(tx, now, source, fork)


def _remember_fork(tx: Transaction, now: datetime, source: str, fork: Fork, new_epoch: str) -> None:
    same = (forks.c.source == source) & (forks.c.epoch == fork.epoch) & (forks.c.first == fork.first)
    tx.execute(sa.delete(forks).where(same))
    tx.execute(
        sa.insert(forks).values(
            source=source, epoch=fork.epoch, first=fork.first, last=fork.last, new_epoch=new_epoch, seen_at=now
        )
    )


def _move(tx: Transaction, now: datetime, source: str, last: Envelope) -> None:
    tx.execute(
        _MOVE,
        {"of_source": source, "to_epoch": last.epoch, "to_sequence": last.sequence, "to_id": last.id, "now": now},
    )


def step_back(tx: Transaction, _now: datetime, source: str, epoch: str, sequence: int) -> None:
    """The next life of this receiver takes the true fact of this number, unless more was taken after it."""
    is_newest = (cursors.c.source == source) & (cursors.c.epoch == epoch) & (cursors.c.sequence == sequence)
    tx.execute(sa.update(cursors).where(is_newest).values(sequence=sequence - 1, id=None))


@dataclass(frozen=True)
class Fetch:
    """What to ask the feed for next: numbers after `after` of `epoch`, up to `until` (None: as far as there is)."""

    epoch: str
    after: int
    until: int | None
    crossing: Crossing | None = None


def next_fetch(known: Sequence[tuple[str, int]], line: Sequence[Epoch], tail: int) -> Fetch | None:
    """What a receiver lacks, given the epochs it has entered (present one last) and the producer's line and tail.

    None when it stands at the tail. Pure; asked again after each page until it is None.
    """
    if not line:
        return None
    places = {life.epoch: index for index, life in enumerate(line)}
    bounds = [line[index + 1].parent_last for index in range(len(line) - 1)] + [tail]
    if not known:
        return Fetch(line[0].epoch, 0, bounds[0], Crossing(line[0].epoch, 0))
    present, applied = known[-1]
    if present not in places:
        return _after_fork(known, line, places, bounds)
    index = places[present]
    bound = bounds[index] or 0
    if applied < bound:
        return Fetch(present, applied, bound)
    lost = (Fork(present, bound + 1, applied),) if applied > bound else ()
    return _next_life(index + 1, known, line, bounds, lost)


def _next_life(
    index: int,
    known: Sequence[tuple[str, int]],
    line: Sequence[Epoch],
    bounds: Sequence[int | None],
    lost: tuple[Fork, ...],
) -> Fetch | None:
    """The rest of the first life from `index` on of which anything is lacking; None at the end of the line.

    A life may be known already, when its branch was lost for a while and has come back.
    """
    applied = dict(known)
    for place in range(index, len(line)):
        epoch, bound, here = line[place].epoch, bounds[place] or 0, applied.get(line[place].epoch, 0)
        if here < bound or here == 0:
            return Fetch(epoch, here, bounds[place], Crossing(epoch, here, lost))
        lost += (Fork(epoch, bound + 1, here),) if here > bound else ()
    return None


def _after_fork(
    known: Sequence[tuple[str, int]], line: Sequence[Epoch], places: Mapping[str, int], bounds: Sequence[int | None]
) -> Fetch | None:
    """The present epoch is of a lost branch: go back to the newest common one, keep what was applied, and report."""
    lost: list[Fork] = []
    for epoch, applied in reversed(known):
        if epoch not in places:
            if applied > 0:
                lost.append(Fork(epoch, 1, applied))
            continue
        index = places[epoch]
        bound = bounds[index] or 0
        if applied < bound:
            return Fetch(epoch, applied, bound, Crossing(epoch, applied, tuple(lost)))
        if applied > bound:
            lost.append(Fork(epoch, bound + 1, applied))
        return _next_life(index + 1, known, line, bounds, tuple(lost))
    first = line[0].epoch
    return Fetch(first, 0, bounds[0], Crossing(first, 0, tuple(lost)))


def apply_parked(tx: Transaction, now: datetime, envelope: Envelope, subscriptions: Subscriptions) -> None:
    """Apply one parked fact, without moving any cursor. Raises Refused when it still cannot be applied."""
    fact_type = contract_of(envelope.type)
    if fact_type is None:
        raise Refused(f"{envelope.type} is not known to this release; update this service, then replay")
    outcome = Applied()
    reason = _apply_one(tx, now, envelope, fact_type, subscriptions, outcome, tx.savepoint)
    if outcome.broken is not None:
        reason = outcome.broken[1]
    if reason is not None:
        raise Refused(f"{envelope.type} (number {envelope.sequence}) still {reason}")


def count_attempt(
    tx: Transaction,
    _now: datetime,
    envelope: Envelope,
    crossing: Crossing | None = None,
    line: frozenset[str] | None = None,
) -> int:
    """How often this fact was tried, this time included; committed before the attempt, so that a crash loop ends.

    0 when it is not its turn: then it is not tried, and a death meanwhile is not its fault.
    """
    known = {epoch for epoch, _ in load_known_epochs(tx.connection, envelope.source)}
    cursor = load_cursor(tx.connection, envelope.source)
    if _position(envelope, cursor, known, crossing, line) in ("copy", "gap"):
        return 0
    same = (
        (attempts.c.source == envelope.source)
        & (attempts.c.epoch == envelope.epoch)
        & (attempts.c.sequence == envelope.sequence)
    )
    if tx.execute(sa.update(attempts).where(same).values(count=attempts.c.count + 1)).rowcount == 0:
        number = {"source": envelope.source, "epoch": envelope.epoch, "sequence": envelope.sequence}
        tx.execute(sa.insert(attempts).values(**number, count=1))
    count: int = tx.execute(sa.select(attempts.c.count).where(same)).scalar_one()
    return count
