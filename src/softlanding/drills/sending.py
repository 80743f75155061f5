"""Asking for pickups as people and programs do: through the front door, by API, form and CSV, each with its key.

Whatever is not acknowledged is sent again with the same key, as often as it takes.
"""

import csv
import io
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, time, timedelta
from typing import Any

import httpx

from softlanding.clock import Clock, SystemClock
from softlanding.drills.counting import Sent
from softlanding.drills.installation import Installation, NotInTime
from softlanding.sample import ACRONYM, sample

CONFERENCE = ACRONYM
ARRIVALS = f"/api/schedule/{CONFERENCE}/arrivals"
AIRPORT = "HAM"
HOTEL = "Pension Plan B"
ACKNOWLEDGED_WITHIN_S = 60.0
TABLE_WITHIN_S = 120.0
AGAIN_AFTER_S = 0.05
AGAIN = (502, 503, 504)  # Anything else is an answer, or a bug.
NEAR_ONE_OF = 4  # So many are asked for on a day when cars drive, until all those days are full.
CHANGED_OF_TEN = 2  # So many are changed afterwards: the next revision, asked for twice with one key.
REPEATED_OF_TEN = 1  # So many of ten acknowledged requests are sent once more: the first answer must come again.


@dataclass(frozen=True)
class Wanted:
    """One arrival to be announced: who, when by the clocks of the airport, and the key that makes it one."""

    key: str
    speaker: str
    on: date
    at: time

    def values(self) -> dict[str, Any]:
        """As the API takes it."""
        return {
            "speaker": self.speaker,
            "how": "flight",
            "number": "SL 7001",
            "on": self.on.isoformat(),
            "time": self.at.isoformat("minutes") if not self.at.second else self.at.isoformat("seconds"),
            "airport": AIRPORT,
            "place": HOTEL,
        }

    def sent(self, pickup: str | None = None, journey: str | None = None) -> Sent:
        return Sent(self.key, self.speaker, self.on.isoformat(), pickup, journey)


class NotTaken(NotInTime):
    """A request was refused, or not acknowledged in time."""


def speakers(first_day: date) -> list[str]:
    """Codes of all who speak at the sample conference."""
    return [person.code for person in sample(first_day).programme.persons]


def free_legs(first_day: date) -> list[tuple[str, date]]:
    """Speakers and days of the conference on which nobody fetches them yet."""
    given = sample(first_day)
    taken = {(row.speaker, row.on) for row in given.arrivals}
    days = [first_day + timedelta(days=number) for number in range(3)]
    return [(code, day) for day in days for code in speakers(first_day) if (code, day) not in taken]


# --- By API -----------------------------------------------------------------------------------------------------------


def send_until_taken(client: httpx.Client, wanted: Wanted, clock: Clock) -> tuple[Sent, int]:
    """Send it until it is acknowledged; what was promised, and how often it was sent again. Raises NotTaken."""
    answer, again = ask(client, "POST", ARRIVALS, wanted.values(), wanted.key, clock)
    return wanted.sent(answer["pickup"], answer["journey"]), again


def ask(
    client: httpx.Client, method: str, path: str, values: dict[str, Any], key: str, clock: Clock
) -> tuple[dict[str, Any], int]:
    """The answer, asked for with the same key until there is one, and how often again. Raises NotTaken."""
    until, again, pause = clock.monotonic() + ACKNOWLEDGED_WITHIN_S, 0, threading.Event()
    while True:
        try:
            answer = client.request(method, path, json=values, headers={"Idempotency-Key": key})
            if answer.is_success:
                told: dict[str, Any] = answer.json()
                return told, again
            why = f"{answer.status_code} {answer.text[:200]}"
            if answer.status_code not in AGAIN:
                raise NotTaken(f"{key}: {method} {path} {values} was refused: {why}")
        except httpx.HTTPError as error:
            why = f"{type(error).__name__}: {error}"
        if clock.monotonic() > until:
            raise NotTaken(f"{key}: {method} {path} was not acknowledged within {ACKNOWLEDGED_WITHIN_S:g} s: {why}")
        again += 1
        pause.wait(AGAIN_AFTER_S)


def send(here: Installation, wanted: list[Wanted]) -> list[Sent]:
    """One after the other, each until it is acknowledged."""
    with here.client() as client:
        return [send_until_taken(client, one, here.clock)[0] for one in wanted]


# --- By form and CSV, as a person does --------------------------------------------------------------------------------


@contextmanager
def signed_in(here: Installation, link: str = "") -> Iterator[httpx.Client]:
    """A browser whose person has followed the sign-in link; without one, whoever set the installation up."""
    browser = httpx.Client(base_url=here.address, follow_redirects=True, timeout=15.0, trust_env=False)
    with browser:
        link = link or f"/sign-in/{here.signing().sign_in_token()}"
        page = browser.get(link)
        browser.post(link, data=hidden_fields(page.text, "sign-in")).raise_for_status()
        yield browser


def send_form(browser: httpx.Client, wanted: Wanted) -> Sent:
    """Fill in the form on the arrivals page and send it. Raises NotTaken with what the page says."""
    address = f"/{CONFERENCE}/organise/arrivals"
    page = browser.get(address)
    hidden = hidden_fields(page.text, "arrival")
    place = re.search(rf'<option value="([^"]+)"[^>]*>\s*{re.escape(HOTEL)}\s*<', page.text)
    values = {**wanted.values(), **hidden, "place": place.group(1) if place else HOTEL, "party": "1", "luggage": "1"}
    answer = browser.post(address, data=values)
    if not answer.is_success:
        raise NotTaken(f"the form was not taken: {answer.status_code} {_text_of(answer.text)[:300]}")
    return wanted.sent()


