"""One suite over SQLite and PostgreSQL: the writer, its groups, its lease, and what the readers see."""

import asyncio
import random
import threading
import traceback

import pytest
import sqlalchemy as sa

import postgresql
from softlanding.clock import SystemClock
from softlanding.contracts.statistics import ServiceBack
from softlanding.database import (
    DirectDatabase,
    HoldLock,
    LeaseState,
    ThreadedDatabase,
    Work,
    Writer,
    begin_life,
    look_at_lease,
    make_engine,
    shared,
    writer_engine,
)
from softlanding.database.lease import RETAKEN_WITHIN_S
from softlanding.errors import Fenced, Refused, Unavailable
from softlanding.ids import RandomIds
from softlanding.messaging import outbox
from waiting import wait_until

CLOCK = SystemClock()
IDS = RandomIds(CLOCK, random.Random(1))
tables = sa.MetaData()
notes = sa.Table("note", tables, sa.Column("text", sa.String(100), primary_key=True))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/test.db" if request.param == "sqlite" else postgresql.fresh_database()


@pytest.fixture
def engine(url):
    engine = make_engine(url)
    shared.create_all(engine)
    tables.create_all(engine)
    yield engine
    engine.dispose()


def a_life(url, seen=None):
    life, number = begin_life(
        writer_engine(url), CLOCK.now(), IDS.new(), seen, outbox.numbering("test"), last_end=None,
        announce=lambda life: [outbox.tell_first(IDS, a_fact(life.epoch))],
    )  # fmt: skip
    writer = Writer(writer_engine(url), life.epoch, CLOCK, IDS, outbox.numbering("test"))
    writer.last_number = number
    return writer


def a_fact(service="x"):
    return ServiceBack(service=service, life=None, last_heard_at=None, at=CLOCK.now())


def keep(tx, now, text, tell=True):
    tx.execute(sa.insert(notes).values(text=text))
    if tell:
        outbox.add(tx, a_fact(text))
    return text


def texts(connection):
    return sorted(connection.execute(sa.select(notes.c.text)).scalars())


def sequences(connection, epoch):
    return [e.sequence for e in outbox.load_after(connection, epoch, 0, 500)]


def test_change_and_fact_commit_together_and_numbers_are_contiguous(url, engine):
    database = DirectDatabase(engine, a_life(url))
    for text in "abc":
        database.write_now(keep, text)
    assert database.read_now(texts) == ["a", "b", "c"]
    assert database.read_now(sequences, database.life) == [1, 2, 3, 4]
    assert database.read_now(outbox.last_number) == (database.life, 4)


def test_one_failing_action_leaves_the_others_of_its_group(url, engine):
    writer = a_life(url)

    def refuse(tx, now):
        keep(tx, now, "half")
        raise Refused("no")

    group = [Work(keep, ("a",), {}), Work(refuse, (), {}), Work(keep, ("a",), {}), Work(keep, ("b",), {})]
    writer.run_group(group)
    assert [type(work.error).__name__ for work in group] == ["NoneType", "Refused", "IntegrityError", "NoneType"]
    database = DirectDatabase(engine, writer)
    assert database.read_now(texts) == ["a", "b"]
    assert database.read_now(sequences, writer.life) == [1, 2, 3]


def test_an_inner_step_that_fails_leaves_nothing_and_the_action_goes_on(url, engine):
    def careful(tx, now):
        keep(tx, now, "before")
        try:
            with tx.savepoint():
                keep(tx, now, "inner")
                raise ValueError
        except ValueError:
            keep(tx, now, "after")

    database = DirectDatabase(engine, a_life(url))
    database.write_now(careful)
    assert database.read_now(texts) == ["after", "before"]
    assert database.read_now(sequences, database.life) == [1, 2, 3]


def test_who_lost_the_lease_writes_nothing_more(url, engine):
    old = a_life(url)
    with engine.connect() as connection:
        seen = look_at_lease(connection)
    new = a_life(url, seen)
    group = [Work(keep, ("late",), {})]
    with pytest.raises(Fenced):
        old.run_group(group)
    assert isinstance(group[0].error, Unavailable)
    database = DirectDatabase(engine, new)
    assert database.read_now(texts) == []


def test_the_lease_is_taken_only_as_it_was_seen(url, engine):
    writer = a_life(url)
    DirectDatabase(engine, writer).write_now(keep, "a")
    stale = LeaseState(writer.life, 0, 1)
    taken = begin_life(
        writer_engine(url), CLOCK.now(), IDS.new(), stale, outbox.numbering("test"), last_end=None, announce=list
    )
    assert taken is None
    DirectDatabase(engine, writer).write_now(keep, "b")


