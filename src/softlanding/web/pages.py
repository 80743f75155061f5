"""Rendering: one template environment a service, the frame's values, and the filters for time."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse

from softlanding.auth import Visitor
from softlanding.conferences import Conference, list_conferences, load_conference, zone_of_all
from softlanding.errors import NotFound, SoftlandingError, TooMany
from softlanding.lifecycle import Work
from softlanding.web.doors import signer_of
from softlanding.web.forms import FLASH, status_of, take_message

SERVICES = ("schedule", "dispatch", "statistics")


class Pages:
    """A service's templates, with the frame around them."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._environment = make_environment(work.service.name)

    async def conference(self, slug: str) -> Conference:
        """Raises NotFound in words."""
        found = await self._work.database.read(load_conference, slug)
        if found is None:
            raise NotFound(f"there is no conference '{slug}' here (yet)")
        return found

    async def of_all(self) -> dict[str, Any]:
        """The frame of a page that belongs to no conference, for `show` and `frame`: around the only one, if there is
        one; times in the zone that all share, else in UTC."""
        known = await self._work.database.read(list_conferences)
        zone = await self._work.database.read(zone_of_all)
        return {"conference": known[0] if len(known) == 1 else None, "zone": zone}

    def show(
        self,
        request: Request,
        template: str,
        *,
        conference: Conference | None = None,
        zone: str | None = None,
        title: str = "",
        status: int = 200,
        refusal: SoftlandingError | None = None,
        refused: Mapping[str, Any] | None = None,
        **context: Any,
    ) -> HTMLResponse:
        """The page. What the last form led to is shown once. `refusal`: why it shows a form again (`forms.ANSWERS`)."""
        message = take_message(request)
        page = self.frame(request, conference, title, zone) | {"message": message, "refused": refused}
        status = status_of(refusal) if refusal is not None else status
        response = HTMLResponse(self.render(template, page, **context), status_code=status)
        if isinstance(refusal, TooMany):
            response.headers["Retry-After"] = str(refusal.wait_s)
        response.headers["Cache-Control"] = "no-store"
        if message is not None:
            response.delete_cookie(FLASH)
        return response

    def frame(
        self, request: Request | None, conference: Conference | None, title: str = "", zone: str | None = None
    ) -> dict[str, Any]:
        """The values that every page gets (templates/base.html names them). No zone: the page has no times."""
        visitor: Visitor | None = getattr(request.state, "visitor", None) if request is not None else None
        return {
            "title": title,
            "conference": {"slug": conference.slug, "name": conference.title} if conference else None,
            "zone": conference.zone if conference else zone,
            "who": _who(visitor, conference),
            "csrf": signer_of(self._work).csrf(visitor.session) if visitor and visitor.session else "",
            "now": self._work.parts.clock.now(),
            "message": None,
            "refused": None,
        }

    def render(self, template: str, page: Mapping[str, Any], **context: Any) -> str:
        """A template or a fragment as text."""
        return self._environment.get_template(template).render(page=page, key=self._work.parts.ids.secret, **context)


def _who(visitor: Visitor | None, conference: Conference | None) -> dict[str, Any] | None:
    if visitor is None or visitor.person is None:
        return None
    places = ("*", conference.slug if conference else "*")
    return {"name": visitor.name, "roles": {role for place, role in visitor.roles if place in places}}


def make_environment(service: str) -> jinja2.Environment:
    """Templates of the service and the common ones; autoescaped, unknown names are errors."""
    loader = jinja2.ChoiceLoader(
        [jinja2.PackageLoader(f"softlanding.{service}", "templates"), jinja2.PackageLoader("softlanding", "templates")]
    )
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals["static"] = static
    environment.filters |= {
        "time": _in_zone("%H:%M"),
        "day": _day,
        "clock_seconds": _in_zone("%H:%M:%S"),
        "ago": _ago,
        "duration": duration,
        "iso": iso,
    }
    return environment


def peers_view(work: Work) -> list[dict[str, Any]]:
    """The other services as this one hears them, for `_peers.html`."""
    return [_peer_view(peer.service, peer, work.as_of(peer.service)) for peer in work.peers.by_name.values()]


def _peer_view(service: str, peer: Any, as_of: tuple[bool, datetime | None]) -> dict[str, Any]:
    beat, (is_all_here, known_at) = peer.beat, as_of
    if peer.silent_since is not None or beat is None:
        state = "silent" if peer.silent_since is not None else "starting"
    elif beat.phase != "ready":
        state = "starting"
    else:
        state = beat.state or ("degraded" if beat.is_degraded else "ready")
    said = {"is_all_here": is_all_here, "as_of": None if is_all_here else known_at}
    return {"service": service, "state": state, "since": peer.silent_since, "beat_at": peer.heard_at} | said


@lru_cache
def static(path: str) -> str:
    """The address of a static file with its content's hash: `dispatch/board.js` is softlanding/dispatch/static/…"""
    service, _, rest = path.partition("/")
    package, name = (f"softlanding.{service}", rest) if service in SERVICES and rest else ("softlanding", path)
    body = files(package).joinpath("static").joinpath(name).read_bytes()
    return f"/static/{path}?v={hashlib.sha256(body).hexdigest()[:10]}"


def zone_of(context: jinja2.runtime.Context, zone: str = "") -> ZoneInfo:
    """The one named, else the page's."""
    return ZoneInfo(zone or context["page"]["zone"] or "UTC")


def _in_zone(pattern: str) -> Any:
    @jinja2.pass_context
    def show(context: jinja2.runtime.Context, moment: datetime | None, zone: str = "") -> str:
        return moment.astimezone(zone_of(context, zone)).strftime(pattern) if moment else ""

    return show


@jinja2.pass_context
def _day(context: jinja2.runtime.Context, moment: datetime | None, zone: str = "") -> str:
    if moment is None:
        return ""
    local = moment.astimezone(zone_of(context, zone)) if isinstance(moment, datetime) else moment
    return f"{local:%a} {local.day} {local:%b}"


@jinja2.pass_context
def _ago(context: jinja2.runtime.Context, moment: datetime | None) -> str:
    return duration(context["page"]["now"] - moment) if moment else ""


def duration(length: timedelta | None) -> str:
    """`1 h 20 min`, `45 min`, `12 s`."""
    if length is None:
        return ""
    total = max(0, int(length.total_seconds()))
    if total < 60:
        return f"{total} s"
    minutes = total // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def iso(moment: datetime | None) -> str:
    """`2026-11-21T13:02:11Z`"""
    return moment.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""
