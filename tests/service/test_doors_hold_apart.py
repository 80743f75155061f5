"""At every creating door: a key that others use too, elsewhere or for something else, gives nobody another's answer and
swallows no request; and no kept answer holds what lets somebody in."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from conferences_made import a_programme, bring
from creating import DOORS, NUMBERS, Things, is_refused
from sampled import SERVICES, SLUG, Sampled
from softlanding import auth, tokens
from softlanding.dispatch import store as dispatch_store
from softlanding.schedule import store as schedule_store

ELSEWHERE = "elsewhere"
NAMES = [f"{method} {path}" for _, method, path, _, _ in DOORS]
TAKEN = "under this key"  # As keys.once says it.
SECRETS = {  # What an answer to whoever asked may show, and a database must not keep.
    "sign-in link": r"/sign-in/([\w.-]{60,})",
    "program token": rf"({tokens.PREFIX}[\w-]{{20,}})",
    "personal link": r"/(?:speaker|drive)/([\w-]{43})",
}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    sampled = Sampled(tmp_path_factory.mktemp("sampled"))
    bring(sampled.house, a_programme(acronym=ELSEWHERE))
    sampled.house.run()
    return sampled


@pytest.fixture(scope="module")
def callers(sampled):
    return two_callers(sampled)


def two_callers(sampled: Sampled) -> dict[tuple[int, bool, str], Any]:
    """Two who may do everything, as people and as programs: clients for (who, whether API, service)."""
    names = ("boss", "another boss")  # The first has sessions to end (creating.Things).
    roles = [("*", role) for role in auth.STAFF_ROLES]
    found = {}
    for number, name in enumerate(names):
        session = sampled.session(sampled.person(name, *roles))
        scopes = sorted(auth.SCOPES) + ["read"] * number  # Other words for the same: another token.
        for service in SERVICES:
            found[number, False, service] = sampled.client(service, **session)
            found[number, True, service] = sampled.program(service, *scopes)
    return found


@pytest.mark.parametrize("number", range(len(DOORS)), ids=NAMES)
def test_a_key_counts_for_who_asks_where_and_for_what(sampled, callers, number):
    service, changes = DOORS[number][0], DOORS[number][4]
    asks, key = Things(sampled, service).request(DOORS[number]), f"key-{next(NUMBERS)}"
    one, other = (callers[who, asks.is_api, service] for who in (0, 1))
    done = asks.send(one, key)
    assert not is_refused(done), done.text[:500]
    sampled.house.clock.advance(1)

    another_body = replace(asks, values=asks.values | (changes or {"unasked": "x"}))
    if another_body != asks:
        before = state(sampled, service)
        assert is_refused(another_body.send(one, key))
        assert state(sampled, service) == before
    if SLUG in asks.path.split("/"):
        assert_it_counts(sampled, service, replace(asks, path=asks.path.replace(SLUG, ELSEWHERE)), one, key, done)
    assert_it_counts(sampled, service, of_another_link(sampled, asks), other, key, done)
    sampled.house.run()


def assert_it_counts(sampled: Sampled, service: str, asks: Any, client: Any, key: str, first: Any) -> None:
    """By an answer of its own, kept under the key of whoever asks; or it is refused for what it asks, in words."""
    before = state(sampled, service)
    answer = asks.send(client, key)
    if is_refused(answer):
        assert answer.status_code in (303, 403, 404, 409, 422), answer.text[:500]
        assert TAKEN not in words_of(answer)
        assert state(sampled, service) == before
        return
    assert len(kept(sampled, service)) == len(before[0]) + 1, "it was answered with what somebody else had done"
    assert not set(secrets_in(answer)) & set(secrets_in(first))


def of_another_link(sampled: Sampled, asks: Any) -> Any:
    """By somebody else's personal link, where it is asked by one."""
    here = re.search(SECRETS["personal link"], asks.path)
    if here is None:
        return asks
    others = [token for kind, token in links(sampled) if f"/{kind}/" in asks.path and token != here[1]]
    return replace(asks, path=asks.path.replace(here[1], others[0]))


def links(sampled: Sampled) -> Iterator[tuple[str, str]]:
    """(kind, token) of every personal link that is good now."""
    for speaker in sampled.read("schedule", schedule_store.speakers.links_by_speaker, SLUG).values():
        yield "speaker", sampled.link("schedule", "speaker", speaker.id)
    for driver in sampled.read("dispatch", dispatch_store.list_drivers, SLUG):
        if driver.link:
            yield "drive", sampled.link("dispatch", "drive", driver.link)


def words_of(answer: Any) -> str:
    return unquote(answer.headers.get("Set-Cookie", "")) + answer.text


def secrets_in(answer: Any) -> Iterator[tuple[str, str]]:
    """(kind, text) of what lets somebody in."""
    shown = f"{answer.headers} {words_of(answer)}"
    return ((kind, text) for kind, pattern in SECRETS.items() for text in re.findall(pattern, shown))


def kept(sampled: Sampled, service: str) -> list[str]:
    return sampled.read(service, lambda of: list(of.execute(sa.text("SELECT answer FROM door_answer")).scalars()))


def state(sampled: Sampled, service: str) -> tuple[list[str], dict[str, list[str]]]:
    """The kept answers and all rows, but those of drivers: a phone that taps is alive each time."""
    return kept(sampled, service), {name: of for name, of in sampled.rows(service).items() if name != "driver"}


def test_no_kept_answer_holds_what_lets_somebody_in(tmp_path):
    sampled = Sampled(tmp_path)
    callers, settings = two_callers(sampled), sampled.house.settings
    known = {("setting", one.get_secret_value()) for one in (settings.session_secret, settings.peer_token)}
    for client in callers.values():
        given = " ".join(client.headers.get(name, "") for name in ("X-CSRF", "Authorization", "Cookie"))
        known |= {("of a caller", text) for text in re.findall(r"[\w.-]{20,}", given)}
    for door in DOORS:
        asks = Things(sampled, door[0]).request(door)
        known |= set(links(sampled))
        answer = asks.send(callers[0, asks.is_api, door[0]], f"key-{next(NUMBERS)}")
        assert not is_refused(answer), answer.text[:500]
        known |= set(secrets_in(answer)) | set(links(sampled))
        sampled.house.run()
    began = sampled.read("schedule", lambda of: of.execute(sa.text("SELECT session FROM session")).scalars().all())
    known |= {("session", text) for text in began}
    assert {kind for kind, _ in known} >= {*SECRETS, "speaker", "drive", "setting", "session", "of a caller"}
    held = "\n".join(answer for service in SERVICES for answer in kept(sampled, service))
    assert len(held.splitlines()) >= len(DOORS)
    assert [kind for kind, text in known if text in held] == []
