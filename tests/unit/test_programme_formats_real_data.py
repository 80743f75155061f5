"""Programmes as they really are, and the c3voc schemas: read where SOFTLANDING_REAL_DATA says they lie."""

import json
import os
import time
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

from softlanding.errors import Invalid
from softlanding.formats import Reading, read_programme, write_ics, write_json, write_xml
from softlanding.formats.programme import Programme, talks_by_day
from softlanding.sample import FIRST_DAY, sample

FOLDER = os.environ.get("SOFTLANDING_REAL_DATA", "")  # noqa: TID251 - where the data lies is the machine's affair.
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs real data: SOFTLANDING_REAL_DATA is not set")
BASE_URL = "https://softlanding.example.org/conference/"
READABLE = {
    "fosdem_2026.xml.gz": (1079, 1216, 37, 2),
    "fosdem_2021.xml.gz": (773, 684, 108, 2),
    "31c3.xml": (138, 198, 4, 4),
    "debconf23.xml": (117, 87, 5, 8),
    "frab-camp2019.json": (79, 90, 2, 5),
    "pretalx-democon.json": (36, 27, 2, 3),
}


def read_real(name: str) -> Reading:
    zone = "Europe/Brussels" if name == "fosdem_2021.xml.gz" else None
    return read_programme((Path(FOLDER) / "programmes" / name).read_bytes(), name, zone)


def refused(name: str) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        read_programme((Path(FOLDER) / "programmes" / name).read_bytes(), name)
    return [str(fault) for fault in refusal.value.faults]


@pytest.mark.parametrize("name", READABLE)
def test_real_data_programmes_are_read_whole(name: str) -> None:
    programme = read_real(name).programme
    found = tuple(len(each) for each in (programme.talks, programme.persons, programme.rooms, programme.days))
    assert found == READABLE[name]
    assert len({talk.guid for talk in programme.talks}) == len({talk.code for talk in programme.talks}) == found[0]


def test_real_data_fosdem_2026_is_read_within_two_seconds() -> None:
    began = time.monotonic()  # noqa: TID251 - it measures.
    read_real("fosdem_2026.xml.gz")
    assert time.monotonic() - began < 2  # noqa: TID251


def test_real_data_fosdem_2021_needs_a_zone_and_says_so() -> None:
    assert "pass --zone Europe/Brussels" in refused("fosdem_2021.xml.gz")[0]


def test_real_data_foreign_and_broken_files_are_refused_with_line_and_reason() -> None:
    assert refused("europython_2014_custom.xml")[0].startswith(
        "europython_2014_custom.xml:1: this XML is no conference"
    )
    broken = "fosdem-2026-history/13-20260118-153650-55f7704115.xml.gz"
    assert (
        refused(broken)[0]
        == f"{broken}:4053: a conflict marker of version control (<<<<<<<): settle the conflict first"
    )
    assert "this is an iCalendar file" in refused("linux_conf_au_2020.ics")[0]


def test_real_data_debconf_days_are_those_of_kochi() -> None:
    programme = read_real("debconf23.xml").programme
    assert str(programme.days[0].on) == "2023-09-10"
    for day, talks in talks_by_day(programme):
        assert {talk.starts_at.astimezone(programme.zone).date() for talk in talks} <= {day.on}


def test_real_data_31c3_keeps_its_guids_and_its_nights() -> None:
    programme = read_real("31c3.xml").programme
    assert "HOqeNIb6G7M4hYFKFRkCmQ" in {talk.guid for talk in programme.talks}
    late = [
        (day, talk) for day, talks in talks_by_day(programme) for talk in talks if talk.starts_at.hour in (23, 0, 1)
    ]
    assert late
    assert all(talk.starts_at.astimezone(programme.zone).date() > day.on for day, talk in late)


def test_real_data_fosdem_history_keeps_guids_and_codes() -> None:
    folder = Path(FOLDER) / "programmes" / "fosdem-2026-history"
    names = [f"fosdem-2026-history/{path.name}" for path in sorted(folder.iterdir()) if not path.name.startswith("13-")]
    programmes = [read_real(name).programme for name in (names[0], names[-1])]
    before, after = ({talk.guid: talk.code for talk in programme.talks} for programme in programmes)
    kept = before.keys() & after.keys()
    assert len(kept) > 700
    assert all(before[guid] == after[guid] for guid in kept)


def ours() -> Programme:
    return sample(FIRST_DAY).programme


@pytest.mark.parametrize("name", [*READABLE, "the sample"])
def test_real_data_written_xml_is_valid_by_the_schema(name: str) -> None:
    programme = ours() if name == "the sample" else read_real(name).programme
    schema = etree.XMLSchema(etree.parse(Path(FOLDER) / "schema" / "schedule.xml.xsd"))
    assert schema.validate(etree.fromstring(write_xml(programme, "1.0", BASE_URL))), schema.error_log


@pytest.mark.parametrize("name", [*READABLE, "the sample"])
def test_real_data_written_json_is_valid_by_the_schema(name: str) -> None:
    programme = ours() if name == "the sample" else read_real(name).programme
    schema = json.loads((Path(FOLDER) / "schema" / "schedule.schema.json").read_text())
    checked = jsonschema.Draft6Validator(schema, format_checker=jsonschema.FormatChecker())
    faults = [error.message for error in checked.iter_errors(json.loads(write_json(programme, "1.0", BASE_URL)))]
    assert not faults


@pytest.mark.parametrize("name", READABLE)
def test_real_data_comes_back_whole_from_what_is_written(name: str) -> None:
    programme = read_real(name).programme
    assert read_programme(write_xml(programme, "1.0", BASE_URL), "schedule.xml").programme == programme
    assert read_programme(write_json(programme, "1.0", BASE_URL), "schedule.json").programme == programme
    assert write_ics(programme, "1.0", BASE_URL).count(b"BEGIN:VEVENT") == len(programme.talks)
