"""What is signed with the installation's secret: sign-in links, sessions, what commands bear. All services share it."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from softlanding.errors import Forbidden

SIGN_IN_LASTS = timedelta(hours=24)
SESSION_LASTS = timedelta(days=14)
COMMAND_LASTS = timedelta(minutes=10)  # A command makes itself a new one for each request.
FIRST_PERSON = "first"  # Whoever set the installation up; `softlanding up` prints this person's sign-in link.


@dataclass(frozen=True)
class Cookie:
    """What a session's cookie says: whose it is, since when, and when it was last renewed."""

    person: str
    session: str
    began_at: datetime
    used_at: datetime


@dataclass(frozen=True)
class Signer:
    """Makes what is signed with the installation's secret; reads what that, or the one before or after it, signed."""

    secret: str
    also_read: str = ""  # While a secret is being changed.

    def sign_in_token(self, person: str, nonce: str, now: datetime) -> str:
        return self._of("sign-in").dumps({"p": person, "n": nonce, "t": int(now.timestamp())})

    def read_sign_in(self, token: str, now: datetime) -> tuple[str, datetime]:
        """(person, when it was made). Raises Forbidden with what to do."""
        values = self._read("sign-in", token, now, SIGN_IN_LASTS, "this sign-in link")
        return str(values["p"]), _moment(values["t"])

    def session_cookie(self, person: str, session: str, began_at: datetime, used_at: datetime | None = None) -> str:
        """Times are exact: what ends all sessions of a person is compared with when each began."""
        values = {"p": person, "s": session, "t": began_at.timestamp(), "u": (used_at or began_at).timestamp()}
        return self._of("session").dumps(values)

    def read_session(self, cookie: str, now: datetime, idle_max: timedelta) -> Cookie:
        """Raises Forbidden: not ours, begun long ago, or not used for `idle_max`."""
        values = self._read("session", cookie, now, SESSION_LASTS, "your session")
        used_at = _moment(values["u"])
        if now - used_at > idle_max:
            raise Forbidden("your session was not used for long; sign in again")
        return Cookie(str(values["p"]), str(values["s"]), _moment(values["t"]), used_at)

    def command_token(self, name: str, scopes: Iterable[str], now: datetime) -> str:
        """For a command of whoever holds the secret: good for minutes, and for all that its scopes say."""
        return self._of("command").dumps({"n": name, "s": sorted(scopes), "t": int(now.timestamp())})

    def read_command(self, token: str, now: datetime) -> tuple[str, frozenset[str]]:
        """(name, scopes). Raises Forbidden."""
        values = self._read("command", token, now, COMMAND_LASTS, "this token")
        return str(values["n"]), frozenset(values["s"])

    def derived(self, kind: str, identity: str) -> str:
        """A secret text that need not be kept: made anew from what it is for, 192 bits."""
        digest = hmac.new(self.secret.encode(), f"{kind}/{identity}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode()

    def csrf(self, session: str) -> str:
        return _csrf(self.secret, session)

    def is_csrf(self, session: str, token: str) -> bool:
        given = token.encode("utf-8", "replace")
        return any(
            hmac.compare_digest(_csrf(secret, session).encode(), given)
            for secret in (self.secret, self.also_read)
            if secret
        )

    def _of(self, salt: str) -> URLSafeSerializer:
        """Of several secrets the last signs, and all are read."""
        secrets = [secret for secret in (self.also_read, self.secret) if secret]
        signed = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        return URLSafeSerializer(secrets, salt=f"softlanding/{salt}", signer_kwargs=signed)

    def _read(self, salt: str, token: str, now: datetime, lasts: timedelta, what: str) -> dict[str, Any]:
        try:
            values: dict[str, Any] = self._of(salt).loads(token)
        except BadSignature:
            raise Forbidden(f"{what} is not valid; ask for a new one") from None
        if now.timestamp() - values["t"] > lasts.total_seconds():
            raise Forbidden(f"{what} has expired; ask for a new one")
        return values


def _csrf(secret: str, session: str) -> str:
    return hmac.new(secret.encode(), f"csrf/{session}".encode(), hashlib.sha256).hexdigest()[:32]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
