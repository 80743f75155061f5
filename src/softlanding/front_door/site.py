"""The folder that the front door serves without any service: the published programme and the run sheets.

It is laid out so that one small file switches everything that the public sees:

    site/current.txt                         the name of a tree, without a newline
    site/trees/00000007/{conference}         a link to that conference's release folder; a tree never changes
    site/{conference}/current.txt            the release folder, relative to site/{conference}, without a newline
    site/{conference}/runsheets/{secret}/    files for who knows the secret
    site/index.txt                           the conference that `/` leads to, without a newline
    site/conferences.html                    what `/` shows instead, where several are published
    site/-/                                  pages of the front door itself

Why a tree: Caddy cannot look up one pointer file for each conference (its placeholders do not nest), and a link that
is switched in place gives cut bodies under load.
"""

import os
import re
import shutil
from pathlib import Path

from softlanding.errors import Fault, Invalid, NotFound
from softlanding.front_door.pages import own_pages

TREES_KEPT = 5  # A request reads the pointer and opens its file within milliseconds; five switches take longer.
SLUG = r"[a-z0-9][a-z0-9-]*"
RESERVED = ("api", "operations", "sign-in", "sign-out", "static", "-")  # No conference may be called so.


def prepare_site(site: Path) -> None:
    """The front door's own pages, written anew, and a tree of what is published. Any number of times."""
    pages = site / "-"
    pages.mkdir(parents=True, exist_ok=True)
    for name, text in own_pages().items():
        _write_whole(pages / name, text)
    refresh_site(site)


def switch_release(site: Path, conference: str, release: str) -> None:
    """The public sees the folder site/{conference}/{release} from the next request on; answers under way end whole.

    Its files must be complete and are not changed afterwards; the folder stays for some minutes after the next switch.
    """
    folder = site / conference / release
    if conference in RESERVED or not re.fullmatch(SLUG, conference):
        what = (
            f"{conference!r} cannot be an address: use small letters, digits and -, and none of {', '.join(RESERVED)}"
        )
        raise Invalid(Fault("conference", what))
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder} to publish")
    _write_whole(site / conference / "current.txt", release)
    refresh_site(site)


def lead_home(site: Path, conference: str) -> None:
    """`/` leads to this conference from now on."""
    _write_whole(site / "index.txt", conference)
    (site / "conferences.html").unlink(missing_ok=True)


def lead_to_all(site: Path, page: str) -> None:
    """`/` shows this page from now on."""
    _write_whole(site / "conferences.html", page)


def refresh_site(site: Path) -> None:
    """What the site/{conference}/current.txt say is what the public sees. One process at a time; may be repeated."""
    trees = site / "trees"
    trees.mkdir(parents=True, exist_ok=True)
    numbers = sorted(int(entry.name) for entry in trees.iterdir() if entry.name.isdigit())
    wanted = published(site)
    pointer = site / "current.txt"
    current = pointer.read_text() if pointer.exists() else ""
    if current and _links(trees / current) == wanted:
        return
    # A kill leaves a tree that nothing points to: the next number is free all the same.
    name = f"{(numbers[-1] if numbers else 0) + 1:08}"
    (trees / name).mkdir()
    for conference, target in wanted.items():
        (trees / name / conference).symlink_to(target)
    _write_whole(pointer, name)
    for old in numbers[: -(TREES_KEPT - 1)]:
        if f"{old:08}" != current:
            shutil.rmtree(trees / f"{old:08}", ignore_errors=True)


def published(site: Path) -> dict[str, str]:
    """Conference to the target of its link, for those whose release is there."""
    found = {}
    for pointer in sorted(site.glob("*/current.txt")):
        folder = pointer.parent / pointer.read_text().strip()
        if folder != pointer.parent and folder.is_dir():
            found[pointer.parent.name] = os.path.relpath(folder, site / "trees" / "0")
    return found


def _links(tree: Path) -> dict[str, str]:
    if not tree.is_dir():
        return {"": "gone"}
    return {entry.name: os.readlink(entry) for entry in tree.iterdir()}


def _write_whole(path: Path, text: str) -> None:
    """Written beside and renamed: who reads sees the old or the new text, also after a kill."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
