"""What is heard takes effect once and in order, whatever the broker, the handlers and the producer's database do."""

import asyncio
import shutil
import sqlite3
from collections import Counter
from contextlib import suppress

import pytest
import sqlalchemy as sa

import house
from house import House
from softlanding import incidents
from softlanding.contracts.statistics import ServiceBack
from softlanding.database.engine import driver_of
from softlanding.errors import Refused, Unavailable
from softlanding.lifecycle import Service
from softlanding.messaging import dead_letters, inbox, outbox
from softlanding.messaging.envelope import Envelope
from softlanding.messaging.receiver import (
    ACTION_S,
    BATCH_AT_FIRST,
    BATCH_MAX,
    COMPARE_EVERY_S,
    TRIES_MAX,
    next_size,
)

tables = sa.MetaData()
effects = sa.Table(
    "effect",
    tables,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("service", sa.String(80)),
)


class Killed(BaseException):
    """The process ends inside a handler."""


@pytest.fixture
def moods():
    """What the receiver's handler does with a fact about that service: raise this."""
    return {}


@pytest.fixture
def actions():
    """When the action began in which each fact was handled."""
    return []


@pytest.fixture
def pair(tmp_path, monkeypatch, moods, actions):
    """Statistics tells, Dispatch hears."""

    def hear(tx, now, fact, envelope):
        tx.execute(sa.insert(effects).values(service=fact.service))
        actions.append(now)
        mood = moods.get(fact.service)
        if callable(mood):
            mood()
        elif mood is not None:
            raise mood

    def refuse(tx, now, fact, envelope, refusal):
        tx.execute(sa.insert(effects).values(service=f"refused {fact.service}"))

    def bare(name, settings):
        handlers = {"statistics.service.back": hear} if name == "dispatch" else {}
        own = tables if name == "dispatch" else sa.MetaData()
        return Service(name, own, f"softlanding.{name}", handlers, on_refused=refuse)

    monkeypatch.setattr(house, "make_service", bare)
    return House(tmp_path, names=["statistics", "dispatch"])


def tell(pair, *names):
    def action(tx, now):
        for name in names:
            outbox.add(tx, ServiceBack(service=name, life=None, last_heard_at=None, at=now))

    pair["statistics"].database.write_now(action)


def heard(pair):
    def view(connection):
        return list(connection.execute(sa.select(effects.c.service).order_by(effects.c.number)).scalars())

    return pair["dispatch"].database.read_now(view)


def cursor(pair):
    return pair["dispatch"].database.read_now(inbox.load_cursor, "statistics").sequence


def open_kinds(pair):
    found = pair["dispatch"].database.read_now(incidents.list_incidents, is_open=True)
    return sorted(incident.kind for incident in found)


class FullDisk:
    """Has no room for an incident of one kind: the transaction is lost, as SQLite loses it."""

    def __init__(self, work, kind):
        self.is_full, self.refused, self._kind = True, 0, kind
        sa.event.listen(work.database.writer._engine, "before_cursor_execute", self._on_statement)

    def _on_statement(self, connection, _cursor, statement, parameters, *_more):
        if self.is_full and statement.startswith("INSERT INTO incident") and self._kind in parameters:
            self.refused += 1
            driver_of(connection).execute("ROLLBACK")
            raise sqlite3.OperationalError("database or disk is full")


def test_a_gap_is_fetched_from_the_producer(pair):
    tell(pair, "a")
    pair.run()
    pair["statistics"].relay.sent += 1  # The relay believes that it has sent what nobody got.
    tell(pair, "b")
    tell(pair, "c")
    pair.run()
    assert heard(pair) == ["a", "b", "c"]


def test_a_lost_last_fact_is_found_by_the_tail_in_beats(pair):
    tell(pair, "a")
    pair.run()
    tell(pair, "b")
    pair["statistics"].relay.sent += 1
    pair["dispatch"].receivers["statistics"].needs_repair = False
    for _ in range(3):
        pair.clock.advance(1)
        pair.run()
    assert heard(pair) == ["a", "b"]


def test_the_broker_may_lose_everything(pair):
    tell(pair, "a")
    pair.run()
    pair.broker.lose_disk()
    tell(pair, "b")
    pair.run()
    assert heard(pair) == ["a", "b"]


def test_facts_that_take_long_share_an_action_with_few_others(pair, moods, actions):
    moods["slow"] = lambda: pair.clock.advance(0.02)
    tell(pair, *["slow"] * 100)
    pair.run()
    assert heard(pair) == ["slow"] * 100
    together = Counter(actions).values()
    assert max(together) <= BATCH_AT_FIRST
    assert max(list(together)[1:]) * 0.02 <= ACTION_S


