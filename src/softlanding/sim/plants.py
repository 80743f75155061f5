"""Faults planted in our own code, one at a time: whoever checks must be able to fail.

Each plant is a context in which one promise is broken; `tests/sim` plays seeds until the checkers have caught it.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from softlanding import keys
from softlanding.database import Life, Transaction, Writer, begin_life, lease
from softlanding.database import writer as writers
from softlanding.incidents import incidents
from softlanding.lifecycle import deaths, work
from softlanding.messaging import inbox, outbox
from softlanding.messaging.bus import BATCH_MAX, BusDown
from softlanding.messaging.receiver import Receiver
from softlanding.sim.world import World

Plant = Callable[[World], AbstractContextManager[None]]


@contextlib.contextmanager
def _replaced(owner: Any, name: str, other: Any) -> Iterator[None]:
    original = getattr(owner, name)
    setattr(owner, name, other)
    try:
        yield
    finally:
        setattr(owner, name, original)


def publish_before_commit(world: World) -> AbstractContextManager[None]:
    """Facts leave for the broker while their change may still be rolled back."""
    commit = Writer._commit

    def publish_and_commit(self: Writer, connection: sa.Connection) -> None:
        facts = outbox.load_after(connection, self.life, self.last_number, BATCH_MAX)
        if facts:
            with contextlib.suppress(BusDown):
                source = facts[0].source
                world.broker.store(source, source, [fact.to_json() for fact in facts])
        commit(self, connection)

    return _replaced(Writer, "_commit", publish_and_commit)


def acknowledge_before_commit(_world: World) -> AbstractContextManager[None]:
    """The broker may forget what was received, before it was applied."""
    listen = Receiver.listen

    async def acknowledge_and_listen(self: Receiver) -> bool:
        if not self._held and not self.halted:
            self._held = await self.bus.receive(self.source, limit=BATCH_MAX, wait_s=0)
            if self._held:
                await self.bus.acknowledge(self.source, self._held)
        return await listen(self)

    return _replaced(Receiver, "listen", acknowledge_and_listen)


def answer_before_commit(_world: World) -> AbstractContextManager[None]:
    """Whoever asked is told that it is done; the commit comes with the next group."""
    begin = Writer._begin
    late: set[int] = set()

    def commit_later(self: Writer, _connection: sa.Connection) -> None:
        late.add(id(self))

    def commit_and_begin(self: Writer) -> sa.Connection:
        if id(self) in late and self._connection is not None:
            self._connection.commit()
        late.discard(id(self))
        return begin(self)

    @contextlib.contextmanager
    def both() -> Iterator[None]:
        with _replaced(Writer, "_commit", commit_later), _replaced(Writer, "_begin", commit_and_begin):
            yield

    return both()


def no_cursor_check(_world: World) -> AbstractContextManager[None]:
    """A copy is taken for the next fact."""
    position = inbox._position

    def never_copy(*args: Any) -> str:
        found = position(*args)
        return "next" if found == "copy" else found

    return _replaced(inbox, "_position", never_copy)


def cursor_moved_without_apply(_world: World) -> AbstractContextManager[None]:
    """Every ninth fact is passed over."""
    apply_one = inbox._apply_one

    def apply_most(tx: Transaction, now: datetime, envelope: Any, *rest: Any) -> str | None:
        return None if envelope.sequence % 9 == 0 else apply_one(tx, now, envelope, *rest)

    return _replaced(inbox, "_apply_one", apply_most)


def facts_kept_after_refused(_world: World) -> AbstractContextManager[None]:
    """What a refused action told is told all the same."""
    run = Writer._run
    made: list[Transaction] = []

    def make(*args: Any) -> Transaction:
        made.append(Transaction(*args))
        return made[-1]

    def run_and_keep(self: Writer, connection: sa.Connection, works: Sequence[Any]) -> list[Any]:
        made.clear()
        run(self, connection, works)
        return [fact for tx in made for fact in tx.told]

    @contextlib.contextmanager
    def both() -> Iterator[None]:
        with _replaced(writers, "Transaction", make), _replaced(Writer, "_run", run_and_keep):
            yield

    return both()


def epoch_kept_at_start(_world: World) -> AbstractContextManager[None]:
    """A new life goes on with the numbers of the one before."""

    def go_on(
        engine: sa.Engine, now: datetime, epoch: str, seen: Any, numbering: Any, **kw: Any
    ) -> tuple[Life, int] | None:
        if seen is None:
            return begin_life(engine, now, epoch, seen, numbering, **kw)
        with engine.connect() as connection, connection.begin():
            connection.execute(sa.update(lease).values(beat=lease.c.beat + 1))
        return Life(seen.token, None, None, True, now, None), seen.last_number

    return _replaced(work, "begin_life", go_on)


def fence_dropped(_world: World) -> AbstractContextManager[None]:
    """Whoever once had the lease writes on."""

    def begin(self: Writer) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        self._connection.begin()
        self._connection.execute(sa.update(lease).values(beat=lease.c.beat + 1))
        return self._connection

    return _replaced(Writer, "_begin", begin)


def expiry_left_to_the_broker(world: World) -> AbstractContextManager[None]:
    """Nobody looks at deadlines: what is too late is not delivered, and that is all."""
    make, store = world.ground.make, world.broker.store

    def without_deadlines(*args: Any) -> Any:
        service = make(*args)
        timers = tuple(timer for timer in service.timers if not timer.is_deadline)
        return replace(service, timers=timers, at_start=())

    def store_what_is_fresh(service: str, source: str, bodies: Sequence[bytes]) -> None:
        now = world.time.wall.isoformat()
        store(service, source, [body for body in bodies if _expiry(body) > now])

    @contextlib.contextmanager
    def both() -> Iterator[None]:
        with _replaced(world.ground, "make", without_deadlines), _replaced(world.broker, "store", store_what_is_fresh):
            yield

    return both()


def _expiry(body: bytes) -> str:
    _, found, rest = body.decode().partition('"expirytime":"')
    return rest.partition('"')[0] if found else "9999"


def recovery_closes_the_incident(_world: World) -> AbstractContextManager[None]:
    """Who is back is forgiven."""
    note_back = deaths._note_back

    def note_and_settle(tx: Transaction, now: datetime, watcher: str, change: Any) -> None:
        note_back(tx, now, watcher, change)
        about = (incidents.c.about == f"service/{change.service}") & incidents.c.settled_at.is_(None)
        tx.execute(sa.update(incidents).where(about).values(settled_at=now, settled_by="recovery"))

    return _replaced(deaths, "_note_back", note_and_settle)


def death_told_twice(_world: World) -> AbstractContextManager[None]:
    """The silence before a death is to be settled beside it."""
    return _replaced(deaths, "_merge_silences", lambda _tx, _now, _service: None)


def no_key_at_the_door(_world: World) -> AbstractContextManager[None]:
    """The same request again is another request."""

    def at_once(tx: Transaction, now: datetime, _key: keys.Key, action: Any, *args: Any, **kw: Any) -> Any:
        return action(tx, now, *args, **kw)

    return _replaced(keys, "once", at_once)


PLANTS: dict[str, Plant] = {
    plant.__name__.replace("_", "-"): plant
    for plant in (
        publish_before_commit,
        acknowledge_before_commit,
        answer_before_commit,
        no_cursor_check,
        cursor_moved_without_apply,
        facts_kept_after_refused,
        epoch_kept_at_start,
        fence_dropped,
        expiry_left_to_the_broker,
        recovery_closes_the_incident,
        death_told_twice,
        no_key_at_the_door,
    )
}
