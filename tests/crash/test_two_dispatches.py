"""Two `serve dispatch` on one PostgreSQL. The active one is stopped, the other takes over, the stopped one wakes up."""

import random
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest
import sqlalchemy as sa

from nats_server import running_nats
from postgresql import fresh_database
from softlanding.drills.counting import Sent, run_sql
from softlanding.drills.installation import Installation, mortal_command, throw_away, wait_for
from softlanding.drills.lessons import count_all
from softlanding.drills.sending import Wanted, free_legs, send
from softlanding.settings import plain_environment
from softlanding.supervisor import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

STOPPED_S = 10.0
EXIT_FENCED = 75


class Bare(Installation):
    """The services alone, each started by `softlanding serve`: no supervisor, no front door."""

    ports_of: dict[str, tuple[int, int]]  # By name: of its doors and of its health.
    active: str  # Which of the two Dispatches is asked how it is.

    def health_address(self, service: str) -> str:
        name = self.active if service == "dispatch" else service
        return f"http://127.0.0.1:{self.ports_of[name][1]}/-/{service}"

    def client(self) -> httpx.Client:
        client = super().client()
        client.base_url = httpx.URL(f"http://127.0.0.1:{self.ports_of['schedule'][0]}")
        return client

    def serve(self, name: str, database_url: str, nats_url: str) -> "subprocess.Popen[bytes]":
        """One service. `name` is the service, or `dispatch` with a letter."""
        service = name.partition("-")[0]
        values = {
            "profile": "embedded",
            "data_folder": str(self.data),
            "nats__urls": nats_url,
            "dispatch__database_url": database_url,
        }
        for secret in ("session_secret", "peer_token"):
            values[secret] = (self.data / "secrets" / secret).read_text()
        for peer in ("schedule", "dispatch", "statistics"):
            port, health_port = self.ports_of[name if peer == service else "dispatch-a" if peer == "dispatch" else peer]
            values |= {f"{peer}__port": str(port), f"{peer}__health_port": str(health_port)}
            values[f"{peer}__address"] = f"http://127.0.0.1:{port}"
            values[f"{peer}__health_address"] = f"http://127.0.0.1:{health_port}"
        settings = {f"SOFTLANDING__{key.upper()}": value for key, value in values.items()}
        with (self.base / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                mortal_command("serve", service),
                cwd=self.base,
                env=plain_environment() | settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )


def test_the_one_that_was_stopped_is_refused_and_ends_and_nothing_is_lost(tmp_path: Path) -> None:
    database_url = fresh_database()
    with throw_away(settings=f'[dispatch]\ndatabase_url = "{database_url}"\n', folder=tmp_path) as here:
        first_day = here.clock.now().astimezone(ZoneInfo("Europe/Berlin")).date() + timedelta(days=7)
        here.words = ("--sample-on", first_day.isoformat())
        here.start()
        here.wait_calm()
        here.stop()
        legs = free_legs(first_day)
        wanted = [Wanted(f"two-{n}", speaker, on, time(11)) for n, (speaker, on) in enumerate(legs[:15])]
        with bare(tmp_path, database_url) as (bare_here, processes):
            sent = _take_over(bare_here, processes, wanted)
            bare_here.wait_calm()
            stopped_at = here.clock.now()
            log = (tmp_path / "dispatch-a.log").read_text()
    copy_to_sqlite(database_url, tmp_path / "data" / "dispatch.db")
    found = count_all(tmp_path / "data", sent, stopped_at)
    assert (found.lost, found.doubled, found.faults) == ([], [], [])
    assert found.recovered == len(sent) == 15
    assert '"fenced; the process ends"' in log
    ended = run_sql(tmp_path / "data", "dispatch", "SELECT ended_at FROM lives ORDER BY epoch")
    assert [row["ended_at"] is None for row in ended] == [False, True, False], (
        "the one in the middle never said goodbye"
    )


def _take_over(here: Bare, processes: dict[str, "subprocess.Popen[bytes]"], wanted: list[Wanted]) -> list[Sent]:
    """Stop the active one, wait for the other, wake the first; the requests sent before, meanwhile and after."""
    sent = send(here, wanted[:5])
    here.wait_calm()
    stopped = processes["dispatch-a"]
    stopped.send_signal(signal.SIGSTOP)
    at = here.clock.monotonic()
    sent += send(here, wanted[5:10])
    here.active = "dispatch-b"
    wait_for(lambda: here.is_ready("dispatch"), 20, "the other dispatch takes over")
    assert here.clock.monotonic() - at < STOPPED_S, "it took over while the first was stopped"
    wait_for(lambda: here.clock.monotonic() - at >= STOPPED_S, STOPPED_S + 5, "it is stopped for ten seconds")
    stopped.send_signal(signal.SIGCONT)
    assert stopped.wait(10) == EXIT_FENCED
    return sent + send(here, wanted[10:])


@contextmanager
def bare(base: Path, database_url: str) -> Iterator[tuple[Bare, dict[str, "subprocess.Popen[bytes]"]]]:
    """Schedule, Statistics and two Dispatches, the first of them active; all gone when the block ends."""
    names = ("schedule", "statistics", "dispatch-a", "dispatch-b")
    here, processes = Bare(base), {}
    ports = free_ports([f"{name}{kind}" for name in names for kind in ("", "-health")], base, random.Random(1))
    here.ports_of = {name: (ports[name], ports[f"{name}-health"]) for name in names}
    with running_nats(base / "broker") as server:
        try:
            for name in names:
                processes[name] = here.serve(name, database_url, server.url)
                service = name.partition("-")[0]
                here.active = name if service == "dispatch" else "dispatch-a"
                if name != "dispatch-b":
                    wait_for(lambda service=service: here.is_ready(service), 30, f"{name} is ready")
            wait_for(lambda: here.state("dispatch").get("standby"), 30, "the second one stands by")
            here.active = "dispatch-a"
            yield here, processes
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGCONT)
                process.terminate()
            for process in processes.values():
                process.wait(20)


def copy_to_sqlite(url: str, path: Path) -> None:
    """The same rows as a SQLite file, for the same checkers."""
    path.unlink(missing_ok=True)
    engine = sa.create_engine(url)
    tables = sa.MetaData()
    with engine.connect() as connection, closing(sqlite3.connect(path)) as copy:
        tables.reflect(connection)
        for table in tables.sorted_tables:
            names = [f'"{column.name}"' for column in table.columns]
            copy.execute(f'CREATE TABLE "{table.name}" ({", ".join(names)})')
            rows = [
                [_plain(value) for value in row]
                for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            copy.executemany(f'INSERT INTO "{table.name}" VALUES ({", ".join("?" * len(names))})', rows)
        copy.commit()
    engine.dispose()


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
