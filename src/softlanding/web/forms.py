"""Forms: read once into text, answered by going elsewhere or by the form as it was typed, with its faults."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile

from softlanding.errors import Conflict, Fault, Invalid, NotFound, Refused, SoftlandingError, TooMany
from softlanding.formats.texts import unturned
from softlanding.web.cookies import PLAIN

FLASH = f"{PLAIN}-message"
FLASH_MAX = 8_000
UPLOAD_MAX = 12_000_000
FIRST_YEAR, LAST_YEAR = 2000, 2100
T = TypeVar("T", bound=date)
ANSWERS = (Invalid, Refused, Conflict, NotFound, TooMany)
"""What a form that was refused is shown again with, as it was typed. Too many: of files that are read at once; who
changes too much by a personal link (`web.doors`) comes no further than the door, which says so on a page of its own."""
FILENAME_MAX = 200  # It is shown, and begins each fault's sentence.


@dataclass(frozen=True)
class Form:
    """What was typed, as text. `key` makes sending it twice once."""

    name: str
    key: str
    values: Mapping[str, str]

    def text(self, field: str, *, most: int = 2000) -> str:
        """The field without blanks around; "" when absent. Raises Invalid when longer than `most`."""
        value = unturned(self.values.get(field, "")).strip()
        if len(value) > most:
            raise Invalid(Fault(field, f"is longer than {most} characters"))
        return value

    def required(self, field: str, what: str, *, most: int = 300) -> str:
        value = self.text(field, most=most)
        if not value:
            raise Invalid(Fault(field, f"give {what}"))
        return value

    def number(self, field: str, *, least: int, most: int, default: int) -> int:
        value = self.text(field)
        if not value:
            return default
        if not value.isdecimal() or len(value) > 9 or not least <= int(value) <= most:
            raise Invalid(Fault(field, f"give a whole number from {least} to {most}"))
        return int(value)

    def is_on(self, field: str) -> bool:
        return self.values.get(field, "") not in ("", "off", "0", "false")


def of_this_age(moment: T, field: str) -> T:
    """The day or time, if it is of a year that conferences are held in. Raises Invalid: arithmetic ends elsewhere."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Invalid(Fault(field, f"give a year from {FIRST_YEAR} to {LAST_YEAR}"))
    return moment


async def read_form(request: Request) -> Form:
    """The posted form. Fields that come twice count once, the last; files are left for `read_upload`."""
    data = await parsed_form(request)
    values = {_clean(name): _clean(value) for name, value in data.items() if isinstance(value, str)}
    return Form(values.get("form", ""), values.get("key", ""), values)


async def parsed_form(request: Request) -> FormData:
    """The posted form as it came. Raises Invalid for text in a charset that it is not in."""
    try:
        return await request.form()
    except ValueError:  # Not only undecodable: names of charsets can be impossible, too.
        raise Invalid(Fault("form", "cannot be read in the charset that it names; send it as UTF-8")) from None


async def read_upload(request: Request, field: str = "file") -> tuple[str, bytes]:
    """(file name, bytes). Raises Invalid when there is none or it is too large."""
    value = (await parsed_form(request)).get(field)
    if not isinstance(value, UploadFile) or not value.filename:
        raise Invalid(Fault(field, "choose a file"))
    body = await value.read(UPLOAD_MAX + 1)
    if len(body) > UPLOAD_MAX:
        raise Invalid(Fault(field, f"the file is larger than {UPLOAD_MAX // 1_000_000} MB"))
    return _clean(value.filename)[:FILENAME_MAX], body


def _clean(text: str) -> str:
    """What every database and every page takes: no NUL, no half characters (a part may name any charset)."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def status_of(error: SoftlandingError) -> int:
    """Of a page that shows a form again: one of `ANSWERS`."""
    known = ((Invalid, 422), (NotFound, 404), (TooMany, 429))
    return next((status for kind, status in known if isinstance(error, kind)), 409)


def refused(form: Form, error: SoftlandingError) -> dict[str, Any]:
    """What `page.refused` takes: the form as typed, one sentence for each faulty field."""
    faults: dict[str, str] = {}
    if isinstance(error, Invalid):
        for fault in error.faults:
            is_field = fault.where in form.values  # Then the sentence stands at the field, which has its own name.
            faults.setdefault(fault.where if is_field else "", fault.what if is_field else str(fault))
    else:
        faults[""] = str(error)
    return {"name": form.name, "values": dict(form.values), "faults": faults}


def see_other(address: str, text: str = "", kind: str = "done") -> RedirectResponse:
    """303 to a page that says once what was done."""
    response = RedirectResponse(address, status_code=303)
    if text:
        body = quote(json.dumps({"kind": kind, "text": text[:500]}))
        response.set_cookie(FLASH, body, max_age=60, httponly=True, samesite="lax")
    return response


def take_message(request: Request) -> dict[str, str] | None:
    """The message that `see_other` left, for the page that shows it."""
    raw = request.cookies.get(FLASH, "")
    if not 0 < len(raw) < FLASH_MAX:
        return None
    try:
        message = json.loads(unquote(raw))
        return {"kind": _clean(str(message["kind"])), "text": _clean(str(message["text"]))}
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
