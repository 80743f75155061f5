"""What the broker acknowledged is gone: its process is killed and its disk wiped, and pickups go on.

Requests are sent before, while it is dead, and after it came back with nothing. The outboxes are the truth: the
receivers notice what they lack and fetch it from the producer.
"""

import shutil
from datetime import date, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from softlanding.drills.counting import Sent
from softlanding.drills.installation import Installation, Kill, throw_away
from softlanding.drills.lessons import Tell, count_all, is_whole
from softlanding.drills.sending import Wanted, free_legs, send

ZONE = ZoneInfo("Europe/Berlin")
EACH = 8


def run(tell: Tell) -> dict[str, Any]:
    """Play it. It held if nothing is lost or doubled."""
    with throw_away() as here:
        first_day = here.clock.now().astimezone(ZONE).date() + timedelta(days=7)
        here.words = ("--sample-on", first_day.isoformat())
        tell(f"started in {here.start()['ready_s']} s at {here.address}")
        here.wait_calm()
        wanted = [_wanted(number, *leg) for number, leg in enumerate(free_legs(first_day)[: 3 * EACH])]
        sent = send(here, wanted[:EACH])
        back_s = _lose_disk(here, wanted[EACH : 2 * EACH], sent, tell)
        sent += send(here, wanted[2 * EACH :])
        tell(f"sent {EACH} more; nats works again after {back_s:.2f} s, with an empty disk")
        here.wait_calm()
        stopped_at = here.clock.now()
        here.stop()
        found = count_all(here.data, sent, stopped_at)
    result = {
        "drill": "broker-loses-disk",
        "sent": len(sent),
        "recovered": found.recovered,
        "expired": found.expired,
        **found.as_dict(),
        "unsettled": found.unsettled,
        "back_s": round(back_s, 2),
        "facts": found.facts,
    }
    return result | {"held": is_whole(found) and found.recovered == len(sent)}


def _wanted(number: int, speaker: str, on: date) -> Wanted:
    return Wanted(f"drill-{number}", speaker, on, time(9 + number % 10, 5 * number % 60))


def _lose_disk(here: Installation, wanted: list[Wanted], sent: list[Sent], tell: Tell) -> float:
    """In the middle of sending: what the broker has just acknowledged is lost there."""
    sent += send(here, wanted[: EACH // 2])
    kill = lose_disk(here)
    tell(f"killed nats (pid {kill.pid}, SIGKILL); its disk is gone")
    sent += send(here, wanted[EACH // 2 :])
    return here.wait_working("nats", kill.pid) - kill.mono


def lose_disk(here: Installation) -> Kill:
    """Take NATS's store away and kill it: its next life finds an empty disk."""
    store, aside = here.data / "nats", here.data / "nats-lost"
    store.rename(aside)  # In one step, so that no life sees half of it.
    kill = here.kill("nats")
    shutil.rmtree(aside)
    return kill
