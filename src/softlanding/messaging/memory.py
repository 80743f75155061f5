"""A bus in memory that can be as nasty as a real one, and nastier: for tests and for the simulation.

Nothing here waits, and no time passes but by `MemoryBroker.tick()`. Under one seed and one order of calls everything
happens again the same way. Facts travel as the bytes that the real bus carries.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from softlanding.errors import Invalid
from softlanding.messaging.bus import BATCH_MAX, BusDown, Delivery, Durability
from softlanding.messaging.envelope import Envelope, envelope_from_json

BEATS_MAX = 100  # As the protocol says.


@dataclass(frozen=True, slots=True)
class Nastiness:
    """What goes wrong by itself, as probabilities from 0 to 1; the rest are counts of ticks."""

    drop: float = 0.0  # A fact never reaches one of its receivers.
    delay: float = 0.0  # A fact is held back for up to `delay_ticks_max`; later ones overtake it.
    copy: float = 0.0  # A fact comes twice, the second time up to `delay_ticks_max` later.
    disorder: float = 0.0  # What is received at once is shuffled.
    forget: float = 0.0  # A batch is acknowledged to its producer, and gone.
    refuse: float = 0.0  # A batch is not taken: BusDown.
    unknown: float = 0.0  # A batch is taken, and the producer hears BusDown.
    lose_acknowledgement: float = 0.0  # What was acknowledged comes again.
    lose_beat: float = 0.0  # One hearer misses it.
    delay_ticks_max: int = 20
    redeliver_ticks: int = 50  # Handed out and not acknowledged within this: it comes again.


KIND = Nastiness()
NASTY = Nastiness(
    drop=0.02,
    delay=0.1,
    copy=0.1,
    disorder=0.1,
    forget=0.02,
    refuse=0.02,
    unknown=0.02,
    lose_acknowledgement=0.05,
    lose_beat=0.05,
)


class MemoryBroker:
    """The server that all memory buses share. Its faults are attributes, to be set and taken back at any time."""

    def __init__(self, rng: random.Random, nastiness: Nastiness = KIND) -> None:
        self.nastiness = nastiness
        self.is_down = False
        self.cut_off: set[str] = set()  # Services that cannot reach it.
        self._rng = rng
        self._now = 0
        self._streams: dict[str, list[bytes]] = {}
        self._consumers: dict[tuple[str, str], _Consumer] = {}
        self._hearers: list[MemoryBus] = []

    def tick(self) -> None:
        """Time passes: what was delayed, and what nobody acknowledged, comes nearer."""
        self._now += 1

    def lose_disk(self) -> None:
        """All that was published is gone, and with it how far each receiver was."""
        self._streams.clear()
        self._consumers.clear()

    def put(self, source: str, body: bytes) -> None:
        """Store anything on a source's subject, as a stranger with access could."""
        self._streams.setdefault(source, []).append(body)

    def is_reachable(self, service: str) -> bool:
        return not self.is_down and service not in self.cut_off

    # For MemoryBus.

    def attach(self, bus: "MemoryBus") -> None:
        self._hearers.append(bus)
        for source in bus.sources:
            self._consumer(bus.receiver, source).start_again()

    def detach(self, bus: "MemoryBus") -> None:
        self._hearers.remove(bus)

    def store(self, service: str, source: str, bodies: Sequence[bytes]) -> None:
        self._must_reach(service)
        if self._happens(self.nastiness.refuse):
            raise BusDown("the memory broker refuses, as it was told to")
        if not self._happens(self.nastiness.forget):
            self._streams.setdefault(source, []).extend(bodies)
        if self._happens(self.nastiness.unknown):
            raise BusDown("the memory broker took it and does not say so, as it was told to")

    def hand_out(self, receiver: str, source: str, limit: int) -> list[tuple[int, bytes, "_Consumer"]]:
        self._must_reach(receiver)
        consumer, stream = self._consumer(receiver, source), self._streams.get(source, [])
        positions = consumer.due(self._now)[:limit]
        while len(positions) < limit and consumer.next < len(stream):
            position = consumer.next
            consumer.next += 1
            if not self._happens(self.nastiness.drop) and not self._held_back(consumer, position):
                positions.append(position)
        for position in positions:
            consumer.hand_out(position, again_at=self._now + self.nastiness.redeliver_ticks)
            if self._happens(self.nastiness.copy):
                consumer.copies.append((self._later(), position))
        if self._happens(self.nastiness.disorder):
            self._rng.shuffle(positions)
        return [(position, stream[position], consumer) for position in positions]

    def settle(self, receiver: str, source: str, position: int, given_by: object) -> None:
        self._must_reach(receiver)
        consumer = self._consumer(receiver, source)
        if consumer is given_by and not self._happens(self.nastiness.lose_acknowledgement):
            consumer.open.pop(position, None)

    def spread_beat(self, sender: "MemoryBus", service: str, body: bytes) -> None:
        self._must_reach(sender.receiver)
        for bus in self._hearers:
            if bus is not sender and self.is_reachable(bus.receiver) and not self._happens(self.nastiness.lose_beat):
                bus.beats.append((service, body))

    def _consumer(self, receiver: str, source: str) -> "_Consumer":
        return self._consumers.setdefault((receiver, source), _Consumer())

    def _must_reach(self, service: str) -> None:
        if not self.is_reachable(service):
            raise BusDown("the memory broker cannot be reached, as it was told to")

    def _held_back(self, consumer: "_Consumer", position: int) -> bool:
        is_held = self._happens(self.nastiness.delay)
        if is_held:
            consumer.open[position] = self._later()
        return is_held

    def _happens(self, probability: float) -> bool:
        return probability > 0 and self._rng.random() < probability

    def _later(self) -> int:
        return self._now + self._rng.randint(1, max(1, self.nastiness.delay_ticks_max))


