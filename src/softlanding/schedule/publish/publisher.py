"""The chore: whatever release is newest and not yet public is rendered, put in its place and switched to."""

import asyncio
import gzip
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from softlanding.conferences import Conference, list_conferences
from softlanding.front_door import lead_home, lead_to_all, published, switch_release
from softlanding.lifecycle import Chore, Work
from softlanding.schedule import store
from softlanding.schedule.actions.publications import note_not_published, note_public, note_served
from softlanding.schedule.publish.pages import list_page, pages_of
from softlanding.schedule.store.programmes import Release, ReleaseHead
from softlanding.settings import Settings
from softlanding.telemetry import get_log

REST_MAX_S = 60.0  # Between two tries of a release that cannot be published.
FOLDERS_KEPT = 3  # The public one and the two before: answers under way end whole.
MAKING = ".making"
LIST = "files.json"  # Names and sizes of all files: a power cut may leave empty ones behind a renamed folder.
COMPRESSED = (".html", ".xml", ".json", ".ics")


@dataclass
class _Failing:
    """A conference whose release cannot be published just now."""

    folder: str
    tries: int
    again_at: float  # On the monotonic clock.


@dataclass
class Publisher:
    """What is known to be public in this life, so that an idle step costs one small read."""

    settings: Settings
    release: str
    public: dict[str, str]  # Conference to folder, each looked through once.
    home: str = ""  # The conference or the page behind `/`.
    failing: dict[str, _Failing] = field(default_factory=dict)
    has_looked: bool = False  # The database knows what the files of earlier lives say.

    @property
    def site(self) -> Path:
        return self.settings.data_folder / "site"

    async def step(self, work: Work) -> bool:
        """Publish one conference's newest release, or nothing. True if there was work.

        One that cannot be published keeps no other from it: it is tried again, at longer and longer distances.
        """
        newest = await work.database.read(store.programmes.list_newest)
        if not self.has_looked:
            served = {conference: served_number(self.site, conference) for conference, _, _ in newest}
            await work.database.write(note_served, served)
            self.has_looked = True
        for conference, number, digest in newest:
            folder = wanted_folder(number, digest, self.base_url(conference), self.release)
            if self.public.get(conference) != folder and not self._rests(work, conference, folder):
                await self._see_to(work, conference, number, folder)
                return True
        return False

    def _rests(self, work: Work, conference: str, folder: str) -> bool:
        failing = self.failing.get(conference)
        return failing is not None and failing.folder == folder and work.parts.clock.monotonic() < failing.again_at

    async def _see_to(self, work: Work, conference: str, number: int, folder: str) -> None:
        """The folder is public afterwards, or it is said why not."""
        release = await work.database.read(store.programmes.load_release, conference, number)
        history = await work.database.read(store.programmes.list_release_heads, conference)
        assert release is not None
        conferences = await work.database.read(list_conferences)
        try:
            await asyncio.to_thread(self._publish, conference, folder, release, history)
            self._lead_home(conferences)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this conference, the others go on
            await self._note_failure(work, conference, folder, error)
            return
        self.public[conference] = folder
        self.failing.pop(conference, None)
        work.troubles.end(_trouble(conference))
        await work.database.write(note_public, conference, number)

    async def _note_failure(self, work: Work, conference: str, folder: str, error: Exception) -> None:
        known = self.failing.get(conference)
        tries = known.tries + 1 if known is not None and known.folder == folder else 1
        again_s = min(REST_MAX_S, 2.0 ** (tries - 1))
        self.failing[conference] = _Failing(folder, tries, work.parts.clock.monotonic() + again_s)
        why, trouble = _why(error), _trouble(conference)
        if not work.troubles.says(trouble, f"{trouble}: {why}"):  # Once, not at each try.
            get_log().error("not published", conference=conference, folder=folder, why=why, exc_info=error)
        work.troubles.begin(trouble, f"{trouble}: {why}", is_told_elsewhere=True)
        await work.database.write(note_not_published, conference, why)

    def base_url(self, conference: str) -> str:
        """The public address of the conference's pages, as exports and calendars bear it."""
        door = self.settings.front_door
        known = door.public_url or f"http://{door.host}:{door.port}"
        return f"{known.rstrip('/')}/{conference}"

    def _publish(self, conference: str, folder: str, release: Release, history: list[ReleaseHead]) -> None:
        """Nothing, when it is public already."""
        if not is_public(self.site, conference, folder):
            publish(self.site, conference, folder, release, history, self.base_url(conference), self.release)

    def _lead_home(self, conferences: list[Conference]) -> None:
        """`/` leads to the conference that the settings name, else to the only one; of several it shows a list."""
        known = published(self.site)
        shown = [each for each in conferences if each.slug in known]
        slug = self.settings.default_conference or (shown[0].slug if len(shown) == 1 else "")
        home = slug or list_page(shown)
        if not shown or home == self.home:
            return
        if slug:
            lead_home(self.site, slug)
        else:
            lead_to_all(self.site, home)
        self.home = home


def make_chore(settings: Settings) -> Chore:
    """Its step publishes one release; an idle one is a small read."""
    publishers: dict[str, Publisher] = {}

    async def step(work: Work) -> bool:
        # What is known to be public is known of this life only: another one looks at the files again.
        known = publishers.get(work.life.epoch) or Publisher(settings, work.parts.release, {})
        publishers.clear()
        publishers[work.life.epoch] = known
        return await known.step(work)

    return Chore("publish", step)


