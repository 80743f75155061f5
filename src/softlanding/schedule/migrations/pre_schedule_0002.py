"""schedule: personal links that end"""

revision = "pre_schedule_0002"
down_revision = "pre_schedule_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
