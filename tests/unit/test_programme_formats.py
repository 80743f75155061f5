"""Programmes in the field's formats: what is repaired, what is refused, and that what is written comes back whole."""

import gzip
import json
import re
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from softlanding.errors import Invalid
from softlanding.formats import Reading, read_programme, write_ics, write_json, write_xml
from softlanding.formats.identity import acronym_from, code_from, guid_from, slug_from, slug_given, unused
from softlanding.formats.programme import (
    LINK_KINDS,
    Break,
    Conference,
    Day,
    Link,
    Person,
    Programme,
    Room,
    Talk,
    Track,
    by_appearance,
    in_order,
    talks_by_day,
)
from softlanding.formats.texts import one_line, plain_from_html, safe_html, web_address

FIXTURES = Path(__file__).parent.parent / "fixtures" / "programmes"
BASE_URL = "https://softlanding.example.org/lighthouse/"


def read_small(name: str = "small.xml", old: str = "", new: str = "", zone: str | None = None) -> Reading:
    """A fixture, with one text of it replaced."""
    text = (FIXTURES / name).read_text(encoding="utf-8")
    assert old in text
    return read_programme(text.replace(old, new).encode() if old else text.encode(), name, zone)


def faults_of(body: bytes | str, filename: str = "file.xml", zone: str | None = None) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        read_programme(body.encode() if isinstance(body, str) else body, filename, zone)
    return [str(fault) for fault in refusal.value.faults]


# Reading


def test_a_talk_is_read_whole() -> None:
    talk = read_small().programme.talks[0]
    assert talk == Talk(
        code="LAMPS1",
        guid="0c9e1f86-5c9c-4d22-8c0f-2d7fd6a3b001",
        number=11,
        title="Keeping a light on",
        subtitle="without a keeper",
        room="Lamp room",
        starts_at=datetime(2026, 3, 28, 10, tzinfo=UTC),
        duration=timedelta(minutes=45),
        track="Lamps",
        kind="talk",
        language="en",
        abstract_html="<p>Oil, <b>glass</b> and patience.</p>",
        description_html=talk.description_html,
        persons=talk.persons,
        links=(Link("https://lighthouse.example.org/a%20b", "A page"),),
        recording_license="CC BY 4.0",
        do_not_record=True,
    )


def test_every_repair_is_reported_with_its_line() -> None:
    notes = [str(note) for note in read_small().notes]
    assert "small.xml:4: the conference's address is lighthouse-2026: made from LightHouse 2026" in notes
    assert "small.xml:37: a link that is no web address was left out: javascript:alert(1)" in notes
    assert "small.xml:59: a control character, which XML forbids, was left out" in notes
    assert len(notes) == 11


def test_what_recurs_is_said_once_with_its_count() -> None:
    event = '<event id="{}"><start>10:00</start><duration>0:30</duration><title>A</title></event>'
    body = xml(events="".join(event.format(number) for number in range(1, 6)))
    notes = [note for note in read_programme(body, "a.xml", "Europe/Brussels").notes if "guid" in note.what]
    assert [note.times for note in notes] == [5]
    assert "(5 times, first here)" in str(notes[0])


def test_talks_after_midnight_belong_to_the_day_before() -> None:
    programme = read_small().programme
    [(day, talks)] = talks_by_day(programme)
    assert day.on == date(2026, 3, 28)
    assert [talk.title for talk in talks] == ["Keeping a light on", "Night watch", "Foghorn karaoke"]
    assert talks[2].starts_at == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)


def test_day_bounds_in_utc_are_dated_where_the_conference_is() -> None:
    reading = read_small("small.json")
    assert [day.on for day in reading.programme.days] == [date(2026, 5, 1)]
    assert "2026-05-01 in Asia/Kolkata, not 2026-04-30" in str(reading.notes[0])


