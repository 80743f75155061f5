"""Logs, traces and metrics: the one module that knows structlog, OpenTelemetry's words and Prometheus.

Logs are JSON lines on stdout: `ts`, `level`, `service`, `event`, and what else was bound. No names, phones, flights
or tokens are ever logged; `code` (a pickup's short code) is.
"""

import logging
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TextIO

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Log = structlog.typing.FilteringBoundLogger

# Without local variables: names, phones and secrets may be in them.
_TRACEBACKS = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))

STRANGERS_LINES_PER_MINUTE = 20  # With a traceback each, a day of them fits into the files that are kept.
METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def set_up_logs(service: str, *, level: str = "info", as_json: bool = True, to: TextIO | None = None) -> Log:
    """One logger for the process; the standard library's loggers (uvicorn, alembic, nats) end there too."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False) if as_json else structlog.dev.ConsoleRenderer()
    )
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        _TRACEBACKS if as_json else structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.PrintLoggerFactory(to or sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(to or sys.stdout)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=processors))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    server = logging.getLogger("uvicorn.error")
    server.filters[:] = [_BoundedServer()]
    structlog.contextvars.bind_contextvars(service=service)
    return get_log()


class Bounded:
    """Lines that strangers can cause: so many a minute of each kind, then none until the next minute counts them."""

    def __init__(self, most: int = STRANGERS_LINES_PER_MINUTE) -> None:
        self._most = most
        self._minutes: dict[str, tuple[int, int]] = {}  # Kind to its minute and how many came in it.

    def take(self, kind: str, now_s: float) -> tuple[bool, int]:
        """(whether to say this one, how many of the kind were left out in its last minute)."""
        minute, left_out = int(now_s // 60), 0
        began, count = self._minutes.get(kind, (minute, 0))
        if began != minute:
            left_out, count = max(0, count - self._most), 0
        self._minutes[kind] = (minute, count + 1)
        return count < self._most, left_out


class _BoundedServer(logging.Filter):
    """The web server's own lines, such as one for each request that is no HTTP."""

    def __init__(self) -> None:
        super().__init__()
        self._bounded = Bounded()

    def filter(self, record: logging.LogRecord) -> bool:
        is_said, left_out = self._bounded.take(str(record.msg), record.created)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more a minute ago)", ()
        return is_said


def get_log() -> Log:
    log: Log = structlog.get_logger()
    return log


def new_traceparent(rng: random.Random) -> str:
    """A W3C trace context (https://www.w3.org/TR/trace-context/), for what enters at a door without one."""
    return f"00-{rng.getrandbits(128) or 1:032x}-{rng.getrandbits(64) or 1:016x}-01"


class Metrics:
    """What a service counts about itself; one registry a process, so that tests may have many."""

    def __init__(self) -> None:
        # Beside each counter the library tells when it was made: that never moves.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        labels = {"registry": self._registry, "namespace": "softlanding"}
        self.commits = Counter("commits", "Group commits", **labels)  # type: ignore[arg-type]
        self.requests = Histogram("request_seconds", "Answers", ["status"], **labels)  # type: ignore[arg-type]
        ProcessCollector(registry=self._registry)

    def build(self, service: str, release: str) -> None:
        """What runs here: a series whose value is always 1."""
        labels = ["service", "release"]
        Gauge("build_info", "The release that runs", labels, namespace="softlanding", registry=self._registry).labels(
            service, release
        ).set(1)

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A gauge that is read when somebody asks."""
        Gauge(name, meaning, registry=self._registry, namespace="softlanding").set_function(read)

    def watch_many(
        self, name: str, meaning: str, label: str, read: Callable[[], Mapping[str, float]], *, only_grows: bool = False
    ) -> None:
        """A gauge with one value for each of what `read` names when somebody asks; a counter if it `only_grows`."""
        kind = CounterMetricFamily if only_grows else GaugeMetricFamily

        class Many:
            def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
                family = kind(f"softlanding_{name}", meaning, labels=[label])
                for key, value in sorted(read().items()):
                    family.add_metric([key], value)
                yield family

        self._registry.register(Many())

    def text(self) -> bytes:
        return generate_latest(self._registry)
