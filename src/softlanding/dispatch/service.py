"""Dispatch as one value: what it hears, what it does when time passes, its doors. Start reading here."""

from datetime import date, datetime
from typing import Any

from softlanding import auth, conferences
from softlanding.contracts import SOURCES
from softlanding.database import Database, Transaction
from softlanding.dispatch import api, pages, runsheets, store, subscriptions, timers, views
from softlanding.dispatch.actions import pickups
from softlanding.dispatch.actions.sample import load_sample as load
from softlanding.dispatch.plans import Desk
from softlanding.dispatch.tables import tables
from softlanding.incidents import Incident
from softlanding.lifecycle import Chore, Service, Work
from softlanding.sample import sample
from softlanding.settings import Settings

NAME = "dispatch"


def make_service(settings: Settings) -> Service:
    """The service, with a desk of its own: two of them in one process share nothing."""
    desk = Desk(settings.dispatch)
    peers = tuple(source for source in SOURCES if source != NAME)

    def missed_first(tx: Transaction, now: datetime) -> bool:
        return pickups.declare_missed(tx, now, desk)

    def do_as_settled(tx: Transaction, now: datetime, incident: Incident) -> None:
        pickups.do_as_settled(tx, now, desk, incident)

    async def load_sample(database: Database, first_day: date) -> object:
        return await database.write(load, desk, sample(first_day))

    def doors(work: Work) -> list[Any]:
        return [*pages.make_doors(work, desk), *api.make_doors(work, desk)]

    return Service(
        name=NAME,
        tables=tables,
        migrations="softlanding.dispatch.migrations",
        handlers={**auth.handlers(NAME, peers), **conferences.handlers(NAME), **subscriptions.handlers(desk)},
        timers=timers.timers(desk),
        writes_files=True,
        chores=(Chore("runsheets", runsheets.RunSheets().step, pause_s=2.0, wakes_on_commit=False),),
        doors=doors,
        on_refused=subscriptions.on_refused(desk),
        on_settled=do_as_settled,
        counts=views.count_pickups,
        load_sample=load_sample,
        at_start=(missed_first,),
        pickups_of_fork=store.codes_of_fork,
    )
