"""Personal links are not kept as they stand in their address, end in their time, and say why they do not work."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from sampled import SLUG, Sampled
from softlanding.conferences import load_conference
from softlanding.dispatch import store as dispatch_store
from softlanding.dispatch.tables import drivers
from softlanding.links import Links, Presented
from softlanding.schedule import store
from softlanding.schedule.tables import speaker_links
from softlanding.web.doors import links_of

KINDS = {"speaker": "schedule", "drive": "dispatch"}
LATER = "a later secret, long enough to be one"


@pytest.fixture
def sampled(tmp_path):
    return Sampled(tmp_path)


def opens(sampled, kind, token):
    """(status, what the page says)."""
    answer = sampled.client(KINDS[kind], Accept="application/json").get(f"/{SLUG}/{kind}/{token}")
    return answer.status_code, answer.json()["error"] if answer.status_code == 404 else ""


def first(sampled, kind):
    """(whose, token) of somebody's link."""
    if kind == "speaker":
        code, link = min(sampled.read("schedule", store.speakers.links_by_speaker, SLUG).items())
        return code, sampled.link("schedule", kind, link.id)
    driver = sampled.read("dispatch", dispatch_store.list_drivers, SLUG)[0]
    return driver.id, sampled.link("dispatch", kind, driver.link)


def ask(sampled, kind, whose, what, key="1"):
    path = {"speaker": "speakers", "drive": "drivers"}[kind]
    client = sampled.program(KINDS[kind], "admin")
    return client.post(f"/api/{KINDS[kind]}/{SLUG}/{path}/{whose}/{what}", headers={"Idempotency-Key": key})


def all_text(sampled, service):
    return json.dumps(sampled.rows(service))


@pytest.mark.parametrize("kind", KINDS)
def test_no_link_stands_in_the_database_as_it_stands_in_its_address(sampled, kind):
    whose, token = first(sampled, kind)
    assert ask(sampled, kind, whose, "link").status_code == 200
    tokens = [token, first(sampled, kind)[1]]
    kept = all_text(sampled, KINDS[kind])
    answers = sampled.read(
        KINDS[kind], lambda c: [row.answer for row in c.execute(sa.text("SELECT * FROM door_answer"))]
    )
    assert answers
    for each in tokens:
        assert each not in kept
        assert not any(each in answer for answer in answers)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_key_gives_the_same_address(sampled, kind):
    whose, _ = first(sampled, kind)
    urls = [ask(sampled, kind, whose, "link").json()["url"] for _ in range(2)]
    assert urls[0] == urls[1]
    assert opens(sampled, kind, urls[0].rsplit("/", 1)[1])[0] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_was_renewed_or_revoked_says_so_and_one_never_made_says_that(sampled, kind):
    whose, token = first(sampled, kind)
    ask(sampled, kind, whose, "link")
    new = first(sampled, kind)[1]
    assert opens(sampled, kind, new)[0] == 200
    assert "was replaced or taken back" in opens(sampled, kind, token)[1]
    assert ask(sampled, kind, whose, "revoke").status_code == 200
    assert "was replaced or taken back" in opens(sampled, kind, new)[1]
    assert ask(sampled, kind, whose, "revoke", "2").status_code == 409
    assert "is not known here" in opens(sampled, kind, "x" * 43)[1]
    again = ask(sampled, kind, whose, "link", "3").json()["url"]
    assert opens(sampled, kind, again.rsplit("/", 1)[1])[0] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_links_end_some_days_after_the_conference(sampled, kind):
    _, token = first(sampled, kind)
    conference = sampled.read(KINDS[kind], load_conference, SLUG)
    today = sampled.house.clock.now().date()
    sampled.house.clock.advance((conference.last_on - today + timedelta(days=7)).total_seconds())
    assert opens(sampled, kind, token)[0] == 200
    sampled.house.clock.advance(timedelta(days=1).total_seconds())
    assert "ended on" in opens(sampled, kind, token)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_links_made_before_go_on_working_and_are_kept_as_hashes(sampled, kind):
    whose, _ = first(sampled, kind)
    table = speaker_links if kind == "speaker" else drivers
    is_whose = (table.c.speaker if kind == "speaker" else table.c.id) == whose
    as_before = sa.update(table).where(is_whose).values(token="a-link-of-the-release-before", link=None)
    sampled.write(KINDS[kind], lambda tx, _now: tx.execute(as_before) and None)
    assert opens(sampled, kind, "a-link-of-the-release-before")[0] == 200, "not yet sealed"
    sampled.house.run()
    assert "a-link-of-the-release-before" not in all_text(sampled, KINDS[kind])
    assert opens(sampled, kind, "a-link-of-the-release-before")[0] == 200
    assert opens(sampled, kind, first(sampled, kind)[1])[0] == 200
    kept = sampled.read(KINDS[kind], lambda c: c.execute(sa.select(table.c.token).where(is_whose)).scalar())
    assert opens(sampled, kind, kept)[0] == 404, "what is kept opens nothing"
    ask(sampled, kind, whose, "link")
    assert opens(sampled, kind, "a-link-of-the-release-before")[0] == 404


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_the_database_opens_nothing(sampled, kind):
    table = speaker_links if kind == "speaker" else drivers
    rows = sampled.read(KINDS[kind], lambda c: c.execute(sa.select(table.c.token, table.c.link)).all())
    for row in rows:
        assert opens(sampled, kind, row.token)[0] == 404
        assert opens(sampled, kind, row.link)[0] == 404


