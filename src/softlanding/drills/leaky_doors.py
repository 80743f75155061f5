"""Doors that open to the wrong person: tried as somebody else who uses the machine, and as a colleague of another
conference.

Each attempt is one that has succeeded once. It gives the leaks that it found, in words; the drill holds if there are
none. What only root can play (becoming another user) is said to be not played elsewhere.
"""

import json
import re
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Collection
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from softlanding.drills import strangers
from softlanding.drills.installation import Installation, NotInTime, mortal_command, throw_away, wait_for
from softlanding.drills.lessons import Tell
from softlanding.drills.sending import ARRIVALS, CONFERENCE, HOTEL, free_legs, hidden_fields, signed_in
from softlanding.formats import write_json
from softlanding.sample import sample
from softlanding.settings import plain_environment

ZONE = ZoneInfo("Europe/Berlin")
OTHER = "other-conf"
TRAVELS_WITHIN_S = 5.0  # An end is a fact: so long it may take to reach all three services.
ENDS_WITHIN_S = 25.0  # A stream asks again at each beat, every ten seconds.
SERVICES = ("schedule", "dispatch", "statistics")
MARKS = {
    "phone": "+49 171 5550199",
    "number": "QX 4711",
    "note": "drillnote peterpan",
    "reason": "drillreason wendy",
}


@dataclass
class Stage:
    """The installation, a program that may do everything, and legs that are free."""

    here: Installation
    boss: httpx.Client
    first_day: date
    legs: list[tuple[str, date]]
    made: int = 0
    not_played: list[str] = field(default_factory=list)

    def key(self) -> dict[str, str]:
        self.made += 1
        return {"Idempotency-Key": f"leaky-{self.made}"}

    def announce(self, conference: str, key: str = "", **more: str) -> httpx.Response:
        """An arrival of somebody who has none yet."""
        speaker, on = self.legs.pop(0)
        values = {"speaker": speaker, "how": "flight", "on": on.isoformat(), "time": "11:20", "airport": "HAM"}
        values |= {"number": "SL 7001", "place": HOTEL, **more}
        headers = {"Idempotency-Key": key} if key else self.key()
        return self.boss.post(f"/api/schedule/{conference}/arrivals", json=values, headers=headers)

    def colleague(self, name: str) -> tuple[str, Any]:
        """A member of staff of the other conference alone: the id, and their browser."""
        roles = [{"conference": OTHER, "role": role} for role in ("organiser", "coordinator")]
        made = self.boss.post("/api/schedule/people", json={"name": name, "roles": roles}, headers=self.key())
        person: str = made.raise_for_status().json()["person"]
        link = self.boss.post(f"/api/schedule/people/{person}/sign-in-link", json={}, headers=self.key())
        return person, signed_in(self.here, link.raise_for_status().json()["url"])


def run(tell: Tell, only: Collection[str] = (), plant: str = "") -> dict[str, Any]:
    """Play it. It held if no attempt found a leak.

    `plant` is code that breaks the system first, and `only` names the attempts that should find it: so that each of
    them is shown to fail.
    """
    with throw_away(plant=plant) as here:
        first_day = here.clock.now().astimezone(ZONE).date() + timedelta(days=7)
        here.words = ("--sample-on", first_day.isoformat())
        tell(f"started in {here.start()['ready_s']} s at {here.address}")
        here.wait_calm()
        with here.client() as boss:
            stage = Stage(here, boss, first_day, free_legs(first_day))
            _add_other_conference(stage)
            here.wait_calm()
            leaks = {name: _tried(ATTEMPTS[name], stage, tell) for name in only or ATTEMPTS}
        here.stop()
    found = [f"{name}: {leak}" for name, told in leaks.items() for leak in told]
    result = {"drill": "leaky-doors", "tried": len(leaks), "leaks": found, "not_played": stage.not_played}
    return result | {"held": not found}


