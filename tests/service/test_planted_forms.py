"""Every form of every page is found by walking the routes, a word that nobody else would write is typed into each of
its fields, and without the scope `personal` no answer, live page, log line, metric or file has the word.

A new form is walked to and filled, or `test_every_form_is_met` names its door.
"""

import asyncio
import itertools
import re
import string
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from structlog.testing import capture_logs

import told
from forms import ShownForm, forms_of
from sampled import SERVICES, SLUG, Sampled
from softlanding import incidents
from softlanding.messaging import dead_letters
from softlanding.messaging.envelope import Envelope
from softlanding.schedule import store as schedule_store

LETTERS = string.ascii_lowercase
FEW = 5  # Of each thing that an address or a link on a page may name.
ROUNDS = 4  # What a form leads to may show other forms.
LINK = re.compile(r'href="(\?(?:edit|journey|pickup)=[^"#]+)')
LINK_KIND = re.compile(r"\?\w+=(?:\w+(?=/))?")
UNMET = {
    "/operations/incidents/{incident}/settle": "what `/-settle/SERVICE` is on pages of today",
    "/sign-in/{token}": "the button behind a link, which is spent by it; nothing is typed",
    "/sign-in/sessions/end": "of another session of one's own; nothing is typed",
    "/{conference}/organise/import/accept": "of a file that was set aside; nothing is typed",
    "/{conference}/organise/import/drop": "of a file that was set aside; nothing is typed",
}
_PLACES, _VEHICLES = "/{conference}/dispatch/places", "/{conference}/dispatch/fleet/vehicles"
OF_THE_CONFERENCE = {  # Of its own places and cars; no person stands beside them.
    *((f"{_PLACES}{more}", name) for more in ("", "/{slug}/change") for name in ("slug", "name", "address", "note")),
    *((f"{_VEHICLES}{more}", name) for more in ("", "/{code}/change") for name in ("code", "name")),
}
KEPT_BY_STATISTICS = {
    ("/{conference}/organise/people", "name"),
    ("/{conference}/organise/people/{person}/change", "name"),
    ("/{conference}/organise/tokens", "name"),
    ("/-settle/statistics", "note"),
    ("/operations/dead-letters/{letter}/drop", "reason"),
    ("/-letters/statistics", "reason"),
}
PUBLIC = {("/{conference}/organise/release", "note")}  # "What the public should know" stands on the page of changes.
SHAPED_TYPES = ("number", "date", "time")
SHAPED = {  # Fields that take no free words, and a good value of each.
    "airport": "HAM",
    "iata": "",
    "zone": "Europe/Berlin",
    "latitude": "53.5",
    "longitude": "9.9",
}


