"""From an outbox to its effect in another process, beside peers that promise as much, all on the same disk.

Each contestant has a process that tells and one that hears. At full load 64 submitters each tell anew as soon as the
last one is committed; what counts is when 95 of 100 have taken effect, so that nobody gains by a backlog, nor loses by
a last half-filled batch. Then a pace just below 50 a second shows how long one takes, from asking for the commit to the
return of the commit that applied it. Rounds are interleaved, so that a noisy machine is noisy for all; ratios are of
medians.
"""

import asyncio
import json
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers import PEERS, DatabaseKind, Peer, make_environment, program_of, version_of
from bench.servers import (
    find_redis,
    measure_fsyncs,
    running_nats,
    running_redis,
)
from bench.tables import Tell
from softlanding.clock import Clock, SystemClock
from softlanding.drills.postgresql import Postgresql, running_postgresql
from softlanding.errors import SoftlandingError, Unavailable

ENVIRONMENTS = Path("var") / "bench"
RUNS = Path("/var/tmp")  # Kept over a restart by convention, so a real disk where /tmp may be memory.
ROUNDS, ROUNDS_BESIDE = 3, 9  # A tenth more or less than another build is to be seen.
SUBMITTERS = 64
LOAD_S = 5.5
PACE_S = 6.0
PACE_PER_S = 48
FSYNCS_S = 0.3  # Before each contestant: a disk that others use is not the same for long.
ANSWER_S = 90.0  # For a question, beyond the time that it asks for: peers may be slow, but not silent.
RATIO_AIMS = {"faststream": 2, "dramatiq": 4, "procrastinate": 15}
P50_AIM_MS, P50_AIM_FSYNCS, P99_AIM_TIMES = 5.0, 6, 5
OURS, BESIDE = "softlanding", "the build beside"


@dataclass(frozen=True)
class Contestant:
    """One library on one database: how its two processes are started, or why it cannot run."""

    name: str
    database: DatabaseKind
    command: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()
    options: tuple[tuple[str, object], ...] = ()
    not_run: str | None = None
    clone: Path | None = None  # Of a build of ours: where it is started.


@dataclass(frozen=True)
class Score:
    """One round of one contestant. `facts_per_s` is None when 95 of 100 did not take effect in time."""

    facts_per_s: float | None
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class Place:
    """Where a run happens, and on what."""

    folder: Path
    clock: Clock
    rng: random.Random
    postgresql: Postgresql | None
    redis: Path | None


def bench_messaging(
    tell: Tell,
    *,
    rounds: int = ROUNDS,
    environments: Path = ENVIRONMENTS,
    peers: Sequence[Peer] = PEERS,
    beside: Path | None = None,
    load_s: float = LOAD_S,
    pace_s: float = PACE_S,
) -> dict[str, Any]:
    """Facts per second and latency, ours and theirs, with the disk's fsyncs per second in the same run.

    `beside` is the Python of another build of this project, the one before a change say: then that one is the only
    peer.
    """
    peers = peers if beside is None else ()
    clock = SystemClock()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="softlanding-bench-", dir=_runs_folder())))
        folder.chmod(0o755)  # PostgreSQL, started by root, runs as somebody else.
        postgresql, no_postgresql = _postgresql(stack, folder)
        redis, no_redis = _redis()
        lacking = {"postgresql": no_postgresql, "redis": no_redis}
        place = Place(folder, clock, random.Random(), postgresql, redis)
        pythons = {OURS: Path(sys.executable)} | ({BESIDE: beside} if beside is not None else {})
        databases: tuple[DatabaseKind, ...] = ("sqlite", "postgresql")
        contestants = [_own(name, python, kind, lacking) for name, python in pythons.items() for kind in databases]
        contestants += [_of_peer(peer, kind, environments, lacking, tell) for peer in peers for kind in peer.databases]
        scores, fsyncs = asyncio.run(_play(contestants, place, rounds, load_s, pace_s, tell))
        versions = _versions(peers, postgresql)
    return report(contestants, scores, fsyncs) | {"versions": versions}


def _runs_folder() -> Path:
    return RUNS if RUNS.is_dir() else Path(tempfile.gettempdir())


def _postgresql(stack: ExitStack, folder: Path) -> tuple[Postgresql | None, str | None]:
    try:
        return stack.enter_context(running_postgresql(folder / "postgresql")), None
    except Unavailable as error:
        return None, str(error)


def _redis() -> tuple[Path | None, str | None]:
    try:
        return find_redis(), None
    except Unavailable as error:
        return None, str(error)


def _own(name: str, python: Path, database: DatabaseKind, lacking: Mapping[str, str | None]) -> Contestant:
    """Our own side, of the build whose .venv this Python is in. Older builds have it in the package."""
    clone = python.absolute().parents[2]
    program = "bench.contestant" if (clone / "bench").is_dir() else "softlanding.bench.contestant"
    command = (str(python), "-m", program)
    return Contestant(name, database, command, frozenset({"nats"}), not_run=lacking.get(database), clone=clone)


