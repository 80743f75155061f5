"""The whole system on one machine: `softlanding up`.

A small supervising process starts nats-server, Caddy and the three services, each with its own database file in the
data folder, on loopback ports that it found free.
"""

import asyncio
import hashlib
import json
import os
import random
import re
import shutil
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import segno

from softlanding import front_door
from softlanding.app import births
from softlanding.app.addresses import ADDRESS_FILE, Signing, own_secret
from softlanding.app.hearing import wait_until_heard
from softlanding.app.life import make_engines
from softlanding.app.post_logs import LogPost
from softlanding.clock import Clock, SystemClock
from softlanding.errors import Refused
from softlanding.private_files import close_to_others, open_to_others
from softlanding.settings import (
    SERVICES,
    Settings,
    known_hosts,
    load_settings,
    plain_environment,
    required,
    to_environment,
    with_values,
)
from softlanding.supervisor import (
    External,
    Forked,
    Happening,
    HttpReady,
    Nursery,
    PortReady,
    Process,
    Watching,
    free_ports,
    reserved,
    start_nursery,
    supervise,
    up_lock,
)

PRELOAD = (
    "softlanding.app.serve",
    "softlanding.schedule.service",
    "softlanding.dispatch.service",
    "softlanding.statistics.service",
    # What libraries would load only at first use, in each service anew: 6 MB in each.
    "anyio._backends._asyncio",
    "httpcore",
    "pydantic.v1",
    "sqlalchemy.dialects.sqlite",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "softlanding.formats.airports:known_airports",
)
LOOPBACK = "127.0.0.1"
ROOT_CERTIFICATE = "caddy/pki/authorities/local/root.crt"  # In the data folder; Caddy makes it.
SMALL_GO = {"GOGC": "50", "GOMEMLIMIT": "48MiB"}  # Soft: Go collects sooner, and still takes more when it must.


@dataclass(frozen=True)
class UpOptions:
    """What `softlanding up` was asked for. `tell_line` prints one line."""

    folder: Path
    data: str | None = None
    port: int | None = None
    with_lan: bool = False
    is_plain: bool = False  # In the network without TLS.
    is_empty: bool = False
    accept_empty: bool = False  # Also where a database was lost.
    as_json: bool = False
    without_nats: bool = False
    first_day: str | None = None  # Of the sample conference; tomorrow by default.
    tell_line: Callable[[str], None] = print


def up(options: UpOptions) -> int:
    """Run until SIGINT or SIGTERM; the exit code. Raises Invalid or Refused in words before anything is started."""
    clock = SystemClock()
    command_line = {
        "data_folder": options.data,
        "front_door.port": options.port,
        "front_door.lan": options.with_lan or None,
        "front_door.lan_plain": options.is_plain or None,
    }
    nursery = start_nursery(PRELOAD)  # Before anything else: it is forked from a process without threads or loop.
    settings = load_settings(folder=options.folder, command_line=command_line)
    if settings.profile != "embedded":
        raise Refused("`softlanding up` is for one machine: unset SOFTLANDING__PROFILE, or run `softlanding serve`")
    data = settings.data_folder
    data.mkdir(parents=True, exist_ok=True)
    with up_lock(data, clock):
        _close_folder(data, options)
        settings = _with_parts(settings, options, clock)
        _refuse_taken_port(settings)
        if not options.accept_empty:
            births.refuse_lost(settings, {name: make_engines(name, settings).reading for name in SERVICES}, "up")
        processes = _processes(settings, options, clock)
        own = [settings.of(name) for name in SERVICES]
        with reserved(port for one in own for port in (one.port, one.health_port) if port is not None):
            asyncio.run(_run(settings, options, processes, nursery, clock))
    return 0


def _close_folder(data: Path, options: UpOptions) -> None:
    """What an older release, a copy or a restore left open is closed before anything runs; either way it is said."""
    closed = close_to_others(data)
    words = [f"{closed} files and folders in {data} were open to other users; they are closed now"] if closed else []
    for sentence in [*words, *map(str, open_to_others(data))]:
        options.tell_line(json.dumps({"warning": sentence}) if options.as_json else f"Warning: {sentence}")


