"""What each service's OpenAPI says is tried out: whatever a program sends, it is answered in words, never with a fault.

The suite tries each operation a few times from one fixed seed. `python tests/service/test_api_descriptions.py 500`
tries each operation 500 times, from a seed of the hour or the one given after it.
"""

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from sampled import SERVICES, Sampled

SEED = 20260508
TRIES = 6
SCOPES = ("read", "write", "facts", "personal")
CREATES = "POST"
REFUSED_IN_WORDS = (400, 401, 403, 404, 422, 429)

# Creating doors that need no key of the request: what they are given is one by itself.
OWN_KEYS = {
    "/api/schedule/sample": "the day is the key: a sample that begins then is left alone",
    "/api/schedule/{conference}/arrivals/import": "each row has a natural key",
    "/api/dispatch/{conference}/places/import": "each row has a natural key",
    "/api/dispatch/{conference}/fleet/import": "each row has a natural key",
    "/api/statistics/logs": "lines of a log may come twice rather than not at all; with a key they come once",
    "/api/schedule/clock/release": "a clock that is released stays released",
    "/api/dispatch/clock/release": "a clock that is released stays released",
    "/api/statistics/clock/release": "a clock that is released stays released",
}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled"))


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_says_what_it_is_for(sampled, service):
    described = description(sampled, service)
    silent = [f"{method} {path}" for path, method, operation in operations(described) if not operation.get("summary")]
    assert silent == []
    assert not [path for path in described["paths"] if not path.startswith(f"/api/{service}/")]


@pytest.mark.parametrize("service", SERVICES)
def test_every_creating_operation_demands_a_key(sampled, service):
    keyless = {path for path, method, op in operations(description(sampled, service)) if not demands_key(method, op)}
    assert keyless <= set(OWN_KEYS), keyless - set(OWN_KEYS)


@pytest.mark.parametrize("service", SERVICES)
def test_no_request_that_the_description_allows_or_forbids_breaks_anything(sampled, service):
    sys.stdout.write(f"seed {SEED}, {TRIES} tries of each operation and kind\n")
    try_out(sampled, service, SEED, TRIES)
    sampled.house.run()  # What was taken in does not break anybody later either.


@pytest.mark.parametrize("service", SERVICES)
def test_every_operation_says_how_it_lets_in_and_how_it_says_no(sampled, service):
    described = description(sampled, service)
    assert described["components"]["securitySchemes"]["program"] == {
        "type": "http",
        "scheme": "bearer",
        "description": "A token with scopes: `softlanding token`.",
    }
    assert described["security"] == [{"program": []}, {"person": []}]
    for path, method, operation in operations(described):
        wanted = {"401", "403", "404", "422", "429", "503"} | ({"409"} if method == "post" else set())
        assert wanted <= set(operation["responses"]), path
        shape = operation["responses"]["403"]["content"]["application/json"]["schema"]
        assert shape == {"$ref": "#/components/schemas/Error"}, path


@pytest.mark.parametrize("service", SERVICES)
def test_a_stranger_and_a_program_without_scopes_meet_nothing_undocumented(sampled, service):
    for path, method, operation in operations(description(sampled, service)):
        for client in (sampled.client(service), sampled.program(service)):
            answer = client.request(method, path.replace("{", "").replace("}", ""))
            assert str(answer.status_code) in operation["responses"], (path, answer.status_code)
            assert set(answer.json()) == {"error", "faults", "todo"}, path


def description(sampled: Sampled, service: str) -> dict[str, Any]:
    answer = sampled.client(service).get(f"/api/{service}/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, op) for path, methods in described["paths"].items() for method, op in methods.items()]


def demands_key(method: str, operation: dict[str, Any]) -> bool:
    if method.upper() != CREATES:
        return True
    headers = [one for one in operation.get("parameters", ()) if one["in"] == "header" and one["required"]]
    return "Idempotency-Key" in [one["name"] for one in headers]


def try_out(sampled: Sampled, service: str, start: int, tries: int) -> None:
    """Each operation, `tries` times with what it allows and as often with what it forbids. Raises at the first 5xx."""
    schema = schemathesis.openapi.from_dict(description(sampled, service))
    with sampled.program(service, *SCOPES) as client:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                _try_operation(sampled, client, operation, mode, start, tries)


def _try_operation(sampled: Sampled, client: Any, operation: Any, mode: Any, start: int, tries: int) -> None:
    quiet = settings(
        max_examples=tries,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )

    @seed(start)
    @quiet
    @given(data=st.data())
    def attempt(data: Any) -> None:
        case = data.draw(operation.as_strategy(generation_mode=mode))
        _name_real_things(sampled, case, data)
        answer = _send(client, case)
        if answer is not None:
            told = (answer.status_code, answer.text, case.as_curl_command())
            assert answer.status_code < 500, told
            assert str(answer.status_code) in operation.definition.raw["responses"], told
            if answer.status_code in REFUSED_IN_WORDS:
                assert set(answer.json()) == {"error", "faults", "todo"}, told

    with contextlib.suppress(Unsatisfiable):  # There is nothing that the description forbids here.
        attempt()


def _name_real_things(sampled: Sampled, case: Any, data: Any) -> None:
    """Most of the time the request is about something that there is."""
    path = case.operation.path
    for part in (case.path_parameters, case.query, case.body):
        if not isinstance(part, dict):
            continue
        for name in sorted(part, key=str):
            known = sampled.real(_meant(name, path))
            if known and isinstance(part[name], str) and data.draw(st.integers(0, 5)):
                part[name] = data.draw(st.sampled_from(known))
    if (kind := _file(path)) and data.draw(st.integers(0, 5)):
        whole = sampled.file(kind)
        begin = data.draw(st.integers(0, len(whole)))
        end = data.draw(st.integers(begin, min(len(whole), begin + 200)))
        case.body = whole[:begin] + data.draw(st.binary(max_size=20)) + whole[end:]


def _meant(name: str, path: str) -> str:
    """What a field of this name is in this path: a code is a pickup's, a vehicle's or a speaker's."""
    if name == "code":
        return next((kind for kind in ("pickup", "vehicle", "speaker") if f"/{kind}s/" in path), name)
    return name


def _file(path: str) -> str:
    """Which of the sample's files this door takes; none for most."""
    wanted = {"arrivals/import": "arrivals", "places/import": "places", "fleet/import": "fleet", "programmes": "xml"}
    return next((kind for end, kind in wanted.items() if path.endswith(end)), "")


def _send(client: Any, case: Any) -> Any:
    """The answer; None for what no client can put into a request."""
    given = case.as_transport_kwargs(base_url="http://localhost")
    if isinstance(given.get("data"), bytes | str):
        given["content"] = given.pop("data")
    headers = {name: value for name, value in given.pop("headers").items() if name.lower() != "authorization"}
    try:
        return client.request(headers=headers, **given)
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError, TypeError):
        return None


if __name__ == "__main__":
    tries_wanted = int(sys.argv[1])
    first = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    with tempfile.TemporaryDirectory() as folder:
        made = Sampled(Path(folder))
        for each in SERVICES:
            sys.stdout.write(f"{each}: seed {first}, {tries_wanted} tries of each operation and kind\n")
            try_out(made, each, first, tries_wanted)
            made.house.run()
