"""What needs a person now, the loudest first: incidents, which stand until somebody settles them, and rides without a
car or behind, which end by themselves when that is mended."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding import incidents
from softlanding.conferences import Conference
from softlanding.dispatch import model, store
from softlanding.dispatch.model import ON_VEHICLE, Crew, Pickup

LOUDEST = ("lost", "missed", "at_risk", "stranded", "not_there", "not_taken", "unplaced")  # Then all others.
ACCEPTED_BEFORE = timedelta(minutes=20)  # So long before a pickup its driver should have said that they come.
THERE_WITHIN = timedelta(minutes=5)  # After the agreed time.
EACH_WITHIN = timedelta(hours=24)  # Who waits for a car on a later day is counted; each by name would hide the rest.

_TO_DO = {
    "lost": "Call the speaker and whoever leads the programme: move the talk, or find another way.",
    "missed": "Call the passenger: fetch them by another car or a taxi, and say what was done.",
    "stranded": "Call the passenger, correct the arrival, and say what was done.",
    "at_risk": "Move the ride to another car, or tell whoever leads the programme.",
    "not_there": "Call the driver, or move the ride.",
    "not_taken": "Call the driver, or move the ride.",
    "unplaced": "Give it to a vehicle, add a shift, or send a taxi.",
}

Values = dict[str, Any]


def list_alarms(
    connection: sa.Connection,
    conference: Conference,
    crews: Mapping[str, Crew],
    onward: Mapping[str, timedelta],
    now: datetime,
) -> list[Values]:
    """The loudest kind first; of one kind the oldest, or the most urgent."""
    zone = ZoneInfo(conference.zone)
    found = incidents.list_incidents(connection, conference=conference.slug, is_open=True)
    alarms = [_of_incident(connection, one, zone) for one in reversed(found)]
    waiting = store.list_pickups(connection, conference.slug, ("unplaced",))
    alarms += _of_waiting(waiting, zone, now)
    riding = store.list_pickups(connection, conference.slug, ON_VEHICLE)
    is_lost_anyway = {one.about.removeprefix("pickup/") for one in found if one.kind == "lost"}
    alarms += [alarm for one in riding if one.id not in is_lost_anyway for alarm in _of_talk(one, onward, zone)]
    alarms += [alarm for one in riding for alarm in _of_driver(one, crews.get(one.shift or ""), zone, now)]
    return sorted(alarms, key=lambda one: LOUDEST.index(one["kind"]) if one["kind"] in LOUDEST else len(LOUDEST))


def _of_incident(connection: sa.Connection, incident: incidents.Incident, zone: ZoneInfo) -> Values:
    about = incident.about.removeprefix("pickup/")
    pickup = store.find_pickup(connection, about) if incident.about.startswith("pickup/") else None
    return {
        "id": incident.id,
        "kind": incident.kind,
        "title": incident.sentence,
        "since": incident.opened_at,
        "words": [(word, word.capitalize()) for word in incident.words],
        **_about(pickup, incident.kind, zone),
    }


def _of_waiting(waiting: list[Pickup], zone: ZoneInfo, now: datetime) -> list[Values]:
    near = [one for one in waiting if one.ready_at <= now + EACH_WITHIN]
    alarms = [_of_pickup(one, "unplaced", f"{one.code} has no car", zone) for one in near]
    later = [one for one in waiting if one.ready_at > now + EACH_WITHIN]
    if later:
        first = min(one.ready_at for one in later)
        verb = "pickup of a later day has" if len(later) == 1 else "pickups of later days have"
        title = f"{len(later)} {verb} no car yet; the first is ready {_at(first, zone)}"
        since = min(one.heard_at for one in later)
        about = _about(None, "unplaced", zone)
        alarms.append({"id": "later", "kind": "unplaced", "title": title, "since": since, "words": [], **about})
    return alarms


def _of_talk(pickup: Pickup, onward: Mapping[str, timedelta], zone: ZoneInfo) -> list[Values]:
    """By the plan alone their talk is lost, or at risk. Whom no plan brings there in time has an incident instead."""
    way = onward.get(pickup.to_place or "", timedelta(0))
    if pickup.talk is None or pickup.deadline_at is None or not model.is_talk_at_risk(pickup, way):
        return []
    assert pickup.deliver_at is not None, "a talk is at risk by a plan"
    there = f"at the venue {_at(pickup.deliver_at + way, zone)} as planned"
    if model.is_talk_lost_as_planned(pickup, way):
        title = f"The talk of {pickup.code} is lost: it begins {_at(pickup.deadline_at, zone)}, and they are {there}"
        return [_of_pickup(pickup, "lost", title, zone) | {"to_do": _TO_DO["at_risk"]}]
    return [_of_pickup(pickup, "at_risk", f"The talk of {pickup.code} is at risk: {there}", zone)]


def _of_driver(pickup: Pickup, crew: Crew | None, zone: ZoneInfo, now: datetime) -> list[Values]:
    """The driver is not heard of when they should be."""
    found: list[Values] = []
    if crew is None or pickup.board_at is None or pickup.status not in ("planned", "accepted"):
        return found
    driver = f"{crew.driver_name}, {crew.vehicle}, {crew.driver_phone}"
    if pickup.board_at + THERE_WITHIN <= now:
        title = f"The driver has not said that they are there for {pickup.code}, agreed {_at(pickup.board_at, zone)}"
        found.append(_of_pickup(pickup, "not_there", title, zone, driver))
    elif pickup.status == "planned" and pickup.board_at - ACCEPTED_BEFORE <= now:
        title = f"The driver has not taken {pickup.code}, which boards {_at(pickup.board_at, zone)}"
        found.append(_of_pickup(pickup, "not_taken", title, zone, driver))
    return found


def _of_pickup(pickup: Pickup, kind: str, title: str, zone: ZoneInfo, more: str = "") -> Values:
    about = _about(pickup, kind, zone)
    detail = "; ".join(part for part in (more, about["detail"]) if part)
    alarm = {"id": f"{kind}-{pickup.id}", "kind": kind, "title": title, "since": pickup.heard_at, "words": []}
    return alarm | about | {"detail": detail}


def _about(pickup: Pickup | None, kind: str, zone: ZoneInfo) -> Values:
    """Why, who, which talk and when, as it stands now; and what to do. Only the detail tells about persons."""
    return {
        "detail": _detail(pickup, zone) if pickup else "",
        "to_do": _TO_DO.get(kind, ""),
        "state": pickup.status if pickup else None,
        "pickup": pickup.code if pickup else None,
        "phone": (pickup.phone or None) if pickup else None,
    }


def _detail(pickup: Pickup, zone: ZoneInfo) -> str:
    parts = [pickup.reason] if pickup.reason else []
    parts.append(f"{pickup.speaker_name}, {pickup.from_text} to {pickup.to_text}, ready {_at(pickup.ready_at, zone)}")
    if pickup.travel_number:
        parts.append(pickup.travel_number)
    if pickup.talk and pickup.deadline_at:
        parts.append(f"talk “{pickup.talk_title or pickup.talk}” {_at(pickup.deadline_at, zone)}")
    return "; ".join(parts)


def _at(moment: datetime, zone: ZoneInfo) -> str:
    at = moment.astimezone(zone)
    return f"{at:%a} {at.day} {at:%b} {at:%H:%M}"
