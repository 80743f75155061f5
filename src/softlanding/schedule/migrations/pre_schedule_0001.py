"""schedule: pre_schedule_0001"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_schedule_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "flag",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "journey",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("speaker", sa.String(length=40), nullable=False),
        sa.Column("speaker_name", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("number", sa.String(length=40), nullable=False),
        sa.Column("place", sa.String(length=200), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("landing_at", Moment(), nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("luggage", sa.Integer(), nullable=False),
        sa.Column("wheelchairs", sa.Integer(), nullable=False),
        sa.Column("to_place", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=60), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("news", sa.String(length=20), nullable=False),
        sa.Column("news_expected_at", Moment(), nullable=True),
        sa.Column("news_at", Moment(), nullable=True),
        sa.Column("news_source", sa.String(length=60), nullable=False),
        sa.Column("news_note", sa.Text(), nullable=False),
        sa.Column("pickup", sa.String(length=36), nullable=True),
        sa.Column("leg", sa.String(length=160), nullable=False),
        sa.Column("source_key", sa.String(length=400), nullable=True),
        sa.Column("source_digest", sa.String(length=64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("announced_at", Moment(), nullable=False),
        sa.Column("withdrawn_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("source_key"),
    )
    with op.batch_alter_table("journey", schema=None) as batch_op:
        batch_op.create_index("journey_by_conference", ["conference", "landing_at"], unique=False)
        batch_op.create_index("journey_by_leg", ["leg"], unique=False)
        batch_op.create_index("journey_by_speaker", ["conference", "speaker"], unique=False)

    op.create_table(
        "pickup",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("journey", sa.String(length=36), nullable=False),
        sa.Column("open_leg", sa.String(length=160), nullable=True),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("by_hand_by", sa.String(length=200), nullable=True),
        sa.Column("by_hand_word", sa.String(length=500), nullable=True),
        sa.Column("by_hand_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        sa.UniqueConstraint("open_leg"),
    )
    with op.batch_alter_table("pickup", schema=None) as batch_op:
        batch_op.create_index("pickup_by_conference", ["conference", "status"], unique=False)
        batch_op.create_index("pickup_by_journey", ["journey"], unique=False)

    op.create_table(
        "programme",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("draft", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.Column("imported", sa.Text(), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("conference"),
    )
    op.create_table(
        "release",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("released_by", sa.String(length=200), nullable=False),
        sa.Column("released_at", Moment(), nullable=False),
        sa.Column("programme", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("draft_digest", sa.String(length=64), nullable=False),
        sa.Column("removed", sa.Text(), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("talks", sa.Integer(), nullable=False),
        sa.Column("speakers", sa.Integer(), nullable=False),
        sa.Column("rooms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("conference", "number"),
    )
    op.create_table(
        "ride",
        sa.Column("pickup", sa.String(length=36), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("heard_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("pickup"),
    )
    op.create_table(
        "sign_in_link",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_table(
        "speaker",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("folded", sa.String(length=300), nullable=False),
        sa.Column("email", sa.String(length=300), nullable=False),
        sa.Column("talks", sa.Text(), nullable=False),
        sa.Column("is_linked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("conference", "code"),
    )
    with op.batch_alter_table("speaker", schema=None) as batch_op:
        batch_op.create_index("speaker_by_name", ["conference", "folded"], unique=False)
        batch_op.create_index("speaker_without_link", ["is_linked"], unique=False)

    op.create_table(
        "speaker_link",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("speaker", sa.String(length=40), nullable=False),
        sa.Column("live_for", sa.String(length=130), nullable=True),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("seen_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("token"),
        sa.UniqueConstraint("live_for"),
    )
    op.create_table(
        "watch",
        sa.Column("pickup", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("begun_at", Moment(), nullable=False),
        sa.Column("answer_by", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_by", sa.String(length=40), nullable=True),
        sa.Column("replaced_by", sa.Integer(), nullable=True),
        sa.Column("unanswered_at", Moment(), nullable=True),
        sa.Column("incident", sa.String(length=36), nullable=True),
        sa.Column("quiet_until", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("pickup", "revision"),
    )
    with op.batch_alter_table("watch", schema=None) as batch_op:
        batch_op.create_index("watch_running", ["ended_at", "unanswered_at", "answer_by"], unique=False)
