"""How a command reaches the running system: by its API, with a token that the data folder's secret makes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from softlanding.app.addresses import ADDRESS_FILE, Signing
from softlanding.clock import SystemClock
from softlanding.errors import Fault, Invalid, NotFound, Refused, Unavailable
from softlanding.settings import Settings

ANSWER_S = 60.0


@dataclass(frozen=True)
class Installation:
    """Where the system is, and what signs for it."""

    address: str
    signing: Signing

    def request(
        self,
        method: str,
        path: str,
        *,
        key: str | None = None,
        content: bytes | None = None,
        values: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> Any:
        """The JSON answer. Raises Invalid, Refused, NotFound or Unavailable with the system's own words."""
        token = self.signing.program_token("softlanding command", ("read", "write", "facts", "personal"))
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        try:
            answer = httpx.request(
                method,
                f"{self.address}{path}",
                headers=headers,
                content=content,
                json=values,
                params=parameters,
                timeout=ANSWER_S,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            raise Unavailable(
                f"nothing answers at {self.address} ({type(error).__name__}): start it with `softlanding up`, "
                "or say with --data or front_door.public_url where it is"
            ) from error
        return _read(answer)

    def only_conference(self) -> str:
        """The slug of the one conference there is. Raises Refused in words when there is none, or more than one."""
        slugs = [found["slug"] for found in self.request("GET", "/api/schedule/conferences")]
        if len(slugs) == 1:
            return str(slugs[0])
        if not slugs:
            raise Refused("there is no conference yet: begin with `softlanding import programme FILE --release`")
        raise Refused(f"there are several conferences: say --conference {' or '.join(sorted(slugs))}")


def new_key() -> str:
    """A key for one command: sent again, it counts once."""
    return f"command-{secrets.token_urlsafe(16)}"


def installation(settings: Settings) -> Installation:
    """The installation that these settings describe. Raises Refused when nothing was ever set up there."""
    secret = settings.session_secret.get_secret_value() if settings.session_secret else _secret_of(settings)
    return Installation(_address_of(settings), Signing(secret, SystemClock()))


def _address_of(settings: Settings) -> str:
    """As set, or as the last `softlanding up` on this data folder wrote it down."""
    written = settings.data_folder / ADDRESS_FILE
    if settings.front_door.public_url:
        return settings.front_door.public_url
    return written.read_text().strip() if written.exists() else f"http://127.0.0.1:{settings.front_door.port}"


def _secret_of(settings: Settings) -> str:
    path = settings.data_folder / "secrets" / "session_secret"
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Refused(
            f"there is no installation in {settings.data_folder} ({error.strerror}): run `softlanding up` there first, "
            "or name its folder with --data"
        ) from error


def _read(answer: httpx.Response) -> Any:
    try:
        body = answer.json()
    except ValueError:
        body = {"error": answer.text[:300]}
    if answer.is_success:
        return body
    words = str(body.get("error", f"answer {answer.status_code}")) if isinstance(body, dict) else str(body)
    if answer.status_code == 422:
        listed = body.get("faults") or [{"where": "", "what": words}]
        raise Invalid(*(Fault(fault["where"], fault["what"]) for fault in listed))
    if answer.status_code == 404:
        raise NotFound(words)
    if answer.status_code >= 500:
        raise Unavailable(words)
    raise Refused(words)
