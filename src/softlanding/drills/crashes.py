"""kill -9 of each process at random moments under load, hundreds of times: nothing lost, nothing doubled.

The load comes through the front door and repeats with the same key what was not acknowledged. The supervisor is one of
the victims: everything dies with it, and `softlanding up` is started again on the same folder.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from softlanding.drills.counting import Count
from softlanding.drills.installation import PROCESSES, Installation, throw_away, wait_for
from softlanding.drills.lessons import Tell, count_all, is_whole
from softlanding.drills.sending import Load, under_load

ZONE = ZoneInfo("Europe/Berlin")
VICTIMS = (*PROCESSES, "supervisor")
KILLS_A_ROUND = 90  # Then all is stopped and counted, and the next installation begins.
BETWEEN_S = 1.2  # At most: many die while others are still starting.
PER_SECOND = 30.0
THREADS = 4
FLOWS, FLOWS_WITHIN_S = 5, 60.0  # Requests that show that it works again.


@dataclass
class _Sum:
    """All rounds together."""

    sent: int = 0
    again: int = 0
    facts: int = 0
    lives: int = 0
    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, found: Count, load: Load) -> None:
        self.rounds += 1
        self.sent, self.again = self.sent + len(load.sent), self.again + load.again
        self.facts, self.lives = self.facts + found.facts, self.lives + found.lives
        self.lost += found.lost
        self.doubled += found.doubled
        self.faults += [*found.faults, *load.faults]
        if not is_whole(found) and not self.faults:
            self.faults.append(f"{found.expired} expired, {found.unsettled} open incidents")


def run_crashes(kills: int, seed: int, tell: Tell) -> dict[str, Any]:
    """At least `kills` kills, the same order of victims and pauses for the same seed. It held if nothing was lost."""
    total = _Sum()
    while (left := kills - total.kills.total()) > 0:
        rng = random.Random(f"{seed}/{total.rounds}")
        with throw_away() as here:
            _play_round(here, min(left, KILLS_A_ROUND), seed, rng, total, tell)
        tell(
            f"{total.kills.total()} kills, {total.sent} requests, {len(total.lost)} lost, {len(total.doubled)} doubled"
        )
    return {
        "drill": "crashes",
        "seed": seed,
        "kills": total.kills.total(),
        "by_process": dict(sorted(total.kills.items())),
        "sent": total.sent,
        "sent_again": total.again,
        "facts": total.facts,
        "lives": total.lives,
        "lost": len(total.lost),
        "doubled": len(total.doubled),
        "faults": len(total.faults),
        "told": [*total.lost, *total.doubled, *total.faults][:20],
        "held": not (total.lost or total.doubled or total.faults),
    }


def _play_round(here: Installation, kills: int, seed: int, rng: random.Random, total: _Sum, tell: Tell) -> None:
    first_day = here.clock.now().astimezone(ZONE).date() + timedelta(days=7)
    here.words = ("--sample-on", first_day.isoformat())
    here.start()
    tell(f"round {total.rounds + 1} of seed {seed}: {kills} kills under {PER_SECOND:g} requests a second")
    with under_load(here, first_day, seed=seed, per_second=PER_SECOND, threads=THREADS) as load:
        for victim in _victims(kills, rng):
            _wait_a_little(load, rng)
            kill_one(here, victim)
            total.kills[victim] += 1
    tell(f"{dict(total.kills)}; {len(load.sent)} accepted, {load.again} sent again")
    here.wait_calm(120.0)
    stopped_at = here.clock.now()
    here.stop()
    total.add(count_all(here.data, load.sent, stopped_at), load)


def _wait_a_little(load: Load, rng: random.Random) -> None:
    """Half of the kills meet a system that works, the others one that is still getting up."""
    before, has_flow = len(load.sent), rng.random() < 0.5
    threading.Event().wait(rng.uniform(0.0, BETWEEN_S))
    if has_flow:
        wait_for(lambda: load.faults or len(load.sent) >= before + FLOWS, FLOWS_WITHIN_S, "requests are accepted again")


def _victims(kills: int, rng: random.Random) -> Iterator[str]:
    """Each process once, in random order, again and again."""
    order: list[str] = []
    for _ in range(kills):
        order = order or rng.sample(VICTIMS, len(VICTIMS))
        yield order.pop()


def kill_one(here: Installation, victim: str) -> None:
    """kill -9, as soon as it lives; a killed supervisor is started again."""
    if victim != "supervisor":
        here.kill(victim)
        return
    here.kill_up()
    here.wait_nobody()
    here.launch()
