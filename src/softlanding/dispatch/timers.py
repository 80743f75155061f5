"""Dispatch's door for time: who was missed, who may get a place after all."""

from datetime import datetime

import sqlalchemy as sa

from softlanding.database import Transaction
from softlanding.dispatch import store
from softlanding.dispatch.actions import fleet, pickups
from softlanding.dispatch.plans import Desk
from softlanding.lifecycle.service import Timer


def timers(desk: Desk) -> tuple[Timer, ...]:
    """`missed` decides by wall time, and holds while the clock is in doubt; `retry` only seeks places."""

    def missed(tx: Transaction, now: datetime) -> bool:
        return pickups.declare_missed(tx, now, desk)

    def missed_parked(tx: Transaction, now: datetime) -> bool:
        return pickups.declare_parked_missed(tx, now)

    def retry(tx: Transaction, now: datetime) -> bool:
        return pickups.retry_unplaced(tx, now, desk)

    return (
        Timer("missed", store.has_due, missed, pause_s=0.5, is_deadline=True),
        Timer("missed_parked", store.has_parked_due, missed_parked, pause_s=5.0, is_deadline=True),
        Timer("sealed_links", lambda connection, _now: store.has_unsealed(connection), fleet.seal_links),
        Timer("retry", _may_retry, retry, pause_s=1.0),
    )


def _may_retry(connection: sa.Connection, now: datetime) -> bool:
    return bool(store.list_to_retry(connection, now, 1))
