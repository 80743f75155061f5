"""The tables that Statistics owns. Facts are kept in them without what contracts mark as personal.

Of persons there is only the staff of the shared table `person`, who sign in here.
"""

import sqlalchemy as sa

from softlanding.database import Moment

tables = sa.MetaData()

_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts by itself only with INTEGER.

facts = sa.Table(
    "fact",
    tables,
    sa.Column(
        "number", _Number, primary_key=True, autoincrement=True
    ),  # In the order of hearing; programs ask after it.
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("source", sa.String(40), nullable=False),
    sa.Column("epoch", sa.String(36), nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("type", sa.String(80), nullable=False),
    sa.Column("subject", sa.String(200), nullable=False),
    sa.Column("conference", sa.String(80)),
    sa.Column("pickup", sa.String(36)),
    sa.Column("code", sa.String(40)),
    sa.Column("revision", sa.Integer),
    sa.Column("happened_at", Moment, nullable=False),
    sa.Column("told_at", Moment, nullable=False),  # When its service committed it.
    sa.Column("applied_at", Moment, nullable=False),  # When it was heard and committed here.
    sa.Column("expires_at", Moment),
    sa.Column("causation", sa.String(36)),
    sa.Column("data", sa.Text, nullable=False),  # JSON
    sa.UniqueConstraint("source", "epoch", "sequence", name="fact_once"),
    sa.Index("fact_by_pickup", "pickup"),
    sa.Index("fact_by_conference", "conference", "number"),
)
fact_counts = sa.Table(
    "fact_count",
    tables,
    sa.Column("conference", sa.String(80), primary_key=True),  # "" for facts of no conference.
    sa.Column("minute", Moment, primary_key=True),  # Of telling: catching up counts as listening.
    sa.Column("type", sa.String(80), primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)
# Of the release before, which still runs on this schema; nobody reads or writes them any more.
LEFT_BEHIND = (
    sa.Column("asked_reason", sa.Text),
    sa.Column("ride_reason", sa.Text),
    sa.Column("speaker", sa.String(80)),
    sa.Column("talk", sa.String(80)),
    sa.Column("from_place", sa.String(200)),
    sa.Column("to_place", sa.String(200)),
)
# Two halves, each the last word of one service, each written by that service's facts alone: so the order in which the
# two were heard cannot matter. The state is read off both (model.state_of).
pickups = sa.Table(
    "pickup_state",
    tables,
    sa.Column("pickup", sa.String(36), primary_key=True),
    sa.Column("conference", sa.String(80)),
    sa.Column("code", sa.String(40)),
    sa.Column("asked_word", sa.String(20)),  # requested, changed, withdrawn
    sa.Column("asked_revision", sa.Integer),
    sa.Column("asked_kind", sa.String(20)),  # Of the reason, in a word: by_hand
    sa.Column("asked_at", Moment),
    sa.Column("answer_by", Moment),
    sa.Column("expires_at", Moment),
    sa.Column("landing_at", Moment),
    sa.Column("direction", sa.String(10)),
    sa.Column("party", sa.Integer),
    sa.Column("ride_word", sa.String(20)),  # planned, unplaced, …
    sa.Column("ride_revision", sa.Integer),
    sa.Column("ride_at", Moment),
    sa.Column("vehicle", sa.String(200)),
    sa.Column("board_at", Moment),
    sa.Column("deliver_at", Moment),
    sa.Column("boarded_at", Moment),
    sa.Column("delivered_at", Moment),
    sa.Index("pickup_by_conference", "conference"),
    sa.Index("pickup_by_code", "code"),
    *LEFT_BEHIND,
    sa.Index("pickup_by_speaker", "speaker"),
    sa.Index("pickup_by_talk", "talk"),
)
heard_lives = sa.Table(
    "heard_life",
    tables,
    sa.Column("life", sa.String(36), primary_key=True),
    sa.Column("service", sa.String(40), nullable=False),
    sa.Column("parent", sa.String(36)),
    sa.Column("release", sa.String(80), nullable=False),
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("ended_at", Moment),  # By its goodbye; deaths are in their own table.
)
sa.Table(  # Of the release before; now every service keeps it, in the shared table `readiness`.
    "ready_life",
    tables,
    sa.Column("life", sa.String(36), primary_key=True),
    sa.Column("ready_at", Moment, nullable=False),
)
heard_incidents = sa.Table(
    "heard_incident",
    tables,
    sa.Column("service", sa.String(40), primary_key=True),  # Who keeps it; it is settled there.
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("about", sa.String(200), nullable=False),
    sa.Column("code", sa.String(40)),
    sa.Column("conference", sa.String(80)),
    sa.Column("sentence", sa.Text, nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("settled_at", Moment),
    sa.Column("settled_word", sa.String(80)),
    sa.Index("heard_incident_open", "settled_at", "opened_at"),
)
logs = sa.Table(
    "log",
    tables,
    sa.Column("number", _Number, primary_key=True, autoincrement=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("received_at", Moment, nullable=False),
    sa.Column("service", sa.String(40), nullable=False),
    sa.Column("level", sa.String(10), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("code", sa.String(40)),
    sa.Column("more", sa.Text),  # JSON: what else the line said.
)
log_counts = sa.Table(
    "log_count",
    tables,
    sa.Column("name", sa.String(10), primary_key=True),  # kept, bad, lost
    sa.Column("count", sa.BigInteger, nullable=False),
)
