"""No page of another site signs anybody in or out, or sends anything in a visitor's name."""

import pytest

from browsers import press_sign_in
from house import House
from softlanding.schedule.actions.people import add_person
from softlanding.web.cookies import own_cookie
from softlanding.web.doors import signer_of

FOREIGN = [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}]
OWN = [{"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": "http://localhost"}, {}]


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.fixture
def link(house):
    """Somebody's sign-in token, not used yet."""
    person = house["schedule"].database.write_now(add_person, name="Cleo")["person"]
    return signer_of(house["schedule"]).sign_in_token(person, "n", house.clock.now())


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_site_signs_nobody_out_and_sends_nothing_by_a_personal_link(house, headers):
    browser = house.client("schedule", ["organiser"])
    assert browser.post("/sign-out", headers=headers).status_code == 403
    assert browser.post("/softconf/speaker/some-token/withdraw", headers=headers).status_code in (403, 404)
    assert browser.get("/sign-in/sessions").status_code != 401
    assert browser.cookies.get(own_cookie(house.settings))


def test_signing_out_takes_the_sessions_own_token(house):
    browser = house.client("schedule", ["organiser"])
    csrf = browser.headers.pop("X-CSRF")
    assert browser.post("/sign-out").status_code == 403
    assert browser.post("/sign-out", data={"csrf": "guessed"}).status_code == 403
    assert browser.post("/sign-out", data={"csrf": csrf}, follow_redirects=False).status_code == 303


@pytest.mark.parametrize("headers", OWN)
def test_ones_own_page_signs_in(house, link, headers):
    browser = house.client("schedule")
    browser.headers.update(headers)
    press_sign_in(browser, link)
    assert browser.cookies.get(own_cookie(house.settings))


@pytest.mark.parametrize("headers", [*FOREIGN, {}])
def test_nobody_is_signed_in_by_a_page_that_did_not_open_the_link_and_the_link_stays_good(house, link, headers):
    stranger, victim = house.client("schedule"), house.client("schedule")
    page = stranger.get(f"/sign-in/{link}").text
    visit = page.partition('name="visit" value="')[2].partition('"')[0]
    for given in ({"visit": visit}, {"visit": ""}, {}):
        answer = victim.post(f"/sign-in/{link}", data=given, headers=headers)
        assert answer.status_code == 403
        assert not victim.cookies.get(own_cookie(house.settings))
    press_sign_in(stranger, link)
