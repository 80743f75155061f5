"""What can happen in Schedule: one function, one transaction, one story each."""

from softlanding.schedule.actions import (
    journeys,
    people,
    pickups,
    programme,
    publications,
    sample,
    set_aside,
    tokens,
)

__all__ = ["journeys", "people", "pickups", "programme", "publications", "sample", "set_aside", "tokens"]
