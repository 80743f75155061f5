"""The exchange formats: programmes in and out, and the tables that organisers bring as CSV. Pure; nothing is stored."""

from softlanding.formats.arrivals_csv import ArrivalRow, arrival_key, arrivals_template, read_arrivals
from softlanding.formats.fleet_csv import FleetRow, fleet_template, read_fleet, shift_key
from softlanding.formats.ics_out import write_ics
from softlanding.formats.json_out import write_json
from softlanding.formats.places_csv import PlaceRow, place_key, places_template, read_places
from softlanding.formats.reading import Reading, read_programme
from softlanding.formats.report import Note
from softlanding.formats.table import RowFault
from softlanding.formats.xml_out import write_xml

__all__ = [
    "ArrivalRow",
    "FleetRow",
    "Note",
    "PlaceRow",
    "Reading",
    "RowFault",
    "arrival_key",
    "arrivals_template",
    "fleet_template",
    "place_key",
    "places_template",
    "read_arrivals",
    "read_fleet",
    "read_places",
    "read_programme",
    "shift_key",
    "write_ics",
    "write_json",
    "write_xml",
]