class Planter:
    """Types into the forms of one house; `words` are those that a door has taken: word to (door, field)."""

    def __init__(self, sampled: Sampled) -> None:
        self.sampled = sampled
        self.bosses = sampled.bosses()
        self.words: dict[str, tuple[str, str]] = {}
        self.met: set[str] = set()
        self.taken: set[tuple[str, ...]] = set()
        self.refused: dict[tuple[str, ...], str] = {}
        self._numbers = itertools.count(1)

    def walk(self) -> None:
        for _ in range(ROUNDS):
            before = len(self.taken)
            for service in SERVICES:
                for address in list(self._pages(service)):
                    self._fill_all(service, address)
            if len(self.taken) == before:
                return

    def _pages(self, service: str) -> Iterator[str]:
        """Every page there is, and what its links show of one thing: to edit it, or in detail."""
        for route in self.sampled.apps[service].routes:
            methods, path = getattr(route, "methods", None) or (), getattr(route, "path", "")
            if "GET" not in methods or path.startswith(("/api", "/static", "/sign-in/{")) or path.endswith("/stream"):
                continue
            for address in self._addresses(route):
                answer = self.bosses[service].get(address)
                if "text/html" not in answer.headers.get("Content-Type", ""):
                    continue
                yield address
                by_kind: dict[str, list[str]] = {}
                for link in LINK.findall(answer.text):
                    by_kind.setdefault(LINK_KIND.match(link)[0], []).append(link)
                yield from (
                    address + link for links in by_kind.values() for link in dict.fromkeys(links[:FEW] + links[-FEW:])
                )

    def _addresses(self, route: Any) -> list[str]:
        token = "drive token" if "/drive/" in route.path else "speaker token"
        meant = {"token": token, "code": "pickup"}
        given = [self.sampled.real(meant.get(name, name))[-FEW:] for name in route.param_convertors]
        names = list(route.param_convertors)
        return [route.path.format(**dict(zip(names, each, strict=True))) for each in itertools.product(*given)]

    def _fill_all(self, service: str, address: str) -> None:
        """Each form of the page that nothing was typed into yet, anew from the page as it is by then."""
        for form in forms_of(self.bosses[service].get(address).text):
            if form.method != "post":
                continue
            form.action = form.action or address
            owner, door = self._door(form.action)
            self.met.add(door)
            kind = (door, *sorted(form.typed))
            has_words = any(attrs.get("type") not in SHAPED_TYPES for attrs in form.typed.values())
            if has_words and kind not in self.taken:
                self._fill(owner, form, kind)

    def _door(self, action: str) -> tuple[str, str]:
        path = action.partition("?")[0]
        for service in SERVICES:
            for _, route in self.sampled.writing_routes(service):
                if route.path_regex.match(path):
                    return service, route.path
        raise AssertionError(f"the form's address {action} is no door")

    def _fill(self, service: str, form: ShownForm, kind: tuple[str, ...]) -> None:
        open_choices = {name: values for name, values in form.choices.items() if not form.sent.get(name)}
        choices = itertools.product(*([(name, one) for one in values if one] for name, values in open_choices.items()))
        for chosen, ticks in itertools.product(choices, ({}, dict.fromkeys(form.ticks, "on"))):
            typed = {name: self._typed(name, attrs, form.sent.get(name, "")) for name, attrs in form.typed.items()}
            sent = form.sent | dict(chosen) | ticks | typed
            answer = self.bosses[service].post(form.action, data=sent | {"key": f"planted-{next(self._numbers)}"})
            self.sampled.house.run()
            said = unquote(answer.headers.get("Set-Cookie", ""))
            if answer.status_code < 400 and '"refused"' not in said:
                self.taken.add(kind)
                self.words |= {word: (kind[0], name) for name, word in typed.items() if self._is_word(name, word)}
                return
            self.refused[kind] = said or "; ".join(
                re.findall(r'class="(?:fault|message refused)"[^>]*>.*?</', answer.text)
            )

    def _typed(self, name: str, attrs: dict[str, str | None], shown: str) -> str:
        number = next(self._numbers)
        letters = LETTERS[number // 676 % 26] + LETTERS[number // 26 % 26] + LETTERS[number % 26]
        dated = {"on": self.sampled.first_day.isoformat(), "time": "22:10", "expected": "23:40"}
        hours = {"from": "06:00", "to": "07:00"}
        if attrs.get("type") in SHAPED_TYPES or name in ("on", "time", "from", "to", "expected"):
            return shown or (dated | hours).get(name, "2")
        shapes = SHAPED | {
            "number": f"QZ{1000 + number}",
            "slug": f"quoll-{letters}",
            "code": f"Q{letters}",
            "phone": f"+49 170 7{number:06d}",
            "email": f"quoll{letters}@example.org",
        }
        return shapes.get(name, f"Quoll{letters}")

    def _is_word(self, name: str, word: str) -> bool:
        return name not in SHAPED and len(word) > 3 and not word[0].isdigit()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Planter, str]:
    sampled = Sampled(tmp_path_factory.mktemp("planted"))
    with capture_logs() as lines:
        leave_open_what_pages_ask_about(sampled)
        planter = Planter(sampled)
        planter.walk()
        sampled.house.clock.advance(48 * 3600)  # Who was fetched by nobody is missed.
        sampled.house.run()
        planter.walk()
    return planter, str(lines)


