"""How much work a file can make: counted, for a clock on a laden machine proves nothing."""

import pytest

from softlanding.formats import texts
from softlanding.formats.report import FAULTS_MAX, SPELT_OUT_MAX, Report
from softlanding.formats.texts import NESTED_MAX, WORK_MAX, one_line, safe_html
from softlanding.formats.xml_in import control_lines

HOSTILE = {
    "nested": "<div>" * 100_000,
    "nested words": "<div>word " * 20_000,
    "nested beyond the reach of their ends": "<div><object></div></object>" * 20_000,
    "marks opened anew in each paragraph": "".join(f"<b id={n}>" for n in range(NESTED_MAX)) + "<p>x" * 20_000,
    "hidden in entities": "<div>" * (NESTED_MAX + 1) + "&lt;div&gt;" * 20_000,
    "written as Markdown": "**a** " * 20_000,
}


class CountingCleaner:
    def __init__(self, cleaner):
        self.cleaner, self.given = cleaner, []

    def clean(self, text):
        self.given.append(text)
        return self.cleaner.clean(text)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_html_nested_beyond_use_is_not_given_to_the_cleaner(text, monkeypatch):
    counting = CountingCleaner(texts._cleaner)
    monkeypatch.setattr(texts, "_cleaner", counting)
    safe = safe_html(text)
    for given in counting.given:
        nested = given.count("<") - given.count("<p>") - given.count("</")
        assert nested <= NESTED_MAX
        assert nested * given.count("<") <= 2 * WORK_MAX
    assert safe_html(safe) == safe


def test_words_nested_beyond_use_are_kept():
    assert "Bring your own cable" in safe_html("<div>" * 5_000 + "Bring your own cable &amp; lamp")


def test_long_abstracts_that_people_write_keep_their_marks():
    text = "<p>A <b>bold</b> claim with <a href='https://example.org'>a link</a>.</p>\n" * 200
    assert safe_html(text).count("<b>") == 200


class CountedBytes(bytes):
    looked_at = 0

    def count(self, what, begin, end):
        CountedBytes.looked_at += end - begin
        return super().count(what, begin, end)


def test_each_byte_before_a_control_character_is_counted_once():
    body = CountedBytes(b"ab\n\x01" * 10_000)
    assert list(control_lines(body)) == list(range(2, 10_002))
    assert CountedBytes.looked_at <= len(body)


def test_what_recurs_a_million_times_is_kept_once():
    report = Report("schedule.xml")
    for line in range(1, 10_001):
        report.note(line, "a control character was left out")
        report.fault(line, "no such day")
    assert len(report._notes["a control character was left out"]) == SPELT_OUT_MAX
    assert [str(note) for note in report.notes()] == [
        "schedule.xml:1: a control character was left out (10000 times, first here)"
    ]
    faults = report.refuse(1, "and no end").faults
    assert (len(faults), str(faults[-1])) == (FAULTS_MAX + 1, f"schedule.xml: and {10_001 - FAULTS_MAX} more faults")


def test_no_text_turns_what_stands_behind_it():
    """A name with U+202E turned the code beside it around, on the board from which it is read aloud."""
    turning = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    assert one_line(f"Bert{turning} Example") == "Bert Example"
    assert one_line("דנה כהן") == "דנה כהן"
