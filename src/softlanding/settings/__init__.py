"""All that can be configured, checked once at start. Nothing else reads the environment or a settings file.

A value is taken from the strongest source that gives it:
defaults < softlanding.toml < .env < environment < files in the secrets folder < command line.
pydantic-settings lays the sources over each other and pydantic judges the values; our own code adds what they lack:
names that nobody knows are refused, every value knows its origin, and all faults come in one list.
"""

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from urllib.parse import urlsplit

from softlanding.errors import Misconfigured
from softlanding.settings.given import Asked, Layer
from softlanding.settings.kinds import LOOPBACK, PREFIX, SERVICES, Service, T
from softlanding.settings.known import as_shown, as_text
from softlanding.settings.merge import absolute, settle, winners
from softlanding.settings.model import DispatchSettings, Settings
from softlanding.settings.names import known_settings, value_of
from softlanding.settings.rules import fault_of_missing
from softlanding.settings.show import EXAMPLE_HEAD, example_notes, example_value, origin_of
from softlanding.settings.sources import from_command_line, from_dotenv, from_environment, from_secrets, from_toml

__all__ = [
    "SERVICES",
    "DispatchSettings",
    "Service",
    "Setting",
    "Settings",
    "example_text",
    "explain",
    "fingerprint",
    "known_hosts",
    "load_settings",
    "plain_environment",
    "required",
    "to_environment",
    "with_values",
]


@dataclass(frozen=True)
class Setting:
    """One setting as a person sees it: a secret only by its fingerprint, keyed with `session_secret`; where that is
    not set, only as `(set)`."""

    name: str
    variable: str
    value_shown: str
    origin: str
    meaning: str
    is_secret: bool


def load_settings(
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    secrets_folder: Path | None = None,
    command_line: Mapping[str, object] = MappingProxyType({}),
    service: Service | None = None,
    needs: Collection[str] | None = None,
    assumed: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """The settings in force, from `softlanding.toml` and `.env` in `folder` and all stronger sources.

    `environment` is the process's own unless given. `command_line` bears dotted names (`front_door.port`); None there
    means "not given". In production all must be there that `needs` names; without it, all that `service` needs, or the
    service that the setting of this name names, or all three. What is `assumed` gives way to whatever was said.
    Raises Misconfigured with every fault at once.
    """
    strongest = from_command_line({"secrets_folder": secrets_folder, **command_line})
    weaker = [
        from_environment(os.environ if environment is None else environment),  # noqa: TID251 - the one place
        from_dotenv(folder / ".env"),
        from_toml(folder / "softlanding.toml"),
        from_command_line(assumed, where="this command"),
    ]
    named = winners([strongest, *weaker]).get("secrets_folder")
    secrets = from_secrets(absolute(folder, named.value if named else None))
    return settle([strongest, secrets, *weaker], folder, Asked(service, needs))


def with_values(settings: Settings, values: Mapping[str, object], *, origin: str) -> Settings:
    """These settings with some values (by dotted name) replaced, checked like all others. Raises Misconfigured.

    For the supervisor, which finds ports and makes secrets: `origin` says who chose them.
    """
    history = settings._history
    chosen = from_command_line(values, where=origin)
    before = Layer(tuple(history.given.values()), warnings=history.warnings)
    return settle([chosen, before], history.folder, history.asked)


def known_hosts(settings: Settings) -> frozenset[str]:
    """The names and addresses, without ports and in small letters, under which the installation may be asked."""
    door = settings.front_door
    services = [settings.of(service).address for service in SERVICES]
    told = [urlsplit(address).hostname or "" for address in (door.public_url, door.lan_url, *services) if address]
    return frozenset(name.lower().strip("[]").rstrip(".") for name in (*LOOPBACK, *door.names, *told))


def explain(settings: Settings) -> list[Setting]:
    """Every setting in the order of `.env.example`: its value now, where that came from, and what it means."""
    given = settings._history.given
    return [
        Setting(
            name=known.name,
            variable=known.variable,
            value_shown=as_shown(known, value_of(settings, known), as_text(settings.session_secret) or ""),
            origin=origin_of(known, given.get(known.name), settings),
            meaning=known.meaning,
            is_secret=known.is_secret,
        )
        for known in known_settings().values()
    ]


def fingerprint(settings: Settings) -> str:
    """12 hex digits over all values, secrets included: equal for equal settings. It tells nothing else of settings that
    have a `session_secret`, as those of each service do: nobody can check a guess without it."""
    values = {name: as_text(value_of(settings, known)) for name, known in known_settings().items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def to_environment(settings: Settings) -> dict[str, str]:
    """The variables by which a child process of the same folder loads exactly these settings, secrets in clear."""
    given = settings._history.given
    return {
        known.variable: text
        for known in known_settings().values()
        if (text := as_text(value_of(settings, known))) is not None
        and (known.name in given or text != as_text(known.info.get_default(call_default_factory=True)))
    }


def plain_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process's own environment without any setting of ours: for children that get theirs otherwise, or none."""
    source = os.environ if environment is None else environment  # noqa: TID251 - the one place
    return {name: value for name, value in source.items() if not name.upper().startswith(PREFIX)}


def required(value: T | None, name: str) -> T:
    """`value`, which whoever calls cannot do without. Raises Misconfigured, naming the variable, if it is not set."""
    if value is None:
        raise Misconfigured(fault_of_missing(known_settings()[name], "is not set"))
    return value


def example_text() -> str:
    """The content of `.env.example`: every setting, its meaning and its default."""
    lines = [*EXAMPLE_HEAD]
    section = ""
    for known in known_settings().values():
        if known.section != section:
            section = known.section
            lines += ["", "", f"# {section.replace('_', ' ').upper()}"]
        lines += ["", *(f"# {line}" for line in wrap(known.meaning, 110)), *example_notes(known)]
        lines.append(f"#{known.variable}={example_value(known)}")
    return "\n".join(lines) + "\n"
