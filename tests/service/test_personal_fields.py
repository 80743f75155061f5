"""Names, phones and flights are for staff, and for programs that bear the scope `personal`: each door that programs
read is asked, with what the sample and a busy morning put behind it."""

import asyncio
from itertools import islice, product
from typing import Any

import pytest

from sampled import SERVICES, SLUG, Sampled
from softlanding import auth
from softlanding.dispatch import store as dispatch_store
from softlanding.schedule import store as schedule_store

ARRIVAL = {"how": "flight", "airport": "HAM", "time": "23:10", "party": 2}
PHONE, NOTE, FLIGHT = "+49 170 5550143", "brings a double bass", "XY 4711"
SETTLER, SETTLING, FETCHER = "Sam Settle-Smith", "her aunt came", "Hanna Hand-Holm"
RELEASER, MOVER = "Rita Release-Ray", "Mo Move-Moreau"
MAY_NOT = (("read",), ("write",), ("read", "write"), ("read", "write", "facts"))
TRIED_MOST = 12  # Addresses of one door.
DOORS_MAY = (303, 403, 404, 409)  # Lead elsewhere, or refuse.


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Sampled:
    sampled = Sampled(tmp_path_factory.mktemp("sampled"))
    play_a_morning(sampled)
    return sampled


def play_a_morning(sampled: Sampled) -> None:
    """What the sample alone has not: somebody fetched by hand, somebody unanswered, a settled incident, a release."""
    travelling = {each.speaker for each in sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)}
    free = iter(sorted(set(sampled.real("speaker")) - travelling))
    writing = {service: sampled.program(service, "write", "admin") for service in SERVICES}
    number = iter(range(100))

    def post(service: str, path: str, **given: Any) -> Any:
        answer = writing[service].post(
            f"/api/{service}{path}", json=given, headers={"Idempotency-Key": f"a-{next(number)}"}
        )
        assert answer.is_success, answer.text
        return answer.json()

    def announce() -> str:
        when = {"on": sampled.first_day.isoformat(), "place": sampled.real("place")[0]}
        who = {"speaker": next(free), "number": FLIGHT, "phone": PHONE, "note": NOTE}
        return post("schedule", f"/{SLUG}/arrivals", **ARRIVAL, **when, **who)["code"]

    announce()
    post("schedule", f"/{SLUG}/pickups/{announce()}/by-hand", word="by taxi", by=FETCHER)
    sampled.house.run()
    announce()
    sampled.house.clock.advance(300)
    asyncio.run(_only_schedule(sampled))  # Nobody answers in time.
    post("dispatch", f"/incidents/{sampled.incident}/settle", word="understood", by=SETTLER, note=SETTLING)
    _move_two_rides(sampled)
    _release_again(sampled)
    sampled.house.run()


def _move_two_rides(sampled: Sampled) -> None:
    mover = sampled.client("dispatch", **sampled.session(sampled.person(MOVER, ("*", "coordinator"))))
    assigned, taken_back, *_ = sampled.read("dispatch", dispatch_store.list_pickups, SLUG, ("planned",))
    why = {"reason": "they know each other"}
    for ride, door, given in (
        (assigned, "assign", why | {"vehicle": _car_of(sampled, assigned)}),
        (taken_back, "take-back", why),
    ):
        path = f"/api/dispatch/{SLUG}/pickups/{ride.code}/{door}"
        answer = mover.post(path, json=given, headers={"Idempotency-Key": door})
        assert answer.is_success, answer.text


def _release_again(sampled: Sampled) -> None:
    organiser = sampled.client("schedule", **sampled.session(sampled.person(RELEASER, ("*", "organiser"))))
    file = sampled.file("json").replace(b"Kaispeicher", b"Speicher")
    answer = organiser.post(
        "/api/schedule/programmes?release=true", content=file, headers={"Idempotency-Key": "another release"}
    )
    assert answer.is_success, answer.text


def _car_of(sampled: Sampled, ride: Any) -> str:
    return str(sampled.read("dispatch", dispatch_store.load_crews, SLUG)[ride.shift].code)


async def _only_schedule(sampled: Sampled) -> None:
    for step in sampled.house["schedule"].steps():
        await step.run()


def secrets_of(sampled: Sampled) -> dict[str, set[str]]:
    """What tells about persons, by what it is; each kind is told by at least one door."""
    journeys = sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)
    drivers = sampled.read("dispatch", dispatch_store.list_drivers, SLUG)
    staff = sampled.read("schedule", auth.list_people)
    return {
        "speakers' names": {each.speaker_name for each in journeys},
        "flights": {each.arrival.number for each in journeys} - {""},
        "phones of speakers": {PHONE},
        "notes": {NOTE},
        "drivers' names": {each.name for each in drivers},
        "phones of drivers": {each.phone for each in drivers},
        "staff": {each.name for each in staff if " " in each.name} | {each.email for each in staff if each.email},
        "links of speakers": set(sampled.real("speaker token")),
        "who fetches by hand": {FETCHER},
        "who settled": {SETTLER},
        "what was noted of it": {SETTLING},
        "who released": {RELEASER},
        "who moved a ride": {MOVER},
    }


