"""Who comes in where: every route of all three services, with everybody who might try.

The table below is written by hand from the promises of the design, not read from the code: a door that opens further
than it says, or says more than was promised, differs from it.
"""

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.routing import APIRoute

from sampled import SERVICES, SLUG, Sampled
from softlanding import auth, incidents
from softlanding.auth import Signer
from softlanding.dispatch import store as dispatch_store
from softlanding.lifecycle import Service
from softlanding.messaging import outbox
from softlanding.schedule import store as schedule_store
from softlanding.signing import COMMAND_LASTS, SESSION_LASTS
from softlanding.web import Doors, make_app
from softlanding.web.cookies import own_cookie
from softlanding.web.doors import signer_of

STAFF = "organiser coordinator operator"
TRAVEL = "organiser coordinator"
LOOK = "read write"
HERE = "for the conference in the path"
ANYWHERE = "for whichever conference"
EVERYWHERE = "for the whole installation"
NAMED = "for the whole installation, or the conference that the query names"

# Method, path, roles, scopes, and where the role must be held. The first that fits counts.
WHO: list[tuple[str, str, str, str, str]] = [
    ("*", "/sign-in/sessions*", STAFF, "", ANYWHERE),
    ("*", "/sign-in/*", "everyone", "", ""),
    ("POST", "/sign-out", "everyone", "", ""),
    ("*", "/{conference}/speaker/{token}*", "link", "", ""),
    ("*", "/{conference}/drive/{token}*", "link", "", ""),
    ("*", "/{conference}/organise/arrivals*", TRAVEL, "", HERE),
    ("*", "/{conference}/organise/unanswered/*", TRAVEL, "", HERE),
    ("*", "/{conference}/organise/*", "organiser", "", HERE),
    ("*", "/{conference}/dispatch/*", "coordinator", "", HERE),
    ("GET", "/{conference}/statistics/*", STAFF, "read", HERE),
    ("GET", "/{conference}/follow*", STAFF, "read", HERE),
    ("POST", "/operations/dead-letters/*", "operator", "", EVERYWHERE),
    ("POST", "/operations/incidents/*", "operator", "", EVERYWHERE),
    ("GET", "/operations/*", "operator", "read", EVERYWHERE),
    ("*", "/-letters/*", "operator", "", EVERYWHERE),
    ("GET", "/-audit/*", "operator", "", EVERYWHERE),
    ("POST", "/-settle/*", STAFF, "", ANYWHERE),
    ("GET", "/api/*/facts", "operator", "facts", EVERYWHERE),
    ("GET", "/api/*/audit", "operator", "admin", EVERYWHERE),
    ("GET", "/api/*/receipts", "operator", "facts", EVERYWHERE),
    ("GET", "/api/*/dead-letters", "operator", "read", EVERYWHERE),
    ("POST", "/api/*/dead-letters/*", "operator", "write", EVERYWHERE),
    ("POST", "/api/*/clock/release", "operator", "write", EVERYWHERE),
    ("GET", "/api/*/incidents", STAFF, "read", ANYWHERE),
    ("POST", "/api/*/incidents/*", STAFF, "write", ANYWHERE),
    ("POST", "/api/statistics/logs", "", "logs", EVERYWHERE),
    ("GET", "/api/statistics/{conference}/*", STAFF, "read", HERE),
    ("GET", "/api/statistics/heard", STAFF, "read", NAMED),
    ("GET", "/api/statistics/minutes", STAFF, "read", NAMED),
    ("GET", "/api/statistics/counts", STAFF, "read", NAMED),
    ("GET", "/api/statistics/waits", STAFF, "read", NAMED),
    ("GET", "/api/statistics/pickups", STAFF, "read", NAMED),
    ("GET", "/api/statistics/all-incidents", STAFF, "read", ANYWHERE),
    ("GET", "/api/statistics/*", STAFF, "read", EVERYWHERE),
    ("GET", "/api/schedule/people", "organiser", f"{LOOK} admin", EVERYWHERE),
    ("*", "/api/schedule/people*", "organiser", "admin", EVERYWHERE),
    ("*", "/api/schedule/tokens*", "organiser", "admin", EVERYWHERE),
    ("POST", "/api/schedule/sample", "organiser", "write", EVERYWHERE),
    ("POST", "/api/schedule/programmes", "organiser", "write", ANYWHERE),  # The file says of which; then it is asked.
    ("GET", "/api/schedule/conferences", TRAVEL, LOOK, ANYWHERE),
    ("GET", "/api/schedule/{conference}/programme", "organiser", LOOK, HERE),
    ("GET", "/api/schedule/{conference}/releases", "organiser", LOOK, HERE),
    ("GET", "/api/schedule/{conference}/speakers", "organiser", LOOK, HERE),
    ("POST", "/api/schedule/{conference}/releases", "organiser", "write", HERE),
    ("POST", "/api/schedule/{conference}/speakers/*", "organiser", "admin", HERE),
    ("GET", "/api/schedule/{conference}/*", TRAVEL, LOOK, HERE),
    ("*", "/api/schedule/{conference}/*", TRAVEL, "write", HERE),
    ("GET", "/api/dispatch/{conference}/drivers", "coordinator", "admin", HERE),  # With their personal links.
    ("POST", "/api/dispatch/{conference}/drivers/*/link", "coordinator", "admin", HERE),
    ("POST", "/api/dispatch/{conference}/drivers/*/revoke", "coordinator", "admin", HERE),
    ("POST", "/api/dispatch/{conference}/runsheets/renew", "coordinator", "admin", HERE),
    ("GET", "/api/dispatch/{conference}/*", "coordinator", LOOK, HERE),
    ("POST", "/api/dispatch/{conference}/drivers", TRAVEL, "write", HERE),
    ("POST", "/api/dispatch/{conference}/drivers/*/change", TRAVEL, "write", HERE),
    ("POST", "/api/dispatch/{conference}/vehicles*", TRAVEL, "write", HERE),
    ("POST", "/api/dispatch/{conference}/shifts*", TRAVEL, "write", HERE),
    ("POST", "/api/dispatch/{conference}/places*", TRAVEL, "write", HERE),
    ("POST", "/api/dispatch/{conference}/fleet/import", TRAVEL, "write", HERE),
    ("POST", "/api/dispatch/{conference}/*", "coordinator", "write", HERE),
]
WITHOUT_WHO = ("/static", "/static/schedule", "/static/dispatch", "/static/statistics")  # The same for everybody.
VALUES = {"conference": SLUG}