def _add_other_conference(stage: Stage) -> None:
    known = sample(stage.first_day).programme
    given = replace(known, conference=replace(known.conference, acronym=OTHER, title="Another conference"))
    parameters: dict[str, str | bool] = {"filename": "other.json", "release": True}
    body = write_json(given, "drill", f"{stage.here.address}/{OTHER}")
    stage.boss.post("/api/schedule/programmes", params=parameters, content=body, headers=stage.key()).raise_for_status()


def _tried(attempt: Callable[[Stage], list[str]], stage: Stage, tell: Tell) -> list[str]:
    """What leaked; an attempt that could not be made at all is a leak of its own, lest it count as held."""
    try:
        leaks = attempt(stage)
    except (httpx.HTTPError, NotInTime, OSError, KeyError, ValueError, AssertionError) as error:
        leaks = [f"could not be tried: {type(error).__name__}: {str(error)[:300]}"]
    story = (attempt.__doc__ or "").splitlines()[0]
    tell(f"{story} {'held' if not leaks else '; '.join(leaks)}")
    return leaks


# --- Keys -------------------------------------------------------------------------------------------------------------


def a_key_that_somebody_used(stage: Stage) -> list[str]:
    """A key that a program used, tried by a colleague, in another conference, and with another body:"""
    leaks, invite = [], {"Idempotency-Key": "invite-1"}
    link = stage.boss.post("/api/schedule/people/first/sign-in-link", json={}, headers=invite).raise_for_status()
    person, browsing = stage.colleague("Key Tester")
    with browsing as browser:
        page = browser.get(f"/{OTHER}/organise/people").text
        form = {"csrf": _csrf(page), "key": "invite-1"}
        answer = browser.post(f"/{OTHER}/organise/people/{person}/link", data=form)
        if link.json()["url"].rpartition("/")[2] in answer.text:
            leaks.append("a colleague was given the administrator's sign-in link")
    there, here = stage.announce(OTHER, "n1"), stage.announce(CONFERENCE, "n1")
    if here.status_code != httpx.codes.CREATED or here.json()["journey"] == there.json()["journey"]:
        leaks.append(f"a request with a key that another conference used was answered {here.status_code} and not done")
    again = stage.announce(CONFERENCE, "n1")
    if again.status_code != httpx.codes.UNPROCESSABLE_ENTITY:
        leaks.append(f"another request under the same key was answered {again.status_code}, not refused")
    return leaks


