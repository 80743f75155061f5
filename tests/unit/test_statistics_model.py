"""What became of a pickup, how long people waited, what a death cost, how facts read, what a log line is."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softlanding.contracts import known_types
from softlanding.contracts.standing import STATES, Words, state_of
from softlanding.errors import Invalid
from softlanding.statistics.model.log_lines import BODY_MAX, LINES_MAX, read_lines
from softlanding.statistics.model.pickups import (
    ride_word,
    summarize_waits,
    wait_of,
)
from softlanding.statistics.model.words import Clock, lane_of, ride_summary, words_of

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)


def minutes(*counts):
    return [timedelta(minutes=count) for count in counts]


def words(asked="requested", asked_revision=1, ride=None, ride_revision=None, kind=""):
    return Words(asked, asked_revision, kind, ride, ride_revision)


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (words(), "requested"),
        (words(ride="planned", ride_revision=1), "planned"),
        (words("changed", 2, "planned", 1), "requested"),
        (words("changed", 2, "missed", 1), "requested"),
        (words("changed", 2, "accepted", 1), "requested"),
        (words("withdrawn", 2, "boarded", 1, "by_hand"), "boarded"),
        (words("changed", 2, "arrived", 1), "arrived"),
        (words("changed", 2, "boarded", 1), "boarded"),
        (words("withdrawn", 2, "planned", 1), "withdrawn"),
        (words("withdrawn", 2, "stood_down", 2), "stood_down"),
        (words("withdrawn", 2, "stood_down", 2, "by_hand"), "by_hand"),
        (words("withdrawn", 2, "delivered", 1), "delivered"),
        (words(None, None, "planned", 3), "planned"),
        (words("withdrawn", 2, "planned", 3), "planned"),
    ],
)
def test_a_state_is_dispatchs_word_about_the_newest_revision(said, state):
    assert state_of(said) == state


RIDE_WORDS = ["unplaced", "planned", "accepted", "arrived", "boarded", "delivered", "no_show", "missed", "refused"]


@given(
    st.sampled_from([None, "requested", "changed", "withdrawn"]),
    st.integers(1, 4),
    st.sampled_from([None, *RIDE_WORDS, "stood_down"]),
    st.integers(1, 4),
)
def test_every_pickup_is_in_a_known_state(asked, asked_revision, ride, ride_revision):
    assert state_of(words(asked, asked_revision, ride, ride_revision if ride else None)) in STATES


def test_a_ride_is_where_dispatch_says_it_stands_whichever_fact_says_so():
    assert ride_word("delivered", "dispatch.pickup.boarded") == "delivered"
    assert ride_word("boarded", "dispatch.pickup.boarded") == "boarded"
    assert ride_word("", "dispatch.pickup.driver_arrived") == "arrived"


def test_waits_are_told_by_nearest_rank_and_in_bins():
    found = summarize_waits(minutes(*range(1, 101)))
    assert (found.count, found.p50, found.p95) == (100, *minutes(50, 95))
    assert found.bins[0] == ("0–5", 4)
    assert found.bins[-1] == ("60+", 41)
    assert sum(count for _, count in found.bins) == 100


def test_nobody_boarded_is_no_number():
    assert summarize_waits([]).p50 is None
    assert summarize_waits([]).count == 0


def test_who_arrives_waits_from_the_landing_who_leaves_from_the_planned_time():
    board_at, boarded_at = NOON + timedelta(minutes=10), NOON + timedelta(minutes=25)
    assert wait_of("arrival", NOON, board_at, boarded_at) == timedelta(minutes=25)
    assert wait_of("departure", NOON, board_at, boarded_at) == timedelta(minutes=15)
    assert wait_of("arrival", NOON, board_at, NOON - timedelta(minutes=1)) == timedelta(0)


@pytest.mark.parametrize("known", known_types())
def test_every_fact_reads_as_a_sentence_even_when_it_says_nothing(known):
    sentence = words_of(known, {}, Clock(BERLIN, NOON))
    assert sentence
    assert sentence != known.partition(".")[2].replace(".", " ")  # It has words of its own.


def test_sentences_name_what_matters_in_the_conferences_zone():
    data = {"vehicle": "V1", "board_at": "2026-05-08T12:10:00Z", "deliver_at": "2026-05-08T12:45:00Z"}
    today, tomorrow = Clock(BERLIN, NOON), Clock(BERLIN, NOON + timedelta(days=1))
    assert words_of("dispatch.pickup.planned", data, today) == "planned it onto V1, boards 14:10, there 14:45"
    assert words_of("dispatch.pickup.planned", data, tomorrow).endswith("boards Fri 8 May 14:10, there 14:45")
    late = data | {"deliver_at": "2026-05-08T22:10:00Z"}
    assert words_of("dispatch.pickup.planned", late, today).endswith("boards 14:10, there Sat 9 May 00:10")
    assert ride_summary("arrival", 2) == "arrival, 2 people"
    assert lane_of("dispatch.pickup.boarded") == "driver"
    assert lane_of("dispatch.pickup.missed") == "dispatch"


def test_lines_come_as_a_list_or_one_a_line():
    record = {
        "ts": "2026-05-08T12:00:00+00:00",
        "level": "critical",
        "service": "dispatch",
        "event": "died",
        "code": "K7QX",
    }
    for body in (json.dumps([record]), json.dumps(record) + "\n"):
        (line,) = read_lines(body.encode())
        assert (line.at, line.level, line.service, line.text, line.code) == (NOON, "error", "dispatch", "died", "K7QX")
        assert not line.is_bad


def test_a_front_door_s_line_says_which_request():
    record = {"msg": "handled request", "request": {"method": "GET", "uri": "/softconf/"}, "status": 200}
    (line,) = read_lines(json.dumps(record).encode())
    assert (line.text, line.is_bad) == ("handled request: GET /softconf/ 200", False)


def test_what_is_no_json_is_kept_as_text():
    lines = read_lines(b'{"event": "fine"}\nTraceback (most recent call last):\n{"no": "event"}\n')
    assert [(line.text, line.is_bad) for line in lines] == [
        ("fine", False),
        ("Traceback (most recent call last):", True),
        ("null", True),
    ]


def test_too_much_at_once_is_refused_in_words():
    with pytest.raises(Invalid, match=f"at most {LINES_MAX} lines"):
        read_lines(b"x\n" * (LINES_MAX + 1))
    with pytest.raises(Invalid, match="at most 8 MB"):
        read_lines(b"x" * (BODY_MAX + 1))


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_no_bytes_break_the_reading(body):
    for line in read_lines(body):
        assert "\x00" not in line.text
        line.text.encode()


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"ts": 5, "lost": true, "level": [], "service": {"a": 1}, "event": 1, "code": 7}',
        b'{"event": "\\ud800 \\u0000", "ts": "0001-01-01T00:00:00+14:00"}',
        b"[1, null, [], {}]",
        b'{"event": "x", "lost": ' + b"9" * 5000 + b"}",
    ],
)
def test_strange_lines_are_kept_and_break_nothing(body):
    for line in read_lines(body):
        line.text.encode()
        assert line.lost == 0
        assert line.at is None