@dataclass(frozen=True)
class Rule:
    roles: frozenset[str]
    scopes: frozenset[str]
    place: str

    def admits(self, visitor: "Trier") -> bool:
        if self.roles & {"everyone", "link"} or self.scopes & visitor.scopes:
            return True
        wanted = {HERE: {SLUG, "*"}, ANYWHERE: {SLUG, "*", "other"}}.get(self.place, {"*"})
        return any(role in self.roles and place in wanted for place, role in visitor.roles)


@dataclass(frozen=True)
class Trier:
    headers: dict[str, str]
    roles: frozenset[tuple[str, str]] = frozenset()
    scopes: frozenset[str] = frozenset()

    @property
    def is_known(self) -> bool:
        return bool(self.roles or self.scopes)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    return Sampled(tmp_path_factory.mktemp("sampled"))


def routes(sampled: Sampled, service: str) -> list[tuple[str, Any]]:
    """(method, route) of every door that is not the same for everybody."""
    described = f"/api/{service}/openapi.json"
    found = [route for route in sampled.apps[service].routes if route.path not in (*WITHOUT_WHO, described)]
    return [(method, route) for route in found for method in sorted(route.methods - {"HEAD"})]


def rule_of(method: str, path: str) -> Rule:
    for methods, pattern, roles, scopes, place in WHO:
        if methods in ("*", method) and fnmatchcase(path, pattern):
            return Rule(frozenset(roles.split()), frozenset(scopes.split()), place)
    raise AssertionError(f"{method} {path}: nothing was promised about who may use this door")


