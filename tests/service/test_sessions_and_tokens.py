"""Sessions, sign-in links and tokens are rows: seen, ended and, once an end is told, refused by all three services."""

import re
from datetime import timedelta

import pytest

from sampled import SERVICES, SLUG, Sampled
from softlanding import auth, sessions, tokens
from softlanding.schedule.actions.people import change_roles, remove_person
from softlanding.signing import hash_of
from softlanding.web.doors import signer_of

PAGES = {
    "schedule": f"/{SLUG}/organise/arrivals",
    "dispatch": f"/{SLUG}/dispatch/",
    "statistics": f"/{SLUG}/statistics/",
}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled"))


@pytest.fixture(scope="module")
def admin(sampled):
    return sampled.program("schedule", "admin", "read", "personal")


def a_person(sampled, admin, name):
    roles = [{"conference": SLUG, "role": "coordinator"}]
    key = {"Idempotency-Key": f"add-{name}"}
    made = admin.post("/api/schedule/people", json={"name": name, "roles": roles}, headers=key)
    sampled.house.run()
    return made.json()["person"]


def a_link(sampled, admin, person, key="link"):
    made = admin.post(f"/api/schedule/people/{person}/sign-in-link", headers={"Idempotency-Key": f"{key}-{person}"})
    assert made.status_code == 200, made.text
    sampled.house.run()
    return made.json()["url"].removeprefix("http://localhost")


def press_sign_in(client, link):
    """Open the link's page and press its button, if there is one."""
    page = client.get(link)
    visit = re.search(r'name="visit" value="(\w+)"', page.text)
    return client.post(link, data={"visit": visit[1]}) if visit else page


def sign_in(sampled, link, service="schedule"):
    """A browser's cookies after the link's button was pressed; None when it does not let in."""
    client = sampled.client(service)
    answer = press_sign_in(client, link)
    sampled.house.run()
    return dict(client.cookies) if answer.status_code == 303 else None


def lets_in(sampled, cookies):
    """At which services."""
    found = []
    for service in SERVICES:
        client = sampled.client(service)
        client.cookies.update(cookies)
        found += [service] if client.get(PAGES[service]).status_code == 200 else []
    return found


def signed_in(sampled, admin, name):
    person = a_person(sampled, admin, name)
    cookies = sign_in(sampled, a_link(sampled, admin, person))
    assert lets_in(sampled, cookies) == list(SERVICES)
    return person, cookies


@pytest.mark.parametrize("service", SERVICES)
def test_who_signs_out_anywhere_is_out_everywhere_whoever_kept_the_cookie(sampled, admin, service):
    _, cookies = signed_in(sampled, admin, f"Out of {service}")
    client = sampled.client(service)
    client.cookies.update(cookies)
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/sign-in/sessions").text)[1]
    assert client.post("/sign-out", data={"csrf": csrf}).status_code == 303
    sampled.house.run()
    assert lets_in(sampled, cookies) == []


def test_other_roles_end_all_sessions_and_the_same_roles_none(sampled, admin):
    person, cookies = signed_in(sampled, admin, "Roley")
    sampled.house.clock.advance(1)
    sampled.write("schedule", change_roles, person, [(SLUG, "coordinator")])
    sampled.house.run()
    assert lets_in(sampled, cookies) == list(SERVICES)
    sampled.write("schedule", change_roles, person, [(SLUG, "coordinator"), (SLUG, "organiser")])
    sampled.house.run()
    assert lets_in(sampled, cookies) == []
    sampled.house.clock.advance(1)
    again = sign_in(sampled, a_link(sampled, admin, person, "again"))
    assert lets_in(sampled, again) == list(SERVICES)


def test_who_is_removed_is_out(sampled, admin):
    person, cookies = signed_in(sampled, admin, "Gone")
    sampled.write("schedule", remove_person, person)
    sampled.house.run()
    assert lets_in(sampled, cookies) == []


def test_people_see_and_end_their_own_sessions_and_nobody_elses(sampled, admin):
    person, here = signed_in(sampled, admin, "Two Browsers")
    sampled.house.clock.advance(1)
    there = sign_in(sampled, a_link(sampled, admin, person, "second"), "dispatch")
    [new, old] = sampled.read("statistics", sessions.list_open, person)
    assert (new.began_in, old.began_in) == ("dispatch", "schedule")
    stranger, _ = signed_in(sampled, admin, "A Stranger")
    client = sampled.client("schedule")
    client.cookies.update(there)
    page = client.get("/sign-in/sessions").text
    assert "this one" in page
    assert page.count('aria-label="End the session') == 1
    csrf = signer_of(sampled.work("schedule")).csrf(new.session)
    [foreign] = sampled.read("schedule", sessions.list_open, stranger)
    for session, kept in ((foreign.session, list(SERVICES)), (old.session, [])):
        form = {"session": session, "key": session, "csrf": csrf}
        assert client.post("/sign-in/sessions/end", data=form).status_code == 303
        sampled.house.run()
        assert lets_in(sampled, here) == kept
    assert sampled.read("schedule", sessions.list_open, stranger) == [foreign]
    assert lets_in(sampled, there) == list(SERVICES)


