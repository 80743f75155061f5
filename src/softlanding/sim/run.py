"""One seed from its first turn to its verdict, and many seeds one after the other.

First everything runs under faults; then the faults stop, and everything must converge within a stated number of
rounds; then the day passes, and all that is overdue must have been said. The checkers look after every turn.
"""

import contextlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from softlanding.contracts import SOURCES
from softlanding.dispatch import service as dispatch
from softlanding.lifecycle import Service
from softlanding.schedule import service as schedule
from softlanding.settings import Settings
from softlanding.sim import plants
from softlanding.sim.faults import Faults
from softlanding.sim.process import Process
from softlanding.sim.workload import Workload
from softlanding.sim.world import Ground, Trace, World
from softlanding.statistics import service as statistics

TURNS = 1500  # Under faults.
WAITS_AT_ONCE = 30  # A step that nobody interrupts ends within so many waits; one that sleeps does not.
ROUNDS_MAX = 90  # Seconds in which all must agree once the faults have stopped.
ROUNDS_MIN = 4  # So long a silence takes to be heard as over.
QUICK_STEPS = ("relay", "listen", "timer")  # Where the work is: turned more often than those that only look.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """What became of one seed. `digest` is the same whenever the seed is played on the same code."""

    seed: int
    turns: int
    digest: str
    violations: tuple[str, ...] = ()
    faults: Mapping[str, int] = field(default_factory=dict)
    answered: int = 0
    refused: int = 0
    facts: int = 0
    plant: str | None = None
    trace: tuple[str, ...] = ()

    @property
    def held(self) -> bool:
        return not self.violations

    def to_mapping(self) -> dict[str, Any]:
        return asdict(self) | {"held": self.held}

    def words(self) -> str:
        faults = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items())) or "none"
        head = f"seed {self.seed}: {self.turns} turns, {self.facts} facts, {self.answered} answers, faults: {faults}"
        return "\n".join([head, *(f"  BROKEN {words}" for words in self.violations)])


@dataclass(frozen=True)
class Report:
    """What became of many."""

    outcomes: tuple[Outcome, ...]

    @property
    def held(self) -> bool:
        return all(outcome.held for outcome in self.outcomes)

    def to_mapping(self) -> dict[str, Any]:
        faults: dict[str, int] = {}
        for outcome in self.outcomes:
            for kind, count in outcome.faults.items():
                faults[kind] = faults.get(kind, 0) + count
        return {
            "held": self.held,
            "seeds": len(self.outcomes),
            "failed": [outcome.seed for outcome in self.outcomes if not outcome.held],
            "violations": [words for outcome in self.outcomes for words in outcome.violations],
            "turns": sum(outcome.turns for outcome in self.outcomes),
            "facts": sum(outcome.facts for outcome in self.outcomes),
            "answered": sum(outcome.answered for outcome in self.outcomes),
            "faults": dict(sorted(faults.items())),
        }

    def words(self) -> str:
        sums = self.to_mapping()
        faults = ", ".join(f"{count} {kind}" for kind, count in sums["faults"].items())
        head = (
            f"{sums['seeds']} seeds, {sums['turns']} turns, {sums['facts']} facts, "
            f"{sums['answered']} answers, faults: {faults or 'none'}"
        )
        failed = [outcome.words() for outcome in self.outcomes if not outcome.held]
        last = f"FAILED: {', '.join(map(str, sums['failed']))}" if failed else "every promise held"
        return "\n".join([*failed, head, last])


def run_seed(
    seed: int, *, plant: str | None = None, trace: bool = False, ground: Ground | None = None, turns: int = TURNS
) -> Outcome:
    """Play one seed; with `plant`, on code that was broken on purpose (plants.PLANTS names them)."""
    with contextlib.ExitStack() as open_ones:
        if ground is None:
            ground = open_ones.enter_context(standing_ground())
        kept = Trace(trace)
        world = World(seed, ground, kept)
        open_ones.callback(world.close)
        if plant is not None:
            open_ones.enter_context(plants.PLANTS[plant](world))
        return _Play(world, seed, turns).play(plant)


def run_seeds(first: int, count: int, *, tell: Tell) -> Report:
    """Play seeds one after the other; each that fails is told at once."""
    outcomes = []
    with standing_ground() as ground:
        for seed in range(first, first + count):
            outcome = run_seed(seed, ground=ground)
            outcomes.append(outcome)
            if not outcome.held:
                tell(outcome.words())
            elif (seed - first + 1) % 50 == 0:
                tell(f"{seed - first + 1} seeds held")
    return Report(tuple(outcomes))


def command(first: int, count: int, trace: bool, tell: Tell) -> dict[str, Any]:
    """For `softlanding sim`: one seed with its trace, or many; `held` says whether every promise was kept."""
    if trace:
        outcome = run_seed(first, trace=True)
        for line in outcome.trace:
            tell(line)
        return outcome.to_mapping() | {"trace": len(outcome.trace), "words": outcome.words()}
    report = run_seeds(first, count, tell=tell)
    return report.to_mapping() | {"words": report.words()}


