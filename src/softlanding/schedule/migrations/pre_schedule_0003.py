"""schedule: what a person must see"""

revision = "pre_schedule_0003"
down_revision = "pre_schedule_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
