"""What is signed with the installation's secret: sign-in links, sessions, programs' tokens. All services share it."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from softlanding.errors import Forbidden

SIGN_IN_LASTS = timedelta(hours=24)
SESSION_LASTS = timedelta(days=14)
FIRST_PERSON = "first"  # Whoever set the installation up; `softlanding up` prints this person's sign-in link.


@dataclass(frozen=True)
class Signer:
    """Makes what is signed with the installation's secret; reads what that, or the one before or after it, signed."""

    secret: str
    also_read: str = ""  # While a secret is being changed.

    def sign_in_token(self, person: str, nonce: str, now: datetime) -> str:
        return self._of("sign-in").dumps({"p": person, "n": nonce, "t": int(now.timestamp())})

    def read_sign_in(self, token: str, now: datetime) -> str:
        """The person. Raises Forbidden with what to do."""
        return str(self._read("sign-in", token, now, SIGN_IN_LASTS, "this sign-in link")["p"])

    def session_cookie(self, person: str, session: str, now: datetime) -> str:
        return self._of("session").dumps({"p": person, "s": session, "t": int(now.timestamp())})

    def read_session(self, cookie: str, now: datetime) -> tuple[str, str]:
        """(person, session). Raises Forbidden."""
        values = self._read("session", cookie, now, SESSION_LASTS, "your session")
        return str(values["p"]), str(values["s"])

    def program_token(self, name: str, scopes: Iterable[str], now: datetime) -> str:
        return self._of("program").dumps({"n": name, "s": sorted(scopes), "t": int(now.timestamp())})

    def read_program(self, token: str, now: datetime) -> tuple[str, frozenset[str]]:
        """(name, scopes). Raises Forbidden."""
        values = self._read("program", token, now, timedelta(days=365), "this token")
        return str(values["n"]), frozenset(values["s"])

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


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
