"""common: which lives became ready, and the outage that a death belongs to"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_common_0007"
down_revision = "pre_common_0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "readiness",
        sa.Column("life", sa.String(length=36), nullable=False),
        sa.Column("ready_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("life"),
    )
    op.add_column("death", sa.Column("down_since", Moment(), nullable=True))
    op.add_column("death", sa.Column("attempts", sa.Integer(), nullable=True))
    op.execute("INSERT INTO readiness (life) SELECT epoch FROM lives")  # Nobody knows better: none was an attempt.
