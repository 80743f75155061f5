"""Twice is once: every request that creates something bears a key, and a repeat gets the first answer.

A key counts for who asks, the conference, the door and the request: nobody else's answer is ever given, and a key that
comes with another request is refused. Answers are kept for a week; they bear no secrets.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Concatenate, ParamSpec

import sqlalchemy as sa

from softlanding import audit
from softlanding.database import Moment, Transaction, shared
from softlanding.errors import Fault, Invalid

P = ParamSpec("P")
Answer = dict[str, Any]
LENGTH_MAX = 200
KEPT_FOR = timedelta(days=7)  # From the answer on: whoever repeats later has long looked.
DROPPED_AT_ONCE = 500

answers = sa.Table(
    "door_answer",
    shared,
    sa.Column("id", sa.String(64), primary_key=True),  # Of the whole key (Key.id).
    sa.Column("door", sa.String(80), nullable=False),
    sa.Column("request", sa.String(64), nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Index("door_answer_age", "made_at"),
)

_FIND = sa.select(answers.c.request, answers.c.answer).where(answers.c.id == sa.bindparam("of_id"))
_ADD = sa.insert(answers)
_ENDED = sa.select(answers.c.id).where(answers.c.made_at < sa.bindparam("before", type_=Moment))


@dataclass(frozen=True)
class Key:
    """A key as a door takes it, with all that it counts for."""

    text: str  # As it was sent: header Idempotency-Key, or field key of a form.
    door: str  # What is done: `arrival.announce`.
    who: str = ""  # `person/…`, `program/…`, `driver/…`: not what they bear, which may be renewed.
    conference: str = ""
    request: str = ""  # A digest of what is asked (web.asked).
    address: str = ""  # Where it was asked from, and what about (`person/…`): for the trail of who did what, only.
    about: str = ""

    @property
    def id(self) -> str:
        """What tells this key from all others."""
        return hashlib.sha256(json.dumps([self.who, self.conference, self.door, self.text]).encode()).hexdigest()


def once(
    tx: Transaction,
    now: datetime,
    key: Key,
    action: Callable[Concatenate[Transaction, datetime, P], Answer],
    /,
    *args: P.args,
    **kw: P.kwargs,
) -> Answer:
    """The action's answer (JSON values); with a key that was used before, the first answer, and nothing happens.

    Key and answer are kept in the action's own transaction. An action that raises leaves the key free: nothing
    happened, so the corrected request may come with it. Raises Invalid for a key that came with another
    request. What changes who may do what leaves a row in the trail (audit).
    """
    if not key.text or len(key.text) > LENGTH_MAX:
        raise Invalid(Fault("key", f"give a key of 1 to {LENGTH_MAX} characters (header Idempotency-Key, field key)"))
    found = tx.execute(_FIND, {"of_id": key.id}).first()
    if found is not None:
        if found.request != key.request:
            raise Invalid(
                Fault("", "something else was sent under this key, and that counts: reload, and send it anew")
            )
        answer: Answer = json.loads(found.answer)
        return answer
    answer = action(tx, now, *args, **kw)
    asker = audit.Asker(key.who, key.address)
    audit.note_done(tx, now, asker, key.door, answer, key.conference, key.about)
    kept = {"door": key.door, "request": key.request, "answer": json.dumps(answer, default=str), "made_at": now}
    tx.execute(_ADD, {"id": key.id, **kept})
    return answer


def has_ended(connection: sa.Connection, now: datetime) -> bool:
    """Whether there are keys whose answers need not be kept any longer."""
    return connection.execute(_ENDED.limit(1), {"before": now - KEPT_FOR}).first() is not None


def drop_ended(tx: Transaction, now: datetime) -> bool:
    """Let a slice of them go. True: there may be more."""
    ids = tx.execute(_ENDED.limit(DROPPED_AT_ONCE), {"before": now - KEPT_FOR}).scalars().all()
    tx.execute(sa.delete(answers).where(answers.c.id.in_(ids)))
    return len(ids) == DROPPED_AT_ONCE