def _with_parts(settings: Settings, options: UpOptions, clock: Clock) -> Settings:
    """The settings with what only this run knows: free ports, addresses, secrets of the data folder."""
    names = [*SERVICES, *(f"{service}_health" for service in SERVICES), "nats"]
    ports = free_ports(names, settings.data_folder, random.Random(clock.monotonic()))
    values: dict[str, object] = {}
    for service in SERVICES:
        values |= {
            f"{service}.port": ports[service],
            f"{service}.health_port": ports[f"{service}_health"],
            f"{service}.address": f"http://{LOOPBACK}:{ports[service]}",
            f"{service}.health_address": f"http://{LOOPBACK}:{ports[f'{service}_health']}",
        }
    if not options.without_nats:
        values["nats.urls"] = [f"nats://{LOOPBACK}:{ports['nats']}"]
    values |= _network(settings)
    if settings.session_secret is None:
        values["session_secret"] = own_secret(settings.data_folder, "session_secret")
    if settings.peer_token is None:
        values["peer_token"] = own_secret(settings.data_folder, "peer_token")
    return with_values(settings, values, origin="softlanding up")


def _network(settings: Settings) -> dict[str, object]:
    """How phones in the same network reach the front door, when they may and there is one."""
    door = settings.front_door
    if not door.lan or not (address := lan_address()):
        return {}
    scheme = "http" if door.lan_plain else "https"
    names = [*door.names, address, *own_name()]
    return {"front_door.lan_url": f"{scheme}://{address}:{door.port}", "front_door.names": list(dict.fromkeys(names))}


def _refuse_taken_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, settings.front_door.port))
        except OSError as error:
            raise Refused(
                f"port {settings.front_door.port} is taken ({error.strerror}); give another: softlanding up --port 8080"
            ) from error


def _processes(settings: Settings, options: UpOptions, clock: Clock) -> list[Process]:
    services = [_service(name, settings, options, clock) for name in SERVICES]
    brokers = [] if options.without_nats else [_nats(settings)]
    return [*brokers, *services, _caddy(settings)]


def _service(name: str, settings: Settings, options: UpOptions, clock: Clock) -> Process:
    health = f"{settings.of(name).health_address}/-/{name}"  # type: ignore[arg-type]
    arguments = {
        "service": name,
        "folder": str(options.folder),
        "environment": to_environment(settings if options.without_nats else _with_nats_user(settings, name)),
        "is_port_reserved": True,
        "accept_empty": options.accept_empty,
        "sample_on": None if options.is_empty else _sample_day(settings, options, clock),
    }
    return Process(
        name,
        Forked("softlanding.app.serve:serve_forked", arguments),
        HttpReady(f"{health}/readyz"),
        livez_url=f"{health}/livez",
        stop_within_s=settings.lifecycle.stop_within_seconds,
        stage=2,
    )


def _with_nats_user(settings: Settings, service: str) -> Settings:
    """Each service is told its own password alone."""
    password = _nats_password(settings.data_folder, service)
    return with_values(settings, {"nats.user": service, "nats.password": password}, origin="softlanding up")


def _nats_password(data: Path, service: str) -> str:
    return own_secret(data, f"nats_{service}")


def _sample_day(settings: Settings, options: UpOptions, clock: Clock) -> str:
    """Tomorrow, where the conference is."""
    if options.first_day:
        return options.first_day
    zone = ZoneInfo(settings.zone or "Europe/Berlin")
    return (clock.now().astimezone(zone) + timedelta(days=1)).date().isoformat()


def _nats(settings: Settings) -> Process:
    data = settings.data_folder
    port = int(settings.nats.urls[0].rsplit(":", 1)[1])
    passwords: dict[str, str] = {name: _nats_password(data, name) for name in SERVICES}
    # What was kept before anybody was asked who they are: nobody reads it any more, and the outboxes have it.
    shutil.rmtree(data / "nats" / "jetstream" / "$G", ignore_errors=True)
    plan = front_door.NatsPlan(port, data / "nats", passwords=passwords)
    config = _write_private(data / "run" / "nats.conf", front_door.nats_config(plan))
    argv = (str(front_door.nats_binary()), "-c", str(config))
    return Process("nats", External(argv, plain_environment() | SMALL_GO), PortReady(port), stage=1)


