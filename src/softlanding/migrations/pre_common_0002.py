"""common: who used a sign-in link"""

import sqlalchemy as sa
from alembic import op

revision = "pre_common_0002"
down_revision = "pre_common_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sign_in_used", sa.Column("person", sa.String(length=36), nullable=True))
