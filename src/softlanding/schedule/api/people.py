"""Staff: who is there, what they may do, links with which they sign in."""

from typing import Annotated, Any, Literal

from fastapi import Request
from pydantic import Field

from softlanding.auth import EVERYWHERE, as_seen_by
from softlanding.errors import Forbidden
from softlanding.lifecycle import Work
from softlanding.schedule import views
from softlanding.schedule.actions.people import (
    add_person,
    change_person,
    change_roles,
    end_sessions,
    make_sign_in_link,
    remove_person,
    withdraw_sign_in_link,
)
from softlanding.schedule.api.shared import (
    Given,
    Line,
    Name,
    NeededLine,
    Short,
)
from softlanding.web import Doors, asked, once, public_url, staff
from softlanding.web.common import Key
from softlanding.web.doors import signer_of

ADMIN = staff("organiser", scopes=("admin",), everywhere=True)
LOOK = staff("organiser", scopes=("read", "write", "admin"), everywhere=True)

_OF_PEOPLE = frozenset(("id", "is_me", "roles", "seen_at"))  # Told to a program without `personal`.


class Role(Given):
    """What somebody may do, in one conference or (`*`) everywhere."""

    conference: Annotated[str, Field(max_length=80, pattern=r"^(\*|[a-z0-9][a-z0-9-]*)$")]
    role: Literal["organiser", "coordinator", "operator"]


class NewPerson(Given):
    name: NeededLine
    email: Line = ""
    phone: Short = ""
    roles: Annotated[list[Role], Field(max_length=200, default_factory=list)]


class PersonChanging(Given):
    """What is so from now on: a field that is not sent stays as it is."""

    name: NeededLine = Field(default_factory=str)
    email: Line = ""
    phone: Short = ""


class RolesGiven(Given):
    roles: Annotated[list[Role], Field(max_length=200)]


def add_doors(doors: Doors, work: Work) -> None:
    """For organisers of the whole installation, and programs with the scope `admin`."""
    _add_people(doors, work)
    _add_one(doors, work)


def _add_people(doors: Doors, work: Work) -> None:

    @doors.api("/api/schedule/people", who=LOOK, summary="Staff and their roles, by name")
    async def people(request: Request) -> list[dict[str, Any]]:
        found = await work.database.read(views.staff.people, None, request.state.visitor.person)
        listed = [person | {"roles": sorted(person["roles"])} for person in found]
        return as_seen_by(request.state.visitor, listed, _OF_PEOPLE)

    @doors.api("/api/schedule/people", who=ADMIN, methods=("POST",), status_code=201, summary="Add a person")
    async def add(request: Request, key: Key, given: NewPerson) -> dict[str, Any]:
        return await once(
            work,
            request,
            key,
            "person.add",
            add_person,
            name=given.name,
            email=given.email,
            phone=given.phone,
            roles=_pairs(given.roles),
        )


def _add_one(doors: Doors, work: Work) -> None:
    @doors.api("/api/schedule/people/{person}/change", who=ADMIN, methods=("POST",), summary="Change a person")
    async def change(request: Request, person: Name, key: Key, given: PersonChanging) -> dict[str, Any]:
        changes = given.model_dump(exclude_unset=True)
        return await once(work, request, key, "person.change", change_person, person, changes)

    @doors.api("/api/schedule/people/{person}/roles", who=ADMIN, methods=("PUT",), summary="Change the roles")
    async def roles(request: Request, person: Name, key: Key, given: RolesGiven) -> dict[str, Any]:
        return await once(work, request, key, "person.roles", change_roles, person, _pairs(given.roles))

    @doors.api("/api/schedule/people/{person}/revoke", who=ADMIN, methods=("POST",), summary="Remove a person")
    async def revoke(request: Request, person: Name, key: Key) -> dict[str, Any]:
        if person == request.state.visitor.person:
            raise Forbidden("you cannot remove yourself; ask another organiser")
        return await once(work, request, key, "person.remove", remove_person, person)

    @doors.api(
        "/api/schedule/people/{person}/sign-in-link",
        who=ADMIN,
        methods=("POST",),
        summary="A link to sign in once",
    )
    async def sign_in_link(request: Request, person: Name, key: Key) -> dict[str, Any]:
        nonce, base = work.parts.ids.secret(), public_url(work, request)
        bound = await asked(request, key, "person.link")
        name, url, until = await make_sign_in_link(work.database, signer_of(work), bound, person, nonce, base)
        return {"person": person, "name": name, "url": url, "until": until}

    @doors.api(
        "/api/schedule/people/{person}/sign-in-link/withdraw",
        who=ADMIN,
        methods=("POST",),
        summary="No link that was made for this person up to now lets anybody in",
    )
    async def withdraw_link(request: Request, person: Name, key: Key) -> dict[str, Any]:
        return await once(work, request, key, "person.link.withdraw", withdraw_sign_in_link, person)

    @doors.api(
        "/api/schedule/people/{person}/end-sessions",
        who=ADMIN,
        methods=("POST",),
        summary="Wherever this person is signed in, they are not any more",
    )
    async def end(request: Request, person: Name, key: Key) -> dict[str, Any]:
        by = request.state.visitor.name
        return await once(work, request, key, "person.sessions.end", end_sessions, person, by=by)


def _pairs(roles: list[Role]) -> list[tuple[str, str]]:
    """An operator looks after the whole system, whichever conference was named."""
    return [(EVERYWHERE if each.role == "operator" else each.conference, each.role) for each in roles]
