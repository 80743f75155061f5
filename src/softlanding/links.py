"""Personal links: whoever bears one speaks for a speaker, or for a driver.

A link's row bears no secret: its address is made from the row's id and the installation's secret, can be shown again at
any time, and is of no use to whoever has read the database. Of links that were made before that, a hash is kept, by
which they go on working. A link ends some days after the conference, when it is renewed or revoked, and when its bearer
leaves.
"""

import base64
import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from softlanding.errors import NotFound
from softlanding.signing import hash_of

MARK_BYTES = 16  # 128 bits: nobody guesses that.
TOKEN_LENGTH = 43  # 32 bytes in base64, without its padding.
KEPT_LENGTH = 40


@dataclass(frozen=True)
class Links:
    """Makes and reads personal links. Of several secrets the first makes them, all are good for reading."""

    secrets: tuple[str, ...]

    def token(self, kind: str, link: str) -> str:
        """What stands in the address of the link with this id (a UUID); the same each time."""
        return self.tokens(kind, link)[0]

    def tokens(self, kind: str, link: str) -> tuple[str, ...]:
        """All that this link's address may bear: by each secret one, the newest first."""
        identity = uuid.UUID(link).bytes
        return tuple(_text(identity + _mark(secret, kind, identity)) for secret in self.secrets)

    def read(self, kind: str, token: str) -> str | None:
        """The id of the link whose address bears this token; None when no secret of ours has made it."""
        body = _bytes(token)
        identity, mark = body[:-MARK_BYTES], body[-MARK_BYTES:]
        if len(token) != TOKEN_LENGTH or not any(
            hmac.compare_digest(mark, _mark(secret, kind, identity)) for secret in self.secrets
        ):
            return None
        return str(uuid.UUID(bytes=identity))


@dataclass(frozen=True)
class Presented:
    """A token as somebody presents it: the id of a link of ours, or a text that an older link may have been."""

    link: str | None
    text: str

    @property
    def kept(self) -> str:
        """What is kept of an older link."""
        return kept_of(self.text)


def kept_of(token: str) -> str:
    return hash_of(token)[:KEPT_LENGTH]


def ends_at(last_on: date, zone: str, days: int) -> datetime:
    """When personal links of a conference end: the midnight so many days after its last one."""
    return datetime.combine(last_on + timedelta(days=days + 1), time(), ZoneInfo(zone))


def unknown(presented: Presented, desk: str) -> NotFound:
    """A link that opens nothing: one that was ours is told from one that never was."""
    if presented.link is not None:
        return replaced(desk)
    return NotFound(f"this personal link is not known here; check that all of it was copied, or ask {desk} for yours")


def replaced(desk: str) -> NotFound:
    return NotFound(f"this personal link was replaced or taken back; ask {desk} for your new one")


def left(desk: str) -> NotFound:
    return NotFound(
        "your talk is not in the programme any more, and this page ended with it; if you are on your way, call "
        f"{desk}: a car may still be coming for you"
    )


def ended(at: datetime) -> NotFound:
    return NotFound(f"this personal link ended on {at:%Y-%m-%d}, some days after the conference")


def _mark(secret: str, kind: str, identity: bytes) -> bytes:
    return hmac.new(secret.encode(), f"link/{kind}/".encode() + identity, hashlib.sha256).digest()[:MARK_BYTES]


def _text(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def _bytes(token: str) -> bytes:
    """What a token bears; nothing for one that is not spelled as we do: limits count by its text."""
    try:
        body = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
    return body if _text(body) == token else b""
