"""statistics: nothing that identifies a person"""

import json

import sqlalchemy as sa
from alembic import op

revision = "pre_statistics_0002"
down_revision = "pre_statistics_0001"
branch_labels = None
depends_on = None

PAGE = 1000
BLANKED = ("ride_reason", "speaker", "talk", "from_place", "to_place")
PERSONAL = {  # As contracts marked them when this was written, beyond what was never kept.
    "schedule.pickup.": ("speaker", "from_place", "to_place", "wheelchairs", "talk", "talk_title", "deadline_at"),
    "dispatch.pickup.": ("plate",),
    "dispatch.talk.": ("talk", "starts_at"),
    "dispatch.plan.": (),
}

facts = sa.table("fact", sa.column("number"), sa.column("type"), sa.column("data"))
pickups = sa.table("pickup_state", *(sa.column(name) for name in ("asked_kind", "asked_reason", *BLANKED)))


def upgrade() -> None:
    """What was kept of persons is blanked. The release before goes on: it reads `by hand` of reasons, and no more."""
    with op.batch_alter_table("pickup_state", schema=None) as batch_op:
        batch_op.add_column(sa.Column("asked_kind", sa.String(length=20), nullable=True))
    by_hand = pickups.c.asked_reason.like("by hand%")
    op.execute(sa.update(pickups).where(by_hand).values(asked_kind="by_hand", asked_reason="by hand"))
    op.execute(sa.update(pickups).where(sa.not_(by_hand)).values(asked_reason=None))
    op.execute(sa.update(pickups).values(dict.fromkeys(BLANKED)))
    for kind, names in PERSONAL.items():
        _blank(op.get_bind(), kind, ("reason", *names))


def _blank(connection: sa.Connection, kind: str, names: tuple[str, ...]) -> None:
    """Facts of this kind lose these fields, a page at a time: there may be many."""
    last = 0
    query = sa.select(facts).where(facts.c.type.like(f"{kind}%")).order_by(facts.c.number).limit(PAGE)
    while rows := connection.execute(query.where(facts.c.number > last)).all():
        last = rows[-1].number
        for row in rows:
            data = json.loads(row.data)
            kept = {name: value for name, value in data.items() if name not in names}
            if str(data.get("reason", "")).startswith("by hand") and kind.startswith("schedule."):
                kept["reason_kind"] = "by_hand"
            if kept != data:
                connection.execute(sa.update(facts).where(facts.c.number == row.number).values(data=json.dumps(kept)))
