"""common: sessions, tokens and who did what"""

revision = "pre_common_0004"
down_revision = "pre_common_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
