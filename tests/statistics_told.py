"""Statistics at work beside two bare producers, and facts for them to tell with valid defaults."""

from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

import house
from clocks import NOON
from house import House
from softlanding.contracts.dispatch import RideState
from softlanding.contracts.schedule import ConferenceChanged, PickupRequested, PickupState
from softlanding.lifecycle import Service
from softlanding.messaging import outbox
from softlanding.statistics.service import make_service

NAME, PHONE, FLIGHT, DRIVER = "Ada Lovelace-Byron", "+49 151 5550123", "LH 2034", "Dana Driver"
PLATE, NOTE = "B-FK 26", "needs the quiet car"


def make_house(tmp_path, monkeypatch, names=("schedule", "dispatch", "statistics"), **settings) -> House:
    """The conference `softconf` (Berlin) is known; Schedule and Dispatch do nothing but tell what a test says."""

    def make(name, given):
        bare = Service(name, sa.MetaData(), f"softlanding.{name}", {})
        return make_service(given) if name == "statistics" else bare

    monkeypatch.setattr(house, "make_service", make)
    made = House(tmp_path, names, **settings)
    if "schedule" in names:
        tell(made, "schedule", a_conference())
        made.run()
    return made


def tell(made: House, service: str, *facts) -> None:
    """The service tells these facts in one transaction."""

    def action(tx, _now):
        for fact in facts:
            outbox.add(tx, fact)

    made[service].database.write_now(action)


def told_and_heard(made: House, service: str, *facts) -> None:
    tell(made, service, *facts)
    made.run()


def a_conference(slug="softconf") -> ConferenceChanged:
    days = {"first_on": date(2026, 5, 8), "last_on": date(2026, 5, 10)}
    return ConferenceChanged(conference=slug, title="SoftConf 26", zone="Europe/Berlin", **days)


def asked(pickup="p1", kind: type[PickupState] = PickupRequested, **values: Any) -> PickupState:
    """A pickup as Schedule asks for it: it lands at noon (UTC), is to be answered by 12:20, is of use until 14:00."""
    defaults: dict[str, Any] = {
        "conference": "softconf",
        "pickup": pickup,
        "code": f"K{pickup[1:]}QX",
        "revision": 1,
        "speaker": "LOVELACE",
        "speaker_name": NAME,
        "phone": PHONE,
        "travel_number": FLIGHT,
        "note": NOTE,
        "from_place": "Terminal 1",
        "to_place": "Hotel Adlon",
        "landing_at": NOON,
        "talk": "TALK1",
        "requested_at": NOON - timedelta(hours=1),
        "answer_by": NOON + timedelta(minutes=20),
        "expires_at": NOON + timedelta(hours=2),
    }
    return kind(**defaults | values)


def rode(kind: type[RideState], pickup="p1", **values: Any) -> RideState:
    """A pickup as Dispatch has it."""
    defaults: dict[str, Any] = {
        "conference": "softconf",
        "pickup": pickup,
        "code": f"K{pickup[1:]}QX",
        "revision": 1,
        "status": kind.TYPE.rpartition(".")[2].replace("driver_arrived", "arrived"),
        "at": NOON,
        "vehicle": "V1",
        "driver_name": DRIVER,
        "driver_phone": PHONE,
        "plate": PLATE,
        "board_at": NOON + timedelta(minutes=15),
        "deliver_at": NOON + timedelta(minutes=50),
        "asked_at": NOON,
    }
    return kind(**defaults | values)


def dump(made: House, tables: sa.MetaData) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables, in an order of their own; without the times and numbers of hearing."""

    def read(connection):
        found = {}
        for table in tables.sorted_tables:
            rows = [dict(row._mapping) for row in connection.execute(sa.select(table))]
            kept = [{k: v for k, v in row.items() if k not in ("number", "applied_at")} for row in rows]
            found[table.name] = sorted(kept, key=str)
        return found

    return made["statistics"].database.read_now(read)
