"""All three services with the sample conference `softconf` loaded and planned: real ids for tests of every door.

sampled = Sampled(folder)
client = sampled.program("schedule", "read", "write")
sampled.real("code")     # values of the sample that a path or a body may name
"""

import asyncio
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from fastapi.testclient import TestClient

from house import House
from softlanding import auth, incidents, tokens
from softlanding.contracts.schedule import TokenState
from softlanding.dispatch import store as dispatch_store
from softlanding.formats import write_json, write_xml
from softlanding.lifecycle import Work
from softlanding.sample import sample
from softlanding.schedule import store as schedule_store
from softlanding.signing import hash_of
from softlanding.web import make_app
from softlanding.web.cookies import own_cookie
from softlanding.web.doors import links_of, signer_of

SLUG = "softconf"
SERVICES = ("schedule", "dispatch", "statistics")


class Sampled:
    """A house where the sample begins tomorrow, and everything that follows from it was done."""

    def __init__(self, folder: Path) -> None:
        self.house = House(folder)
        self.apps = {}
        self.first_day = first_day = self.house.clock.now().date() + timedelta(days=1)
        for name in ("schedule", "dispatch"):
            load = self.house.services[name].load_sample
            assert load is not None
            asyncio.run(load(self.house[name].database, first_day))
        self.house.run()
        for name in SERVICES:
            self.house[name].is_stopping = True  # Live pages end their streams at once.
            self.apps[name] = make_app(self.house[name])
        self.incident = self.write("dispatch", _an_incident)
        self.house.run()
        self._real = self._real_values()

    def read(self, service: str, view: Any, *args: Any, **more: Any) -> Any:
        return self.house[service].database.read_now(view, *args, **more)  # type: ignore[attr-defined]

    def write(self, service: str, action: Any, *args: Any, **more: Any) -> Any:
        return self.house[service].database.write_now(action, *args, **more)  # type: ignore[attr-defined]

    def work(self, service: str) -> Work:
        return self.house[service]

    def client(self, service: str, **headers: str) -> TestClient:
        """A stranger's browser that does not follow. What breaks is answered with 500, as to anybody."""
        client = TestClient(
            self.apps[service], base_url="http://localhost", raise_server_exceptions=False, follow_redirects=False
        )
        client.headers.update(headers)
        return client

    def program(self, service: str, *scopes: str) -> TestClient:
        return self.client(service, Authorization=f"Bearer {self.token(*scopes)}")

    def bosses(self) -> dict[str, TestClient]:
        """Clients of somebody who may do everything, for each service."""
        session = self.session(self.person("boss", *(("*", role) for role in auth.STAFF_ROLES)))
        return {service: self.client(service, **session) for service in SERVICES}

    def writing_routes(self, service: str) -> list[tuple[str, Any]]:
        """(method, route) of every door that may create or change something."""
        found = [route for route in self.apps[service].routes if getattr(route, "methods", None)]
        return [(method, route) for route in found for method in sorted(route.methods & {"POST", "PUT"})]

    def token(self, *scopes: str, conference: str | None = None) -> str:
        """A program's token that each service knows; the same scopes give the same one."""
        identity = hash_of(f"{sorted(scopes)} {conference}")[:36]
        text, now = f"{tokens.PREFIX}{identity}", self.house.clock.now()
        state = TokenState(
            token=identity,
            token_hash=hash_of(text),
            name=f"tests {identity}",
            conference=conference,
            scopes=scopes,
            made_by="tests",
            made_at=now,
            ends_at=now + tokens.LASTS,
        )
        for service in SERVICES:
            self.write(service, lambda tx, _now: tokens._keep(tx, state))
        return text

    def person(self, name: str, *roles: tuple[str, str], is_revoked: bool = False) -> str:
        """Somebody on the staff of each service; the id."""
        person = auth.PersonState(
            person=f"id-{hash_of(name)[:20]}", name=name, email="", phone="", roles=roles, revision=1
        )
        for service in SERVICES:
            now = self.house.clock.now() if is_revoked else None
            self.write(service, lambda tx, at, now=now: auth._keep(tx, person, now, at))
        return person.person

    def session(self, person: str) -> dict[str, str]:
        """The headers of a browser in which this person is signed in; each person's session bears their id."""
        signer = signer_of(self.house["schedule"])
        cookie = signer.session_cookie(person, f"session-{person}", self.house.clock.now())
        return {"Cookie": f"{own_cookie(self.house.settings)}={cookie}", "X-CSRF": signer.csrf(f"session-{person}")}

    def link(self, service: str, kind: str, link: str | None) -> str:
        """The token of a personal link, by the link's id."""
        assert link, "there is a link"
        return links_of(self.house[service]).token(kind, link)

    def real(self, name: str) -> list[str]:
        """Values that the sample has for a path's or a body's field of this name; none for others."""
        return self._real.get(name, [])

    def file(self, kind: str) -> bytes:
        """A good file of this kind: arrivals, places, fleet (CSV), or the programme as xml or json."""
        if kind in ("xml", "json"):
            write = {"xml": write_xml, "json": write_json}[kind]
            return write(sample(self.first_day).programme, "1", "https://example.org/softconf")
        return files("softlanding.sample").joinpath(f"{kind}.csv").read_bytes()

    def rows(self, service: str) -> dict[str, list[str]]:
        """What stands in each table, the facts to tell too; without keys, the trail and the lease's beat."""
        return self.read(service, _rows)

    def _real_values(self) -> dict[str, list[str]]:
        fleet = self.read("dispatch", dispatch_store.list_drivers, SLUG)
        journeys = self.read("schedule", schedule_store.journeys.list_recent, SLUG)
        pickups = self.read("dispatch", dispatch_store.list_pickups, SLUG)
        links = self.read("schedule", schedule_store.speakers.links_by_speaker, SLUG)
        shifts = self.read("dispatch", lambda c: [row.id for row in c.execute(sa.text("SELECT id FROM shift")).all()])
        cars = self.read("dispatch", lambda c: [row.code for row in c.execute(sa.text("SELECT code FROM vehicle"))])
        places = list(self.read("dispatch", dispatch_store.load_places, SLUG).values())
        return {
            "conference": [SLUG],
            "driver": [one.id for one in fleet],
            "drive token": [self.link("dispatch", "drive", one.link) for one in fleet],
            "speaker token": [self.link("schedule", "speaker", link.id) for link in links.values()],
            "speaker": sorted(links),
            "journey": [one.id for one in journeys],
            "pickup": [one.id for one in pickups] + [one.code for one in pickups],
            "airport": ["HAM", "BER", "LHR"],
            "number": ["LH 2078", "BA 966"],
            "vehicle": cars,
            "shift": shifts,
            "slug": [place.slug for place in places],
            "place": [place.name for place in places],
            "names": [place.name for place in places],
            "status": ["planned", "unplaced", "missed", "delivered"],
            "start_place": [place.slug for place in places],
            "incident": [self.incident],
            "person": [one.person for one in self.read("schedule", auth.list_people)],
            "epoch": [self.house[name].life.epoch for name in SERVICES],
            "word": ["understood", "driven by taxi"],
        }


def _an_incident(tx: Any, now: Any) -> str:
    return incidents.open_incident(
        tx, now, cause="sampled", kind="other", about="test", sentence="Something", conference=SLUG
    )


def _rows(connection: sa.Connection) -> dict[str, list[str]]:
    names = sorted(set(sa.inspect(connection).get_table_names()) - {"audit", "door_answer", "lease"})
    return {name: sorted(_told(connection, name)) for name in names}


def _told(connection: sa.Connection, name: str) -> list[str]:
    """Each row as text; that a token or a session was used is no change of anything."""
    passing = {"program_token": {"seen_at"}, "session": {"seen_at"}}.get(name, set())
    rows = connection.execute(sa.text(f'SELECT * FROM "{name}"')).mappings()
    return [str(tuple(value for key, value in row.items() if key not in passing)) for row in rows]