def triers(sampled: Sampled) -> dict[str, Trier]:
    """Everybody who might try, with what they truly have."""
    everything = tuple(("*", role) for role in auth.STAFF_ROLES)
    signer, now = signer_of(sampled.work("schedule")), sampled.house.clock.now()
    gone = sampled.session(sampled.person("gone", *everything, is_revoked=True))
    boss = sampled.person("boss", *everything)
    found = {"nobody": Trier({}), "revoked": Trier(gone)}
    for place in (SLUG, "other", "*"):
        for role in auth.STAFF_ROLES:
            person = sampled.person(f"{role}-{place.replace('*', 'all')}", (place, role))
            found[f"{role} of {place}"] = Trier(sampled.session(person), frozenset({(place, role)}))
    for scope in auth.SCOPES:
        found[f"program that may {scope}"] = Trier(_bearer(sampled.token(scope)), scopes=frozenset({scope}))
    cookies = {
        "expired session": signer.session_cookie(boss, "s", now - SESSION_LASTS - timedelta(seconds=1)),
        "forged session": Signer("another secret, long enough to be one").session_cookie(boss, "s", now),
        "session cut short": signer.session_cookie(boss, "s", now)[:-1],
        "sign-in link as session": signer.sign_in_token(boss, "n", now),
        "program's token as session": sampled.token(*auth.SCOPES),
        "speaker's link as session": sampled.real("speaker token")[0],
        "no text at all": "\xe9\xff",
    }
    found |= {name: Trier(_cookie(sampled, cookie)) for name, cookie in cookies.items()}
    bearers = {
        "session as token": signer.session_cookie(boss, "s", now),
        "driver's link as token": sampled.real("drive token")[0],
        "expired token": signer.command_token("old", auth.SCOPES, now - COMMAND_LASTS - timedelta(seconds=1)),
        "no token": "",
        "no ASCII": "\xe9\xff",
    }
    return found | {name: Trier(_bearer(token)) for name, token in bearers.items()}


def _bearer(token: str) -> dict[str, Any]:
    return {"Authorization": f"Bearer {token}".encode("latin-1")}


def _cookie(sampled: Sampled, cookie: str) -> dict[str, Any]:
    return {"Cookie": f"{own_cookie(sampled.house.settings)}={cookie}".encode("latin-1"), "X-CSRF": "guessed"}


def address_of(route: Any) -> str:
    """The route's path; what it names does not exist, but for the conference."""
    return route.path.format(**{name: VALUES.get(name, "no-such") for name in route.param_convertors})


# --- The walk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_each_route_says_who_may_use_it_and_says_what_was_promised(sampled, service):
    for method, route in routes(sampled, service):
        who, rule = route.softlanding_who, rule_of(method, route.path)
        assert who.is_everyone == ("everyone" in rule.roles), route.path
        assert who.is_link == ("link" in rule.roles), route.path
        if not (who.is_everyone or who.is_link):
            assert (set(who.roles), set(who.scopes)) == (rule.roles, rule.scopes), (method, route.path)
            assert who.is_everywhere == (rule.place == EVERYWHERE), (method, route.path)
            assert ("conference" in route.param_convertors) == (rule.place == HERE), (method, route.path)


@pytest.mark.parametrize("service", SERVICES)
def test_everybody_tries_every_door_and_only_who_may_comes_in(sampled, service):
    everybody, wrong = triers(sampled), []
    before = sampled.rows(service)
    with sampled.client(service, Accept="application/json") as client:
        for method, route in routes(sampled, service):
            rule = rule_of(method, route.path)
            if "link" in rule.roles or route.path == "/sign-out":  # Whoever signs out comes in nowhere any more.
                continue
            for name, trier in everybody.items():
                client.cookies.clear()
                status = client.request(method, address_of(route), headers=trier.headers).status_code
                if not _is_as_it_should(status, rule, trier, route):
                    wrong.append(f"{name}: {method} {route.path} answers {status}")
    assert wrong == []
    assert sampled.rows(service) == before


def _is_as_it_should(status: int, rule: Rule, trier: Trier, route: Any) -> bool:
    if status >= 500:
        return False
    if route.path == "/sign-in/{token}":
        return status == 403  # There is no such link, for nobody.
    if rule.admits(trier):
        return status not in (401, 403)
    return status == (403 if trier.is_known else 401)


