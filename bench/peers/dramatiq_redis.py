# mypy: ignore-errors
# Checked where it runs: in dramatiq's own environment.
"""dramatiq on Redis that syncs its append-only file at each write. The teller writes nothing of its own: no outbox."""

import dramatiq
from course import TEXT, Heard, SqliteRows, arguments, tell_on_threads
from dramatiq.brokers.redis import RedisBroker

GIVEN = arguments()
THREADS = 16

dramatiq.set_broker(RedisBroker(url=GIVEN["redis"]))
heard = Heard()
rows = None


@dramatiq.actor
def noted(number: int, asked: float, text: str) -> None:
    rows.add([(number, asked, text)])
    heard.note(asked)


if GIVEN["role"] == "tell":
    tell_on_threads(lambda number, asked: noted.send(number, asked, TEXT))
else:
    if GIVEN["rows"].startswith("/"):
        rows = SqliteRows(GIVEN["rows"])
    else:
        from psycopg_rows import PostgresqlRows

        rows = PostgresqlRows(GIVEN["rows"])
    worker = dramatiq.Worker(dramatiq.get_broker(), worker_threads=THREADS)
    worker.start()
    heard.answer_questions()
    worker.join()
    import threading

    threading.Event().wait()
