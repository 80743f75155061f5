"""The bus on NATS JetStream: one stream a producer, one durable pull consumer a receiver, batches that land whole.

Soft by design: without a server everything here raises BusDown at once or within a second, a task in the background
goes on connecting, and a lost stream or consumer is made anew. Nothing is fetched twice on purpose: what JetStream
loses, receivers notice by numbers.

nats-py's own reconnecting is off. It keeps publishes for a later connection, may die on an error line of the server,
and forgets nothing of the life before; here each connection is a new client, and what belonged to the old one is gone.
"""

import asyncio
import json
import math
import random
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from softlanding.clock import Clock, retry
from softlanding.errors import Fault, Invalid
from softlanding.messaging.bus import BATCH_MAX, BusDown, Delivery, Durability
from softlanding.messaging.envelope import Envelope, envelope_from_json

ANSWER_S = 1.0  # Longest wait for the server's answer, and for the first connection. An fsync takes milliseconds.
PREFETCH = 2 * BATCH_MAX  # Facts on their way to one receiver: two batches, so that the wire is never idle.
PULL_EXPIRES_S = 2.0  # A pull that the server forgot stalls nobody for longer than this and a second.
PAUSE_S = 0.25  # After the server refused a pull: no hot loop.
UNSENT_BYTES_MAX = 8 * 1024 * 1024  # More than this waiting in our own buffer: the server takes nothing, so it is down.
HEADER_BYTES = 512  # Room for the batch headers, which count against the server's max_payload.
BEATS_MAX = 100  # As the protocol says.
SERVER_VERSION_MIN = (2, 15, 1)  # Atomic batches, consumer reset, and fsyncs as this system was measured with.

BEAT_SUBJECT = "softlanding.beat"
DURABILITY_SUBJECT = "$SYS.REQ.SERVER.PING.JSZ"  # Each server of a cluster answers with its settings.
_NAME = re.compile(r"[a-z0-9_-]{1,64}")
_STREAM_NOT_FOUND = 10059
_STREAM_HAS_OTHER_CONFIG = 10058


@dataclass(frozen=True, slots=True)
class Access:
    """What the server asks for. Read at each connection, so that a rotated secret needs no restart."""

    user: str | None = None
    password: str | None = None
    token: str | None = None
    tls: ssl.SSLContext | None = None


