"""What can happen here: log lines come and go."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from softlanding.database import Transaction
from softlanding.statistics import store
from softlanding.statistics.model.log_lines import Line


def keep_logs(tx: Transaction, now: datetime, lines: Sequence[Line]) -> dict[str, Any]:
    """Keep the lines and count them, also those that were none and those that their sender lost."""
    store.add_logs(tx, [line.to_row(now) for line in lines])
    bad = sum(line.is_bad for line in lines)
    lost = sum(line.lost for line in lines)
    for name, more in (("kept", len(lines)), ("bad", bad), ("lost", lost)):
        store.count_logs(tx, name, more)
    return {"kept": len(lines), "bad": bad}


def trim_logs(tx: Transaction, now: datetime, *, keep: timedelta, lines_max: int, most: int) -> bool:
    """Let one slice of old lines go. True: there may be more."""
    kept = store.log_range(tx.connection)
    if kept is None:
        return False
    first, last, _ = kept
    gone = store.drop_logs(tx, first + most - 1, before=now - keep, floor=last - lines_max)
    return gone == most
