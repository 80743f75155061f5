"""Dispatch at work with a small fleet, and Schedule's facts told by hand: for tests of the service Dispatch.

here = Dispatched(tmp_path, monkeypatch)
here.ask(a_pickup())          # Schedule tells, Dispatch hears
here.told("pickup.planned")   # what Dispatch told
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import house
from clocks import NOON
from house import House
from softlanding import incidents
from softlanding.conferences import Conference, keep
from softlanding.contracts.schedule import (
    ConferenceChanged,
    PickupChanged,
    PickupRequested,
    PickupState,
    PickupWithdrawn,
)
from softlanding.dispatch import store
from softlanding.dispatch.actions import fleet
from softlanding.dispatch.model import Driver, Pickup, Place, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.lifecycle import Service
from softlanding.messaging import outbox
from softlanding.web.doors import links_of

CONFERENCE = "softconf"
AIRPORT = Place(
    CONFERENCE, "ham", "Hamburg Airport", "airport", 53.6304, 9.9882, "Europe/Berlin", "HAM", "", "", 30, 20
)
VENUE = Place(CONFERENCE, "venue", "Kaispeicher Nine", "venue", 53.5413, 9.9965, "Europe/Berlin")
HOTEL = Place(CONFERENCE, "hotel", "Pension Plan B", "hotel", 53.5541, 10.0192, "Europe/Berlin")


def a_pickup(number: int = 1, *, conference: str = CONFERENCE, **changes: Any) -> PickupRequested:
    """Somebody lands at 13:00 UTC, an hour after the clock's noon."""
    values: dict[str, Any] = {
        "conference": conference,
        "pickup": f"pickup-{number}",
        "code": f"K7Q{number}",
        "revision": 1,
        "speaker": f"S{number}",
        "speaker_name": f"Speaker {number}",
        "phone": "+49 40 555 0100",
        "travel_number": "LH 2034",
        "from_place": "HAM",
        "to_place": "Kaispeicher Nine",
        "landing_at": changes.get("landing_at", NOON + timedelta(hours=1)),
        "requested_at": NOON,
        "answer_by": NOON + timedelta(seconds=30),
    }
    values["expires_at"] = values["landing_at"] + timedelta(hours=2)
    return PickupRequested(**(values | changes))


def changed(fact: PickupState, **changes: Any) -> PickupChanged:
    """The next revision."""
    return PickupChanged(**(fact.model_dump() | {"revision": fact.revision + 1} | changes))


def withdrawn(fact: PickupState, **changes: Any) -> PickupWithdrawn:
    return PickupWithdrawn(**(fact.model_dump() | {"revision": fact.revision + 1, "reason": "by hand"} | changes))


