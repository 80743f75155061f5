"""One setting that there is: its names, and how its value is shown to anybody."""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from pydantic import (
    BaseModel,
    SecretStr,
)
from pydantic.fields import FieldInfo

from softlanding.settings.kinds import HOLDS_PASSWORD, PREFIX, SET


@dataclass(frozen=True)
class Known:
    """One setting that there is: its dotted name and pydantic's knowledge of it."""

    name: str
    info: FieldInfo

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def variable(self) -> str:
        return variable_of(self.name)

    @property
    def meaning(self) -> str:
        return self.info.description or ""

    @property
    def is_secret(self) -> bool:
        return _mentions(self.info.annotation, SecretStr)

    @property
    def may_be_quoted(self) -> bool:
        """Whether a fault may repeat the value."""
        holds_password = HOLDS_PASSWORD in self.info.metadata or _mentions(self.info.annotation, HOLDS_PASSWORD)
        return not self.is_secret and not holds_password


def _mentions(annotation: object, wanted: object) -> bool:
    return annotation is wanted or any(_mentions(part, wanted) for part in get_args(annotation))


def dotted(name: str) -> str:
    return name


def variable_of(name: str) -> str:
    return PREFIX + file_of(name).upper()


def file_of(name: str) -> str:
    return name.replace(".", "__")


def as_text(value: object) -> str | None:
    """A value as a variable would bear it, a secret in clear; None if it is not set."""
    if value is None or value == []:
        return None
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return ",".join(value) if isinstance(value, list) else str(value)


def as_shown(known: Known, value: object, key: str = "") -> str:
    """A value as anybody may see it."""
    text = as_text(value)
    if text is None:
        return "(not set)"
    if known.is_secret:
        return _secret_fingerprint(text, key)
    if known.may_be_quoted:
        return text
    return ",".join(_without_password(url, key) for url in (value if isinstance(value, list) else [text]))


def _secret_fingerprint(text: str, key: str) -> str:
    """Equal for equal secrets under one key. Without the key nobody can try a guess: a database's password may be a
    short one, and output like this stands in logs."""
    return f"hmac:{hmac.new(key.encode(), b'fingerprint/' + text.encode(), 'sha256').hexdigest()[:8]}" if key else SET


def _without_password(url: str, key: str) -> str:
    """`scheme://user:hmac:…@host`. All before the last @ counts as its user: a password may bear any sign."""
    scheme, _, rest = url.partition("://")
    who, at, where = rest.rpartition("@")
    if not at:
        return url
    user, colon, password = who.partition(":")
    shown = f"{user}:{_secret_fingerprint(password, key)}" if colon else _secret_fingerprint(user, key)
    return f"{scheme}://{shown}@{where}"


def masked(holder: BaseModel) -> Iterator[tuple[str, object]]:
    """What `repr` and `str` show of a section or of all settings."""
    for name, info in type(holder).model_fields.items():
        value = getattr(holder, name)
        known = Known(name, info)
        yield name, value if known.may_be_quoted or value is None else as_shown(known, value)
