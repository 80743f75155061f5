"""The services as Statistics sees them now: what their beats say, with what the database knows."""

from datetime import datetime, timedelta
from typing import Any

from softlanding.lifecycle import Work
from softlanding.messaging.beats import Peer
from softlanding.statistics.views.operations import ServiceRows
from softlanding.web import peers_view


def service_cards(work: Work, rows: ServiceRows, now: datetime) -> list[dict[str, Any]]:
    """For _services.html: the peers, then ourselves."""
    seen = {peer["service"]: peer for peer in peers_view(work)}
    return [_peer_card(work, peer, seen[peer.service], rows, now) for peer in work.peers.by_name.values()] + [
        _own_card(work, now)
    ]


def _peer_card(work: Work, peer: Peer, seen: dict[str, Any], rows: ServiceRows, now: datetime) -> dict[str, Any]:
    beat = peer.beat
    return {
        "service": peer.service,
        "state": seen["state"],
        "since": peer.silent_since,
        "life": beat.life[:13] if beat else "",
        "release": beat.release if beat else "",
        "beat_at": peer.heard_at,
        "waiting_for": beat.detail if beat else "its first sign of life",
        "lag": _lag(work, peer, rows.applied_at.get(peer.service), now),
        "backlog": beat.backlog if beat else 0,
        "expired": rows.expired.get(peer.service, 0),
        "parked": beat.parked if beat else 0,
        "beats": rows.beats.get(peer.service, []),
    }


def _own_card(work: Work, now: datetime) -> dict[str, Any]:
    return {
        "service": work.service.name,
        "state": work.state if work.phases.is_ready else "starting",
        "since": work.phases.since,
        "life": work.life.epoch[:13],
        "release": work.parts.release,
        "beat_at": work.beat.at if work.beat else now,
        "waiting_for": work.waiting_for,
        "lag": None,
        "backlog": max(0, work.database.last_number - work.relay.sent),
        "expired": 0,
        "parked": work.parked,
        "beats": [],
    }


def _lag(work: Work, peer: Peer, applied_at: datetime | None, now: datetime) -> timedelta | None:
    """How old the oldest fact of that service may be that is not applied here; zero when we stand at its tail."""
    cursor = work.receivers[peer.service].cursor
    if peer.beat is None or cursor is None:
        return None
    if cursor.epoch == peer.beat.life and cursor.sequence >= peer.beat.number:
        return timedelta(0)
    return now - applied_at if applied_at is not None else None


def parked_at_peers(work: Work) -> list[tuple[str, str, str, tuple[int, ...]]]:
    """(receiver, source, epoch, numbers) of the facts that peers say they parked."""
    return [
        (peer.service, source, receipt.epoch, receipt.parked)
        for peer in work.peers.by_name.values()
        if peer.beat is not None
        for source, receipt in sorted(peer.beat.receipts.items())
        if receipt.parked
    ]
