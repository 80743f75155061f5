"""Door for programs: everything that the pages can do, as JSON under /api/dispatch/{conference}."""

from datetime import datetime
from typing import Annotated, Any, Literal

import sqlalchemy as sa
from fastapi import Path, Query, Request
from fastapi.responses import Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from softlanding.auth import as_seen_by
from softlanding.conferences import Conference, load_conference
from softlanding.dispatch import store, views
from softlanding.dispatch.actions import fleet, pickups, taps
from softlanding.dispatch.actions.imports import import_fleet_table, import_place_table
from softlanding.dispatch.model import Place, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.errors import Fault, Invalid, NotFound
from softlanding.formats import fleet_template, places_template
from softlanding.lifecycle import Work
from softlanding.web import Doors, once, staff
from softlanding.web.common import Key
from softlanding.web.doors import link_address
from softlanding.web.forms import FIRST_YEAR, LAST_YEAR

BODY_MAX = 12_000_000  # What the front door lets through.
LIST_MAX = 2000

COORDINATORS = staff("coordinator", scopes=("write",))
LOOK = staff("coordinator", scopes=("read", "write"))
LINKS = staff("coordinator", scopes=("admin",))  # Whoever has a personal link speaks for its person.
FLEET_WRITERS = staff(
    "coordinator", "organiser", scopes=("write",)
)  # Setting a conference up is an organiser's work too.

# What the views tell to a program without `personal`.
_ON_THE_BOARD = frozenset(
    [
        "accepted",
        "alarms",
        "attempts",
        "arrived",
        "at_risk",
        "back_at",
        "board_at",
        "boarded",
        "code",
        "counts",
        "deaths",
        "deliver_at",
        "delivered",
        "died_at",
        "down_s",
        "expired",
        "expires_at",
        "from_at",
        "hours",
        "how",
        "id",
        "is_late",
        "is_pinned",
        "kind",
        "later",
        "line",
        "lines",
        "made_at",
        "missed",
        "name",
        "no_show",
        "number",
        "party",
        "pickup",
        "plan",
        "planned",
        "queue",
        "ready_at",
        "recovered",
        "refused",
        "requested",
        "rides",
        "seats",
        "seen_at",
        "shift",
        "since",
        "state",
        "stood_down",
        "title",
        "to_at",
        "unplaced",
        "vehicles",
        "window",
        "words",
    ]
)
_OF_PICKUPS = frozenset(
    [
        "accepted_at",
        "answer_by",
        "arrived_at",
        "asked_at",
        "at",
        "board_at",
        "boarded_at",
        "code",
        "conference",
        "deliver_at",
        "delivered_at",
        "direction",
        "due_at",
        "ended_at",
        "expires_at",
        "heard_at",
        "history",
        "id",
        "is_held",
        "is_pinned",
        "landing_at",
        "last_shift",
        "luggage",
        "party",
        "plan",
        "ready_at",
        "requested_at",
        "revision",
        "risk_revision",
        "shift",
        "status",
        "vehicle",
    ]
)
_OF_DRIVERS = frozenset(("conference", "id", "removed_at", "seen_at"))
_OF_VEHICLES = frozenset(("code", "conference", "luggage", "name", "seats", "wheelchair", "wheelchair_places"))
_OF_PLACES = frozenset(("conference", "exit_domestic_min", "exit_international_min", "iata", "kind", "zone"))
_OF_SHIFTS = frozenset(("code", "from_at", "id", "rides", "starts_at", "to_at", "vehicle"))

Slug = Annotated[str, Path(max_length=80, pattern=r"^[a-z0-9][a-z0-9-]*$")]
Name = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    return text


_NO_NUL = AfterValidator(_no_nul)


def _of_this_age(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"give a year from {FIRST_YEAR} to {LAST_YEAR}")
    return moment


When = Annotated[AwareDatetime, AfterValidator(_of_this_age)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), _NO_NUL]
Needed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), _NO_NUL]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=40), _NO_NUL]
Code = Annotated[str, StringConstraints(strip_whitespace=True, max_length=8, pattern=r"^[A-Za-z0-9-]+$")]


