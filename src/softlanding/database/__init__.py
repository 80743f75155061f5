"""One service's database: readers that never wait, and the one writer with its lease.

The same statements serve SQLite and PostgreSQL.
"""

from softlanding.database.access import Database, DirectDatabase, ThreadedDatabase
from softlanding.database.engine import (
    DATABASE_ERRORS,
    EngineOptions,
    Moment,
    brief,
    exclusively,
    is_away,
    is_transaction_open,
    make_engine,
    remedy,
    shared,
    writer_engine,
)
from softlanding.database.lease import (
    HoldLock,
    LeaseState,
    Life,
    Numbering,
    begin_life,
    has_said_goodbye,
    last_beat_at,
    lease,
    lives,
    look_at_lease,
)
from softlanding.database.writer import Action, Transaction, Work, Writer, say_goodbye

__all__ = [
    "DATABASE_ERRORS", "Action", "Database", "DirectDatabase", "EngineOptions", "HoldLock", "LeaseState", "Life",
    "Moment", "Numbering", "ThreadedDatabase", "Transaction", "Work", "Writer", "begin_life", "brief", "exclusively",
    "has_said_goodbye", "is_away", "is_transaction_open", "last_beat_at", "lease", "lives", "look_at_lease",
    "make_engine", "remedy", "say_goodbye", "shared", "writer_engine",
]  # fmt: skip
