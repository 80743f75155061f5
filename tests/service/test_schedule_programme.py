"""Programmes are taken into drafts and frozen into releases; the same file twice changes nothing."""

import asyncio
import gzip
from dataclasses import replace
from datetime import timedelta

import pytest

from conferences_made import PROMISE, SLUG, a_programme, a_talk, an_arrival, at, bring, told
from house import House
from softlanding.conferences import list_conferences
from softlanding.errors import Invalid, NotFound, Refused
from softlanding.formats import write_xml
from softlanding.links import Presented
from softlanding.sample import sample
from softlanding.schedule import store, views
from softlanding.schedule.actions.journeys import announce_arrival
from softlanding.schedule.actions.programme import (
    WouldRemove,
    import_programme,
    prepare,
    prepare_import,
    release_draft,
)
from softlanding.schedule.actions.sample import at_up
from softlanding.schedule.model import Change


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, names=["schedule"])


def write(house, action, *args, **more):
    return house["schedule"].database.write_now(action, *args, **more)


def read(house, view, *args):
    return house["schedule"].database.read_now(view, *args)


def test_an_import_is_a_draft_and_nothing_is_public(house):
    report = write(house, import_programme, prepare(a_programme(), "file.xml"))
    assert (report["added"], report["same"], report["is_same"]) == (2, 0, False)
    assert [fact.title for fact in told(house, "conference.changed")] == ["Wharf 2026"]
    assert told(house, "release.published") == []
    assert read(house, store.programmes.list_newest) == []


def test_the_same_file_twice_changes_nothing_and_says_so(house):
    body = write_xml(a_programme(), "1", "https://example.org/wharf")
    for expected in (False, True):
        report = write(house, import_programme, asyncio.run(prepare_import(body, "schedule.xml", None)))
        assert report["is_same"] is expected
    first = write(house, release_draft, SLUG, promise=PROMISE)
    before = len(told(house))
    again = write(house, release_draft, SLUG, promise=PROMISE)
    assert (first["number"], again["number"], again["is_same"]) == (1, 1, True)
    assert len(told(house)) == before


def test_a_dry_run_changes_nothing(house):
    report = write(house, import_programme, prepare(a_programme(), "file.xml"), dry_run=True)
    assert (report["added"], report["dry_run"]) == (2, True)
    assert read(house, list_conferences) == []


def test_a_first_release_is_told_without_changes(house):
    bring(house, a_programme(), by="Ana")
    [fact] = told(house, "release.published")
    assert (fact.number, fact.talks, fact.speakers, fact.rooms) == (1, 2, 2, 1)
    assert (fact.added, fact.removed, fact.moved) == ((), (), ())
    assert told(house, "talk.moved") == []


def test_the_next_release_tells_what_changed(house):
    bring(house, a_programme(a_talk("A"), a_talk("B", at(11)), a_talk("C", at(12))))
    bring(
        house,
        a_programme(a_talk("A", at(10, 30)), a_talk("C", at(12), is_cancelled=True), a_talk("D", at(13))),
        note="So",
    )
    fact = told(house, "release.published")[-1]
    assert (fact.number, fact.note, fact.added, fact.moved) == (2, "So", ("D",), ("A",))
    assert set(fact.removed) == {"B", "C"}
    [moved] = told(house, "talk.moved")
    assert (moved.talk, moved.was_at, moved.starts_at, moved.release) == ("A", at(10), at(10, 30), 2)
    assert {cancelled.talk for cancelled in told(house, "talk.cancelled")} == {"B", "C"}


def test_a_release_is_frozen_with_the_sequence_of_each_talk_and_what_was_removed(house):
    bring(house, a_programme(a_talk("A"), a_talk("B", at(11))))
    bring(house, a_programme(a_talk("A", at(10, 30))))
    release = read(house, store.programmes.load_newest_release, SLUG)
    assert [(talk.code, talk.sequence) for talk in release.programme.talks] == [("A", 1)]
    assert [(talk.code, talk.sequence) for talk in release.removed] == [("B", 1)]
    assert release.head.changes[0] == Change("moved", "A", "On A", "Sat 9 May 10:00, Hall", "Sat 9 May 10:30, Hall")
    assert [talk.code for talk in read(house, store.programmes.load_release, SLUG, 1).programme.talks] == ["A", "B"]


def test_another_acronym_is_another_conference(house):
    bring(house, a_programme())
    write(house, import_programme, prepare(a_programme(acronym="wharf-2027"), "file.xml"))
    assert {each.slug for each in read(house, list_conferences)} == {SLUG, "wharf-2027"}


