"""Door for people."""

from softlanding.lifecycle import Work
from softlanding.web import Doors


def make_doors(work: Work) -> Doors:
    return Doors(work, tags=["statistics"])
