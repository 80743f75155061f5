"""Twice is once: every request that creates something bears a key, and a repeat gets the first answer."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, Concatenate, ParamSpec

import sqlalchemy as sa

from softlanding.database import Moment, Transaction, shared
from softlanding.errors import Conflict, Fault, Invalid

P = ParamSpec("P")
Answer = dict[str, Any]
LENGTH_MAX = 200

keys = sa.Table(
    "door_key",
    shared,
    sa.Column("key", sa.String(LENGTH_MAX), primary_key=True),
    sa.Column("door", sa.String(80), nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
)

_FIND = sa.select(keys.c.door, keys.c.answer).where(keys.c.key == sa.bindparam("of_key"))
_ADD = sa.insert(keys)


def once(
    tx: Transaction,
    now: datetime,
    key: str,
    door: str,
    action: Callable[Concatenate[Transaction, datetime, P], Answer],
    /,
    *args: P.args,
    **kw: P.kwargs,
) -> Answer:
    """The action's answer (JSON values); with a key that was used before, the first answer, and nothing happens.

    Key and answer are kept in the action's own transaction. An action that raises leaves the key free: nothing
    happened, so the corrected request may come with it. Raises Conflict for a key that another door has taken.
    """
    if not key or len(key) > LENGTH_MAX:
        raise Invalid(Fault("key", f"give a key of 1 to {LENGTH_MAX} characters (header Idempotency-Key, field key)"))
    found = tx.execute(_FIND, {"of_key": key}).first()
    if found is not None:
        if found.door != door:
            raise Conflict(f"this key was used for something else ({found.door}); make a new one")
        answer: Answer = json.loads(found.answer)
        return answer
    answer = action(tx, now, *args, **kw)
    tx.execute(_ADD, {"key": key, "door": door, "answer": json.dumps(answer, default=str), "made_at": now})
    return answer
