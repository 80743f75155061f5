"""Kill the dispatcher, send a few pickups, and see what is left.

It dies twice. The first time requests are sent in the same moment, by API, form and CSV, and the supervisor brings it
back. The second time it cannot stay up: it is killed as often as it is brought back, until the time of two more
requests has passed. Those are of no more use when it returns, and each must be an incident that waits for a person.
The incident of that outage must say when it began, how long it was and how many starts it took, as the killer knows it.
No deadline is rewritten: their flights landed so long ago that their time ends while Dispatch is down.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from softlanding.drills.counting import Sent
from softlanding.drills.installation import Installation, Kill, throw_away, wait_for
from softlanding.drills.lessons import Tell, count_all, is_whole, noticed, untrue_words
from softlanding.drills.sending import Wanted, free_legs, send, send_csv, send_form, signed_in, speakers

EXPIRES_AFTER = timedelta(minutes=90)  # As in real life.
EXPIRES_FROM_START = timedelta(seconds=24)  # The start and the first death take some ten of them.
TO_SEND = timedelta(seconds=3)
AFTER_EXPIRY = timedelta(seconds=0.5)
ZONE = ZoneInfo("Europe/Berlin")  # Of the sample conference and its airport.
DOWN_WITHIN_S = 150.0
MISSED_WITHIN_S = 30.0
EXPIRING = 2


@dataclass
class _Played:
    """What was done, and how long it took."""

    sent: list[Sent] = field(default_factory=list)
    first: Kill | None = None
    back_s: float = 0.0
    kills: int = 0
    long: list[Kill] = field(default_factory=list)  # Those of the second outage.
    down_s: float = 0.0


def run(tell: Tell, plant: str = "") -> dict[str, Any]:
    """Play it. It held if nothing is lost or doubled, some expired, each of those waits for a person, and the incident
    of the second outage says what was done."""
    with throw_away(plant=plant) as here:
        began = here.clock.now()
        first_day, expires_after = began.astimezone(ZONE).date() + timedelta(days=7), _expires_after(began)
        minutes = expires_after / timedelta(minutes=1)
        (here.base / "softlanding.toml").write_text(f"[schedule]\npickup_expires_after_minutes = {minutes}\n")
        here.words = ("--sample-on", first_day.isoformat())
        tell(f"started in {here.start()['ready_s']} s at {here.address}")
        here.wait_calm()
        legs = [_wanted(number, *leg) for number, leg in enumerate(free_legs(first_day)[:14])]
        played = _Played()
        _die_once(here, legs[:10], played, tell)
        _die_for_long(here, first_day, legs[10:], expires_after, played, tell)
        stopped_at = here.clock.now()
        here.stop()
        return _result(here, played, stopped_at, tell)


def _expires_after(began: datetime) -> timedelta:
    """Landings are told in whole minutes. This makes one of them, some 90 minutes ago, end soon after the start."""
    ends = began + EXPIRES_FROM_START
    landed = (ends - EXPIRES_AFTER).replace(second=0, microsecond=0)
    return ends - landed


def _wanted(number: int, speaker: str, on: date) -> Wanted:
    return Wanted(f"drill-{number}", speaker, on, time(9 + number % 10, 5 * number % 60))


def _die_once(here: Installation, wanted: list[Wanted], played: _Played, tell: Tell) -> None:
    """One death; requests are sent in the same moment, by every door."""
    with signed_in(here) as browser:
        kill = played.first = here.kill("dispatch")
        tell(f"killed dispatch (pid {kill.pid}, SIGKILL)")
        played.sent += send(here, wanted[:6])
        played.sent.append(send_form(browser, wanted[6]))
        played.sent += send_csv(browser, wanted[7:])
    taken_s = here.clock.monotonic() - kill.mono
    played.back_s = here.wait_working("dispatch", kill.pid) - kill.mono
    played.kills += 1
    tell(f"{len(wanted)} requests accepted within {taken_s:.2f} s; dispatch worked again after {played.back_s:.2f} s")
    here.wait_calm()


def _die_for_long(
    here: Installation, first_day: date, wanted: list[Wanted], expires_after: timedelta, played: _Played, tell: Tell
) -> None:
    """Killed as often as it comes back, until the time of two requests has passed."""
    kill = here.kill("dispatch")
    landed = _landing_that_ends_soon(here.clock.now(), expires_after)
    ends_at = landed + expires_after
    local = landed.astimezone(ZONE)
    late = [Wanted(f"late-{code}", code, local.date(), local.time()) for code in speakers(first_day)[:EXPIRING]]
    played.sent += send(here, [*late, *wanted])
    left_s = (ends_at - here.clock.now()).total_seconds()
    tell(f"killed dispatch again and sent {len(late) + len(wanted)}; the time of {len(late)} ends in {left_s:.1f} s")
    kills = here.keep_down(kill, lambda: here.clock.now() > ends_at + AFTER_EXPIRY)
    played.kills, played.long = played.kills + len(kills), kills
    back = here.wait_working("dispatch", kills[-1].pid, DOWN_WITHIN_S)
    played.down_s = back - kill.mono
    tell(f"dispatch was killed {played.kills} times in all, was down for {played.down_s:.1f} s, and works again")
    here.wait_calm()
    wait_for(lambda: open_missed(here) >= len(late), MISSED_WITHIN_S, "each expired request is an open incident")
    here.wait_calm()


def _landing_that_ends_soon(now: datetime, expires_after: timedelta) -> datetime:
    """The earliest whole minute whose pickup is still of use when it is sent."""
    earliest = now + TO_SEND - expires_after
    minute = earliest.replace(second=0, microsecond=0)
    return minute if minute == earliest else minute + timedelta(minutes=1)


def open_missed(here: Installation) -> int:
    """How many missed pickups Dispatch tells as open incidents."""
    with here.client() as client:
        listed = client.get("/api/dispatch/incidents", params={"is_open": "true"}).json()
    return sum(incident["kind"] == "missed" for incident in listed)


def _result(here: Installation, played: _Played, stopped_at: datetime, tell: Tell) -> dict[str, Any]:
    assert played.first is not None
    found = count_all(here.data, played.sent, stopped_at)
    untrue = untrue_words(here.data, played.long, played.down_s)
    result: dict[str, Any] = {
        "drill": "dispatcher-dies",
        "sent": len(played.sent),
        "recovered": found.recovered,
        "expired": found.expired,
        **found.as_dict(),
        "unsettled": found.unsettled,
        **noticed(here.data, played.first, "dispatch"),
        "back_s": round(played.back_s, 2),
        "down_s": round(played.down_s, 2),
        "kills": played.kills,
        "untrue": untrue,
        "lives": found.lives,
        "facts": found.facts,
    }
    held = is_whole(found) and found.expired == EXPIRING and found.recovered == len(played.sent) - EXPIRING
    tell(f"{found.recovered} recovered, {found.expired} expired, {len(found.lost)} lost, {len(found.doubled)} doubled")
    for words in untrue:
        tell(words)
    return result | {"held": held and result["noticed_s"] is not None and not untrue}
