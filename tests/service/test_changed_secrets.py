"""A secret is changed without a cut: the new one signs, both are read."""

import pytest
from itsdangerous import URLSafeSerializer

from house import House
from softlanding.errors import Forbidden
from softlanding.signing import Signer

OLD, NEW, OTHER = (f"{name} of the tests, long enough to be one" for name in ("old", "new", "another"))


@pytest.mark.parametrize(("now", "also"), [(NEW, OLD), (OLD, NEW)])
def test_whoever_is_signed_in_stays_so_while_services_change_one_after_the_other(tmp_path, now, also):
    """First each service reads the new one, too; then it signs with it and reads the old one."""
    house = House(tmp_path, ("schedule",), session_secret=OLD)
    browser = house.client("schedule", ["organiser"])
    house.kill("schedule")
    changed = House(tmp_path, ("schedule",), seed=2, session_secret=now, session_secret_previous=also)
    after = changed.client("schedule")
    after.cookies.update(browser.cookies)
    assert after.get("/api/schedule/people").status_code == 200
    assert Signer(now, also).is_csrf("session-1", browser.headers["X-CSRF"])


def test_what_a_third_secret_signed_or_sha1_is_not_read(tmp_path):
    signer, now = Signer(NEW, OLD), House(tmp_path, ()).clock.now()
    values = {"p": "first", "n": "n", "t": int(now.timestamp())}
    for token in (
        Signer(OTHER).sign_in_token("first", "n", now),
        URLSafeSerializer(NEW, "softlanding/sign-in").dumps(values),
    ):
        with pytest.raises(Forbidden):
            signer.read_sign_in(token, now)
    for secret in (OLD, NEW):
        signer.read_sign_in(Signer(secret).sign_in_token("first", "n", now), now)
    assert not signer.is_csrf("s", Signer(OTHER).csrf("s"))


@pytest.mark.parametrize(("token", "status"), [(OLD, 200), (NEW, 200), (OTHER, 401)])
def test_peers_that_send_either_token_are_let_in(tmp_path, token, status):
    house = House(tmp_path, ("schedule",), peer_token=NEW, peer_token_previous=OLD)
    answer = house.client("schedule").get("/api/schedule/facts", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == status