def test_a_conference_that_starts_in_another_zone_starts_on_its_own_date() -> None:
    assert read_small().programme.conference.starts_on == date(2026, 3, 28)
    assert read_small(old="03-28T22:00:00Z", new="03-27T23:30:00-05:00").programme.conference.starts_on == date(
        2026, 3, 28
    )


def test_guids_that_are_no_uuids_are_kept_for_ever() -> None:
    programme = read_small().programme
    assert programme.talks[1].guid == "not-a-uuid-but-kept"
    again = read_programme(write_xml(programme, "1.0", BASE_URL), "again.xml").programme
    assert again.talks[1].guid == "not-a-uuid-but-kept"


def test_a_missing_guid_is_made_again_the_same_whatever_else_changes() -> None:
    before = read_small().programme.talks[2].guid
    moved = read_small(old="<start>00:30</start>", new="<start>01:30</start>").programme.talks[2]
    renamed = read_small(old="horn karaoke", new="horn opera").programme.talks[2]
    assert before == moved.guid == renamed.guid
    assert read_small(old="LightHouse", new="DarkHouse").programme.talks[2].guid != before


def test_a_guid_that_occurs_twice_is_told_apart() -> None:
    reading = read_small(old="not-a-uuid-but-kept", new="0c9e1f86-5c9c-4d22-8c0f-2d7fd6a3b001")
    assert len({talk.guid for talk in reading.programme.talks}) == 3
    assert any("a guid occurs twice" in note.what and note.where == "small.xml:41" for note in reading.notes)


def test_one_person_id_for_different_people_keeps_them_apart() -> None:
    programme = read_small().programme
    names = {person.code: person.name for person in programme.persons}
    assert [names[code] for code in programme.talks[1].persons] == ["Someone Else"]
    assert len({person.number for person in programme.persons}) == len(programme.persons) == 3


def talks_by(*persons: tuple[str, str]) -> Reading:
    """A programme with one talk each of these (id, name)."""
    event = (
        '<event guid="{0}" id="{1}"><start>1{1}:00</start><duration>0:30</duration><title>T</title>'
        '<persons><person id="{2}">{3}</person></persons></event>'
    )
    events = "".join(event.format(f"{n:08}-0000-4000-8000-000000000000", n, *one) for n, one in enumerate(persons, 1))
    body = (
        "<schedule><version>1</version><conference><acronym>merged</acronym><time_zone_name>Europe/Berlin"
        '</time_zone_name></conference><day index="1" date="2027-01-16"><room name="Hall">'
    )
    return read_programme(f"{body}{events}</room></day></schedule>".encode(), "merged.xml")


def test_whose_code_is_whose_does_not_depend_on_who_comes_first() -> None:
    alva, bodo = ("2", "Alva Ahlgren"), ("2", "Bodo Brandt")
    one, other = talks_by(alva, bodo), talks_by(bodo, alva)
    codes = [{person.name: person.code for person in reading.programme.persons} for reading in (one, other)]
    assert codes[0] == codes[1]
    alone = talks_by(alva).programme.persons[0].code
    assert alone not in codes[0].values()
    assert alone in one.other_codes[codes[0]["Alva Ahlgren"]]
    assert sum("kept apart" in note.what for note in one.notes) == 2


def test_one_person_in_two_spellings_of_one_id_is_one_person() -> None:
    reading = talks_by(("2", "Zoë Müller"), ("2", "ZOE MULLER"), ("3", "Bodo Brandt"))
    assert [person.name for person in reading.programme.persons] == ["Zoë Müller", "Bodo Brandt"]
    assert len({talk.persons for talk in reading.programme.talks}) == 2
    assert not any("kept apart" in note.what for note in reading.notes)


def test_a_persons_code_survives_a_change_of_name() -> None:
    before = {person.name: person.code for person in read_small().programme.persons}
    after = {person.name: person.code for person in read_small(old="Tom Tide", new="Thomas Tide").programme.persons}
    assert before["Tom Tide"] == after["Thomas Tide"]


