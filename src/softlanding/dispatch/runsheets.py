"""Run sheets as files, made anew for each plan: paper and the front door have them while Dispatch is dead.

    site/{conference}/runsheets/{secret}/   served by the front door: index.html, one file a driver, plan.txt
    runsheets/{conference}/all.html         everything in one file that needs no server, to open and to print

They tell names and phones, so the folder that is served has a secret of the installation for its name. Each file is
written beside its place and renamed, and the plan's number is written last: a kill at any line leaves whole files,
and the next step does what is lacking.
"""

import asyncio
import hashlib
import hmac
import os
from importlib.resources import files
from pathlib import Path
from typing import Any

from softlanding.conferences import Conference, load_conference
from softlanding.dispatch import driving, store
from softlanding.dispatch.store import PlanRow
from softlanding.lifecycle import Work
from softlanding.settings import Settings
from softlanding.web import Pages

NUMBER = "plan.txt"
ALL = "all"
AT_ONCE = 20  # Conferences in one step.


def public_address(settings: Settings, conference: str) -> str:
    """Where the front door serves the newest run sheets to whoever knows the address, with Dispatch alive or dead."""
    return f"/{conference}/runsheets/{_secret(settings, conference)}/"


def folder_of(settings: Settings, conference: str) -> Path:
    return settings.data_folder / "site" / conference / "runsheets" / _secret(settings, conference)


def _secret(settings: Settings, conference: str) -> str:
    assert settings.session_secret is not None, "a service has its secrets"
    key = settings.session_secret.get_secret_value().encode()
    return hmac.new(key, f"runsheets/{conference}".encode(), hashlib.sha256).hexdigest()[:32]


class RunSheets:
    """The chore's step, and the templates that it has compiled."""

    def __init__(self) -> None:
        self._work: Work | None = None
        self._pages: Pages | None = None

    async def step(self, work: Work) -> bool:
        """Write the run sheets of conferences whose plan is newer than their files. False: what comes next may wait."""
        if self._pages is None or self._work is not work:
            self._work, self._pages = work, Pages(work)
        written = 0
        for row in await work.database.read(store.list_plans):
            if row.number > 0 and _written(folder_of(work.settings, row.conference)) != mark_of(row):
                await _write(work, self._pages, row)
                written += 1
            if written == AT_ONCE:
                break
        return False


def mark_of(row: PlanRow) -> str:
    """A plan's number and time: a database that was copied back may have the one and not the other."""
    return f"{row.number} {row.made_at.isoformat()}"


def _written(folder: Path) -> str:
    try:
        return (folder / NUMBER).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


async def _write(work: Work, pages: Pages, row: PlanRow) -> None:
    conference = await work.database.read(load_conference, row.conference)
    if conference is None:
        return  # It will be heard of; its zone is on every sheet.
    given = await work.database.read(driving.sheets, conference, work.parts.clock.now())
    # On a thread of its own: two hundred drivers are half a second, in which beats must go on.
    await asyncio.to_thread(_write_files, work.settings, pages, conference, row, given)


def _write_files(settings: Settings, pages: Pages, conference: Conference, row: PlanRow, given: dict[str, Any]) -> None:
    folder, alone = folder_of(settings, conference.slug), settings.data_folder / "runsheets" / conference.slug
    folder.mkdir(parents=True, exist_ok=True)
    alone.mkdir(parents=True, exist_ok=True)
    page = pages.frame(None, conference, "Run sheets")
    _put(alone / f"{ALL}.html", pages.render("runsheet.html", page, styles=_styles(), **given))
    _put(folder / "index.html", pages.render("runsheet.html", page, styles="", **given))
    for driver in sorted({sheet["driver"]["id"] for sheet in given["sheets"]}):
        own = given | {"sheets": [one for one in given["sheets"] if one["driver"]["id"] == driver]}
        _put(folder / f"{driver}.html", pages.render("runsheet.html", page, styles="", **own))
    _put(folder / NUMBER, mark_of(row))


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
