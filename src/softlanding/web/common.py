"""Doors that each service has: its feed and receipts, sign-in, its incidents and dead letters."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import Body, Header, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from softlanding import audit, incidents, notices, sessions
from softlanding.auth import SESSION_LASTS, STAFF_ROLES, Person, as_seen_by, may_sign_in, sign_in_used_at, use_sign_in
from softlanding.conferences import list_conferences
from softlanding.contracts import contract_of, personal_fields
from softlanding.contracts.everyone import SessionBegan
from softlanding.database import Transaction
from softlanding.errors import Forbidden, NotFound, SoftlandingError
from softlanding.lifecycle import Service, Work
from softlanding.messaging import dead_letters, feed, outbox
from softlanding.messaging.envelope import BATCH_CONTENT_TYPE, Envelope
from softlanding.messaging.receipts import lags
from softlanding.web import trail
from softlanding.web.asked import asker, once, speaks_as
from softlanding.web.cookies import PLAIN
from softlanding.web.doors import COOKIE, EVERYONE, Doors, check_csrf, signer_of, staff
from softlanding.web.forms import read_form, see_other
from softlanding.web.pages import Pages
from softlanding.web.trail import note_refusal

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=200)]
VISIT = f"{PLAIN}-visit"
VISIT_S = 24 * 3600  # As long as a link lasts.
NO_NUL = r"^[^\x00]*$"  # PostgreSQL takes every character but this one.
Subject = Annotated[str, Body(embed=True, max_length=200, pattern=NO_NUL)]

# What is told of an incident to a program without `personal`.
OF_INCIDENTS = frozenset(
    [
        "about",
        "code",
        "conference",
        "grown_at",
        "id",
        "kind",
        "opened_at",
        "sentence",
        "settled_at",
        "settled_word",
        "times",
        "words",
    ]
)


def make_doors(work: Work, pages: Pages) -> Doors:
    doors = Doors(work, tags=["common"])
    _add_feed(doors, work)
    _add_incidents(doors, work)
    _add_dead_letters(doors, work)
    _add_letters_page(doors, work, pages)
    trail.add_doors(doors, work, pages)
    _add_sessions(doors, work, pages)
    _add_sign_in(doors, work, pages)
    return doors


def _add_feed(doors: Doors, work: Work) -> None:
    service = work.service.name
    who = staff("operator", scopes=("facts",), everywhere=True)

    @doors.api(
        f"/api/{service}/facts",
        who=who,
        summary="The feed: this service's facts as CloudEvents, in order",
        responses={409: {"description": "There is no such epoch (any more): the line of lives, to begin anew from."}},
    )
    async def facts(
        request: Request,
        epoch: str | None = None,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=feed.PAGE_MAX)] = feed.PAGE_MAX,
    ) -> Response:
        if epoch is None:
            line = await work.database.read(feed.load_line)
            return JSONResponse(feed.line_to_mapping(line))
        try:
            page = await work.database.read(outbox.feed_page, epoch, after, limit)
        except NotFound:
            line = await work.database.read(feed.load_line)
            return JSONResponse(feed.line_to_mapping(line), 409)
        with_personal = "personal" in request.state.visitor.scopes
        events = [(e if with_personal else without_personal(e)).to_mapping() for e in page]
        return JSONResponse(events, media_type=BATCH_CONTENT_TYPE)

    @doors.api(f"/api/{service}/receipts", who=who, summary="How far each receiver has applied this service's facts")
    async def receipts() -> Response:
        told = await work.database.read(lags, service, work.peers.by_name)
        return JSONResponse(
            [
                {
                    "receiver": lag.receiver,
                    "behind": lag.behind,
                    "oldest_at": lag.oldest_at.isoformat() if lag.oldest_at else None,
                    "parked": lag.parked,
                    "halted": lag.halted,
                }
                for lag in told
            ]
        )


def without_personal(envelope: Envelope) -> Envelope:
    """The fact without what it tells about persons."""
    contract = contract_of(envelope.type)
    hidden = personal_fields(contract) if contract is not None else frozenset(envelope.data)
    kept = {name: value for name, value in envelope.data.items() if name not in hidden}
    return Envelope(**{name: getattr(envelope, name) for name in Envelope.__slots__} | {"data": kept})


def _add_incidents(doors: Doors, work: Work) -> None:
    service = work.service.name

    @doors.api(
        f"/api/{service}/incidents",
        who=staff(*STAFF_ROLES, scopes=("read",)),
        summary="Incidents that are yours, newest first",
    )
    async def incidents_list(request: Request, is_open: bool | None = None) -> list[dict[str, Any]]:
        found, visitor = await work.database.read(incidents.list_incidents, is_open=is_open), request.state.visitor
        listed = [vars(each) | {"words": each.words} for each in found if visitor.is_staff_of(each.conference)]
        return as_seen_by(visitor, listed, OF_INCIDENTS)

    @doors.api(
        f"/api/{service}/incidents/{{incident}}/settle",
        who=staff(*STAFF_ROLES, scopes=("write",)),
        methods=("POST",),
        summary="Settle an incident with one of its words",
    )
    async def settle(
        request: Request,
        incident: str,
        key: Key,
        word: Annotated[str, Body(max_length=80, pattern=NO_NUL)],
        note: Annotated[str, Body(max_length=2000, pattern=NO_NUL)] = "",
        by: Annotated[str, Body(max_length=200, pattern=NO_NUL)] = "",
    ) -> dict[str, Any]:
        name = speaks_as(request, by)
        await refuse_others_incident(work, request, incident)
        return await once(
            work, request, key, "incident.settle", settle_action, work.service, incident, name, word, note
        )

    @doors.page(f"/-settle/{service}", who=staff(*STAFF_ROLES), methods=("POST",))
    async def settle_form(request: Request) -> Response:
        form = await read_form(request)
        back = _own_address(form.text("back") or request.query_params.get("back", ""))
        by = request.state.visitor.name
        incident = form.text("incident") or request.query_params.get("incident", "")
        word, note = form.text("word"), form.text("note")
        try:
            await refuse_others_incident(work, request, incident)
            await once(
                work, request, form.key, "incident.settle", settle_action, work.service, incident, by, word, note
            )
        except SoftlandingError as error:
            return see_other(back, str(error), "refused")
        return see_other(back, f"Settled: {word}")


async def refuse_others_incident(work: Work, request: Request, incident: str) -> None:
    """Raises Forbidden where the incident is not the visitor's: of another conference, or of the whole system."""
    known = await work.database.read(incidents.load, incident)
    if known is not None and not request.state.visitor.is_staff_of(known.conference):
        raise Forbidden(
            "this incident is one of a conference that is not yours, or of the whole system; its staff settles it"
        )


