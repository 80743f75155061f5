"""Loops on a clock moved by the test: called again at once, after a pause, when woken, after trouble; loud in death."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from softlanding.supervisor import Loop, LoopDied, Turns, run_loops


class Offline(Exception):
    """A broken wire."""


class HandClock:
    """Time passes only by sleeping: whoever sleeps shortest comes first."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


class Never(HandClock):
    """A clock on which no pause ever ends."""

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.get_running_loop().create_future()


class End(Exception):
    """The bug that ends a test's loop."""


def steps(*outcomes: bool | type[Exception]) -> Callable[[], Awaitable[bool]]:
    """A step with these outcomes, one a call, and then a bug."""
    rest = list(outcomes)

    async def step() -> bool:
        outcome = rest.pop(0) if rest else End
        if isinstance(outcome, bool):
            return outcome
        raise outcome

    return step


def turn(loop: Loop, clock: HandClock, **hooks: object) -> None:
    with pytest.raises(LoopDied):
        asyncio.run(run_loops([loop], clock, rng=random.Random(1), **hooks))  # type: ignore[arg-type]


def test_a_step_that_had_work_is_called_again_at_once() -> None:
    clock = HandClock()
    turn(Loop("relay", steps(True, True, False, True), pause_s=7.0), clock)
    assert clock.slept == [0, 0, 7.0, 0]


def test_soft_trouble_is_waited_out_longer_and_longer_and_told() -> None:
    clock, told = HandClock(), []
    loop = Loop("relay", steps(Offline, Offline, Offline, False, Offline), pause_s=7.0, soft_errors=(Offline,))
    turn(loop, clock, on_trouble=lambda name, error: told.append((name, type(error))))
    assert told == [("relay", Offline)] * 4
    first, second, third, pause, after_success = clock.slept
    assert 0.025 <= first <= 0.075
    assert 0.05 <= second <= 0.15
    assert 0.1 <= third <= 0.3
    assert pause == 7.0
    assert after_success <= 0.075


def test_backoff_has_a_longest() -> None:
    clock = HandClock()
    turn(Loop("relay", steps(*[Offline] * 40), pause_s=1, soft_errors=(Offline,), backoff_max_s=0.4), clock)
    assert max(clock.slept) <= 0.6


def test_a_bug_ends_all_loops_loudly() -> None:
    deaths: list[tuple[str, BaseException]] = []
    stopped: list[str] = []

    async def wait_for_ever() -> bool:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            stopped.append("inbox")
        return False

    loops = [Loop("inbox", wait_for_ever, pause_s=1), Loop("relay", steps(False), pause_s=1, soft_errors=(Offline,))]
    with pytest.raises(LoopDied, match="relay") as died:
        asyncio.run(run_loops(loops, HandClock(), rng=random.Random(1), on_death=lambda *death: deaths.append(death)))
    assert isinstance(died.value.__cause__, End)
    assert [(name, type(error)) for name, error in deaths] == [("relay", End)]
    assert stopped == ["inbox"]


def test_waking_ends_the_pause() -> None:
    async def scenario() -> list[bool]:
        wake, called = asyncio.Event(), asyncio.Event()
        outcomes: list[bool] = []

        async def step() -> bool:
            outcomes.append(wake.is_set())
            called.set()
            return False

        running = asyncio.create_task(run_loops([Loop("relay", step, 3600, wake)], Never(), rng=random.Random(1)))
        for _ in range(3):
            await asyncio.wait_for(called.wait(), 5)
            called.clear()
            wake.set()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return outcomes

    assert asyncio.run(scenario()) == [False, False, False]


def test_what_arrives_during_a_step_is_not_slept_over() -> None:
    async def scenario() -> int:
        wake = asyncio.Event()
        calls = 0
        twice = asyncio.Event()

        async def step() -> bool:
            nonlocal calls
            calls += 1
            if calls == 1:
                wake.set()
            else:
                twice.set()
            return False

        running = asyncio.create_task(run_loops([Loop("relay", step, 3600, wake)], Never(), rng=random.Random(1)))
        await asyncio.wait_for(twice.wait(), 5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return calls

    assert asyncio.run(scenario()) == 2


def test_loops_stop_in_the_order_given() -> None:
    async def scenario() -> list[str]:
        stopped: list[str] = []
        begun = {name: asyncio.Event() for name in ("doors", "inbox", "relay")}

        def step_of(name: str) -> Callable[[], Awaitable[bool]]:
            async def step() -> bool:
                begun[name].set()
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    stopped.append(name)
                return False

            return step

        loops = [Loop(name, step_of(name), 1) for name in begun]
        running = asyncio.create_task(run_loops(loops, Never(), rng=random.Random(1)))
        await asyncio.gather(*(event.wait() for event in begun.values()))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return stopped

    assert asyncio.run(scenario()) == ["doors", "inbox", "relay"]


def test_a_loop_that_does_not_turn_is_late() -> None:
    clock, turns = HandClock(), Turns()
    turn(Loop("relay", steps(False, False), pause_s=60, step_max_s=5), clock, turns=turns)
    assert turns.turned_at == {"relay": 120.0}
    assert turns.late(124.9) == []
    assert turns.late(125.1) == ["relay"]


def test_a_pause_is_not_lateness() -> None:
    async def scenario() -> Turns:
        turns, called = Turns(), asyncio.Event()

        async def step() -> bool:
            called.set()
            return False

        running = asyncio.create_task(
            run_loops([Loop("timers", step, 60, step_max_s=5)], Never(), rng=random.Random(1), turns=turns)
        )
        await asyncio.wait_for(called.wait(), 5)
        while not turns.due_at["timers"] > 5:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return turns

    turns = asyncio.run(scenario())
    assert turns.late(64) == []
    assert turns.late(66) == ["timers"]
