"""What goes together, what must not, and what production must be told."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from softlanding.errors import Fault
from softlanding.settings.given import Asked, Given
from softlanding.settings.kinds import SERVICES, Service
from softlanding.settings.known import Known
from softlanding.settings.model import Settings
from softlanding.settings.names import known_settings, value_of


def missing_in_production(settings: Settings, given: Mapping[str, Given], asked: Asked) -> list[Fault]:
    if settings.profile != "production":
        return []
    names = names_needed(asked.service or settings.service) if asked.needs is None else asked.needs
    needed = [known for known in known_settings().values() if known.name in names]
    what = "is missing and has no default in production"
    return [fault_of_missing(known, what) for known in needed if known.name not in given]


def fault_of_missing(known: Known, what: str) -> Fault:
    return Fault(known.name, f"{what}; set {known.variable} ({known.meaning.partition('. ')[0].rstrip('.')})")


def names_needed(service: Service | None) -> set[str]:
    """What production must say for one service (its own database, the others' addresses), or for all."""
    own = {
        f"{one}.{leaf}"
        for one in SERVICES
        if service in (one, None)
        for leaf in ("database_url", "host", "port", "health_port")
    }
    others = {f"{one}.{leaf}" for one in SERVICES if service != one for leaf in ("address", "health_address")}
    return own | others | {"nats.urls", "front_door.public_url", "session_secret", "peer_token"}


def contradictions(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
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
        port = value_of(settings, known_settings()[name])
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