class Given(BaseModel):
    """What a program gives: unknown fields are refused, lest a misspelt one be lost."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Kind = Literal["airport", "hotel", "venue", "station"]
Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
Iata = Annotated[str, StringConstraints(max_length=3, pattern=r"^([A-Z]{3})?$")]
ExitMinutes = Annotated[int, Field(ge=0, le=240)] | None
Seats = Annotated[int, Field(ge=1, le=60)]
Bags = Annotated[int, Field(ge=0, le=240)]
WheelchairPlaces = Annotated[int, Field(ge=0, le=10)]


class PlaceGiven(Given):
    """A new place. Without a zone it is in the conference's."""

    slug: Annotated[str, StringConstraints(max_length=60, pattern=r"^[a-z0-9][a-z0-9-]*$")]
    name: Needed
    kind: Kind
    latitude: Latitude
    longitude: Longitude
    zone: Line = ""
    iata: Iata = ""
    address: Line = ""
    note: Line = ""
    exit_international_min: ExitMinutes = None
    exit_domestic_min: ExitMinutes = None


class VehicleGiven(Given):
    """A new vehicle. Without a start place its shifts begin at the venue."""

    code: Code
    name: Needed
    plate: Short = ""
    seats: Seats
    luggage: Bags
    wheelchair_places: WheelchairPlaces = 0
    start_place: Line = ""


class DriverGiven(Given):
    name: Needed
    phone: Short


class ShiftGiven(Given):
    """`driver` is an id, `vehicle` a code; the start place may be left out."""

    driver: Short
    vehicle: Code
    from_at: When
    to_at: When
    start_place: Line = ""


def _unsent() -> Any:
    """Stands for a field that was not sent: `changes` leaves it out."""
    return None


class Changing(Given):
    """What is so from now on: a field that is not sent stays as it is."""

    @property
    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class PlaceChanging(Changing):
    name: Needed = Field(default_factory=_unsent)
    kind: Kind = Field(default_factory=_unsent)
    latitude: Latitude = Field(default_factory=_unsent)
    longitude: Longitude = Field(default_factory=_unsent)
    zone: Needed = Field(default_factory=_unsent)
    iata: Iata = Field(default_factory=_unsent)
    address: Line = Field(default_factory=_unsent)
    note: Line = Field(default_factory=_unsent)
    exit_international_min: ExitMinutes = Field(default_factory=_unsent)
    exit_domestic_min: ExitMinutes = Field(default_factory=_unsent)


class VehicleChanging(Changing):
    name: Needed = Field(default_factory=_unsent)
    plate: Short = Field(default_factory=_unsent)
    seats: Seats = Field(default_factory=_unsent)
    luggage: Bags = Field(default_factory=_unsent)
    wheelchair_places: WheelchairPlaces = Field(default_factory=_unsent)
    start_place: Line = Field(default_factory=_unsent)


class DriverChanging(Changing):
    name: Needed = Field(default_factory=_unsent)
    phone: Short = Field(default_factory=_unsent)


class ShiftChanging(Changing):
    driver: Short = Field(default_factory=_unsent)
    vehicle: Code = Field(default_factory=_unsent)
    from_at: When = Field(default_factory=_unsent)
    to_at: When = Field(default_factory=_unsent)
    start_place: Line = Field(default_factory=_unsent)


class Assignment(Given):
    """`revision`, when given, must be the newest: else somebody changed the pickup meanwhile (409)."""

    vehicle: Code
    reason: Needed
    revision: Annotated[int, Field(ge=1, le=10**9)] | None = None


class Reason(Given):
    reason: Needed


class TapGiven(Given):
    """What happened and when, typed in from paper; no time: now."""

    tap: Literal["accepted", "arrived", "boarded", "delivered", "no_show"]
    tapped_at: When | None = None


def make_doors(work: Work, desk: Desk) -> list[Any]:
    doors = Doors(work, tags=["dispatch"])
    _add_looking(doors, work)
    _add_hand(doors, work, desk)
    _add_taps(doors, work, desk)
    _add_places(doors, work, desk)
    _add_fleet(doors, work, desk)
    _add_drivers(doors, work, desk)
    _add_tables(doors, work, desk)
    return [doors]


def need_conference(connection: sa.Connection, slug: str) -> Conference:
    """Raises NotFound in words."""
    found = load_conference(connection, slug)
    if found is None:
        raise NotFound(f"there is no conference '{slug}' here (yet)")
    return found


