"""For operators: services, their lives and deaths, incidents of all three, facts that were given up on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from softlanding import incidents
from softlanding.conferences import Conference, list_conferences, zone_of_all
from softlanding.contracts.everyone import MERGED, STOPPED
from softlanding.database import lives
from softlanding.lifecycle.deaths import Silence, death_incident_id, list_silences
from softlanding.lifecycle.outages import Death, Outage, list_outages, readiness
from softlanding.messaging import dead_letters, inbox
from softlanding.messaging.receiver import TRIES_MAX
from softlanding.statistics.model.words import count
from softlanding.statistics.tables import facts, heard_incidents, heard_lives
from softlanding.statistics.views.deaths import OutageStory, outage_story
from softlanding.statistics.views.numbers import count_pickups

LIVES_MAX = 30
BEAT_BINS, BEAT_BIN_S = 60, 10
SETTLED_SHOWN = 20
NOBODY = "nobody had to settle it"
# What is told of an incident to a program without `personal`: not who settled it, nor what they noted.
OF_INCIDENTS = frozenset(
    [
        "at",
        "code",
        "conference",
        "conference_name",
        "details",
        "id",
        "kind",
        "opened_at",
        "pickup",
        "service",
        "settled",
        "title",
        "word",
        "words",
        "zone",
    ]
)
BEHIND = "waits behind"  # How a parked fact's reason begins when only its subject is to blame.


@dataclass(frozen=True)
class ServiceRows:
    """What the database knows for the services' cards; the rest is in the beats."""

    applied_at: Mapping[str, datetime]  # When something of that source was last applied.
    expired: Mapping[str, int]
    beats: Mapping[str, list[bool]]


def services_rows(connection: sa.Connection, began_at: datetime, now: datetime) -> ServiceRows:
    moved = {row.source: row.moved_at for row in connection.execute(sa.select(inbox.cursors))}
    unanswered = (heard_incidents.c.kind == "unanswered") & heard_incidents.c.settled_at.is_(None)
    waiting = connection.execute(sa.select(sa.func.count()).where(unanswered)).scalar_one()
    missed = dict(count_pickups(connection)).get("missed", 0)
    silences = list_silences(connection, is_open=False, most=200)
    beats = {name: _beats(silences, name, began_at, now) for name in ("schedule", "dispatch")}
    return ServiceRows(moved, {"schedule": waiting, "dispatch": missed}, beats)


def _beats(silences: Sequence[Silence], service: str, began_at: datetime, now: datetime) -> list[bool]:
    """Whether beats came, for each ten seconds of the last ten minutes that Statistics itself was there."""
    begin = max(began_at, now - timedelta(seconds=BEAT_BINS * BEAT_BIN_S))
    bins = int((now - begin).total_seconds()) // BEAT_BIN_S
    silent = [(s.since, s.back_at or now) for s in silences if s.service == service]
    begins = [now - timedelta(seconds=BEAT_BIN_S * number) for number in range(bins, 0, -1)]
    length = timedelta(seconds=BEAT_BIN_S)
    return [not any(since < at + length and back > at for since, back in silent) for at in begins]


def lives_view(connection: sa.Connection) -> list[dict[str, Any]]:
    """Lives of all three services, newest first, with what the deaths among them cost."""
    outages = {death.life: (death, outage) for outage in list_outages(connection, 50) for death in outage.deaths}
    silences = {s.life: s for s in list_silences(connection, is_open=False, most=200)[::-1] if s.life}
    ready = {row.life: row.ready_at for row in connection.execute(sa.select(readiness))}
    heard = connection.execute(sa.select(heard_lives).order_by(heard_lives.c.began_at.desc()).limit(LIVES_MAX))
    own = connection.execute(sa.select(lives).order_by(lives.c.began_at.desc()).limit(LIVES_MAX))
    rows = [(row.life, row.service, row.began_at, row.ended_at) for row in heard]
    rows += [(row.epoch, "statistics", row.began_at, row.ended_at) for row in own]
    rows.sort(key=lambda row: (row[2], row[0]), reverse=True)
    return [
        _life(connection, row, ready.get(row[0]), outages.get(row[0]), silences.get(row[0])) for row in rows[:LIVES_MAX]
    ]


