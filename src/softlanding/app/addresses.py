"""Links and tokens that whoever holds the installation's secret may make. Small: the supervisor imports it."""

import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from softlanding.clock import Clock
from softlanding.errors import Fault, Invalid
from softlanding.signing import FIRST_PERSON, Signer

ADDRESS_FILE = "run/address"  # In the data folder: where the front door of the last `up` was.


@dataclass(frozen=True)
class Signing:
    secret: str
    clock: Clock

    def sign_in_token(self, person: str = FIRST_PERSON) -> str:
        return Signer(self.secret).sign_in_token(person, secrets.token_urlsafe(6), self.clock.now())

    def command_token(self, name: str, scopes: Iterable[str]) -> str:
        """Good for minutes: for the very next request."""
        return Signer(self.secret).command_token(name, scopes, self.clock.now())


def own_secret(data: Path, name: str) -> str:
    """Made once, kept in the data folder, readable by its owner only. Raises Invalid in words when it is empty."""
    folder = data / "secrets"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / name
    if not path.exists():
        handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(32))
    text = path.read_text().strip()
    if not text:
        raise Invalid(Fault(str(path), "is empty; delete it, and it is made anew (everybody signs in again)"))
    return text
