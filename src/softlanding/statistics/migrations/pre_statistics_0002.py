"""statistics: nothing that identifies a person"""

revision = "pre_statistics_0002"
down_revision = "pre_statistics_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
