"""common: sessions, sign-in links and programs' tokens are rows"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_common_0004"
down_revision = "pre_common_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "session",
        sa.Column("session", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("began_at", Moment(), nullable=True),
        sa.Column("began_in", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=60), nullable=True),
        sa.Column("agent", sa.String(length=200), nullable=True),
        sa.Column("seen_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("ended_by", sa.String(length=200), nullable=True),
        sa.Column("ended_why", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("session"),
    )
    op.create_index("session_of_person", "session", ["person", "ended_at"], unique=False)
    op.create_table(
        "session_cut",
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("before", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("person"),
    )
    op.create_table(
        "sign_in_newest",
        sa.Column("person", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("person"),
    )
    op.create_table(
        "program_token",
        sa.Column("token", sa.String(length=36), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_by", sa.String(length=200), nullable=True),
        sa.Column("seen_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("token"),
        sa.UniqueConstraint("token_hash"),
    )