def test_both_kinds_of_persons_and_codes_in_slugs_are_understood_in_json() -> None:
    programme = read_small("small.json").programme
    assert [(person.name, person.code) for person in programme.persons][1] == ("Hitch Henry", "ABC123")
    assert programme.talks[0].code == "QWERTZ"
    assert programme.talks[0].links == (Link("https://harbour.example.org/files/knots.pdf", "Slides", "slides"),)


def test_a_title_that_says_cancelled_makes_the_talk_so() -> None:
    talk = read_small().programme.talks[1]
    assert (talk.title, talk.is_cancelled) == ("Night watch", True)
    assert not read_small(old="[CANCELED] Night watch", new="Cancelled flights and me").programme.talks[1].is_cancelled


def test_a_gzipped_file_is_read() -> None:
    body = (FIXTURES / "small.xml").read_bytes()
    assert read_programme(gzip.compress(body, mtime=0), "small.xml").programme == read_small().programme


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_other_encodings_and_byte_order_marks_are_read(encoding: str) -> None:
    text = (FIXTURES / "small.xml").read_text(encoding="utf-8").split("?>\n", 1)[1]
    assert read_programme(text.encode(encoding), "small.xml").programme.talks[0].title == "Keeping a light on"


# Zones


def test_without_a_zone_the_way_out_is_named() -> None:
    body = xml(events='<event id="1"><start>10:00</start><duration>0:30</duration><title>A</title></event>')
    assert faults_of(body) == [
        "file.xml:1: the file names no time zone: "
        "pass --zone Europe/Brussels (the IANA name of the conference's own zone)"
    ]
    talk = read_programme(body, "file.xml", "Europe/Brussels").programme.talks[0]
    assert talk.starts_at == datetime(2026, 1, 31, 9, tzinfo=UTC)


def test_a_misspelt_zone_gets_the_nearest() -> None:
    assert "did you mean Europe/Brussels" in faults_of(xml(events=""), zone="Europe/Brusels")[0]


def test_offsets_stand_in_for_a_zone_and_say_so() -> None:
    reading = read_small(old="<time_zone_name>Europe/Lisbon</time_zone_name>", new="", zone="Europe/Lisbon")
    assert reading.programme == read_small().programme
    event = "<event id='1'><date>2026-01-31T10:00:00+05:00</date><duration>0:30</duration><title>A</title></event>"
    reading = read_programme(xml(events=event), "a.xml")
    assert reading.programme.conference.zone == "Etc/GMT-5"
    assert any("without summer time" in note.what for note in reading.notes)


def test_two_offsets_are_no_zone() -> None:
    event = "<event id='{0}'><date>2026-01-31T10:00:00+0{0}:00</date><duration>0:30</duration><title>A</title></event>"
    assert "names no time zone" in faults_of(xml(events=event.format(1) + event.format(2)))[0]


# Refusals


def test_an_entity_bomb_is_refused() -> None:
    entities = '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    bomb = f"<!DOCTYPE schedule [{entities}]><schedule>&b;</schedule>"
    assert "DOCTYPE can hide entity bombs" in faults_of(bomb)[0]
    assert "DOCTYPE can hide entity bombs" in faults_of(("<!-- x --><?x y?>" + bomb).encode("utf-16"))[0]


def test_an_external_entity_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    body = f'<!DOCTYPE schedule [<!ENTITY x SYSTEM "{secret.as_uri()}">]><schedule><version>&x;</version></schedule>'
    faults = faults_of(body)
    assert "DOCTYPE" in faults[0]
    assert "the secret" not in "".join(faults)