def test_a_link_of_the_secret_before_is_good_until_that_secret_goes():
    present, before, other = Links((LATER, "one before")), Links(("one before",)), Links(("another",))
    link = "019e0775-7a00-7165-ac0b-4d41de1bf0cd"
    assert present.read("drive", before.token("drive", link)) == link
    assert present.read("drive", present.token("drive", link)) == link
    assert present.read("speaker", present.token("drive", link)) is None
    assert present.read("drive", other.token("drive", link)) is None
    assert before.read("drive", present.token("drive", link)) is None
    for token in ("", "x", "=" * 43, "\xe9" * 43, present.token("drive", link)[:-1]):
        assert present.read("drive", token) is None


def test_a_link_has_one_spelling():
    """Limits count by what is presented: the last sign bears four bits, and six were taken."""
    links, link = Links((LATER,)), "019e0775-7a00-7165-ac0b-4d41de1bf0cd"
    token = links.token("drive", link)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert [last for last in alphabet if links.read("drive", token[:-1] + last) is not None] == [token[-1]]


def test_the_settings_secrets_are_those_that_make_links(sampled):
    settings = SimpleNamespace(session_secret=SecretStr(LATER), session_secret_previous=SecretStr("one before"))
    assert links_of(SimpleNamespace(settings=settings)).secrets == (LATER, "one before")


def test_a_link_ends_with_the_speakers_leaving_and_who_returns_gets_a_new_one(sampled):
    code, token = first(sampled, "speaker")
    everybody = {each.code: each.talks for each in sampled.read("schedule", store.speakers.list_speakers, SLUG)}
    without = everybody | {code: ()}
    sampled.write("schedule", lambda tx, now: store.speakers.keep_persons(tx, now, SLUG, (), without))
    sampled.house.run()
    assert "a car may still be coming for you" in opens(sampled, "speaker", token)[1]
    assert code not in sampled.read("schedule", store.speakers.links_by_speaker, SLUG)
    sampled.write("schedule", lambda tx, now: store.speakers.keep_persons(tx, now, SLUG, (), everybody))
    sampled.house.run()
    assert first(sampled, "speaker")[1] != token
    assert opens(sampled, "speaker", first(sampled, "speaker")[1])[0] == 200
    assert opens(sampled, "speaker", token)[0] == 404


def test_a_link_is_found_in_its_own_conference_only(sampled):
    _, token = first(sampled, "drive")
    presented = Presented(links_of(sampled.work("dispatch")).read("drive", token), token)
    assert sampled.read("dispatch", dispatch_store.find_bearer, "other", presented) is None
