"""All that can be configured, checked once at start. Nothing else reads the environment or a settings file.

A value is taken from the strongest source that gives it:
defaults < softlanding.toml < .env < environment < files in the secrets folder < command line.
pydantic-settings lays the sources over each other and pydantic judges the values; our own code adds what they lack:
names that nobody knows are refused, every value knows its origin, and all faults come in one list.
"""

import hashlib
import hmac
import io
import json
import os
import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from textwrap import wrap
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv.parser import Binding, parse_stream
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from softlanding import secret_sources
from softlanding.errors import Fault, Misconfigured

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


# What a value may look like


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


def _parted_by_commas(value: object) -> object:
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


def _hard_to_guess(secret: SecretStr) -> SecretStr:
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


_HOLDS_PASSWORD = object()  # Marks addresses that may bear a password: shown without it, never quoted in a fault.

Address = Annotated[str, AfterValidator(_address)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url), _HOLDS_PASSWORD]
NatsUrl = Annotated[str, AfterValidator(_nats_url)]
Host = Annotated[str, AfterValidator(_host)]
Zone = Annotated[str, AfterValidator(_zone)]
Slug = Annotated[str, AfterValidator(_slug)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Positive = Annotated[float, Field(gt=0, le=1_000_000)]
NotNegative = Annotated[float, Field(ge=0, le=1_000_000)]
Secret = Annotated[SecretStr, Field(min_length=SECRET_CHARACTERS_MIN), AfterValidator(_hard_to_guess)]


# All that can be configured


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        return _masked(self)


class ServiceSettings(_Section):
    """What all three services have in common."""

    database_url: DatabaseUrl | None = Field(
        default=None,
        description="Where this service keeps its data. It alone may use that database. Default of profile embedded: a "
        "file in the data folder.",
        examples=["postgresql+psycopg://SERVICE:PASSWORD@database:5432/SERVICE"],
    )
    host: Host = Field(
        default="127.0.0.1",
        description="The address this service listens on, for requests and for health. In production it must be said: "
        "0.0.0.0 is every address of the machine.",
    )
    port: Port | None = Field(
        default=None,
        description="The port this service takes requests on. Under `softlanding up` the supervisor finds a free one.",
        examples=["8NUMBER00"],
    )
    health_port: Port | None = Field(
        default=None,
        description="The port of this service's /livez, /readyz, /state, /metrics and /beat. Under `softlanding up` "
        "the supervisor finds a free one.",
        examples=["8NUMBER01"],
    )
    address: Address | None = Field(
        default=None,
        description="Where the front door and the other services reach this service. Under `softlanding up` the "
        "supervisor knows it.",
        examples=["http://SERVICE:8NUMBER00"],
    )
    health_address: Address | None = Field(
        default=None,
        description="Where the others reach this service's health port. Under `softlanding up` the supervisor "
        "knows it.",
        examples=["http://SERVICE:8NUMBER01"],
    )


class ScheduleSettings(ServiceSettings):
    answer_within_seconds: Positive = Field(
        default=30, description="Dispatch may take this long to answer a pickup request before the coordinator is told."
    )
    pickup_expires_after_minutes: Positive = Field(
        default=90, description="This long after the landing a pickup is of no more use, and Dispatch calls it missed."
    )


class DispatchSettings(ServiceSettings):
    freeze_minutes: NotNegative = Field(
        default=30,
        description="Stops that begin within this time are no longer changed by the planner, only by a person.",
    )
    leave_airport_domestic_minutes: NotNegative = Field(
        default=20, description="From landing to the kerb, for a flight from within the country or the Schengen area."
    )
    leave_airport_international_minutes: NotNegative = Field(
        default=45, description="From landing to the kerb, for any other flight."
    )
    ride_limit_factor: float = Field(
        default=1.6,
        ge=1,
        le=10,
        description="A shared ride may last this many times the direct ride, and a little more.",
    )
    ride_limit_extra_minutes: NotNegative = Field(
        default=15, description="The little more: a shared ride may last this much beyond its factor."
    )
    wait_max_minutes: NotNegative = Field(
        default=20, description="A passenger waits no longer than this at the kerb for others to share a ride."
    )


class StatisticsSettings(ServiceSettings):
    log_keep_days: int = Field(default=14, ge=1, le=3_650, description="Log lines are kept this long; facts are kept.")


class NatsSettings(_Section):
    urls: Annotated[list[NatsUrl], NoDecode, BeforeValidator(_parted_by_commas), _HOLDS_PASSWORD] = Field(
        default=[],
        description="The NATS servers, parted by commas. Under `softlanding up` the supervisor starts one. Without "
        "any, facts travel by the second path alone, a little later.",
        examples=["nats://nats-1:4222,nats://nats-2:4222"],
    )
    user: str | None = Field(
        default=None,
        description="The user that signs in to NATS; under `softlanding up` the service's name.",
        examples=["dispatch"],
    )
    password: SecretStr | None = Field(default=None, description="That user's password.")
    credentials: SecretStr | None = Field(
        default=None,
        description="The whole content of a NATS credentials file (.creds), in place of user and password.",
    )
    stream_max_age_hours: Positive = Field(
        default=48, description="NATS forgets facts after this time; the outboxes keep them."
    )
    monitor_urls: Annotated[list[Address], NoDecode, BeforeValidator(_parted_by_commas)] = Field(
        default=[],
        description="Where the NATS servers tell their settings (/jsz), by which each is proven to sync every write "
        "to disk: of a cluster all of them, parted by commas. Without any the servers are asked by the bus, if the "
        "service's NATS user may ask.",
        examples=["http://nats-1:8222,http://nats-2:8222"],
    )


class FrontDoorSettings(_Section):
    host: Host = Field(default="127.0.0.1", description="The address the front door listens on.")
    port: Port = Field(default=8000, description="The port people open in their browser.")
    lan: bool = Field(
        default=False,
        description="Open the front door to phones in the same network (`softlanding up --lan`), and to no more.",
    )
    public_url: Address | None = Field(
        default=None,
        description="The address that people know; links in notices and sign-in links begin with it.",
        examples=["https://conference.example"],
    )
    names: Annotated[list[Host], NoDecode, BeforeValidator(_parted_by_commas)] = Field(
        default=[],
        description="More names and addresses by which people may ask for it, parted by commas, besides that of "
        "front_door.public_url and this machine's own loopback. Any other is refused.",
        examples=["conference.example,192.0.2.7"],
    )
    lan_url: Address | None = Field(
        default=None,
        description="The address for phones in the same network; links begin with it when front_door.public_url is "
        "not set. Under `softlanding up --lan` the supervisor knows it.",
        examples=["https://192.0.2.7:8000"],
    )
    lan_plain: bool = Field(
        default=False,
        description="With front_door.lan, serve the network without TLS (`softlanding up --lan --plain`): whoever is "
        "in it can read names, phones and sign-in links, and use them.",
    )
    hold_seconds: NotNegative = Field(
        default=5,
        description="A request waits this long for a service that restarts, before the page says what is down.",
    )


class LifecycleSettings(_Section):
    beat_seconds: Positive = Field(default=1, description="A service gives a sign of life this often.")
    silent_after_seconds: Positive = Field(
        default=3, description="A peer whose beats failed this long is called silent."
    )
    lease_stale_seconds: Positive = Field(
        default=4, description="A standby takes over when it saw the active process's lease unchanged for this long."
    )
    clock_skew_max_seconds: Positive = Field(
        default=2, description="When wall clock and steady clock part by more than this, deadline timers hold."
    )
    peer_clock_max_seconds: Positive = Field(
        default=30, description="When a peer's clock differs by more than this, deadline timers hold."
    )
    group_actions_max: int = Field(
        default=64, ge=1, le=256, description="The writer puts at most this many actions into one commit."
    )
    stop_within_seconds: Positive = Field(
        default=8, description="A process that was asked to stop is killed after this time."
    )


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The least that is worth a line."
    )
    format: Literal["json", "text"] = Field(
        default="json", description="json for machines, text for a person at a terminal."
    )
    file_bytes_max: int = Field(
        default=10_000_000,
        ge=100_000,
        description="Under `softlanding up`, a log file is put aside at this size, and the one before it is deleted.",
    )


