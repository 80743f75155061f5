"""The names of all settings, and what is said of one that nobody knows."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import (
    BaseModel,
)

from softlanding.settings.kinds import PREFIX
from softlanding.settings.known import Known
from softlanding.settings.model import Section, Settings


@cache
def known_settings() -> dict[str, Known]:
    return {known.name: known for known in _walk("", Settings)}


def _walk(prefix: str, model: type[BaseModel]) -> Iterator[Known]:
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            yield from _walk(f"{prefix}{name}.", info.annotation)
        else:
            yield Known(prefix + name, info)


@cache
def section_names() -> tuple[str, ...]:
    return tuple(dict.fromkeys(known.section for known in known_settings().values() if known.section))


def said_of_unknown(spelled: str, value: object, spell: Callable[[str], str]) -> str:
    if section := next((name for name in section_names() if spell(name) == spelled), None):
        inside = next(name for name in known_settings() if name.startswith(f"{section}."))
        return f"{spelled} is a section, not a setting; set what is in it, such as {spell(inside)}"
    if isinstance(value, dict):
        return f"{spelled} is not a section{_did_you_mean(spelled, list(section_names()))}"
    names = [spell(name) for name in known_settings()]
    return f"{spelled} is not a setting{_did_you_mean(spelled, names)}"


def _did_you_mean(spelled: str, names: Sequence[str]) -> str:
    near = _nearest(spelled, names)
    if not near:
        return "; `softlanding settings` lists all that there are"
    return f"; did you mean {' or '.join(near)}?"


def _nearest(spelled: str, names: Sequence[str]) -> list[str]:
    """The names that fewest slips of a finger lead to, all of them if several; else those that end alike."""
    lowered = spelled.lower()
    slips = {name: _slips(lowered, name.lower()) for name in names}
    fewest = min(slips.values())
    common = len(PREFIX) if spelled.upper().startswith(PREFIX) else 0
    if fewest <= max(1, (len(spelled) - common) // 4):
        return [name for name in names if slips[name] == fewest]
    last = re.split(r"__|\.", lowered)[-1]
    return [name for name in names if re.split(r"__|\.", name.lower())[-1] == last][:4]


def _slips(one: str, other: str) -> int:
    """Letters added, lost, changed, or swapped with their neighbour (optimal string alignment distance)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        oldest, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and wanted == one[i - 2]:
                cost = min(cost, oldest[j - 2] + 1)
            row.append(cost)
    return row[-1]


def value_of(settings: Settings, known: Known) -> Any:
    holder = getattr(settings, known.section) if known.section else settings
    return getattr(holder, known.name.rpartition(".")[2])