def test_the_next_action_is_as_large_as_the_last_ones_pace_allows():
    assert next_size(size=64, applied=64, took_s=0.4) == 16
    assert next_size(size=64, applied=64, took_s=0.001) == 128
    assert next_size(size=256, applied=256, took_s=0.001) == BATCH_MAX
    assert next_size(size=64, applied=3, took_s=0.003) == 64
    assert next_size(size=8, applied=1, took_s=5.0) == 1


def test_a_refusal_is_an_answer_and_undoes_what_the_handler_did(pair, moods):
    moods["b"] = Refused("never")
    tell(pair, "a", "b", "c")
    pair.run()
    assert heard(pair) == ["a", "refused b", "c"]
    assert pair["dispatch"].database.read_now(dead_letters.list_parked) == []


def test_a_fact_that_breaks_is_parked_with_its_subject_and_the_rest_flows_on(pair, moods):
    moods["b"] = ValueError("broken")
    tell(pair, "a", "b", "c")
    tell(pair, "b")
    for _ in range(TRIES_MAX + 1):
        pair.run()
    assert heard(pair) == ["a", "c"]
    parked = pair["dispatch"].database.read_now(dead_letters.list_parked)
    assert [letter.subject for letter in parked] == ["service/b", "service/b"]
    assert "broke 3 times: ValueError: broken" in parked[0].reason
    assert "poison" in open_kinds(pair)
    assert pair["dispatch"].receivers["statistics"].receipt().parked == (3, 5)


def test_parked_facts_are_replayed_in_order_in_the_transaction_that_frees_the_subject(pair, moods):
    moods["b"] = ValueError("broken")
    tell(pair, "b", "b")
    for _ in range(TRIES_MAX + 1):
        pair.run()
    work = pair["dispatch"]
    with pytest.raises(Refused):
        work.database.write_now(work.replay_action, "service/b", "Olga")
    assert len(work.database.read_now(dead_letters.list_parked)) == 2
    moods.clear()
    work.database.write_now(work.replay_action, "service/b", "Olga")
    assert heard(pair) == ["b", "b"]
    assert work.database.read_now(dead_letters.list_parked) == []


def test_three_broken_subjects_within_a_minute_stop_the_inbox_loudly(pair, moods):
    for name in "abcd":
        moods[name] = ValueError("broken")
    tell(pair, "a", "b", "c", "d", "e")
    for _ in range(12):
        pair.run()
    receiver = pair["dispatch"].receivers["statistics"]
    assert "the code is broken" in receiver.halted
    assert heard(pair) == []
    assert cursor(pair) == 4  # life.began, a, b, c: d waits with its number.
    assert "halted" in open_kinds(pair)


def test_a_halt_that_a_full_disk_keeps_from_being_told_is_told_when_there_is_room(pair, moods):
    for name in ("a", "b", "c", "d"):
        moods[name] = ValueError("broken")
    disk = FullDisk(pair["dispatch"], "halted")
    tell(pair, "a", "b", "c", "d")
    receiver = pair["dispatch"].receivers["statistics"]
    for _ in range(8):
        with suppress(Unavailable):
            pair.run(1)
    assert disk.refused > 1, "each step tries again"
    assert receiver.halted is None
    assert receiver.receipt().halted is None
    assert "halted" not in open_kinds(pair)
    stood_at = cursor(pair)
    disk.is_full = False
    pair.run()
    assert "the code is broken" in receiver.halted
    assert "halted" in open_kinds(pair)
    assert cursor(pair) == stood_at, "nothing was applied meanwhile"


def test_an_unknown_type_stops_the_inbox_without_moving_the_cursor(pair):
    tell(pair, "a")

    class Unknown(ServiceBack):
        TYPE = "service.from_the_future"

    pair["statistics"].database.write_now(
        lambda tx, now: outbox.add(tx, Unknown(service="x", life=None, last_heard_at=None, at=now))
    )
    tell(pair, "b")
    pair.run()
    assert heard(pair) == ["a"]
    assert "not known to this release" in pair["dispatch"].receivers["statistics"].halted
    assert cursor(pair) == 2


def test_a_fact_that_kills_the_process_ends_up_parked(pair, moods):
    moods["b"] = Killed()
    tell(pair, "a", "b", "c")
    for _ in range(TRIES_MAX + 2):
        try:
            pair.run()
        except Killed:
            pair.kill("dispatch")
            pair.start("dispatch")
    pair.run()
    assert heard(pair) == ["a", "c"]
    assert "ended the process 3 times" in pair["dispatch"].database.read_now(dead_letters.list_parked)[0].reason


def test_a_fact_that_waits_for_its_turn_is_not_blamed_for_deaths(pair):
    """Found by kill -9 under load: the first fact of a life, behind a gap in four lives of its receiver, was parked."""
    tell(pair, "a")
    pair.run()
    tell(pair, "b")
    pair["statistics"].relay.sent += 1  # Lost on the way, so that what follows waits behind a gap.
    tell(pair, "c")
    asyncio.run(pair["statistics"].relay.step())
    producer = pair.works.pop("statistics")  # Its feed does not answer: the gap stays.
    for _ in range(TRIES_MAX + 2):
        pair.kill("dispatch")
        pair.start("dispatch")
        pair.run()
    pair.works["statistics"] = producer
    pair.run()
    assert pair["dispatch"].database.read_now(dead_letters.list_parked) == []
    assert heard(pair) == ["a", "b", "c"]


