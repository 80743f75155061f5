"""Door for programs: everything that a page can do, as JSON under /api/schedule."""

from typing import Any

from softlanding.lifecycle import Work
from softlanding.schedule.api import journeys, people, programmes, tokens
from softlanding.web import Doors


def make_doors(work: Work) -> list[Any]:
    doors = Doors(work, tags=["schedule"])
    programmes.add_doors(doors, work)
    people.add_doors(doors, work)
    journeys.add_doors(doors, work)
    tokens.add_doors(doors, work)
    return [doors]
