"""dispatch: what a person must see"""

revision = "pre_dispatch_0003"
down_revision = "pre_dispatch_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
