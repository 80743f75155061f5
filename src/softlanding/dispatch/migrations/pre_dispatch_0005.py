"""dispatch: the number of Schedule's newest word about a pickup"""

import sqlalchemy as sa
from alembic import op

revision = "pre_dispatch_0005"
down_revision = "pre_dispatch_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pickup", sa.Column("asked_sequence", sa.BigInteger(), nullable=True))
