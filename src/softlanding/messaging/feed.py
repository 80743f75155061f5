"""The second path: every producer serves its own outbox over HTTP, and receivers fetch what they lack from it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import sqlalchemy as sa

from softlanding.errors import Fault, Invalid, SoftlandingError
from softlanding.messaging import outbox
from softlanding.messaging.envelope import Envelope, envelope_from_mapping
from softlanding.messaging.outbox import Epoch

PAGE_MAX = 500


class FeedDown(SoftlandingError):
    """The producer does not answer, or not now, or not in our words."""


class FeedRefused(FeedDown):
    """The producer answers and does not let us in: no waiting mends that."""


class EpochUnknown(SoftlandingError):
    """The producer does not know that epoch (any more); look at its line anew."""


@dataclass(frozen=True)
class Line:
    """A producer's line of lives, oldest first, and the last number of the present one."""

    epochs: tuple[Epoch, ...]
    tail: int


class Feed(Protocol):
    """How a receiver asks producers. Over HTTP, or in memory for the simulation."""

    async def line(self, source: str) -> Line:
        """Raises FeedDown."""

    async def facts(self, source: str, epoch: str, after: int) -> list[Envelope]:
        """Up to PAGE_MAX facts of the epoch beyond `after`, in order. Raises FeedDown, EpochUnknown."""

    async def beat(self, service: str) -> bytes:
        """The service's present beat, as its health socket gives it. Raises FeedDown."""

    async def beats(self, services: Sequence[str], within_s: float) -> list[bytes]:
        """The present beats of those who answer in time; nobody's silence holds up the others."""


def load_line(connection: sa.Connection) -> Line:
    """This producer's line, from its database."""
    last = outbox.last_number(connection)
    return Line(tuple(outbox.lineage(connection)), last[1] if last else 0)


def line_to_mapping(line: Line) -> dict[str, Any]:
    return {
        "epochs": [{"epoch": e.epoch, "parent": e.parent, "parent_last": e.parent_last} for e in line.epochs],
        "tail": line.tail,
    }


def line_from_mapping(answer: Any) -> Line:
    """The line that `line_to_mapping` gave. Raises Invalid when it is none."""
    try:
        line = Line(tuple(Epoch(e["epoch"], e["parent"], e["parent_last"]) for e in answer["epochs"]), answer["tail"])
    except (KeyError, TypeError) as error:
        raise Invalid(Fault("", "a line of lives has epochs and a tail")) from error
    texts = [one.epoch for one in line.epochs] + [one.parent for one in line.epochs if one.parent is not None]
    numbers = [line.tail, *(one.parent_last for one in line.epochs if one.parent_last is not None)]
    if not all(isinstance(text, str) for text in texts) or not all(type(number) is int for number in numbers):
        raise Invalid(Fault("", "epochs are texts, and their ends numbers"))
    return line


class HttpFeed:
    """Asks peers over HTTP: facts at their address, beats at their health socket."""

    def __init__(
        self, client: httpx.AsyncClient, addresses: Mapping[str, str], health_addresses: Mapping[str, str], token: str
    ) -> None:
        self._client = client
        self._addresses = addresses
        self._health_addresses = health_addresses
        self._headers = {"Authorization": f"Bearer {token}"}

    async def line(self, source: str) -> Line:
        answer = await self._get(f"{self._addresses[source]}/api/{source}/facts")
        try:
            return line_from_mapping(answer.json())
        except (ValueError, Invalid) as error:  # Somebody else answers at this address: a proxy, another program.
            raise FeedDown(f"what answers for {source} is not {source}: {error}") from error

    async def facts(self, source: str, epoch: str, after: int) -> list[Envelope]:
        parameters = {"epoch": epoch, "after": str(after), "limit": str(PAGE_MAX)}
        answer = await self._get(f"{self._addresses[source]}/api/{source}/facts", parameters)
        try:
            return [envelope_from_mapping(event) for event in _listed(answer.json())]
        except (ValueError, Invalid) as error:
            raise FeedDown(f"{source}'s feed does not speak CloudEvents: {error}") from error

    async def beat(self, service: str) -> bytes:
        answer = await self._get(f"{self._health_addresses[service]}/-/{service}/beat")
        return answer.content

    async def beats(self, services: Sequence[str], within_s: float) -> list[bytes]:
        asked = [asyncio.create_task(self.beat(service)) for service in services]
        try:
            await asyncio.wait(asked, timeout=within_s)
            heard = [task for task in asked if task.done() and not isinstance(task.exception(), FeedDown)]
            return [task.result() for task in heard]
        finally:
            for task in asked:
                task.cancel()

    async def _get(self, url: str, parameters: Mapping[str, str] | None = None) -> httpx.Response:
        try:
            answer = await self._client.get(url, params=parameters, headers=self._headers)
        except httpx.HTTPError as error:
            raise FeedDown(f"no answer: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.CONFLICT:
            raise EpochUnknown(url)
        if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise FeedRefused(f"answer {answer.status_code}")
        if answer.status_code != httpx.codes.OK:
            raise FeedDown(f"answer {answer.status_code}")
        return answer


def _listed(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise Invalid(Fault("", "a page of facts is a list"))
    return answer
