"""The data folder is its owner's alone: names, phones and personal links lie in it, in clear."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from softlanding.errors import Fault

OTHERS = stat.S_IRWXG | stat.S_IRWXO
# What an installation makes in its data folder. A folder named by mistake may hold somebody else's files.
OURS = ("*.db*", "caddy", "logs", "nats", "run", "runsheets", "secrets", "site")


def keep_private() -> None:
    """From here on, what this process and its children make is readable by their owner only."""
    os.umask(OTHERS)


def close_to_others(folder: Path) -> int:
    """Take from group and others whatever they may do with the data folder and what an installation made in it.

    The number of files and folders that had been open. What is not ours to close stays as it is: ask `open_to_others`.
    """
    return sum(_close(path) for path in _all_of(folder) if is_open(path))


def open_to_others(folder: Path) -> tuple[Fault, ...]:
    """A fault if others can enter the data folder; who cannot can do nothing with what is in it."""
    if not is_open(folder):
        return ()
    what = (
        "is open to other users of this machine, who may read names, phones and personal links in it; "
        f"as its owner, close it with: chmod -R go-rwx {folder}"
    )
    return (Fault(str(folder), what),)


def is_open(path: Path) -> bool:
    """Whether anybody but the owner may do anything with it. What is not there is not open."""
    try:
        return bool(path.lstat().st_mode & OTHERS)
    except OSError:
        return False


def _all_of(folder: Path) -> Iterator[Path]:
    """The folder and what is ours in it, without links: these have no rights of their own, and lead elsewhere."""
    yield folder
    for pattern in OURS:
        for entry in sorted(folder.glob(pattern)):
            if not entry.is_symlink():
                yield entry
                yield from _below(entry)


def _below(folder: Path) -> Iterator[Path]:
    for home, folders, names in os.walk(folder):  # It follows no links.
        for name in (*folders, *names):
            path = Path(home, name)
            if not path.is_symlink():
                yield path


def _close(path: Path) -> bool:
    try:
        mode = path.lstat().st_mode
        if mode & stat.S_ISVTX:  # A folder that all share, such as /tmp, is never an installation's own.
            return False
        path.chmod(stat.S_IMODE(mode) & ~OTHERS)
    except OSError:
        return False
    return True
