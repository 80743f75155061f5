"""Read-only questions, shaped for a page."""

from collections.abc import Sequence

import sqlalchemy as sa

from softlanding.statistics.tables import ready_lives


def not_yet_ready(connection: sa.Connection, living: Sequence[str]) -> list[str]:
    """Those of the lives that nobody has heard to be ready so far."""
    known = set(connection.execute(sa.select(ready_lives.c.life).where(ready_lives.c.life.in_(living))).scalars())
    return [life for life in living if life not in known]
