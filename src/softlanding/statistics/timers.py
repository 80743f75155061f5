"""Door for time: old log lines go, in slices. Nothing here decides anything for the other services."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from softlanding.database import Transaction
from softlanding.lifecycle import Timer
from softlanding.statistics import actions, store

LINES_MAX = 500_000  # Some 150 MB; a service that shouts must not fill the disk.
SLICE = 2_000  # Lines deleted in one transaction: some 20 ms.


def make_timers(keep: timedelta, lines_max: int = LINES_MAX) -> tuple[Timer, ...]:
    def is_due(connection: sa.Connection, now: datetime) -> bool:
        kept = store.log_range(connection)
        return kept is not None and (kept[2] < now - keep or kept[1] - kept[0] + 1 > lines_max)

    def trim(tx: Transaction, now: datetime) -> bool:
        return actions.trim_logs(tx, now, keep=keep, lines_max=lines_max, most=SLICE)

    return (Timer("logs.trim", is_due, trim, pause_s=30.0),)
