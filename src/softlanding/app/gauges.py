"""What a service tells at /metrics, all of it declared here: how it stands, how it hears and is heard, what waits.

`tests/service/test_metrics.py` drives the three services and lets nothing stand here that never moves.
"""

from collections.abc import Callable

from softlanding.clock import Clock
from softlanding.database import ThreadedDatabase
from softlanding.lifecycle import Work
from softlanding.lifecycle.needs import Needs
from softlanding.lifecycle.troubles import DATABASE
from softlanding.telemetry import Metrics
from softlanding.web.health import Health

COUNTED = (  # What the database knows, as `needs` last counted it.
    ("incidents_open", "Incidents that wait for a person", "kind"),
    ("deaths", "Deaths noticed and kept", "service"),
    ("pickups", "Pickups by their state, as this service knows them", "state"),
)


def gauge(
    health: Health,
    work: Work,
    database: ThreadedDatabase,
    needs: Needs,
    clock: Clock,
    is_bus_durable: Callable[[], bool],
) -> None:
    """From here on the health socket's /metrics tells all that is known of this work."""
    metrics = health.metrics
    metrics.build(work.service.name, work.parts.release)
    metrics.watch_many("state", "1 for the state it is in", "state", lambda: {health.readiness()[1]: 1.0})
    _gauge_standing(metrics, work, database, clock)
    _gauge_hearing(metrics, work, database, needs)
    metrics.watch("bus_up", "1 while connected", lambda: float(work.parts.bus.is_up))
    metrics.watch("bus_durable", "1 if the broker proves that it syncs", lambda: float(is_bus_durable()))
    for name, meaning, label in COUNTED:
        metrics.watch_many(name, meaning, label, lambda name=name: needs.counted.get(name, {}))  # type: ignore[misc]
    work.answered = lambda status, took_s: metrics.requests.labels(str(status)).observe(took_s)
    _count_commits(metrics, work, database)


def _gauge_standing(metrics: Metrics, work: Work, database: ThreadedDatabase, clock: Clock) -> None:
    """Whether it can do what it is there for."""
    writer = database.writer
    metrics.watch("database_up", "1 while the database answers", lambda: float(DATABASE not in work.troubles.now))
    metrics.watch_many(
        "trouble", "1 for each trouble that is there now", "name", lambda: dict.fromkeys(work.troubles.now, 1.0)
    )
    metrics.watch("lease_age_seconds", "Since the last commit", lambda: clock.monotonic() - writer.committed_at)
    metrics.watch("clock_held", "1 while deadlines hold", lambda: float(work.guard.held is not None))
    metrics.watch("writer_waiting", "Actions waiting for the writer", lambda: float(database.waiting))


def _gauge_hearing(metrics: Metrics, work: Work, database: ThreadedDatabase, needs: Needs) -> None:
    """What it tells, what others have of it, and what it has of others."""
    metrics.watch("facts_told", "Last number of this life", lambda: float(database.last_number))
    metrics.watch("facts_unsent", "Facts not on the bus yet", lambda: float(database.last_number - work.relay.sent))
    metrics.watch_many(
        "facts_waiting_seconds", "Age of the oldest fact told here that it has not applied", "peer", needs.waiting_s
    )
    metrics.watch_many("facts_behind", "Its facts not applied here", "peer", work.facts_behind)
    metrics.watch_many("facts_applied", "Facts applied", "source", work.facts_applied, only_grows=True)
    metrics.watch("parked", "Dead letters", lambda: float(work.parked))
    metrics.watch_many("peer_silent", "1 while it is silent", "peer", work.silent_peers)


def _count_commits(metrics: Metrics, work: Work, database: ThreadedDatabase) -> None:
    counted = 0

    def count_commit() -> None:  # Called after groups that failed, too.
        nonlocal counted
        metrics.commits.inc(database.writer.commits - counted)
        counted = database.writer.commits
        work.commits.fire()

    database.on_commit = count_commit
