"""What comes in at a door may be anything: it is answered in words and breaks nothing."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest

from sampled import SERVICES, SLUG, Sampled
from softlanding import auth
from softlanding.web.cookies import own_cookie
from softlanding.web.forms import FLASH

NUMBERS = itertools.count(1)
ARRIVAL = {
    "how": "flight",
    "number": "LH 2078",
    "on": "2026-05-09",
    "time": "07:30",
    "airport": "HAM",
    "place": "Hotel",
}
SCRIPT = "<script>alert(1)</script>"
ODD_TEXTS = {
    "markup": SCRIPT + "\"'><img src=x onerror=alert(1)>",
    "quotes of SQL": "'; DROP TABLE person; --",
    "path": "../../../../etc/passwd",
    "other host": "//evil.example/",
    "right to left": "\u202eevil\u202c \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "emoji": "\U0001f680\U0001f469\u200d\U0001f469\u200d\U0001f467" * 20,
    "combining": "Z\u0351\u036b\u0343\u036a\u0302" * 50,
    "NUL": "a\x00b",
    "line ends": "x\r\nSet-Cookie: stolen=1\r\n\r\n<h1>",
    "long": "y" * 1_000_000,
    "template": "{{ 7 * 7 }}{% raw %}",
    "format": "%s%n{0}{x!r}",
    "huge number": "9" * 400,
    "hidden number": "0" * 9 + "9" * 90,
    "other digits": "\u0663\u00b2",
    "negative": "-1",
    "not a number": "NaN",
    "year 1": "0001-01-01",
    "last day of all": "9999-12-31",
    "time with zone": "23:59:59.999999+23:59",
    "blank": " \t\u00a0\u2003",
}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled"))


@pytest.fixture(scope="module")
def boss(sampled):
    return sampled.bosses()


@pytest.fixture(scope="module")
def program(sampled):
    return {service: sampled.program(service, *auth.SCOPES) for service in SERVICES}


def a_key() -> str:
    return f"key-{next(NUMBERS)}"


def in_words(answer: Any) -> str:
    """What a person reads of a refusal, or where an accepted form leads."""
    assert answer.status_code < 500, answer.text[:500]
    if answer.status_code in (303, 307):
        return answer.headers["Location"]
    if answer.headers["Content-Type"].startswith("application/json"):
        said = answer.json()
        return said.get("error", "done") if isinstance(said, dict) else "done"
    return answer.text


# --- Odd texts everywhere ---------------------------------------------------------------------------------------------

# Forms of people, with a good value for each field: odd texts take the place of one after the other.
FORMS: list[tuple[str, str, dict[str, str]]] = [
    ("schedule", f"/{SLUG}/organise/arrivals", ARRIVAL | {"speaker": "?speaker", "party": "1", "note": "x"}),
    ("schedule", f"/{SLUG}/organise/people", {"name": "Cleo", "email": "cleo@example.org", "coordinator": "on"}),
    ("schedule", f"/{SLUG}/organise/release", {"note": "x"}),
    ("schedule", f"/{SLUG}/organise/unanswered/?pickup/by-hand", {"note": "Ben"}),
    ("schedule", f"/{SLUG}/organise/arrivals/?journey/news", {"news": "late", "on": "2026-05-09", "expected": "09:00"}),
    ("schedule", f"/{SLUG}/speaker/?speaker token/arrival", ARRIVAL | {"luggage": "2"}),
    ("dispatch", f"/{SLUG}/dispatch/places", {"slug": "x", "name": "x", "latitude": "53.5", "longitude": "9.9"}),
    ("dispatch", f"/{SLUG}/dispatch/fleet/vehicles", {"code": "V99", "name": "x", "plate": "HH", "seats": "3"}),
    ("dispatch", f"/{SLUG}/dispatch/fleet/drivers", {"name": "Dana", "phone": "+49 1"}),
    (
        "dispatch",
        f"/{SLUG}/dispatch/fleet/shifts",
        {"driver": "?driver", "vehicle": "?vehicle", "on": "2026-05-20", "from": "08:00", "to": "12:00"},
    ),
    (
        "dispatch",
        f"/{SLUG}/dispatch/pickups/?pickup/assign",
        {"vehicle": "?vehicle", "reason": "x", "revision": "1"},
    ),
    ("dispatch", f"/{SLUG}/drive/?drive token/taps", {"pickup": "?pickup", "tap": "accepted", "tapped_at": ""}),
    ("dispatch", "/-settle/dispatch", {"incident": "?incident", "word": "understood", "note": "x", "back": "/x"}),
    ("statistics", "/operations/incidents/?incident/settle", {"word": "understood", "note": "x"}),
]


@pytest.mark.parametrize("form", range(len(FORMS)), ids=[path for _, path, _ in FORMS])
def test_no_odd_text_in_any_field_breaks_a_form(sampled, boss, form):
    service, path, fields = FORMS[form]
    with boss[service] as client:
        for field in (*fields, "key", "form", "csrf", "never heard of"):
            for odd in ODD_TEXTS.values():
                given = {"key": a_key()} | filled(sampled, fields) | {field: odd}
                answer = client.post(filled(sampled, {"": path})[""], data=given)
                assert in_words(answer)
                assert "stolen" not in answer.headers.get("Set-Cookie", "").split("-message")[0]
                assert not answer.headers.get("Location", "/").startswith(("//", "http"))
    sampled.house.run()


def filled(sampled: Sampled, fields: dict[str, str]) -> dict[str, str]:
    """With real values in place of `?name`."""

    def real(match: re.Match[str]) -> str:
        return sampled.real(match[1])[0]

    return {name: re.sub(r"\?((?:speaker|drive) token|\w+)", real, text) for name, text in fields.items()}


def test_what_was_typed_is_shown_as_text_on_every_page(sampled, boss):
    typed = SCRIPT + "\"'"
    post = {
        "schedule": [
            (f"/{SLUG}/organise/people", {"name": typed, "coordinator": "on"}),
            (f"/{SLUG}/organise/release", {"note": typed}),
            (f"/{SLUG}/organise/arrivals/{sampled.real('journey')[3]}/withdraw", {"reason": typed}),
            (f"/{SLUG}/organise/people", {"name": "", "email": typed, "form": "person"}),
        ],
        "dispatch": [
            (f"/{SLUG}/dispatch/places", {"slug": "odd", "name": typed, "latitude": "53.5", "longitude": "9.9"}),
            (f"/{SLUG}/dispatch/fleet/vehicles", {"code": "ODD", "name": typed[:40], "plate": typed[:16]}),
            (f"/{SLUG}/dispatch/fleet/drivers", {"name": typed, "phone": typed}),
        ],
    }
    for service, forms in post.items():
        for path, given in forms:
            answer = boss[service].post(path, data={"key": a_key()} | given)
            assert answer.status_code in (303, 422), answer.text
            assert SCRIPT not in answer.text
    sampled.house.run()
    pages = list(_pages(sampled, boss))
    assert len(pages) > 20
    assert [address for address, text in pages if SCRIPT in text] == []
    assert any("&lt;script&gt;alert(1)" in text for _, text in pages)


def _pages(sampled: Sampled, boss: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every page and stream that there is, as this person sees it."""
    for service in SERVICES:
        for route in sampled.apps[service].routes:
            if "GET" not in getattr(route, "methods", ()) or route.path.startswith(("/static", "/api", "/sign-in")):
                continue
            token = "drive token" if "/drive/" in route.path else "speaker token"
            meant = {"token": token, "code": "pickup"}
            values = {name: sampled.real(meant.get(name, name))[0] for name in route.param_convertors}
            address = route.path.format(**values)
            answer = boss[service].get(address)
            assert answer.status_code in (200, 303), (address, answer.status_code)
            yield address, answer.text


