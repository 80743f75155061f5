"""Staff with their roles, and speakers with their personal links."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from softlanding.auth import EVERYWHERE, list_people
from softlanding.links import Presented
from softlanding.schedule import store
from softlanding.schedule.model import Speaker
from softlanding.schedule.store.speakers import SpeakerLink
from softlanding.schedule.views.journeys import load_ways


def people(
    connection: sa.Connection, conference: str | None, me: str | None, *, with_new: bool = False
) -> list[dict[str, Any]]:
    """Everybody with a role here or everywhere, by name, and `with_new` who has none yet. Without a conference: all."""
    seen = store.speakers.signed_in_at(connection)
    return [
        {
            "id": person.person,
            "name": person.name,
            "email": person.email,
            "phone": person.phone,
            "roles": {role for place, role in person.roles if conference is None or place in (EVERYWHERE, conference)},
            "is_me": person.person == me,
            "seen_at": seen.get(person.person),
        }
        for person in list_people(connection)
        if conference is None
        or (with_new and not person.roles)
        or any(place in (EVERYWHERE, conference) for place, _ in person.roles)
    ]


def codes_that_left(connection: sa.Connection, conference: str) -> set[str]:
    """Of speakers who were in the programme and are no more: neither in the newest release nor in the draft."""
    without = store.speakers.codes_without_talks(connection, conference)
    draft = store.programmes.load_draft(connection, conference) if without else None  # FOSDEM's takes 30 ms.
    return without - {person.code for person in draft.persons} if draft else set()


def speakers(connection: sa.Connection, conference: str, address_of: Callable[[str], str]) -> list[dict[str, Any]]:
    """Every speaker by name, with the personal link as the full address that `address_of` makes from its id; who left
    the programme comes last."""
    left = codes_that_left(connection, conference)
    links = store.speakers.links_by_speaker(connection, conference)
    ways = {way.journey.speaker: way for way in load_ways(connection, store.journeys.list_open(connection, conference))}
    found = []
    for speaker in store.speakers.list_speakers(connection, conference):
        link, way = links.get(speaker.code), ways.get(speaker.code)
        arrival = way.journey.arrival if way else None
        found.append(
            {
                "code": speaker.code,
                "name": speaker.name,
                "talks": len(speaker.talks),
                "has_left": speaker.code in left,
                "link": address_of(link.id) if link and link.id else "",
                "seen_at": link.seen_at if link else None,
                "phone": arrival.phone if arrival else "",
                "journey": {"number": arrival.number, "landing_at": way.journey.expected_at, "state": way.state}
                if way and arrival
                else None,
            }
        )
    return sorted(found, key=lambda each: bool(each["has_left"]))  # Names stay in order.


def speaker_choices(connection: sa.Connection, conference: str) -> list[dict[str, str]]:
    """Who an arrival can be entered for, by name."""
    return [{"code": each.code, "name": each.name} for each in store.speakers.list_speakers(connection, conference)]


def bearer(
    connection: sa.Connection, conference: str, presented: Presented
) -> tuple[SpeakerLink | None, Speaker | None]:
    """The link that is presented so, and whose it is."""
    link = store.speakers.load_link(connection, conference, presented)
    return link, store.speakers.load_speaker(connection, conference, link.speaker) if link else None
