"""dispatch: addresses of run sheets that can be renewed"""

import sqlalchemy as sa
from alembic import op

revision = "pre_dispatch_0004"
down_revision = "pre_dispatch_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sheet_link",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("link", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("conference"),
    )