def _caddy(settings: Settings) -> Process:
    data = settings.data_folder
    site = data / "site"
    front_door.prepare_site(site)
    lan = urlsplit(settings.front_door.lan_url or "").hostname
    in_network = [lan] if lan else []
    is_tls = bool(lan) and not settings.front_door.lan_plain
    plan = front_door.FrontDoorPlan(
        port=settings.front_door.port,
        site_folder=site,
        storage_folder=data / "caddy",
        upstreams={name: f"{LOOPBACK}:{settings.of(name).port}" for name in SERVICES},
        static_folders=static_folders(),
        hosts=[LOOPBACK, *([] if is_tls else in_network)],
        tls_hosts=in_network if is_tls else [],
        tls_names=[*in_network, *own_name()] if is_tls else [],
        names=sorted(name for name in known_hosts(settings) if ":" not in name),
    )
    config = _write_private(data / "run" / "Caddyfile", front_door.caddyfile(plan))
    argv = (str(front_door.caddy_binary()), "run", "--config", str(config), "--adapter", "caddyfile")
    home = {"HOME": str(data / "caddy"), "XDG_DATA_HOME": str(data / "caddy"), "XDG_CONFIG_HOME": str(data / "caddy")}
    ready = HttpReady(f"http://{LOOPBACK}:{settings.front_door.port}/-/front-door")
    return Process("front-door", External(argv, plain_environment() | home | SMALL_GO), ready, stage=3)


def static_folders() -> dict[str, Path]:
    """Where the files behind /static/ lie: the common ones, and each service's."""
    found = {"": Path(str(files("softlanding").joinpath("static")))}
    for name in SERVICES:
        folder = Path(str(files(f"softlanding.{name}").joinpath("static")))
        if folder.is_dir():
            found[name] = folder
    return found


