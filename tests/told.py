"""All that the three services tell, wherever somebody might look: answers, live pages, metrics, public files.

answers(sampled, "read")      # {where: text} of each door without a bearer's link, to a program with these scopes
"""

import asyncio
import gzip
from itertools import product
from types import SimpleNamespace
from typing import Any

from sampled import SERVICES, Sampled
from softlanding.app.gauges import gauge
from softlanding.lifecycle.needs import Needs
from softlanding.telemetry import Metrics
from softlanding.web.health import Health
from streams import live_page

DOORS_MAY = (200, 303, 307, 401, 403, 404, 409, 422)
RECENT = 12  # Of each thing that an address may name.


def answers(sampled: Sampled, *scopes: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for service in SERVICES:
        client = sampled.program(service, *scopes)
        for route in sampled.apps[service].routes:
            if "GET" not in (getattr(route, "methods", None) or ()) or _is_live(route):
                continue
            found_here = addresses(sampled, route)
            if route.path.endswith("/facts"):
                found_here.append(f"{route.path}?epoch={sampled.work(service).life.epoch}")
            for address in found_here:
                answer = client.get(address)
                assert answer.status_code in DOORS_MAY, f"{address}: {answer.status_code}"
                found[f"{service} {address}"] = answer.text
    return found


def live_pages(sampled: Sampled, *scopes: str) -> dict[str, str]:
    """What a program with these scopes hears of each live page of staff, once all its fragments have come."""
    headers = {"Authorization": f"Bearer {sampled.token(*scopes)}"}
    found: dict[str, str] = {}
    for service in SERVICES:
        for route in filter(_is_live, sampled.apps[service].routes):
            if not route.softlanding_who.is_link:
                for address in addresses(sampled, route):
                    found[f"{service} {address}"] = asyncio.run(_heard(sampled, service, address, headers))
    return found


async def _heard(sampled: Sampled, service: str, address: str, headers: dict[str, str]) -> str:
    """The page's first sending; it ends at the first commit after it, because the service stops."""
    work = sampled.work(service)
    work.is_stopping = False
    try:
        async with live_page(sampled.apps[service], address, headers) as page:
            if page.status != 200:
                assert page.status in DOORS_MAY, f"{address}: {page.status}"
                return await page.rest()
            first = await page.fragments(1)
            work.is_stopping = True
            work.commits.fire()
            return str(first) + await page.rest()
    finally:
        work.is_stopping = True


def metrics(sampled: Sampled) -> dict[str, str]:
    """The text that each service's `/metrics` answers."""
    return {f"metrics of {service}": asyncio.run(_metrics(sampled, service)) for service in SERVICES}


async def _metrics(sampled: Sampled, service: str) -> str:
    work: Any = sampled.work(service)
    writer = SimpleNamespace(commits=1, committed_at=0.0)
    database: Any = SimpleNamespace(last_number=1, waiting=0, writer=writer, on_commit=None)
    health = Health(service, work.phases, lambda: True, Metrics())
    needs, answered = Needs(work, committed_s_ago=lambda: 0.0, turned_at={}), work.answered
    gauge(health, work, database, needs, work.parts.clock, lambda: True)
    await needs.count()
    work.answered = answered
    return health.metrics.text().decode()


def public_files(sampled: Sampled) -> dict[str, str]:
    """What the front door serves to everybody: names and text. Run sheets stand behind an address that is secret; of
    them the names are public, for a log of a proxy may have them."""
    site = sampled.house.settings.data_folder / "site"
    found = {"names of files": "\n".join(str(path.relative_to(site)) for path in site.rglob("*"))}
    for path in site.rglob("*"):
        if path.is_file() and "runsheets" not in path.parts:
            body = path.read_bytes()
            text = gzip.decompress(body) if path.suffix == ".gz" else body
            found[f"file {path.relative_to(site)}"] = text.decode("utf-8", "replace")
    return found


def kept_by_statistics(sampled: Sampled) -> dict[str, str]:
    files = {path.name: path.read_bytes() for path in sampled.house.folder.glob("statistics.db*")}
    return {f"kept in {name}": body.decode("latin-1") for name, body in files.items()}


def health(sampled: Sampled) -> dict[str, str]:
    """State and beat of each service, which ask nobody for a role."""
    works = {name: sampled.work(name) for name in SERVICES}
    states = {f"state of {name}": str(work.summary()) for name, work in works.items()}
    return states | {f"beat of {name}": str(work.beat) for name, work in works.items()}


def addresses(sampled: Sampled, route: Any, most: int = RECENT) -> list[str]:
    """The route's, with what the sample has for its path."""
    names = list(route.param_convertors)
    given = [sampled.real("pickup" if name == "code" else name)[-most:] for name in names]
    return [route.path.format(**dict(zip(names, each, strict=True))) for each in product(*given)]


def _is_live(route: Any) -> bool:
    return str(getattr(route, "path", "")).endswith("/stream")