def test_an_unreleased_change_of_the_title_is_not_public(house):
    bring(house, a_programme())
    other = a_programme()
    other = replace(other, conference=replace(other.conference, title="Wharf, at last"))
    write(house, import_programme, prepare(other, "file.xml"))
    assert [each.title for each in read(house, list_conferences)] == ["Wharf 2026"]
    write(house, release_draft, SLUG, promise=PROMISE)
    assert [each.title for each in read(house, list_conferences)] == ["Wharf, at last"]


def test_there_is_nothing_to_release_without_talks_or_a_draft(house):
    with pytest.raises(NotFound):
        write(house, release_draft, "nowhere-1", promise=PROMISE)
    empty = prepare(replace(a_programme(), talks=()), "file.xml")
    given = (empty.text, empty.digest, {})
    write(
        house, lambda tx, now: store.programmes.save_draft(tx, now, SLUG, *given)
    )  # As before empty ones were refused.
    with pytest.raises(Refused):
        write(house, release_draft, SLUG, promise=PROMISE)


def of_talks(number):
    """A programme of so many talks."""
    return prepare(a_programme(*(a_talk(f"T{n}", at(8 + n)) for n in range(number))), "file.xml")


@pytest.mark.parametrize(
    ("before", "after", "asks"), [(6, 4, False), (6, 3, True), (6, 1, True), (3, 2, False), (1, 1, False)]
)
def test_a_file_that_takes_away_more_than_a_third_asks_first(house, before, after, asks):
    bring(house, of_talks(before).programme)
    draft = read(house, store.programmes.load_draft_head, SLUG)
    words = f"file.xml would remove {before - after} of {before} talks from the draft of wharf-2026"
    dry = write(house, import_programme, of_talks(after), dry_run=True)
    assert dry["warnings"] == ([f"{words}: this asks first"] if asks else [])
    if asks:
        for accepted in (0, before - after - 1):
            with pytest.raises(WouldRemove, match=words):
                write(house, import_programme, of_talks(after), accept_removed=accepted)
        assert read(house, store.programmes.load_draft_head, SLUG) == draft
    report = write(house, import_programme, of_talks(after), accept_removed=before - after)
    assert report["removed"] == before - after


def test_a_file_without_a_talk_leaves_the_draft_as_it_is(house):
    bring(house, of_talks(3).programme)
    with pytest.raises(Invalid, match="there is no talk in it"):
        write(house, import_programme, prepare(replace(a_programme(), talks=()), "file.xml"), accept_removed=None)
    assert len(read(house, store.programmes.load_draft, SLUG).talks) == 3


def test_a_broken_file_is_refused_with_file_line_and_reason():
    with pytest.raises(Invalid) as refusal:
        asyncio.run(prepare_import(b"<schedule>\n<conference>\n</schedule>", "broken.xml", None))
    assert refusal.value.faults[0].where.startswith("broken.xml:")


def test_the_desk_shows_the_draft_against_what_is_public(house):
    bring(house, a_programme(a_talk("A"), a_talk("B", at(11))))
    assert read(house, views.desk.desk, SLUG, house.clock.now())["changes_total"] == 0
    write(house, import_programme, prepare(a_programme(a_talk("A"), a_talk("B", at(10, 15))), "next.xml"))
    desk = read(house, views.desk.desk, SLUG, house.clock.now())
    assert [(change["kind"], change["code"]) for change in desk["changes"]] == [("moved", "B")]
    assert [fault["blocks"] for fault in desk["faults"]] == [False, False]
    assert "Hall is taken twice" in desk["faults"][0]["text"]
    assert (desk["release"]["number"], desk["imported"]["file"]) == (1, "next.xml")


def test_a_programme_of_a_thousand_talks_is_imported_and_released(house):
    talks = tuple(
        a_talk(
            f"T{n:04}", at(8 + n % 12), room=f"Room {n % 37}", persons=("ADA",), description_html="<p>word </p>" * 200
        )
        for n in range(1079)
    )
    prepared = prepare(a_programme(*talks), "large.xml")
    for action, given in ((import_programme, (prepared,)), (release_draft, (SLUG,))):
        write(house, action, *given)
    assert [fact.talks for fact in told(house, "release.published")] == [1079]


def test_gzip_is_no_obstacle(house):
    body = gzip.compress(write_xml(a_programme(), "1", "https://example.org/wharf"))
    assert asyncio.run(prepare_import(body, "schedule.xml.gz", None)).conference == SLUG


