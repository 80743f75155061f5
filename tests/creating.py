"""Every door that creates or changes something: what is good to send there, and what it can be about.

for door in DOORS:
    asks = Things(sampled, door[0]).request(door)     # good now: requests change what there is
    asks.send(client, "key")
"""

import itertools
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sampled import SLUG, Sampled
from softlanding import auth, incidents, sessions
from softlanding.contracts.everyone import SessionBegan
from softlanding.dispatch import store as dispatch_store
from softlanding.dispatch.actions import fleet
from softlanding.dispatch.actions import pickups as pickup_actions
from softlanding.dispatch.model import Place, Vehicle
from softlanding.dispatch.plans import Desk
from softlanding.schedule import store as schedule_store
from softlanding.schedule.actions.tokens import make_token
from softlanding.web.doors import signer_of

NUMBERS = itertools.count(1)
ARRIVAL = {
    "how": "flight",
    "number": "LH 2078",
    "on": "2026-05-09",
    "time": "07:30",
    "airport": "HAM",
    "place": "?place",
}

# Doors that create or change: what is good to send, and what is changed in it when it is sent again.
Door = tuple[str, str, str, dict[str, Any], dict[str, Any]]  # The service; method, path and body; what is changed.
DOORS: list[Door] = [
    ("schedule", "POST", "/api/schedule/people", {"name": "Cleo"}, {"name": "Eve"}),
    ("schedule", "PUT", "/api/schedule/people/?new person/roles", {"roles": []}, {"roles": []}),
    ("schedule", "POST", "/api/schedule/people/?new person/change", {"phone": "+49 1"}, {"phone": "+49 2"}),
    ("schedule", "POST", "/{c}/organise/people/?new person/change", {"phone": "+49 1"}, {"phone": "+49 2"}),
    ("schedule", "POST", "/api/schedule/people/?new person/sign-in-link", {}, {}),
    ("schedule", "POST", "/api/schedule/people/?new person/sign-in-link/withdraw", {}, {}),
    ("schedule", "POST", "/api/schedule/people/?signed in person/end-sessions", {}, {}),
    ("schedule", "POST", "/api/schedule/tokens", {"name": "T?number", "scopes": ["read"]}, {"scopes": ["write"]}),
    ("schedule", "POST", "/api/schedule/tokens/revoke", {"token": "?new token"}, {"token": "x"}),
    ("schedule", "POST", "/api/schedule/people/?new person/revoke", {}, {}),
    ("schedule", "POST", "/api/schedule/{c}/releases", {"name": "one"}, {"name": "two"}),
    ("schedule", "POST", "/api/schedule/{c}/arrivals", ARRIVAL | {"speaker": "?free speaker"}, {"luggage": 9}),
    ("schedule", "PUT", "/api/schedule/{c}/arrivals/?open journey", ARRIVAL | {"luggage": 7}, {"luggage": 8}),
    ("schedule", "POST", "/api/schedule/{c}/arrivals/?open journey/news", {"news": "landed"}, {"note": "again"}),
    ("schedule", "POST", "/api/schedule/{c}/arrivals/?open journey/withdraw", {"reason": "x"}, {"reason": "y"}),
    ("schedule", "POST", "/api/schedule/{c}/pickups/?open pickup/by-hand", {"word": "Ben"}, {"word": "Eve"}),
    ("schedule", "POST", "/api/schedule/{c}/pickups/?open pickup/not-needed", {"note": "x"}, {"note": "y"}),
    ("schedule", "POST", "/api/schedule/{c}/speakers/?speaker/link", {}, {}),
    ("schedule", "POST", "/api/schedule/{c}/speakers/?speaker/revoke", {}, {}),
    ("schedule", "POST", "/api/schedule/incidents/?incident/settle", {"word": "understood"}, {"word": "mended"}),
    ("schedule", "POST", "/{c}/organise/people", {"name": "Cleo", "coordinator": "on"}, {"name": "Eve"}),
    ("schedule", "POST", "/{c}/organise/people/?new person/roles", {"organiser": "on"}, {"coordinator": "on"}),
    ("schedule", "POST", "/{c}/organise/people/?new person/link", {}, {}),
    ("schedule", "POST", "/{c}/organise/people/?new person/end", {}, {}),
    ("schedule", "POST", "/{c}/organise/tokens", {"name": "T?number", "read": "on"}, {"write": "on"}),
    ("schedule", "POST", "/{c}/organise/tokens/revoke", {"token": "?new token"}, {"token": "?new token"}),
    ("schedule", "POST", "/sign-in/sessions/end", {"session": "?own session"}, {"session": ""}),
    ("schedule", "POST", "/{c}/organise/people/?new person/remove", {}, {}),
    ("schedule", "POST", "/{c}/organise/speakers/?speaker/link", {}, {}),
    ("schedule", "POST", "/{c}/organise/speakers/?speaker/revoke", {}, {}),
    ("schedule", "POST", "/{c}/organise/arrivals", ARRIVAL | {"speaker": "?free speaker"}, {"luggage": "9"}),
    ("schedule", "POST", "/{c}/organise/arrivals/?open journey/change", ARRIVAL | {"luggage": "7"}, {"luggage": "8"}),
    ("schedule", "POST", "/{c}/organise/arrivals/?open journey/news", {"news": "landed"}, {"note": "again"}),
    ("schedule", "POST", "/{c}/organise/arrivals/?open journey/withdraw", {"reason": "x"}, {"reason": "y"}),
    ("schedule", "POST", "/{c}/organise/unanswered/?open pickup/by-hand", {"note": "Ben"}, {"note": "Eve"}),
    ("schedule", "POST", "/{c}/organise/unanswered/?open pickup/settle", {"word": "not-needed"}, {"note": "y"}),
    ("schedule", "POST", "/{c}/organise/release", {"note": "one"}, {"note": "two"}),
    ("schedule", "POST", "/{c}/speaker/?free token/arrival", ARRIVAL, {"luggage": "9"}),
    ("schedule", "POST", "/{c}/speaker/?open token/withdraw", {"reason": "x"}, {"reason": "y"}),
    ("schedule", "POST", "/-settle/schedule", {"incident": "?incident", "word": "understood"}, {"word": "mended"}),
    ("dispatch", "POST", "/api/dispatch/{c}/pickups/?ride/lock", {"reason": "x"}, {"reason": "y"}),
    ("dispatch", "POST", "/api/dispatch/{c}/pickups/?locked/unlock", {"reason": "x"}, {"reason": "y"}),
    ("dispatch", "POST", "/api/dispatch/{c}/pickups/?ride/take-back", {"reason": "x"}, {"reason": "y"}),
    (
        "dispatch",
        "POST",
        "/api/dispatch/{c}/pickups/?waiting/assign",
        {"vehicle": "?its vehicle", "reason": "x"},
        {"reason": "y"},
    ),
    ("dispatch", "POST", "/api/dispatch/{c}/pickups/?ride/taps", {"tap": "accepted"}, {"tap": "arrived"}),
    (
        "dispatch",
        "POST",
        "/api/dispatch/{c}/places",
        {"slug": "p?number", "name": "One ?number", "kind": "hotel", "latitude": 53.5, "longitude": 9.9},
        {"name": "Two"},
    ),
    ("dispatch", "POST", "/api/dispatch/{c}/places/?new place/change", {"note": "x"}, {"note": "y"}),
    ("dispatch", "POST", "/api/dispatch/{c}/vehicles/?new vehicle/change", {"seats": 4}, {"seats": 5}),
    ("dispatch", "POST", "/api/dispatch/{c}/drivers/?new driver/change", {"phone": "+49 2"}, {"phone": "+49 3"}),
    (
        "dispatch",
        "POST",
        "/api/dispatch/{c}/shifts/?new shift/change",
        {"vehicle": "?new vehicle"},
        {"vehicle": "?new vehicle"},
    ),
    ("dispatch", "POST", "/{c}/dispatch/places/?new place/change", {"note": "x"}, {"note": "y"}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/vehicles/?new vehicle/change", {"seats": "4"}, {"seats": "5"}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/drivers/?new driver/change", {"phone": "+49 2"}, {"phone": "+49 3"}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/shifts/?new shift/change", {"to": "23:59"}, {"to": "23:58"}),
    ("dispatch", "POST", "/api/dispatch/{c}/places/?new place/remove", {}, {}),
    (
        "dispatch",
        "POST",
        "/api/dispatch/{c}/vehicles",
        {"code": "V77", "name": "One ?number", "seats": 3, "luggage": 3},
        {"name": "Two"},
    ),
    ("dispatch", "POST", "/api/dispatch/{c}/drivers", {"name": "Dana ?number", "phone": "+49 1"}, {"name": "Eve"}),
    (
        "dispatch",
        "POST",
        "/api/dispatch/{c}/shifts",
        {
            "driver": "?driver",
            "vehicle": "?new vehicle",
            "from_at": "2026-06-09T08:00:00Z",
            "to_at": "2026-06-09T12:00:00Z",
        },
        {"to_at": "2026-06-09T13:00:00Z"},
    ),
    ("dispatch", "POST", "/api/dispatch/{c}/shifts/?new shift/remove", {}, {}),
    ("dispatch", "POST", "/api/dispatch/{c}/vehicles/?new vehicle/remove", {}, {}),
    ("dispatch", "POST", "/api/dispatch/{c}/drivers/?new driver/link", {}, {}),
    ("dispatch", "POST", "/api/dispatch/{c}/drivers/?new driver/revoke", {}, {}),
    ("dispatch", "POST", "/api/dispatch/{c}/drivers/?new driver/remove", {}, {}),
    ("dispatch", "POST", "/api/dispatch/{c}/runsheets/renew", {}, {}),
    ("dispatch", "POST", "/{c}/dispatch/print/renew", {}, {}),
    ("dispatch", "POST", "/api/dispatch/incidents/?incident/settle", {"word": "understood"}, {"word": "mended"}),
    ("dispatch", "POST", "/{c}/dispatch/pickups/?locked/unlock", {"reason": "x"}, {"reason": "y"}),
    ("dispatch", "POST", "/{c}/dispatch/pickups/?ride/take-back", {"reason": "x"}, {"reason": "y"}),
    (
        "dispatch",
        "POST",
        "/{c}/dispatch/pickups/?waiting/assign",
        {"vehicle": "?its vehicle", "reason": "x"},
        {"reason": "y"},
    ),
    ("dispatch", "POST", "/{c}/dispatch/incidents/?incident/settle", {"word": "understood"}, {"word": "mended"}),
    (
        "dispatch",
        "POST",
        "/{c}/dispatch/places",
        {"slug": "p?number", "name": "One ?number", "latitude": "53.5", "longitude": "9.9"},
        {"name": "Two"},
    ),
    ("dispatch", "POST", "/{c}/dispatch/places/?new place/remove", {}, {}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/vehicles", {"code": "V78", "name": "One ?number"}, {"name": "Two"}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/drivers", {"name": "Dana ?number", "phone": "+49 1"}, {"name": "Eve"}),
    (
        "dispatch",
        "POST",
        "/{c}/dispatch/fleet/shifts",
        {"driver": "?driver", "vehicle": "?new vehicle", "on": "2026-06-10", "from": "08:00", "to": "12:00"},
        {"to": "13:00"},
    ),
    ("dispatch", "POST", "/{c}/dispatch/fleet/shifts/?new shift/remove", {}, {}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/vehicles/?new vehicle/remove", {}, {}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/drivers/?new driver/link", {}, {}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/drivers/?new driver/revoke", {}, {}),
    ("dispatch", "POST", "/{c}/dispatch/fleet/drivers/?new driver/remove", {}, {}),
    ("dispatch", "POST", "/{c}/drive/?its token/taps", {"pickup": "?ride", "tap": "accepted"}, {"tap": "arrived"}),
    ("dispatch", "POST", "/-settle/dispatch", {"incident": "?incident", "word": "understood"}, {"word": "mended"}),
    ("statistics", "POST", "/api/statistics/incidents/?incident/settle", {"word": "understood"}, {"word": "mended"}),
    ("statistics", "POST", "/operations/incidents/?incident/settle", {"word": "understood"}, {"word": "mended"}),
    ("statistics", "POST", "/-settle/statistics", {"incident": "?incident", "word": "understood"}, {"word": "mended"}),
]


@dataclass(frozen=True)
class Request:
    """One that can be sent: to the API, or as a form."""

    method: str
    path: str
    values: dict[str, Any]

    @property
    def is_api(self) -> bool:
        return self.path.startswith("/api/")

    def send(self, client: Any, key: str) -> Any:
        if not self.is_api:
            return client.request(self.method, self.path, data=self.values | {"key": key})
        headers = {"Idempotency-Key": key} if key else {}
        return client.request(self.method, self.path, json=self.values, headers=headers)


def is_refused(answer: Any) -> bool:
    """By its status, or by the message on the page that a form leads back to."""
    return answer.status_code not in (200, 201, 303) or "%22refused%22" in answer.headers.get("Set-Cookie", "")


class Things:
    """What a request can be about at this moment: found anew for each, since requests change it."""

    def __init__(self, sampled: Sampled, service: str) -> None:
        self.sampled = sampled
        self.service = service
        self.vehicle = ""  # From which the one that waits was taken.

    def request(self, door: Door) -> Request:
        _, method, path, values, _ = door
        path = self.in_text(path).replace("{c}", SLUG)
        found = {name: self.in_text(value) if isinstance(value, str) else value for name, value in values.items()}
        return Request(method, path, found)

    def in_text(self, text: str) -> str:
        return re.sub(r"\?([a-z ]+)", lambda match: self.find(match[1]), text)

    def find(self, name: str) -> str:
        if name == "incident":
            return self._incident()
        if name in ("own session", "signed in person", "new token"):
            return self._of_access(name)
        if name == "new person":
            return self.sampled.person(f"person-{next(NUMBERS)}", (SLUG, "coordinator"))
        if name in ("open journey", "open token", "open pickup", "free speaker", "free token"):
            return self._of_schedule(name)
        if name in ("ride", "locked", "its token", "waiting", "its vehicle"):
            return self._of_dispatch(name)
        if name == "number":
            return str(next(NUMBERS))
        if name in ("new place", "new vehicle", "new driver", "new shift"):
            return self._new_of_fleet(name)
        return self.sampled.real(name)[0]

    def _of_access(self, name: str) -> str:
        number, write = str(next(NUMBERS)), self.sampled.write
        if name == "new token":
            signer = signer_of(self.sampled.work("schedule"))
            given = {"name": f"token-{number}", "scopes": ["read"], "conference": SLUG, "by": "tests"}
            return write("schedule", make_token, signer, **given)["token"]
        boss = self.sampled.person("boss", *(("*", role) for role in auth.STAFF_ROLES))
        person = boss if name == "own session" else self.sampled.person(f"person-{number}", (SLUG, "organiser"))
        began = SessionBegan(
            session=f"session-{number}", session_of=person, began_at=self.sampled.house.clock.now(), began_in="schedule"
        )
        write("schedule", lambda tx, _now: sessions.begin(tx, began))
        return began.session if name == "own session" else person

    def _incident(self) -> str:
        number = next(NUMBERS)

        def happen(tx: Any, now: Any) -> str:
            about = f"test/{number}"
            return incidents.open_incident(tx, now, cause=about, kind="other", about=about, sentence="It happened")

        return self.sampled.write(self.service, happen)

    def _new_of_fleet(self, name: str) -> str:
        number, write = next(NUMBERS), self.sampled.write
        desk = Desk(self.sampled.house.settings.dispatch)
        if name == "new driver":
            return write("dispatch", fleet.add_driver, SLUG, f"Driver {number}", "+49 1")["driver"]
        if name == "new place":
            place = Place(SLUG, f"place-{number}", f"Place {number}", "hotel", 53.5, 9.9, "Europe/Berlin")
            write("dispatch", fleet.save_place, desk, place)
            return place.slug
        car = Vehicle(SLUG, f"N{number}", f"Car {number}", f"HH-N {number}", 3, 3, 0)
        write("dispatch", fleet.save_vehicle, desk, car)
        if name == "new vehicle":
            return car.code
        begin = self.sampled.house.clock.now() + timedelta(days=30 + number)
        times = {"from_at": begin, "to_at": begin + timedelta(hours=4)}
        driver = self.sampled.real("driver")[0]
        return write("dispatch", fleet.add_shift, desk, SLUG, driver=driver, vehicle=car.code, **times)["shift"]

    def _of_schedule(self, name: str) -> str:
        read = self.sampled.read
        journeys = read("schedule", schedule_store.journeys.list_open, SLUG)
        open_ones = [journey for journey in journeys if self._is_waiting(journey)]
        links = read("schedule", schedule_store.speakers.links_by_speaker, SLUG)
        travelling = {journey.speaker for journey in journeys}
        free = sorted(set(links) - travelling)
        found = open_ones[-1]
        return {
            "open journey": found.id,
            "open token": self.sampled.link("schedule", "speaker", links[found.speaker].id),
            "open pickup": found.pickup or "",
            "free speaker": free[0],
            "free token": self.sampled.link("schedule", "speaker", links[free[0]].id),
        }[name]

    def _is_waiting(self, journey: Any) -> bool:
        pickup = self.sampled.read("schedule", schedule_store.pickups.load_pickup, journey.pickup or "")
        return pickup is not None and pickup.is_open

    def _of_dispatch(self, name: str) -> str:
        pickups = self.sampled.read("dispatch", dispatch_store.list_pickups, SLUG)
        shifts = self.sampled.read("dispatch", dispatch_store.load_shifts, SLUG)
        drivers = {one.id: one for one in self.sampled.read("dispatch", dispatch_store.list_drivers, SLUG)}
        ride = next(one for one in pickups if one.status == "planned")
        if name == "its vehicle":
            return self.vehicle
        if name in ("waiting", "locked"):
            self.vehicle = shifts[ride.shift].vehicle
            hand = pickup_actions.lock if name == "locked" else pickup_actions.take_back
            desk = Desk(self.sampled.house.settings.dispatch)
            self.sampled.write("dispatch", hand, desk, SLUG, ride.code, reason="x", by="Ana")
        driver = drivers[shifts[ride.shift].driver]
        return self.sampled.link("dispatch", "drive", driver.link) if name == "its token" else ride.code