class Settings(BaseSettings):
    """Every setting, checked and frozen. Made by `load_settings`; changed only into another one, by `with_values`."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        env_prefix=PREFIX.lower(),
        env_nested_delimiter="__",
    )

    profile: Literal["embedded", "production"] = Field(
        default="embedded",
        description="embedded: the whole system on this machine alone, as `softlanding up` runs it. production: "
        "nothing about other machines is guessed, and what is missing is refused.",
    )
    service: Literal["schedule", "dispatch", "statistics"] | None = Field(
        default=None,
        description="The one service that this container or machine runs: `softlanding serve` runs it, and commands "
        "ask only for what it needs.",
        examples=["dispatch"],
    )
    data_folder: Path = Field(
        default=Path("var"),
        description="Where files are kept. When not absolute, it is meant from the folder of the settings files.",
    )
    secrets_folder: Path | None = Field(
        default=None,
        description="A folder with one file a secret, named like the setting in small letters: session_secret, "
        "nats__password, dispatch__database_url.",
        examples=["/run/secrets"],
    )
    zone: Zone | None = Field(
        default=None, description="The time zone of a new conference that names none.", examples=["Europe/Brussels"]
    )
    default_conference: Slug | None = Field(
        default=None, description="The conference that is meant when none is named.", examples=["fosdem-2026"]
    )
    session_secret: Secret | None = Field(
        default=None,
        description="Signs the cookies of people who signed in; all services share it. Under `softlanding up` it is "
        "made once and kept in the data folder.",
    )
    peer_token: Secret | None = Field(
        default=None,
        description="By it services trust each other; all share it. Under `softlanding up` it is made once and kept in "
        "the data folder.",
    )
    session_secret_previous: Secret | None = Field(
        default=None,
        description="While session_secret is being changed: the other one, which signs nothing and is read, too.",
    )
    peer_token_previous: Secret | None = Field(
        default=None,
        description="While peer_token is being changed: the other one, which is not sent and is taken, too.",
    )
    personal_links_days: int = Field(
        default=7,
        ge=0,
        le=365,
        description="Personal links of speakers and drivers end so many days after the conference's last.",
    )
    session_idle_hours: Positive = Field(
        default=24.0,
        description="After so many hours without a request a session of a member of staff ends by itself.",
    )
    secure_cookies: bool = Field(
        default=False,
        description="Cookies travel by https alone. Default of profile production: true.",
        examples=["true"],
    )
    schedule: ScheduleSettings = ScheduleSettings()
    dispatch: DispatchSettings = DispatchSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    nats: NatsSettings = NatsSettings()
    front_door: FrontDoorSettings = FrontDoorSettings()
    lifecycle: LifecycleSettings = LifecycleSettings()
    logs: LogSettings = LogSettings()

    _history: "_History" = PrivateAttr(default_factory=lambda: _History())

    def __init__(self, *sources: PydanticBaseSettingsSource, **values: object) -> None:
        """From `sources`, strongest first, or from `values`: by itself it reads nothing of the world."""
        super().__init__(_build_sources=(sources or (InitSettingsSource(type(self), values),), {}))

    def of(self, service: Service) -> ServiceSettings:
        """The section of one service."""
        return {"schedule": self.schedule, "dispatch": self.dispatch, "statistics": self.statistics}[service]

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """What is not wrong enough to refuse the start, and should be said aloud."""
        return self._history.warnings

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        return _masked(self)


# What others call


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
    strongest = _from_command_line({"secrets_folder": secrets_folder, **command_line})
    weaker = [
        _from_environment(os.environ if environment is None else environment),  # noqa: TID251 - the one place
        _from_dotenv(folder / ".env"),
        _from_toml(folder / "softlanding.toml"),
        _from_command_line(assumed, where="this command"),
    ]
    named = _winners([strongest, *weaker]).get("secrets_folder")
    secrets = _from_secrets(_absolute(folder, named.value if named else None))
    return _settle([strongest, secrets, *weaker], folder, _Asked(service, needs))


def with_values(settings: Settings, values: Mapping[str, object], *, origin: str) -> Settings:
    """These settings with some values (by dotted name) replaced, checked like all others. Raises Misconfigured.

    For the supervisor, which finds ports and makes secrets: `origin` says who chose them.
    """
    history = settings._history
    chosen = _from_command_line(values, where=origin)
    before = _Layer(tuple(history.given.values()), warnings=history.warnings)
    return _settle([chosen, before], history.folder, history.asked)


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
            value_shown=_shown(known, _value(settings, known), _text(settings.session_secret) or ""),
            origin=_origin(known, given.get(known.name), settings),
            meaning=known.meaning,
            is_secret=known.is_secret,
        )
        for known in _known_settings().values()
    ]


def fingerprint(settings: Settings) -> str:
    """12 hex digits over all values, secrets included: equal for equal settings. It tells nothing else of settings that
    have a `session_secret`, as those of each service do: nobody can check a guess without it."""
    values = {name: _text(_value(settings, known)) for name, known in _known_settings().items()}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def to_environment(settings: Settings) -> dict[str, str]:
    """The variables by which a child process of the same folder loads exactly these settings, secrets in clear."""
    given = settings._history.given
    return {
        known.variable: text
        for known in _known_settings().values()
        if (text := _text(_value(settings, known))) is not None
        and (known.name in given or text != _text(known.info.get_default(call_default_factory=True)))
    }


def plain_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process's own environment without any setting of ours: for children that get theirs otherwise, or none."""
    source = os.environ if environment is None else environment  # noqa: TID251 - the one place
    return {name: value for name, value in source.items() if not name.upper().startswith(PREFIX)}


