"""Migrations: they make what the code's tables ask for, may run twice and side by side, and refuse what is newer."""

import threading

import pytest
import sqlalchemy as sa

import postgresql
import softlanding.web  # noqa: F401 - whoever serves pages has all common tables
from house import settings_for
from softlanding.app.life import COMMON_MIGRATIONS, make_service, migrations_of
from softlanding.database import make_engine, shared, writer_engine
from softlanding.database.revisions import differences, pending
from softlanding.database.schema import migrate
from softlanding.errors import Refused

COMMON = [COMMON_MIGRATIONS]
NEWEST = ["pre_common_0005"]


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


def test_a_newer_database_is_refused_in_words_that_name_both(url):
    engine = writer_engine(url)
    migrate(engine, COMMON)
    with make_engine(url).connect() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'pre_common_0099'"))
        connection.commit()
    with pytest.raises(Refused, match=r"pre_common_0099.*pre_common_0005.*newer release"):
        migrate(engine, COMMON)