def _of_peer(
    peer: Peer, database: DatabaseKind, environments: Path, lacking: Mapping[str, str | None], tell: Tell
) -> Contestant:
    not_run = next((why for need in sorted({database, *peer.needs}) if (why := lacking.get(need))), None)
    command: tuple[str, ...] = ()
    if not_run is None:
        try:
            command = (str(make_environment(peer.library, environments)), str(program_of(peer)))
        except Unavailable as error:
            not_run = str(error)
    if not_run is not None:
        tell(f"{peer.name} on {database}: not run: {not_run}")
    return Contestant(peer.name, database, command, peer.needs, peer.options, not_run)


async def _play(
    contestants: Sequence[Contestant], place: Place, rounds: int, load_s: float, pace_s: float, tell: Tell
) -> tuple[dict[Contestant, list[Score] | str], list[tuple[float, float]]]:
    """Every contestant once a round; a fault of one is its own, and ends its part."""
    scores: dict[Contestant, list[Score] | str] = {}
    fsyncs = []
    for turn in range(1, rounds + 1):
        for contestant in contestants:
            fsyncs.append(measure_fsyncs(place.folder, place.clock, for_s=FSYNCS_S))
            so_far = scores.setdefault(contestant, contestant.not_run or [])
            if isinstance(so_far, str):
                continue
            try:
                score = await _play_once(contestant, place, turn, load_s, pace_s)
            except SoftlandingError as error:
                scores[contestant] = str(error)
                tell(f"round {turn}: {contestant.name} on {contestant.database}: not run: {error}")
            else:
                so_far.append(score)
                tell(f"round {turn}: {contestant.name} on {contestant.database}: {_words(score)}")
    return scores, fsyncs


async def _play_once(contestant: Contestant, place: Place, turn: int, load_s: float, pace_s: float) -> Score:
    async with AsyncExitStack() as stack:
        folder = _make_folder(place, f"{contestant.name} {contestant.database} {turn}")
        given = await _prepare(contestant, place, folder, stack) | dict(contestant.options)
        hearer = await stack.enter_async_context(_process(contestant, given | {"role": "hear"}, folder))
        teller = await stack.enter_async_context(_process(contestant, given | {"role": "tell"}, folder))
        load = {"do": "load", "submitters": SUBMITTERS}
        warm = await _tell_and_hear(teller, hearer, load | {"for_s": load_s / 4}, heard=0)
        loaded = await _tell_and_hear(teller, hearer, load | {"for_s": load_s}, heard=warm["heard"])
        pace = {"do": "pace", "per_s": PACE_PER_S, "for_s": pace_s}
        paced = await _tell_and_hear(teller, hearer, pace, heard=loaded["heard"])
    return Score(loaded["per_s"], paced["p50_ms"], paced["p99_ms"])


def _make_folder(place: Place, name: str) -> Path:
    folder = place.folder / name.replace(" ", "-")
    folder.mkdir()
    return folder


async def _tell_and_hear(
    teller: "_Process", hearer: "_Process", question: Mapping[str, Any], *, heard: int
) -> dict[str, Any]:
    """One stretch, until all of it has taken effect, or all but stragglers for a while."""
    window = await teller.ask(question, question["for_s"])
    wanted = heard + window["told"]
    waited = await hearer.ask({"do": "wait", "count": wanted, "within_s": ANSWER_S / 2}, ANSWER_S / 2)
    return await hearer.ask(window | {"do": "report"}, 0) | {"heard": waited["applied"]}


async def _prepare(contestant: Contestant, place: Place, folder: Path, stack: AsyncExitStack) -> dict[str, Any]:
    """The contestant's servers and databases, all fresh."""
    given: dict[str, Any] = {}
    if "nats" in contestant.needs:
        given["nats"] = await stack.enter_async_context(running_nats(folder / "nats", place.clock, place.rng))
    if "redis" in contestant.needs and place.redis is not None:
        redis = running_redis(place.redis, folder / "redis", place.clock, place.rng)
        given["redis"] = await stack.enter_async_context(redis)
    if contestant.name not in (OURS, BESIDE):
        return given | {"rows": _fresh(contestant, place, folder / "rows.db")}
    urls = [_fresh(contestant, place, folder / f"{role}.db") for role in ("tell", "hear")]
    scheme = "sqlite:///" if contestant.database == "sqlite" else ""
    told, heard = (scheme + url.replace("postgresql://", "postgresql+psycopg://") for url in urls)
    return given | {"tell": told, "hear": heard}


def _fresh(contestant: Contestant, place: Place, path: Path) -> str:
    if contestant.database == "sqlite":
        return str(path)
    assert place.postgresql is not None, "who needs PostgreSQL does not run without it"
    return place.postgresql.fresh()