def _add_looking(doors: Doors, work: Work) -> None:
    read = work.database.read

    @doors.api("/api/dispatch/{conference}/board", who=LOOK, summary="The board: counts, plan, alarms, queue, vehicles")
    async def board(request: Request, conference: Slug) -> dict[str, Any]:
        found = await read(need_conference, conference)
        answer = await read(views.board, found, work.parts.clock.now())
        return as_seen_by(request.state.visitor, answer, _ON_THE_BOARD)

    @doors.api("/api/dispatch/{conference}/pickups", who=LOOK, summary="Pickups, the most urgent first")
    async def list_all(
        request: Request,
        conference: Slug,
        status: Annotated[str | None, Query(max_length=12, pattern="^[a-z_]+$")] = None,
        limit: Annotated[int, Query(ge=1, le=LIST_MAX)] = LIST_MAX,
    ) -> list[dict[str, Any]]:
        await read(need_conference, conference)
        found = await read(store.list_pickups, conference, (status,) if status else None, limit)
        answer = [views.pickup_answer(pickup) for pickup in found]
        return as_seen_by(request.state.visitor, answer, _OF_PICKUPS)

    @doors.api(
        "/api/dispatch/{conference}/pickups/{code}", who=LOOK, summary="One pickup, by code or id, and its history"
    )
    async def one(request: Request, conference: Slug, code: Name) -> dict[str, Any]:
        found = await read(store.load_pickup, conference, code)
        steps = await read(store.list_history, found.id)
        answer = views.pickup_answer(found) | {"history": [vars(step) for step in steps]}
        return as_seen_by(request.state.visitor, answer, _OF_PICKUPS)


def _add_hand(doors: Doors, work: Work, desk: Desk) -> None:
    path = "/api/dispatch/{conference}/pickups/{code}"

    async def assign(request: Request, conference: Slug, code: Name, key: Key, given: Assignment) -> dict[str, Any]:
        return await once(
            work,
            request,
            key,
            "pickup.assign",
            pickups.assign,
            desk,
            conference,
            code,
            given.vehicle,
            reason=given.reason,
            by=request.state.visitor.name,
            revision=given.revision,
        )

    doors.api(
        f"{path}/assign", who=COORDINATORS, methods=("POST",), summary="Give the ride to a vehicle", name="assign"
    )(assign)
    doors.api(f"{path}/move", who=COORDINATORS, methods=("POST",), summary="Move the ride to another", name="move")(
        assign
    )

    for name, action, summary in (
        ("take-back", pickups.take_back, "Take the ride back to the queue, or take up a missed one"),
        ("lock", pickups.lock, "Keep the ride on its vehicle, whatever is planned"),
        ("unlock", pickups.unlock, "End a person's word for or against a vehicle; a waiting ride is planned again"),
    ):
        doors.api(f"{path}/{name}", who=COORDINATORS, methods=("POST",), summary=summary, name=name)(
            _with_reason(work, desk, name, action)
        )


def _with_reason(work: Work, desk: Desk, name: str, action: Any) -> Any:
    async def act(request: Request, conference: Slug, code: Name, key: Key, given: Reason) -> dict[str, Any]:
        by = request.state.visitor.name
        answer: dict[str, Any] = await once(
            work, request, key, f"pickup.{name}", action, desk, conference, code, reason=given.reason, by=by
        )
        return answer

    return act


def _add_taps(doors: Doors, work: Work, desk: Desk) -> None:
    @doors.api(
        "/api/dispatch/{conference}/pickups/{code}/taps",
        who=COORDINATORS,
        methods=("POST",),
        summary="What the driver did, typed in by the desk",
    )
    async def tap(request: Request, conference: Slug, code: Name, key: Key, given: TapGiven) -> dict[str, Any]:
        by = request.state.visitor.name
        return await once(
            work, request, key, "tap", taps.tap, desk, conference, code, given.tap, given.tapped_at, by=by
        )


def _add_places(doors: Doors, work: Work, desk: Desk) -> None:
    path, read = "/api/dispatch/{conference}/places", work.database.read

    @doors.api(path, who=LOOK, summary="Places, by short name")
    async def list_all(request: Request, conference: Slug) -> Any:
        await read(need_conference, conference)
        found = [vars(place) for place in (await read(store.load_places, conference)).values()]
        return as_seen_by(request.state.visitor, found, _OF_PLACES)

    @doors.api(path, who=FLEET_WRITERS, methods=("POST",), summary="Add a place")
    async def add(request: Request, conference: Slug, key: Key, given: PlaceGiven) -> dict[str, Any]:
        found = await read(need_conference, conference)
        place = Place(conference=conference, **given.model_dump() | {"zone": given.zone or found.zone})
        return await once(work, request, key, "place.add", fleet.add_place, desk, place)

    @doors.api(f"{path}/{{slug}}/change", who=FLEET_WRITERS, methods=("POST",), summary="Change a place")
    async def change(request: Request, conference: Slug, slug: Name, key: Key, given: PlaceChanging) -> dict[str, Any]:
        return await once(work, request, key, "place.change", fleet.change_place, desk, conference, slug, given.changes)

    @doors.api(f"{path}/{{slug}}/remove", who=FLEET_WRITERS, methods=("POST",), summary="Remove a place")
    async def remove(request: Request, conference: Slug, slug: Name, key: Key) -> dict[str, Any]:
        return await once(work, request, key, "place.remove", fleet.remove_place, desk, conference, slug)


