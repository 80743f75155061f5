"""schedule: the number of Dispatch's newest word about a ride"""

import sqlalchemy as sa
from alembic import op

revision = "pre_schedule_0004"
down_revision = "pre_schedule_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ride", sa.Column("sequence", sa.BigInteger(), nullable=True))
