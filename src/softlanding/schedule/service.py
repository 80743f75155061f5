"""Schedule in one value: what it hears, what is due, what it writes, its doors."""

from datetime import date
from typing import Any

from softlanding.database import Database
from softlanding.lifecycle import Service, Work
from softlanding.schedule import api, pages, store, tables
from softlanding.schedule.actions.pickups import do_as_settled, promise_of
from softlanding.schedule.actions.sample import at_up
from softlanding.schedule.publish import make_chore
from softlanding.schedule.subscriptions import ME, handlers
from softlanding.schedule.timers import timers
from softlanding.schedule.views.journeys import count_pickups
from softlanding.settings import Settings


def make_service(settings: Settings) -> Service:
    """The service, with the deadlines of these settings."""

    async def load_sample(database: Database, first_day: date) -> dict[str, Any]:
        return await at_up(database, first_day, promise_of(settings))

    return Service(
        name=ME,
        tables=tables.tables,
        migrations="softlanding.schedule.migrations",
        handlers=handlers(),
        timers=timers(promise_of(settings)),
        writes_files=True,
        chores=(make_chore(settings),),
        doors=doors,
        on_settled=do_as_settled,
        pickups_of_fork=store.pickups.codes_of_fork,
        counts=count_pickups,
        load_sample=load_sample,
    )


def doors(work: Work) -> list[Any]:
    """Every route of Schedule."""
    return [*api.make_doors(work), *pages.make_doors(work)]
