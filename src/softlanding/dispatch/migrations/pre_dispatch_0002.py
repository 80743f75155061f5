"""dispatch: personal links that end"""

import sqlalchemy as sa
from alembic import op

revision = "pre_dispatch_0002"
down_revision = "pre_dispatch_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("driver", sa.Column("link", sa.String(36), nullable=True))
    op.create_index("driver_by_link", "driver", ["link"], unique=True)