def _add_fleet(doors: Doors, work: Work, desk: Desk) -> None:
    path, read = "/api/dispatch/{conference}", work.database.read

    @doors.api(f"{path}/fleet", who=LOOK, summary="Vehicles, drivers and shifts")
    async def look(request: Request, conference: Slug) -> dict[str, Any]:
        await read(need_conference, conference)
        given, visitor = await read(views.fleet, conference), request.state.visitor
        for driver in given["drivers"]:
            for name in ("token", "link"):  # A personal link is asked for by itself.
                driver.pop(name)
        drivers = as_seen_by(visitor, given["drivers"], _OF_DRIVERS)
        shifts = as_seen_by(visitor, given["shifts"], _OF_SHIFTS)
        return given | {
            "vehicles": as_seen_by(visitor, given["vehicles"], _OF_VEHICLES),
            "drivers": drivers,
            "shifts": shifts,
        }

    @doors.api(f"{path}/vehicles", who=FLEET_WRITERS, methods=("POST",), summary="Add a vehicle")
    async def add(request: Request, conference: Slug, key: Key, given: VehicleGiven) -> dict[str, Any]:
        await read(need_conference, conference)
        car = Vehicle(conference=conference, **given.model_dump())
        return await once(work, request, key, "vehicle.add", fleet.add_vehicle, desk, car)

    @doors.api(f"{path}/vehicles/{{code}}/change", who=FLEET_WRITERS, methods=("POST",), summary="Change a vehicle")
    async def change(
        request: Request, conference: Slug, code: Name, key: Key, given: VehicleChanging
    ) -> dict[str, Any]:
        return await once(
            work, request, key, "vehicle.change", fleet.change_vehicle, desk, conference, code, given.changes
        )

    @doors.api(f"{path}/vehicles/{{code}}/remove", who=FLEET_WRITERS, methods=("POST",), summary="Remove a vehicle")
    async def remove(request: Request, conference: Slug, code: Name, key: Key) -> dict[str, Any]:
        return await once(work, request, key, "vehicle.remove", fleet.remove_vehicle, desk, conference, code)

    @doors.api(f"{path}/shifts", who=FLEET_WRITERS, methods=("POST",), summary="Add a shift")
    async def add_shift(request: Request, conference: Slug, key: Key, given: ShiftGiven) -> dict[str, Any]:
        await read(need_conference, conference)
        return await once(
            work,
            request,
            key,
            "shift.add",
            fleet.add_shift,
            desk,
            conference,
            driver=given.driver,
            vehicle=given.vehicle,
            from_at=given.from_at,
            to_at=given.to_at,
            start_place=given.start_place,
        )

    @doors.api(f"{path}/shifts/{{shift}}/change", who=FLEET_WRITERS, methods=("POST",), summary="Change a shift")
    async def change_shift(
        request: Request, conference: Slug, shift: Name, key: Key, given: ShiftChanging
    ) -> dict[str, Any]:
        return await once(
            work, request, key, "shift.change", fleet.change_shift, desk, conference, shift, given.changes
        )

    @doors.api(f"{path}/shifts/{{shift}}/remove", who=FLEET_WRITERS, methods=("POST",), summary="Remove a shift")
    async def remove_shift(request: Request, conference: Slug, shift: Name, key: Key) -> dict[str, Any]:
        return await once(work, request, key, "shift.remove", fleet.remove_shift, desk, conference, shift)