def _own_address(back: str) -> str:
    """Where a form came from, if it is one of our pages; nobody is led elsewhere."""
    return back if back.startswith("/") and not back.startswith(("//", "/\\")) else "/operations/"


def settle_action(
    tx: Transaction, now: Any, service: Service, incident: str, by: str, word: str, note: str
) -> dict[str, Any]:
    """The word, and what it does: the same on every page that has the button."""
    settled = incidents.settle_incident(tx, now, incident, by=by, word=word, note=note)
    if service.on_settled is not None:
        service.on_settled(tx, now, settled)
    return {"incident": settled.id, "word": word, "by": by, "settled_at": now.isoformat()}


def take_notice_action(tx: Transaction, now: Any, notice: str, by: str) -> dict[str, Any]:
    notices.take_notice(tx, now, notice, by=by)
    return {"notice": notice, "by": by}


def _add_dead_letters(doors: Doors, work: Work) -> None:
    service = work.service.name
    who = staff("operator", scopes=("write",), everywhere=True)
    look = staff("operator", scopes=("read",), everywhere=True)

    @doors.api(f"/api/{service}/dead-letters", who=look, summary="Parked facts")
    async def parked() -> list[dict[str, Any]]:
        return [vars(letter) for letter in await work.database.read(dead_letters.list_parked)]

    @doors.api(f"/api/{service}/dead-letters/replay", who=who, methods=("POST",), summary="Replay a parked subject")
    async def replay(request: Request, key: Key, subject: Subject) -> Any:
        by = request.state.visitor.name
        return await once(work, request, key, "dead_letters.replay", work.replay_action, subject, by)

    @doors.api(f"/api/{service}/dead-letters/drop", who=who, methods=("POST",), summary="Drop a parked subject")
    async def drop(
        request: Request,
        key: Key,
        subject: Subject,
        reason: Annotated[str, Body(min_length=1, max_length=1000, pattern=NO_NUL)],
    ) -> Any:
        by = request.state.visitor.name
        return await once(work, request, key, "dead_letters.drop", drop_action, subject, by, reason)

    @doors.api(f"/api/{service}/clock/release", who=who, methods=("POST",), summary="Say that the clock is right")
    async def release_clock(request: Request) -> dict[str, Any]:
        held = work.guard.held
        await work.database.write(audit.note_done, asker(request), "clock.release", {})
        work.guard.release()
        return {"was_held": held}


