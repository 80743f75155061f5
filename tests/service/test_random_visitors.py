"""Ten thousand requests of four visitors in two conferences, with random keys, credentials and bodies.

What each of them may do stands in the table below, written from the promises, not from the code; so does what none of
them may ever read. The seed is printed; what it finds becomes a small named test.
"""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from sampled import SERVICES, SLUG, Sampled
from softlanding.formats import write_json
from softlanding.sample import sample

OTHER = "other-conf"
SEED = 20_261_128
REQUESTS = 10_000
KEYS = [f"key-{number}" for number in range(40)]  # Few, so that they meet each other.
MARK = "Beatrix"  # Each name, talk and note of the other conference bears it.
ANYTHING = [
    "",
    "x",
    "0",
    "-1",
    "1e9",
    "null",
    "2026-05-09",
    "07:30",
    "\x00",
    "é" * 300,
    "<b>",
    "../..",
    "' OR 1=1 --",
    "*",
]

# Who may do what: visitor, methods, pattern of the route, and where. What is not here is for nobody of the four.
TRAVEL_READ = r"/api/schedule/{conference}/(arrivals|pickups|unanswered).*"
MAY: list[tuple[str, str, str, str]] = [
    ("everyone", "GET POST", r"/sign-in.*", ""),
    ("everyone", "POST", r"/sign-out", ""),
    ("everyone", "GET POST", r"/{conference}/(speaker|drive)/{token}.*", ""),
    ("organiser", "GET POST PUT", r"/{conference}/organise/.*", SLUG),
    ("organiser", "GET POST PUT", r"/api/schedule/{conference}/.*", SLUG),
    ("organiser", "GET", r"/api/schedule/conferences", ""),
    ("organiser", "POST", r"/api/schedule/programmes", ""),  # Of its own conference: asked once the file is read.
    ("organiser", "POST", r"/api/dispatch/{conference}/(places|vehicles|shifts|drivers|fleet/import)", SLUG),
    ("organiser", "POST", r"/api/dispatch/{conference}/places/(import|{slug}/remove)", SLUG),
    ("organiser", "POST", r"/api/dispatch/{conference}/(vehicles/{code}|shifts/{shift})/remove", SLUG),
    ("organiser", "POST", r"/api/dispatch/{conference}/(places/{slug}|vehicles/{code})/change", SLUG),
    ("organiser", "POST", r"/api/dispatch/{conference}/(drivers/{driver}|shifts/{shift})/change", SLUG),
    ("coordinator", "GET POST PUT", r"/{conference}/organise/(arrivals|unanswered).*", OTHER),
    ("coordinator", "GET POST PUT", r"/api/schedule/{conference}/(arrivals|pickups|unanswered).*", OTHER),
    ("coordinator", "GET", r"/api/schedule/conferences", ""),
    ("coordinator", "GET POST", r"/{conference}/dispatch.*", OTHER),
    ("coordinator", "GET POST PUT", r"/api/dispatch/{conference}/.*", OTHER),
    ("organiser", "GET", r"/({conference}/(statistics|follow)|api/statistics/{conference}).*", SLUG),
    ("coordinator", "GET", r"/({conference}/(statistics|follow)|api/statistics/{conference}).*", OTHER),
    ("program", "GET", TRAVEL_READ, ""),
    ("program", "GET", r"/api/schedule/(conferences|people|{conference}/(programme|releases|speakers))", ""),
    ("program", "GET", r"/api/dispatch/{conference}/(?!drivers).*", ""),
    ("program", "GET", r"/({conference}/(statistics|follow)|api/statistics/{conference}).*", ""),
    ("program", "GET", r"/operations/.*", ""),
    ("program", "GET", r"/api/statistics/(?!{conference}).*", ""),
    ("program", "GET", r"/api/\w+/(dead-letters|incidents)", ""),
]
ENDS = ("/sign-out", "/sign-in/sessions")  # Whoever comes here comes in nowhere any more; they have their own tests.
# Doors without a conference in their address: they answer what the visitor's roles cover, or refuse; either is right.
ASKED_INSIDE = re.compile(r"/api/(statistics/(?!{conference})|\w+/incidents|schedule/programmes)|/-settle/")


