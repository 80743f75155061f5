"""The exchange formats: programmes in and out, and the tables that organisers bring as CSV. Pure; nothing is stored."""

from softlanding.schedule.formats.ics_out import write_ics
from softlanding.schedule.formats.json_out import write_json
from softlanding.schedule.formats.reading import Reading, read_programme
from softlanding.schedule.formats.report import Note
from softlanding.schedule.formats.xml_out import write_xml

__all__ = ["Note", "Reading", "read_programme", "write_ics", "write_json", "write_xml"]