def required(value: T | None, name: str) -> T:
    """`value`, which whoever calls cannot do without. Raises Misconfigured, naming the variable, if it is not set."""
    if value is None:
        raise Misconfigured(_missing(_known_settings()[name], "is not set"))
    return value


def example_text() -> str:
    """The content of `.env.example`: every setting, its meaning and its default."""
    lines = [*_EXAMPLE_HEAD]
    section = ""
    for known in _known_settings().values():
        if known.section != section:
            section = known.section
            lines += ["", "", f"# {section.replace('_', ' ').upper()}"]
        lines += ["", *(f"# {line}" for line in wrap(known.meaning, 110)), *_example_notes(known)]
        lines.append(f"#{known.variable}={_example_value(known)}")
    return "\n".join(lines) + "\n"


# The names that there are


@dataclass(frozen=True)
class _Known:
    """One setting that there is: its dotted name and pydantic's knowledge of it."""

    name: str
    info: FieldInfo

    @property
    def section(self) -> str:
        return self.name.rpartition(".")[0]

    @property
    def variable(self) -> str:
        return _variable(self.name)

    @property
    def meaning(self) -> str:
        return self.info.description or ""

    @property
    def is_secret(self) -> bool:
        return _mentions(self.info.annotation, SecretStr)

    @property
    def may_be_quoted(self) -> bool:
        """Whether a fault may repeat the value."""
        holds_password = _HOLDS_PASSWORD in self.info.metadata or _mentions(self.info.annotation, _HOLDS_PASSWORD)
        return not self.is_secret and not holds_password


