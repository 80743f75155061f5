"""Releases become files: whole or not at all, the same bytes for the same release, whenever the process is killed."""

import asyncio
import gzip
import json
import os
import shutil
from pathlib import Path

import pytest
from lxml import etree

from conferences_made import SLUG, a_programme, a_talk, at, bring
from house import House
from softlanding import incidents
from softlanding.formats import read_programme
from softlanding.schedule import store, views
from softlanding.schedule.publish import pages, publisher


@pytest.fixture
def house(tmp_path):
    return House(tmp_path, names=["schedule"])


def site_of(house) -> Path:
    return house.settings.data_folder / "site"


def public(house, path="") -> Path:
    """What the front door would serve at this path."""
    site = site_of(house)
    return site / "trees" / (site / "current.txt").read_text() / SLUG / path


def test_a_release_becomes_pages_and_exports(house):
    bring(house, a_programme(a_talk("AB2", title="Tom & Jerry <3")))
    house.run()
    assert "Tom &amp; Jerry &lt;3" in public(house, "index.html").read_text()
    for path in ("talks/AB2", "speakers/ADA", "rooms/hall", "changes", "now"):
        page = public(house, f"{path}/index.html").read_bytes()
        assert public(house, f"{path}.html").read_bytes() == page
        assert gzip.decompress(public(house, f"{path}.html.gz").read_bytes()) == page
    again = read_programme(public(house, "schedule.xml").read_bytes(), "schedule.xml").programme
    assert [talk.title for talk in again.talks] == ["Tom & Jerry <3"]
    assert etree.fromstring(public(house, "schedule.xml").read_bytes()).tag == "schedule"
    assert json.loads(public(house, "schedule.json").read_bytes())["schedule"]["version"] == "v1"
    assert b"BEGIN:VEVENT" in public(house, "schedule.ics").read_bytes()
    assert (site_of(house) / "index.txt").read_text() == SLUG


def test_of_several_conferences_the_home_address_shows_each(house):
    bring(house, a_programme())
    house.run()
    home = site_of(house) / "conferences.html"
    assert not home.exists()
    bring(house, a_programme(acronym="pier-2026"))
    house.run()
    page = home.read_text()
    assert [f'href="/{slug}/"' in page for slug in (SLUG, "pier-2026")] == [True, True]
    assert "Sat 9 May 2026" in page
    assert "csrf" not in page
    house.kill("schedule")
    home.unlink()
    house.start("schedule")
    house.run()
    assert home.read_text() == page


def test_the_settings_may_name_the_conference_that_the_home_address_leads_to(tmp_path):
    house = House(tmp_path, names=["schedule"], default_conference="pier-2026")
    for acronym in (SLUG, "pier-2026"):
        bring(house, a_programme(acronym=acronym))
    house.run()
    assert (site_of(house) / "index.txt").read_text() == "pier-2026"
    assert not (site_of(house) / "conferences.html").exists()


def test_public_pages_bear_no_addresses_of_people(house):
    bring(house, a_programme())
    house.run()
    whole = b"".join(path.read_bytes() for path in public(house).rglob("*") if path.is_file() and path.suffix != ".gz")
    assert b"ada@example.org" not in whole
    assert b"csrf" not in whole


def test_what_changed_is_shown_and_removed_talks_stay_in_calendars(house):
    bring(house, a_programme(a_talk("A"), a_talk("B", at(11))))
    bring(house, a_programme(a_talk("A", at(10, 30))), note="One moved")
    house.run()
    assert "was Sat 9 May 10:00, Hall" in public(house, "talks/A.html").read_text()
    changes = public(house, "changes.html").read_text()
    assert "One moved" in changes
    assert "On B" in changes
    assert b"STATUS:CANCELLED" in public(house, "schedule.ics").read_bytes()
    assert not public(house, "talks/B.html").exists()


