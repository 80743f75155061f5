"""Log lines, the newest first, by service, level and words."""

import json
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from softlanding.statistics.tables import log_counts, logs

LOOKED_AT_MAX = 50_000  # Lines that one question goes through: it must not hold a reader for seconds.
_NOT_SHOWN = frozenset({"pid", "logger", "status", "user_id", "bytes_read"})
_FROM_LEVEL = {"warning": ("warning", "error"), "error": ("error",)}


@dataclass(frozen=True)
class LogFilter:
    """`level` means this one and worse; "" is everything."""

    service: str = ""
    level: str = ""
    words: str = ""


def list_logs(
    connection: sa.Connection, wanted: LogFilter, most: int = 100, below: int | None = None
) -> list[dict[str, Any]]:
    """Up to `most` lines numbered under `below`, among the last 50 000."""
    last = connection.execute(sa.select(sa.func.max(logs.c.number))).scalar() or 0
    under = min(below, last + 1) if below is not None else last + 1
    query = sa.select(logs).where(logs.c.number < under, logs.c.number >= under - LOOKED_AT_MAX)
    if wanted.service:
        query = query.where(logs.c.service == wanted.service)
    if wanted.level in _FROM_LEVEL:
        query = query.where(logs.c.level.in_(_FROM_LEVEL[wanted.level]))
    for word in wanted.words.split()[:8]:
        is_there = [column.icontains(word, autoescape=True) for column in (logs.c.text, logs.c.code, logs.c.more)]
        query = query.where(sa.or_(*is_there))
    rows = connection.execute(query.order_by(logs.c.number.desc()).limit(most))
    return [_view(row) for row in rows]


def count_lost_logs(connection: sa.Connection) -> int:
    """Lines that their senders said they lost."""
    lost = connection.execute(sa.select(log_counts.c.count).where(log_counts.c.name == "lost")).scalar()
    return lost or 0


def _view(row: Any) -> dict[str, Any]:
    names = ("number", "at", "received_at", "service", "level", "text", "more")
    return {name: getattr(row, name) for name in names} | {"pickup": row.code, "details": _details(row.more)}


def _details(more: str | None) -> str:
    """What else the line says, as far as it is short."""
    try:
        said = json.loads(more) if more else {}
    except ValueError:  # It was cut when it was kept.
        said = {}
    shown = {name: value for name, value in said.items() if name not in _NOT_SHOWN and value not in (None, "")}
    return " ".join(f"{name}={value}" for name, value in shown.items() if isinstance(value, str | int | float))[:300]