class Dispatched:
    """A house of Dispatch, and of a Schedule that says only what a test tells it to say."""

    def __init__(self, folder: Path, monkeypatch: Any, cars: int = 2) -> None:
        real = house.make_service

        def bare_schedule(name: str, settings: Any) -> Service:
            if name == "dispatch":
                return real(name, settings)
            return Service(name, sa.MetaData(), f"softlanding.{name}", {})

        monkeypatch.setattr(house, "make_service", bare_schedule)
        self.house = House(folder, names=["schedule", "dispatch"])
        self.desk = Desk(self.house.settings.dispatch)
        self.shifts: list[str] = []
        self.drivers: list[Driver] = []
        self.tell(
            ConferenceChanged(
                conference=CONFERENCE,
                title="SoftConf",
                zone="Europe/Berlin",
                first_on=NOON.date(),
                last_on=NOON.date(),
            )
        )
        self.house.run()
        for place in (AIRPORT, VENUE, HOTEL):
            self.act(fleet.save_place, self.desk, place)
        for number in range(1, cars + 1):
            self.add_car(number)
        self.house.run()

    def add_car(self, number: int, *, seats: int = 3, conference: str = CONFERENCE) -> None:
        car = Vehicle(conference, f"V{number}", f"Car {number}", f"HH-{number}", seats, seats + 1, 0, "ham")
        self.act(fleet.save_vehicle, self.desk, car)
        driver = self.act(fleet.add_driver, conference, f"Driver {number}", "+49 40 555 0200")["driver"]
        times = {"from_at": NOON - timedelta(hours=2), "to_at": NOON + timedelta(hours=8)}
        shift = self.act(fleet.add_shift, self.desk, conference, driver=driver, vehicle=car.code, **times)
        self.shifts.append(shift["shift"])
        self.drivers.append(self.read(store.load_driver, conference, driver))

    @property
    def now(self) -> datetime:
        return self.house.clock.now()

    def tell(self, *facts: Any) -> None:
        """Schedule says so; nobody has heard it yet."""
        self.house["schedule"].database.write_now(lambda tx, now: [outbox.add(tx, fact) for fact in facts])

    def drive_path(self, number: int = 0) -> str:
        """The address of a driver's page."""
        token = links_of(self.house["dispatch"]).token("drive", self.drivers[number].link or "")
        return f"/{CONFERENCE}/drive/{token}"

    def ask(self, *facts: Any) -> None:
        """Schedule says so, and everybody does what there is to do."""
        self.tell(*facts)
        self.house.run()

    def pass_time(self, **length: float) -> None:
        self.house.clock.advance(timedelta(**length).total_seconds())
        self.house.run()

    def act(self, action: Any, *args: Any, **kw: Any) -> Any:
        return self.house["dispatch"].database.write_now(action, *args, **kw)

    def read(self, view: Any, *args: Any, **kw: Any) -> Any:
        return self.house["dispatch"].database.read_now(view, *args, **kw)

    def pickup(self, number: int = 1) -> Pickup:
        found = self.read(store.find_pickup, f"pickup-{number}")
        assert found is not None, f"pickup {number} was never heard of"
        return found

    def told(self, kind: str | None = None) -> list[dict[str, Any]]:
        """What Dispatch told about pickups, or of one kind, oldest first; each with its `type`."""
        rows = self.read(
            lambda connection: connection.execute(sa.select(outbox.outbox).order_by(outbox.outbox.c.id)).all()
        )
        facts = [json.loads(row.data) | {"type": row.type.removeprefix("dispatch.")} for row in rows]
        return [one for one in facts if (one["type"] == kind if kind else one["type"].startswith("pickup."))]

    def said(self, number: int = 1) -> list[tuple[str, int]]:
        """(type, revision) of all that was told about one pickup."""
        return [
            (one["type"].removeprefix("pickup."), one["revision"])
            for one in self.told()
            if one["pickup"] == f"pickup-{number}"
        ]

    def incidents(self, *, is_open: bool | None = True) -> list[incidents.Incident]:
        return [one for one in self.read(incidents.list_incidents, is_open=is_open) if one.conference == CONFERENCE]

    def check_places(self) -> None:
        """Each open pickup is on exactly one vehicle or on the list of the unplaced, by the tables alone."""
        stops: dict[str, list[Any]] = {}
        for row in self.read(
            lambda connection: connection.execute(sa.text("SELECT pickup, kind, shift FROM stop")).all()
        ):
            stops.setdefault(row.pickup, []).append(row)
        for row in self.read(
            lambda connection: connection.execute(sa.text("SELECT id, status, shift, reason FROM pickup")).all()
        ):
            mine = stops.get(row.id, [])
            if row.status in ("planned", "accepted", "arrived", "boarded"):
                assert sorted(one.kind for one in mine) == ["alight", "board"], row
                assert {one.shift for one in mine} == {row.shift}, row
            elif row.status != "delivered":
                assert mine == [], row
                assert row.shift is None, row
            if row.status == "unplaced":
                assert row.reason, row

    def keep_conference(self, slug: str) -> None:
        self.act(lambda tx, now: keep(tx, Conference(slug, slug, "Europe/Berlin", NOON.date(), NOON.date())))
