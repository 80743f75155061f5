"""Tables of organisers: every row is looked at, every fault is named with its row and its way out."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softlanding.errors import Invalid
from softlanding.formats import (
    ArrivalRow,
    FleetRow,
    PlaceRow,
    RowFault,
    arrivals_template,
    fleet_template,
    places_template,
    read_arrivals,
    read_fleet,
    read_places,
)

ZONE = "Europe/Berlin"
ARRIVALS = "speaker,number,date,airport,landing time,party,luggage,wheelchair,to\n"
FLEET = "vehicle,plate,seats,luggage,wheelchair places,start place,driver,phone,shift start,shift end,skills\n"
PLACES = "name,kind,latitude,longitude,zone,iata,international exit minutes,domestic exit minutes\n"


def the_arrival(line: str, header: str = ARRIVALS) -> ArrivalRow:
    [row] = read_arrivals(header + line, ZONE)
    assert isinstance(row, ArrivalRow), row
    return row


def the_fault(line: str) -> str:
    [row] = read_arrivals(ARRIVALS + line, ZONE)
    assert isinstance(row, RowFault)
    return str(row)


def refused(text: str | bytes) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        read_arrivals(text, ZONE)
    return [str(fault) for fault in refusal.value.faults]


def test_an_arrival_is_read_whole() -> None:
    assert the_arrival("Ada Example,lh-2078,2026-09-17,ham,09:15,2,3,yes,Hotel Example") == ArrivalRow(
        row=2,
        key="in|ada example|2026-09-17",
        speaker="Ada Example",
        kind="flight",
        number="LH2078",
        on=date(2026, 9, 17),
        at="HAM",
        lands_at=datetime(2026, 9, 17, 7, 15, tzinfo=UTC),
        party=2,
        luggage=3,
        wheelchairs=1,
        to="Hotel Example",
    )


def test_what_is_left_out_is_one_person_with_one_bag() -> None:
    row = the_arrival("Ada,LH1,2026-09-17,HAM,09:15,,,,Hotel")
    assert (row.party, row.luggage, row.wheelchairs) == (1, 1, 0)


def test_landing_times_are_those_of_the_airport() -> None:
    assert the_arrival("Ada,BA 1,2026-09-17,LHR,09:15,,,,Hotel").lands_at == datetime(2026, 9, 17, 8, 15, tzinfo=UTC)


def test_trains_come_to_stations_by_their_names() -> None:
    row = the_arrival("Ada,ICE 705,2026-09-17,Hamburg Hbf,08:37,,,,Hotel")
    assert (row.kind, row.number, row.at) == ("train", "ICE 705", "Hamburg Hbf")
    assert row.lands_at == datetime(2026, 9, 17, 6, 37, tzinfo=UTC)


@pytest.mark.parametrize("landing", ["14:05", "14.05", "1405", "14h05", "2:05 pm", "14:05:00", "14:05 Uhr"])
@pytest.mark.parametrize("day", ["2026-09-17", "17.9.2026", "20260917"])
def test_dates_and_times_are_read_as_people_write_them(day: str, landing: str) -> None:
    assert the_arrival(f"Ada,LH1,{day},HAM,{landing},,,,Hotel").lands_at == datetime(2026, 9, 17, 12, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffWho;Flight;DATE;IATA;Lands at;pax;Where_to;remarks\nAda;LH1;2026-09-17;HAM;09:15;2;Hotel;late riser\n",
        "to\twho\tflight\tdate\tiata\tlands\tparty\nHotel\tAda\tLH1\t2026-09-17\tHAM\t09:15\t2\n",
        'Speaker,Number,Date,Airport,"Landing-Time",Party,To\r\n"Ada",LH1,2026-09-17,HAM,09:15,2,"Hotel"\r\n\r\n,,,\r\n',
    ],
)
def test_headers_and_delimiters_are_taken_as_they_come(text: str) -> None:
    for each in (text, text.encode(), text.encode("utf-16")):
        [row] = read_arrivals(each, ZONE)
        assert isinstance(row, ArrivalRow)
        assert (row.speaker, row.number, row.party, row.to) == ("Ada", "LH1", 2, "Hotel")


def test_a_misspelt_header_gets_the_nearest_right_one() -> None:
    assert refused("Speker,date,airport,landing time,wheelchiar,to\n") == [
        "arrivals row 1: unknown column 'Speker'; did you mean speaker?",
        "arrivals row 1: unknown column 'wheelchiar'; did you mean wheelchair?",
    ]


def test_missing_and_doubled_columns_are_all_named() -> None:
    faults = refused("speaker,name,date,to\n")
    assert faults[0] == "arrivals row 1: two columns mean speaker"
    assert [fault.split(";")[0] for fault in faults[1:]] == [
        "arrivals row 1: column airport is missing",
        "arrivals row 1: column landing time is missing",
    ]


def test_what_is_no_table_is_refused_in_words() -> None:
    assert "the table is empty" in refused("")[0]
    assert "this is not CSV" in refused(ARRIVALS + '"open')[0]
    assert refused(ARRIVALS.encode() + b"\xe9\n")[0].startswith("arrivals row 2: not UTF-8")
    assert "more than 5000 rows: split the table" in refused(ARRIVALS + "x\n" * 5_001)[0]


def test_all_that_is_wrong_with_a_row_is_said_at_once() -> None:
    assert the_fault(",x,2026-02-30,QQQ,25:00,0,,,") == (
        "row 2: speaker is empty; to is empty; date '2026-02-30' is no date: write 2026-09-17; "
        "landing time '25:00' is no time of day: write 14:05; QQQ is no IATA airport code; "
        "number 'X' is no flight number: write it as LH 2078; party '0' is no whole number from 1 to 50"
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Ada,LH1,2026-09-17,Hamburg,09:15,,,,Hotel", "write its IATA code, such as HAM"),
        ("Ada,,2026-09-17,HAM,09:15,,,,Hotel", "a flight needs its number"),
        ("Ada,LH1,2026-03-29,HAM,02:30,,,,Hotel", "02:30 does not exist on 2026-03-29 in Europe/Berlin"),
        ("Ada,LH1,2026-09-17,HAM,09:15,1,1,2,Hotel", "wheelchair '2' is no whole number from 0 to 1"),
        ("Ada,LH1,09/17/2026,HAM,09:15,,,,Hotel", "write 2026-09-17"),
        ("Ada,LH1,2026-09-17,HAM,09:15,,,,Hotel, Elbe", "quote a value that holds the delimiter"),
    ],
)
def test_a_faulty_row_says_what_to_do(line: str, reason: str) -> None:
    assert reason in the_fault(line)


def test_good_rows_stand_beside_faulty_ones() -> None:
    rows = read_arrivals(
        ARRIVALS + "Ada,LH1,2026-09-17,HAM,09:15,,,,Hotel\nBo,,,,,,,,\nCy,LH2,2026-09-17,HAM,9:30,,,,X\n", ZONE
    )
    assert [type(row).__name__ for row in rows] == ["ArrivalRow", "RowFault", "ArrivalRow"]
    assert [row.row for row in rows] == [2, 3, 4]


def test_the_key_survives_another_flight_and_time_but_not_another_day() -> None:
    key = the_arrival("Ada Example,LH1,2026-09-17,HAM,09:15,,,,Hotel").key
    assert the_arrival("ada  example,BA 2,2026-09-17,HAM,21:15,3,,,Venue").key == key
    assert the_arrival("Ada Example,LH1,2026-09-18,HAM,09:15,,,,Hotel").key != key


def test_one_speaker_arrives_once_a_day() -> None:
    line = "Ada,LH1,2026-09-17,HAM,09:15,,,,Hotel\n"
    assert str(read_arrivals(ARRIVALS + line + line, ZONE)[1]) == (
        "row 3: Ada arrives on 2026-09-17 in row 2 already: keep one of the two"
    )


@given(st.text(alphabet="aA1,;\n\"'\t:-. \x00é", max_size=80))
def test_no_text_breaks_the_readers(text: str) -> None:
    for header, read in ((ARRIVALS, read_arrivals), (PLACES, read_places), (FLEET, read_fleet)):
        try:
            rows = read(header + text, ZONE)
        except Invalid:
            continue
        assert all(row.row >= 2 for row in rows)


def test_a_place_is_read_whole() -> None:
    [row] = read_places(PLACES + "Hamburg Airport,Airport,53.6304,9.9882,,ham,40,25\n", "UTC")
    assert row == PlaceRow(
        row=2,
        key="place|hamburg airport",
        name="Hamburg Airport",
        kind="airport",
        latitude=53.6304,
        longitude=9.9882,
        zone="Europe/Berlin",
        iata="HAM",
        exit_international=timedelta(minutes=40),
        exit_domestic=timedelta(minutes=25),
        said=frozenset(
            ("name", "kind", "latitude", "longitude", "iata", "international exit minutes", "domestic exit minutes")
        ),
    )


def test_an_airport_knows_where_it_lies() -> None:
    [row] = read_places("name,kind,latitude,longitude,iata\nLisbon,airport,,,LIS\n", ZONE)
    assert isinstance(row, PlaceRow)
    assert (round(row.latitude, 1), round(row.longitude, 1), row.zone) == (38.8, -9.1, "Europe/Lisbon")


def test_decimal_commas_are_read_between_semicolons() -> None:
    [row] = read_places("name;kind;lat;lon\nHotel;hotel;53,55;9,98\n", ZONE)
    assert isinstance(row, PlaceRow)
    assert (row.latitude, row.longitude, row.zone) == (53.55, 9.98, ZONE)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("X,hotle,1,1,,,,", "did you mean hotel"),
        ("X,hotel,,1,,,,", "latitude is empty"),
        ("X,hotel,91,1,,,,", "latitude '91' is no number of degrees from -90 to 90"),
        ("X,airport,9.98,53.63,,HAM,,", "are latitude and longitude swapped?"),
        ("X,hotel,1,1,Europe/Belin,,,", "did you mean Europe/Berlin"),
        ("X,hotel,1,1,,HAM,,", "only airports have one"),
        ("X,airport,1,1,,ZZZZ,,", "ZZZZ is no IATA airport code"),
    ],
)
def test_a_faulty_place_says_what_to_do(line: str, reason: str) -> None:
    [row] = read_places(PLACES + line, ZONE)
    assert isinstance(row, RowFault)
    assert reason in row.what


def test_places_have_names_of_their_own() -> None:
    rows = read_places(PLACES + "Hotel A,hotel,1,1,,,,\nhotel a,hotel,2,2,,,,\n", ZONE)
    assert "in row 2 already" in str(rows[1])


def test_shifts_share_what_the_first_row_of_a_vehicle_says() -> None:
    rows = read_fleet(
        FLEET
        + "Van 1,HH-SL 1,7,8,1,Airport,Robin,+49 40 1,2026-09-17 06:00,2026-09-17 14:00,Wheelchair; english\n"
        + "van 1,,,,,,Sam,,17.09.2026 16:00,00:30,\n",
        ZONE,
    )
    assert rows[1] == FleetRow(
        row=3,
        key="shift|hhsl1|2026-09-17T14:00:00+00:00",
        vehicle="van 1",
        plate="HH-SL 1",
        seats=7,
        luggage=8,
        wheelchair_places=1,
        start_place="Airport",
        driver="Sam",
        phone="",
        shift_starts_at=datetime(2026, 9, 17, 14, tzinfo=UTC),
        shift_ends_at=datetime(2026, 9, 17, 22, 30, tzinfo=UTC),
        skills=(),
        said=frozenset(("vehicle", "plate", "seats", "luggage", "wheelchair places", "start place", "driver"))
        | {"shift start", "shift end"},
    )
    assert isinstance(rows[0], FleetRow)
    assert rows[0].skills == ("wheelchair", "english")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Van 1,HH 1,,,,X,Sam,,2026-09-17 13:00,15:00,", "Van 1 is on the road in row 2 at the same time"),
        ("Van 2,HH 2,3,3,0,X,Robin,,2026-09-17 13:00,15:00,", "Robin is on the road in row 2 at the same time"),
        ("Van 2,HH-1,3,3,0,X,Sam,,2026-09-17 15:00,16:00,", "a vehicle has one name and one plate"),
        ("Van 1,HH 1,8,,,X,Sam,,2026-09-17 15:00,16:00,", "has other seats"),
        ("Van 2,HH 2,3,3,0,X,Sam,,2026-09-17 15:00,2026-09-17 14:00,", "it must end after it starts"),
        ("Van 2,HH 2,3,3,0,X,Sam,,2026-09-17 15:00,2026-09-19 14:00,", "within 16 hours"),
        ("Van 2,HH 2,3,3,0,X,Sam,,tomorrow,14:00,", "shift start 'tomorrow' cannot be read: write 2026-09-17 06:00"),
        ("Van 2,HH 2,,3,0,X,Sam,,2026-09-17 15:00,16:00,", "seats is empty"),
    ],
)
def test_a_faulty_shift_says_what_contradicts_it(line: str, reason: str) -> None:
    first = "Van 1,HH 1,7,8,1,X,Robin,,2026-09-17 06:00,2026-09-17 14:00,\n"
    row = read_fleet(FLEET + first + line, ZONE)[1]
    assert isinstance(row, RowFault)
    assert reason in row.what


def test_templates_are_read_without_a_fault() -> None:
    assert all(isinstance(row, ArrivalRow) for row in read_arrivals(arrivals_template(), ZONE))
    assert all(isinstance(row, PlaceRow) for row in read_places(places_template(), ZONE))
    assert all(isinstance(row, FleetRow) for row in read_fleet(fleet_template(), ZONE))
