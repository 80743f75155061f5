"""Migrations: they make what the code's tables ask for, may run twice and side by side, and refuse what is newer."""

import threading

import pytest
import sqlalchemy as sa

import postgresql
import softlanding.web  # noqa: F401 - whoever serves pages has all common tables
from clocks import NOON
from house import settings_for
from softlanding.app.life import COMMON_MIGRATIONS, make_service, migrations_of
from softlanding.database import EngineOptions, make_engine, revisions, shared, writer_engine
from softlanding.database.engine import exclusively, take_its_time
from softlanding.database.revisions import differences, pending
from softlanding.database.schema import migrate
from softlanding.errors import Refused
from waiting import wait_until

COMMON = [COMMON_MIGRATIONS]
NEWEST = ["pre_common_0007"]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    return f"sqlite:///{tmp_path}/test.db" if request.param == "sqlite" else postgresql.fresh_database()


def test_migrations_make_the_tables_of_the_code(url):
    engine = writer_engine(url)
    assert migrate(engine, COMMON) == NEWEST
    assert migrate(engine, COMMON, "post") == ["post_common_0001"]
    assert differences(engine, COMMON, [shared]) == []
    assert pending(engine, COMMON) == []


@pytest.mark.parametrize("name", ["schedule", "dispatch", "statistics"])
def test_a_services_migrations_make_its_tables(url, name, tmp_path):
    service = make_service(name, settings_for(tmp_path))
    engine, packages = writer_engine(url), migrations_of(service)
    assert any(revision.startswith(f"pre_{name}_") for revision in migrate(engine, packages))
    migrate(engine, packages, "post")
    assert differences(engine, packages, [shared, service.tables]) == []


def test_statistics_forgets_what_it_kept_of_staff_beside_their_names(url, tmp_path):
    service = make_service("statistics", settings_for(tmp_path))
    engine, packages = writer_engine(url), migrations_of(service)
    migrate(engine, packages)
    of_person = {"person": "p", "name": "Cleo", "email": "cleo@example.org", "phone": "+49 1", "roles": "[]"}
    of_fact = {"source": "schedule", "epoch": "e", "subject": "s", "data": '{"name": "Badges of Cleo", "token": "t"}'}
    of_fact |= dict.fromkeys(("happened_at", "told_at", "applied_at"), NOON)
    with engine.begin() as connection:
        connection.execute(sa.insert(shared.tables["person"]).values(revision=1, **of_person))
        for number, kind in enumerate(("schedule.token.granted", "schedule.release.published"), 1):
            fact = of_fact | {"id": kind, "sequence": number, "type": kind}
            connection.execute(sa.insert(service.tables.tables["fact"]).values(**fact))
        connection.execute(
            sa.text("UPDATE alembic_version SET version_num = 'pre_statistics_0003' WHERE version_num LIKE 'pre_stat%'")
        )
    assert migrate(engine, packages) == ["pre_statistics_0004"]
    with engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT name, email, phone FROM person")).one()
        facts = dict(connection.execute(sa.text("SELECT type, data FROM fact")).all())
    assert tuple(kept) == ("Cleo", "", "")
    assert facts["schedule.token.granted"] == '{"token": "t"}'
    assert "Badges of Cleo" in facts["schedule.release.published"]


def test_they_may_run_twice(url):
    engine = writer_engine(url)
    migrate(engine, COMMON)
    assert migrate(engine, COMMON) == []