def test_conflict_markers_are_each_named_with_their_lines() -> None:
    text = (FIXTURES / "small.xml").read_text(encoding="utf-8")
    broken = text.replace(
        "  <version>0.7 draft</version>\n",
        "<<<<<<< HEAD\n<version>1</version>\n=======\n<version>2</version>\n>>>>>>> 9e6\n",
    )
    where = [fault.split(": ")[0] for fault in faults_of(broken, "schedule.xml")]
    assert where == ["schedule.xml:3", "schedule.xml:5", "schedule.xml:7"]


def test_all_faults_of_a_file_are_listed_at_once() -> None:
    events = "\n".join(
        (
            '<event id="1" guid="a"><date>soon</date><duration>0:30</duration><title>A</title></event>',
            '<event id="2" guid="b"><start>10:00</start><duration>long</duration><title>B</title></event>',
            '<event id="3" guid="c"><duration>0:30</duration><title>C</title></event>',
        )
    )
    faults = faults_of(xml(events="\n" + events), zone="Europe/Brussels")
    assert [fault.split(": ")[0] for fault in faults] == ["file.xml:2", "file.xml:4", "file.xml:3"]
    assert "date 'soon'" in faults[0]
    assert "neither date nor start" in faults[1]
    assert "duration 'long' cannot be read: write 0:45" in faults[2]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the file is empty"),
        (b"BEGIN:VCALENDAR\r\n", "this is an iCalendar file"),
        (b"PK\x03\x04", "zip or spreadsheet"),
        (b"<!DOCTYPE html><html></html>", "this is a web page"),
        (b"<html><body/></html>", "this is a web page"),
        (b"<schedule><day><entry id='1'/></day></schedule>", "found <schedule> with <day>"),
        (b"<rss version='2.0'><channel/></rss>", "found <rss> with <channel>"),
        (b"<schedule>\n<conference>\n</schedule>", "file.xml:3: this is not well-formed XML"),
        (b'{"schedule": {"conference": {"days": []}}}', "schedule.conference.days is expected"),
        (b'{"schedule":\n nope}', "file.xml:2: this is not well-formed JSON"),
        (b'[{"schedule": NaN}]', "NaN is no number in JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"just words", "neither XML nor JSON"),
        (b"\x1f\x8bnonsense", "the gzip file is damaged"),
        (gzip.compress(b"<schedule/>" * 1000, mtime=0)[:40], "the gzip file is cut short"),
    ],
)
def test_what_is_no_programme_is_refused_in_words(body: bytes, reason: str) -> None:
    assert reason in faults_of(body)[0]


def test_a_gzip_bomb_is_refused() -> None:
    assert "larger than 64 MB" in faults_of(gzip.compress(b" " * (65 * 1024 * 1024), mtime=0))[0]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    body = (FIXTURES / data.draw(st.sampled_from(["small.xml", "small.json"]))).read_bytes()
    begin = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(begin, min(len(body), begin + 60)))
    damaged = body[:begin] + data.draw(st.binary(max_size=12)) + body[end:]
    with suppress(Invalid):
        assert read_programme(damaged, "damaged", "Europe/Lisbon").programme.days


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_odd_values_in_json_are_repaired_or_refused_but_never_crash(data: st.DataObject) -> None:
    document = json.loads(write_json(read_small().programme, "1.0", BASE_URL))
    node = document
    while True:
        keys = list(range(len(node))) if isinstance(node, list) else list(node)
        key = data.draw(st.sampled_from(keys))
        if not node[key] or not isinstance(node[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
            break
        node = node[key]
    odd = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text()
        | st.just([[]])
        | st.just({"": []})
    )
    node[key] = data.draw(odd | st.sampled_from(["0001-01-01", "9999-12-31T23:59:59-23:59", "99:99", "-1:00"]))
    with suppress(Invalid):
        assert read_programme(json.dumps(document).encode(), "odd.json", "Asia/Kolkata").programme.days


def xml(events: str) -> bytes:
    """A schedule without zone, version or guids, as Pentabarf wrote them."""
    day = f'<day index="1" date="2026-01-31"><room name="R">{events}</room></day>'
    return f"<schedule><conference><title>Old Days</title></conference>{day}</schedule>".encode()


# Texts


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("One\ntwo\n\nthree", "<p>One<br>\ntwo</p>\n<p>three</p>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("List<String> & *more*", "<p>List&lt;String&gt; &amp; <em>more</em></p>"),
        ("<h1>Big</h1><img src=x onerror=alert(1)>", "<h3>Big</h3>"),
        ('<a href="/inside">x</a>', '<a rel="noopener noreferrer nofollow">x</a>'),
        ('<a href="javascript:x">x</a>', '<a rel="noopener noreferrer nofollow">x</a>'),
        ("<div>2 < 3</div>", "<p>2 &lt; 3</p>"),
        ("`rm -rf` snake_case_name 2*3*4", "<p><code>rm -rf</code> snake_case_name 2*3*4</p>"),
    ],
)
def test_abstracts_become_safe_html(text: str, safe: str) -> None:
    assert safe_html(text) == safe


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text(alphabet="<>/pbaliu &;#1x-*`[]()\n\"'=:.h"))
def test_safe_html_is_safe_and_stays_as_it_is(text: str) -> None:
    safe = safe_html(text)
    assert safe_html(safe) == safe
    tags = set(re.findall(r"</?([a-z0-9]+)", safe))
    assert not tags & {"script", "style", "img", "iframe", "svg", "form", "input"}


