# mypy: ignore-errors
# Checked where it runs: in FastStream's own environment.
"""FastStream on NATS JetStream: published with acknowledgement, applied in a handler, acknowledged. No outbox.

The teller writes nothing of its own. The hearer has a handler for each message, as the documentation shows first, or
(`batches`) one for many messages in one transaction: quicker in all, slower for each.
"""

import asyncio
import logging

from course import TEXT, Heard, SqliteRows, arguments, tell_on_loop
from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, PullSub
from pydantic import BaseModel

GIVEN = arguments()
STREAM = JStream("bench", subjects=["bench.>"])
FETCH_MAX = 256
WORKERS = 16
COLLECT_S = 5.0  # The default wait for a full batch; with shorter ones messages got lost until their redelivery.


class Noted(BaseModel):
    number: int
    asked: float
    text: str


async def tell() -> None:
    broker = NatsBroker(GIVEN["nats"], logger=None)
    await broker.start()

    async def submit(number: int, asked: float) -> None:
        await broker.publish(Noted(number=number, asked=asked, text=TEXT), "bench.noted", stream="bench", timeout=10)

    await tell_on_loop(submit)


async def hear() -> None:
    heard = Heard()
    broker = NatsBroker(GIVEN["nats"], logger=None)
    rows = _rows()

    async def apply(batch: list[Noted]) -> None:
        await asyncio.to_thread(rows.add, [(fact.number, fact.asked, fact.text) for fact in batch])
        heard.note(*(fact.asked for fact in batch))

    common = {"durable": "hearer", "stream": STREAM, "ack_policy": AckPolicy.NACK_ON_ERROR}
    if GIVEN.get("batches"):

        @broker.subscriber("bench.noted", pull_sub=PullSub(FETCH_MAX, timeout=COLLECT_S, batch=True), **common)
        async def handle_many(batch: list[Noted]) -> None:
            await apply(batch)
    else:

        @broker.subscriber("bench.noted", pull_sub=PullSub(FETCH_MAX), max_workers=WORKERS, **common)
        async def handle(fact: Noted) -> None:
            await apply([fact])

    app = FastStream(broker)
    app.after_startup(heard.answer_questions)
    await app.run(log_level=logging.CRITICAL)


def _rows():
    if GIVEN["rows"].startswith("/"):
        return SqliteRows(GIVEN["rows"])
    from psycopg_rows import PostgresqlRows

    return PostgresqlRows(GIVEN["rows"])


asyncio.run(tell() if GIVEN["role"] == "tell" else hear())
