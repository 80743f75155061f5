"""What a service's OpenAPI says beyond its doors: how programs and people show who they are, and each way to say no."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI

SAFE = ("get", "head", "options")
ERROR = {
    "type": "object",
    "description": "A refusal, in words.",
    "required": ["error", "faults", "todo"],
    "properties": {
        "error": {"type": "string", "description": "What happened."},
        "faults": {
            "type": "array",
            "description": "Each thing that is wrong with what was sent.",
            "items": {
                "type": "object",
                "required": ["where", "what"],
                "properties": {"where": {"type": "string"}, "what": {"type": "string"}},
            },
        },
        "todo": {"type": "string", "description": "What to do."},
    },
}
PROGRAM = {"type": "http", "scheme": "bearer", "description": "A token with scopes: `softlanding token`."}
PERSON = {
    "type": "apiKey",
    "in": "cookie",
    "description": "A signed-in person's session; what changes something bears its token in `X-CSRF`, too.",
}
REFUSALS: Mapping[str, str] = {
    "401": "Nobody known asks.",
    "403": "Not for who asks.",
    "404": "There is no such thing, or not in this conference.",
    "421": "The installation is not known by the name that was asked for.",
    "422": "What was sent cannot be read, or its key was used for another request.",
    "429": "Too often; `Retry-After` says when again.",
    "503": "Not just now; `Retry-After` says when again. With the same `Idempotency-Key` it counts once.",
}
OF_CHANGES: Mapping[str, str] = {
    "400": "The body is no request that can be read at all.",
    "409": "Not possible as things stand, or somebody was quicker.",
    "413": "Larger than the front door takes.",
}


def put_description(app: FastAPI, cookie: str) -> None:
    """From now on the description has all of it; made at the first time it is asked for, as FastAPI's own is."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = complete(plain(), cookie)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def complete(described: dict[str, Any], cookie: str) -> dict[str, Any]:
    """The same description with security schemes and every refusal; what a door itself says of an answer stands."""
    parts = described.setdefault("components", {})
    schemes = parts["securitySchemes"] = {"program": PROGRAM, "person": PERSON | {"name": cookie}}
    parts["schemas"] = _without_fastapis(parts.get("schemas", {})) | {"Error": ERROR}
    described["security"] = [{scheme: []} for scheme in schemes]
    for method, operation in _operations(described):
        answers = operation["responses"]
        if "HTTPValidationError" in str(answers.get("422", "")):
            del answers["422"]
        for status, words in (REFUSALS if method in SAFE else {**REFUSALS, **OF_CHANGES}).items():
            answers.setdefault(status, _refusal(words))
        operation["responses"] = dict(sorted(answers.items()))
    return described


def _operations(described: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in described["paths"].values():
        yield from methods.items()


def _without_fastapis(schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {name: schema for name, schema in schemas.items() if name not in ("HTTPValidationError", "ValidationError")}


def _refusal(words: str) -> dict[str, Any]:
    return {"description": words, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
