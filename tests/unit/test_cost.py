"""What an outage of Dispatch cost, read off its own words; board and Operations count by this alone."""

from datetime import timedelta

from clocks import NOON
from softlanding.contracts.cost import Cost, Word, cost_of_outage

SINCE, UNTIL = NOON, NOON + timedelta(minutes=1)
LATER, IN_OUTAGE = NOON + timedelta(hours=2), NOON + timedelta(seconds=30)


def a_word(pickup, kind="answered", revision=1, asked_at=NOON, due_at=LATER):
    return Word(pickup, revision, kind, asked_at, due_at)


def cost(before, after):
    return cost_of_outage(before, after, SINCE, UNTIL)


def test_what_waited_is_recovered_or_expired():
    after = [a_word("c", "missed"), a_word("a"), a_word("b", asked_at=IN_OUTAGE)]
    assert cost([], after) == Cost(frozenset("ab"), frozenset("c"))


def test_what_was_answered_before_is_neither_unless_its_time_ran_out_meanwhile():
    before = [a_word("a"), a_word("b", due_at=IN_OUTAGE)]
    assert cost(before, [a_word("a"), a_word("b", "missed", due_at=IN_OUTAGE)]) == Cost(frozenset(), frozenset("b"))


def test_a_change_meanwhile_waits_for_an_answer_of_its_own():
    before = [a_word("a")]
    assert cost(before, [a_word("a", revision=2)]).recovered == {"a"}
    assert cost(before, [a_word("a", "other", revision=2)]) == Cost()


def test_what_was_withdrawn_meanwhile_costs_nothing():
    assert cost([], [a_word("a"), a_word("a", "withdrawn", revision=2)]) == Cost()


def test_a_later_miss_and_a_later_request_are_not_the_outages_doing():
    after = [a_word("a"), a_word("a", "missed"), a_word("b", asked_at=UNTIL), a_word("b", "missed", asked_at=UNTIL)]
    assert cost([], after) == Cost(frozenset("a"), frozenset())


def test_of_words_of_an_older_release_nothing_is_said():
    assert cost([], [a_word("a", asked_at=None)]) == Cost()