def test_both_ways_trying_a_fact_count_it_once_a_life(pair):
    tell(pair, "a")
    pair.run()
    pair.kill("dispatch")
    receiver = pair.start("dispatch").receivers["statistics"]
    tell(pair, "b")

    async def both_ways():
        await pair["statistics"].relay.step()
        await asyncio.gather(receiver.repair(), receiver.listen())

    asyncio.run(both_ways())

    def most(connection):
        return connection.execute(sa.select(sa.func.max(inbox.attempts.c.count))).scalar()

    assert pair["dispatch"].database.read_now(most) == 1


def test_a_database_copied_back_is_seen_and_reported_and_no_number_is_swallowed(pair, tmp_path):
    tell(pair, "a")
    pair.run()
    pair.kill("statistics")
    shutil.copy(tmp_path / "statistics.db", tmp_path / "yesterday.db")
    pair.start("statistics")
    tell(pair, "b", "c")
    pair.run()
    pair.kill("statistics")
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"statistics.db{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "yesterday.db", tmp_path / "statistics.db")
    pair.start("statistics")
    tell(pair, "d")
    pair.run()
    assert heard(pair) == ["a", "b", "c", "d"]
    found = pair["dispatch"].database.read_now(incidents.list_incidents, is_open=True)
    fork = next(incident for incident in found if incident.kind == "fork")
    assert "5 facts (1 to 5" in fork.sentence  # life.began, the death before it and its end, b and c.


def test_the_same_facts_by_both_ways_at_once_take_effect_once(pair):
    tell(pair, "a", "b")
    receiver = pair["dispatch"].receivers["statistics"]

    async def both():
        await pair["statistics"].relay.step()
        receiver.needs_repair = True
        await receiver.repair()
        while await receiver.listen():
            pass

    asyncio.run(both())
    assert heard(pair) == ["a", "b"]


def forged(pair, ahead, name):
    """A fact that somebody with access to the broker tells in the name of Statistics."""
    epoch, number = pair["statistics"].life.epoch, pair["statistics"].database.last_number
    (true,) = pair["statistics"].database.read_now(outbox.feed_page, epoch, number - 1, 1)
    data = true.data | {"service": name}
    values = {field: getattr(true, field) for field in Envelope.__slots__}
    false = Envelope(**values | {"id": pair.ids.new(), "sequence": number + ahead, "data": data})
    pair.broker.put("statistics", false.to_json())


def open_sentences(pair):
    return [found.sentence for found in pair["dispatch"].database.read_now(incidents.list_incidents, is_open=True)]


def test_a_second_fact_under_a_number_that_was_taken_is_not_taken_and_told(pair):
    tell(pair, "true")
    pair.run()
    forged(pair, 0, "false")
    pair.run()
    tell(pair, "after")
    pair.run()
    assert heard(pair) == ["true", "after"]
    assert pair["dispatch"].receivers["statistics"].halted is None
    assert any("second fact came under number" in sentence for sentence in open_sentences(pair))


def test_a_forged_fact_that_came_first_stops_the_inbox_as_soon_as_the_true_one_comes(pair):
    tell(pair, "true")
    pair.run()
    forged(pair, 1, "false")
    pair.run()
    tell(pair, "swallowed")  # Under the number that the false one has taken.
    pair.run()
    tell(pair, "after")
    pair.run()
    assert "after" not in heard(pair)
    assert "is not what its producer told" in pair["dispatch"].receivers["statistics"].halted
    assert open_kinds(pair) == ["halted"]
    pair.kill("dispatch")
    pair.start("dispatch")
    pair.run()
    assert heard(pair) == ["true", "false", "swallowed", "after"]
    assert pair["dispatch"].receivers["statistics"].halted is None


def test_a_forged_fact_is_found_though_its_producer_says_nothing_more(pair):
    tell(pair, "true")
    pair.run()
    forged(pair, 1, "false")
    pair.run()
    pair.clock.advance(COMPARE_EVERY_S + 1)
    pair.run()
    assert "is not what its producer told" in pair["dispatch"].receivers["statistics"].halted


def test_a_forged_fact_is_found_at_the_next_start(pair):
    tell(pair, "true")
    pair.run()
    forged(pair, 1, "false")
    pair["dispatch"].receivers["statistics"]._compare_at = float("inf")
    pair.run()
    pair.kill("dispatch")
    pair.start("dispatch")
    pair.run()
    assert "is not what its producer told" in pair["dispatch"].receivers["statistics"].halted
