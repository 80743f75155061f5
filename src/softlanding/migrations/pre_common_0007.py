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
    for table in ("death", "lives"):
        op.add_column(table, sa.Column("down_since", Moment(), nullable=True))
        op.add_column(table, sa.Column("attempts", sa.Integer(), nullable=True))
    # Nobody knows better: none of them was an attempt.
    op.execute(
        "INSERT INTO readiness (life) "
        "SELECT epoch FROM lives UNION SELECT new_life FROM death WHERE new_life IS NOT NULL"
    )