def send_table(here: Installation, wanted: list[Wanted]) -> list[Sent]:
    """Send a table of arrivals as a program does. Raises NotTaken."""
    with here.client() as client:
        answer = client.post(f"{ARRIVALS}/import", content=arrivals_csv(wanted), timeout=TABLE_WITHIN_S)
    if not answer.is_success or answer.json()["faults"]:
        raise NotTaken(f"the table was not taken: {answer.status_code} {answer.text[:300]}")
    return [one.sent() for one in wanted]


def send_csv(browser: httpx.Client, wanted: list[Wanted]) -> list[Sent]:
    """Send a table of arrivals by the import form. Raises NotTaken with what the page says."""
    address = f"/{CONFERENCE}/organise/arrivals"
    hidden = hidden_fields(browser.get(address).text, "import")
    answer = browser.post(
        f"{address}/import", data=hidden, files={"file": ("arrivals.csv", arrivals_csv(wanted), "text/csv")}
    )
    if not answer.is_success:
        raise NotTaken(f"the table was not taken: {answer.status_code} {_text_of(answer.text)[:300]}")
    return [one.sent() for one in wanted]


def arrivals_csv(wanted: list[Wanted]) -> bytes:
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["speaker", "number", "date", "airport", "landing time", "to"])
    for one in wanted:
        writer.writerow([one.speaker, "SL 7001", one.on, AIRPORT, one.at.isoformat("minutes"), HOTEL])
    return table.getvalue().encode()


def hidden_fields(page: str, form: str) -> dict[str, str]:
    """The hidden fields of the form of that name."""
    for text in re.findall(r"<form\b.*?</form>", page, re.S):
        tags = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', text)
        fields = {str(name): str(value) for name, value in tags}
        if fields.get("form") == form:
            return fields
    raise NotTaken(f"the page has no form '{form}': {_text_of(page)[:300]}")


def _text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style)\b.*?</\1>", "", page)).split())


# --- A load -----------------------------------------------------------------------------------------------------------


@dataclass
class Load:
    """Pickups asked for by a few threads at a steady pace, each until it is acknowledged."""

    here: Installation
    first_day: date
    seed: int
    per_second: float
    sent: list[Sent] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    again: int = 0
    clock: Clock = field(default_factory=SystemClock)
    _count: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.speakers = speakers(self.first_day)
        self.near = free_legs(self.first_day)

    def run(self, number: int, threads: int) -> None:
        """One thread's work, until `stop`."""
        rng = random.Random(f"{self.seed}/{number}")
        try:
            with self.here.client() as client:
                while not self._stopping.wait(threads / self.per_second * (0.5 + rng.random())):
                    self._send_one(client, self._next(rng), rng)
        except Exception as error:  # noqa: BLE001 - told at the end by whoever counts; a thread has no other voice
            self.faults.append(f"{type(error).__name__}: {error}")

    def stop(self) -> None:
        self._stopping.set()

    def _next(self, rng: random.Random) -> Wanted:
        """Each of them another speaker or day: some on days of the conference, when cars drive, most after it."""
        with self._lock:
            number, self._count = self._count, self._count + 1
        at = time(rng.randrange(8, 20), rng.randrange(0, 60, 5))
        key, near = f"load-{self.seed}-{number}", number // NEAR_ONE_OF
        if number % NEAR_ONE_OF == 0 and near < len(self.near):
            return Wanted(key, *self.near[near], at)
        day = self.first_day + timedelta(days=4 + number // len(self.speakers))
        return Wanted(key, self.speakers[number % len(self.speakers)], day, at)

    def _send_one(self, client: httpx.Client, wanted: Wanted, rng: random.Random) -> None:
        sent, again = send_until_taken(client, wanted, self.clock)
        with self._lock:
            self.sent.append(sent)
            self.again += again
        if rng.randrange(10) < REPEATED_OF_TEN:
            same, _ = send_until_taken(client, wanted, self.clock)
            if same != sent:
                self.faults.append(f"the same key got another answer: {sent} and {same}")
        if rng.randrange(10) < CHANGED_OF_TEN:
            later = replace(wanted, at=wanted.at.replace(minute=(wanted.at.minute + 30) % 60)).values()
            del later["speaker"]
            self._ask(client, "PUT", f"{ARRIVALS}/{sent.journey}", later, f"{wanted.key}/change", revision=2)

    def _ask(
        self, client: httpx.Client, method: str, path: str, values: dict[str, Any], key: str, revision: int
    ) -> None:
        """A later wish about the same journey; asked twice, it is one revision."""
        for _ in range(2):
            answer, again = ask(client, method, path, values, key, self.clock)
            with self._lock:
                self.again += again
            if answer["revision"] != revision:
                self.faults.append(f"{key} made revision {answer['revision']}, not {revision}")


@contextmanager
def under_load(
    here: Installation, first_day: date, *, seed: int, per_second: float = 20.0, threads: int = 2
) -> Iterator[Load]:
    """A load while the block runs. When it comes back every request is acknowledged, or told in `faults`."""
    load = Load(here, first_day, seed, per_second)
    workers = [threading.Thread(target=load.run, args=(number, threads), daemon=True) for number in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield load
    finally:
        load.stop()
        for worker in workers:
            worker.join(ACKNOWLEDGED_WITHIN_S + 5.0)
