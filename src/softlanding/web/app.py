"""A service's web application: its doors, the common ones, and how every refusal is said."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from softlanding import errors
from softlanding.auth import SCOPES_IN_WORDS
from softlanding.lifecycle import Work
from softlanding.telemetry import Bounded, get_log
from softlanding.web import common
from softlanding.web.cookies import own_cookie
from softlanding.web.described import put_description
from softlanding.web.doors import COOKIE, SAFE_METHODS, NotSignedIn
from softlanding.web.guarded import Guard, GuardedApp
from softlanding.web.pages import SERVICES, Pages
from softlanding.web.stream import Streams
from softlanding.web.trail import note_refusal

FAULTS_SAID = 50  # Nobody reads more of one request.
STATUS: tuple[tuple[type[errors.SoftlandingError], int, str], ...] = (
    (errors.Invalid, 422, "That cannot be read"),
    (NotSignedIn, 401, "Please sign in"),
    (errors.Forbidden, 403, "That is not for you"),
    (errors.NotFound, 404, "There is no such thing"),
    (errors.Conflict, 409, "Somebody was quicker"),
    (errors.Refused, 409, "That is not possible"),
    (errors.TooMany, 429, "Too much at once"),
    (errors.Unavailable, 503, "Not just now"),
)
TODO = {
    401: "Open your sign-in link, then come back. An organiser finds links under People.",
    403: "Go back, or ask an organiser for the role.",
    404: "Check the address, or begin at the start page.",
    421: "Open it by its own address; an operator adds a name with the setting front_door.names.",
    409: "Look at the page again; it shows the present state.",
    422: "Correct what is named above and send it again.",
    429: "Wait as long as is said above. What is open already goes on.",
    503: "Wait a few seconds and send it again: the same form counts once, however often it is sent.",
}


def make_app(work: Work) -> FastAPI:
    """The application of one service at work. Raises AssertionError for a route that does not say who may use it."""
    name = work.service.name
    app = GuardedApp(
        title=f"Softlanding {name.title()}",
        version=work.parts.release,
        description=SCOPES_IN_WORDS,
        openapi_url=f"/api/{name}/openapi.json",
        docs_url=None,
        redoc_url=None,
        openapi_tags=[{"name": name}],
    )
    pages = Pages(work)
    app.state.work = work
    app.state.pages = pages
    app.state.streams = Streams(work)
    made: list[BaseRoute] = []
    for doors in (*(work.service.doors(work) if work.service.doors else ()), common.make_doors(work, pages)):
        for route in doors.router.routes:
            assert hasattr(route, "softlanding_who"), f"{route.path}: say who may use this door"
        made += doors.router.routes
    # Own words first: `/api/dispatch/…` is no page of a conference called "api".
    app.router.routes.extend(sorted(made, key=lambda route: getattr(route, "path", "").startswith("/{")))
    _add_static(app)
    _add_refusals(app, work, pages)
    app.add_middleware(CountAnswers, work=work)
    app.add_middleware(RenewedCookie, is_secure=work.settings.secure_cookies)
    app.put_guard(work, _refuse_foreign(pages))
    put_description(app, own_cookie(work.settings))
    return app


class CountAnswers:
    """What requests were answered, and how long it took; the service's troubles hear of those that it cannot do now."""

    def __init__(self, app: ASGIApp, work: Work) -> None:
        self._app, self._work = app, work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        clock = self._work.parts.clock
        began = clock.monotonic()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._work.answered(message["status"], clock.monotonic() - began)
                if message["status"] == 503:
                    self._work.troubles.refuse()
            await send(message)

        await self._app(scope, receive, answer)


class RenewedCookie:
    """Each answer to a session that is in use brings its renewed cookie, if there is one (web.doors)."""

    def __init__(self, app: ASGIApp, is_secure: bool) -> None:
        self._app = app
        self._is_secure = is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_cookie(message: Message) -> None:
            renewed = scope.get("state", {}).get("renewed_cookie")
            if message["type"] == "http.response.start" and renewed:
                headers = MutableHeaders(scope=message)
                if COOKIE not in headers.get("Set-Cookie", ""):  # A sign-out, or another sign-in, says the last word.
                    headers.append("Set-Cookie", common.session_cookie(renewed, is_secure=self._is_secure))
            await send(message)

        await self._app(scope, receive, with_cookie)