def _life(
    connection: sa.Connection,
    row: tuple[str, str, datetime, datetime | None],
    ready_at: datetime | None,
    died: tuple[Death, Outage] | None,
    silence: Silence | None,
) -> dict[str, Any]:
    life, service, began_at, ended_at = row
    death, outage = died or (None, None)
    ending = "goodbye" if ended_at else ""
    noticed = [of.noticed_at for of in (death, silence) if of is not None]
    is_its_begin = outage is not None and outage.deaths[-1] is death  # What an outage cost is told once.
    story = outage_story(connection, outage) if outage is not None and is_its_begin else None
    if death is not None:
        ended_at, ending = death.died_at or death.noticed_at, death.how or "silent"
    elif ended_at is None and silence is not None and silence.back_at is None:
        ended_at, ending = silence.since, "silent"
    counts = (len(story.recovered), len(story.expired)) if story is not None and story.costs_pickups else (None, None)
    return {
        "service": service,
        "life": life[:13],
        "started_at": began_at,
        "ready_at": ready_at,
        "ended_at": ended_at,
        "ending": ending,
        "noticed_by": "statistics" if noticed and ending != "goodbye" else "",
        "noticed_at": min(noticed) if noticed and ending != "goodbye" else None,
        "recovered": counts[0],
        "expired": counts[1],
    }


def incidents_view(connection: sa.Connection) -> list[dict[str, Any]]:
    """Incidents of all three services: open first, then settled lately; newest first.

    What belongs to a conference is told by its clocks, else by those of all conferences.
    """
    zone = ZoneInfo(zone_of_all(connection))
    own = [_own_incident(connection, incident, zone) for incident in incidents.list_incidents(connection, is_open=True)]
    own += [
        _own_incident(connection, incident, zone)
        for incident in incidents.list_incidents(connection, is_open=False, most=SETTLED_SHOWN)
        if incident.settled_word != MERGED
    ]
    columns, settled_at = sa.select(heard_incidents), heard_incidents.c.settled_at
    newest = heard_incidents.c.opened_at.desc()
    heard = list(connection.execute(columns.where(settled_at.is_(None)).order_by(newest).limit(200)))
    heard += connection.execute(columns.where(settled_at.is_not(None)).order_by(settled_at.desc()).limit(SETTLED_SHOWN))
    found = own + [_heard_incident(row) for row in heard if row.settled_word != MERGED]
    found.sort(key=lambda incident: incident["opened_at"], reverse=True)
    known = {each.slug: each for each in list_conferences(connection)}
    found = [_placed(incident, known.get(incident["conference"] or ""), zone.key) for incident in found]
    return [i for i in found if i["settled"] is None] + [i for i in found if i["settled"] is not None][:SETTLED_SHOWN]


def _placed(incident: dict[str, Any], conference: Conference | None, zone: str) -> dict[str, Any]:
    """With the conference's name, and the zone in which its sentence speaks."""
    if conference is None:
        return incident | {"conference_name": "", "zone": zone}
    return incident | {"conference_name": conference.title, "zone": conference.zone}


def _own_incident(connection: sa.Connection, incident: incidents.Incident, zone: ZoneInfo) -> dict[str, Any]:
    view = _incident("statistics", incident)
    stories = _stories_of(connection, incident) if incident.kind == "death" else []
    if stories:
        times = f"{len(stories)} times, last: " if len(stories) > 1 else ""
        view["title"] = times + stories[0].sentence(zone)
        view["details"] = [line for story in stories for line in _details(story, zone, with_title=len(stories) > 1)]
    if incident.settled_at is not None:
        view["settled"] = _settled(incident, incident.settled_by or NOBODY)
    return view


def _stories_of(connection: sa.Connection, incident: incidents.Incident) -> list[OutageStory]:
    """The outages that this incident has grown from, newest first."""
    service = incident.about.removeprefix("service/")
    of = list_outages(connection, 50, service)
    inside = [outage for outage in of if any(_is_of(incident, death) for death in outage.deaths)]
    return [outage_story(connection, outage) for outage in inside[:10]]


