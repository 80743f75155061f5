"""Door for people: the organiser's desk, arrivals, staff, speakers, and each speaker's own page."""

from typing import Any

from softlanding.lifecycle import Work
from softlanding.schedule.pages import arrivals, desk, people, speaker, tokens, unanswered
from softlanding.web import Doors, Pages


def make_doors(work: Work) -> list[Any]:
    """Every page of Schedule that is not served from files."""
    doors, pages = Doors(work, tags=["pages"]), Pages(work)
    desk.add_doors(doors, work, pages)
    arrivals.add_doors(doors, work, pages)
    unanswered.add_doors(doors, work)
    people.add_doors(doors, work, pages)
    tokens.add_doors(doors, work, pages)
    speaker.add_doors(doors, work, pages)
    return [doors]
