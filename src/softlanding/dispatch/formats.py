"""Places and fleet as tables: the readers that Schedule uses for its own, from the layer below both."""

from softlanding.formats import (
    FleetRow,
    PlaceRow,
    RowFault,
    fleet_template,
    place_key,
    places_template,
    read_fleet,
    read_places,
    shift_key,
)

__all__ = [
    "FleetRow", "PlaceRow", "RowFault", "fleet_template", "place_key", "places_template", "read_fleet", "read_places",
    "shift_key",
]  # fmt: skip
