"""common: pre_common_0001"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_common_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conference",
        sa.Column("slug", sa.String(length=80), nullable=False),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("slug"),
    )
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("parked_at", Moment(), nullable=False),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("settled_by", sa.String(length=200), nullable=True),
        sa.Column("settled_how", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "death",
        sa.Column("life", sa.String(length=36), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("how", sa.String(length=200), nullable=True),
        sa.Column("died_at", Moment(), nullable=True),
        sa.Column("noticed_at", Moment(), nullable=False),
        sa.Column("new_life", sa.String(length=36), nullable=True),
        sa.Column("back_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("life"),
    )
    op.create_table(
        "door_key",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("door", sa.String(length=80), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "inbox_attempt",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "epoch", "sequence"),
    )
    op.create_table(
        "inbox_cursor",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=True),
        sa.Column("moved_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "inbox_epoch",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("applied_to", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", "epoch"),
    )
    op.create_table(
        "inbox_fork",
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("new_epoch", sa.String(length=36), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("source", "epoch", "first"),
    )
    op.create_table(
        "incident",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("conference", sa.String(length=80), nullable=True),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("opened_at", Moment(), nullable=False),
        sa.Column("grown_at", Moment(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("settled_by", sa.String(length=200), nullable=True),
        sa.Column("settled_word", sa.String(length=80), nullable=True),
        sa.Column("settled_note", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index("incident_open", ["settled_at", "kind"], unique=False)

    op.create_table(
        "lease",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(length=36), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "lives",
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("parent", sa.String(length=36), nullable=True),
        sa.Column("parent_last", sa.BigInteger(), nullable=True),
        sa.Column("began_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("last_end", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("epoch"),
    )
    op.create_table(
        "notice",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=True),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("about", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("taken_at", Moment(), nullable=True),
        sa.Column("taken_by", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "outbox",
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=True),
        sa.Column("time", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=True),
        sa.Column("traceparent", sa.String(length=55), nullable=True),
        sa.Column("causation", sa.String(length=36), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("epoch", "sequence"),
        sa.UniqueConstraint("id"),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index("outbox_by_subject", ["subject"], unique=False)

    op.create_table(
        "person",
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=60), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("person"),
    )
    op.create_table(
        "sign_in_used",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("used_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "silence",
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.Column("life", sa.String(length=36), nullable=True),
        sa.Column("noticed_at", Moment(), nullable=False),
        sa.Column("back_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("service", "since"),
    )