@cache
def _known_settings() -> dict[str, _Known]:
    return {known.name: known for known in _walk("", Settings)}


def _walk(prefix: str, model: type[BaseModel]) -> Iterator[_Known]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, _Section):
            yield from _walk(f"{prefix}{name}.", info.annotation)
        else:
            yield _Known(prefix + name, info)


@cache
def _sections() -> tuple[str, ...]:
    return tuple(dict.fromkeys(known.section for known in _known_settings().values() if known.section))


def _mentions(annotation: object, wanted: object) -> bool:
    return annotation is wanted or any(_mentions(part, wanted) for part in get_args(annotation))


def _dotted(name: str) -> str:
    return name


def _variable(name: str) -> str:
    return PREFIX + _file_name(name).upper()


def _file_name(name: str) -> str:
    return name.replace(".", "__")


# The sources


@dataclass(frozen=True)
class _Given:
    """One value that somebody gave. `where` is for a fault (`.env:3`), `spelled` how the name is written there."""

    name: str
    value: Any = field(repr=False)
    where: str = ""
    spelled: str = ""

    @property
    def origin(self) -> str:
        return f"environment {self.spelled}" if self.where == "environment" else self.where


@dataclass(frozen=True)
class _Layer:
    """What one source gave, and what is wrong in it."""

    given: tuple[_Given, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class _Asked:
    """For whom settings are read: one service, or whoever needs just these names; neither: all three services."""

    service: Service | None = None
    needs: Collection[str] | None = None


@dataclass(frozen=True, eq=False)
class _History:
    """How settings came to be: no part of what they are, so settings are equal whatever theirs."""

    folder: Path = Path()
    asked: _Asked = _Asked()
    given: Mapping[str, _Given] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _History)

    __hash__ = None  # type: ignore[assignment]


def _from_command_line(values: Mapping[str, object], where: str = "command line") -> _Layer:
    return _sorted_out((name, value, where) for name, value in values.items() if value is not None)


def _from_environment(environment: Mapping[str, str]) -> _Layer:
    ours = sorted(name for name in environment if name.upper().startswith(PREFIX))
    return _sorted_out(((name, environment[name], "environment") for name in ours), spell=_variable)