@pytest.mark.parametrize("service", SERVICES)
def test_no_form_of_another_session_does_anything(sampled, service):
    session = sampled.session(sampled.person("all", *(("*", role) for role in auth.STAFF_ROLES)))
    other = sampled.session(sampled.person("another", ("*", "operator")))["X-CSRF"]
    wrong: list[str] = []
    with sampled.client(service, Accept="application/json", Cookie=session["Cookie"]) as client:
        for method, route in routes(sampled, service):
            if method == "GET" or not route.softlanding_who.roles:
                continue
            for given in (None, b"", b"guessed", b"\xe9", other.encode()):
                headers = {"X-CSRF": given} if given is not None else {}
                status = client.request(method, address_of(route), headers=headers).status_code
                wrong += [f"{method} {route.path} with {given}: {status}"] if status != 403 else []
            form = {"csrf": session["X-CSRF"]}
            status = client.request(method, address_of(route), data=form).status_code
            wrong += [f"{method} {route.path} with its own: {status}"] if status in (401, 403) else []
    assert wrong == []


def test_a_route_that_does_not_say_who_may_use_it_ends_the_start(sampled):
    work = sampled.work("schedule")
    with pytest.raises(AssertionError, match="say who"):
        Doors(work).page("/somewhere", who=None)

    def answer() -> None:
        """Whatever it does, nobody said for whom."""

    def open_doors(_work: Any) -> list[Any]:
        made = Doors(work)
        made.router = APIRouter(routes=[APIRoute("/open", answer)])
        return [made]

    bare = Service("schedule", work.service.tables, "softlanding.schedule", {}, doors=open_doors)
    kept, work.service = work.service, bare
    try:
        with pytest.raises(AssertionError, match="/open: say who"):
            make_app(work)
    finally:
        work.service = kept


# --- Personal links ---------------------------------------------------------------------------------------------------


def link_doors(sampled: Sampled) -> list[tuple[str, str, Any]]:
    return [
        (service, method, route)
        for service in SERVICES
        for method, route in routes(sampled, service)
        if route.softlanding_who.is_link
    ]


def test_a_wrong_link_is_a_page_that_is_not_there_whoever_opens_it(sampled):
    boss = sampled.session(sampled.person("over-all", *(("*", role) for role in auth.STAFF_ROLES)))
    own = {"speaker": "drive token", "drive": "speaker token"}
    for service, method, route in link_doors(sampled):
        kind = route.path.split("/")[2]
        for token in ("guessed", sampled.real(own[kind])[0], "x" * 64):
            for headers in ({}, boss, _bearer(sampled.token(*auth.SCOPES))):
                address = route.path.format(conference=SLUG, token=token)
                assert sampled.client(service).request(method, address, headers=headers).status_code == 404, address


def test_a_link_opens_its_own_page_and_no_other_conference(sampled):
    for service, kind in (("schedule", "speaker"), ("dispatch", "drive")):
        token = sampled.real(f"{kind} token")[0]
        answer = sampled.client(service).get(f"/{SLUG}/{kind}/{token}")
        assert answer.status_code == 200
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert sampled.client(service).get(f"/other/{kind}/{token}").status_code == 404


def test_an_ended_link_is_refused_at_every_door(sampled):
    speaker, driver = sampled.real("speaker")[-1], sampled.real("driver")[-1]
    links = sampled.read("schedule", schedule_store.speakers.links_by_speaker, SLUG)
    old = {
        "speaker": sampled.link("schedule", "speaker", links[speaker].id),
        "drive": sampled.link(
            "dispatch", "drive", sampled.read("dispatch", dispatch_store.load_driver, SLUG, driver).link
        ),
    }
    writing = {service: sampled.program(service, "admin") for service in ("schedule", "dispatch")}
    key = {"Idempotency-Key": "ended"}
    ended = writing["schedule"].post(f"/api/schedule/{SLUG}/speakers/{speaker}/link", headers=key)
    assert ended.json()["url"].split("/")[-1] != old["speaker"]
    assert writing["dispatch"].post(f"/api/dispatch/{SLUG}/drivers/{driver}/link", headers=key).status_code == 200
    for service, method, route in link_doors(sampled):
        address = route.path.format(conference=SLUG, token=old[route.path.split("/")[2]])
        assert sampled.client(service).request(method, address).status_code == 404, address


