"""A light that stays green while nothing works: the database is taken away from a running system, and its signs are
compared with what really happened.

PostgreSQL is stopped three times, its password is changed once, and a file is put where Schedule writes its folder.
Each time the services must say that they are not ready, what they wait for, and afterwards that it is over; each
outage is one incident that counts what was refused.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from softlanding.drills.installation import SERVICES, Installation, NotInTime, throw_away, wait_for
from softlanding.drills.lessons import Tell
from softlanding.drills.postgresql import Postgresql, running_postgresql
from softlanding.drills.sending import ARRIVALS

ZONE = ZoneInfo("Europe/Berlin")
SEEN_WITHIN_S = 5.0
BACK_WITHIN_S = 5.0
TOLD_WITHIN_S = 10.0
OUTAGES = 3
PASSWORD, ANOTHER = "first-password-of-the-drill", "second-password-of-the-drill"
COUNTED = re.compile(r"could not write .* (\d+) requests? refused")


@dataclass
class _Stage:
    here: Installation
    server: Postgresql
    lies: list[str] = field(default_factory=list)
    seen_s: list[float] = field(default_factory=list)
    back_s: list[float] = field(default_factory=list)

    def expect(self, condition: Callable[[], bool], within_s: float, lie: str) -> float:
        """How long it took; what does not come in time is a lie of a sign."""
        begun = self.here.clock.monotonic()
        with suppress(NotInTime):
            wait_for(lambda: condition() or None, within_s, lie)
            return self.here.clock.monotonic() - begun
        self.lies.append(f"not within {within_s:g} s: {lie}")
        return within_s


def run(tell: Tell, plant: str = "", outages: int = OUTAGES) -> dict[str, Any]:
    """Play it. It held if no sign lied. `plant` is code that breaks the system first, for the drill's own proof."""
    with TemporaryDirectory(prefix="softlanding-drill-postgresql-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as a user of its own where this is root.
        with running_postgresql(Path(folder) / "server") as server, throw_away(plant=plant) as here:
            (here.base / "softlanding.toml").write_text(_settings(server))
            first_day = here.clock.now().astimezone(ZONE).date() + timedelta(days=7)
            here.words = ("--sample-on", first_day.isoformat())
            tell(f"started in {here.start()['ready_s']} s at {here.address}, on PostgreSQL {server.version()}")
            here.wait_calm()
            stage = _Stage(here, server)
            for number in range(1, outages + 1):
                _take_the_database_away(stage, number, tell)
            _change_the_password(stage, tell)
            _take_the_folder_away(stage, tell)
            here.stop()
            stage.lies += _tracebacks(here)
    result = {
        "drill": "green-while-dead",
        "outages": outages,
        "lies": stage.lies,
        "seen_s": round(max(stage.seen_s), 2),
        "back_s": round(max(stage.back_s), 2),
    }
    return result | {"held": not stage.lies}


def _settings(server: Postgresql) -> str:
    urls = {name: server.fresh_for_role(PASSWORD).replace("postgresql:", "postgresql+psycopg:") for name in SERVICES}
    return "".join(f'[{name}]\ndatabase_url = "{url}"\n' for name, url in urls.items())


def _take_the_database_away(stage: _Stage, number: int, tell: Tell) -> None:
    stage.server.stop()
    stage.seen_s.append(stage.expect(lambda: _all(stage, _is_dead), SEEN_WITHIN_S, "all say that the database is gone"))
    refused = _ask_each(stage)
    stage.server.start()
    stage.back_s.append(stage.expect(lambda: _all(stage, _is_well), BACK_WITHIN_S, "all are ready again"))
    stage.expect(
        lambda: _all(stage, lambda here, name: _has_told(here, name, number, refused[name])),
        TOLD_WITHIN_S,
        f"one incident more in each service, that counts at least {refused} refused",
    )
    for name in SERVICES:
        said = _said(stage.here, name)
        if said != ["trouble begins", "trouble is over"] * number:
            stage.lies.append(f"{name} logged {said} in {number} outages")
    took = f"seen after {stage.seen_s[-1]:.1f} s, over after {stage.back_s[-1]:.1f} s"
    tell(f"outage {number}: {took}, refused {', '.join(f'{name} {count}' for name, count in refused.items())}")


def _change_the_password(stage: _Stage, tell: Tell) -> None:
    stage.server.change_password(ANOTHER)
    seen_s = stage.expect(lambda: _all(stage, _is_dead), SEEN_WITHIN_S, "all say that the password is wrong")
    stage.server.change_password(PASSWORD)
    stage.expect(lambda: _all(stage, _is_well), BACK_WITHIN_S, "all are ready with the password that they know")
    tell(f"password changed: seen after {seen_s:.1f} s")


def _take_the_folder_away(stage: _Stage, tell: Tell) -> None:
    """Root may write everywhere; nobody writes a file where a folder is."""
    in_the_way = stage.here.data / ".schedule-can-write"
    wait_for(lambda: _is_put_there(in_the_way), SEEN_WITHIN_S, "a folder stands where Schedule writes")
    seen_s = stage.expect(
        lambda: _is_in_trouble(stage.here, "schedule", "folder"), SEEN_WITHIN_S, "schedule names the folder"
    )
    in_the_way.rmdir()
    stage.expect(lambda: _is_well(stage.here, "schedule"), BACK_WITHIN_S, "schedule writes again")
    tell(f"data folder taken away: seen after {seen_s:.1f} s")


def _is_put_there(in_the_way: Path) -> bool:
    """Schedule may write its file anew between the two."""
    in_the_way.unlink(missing_ok=True)
    with suppress(FileExistsError):
        in_the_way.mkdir()
        return True
    return False


def _all(stage: _Stage, check: Callable[[Installation, str], bool]) -> bool:
    return all(check(stage.here, name) for name in SERVICES)


def _is_dead(here: Installation, service: str) -> bool:
    """By all its signs: not ready, the database named, the metric down; and alive, for its loops turn."""
    waits_for = str(here.state(service).get("waiting_for"))
    is_named = "database" in waits_for or "password" in waits_for
    return not here.is_ready(service) and is_named and _database_up(here, service) == "0.0" and here.is_alive(service)


def _is_well(here: Installation, service: str) -> bool:
    return here.is_ready(service) and not here.state(service).get("troubles") and _database_up(here, service) == "1.0"


def _is_in_trouble(here: Installation, service: str, word: str) -> bool:
    state = here.state(service)
    return state.get("state") != "ready" and word in str(state.get("waiting_for"))


def _database_up(here: Installation, service: str) -> str:
    found = re.search(r"^softlanding_database_up (\S+)$", here.metrics(service), re.MULTILINE)
    return found[1] if found else "absent"


def _ask_each(stage: _Stage) -> dict[str, int]:
    """A few requests that must be refused, as anybody would send them; how many each service was asked."""
    asked = {"schedule": ARRIVALS, "dispatch": "/api/dispatch/softconf/board", "statistics": "/api/statistics/lives"}
    counts = dict.fromkeys(SERVICES, 0)
    with stage.here.client() as client:
        for times, (name, address) in enumerate(asked.items(), 2):
            for _ in range(times):
                answer = client.get(address)
                counts[name] += 1
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    stage.lies.append(f"{name} answered {answer.status_code} without a database")
    return counts


def _has_told(here: Installation, service: str, outages: int, refused: int) -> bool:
    """One incident an outage; the last counts what the drill was refused, and perhaps what peers were."""
    told = _counts(here, service)
    return len(told) == outages and told[-1] >= refused


def _counts(here: Installation, service: str) -> list[int]:
    """How many refused requests each of its incidents tells of, the oldest first."""
    with here.client() as client:
        told = client.get(f"/api/{service}/incidents").json()
    found = [COUNTED.search(incident["sentence"]) for incident in reversed(told)]
    return [int(match[1]) for match in found if match]


def _said(here: Installation, service: str) -> list[str]:
    """What it logged of the database's troubles."""
    lines = []
    for text in (here.data / "logs" / f"{service}.log").read_text().splitlines():
        with suppress(ValueError):
            lines.append(json.loads(text))
    return [line["event"] for line in lines if line.get("trouble") == "database" and line["event"] != "trouble goes on"]


def _tracebacks(here: Installation) -> list[str]:
    logs = {name: (here.data / "logs" / f"{name}.log").read_text() for name in SERVICES}
    return [f"{name} logged a traceback" for name, text in logs.items() if "Traceback" in text or '"exception"' in text]
