"""common: the audit trail, to which rows are only added"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_common_0006"
down_revision = "pre_common_0005"
branch_labels = None
depends_on = None

KEPT = "rows of the audit trail stay as they are"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("who", sa.String(length=80), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("what", sa.String(length=200), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("about", sa.String(length=120), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    if op.get_bind().dialect.name == "postgresql":
        _guard_postgresql()
    else:
        _guard_sqlite()


def _guard_sqlite() -> None:
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
        )


def _guard_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{KEPT}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_stays()"
    )
