"""A problem or plan as JSON: saved, sent with a fault report, and planned again to the same result.

A field that the shapes do not know is a fault, not noise: a misspelt `wheelchairs` must not become a ride without
one.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from softlanding.dispatch.planner.index import index_of
from softlanding.dispatch.planner.problem import Plan, Problem
from softlanding.errors import Fault, Invalid

T = TypeVar("T")

_PROBLEM = TypeAdapter(Problem)
_PLAN = TypeAdapter(Plan)


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """Plain values, ready for `json.dumps`."""
    plain: dict[str, Any] = _PROBLEM.dump_python(problem, mode="json")
    return plain


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """Plain values, ready for `json.dumps`."""
    plain: dict[str, Any] = _PLAN.dump_python(plan, mode="json")
    return plain


def problem_from_json(value: Mapping[str, Any]) -> Problem:
    """The problem again. Raises `Invalid` with every fault in it, each with the path to it."""
    problem = _read(_PROBLEM, value)
    index_of(problem)
    return problem


def plan_from_json(value: Mapping[str, Any]) -> Plan:
    """The plan again. Raises `Invalid` with every fault in it, each with the path to it."""
    return _read(_PLAN, value)


def _read(adapter: TypeAdapter[T], value: Mapping[str, Any]) -> T:
    try:
        read = adapter.validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        raise Invalid(*(Fault(_path(one["loc"]), one["msg"]) for one in error.errors())) from error
    except (TypeError, ValueError) as error:
        raise Invalid(Fault("", f"this is not JSON: {error}")) from error
    unknown = tuple(_unknown(value, adapter.dump_python(read, mode="json"), ""))
    if unknown:
        raise Invalid(*unknown)
    return read


def _path(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts)


def _unknown(given: Any, kept: Any, where: str) -> Iterator[Fault]:
    """Every field that was given and not kept."""
    if isinstance(given, Mapping) and isinstance(kept, Mapping):
        for key, value in given.items():
            path = f"{where}.{key}" if where else str(key)
            if key not in kept:
                yield Fault(path, "there is no such field; is it misspelt?")
            else:
                yield from _unknown(value, kept[key], path)
    elif isinstance(given, list | tuple) and isinstance(kept, list):
        for number, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from _unknown(one, other, f"{where}.{number}")
