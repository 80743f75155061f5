"""common: signs of life and orderly ends"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_common_0005"
down_revision = "pre_common_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lease", sa.Column("beat_at", Moment(), nullable=True))
    op.add_column("lives", sa.Column("last_end_at", Moment(), nullable=True))
    op.create_table(
        "farewell",
        sa.Column("life", sa.String(length=36), nullable=False),
        sa.Column("service", sa.String(length=40), nullable=False),
        sa.Column("ended_at", Moment(), nullable=False),
        sa.Column("back_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("life"),
    )
