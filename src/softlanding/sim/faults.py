"""What breaks, and how it is mended. Each seed draws the kinds that it knows: a few find more than all at once."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from softlanding.contracts import SOURCES
from softlanding.messaging.memory import KIND, NASTY
from softlanding.sim.process import Process
from softlanding.sim.world import World

STATEMENTS_MAX = 60  # A request for a pickup takes some 20 statements: the fuse may end inside any of them.
KINDS = (
    "kill",
    "kill_inside",
    "full_disk",
    "goodbye",
    "cut_off",
    "feed_cut",
    "broker_down",
    "broker_disk",
    "nasty_bus",
    "clock",
    "second_process",
    "stopped",
    "copy_back",
)


@dataclass
class Faults:
    """The faults of one seed."""

    world: World
    rng: random.Random
    kinds: tuple[str, ...] = ()

    def draw(self) -> None:
        """Which kinds this seed has."""
        self.kinds = tuple(kind for kind in KINDS if self.rng.random() < 0.45) or ("kill",)
        self.world.trace.say(f"faults {' '.join(self.kinds)}")

    def step(self) -> None:
        """One of them happens, or is mended."""
        kind = self.rng.choice(self.kinds)
        if self._breakers()[kind]():
            self.world.faults[kind] = self.world.faults.get(kind, 0) + 1
            self.world.trace.say(f"fault {kind}")
            self.world.look()

    def calm(self) -> None:
        """All is mended: everybody lives once, hears everybody, and knows what time it is."""
        world = self.world
        world.broker.nastiness, world.broker.is_down = KIND, False
        world.broker.cut_off.clear()
        world.feed_cut.clear()
        world.feed_loss = 0.0
        world.clock_errors.clear()
        for process in list(world.processes):
            process.engines.fuse.left = None
            process.clock.error_s = 0.0
            process.is_stopped = False
        for service in SOURCES:
            for spare in [process for process in world.of(service) if process.work is None][1:]:
                world.kill(spare, "SIGKILL", 0.0)

    def _breakers(self) -> dict[str, Callable[[], bool]]:
        return {
            "kill": self._kill,
            "kill_inside": lambda: self._light_fuse("kill"),
            "full_disk": lambda: self._light_fuse("full"),
            "goodbye": self._goodbye,
            "cut_off": self._cut_off,
            "feed_cut": self._cut_feed,
            "broker_down": self._broker_down,
            "broker_disk": self._broker_disk,
            "nasty_bus": self._nasty_bus,
            "clock": self._clock,
            "second_process": self._second_process,
            "stopped": self._stop,
            "copy_back": self._copy_back,
        }

    def _kill(self) -> bool:
        process = self._some_process()
        if process is not None:
            self.world.kill(process, "SIGKILL")
        return process is not None

    def _light_fuse(self, kind: str) -> bool:
        process = self._some_process()
        if process is None:
            return False
        process.engines.fuse.kind, process.engines.fuse.left = kind, self.rng.randint(1, STATEMENTS_MAX)
        return True

    def _goodbye(self) -> bool:
        process = self._some_process()
        if process is None or process.work is None or process.is_stopped:
            return False
        for name in sorted(process.tasks):  # As `serve` does: loops and requests end first.
            if name not in self.world.on_done:
                process.tasks.pop(name).drop()
        if process.tasks:
            return False
        process.start("goodbye", process.work.say_goodbye())
        while process in self.world.processes and not self.world.advance(process, "goodbye"):
            pass
        if process in self.world.processes:
            self.world.kill(process, "in order")
        return True

    def _cut_off(self) -> bool:
        self._toggle(self.world.broker.cut_off, self.rng.choice(SOURCES))
        return True

    def _cut_feed(self) -> bool:
        pair = frozenset(self.rng.sample(SOURCES, 2))
        self._toggle(self.world.feed_cut, pair)
        return True

    def _broker_down(self) -> bool:
        self.world.broker.is_down = not self.world.broker.is_down
        return True

    def _broker_disk(self) -> bool:
        self.world.broker.lose_disk()
        return True

    def _nasty_bus(self) -> bool:
        self.world.broker.nastiness = self.rng.choice((KIND, NASTY, NASTY))
        self.world.feed_loss = self.rng.choice((0.0, 0.1))
        return True

    def _clock(self) -> bool:
        """A machine's clock jumps, or is set right. Who starts on it starts with the wrong time."""
        service = self.rng.choice(SOURCES)
        error = self.world.clock_errors.get(service, 0.0)
        error = 0.0 if error else self.rng.choice((-7200.0, -60.0, -5.0, 5.0, 60.0, 7200.0))
        self.world.clock_errors[service] = error
        for process in self.world.of(service):
            process.clock.error_s = error
        return True

    def _second_process(self) -> bool:
        return self.world.start(self.rng.choice(SOURCES)) is not None

    def _stop(self) -> bool:
        """SIGSTOP, with a successor beside it as often as not; or SIGCONT."""
        process = self._some_process()
        if process is None:
            return False
        process.is_stopped = not process.is_stopped
        if process.is_stopped and self.rng.random() < 0.6:
            self.world.start(process.service.name)
        return True

    def _copy_back(self) -> bool:
        service = self.rng.choice(SOURCES)
        if self.world.record.has_copy(service) and self.rng.random() < 0.5:
            self.world.copy_back(service)
        else:
            self.world.copy_away(service)
        return True

    def _some_process(self) -> Process | None:
        return self.rng.choice(self.world.processes) if self.world.processes else None

    def _toggle(self, things: set[object], thing: object) -> None:  # type: ignore[type-arg, unused-ignore]
        if thing in things:
            things.remove(thing)
        else:
            things.add(thing)