def leave_open_what_pages_ask_about(sampled: Sampled) -> None:
    """A pickup that Dispatch has not answered, and a fact that was given up on."""
    travelling = {each.speaker for each in sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)}
    speaker = next(code for code in sampled.real("speaker") if code not in travelling)
    arrival = {"how": "flight", "airport": "HAM", "time": "23:10", "on": sampled.first_day.isoformat()}
    answer = sampled.program("schedule", "write").post(
        f"/api/schedule/{SLUG}/arrivals",
        json=arrival | {"speaker": speaker, "number": "LH 1", "place": sampled.real("place")[0]},
        headers={"Idempotency-Key": "unanswered"},
    )
    assert answer.is_success, answer.text
    sampled.house.clock.advance(300)
    asyncio.run(_only_schedule(sampled))
    with_other_rooms = sampled.file("json").replace("Kombüse".encode(), b"Kajuete")
    headers = {"Idempotency-Key": "a draft"}
    answer = sampled.program("schedule", "write").post(
        "/api/schedule/programmes", content=with_other_rooms, headers=headers
    )
    assert answer.is_success, answer.text
    for service, name in itertools.product(SERVICES, ("one", "another")):
        sampled.write(service, _give_up_on_a_fact, name)
    sampled.write("statistics", _open_an_incident)


def _give_up_on_a_fact(tx: Any, now: Any, name: str) -> None:
    fact = Envelope(name, "schedule", "schedule.pickup.requested", f"pickup/{name}", SLUG, "epoch", 1, now, {})
    dead_letters.park(tx, now, fact, "it breaks each time")


def _open_an_incident(tx: Any, now: Any) -> None:
    incidents.open_incident(tx, now, cause="planted", kind="other", about="test", sentence="Something", conference=SLUG)


async def _only_schedule(sampled: Sampled) -> None:
    for step in sampled.house["schedule"].steps():
        await step.run()


def test_every_form_is_met(planted):
    planter, _ = planted
    doors = {route.path for service in SERVICES for _, route in planter.sampled.writing_routes(service)}
    pages = {path for path in doors if not path.startswith("/api/")}
    assert sorted(pages - planter.met) == sorted(UNMET)
    assert {kind: why for kind, why in planter.refused.items() if kind not in planter.taken} == {}


@pytest.mark.parametrize("scopes", [("read",), ("facts",), ("read", "write", "facts")], ids="+".join)
def test_no_word_is_in_an_answer_or_on_a_live_page_without_personal(planted, scopes):
    planter, _ = planted
    heard = told.answers(planter.sampled, *scopes) | told.live_pages(planter.sampled, *scopes)
    assert len(heard) > 40
    assert found_in(heard, planter, but=OF_THE_CONFERENCE | PUBLIC) == []


def test_no_word_is_in_a_log_a_metric_or_a_public_file(planted):
    planter, lines = planted
    metrics = told.metrics(planter.sampled)
    assert all("softlanding_deaths" in text for text in metrics.values())
    assert found_in({"log": lines} | metrics | told.health(planter.sampled), planter) == []
    public = told.public_files(planter.sampled)
    assert len(public) > 100
    assert found_in(public, planter, but=PUBLIC) == []


def test_no_word_is_kept_by_statistics_but_its_own_record_and_the_names_of_who_may_sign_in(planted):
    planter, _ = planted
    kept = told.kept_by_statistics(planter.sampled)
    assert found_in(kept, planter, but=OF_THE_CONFERENCE | KEPT_BY_STATISTICS | PUBLIC) == []


def found_in(places: dict[str, str], planter: Planter, but: set[tuple[str, str]] = frozenset()) -> list[str]:
    words = {word: what for word, what in planter.words.items() if what not in but}
    return [f"{what} in {where}" for where, text in places.items() for word, what in words.items() if word in text]
