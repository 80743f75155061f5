"""Programs' tokens made and revoked. Their text is never kept: it is derived from the installation's secret."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from softlanding import tokens
from softlanding.auth import SCOPES, Signer
from softlanding.contracts.schedule import TokenGranted
from softlanding.database import Transaction
from softlanding.errors import Fault, Invalid
from softlanding.schedule.actions.journeys import need_conference
from softlanding.signing import hash_of


def make_token(
    tx: Transaction,
    now: datetime,
    signer: Signer,
    *,
    name: str,
    scopes: Iterable[str],
    conference: str | None,
    by: str,
) -> dict[str, Any]:
    """A token for one conference, or (None) for all. Its text is `text_of` the answer's id.

    Raises Invalid without a name or a scope, NotFound for a conference that is not here, Refused for a name that
    another token bears.
    """
    wanted = tokens.scopes_of(scopes, SCOPES)
    if not name.strip() or not wanted:
        raise Invalid(Fault("name" if wanted else "scopes", "give a name" if wanted else "choose what it may do"))
    if conference is not None:
        need_conference(tx.connection, conference)
    identity = tx.ids.new()
    granted = TokenGranted(
        conference=conference,
        token=identity,
        token_hash=hash_of(text_of(signer, identity)),
        name=name.strip()[:200],
        scopes=wanted,
        made_by=by,
        made_at=now,
        ends_at=now + tokens.LASTS,
    )
    tokens.grant(tx, granted)
    return {
        "token": identity,
        "name": granted.name,
        "scopes": list(wanted),
        "conference": conference,
        "ends_at": granted.ends_at.isoformat(),
    }


def revoke_token(
    tx: Transaction, now: datetime, named: str, *, by: str, conference: str | None = None
) -> dict[str, Any]:
    """By its id or name, it holds no more, in each service as it hears of it. Raises NotFound."""
    known = tokens.revoke(tx, now, named, by=by, conference=conference)
    return {"token": known.token, "name": known.name, "revoked_at": now.isoformat()}


def text_of(signer: Signer, token: str) -> str:
    """What the program bears."""
    return f"{tokens.PREFIX}{signer.derived('token', token)}"
