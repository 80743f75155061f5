"""Staff: who is there, what they may do, and links with which they sign in."""

from typing import Any

import segno
from fastapi import Request
from fastapi.responses import Response

from softlanding.auth import EVERYWHERE, STAFF_ROLES, Person, Visitor, load_person
from softlanding.errors import Forbidden, NotFound, Refused, SoftlandingError
from softlanding.lifecycle import Work
from softlanding.schedule import views
from softlanding.schedule.actions.people import (
    add_person,
    change_person,
    change_roles,
    make_sign_in_link,
    remove_person,
    renew_speaker_link,
    revoke_speaker_link,
    sign_out_everywhere,
)
from softlanding.schedule.pages.shared import ORGANISERS, Name, refused_form
from softlanding.web import ANSWERS, Doors, Form, Pages, asked, once, public_url, read_form, see_other
from softlanding.web.doors import link_address, signer_of


def add_doors(doors: Doors, work: Work, pages: Pages) -> None:
    _add_people(doors, work, pages)
    _add_one(doors, work, pages)
    _add_speakers(doors, work, pages)


async def _show(
    request: Request,
    work: Work,
    pages: Pages,
    slug: str,
    *,
    edit: str = "",
    form: Form | None = None,
    error: SoftlandingError | None = None,
    link: dict[str, Any] | None = None,
) -> Response:
    conference = await pages.conference(slug)
    visitor = request.state.visitor
    found = await work.database.read(views.staff.people, slug, visitor.person, with_new=_is_everywhere(visitor))
    return pages.show(
        request,
        "people.html",
        conference=conference,
        title="People",
        refusal=error,
        refused=refused_form(form, error) if form and error else None,
        people=found,
        edited=next((person for person in found if person["id"] == edit), None),
        link=link,
    )


def _add_people(doors: Doors, work: Work, pages: Pages) -> None:
    @doors.page("/{conference}/organise/people", who=ORGANISERS)
    async def people(request: Request, conference: str, edit: str = "") -> Response:
        return await _show(request, work, pages, conference, edit=edit)

    @doors.page("/{conference}/organise/people", who=ORGANISERS, methods=("POST",))
    async def add(request: Request, conference: str) -> Response:
        form = await read_form(request)
        try:
            name = form.required("name", "a name", most=200)
            email, phone = form.text("email", most=200), form.text("phone", most=60)
            roles = _roles_wanted(form, conference, request.state.visitor, ())
            await once(
                work, request, form.key, "person.add", add_person, name=name, email=email, phone=phone, roles=roles
            )
        except ANSWERS as error:
            return await _show(request, work, pages, conference, form=form, error=error)
        return see_other(
            f"/{conference}/organise/people", f"{name} is on the staff. Make a sign-in link to let them in."
        )


def _add_one(doors: Doors, work: Work, pages: Pages) -> None:
    @doors.page("/{conference}/organise/people/{person}/change", who=ORGANISERS, methods=("POST",))
    async def change(request: Request, conference: str, person: Name) -> Response:
        form = await read_form(request)
        try:
            await _person(work, person, conference, request.state.visitor)
            most = {"name": 200, "email": 200, "phone": 60}
            changes = {field: form.text(field, most=most[field]) for field in most if field in form.values}
            done = await once(work, request, form.key, "person.change", change_person, person, changes)
        except ANSWERS as error:
            return await _show(request, work, pages, conference, edit=person, form=form, error=error)
        return see_other(f"/{conference}/organise/people", f"{done['name']} is changed.")

    @doors.page("/{conference}/organise/people/{person}/roles", who=ORGANISERS, methods=("POST",))
    async def roles(request: Request, conference: str, person: Name) -> Response:
        form = await read_form(request)
        try:
            known = await _person(work, person, conference, request.state.visitor)
            wanted = _roles_wanted(form, conference, request.state.visitor, known.roles)
            if person == request.state.visitor.person and not {role for _, role in wanted} >= {"organiser"}:
                raise Forbidden("you cannot take the organiser's role from yourself; ask another organiser")
            await once(work, request, form.key, "person.roles", change_roles, person, wanted)
        except ANSWERS as error:
            return see_other(f"/{conference}/organise/people", str(error), "refused")
        return see_other(f"/{conference}/organise/people", f"{known.name}'s roles are saved.")

    @doors.page("/{conference}/organise/people/{person}/remove", who=ORGANISERS, methods=("POST",))
    async def remove(request: Request, conference: str, person: Name) -> Response:
        form = await read_form(request)
        if person == request.state.visitor.person:
            raise Forbidden("you cannot remove yourself; ask another organiser")
        try:
            known = await _person(work, person, conference, request.state.visitor)
            await once(work, request, form.key, "person.remove", remove_person, person)
        except ANSWERS as error:
            return see_other(f"/{conference}/organise/people", str(error), "refused")
        return see_other(f"/{conference}/organise/people", f"{known.name} is off the staff.")

    @doors.page("/{conference}/organise/people/{person}/link", who=ORGANISERS, methods=("POST",))
    async def link(request: Request, conference: str, person: Name) -> Response:
        form = await read_form(request)
        await _person(work, person, conference, request.state.visitor)
        key = await asked(request, form.key, "person.link")
        nonce, base = work.parts.ids.secret(), public_url(work, request)
        name, url, until = await make_sign_in_link(work.database, signer_of(work), key, person, nonce, base)
        made = {"name": name, "url": url, "qr": qr_image(url), "until": until}
        return await _show(request, work, pages, conference, link=made)

    @doors.page("/{conference}/organise/people/{person}/end", who=ORGANISERS, methods=("POST",))
    async def end(request: Request, conference: str, person: Name) -> Response:
        form, by = await read_form(request), request.state.visitor.name
        known = await _person(work, person, conference, request.state.visitor)
        address = f"/{conference}/organise/people"
        try:
            await once(work, request, form.key, "person.sessions.end", sign_out_everywhere, person, by=by)
        except ANSWERS as error:
            return see_other(address, str(error), "refused")
        return see_other(address, f"{known.name} is signed out everywhere; links that were made up to now are over.")


