"""Two installations on one host, whose cookies a browser sends to both: neither disturbs the other."""

import httpx
import pytest

from browsers import press_sign_in
from house import House, settings_for
from softlanding.schedule.actions.people import add_person
from softlanding.web.cookies import own_cookie
from softlanding.web.doors import signer_of

TLS = {"front_door.public_url": "https://conference.example", "secure_cookies": True}


@pytest.fixture
def houses(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    return [House(tmp_path / name, ("schedule",)) for name in ("one", "other")]


def signed_in(house, jar):
    """A browser with this jar, in which somebody of this installation has signed in."""
    person = house["schedule"].database.write_now(add_person, name="Cleo", roles=[("*", "organiser")])["person"]
    browser = house.client("schedule")
    browser.cookies = jar
    press_sign_in(browser, signer_of(house["schedule"]).sign_in_token(person, "n", house.clock.now()))
    return browser


def test_who_signs_in_or_out_at_one_installation_stays_signed_in_at_another_on_the_same_host(houses):
    jar = httpx.Cookies()
    one, other = (signed_in(house, jar) for house in houses)
    for browser in (one, other):
        assert browser.get("/sign-in/sessions").status_code == 200
    csrf = one.get("/sign-in/sessions").text.partition('name="csrf" value="')[2].partition('"')[0]
    assert one.post("/sign-out", data={"csrf": csrf}, follow_redirects=False).status_code == 303
    assert one.get("/sign-in/sessions").status_code == 401
    assert other.get("/sign-in/sessions").status_code == 200


def test_a_message_is_shown_by_the_installation_that_left_it(houses):
    jar = httpx.Cookies()
    one, other = (signed_in(house, jar) for house in houses)
    csrf = one.get("/sign-in/sessions").text.partition('name="csrf" value="')[2].partition('"')[0]
    asked = {"csrf": csrf, "key": "k", "session": ""}
    assert one.post("/sign-in/sessions/end", data=asked, follow_redirects=False).status_code == 303
    assert "Ended: " not in other.get("/sign-in/sessions").text
    assert "Ended: " in one.get("/sign-in/sessions").text
    assert "Ended: " not in one.get("/sign-in/sessions").text


def test_a_cookie_under_a_plain_or_foreign_name_signs_nobody_in(houses):
    browser = signed_in(houses[0], httpx.Cookies())
    own = own_cookie(houses[0].settings)
    session = browser.cookies[own]
    for name, status in ((own, 200), ("softlanding", 401), (own_cookie(houses[1].settings), 401), (own + "x", 401)):
        stranger = houses[0].client("schedule")
        answer = stranger.get("/sign-in/sessions", headers={"Cookie": f"a=1; {name}={session}; b=2"})
        assert answer.status_code == status, name


def test_where_cookies_travel_by_https_alone_each_is_of_this_very_host(tmp_path):
    house = House(tmp_path, ("schedule",), **TLS)
    browser = house.client("schedule")
    browser.base_url = TLS["front_door.public_url"]
    person = house["schedule"].database.write_now(add_person, name="Cleo", roles=[("*", "organiser")])["person"]
    token = signer_of(house["schedule"]).sign_in_token(person, "n", house.clock.now())
    seen = []
    browser.event_hooks["response"] = [lambda answer: seen.extend(answer.headers.get_list("Set-Cookie"))]
    press_sign_in(browser, token)
    csrf = browser.get("/sign-in/sessions").text.partition('name="csrf" value="')[2].partition('"')[0]
    browser.post("/sign-in/sessions/end", data={"csrf": csrf, "key": "k"})
    browser.post("/sign-out", data={"csrf": csrf}, follow_redirects=False)
    assert len(seen) >= 5, "the visit, the session, a message, its end, the session's end"
    for cookie in seen:
        assert cookie.startswith(own_cookie(house.settings))
        assert cookie.startswith("__Host-softlanding-")
        assert "; Secure" in cookie
        assert "; Path=/" in cookie
        assert "domain" not in cookie.lower()


def test_the_name_is_the_same_whatever_the_secret_and_in_each_process(tmp_path):
    one, other = (settings_for(tmp_path, session_secret=f"{text} long enough to be a secret") for text in "ab")
    assert own_cookie(one) == own_cookie(other)
    assert own_cookie(settings_for(tmp_path, **TLS)) == own_cookie(settings_for(tmp_path / "elsewhere", **TLS))
    assert own_cookie(one) != own_cookie(settings_for(tmp_path / "elsewhere"))