def _from_dotenv(path: Path) -> _Layer:
    text = _file_text(path)
    if text is None or isinstance(text, Fault):
        return _Layer(faults=(text,) if text else ())
    lines: dict[str, int] = {}
    found: list[tuple[str, object, str]] = []
    faults: list[Fault] = []
    for binding in parse_stream(io.StringIO(text)):
        line, name = _line(binding), binding.key or ""
        if binding.error:
            faults.append(Fault(f"{path}:{line}", "cannot be read; a line looks like NAME=value or # a comment"))
        elif name.upper().startswith(PREFIX) and name in lines:
            faults.append(Fault(f"{path}:{line}", f"{name} was given in line {lines[name]} already; keep one of them"))
        elif name.upper().startswith(PREFIX):
            lines[name] = line
            found.append((name, binding.value or "", f"{path}:{line}"))
    layer = _sorted_out(found, spell=_variable)
    return replace(layer, faults=(*faults, *layer.faults), warnings=_open_secrets(path, layer))


def _line(binding: Binding) -> int:
    """The line of the name itself: the parser counts the blank lines before it as part of it."""
    string = binding.original.string
    return binding.original.line + string[: len(string) - len(string.lstrip())].count("\n")


def _from_toml(path: Path) -> _Layer:
    text = _file_text(path)
    if text is None or isinstance(text, Fault):
        return _Layer(faults=(text,) if text else ())
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return _Layer(faults=(Fault(f"{path}:{at[1]}" if at else str(path), f"is not TOML: {error}"),))
    where = partial(_toml_line, path, _toml_lines(text))
    layer = _sorted_out((name, value, where(name)) for name, value in _leaves("", values))
    return replace(layer, warnings=_open_secrets(path, layer))


def _leaves(prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Dotted names and values; a table that is no section comes as one value, to be refused by its name."""
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict) and name in _sections():
            yield from _leaves(f"{name}.", value)
        else:
            yield name, value


def _toml_lines(text: str) -> dict[str, int]:
    """Where each dotted name first stands. tomllib does not tell; good enough for a person who looks there."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([\w\s.\"'-]+)\]+\s*(#.*)?$", line):
            table = _unquoted(header[1])
            lines.setdefault(table, number)
            table += "."
        elif key := re.match(r"\s*([\w\s.\"'-]+?)\s*=", line):
            lines.setdefault(table + _unquoted(key[1]), number)
    return lines


