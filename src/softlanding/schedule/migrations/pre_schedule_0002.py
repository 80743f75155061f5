"""schedule: personal links that end"""

import sqlalchemy as sa
from alembic import op

revision = "pre_schedule_0002"
down_revision = "pre_schedule_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("speaker_link", sa.Column("link", sa.String(36), nullable=True))
    op.add_column("speaker_link", sa.Column("ended_by", sa.String(20), nullable=True))
    op.create_index("speaker_link_by_link", "speaker_link", ["link"], unique=True)
