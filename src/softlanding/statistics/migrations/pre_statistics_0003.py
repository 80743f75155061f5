"""statistics: which lives were ready is kept by every service, in its shared table"""

import sqlalchemy as sa
from alembic import op

revision = "pre_statistics_0003"
down_revision = "pre_statistics_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The release before goes on to write into `ready_life`, and reads it."""
    if not sa.inspect(op.get_bind()).has_table("readiness"):
        return  # A draft is made of this branch alone; everywhere else the common one goes first.
    op.execute("DELETE FROM readiness WHERE life IN (SELECT life FROM ready_life)")
    op.execute("INSERT INTO readiness (life, ready_at) SELECT life, ready_at FROM ready_life")
