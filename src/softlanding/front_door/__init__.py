"""What Caddy and nats-server are told, where their binaries are, and the folder that is served without any service.

The front door outlives the services: it serves the published programme and the run sheets from files, holds requests
while a service restarts, and says in words what is down.
"""

from softlanding.front_door.binaries import caddy_binary, nats_binary
from softlanding.front_door.caddy import FrontDoorPlan, caddyfile
from softlanding.front_door.nats import NatsPlan, nats_accounts, nats_config
from softlanding.front_door.pages import down_answer, down_page
from softlanding.front_door.site import (
    RESERVED,
    SLUG,
    lead_home,
    lead_to_all,
    prepare_site,
    published,
    refresh_site,
    switch_release,
)

__all__ = [
    "RESERVED",
    "SLUG",
    "FrontDoorPlan",
    "NatsPlan",
    "caddy_binary",
    "caddyfile",
    "down_answer",
    "down_page",
    "lead_home",
    "lead_to_all",
    "nats_accounts",
    "nats_binary",
    "nats_config",
    "prepare_site",
    "published",
    "refresh_site",
    "switch_release",
]
