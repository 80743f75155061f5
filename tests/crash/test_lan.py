"""`softlanding up --lan` as real processes, and a phone in the same network."""

import ssl
from pathlib import Path

import httpx
import pytest

from browsers import press_sign_in
from softlanding.app.up import lan_address
from softlanding.drills.installation import throw_away
from waiting import wait_until

needs_network = pytest.mark.skipif(lan_address() is None, reason="this machine is in no network")


@needs_network
def test_a_phone_signs_in_by_tls_with_a_secure_cookie_and_finds_links_that_it_can_open() -> None:
    with throw_away(words=("--lan",)) as here:
        ready = here.start()
        lan = f"https://{lan_address()}:{here.port}"
        assert ready["addresses"] == [here.address, lan]
        trust = ssl.create_default_context(cafile=str(Path(ready["root_certificate"])))
        with httpx.Client(base_url=lan, verify=trust, timeout=20, trust_env=False) as phone:
            signed_in = press_sign_in(phone, here.signing().sign_in_token())
            assert "secure" in signed_in.headers["set-cookie"].lower()
            assert phone.get("/operations/").status_code == 200
        with here.client() as program:
            links = [driver["link"] for driver in program.get("/api/dispatch/softconf/drivers").json()]
        assert links
        assert all(link.startswith(f"{lan}/softconf/drive/") for link in links)
        plain = httpx.get(f"http://{lan_address()}:{here.port}/softconf/", trust_env=False)
        assert (plain.status_code, plain.headers["location"]) == (308, f"{lan}/softconf/")


@needs_network
def test_plain_says_what_it_means() -> None:
    with throw_away(words=("--lan", "--plain")) as here:
        ready = here.start()
        lan = f"http://{lan_address()}:{here.port}"
        assert (ready["addresses"][1], ready["root_certificate"]) == (lan, None)
        assert httpx.get(f"{lan}/-/front-door", trust_env=False).is_success
        words = "can read names, phones and sign-in links"
        wait_until(lambda: any(words in line.get("warning", "") for line in here.happenings()), 10, "the warning")
