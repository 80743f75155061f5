"""Door for programs."""

from typing import Annotated, Any

from fastapi import Header, Request

from softlanding import keys
from softlanding.lifecycle import Work
from softlanding.statistics import actions
from softlanding.statistics.model.log_lines import read_lines
from softlanding.web import Doors, staff


def make_doors(work: Work) -> Doors:
    doors = Doors(work, tags=["statistics"])
    _add_logs(doors, work)
    return doors


def _add_logs(doors: Doors, work: Work) -> None:
    @doors.api("/api/statistics/logs", who=staff(scopes=("write", "facts")), methods=("POST",), summary="Log lines")
    async def keep_logs(
        request: Request, key: Annotated[str | None, Header(alias="Idempotency-Key", max_length=200)] = None
    ) -> dict[str, Any]:
        lines = read_lines(await request.body())
        if key is None:
            return await work.database.write(actions.keep_logs, lines)
        return await work.database.write(keys.once, key, "logs.keep", actions.keep_logs, lines)
