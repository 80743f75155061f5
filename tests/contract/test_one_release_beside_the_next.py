"""The commit before this one works on this one's `pre_` schema: an update can be half done, and gone back on."""

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import postgresql
from house import settings_for
from softlanding.app.life import make_service, migrations_of
from softlanding.database import writer_engine
from softlanding.database.schema import migrate
from softlanding.settings import plain_environment

ROOT = Path(__file__).parents[2]
BEFORE = """
import sys
from pathlib import Path
import softlanding.web
from softlanding.app.life import make_service, migrations_of
from softlanding.database import shared, writer_engine
from softlanding.database.schema import migrate
from softlanding.settings import load_settings
name, url, folder = sys.argv[1:]
settings = load_settings(folder=Path(folder), environment={}, command_line={"data_folder": folder})
service = make_service(name, settings)
assert migrate(writer_engine(url), migrations_of(service)) == []
with writer_engine(url).connect() as connection:
    for table in (*shared.tables.values(), *service.tables.tables.values()):
        connection.execute(table.select().limit(1))
print("works")
"""


@pytest.fixture(scope="module")
def commit_before(tmp_path_factory):
    """The sources of the commit before, where there is a history to take them from."""
    archive = subprocess.run(["git", "archive", "HEAD~1", "src"], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip("no commit before this one: a clone without history")
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as sources:
        sources.extractall(folder, filter="data")
    return folder / "src"


@pytest.mark.parametrize("name", ["schedule", "dispatch", "statistics"])
@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_the_commit_before_starts_on_this_ones_schema(commit_before, tmp_path, name, backend):
    url = f"sqlite:///{tmp_path}/test.db" if backend == "sqlite" else postgresql.fresh_database()
    migrate(writer_engine(url), migrations_of(make_service(name, settings_for(tmp_path))))
    done = subprocess.run(
        [sys.executable, "-c", BEFORE, name, url, str(tmp_path)],
        cwd=tmp_path,
        env=plain_environment() | {"PYTHONPATH": f"{commit_before}{os.pathsep}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "works\n", done.stderr[-2000:]
