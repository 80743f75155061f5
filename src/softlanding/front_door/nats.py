"""What nats-server is told."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NatsPlan:
    """One nats-server on this machine."""

    port: int
    monitor_port: int
    store_folder: Path
    name: str = "softlanding"
    token: str | None = None  # The file that bears it must be readable by its owner only.
    host: str = "127.0.0.1"


def nats_config(plan: NatsPlan) -> str:
    """The server's configuration. `sync_interval: always`: JetStream acknowledges only what is on the disk."""
    authorization = f"authorization {{ token: {json.dumps(plan.token)} }}\n" if plan.token else ""
    return (
        f"server_name: {json.dumps(plan.name)}\n"
        f"listen: {json.dumps(f'{plan.host}:{plan.port}')}\n"
        f"http: {json.dumps(f'127.0.0.1:{plan.monitor_port}')}\n"
        f"{authorization}"
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
