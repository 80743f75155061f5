"""Links and tokens that whoever holds the installation's secret may make. Small: the supervisor imports it."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from softlanding.clock import Clock
from softlanding.signing import FIRST_PERSON, Signer

ADDRESS_FILE = "run/address"  # In the data folder: where the front door of the last `up` was.


@dataclass(frozen=True)
class Signing:
    secret: str
    clock: Clock

    def sign_in_token(self, person: str = FIRST_PERSON) -> str:
        return Signer(self.secret).sign_in_token(person, secrets.token_urlsafe(6), self.clock.now())

    def program_token(self, name: str, scopes: Iterable[str]) -> str:
        return Signer(self.secret).program_token(name, scopes, self.clock.now())
