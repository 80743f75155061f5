"""Read-only questions, shaped for a page: numbers, one pickup's story, operations, log lines."""

from softlanding.statistics.views.deaths import OutageStory, outage_stories, outage_story
from softlanding.statistics.views.facts import heard_after, last_facts
from softlanding.statistics.views.logs import LogFilter, count_lost_logs, list_logs
from softlanding.statistics.views.numbers import (
    count_facts,
    count_pickups,
    facts_by_minute,
    last_heard_at,
    list_pickups,
    waits,
)
from softlanding.statistics.views.operations import (
    OF_INCIDENTS,
    incidents_view,
    is_own_incident,
    keeper_of_incident,
    letters_view,
    lives_view,
    services_rows,
)
from softlanding.statistics.views.story import find_pickup, pickup_story

__all__ = [
    "OF_INCIDENTS",
    "LogFilter",
    "OutageStory",
    "count_facts",
    "count_lost_logs",
    "count_pickups",
    "facts_by_minute",
    "find_pickup",
    "heard_after",
    "incidents_view",
    "is_own_incident",
    "keeper_of_incident",
    "last_facts",
    "last_heard_at",
    "letters_view",
    "list_logs",
    "list_pickups",
    "lives_view",
    "outage_stories",
    "outage_story",
    "pickup_story",
    "services_rows",
    "waits",
]
