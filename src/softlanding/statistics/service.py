"""Start reading here: all that Statistics is, as one value."""

from datetime import timedelta
from typing import Any

from softlanding.lifecycle import Service, Work
from softlanding.settings import Settings
from softlanding.statistics import api, pages
from softlanding.statistics.store import codes_of_fork
from softlanding.statistics.subscriptions import make_handlers
from softlanding.statistics.tables import tables
from softlanding.statistics.timers import make_timers
from softlanding.statistics.views.numbers import count_all_pickups


def make_service(settings: Settings) -> Service:
    return Service(
        name="statistics",
        tables=tables,
        migrations="softlanding.statistics.migrations",
        handlers=make_handlers(),
        timers=make_timers(timedelta(days=settings.statistics.log_keep_days)),
        doors=make_doors,
        pickups_of_fork=codes_of_fork,
        counts=count_all_pickups,
    )


def make_doors(work: Work) -> list[Any]:
    return [pages.make_doors(work), api.make_doors(work)]
