"""dispatch: what a person must see"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_dispatch_0003"
down_revision = "pre_dispatch_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "told",
        sa.Column("driver", sa.String(length=36), nullable=False),
        sa.Column("pickup", sa.String(length=36), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("now", sa.Text(), nullable=False),
        sa.Column("now_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("driver", "pickup"),
    )
    op.create_index("told_of_pickup", "told", ["pickup"])
    op.create_index("told_of_conference", "told", ["conference"])