def make_standby_app(work: Work) -> ASGIApp:
    """The same application where another process is at work: it answers what only looks, and refuses the rest."""
    app = make_app(work)
    pages = app.state.pages

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            await app(scope, receive, send)
            return
        words = (
            f"this process stands by; the active one is life {work.life.epoch}, at work since "
            f"{work.life.began_at:%Y-%m-%d %H:%M:%S} UTC"
        )
        response = _say(Request(scope, receive), pages, 503, "This one stands by", words)
        await response(scope, receive, send)

    return Guard(answer, work.settings, work.service.name, _refuse_foreign(pages))


def _refuse_foreign(pages: Pages) -> Callable[[Request], Response]:
    def refuse(request: Request) -> Response:
        words = "this installation is not known by the name that was asked for"
        return _say(request, pages, 421, "That is another name", words)

    return refuse


def _add_static(app: FastAPI) -> None:
    """For tests and a service run alone; with a front door the files are served there."""
    for service in SERVICES:
        folder = files(f"softlanding.{service}").joinpath("static")
        if folder.is_dir():
            app.mount(f"/static/{service}", StaticFiles(directory=str(folder)), name=f"static-{service}")
    app.mount("/static", StaticFiles(directory=str(files("softlanding").joinpath("static"))), name="static")


def _add_refusals(app: FastAPI, work: Work, pages: Pages) -> None:
    @app.exception_handler(errors.SoftlandingError)
    async def refuse(request: Request, error: errors.SoftlandingError) -> Response:
        status, title = next(((s, t) for kind, s, t in STATUS if isinstance(error, kind)), (500, "Something broke"))
        if status in (401, 403):
            note_refusal(request, work, status)
        response = _say(request, pages, status, title, str(error), faults=getattr(error, "faults", ()))
        if isinstance(error, errors.TooMany):
            response.headers["Retry-After"] = str(error.wait_s)
        return response

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        found = error.errors()[:FAULTS_SAID]
        faults = [errors.Fault(".".join(str(p) for p in f["loc"][1:]), f["msg"]) for f in found]
        return _say(request, pages, 422, "That cannot be read", "; ".join(map(str, faults)), faults=faults)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        title = "There is no such page" if error.status_code == 404 else "That is not possible"
        return _say(request, pages, error.status_code, title, f"{error.detail}: {request.url.path}")

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, _error: ClientDisconnect) -> Response:
        get_log().debug("a visitor hung up", door=_door_of(request))
        return Response(status_code=400)  # Nobody is there to read it.

    bounded, clock = Bounded(), app.state.work.parts.clock

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        is_said, left_out = bounded.take(_door_of(request), clock.monotonic())
        if is_said:
            more = {"left_out": left_out} if left_out else {}
            get_log().error("a door broke", door=_door_of(request), exc_info=error, **more)
        return _say(request, pages, 500, "Something broke here", f"This is a fault of ours ({type(error).__name__}).")


def _door_of(request: Request) -> str:
    """The route's pattern: the path itself may bear somebody's personal link."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', 'unknown')}"


def _say(request: Request, pages: Pages, status: int, title: str, happened: str, *, faults: Any = ()) -> Response:
    """JSON for programs, a page for people: what happened, what is kept, what to do."""
    headers = {"Retry-After": "2"} if status == 503 else {}
    if request.url.path.startswith("/api/") or "application/json" in request.headers.get("Accept", ""):
        listed = [{"where": fault.where, "what": fault.what} for fault in faults]
        body = {"error": happened, "faults": listed, "todo": TODO.get(status, "")}
        return JSONResponse(body, status, headers)
    kept = "Nothing was changed." if request.method not in ("GET", "HEAD") else ""
    error = {
        "status": status,
        "title": title,
        "happened": happened[:1].upper() + happened[1:],
        "kept": kept,
        "todo": TODO.get(status, "Send it again; if it stays, tell an operator."),
        "reference": "",
    }
    response = pages.show(request, "error.html", title=title, status=status, error=error, back=None)
    response.headers.update(headers)
    return response
