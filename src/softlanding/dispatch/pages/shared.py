"""What these pages have in common: who comes in, forms shown again, fragments that change only when they must."""

from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import Path, Request
from fastapi.responses import Response

from softlanding.conferences import Conference
from softlanding.errors import Fault, Invalid, SoftlandingError
from softlanding.web import Form, Pages, refused, staff, stream

COORDINATORS = staff("coordinator")
FAULTS_SHOWN = 8

Name = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
Values = Mapping[str, Mapping[str, Any]]
"""Fragment's name to its template's values."""


def live(request: Request, pages: Pages, conference: Conference, values: Callable[[], Awaitable[Values]]) -> Response:
    """A stream of fragments. One whose values did not change is not rendered anew: its forms keep their keys."""
    shown: dict[str, tuple[Mapping[str, Any], str]] = {}

    async def fragments() -> Mapping[str, str]:
        for name, given in (await values()).items():
            if name not in shown or shown[name][0] != given:
                shown[name] = (given, pages.render(f"_{name}.html", pages.frame(request, conference), **given))
        return {name: html for name, (_, html) in shown.items()}

    return stream(request, fragments)


def refused_form(form: Form, error: SoftlandingError) -> Any:
    """The form as it was typed, for `page.refused`; all that is wrong with a file as one message."""
    answer = refused(form, error)
    if isinstance(error, Invalid) and form.name == "import":
        shown = "; ".join(str(fault) for fault in error.faults[:FAULTS_SHOWN])
        more = len(error.faults) - FAULTS_SHOWN
        answer["faults"] = {"": f"Nothing was imported. {shown}" + (f"; and {more} more" if more > 0 else "")}
    return SimpleNamespace(**answer)  # In a mapping, templates would take `values` for its method.


def degrees(form: Form, field: str, limit: int) -> float:
    text = form.required(field, "degrees, such as 53.6304", most=20).replace(",", ".")
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not -limit <= value <= limit:
        raise Invalid(Fault(field, f"give degrees from -{limit} to {limit}, such as 53.6304"))
    return value
