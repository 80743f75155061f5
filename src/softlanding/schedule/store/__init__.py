"""Rows to model and back: programmes and releases, speakers and their links, journeys, pickups and their watches."""

from softlanding.schedule.store import journeys, pickups, programmes, publications, speakers

__all__ = ["journeys", "pickups", "programmes", "publications", "speakers"]