@dataclass(frozen=True)
class Asker:
    """One of the four, with a credential that holds."""

    name: str
    headers: dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request, and whose it truly is."""

    service: str
    method: str
    route: str
    conference: str
    address: str
    asker: str
    headers: dict[str, Any]
    body: dict[str, Any]

    @property
    def may(self) -> bool:
        return any(
            who in ("everyone", self.asker)
            and self.method in methods.split()
            and where in ("", self.conference)
            and re.fullmatch(pattern.replace("{", r"\{").replace("}", r"\}").replace(r"(?!\{", r"(?!\{"), self.route)
            for who, methods, pattern, where in MAY
        )


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    made = Sampled(tmp_path_factory.mktemp("sampled"))
    add_other_conference(made)
    return made


def add_other_conference(sampled: Sampled) -> None:
    """As large as the first, with names, flights, phones and notes that can be told from all others."""
    given = sample(sampled.first_day + timedelta(days=30)).programme
    persons = tuple(replace(one, name=f"{MARK} {one.name}") for one in given.persons)
    titled = replace(given.conference, acronym=OTHER, title="The other one")
    talks = tuple(replace(one, title=f"{MARK} {one.title}") for one in given.talks)
    body = write_json(replace(given, conference=titled, persons=persons, talks=talks), "1", "https://example.org/o")
    boss = sampled.bosses()
    key = {"Idempotency-Key": "other"}
    taken = boss["schedule"].post("/api/schedule/programmes?release=true", content=body, headers=key)
    assert taken.status_code == 200, taken.text
    sampled.house.run()
    for what in ("places", "fleet"):
        table = sampled.file(what).replace(b"Venue", b"Venue")
        assert boss["dispatch"].post(f"/api/dispatch/{OTHER}/{what}/import", content=table).status_code == 200
    for number, person in enumerate(persons[:4]):
        arrival = {"speaker": person.code, "how": "flight", "number": f"ZZ 777{number}", "airport": "HAM"}
        arrival |= {"on": str(sampled.first_day + timedelta(days=29)), "time": "09:10", "place": "Pension Plan B"}
        arrival |= {"phone": "+49 171 77700", "note": f"{MARK} note"}
        key = {"Idempotency-Key": f"arrival-{number}"}
        asked = boss["schedule"].post(f"/api/schedule/{OTHER}/arrivals", json=arrival, headers=key)
        assert asked.status_code == 201, asked.text
    sampled.house.run()


@pytest.fixture(scope="module")
def askers(sampled) -> list[Asker]:
    organiser = sampled.session(sampled.person("random-organiser", (SLUG, "organiser")))
    coordinator = sampled.session(sampled.person("random-coordinator", (OTHER, "coordinator")))
    token = {"Authorization": f"Bearer {sampled.token('read')}"}
    return [
        Asker("nobody", {}),
        Asker("organiser", organiser),
        Asker("coordinator", coordinator),
        Asker("program", token),
    ]


def requests(sampled: Sampled, askers: list[Asker], rng: random.Random) -> Iterator[Asked]:
    doors = [
        (service, route.path, method)
        for service in SERVICES
        for route in sampled.apps[service].routes
        if hasattr(route, "softlanding_who") and "stream" not in route.path and not route.path.startswith(ENDS)
        for method in sorted(route.methods)
    ]
    while True:
        service, path, method = rng.choice(doors)
        asker, is_true = rng.choice(askers), rng.random() < 0.8
        conference = rng.choice((SLUG, OTHER))
        values = {name: some_value(sampled, rng, name) for name in re.findall(r"{(\w+)", path)}
        values |= {"conference": conference} if "conference" in values else {}
        address = re.sub(r"{(\w+)(:\w+)?}", lambda found, given=values: given[found[1]], path)
        headers = asker.headers if is_true else spoilt(asker.headers, rng)
        headers = headers | {"Accept": "application/json", "Idempotency-Key": rng.choice(KEYS)}
        name = asker.name if is_true or not asker.headers else "nobody"
        yield Asked(service, method, path, conference, address, name, headers, some_body(sampled, rng))


def some_value(sampled: Sampled, rng: random.Random, name: str) -> str:
    """What is there, or what is not."""
    real = sampled.real(name) or sampled.real({"code": "pickup", "token": "speaker token"}.get(name, name))
    return rng.choice(real) if real and rng.random() < 0.7 else rng.choice(("no-such", "X" * 60, "first", "K7QX"))


def some_body(sampled: Sampled, rng: random.Random) -> dict[str, Any]:
    names = ["name", "speaker", "word", "reason", "note", "by", "key", "roles", "vehicle", "tap", "news", "on", "time"]
    names += ["airport", "place", "number", "party", "slug", "kind", "latitude", "longitude", "incident", "subject"]
    values = {
        name: rng.choice([*ANYTHING, *sampled.real(name), *KEYS[:3]]) for name in rng.sample(names, rng.randint(0, 12))
    }
    kind = rng.random()
    if kind < 0.5:
        return {"json": values}
    if kind < 0.8:
        return {"data": {name: value.replace("\x00", "") for name, value in values.items()}}
    return {"content": rng.choice([b"", b"{", b"[" * 500, b"\xff\xfe", json.dumps(values).encode()])}


def spoilt(headers: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """A credential in which one letter is another, or that is cut short."""

    def changed(text: str) -> str:
        at = rng.randrange(len(text) // 2, len(text) - 2)
        letter = "A" if text[at] != "A" else "B"
        return rng.choice((text[:at] + letter + text[at + 1 :], text[:-3], text + "x"))

    return {
        name: changed(str(value)) if name in ("Cookie", "Authorization") else value for name, value in headers.items()
    }


def told_of_the_other(text: str, asked: Asked) -> bool:
    return MARK in text and asked.asker != "coordinator"


def test_nobody_gets_further_than_they_may_and_nothing_breaks(sampled, askers):
    rng, wrong, seen = random.Random(SEED), [], {True: 0, False: 0}
    print(f"seed {SEED}")
    clients = {service: sampled.client(service) for service in SERVICES}
    for asked, _ in zip(requests(sampled, askers, rng), range(REQUESTS), strict=False):
        client = clients[asked.service]
        client.cookies.clear()
        body = asked.body if asked.method not in ("GET", "HEAD") else {}
        answer = client.request(asked.method, asked.address, headers=asked.headers, **body)
        may, status = asked.may, answer.status_code
        seen[may] += 1
        is_inside = bool(ASKED_INSIDE.match(asked.route))
        words = f"{asked.asker}: {asked.method} {asked.route} of {asked.conference}: {status}"
        if status >= 500:
            wrong.append(f"{words} broke: {answer.text[:200]}")
        elif not may and not is_inside and status not in (401, 403, 404, 405):
            wrong.append(f"{words}, and may not")
        elif may and status == 401:
            wrong.append(f"{words}, and may")
        elif told_of_the_other(answer.text, asked):
            at = answer.text.index(MARK)
            wrong.append(f"{words} tells of the other conference: {answer.text[max(0, at - 60) : at + 60]}")
    assert wrong == [], "\n".join(dict.fromkeys(wrong[:40]))
    assert min(seen.values()) > REQUESTS / 20, "both kinds were tried"
