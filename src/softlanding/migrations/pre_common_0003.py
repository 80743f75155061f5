"""common: keys at the door, bound to who asked for what"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_common_0003"
down_revision = "pre_common_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "door_answer",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("door", sa.String(length=80), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("door_answer_age", "door_answer", ["made_at"], unique=False)