def _add_letters_page(doors: Doors, work: Work, pages: Pages) -> None:
    """Where an operator replays or drops what this service has parked, also while Statistics is dead."""
    service = work.service.name
    who = staff("operator", everywhere=True)

    @doors.page(f"/-letters/{service}", who=who)
    async def letters(request: Request) -> Response:
        parked = await work.database.read(dead_letters.list_parked)
        title = f"Dead letters of {service.title()}"
        around, listed = await pages.of_all(), _by_subject(parked)
        return pages.show(request, "letters.html", title=title, service=service, letters=listed, **around)

    @doors.page(f"/-letters/{service}", who=who, methods=("POST",))
    async def decide(request: Request) -> Response:
        form = await read_form(request)
        subject, by = form.text("subject"), request.state.visitor.name
        try:
            if form.text("do") == "drop":
                reason = form.required("reason", "the reason why it may go")
                await once(work, request, form.key, "dead_letters.drop", drop_action, subject, by, reason)
            else:
                await once(work, request, form.key, "dead_letters.replay", work.replay_action, subject, by)
        except SoftlandingError as error:
            return see_other(f"/-letters/{service}", str(error), "refused")
        return see_other(f"/-letters/{service}", "Done.")


def _by_subject(parked: list[dead_letters.DeadLetter]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for letter in parked:
        first = {"subject": letter.subject, "kind": letter.type, "reason": letter.reason, "waiting": 0}
        entry = found.setdefault(letter.subject, first | {"parked_at": letter.parked_at})
        entry["waiting"] += 1
    return list(found.values())


def drop_action(tx: Transaction, now: Any, subject: str, by: str, reason: str) -> dict[str, Any]:
    return {"subject": subject, "dropped": dead_letters.drop(tx, now, subject, by=by, reason=reason)}


def _add_sign_in(doors: Doors, work: Work, pages: Pages) -> None:
    @doors.page("/sign-in/{token}", who=EVERYONE)
    async def ask(request: Request, token: str) -> Response:
        try:
            identity, made_at = signer_of(work).read_sign_in(token, work.parts.clock.now())
            person = await work.database.read(may_sign_in, token, identity, made_at)
        except Forbidden as error:
            return await refuse(request, token, error)
        if await work.database.read(sign_in_used_at, token) is not None:
            return await refuse(request, token, None)
        link = {
            "address": f"/sign-in/{token}",
            "name": person.name,
            "roles": sorted({role for _, role in person.roles}),
        }
        visit = request.cookies.get(VISIT) or work.parts.ids.secret()
        link["visit"] = signer_of(work).csrf(_visit(visit, token))
        response = pages.show(request, "sign_in.html", title="Sign in", link=link, fault="", used_at=None)
        response.set_cookie(VISIT, visit, max_age=VISIT_S, httponly=True, samesite="strict")
        return response

    async def refuse(request: Request, token: str, error: SoftlandingError | None) -> Response:
        """Whose link was used already may be signed in all the same."""
        note_refusal(request, work, 403)
        fault, used_at = _sentence(error) if error else "", await work.database.read(sign_in_used_at, token)
        values = {"link": None, "fault": fault, "used_at": used_at} | await pages.of_all()
        return pages.show(request, "sign_in.html", title="Sign in", status=403, **values)

    @doors.page("/sign-in/{token}", who=EVERYONE, methods=("POST",))
    async def sign_in(request: Request, token: str) -> Response:
        now, given = work.parts.clock.now(), (await read_form(request)).text("visit")
        try:
            if not signer_of(work).is_csrf(_visit(request.cookies.get(VISIT, ""), token), given):
                raise Forbidden("nobody was signed in: open the link in this browser, and press the button there")
            identity, made_at = signer_of(work).read_sign_in(token, now)
            began = _session(request, work, identity, now)
            person = await work.database.write(_signed_in, asker(request), token, made_at, began)
        except SoftlandingError as error:
            return await refuse(request, token, error)
        cookie = signer_of(work).session_cookie(person.person, began.session, now)
        response = RedirectResponse(_home(person.roles, await _slugs(work)), status_code=303)
        response.headers.append("Set-Cookie", session_cookie(cookie, is_secure=work.settings.secure_cookies))
        return response

    @doors.page("/sign-out", who=EVERYONE, methods=("POST",))
    async def sign_out(request: Request) -> Response:
        """Ended first, for all three services: a cookie that is kept somewhere lets nobody in any more."""
        visitor = request.state.visitor
        if visitor.person is not None:
            await check_csrf(request, signer_of(work), visitor)
            await work.database.write(_signed_out, asker(request), visitor.session, visitor.person, visitor.name)
        response = RedirectResponse("/", status_code=303)
        response.delete_cookie(COOKIE)
        return response


def _visit(visit: str, token: str) -> str:
    """What the sign-in page's own token stands for: this browser, which has the cookie, at this link. Somebody else's
    page cannot sign a browser in, not even by a link of their own."""
    return f"sign-in/{visit}/{token}"


def _signed_in(
    tx: Transaction, now: datetime, asks: audit.Asker, token: str, made_at: datetime, began: SessionBegan
) -> Person:
    known = use_sign_in(tx, now, token, began.session_of, made_at, began)
    audit.note_done(tx, now, replace(asks, who=f"person/{known.person}"), "sign_in", {"session": began.session})
    return known


def _signed_out(tx: Transaction, now: datetime, asks: audit.Asker, session: str, person: str, by: str) -> None:
    sessions.end(tx, now, session, person, by=by, why="signed out")
    audit.note_done(tx, now, asks, "sign_out", {"session": session})


def _session(request: Request, work: Work, person: str, now: datetime) -> SessionBegan:
    return SessionBegan(
        session=work.parts.ids.new(),
        session_of=person,
        began_at=now,
        began_in=work.service.name,
        address=request.client.host if request.client else "",
        agent=request.headers.get("User-Agent", "")[:200],
    )


def session_cookie(cookie: str, *, is_secure: bool) -> str:
    """The header's value."""
    carrier = Response()
    carrier.set_cookie(
        COOKIE,
        cookie,
        max_age=int(SESSION_LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_secure,
    )
    return carrier.headers["Set-Cookie"]


def _add_sessions(doors: Doors, work: Work, pages: Pages) -> None:
    """What people see and end of their own."""
    who, address = staff(*STAFF_ROLES), "/sign-in/sessions"

    @doors.page(address, who=who)
    async def own(request: Request) -> Response:
        visitor = request.state.visitor
        listed = await work.database.read(sessions.list_open, visitor.person)
        values = {"sessions": listed, "mine": visitor.session, "address": address}
        return pages.show(request, "sessions.html", title="Where you are signed in", **values, **await pages.of_all())

    @doors.page(f"{address}/end", who=who, methods=("POST",))
    async def end(request: Request) -> Response:
        form, visitor = await read_form(request), request.state.visitor
        session = form.text("session", most=64)
        try:
            done = await once(
                work,
                request,
                form.key,
                "session.end",
                end_own_sessions,
                visitor.person,
                session,
                visitor.session,
                visitor.name,
            )
        except SoftlandingError as error:
            return see_other(address, str(error), "refused")
        return see_other(address, f"Ended: {done['ended']}")


def end_own_sessions(tx: Transaction, now: datetime, person: str, session: str, mine: str, by: str) -> dict[str, Any]:
    """The one named, or all but the one that asks."""
    if session:
        return {"ended": int(sessions.end(tx, now, session, person, by=by, why="ended"))}
    return {"ended": sessions.end_all(tx, now, person, by=by, why="ended", but=mine)}


async def _slugs(work: Work) -> list[str]:
    """The default conference first, then the newest."""
    known = [found.slug for found in await work.database.read(list_conferences)]
    return ([work.settings.default_conference] if work.settings.default_conference else []) + known


def _home(roles: tuple[tuple[str, str], ...], slugs: list[str]) -> str:
    """Where this person most likely wants to be."""
    named = {role: place for place, role in roles}
    slug = next((place for place in named.values() if place != "*"), slugs[0] if slugs else "")
    if "coordinator" in named and slug:
        return f"/{slug}/dispatch/"
    if "organiser" in named and slug:
        return f"/{slug}/organise/"
    return "/operations/" if "operator" in named else "/"


def _sentence(error: Exception) -> str:
    text = str(error)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