def _unquoted(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _toml_line(path: Path, lines: Mapping[str, int], name: str) -> str:
    while name and name not in lines:
        name = name.rpartition(".")[0]  # Within an inline table: the line where that begins.
    return f"{path}:{lines[name]}" if name else str(path)


def _from_secrets(folder: object) -> _Layer:
    if not isinstance(folder, Path):
        return _Layer()
    found = secret_sources.read_folder(folder)
    layer = _sorted_out(((one.name, one.text, one.origin) for one in found.secrets), spell=_file_name)
    return replace(layer, faults=(*found.faults, *layer.faults), warnings=found.warnings)


def _file_text(path: Path) -> str | Fault | None:
    """The file's text; None if there is no such file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        what = "is a folder, not a file (Docker makes one when the file to mount does not exist); remove it"
    except OSError as error:
        what = f"cannot be read ({(error.strerror or '?').lower()}); give this user the right to read it"
    except UnicodeDecodeError:
        what = "is not text in UTF-8; save it as UTF-8"
    return Fault(str(path), what)


def _open_secrets(path: Path, layer: _Layer) -> tuple[Fault, ...]:
    with_secrets = any(not _known_settings()[one.name].may_be_quoted for one in layer.given)
    return secret_sources.open_to_others(path.parent, path) if with_secrets else ()


def _sorted_out(found: Iterable[tuple[str, object, str]], spell: Callable[[str], str] = _dotted) -> _Layer:
    """Parts what was `found` (spelled name, value, where) into values and faults. `spell` writes our names that way."""
    names = {spell(name): name for name in _known_settings()}
    given: list[_Given] = []
    faults: list[Fault] = []
    for spelled, value, where in found:
        if spelled not in names:
            faults.append(Fault(where, _unknown(spelled, value, spell)))
        elif complaint := _unfit(_known_settings()[names[spelled]], value):
            faults.append(Fault(where, f"{spelled} {complaint}"))
        else:
            given.append(_Given(names[spelled], value, where, spelled))
    return _Layer(tuple(given), tuple(faults))


def _unfit(known: _Known, value: object) -> str | None:
    """What pydantic would let pass: emptiness, and true for 1."""
    if isinstance(value, str) and not value.strip():
        return "is empty; give it a value or take it out"
    if isinstance(value, bool) and known.info.annotation is not bool:
        return "must not be true or false"
    return None


# Names that nobody knows


def _unknown(spelled: str, value: object, spell: Callable[[str], str]) -> str:
    if section := next((name for name in _sections() if spell(name) == spelled), None):
        inside = next(name for name in _known_settings() if name.startswith(f"{section}."))
        return f"{spelled} is a section, not a setting; set what is in it, such as {spell(inside)}"
    if isinstance(value, dict):
        return f"{spelled} is not a section{_did_you_mean(spelled, list(_sections()))}"
    names = [spell(name) for name in _known_settings()]
    return f"{spelled} is not a setting{_did_you_mean(spelled, names)}"


def _did_you_mean(spelled: str, names: Sequence[str]) -> str:
    near = _nearest(spelled, names)
    if not near:
        return "; `softlanding settings` lists all that there are"
    return f"; did you mean {' or '.join(near)}?"


def _nearest(spelled: str, names: Sequence[str]) -> list[str]:
    """The names that fewest slips of a finger lead to, all of them if several; else those that end alike."""
    lowered = spelled.lower()
    slips = {name: _slips(lowered, name.lower()) for name in names}
    fewest = min(slips.values())
    common = len(PREFIX) if spelled.upper().startswith(PREFIX) else 0
    if fewest <= max(1, (len(spelled) - common) // 4):
        return [name for name in names if slips[name] == fewest]
    last = re.split(r"__|\.", lowered)[-1]
    return [name for name in names if re.split(r"__|\.", name.lower())[-1] == last][:4]


def _slips(one: str, other: str) -> int:
    """Letters added, lost, changed, or swapped with their neighbour (optimal string alignment distance)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        oldest, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and wanted == one[i - 2]:
                cost = min(cost, oldest[j - 2] + 1)
            row.append(cost)
    return row[-1]


# From sources to settings


def _settle(layers: Sequence[_Layer], folder: Path, asked: _Asked) -> Settings:
    """The settings that `layers` (strongest first) and the profile's defaults amount to. Raises Misconfigured."""
    layers = [_with_absolute_folders(layer, folder) for layer in layers]
    given = _winners(layers)
    layers.append(_profile_defaults(given, folder))
    settings, wrong = _build(layers)
    faults = [fault for layer in layers for fault in layer.faults]
    faults += [_wrong_value(given[name], complaint) for name, complaint in wrong.items() if name in given]
    faults += _missing_in_production(settings, given, asked) if "profile" not in wrong else []
    faults += [
        Fault(given[names[0]].where if names[0] in given else names[0], f"{_spelled(given, names[0])} {complaint}")
        for names, complaint in _contradictions(settings)
        if not wrong.keys() & {*names, "profile"}
    ]
    if faults:
        raise Misconfigured(*dict.fromkeys(faults))
    warnings = tuple(warning for layer in layers for warning in layer.warnings)
    settings._history = _History(folder, asked, given, warnings)
    return settings


def _winners(layers: Sequence[_Layer]) -> dict[str, _Given]:
    """Each given name with its strongest value."""
    return {one.name: one for layer in reversed(layers) for one in layer.given}


def _with_absolute_folders(layer: _Layer, folder: Path) -> _Layer:
    folders = ("data_folder", "secrets_folder")
    return replace(
        layer,
        given=tuple(
            replace(one, value=_absolute(folder, one.value)) if one.name in folders else one for one in layer.given
        ),
    )


def _absolute(folder: Path, value: object) -> object:
    """The path meant from `folder`; what is no path stays as it is, to be refused with all the rest."""
    return (folder / Path(value).expanduser()).absolute() if isinstance(value, str | Path) else value


def _profile_defaults(given: Mapping[str, _Given], folder: Path) -> _Layer:
    """The defaults that depend on where and how: weaker than anything that was said."""
    data_folder = given["data_folder"].value if "data_folder" in given else None
    if not isinstance(data_folder, Path):
        data_folder = _absolute(folder, "var")
    values: dict[str, object] = {"data_folder": data_folder}
    profile = given["profile"].value if "profile" in given else "embedded"
    if profile == "embedded":
        values |= {f"{service}.database_url": f"sqlite:///{data_folder}/{service}.db" for service in SERVICES}
    elif profile == "production":
        values |= {"secure_cookies": True}
    return _Layer(tuple(_Given(name, value) for name, value in values.items()))


def _build(layers: Sequence[_Layer]) -> tuple[Settings, dict[str, str]]:
    """Settings, and a complaint about each name whose value is wrong; those have their defaults in the settings."""
    try:
        return Settings(*map(_source, layers)), {}
    except ValidationError as error:
        wrong = dict(map(_complaint, error.errors(include_url=False, include_input=False)))
    sound = [replace(layer, given=tuple(one for one in layer.given if one.name not in wrong)) for layer in layers]
    return Settings(*map(_source, sound)), wrong


def _source(layer: _Layer) -> PydanticBaseSettingsSource:
    if all(isinstance(one.value, str) for one in layer.given):
        return _Variables(layer)
    nested: dict[str, Any] = {}
    for one in layer.given:
        section, _, name = one.name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = one.value
    return InitSettingsSource(Settings, nested)


class _Variables(EnvSettingsSource):
    """pydantic-settings' reader of variables, over those that we sorted out in place of the process's own."""

    def __init__(self, layer: _Layer) -> None:
        self._variables = {_variable(one.name).lower(): one.value for one in layer.given}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables


_PLAIN_WORDS = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "list_type": "must be a list, or text parted by commas",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "too_short": "must have at least {min_length} characters; `openssl rand -hex 32` makes a good one",
    "value_error": "{error}",
}


