"""schedule: what a person must see"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_schedule_0003"
down_revision = "pre_schedule_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "publication",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("public_at", Moment(), nullable=True),
        sa.Column("failing_since", Moment(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("called_for", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("conference"),
    )
