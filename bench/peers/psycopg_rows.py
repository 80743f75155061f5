# mypy: ignore-errors
# Checked where it runs: in the environment of the peer that imports it.
"""The business rows of a peer on PostgreSQL: a connection for each thread, a transaction for each call."""

import threading

import psycopg
from course import INSERT, TABLE, Row

_ADD = INSERT.format("%s")


class PostgresqlRows:
    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._local = threading.local()
        with psycopg.connect(conninfo) as connection:
            connection.execute(TABLE)

    def add(self, rows: list[Row]) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = psycopg.connect(self._conninfo, prepare_threshold=2)
        with connection.transaction(), connection.cursor() as cursor:
            if len(rows) == 1:
                cursor.execute(_ADD, rows[0])
            else:
                cursor.executemany(_ADD, rows)
