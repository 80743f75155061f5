"""Who runs beside Softlanding in `bench messaging`, each in an environment of its own that the bench makes.

A peer's program runs in its own environment and imports nothing of Softlanding; its versions are pinned with hashes in
requirements/bench-NAME.txt.
"""

import hashlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from softlanding.errors import Unavailable

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
INSTALL_WITHIN_S = 300

DatabaseKind = Literal["sqlite", "postgresql"]


@dataclass(frozen=True)
class Peer:
    """One library, set up to be durable, in the way its documentation recommends."""

    name: str
    library: str  # Its requirements are in bench-LIBRARY.txt.
    program: str
    databases: tuple[DatabaseKind, ...]
    needs: frozenset[str] = frozenset()
    options: tuple[tuple[str, object], ...] = ()


PEERS = (
    Peer("faststream", "faststream", "faststream_nats.py", ("sqlite", "postgresql"), frozenset({"nats"})),
    Peer(
        "faststream batches",
        "faststream",
        "faststream_nats.py",
        ("sqlite", "postgresql"),
        frozenset({"nats"}),
        (("batches", True),),
    ),
    Peer("procrastinate", "procrastinate", "procrastinate_postgresql.py", ("postgresql",)),
    Peer("dramatiq", "dramatiq", "dramatiq_redis.py", ("sqlite", "postgresql"), frozenset({"redis"})),
    Peer("dbos", "dbos", "dbos_queue.py", ("postgresql",)),
)


def program_of(peer: Peer) -> Path:
    return Path(__file__).parent / peer.program


def version_of(library: str) -> str | None:
    """The pinned version; None where the requirements are not at hand."""
    try:
        text = (REQUIREMENTS / f"bench-{library}.txt").read_text()
    except OSError:
        return None
    found = re.search(rf"^{library}(?:\[[^\]]*\])?==([^ \\;]+)", text, re.MULTILINE)
    return found.group(1) if found else None


def make_environment(library: str, folder: Path) -> Path:
    """The Python of the library's own environment below `folder`, made when it is not there yet.

    Raises Unavailable in words when it cannot be installed.
    """
    requirements = REQUIREMENTS / f"bench-{library}.txt"
    if not requirements.is_file():
        raise Unavailable(f"requirements/{requirements.name} is not here; run from a checkout of Softlanding")
    mark = hashlib.sha256(requirements.read_bytes()).hexdigest()[:12]
    home = folder.absolute() / f"{library}-{mark}"
    python = home / "bin" / "python"
    if not (home / "installed").exists():
        shutil.rmtree(home, ignore_errors=True)
        for command in _install_commands(home, python, requirements):
            _run(command, library)
        (home / "installed").touch()  # After the work: an installation that was cut short is made anew.
    return python


def _install_commands(home: Path, python: Path, requirements: Path) -> list[list[str]]:
    if shutil.which("uv"):
        install = ["uv", "pip", "install", "-q", "--python", str(python), "--compile-bytecode"]
        return [
            ["uv", "venv", "-q", "--python", sys.executable, str(home)],
            [*install, "--require-hashes", "-r", str(requirements)],
        ]
    return [
        [sys.executable, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(requirements)],
    ]


def _run(command: list[str], library: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_WITHIN_S)
    except subprocess.CalledProcessError as error:
        said = (error.stderr or "").strip().splitlines() or ["it said nothing"]
        raise Unavailable(f"{library} could not be installed: {said[-1][:200]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{library} could not be installed: {error}") from error