@dataclass
class _Consumer:
    """How far one receiver is in one stream."""

    next: int = 0  # The first position that was never handed out.
    open: dict[int, int] = field(default_factory=dict)  # Position, and the tick at which it comes (again).
    copies: list[tuple[int, int]] = field(default_factory=list)  # Tick and position.

    def due(self, now: int) -> list[int]:
        """Positions that come now though they are not new, in order."""
        copies = [position for tick, position in self.copies if tick <= now]
        self.copies = [(tick, position) for tick, position in self.copies if tick > now]
        return sorted([*copies, *(position for position, tick in self.open.items() if tick <= now)])

    def hand_out(self, position: int, again_at: int) -> None:
        self.open[position] = again_at

    def start_again(self) -> None:
        """A new life of the receiver: what the one before did not acknowledge is due at once."""
        self.open = dict.fromkeys(self.open, 0)


class MemoryBus:
    """One service's end of a MemoryBroker. Close it when its service dies too, or it goes on hearing beats."""

    def __init__(
        self,
        broker: MemoryBroker,
        receiver: str,
        sources: Sequence[str],
        *,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.receiver = receiver
        self.sources = tuple(sources)
        self.undecodable = 0
        self.beats: deque[tuple[str, bytes]] = deque(maxlen=BEATS_MAX)
        self._broker = broker
        self._report = report
        self._is_closed = False
        broker.attach(self)

    async def start(self) -> None:
        """Nothing to wait for."""

    @property
    def is_up(self) -> bool:
        return not self._is_closed and self._broker.is_reachable(self.receiver)

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        assert 1 <= len(envelopes) <= BATCH_MAX
        source = envelopes[0].source
        assert all(envelope.source == source for envelope in envelopes), "a batch has one source, as a stream has"
        self._must_be_open()
        self._broker.store(self.receiver, source, [envelope.to_json() for envelope in envelopes])

    async def receive(self, source: str, *, limit: int, wait_s: float) -> list[Delivery]:  # noqa: ARG002
        """As the protocol, but it never waits: nothing would happen meanwhile."""
        assert source in self.sources, f"{self.receiver} does not follow {source}"
        self._must_be_open()
        deliveries = []
        for position, body, given_by in self._broker.hand_out(self.receiver, source, limit):
            try:
                deliveries.append(Delivery(envelope_from_json(body), (position, given_by)))
            except (Invalid, RecursionError) as error:
                self.undecodable += 1
                self._report(f"no fact: message {position} of {source} is skipped: {str(error)[:200]}")
                self._broker.settle(self.receiver, source, position, given_by)
        return deliveries

    async def acknowledge(self, source: str, deliveries: Sequence[Delivery]) -> None:
        self._must_be_open()
        for delivery in deliveries:
            assert isinstance(delivery.token, tuple), "a delivery of another bus"
            position, given_by = delivery.token
            self._broker.settle(self.receiver, source, position, given_by)

    async def send_beat(self, service: str, body: bytes) -> None:
        self._must_be_open()
        self._broker.spread_beat(self, service, body)

    async def take_beats(self) -> list[tuple[str, bytes]]:
        beats = list(self.beats)
        self.beats.clear()
        return beats

    async def durability(self) -> Durability:
        return Durability(False, "This bus lives in memory, for tests; run a nats-server to keep what is published.")

    async def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._broker.detach(self)

    def _must_be_open(self) -> None:
        if self._is_closed:
            raise BusDown("this bus is closed")
