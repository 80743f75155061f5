"""Doors: routes that say who may use them. A route without a stated `who` cannot be made."""

import hmac
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from softlanding import sessions, tokens
from softlanding.auth import EVERYWHERE, NOBODY, Person, Signer, Visitor, load_person
from softlanding.conferences import load_conference
from softlanding.errors import Fault, Forbidden, Invalid, Unavailable
from softlanding.lifecycle import Work
from softlanding.links import Links, Presented, ended, ends_at
from softlanding.signing import Cookie
from softlanding.web.bounds import Rate
from softlanding.web.cookies import PLAIN
from softlanding.web.forms import parsed_form
from softlanding.web.guarded import public_url

COOKIE = PLAIN
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
WRITES_PER_MINUTE = 30  # By one personal link: more than a hand can type, far less than a script can.

VALUES_MAX = 64_000  # Bytes of a body that is no file.

Admit = Callable[[Request], Awaitable[None]]
Enter = Callable[[Work, str, str], Awaitable[Any]]
"""(work, conference, token) to whoever bears this personal link. Raises NotFound for one that is not good."""


@dataclass(frozen=True)
class Who:
    """Who may use a door: everyone, the bearer of a personal link in the path, staff by role, programs by scope."""

    is_everyone: bool = False
    is_link: bool = False
    roles: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    is_everywhere: bool = False  # A role counts only where it is held for the whole installation.
    enter: Enter | None = None  # Of a personal link: whose it is.
    writes_per_minute: int = WRITES_PER_MINUTE  # By one personal link.

    def admits(self, visitor: Visitor, conference: str | None, asked_about: str | None = None) -> bool:
        """`asked_about`: the conference that the query names, where the address names none."""
        if self.is_everyone or self.is_link:
            return True
        place = EVERYWHERE if self.is_everywhere else conference
        return visitor.has_role(self.roles, place) or visitor.has_scope(self.scopes, place or asked_about)


EVERYONE = Who(is_everyone=True)


def link(enter: Enter, *, writes_per_minute: int = WRITES_PER_MINUTE) -> Who:
    """Whoever bears the personal link in the path (`{conference}`, `{token}`); `enter` says who that is.

    What it answers is `request.state.bearer`, asked anew at each request, and at each sending of a stream.
    """
    return Who(is_link=True, enter=enter, writes_per_minute=writes_per_minute)


def staff(*roles: str, scopes: tuple[str, ...] = (), everywhere: bool = False) -> Who:
    """People with one of the roles for the conference in the path; programs with one of the scopes.

    Where the path names no conference, a role held for any will do, unless it must be held `everywhere`.
    """
    return Who(roles=roles, scopes=scopes, is_everywhere=everywhere)


class NotSignedIn(Forbidden):
    """Nobody known asks for something that needs a role (401)."""


class Doors:
    """A router of one service. Pages stay out of the API's description."""

    def __init__(self, work: Work, *, tags: list[str] | None = None) -> None:
        self.router = APIRouter(tags=list(tags or []))
        self._work = work

    def page(self, path: str, *, who: Who, methods: tuple[str, ...] = ("GET",)) -> Callable[[Any], Any]:
        """A door for people: `GET` shows, `POST` takes a form."""
        return self._door(path, who, methods, include_in_schema=False, response_model=None)

    def api(self, path: str, *, who: Who, methods: tuple[str, ...] = ("GET",), **more: Any) -> Callable[[Any], Any]:
        """A door for programs, described in the service's OpenAPI."""
        return self._door(path, who, methods, **more)

    def _door(self, path: str, who: Who, methods: tuple[str, ...], **more: Any) -> Callable[[Any], Any]:
        assert isinstance(who, Who), f"{path}: say who may use this door"
        door = _door_of(_admission(self._work, who))

        def add(endpoint: Any) -> Any:
            self.router.add_api_route(path, endpoint, methods=list(methods), route_class_override=door, **more)
            self.router.routes[-1].softlanding_who = who  # type: ignore[attr-defined]
            return endpoint

        return add