def test_of_two_processes_at_once_one_migrates_and_the_other_waits(url):
    applied = []
    threads = [threading.Thread(target=lambda: applied.append(migrate(writer_engine(url), COMMON))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [[], NEWEST]


def set_versions(url, *versions):
    with make_engine(url).connect() as connection:
        connection.execute(sa.text("DELETE FROM alembic_version"))
        for version in versions:
            connection.execute(sa.text(f"INSERT INTO alembic_version VALUES ('{version}')"))
        connection.commit()


def test_a_database_from_which_a_newer_release_removed_is_refused_in_words_that_name_both(url):
    engine = writer_engine(url)
    migrate(engine, COMMON)
    set_versions(url, "pre_common_0099", "post_common_0099")
    with pytest.raises(Refused, match=r"post_common_0099.*pre_common_0007.*newer release"):
        migrate(engine, COMMON)


def test_what_a_newer_release_only_added_to_is_good_for_this_one(url):
    engine = writer_engine(url)
    migrate(engine, COMMON)
    set_versions(url, "pre_common_0099")
    assert migrate(engine, COMMON) == []


def test_another_services_database_is_refused_and_named(url, tmp_path):
    schedule, dispatch = (make_service(name, settings_for(tmp_path)) for name in ("schedule", "dispatch"))
    migrate(writer_engine(url), migrations_of(schedule))
    with pytest.raises(Refused, match=r"the database is Schedule's .*give each service its own"):
        migrate(writer_engine(url), migrations_of(dispatch))


def test_on_postgresql_a_migration_outlasts_the_limits_of_work_and_keeps_its_lock():
    """Its time limits are set to none: a server's default, or the writer's, would end it and let a second one begin."""
    url = postgresql.fresh_database()
    engine = writer_engine(url)
    limits = ("statement_timeout", "idle_in_transaction_session_timeout", "lock_timeout")
    with exclusively(engine, "migrations"):
        [holder] = activity(url, "state, pid", "query LIKE '%pg_advisory_lock%'")
        assert holder.state == "idle", "not idle in a transaction, which the server would end"
    with revisions._alembic(engine, COMMON) as (_config, _script, connection):
        assert [connection.execute(sa.text(f"SHOW {limit}")).scalar() for limit in limits] == ["0", "0", "0"]


def test_a_migration_waits_for_a_table_that_somebody_holds(monkeypatch):
    """On a database whose own limits are short: those that were set for the writer must not hold for migrations."""
    url = postgresql.fresh_database()
    engine = writer_engine(url, EngineOptions(statement_timeout_s=1))
    migrate(engine, COMMON)
    holder = make_engine(url).connect()
    take_its_time(holder)
    holder.execute(sa.text("LOCK TABLE conference IN ACCESS EXCLUSIVE MODE"))
    done = []
    monkeypatch.setattr(revisions, "upgrade", alter_conference)
    set_versions(url, "pre_common_0001")
    waiting = threading.Thread(target=lambda: done.append(migrate(engine, COMMON)))
    waiting.start()
    wait_until(
        lambda: activity(url, "pid", "wait_event_type = 'Lock' AND query LIKE 'ALTER%' AND now() - query_start > '2s'")
    )
    assert done == []
    holder.rollback()
    waiting.join(20)
    assert done == [["altered"]]


def alter_conference(engine, packages, _stage):
    with revisions._alembic(engine, packages) as (_config, _script, connection):
        connection.execute(sa.text("ALTER TABLE conference ADD COLUMN more integer"))
        connection.commit()
        return ["altered"]


def activity(url, what, where):
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    query = f"SELECT {what} FROM pg_stat_activity WHERE {others} AND {where}"
    with make_engine(url).connect() as connection:
        return connection.execute(sa.text(query)).all()


def test_the_cause_of_a_failed_migration_is_what_is_shown(monkeypatch):
    """Not that the lock could not be given back on a connection that is gone."""
    url = postgresql.fresh_database()
    engine = writer_engine(url)

    def break_down(engine, _packages, _stage):
        with make_engine(url).connect() as connection:
            others = "pid <> pg_backend_pid() AND datname = current_database()"
            connection.execute(sa.text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))
        raise ZeroDivisionError("the cause")

    monkeypatch.setattr(revisions, "upgrade", break_down)
    with pytest.raises(ZeroDivisionError, match="the cause"):
        migrate(engine, COMMON)


def test_a_row_of_the_trail_cannot_be_changed_or_removed_by_anybody(url):
    engine = make_engine(url)
    migrate(engine, COMMON)
    row = "'1', '2026-01-01T00:00:00.000000Z', 'person/x', '', 'person.add', '', '', 'done', '', 1"
    with engine.begin() as connection:
        connection.execute(sa.text(f"INSERT INTO audit VALUES ({row})"))
    acts = ["UPDATE audit SET who = 'y'", "DELETE FROM audit"]
    for act in acts + ["TRUNCATE audit"] * (engine.dialect.name == "postgresql"):
        with pytest.raises(sa.exc.DatabaseError, match="stay as they are"), engine.begin() as connection:
            connection.execute(sa.text(act))
    engine.dispose()
