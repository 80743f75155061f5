"""Cookies bear the installation's own name while they travel.

A browser tells hosts apart, not ports: under one name two installations on one machine would sign each other's people
out. Inside, and in all other code, the names are the plain ones. Where cookies travel by https alone, a prefix has the
browser see to it that this very host has set them (`__Host-`).
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from softlanding.settings import Settings
from softlanding.signing import hash_of

PLAIN = "softlanding"  # What each of our cookies' names begins with.


def own_cookie(settings: Settings, name: str = PLAIN) -> str:
    """What the cookie of this name is called in browsers: the same in each service of an installation, and while its
    secrets change."""
    mark = hash_of(str(settings.front_door.public_url or settings.data_folder))[:8]
    prefix = "__Host-" if settings.secure_cookies else ""
    return f"{prefix}{PLAIN}-{mark}{name.removeprefix(PLAIN)}"


class OwnCookies:
    """Around an application that knows the plain names. Cookies of other installations do not reach it."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._own = own_cookie(settings).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            found = [(name, self._received(value) if name == b"cookie" else value) for name, value in scope["headers"]]
            scope = {**scope, "headers": found}

        async def renamed(message: Message) -> None:
            if message["type"] == "http.response.start":
                sent = [(name, self._sent(name, value)) for name, value in message["headers"]]
                message = {**message, "headers": sent}
            await send(message)

        await self._app(scope, receive, renamed)

    def _received(self, value: bytes) -> bytes:
        plain = PLAIN.encode()
        cookies = [cookie.strip() for cookie in value.split(b";")]
        of_others = (plain, b"__Host-" + plain)
        kept = [
            plain + cookie.removeprefix(self._own) if cookie.startswith(self._own) else cookie
            for cookie in cookies
            if cookie.startswith(self._own) or not cookie.startswith(of_others)
        ]
        return b"; ".join(kept)

    def _sent(self, name: bytes, value: bytes) -> bytes:
        plain = PLAIN.encode()
        if name.lower() != b"set-cookie" or not value.startswith(plain):
            return value
        is_open = self._own.startswith(b"__Host-") and b"; secure" not in value.lower()
        return self._own + value.removeprefix(plain) + (b"; Secure" if is_open else b"")
