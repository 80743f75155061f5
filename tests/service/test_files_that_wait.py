"""Whoever brings a file while others are being read is told how long to wait, above the form, which stays as it was."""

import pytest

from forms import forms_of
from sampled import SLUG, Sampled
from softlanding import apart

PAGES = {
    "schedule": (f"/{SLUG}/organise/", f"/{SLUG}/organise/arrivals"),
    "dispatch": (f"/{SLUG}/dispatch/places", f"/{SLUG}/dispatch/fleet"),
}
LARGE = b"x," * apart.IN_A_THREAD_BYTES


@pytest.fixture(scope="module")
def bosses(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled")).bosses()


@pytest.mark.parametrize(("service", "page"), [(name, page) for name, pages in PAGES.items() for page in pages])
def test_a_file_that_must_wait_is_told_so_above_its_form(bosses, service, page, monkeypatch):
    monkeypatch.setattr(apart, "AT_ONCE", 0)
    [form] = [one for one in forms_of(bosses[service].get(page).text) if one.files]
    sent = {name: value for name, value in form.sent.items() if name != "dry_run"}
    answer = bosses[service].post(form.action, data=sent, files={form.files[0]: ("large.csv", LARGE)})
    assert (answer.status_code, answer.headers.get("Retry-After")) == (429, str(apart.AGAIN_S))
    assert "files are being read already: send this one again in 10 s" in answer.text
    [again] = [one for one in forms_of(answer.text) if one.files]
    assert "dry_run" not in again.sent
    assert set(again.sent) - {"dry_run"} == set(form.sent) - {"dry_run"}


def test_every_page_that_takes_a_file_is_named_above(bosses):
    for service, client in bosses.items():
        for route in client.app.routes:
            path = getattr(route, "path", "").replace("{conference}", SLUG)
            if "GET" in (getattr(route, "methods", None) or ()) and "{" not in path and not path.startswith("/api"):
                has_file = any(form.files for form in forms_of(client.get(path).text))
                assert has_file == (path in PAGES.get(service, ())), path