def _add_drivers(doors: Doors, work: Work, desk: Desk) -> None:
    path, read = "/api/dispatch/{conference}/drivers", work.database.read

    @doors.api(path, who=LINKS, summary="Drivers with their personal links")
    async def links(request: Request, conference: Slug) -> list[dict[str, Any]]:
        await read(need_conference, conference)
        address_of = link_address(work, request, conference, "drive")
        found = [
            {
                "id": driver.id,
                "name": driver.name,
                "phone": driver.phone,
                "link": address_of(driver.link) if driver.link else "",
                "seen_at": driver.seen_at,
            }
            for driver in await read(store.list_drivers, conference)
        ]
        return as_seen_by(request.state.visitor, found, _OF_DRIVERS)

    @doors.api(path, who=FLEET_WRITERS, methods=("POST",), summary="Add a driver")
    async def add(request: Request, conference: Slug, key: Key, given: DriverGiven) -> dict[str, Any]:
        await read(need_conference, conference)
        done = await once(work, request, key, "driver.add", fleet.add_driver, conference, given.name, given.phone)
        return done | {"url": link_address(work, request, conference, "drive")(done["link"])}

    @doors.api(f"{path}/{{driver}}/change", who=FLEET_WRITERS, methods=("POST",), summary="Change a driver")
    async def change(
        request: Request, conference: Slug, driver: Name, key: Key, given: DriverChanging
    ) -> dict[str, Any]:
        return await once(
            work, request, key, "driver.change", fleet.change_driver, desk, conference, driver, given.changes
        )

    @doors.api(f"{path}/{{driver}}/link", who=LINKS, methods=("POST",), summary="A new link; the old one ends")
    async def renew(request: Request, conference: Slug, driver: Name, key: Key) -> dict[str, Any]:
        done = await once(work, request, key, "driver.link", fleet.renew_link, conference, driver)
        return done | {"url": link_address(work, request, conference, "drive")(done["link"])}

    @doors.api(f"{path}/{{driver}}/revoke", who=LINKS, methods=("POST",), summary="End the personal link")
    async def revoke(request: Request, conference: Slug, driver: Name, key: Key) -> dict[str, Any]:
        return await once(work, request, key, "driver.link.revoke", fleet.revoke_link, conference, driver)

    @doors.api(f"{path}/{{driver}}/remove", who=COORDINATORS, methods=("POST",), summary="Remove a driver")
    async def remove(request: Request, conference: Slug, driver: Name, key: Key) -> dict[str, Any]:
        return await once(work, request, key, "driver.remove", fleet.remove_driver, desk, conference, driver)

    @doors.api(
        "/api/dispatch/{conference}/runsheets/renew",
        who=LINKS,
        methods=("POST",),
        summary="A new address for the run sheets as files; the old one ends within seconds",
    )
    async def renew_sheets(request: Request, conference: Slug, key: Key) -> dict[str, Any]:
        await read(need_conference, conference)
        done = await once(work, request, key, "runsheets.renew", fleet.renew_run_sheets, conference)
        return done | {"url": link_address(work, request, conference, "runsheets")(done["link"]) + "/"}


def _add_tables(doors: Doors, work: Work, desk: Desk) -> None:
    path, read = "/api/dispatch/{conference}", work.database.read

    @doors.api(
        f"{path}/places/import",
        who=FLEET_WRITERS,
        methods=("POST",),
        summary="Import a table of places (CSV); the same table twice changes nothing",
        openapi_extra=_a_table(places_template()),
    )
    async def take_places(request: Request, conference: Slug, dry_run: bool = False) -> dict[str, Any]:
        found = await read(need_conference, conference)
        return await import_place_table(work.database, desk, found, await _body(request), dry_run=dry_run)

    @doors.api(
        f"{path}/fleet/import",
        who=FLEET_WRITERS,
        methods=("POST",),
        summary="Import a table of vehicles, drivers and shifts (CSV); the same table twice changes nothing",
        openapi_extra=_a_table(fleet_template()),
    )
    async def take_fleet(request: Request, conference: Slug, dry_run: bool = False) -> dict[str, Any]:
        found = await read(need_conference, conference)
        return await import_fleet_table(work.database, desk, found, await _body(request), dry_run=dry_run)

    @doors.api(f"{path}/places/template.csv", who=LOOK, summary="A table of places to begin with")
    async def places_table(conference: Slug) -> Response:
        await read(need_conference, conference)
        return Response(places_template(), media_type="text/csv")

    @doors.api(f"{path}/fleet/template.csv", who=LOOK, summary="A table of vehicles, drivers and shifts to begin with")
    async def fleet_table(conference: Slug) -> Response:
        await read(need_conference, conference)
        return Response(fleet_template(), media_type="text/csv")


def _a_table(example: str) -> dict[str, Any]:
    """How OpenAPI describes a body that is a file as it is."""
    content = {"text/csv": {"schema": {"type": "string", "format": "binary"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


async def _body(request: Request) -> bytes:
    """The body as it is. Raises Invalid when it is empty or too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            raise Invalid(Fault("body", f"the file is larger than {BODY_MAX // 1_000_000} MB"))
    if not body:
        raise Invalid(Fault("body", "send the file as the body of the request"))
    return bytes(body)
