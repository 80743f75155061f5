"""statistics: pre_statistics_0001"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_statistics_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fact",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=True),
        sa.Column("pickup", sa.String(length=36), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("happened_at", Moment(), nullable=False),
        sa.Column("told_at", Moment(), nullable=False),
        sa.Column("applied_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("causation", sa.String(length=36), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("source", "epoch", "sequence", name="fact_once"),
    )
    with op.batch_alter_table("fact", schema=None) as batch_op:
        batch_op.create_index("fact_by_conference", ["conference", "number"], unique=False)
        batch_op.create_index("fact_by_pickup", ["pickup"], unique=False)

    op.create_table(
        "fact_count",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("minute", Moment(), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("conference", "minute", "type"),
    )
    op.create_table(
        "heard_incident",
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("conference", sa.String(length=80), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("settled_word", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("service", "id"),
    )
    with op.batch_alter_table("heard_incident", schema=None) as batch_op:
        batch_op.create_index("heard_incident_open", ["settled_at", "opened_at"], unique=False)

    op.create_table(
        "heard_life",
        sa.Column("life", sa.String(length=36), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("parent", sa.String(length=36), nullable=True),
        sa.Column("release", sa.String(length=80), nullable=False),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("life"),
    )
    op.create_table(
        "log",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("level", sa.String(length=10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("more", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "log_count",
        sa.Column("name", sa.String(length=10), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "pickup_state",
        sa.Column("pickup", sa.String(length=36), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("asked_word", sa.String(length=20), nullable=True),
        sa.Column("asked_revision", sa.Integer(), nullable=True),
        sa.Column("asked_reason", sa.Text(), nullable=True),
        sa.Column("asked_at", Moment(), nullable=True),
        sa.Column("answer_by", Moment(), nullable=True),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("landing_at", Moment(), nullable=True),
        sa.Column("direction", sa.String(length=10), nullable=True),
        sa.Column("speaker", sa.String(length=80), nullable=True),
        sa.Column("talk", sa.String(length=80), nullable=True),
        sa.Column("from_place", sa.String(length=200), nullable=True),
        sa.Column("to_place", sa.String(length=200), nullable=True),
        sa.Column("party", sa.Integer(), nullable=True),
        sa.Column("ride_word", sa.String(length=20), nullable=True),
        sa.Column("ride_revision", sa.Integer(), nullable=True),
        sa.Column("ride_at", Moment(), nullable=True),
        sa.Column("ride_reason", sa.Text(), nullable=True),
        sa.Column("vehicle", sa.String(length=200), nullable=True),
        sa.Column("board_at", Moment(), nullable=True),
        sa.Column("deliver_at", Moment(), nullable=True),
        sa.Column("boarded_at", Moment(), nullable=True),
        sa.Column("delivered_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("pickup"),
    )
    with op.batch_alter_table("pickup_state", schema=None) as batch_op:
        batch_op.create_index("pickup_by_code", ["code"], unique=False)
        batch_op.create_index("pickup_by_conference", ["conference"], unique=False)
        batch_op.create_index("pickup_by_speaker", ["speaker"], unique=False)
        batch_op.create_index("pickup_by_talk", ["talk"], unique=False)

    op.create_table(
        "ready_life",
        sa.Column("life", sa.String(length=36), nullable=False),
        sa.Column("ready_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("life"),
    )
