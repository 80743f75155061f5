"""A key gives nobody another's answer and swallows no request: it counts for who, where, at which door, for what."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from house import House
from softlanding import keys
from softlanding.errors import Invalid

ASKED = st.tuples(
    st.sampled_from(["person/a", "program/a", "person/b"]),
    st.sampled_from(["one", "two"]),
    st.sampled_from(["person.add", "driver.add"]),
    st.sampled_from(["k1", "k2"]),
    st.sampled_from(["body 1", "body 2"]),
)


def test_a_key_counts_for_who_where_at_which_door_and_for_what(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("keys"), ("schedule",))
    write = house["schedule"].database.write_now
    number = iter(range(10**9))

    def act(_tx: Any, _now: Any, made: tuple[str, ...], run: int) -> dict[str, Any]:
        return {"of": list(made), "number": next(number), "run": run}

    @settings(max_examples=60, deadline=None)
    @given(st.lists(ASKED, max_size=25))
    def tried(requests: list[tuple[str, ...]]) -> None:
        run = next(number)
        known: dict[tuple[str, ...], tuple[str, Any]] = {}
        for request in requests:
            who, conference, door, text, body = request
            key = keys.Key(f"{text}-{run}", door, who, conference, body)
            first = known.get(request[:4])
            if first is not None and first[0] != body:
                try:
                    write(keys.once, key, act, request, run)
                except Invalid:
                    continue
                raise AssertionError("another request was answered under a key that counts")
            answer = write(keys.once, key, act, request, run)
            if first is not None:
                assert answer == first[1]
            else:
                assert (answer["of"], answer["run"]) == (list(request), run)
                assert answer["number"] not in {each["number"] for _, each in known.values()}
                known[request[:4]] = (body, answer)

    tried()
