"""common: signs of life and troubles"""

revision = "pre_common_0005"
down_revision = "pre_common_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