class JetStreamBus:
    """One service's end of JetStream. `undecodable` and `oversized` count what was left out; each was reported too."""

    def __init__(
        self,
        urls: Sequence[str],
        receiver: str,
        sources: Sequence[str],
        clock: Clock,
        *,
        rng: random.Random,
        stream_max_age_s: float = 48 * 3600,
        redeliver_s: float = 10.0,
        replicas: int = 1,
        monitor_urls: Sequence[str] = (),
        access: Callable[[], Access] = Access,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`rng` spreads reconnects. What is not acknowledged comes again after `redeliver_s`, or to the next connection
        at once. `monitor_urls` are the HTTP monitors of all servers; without any they are asked by the bus. `report`
        gets sentences for the log."""
        for name in (receiver, *sources):
            assert _NAME.fullmatch(name), f"{name!r} cannot be part of a NATS subject"
        self.undecodable = 0
        self.oversized = 0
        self._urls = list(urls)
        self._receiver = receiver
        self._sources = frozenset(sources)
        self._clock = clock
        self._rng = rng
        self._stream_max_age_s = stream_max_age_s
        self._redeliver_s = redeliver_s
        self._replicas = replicas
        self._monitor_urls = tuple(monitor_urls)
        self._access = access
        self._report = report
        self._batch_prefix = f"{receiver}-{rng.getrandbits(64):016x}"
        self._batches = 0
        self._beats: deque[tuple[str, bytes]] = deque(maxlen=BEATS_MAX)
        self._link: _Link | None = None
        self._linked = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._trouble = ""
        self._is_closed = False

    async def start(self) -> None:
        """Begin to connect, for ever, in the background. Comes back when connected or after a second; never raises."""
        assert self._keeper is None, "the bus is started once"
        self._keeper = asyncio.create_task(self._keep_connected(), name=f"nats connection of {self._receiver}")
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self._linked.wait()

    @property
    def is_up(self) -> bool:
        return self._link is not None and self._link.is_up

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """As the protocol. A fact too large for the server's max_payload is left out, counted and reported: receivers
        meet a gap there and fetch it from the feed."""
        assert 1 <= len(envelopes) <= BATCH_MAX
        source = envelopes[0].source
        assert all(envelope.source == source for envelope in envelopes), "a batch has one source, as a stream has"
        link = self._need_link()
        messages = self._messages(link, envelopes)
        if messages:
            async with _answered_in_time(link):
                await self._publish_messages(link, source, messages)

    async def receive(self, source: str, *, limit: int, wait_s: float) -> list[Delivery]:
        give_up_at = self._clock.monotonic() + wait_s
        while True:
            link = self._need_link()
            pull = link.pulls.get(source)
            if pull is None or (pull.is_gone and self._clock.monotonic() >= pull.look_again_at):
                pull = await self._open_pull(link, source)
            if pull is None:
                if (rest := give_up_at - self._clock.monotonic()) <= 0:
                    return []
                await link.wait(min(rest, PAUSE_S))
                continue
            async with _answered_in_time(link):
                await pull.keep_asking(self._clock.monotonic())
            deliveries = self._decoded(source, pull, limit)
            await self._settle(link, pull)
            now = self._clock.monotonic()
            if deliveries or now >= give_up_at:
                return deliveries
            await pull.wait(min(give_up_at, pull.look_again_at) - now)

    async def acknowledge(self, source: str, deliveries: Sequence[Delivery]) -> None:
        link = self._need_link()
        pull = link.pulls.get(source)
        if pull is None:
            return  # Given by a connection that is gone: they come again, as copies.
        for delivery in deliveries:
            given_by, sequence = _token(delivery)
            if given_by is pull:
                pull.ledger.settle(sequence)
        await self._settle(link, pull)

    async def send_beat(self, service: str, body: bytes) -> None:
        link = self._need_link()
        async with _answered_in_time(link):
            await link.client.publish(f"{BEAT_SUBJECT}.{service}", body)

    async def take_beats(self) -> list[tuple[str, bytes]]:
        beats = list(self._beats)
        self._beats.clear()
        return beats

    async def durability(self) -> Durability:
        if self._link is None or not self._link.is_up:
            return Durability(
                False, "There is no connection to a NATS server; start one and see whether it is reachable."
            )
        info = self._link.client._server_info  # nats-py shows the version, but not whose it is.
        if _version(info["version"]) < SERVER_VERSION_MIN:
            wanted = ".".join(map(str, SERVER_VERSION_MIN))
            return Durability(False, f"nats-server {info['version']} is too old; install {wanted} or newer.")
        states, unasked = await self._states()
        return _proof(states, unasked, info["server_id"], info["version"])

    async def _states(self) -> tuple[list[dict[str, Any]], list[str]]:
        """What the servers say about JetStream, by their HTTP monitors or by the bus, and why others are not heard."""
        if self._monitor_urls:
            return await _monitored_states(self._monitor_urls)
        try:
            return await _told_states(self._need_link()), []
        except (BusDown, ValueError, KeyError, TypeError) as error:
            why = "No NATS monitor is configured, and by the bus no server proves that it syncs"
            return [], [f"{why} ({error}); name its HTTP address, or let the account ask it."]

    async def close(self) -> None:
        """As the protocol. The last acknowledgement is confirmed first, if the server still answers."""
        self._is_closed = True
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper], timeout=ANSWER_S)
        if self._link is not None:
            link, self._link = self._link, None
            link.wake_all()
            await _confirm_acknowledgements(link)
            await _let_go(link.client)

    # The connection.

    async def _keep_connected(self) -> None:
        while not self._is_closed:  # Asked as well as cancelled: nats-py may swallow a cancellation.
            self._link = await retry(
                self._connect,
                clock=self._clock,
                rng=self._rng,
                deadline_s=math.inf,
                errors=(Exception,),  # Whatever half a server makes the client raise: the answer is to try again.
                longest_s=1.0,
                waiting=self._say_trouble,
            )
            self._linked.set()
            self._trouble = ""
            self._report(f"connected to the NATS server {self._link.name}")
            await self._link.until_lost()
            link, self._link = self._link, None
            self._linked.clear()
            self._report(f"lost the NATS server {link.name}; trying to connect again")
            link.wake_all()
            await _let_go(link.client)

    def _say_trouble(self, error: BaseException, _waited_s: float) -> None:
        if repr(error) != self._trouble:  # Once, not at each attempt.
            self._trouble = repr(error)
            self._report(f"no NATS server can be reached ({error!r}); trying again until one answers")

    async def _connect(self) -> "_Link":
        client = Client()
        access = self._access()
        lost = asyncio.Event()

        async def look(_: Exception | None = None) -> None:
            lost.set()  # Perhaps: who waits for it looks at the client.

        try:
            async with asyncio.timeout(2 * ANSWER_S):
                await client.connect(
                    servers=self._urls,
                    error_cb=look,
                    closed_cb=look,
                    name=f"softlanding {self._receiver}",
                    allow_reconnect=False,
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=1,
                    ping_interval=1,  # A server that is silent for three seconds is gone.
                    max_outstanding_pings=2,
                    no_echo=True,  # Our own beats are no news to us.
                    pending_size=64 * UNSENT_BYTES_MAX,  # Never reached: at the limit, nats-py waits without an end.
                    inbox_prefix=f"_INBOX_{self._receiver}",  # Others may not listen to our answers.
                    user=access.user,
                    password=access.password,
                    token=access.token,
                    tls=access.tls,
                )
                await client.subscribe(f"{BEAT_SUBJECT}.*", cb=self._hear_beat)
                link = _Link(client, lost)
                await link.subscribe()
                await client.flush(1)  # The server knows our subscriptions: from here on, we hear all beats.
                with suppress(BusDown):  # Others may only read it, so it is there before we say anything.
                    async with _answered_in_time(link):
                        await self._make_stream(link, self._receiver)
        except BaseException:
            await _let_go(client)
            raise
        return link

    def _need_link(self) -> "_Link":
        if self._keeper is not None and self._keeper.done() and not self._keeper.cancelled():
            self._keeper.result()  # It never ends by itself: this is a bug, and raises it.
        if self._link is None or not self._link.is_up:
            raise BusDown("no NATS server can be reached; facts wait in the outbox and go by the feed")
        if self._link.client.pending_data_size > UNSENT_BYTES_MAX:
            raise BusDown("the NATS server takes nothing; facts wait in the outbox and go by the feed")
        return self._link

    async def _hear_beat(self, message: Msg) -> None:
        self._beats.append((message.subject.removeprefix(f"{BEAT_SUBJECT}."), message.data))

    # Publishing.

    def _messages(self, link: "_Link", envelopes: Sequence[Envelope]) -> list[tuple[str, bytes]]:
        bytes_max = link.client.max_payload - HEADER_BYTES
        messages = []
        for envelope in envelopes:
            body = envelope.to_json()
            if len(body) <= bytes_max:
                messages.append((_subject(envelope.source, envelope.type), body))
            else:
                self.oversized += 1
                number = f"{envelope.source} {envelope.epoch} {envelope.sequence}"
                self._report(f"fact {number} has {len(body)} bytes, too large for NATS; receivers fetch it by the feed")
        return messages

    async def _publish_messages(self, link: "_Link", source: str, messages: Sequence[tuple[str, bytes]]) -> None:
        if source not in link.streams:
            await self._make_stream(link, source)
        try:
            await self._publish_once(link, messages)
        except nats.errors.NoRespondersError as error:
            # Not made anew at once: the server may still be clearing the old one away, and would trip over the new one.
            link.streams.discard(source)
            raise BusDown(f"the stream of {source} is gone; the next attempt makes it anew") from error

    async def _publish_once(self, link: "_Link", messages: Sequence[tuple[str, bytes]]) -> None:
        """https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-50.md"""
        *others, (last_subject, last_body) = messages
        headers = None
        if others:
            self._batches += 1
            batch_id = f"{self._batch_prefix}-{self._batches}"
            for index, (subject, body) in enumerate(others, start=1):
                await link.client.publish(subject, body, headers=_batch_headers(batch_id, index))
            headers = _batch_headers(batch_id, len(messages)) | {"Nats-Batch-Commit": "1"}
        answer = await link.ask(last_subject, last_body, headers)
        if others and answer.get("count") != len(messages):
            raise BusDown(f"the NATS server took {answer.get('count')} of a batch of {len(messages)}")

    async def _make_stream(self, link: "_Link", source: str) -> None:
        stream = _stream(source)
        config = {
            "name": stream,
            "subjects": [f"facts.{source}.>"],
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "max_age": int(self._stream_max_age_s * 1e9),
            "num_replicas": self._replicas,
            "allow_atomic": True,
        }
        try:
            await link.ask_api(f"STREAM.CREATE.{stream}", config)
        except _ApiError as error:
            if error.code != _STREAM_HAS_OTHER_CONFIG:
                raise
            await link.ask_api(f"STREAM.UPDATE.{stream}", config)
        link.streams.add(source)

    # Receiving.

    async def _open_pull(self, link: "_Link", source: str) -> "_Pull | None":
        """A pull on this receiver's consumer, both made when they are not there. The consumer starts again at the first
        fact that nobody acknowledged: what the life before was given and did not finish comes first, in order.

        None while there is no stream: its producer alone may make it."""
        assert source in self._sources, f"{self._receiver} does not follow {source}"
        stream, consumer = _stream(source), self._receiver
        config = {
            "durable_name": consumer,
            "deliver_policy": "all",
            "ack_policy": "all",
            "ack_wait": int(self._redeliver_s * 1e9),
            "max_ack_pending": 10 * PREFETCH,
            "max_deliver": -1,  # JetStream would drop in silence what was delivered that often.
        }
        async with _answered_in_time(link):
            try:
                await link.ask_api(f"CONSUMER.CREATE.{stream}.{consumer}", {"stream_name": stream, "config": config})
            except _ApiError as error:
                if error.code != _STREAM_NOT_FOUND:
                    raise
                return None
            await link.ask_api(f"CONSUMER.RESET.{stream}.{consumer}", None)
            pull = _Pull(link.client, f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}", self._clock)
            await pull.subscribe()
        link.pulls[source] = pull
        return pull

    def _decoded(self, source: str, pull: "_Pull", limit: int) -> list[Delivery]:
        deliveries: list[Delivery] = []
        while pull.arrived and len(deliveries) < limit:
            message, sequence = pull.arrived.popleft()
            try:
                envelope = envelope_from_json(message.data)
                if envelope.source != source:
                    raise Invalid(Fault("source", f"it says that it is of {envelope.source}"))
            except (Invalid, RecursionError) as error:
                self.undecodable += 1
                self._report(f"no fact: message {sequence} on {message.subject} is skipped: {str(error)[:200]}")
                pull.ledger.settle(sequence)
            else:
                deliveries.append(Delivery(envelope, (pull, sequence)))
        return deliveries

    async def _settle(self, link: "_Link", pull: "_Pull") -> None:
        reply = pull.ledger.next_acknowledgement()
        if reply is not None:
            async with _answered_in_time(link):
                await link.client.publish(reply, b"+ACK")
            pull.last_acknowledged = reply


class _ApiError(BusDown):
    """JetStream said no, with the number of its reason."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"the NATS server says: {description}")
        self.code = code


class _Link:
    """One connection, from connect to loss, and what belongs to it."""

    def __init__(self, client: Client, lost: asyncio.Event) -> None:
        self.client = client
        self.streams: set[str] = set()  # Sources whose stream was seen on this connection.
        self.pulls: dict[str, _Pull] = {}
        self.limits: set[asyncio.Timeout] = set()  # Of all that waits for an answer.
        url = client.connected_url
        self.name = "" if url is None else f"{url.hostname}:{url.port}"  # Without the password that a URL may bear.
        self._lost = lost
        self._inbox = client.new_inbox()
        self._requests = 0
        self._awaited: dict[str, asyncio.Future[Msg]] = {}

    async def subscribe(self) -> None:
        await self.client.subscribe(f"{self._inbox}.*", cb=self._take_answer)

    @property
    def is_up(self) -> bool:
        return self.client.is_connected

    async def wait(self, longest_s: float) -> None:
        """Until then, or until the connection seems lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._lost.wait()

    async def until_lost(self) -> None:
        while self.is_up:
            # Asked as well as told: nats-py may fail before it tells.
            with suppress(TimeoutError):
                async with asyncio.timeout(PAUSE_S):
                    await self._lost.wait()
                    self._lost.clear()

    def wake_all(self) -> None:
        """Nobody waits for what a lost connection cannot bring any more; nats-py would let them."""
        for limit in self.limits:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
        for pull in self.pulls.values():
            pull.wake()

    async def ask_api(self, subject: str, config: Mapping[str, Any] | None) -> dict[str, Any]:
        return await self.ask(f"$JS.API.{subject}", b"" if config is None else json.dumps(config).encode(), None)

    async def ask(self, subject: str, body: bytes, headers: dict[str, str] | None) -> dict[str, Any]:
        """The server's answer. Raises what it says no with; waits for ever, so put it under `_answered_in_time`."""
        message = await self.request(subject, body, headers)
        answer: dict[str, Any] = json.loads(message.data)
        if "error" in answer:
            raise _ApiError(answer["error"].get("err_code", 0), answer["error"].get("description", "unknown"))
        return answer

    async def request(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> Msg:
        """Not by nats-py: its `asyncio.wait_for` swallows, on Python 3.11, a cancellation that meets the answer."""
        self._requests += 1
        reply = f"{self._inbox}.{self._requests}"
        answer = self._awaited[reply] = asyncio.get_running_loop().create_future()
        try:
            await self.client.publish(subject, body, reply=reply, headers=headers)
            message: Msg = await answer
        finally:
            del self._awaited[reply]
        if (message.headers or {}).get("Status") == "503":
            raise nats.errors.NoRespondersError
        return message

    async def ask_all(self, subject: str, body: bytes) -> list[dict[str, Any]]:
        """The answers of all servers of a cluster: the first says how many there are. Waits for ever, as `ask` does."""
        inbox, answers = self.client.new_inbox(), asyncio.Queue[Msg]()
        subscription = await self.client.subscribe(inbox, cb=answers.put)
        try:
            await self.client.publish(subject, body, reply=inbox)
            heard: list[dict[str, Any]] = []
            wanted = 1
            while len(heard) < wanted:
                message = await answers.get()
                if (message.headers or {}).get("Status") == "503":
                    raise nats.errors.NoRespondersError
                heard.append(json.loads(message.data))
                wanted = heard[0]["data"].get("meta_cluster", {}).get("cluster_size", 1)
            return heard
        finally:
            await subscription.unsubscribe()

    async def _take_answer(self, message: Msg) -> None:
        answer = self._awaited.get(message.subject)
        if answer is not None and not answer.done():
            answer.set_result(message)


class _Pull:
    """A standing order for a receiver's facts: renewed before it runs out, so that a new fact is sent at once."""

    def __init__(self, client: Client, next_subject: str, clock: Clock) -> None:
        self.arrived: deque[tuple[Msg, int]] = deque()
        self.ledger = Ledger()
        self.is_gone = False  # The consumer is not there any more.
        self.last_acknowledged: str | None = None
        self._client = client
        self._next_subject = next_subject
        self._clock = clock
        self._inbox = client.new_inbox()
        self._ordered = 0  # Facts that the server may still send without being asked again.
        self._forgotten_at = -math.inf  # When an order without any answer counts as forgotten by the server.
        self._paused_until = -math.inf
        self._news = asyncio.Event()

    @property
    def look_again_at(self) -> float:
        return self._forgotten_at if self._ordered else self._paused_until

    async def subscribe(self) -> None:
        await self._client.subscribe(self._inbox, cb=self._take)

    async def keep_asking(self, now: float) -> None:
        """Order more when little is left of the last order, or when the server seems to have forgotten it."""
        self._news.clear()  # Before looking, so that nothing that comes meanwhile is slept through.
        if now >= self._forgotten_at:
            self._ordered = 0
        if now >= self._paused_until and self._ordered + len(self.arrived) <= PREFETCH // 2:
            batch = PREFETCH - self._ordered - len(self.arrived)
            body = json.dumps({"batch": batch, "expires": int(PULL_EXPIRES_S * 1e9)}).encode()
            await self._client.publish(self._next_subject, body, reply=self._inbox)
            self._ordered += batch
            self._forgotten_at = now + PULL_EXPIRES_S + ANSWER_S

    async def wait(self, longest_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                await self._news.wait()

    def wake(self) -> None:
        self._news.set()

    async def _take(self, message: Msg) -> None:
        if message.reply.startswith("$JS.ACK."):
            sequence = _stream_sequence(message.reply)
            self._ordered -= 1
            self.ledger.arrive(sequence, message.reply)
            self.arrived.append((message, sequence))
        else:
            self._heed(message.headers or {})
        self.wake()

    def _heed(self, status: Mapping[str, str]) -> None:
        """Requests end with a word: 408 expired; 409 deleted, new leader, shutdown; 503 nobody there."""
        code, words = status.get("Status", ""), status.get("Description", "")
        if code == "503" or (code == "409" and "Deleted" in words):
            # Not made anew at once: the server tells before it has cleared away, and would trip over the new one.
            self.is_gone = True
            self._pause()
        elif code == "408":
            self._ordered = max(0, self._ordered - int(status.get("Nats-Pending-Messages", PREFETCH)))
        else:
            self._pause()

    def _pause(self) -> None:
        self._ordered = 0
        self._paused_until = self._clock.monotonic() + PAUSE_S


class Ledger:
    """Which messages of a stream are settled, for a consumer whose acknowledgement of one settles all before it.

    So nothing is acknowledged while an earlier one is open: what a receiver left out comes again, whatever it did next.
    """

    def __init__(self) -> None:
        self._open: dict[int, str] = {}
        self._settled: dict[int, str] = {}

    def arrive(self, sequence: int, reply: str) -> None:
        self._settled.pop(sequence, None)  # Sent again before we could say so.
        self._open[sequence] = reply

    def settle(self, sequence: int) -> None:
        reply = self._open.pop(sequence, None)
        if reply is not None:
            self._settled[sequence] = reply

    def next_acknowledgement(self) -> str | None:
        """Where to acknowledge, if there is anything new to say."""
        before = min(self._open, default=math.inf)
        done = [sequence for sequence in self._settled if sequence < before]
        if not done:
            return None
        reply = self._settled[max(done)]
        for sequence in done:
            del self._settled[sequence]
        return reply


@asynccontextmanager
async def _answered_in_time(link: _Link) -> AsyncIterator[None]:
    """What the client raises within, a second of silence, or the loss of the connection, is BusDown."""
    try:
        async with asyncio.timeout(ANSWER_S) as limit:
            link.limits.add(limit)
            yield
    except (nats.errors.Error, OSError) as error:  # A TimeoutError is an OSError.
        raise BusDown(f"the NATS server did not answer as it should ({error!r}); trying again") from error
    finally:
        link.limits.discard(limit)


async def _confirm_acknowledgements(link: _Link) -> None:
    """Ask the server to confirm the last of each consumer; those before it are settled with it."""
    for pull in link.pulls.values():
        if pull.last_acknowledged is not None:
            with suppress(BusDown):
                async with _answered_in_time(link):
                    await link.request(pull.last_acknowledged, b"+ACK")


async def _let_go(client: Client) -> None:
    """Close, but wait for a dead server no longer than a second. Never raises: there is nothing left to lose."""
    with suppress(Exception):
        async with asyncio.timeout(ANSWER_S):
            await client.close()


async def _monitored_states(monitor_urls: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """What each monitor says, all asked at once, and a sentence about each that gave no answer to rely on."""
    answers = await asyncio.gather(*(_monitored(url) for url in monitor_urls))
    return [one for one in answers if not isinstance(one, str)], [one for one in answers if isinstance(one, str)]


async def _told_states(link: _Link) -> list[dict[str, Any]]:
    """What each server says about JetStream when the bus asks. Raises BusDown; whatever an odd answer raises."""
    async with _answered_in_time(link):
        answers = await link.ask_all(DURABILITY_SUBJECT, b'{"config": true}')
    return [answer["data"] for answer in answers]


def _proof(states: Sequence[Mapping[str, Any]], unasked: Sequence[str], server_id: str, version: str) -> Durability:
    """One must be of the server that we talk to, all must sync, and no member of a cluster may lack. `unasked`: about
    monitors that gave no answer; they take nothing from what the others prove."""
    also = "".join(f" {sentence}" for sentence in unasked)
    for state in states:
        if state.get("config", {}).get("sync_always") is not True:
            which = f"The NATS server of {state['monitor']}" if "monitor" in state else "A NATS server"
            why = f"{which} acknowledges before it syncs; set jetstream.sync_interval to always."
            return Durability(False, f"{why}{also}")
    proven = {state["server_id"] for state in states}
    cluster_size = max((state.get("meta_cluster", {}).get("cluster_size", 1) for state in states), default=1)
    if server_id not in proven:
        why = f"No configured monitor belongs to the connected NATS server {server_id}; correct them." if proven else ""
        return Durability(False, f"{why}{also}".strip())
    if len(proven) < cluster_size:
        lacking = f"{len(proven)} of {cluster_size} NATS servers are proven; name all their monitors."
        return Durability(False, f"{lacking}{also}")
    return Durability(True, f"nats-server {version} syncs before it acknowledges, as it says itself.{also}")


async def _monitored(url: str) -> dict[str, Any] | str:
    """What a server's monitor says about JetStream, and its address; or a sentence about what is wrong with it."""
    try:
        async with httpx.AsyncClient(timeout=ANSWER_S, trust_env=False) as http:
            answer = await http.get(f"{url.rstrip('/')}/jsz", params={"config": "true"})
        state: dict[str, Any] = answer.raise_for_status().json()
        if not isinstance(state["server_id"], str) or not isinstance(state["config"], dict):
            raise TypeError("server_id is no text, or config no table")
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"The NATS monitor {url} gave no answer to rely on ({error!r}); see to it."
    return state | {"monitor": url}


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


def _batch_headers(batch_id: str, index: int) -> dict[str, str]:
    # No Nats-Msg-Id: one id that the server knows already would refuse the whole batch.
    return {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(index)}


def _stream(source: str) -> str:
    return f"facts-{source}"


@lru_cache(maxsize=1024)
def _subject(source: str, fact_type: str) -> str:
    """`facts.schedule.pickup.requested`: to look at with tools; receivers take all. Odd characters become `_`."""
    tail = re.sub(r"[^A-Za-z0-9_.-]", "_", fact_type.removeprefix(f"{source}."))
    return ".".join(["facts", source, *(token or "_" for token in tail.split("."))])


def _stream_sequence(reply: str) -> int:
    """From `$JS.ACK.stream.consumer.tries.SEQUENCE.…`; newer servers may put domain and account before the stream."""
    tokens = reply.split(".")
    return int(tokens[5] if len(tokens) == 9 else tokens[7])


def _token(delivery: Delivery) -> tuple[_Pull, int]:
    assert isinstance(delivery.token, tuple), "a delivery of another bus"
    pull, sequence = delivery.token
    return pull, sequence
