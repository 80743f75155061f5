"""What a command asks: an installation, by its API, with a token that its secret makes."""

import asyncio
import random
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from softlanding.app.addresses import ADDRESS_FILE, Signing, own_secret
from softlanding.clock import SystemClock, retry
from softlanding.errors import Fault, Invalid, NotFound, Refused, Unavailable
from softlanding.settings import Settings, with_values

ANSWER_S = 60.0
LOOPBACK = "127.0.0.1"
SCOPES = ("read", "write", "personal", "facts", "admin", "logs")  # Who holds the secret may do everything.


@dataclass(frozen=True)
class Installation:
    """Where the system is, what signs for it, and how a request gets there."""

    address: str
    signing: Signing
    send: Callable[[httpx.Request], httpx.Response]
    is_alone: bool = False  # Nothing runs: what is told now travels at the next start.

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
        token = self.signing.command_token("softlanding command", SCOPES)
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        address = f"{self.address}{path}"
        return _read(
            self.send(httpx.Request(method, address, headers=headers, content=content, json=values, params=parameters))
        )

    def only_conference(self) -> str:
        """The slug of the one conference there is. Raises Refused in words when there is none, or more than one."""
        slugs = [found["slug"] for found in self.request("GET", "/api/schedule/conferences")]
        if len(slugs) == 1:
            return str(slugs[0])
        if not slugs:
            raise Refused("there is no conference yet: begin with `softlanding import programme FILE --release`")
        raise Refused(f"there are several conferences: say --conference {' or '.join(sorted(slugs))}")


PUBLIC_WITHIN_S = 10.0  # As Schedule promises; later than this, a person is called.


def published_soon(here: Installation, conference: str) -> dict[str, Any]:
    """What the public sees of the newest release, as soon as it sees it, or after `PUBLIC_WITHIN_S`."""
    found: dict[str, Any] = {}

    async def look() -> None:
        found.update(here.request("GET", f"/api/schedule/{conference}/programme")["published"])
        if not found["is_public"]:
            raise Unavailable("not public yet")

    with suppress(Unavailable):
        asyncio.run(
            retry(
                look,
                clock=SystemClock(),
                rng=random.Random(),
                deadline_s=PUBLIC_WITHIN_S,
                errors=(Unavailable,),
                longest_s=0.5,
            )
        )
    return found


def new_key() -> str:
    """A key for one command: sent again, it counts once."""
    return f"command-{secrets.token_urlsafe(16)}"


def installation(settings: Settings) -> Installation:
    """The installation that these settings describe. Raises Refused when its secret cannot be known."""
    secret = settings.session_secret.get_secret_value() if settings.session_secret else _secret_of(settings)
    return Installation(address_of(settings), Signing(secret, SystemClock()), _send)


def with_secrets(settings: Settings) -> Settings:
    """With the secrets of the data folder where none are set; made there, if it has none yet."""
    wanted = [name for name in ("session_secret", "peer_token") if getattr(settings, name) is None]
    made = {name: own_secret(settings.data_folder, name) for name in wanted}
    return with_values(settings, made, origin=str(settings.data_folder / "secrets")) if made else settings


def _secret_of(settings: Settings) -> str:
    path = settings.data_folder / "secrets" / "session_secret"
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Refused(
            f"the system that runs has another secret than {settings.data_folder} ({error.strerror}): name its folder "
            "with --data, or set SOFTLANDING__SESSION_SECRET"
        ) from error


def address_of(settings: Settings) -> str:
    """As set, or as the last `softlanding up` on this data folder wrote it down."""
    written = settings.data_folder / ADDRESS_FILE
    if settings.front_door.public_url:
        return settings.front_door.public_url
    return written.read_text().strip() if written.exists() else f"http://{LOOPBACK}:{settings.front_door.port}"


def _send(request: httpx.Request) -> httpx.Response:
    """By the wire. Raises Unavailable in words when nobody answers."""
    address = f"{request.url.scheme}://{request.url.netloc.decode()}"
    try:
        with httpx.Client(timeout=ANSWER_S, trust_env=False) as client:
            return client.send(request)
    except httpx.HTTPError as error:
        raise Unavailable(
            f"nothing answers at {address} ({type(error).__name__}): start it with `softlanding up`, "
            "or say with --data or front_door.public_url where it is"
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