def lan_address() -> str | None:
    """This machine's address in its network; None without one. Asks the routing table only: nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


def own_name() -> list[str]:
    """The name by which this machine calls itself in its network (RFC 6762), if it can be one."""
    name = socket.gethostname().partition(".")[0].lower()
    return [f"{name}.local"] if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,62}", name) else []


def _write_private(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return path


async def _run(
    settings: Settings, options: UpOptions, processes: list[Process], nursery: Nursery, clock: Clock
) -> None:
    stop = asyncio.Event()
    secret = required(settings.session_secret, "session_secret").get_secret_value()
    teller = _Teller(options, settings, Signing(secret, clock), clock.monotonic(), clock)
    signing = Signing(secret, clock)
    post = LogPost(str(settings.statistics.address), lambda: signing.command_token("supervisor", ["logs"]))
    teller.begin()
    _write_private(settings.data_folder / ADDRESS_FILE, teller.addresses()[0])
    await supervise(
        processes,
        data_folder=settings.data_folder,
        nursery=nursery,
        clock=clock,
        tell=teller.tell,
        ship_logs=post.send,
        stop=stop,
        watching=Watching(log_bytes_max=settings.logs.file_bytes_max),
        holds_lock=True,
    )
    teller.end()


@dataclass
class _Teller:
    """Says what happens, to a person or as JSON lines."""

    options: UpOptions
    settings: Settings
    signing: Signing
    began: float
    clock: Clock
    welcoming: "asyncio.Task[None] | None" = None

    def begin(self) -> None:
        if not self.options.as_json:
            self.options.tell_line(f"Softlanding, data in {self.settings.data_folder}")

    def tell(self, happening: Happening) -> None:
        if self.options.as_json:
            self._line(asdict(happening) | {"at": happening.at.isoformat()})
        else:
            after = self.clock.monotonic() - self.began
            self.options.tell_line(f"{after:7.2f} s  {happening.process:<11} {happening.words}")
        if happening.what == "all_ready":
            self.welcoming = asyncio.get_running_loop().create_task(self._welcome_when_heard(happening))

    def end(self) -> None:
        if self.welcoming is not None:
            self.welcoming.cancel()
        if self.options.as_json:
            self._line({"stopped": True})
        else:
            self.options.tell_line("Stopped. What was said is kept; `softlanding up` finds it again.")

    async def _welcome_when_heard(self, happening: Happening) -> None:
        """Nobody is sent to a page of a conference that its service has not heard of yet, or that is yet to be made."""
        states: dict[str, str] = {name: f"{self.settings.of(name).health_address}/-/{name}/state" for name in SERVICES}
        is_all_there = await wait_until_heard(states, self.clock, is_served=self._is_programme_served)
        if not is_all_there and not self.options.as_json:
            self.options.tell_line("Not everybody has heard of everything yet; pages show it when they have.")
        self._welcome(happening)

    def _is_programme_served(self) -> bool:
        """Nothing is to be served without the sample; whoever has made an own conference has the sample beside it."""
        return self.options.is_empty or bool(front_door.published(self.settings.data_folder / "site"))

    def _welcome(self, happening: Happening) -> None:
        addresses = self.addresses()
        sign_in = f"{addresses[0]}/sign-in/{self.signing.sign_in_token()}"
        ready_s = round(self.clock.monotonic() - self.began, 2)
        if self.options.as_json:
            self._line(
                {
                    "ready": True,
                    "ready_s": ready_s,
                    "address": addresses[0],
                    "addresses": addresses,
                    "sign_in": sign_in,
                    "root_certificate": self._root_certificate(),
                    "at": happening.at.isoformat(),
                }
            )
            for address in addresses[1:] if self.settings.front_door.lan_plain else ():
                self._line({"warning": " ".join(self._how_safe(address))})
            return
        say = self.options.tell_line
        say("")
        say(f"  Ready in {ready_s} s.    {addresses[0]}/")
        say(f"  Sign in as staff:   {sign_in}")
        for address in addresses[1:]:
            lan_link = f"{address}/sign-in/{self.signing.sign_in_token()}"
            say(f"  For phones here:    {address}/")
            say(f"  Sign in there:      {lan_link}")
            say(qr_text(lan_link))
            for line in self._how_safe(address):
                say(f"  {line}")
        if self.settings.front_door.lan and not self.settings.front_door.lan_url:
            say("  This machine is in no network: phones cannot reach it.")
        say("  Ctrl-C stops everything in order.")
        say("")

    def _root_certificate(self) -> str | None:
        """Where it lies, when phones are served by TLS."""
        is_tls = (self.settings.front_door.lan_url or "").startswith("https:")
        return str(self.settings.data_folder / ROOT_CERTIFICATE) if is_tls else None

    def addresses(self) -> list[str]:
        """The one to open on this machine, then the one for phones in the same network."""
        public, port = self.settings.front_door.public_url, self.settings.front_door.port
        lan_url = self.settings.front_door.lan_url
        return [public or f"http://{LOOPBACK}:{port}", *([lan_url] if lan_url else [])]

    def _how_safe(self, address: str) -> list[str]:
        """What whoever opens the door to a network must know."""
        if self.settings.front_door.lan_plain:
            return [
                "Without TLS: whoever is in this network can read names, phones and sign-in links, take them, and act",
                "as the person they belong to. Do so in a network of your own alone; else leave out --plain.",
            ]
        certificate = self.settings.data_folder / ROOT_CERTIFICATE
        return [
            "A phone warns of this address until it knows this installation's own certificate authority.",
            f"How to let it (Android, iPhone):  {address}/-/trust",
            f"The certificate:    {certificate}",
            f"Its SHA-256:        {_fingerprint(certificate)}",
        ]

    def _line(self, values: Mapping[str, Any]) -> None:
        self.options.tell_line(json.dumps(values, ensure_ascii=False, default=_as_text))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _fingerprint(certificate: Path) -> str:
    """SHA-256, in pairs of hex digits, as phones show it."""
    try:
        digest = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest().upper()
    except (OSError, ValueError):
        return "not made yet; the front door makes it when it is first asked by TLS"
    return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))


def qr_text(link: str) -> str:
    """A QR code for a terminal, two rows of it in each line of text."""
    rows = [list(row) for row in segno.make(link, error="l").matrix_iter(border=2)]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    glyphs = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join(
        "  " + "".join(glyphs[bool(a), bool(b)] for a, b in zip(top, low, strict=True)) for top, low in pairs
    )