def _complaint(error: Mapping[str, Any]) -> tuple[str, str]:
    """The name and, in plain words that never repeat the value, what is wrong with its value."""
    name = ".".join(str(part) for part in error["loc"])
    while name not in _known_settings():
        name = name.rpartition(".")[0]  # An item of a list: the list is what one sets.
    words = _PLAIN_WORDS.get(error["type"], error["msg"].replace("Input should be", "must be"))
    return name, words.format(**error.get("ctx", {}))


def _wrong_value(given: _Given, complaint: str) -> Fault:
    quoted = f" (it is {str(given.value)[:40]!r})" if _known_settings()[given.name].may_be_quoted else ""
    return Fault(given.where, f"{given.spelled} {complaint}{quoted}")


def _spelled(given: Mapping[str, _Given], name: str) -> str:
    return given[name].spelled if name in given else name


def _missing_in_production(settings: Settings, given: Mapping[str, _Given], asked: _Asked) -> list[Fault]:
    if settings.profile != "production":
        return []
    names = _needed(asked.service or settings.service) if asked.needs is None else asked.needs
    needed = [known for known in _known_settings().values() if known.name in names]
    what = "is missing and has no default in production"
    return [_missing(known, what) for known in needed if known.name not in given]


def _missing(known: _Known, what: str) -> Fault:
    return Fault(known.name, f"{what}; set {known.variable} ({known.meaning.partition('. ')[0].rstrip('.')})")


def _needed(service: Service | None) -> set[str]:
    """What production must say for one service (its own database, the others' addresses), or for all."""
    own = {
        f"{one}.{leaf}"
        for one in SERVICES
        if service in (one, None)
        for leaf in ("database_url", "host", "port", "health_port")
    }
    others = {f"{one}.{leaf}" for one in SERVICES if service != one for leaf in ("address", "health_address")}
    return own | others | {"nats.urls", "front_door.public_url", "session_secret", "peer_token"}


