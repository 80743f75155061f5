"""All that can be configured. Whoever adds a setting opens this file alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from softlanding.errors import Fault
from softlanding.settings.given import History
from softlanding.settings.kinds import (
    HOLDS_PASSWORD,
    PREFIX,
    Address,
    DatabaseUrl,
    Host,
    NatsUrl,
    NotNegative,
    Port,
    Positive,
    Secret,
    Service,
    Slug,
    Zone,
    parted_by_commas,
)
from softlanding.settings.known import masked


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    def __repr_args__(self) -> Iterator[tuple[str, object]]:
        return masked(self)


class ServiceSettings(Section):
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


class NatsSettings(Section):
    urls: Annotated[list[NatsUrl], NoDecode, BeforeValidator(parted_by_commas), HOLDS_PASSWORD] = Field(
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
    monitor_urls: Annotated[list[Address], NoDecode, BeforeValidator(parted_by_commas)] = Field(
        default=[],
        description="Where the NATS servers tell their settings (/jsz), by which each is proven to sync every write "
        "to disk: of a cluster all of them, parted by commas. Without any the servers are asked by the bus, if the "
        "service's NATS user may ask.",
        examples=["http://nats-1:8222,http://nats-2:8222"],
    )


class FrontDoorSettings(Section):
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
    names: Annotated[list[Host], NoDecode, BeforeValidator(parted_by_commas)] = Field(
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


class LifecycleSettings(Section):
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


class LogSettings(Section):
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

    _history: "History" = PrivateAttr(default_factory=lambda: History())

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
        return masked(self)
