"""Signs of life: each second, by the bus and over HTTP, with the producer's tail and the receiver's receipts.

A beat is made by the event loop from what it holds in memory and never waits for the writer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from softlanding.clock import Clock
from softlanding.errors import Fault, Invalid


class Receipt(BaseModel):
    """How far a receiver has applied one source, and which of its numbers it has parked."""

    model_config = ConfigDict(frozen=True)
    epoch: str
    sequence: int
    parked: tuple[int, ...] = ()
    halted: str | None = None


class Beat(BaseModel):
    """One sign of life."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    service: str
    life: str
    number: int  # The producer's last number: without it a lost last message would leave no gap.
    count: int  # Beats of this life.
    at: datetime
    phase: str
    release: str
    receipts: Mapping[str, Receipt] = {}
    backlog: int = 0
    parked: int = 0
    is_degraded: bool = False
    detail: str = ""  # What it waits for or has trouble with.
    ready_at: datetime | None = None  # When this life became ready; older releases say nothing.
    state: str = ""  # `ready`, `degraded` or `unready` once its phase is `ready`; older releases say nothing.

    def to_json(self) -> bytes:
        return self.model_dump_json().encode()


def beat_from_json(body: bytes) -> Beat:
    """Raises Invalid when it is none."""
    try:
        return Beat.model_validate_json(body)
    except ValidationError as error:
        raise Invalid(Fault("beat", str(error.errors()[0]["msg"]))) from error


@dataclass
class Peer:
    """One peer as this service hears it. `silent_since` is the moment of its last sign of life, once it is silent."""

    service: str
    beat: Beat | None = None
    tail_before: tuple[str, int] | None = None  # The tail told by the beat before the last.
    heard_mono: float | None = None
    heard_at: datetime | None = None
    silent_since: datetime | None = None
    skew_s: float = 0.0


@dataclass(frozen=True)
class Change:
    """A peer went silent, came back, lives a new life, or became ready in it."""

    service: str
    kind: str  # `silent`, `back`, `new_life`, `ready`
    life: str | None
    life_before: str | None
    last_heard_at: datetime | None
    ready_at: datetime | None = None


@dataclass
class Peers:
    """All peers; pure but for what it is told. Wall times are this watcher's own."""

    services: tuple[str, ...]
    clock: Clock
    silent_after_s: float
    by_name: dict[str, Peer] = field(default_factory=dict)
    counted_from: float = 0.0

    def __post_init__(self) -> None:
        self.counted_from = self.clock.monotonic()
        self.by_name = {service: Peer(service) for service in self.services}

    def hear(self, beat: Beat) -> list[Change]:
        """Take a sign of life in; what it changes."""
        peer = self.by_name.get(beat.service)
        if peer is None:
            return []
        before = peer.beat
        if before is not None and before.life == beat.life and beat.count <= before.count:
            return []  # A copy, or an old one.
        if before is not None and before.life > beat.life and peer.silent_since is None:
            return []  # A straggler of a life that has ended: lives sort by time, unless a database was copied back.
        changes: list[Change] = []
        if before is not None and before.life != beat.life:
            changes.append(Change(beat.service, "new_life", beat.life, before.life, peer.heard_at))
        if peer.silent_since is not None or before is None:  # An earlier life of ours may have called it silent.
            changes.append(Change(beat.service, "back", beat.life, before.life if before else None, peer.heard_at))
        was_ready = before is not None and before.life == beat.life and before.phase == "ready"
        if beat.phase == "ready" and not was_ready:
            changes.append(Change(beat.service, "ready", beat.life, None, peer.heard_at, beat.ready_at or beat.at))
        peer.tail_before = (before.life, before.number) if before else None
        peer.beat = beat
        peer.heard_mono = self.clock.monotonic()
        peer.heard_at = self.clock.now()
        peer.silent_since = None
        peer.skew_s = (beat.at - peer.heard_at).total_seconds()
        return changes

    def unheard(self, for_s: float) -> list[str]:
        """Peers without a sign of life for that long: to be asked over HTTP."""
        now = self.clock.monotonic()
        return [peer.service for peer in self.by_name.values() if now - self._since(peer) >= for_s]

    def find_silent(self) -> list[Change]:
        """Who has been silent too long, said once each. Call it only after asking the `unheard` over HTTP."""
        changes = []
        for service in self.unheard(self.silent_after_s):
            peer = self.by_name[service]
            if peer.silent_since is None:
                peer.silent_since = peer.heard_at or self.clock.now()
                life = peer.beat.life if peer.beat else None
                changes.append(Change(service, "silent", life, None, peer.heard_at))
        return changes

    def begin_anew(self) -> None:
        """The watcher itself was late (it slept, it was stopped): nobody is blamed for that."""
        self.counted_from = self.clock.monotonic()

    def summary(self) -> dict[str, dict[str, Any]]:
        """For /state and pages."""
        now = self.clock.monotonic()
        return {
            peer.service: {
                "life": peer.beat.life if peer.beat else None,
                "phase": peer.beat.phase if peer.beat else "unheard",
                "heard_s_ago": round(now - peer.heard_mono, 1) if peer.heard_mono is not None else None,
                "silent_since": peer.silent_since.isoformat() if peer.silent_since else None,
                "number": peer.beat.number if peer.beat else None,
            }
            for peer in self.by_name.values()
        }

    def _since(self, peer: Peer) -> float:
        return max(self.counted_from, peer.heard_mono if peer.heard_mono is not None else self.counted_from)
