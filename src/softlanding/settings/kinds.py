"""What a value may look like: the types that settings are made of, and what is wrong with a value that is none."""

import re
from itertools import pairwise
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    Field,
    SecretStr,
)

T = TypeVar("T")
Service = Literal["schedule", "dispatch", "statistics"]
PREFIX = "SOFTLANDING__"
SET = "(set)"  # All that is shown of a secret where there is no key for its fingerprint.
SERVICES: tuple[Service, ...] = ("schedule", "dispatch", "statistics")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
SECRET_CHARACTERS_MIN = 16  # 96 bits in base64: nobody guesses that.
SECRET_DIFFERENT_MIN = 6  # Of 16 random hexadecimal digits some ten differ; fewer than six are one in a million.
GUESSED_FIRST = (
    "password", "passwort", "passphrase", "changeme", "change", "please", "secret", "placeholder", "default", "example",
    "softlanding", "session", "token", "peer", "admin", "letmein", "qwerty", "asdf", "test", "dummy", "todo", "insert",
    "replace", "your", "this", "here", "with", "long", "very", "not", "the", "abc", "xyz", "key", "my", "me",
)  # fmt: skip
RESERVED_SLUGS = frozenset({"api", "operations", "sign-in", "static", "-"})


def _address(text: str) -> str:
    """`http://host:port`, without a path."""
    try:
        parts = urlsplit(text)
        plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        plain = False
    if not plain or parts.path not in ("", "/") or parts.query or parts.fragment or " " in text:
        raise ValueError("must look like http://host:port, with no path and no password")
    return text.rstrip("/")


def _database_url(text: str) -> str:
    """A database that SQLAlchemy and psycopg 3 can reach, its password where it can be hidden."""
    if text.startswith(("postgres://", "postgresql://")):
        raise ValueError("must begin with postgresql+psycopg:// (the driver is part of it)")
    if text.startswith("sqlite:") and not (text.startswith("sqlite:////") and len(text) > len("sqlite:////")):
        raise ValueError("must name the file by its whole path, with four slashes: sqlite:////folder/schedule.db")
    if not text.startswith(("sqlite:", "postgresql+psycopg://")):
        raise ValueError("must begin with sqlite:/// or postgresql+psycopg://")
    if re.search(r"[?&]password=", text):
        raise ValueError("must bear its password before the @, where it can be hidden, not after the ?")
    return text


def _nats_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("nats", "tls") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("must look like nats://host:4222 or tls://host:4222; several are parted by commas")
    return text


def parted_by_commas(value: object) -> object:
    return [part for part in re.split(r"[,\s]+", value) if part] if isinstance(value, str) else value


def _host(text: str) -> str:
    if not re.fullmatch(r"[\w.:-]+", text) or text.count(":") == 1:
        raise ValueError(
            "must be a name or an address alone, such as 127.0.0.1 or 0.0.0.0; the port is its own setting"
        )
    return text


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, OSError, ValueError):
        raise ValueError("must be a time zone such as Europe/Brussels") from None
    return text


def _slug(text: str) -> str:
    if text in RESERVED_SLUGS or not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", text):
        raise ValueError("must be a slug of a-z, 0-9 and hyphens that is not reserved, such as fosdem-2026")
    return text


def hard_to_guess(secret: SecretStr) -> SecretStr:
    """Random characters pass; what a person types to have something there does not."""
    text = secret.get_secret_value().lower()
    advice = "; `openssl rand -hex 32` makes a good one"
    if len(set(text)) < SECRET_DIFFERENT_MIN:
        raise ValueError(f"must have at least {SECRET_DIFFERENT_MIN} different characters{advice}")
    if text in (text + text)[1:-1]:
        raise ValueError(f"must not be a short text that is repeated{advice}")
    letters = re.sub(r"[\W\d_]", "", text)
    if letters and not re.sub("|".join(GUESSED_FIRST), "", letters):
        raise ValueError(f"must not be made of words such as password, changeme or secret{advice}")
    if sum(abs(ord(a) - ord(b)) == 1 for a, b in pairwise(text)) > len(text) * 2 // 3:
        raise ValueError(f"must not be characters in their order{advice}")
    return secret


HOLDS_PASSWORD = object()  # Marks addresses that may bear a password: shown without it, never quoted in a fault.
Address = Annotated[str, AfterValidator(_address)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url), HOLDS_PASSWORD]
NatsUrl = Annotated[str, AfterValidator(_nats_url)]
Host = Annotated[str, AfterValidator(_host)]
Zone = Annotated[str, AfterValidator(_zone)]
Slug = Annotated[str, AfterValidator(_slug)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Positive = Annotated[float, Field(gt=0, le=1_000_000)]
NotNegative = Annotated[float, Field(ge=0, le=1_000_000)]
Secret = Annotated[SecretStr, Field(min_length=SECRET_CHARACTERS_MIN), AfterValidator(hard_to_guess)]
