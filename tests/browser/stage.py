"""The whole system as real processes, and people who look at it in a real browser."""

import itertools
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from softlanding.drills.installation import Installation, throw_away
from softlanding.drills.sending import AIRPORT, HOTEL
from softlanding.sample import ACRONYM, sample
from waiting import wait_until

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
BASE = f"/{ACRONYM}"
BOARD, ARRIVALS, FLEET = f"{BASE}/dispatch/", f"{BASE}/organise/arrivals", f"{BASE}/dispatch/fleet"
ZONE = ZoneInfo("Europe/Berlin")
EXPIRES_AFTER = timedelta(minutes=90)
ENDS_AFTER = timedelta(seconds=40)  # From the start: when one whom nobody boards is missed.
SHIFT, BEGUN = timedelta(hours=9), timedelta(hours=2)
SOON, LATER = timedelta(minutes=15), timedelta(minutes=40)  # Who lands sooner is the driver's next ride.
BUSES = tuple((f"Bus {name}", f"HH-T {name}", 20, f"Driver of Bus {name}") for name in ("One", "Two", "Three"))
Cars = tuple[tuple[str, str, int, str], ...]
"""Name, plate, seats, driver."""


@dataclass
class Stage:
    """An installation with cars that drive now, whatever the hour, and speakers whom nobody fetches today."""

    here: Installation
    program: httpx.Client  # May do everything.
    browser: Browser
    began: datetime
    landed: datetime  # A landing so long ago that its pickup is of no more use soon after the start.
    staff: Any = None
    too_late: str = ""  # The pickup of that landing: planned, and nobody comes.
    speakers: Iterator[tuple[str, str]] = field(default_factory=lambda: iter(()))
    _keys: Iterator[int] = field(default_factory=itertools.count)

    # --- People

    def person(self, width: int = 1400, **more: Any) -> BrowserContext:
        """A new window of one member of the staff."""
        return self.stranger(width, storage_state=self.staff, **more)

    def stranger(self, width: int = 1400, **more: Any) -> BrowserContext:
        size = {"width": width, "height": 900 if width > 900 else 740}
        context = self.browser.new_context(viewport=size, base_url=self.here.address, **more)  # type: ignore[arg-type]
        context.set_default_timeout(15_000)
        return context

    def sign_in(self) -> None:
        context = self.stranger()
        page = context.new_page()
        page.goto(f"/sign-in/{self.here.signing().sign_in_token()}")
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/dispatch/**")
        self.staff = context.storage_state()
        context.close()

    # --- What programs do

    def api(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Idempotency-Key": f"stage-{next(self._keys)}"}
        answer = self.program.request(method, path, headers=headers, **more)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def arrival(self, landing: datetime | None = None, party: int = 1) -> tuple[str, str, str]:
        """Somebody of whom nothing was known lands today: pickup, name, code of the speaker."""
        code, name = next(self.speakers)
        on, at = self.soon(landing)
        values = {"speaker": code, "how": "flight", "number": "SL 7001", "airport": AIRPORT, "place": HOTEL}
        when = {"on": on, "time": at, "party": party}
        answer = self.api("POST", f"/api/schedule{BASE}/arrivals", json=values | when)
        return answer["code"], name, code

    def soon(self, landing: datetime | None = None) -> tuple[str, str]:
        """The day and the time of a landing, by the airport's clock; 40 minutes from now."""
        local = (landing or self.here.clock.now() + LATER).astimezone(ZONE)
        return local.date().isoformat(), f"{local:%H:%M}"

    def ride(self, car: str, landing_in: timedelta = LATER) -> tuple[str, str, str]:
        """As `arrival`, placed on this car by a person."""
        pickup, name, code = self.arrival(self.here.clock.now() + landing_in)
        self.placed(pickup)
        vehicles = self.api("GET", f"/api/dispatch{BASE}/fleet")["vehicles"]
        vehicle = next(one["code"] for one in vehicles if one["name"] == car)
        self.api("POST", f"/api/dispatch{BASE}/pickups/{pickup}/assign", json={"vehicle": vehicle, "reason": "a test"})
        return pickup, name, code

    def placed(self, pickup: str) -> None:
        """Wait until Dispatch has heard of it and found a place for it, or none."""

        def is_placed() -> bool:
            answer = self.program.get(f"/api/dispatch{BASE}/pickups/{pickup}")
            return answer.is_success and answer.json()["status"] != "requested"

        wait_until(is_placed, 20, f"{pickup} is planned")

    def history(self, pickup: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self.api("GET", f"/api/dispatch{BASE}/pickups/{pickup}")["history"]
        return answer

    def driver_link(self, name: str) -> str:
        drivers = self.api("GET", f"/api/dispatch{BASE}/drivers")
        return str(next(driver["link"] for driver in drivers if driver["name"] == name))

    def speaker_link(self, speaker: str) -> str:
        found = self.api("GET", f"/api/schedule{BASE}/speakers")
        return str(next(person["link"] for person in found if person["code"] == speaker))


@contextmanager
def a_stage(cars: Cars = BUSES) -> Iterator[Stage]:
    with sync_playwright() as playwright, throw_away() as here:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        stage = _started(here, browser, cars)
        with closing(stage.program):
            yield stage
        browser.close()
        here.stop()


def _started(here: Installation, browser: Browser, cars: Cars) -> Stage:
    began = here.clock.now()
    ends = began + ENDS_AFTER
    landed = (ends - EXPIRES_AFTER).replace(second=0, microsecond=0)  # Landings are told in whole minutes.
    minutes = (ends - landed) / timedelta(minutes=1)
    (here.base / "softlanding.toml").write_text(f"[schedule]\npickup_expires_after_minutes = {minutes}\n")
    first_day = began.astimezone(ZONE).date() + timedelta(days=7)  # Its own shifts and flights are far away.
    here.words = ("--sample-on", first_day.isoformat())
    here.start()
    here.wait_calm()  # Dispatch has heard of the conference.
    people = iter([(person.code, person.name) for person in sample(first_day).programme.persons])
    stage = Stage(here, here.client(), browser, began, landed, speakers=people)
    stage.api("POST", f"/api/dispatch{BASE}/fleet/import", content=_fleet(cars, began))
    stage.sign_in()
    return stage


def _fleet(cars: Cars, now: datetime) -> str:
    """A table of vehicles, each with a driver and a shift that has begun."""
    begins = (now - BEGUN).astimezone(ZONE)
    ends = (begins.astimezone(ZoneInfo("UTC")) + SHIFT).astimezone(ZONE)
    head = "vehicle,plate,seats,luggage,wheelchair places,start place,driver,phone,shift start,shift end,skills"
    shift = f"{begins:%Y-%m-%d %H:%M},{ends:%Y-%m-%d %H:%M}"
    rows = [
        f"{name},{plate},{seats},{seats + 2},1,Hamburg Airport,{driver},+49 40 1,{shift},"
        for name, plate, seats, driver in cars
    ]
    return "\n".join([head, *rows, ""])


def opened(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    return page
