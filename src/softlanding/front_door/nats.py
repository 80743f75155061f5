"""What nats-server is told: to sync before it acknowledges, and who may do what.

Each service signs in as itself. It may tell its own facts and beats, keep its own stream, and read the others' through
a consumer that bears its name; whoever cannot sign in, another user of the machine, may nothing (ADR 11).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DURABILITY = "$SYS.REQ.SERVER.PING.JSZ"  # Whether the server syncs each write; of the account that no user is in.


@dataclass(frozen=True)
class NatsPlan:
    """One nats-server on this machine. Without `passwords` (service to password) it asks nobody who they are: for
    measurements on a throw-away server alone."""

    port: int
    store_folder: Path
    name: str = "softlanding"
    passwords: Mapping[str, str] | None = None  # The file that bears them must be readable by its owner only.
    host: str = "127.0.0.1"


def nats_config(plan: NatsPlan) -> str:
    """The server's configuration. `sync_interval: always`: JetStream acknowledges only what is on the disk."""
    accounts = nats_accounts({name: json.dumps(word) for name, word in (plan.passwords or {}).items()})
    return (
        f"server_name: {json.dumps(plan.name)}\n"
        f"listen: {json.dumps(f'{plan.host}:{plan.port}')}\n"
        f"{accounts}"
        "jetstream {\n"
        f"  store_dir: {json.dumps(str(plan.store_folder))}\n"
        "  sync_interval: always\n"
        "  max_memory_store: 64MB\n"
        "  max_file_store: 4GB\n"
        "}\n"
        "max_payload: 1MB\n"
        "max_pending: 64MB\n"
        "max_connections: 256\n"
        'write_deadline: "5s"\n'
        'ping_interval: "5s"\n'
        "ping_max: 2\n"
        "logtime_utc: true\n"
    )


def nats_accounts(passwords: Mapping[str, str]) -> str:
    """Who may do what, in the server's own language; nothing for nobody. `passwords` stand as they are: a quoted text,
    or the name of a variable such as $SCHEDULE_PASSWORD."""
    if not passwords:
        return ""
    users = "".join(_user(name, passwords[name], [other for other in passwords if other != name]) for name in passwords)
    return (
        "accounts {\n"
        f'  SYS {{ exports: [ {{ service: "{DURABILITY}", response_type: "Stream" }} ] }}\n'
        "  FACTS {\n"
        "    jetstream: enabled\n"
        f'    imports: [ {{ service: {{ account: SYS, subject: "{DURABILITY}" }} }} ]\n'
        f"    users: [\n{users}    ]\n"
        "  }\n"
        "}\n"
        "system_account: SYS\n"
    )


def _user(name: str, password: str, others: list[str]) -> str:
    publish = [f"facts.{name}.>", f"softlanding.beat.{name}", DURABILITY]
    publish += [f"$JS.API.STREAM.{verb}.facts-{name}" for verb in ("CREATE", "UPDATE")]
    for other in others:
        publish += [f"$JS.API.CONSUMER.{verb}.facts-{other}.{name}" for verb in ("CREATE", "RESET", "MSG.NEXT")]
        publish.append(f"$JS.ACK.facts-{other}.{name}.>")
    subscribe = ["softlanding.beat.*", f"_INBOX_{name}.>"]
    return (
        f'      {{ user: "{name}", password: {password}, permissions: {{\n'
        f"        publish: {{ allow: {json.dumps(publish)} }}\n"
        f"        subscribe: {{ allow: {json.dumps(subscribe)} }}\n"
        "      } }\n"
    )