def test_a_session_that_is_not_used_ends_and_one_in_use_goes_on(sampled, admin):
    _, cookies = signed_in(sampled, admin, "Idle")
    clock, idle = sampled.house.clock, timedelta(hours=sampled.house.settings.session_idle_hours)
    client = sampled.client("dispatch")
    client.cookies.update(cookies)
    for _ in range(3):  # Longer than the limit, in steps that are shorter.
        clock.advance(idle.total_seconds() / 2)
        assert client.get(PAGES["dispatch"]).status_code == 200
    assert lets_in(sampled, cookies) == [], "the first cookie, kept somewhere, was not used"
    clock.advance(idle.total_seconds() + 1)
    assert client.get(PAGES["dispatch"]).status_code == 401


def test_a_service_that_has_not_heard_of_a_session_takes_its_cookie(sampled, admin):
    person = a_person(sampled, admin, "Early")
    link = a_link(sampled, admin, person)
    client = sampled.client("schedule")
    assert press_sign_in(client, link).status_code == 303
    assert lets_in(sampled, dict(client.cookies)) == list(SERVICES), "no fact has travelled"


# --- Sign-in links ----------------------------------------------------------------------------------------------------


def test_of_a_persons_links_only_the_newest_lets_in(sampled, admin):
    person = a_person(sampled, admin, "Linked")
    first = a_link(sampled, admin, person, "one")
    sampled.house.clock.advance(1)
    second = a_link(sampled, admin, person, "two")
    for service in SERVICES:
        refused = sampled.client(service).get(first)
        assert (refused.status_code, "link was made after this one" in refused.text) == (403, True)
    assert sign_in(sampled, second) is not None
    for service in SERVICES:
        assert sampled.client(service).get(second).status_code == 403


def test_a_link_is_withdrawn(sampled, admin):
    person = a_person(sampled, admin, "Withdrawn")
    link = a_link(sampled, admin, person)
    key = {"Idempotency-Key": "withdraw"}
    assert admin.post(f"/api/schedule/people/{person}/sign-in-link/withdraw", headers=key).status_code == 200
    sampled.house.run()
    for service in SERVICES:
        assert sampled.client(service).get(link).status_code == 403


def test_a_link_made_for_the_roles_before_lets_nobody_in_with_those_of_today(sampled, admin):
    person = a_person(sampled, admin, "Promoted")
    link = a_link(sampled, admin, person)
    sampled.house.clock.advance(1)
    given = {"roles": [{"conference": "*", "role": "organiser"}]}
    key = {"Idempotency-Key": "promote"}
    assert admin.put(f"/api/schedule/people/{person}/roles", json=given, headers=key).status_code == 200
    sampled.house.run()
    for service in SERVICES:
        assert sampled.client(service).get(link).status_code == 403


def test_whoever_signs_out_a_colleague_everywhere_ends_links_too(sampled, admin):
    person, cookies = signed_in(sampled, admin, "Lost Phone")
    sampled.house.clock.advance(1)
    link = a_link(sampled, admin, person, "spare")
    boss = sampled.bosses()["schedule"]
    form = {"key": "lost"}
    assert boss.post(f"/{SLUG}/organise/people/{person}/end", data=form).status_code == 303
    sampled.house.run()
    assert lets_in(sampled, cookies) == []
    assert sign_in(sampled, link) is None


# --- Programs' tokens -------------------------------------------------------------------------------------------------


def make_token(sampled, admin, name, *scopes, conference=None):
    given = {"name": name, "scopes": list(scopes), "conference": conference}
    made = admin.post("/api/schedule/tokens", json=given, headers={"Idempotency-Key": f"make-{name}"})
    assert made.status_code == 201, made.text
    sampled.house.run()
    return made.json()


def opens(sampled, text, service, address):
    return sampled.client(service, Authorization=f"Bearer {text}").get(address).status_code


LOOK = {
    "schedule": f"/api/schedule/{SLUG}/arrivals",
    "dispatch": f"/api/dispatch/{SLUG}/board",
    "statistics": "/api/statistics/lives",
}