@settings(deadline=None)
@given(st.text() | st.from_regex(r"https?://[^\s/]{1,8}/.{0,12}", fullmatch=True))
def test_web_addresses_stay_as_they_are_once_clean(text: str) -> None:
    address = web_address(text)
    assert address == "" or re.fullmatch(r"https?://[!-~]+", address)
    assert web_address(address) == address


def test_html_becomes_lines_for_calendars() -> None:
    assert plain_from_html("<p>A &amp; B</p><ul><li>c</li><li>d</li></ul>") == "A & B\n\n- c\n- d"


# Writing


lines = st.text(alphabet=st.characters(codec="utf-8"), max_size=30).map(one_line)
names = lines.filter(bool)
titles = names.filter(lambda title: not title.startswith("[CANCELED] ")) | st.just("Cancelled: [CANCELED]")
htmls = st.text(alphabet=st.characters(codec="utf-8"), max_size=60).map(safe_html)
moments = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
addresses = st.sampled_from(["", "https://a.example.org/x?y=1#z", "http://b.example.org/%20"])
links = st.builds(Link, addresses.filter(bool), lines, st.sampled_from(["", *LINK_KINDS]))
ZONES = ("Europe/Brussels", "Asia/Kolkata", "America/New_York", "America/Argentina/Buenos_Aires", "Etc/GMT-5", "UTC")