def doors_of(sampled: Sampled, service: str) -> list[str]:
    """Addresses of every door that programs may read at, with what the sample has for their paths."""
    found: list[str] = []
    for route in sampled.apps[service].routes:
        who = getattr(route, "softlanding_who", None)
        if (
            who is None
            or "GET" not in route.methods
            or not who.scopes
            or route.path.endswith(("stream", "template.csv"))
        ):
            continue
        names = list(route.param_convertors)
        values = product(*(sampled.real({"pickup": "pickup", "code": "pickup"}.get(name, name)) for name in names))
        found += [route.path.format(**dict(zip(names, each, strict=True))) for each in islice(values, TRIED_MOST)]
    return found


def answers(sampled: Sampled, service: str, headers: dict[str, str]) -> dict[str, str]:
    client, told = sampled.client(service, **headers), {}
    for address in doors_of(sampled, service):
        answer = client.get(address)
        assert answer.is_success or answer.status_code in DOORS_MAY, f"{address}: {answer.status_code}"
        told[address] = answer.text
    return told


def bearer(sampled: Sampled, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {sampled.token(*scopes)}"}


@pytest.mark.parametrize("scopes", MAY_NOT, ids="+".join)
@pytest.mark.parametrize("service", SERVICES)
def test_no_door_tells_about_persons_to_a_program_that_may_not_know(sampled, service, scopes):
    secrets = [(kind, secret) for kind, found in secrets_of(sampled).items() for secret in found]
    secrets += [("links of drivers", token) for token in sampled.real("drive token")]
    told = answers(sampled, service, bearer(sampled, *scopes))
    assert len(told) > 5
    assert [(address, *one) for address, text in told.items() for one in secrets if one[1] in text] == []


def test_all_of_it_is_told_to_a_program_that_may_know(sampled):
    told = [text for each in SERVICES for text in answers(sampled, each, bearer(sampled, "read", "personal")).values()]
    untold = {kind for kind, found in secrets_of(sampled).items() if not any(s in t for s in found for t in told)}
    assert untold == set()


def test_staff_see_who_they_look_after(sampled):
    everything = sampled.session(sampled.person("over-all", *(("*", role) for role in auth.STAFF_ROLES)))
    told = [text for each in SERVICES for text in answers(sampled, each, everything).values()]
    untold = {kind for kind, found in secrets_of(sampled).items() if not any(s in t for s in found for t in told)}
    assert untold == set()


def test_what_is_not_personal_stays(sampled):
    reading = {service: sampled.program(service, "read") for service in SERVICES}
    [arrival] = reading["schedule"].get(f"/api/schedule/{SLUG}/arrivals").json()[:1]
    assert {"id", "landing_at", "party", "pickup", "state"} <= arrival.keys()
    assert not {"speaker", "airport", "to_place", "talk_at", "wheelchair", "note", "phone"} & arrival.keys()
    fleet = reading["dispatch"].get(f"/api/dispatch/{SLUG}/fleet").json()
    assert all(car["name"] and car["seats"] for car in fleet["vehicles"])
    places = reading["dispatch"].get(f"/api/dispatch/{SLUG}/places").json()
    assert all(place["kind"] and not {"name", "slug", "address", "note"} & place.keys() for place in places)
    board = reading["dispatch"].get(f"/api/dispatch/{SLUG}/board").json()
    assert any(ride["code"] and ride["board_at"] for car in board["vehicles"] for ride in car["rides"])


def test_what_nobody_has_thought_about_is_held_back():
    answer = {"code": "K7QX", "rides": [{"code": "M2PL", "a new field": "Ada"}], "another": "Ada"}
    seen = auth.as_seen_by(auth.Visitor(scopes=frozenset(("read",))), answer, frozenset(("code", "rides")))
    assert seen == {"code": "K7QX", "rides": [{"code": "M2PL"}]}


def test_when_and_where_to_a_named_person_comes_is_told_by_no_door_of_travel(sampled):
    journeys = sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)
    identify = {each.speaker for each in journeys} | {each.arrival.to_place for each in journeys}
    told = {f"{each}{a}": t for each in SERVICES for a, t in answers(sampled, each, bearer(sampled, "read")).items()}
    travel = {a: t for a, t in told.items() if any(w in a for w in ("arrivals", "pickups", "unanswered", "board"))}
    assert travel
    assert [(a, one) for a, text in travel.items() for one in identify if f'"{one}"' in text] == []


def test_the_description_says_what_each_scope_is_for(sampled):
    for service in SERVICES:
        told = sampled.client(service).get(f"/api/{service}/openapi.json").json()["info"]["description"]
        assert [scope for scope in auth.SCOPES if f"`{scope}`" not in told] == []