def test_of_many_standbys_one_takes_over(url, engine):
    a_life(url)
    with engine.connect() as connection:
        seen = look_at_lease(connection)
    taken = []

    def stand_by():
        try:
            taken.append(
                begin_life(
                    writer_engine(url),
                    CLOCK.now(),
                    IDS.new(),
                    seen,
                    outbox.numbering("test"),
                    last_end=None,
                    announce=lambda life: [outbox.tell_first(IDS, a_fact())],
                )
            )
        except sa.exc.OperationalError:
            taken.append(None)

    threads = [threading.Thread(target=stand_by) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([life for life in taken if life]) == 1


def test_a_database_that_went_back_ends_the_process(url, engine):
    writer = a_life(url)
    DirectDatabase(engine, writer).write_now(keep, "a")
    with engine.connect() as connection, connection.begin():
        connection.execute(sa.text("UPDATE lease SET last_number = 1"))
    with pytest.raises(Fenced, match="stands at fact 1"):
        writer.run_group([Work(keep, ("b",), {})])


def test_the_lock_of_a_life_is_free_only_when_its_holder_is_gone(url, engine):
    holder, newcomer = HoldLock(engine), HoldLock(make_engine(url))
    holder.hold("life-1")
    assert not newcomer.is_free("life-1")
    # A lock that nobody holds says so once PostgreSQL has been up for a while: its restart frees all (ADR 13).
    wait_until(lambda: newcomer.is_free("life-2"), RETAKEN_WITHIN_S + 10, "free")
    holder.release()
    wait_until(lambda: newcomer.is_free("life-1"), what="free")  # PostgreSQL hears a moment later that we hung up.


def test_doors_wait_together_and_readers_do_not_wait(url, engine):
    async def scene():
        database = ThreadedDatabase(engine, a_life(url))
        gate = threading.Event()

        def slow(tx, now):
            keep(tx, now, "slow")
            assert gate.wait(10)

        blocked = asyncio.create_task(database.write(slow))
        waiting = [asyncio.create_task(database.write(keep, f"n{i:03}")) for i in range(100)]
        for _ in range(20):
            assert await database.read(texts) == []  # The writer holds its transaction open meanwhile.
        gate.set()
        await blocked
        await asyncio.gather(*waiting)
        kept = await database.read(texts)
        numbers = await database.read(sequences, database.life)
        await asyncio.to_thread(database.close)
        return kept, numbers

    kept, numbers = asyncio.run(scene())
    assert len(kept) == 101
    assert numbers == list(range(1, 103))


def test_nobody_is_answered_before_the_commit(url, engine):
    async def scene():
        database = ThreadedDatabase(engine, a_life(url))
        for number in range(20):
            await database.write(keep, f"n{number:02}")
            assert len(await database.read(texts)) == number + 1
        await asyncio.to_thread(database.close)

    asyncio.run(scene())


def test_a_connection_that_dies_gives_503_and_the_next_action_works(url, engine):
    database = DirectDatabase(engine, a_life(url))
    if engine.dialect.name == "postgresql":

        def cut(tx, now):
            keep(tx, now, "half")
            pid = tx.execute(sa.text("SELECT pg_backend_pid()")).scalar_one()
            postgresql.psql(url, f"SELECT pg_terminate_backend({pid})")
            keep(tx, now, "other half")
    else:

        def cut(tx, now):
            keep(tx, now, "half")
            tx.connection.connection.driver_connection.rollback()  # As SQLite does by itself on a full disk.
            raise sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full"))

    with pytest.raises(Unavailable):
        database.write_now(cut)
    database.write_now(keep, "whole")
    assert database.read_now(texts) == ["whole"]
    assert database.read_now(sequences, database.life) == [1, 2]


def test_a_full_disk_refuses_and_recovers_without_a_restart(tmp_path):
    url = f"sqlite:///{tmp_path}/full.db"
    engine = make_engine(url)
    shared.create_all(engine)
    tables.create_all(engine)
    writer = a_life(url)
    database = DirectDatabase(engine, writer)
    database.write_now(keep, "first")
    pages = writer._connection.exec_driver_sql("PRAGMA page_count").scalar()
    writer._connection.rollback()
    writer._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    writer._connection.rollback()

    def much(tx, now):
        for number in range(2000):
            tx.execute(sa.insert(notes).values(text=f"{number:0>90}"))

    group = [Work(keep, ("beside",), {}), Work(much, (), {}), Work(keep, ("after",), {})]
    writer.run_group(group)
    assert all(isinstance(work.error, Unavailable) for work in group)
    assert database.read_now(texts) == ["first"]
    database.write_now(keep, "room again")  # A new connection has no page limit: the disk has room.
    assert database.read_now(texts) == ["first", "room again"]


@pytest.mark.parametrize("make", [make_engine, writer_engine])
def test_what_a_statement_failed_with_says_no_value(engine, url, make):
    phone = "+49 170 SECRETPHONE"
    failing = make(url)
    said = []
    for statement in (
        "INSERT INTO note VALUES (:phone)",  # Twice: a key that is there.
        "INSERT INTO note VALUES (:phone)",
        "INSERT INTO nothing VALUES (:phone)",
        "SELECT CAST(:phone AS INTEGER) FROM note",
    ):
        try:
            with failing.begin() as connection:
                connection.execute(sa.text(statement), {"phone": phone})
        except sa.exc.DBAPIError as error:
            said.append("".join(traceback.format_exception(error)))
    failing.dispose()
    assert len(said) >= 2
    assert [text for text in said if "SECRETPHONE" in text] == []
    assert all("note" in text or "nothing" in text for text in said)