async def up(house, day):
    return await at_up(house["schedule"].database, day, PROMISE)


def run_up(house, days):
    return asyncio.run(up(house, house.clock.now().date() + timedelta(days=days)))


def test_an_empty_installation_gets_the_sample_released_and_asked_for(house):
    answer = run_up(house, 1)
    assert (answer["did"], answer["conference"], answer["faults"]) == ("loaded", "softconf", [])
    assert len(told(house, "pickup.requested")) == len(sample(house.clock.now().date()).arrivals) == answer["arrivals"]
    assert [fact.number for fact in told(house, "release.published")] == [1]
    assert len(told(house, "person.granted")) == len(sample(house.clock.now().date()).staff)
    assert run_up(house, 1)["did"] == "nothing"


def test_an_untouched_sample_is_moved_without_saying_that_talks_moved(house):
    run_up(house, 1)
    first = {fact.pickup for fact in told(house, "pickup.requested")}
    assert run_up(house, 2)["did"] == "moved"
    assert {fact.pickup for fact in told(house, "pickup.withdrawn")} == first
    later = [fact for fact in told(house, "pickup.requested") if fact.pickup not in first]
    assert len(later) == len(first)
    assert told(house, "talk.moved") == []
    assert read(house, store.programmes.load_newest_head, "softconf").changes == ()
    assert run_up(house, 2)["did"] == "nothing"


def test_a_sample_that_somebody_has_touched_stays_where_it_is(house):
    run_up(house, 1)
    write(house, announce_arrival, "softconf", "AMARA", an_arrival(), PROMISE)
    assert run_up(house, 2)["did"] == "nothing"


def test_where_there_is_a_conference_no_sample_comes(house):
    bring(house, a_programme())
    assert run_up(house, 1)["did"] == "nothing"
    assert [each.slug for each in read(house, list_conferences)] == [SLUG]


MERGED = """<schedule><version>{version}</version><conference><acronym>merged</acronym><title>Merged</title>
<time_zone_name>Europe/Berlin</time_zone_name></conference>
<day index="1" date="2026-05-09"><room name="Hall">{events}</room></day></schedule>"""
EVENT = """<event guid="{guid}" id="{number}"><date>2026-05-09T{hour}:00:00+02:00</date><duration>0:30</duration>
<title>Talk of {name}</title><persons><person id="2">{name}</person></persons></event>"""
ALVA = EVENT.format(guid="37eb085e-89c8-5118-b191-ab67301779d6", number=852, hour=12, name="Alva Ahlgren")
BODO = EVENT.format(guid="93bbd488-19b6-517a-8f24-78ddcd10fbfc", number=340, hour=11, name="Bodo Brandt")


@pytest.mark.parametrize("first", [ALVA + BODO, ALVA], ids=["both", "one"])
@pytest.mark.parametrize("then", [BODO + ALVA, BODO], ids=["both", "the other"])
def test_link_journey_and_pickup_stay_with_whom_they_were_made_for_though_two_share_an_id(house, first, then):
    def take(version, events):
        body = MERGED.format(version=version, events=events).encode()
        write(house, import_programme, asyncio.run(prepare_import(body, "merged.xml", None)), accept_removed=None)
        write(house, release_draft, "merged", promise=PROMISE)

    take(1, first)
    house.run()  # Links are made.
    [alva] = read(house, store.speakers.find_speakers, "merged", "Alva Ahlgren")
    link = read(house, store.speakers.links_by_speaker, "merged")[alva.code]
    write(house, announce_arrival, "merged", alva.code, an_arrival(), PROMISE)
    take(2, then)
    house.run()
    assert read(house, store.speakers.find_speakers, "merged", "Alva Ahlgren")[0].code == alva.code
    assert read(house, store.speakers.load_speaker, "merged", alva.code).name == "Alva Ahlgren"
    assert read(house, store.speakers.load_link, "merged", Presented(link.id, "")).speaker == alva.code
    [bodo] = read(house, store.speakers.find_speakers, "merged", "Bodo Brandt")
    assert [talk.title for talk in bodo.talks] == ["Talk of Bodo Brandt"]
    assert bodo.code != alva.code
    [way] = read(house, views.journeys.arrivals, "merged", "Europe/Berlin")
    assert (way["speaker"]["code"], way["speaker"]["name"]) == (alva.code, "Alva Ahlgren")
    assert {fact.talk_title for fact in told(house, "pickup.changed")} <= {None}  # Her talk alone, or none any more.
