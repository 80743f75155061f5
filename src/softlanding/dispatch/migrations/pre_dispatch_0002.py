"""dispatch: personal links that end"""

revision = "pre_dispatch_0002"
down_revision = "pre_dispatch_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
