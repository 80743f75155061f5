"""The door for programmes in files: whichever format it is, and however it was damaged on its way."""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from softlanding.errors import Invalid
from softlanding.formats.assemble import assemble
from softlanding.formats.json_in import parse_json
from softlanding.formats.programme import Programme
from softlanding.formats.report import Note, Report
from softlanding.formats.xml_in import parse_xml

BODY_BYTES_MAX = 64 * 1024 * 1024  # FOSDEM, the largest known, has 4 MB.
_CONFLICT = re.compile(rb"^(?:<{7}|={7}|>{7})(?= |\r?$)", re.MULTILINE)


@dataclass(frozen=True)
class Reading:
    """A programme that was read, and what had to be assumed or repaired, line by line."""

    programme: Programme
    notes: tuple[Note, ...]
    other_codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By a person's code, those that they may have been given by earlier files or releases."""


def read_programme(body: bytes, filename: str, zone: str | None = None, otherwise_zone: str | None = None) -> Reading:
    """The programme in a schedule.xml or schedule.json, gzipped or not.

    `zone` (an IANA name) wins over the file's, `otherwise_zone` is taken where neither names one. Raises Invalid, with
    all faults as `file:line: reason`, for what is broken or of another kind; then nothing was read.
    """
    try:
        return _read(body, filename, zone)
    except Invalid:
        if zone is not None or otherwise_zone is None:
            raise
        return _read(body, filename, otherwise_zone)


def _read(body: bytes, filename: str, zone: str | None) -> Reading:
    report = Report(filename)
    body = _unpacked(body, report)
    begin = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:16]
    _refuse_conflicts(body, report)
    if begin.startswith((b"<", b"\xff\xfe", b"\xfe\xff", b"\x00<")):
        raw = parse_xml(body, report)
    elif begin.startswith((b"{", b"[")):
        raw = parse_json(body, report)
    else:
        raise report.refuse(1, _what_it_is_instead(begin))
    programme = assemble(raw, zone, report)
    return Reading(programme, report.notes(), report.other_codes)


def _unpacked(body: bytes, report: Report) -> bytes:
    if body[:2] == b"\x1f\x8b":
        try:
            unpacker = zlib.decompressobj(wbits=31)
            body = unpacker.decompress(body, BODY_BYTES_MAX + 1)
        except zlib.error as error:
            raise report.refuse(1, f"the gzip file is damaged: {error}") from None
        if len(body) <= BODY_BYTES_MAX and not unpacker.eof:
            raise report.refuse(1, "the gzip file is cut short: fetch it again")
    if len(body) > BODY_BYTES_MAX:
        raise report.refuse(1, f"larger than {BODY_BYTES_MAX // 1024 // 1024} MB: this is no conference schedule")
    return body


def _refuse_conflicts(body: bytes, report: Report) -> None:
    """Conflict markers of git or its like. A line of `=======` alone is none: Markdown underlines headings so."""
    marks = list(_CONFLICT.finditer(body))
    if any(match.group() != b"=======" for match in marks):
        line, counted = 1, 0
        for match in marks:
            line, counted = line + body.count(b"\n", counted, match.start()), match.start()
            report.fault(
                line, f"a conflict marker of version control ({match.group().decode()}): settle the conflict first"
            )
        report.raise_faults()


def _what_it_is_instead(begin: bytes) -> str:
    if begin.upper().startswith(b"BEGIN:VCALENDAR"):
        return "this is an iCalendar file; programmes are read from schedule.xml and schedule.json"
    if begin.startswith(b"PK"):
        return "this is a zip or spreadsheet file; programmes are read from schedule.xml and schedule.json"
    if not begin:
        return "the file is empty"
    return "neither XML nor JSON; programmes are read from schedule.xml and schedule.json"
