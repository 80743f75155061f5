# mypy: ignore-errors
# Checked where it runs: in procrastinate's own environment.
"""procrastinate on PostgreSQL: row and job in one transaction, a worker of 32 jobs at a time, told by LISTEN/NOTIFY."""

import asyncio

import procrastinate
from course import INSERT, TABLE, TEXT, Heard, arguments, tell_on_loop

GIVEN = arguments()
CONCURRENCY = 32
ADD = INSERT.format("%s")
TELL = "INSERT INTO told (number, asked, text) VALUES (%s, %s, %s)"

connector = procrastinate.PsycopgConnector(conninfo=GIVEN["rows"], min_size=8, max_size=40)
app = procrastinate.App(connector=connector)
heard = Heard()


@app.task(name="noted")
async def noted(number: int, asked: float, text: str) -> None:
    async with connector.pool.connection() as connection:
        await connection.execute(ADD, (number, asked, text))
    heard.note(asked)


async def submit(number: int, asked: float) -> None:
    async with connector.pool.connection() as connection, connection.transaction():
        await connection.execute(TELL, (number, asked, TEXT))
        await noted.configure(connection=connection).defer_async(number=number, asked=asked, text=TEXT)


async def main() -> None:
    async with app.open_async():
        if GIVEN["role"] == "tell":
            await tell_on_loop(submit)
            return
        await app.schema_manager.apply_schema_async()
        async with connector.pool.connection() as connection:
            await connection.execute(TABLE)
            await connection.execute(TABLE.replace("noted", "told"))
        heard.answer_questions()
        await app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False, wait=True)


asyncio.run(main())