# --- Odd bodies -------------------------------------------------------------------------------------------------------

BODIES: dict[str, tuple[str, bytes]] = {
    "nothing": ("application/json", b""),
    "no JSON": ("application/json", b"{"),
    "JSON in disguise": ("text/plain", b'{"name":"x"}'),
    "a form where JSON is meant": ("application/x-www-form-urlencoded", b"name=x"),
    "no UTF-8": ("application/json", b'{"name":"\xff\xfe"}'),
    "half a character": ("application/json", b'{"name":"\\ud800", "reason":"\\udfff", "word":"\\ud800"}'),
    "a name that is half a character": ("application/json", b'{"\\ud800":"x","name":"x"}'),
    "NUL": ("application/json", b'{"name":"\\u0000","reason":"\\u0000","subject":"\\u0000","word":"\\u0000"}'),
    "deep lists": ("application/json", b"[" * 200_000),
    "deep closed lists": ("application/json", b'{"name":' + b"[" * 900 + b"]" * 900 + b"}"),
    "deep objects": ("application/json", b'{"a":' * 100_000),
    "a number without end": ("application/json", b'{"name":' + b"9" * 5_000 + b"}"),
    "no numbers": ("application/json", b'{"latitude":NaN,"longitude":-Infinity,"seats":1e999}'),
    "1 MB of name": ("application/json", b'{"name":"' + b"x" * 1_000_000 + b'"}'),
    "multipart without boundary": ("multipart/form-data", b"--B\r\n"),
    "multipart cut off": ("multipart/form-data; boundary=B", b'--B\r\nContent-Disposition: form-data; name="na'),
    "multipart in an odd charset": (
        "multipart/form-data; boundary=B; charset=punycode",
        b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\x\r\n--B--\r\n',
    ),
    "multipart in no charset": (
        "multipart/form-data; boundary=B; charset=\x00",
        b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n--B--\r\n',
    ),
    "multipart with half a character": (
        "multipart/form-data; boundary=B; charset=unicode_escape",
        b'--B\r\nContent-Disposition: form-data; name="name"\r\n\r\n\\ud800\r\n--B--\r\n',
    ),
    "twenty thousand fields": ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % n for n in range(20_000))),
}


