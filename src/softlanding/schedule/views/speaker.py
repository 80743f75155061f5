"""What a speaker sees of the own journey: what was asked for, what it means, and how far it is."""

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from softlanding.schedule import store
from softlanding.schedule.model import Journey, Speaker
from softlanding.schedule.store.pickups import Ride
from softlanding.schedule.views.journeys import Way, destinations, form_values, load_ways

SAID = {
    "requested": "We asked for a car; you will see it here.",
    "unanswered": "We asked for a car and have no answer yet. A person looks after it.",
    "unplaced": "There is no car for you yet. A person looks after it.",
    "refused": "It cannot be done as asked. A person looks after it.",
    "planned": "A car is planned for you.",
    "accepted": "Your driver has taken the ride.",
    "arrived": "Your driver waits for you.",
    "boarded": "You are on your way.",
    "delivered": "You have arrived. Welcome!",
    "no_show": "Your driver did not find you. Please call us.",
    "missed": "Nobody could fetch you in time. Please call us.",
    "withdrawn": "Nobody is sent: this arrival was withdrawn or its flight is cancelled.",
    "stood_down": "Nobody is sent: this arrival was withdrawn or its flight is cancelled.",
    "by_hand": "A person fetches you, without our planning.",
}
_SETTLED = "A person has seen to it, without our planning. Please call us if nobody has told you how."
_REACHED = ("landed", "planned", "arrived", "boarded", "delivered")
_LIVE = ("accepted", "arrived", "boarded")


def speaker_page(connection: sa.Connection, conference: str, speaker: Speaker, now: datetime) -> dict[str, Any]:
    """All of speaker_page.html but its frame and addresses."""
    journey = present_journey(connection, conference, speaker.code)
    return {
        "speaker": {"name": speaker.name},
        "talks": [_talk(slot) for slot in speaker.talks],
        "places": destinations(connection, conference),
        "edit": form_values(journey) if journey and journey.withdrawn_at is None else None,
    } | journey_of_speaker(connection, conference, speaker.code, now)


def present_journey(connection: sa.Connection, conference: str, code: str) -> Journey | None:
    """The journey that the speaker's page is about: the last announced one that holds."""
    journeys = store.journeys.list_of_speaker(connection, conference, code)
    return next((journey for journey in journeys if journey.withdrawn_at is None), None)


def journey_of_speaker(connection: sa.Connection, conference: str, code: str, now: datetime) -> dict[str, Any]:
    """The live fragment's `journey`, `ride` and `desk`."""
    found = present_journey(connection, conference, code)
    if found is None:
        return {"journey": None, "ride": None, "desk": ""}
    [way] = load_ways(connection, [found])
    return {"journey": _journey(way, now), "ride": _ride(way), "desk": ""}


def _talk(slot: Any) -> dict[str, Any]:
    return {
        "code": slot.code,
        "title": slot.title,
        "room": slot.room,
        "start_at": slot.starts_at,
        "duration": timedelta(minutes=slot.minutes),
    }


def _journey(way: Way, now: datetime) -> dict[str, Any]:
    journey, arrival = way.journey, way.journey.arrival
    return {
        "how": arrival.kind,
        "number": arrival.number,
        "airport": arrival.place,
        "landing_at": arrival.landing_at,
        "expected_at": journey.news.expected_at if journey.news else None,
        "news": journey.news.state if journey.news else "",
        "to_place": arrival.to_place,
        "pickup": way.pickup.code if way.pickup else None,
        "state": way.state,
        "said": _said(way),
        "lost": _lost(way, now),
        "steps": _steps(way, now),
    }


def _said(way: Way) -> str:
    """What Dispatch stood down though it is still asked for, a person has settled there."""
    is_settled = way.state == "stood_down" and way.pickup is not None and way.pickup.is_open
    return _SETTLED if is_settled else SAID.get(way.state, "")


def _lost(way: Way, now: datetime) -> dict[str, Any] | None:
    """The talk of theirs that begins before they land."""
    if way.pickup is None or not way.is_lost_at(now):
        return None
    asked = way.pickup.asked
    return {"title": asked.talk_title, "start_at": asked.deadline_at, "landing_at": asked.landing_at}


def _ride(way: Way) -> dict[str, Any] | None:
    """The car, while one is meant to come. A time always says where it is from."""
    ride = way.ride
    if ride is None or ride.state.board_at is None or way.state in ("withdrawn", "stood_down", "by_hand", "missed"):
        return None
    state, is_live = ride.state, ride.status in _LIVE
    return {
        "board_at": state.boarded_at or state.board_at,
        "deliver_at": state.delivered_at or state.deliver_at,
        "source": "driver" if is_live else f"plan {state.plan}" if state.plan else "plan",
        "is_live": is_live,
        "driver": state.driver_name or "your driver",
        "phone": state.driver_phone or "",
        "vehicle": state.vehicle or "",
        "plate": state.plate or "",
        "meeting": state.meeting,
        "sign": way.journey.conference.upper(),
    }


def _steps(way: Way, now: datetime) -> list[dict[str, Any]]:
    """Five steps; the last one reached is `now` until the next one is."""
    reached = _reached(way, now)
    names = (
        ("Landed", way.journey.expected_at),
        ("Driver assigned", None),
        ("Driver at the meeting point", way.ride.state.board_at if way.ride else None),
        ("In the car", way.ride.state.boarded_at if way.ride else None),
        (way.journey.arrival.to_place, _delivery(way.ride)),
    )
    last = max((number for number, name in enumerate(_REACHED) if name in reached), default=-1)
    steps = []
    for number, (words, at) in enumerate(names):
        is_done = _REACHED[number] in reached
        is_now = number == last and number < len(names) - 1
        steps.append({"words": words, "state": "now" if is_now else "done" if is_done else "todo", "at": at})
    return steps


def _reached(way: Way, now: datetime) -> set[str]:
    status = way.ride.status if way.ride else ""
    order = ("planned", "accepted", "arrived", "boarded", "delivered")
    reached = set(order[: order.index(status) + 1]) if status in order else set()
    if way.journey.expected_at <= now or "boarded" in reached or way.state == "landed":
        reached.add("landed")
    return reached


def _delivery(ride: Ride | None) -> datetime | None:
    return (ride.state.delivered_at or ride.state.deliver_at) if ride else None