@contextlib.contextmanager
def standing_ground() -> Iterator[Ground]:
    ground = Ground(make_service)
    try:
        yield ground
    finally:
        ground.close()


def make_service(name: str, settings: Settings) -> Service:
    makers = {
        "schedule": schedule.make_service,
        "dispatch": dispatch.make_service,
        "statistics": statistics.make_service,
    }
    return makers[name](settings)


class _Play:
    """One seed's way from begin to end."""

    def __init__(self, world: World, seed: int, turns: int) -> None:
        self.world = world
        self.seed = seed
        self.turns_max = turns
        self.turns = 0
        self.rng = random.Random(seed + 3_000_017)
        self.workload = Workload(world, random.Random(seed + 4_000_037))
        self.faults = Faults(world, random.Random(seed + 5_000_011))

    def play(self, plant: str | None) -> Outcome:
        for act in (self._open, self._run, self._calm_down, self._let_the_day_pass):
            act()
            if self.world.violations:
                break
        world = self.world
        for facts in sorted(world.checker.told.items()):
            world.trace.say(json.dumps(facts))
        return Outcome(
            seed=self.seed,
            turns=self.turns,
            digest=world.trace.digest,
            violations=tuple(dict.fromkeys(world.violations)),
            faults=world.faults,
            answered=len(world.record.answers),
            refused=self.workload.refused,
            facts=len(world.checker.told),
            plant=plant,
            trace=tuple(world.trace.lines),
        )

    def _open(self) -> None:
        """Three services, one conference, no faults yet."""
        for service in SOURCES:
            process = self.world.start(service)
            assert process is not None
            self.world.run_step(process, "birth")
        self.workload.set_up()
        self._round()
        self.faults.draw()

    def _run(self) -> None:
        """Whoever the seed picks does the next thing."""
        while self.turns < self.turns_max and not self.world.violations:
            self.turns += 1
            chance = self.rng.random()
            if chance < 0.84 and self.world.awake:
                self._turn(self.rng.choice(self.world.awake))
            elif chance < 0.92:
                self.workload.step()
            elif chance < 0.98 or self.turns < 100:
                self.world.pass_time(self._some_time())
            else:
                self.faults.step()

    def _some_time(self) -> float:
        chance = self.rng.random()
        if chance < 0.85:
            return self.rng.choice((0.05, 0.2, 0.5, 1.0))
        return self.rng.uniform(2, 15) if chance < 0.96 else self.rng.uniform(60, 1500)

    def _turn(self, process: Process) -> None:
        """Go on with what was begun, or begin another step of the table."""
        if process.tasks and self.rng.random() < 0.7:
            name = self.rng.choice(list(process.tasks))
        elif process.is_at_work:
            name = self._some_step(process)
            if name not in process.tasks:
                process.start_step(name)
        else:
            return
        self.world.trace.say(f"{self.turns} {process.name} {name}")
        for _ in range(self.rng.choice((1, 2, WAITS_AT_ONCE))):
            if process not in self.world.processes or self.world.advance(process, name):
                return

    def _some_step(self, process: Process) -> str:
        names = list(process.steps)
        if self.rng.random() < 0.6:
            names = [name for name in names if name.startswith(QUICK_STEPS)]
        return self.rng.choice(names)

    def _calm_down(self) -> None:
        """Faults stop; whoever got no answer asks once more; all that was told is heard by all."""
        self.world.trace.say("calm")
        self.faults.calm()
        self.workload.send_the_rest()
        self._converge()

    def _let_the_day_pass(self) -> None:
        """Nobody does anything any more: what is overdue is said, and everybody hears that too."""
        self.world.trace.say("the day passes")
        self.world.pass_time(9 * 3600)
        self._converge()

    def _converge(self) -> None:
        before = -1
        for number in range(ROUNDS_MAX):
            told = len(self.world.checker.told)
            if number >= ROUNDS_MIN and told == before and self._is_quiet():
                break
            before = told
            self.world.pass_time(1.0)
            self._round()
            self.workload.send_the_rest()
            if self.world.violations:
                return
        self.world.violations += self.world.checker.settled(self.world.time.wall)

    def _is_quiet(self) -> bool:
        alive = all(self.world.at_work(service) for service in SOURCES)
        return alive and not self.workload.unknown and not self.world.checker.lags()

    def _round(self) -> None:
        """Everything that was begun is finished; then every step of every service, once or as long as it has work."""
        for process in list(self.world.processes):
            for name in list(process.tasks):
                self._finish(process, name)
            for name in list(process.steps):
                for _ in range(20):
                    if process not in self.world.processes or not self._step(process, name):
                        break

    def _finish(self, process: Process, name: str) -> None:
        """Run a task to its end; one that sleeps goes on in the next round."""
        if process in self.world.processes and name in process.tasks:
            self.world.run_step(process, name)

    def _step(self, process: Process, name: str) -> bool:
        told = len(self.world.checker.told)
        cursor = self._cursors(process)
        self.world.run_step(process, name)
        return len(self.world.checker.told) != told or self._cursors(process) != cursor

    def _cursors(self, process: Process) -> list[Any]:
        return [receiver.cursor for receiver in process.work.receivers.values()] if process.work else []
