"""dispatch: pre_dispatch_0001"""

import sqlalchemy as sa
from alembic import op

from softlanding.database import Moment

revision = "pre_dispatch_0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "driver",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("phone", sa.String(length=60), nullable=False),
        sa.Column("token", sa.String(length=40), nullable=False),
        sa.Column("seen_at", Moment(), nullable=True),
        sa.Column("removed_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
    )
    with op.batch_alter_table("driver", schema=None) as batch_op:
        batch_op.create_index("driver_of_conference", ["conference", "name"], unique=False)

    op.create_table(
        "history",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("pickup", sa.String(length=36), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("history", schema=None) as batch_op:
        batch_op.create_index("history_of_pickup", ["pickup", "id"], unique=False)

    op.create_table(
        "pickup",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("epoch", sa.String(length=36), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(length=12), nullable=False),
        sa.Column("speaker", sa.String(length=80), nullable=False),
        sa.Column("speaker_name", sa.String(length=300), nullable=False),
        sa.Column("phone", sa.String(length=80), nullable=False),
        sa.Column("travel_number", sa.String(length=80), nullable=False),
        sa.Column("from_text", sa.String(length=300), nullable=False),
        sa.Column("to_text", sa.String(length=300), nullable=False),
        sa.Column("landing_at", Moment(), nullable=False),
        sa.Column("party", sa.Integer(), nullable=False),
        sa.Column("luggage", sa.Integer(), nullable=False),
        sa.Column("wheelchairs", sa.Integer(), nullable=False),
        sa.Column("talk", sa.String(length=80), nullable=True),
        sa.Column("talk_title", sa.String(length=500), nullable=True),
        sa.Column("deadline_at", Moment(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("requested_at", Moment(), nullable=False),
        sa.Column("answer_by", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("from_place", sa.String(length=60), nullable=True),
        sa.Column("to_place", sa.String(length=60), nullable=True),
        sa.Column("ready_at", Moment(), nullable=False),
        sa.Column("latest_board_at", Moment(), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("shift", sa.String(length=36), nullable=True),
        sa.Column("last_shift", sa.String(length=36), nullable=True),
        sa.Column("vehicle", sa.String(length=100), nullable=True),
        sa.Column("board_at", Moment(), nullable=True),
        sa.Column("deliver_at", Moment(), nullable=True),
        sa.Column("plan", sa.Integer(), nullable=True),
        sa.Column("is_pinned", sa.Boolean(), nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("tried", sa.String(length=36), nullable=True),
        sa.Column("tried_at", Moment(), nullable=True),
        sa.Column("risk_revision", sa.Integer(), nullable=True),
        sa.Column("accepted_at", Moment(), nullable=True),
        sa.Column("arrived_at", Moment(), nullable=True),
        sa.Column("boarded_at", Moment(), nullable=True),
        sa.Column("delivered_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("heard_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("pickup", schema=None) as batch_op:
        batch_op.create_index("pickup_by_code", ["conference", "code"], unique=False)
        batch_op.create_index("pickup_by_status", ["conference", "status", "due_at"], unique=False)
        batch_op.create_index("pickup_due", ["status", "due_at"], unique=False)
        batch_op.create_index("pickup_last_of_shift", ["last_shift"], unique=False)
        batch_op.create_index("pickup_of_shift", ["shift"], unique=False)

    op.create_table(
        "place",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("iata", sa.String(length=3), nullable=False),
        sa.Column("address", sa.String(length=300), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("exit_international_min", sa.Integer(), nullable=True),
        sa.Column("exit_domestic_min", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("conference", "slug"),
    )
    op.create_table(
        "plan",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", Moment(), nullable=False),
        sa.Column("stamp", sa.String(length=36), nullable=False),
        sa.Column("freed", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("conference"),
    )
    op.create_table(
        "shift",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("vehicle", sa.String(length=8), nullable=False),
        sa.Column("driver", sa.String(length=36), nullable=False),
        sa.Column("from_at", Moment(), nullable=False),
        sa.Column("to_at", Moment(), nullable=False),
        sa.Column("start_place", sa.String(length=60), nullable=False),
        sa.Column("at_place", sa.String(length=60), nullable=True),
        sa.Column("at_since", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("conference", "vehicle", "from_at"),
    )
    with op.batch_alter_table("shift", schema=None) as batch_op:
        batch_op.create_index("shift_of_driver", ["driver", "from_at"], unique=False)

    op.create_table(
        "stop",
        sa.Column("pickup", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("shift", sa.String(length=36), nullable=False),
        sa.Column("vehicle", sa.String(length=8), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=60), nullable=False),
        sa.Column("arrive_at", Moment(), nullable=False),
        sa.Column("begin_at", Moment(), nullable=False),
        sa.Column("depart_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("pickup", "kind"),
    )
    with op.batch_alter_table("stop", schema=None) as batch_op:
        batch_op.create_index("stop_of_conference", ["conference"], unique=False)
        batch_op.create_index("stop_of_shift", ["shift", "position"], unique=False)

    op.create_table(
        "vehicle",
        sa.Column("conference", sa.String(length=80), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("plate", sa.String(length=40), nullable=False),
        sa.Column("seats", sa.Integer(), nullable=False),
        sa.Column("luggage", sa.Integer(), nullable=False),
        sa.Column("wheelchair_places", sa.Integer(), nullable=False),
        sa.Column("start_place", sa.String(length=60), nullable=True),
        sa.PrimaryKeyConstraint("conference", "code"),
    )
