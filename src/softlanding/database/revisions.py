"""What Alembic does for us: bring a database up, compare it with the code's tables, draft the next migration."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from typing import Any, Literal

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from softlanding.database.engine import Moment, take_its_time

Stage = Literal["pre", "post"]


def upgrade(engine: sa.Engine, packages: Sequence[str], stage: Stage) -> list[str]:
    """Apply what is lacking, under the caller's lock; the revisions applied."""
    with _alembic(engine, packages) as (config, script, connection):
        before = _current(connection)
        for head in sorted(script.get_heads()):
            if head.startswith(f"{stage}_") and head not in before:
                command.upgrade(config, head)
        connection.commit()
        return sorted(set(_current(connection)) - set(before))


def pending(engine: sa.Engine, packages: Sequence[str]) -> list[str]:
    """Heads that are not applied yet."""
    with _alembic(engine, packages) as (_config, script, connection):
        current = _current(connection)
        return sorted(set(script.get_heads()) - set(current))


def differences(engine: sa.Engine, packages: Sequence[str], metadata: Sequence[sa.MetaData]) -> list[Any]:
    """What the migrated database lacks or has too much beside the tables of the code; [] when they agree."""
    whole = sa.MetaData()
    for part in metadata:
        for table in part.tables.values():
            table.to_metadata(whole)
    with _alembic(engine, packages) as (_config, _script, connection):
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        found: list[Any] = compare_metadata(context, whole)
        return found


def draft(engine: sa.Engine, package: str, metadata: sa.MetaData, name: str, message: str) -> str:
    """Write the migration that brings a database at `package`'s newest to `metadata`; its path.

    For a person to read and correct. `engine` is of an empty database that may be thrown away.
    """
    upgrade(engine, [package], "pre")

    def is_ours(_thing: Any, table: str | None, kind: str, is_reflected: bool, _other: Any) -> bool:
        return not (kind == "table" and is_reflected and table not in metadata.tables)

    with _alembic(engine, [package]) as (config, script, _connection):
        config.attributes |= {"target_metadata": metadata, "render_item": _render, "include_object": is_ours}
        heads = [head for head in script.get_heads() if head.startswith("pre_")]
        made = command.revision(
            config,
            message=message,
            autogenerate=True,
            head=heads[0] if heads else "base",
            rev_id=name,
            version_path=str(files(package)),
        )
    assert made is not None
    assert not isinstance(made, list)
    return str(made.path)


@contextmanager
def _alembic(engine: sa.Engine, packages: Sequence[str]) -> Iterator[tuple[Config, ScriptDirectory, sa.Connection]]:
    config = Config()
    config.set_main_option("script_location", str(files("softlanding.database").joinpath("alembic")))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(str(files(package)) for package in packages))
    config.set_main_option("file_template", "%%(rev)s")
    with engine.connect() as connection:
        take_its_time(connection)
        config.attributes["connection"] = connection
        yield config, ScriptDirectory.from_config(config), connection


def _current(connection: sa.Connection) -> tuple[str, ...]:
    return tuple(MigrationContext.configure(connection).get_current_heads())


def _render(kind: str, thing: Any, _context: Any) -> str | Literal[False]:
    return "Moment()" if kind == "type" and isinstance(thing, Moment) else False
