"""How a command finds whom to ask: the running system; when none runs, the same doors in its own process."""

import asyncio
import random
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from softlanding.app.client import Installation, address_of, installation, with_secrets
from softlanding.clock import SystemClock, retry
from softlanding.errors import Refused, Unavailable
from softlanding.settings import Settings
from softlanding.supervisor import up_lock

CONNECT_S = 3.0
BUSY_MAX_S = 10.0  # How long a system may take to start, or another command to end.


@contextmanager
def reach(settings: Settings, tell: Callable[[str], None]) -> Iterator[Installation]:
    """The running system; when none runs, its services in this process, for the time of the block.

    `tell` hears what a person should know about the second. Raises Unavailable when it can be neither.
    """
    clock = SystemClock()
    with ExitStack() as stack:

        async def look() -> bool:
            return _is_running(settings, stack)

        if asyncio.run(
            retry(look, clock=clock, rng=random.Random(), deadline_s=BUSY_MAX_S, errors=(Unavailable,), longest_s=0.5)
        ):
            yield installation(settings)
        else:
            from softlanding.app.alone import alone  # All of the services' code: only when it is needed.

            yield stack.enter_context(alone(with_secrets(settings), address_of(settings), tell))


def signs_for(settings: Settings, tell: Callable[[str], None]) -> Installation:
    """Who makes sign-in links: needs nothing that runs. One that has never run gets its secrets here."""
    if settings.profile != "embedded" or is_running(settings):
        return installation(settings)
    tell(f"Nothing runs in {settings.data_folder}: what is printed here works once `softlanding up` does.")
    return installation(with_secrets(settings))


def is_running(settings: Settings) -> bool:
    """Whether a system runs that can be asked; also while it starts or stops."""
    with ExitStack() as stack:
        try:
            return _is_running(settings, stack)
        except Unavailable:
            return True


def _is_running(settings: Settings, stack: ExitStack) -> bool:
    """Whether a system runs that can be asked. If not, on one machine, `stack` keeps it from starting meanwhile.

    Raises Unavailable while it cannot be known: something runs in the data folder and does not answer.
    """
    public = settings.front_door.public_url
    if public and _answers(public):
        return True
    if settings.profile != "embedded":
        return False
    try:
        stack.enter_context(up_lock(settings.data_folder, SystemClock()))
    except Refused as held:
        if _answers(address := address_of(settings)):
            return True
        raise Unavailable(
            f"something is at work in {settings.data_folder} and does not answer at {address}: a system that starts "
            "or stops, or another command; send it again in a moment"
        ) from held
    except OSError as error:
        raise Refused(f"{settings.data_folder} cannot be used: {error.strerror}; name another with --data") from error
    return False


def _answers(address: str) -> bool:
    """Whether anybody listens there."""
    parts = urlsplit(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", port), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True