def _is_of(incident: incidents.Incident, death: Death) -> bool:
    has_grown = incident.times > 1 and incident.opened_at <= death.noticed_at <= incident.grown_at
    return has_grown or death_incident_id(death.life) == incident.id


def _details(story: OutageStory, zone: ZoneInfo, *, with_title: bool) -> list[str]:
    lines = [story.sentence(zone)] if with_title else []
    for words, codes in (("recovered", story.recovered), ("expired", story.expired)):
        if codes:
            more = f" and {len(codes) - 20} more" if len(codes) > 20 else ""
            lines.append(f"{words}: {', '.join(codes[:20])}{more}")
    if story.unsettled:
        lines.append(f"{count(len(story.unsettled), 'of the expired is', 'of the expired are')} still to be settled")
    return lines


def _heard_incident(row: Any) -> dict[str, Any]:
    view = _incident(row.service, row)
    if row.settled_at is not None:
        by = NOBODY if row.settled_word == STOPPED else "a member of staff"  # Who it was stays with its keeper.
        view["settled"] = _settled(row, by)
    return view


def _incident(service: str, incident: Any) -> dict[str, Any]:
    words = incidents.WORDS.get(incident.kind, incidents.WORDS["other"])
    return {
        "id": incident.id,
        "title": incident.sentence + (f" ({incident.times} times)" if incident.times > 1 else ""),
        "kind": "parked" if incident.kind == "poison" else incident.kind,
        "service": service,
        "conference": incident.conference,
        "opened_at": incident.opened_at,
        "details": [],
        "pickup": {"conference": incident.conference, "code": incident.code}
        if incident.conference and incident.code
        else None,
        "words": [(word, word[:1].upper() + word[1:]) for word in words],
        "settled": None,
    }


def _settled(incident: Any, by: str) -> dict[str, Any]:
    word = incident.settled_word or ""
    note = getattr(incident, "settled_note", None) or ""
    return {"by": by, "word": word[:1].upper() + word[1:], "note": note, "at": incident.settled_at}


def is_own_incident(connection: sa.Connection, incident: str) -> bool:
    return incidents.load(connection, incident) is not None


def keeper_of_incident(connection: sa.Connection, incident: str) -> str | None:
    """The peer that keeps it and settles it; None for one that nobody told of."""
    query = sa.select(heard_incidents.c.service).where(heard_incidents.c.id == incident)
    keeper: str | None = connection.execute(query.order_by(heard_incidents.c.service)).scalar()
    return keeper


def letters_view(
    connection: sa.Connection, told: Sequence[tuple[str, str, str, tuple[int, ...]]]
) -> list[dict[str, Any]]:
    """Parked facts by subject: our own, and those that peers tell in their receipts, as
    (receiver, source, epoch, numbers).
    """
    letters: dict[tuple[str, str, str], dict[str, Any]] = {}
    for parked in dead_letters.list_parked(connection):
        key = ("statistics", parked.source, parked.subject)
        if key in letters:
            letters[key]["waiting"] += 1
        else:
            letters[key] = _letter("statistics", parked, parked.reason, parked.parked_at)
    for receiver, source, epoch, numbers in told:
        is_named = (facts.c.source == source) & (facts.c.epoch == epoch) & facts.c.sequence.in_(numbers)
        for row in connection.execute(sa.select(facts).where(is_named).order_by(facts.c.sequence)):
            key = (receiver, source, row.subject)
            if key in letters:
                letters[key]["waiting"] += 1
            else:
                reason = f"{receiver.title()} told that it parked this fact; the reason is among its dead letters."
                letters[key] = _letter(receiver, row, reason, None)
    return list(letters.values())


def _letter(consumer: str, row: Any, reason: str, parked_at: datetime | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "consumer": consumer,
        "producer": row.source,
        "kind": row.type.partition(".")[2],
        "subject": row.subject,
        "parked_at": parked_at,
        "reason": reason,
        "attempts": 1 if reason.startswith(BEHIND) else TRIES_MAX,
        "waiting": 0,
    }
