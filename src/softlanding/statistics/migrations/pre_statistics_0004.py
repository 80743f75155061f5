"""statistics: of staff, names and roles alone; of programs' tokens no name among the facts"""

import json

import sqlalchemy as sa
from alembic import op

revision = "pre_statistics_0004"
down_revision = "pre_statistics_0003"
branch_labels = None
depends_on = None

people = sa.table("person", sa.column("email"), sa.column("phone"))
facts = sa.table("fact", sa.column("number"), sa.column("type"), sa.column("data"))


def upgrade() -> None:
    """What was kept is blanked. The release before goes on: it shows none of it here."""
    op.execute(sa.update(people).values(email="", phone=""))
    connection = op.get_bind()
    tokens = sa.select(facts).where(facts.c.type.like("schedule.token.%"))
    for row in connection.execute(tokens).all():  # As many as people have made by hand.
        kept = {name: value for name, value in json.loads(row.data).items() if name != "name"}
        connection.execute(sa.update(facts).where(facts.c.number == row.number).values(data=json.dumps(kept)))