def test_a_driver_says_nothing_about_another_drivers_ride(sampled):
    rides = [one for one in sampled.read("dispatch", dispatch_store.list_pickups, SLUG) if one.is_on_vehicle]
    shifts = sampled.read("dispatch", dispatch_store.load_shifts, SLUG)
    ride = rides[0]
    drivers = sampled.read("dispatch", dispatch_store.list_drivers, SLUG)
    stranger = next(one for one in drivers if one.id != shifts[ride.shift].driver)
    address = f"/{SLUG}/drive/{sampled.link('dispatch', 'drive', stranger.link)}/taps"
    answer = sampled.client("dispatch", Accept="application/json").post(
        address, data={"key": "1", "pickup": ride.code, "tap": "accepted"}
    )
    assert answer.status_code == 403
    assert "another driver's ride" in answer.json()["error"]
    assert sampled.read("dispatch", dispatch_store.load_pickup, SLUG, ride.code).status == ride.status


# --- What belongs to a conference stays there -------------------------------------------------------------------------


def test_an_incident_is_settled_by_the_staff_of_its_conference(sampled):
    stranger = sampled.session(sampled.person("stranger", *(("other", role) for role in auth.STAFF_ROLES)))
    mine = sampled.session(sampled.person("mine", *((SLUG, role) for role in auth.STAFF_ROLES)))
    given = {"word": "understood", "note": "", "incident": sampled.incident, "key": "1"}
    here = sampled.client("dispatch", **stranger)
    listed = here.get("/api/dispatch/incidents").json()
    assert sampled.incident not in [each["id"] for each in listed]
    here.post("/-settle/dispatch", data=given)
    settle = f"/api/dispatch/incidents/{sampled.incident}/settle"
    assert here.post(settle, json={"word": "understood"}, headers={"Idempotency-Key": "2"}).status_code == 403
    here.post(f"/other/dispatch/incidents/{sampled.incident}/settle", data=given)
    assert sampled.read("dispatch", incidents.load, sampled.incident).settled_at is None
    told = {
        who: sampled.client("statistics", **headers).get("/api/statistics/all-incidents").text
        for who, headers in (("stranger", stranger), ("mine", mine))
    }
    assert ("Something" in told["stranger"], "Something" in told["mine"]) == (False, True)
    assert sampled.client("dispatch", **mine).post("/-settle/dispatch", data=given).status_code == 303
    assert sampled.read("dispatch", incidents.load, sampled.incident).settled_word == "understood"


def _codes(connection):
    return {row.code for row in connection.execute(sa.text("SELECT code FROM pickup"))}


def test_staff_and_programs_of_one_conference_learn_nothing_of_another_at_doors_that_name_none(sampled):
    sampled.write("dispatch", _an_incident, "other", "Their own trouble")
    sampled.write("dispatch", _an_incident, None, f"The system's trouble with {sampled.real('pickup')[-1]}")
    line = {"service": "dispatch", "level": "error", "event": f"of {SLUG}", "timestamp": "2026-05-08T12:00:00Z"}
    assert sampled.program("statistics", "logs").post("/api/statistics/logs", json=[line]).is_success
    sampled.house.run()
    secrets = sampled.read("dispatch", _codes) | {SLUG, "SoftConf"}
    theirs = sampled.session(sampled.person("theirs", *(("other", role) for role in auth.STAFF_ROLES)))
    token = _bearer(sampled.token("read", "write", "facts", "logs", "admin", "personal", conference="other"))
    told = {}
    for who, headers in (("staff", theirs), ("program", token), ("whole", _everything(sampled))):
        told[who] = {}
        for service in SERVICES:
            client = sampled.client(service, **headers)
            for method, route in routes(sampled, service):
                names = set(route.param_convertors)
                if method == "GET" and not names and not route.path.endswith("stream"):
                    answer = client.get(route.path, params={"conference": "other"} if who == "program" else {})
                    told[who][route.path] = answer.text if answer.is_success else ""
    whole = "".join(told.pop("whole").values())
    assert all(one in whole for one in (SLUG, sampled.real("pickup")[-1], "of softconf"))
    # A page's head may lead to the programme, which is public.
    found = [
        (who, path, one)
        for who in told
        for path, text in told[who].items()
        for one in secrets
        if one in text and (path.startswith("/api/") or one not in (SLUG, "SoftConf"))
    ]
    assert found == []
    assert "Their own trouble" in told["staff"]["/api/dispatch/incidents"]
    assert "Their own trouble" in told["staff"]["/api/statistics/all-incidents"]
    assert "trouble with" not in "".join(text for each in told.values() for text in each.values())


