"""What producers know about their receivers: how far each has applied, what it has parked, how old the rest is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from softlanding.messaging import outbox
from softlanding.messaging.beats import Peer, Receipt


@dataclass(frozen=True)
class Lag:
    """One receiver's distance from this producer's tail."""

    receiver: str
    behind: int | None  # Facts not applied; None when it has told nothing or stands in another epoch.
    oldest_at: datetime | None  # When the oldest unapplied fact was told.
    parked: tuple[int, ...]
    halted: str | None


def receipts_for(source: str, peers: Mapping[str, Peer]) -> dict[str, Receipt]:
    """The newest receipt of each peer about `source`."""
    return {
        name: peer.beat.receipts[source]
        for name, peer in sorted(peers.items())
        if peer.beat is not None and source in peer.beat.receipts
    }


def lags(connection: sa.Connection, source: str, peers: Mapping[str, Peer]) -> list[Lag]:
    """Every receiver's lag, by the producer's own outbox."""
    last = outbox.last_number(connection)
    told = receipts_for(source, peers)
    return [_lag(connection, name, told.get(name), last) for name in sorted(peers)]


def _lag(connection: sa.Connection, name: str, receipt: Receipt | None, last: tuple[str, int] | None) -> Lag:
    """Who has told nothing in this life has at least not confirmed what was told since it began."""
    if last is None:
        return Lag(name, None, None, (), None)
    if receipt is None:
        return Lag(name, None, outbox.time_of_next(connection, last[0], 0), (), None)
    oldest = outbox.time_of_next(connection, receipt.epoch, receipt.sequence)
    behind = last[1] - receipt.sequence if receipt.epoch == last[0] else None
    return Lag(name, behind, oldest, receipt.parked, receipt.halted)