def files_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def test_the_same_release_gives_the_same_bytes_and_times(house, tmp_path):
    bring(house, a_programme())
    house.run()
    first = files_in(public(house).resolve())
    (site_of(house)).rename(tmp_path / "elsewhere")
    house.kill("schedule")
    house.start("schedule")
    house.clock.advance(500)
    house.run()
    assert files_in(public(house).resolve()) == first
    assert {stamp // 1_000_000_000 for _, stamp in first.values()} == {int(at(14, day=at(0).date()).timestamp())}


def test_other_looks_or_another_address_are_another_folder():
    one = publisher.wanted_folder(1, "digest", "http://one/x", "0.1")
    assert one == publisher.wanted_folder(1, "digest", "http://one/x", "0.1")
    others = {
        publisher.wanted_folder(*given)
        for given in (
            (1, "digest", "http://two/x", "0.1"),
            (1, "other", "http://one/x", "0.1"),
            (1, "digest", "http://one/x", "0.2"),
        )
    }
    assert len(others | {one}) == 4


class Killed(BaseException):
    """As kill -9, at a line of ours."""


def killed_at(number):
    """An `os.utime` that dies at the given call: in the midst of writing files."""
    calls = iter(range(10_000))

    def utime(path, *args, **more):
        if next(calls) == number:
            raise Killed
        return real(path, *args, **more)

    real = os.utime
    return utime


@pytest.mark.parametrize("moment", [0, 5, 12])
def test_killed_while_it_renders_the_old_release_stays_and_the_next_life_goes_on(house, monkeypatch, moment):
    bring(house, a_programme(a_talk("A")))
    house.run()
    before = public(house, "index.html").read_text()
    bring(house, a_programme(a_talk("B", at(11))))
    with monkeypatch.context() as patched:
        patched.setattr(publisher.os, "utime", killed_at(moment))
        with pytest.raises(Killed):
            house.run()
    assert public(house, "index.html").read_text() == before
    house.kill("schedule")
    house.start("schedule")
    house.run()
    assert "On B" in public(house, "index.html").read_text()
    assert list((site_of(house) / SLUG).glob(".making*")) == []


@pytest.mark.parametrize("line", ["switch_release", "_clear_away_after"])
def test_killed_around_the_switch_the_next_life_ends_it(house, monkeypatch, line):
    bring(house, a_programme())

    def die(*_args):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(publisher, "switch_release" if line == "switch_release" else "_remove_old", die)
        with pytest.raises(Killed):
            house.run()
    house.kill("schedule")
    house.start("schedule")
    house.run()
    assert "On KEY" in public(house, "index.html").read_text()


def test_files_that_a_power_cut_emptied_are_written_again(house):
    bring(house, a_programme())
    house.run()
    page = public(house, "talks/KEY/index.html")
    text = page.read_text()
    page.write_text("")
    house.kill("schedule")
    house.start("schedule")
    house.run()
    assert public(house, "talks/KEY/index.html").read_text() == text


def test_only_the_last_three_folders_are_kept(house):
    for hour in range(8, 14):
        bring(house, a_programme(a_talk("A", at(hour))))
        house.run()
    folders = sorted(path.name for path in (site_of(house) / SLUG).iterdir() if path.is_dir())
    assert [name.split("-")[0] for name in folders] == ["r4", "r5", "r6"]


def test_an_idle_step_says_that_there_is_no_work(house):
    bring(house, a_programme())
    house.run()
    [step] = [step for step in house["schedule"].steps() if step.name == "chore.publish"]
    assert asyncio.run(step.run()) is False


def test_a_talk_after_midnight_belongs_to_the_day_before(house):
    programme = a_programme(a_talk("A"), a_talk("NIGHT", at(23, 30)))
    bring(house, programme)
    release = house["schedule"].database.read_now(store.programmes.load_newest_release, SLUG)
    shown = pages._Shown(release).programme()
    assert [[talk.code for slot in day["slots"] for talk in slot["talks"]] for day in shown["days"]] == [["A", "NIGHT"]]


def spoilt(monkeypatch, slug):
    """Files of one conference cannot be written, as when a name is too long for the disk."""
    real = publisher.publish

    def publish(site, conference, *more):
        if conference == slug:
            raise OSError(36, "File name too long", str(site / conference / ("a" * 300)))
        real(site, conference, *more)

    monkeypatch.setattr(publisher, "publish", publish)


def on_the_desk(house, slug):
    return house["schedule"].database.read_now(views.desk.published, slug)


def incidents_of(house):
    return [one for one in house["schedule"].database.read_now(incidents.list_incidents) if one.kind == "other"]


def test_a_conference_that_cannot_be_published_keeps_no_other_from_it(house, monkeypatch):
    spoilt(monkeypatch, SLUG)
    for acronym in ("alpha-2026", SLUG, "zulu-2026"):
        bring(house, a_programme(acronym=acronym))
    house.run()
    assert [on_the_desk(house, slug)["is_public"] for slug in ("alpha-2026", SLUG, "zulu-2026")] == [True, False, True]
    assert (site_of(house) / "zulu-2026" / "current.txt").exists()


def test_public_is_said_when_the_files_are_served_and_until_then_why_not(house, monkeypatch):
    bring(house, a_programme())
    at_once = on_the_desk(house, SLUG)
    assert (at_once["is_public"], at_once["shown"], at_once["waiting_since"]) == (False, 0, house.clock.now())
    house.run()
    released_at = house.clock.now()
    assert on_the_desk(house, SLUG)["public_at"] == released_at
    with monkeypatch.context() as patched:
        spoilt(patched, SLUG)
        bring(house, a_programme(a_talk("B", at(11))))
        house.run()
        waiting = on_the_desk(house, SLUG)
        assert (waiting["is_public"], waiting["shown"], waiting["waiting_since"]) == (False, 1, released_at)
        assert waiting["why"] == "File name too long: " + "a" * 40 + "…"
        assert "publishing wharf-2026: File name too long" in house["schedule"].summary()["waiting_for"]
        assert house["schedule"].waiting_for
    house.clock.advance(61)
    house.run()
    assert on_the_desk(house, SLUG)["is_public"]
    assert not house["schedule"].waiting_for


def test_a_release_that_is_not_public_in_time_calls_a_person_once(house, monkeypatch):
    house.clock.advance(60)
    spoilt(monkeypatch, SLUG)
    bring(house, a_programme())
    house.run()
    assert incidents_of(house) == []
    house.clock.advance(11)
    house.run()
    [incident] = incidents_of(house)
    assert "Release v1 of wharf-2026 waits since" in incident.sentence
    assert "File name too long" in incident.sentence
    house.clock.advance(600)
    house.run()
    assert len(incidents_of(house)) == 1


def test_a_publisher_that_never_comes_back_calls_a_person_too(house):
    house.clock.advance(60)
    bring(house, a_programme())
    house.clock.advance(11)
    [timer] = [step for step in house["schedule"].steps() if step.name == "timer.unpublished"]
    asyncio.run(timer.run())
    assert len(incidents_of(house)) == 1


def test_what_the_files_of_earlier_lives_say_is_what_is_public(house):
    bring(house, a_programme())
    house.run()
    house.kill("schedule")
    shutil.rmtree(site_of(house) / SLUG)
    house.start("schedule")
    [step] = [step for step in house["schedule"].steps() if step.name == "chore.publish"]
    with pytest.MonkeyPatch.context() as patched:
        spoilt(patched, SLUG)
        asyncio.run(step.run())
    assert (on_the_desk(house, SLUG)["is_public"], on_the_desk(house, SLUG)["shown"]) == (False, 0)
