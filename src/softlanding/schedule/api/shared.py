"""What these doors have in common: bounded texts, addresses, bodies that are files."""

from datetime import date
from typing import Annotated, Any

from fastapi import Path, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from softlanding.errors import Fault, Invalid
from softlanding.web import staff
from softlanding.web.forms import FIRST_YEAR, LAST_YEAR

BODY_MAX = 12_000_000  # What the front door lets through.

LINKS = staff("organiser", scopes=("admin",))  # Whoever has a personal link speaks for its person.
ORGANISERS = staff("organiser", scopes=("write",))
ORGANISERS_LOOK = staff("organiser", scopes=("read", "write"))
ORGANISERS_OF_ALL = staff("organiser", scopes=("write",), everywhere=True)
TRAVEL = staff("organiser", "coordinator", scopes=("write",))
TRAVEL_LOOK = staff("organiser", "coordinator", scopes=("read", "write"))

Slug = Annotated[str, Path(max_length=80, pattern=r"^[a-z0-9][a-z0-9-]*$")]
Name = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


def _no_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("must not contain the character NUL")
    return text


def _text(most: int, least: int = 0) -> Any:
    limits = StringConstraints(strip_whitespace=True, max_length=most, min_length=least)
    return Annotated[str, limits, AfterValidator(_no_nul)]


Short = _text(60)
Line = _text(200)
NeededLine = _text(200, 1)
Note = _text(500)


Day = Annotated[date, Field(ge=date(FIRST_YEAR, 1, 1), le=date(LAST_YEAR, 12, 31))]


class Given(BaseModel):
    """What a program gives: unknown fields are refused, lest a misspelt one be lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def a_file(kind: str, example: str) -> dict[str, Any]:
    """How OpenAPI describes a body that is a file as it is."""
    content = {kind: {"schema": {"type": "string", "format": "binary"}, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


async def read_body(request: Request) -> bytes:
    """The body as it is. Raises Invalid when it is empty or too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY_MAX:
            raise Invalid(Fault("body", f"the file is larger than {BODY_MAX // 1_000_000} MB"))
    if not body:
        raise Invalid(Fault("body", "send the file as the body of the request"))
    return bytes(body)
