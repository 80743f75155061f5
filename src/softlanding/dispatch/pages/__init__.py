"""Door for people: the board, the fleet and the places, run sheets, and the driver's phone."""

from typing import Any

from softlanding.dispatch.pages import board, drive, fleet, places
from softlanding.dispatch.plans import Desk
from softlanding.lifecycle import Work
from softlanding.web import Doors, Pages


def make_doors(work: Work, desk: Desk) -> list[Any]:
    doors, pages = Doors(work, tags=["dispatch"]), Pages(work)
    for part in (board, fleet, places, drive):
        part.add_doors(doors, work, pages, desk)
    return [doors]