@st.composite
def programmes(draw: st.DrawFn) -> Programme:
    """Whole programmes: some days, in zones with and without summer time, with all that a talk may bear."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    first = draw(st.dates(date(2024, 1, 1), date(2030, 1, 1)))
    acronym = acronym_from(draw(names))
    days = tuple(_day(number, first, zone) for number in range(1, draw(st.integers(1, 4)) + 1))
    slugs: set[str] = set()
    rooms = tuple(
        Room(
            name,
            unused(slug_from(name, "room"), slugs),
            guid_from(name),
            draw(st.none() | st.integers(0, 9999)),
            draw(lines),
        )
        for name in draw(st.lists(names, min_size=1, max_size=4, unique=True))
    )
    slugs = set()
    tracks = tuple(
        Track(name, unused(slug_from(name, "track"), slugs), draw(st.sampled_from(["", "#00ff7f"])))
        for name in draw(st.lists(names, max_size=3, unique=True))
    )
    everybody = [
        Person(code_from(str(n)), draw(names), n, guid_from(str(n)), draw(htmls), draw(addresses)) for n in range(1, 6)
    ]
    talks = in_order(
        tuple(draw(talk(n, days, rooms, tracks, everybody)) for n in range(1, draw(st.integers(0, 6)) + 1)), rooms
    )
    return Programme(
        version=draw(lines),
        conference=Conference(
            acronym,
            draw(names),
            zone.key,
            first,
            days[-1].on,
            timedelta(minutes=draw(st.integers(1, 90))),
            draw(addresses),
        ),
        days=days,
        rooms=rooms,
        tracks=tracks,
        persons=by_appearance(tuple(everybody), talks),
        talks=talks,
        breaks=tuple(
            draw(
                st.lists(st.builds(Break, lines, moments, minutes(0), st.sampled_from(["", rooms[0].name])), max_size=3)
            )
        ),
        released_at=draw(st.none() | moments),
    )


def minutes(low: int) -> st.SearchStrategy[timedelta]:
    return st.integers(low, 9000).map(lambda count: timedelta(minutes=count))


@st.composite
def talk(
    draw: st.DrawFn,
    number: int,
    days: tuple[Day, ...],
    rooms: tuple[Room, ...],
    tracks: tuple[Track, ...],
    people: list[Person],
) -> Talk:
    day = draw(st.sampled_from(days))
    into = draw(st.integers(0, int((day.ends_at - day.starts_at) / timedelta(minutes=1)) - 1))
    return Talk(
        code=draw(st.sampled_from([f"K7Q{number}", f"K7QXA{number}"])),
        guid=draw(st.sampled_from([guid_from("talk", str(number)), f"old guid {number}"])),
        number=number,
        title=draw(titles),
        room=draw(st.sampled_from(rooms)).name,
        starts_at=day.starts_at + timedelta(minutes=into),
        duration=draw(minutes(0)),
        subtitle=draw(lines),
        track=draw(st.sampled_from(["", *(track.name for track in tracks)])),
        kind=draw(lines),
        language=draw(st.sampled_from(["", "en", "pt-BR"])),
        abstract_html=draw(htmls),
        description_html=draw(htmls),
        persons=tuple(person.code for person in draw(st.lists(st.sampled_from(people), unique=True, max_size=3))),
        url=draw(addresses),
        feedback_url=draw(addresses),
        links=tuple(draw(st.lists(links, max_size=2))),
        attachments=tuple(draw(st.lists(links, max_size=2))),
        recording_license=draw(lines),
        do_not_record=draw(st.booleans()),
        do_not_stream=draw(st.booleans()),
        is_cancelled=draw(st.booleans()),
        sequence=draw(st.integers(0, 9)),
        changed_at=draw(st.none() | moments),
    )


def _day(number: int, first: date, zone: ZoneInfo) -> Day:
    on = first + timedelta(days=number - 1)
    bounds = [datetime.combine(day, time(4), tzinfo=zone).astimezone(UTC) for day in (on, on + timedelta(days=1))]
    return Day(number, on, *bounds)


@settings(max_examples=150, deadline=None)
@given(programmes())
def test_what_is_written_as_xml_comes_back_whole(programme: Programme) -> None:
    read = read_programme(write_xml(programme, "1.0", BASE_URL), "schedule.xml").programme
    assert read == programme


@settings(max_examples=150, deadline=None)
@given(programmes())
def test_what_is_written_as_json_comes_back_whole(programme: Programme) -> None:
    read = read_programme(write_json(programme, "1.0", BASE_URL), "schedule.json").programme
    assert read == programme


def test_mail_addresses_never_leave() -> None:
    programme = read_small().programme
    private = replace(
        programme, persons=tuple(replace(person, email="someone@private.example.org") for person in programme.persons)
    )
    for write in (write_xml, write_json, write_ics):
        assert b"private.example.org" not in write(private, "1.0", BASE_URL)


def test_the_same_programme_gives_the_same_bytes() -> None:
    for write in (write_xml, write_json, write_ics):
        assert write(read_small().programme, "1.0", BASE_URL) == write(read_small().programme, "1.0", BASE_URL)


def test_written_xml_has_what_the_schema_demands() -> None:
    root = etree.fromstring(write_xml(read_small().programme, "1.0", BASE_URL))
    assert [child.tag for child in root if isinstance(child.tag, str)] == [
        "generator",
        "url",
        "version",
        "conference",
        "day",
    ]
    assert root.findtext("conference/acronym") == "lighthouse-2026"
    for event in root.iter("event"):
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", event.get("guid"))
        assert int(event.get("id")) > 0
        assert re.fullmatch(r"\d{2}:\d{2}", event.findtext("duration"))
        assert re.fullmatch(r"[a-z0-9_]{4,}-[a-z0-9_-]{4,}", event.findtext("slug"))
    assert root.find(".//event/date").text == "2026-03-28T10:00:00+00:00"
    assert root.findall(".//event")[1].findtext("title") == "[CANCELED] Night watch"


def test_written_json_has_what_the_schema_demands() -> None:
    document = json.loads(write_json(read_small().programme, "1.0", BASE_URL))
    conference = document["schedule"]["conference"]
    assert conference["acronym"] == "lighthouse_2026"
    assert conference["daysCount"] == 1
    events = [event for day in conference["days"] for room in day["rooms"].values() for event in room]
    assert events[0]["url"] == f"{BASE_URL}talks/LAMPS1/"
    for person in (person for event in events for person in event["persons"]):
        assert "public_name" not in person
        assert person["code"].isalnum()


def test_the_calendar_names_its_zone_and_tells_what_was_taken_back() -> None:
    programme = read_small().programme
    gone = replace(programme.talks[0], guid=guid_from("gone"), title="Gone", sequence=4)
    calendar = icalendar.Calendar.from_ical(write_ics(programme, "1.0", BASE_URL, removed=[gone]))
    events = {str(event["summary"]): event for event in calendar.walk("VEVENT")}
    assert [str(zone["tzid"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Lisbon"]
    assert {name: str(event["status"]) for name, event in events.items()} == {
        "Keeping a light on": "CONFIRMED",
        "Night watch": "CANCELLED",
        "Foghorn karaoke": "CONFIRMED",
        "Gone": "CANCELLED",
    }
    lamp = events["Keeping a light on"]
    assert lamp["dtstart"].params["tzid"] == "Europe/Lisbon"
    assert lamp["dtstart"].dt == programme.talks[0].starts_at
    assert str(lamp["uid"]) == programme.talks[0].guid
    assert events["Gone"]["sequence"] == 4
    assert "Filipa Farol, Tom Tide" in lamp["description"]


def test_a_change_rises_through_the_calendar() -> None:
    at = datetime(2026, 2, 1, 12, tzinfo=UTC)
    programme = read_small().programme
    changed = replace(programme.talks[0], sequence=2, changed_at=at)
    calendar = icalendar.Calendar.from_ical(
        write_ics(replace(programme, talks=(changed, *programme.talks[1:])), "1.0", BASE_URL)
    )
    event = next(event for event in calendar.walk("VEVENT") if str(event["uid"]) == changed.guid)
    assert (event["sequence"], event["last-modified"].dt, event["dtstamp"].dt) == (2, at, at)


def test_addresses_from_a_file_are_cut_like_those_made_here() -> None:
    """They are the names of files."""
    assert slug_given("a" * 59 + "-" + "b" * 240) == "a" * 59
    assert slug_given("hall-1") == "hall-1"
    assert slug_given("../etc") == ""
    assert len(slug_from("x" * 300, "room")) == len(slug_given("x" * 300)) == 60
    spoilt = read_small(old='<room name="Lamp room"', new=f'<room name="Lamp room" slug="{"r" * 300}"')
    assert [len(room.slug) for room in spoilt.programme.rooms if room.name == "Lamp room"] == [60]