@pytest.mark.parametrize("service", SERVICES)
def test_no_odd_body_breaks_any_door(sampled, boss, program, service):
    for method, route in sampled.writing_routes(service):
        if route.path == "/sign-out":  # It takes any body, and whoever signs out comes in nowhere any more.
            continue
        client = program[service] if route.path.startswith("/api/") else boss[service]
        path = route.path.format(**{name: SLUG if name == "conference" else "x" for name in route.param_convertors})
        for kind, body in BODIES.values():
            headers = {"Content-Type": kind, "Idempotency-Key": a_key()}
            answer = client.request(method, path, content=body, headers=headers)
            assert in_words(answer), (path, kind)
    sampled.house.run()


def test_no_odd_cookie_or_header_breaks_a_page(sampled, boss):
    session = boss["schedule"].headers["Cookie"]
    messages = ("%7B%22kind%22%3A%22x%22%2C%22text%22%3A%22%5Cud800%22%7D", "%5B" * 2000, "%FF", "null", "{}", "[1]")
    for message in messages:
        cookie = f"{session}; {own_cookie(sampled.house.settings, FLASH)}={message}"
        answer = sampled.client("schedule").get(f"/{SLUG}/organise/", headers={"Cookie": cookie})
        assert answer.status_code == 200, message
    for headers in ({"X-CSRF": b"\xe9"}, {"Authorization": b"Bearer \xe9"}, {"Accept": b"\xff"}, {"Referer": b"//["}):
        answer = sampled.client("schedule").post(f"/{SLUG}/organise/people", headers={"Cookie": session} | headers)
        assert answer.status_code in (401, 403), headers


# --- Odd files --------------------------------------------------------------------------------------------------------

BOMB = b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
XML = {
    "entities that grow": BOMB + b"]><schedule><conference><title>&j;</title></conference></schedule>",
    "a foreign file": b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]><schedule>&a;</schedule>',
    "deep": b"<schedule>" + b"<a>" * 100_000,
    "another charset": b'<?xml version="1.0" encoding="utf-7"?><schedule/>',
    "deep JSON": b'{"schedule":' + b"[" * 100_000,
    "NUL": b"<schedule>\x00</schedule>",
    "zip": b"PK\x03\x04" + b"\x00" * 100,
    "too large": b"<" * 12_000_001,
}
TABLES = {
    "a million columns": b",".join(b"c%d" % n for n in range(1_000_000)),
    "one column a million times": b"name," * 1_000_000,
    "an open quote": b'name,kind\n"' + b"a" * 5_000_000,
    "NUL": b"name,kind\n\x00,\x00\n",
    "only line ends": b"\n" * 5_000_000,
    "no text": bytes(range(256)) * 100,
    "half of UTF-16": b"\xff\xfea",
    "too large": b"a" * 12_000_001,
}


@pytest.mark.parametrize("name", XML)
def test_no_odd_programme_is_taken(sampled, boss, program, name):
    before = sampled.rows("schedule")
    headers = {"Idempotency-Key": a_key()}
    answer = program["schedule"].post("/api/schedule/programmes", content=XML[name], headers=headers)
    assert (answer.status_code, answer.json()["faults"] != []) == (422, True)
    form = {"data": {"key": a_key(), "form": "import"}, "files": {"file": ("a.xml", XML[name])}}
    answer = boss["schedule"].post(f"/{SLUG}/organise/import", **form)
    assert answer.status_code == 422
    assert "root:" not in answer.text
    assert sampled.rows("schedule") == before


@pytest.mark.parametrize("name", TABLES)
def test_no_odd_table_is_taken(sampled, boss, program, name):
    for service, kind, page in (
        ("schedule", "arrivals", f"/{SLUG}/organise/arrivals/import"),
        ("dispatch", "places", f"/{SLUG}/dispatch/places/import"),
        ("dispatch", "fleet", f"/{SLUG}/dispatch/fleet/import"),
    ):
        before = sampled.rows(service)
        answer = program[service].post(f"/api/{service}/{SLUG}/{kind}/import", content=TABLES[name])
        assert (answer.status_code, answer.json()["faults"] != []) == (422, True)
        form = {"data": {"key": a_key(), "form": "import"}, "files": {"file": ("../\x00\ud800.csv"[:4], TABLES[name])}}
        assert boss[service].post(page, **form).status_code == 422
        assert sampled.rows(service) == before
