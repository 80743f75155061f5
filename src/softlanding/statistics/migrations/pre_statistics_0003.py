"""statistics: outages"""

revision = "pre_statistics_0003"
down_revision = "pre_statistics_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
