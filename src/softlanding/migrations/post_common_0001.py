"""common: keys that were bound to nobody go, with the answers that they kept"""

from alembic import op

revision = "post_common_0001"
down_revision = None
branch_labels = None
depends_on = "pre_common_0003"


def upgrade() -> None:
    op.drop_table("door_key", if_exists=True)
