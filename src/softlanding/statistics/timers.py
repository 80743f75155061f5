"""Door for time: old log lines go, in slices. Nothing here decides anything for the other services."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from softlanding.database import Transaction
from softlanding.lifecycle import Chore, Timer, Work
from softlanding.statistics import actions, store, views

LINES_MAX = 500_000  # Some 150 MB; a service that shouts must not fill the disk.
SLICE = 2_000  # Lines deleted in one transaction: some 20 ms.


def make_timers(keep: timedelta, lines_max: int = LINES_MAX) -> tuple[Timer, ...]:
    def is_due(connection: sa.Connection, now: datetime) -> bool:
        kept = store.log_range(connection)
        return kept is not None and (kept[2] < now - keep or kept[1] - kept[0] + 1 > lines_max)

    def trim(tx: Transaction, now: datetime) -> bool:
        return actions.trim_logs(tx, now, keep=keep, lines_max=lines_max, most=SLICE)

    return (Timer("logs.trim", is_due, trim, pause_s=30.0),)


async def note_ready(work: Work) -> bool:
    """Write down which lives were heard to be ready, our own among them."""
    living = {peer.beat.life for peer in work.peers.by_name.values() if peer.beat and peer.beat.phase == "ready"}
    if work.phases.is_ready:
        living.add(work.life.epoch)
    for life in await work.database.read(views.not_yet_ready, sorted(living)):
        await work.database.write(actions.note_ready, life)
    return False


CHORES = (Chore("lives.ready", note_ready, pause_s=1.0, wakes_on_commit=False),)
