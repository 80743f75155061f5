"""What breaks, and how it is mended. Each seed draws the kinds that it knows: a few find more than all at once."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from softlanding.contracts import SOURCES
from softlanding.messaging.memory import KIND, NASTY
from softlanding.sim.process import Process
from softlanding.sim.world import World

FUSES = {"statement": 60, "commit": 6, "after": 6}  # A request for a pickup takes some 20 statements.
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
        done = self._breakers()[kind]()
        if done:
            self.world.faults[kind] = self.world.faults.get(kind, 0) + 1
            self.world.trace.say(f"fault {kind} {done}")
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

    def _breakers(self) -> dict[str, Callable[[], str]]:
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

    def _kill(self) -> str:
        process = self._some_process()
        if process is None:
            return ""
        self.world.kill(process, "SIGKILL")
        return process.name

    def _light_fuse(self, kind: str) -> str:
        process = self._some_process()
        if process is None:
            return ""
        where = self.rng.choice(("statement", "commit", "after") if kind == "kill" else ("statement", "commit"))
        process.engines.fuse.light(kind, where, self.rng.randint(1, FUSES[where]))
        return f"{process.name} {where} {process.engines.fuse.left}"

    def _goodbye(self) -> str:
        process = self._some_process()
        if process is None or process.work is None or process.is_stopped:
            return ""
        for name in sorted(process.tasks):  # As `serve` does: loops and requests end first.
            if name not in self.world.on_done:
                process.tasks.pop(name).drop()
        if process.tasks:
            return ""
        self.world.record.stopped.add(process.service.name)
        process.start("goodbye", process.work.say_goodbye())
        while process in self.world.processes and not self.world.advance(process, "goodbye"):
            pass
        if process in self.world.processes:
            self.world.kill(process, "in order")
        return process.name

    def _cut_off(self) -> str:
        service = self.rng.choice(SOURCES)
        self._toggle(self.world.broker.cut_off, service)
        return service

    def _cut_feed(self) -> str:
        pair = frozenset(self.rng.sample(SOURCES, 2))
        self._toggle(self.world.feed_cut, pair)
        return " ".join(sorted(pair))

    def _broker_down(self) -> str:
        self.world.broker.is_down = not self.world.broker.is_down
        return str(self.world.broker.is_down)

    def _broker_disk(self) -> str:
        self.world.broker.lose_disk()
        return "lost"

    def _nasty_bus(self) -> str:
        self.world.broker.nastiness = self.rng.choice((KIND, NASTY, NASTY))
        self.world.feed_loss = self.rng.choice((0.0, 0.1))
        return str(self.world.feed_loss)

    def _clock(self) -> str:
        """A machine's clock jumps, or is set right. Who starts on it starts with the wrong time."""
        wrong = sorted(service for service, error in self.world.clock_errors.items() if error)
        service = wrong[0] if wrong else self.rng.choice(SOURCES)  # Two that are wrong alike would agree.
        error = 0.0 if wrong else self.rng.choice((-7200.0, -60.0, -5.0, 5.0, 60.0, 7200.0))
        self.world.clock_errors[service] = error
        for process in self.world.of(service):
            process.clock.error_s = error
        return f"{service} {error:+}"

    def _second_process(self) -> str:
        process = self.world.start(self.rng.choice(SOURCES))
        return process.name if process is not None else ""

    def _stop(self) -> str:
        """SIGSTOP, with a successor beside it as often as not; or SIGCONT."""
        process = self._some_process()
        if process is None:
            return ""
        process.is_stopped = not process.is_stopped
        if process.is_stopped and self.rng.random() < 0.6:
            self.world.start(process.service.name)
        return f"{process.name} {'stopped' if process.is_stopped else 'goes on'}"

    def _copy_back(self) -> str:
        service = self.rng.choice(SOURCES)
        if self.world.record.has_copy(service) and self.rng.random() < 0.5:
            self.world.copy_back(service)
            return f"{service} back"
        self.world.copy_away(service)
        return f"{service} away"

    def _some_process(self) -> Process | None:
        return self.rng.choice(self.world.processes) if self.world.processes else None

    def _toggle(self, things: set[Any], thing: object) -> None:
        if thing in things:
            things.remove(thing)
        else:
            things.add(thing)