def qr_image(text: str) -> str:
    """A picture as the address of itself."""
    return str(segno.make(text, error="l", micro=False).svg_data_uri(scale=4, border=2, light="#fff"))


async def _person(work: Work, person: str, conference: str, visitor: Visitor) -> Any:
    """Somebody whom this visitor may manage. Raises NotFound, Forbidden."""
    known = await work.database.read(load_person, person)
    if known is None or known.is_revoked or not (_is_everywhere(visitor) or _works_at(known, conference)):
        raise NotFound("there is no such person on the staff of this conference")
    if not _is_everywhere(visitor) and any(place != conference for place, _ in known.roles):
        raise Forbidden(f"{known.name} works beyond this conference; ask an organiser of the whole installation")
    return known


def _works_at(person: Person, conference: str) -> bool:
    """Who has no role at all works nowhere yet: they are for organisers of the whole installation."""
    return any(place in (EVERYWHERE, conference) for place, _ in person.roles)


def _roles_wanted(
    form: Form, conference: str, visitor: Visitor, now: tuple[tuple[str, str], ...]
) -> list[tuple[str, str]]:
    """The roles ticked. Operators look after the whole system: only who organises all of it may make one, and only
    they look after people without any role."""
    ticked = [role for role in STAFF_ROLES if form.is_on(role)]
    if not ticked and not _is_everywhere(visitor):
        raise Refused("tick at least one role; who is to have none any more is taken off the staff by Remove")
    if "operator" in ticked and not _is_everywhere(visitor) and (EVERYWHERE, "operator") not in now:
        raise Forbidden("only an organiser of the whole installation can make an operator")
    elsewhere = [(place, role) for place, role in now if place not in (EVERYWHERE, conference)]
    return elsewhere + [(_place(role, conference, now), role) for role in ticked]


def _place(role: str, conference: str, now: tuple[tuple[str, str], ...]) -> str:
    """Where a role holds: everywhere for operators, and for who has it everywhere already."""
    return EVERYWHERE if role == "operator" or (EVERYWHERE, role) in now else conference


def _is_everywhere(visitor: Visitor) -> bool:
    return (EVERYWHERE, "organiser") in visitor.roles


def _add_speakers(doors: Doors, work: Work, pages: Pages) -> None:
    @doors.page("/{conference}/organise/speakers", who=ORGANISERS)
    async def speakers(request: Request, conference: str) -> Response:
        found = await pages.conference(conference)
        address_of = link_address(work, request, conference, "speaker")
        rows = await work.database.read(views.staff.speakers, conference, address_of)
        return pages.show(request, "speakers.html", conference=found, title="Speakers", speakers=rows)

    @doors.page("/{conference}/organise/speakers/{code}/link", who=ORGANISERS, methods=("POST",))
    async def link(request: Request, conference: str, code: Name) -> Response:
        form = await read_form(request)
        try:
            done = await once(work, request, form.key, "speaker.link", renew_speaker_link, conference, code)
        except ANSWERS as error:
            return see_other(f"/{conference}/organise/speakers", str(error), "refused")
        return see_other(f"/{conference}/organise/speakers", f"{done['name']} has a new link; the old one is dead.")

    @doors.page("/{conference}/organise/speakers/{code}/revoke", who=ORGANISERS, methods=("POST",))
    async def revoke(request: Request, conference: str, code: Name) -> Response:
        form = await read_form(request)
        try:
            done = await once(work, request, form.key, "speaker.link.revoke", revoke_speaker_link, conference, code)
        except ANSWERS as error:
            return see_other(f"/{conference}/organise/speakers", str(error), "refused")
        return see_other(f"/{conference}/organise/speakers", f"{done['name']} has no personal link any more.")