def _door_of(admit: Admit) -> type[APIRoute]:
    """The kind of route that asks who is there before it reads what they sent, and reads no more than it needs."""

    class Door(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def handle(request: Request) -> Response:
                await admit(request)
                if self.body_field is not None:
                    await _read_small(request)
                return await answer(request)

            return handle

    return Door


async def _read_small(request: Request) -> None:
    """The body of a door that takes a few values. Raises Invalid for one that is larger: taking apart hundreds of
    thousands of fields would hold everybody up. Files are read by the doors that take them."""
    size, chunks = 0, list[bytes]()
    async for chunk in request.stream():
        size += len(chunk)
        if size > VALUES_MAX:
            raise Invalid(
                Fault("body", f"is larger than {VALUES_MAX // 1000} kB: send values here, and files to imports")
            )
        chunks.append(chunk)
    request._body = b"".join(chunks)


def _admission(work: Work, who: Who) -> Admit:
    writes = Rate(work.parts.clock, who.writes_per_minute)

    async def admit(request: Request) -> None:
        _, request.state.bearer = await _come_in(work, who, request)
        request.state.ask_again = partial(_come_in, work, who, request)
        if request.method in SAFE_METHODS:
            return
        _refuse_other_sites(request)
        if who.is_link:
            writes.take(request.path_params["token"])
        elif request.state.visitor.session and not who.is_everyone:
            await check_csrf(request, signer_of(work), request.state.visitor)

    return admit


async def _come_in(work: Work, who: Who, request: Request) -> tuple[Visitor, Any]:
    """Who asks, and whose personal link they bear. Raises Forbidden, NotSignedIn, or NotFound for a dead link.

    A door asks once; a stream asks this again for as long as it lasts.
    """
    visitor = await visitor_of(request, work)
    if not hasattr(request.state, "visitor"):  # Once: a stream has put there whom its page is rendered for.
        request.state.visitor = visitor  # Before anything is refused: whoever is refused is known by name, too.
    conference = request.path_params.get("conference")
    if not who.admits(visitor, conference, request.query_params.get("conference")):
        wanted = " or ".join(who.roles) or "a token with scope " + " or ".join(who.scopes)
        wanted += " of the whole installation" if who.is_everywhere else ""
        if not visitor.is_known:
            raise NotSignedIn(f"this is for {wanted}; open your sign-in link first")
        raise Forbidden(f"this is for {wanted}; ask an organiser for that role")
    _refuse_nul(request)
    bearer = await who.enter(work, conference or "", request.path_params["token"]) if who.enter is not None else None
    return visitor, bearer


def _refuse_other_sites(request: Request) -> None:
    """A page of another site may not send anything here in a visitor's name, whether or not the door asks for a token.

    Browsers say so by Sec-Fetch-Site, or (over plain http) by Origin, which is "null" for our own pages, too.
    """
    origin = request.headers.get("Origin", "null")
    is_foreign = origin != "null" and urlsplit(origin).netloc != request.headers.get("Host", "")
    if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site") or is_foreign:
        raise Forbidden("a page of another site has sent this; nothing was done: open the page here, and send it again")


def _refuse_nul(request: Request) -> None:
    """PostgreSQL takes every character but this one, and nobody means it."""
    if any("\x00" in text for text in (*map(str, request.path_params.values()), *request.query_params.values())):
        raise Invalid(Fault("address", "contains the character NUL"))


async def visitor_of(request: Request, work: Work) -> Visitor:
    """Who asks, by bearer token or cookie; nobody known when neither holds."""
    signer, now = signer_of(work), work.parts.clock.now()
    bearer = request.headers.get("Authorization", "")
    try:
        if bearer.startswith("Bearer "):
            return await _program(work, signer, bearer.removeprefix("Bearer "))
        if COOKIE in request.cookies:
            idle_max = timedelta(hours=work.settings.session_idle_hours)
            cookie = signer.read_session(request.cookies[COOKIE], now, idle_max)
            person = await work.database.read(_signed_in, cookie)
            await _note_use(request, work, cookie, idle_max)
            return Visitor(person.person, person.name, frozenset(person.roles), session=cookie.session)
    except Forbidden:
        return NOBODY
    return NOBODY


def _signed_in(connection: sa.Connection, cookie: Cookie) -> Person:
    """Raises Forbidden when the session is over, or its person gone."""
    person = load_person(connection, cookie.person)
    if person is None or person.is_revoked:
        raise Forbidden("you are not on the staff (any more)")
    if sessions.is_over(connection, cookie.session, cookie.person, cookie.began_at):
        raise Forbidden("this session is over; sign in again")
    return person


async def _note_use(request: Request, work: Work, cookie: Cookie, idle_max: timedelta) -> None:
    """It is in use: noted, and the answer brings a cookie that says so; the idle limit counts from there.

    A live page asks again and again by one request: it is noted once, and ends in time to come anew, with a new cookie.
    Raises Forbidden for that.
    """
    now = work.parts.clock.now()
    first_at = getattr(request.state, "used_at", None)
    if first_at is not None:
        if now - first_at > idle_max / 4:
            raise Forbidden("this live page comes again")
        return
    request.state.used_at = now
    if now - cookie.used_at <= sessions.SEEN_ANEW:
        return
    request.state.renewed_cookie = signer_of(work).session_cookie(cookie.person, cookie.session, cookie.began_at, now)
    with suppress(Unavailable):  # A standby, or a database that is away: the request is worth more than the note.
        await work.database.write(sessions.see, cookie.session)


def signer_of(work: Work) -> Signer:
    also = work.settings.session_secret_previous
    return Signer(work.settings.session_secret.get_secret_value(), also.get_secret_value() if also else "")


def links_of(work: Work) -> Links:
    """What makes and reads personal links; those made with the secret before the present one are still good."""
    secrets = (work.settings.session_secret, work.settings.session_secret_previous)
    return Links(tuple(secret.get_secret_value() for secret in secrets if secret is not None))


def link_address(work: Work, request: Request, conference: str, kind: str) -> Callable[[str], str]:
    """What makes the full address of a personal link of this kind (`speaker`, `drive`) from its id."""
    base, links = public_url(work, request), links_of(work)
    return lambda link: f"{base}/{conference}/{kind}/{links.token(kind, link)}"


def presented(work: Work, kind: str, token: str) -> Presented:
    return Presented(links_of(work).read(kind, token), token)


async def refuse_ended(work: Work, slug: str) -> None:
    """Raises NotFound once the personal links of this conference have ended."""
    conference = await work.database.read(load_conference, slug)
    if conference is not None:
        end = ends_at(conference.last_on, conference.zone, work.settings.personal_links_days)
        if work.parts.clock.now() >= end:
            raise ended(end)


async def _program(work: Work, signer: Signer, token: str) -> Visitor:
    of_peers = (work.settings.peer_token, work.settings.peer_token_previous)
    if any(hmac.compare_digest(token.encode(), one.get_secret_value().encode()) for one in of_peers if one):
        return Visitor(name="peer", scopes=frozenset(("facts", "personal", "read")))
    now = work.parts.clock.now()
    if not token.startswith(tokens.PREFIX):
        name, scopes = signer.read_command(token, now)
        return Visitor(name=name, scopes=scopes)
    known = await work.database.read(tokens.find, token)
    if known is None or not known.holds_at(now):
        raise Forbidden("this token does not hold (any more)")
    if known.seen_at is None or now - known.seen_at > tokens.SEEN_ANEW:
        with suppress(Unavailable):
            await work.database.write(tokens.see, known.token)
    place = known.conference or EVERYWHERE
    return Visitor(name=known.name, scopes=frozenset(known.scopes), place=place, token=known.token)


async def check_csrf(request: Request, signer: Signer, visitor: Visitor) -> None:
    token = request.headers.get("X-CSRF", "")
    kind = request.headers.get("Content-Type", "")
    if not token and ("form" in kind):
        given = (await parsed_form(request)).get("csrf", "")
        token = given if isinstance(given, str) else ""
    if not signer.is_csrf(visitor.session, token):
        raise Forbidden("this form is from another session; nothing was done: go back, reload the page, send it again")
