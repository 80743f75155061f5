"""The course that every contestant runs: one process tells, another hears, the bench asks both over their pipes.

Only the standard library: this file is imported by Softlanding's own contestants and, as a neighbour of the script,
in each peer's own environment. One line of JSON is a question, one line of JSON its answer; the end of the questions
ends the process. Times are of the monotonic clock, which all processes of a machine share.
"""

import asyncio
import itertools
import json
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TEXT = "LH 1832 from Munich, terminal 1, one bag, to the Grand Hotel; text of a believable length."
TABLE = "CREATE TABLE IF NOT EXISTS noted (number BIGINT PRIMARY KEY, asked DOUBLE PRECISION, text TEXT)"
INSERT = "INSERT INTO noted (number, asked, text) VALUES ({0}, {0}, {0})"

Submit = Callable[[int, float], Awaitable[object]]
Row = tuple[int, float, str]


def now() -> float:
    return time.monotonic()  # noqa: TID251 - a load generator is all about the clock


def arguments() -> dict[str, Any]:
    """What the bench gave this process: its role and where servers and files are."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    return given


class Heard:
    """What took effect in this process: when it was asked for, and when its commit had returned."""

    def __init__(self) -> None:
        self._times: list[tuple[float, float]] = []

    def note(self, *asked: float) -> None:
        """These were applied, and their commit has just returned."""
        applied = now()
        self._times.extend([(at, applied) for at in asked])

    def answer_questions(self) -> None:
        """Say ready, then answer on a thread beside the work until the questions end; then the process ends."""
        threading.Thread(target=_answer, args=({"wait": self._wait, "report": self._report},), daemon=True).start()

    def _wait(self, question: dict[str, Any]) -> dict[str, Any]:
        end = now() + question["within_s"]
        while len(self._times) < question["count"] and now() < end:
            time.sleep(0.02)  # noqa: TID251 - on a thread of its own
        return {"applied": len(self._times)}

    def _report(self, question: dict[str, Any]) -> dict[str, Any]:
        """Of what was asked for in the window: how long each took, and at what rate 95 of 100 had taken effect."""
        began, ended = question["began"], question["ended"]
        of_window = [(asked, applied) for asked, applied in list(self._times) if began <= asked < ended]
        took_ms = sorted(1000 * (applied - asked) for asked, applied in of_window)
        most = -(-question["told"] * 95 // 100)
        applied_at = sorted(applied for _, applied in of_window)
        done = len(applied_at) >= most > 0
        return {
            "per_s": most / (applied_at[most - 1] - began) if done else None,
            "p50_ms": percentile(took_ms, 50),
            "p99_ms": percentile(took_ms, 99),
        }


def percentile(ordered: list[float], percent: float) -> float | None:
    """The nearest-rank percentile of what is ordered already; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


async def tell_on_loop(submit: Submit) -> None:
    """Say ready and submit as the questions ask, on this event loop, until they end."""
    numbers = itertools.count(1)
    loop = asyncio.get_running_loop()
    say({"ready": True})
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        question = json.loads(line)
        began, before = now(), next(numbers)
        run = _load if question["do"] == "load" else _pace
        await run(submit, numbers, question)
        say({"began": began, "ended": now(), "told": next(numbers) - before - 1})
    os._exit(0)


def tell_on_threads(submit: Callable[[int, float], object]) -> None:
    """As `tell_on_loop`, for a library that blocks: one thread a submitter."""
    with ThreadPoolExecutor(64) as pool:

        async def on_thread(number: int, asked: float) -> None:
            await asyncio.get_running_loop().run_in_executor(pool, submit, number, asked)

        asyncio.run(tell_on_loop(on_thread))


async def _load(submit: Submit, numbers: Iterator[int], question: dict[str, Any]) -> None:
    """So many submitters, each asking anew as soon as its last one is committed."""
    end = now() + question["for_s"]

    async def one() -> None:
        while now() < end:
            await submit(next(numbers), now())

    await asyncio.gather(*(one() for _ in range(question["submitters"])))


async def _pace(submit: Submit, numbers: Iterator[int], question: dict[str, Any]) -> None:
    """So many a second, whether or not the last ones are done."""
    began, pause_s = now(), 1 / question["per_s"]
    tasks = []
    for turn in range(int(question["for_s"] * question["per_s"])):
        await asyncio.sleep(max(0.0, began + turn * pause_s - now()))  # noqa: TID251 - this is the pace
        tasks.append(asyncio.ensure_future(submit(next(numbers), now())))
    await asyncio.gather(*tasks)


def _answer(answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]]) -> None:
    say({"ready": True})
    for line in sys.stdin:
        question = json.loads(line)
        say(answers[question["do"]](question))
    os._exit(0)


def say(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


class SqliteRows:
    """The business rows of a peer on SQLite, as durable as ours. Threads take turns, as SQLite has one writer."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(TABLE)

    def add(self, rows: list[Row]) -> None:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(INSERT.format("?"), rows)
            self._connection.execute("COMMIT")