def test_what_belongs_to_the_whole_system_is_settled_by_who_has_a_role_everywhere(sampled):
    incident = sampled.write("dispatch", _an_incident, None, "The system's trouble")
    settle, given = f"/api/dispatch/incidents/{incident}/settle", {"word": "understood"}
    theirs = sampled.session(sampled.person("theirs", *(("other", role) for role in auth.STAFF_ROLES)))
    refused = sampled.client("dispatch", **theirs).post(settle, json=given, headers={"Idempotency-Key": "w1"})
    assert (refused.status_code, "whole system" in refused.text) == (403, True)
    done = sampled.client("dispatch", **_everything(sampled)).post(
        settle, json=given, headers={"Idempotency-Key": "w2"}
    )
    assert done.status_code == 200


def _everything(sampled):
    return sampled.session(sampled.person("boss", *(("*", role) for role in auth.STAFF_ROLES)))


def _an_incident(tx, now, conference, sentence):
    return incidents.open_incident(
        tx, now, cause=sentence, kind="other", about="test", sentence=sentence, conference=conference
    )


def test_numbers_are_for_the_staff_of_the_conference_they_are_of(sampled):
    mine = sampled.client("statistics", **sampled.session(sampled.person("here", (SLUG, "organiser"))))
    for name in ("heard", "minutes", "counts", "waits", "pickups"):
        assert mine.get(f"/api/statistics/{name}").status_code == 403
        assert mine.get(f"/api/statistics/{name}?conference=").status_code == 403
        assert mine.get(f"/api/statistics/{name}?conference=other").status_code == 403
        assert mine.get(f"/api/statistics/{name}?conference={SLUG}").status_code == 200


# --- What is personal -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
def test_a_feed_tells_nothing_about_persons_but_to_who_may_know(sampled, service):
    known = sampled.read("schedule", auth.list_people)
    secrets = {row.speaker_name for row in sampled.read("schedule", schedule_store.journeys.list_recent, SLUG)}
    secrets |= {one.name for one in sampled.read("dispatch", dispatch_store.list_drivers, SLUG)}
    secrets |= {each.email for each in known if each.email} | {each.name for each in known if " " in each.name}
    line = outbox.lineage
    epochs = [life.epoch for life in sampled.read(service, line)]

    def feed(headers: dict[str, Any]) -> str:
        pages, after = [], 0
        for epoch in epochs:
            while True:
                given = {"epoch": epoch, "after": after}
                page = sampled.client(service).get(f"/api/{service}/facts", params=given, headers=headers)
                assert page.status_code == 200
                if not (events := page.json()):
                    break
                pages.append(page.text)
                after = max(int(event["sequence"]) for event in events)
        return "".join(pages)

    told = feed(_bearer(sampled.token("facts", "personal")))
    operator = sampled.session(sampled.person("feed-reader", ("*", "operator")))
    for headers in (_bearer(sampled.token("facts")), operator):
        assert [secret for secret in secrets if secret in feed(headers)] == []
    assert service == "statistics" or any(secret in told for secret in secrets)


def test_a_coordinator_is_led_to_the_arrivals_that_they_may_use(sampled):
    session = sampled.session(sampled.person("coordinator", ("softconf", "coordinator")))
    page = sampled.client("dispatch", **session).get("/softconf/dispatch/")
    assert 'href="/softconf/organise/arrivals"' in page.text
    assert 'href="/softconf/organise/people"' not in page.text
    arrivals = sampled.client("schedule", **session).get("/softconf/organise/arrivals")
    assert arrivals.status_code == 200
    assert 'href="/softconf/organise/arrivals" aria-current="page"' in arrivals.text
