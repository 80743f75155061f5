"""What sources gave: a value and where it stands, all of one source, and how settings came to be."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from softlanding.errors import Fault
from softlanding.settings.kinds import Service


@dataclass(frozen=True)
class Given:
    """One value that somebody gave. `where` is for a fault (`.env:3`), `spelled` how the name is written there."""

    name: str
    value: Any = field(repr=False)
    where: str = ""
    spelled: str = ""

    @property
    def origin(self) -> str:
        return f"environment {self.spelled}" if self.where == "environment" else self.where


@dataclass(frozen=True)
class Layer:
    """What one source gave, and what is wrong in it."""

    given: tuple[Given, ...] = ()
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Asked:
    """For whom settings are read: one service, or whoever needs just these names; neither: all three services."""

    service: Service | None = None
    needs: Collection[str] | None = None


@dataclass(frozen=True, eq=False)
class History:
    """How settings came to be: no part of what they are, so settings are equal whatever theirs."""

    folder: Path = Path()
    asked: Asked = Asked()
    given: Mapping[str, Given] = field(default_factory=dict)
    warnings: tuple[Fault, ...] = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History)

    __hash__ = None  # type: ignore[assignment]