def _contradictions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Values that are right by themselves and wrong together: the names (the first is to blame), and why."""
    yield from _beyond_this_machine(settings) if settings.profile == "embedded" else _unsafe_in_public(settings)
    yield from _doubled_ports(settings)
    if "?" in str(settings.data_folder):
        yield ("data_folder",), "must not contain a question mark: a database's address ends there"
    life = settings.lifecycle
    for name in ("silent_after_seconds", "lease_stale_seconds"):
        if getattr(life, name) < 2 * life.beat_seconds:
            yield (
                (f"lifecycle.{name}", "lifecycle.beat_seconds"),
                f"must be at least twice lifecycle.beat_seconds ({life.beat_seconds:g}): one late beat is no death",
            )
    nats = settings.nats
    if (nats.user is None) != (nats.password is None):
        yield ("nats.user", "nats.password"), "and nats.password belong together; give both or neither"
    if nats.credentials and nats.user:
        yield ("nats.credentials", "nats.user"), "takes the place of nats.user and nats.password; give one of the two"


def _beyond_this_machine(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    elsewhere = "is another machine's, and profile embedded is this machine alone; set SOFTLANDING__PROFILE=production"
    for service in SERVICES:
        one = settings.of(service)
        if not _is_loopback(one.host):
            yield (f"{service}.host",), elsewhere.replace("another machine's", "open to other machines")
        for leaf in ("address", "health_address"):
            if (address := getattr(one, leaf)) and not _is_loopback(urlsplit(address).hostname):
                yield (f"{service}.{leaf}",), elsewhere
    if not all(_is_loopback(urlsplit(url).hostname) for url in settings.nats.urls):
        yield ("nats.urls",), elsewhere
    if not _is_loopback(settings.front_door.host) and not settings.front_door.lan:
        yield ("front_door.host", "front_door.lan"), "is open to other machines; set SOFTLANDING__FRONT_DOOR__LAN=true"


def _unsafe_in_public(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    door = settings.front_door
    if settings.session_secret is not None and settings.session_secret == settings.peer_token:
        yield ("session_secret", "peer_token"), "must be another text than peer_token: who has one has not the other"
    if door.lan:
        yield ("front_door.lan",), "is for profile embedded; in production set front_door.host"
    if door.public_url and door.public_url.startswith("https:") and not settings.secure_cookies:
        yield ("secure_cookies",), "must be true where front_door.public_url begins with https"
    if door.public_url and door.public_url.startswith("http:") and settings.secure_cookies:
        yield (
            ("front_door.public_url", "secure_cookies"),
            "begins with http, where nobody could sign in; use https, or set SOFTLANDING__SECURE_COOKIES=false",
        )


def _doubled_ports(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each listener on one machine needs its own port; in production each service has a machine to itself."""
    names = [f"{service}.{leaf}" for service in SERVICES for leaf in ("port", "health_port")]
    seen: dict[tuple[str, int], str] = {}
    for name in [*names, "front_door.port"]:
        port = _value(settings, _known_settings()[name])
        machine = "" if settings.profile == "embedded" else name.partition(".")[0]
        other = seen.setdefault((machine, port), name) if port else name
        if other != name:
            yield (name, other), f"is the port of {other} too; give each its own"


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return False


# How values are shown


def _value(settings: Settings, known: _Known) -> Any:
    holder = getattr(settings, known.section) if known.section else settings
    return getattr(holder, known.name.rpartition(".")[2])


def _text(value: object) -> str | None:
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


def _shown(known: _Known, value: object, key: str = "") -> str:
    """A value as anybody may see it."""
    text = _text(value)
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


def _masked(holder: BaseModel) -> Iterator[tuple[str, object]]:
    """What `repr` and `str` show of a section or of all settings."""
    for name, info in type(holder).model_fields.items():
        value = getattr(holder, name)
        known = _Known(name, info)
        yield name, value if known.may_be_quoted or value is None else _shown(known, value)


def _origin(known: _Known, given: _Given | None, settings: Settings) -> str:
    if given:
        return given.origin
    default = _text(known.info.get_default(call_default_factory=True))
    changed = known.name != "data_folder" and _text(_value(settings, known)) != default
    return f"default of profile {settings.profile}" if changed else "default"


# The example


_EXAMPLE_HEAD = (
    "# Every setting of Softlanding: what it means, and its default (or an example, where there is none).",
    "# Written by `softlanding settings --example > .env.example`; a test says when it is out of date.",
    "#",
    "# Copy what you want to change into a file named .env and take the # away. `softlanding up` needs none of it.",
    "# A stronger source wins:",
    "#   defaults < softlanding.toml < .env < environment < files in the secrets folder < command line",
    "# In softlanding.toml, SOFTLANDING__DISPATCH__PORT is the key `port` in the table [dispatch]. In the secrets",
    "# folder it is the file dispatch__port. Values are taken as they stand: ${NAME} is not replaced.",
    "# `softlanding settings` shows every value in force and where it came from.",
)


def _example_notes(known: _Known) -> list[str]:
    notes = ["# Needed in production."] if known.name in _needed(None) else []
    if not known.may_be_quoted:
        kind = "Secret" if known.is_secret else "May bear a password"
        notes.append(f"# {kind}: a file in the secrets folder is the better place.")
    return notes


def _example_value(known: _Known) -> str:
    examples = known.info.examples or [_text(known.info.get_default(call_default_factory=True)) or ""]
    number = [*SERVICES, known.section].index(known.section) + 1
    return str(examples[0]).replace("SERVICE", known.section).replace("NUMBER", str(number))
