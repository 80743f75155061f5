"""What a receiver asks the feed for, given the epochs it has entered and the producer's line of lives. Pure."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from softlanding.messaging.inbox import Crossing, Fetch, Fork, next_fetch
from softlanding.messaging.outbox import Epoch


def a_line(*lives):
    """`("a", 5), ("b", 3)`: life a left off at 5, then b; the last number of the last one is the tail."""
    line, parent, last = [], None, None
    for epoch, upto in lives:
        line.append(Epoch(epoch, parent, last))
        parent, last = epoch, upto
    return line, last


def ask(known, *lives):
    line, tail = a_line(*lives)
    return next_fetch(known, line, tail)


def test_who_knows_nothing_begins_with_the_first_life():
    assert ask([], ("a", 5), ("b", 2)) == Fetch("a", 0, 5, Crossing("a", 0))


def test_who_stands_at_the_tail_needs_nothing():
    assert ask([("a", 5)], ("a", 5)) is None


def test_the_rest_of_a_life_comes_before_the_next():
    assert ask([("a", 3)], ("a", 5), ("b", 2)) == Fetch("a", 3, 5)


def test_then_the_next_life_is_entered():
    assert ask([("a", 5)], ("a", 5), ("b", 2)) == Fetch("b", 0, 2, Crossing("b", 0))


def test_beyond_the_parents_last_number_is_a_fork():
    assert ask([("a", 8)], ("a", 5), ("b", 2)) == Fetch("b", 0, 2, Crossing("b", 0, (Fork("a", 6, 8),)))


def test_a_life_that_the_producer_has_lost_is_a_fork_back_to_the_common_one():
    asked = ask([("a", 8), ("x", 4)], ("a", 5), ("b", 2))
    assert asked == Fetch("b", 0, 2, Crossing("b", 0, (Fork("x", 1, 4), Fork("a", 6, 8))))


def test_a_producer_with_nothing_in_common_is_followed_from_its_beginning():
    assert ask([("x", 4)], ("a", 5)) == Fetch("a", 0, 5, Crossing("a", 0, (Fork("x", 1, 4),)))


@st.composite
def histories(draw):
    """A tree of lives as restores make it: each life's parent is any life before, left off anywhere."""
    lives = [("e0", None, None, draw(st.integers(1, 6)))]
    for number in range(1, draw(st.integers(1, 6))):
        parent = draw(st.sampled_from(lives))
        lives.append((f"e{number}", parent[0], draw(st.integers(1, parent[3])), draw(st.integers(1, 6))))
    return lives


def line_of(lives, present):
    by_name = {life[0]: life for life in lives}
    line, at = [], present
    while at is not None:
        name, parent, parent_last, _upto = by_name[at]
        line.append(Epoch(name, parent, parent_last))
        at = parent
    return line[::-1]


@given(histories(), st.data())
def test_whatever_lives_a_producer_goes_through_the_receiver_ends_at_its_tail_and_in_order(lives, data):
    """Between the producer's restores the receiver gets as far as it gets, and never applies a number twice."""
    known: list[tuple[str, int]] = []
    applied: list[tuple[str, int]] = []
    for name, _parent, _last, upto in lives:
        line = line_of(lives, name)
        steps = data.draw(st.integers(0, 12)) if name != lives[-1][0] else 1000
        for _ in range(steps):
            fetch = next_fetch(known, line, upto)
            if fetch is None:
                break
            number = (fetch.epoch, fetch.after + 1)
            assert number not in applied
            applied.append(number)
            if known and known[-1][0] == fetch.epoch:
                known[-1] = number
            else:
                known = [entry for entry in known if entry[0] != fetch.epoch] + [number]
        else:
            assert steps < 1000, "the receiver never arrives"
    last, _parent, _bound, upto = lives[-1]
    assert known[-1] == (last, upto)
    line = line_of(lives, last)
    for life, child in pairwise(line):
        for number in range(1, (child.parent_last or 0) + 1):
            assert (life.epoch, number) in applied
