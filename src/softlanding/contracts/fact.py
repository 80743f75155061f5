"""The base of all facts."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Personal = Field(json_schema_extra={"personal": True})
"""Marks a field that identifies a person or tells of one: `name: Annotated[str, Personal]`.

Who receives facts without `personal` gets them without such a field: it has a default."""

PersonalText = Annotated[str, Personal]


class Fact(BaseModel):
    """It happened, it is numbered, it stays. Unknown fields are ignored, so that newer producers can be heard."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    TYPE: ClassVar[str]  # Without the source: `pickup.requested`.

    conference: str | None = None

    @property
    def subject(self) -> str:
        """What it is about, `pickup/0199…`: facts about one subject are kept in order, also among dead letters."""
        raise NotImplementedError

    @property
    def expires(self) -> datetime | None:
        """From when on it is of no more use; receivers' timers look at it, nothing drops it."""
        return None


@lru_cache
def personal_fields(fact: type[Fact]) -> frozenset[str]:
    """Names of the fields that are about a person; the mark may stand inside an optional type."""
    properties = fact.model_json_schema().get("properties", {})
    return frozenset(name for name, schema in properties.items() if _is_personal(schema))


def _is_personal(schema: Any) -> bool:
    parts = [schema, *schema.get("anyOf", ())]
    return any(part.get("personal") for part in parts)
