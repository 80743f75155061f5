"""Log lines as they come from anybody: JSON where it is some, else kept as text. No line is ever refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from softlanding.errors import Fault, Invalid

LINES_MAX = 1_000
BODY_MAX = 8_000_000
TEXT_MAX = 8_000
LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "warning": "warning", "error": "error"}
LEVELS |= {"critical": "error", "fatal": "error", "exception": "error"}
_TAKEN = frozenset({"ts", "timestamp", "level", "service", "process", "event", "msg", "code"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `at` None: it names no time that can be read."""

    text: str
    at: datetime | None = None
    service: str = ""
    level: str = "info"
    code: str | None = None
    more: str | None = None
    lost: int = 0  # Lines that the sender says it lost.
    is_bad: bool = False

    def to_row(self, now: datetime) -> dict[str, Any]:
        row = {name: getattr(self, name) for name in ("service", "level", "text", "code", "more")}
        return row | {"at": self.at or now, "received_at": now}


def read_lines(body: bytes) -> list[Line]:
    """A JSON list of objects, or one JSON object a line. What is neither is kept as text and counted as bad.

    Raises Invalid only for too much at once.
    """
    if len(body) > BODY_MAX:
        raise Invalid(Fault("body", f"send at most {BODY_MAX // 1_000_000} MB at once"))
    listed = _load(body) if body.lstrip()[:1] == b"[" else None
    items: list[Any] = listed if isinstance(listed, list) else [line for line in body.splitlines() if line.strip()]
    if len(items) > LINES_MAX:
        raise Invalid(Fault("body", f"send at most {LINES_MAX} lines at once; these are {len(items)}"))
    return [_read(item) for item in items]


def _read(item: Any) -> Line:
    record = _load(item) if isinstance(item, bytes) else item
    if not isinstance(record, Mapping):
        text = item.decode("utf-8", "replace") if isinstance(item, bytes) else json.dumps(item)
        return Line(_clean(text, TEXT_MAX), is_bad=True)
    event = record.get("event", record.get("msg"))  # Caddy says "msg".
    return Line(
        text=_clean(_words(event, record), TEXT_MAX),
        at=_moment(record.get("ts") or record.get("timestamp")),
        service=_clean(record.get("service") or record.get("process") or "", 40),
        level=LEVELS.get(str(record.get("level", "info")).lower(), "info"),
        code=_clean(record["code"], 40) if isinstance(record.get("code"), str) else None,
        more=_more(record),
        lost=_count(record.get("lost")),
        is_bad=event is None,
    )


def _words(event: Any, record: Mapping[str, Any]) -> str:
    """What happened; of a request, which one and how it was answered."""
    words, request = event if isinstance(event, str) else json.dumps(event), record.get("request")
    if not isinstance(request, Mapping):
        return words
    return f"{words}: {request.get('method', '')} {request.get('uri', '')} {record.get('status', '')}".rstrip()


def _load(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # Whoever nests a thousand lists sends text, not JSON.
        return None


def _clean(value: Any, most: int) -> str:
    """Text that every database takes: no NUL, no half characters, not too long."""
    text = value if isinstance(value, str) else str(value)
    return text[:most].replace("\x00", "").encode("utf-8", "replace").decode()


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None and 2000 <= moment.year < 2200 else None


def _more(record: Mapping[str, Any]) -> str | None:
    rest = {name: value for name, value in record.items() if name not in _TAKEN}
    return json.dumps(rest)[:TEXT_MAX] if rest else None


def _count(value: Any) -> int:
    return min(max(value, 0), 10**9) if isinstance(value, int) and not isinstance(value, bool) else 0
