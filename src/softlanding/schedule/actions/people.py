"""Staff and their roles, sign-in links, and speakers' personal links."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from softlanding import auth, keys, sessions
from softlanding.auth import EVERYWHERE, SIGN_IN_LASTS, STAFF_ROLES, Signer, Visitor, load_person
from softlanding.contracts.schedule import PersonState
from softlanding.database import Database, Transaction
from softlanding.errors import Fault, Forbidden, Invalid, NotFound, Refused
from softlanding.schedule import store
from softlanding.schedule.actions.journeys import need_speaker

Roles = Iterable[tuple[str, str]]


def must_organise(visitor: Visitor, conference: str | None = None) -> None:
    """An organiser of this conference, or (without one) of the whole installation; or a program that may write
    there.

    For doors whose address names no conference: those admit organisers of any. Raises Forbidden.
    """
    place = conference or EVERYWHERE
    if not visitor.has_role(("organiser",), place) and not visitor.has_scope(visitor.scopes, place):
        whole = f"of the conference '{conference}'" if conference else "of the whole installation"
        raise Forbidden(f"this is for an organiser {whole}, or a program that may write there")


def add_person(
    tx: Transaction, now: datetime, *, name: str, email: str = "", phone: str = "", roles: Roles = ()
) -> dict[str, Any]:
    """A new member of staff. Raises Invalid for a name or roles that make no sense."""
    _check(name, email)
    return _grant(tx, now, tx.ids.new(), name.strip(), email.strip(), phone.strip(), roles, revision=1)


def change_person(tx: Transaction, now: datetime, person: str, changes: Mapping[str, str]) -> dict[str, Any]:
    """What `changes` names (name, email, phone) is so from now on; roles, sessions and all that is not named stay.

    Raises NotFound for strangers, Invalid for what makes no sense.
    """
    known = _need(tx, person)
    was = {"name": known.name, "email": known.email, "phone": known.phone}
    wanted = was | {field: value.strip() for field, value in changes.items()}
    _check(wanted["name"], wanted["email"])
    if wanted == was:
        return {"person": person, "name": known.name, "roles": [list(role) for role in known.roles]}
    return _grant(tx, now, person, **wanted, roles=known.roles, revision=known.revision + 1)


def _check(name: str, email: str) -> None:
    if not name.strip():
        raise Invalid(Fault("name", "give a name"))
    if email and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise Invalid(Fault("email", "this is no e-mail address"))


def change_roles(tx: Transaction, now: datetime, person: str, roles: Roles) -> dict[str, Any]:
    """These roles and no others from now on; sign-in links that were made for the roles before let nobody in any more,
    as sessions end. Raises NotFound for strangers."""
    known = _need(tx, person)
    if set(roles) != set(known.roles):
        auth.note_sign_in_made(tx, now, person)
    return _grant(tx, now, person, known.name, known.email, known.phone, roles, revision=known.revision + 1)


def remove_person(tx: Transaction, now: datetime, person: str) -> dict[str, Any]:
    """They may do nothing any more: links and sessions end at once, in each service as it hears of it.

    Raises Refused for the last one who may manage people.
    """
    known = _need(tx, person)
    _refuse_last(tx, person, ())
    state = PersonState(
        person=person, name=known.name, email=known.email, phone=known.phone, roles=(), revision=known.revision + 1
    )
    auth.revoke(tx, now, state)
    return {"person": person, "name": known.name}


async def make_sign_in_link(
    database: Database, signer: Signer, key: keys.Key, person: str, nonce: str, base_url: str
) -> tuple[str, str, datetime]:
    """(name, address, until when) of a link that lets this person in once; the same key gives the same link.

    Raises NotFound for strangers.
    """
    made = await database.write(keys.once, key, note_sign_in_link, signer, person, nonce)
    at = datetime.fromisoformat(made["made_at"])
    token = signer.sign_in_token(made["person"], made["nonce"], at)
    return made["name"], f"{base_url}/sign-in/{token}", at + SIGN_IN_LASTS


def note_sign_in_link(tx: Transaction, now: datetime, signer: Signer, person: str, nonce: str) -> dict[str, Any]:
    """A link was made for this person; of all made before none holds. It is not kept: what is, is of no use without
    the signing secret.

    Raises NotFound for strangers.
    """
    known = _need(tx, person)
    auth.note_sign_in_made(tx, now, person, signer.sign_in_token(person, nonce, now))
    return {"person": person, "name": known.name, "nonce": nonce, "made_at": now.isoformat()}


def withdraw_sign_in_link(tx: Transaction, now: datetime, person: str) -> dict[str, Any]:
    """No link that was made for this person up to now lets anybody in. Raises NotFound for strangers."""
    known = _need(tx, person)
    auth.note_sign_in_made(tx, now, person)
    return {"person": person, "name": known.name}


def end_sessions(tx: Transaction, now: datetime, person: str, *, by: str) -> dict[str, Any]:
    """Wherever this person is signed in, they are not any more; their roles stay. Raises NotFound for strangers."""
    known = _need(tx, person)
    return {"person": person, "name": known.name, "ended": sessions.end_all(tx, now, person, by=by, why="ended")}


def sign_out_everywhere(tx: Transaction, now: datetime, person: str, *, by: str) -> dict[str, Any]:
    """All sessions are over, and all links to begin one: what somebody does whose phone was lent or lost."""
    withdraw_sign_in_link(tx, now, person)
    return end_sessions(tx, now, person, by=by)


def ensure_somebody(tx: Transaction, now: datetime, name: str) -> dict[str, Any]:
    """An installation needs somebody who may do everything; the one there is, or a new one of this name."""
    for known in auth.list_people(tx.connection):
        if all((EVERYWHERE, role) in known.roles for role in STAFF_ROLES):
            return {"person": known.person, "name": known.name, "roles": [list(role) for role in known.roles]}
    return add_person(tx, now, name=name, roles=[(EVERYWHERE, role) for role in STAFF_ROLES])


def renew_speaker_link(tx: Transaction, now: datetime, conference: str, code: str) -> dict[str, Any]:
    """A new personal link for this speaker, by its id; the old one is dead. Raises NotFound."""
    speaker = need_speaker(tx.connection, conference, code)
    store.programmes.touch_sample(tx)
    return {"speaker": code, "name": speaker.name, "link": store.speakers.renew_link(tx, now, conference, code)}


def revoke_speaker_link(tx: Transaction, now: datetime, conference: str, code: str) -> dict[str, Any]:
    """This speaker has no personal link until a new one is made. Raises NotFound, Refused when there is none."""
    speaker = need_speaker(tx.connection, conference, code)
    if not store.speakers.revoke_link(tx, now, conference, code):
        raise Refused(f"{speaker.name} has no personal link")
    return {"speaker": code, "name": speaker.name}


def see_speaker_link(tx: Transaction, now: datetime, link: str) -> None:
    store.speakers.see_link(tx, now, link)


def seal_links(tx: Transaction, _now: datetime) -> bool:
    """No link is kept as it stands in its address. True: there may be more."""
    return store.speakers.seal_links(tx)


def give_links(tx: Transaction, now: datetime) -> bool:
    """Speakers who have no personal link yet get one. True: there may be more."""
    unlinked = store.speakers.list_unlinked(tx.connection)
    for conference, code in unlinked:
        store.speakers.renew_link(tx, now, conference, code)
    return len(unlinked) == store.speakers.LINKS_AT_ONCE


def _grant(
    tx: Transaction, now: datetime, person: str, name: str, email: str, phone: str, roles: Roles, *, revision: int
) -> dict[str, Any]:
    wanted = tuple(sorted(set(roles)))
    for _, role in wanted:
        if role not in STAFF_ROLES:
            raise Invalid(Fault("roles", f"'{role}' is none of the roles {', '.join(STAFF_ROLES)}"))
    _refuse_last(tx, person, wanted)
    auth.grant(
        tx,
        now,
        PersonState(person=person, name=name, email=email, phone=phone, roles=wanted, revision=revision),
    )
    return {"person": person, "name": name, "roles": [list(role) for role in wanted]}


def _refuse_last(tx: Transaction, person: str, roles: Roles) -> None:
    """Somebody must stay who may manage people everywhere, once there was one."""
    managers = {known.person for known in auth.list_people(tx.connection) if (EVERYWHERE, "organiser") in known.roles}
    if managers == {person} and (EVERYWHERE, "organiser") not in roles:
        raise Refused("nobody else may manage people here; give somebody else that role first")


def _need(tx: Transaction, person: str) -> auth.Person:
    known = load_person(tx.connection, person)
    if known is None or known.is_revoked:
        raise NotFound("there is no such person on the staff")
    return known
