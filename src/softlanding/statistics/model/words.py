"""Facts as sentences for people, without their subject: the service's or driver's name stands beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from softlanding.contracts.everyone import MERGED

Data = Mapping[str, Any]

_OF_DRIVERS = frozenset({"pickup.accepted", "pickup.driver_arrived", "pickup.boarded", "pickup.delivered"})
LATE_S = 30  # Told so long after it happened, it is shown as late.


@dataclass(frozen=True)
class Clock:
    """How times are said: by the clocks of a zone, with the day where it is not today's."""

    zone: ZoneInfo
    now: datetime

    def say(self, at: datetime, beside: datetime | None = None) -> str:
        """`14:10`; `Sat 9 May 14:10` on another day than today, or than that of `beside`, which was said before."""
        local, known = at.astimezone(self.zone), (beside or self.now).astimezone(self.zone)
        return f"{local:%H:%M}" if local.date() == known.date() else f"{local:%a} {local.day} {local:%b} {local:%H:%M}"


def words_of(fact_type: str, data: Data, clock: Clock) -> str:
    """`planned onto V1, boards 14:10`, with times as the clock says them."""
    tail = fact_type.partition(".")[2]
    say = _SAY.get(tail)
    return say(data, clock) if say is not None else tail.replace(".", " ").replace("_", " ")


def lane_of(fact_type: str) -> str:
    """Whose doing it is: a service's, or the driver's."""
    source, _, tail = fact_type.partition(".")
    return "driver" if tail in _OF_DRIVERS or tail == "pickup.no_show" else source


def moment_of(data: Data, name: str) -> datetime | None:
    """The time that stands there, if one does."""
    value = data.get(name)
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def ride_summary(direction: str | None, party: int | None) -> str:
    """`arrival, 2 people`: from where and to which hotel is for Schedule and Dispatch to say."""
    if not direction:
        return "what was asked for is not heard yet"
    return f"{direction}, {count(party or 1, 'person', 'people')}"


def count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _asked(data: Data, clock: Clock) -> str:
    what = ride_summary(data.get("direction") or "arrival", data.get("party"))
    return f"asked for a ride: {what}{_when(', lands ', data, 'landing_at', clock)}"


def _changed(data: Data, clock: Clock) -> str:
    return f"asked anew (revision {data.get('revision')}){_when(', lands ', data, 'landing_at', clock)}{_why(data)}"


def _withdrawn(data: Data, _clock: Clock) -> str:
    return f"withdrew it{_why(data)}"


def _planned(data: Data, clock: Clock) -> str:
    board_at = moment_of(data, "board_at")
    times = _when(", boards ", data, "board_at", clock) + _when(", there ", data, "deliver_at", clock, board_at)
    return f"planned it onto {_vehicle(data)}{times}{_why(data)}"


def _at_risk(data: Data, clock: Clock) -> str:
    there = _when("", data, "deliver_at", clock) or "nobody knows when"
    return f"saw the talk at risk: there {there}"


def _plan(data: Data, _clock: Clock) -> str:
    rides, shifts = count(data.get("rides", 0), "ride"), count(data.get("vehicles", 0), "shift")
    unplaced = f", {data['unplaced']} without one" if data.get("unplaced") else ""
    return f"published plan {data.get('plan')}: {rides} in {shifts}{unplaced}"


def _release(data: Data, _clock: Clock) -> str:
    changed = ", ".join(f"{len(data[name])} {name}" for name in ("added", "removed", "moved") if data.get(name))
    name = data.get("name") or data.get("number")
    return f"released programme {name}: {count(data.get('talks', 0), 'talk')}{', ' + changed if changed else ''}"


def _moved(data: Data, clock: Clock) -> str:
    to, room = _when("", data, "starts_at", clock), data.get("room") or "no room yet"
    return f"moved talk {data.get('talk')} to {to}, {room}"


def _began(data: Data, _clock: Clock) -> str:
    if data.get("parent") and not data.get("parent_said_goodbye"):
        return f"began anew after a death ({data.get('last_end') or 'unseen'})"
    return "began"


def _silent(data: Data, clock: Clock) -> str:
    return f"hears nothing of {str(data.get('service')).title()}{_when(' since ', data, 'last_heard_at', clock)}"


def _settled(data: Data, _clock: Clock) -> str:
    word = data.get("settled_word")
    return "saw that an incident is part of another" if word == MERGED else f"heard from a person: {word}"


def _fixed(words: str) -> Callable[[Data, Clock], str]:
    return lambda data, _clock: f"{words}{_why(data)}"


def _vehicle(data: Data) -> str:
    name = str(data.get("vehicle") or "")
    is_id = len(name) == 36 and name.count("-") == 4
    return (data.get("plate") or "a vehicle") if is_id or not name else name


def _why(data: Data) -> str:
    """The word for it, if there is one: what somebody typed is not kept here."""
    kind = str(data.get("reason_kind") or "")
    return f": {kind.replace('_', ' ')}" if kind else ""


def _when(lead: str, data: Data, name: str, clock: Clock, beside: datetime | None = None) -> str:
    moment = moment_of(data, name)
    return f"{lead}{clock.say(moment, beside)}" if moment else ""


_SAY: dict[str, Callable[[Data, Clock], str]] = {
    "conference.changed": lambda data, _clock: f"set the conference up: {data.get('title')}",
    "release.published": _release,
    "talk.moved": _moved,
    "talk.delayed": lambda data, clock: f"delayed talk {data.get('talk')}{_when(' to ', data, 'expected_at', clock)}",
    "talk.cancelled": lambda data, _clock: f"cancelled talk {data.get('talk')}",
    "pickup.requested": _asked,
    "pickup.changed": _changed,
    "pickup.withdrawn": _withdrawn,
    "person.granted": _fixed("changed the roles of a member of staff"),
    "person.revoked": _fixed("took a member of staff off"),
    "pickup.planned": _planned,
    "pickup.unplaced": _fixed("found no vehicle for it"),
    "pickup.refused": _fixed("refused it"),
    "pickup.accepted": _fixed("accepted the ride"),
    "pickup.driver_arrived": _fixed("is there"),
    "pickup.boarded": _fixed("has everybody aboard"),
    "pickup.delivered": _fixed("brought them there"),
    "pickup.no_show": _fixed("waited and nobody came"),
    "pickup.missed": _fixed("missed it: its time passed before anybody was aboard"),
    "pickup.stood_down": _fixed("told the driver not to come"),
    "talk.at_risk": _at_risk,
    "plan.published": _plan,
    "places.changed": lambda data, _clock: f"knows {len(data.get('names') or ())} places where people are taken",
    "life.began": _began,
    "life.ended": lambda _data, _clock: "said goodbye",
    "incident.opened": lambda data, _clock: f"asks a person: {data.get('sentence')}",
    "incident.settled": _settled,
    "sign_in.used": lambda _data, _clock: "let somebody sign in",
    "session.began": lambda _data, _clock: "began a session",
    "session.ended": lambda data, _clock: f"ended a session ({data.get('why') or 'no reason told'})",
    "token.granted": lambda _data, _clock: "gave a program a token",
    "token.revoked": lambda _data, _clock: "revoked a program's token",
    "sign_in.made": lambda _data, _clock: "made a sign-in link, or withdrew those made before",
    "service.silent": _silent,
    "service.back": lambda data, _clock: f"hears {str(data.get('service')).title()} again",
}
