"""Run sheets as files, made anew for each plan: paper and the front door have them while Dispatch is dead.

    site/{conference}/runsheets/{token}/    served by the front door: index.html, one file a driver, plan.txt
    runsheets/{conference}/all.html         everything in one file that needs no server, to open and to print

They tell names and phones, so the folder that is served has a link's token for its name (`links.py`): a coordinator
renews it, it ends with the conference's personal links, and after a change of the secret it stays as long as the
secret before. Any other folder there is taken away by the next step, as is the sheet of a driver who was removed.

Each file is written beside its place and renamed, and the plan's number is written last: a kill at any line leaves
whole files, and the next step does what is lacking.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from softlanding.conferences import Conference, list_conferences
from softlanding.dispatch import driving, store
from softlanding.dispatch.actions.fleet import open_run_sheets
from softlanding.dispatch.store import PlanRow
from softlanding.lifecycle import Work
from softlanding.links import ends_at
from softlanding.settings import Settings
from softlanding.web import Pages
from softlanding.web.doors import links_of

KIND = "runsheets"
NUMBER = "plan.txt"
ALL = "all"
AT_ONCE = 20  # Conferences in one step.


async def public_address(work: Work, conference: Conference) -> str:
    """Where the front door serves the newest run sheets to whoever knows the address, with Dispatch alive or dead; ""
    where there are none, yet or any more."""
    link = await work.database.read(store.load_sheet_link, conference.slug)
    if link is None or _is_over(work, conference):
        return ""
    return f"/{conference.slug}/{KIND}/{links_of(work).token(KIND, link)}/"


def served(settings: Settings, conference: str) -> Path:
    """The folder of those that are served, by their tokens."""
    return settings.data_folder / "site" / conference / KIND


def _is_over(work: Work, conference: Conference) -> bool:
    end = ends_at(conference.last_on, conference.zone, work.settings.personal_links_days)
    return work.parts.clock.now() >= end


class RunSheets:
    """The chore's step, and the templates that it has compiled."""

    def __init__(self) -> None:
        self._work: Work | None = None
        self._pages: Pages | None = None

    async def step(self, work: Work) -> bool:
        """Write the run sheets of conferences whose plan is newer than their files, and take away what nobody may read
        any more. False: what comes next may wait."""
        if self._pages is None or self._work is not work:
            self._work, self._pages = work, Pages(work)
        read, written = work.database.read, 0
        plans = {row.conference: row for row in await read(store.list_plans) if row.number > 0}
        links, drivers = await read(store.list_sheet_links), await read(store.list_driver_ids)
        for conference in await read(list_conferences):
            folders: list[Path] = []
            row = plans.get(conference.slug)
            if row is not None and not _is_over(work, conference):
                link = links.get(conference.slug)
                if link is None:
                    link = await work.database.write(open_run_sheets, conference.slug)
                folders = _folders(work, conference.slug, link)
                mark = mark_of(row, drivers.get(conference.slug, ()))
                if written < AT_ONCE and any(_written(folder) != mark for folder in folders):
                    await _write(work, self._pages, conference, folders, mark)
                    written += 1
            await asyncio.to_thread(_keep_only, served(work.settings, conference.slug), folders)
        return False


def _folders(work: Work, conference: str, link: str) -> list[Path]:
    """Of each secret that is good one: an address that somebody has works while the secret before does."""
    return [served(work.settings, conference) / token for token in links_of(work).tokens(KIND, link)]


def mark_of(row: PlanRow, drivers: Sequence[str]) -> str:
    """A plan's number and time, for a database that was copied back may have the one and not the other, and whose
    sheets there are."""
    return f"{row.number} {row.made_at.isoformat()} {hashlib.sha256(' '.join(drivers).encode()).hexdigest()[:16]}"


def _keep_only(home: Path, keep: Sequence[Path]) -> None:
    """The rest is of addresses that were renewed, have ended, or that another secret made."""
    if home.is_dir():
        for path in set(home.iterdir()) - set(keep):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _written(folder: Path) -> str:
    try:
        return (folder / NUMBER).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


async def _write(work: Work, pages: Pages, conference: Conference, folders: Sequence[Path], mark: str) -> None:
    given = await work.database.read(driving.sheets, conference, work.parts.clock.now())
    # On a thread of its own: two hundred drivers are half a second, in which beats must go on.
    await asyncio.to_thread(_write_files, work.settings, pages, conference, folders, mark, given)


def _write_files(
    settings: Settings, pages: Pages, conference: Conference, folders: Sequence[Path], mark: str, given: dict[str, Any]
) -> None:
    alone, page = settings.data_folder / KIND / conference.slug, pages.frame(None, conference, "Run sheets")
    alone.mkdir(parents=True, exist_ok=True)
    _put(alone / f"{ALL}.html", pages.render("runsheet.html", page, styles=_styles(), **given))
    sheets = {"index.html": pages.render("runsheet.html", page, styles="", **given)}
    for driver in sorted({sheet["driver"]["id"] for sheet in given["sheets"]}):
        own = given | {"sheets": [one for one in given["sheets"] if one["driver"]["id"] == driver]}
        sheets[f"{driver}.html"] = pages.render("runsheet.html", page, styles="", **own)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sheets.items():
            _put(folder / name, text)
        _keep_only(folder, [folder / name for name in (*sheets, NUMBER)])
        _put(folder / NUMBER, mark)


def _styles() -> str:
    """All styles in the file: it must stand alone."""
    package = files("softlanding")
    return "\n".join(
        package.joinpath(*parts).read_text(encoding="utf-8")
        for parts in (("static", "softlanding.css"), ("dispatch", "static", "dispatch.css"))
    )


def _put(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
