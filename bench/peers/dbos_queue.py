# mypy: ignore-errors
# Checked where it runs: in DBOS's own environment.
"""DBOS on PostgreSQL: row and enqueued workflow in one transaction, a queue polled as often as helps."""

import threading

import sqlalchemy as sa
from course import TABLE, TEXT, Heard, arguments, tell_on_threads
from dbos import DBOS, DBOSClient

GIVEN = arguments()
POLL_S = 0.02
CONCURRENCY = 24
ADD = sa.text("INSERT INTO noted (number, asked, text) VALUES (:number, :asked, :text)")
TELL = sa.text(str(ADD).replace("noted", "told"))
URL = f"postgresql+psycopg://{GIVEN['rows'].removeprefix('postgresql://')}"
engine = sa.create_engine(URL, pool_size=CONCURRENCY, max_overflow=0)
heard = Heard()


@DBOS.step()
def write_row(number: int, asked: float, text: str) -> None:
    with engine.begin() as connection:
        connection.execute(ADD, {"number": number, "asked": asked, "text": text})
    heard.note(asked)


@DBOS.workflow(name="noted")
def noted(number: int, asked: float, text: str) -> None:
    write_row(number, asked, text)


def tell() -> None:
    client = DBOSClient(system_database_engine=engine)

    def submit(number: int, asked: float) -> None:
        with engine.begin() as connection:
            connection.execute(TELL, {"number": number, "asked": asked, "text": TEXT})
            options = {"queue_name": "bench", "workflow_name": "noted"}
            client.enqueue_in_transaction(connection, options, number, asked, TEXT)

    tell_on_threads(submit)


def hear() -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(TABLE))
        connection.execute(sa.text(TABLE.replace("noted", "told")))
    system = sa.create_engine(URL, pool_size=24)
    DBOS(config={"name": "bench", "system_database_engine": system, "log_level": "WARNING"})
    DBOS.launch()
    DBOS.register_queue("bench", polling_interval_sec=POLL_S, worker_concurrency=CONCURRENCY)
    heard.answer_questions()
    threading.Event().wait()


if GIVEN["role"] == "tell":
    tell()
else:
    hear()