def test_a_token_holds_in_all_services_until_it_is_revoked(sampled, admin):
    made = make_token(sampled, admin, "screen", "read")
    assert [opens(sampled, made["text"], service, LOOK[service]) for service in SERVICES] == [200, 200, 200]
    revoke = {"token": "screen"}
    done = admin.post("/api/schedule/tokens/revoke", json=revoke, headers={"Idempotency-Key": "revoke-screen"})
    assert done.json()["token"] == made["token"]
    sampled.house.run()
    assert [opens(sampled, made["text"], service, LOOK[service]) for service in SERVICES] == [401, 401, 401]
    [listed] = [one for one in admin.get("/api/schedule/tokens").json() if one["name"] == "screen"]
    assert listed["revoked_at"] is not None
    assert listed["seen_at"] is not None


def test_a_tokens_text_is_kept_nowhere_and_told_again_only_to_the_same_request(sampled, admin):
    made = make_token(sampled, admin, "secretive", "read")
    assert make_token(sampled, admin, "secretive", "read") == made
    for service in SERVICES:
        told = str(
            sampled.read(service, lambda c: [str(row) for row in c.exec_driver_sql("SELECT * FROM program_token")])
        )
        answers = sampled.read(service, lambda c: [str(r) for r in c.exec_driver_sql("SELECT answer FROM door_answer")])
        assert made["text"] not in told + str(answers)
        assert hash_of(made["text"]) in told


def test_a_token_of_one_conference_opens_that_ones_addresses_alone(sampled, admin):
    made = make_token(sampled, admin, "local", "read", "write", "admin", conference=SLUG)["text"]
    assert opens(sampled, made, "schedule", LOOK["schedule"]) == 200
    assert opens(sampled, made, "schedule", "/api/schedule/other/arrivals") == 403
    for service, address in (
        ("schedule", "/api/schedule/people"),
        ("schedule", "/api/schedule/tokens"),
        ("schedule", "/api/schedule/incidents"),
        ("statistics", "/api/statistics/lives"),
        ("statistics", "/api/statistics/heard"),
        ("statistics", "/api/statistics/heard?conference=other"),
        ("dispatch", "/api/dispatch/dead-letters"),
    ):
        assert opens(sampled, made, service, address) == 403, address
    assert opens(sampled, made, "statistics", f"/api/statistics/heard?conference={SLUG}") == 200


def test_a_token_ends_by_itself(sampled, admin):
    made = make_token(sampled, admin, "yearly", "read")["text"]
    sampled.house.clock.advance(tokens.LASTS.total_seconds() + 1)
    assert opens(sampled, made, "schedule", LOOK["schedule"]) == 401


def test_write_grants_nothing(sampled):
    writer = sampled.program("schedule", *(scope for scope in auth.SCOPES if scope != "admin"))
    key = {"Idempotency-Key": "granting"}
    boss = {"name": "Eve", "roles": [{"conference": "*", "role": "organiser"}]}
    token = {"name": "more", "scopes": ["admin"]}
    assert writer.post("/api/schedule/people", json=boss, headers=key).status_code == 403
    assert writer.post("/api/schedule/people/first/sign-in-link", headers=key).status_code == 403
    assert writer.post("/api/schedule/tokens", json=token, headers=key).status_code == 403


def test_only_logs_may_say_what_a_service_logged(sampled):
    lines = [{"event": "forged", "service": "dispatch"}]
    for scope in auth.SCOPES:
        status = sampled.program("statistics", scope).post("/api/statistics/logs", json=lines).status_code
        assert status == (200 if scope == "logs" else 403), scope


def test_an_organiser_makes_tokens_of_the_own_conference_on_a_page(sampled):
    person = sampled.person("token-maker", (SLUG, "organiser"))
    client = sampled.client("schedule", **sampled.session(person))
    page = client.post(f"/{SLUG}/organise/tokens", data={"key": "1", "name": "Desk", "read": "on", "everywhere": "on"})
    assert page.status_code == 200
    assert tokens.PREFIX in page.text
    [made] = [one for one in sampled.read("schedule", tokens.list_tokens, SLUG) if one.name == "Desk"]
    assert (made.conference, made.scopes, made.made_by) == (SLUG, ("read",), "token-maker")
    assert "Desk" in client.get(f"/{SLUG}/organise/tokens").text
    assert client.post(f"/{SLUG}/organise/tokens/revoke", data={"key": "2", "token": made.token}).status_code == 303
    assert sampled.read("schedule", tokens.list_tokens, SLUG)[0].revoked_at is not None