@asynccontextmanager
async def _process(contestant: Contestant, given: Mapping[str, Any], folder: Path) -> AsyncIterator["_Process"]:
    """One of the contestant's two processes, ready; it ends with its questions."""
    log = folder / f"{given['role']}.log"
    with log.open("wb") as errors:
        child = await asyncio.create_subprocess_exec(
            *contestant.command,
            json.dumps(given),
            cwd=contestant.clone,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    process = _Process(child, log)
    try:
        await process.answer(ANSWER_S)
        yield process
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@dataclass(frozen=True)
class _Process:
    """A contestant's process, asked and answering by lines."""

    child: asyncio.subprocess.Process
    log: Path

    async def ask(self, question: Mapping[str, Any], takes_s: float) -> dict[str, Any]:
        """Its answer. Raises Unavailable with its own last words when it gives none."""
        assert self.child.stdin is not None
        self.child.stdin.write(json.dumps(question).encode() + b"\n")
        return await self.answer(takes_s + ANSWER_S)

    async def answer(self, within_s: float) -> dict[str, Any]:
        assert self.child.stdout is not None
        try:
            async with asyncio.timeout(within_s):
                while (line := await self.child.stdout.readline()) and not line.startswith(b"{"):
                    pass  # Libraries greet their users here.
        except TimeoutError as error:
            raise Unavailable(f"no answer within {within_s:.0f} s; {self._last_words()}") from error
        if not line:
            raise Unavailable(f"it ended; {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"its last words: {lines[-1][:200]}" if lines else "it said nothing"


def _words(score: Score) -> str:
    rate = "not all took effect in time" if score.facts_per_s is None else f"{score.facts_per_s:.0f} facts/s"
    if score.p50_ms is None or score.p99_ms is None:
        return rate
    return f"{rate}, p50 {score.p50_ms:.1f} ms, p99 {score.p99_ms:.1f} ms"


def report(
    contestants: Sequence[Contestant],
    scores: Mapping[Contestant, Sequence[Score] | str],
    fsyncs: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Medians of the rounds, our ratio to each peer (None: it did not run), and whether the aims are held."""
    fsync_ms = statistics.median(ms for _, ms in fsyncs)
    by_name: dict[str, dict[str, dict[str, Any]]] = {}
    for contestant in contestants:
        by_name.setdefault(contestant.name, {})[contestant.database] = _medians(scores[contestant])
    ours = by_name.pop(OURS)
    ratios = {name: _ratios(ours, theirs) for name, theirs in by_name.items()}
    return {
        OURS: ours,
        "peers": by_name,
        "ratios": ratios,
        "fsyncs_per_s": statistics.median(per_s for per_s, _ in fsyncs),
        "fsync_ms": fsync_ms,
        "p50_aim_ms": P50_AIM_MS + P50_AIM_FSYNCS * fsync_ms,
        "aims": _aims(ours, ratios, fsync_ms),
    }


def _medians(rounds: Sequence[Score] | str) -> dict[str, Any]:
    if isinstance(rounds, str):
        return {"facts_per_s": None, "p50_ms": None, "p99_ms": None, "not_run": rounds}
    return {name: _median([getattr(score, name) for score in rounds]) for name in ("facts_per_s", "p50_ms", "p99_ms")}


def _median(values: Sequence[float | None]) -> float | None:
    """None when one is missing: a round that was lost is no round to leave out."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known and len(known) == len(values) else None


def _ratios(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, float | None]:
    """On each database that the peer can use, and ours on its quickest beside theirs on its quickest."""
    same = {database: _ratio(ours.get(database, {}), values) for database, values in theirs.items()}
    return same | {"best": _ratio(_quickest(ours), _quickest(theirs))}


def _quickest(by_database: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    return max(by_database.values(), key=lambda values: values["facts_per_s"] or 0.0)


def _ratio(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float | None:
    if not ours.get("facts_per_s") or not theirs.get("facts_per_s"):
        return None
    return round(float(ours["facts_per_s"]) / float(theirs["facts_per_s"]), 2)


def _aims(
    ours: Mapping[str, Mapping[str, Any]], ratios: Mapping[str, Mapping[str, float | None]], fsync_ms: float
) -> dict[str, bool | None]:
    """Each aim, held or not; None where what it is compared with did not run."""
    aims: dict[str, bool | None] = {}
    for peer, times in RATIO_AIMS.items():
        ratio = ratios.get(peer, {}).get("best")
        aims[f"{times}x {peer}"] = None if ratio is None else ratio >= times
    p50_aim_ms = P50_AIM_MS + P50_AIM_FSYNCS * fsync_ms
    for database, values in ours.items():
        aims[f"p50 on {database}"] = _is_within(values["p50_ms"], p50_aim_ms)
        aims[f"p99 on {database}"] = _is_within(values["p99_ms"], P99_AIM_TIMES * p50_aim_ms)
    return aims


def _is_within(value: float | None, aim: float) -> bool | None:
    return None if value is None else value <= aim


def _versions(peers: Sequence[Peer], postgresql: Postgresql | None) -> dict[str, str | None]:
    found: dict[str, str | None] = {peer.library: version_of(peer.library) for peer in peers}
    return found | {"postgresql": postgresql.version() if postgresql is not None else None}