def _trouble(conference: str) -> str:
    return f"publishing {conference}"


def _why(error: Exception) -> str:
    """In words, without the places of this machine."""
    if isinstance(error, OSError) and error.strerror:
        named = Path(str(error.filename)).name if error.filename else ""
        return error.strerror + (f": {named[:40]}{'…' if len(named) > 40 else ''}" if named else "")
    return f"{type(error).__name__}: {error}"[:200]


def served_number(site: Path, conference: str) -> int:
    """The release whose folder the public sees; 0 for none."""
    pointer = site / conference / "current.txt"
    named = pointer.read_text().strip() if pointer.exists() else ""
    found = re.fullmatch(r"r(\d+)-[0-9a-f]{8}", named)
    return int(found[1]) if found and (pointer.parent / named).is_dir() else 0


def wanted_folder(number: int, digest: str, base_url: str, release: str) -> str:
    """The folder's name says all that its bytes depend on: after a restore or an update it is another one."""
    mark = hashlib.sha256(f"{digest}/{base_url}/{release}/{_looks()}".encode()).hexdigest()[:8]
    return f"r{number}-{mark}"


def publish(
    site: Path,
    conference: str,
    folder: str,
    release: Release,
    history: list[ReleaseHead],
    base_url: str,
    generator_version: str,
) -> None:
    """Write the folder whole, then let the public see it. May be killed anywhere, and done again."""
    home = site / conference
    home.mkdir(parents=True, exist_ok=True)
    _clear_away(home)
    making = home / f"{MAKING}-{folder}"
    stamp_ns = _stamp(release.head.released_at, folder)
    sizes = dict(_write_all(making, pages_of(release, history, base_url, generator_version), stamp_ns))
    _write(making / LIST, json.dumps(sizes, sort_keys=True).encode(), stamp_ns)
    if (home / folder).exists():  # A broken one: it is not what its list says.
        (home / folder).rename(home / f"{MAKING}-broken-{folder}")
    making.rename(home / folder)
    switch_release(site, conference, folder)
    _clear_away(home)
    _remove_old(home, folder)


def is_public(site: Path, conference: str, folder: str) -> bool:
    """The public sees this folder, and all its files are whole."""
    pointer = site / conference / "current.txt"
    if not pointer.exists() or pointer.read_text() != folder or not is_whole(site / conference / folder):
        return False
    switch_release(site, conference, folder)  # A kill between the pointer and the tree: finish it.
    return True


def is_whole(folder: Path) -> bool:
    """Every file that was written is there at its length."""
    try:
        sizes = json.loads((folder / LIST).read_bytes())
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError):
        return False


def _write_all(folder: Path, pages: Iterator[tuple[str, bytes]], stamp_ns: int) -> Iterator[tuple[str, int]]:
    """Each file, its compressed twin, and for pages the name without the slash; (name, size) of all."""
    for name, body in pages:
        packed = gzip.compress(body, 6, mtime=0) if name.endswith(COMPRESSED) else None
        for twin, content in ((name, body), (f"{name}.gz", packed)):
            if content is None:
                continue
            _write(folder / twin, content, stamp_ns)
            yield twin, len(content)
            if (short := _short_name(twin)) is not None:  # Links bear no slash: they are answered without a detour.
                os.link(folder / twin, folder / short)
                yield short, len(content)


def _short_name(name: str) -> str | None:
    """talks/K7QX2A.html for talks/K7QX2A/index.html"""
    found = re.fullmatch(r"(.+)/index\.html(\.gz)?", name)
    return f"{found[1]}.html{found[2] or ''}" if found else None


def _write(path: Path, body: bytes, stamp_ns: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    os.utime(path, ns=(stamp_ns, stamp_ns))


def _stamp(released_at: datetime, folder: str) -> int:
    """The release's second, and within it a mark of the folder: an ETag is made of time and size alone."""
    mark = int(hashlib.sha256(folder.encode()).hexdigest()[:7], 16)
    return int(released_at.timestamp()) * 1_000_000_000 + mark


def _clear_away(home: Path) -> None:
    """What a killed life left half done."""
    for left in home.glob(f"{MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)


def _remove_old(home: Path, present: str) -> None:
    """Folders of releases that nobody is being served from any more."""
    folders = [path for path in home.iterdir() if re.fullmatch(r"r\d+-[0-9a-f]{8}", path.name)]
    by_age = sorted(folders, key=lambda path: path.stat().st_ctime_ns, reverse=True)
    for old in [path for path in by_age if path.name != present][FOLDERS_KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)


@cache
def _looks() -> str:
    """A digest of templates and static files: pages name the latter by their content."""
    seen = hashlib.sha256()
    for package in ("softlanding", "softlanding.schedule"):
        for folder in ("templates", "static"):
            for path in _walk(files(package).joinpath(folder)):
                seen.update(path.name.encode() + b"\x00" + path.read_bytes())
    return seen.hexdigest()


def _walk(folder: Any) -> list[Any]:
    entries = sorted(folder.iterdir(), key=lambda entry: str(entry.name)) if folder.is_dir() else []
    return [file for entry in entries for file in ([entry] if entry.is_file() else _walk(entry))]
