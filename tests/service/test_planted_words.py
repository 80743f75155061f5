"""Words that nobody else would write are typed at the main doors and a ride is played; without the scope `personal` no
answer, feed, live page, health page, metric, log line, public file or file of Statistics has them."""

from typing import Any

import pytest
from structlog.testing import capture_logs

import told
from sampled import SERVICES, SLUG, Sampled
from softlanding.dispatch import store as dispatch_store
from softlanding.schedule import store as schedule_store

PLANTED = {
    "flight": "QZ4711",
    "phone": "+49 170 5550199",
    "hotel": "Zebrafink Inn",
    "note": "Quollnote",
    "fetcher": "Kakapo Hand",
    "by hand": "Numbatcab",
    "assign": "Okapireason",
    "lock": "Pikareason",
    "take-back": "Saolareason",
    "withdraw": "Tarsierreason",
    "settle": "Urialnote",
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sampled, str]:
    sampled = Sampled(tmp_path_factory.mktemp("planted"))
    with capture_logs() as lines:
        play(sampled)
    return sampled, str(lines)


def play(sampled: Sampled) -> None:
    travelling = {each.speaker for each in sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)}
    free = iter(sorted(set(sampled.real("speaker")) - travelling))
    writing = {service: sampled.program(service, "write", "admin") for service in SERVICES}
    numbers = iter(range(100))

    def post(service: str, path: str, **given: Any) -> Any:
        headers = {"Idempotency-Key": f"planted-{next(numbers)}"}
        answer = writing[service].post(f"/api/{service}{path}", json=given, headers=headers)
        assert answer.is_success, f"{path}: {answer.text}"
        sampled.house.run()
        return answer.json()

    def announce(place: str) -> Any:
        arrival = {"how": "flight", "airport": "HAM", "time": "23:10", "on": sampled.first_day.isoformat()}
        said = {"number": PLANTED["flight"], "phone": PLANTED["phone"], "note": PLANTED["note"], "place": place}
        return post("schedule", f"/{SLUG}/arrivals", speaker=next(free), **arrival, **said)

    announce(PLANTED["hotel"])
    known = sampled.real("place")[0]
    by_hand, withdrawn = announce(known), announce(known)
    post(
        "schedule",
        f"/{SLUG}/pickups/{by_hand['code']}/by-hand",
        word=PLANTED["by hand"],
        by=PLANTED["fetcher"],
    )
    post("schedule", f"/{SLUG}/arrivals/{withdrawn['journey']}/withdraw", reason=PLANTED["withdraw"])
    post("dispatch", f"/incidents/{sampled.incident}/settle", word="understood", note=PLANTED["settle"])
    planned = sampled.read("dispatch", dispatch_store.list_pickups, SLUG, ("planned",))
    ride, other, *_ = (one for one in planned if one.code in sampled.real("pickup")[-told.RECENT :])
    car = str(sampled.read("dispatch", dispatch_store.load_crews, SLUG)[ride.shift].code)
    pickups = f"/{SLUG}/pickups"
    post("dispatch", f"{pickups}/{ride.code}/assign", vehicle=car, reason=PLANTED["assign"])
    post("dispatch", f"{pickups}/{ride.code}/lock", reason=PLANTED["lock"])
    post("dispatch", f"{pickups}/{other.code}/take-back", reason=PLANTED["take-back"])
    board_at = sampled.read("dispatch", dispatch_store.load_pickup, SLUG, ride.code).board_at
    sampled.house.clock.advance((board_at - sampled.house.clock.now()).total_seconds())
    for tap in ("accepted", "arrived", "boarded", "delivered"):
        post("dispatch", f"{pickups}/{ride.code}/taps", tap=tap)
    sampled.house.clock.advance(12 * 3600)  # Who was fetched by nobody is missed.
    sampled.house.run()


@pytest.mark.parametrize("scopes", [("read",), ("facts",), ("read", "write", "facts")], ids="+".join)
def test_what_was_typed_is_in_no_answer_without_personal(played, scopes):
    sampled, _ = played
    answers = told.answers(sampled, *scopes)
    assert len(answers) > 40
    assert found_in(answers, PLANTED) == []


def test_what_was_typed_is_on_no_live_page_without_personal(played):
    sampled, _ = played
    pages = told.live_pages(sampled, "read")
    assert len([text for text in pages.values() if "{" in text]) > 2
    assert found_in(pages, PLANTED) == []


def test_what_was_typed_is_told_to_a_program_with_personal(played):
    sampled, _ = played
    everything = "".join(told.answers(sampled, "read", "facts", "personal").values())
    assert [what for what, word in PLANTED.items() if word not in everything] == []


def test_what_was_typed_is_in_no_log_no_metric_no_public_file_and_not_in_statistics(played):
    sampled, lines = played
    names = {each.name for each in sampled.read("dispatch", dispatch_store.list_drivers, SLUG)}
    names |= {each.speaker_name for each in sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)}
    places = told.kept_by_statistics(sampled) | told.health(sampled) | told.metrics(sampled) | {"log": lines}
    assert found_in(places, PLANTED | {name: name for name in names}) == []
    public = told.public_files(sampled)  # Speakers stand in the programme by name.
    assert len(public) > 100
    assert found_in(public, PLANTED) == []


def found_in(places, words):
    return [(where, what) for where, text in places.items() for what, word in words.items() if word in text]