def _csrf(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, "the page has no form"
    return found[1]


# --- Sessions and tokens ----------------------------------------------------------------------------------------------


def a_session_that_was_ended(stage: Stage) -> list[str]:
    """A cookie that was kept beyond the sign-out, tried at all three services:"""
    _, browsing = stage.colleague("Session Tester")
    with browsing as browser:
        pages = (f"/{OTHER}/organise/", f"/{OTHER}/dispatch/", f"/{OTHER}/statistics/")
        kept = httpx.Client(base_url=stage.here.address, cookies=browser.cookies, timeout=15.0, trust_env=False)
        with kept:
            before = [page for page in pages if not _lets_in(kept, page)]
            assert not before, f"it was not signed in at {before}"
            page = browser.get("/sign-in/sessions").text
            browser.post("/sign-out", data=hidden_fields(page, "sign-out")).raise_for_status()
            return [f"{page} still lets the kept cookie in" for page in pages if not _is_shut(kept, page)]


def a_token_that_was_revoked(stage: Stage) -> list[str]:
    """A program's token that was revoked, and one of another conference, tried at all three services:"""
    token = _command(stage, "token", "drill-desk", "--scope", "read")["token"]
    addresses = (f"{ARRIVALS}", f"/api/dispatch/{CONFERENCE}/board", f"/api/statistics/{CONFERENCE}/numbers")
    leaks = []
    with _program(stage, token) as program:
        wait_for(lambda: all(_lets_in(program, address) for address in addresses[:2]), 5.0, "the token is known")
        _command(stage, "token", "revoke", "drill-desk")
        leaks += [f"{address} still takes the token" for address in addresses[:2] if not _is_shut(program, address)]
    own = _command(stage, "token", "drill-other", "--scope", "read", "--conference", OTHER)["token"]
    with _program(stage, own) as program:
        wait_for(lambda: _lets_in(program, f"/api/schedule/{OTHER}/arrivals"), 5.0, "the token is known")
        leaks += [f"{address} takes another conference's token" for address in addresses if _lets_in(program, address)]
    return leaks


def _command(stage: Stage, *words: str) -> dict[str, Any]:
    """The last line of a command on this installation."""
    command = mortal_command(*words, "--data", str(stage.here.data), "--json")
    environment = plain_environment()
    done = subprocess.run(
        command, cwd=stage.here.base, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"softlanding {' '.join(words)}: {done.stderr[-300:]}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _program(stage: Stage, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    return httpx.Client(base_url=stage.here.address, headers=headers, timeout=15.0, trust_env=False)


def _lets_in(client: httpx.Client, address: str) -> bool:
    return client.get(address).status_code == httpx.codes.OK


def _is_shut(client: httpx.Client, address: str) -> bool:
    """Within the time that a fact may take to get there."""
    with suppress(NotInTime):
        wait_for(lambda: client.get(address).status_code in (401, 403), TRAVELS_WITHIN_S, "it is refused")
        return True
    return False


# --- Streams ----------------------------------------------------------------------------------------------------------


def a_stream_of_somebody_who_lost_access(stage: Stage) -> list[str]:
    """A live page that was open when its reader was removed, and what came by it afterwards:"""
    person, browsing = stage.colleague("Stream Tester")
    with browsing as browser:
        heard, has_ended = bytearray(), threading.Event()
        reading = threading.Thread(
            target=_listen, args=(browser, f"/{OTHER}/organise/arrivals/stream", heard, has_ended), daemon=True
        )
        reading.start()
        wait_for(lambda: b"event: fragment" in heard, 10.0, "the stream has begun")
        revoked = stage.boss.post(f"/api/schedule/people/{person}/revoke", json={}, headers=stage.key())
        revoked.raise_for_status()
        stage.announce(OTHER, number="QY 9999").raise_for_status()
        wait_for(lambda: has_ended.is_set() or b"9999" in heard, ENDS_WITHIN_S, "the stream has ended")
        reading.join(1.0)
    return ["it told of a new flight to somebody who had been removed"] if b"9999" in heard else []


def _listen(browser: httpx.Client, address: str, heard: bytearray, has_ended: threading.Event) -> None:
    with suppress(httpx.HTTPError), browser.stream("GET", address, timeout=60.0) as answer:
        for part in answer.iter_bytes():
            heard.extend(part)
    has_ended.set()


# --- The machine's other users ----------------------------------------------------------------------------------------


def files_for_everybody(stage: Stage) -> list[str]:
    """The data folder, as another user of the machine:"""
    if not strangers.can_be_played():
        stage.not_played.append("another user of the machine: only root can become one")
        return []
    stage.here.base.chmod(0o755)  # Its own folder is private by itself: here what lies in it must be.
    return [f"{path} can be read" for path in strangers.readable_files(stage.here.data)[:5]]


def nats_for_everybody(stage: Stage) -> list[str]:
    """NATS, without a credential, and with one service's for another's facts:"""
    port, leaks = stage.here.ports()["nats"], []
    said = strangers.talk_to_nats(port, {}, "SUB > 1")
    if "Authorization Violation" not in said:
        leaks.append(f"it admits who has no credential: {said[-80:]!r}")
    for service in SERVICES:
        credential = _nats_credential(stage, service)
        for other in SERVICES:
            subject = f"facts.{other}.person.granted"
            said = strangers.talk_to_nats(port, credential, *strangers.publishing(subject, {"drill": True}))
            is_refused = "Permissions Violation" in said
            if is_refused == (service == other):
                what = "may not tell its own facts" if is_refused else f"may tell {other}'s facts"
                leaks.append(f"{service} {what}: {said[-80:]!r}")
    return leaks


def _nats_credential(stage: Stage, service: str) -> dict[str, str]:
    return {"user": service, "pass": (stage.here.data / "secrets" / f"nats_{service}").read_text().strip()}


# --- What identifies a person -----------------------------------------------------------------------------------------


def what_read_alone_tells(stage: Stage) -> list[str]:
    """Who comes when and to which hotel, asked by a program that may only read, and in Statistics' files:"""
    asked = stage.announce(CONFERENCE, phone=MARKS["phone"], number=MARKS["number"], note=MARKS["note"])
    answer = asked.raise_for_status().json()
    stage.here.wait_calm()
    withdraw = f"{ARRIVALS}/{answer['journey']}/withdraw"
    stage.boss.post(withdraw, json={"reason": MARKS["reason"]}, headers=stage.key()).raise_for_status()
    stage.here.wait_calm()
    marks = {**MARKS, "name": answer["speaker_name"], "code": answer["speaker"]}
    token = _command(stage, "token", "drill-screen", "--scope", "read")["token"]
    leaks = []
    with _program(stage, token) as screen:
        wait_for(lambda: _lets_in(screen, ARRIVALS), 5.0, "the token is known")
        for address in _addresses(stage, answer):
            text = screen.get(address).text
            # Who speaks is public; who comes when, and where to, is not.
            hidden = {name: mark for name, mark in marks.items() if name != "code" or "/speakers" not in address}
            leaks += [f"{address} tells the {name}" for name, mark in hidden.items() if _tells(text, mark)]
    for path in sorted(stage.here.data.glob("statistics.db*")):
        body = path.read_bytes()
        kept = {name: mark for name, mark in marks.items() if name != "code"}  # That is six letters, which occur.
        leaks += [f"{path.name} keeps the {name}" for name, mark in kept.items() if mark.encode() in body]
    return leaks + _kept_of_pickups(stage.here.data / "statistics.db", (HOTEL, marks["code"]))


def _kept_of_pickups(path: Path, marks: Collection[str]) -> list[str]:
    """Where somebody is taken, and who it is, in what Statistics keeps of pickups. A hotel by itself is no secret."""
    query = "SELECT count(*) FROM fact WHERE subject LIKE 'pickup/%' AND data LIKE ?"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        counts = {mark: connection.execute(query, (f"%{mark}%",)).fetchone()[0] for mark in marks}
    return [f"{path.name} keeps {mark} with {count} facts of pickups" for mark, count in counts.items() if count]


def _tells(text: str, mark: str) -> bool:
    return mark in text or json.dumps(mark)[1:-1] in text


def _addresses(stage: Stage, answer: dict[str, Any]) -> list[str]:
    """Every address of the three APIs that is about this conference, or this pickup."""
    found = []
    for service in SERVICES:
        described = stage.boss.get(f"/api/{service}/openapi.json").raise_for_status().json()
        for path, methods in described["paths"].items():
            values = {"conference": CONFERENCE, "code": answer["code"], "journey": answer["journey"]}
            if "get" in methods and set(re.findall(r"{(\w+)}", path)) <= values.keys():
                found.append(path.format(**values))
    assert len(found) > len(SERVICES), "the APIs describe themselves"
    return found


ATTEMPTS: dict[str, Callable[[Stage], list[str]]] = {
    "keys": a_key_that_somebody_used,
    "sessions": a_session_that_was_ended,
    "tokens": a_token_that_was_revoked,
    "streams": a_stream_of_somebody_who_lost_access,
    "files": files_for_everybody,
    "nats": nats_for_everybody,
    "personal": what_read_alone_tells,
}
