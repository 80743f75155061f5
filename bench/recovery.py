"""How long after kill -9: until another service has noticed, until it works again, until 10 000 pickups are applied.

On a throw-away installation of real processes, under a light load through the front door. It is noticed when another
service's own row says so; nobody's row tells of NATS and the front door, which bear nothing: there it is the
supervisor's record. It works again when a request to it through the front door succeeds (NATS: when all services are
connected again).
"""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from softlanding.drills.counting import Sent, count, noticed_at
from softlanding.drills.installation import SERVICES, Installation, Kill, throw_away, wait_for
from softlanding.drills.sending import Wanted, send_table, speakers, under_load

ZONE = ZoneInfo("Europe/Berlin")
TIMES = 5
BACKLOG = 10_000
ROWS_A_TABLE = 2_500
WORKING_AIM_S, NOTICED_AIM_S = 2.0, 3.0
WITHIN_S = 30.0
BACKLOG_WITHIN_S = 600.0
PROCESSES = (*SERVICES, "nats", "front-door", "supervisor")

Tell = Callable[[str], None]


@dataclass(frozen=True)
class _Recovery:
    kill: Kill
    working_s: float


def run(tell: Tell) -> dict[str, Any]:
    """Measure each process; medians and worst of several kills, then the backlogs."""
    with throw_away() as here:
        first_day = here.clock.now().astimezone(ZONE).date() + timedelta(days=7)
        here.words = ("--sample-on", first_day.isoformat())
        here.start()
        here.wait_calm()
        with under_load(here, first_day, seed=1, per_second=10) as load:
            # By turns, so that nobody's end is a quick one, after which the next start is put off.
            turns = [{name: _kill(here, name) for name in PROCESSES} for _ in range(TIMES)]
        here.wait_calm(120)
        backlogs = {name: _backlog(here, name, first_day, turn, tell) for turn, name in enumerate(("dispatch", "nats"))}
        stopped_at = here.clock.now()
        here.stop()
        sent = load.sent + [one for backlog in backlogs.values() for one in backlog["sent"]]
        found = count(here.data, sent, stopped_at)
        table = {name: _row(here, name, [turn[name] for turn in turns], backlogs.get(name)) for name in PROCESSES}
    told = [*load.faults, *found.lost, *found.doubled, *found.faults]
    return {
        "bench": "recovery",
        "kills of each": TIMES,
        "sent": len(sent),
        "backlog": BACKLOG,
        "lost": len(found.lost),
        "doubled": len(found.doubled),
        "told": "; ".join(told[:5]) or None,
        "after kill -9 of": table,
    }


def _kill(here: Installation, name: str) -> _Recovery:
    """One kill -9 when all is well, and the time until it works again."""
    wait_for(lambda: all(_works(here, each) for each in PROCESSES[:-1]), WITHIN_S, "all is well")
    if name == "supervisor":
        kill = here.kill_up()
        here.wait_nobody()
        here.start()
        return _Recovery(kill, here.clock.monotonic() - kill.mono)
    kill = here.kill(name)
    wait_for(lambda: here.pid(name) not in (None, kill.pid), WITHIN_S, f"{name} is started again")
    wait_for(lambda: _works(here, name), WITHIN_S, f"{name} works again")
    return _Recovery(kill, here.clock.monotonic() - kill.mono)


def _works(here: Installation, name: str) -> bool:
    if name == "nats":
        return all(here.state(service).get("bus_is_up") for service in SERVICES)
    if name == "front-door":
        return here.is_ready(name)
    return here.is_ready(name) and _answers(here, f"/api/{name}/incidents")


def _answers(here: Installation, path: str) -> bool:
    with here.client() as client:
        try:
            return client.get(path, params={"is_open": "true"}, timeout=5.0).is_success
        except httpx.HTTPError:
            return False


def _backlog(here: Installation, name: str, first_day: date, turn: int, tell: Tell) -> dict[str, Any]:
    """Keep it down while 10 000 pickups are asked for; how long after its return Dispatch has applied them all."""
    wanted = _many(first_day, turn)
    kill = here.kill(name)
    done: list[Sent] = []
    feeding = iter(range(0, BACKLOG, ROWS_A_TABLE))

    def fed() -> bool:
        begin = next(feeding, None)
        if begin is None:
            return True
        done.extend(send_table(here, wanted[begin : begin + ROWS_A_TABLE]))
        return False

    kills = here.keep_down(kill, fed)
    tell(f"{len(done)} pickups accepted while {name} was down ({len(kills)} kills)")
    back = here.wait_working(name, kills[-1].pid)
    wait_for(lambda: not here.behind(("schedule", "dispatch")), BACKLOG_WITHIN_S, "Dispatch has applied the backlog")
    applied_s = here.clock.monotonic() - back
    here.wait_calm(BACKLOG_WITHIN_S)
    tell(f"{name} back; Dispatch had applied them after {applied_s:.2f} s ({BACKLOG / applied_s:.0f}/s)")
    return {"applied_s": round(applied_s, 2), "sent": done}


def _many(first_day: date, turn: int) -> list[Wanted]:
    """Arrivals after the conference, each another speaker or day."""
    codes = speakers(first_day)
    days = BACKLOG // len(codes) + 1
    begin = first_day + timedelta(days=400 + turn * days)
    return [
        Wanted(f"backlog-{turn}-{number}", code, begin + timedelta(days=day), time(8 + number % 12, day % 60))
        for day in range(days)
        for number, code in enumerate(codes)
    ][:BACKLOG]


# --- What came of it --------------------------------------------------------------------------------------------------


def _row(here: Installation, name: str, recoveries: list[_Recovery], backlog: dict[str, Any] | None) -> dict[str, Any]:
    working = [recovery.working_s for recovery in recoveries]
    noticed = [_noticed(here, name, recovery.kill) for recovery in recoveries]
    seen = [seconds for seconds, _ in noticed if seconds is not None]
    aims = max(working) <= WORKING_AIM_S or name == "supervisor"
    return {
        "noticed_s": round(statistics.median(seen), 2) if seen else None,
        "worst_noticed_s": round(max(seen), 2) if seen else None,
        "noticed_by": noticed[0][1],
        "working_s": round(statistics.median(working), 2),
        "worst_working_s": round(max(working), 2),
        "backlog_applied_s": backlog["applied_s"] if backlog else None,
        "is_within_aim": aims and len(seen) == len(recoveries) and max(seen) <= NOTICED_AIM_S,
    }


def _noticed(here: Installation, name: str, kill: Kill) -> tuple[float | None, str]:
    """By another service's row; of those who bear nothing, by the supervisor's record of ends."""
    victim = "schedule" if name == "supervisor" else name  # Everybody dies with it.
    seen = noticed_at(here.data, victim, kill.at) if victim in SERVICES else _in_ends(here, kill)
    return ((seen[1] - kill.at).total_seconds(), seen[0]) if seen else (None, "")


def _in_ends(here: Installation, kill: Kill) -> tuple[str, datetime] | None:
    for line in (here.data / "run" / "ends.jsonl").read_text().splitlines():
        end = json.loads(line)
        if end["pid"] == kill.pid and end["name"] == kill.process:
            return "supervisor", datetime.fromisoformat(end["at"])
    return None
