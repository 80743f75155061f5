"""A benchmark's result as people read it."""

from collections.abc import Callable, Mapping
from typing import Any

Tell = Callable[[str], None]
Benchmark = Callable[[Tell], dict[str, Any]]


def render(result: Mapping[str, Any]) -> str:
    """Single values first, a line each; then a table for each group of values, however deep it lies."""
    single = {key: value for key, value in result.items() if not isinstance(value, Mapping)}
    parts = ["\n".join(f"{key} = {_text(value)}" for key, value in single.items())] if single else []
    for key, value in result.items():
        if isinstance(value, Mapping):
            parts.append(_group(key, value))
    return "\n\n".join(parts)


def _group(title: str, values: Mapping[str, Any]) -> str:
    if not any(isinstance(value, Mapping) for value in values.values()):
        return "\n".join([title, *(f"  {key} = {_text(value)}" for key, value in values.items())])
    rows = list(_leaves("", values))
    columns = list(dict.fromkeys(column for _, row in rows for column in row))
    lines = [[title, *columns]]
    lines += [[name, *(_text(row[column]) if column in row else "" for column in columns)] for name, row in rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns) + 1)]
    return "\n".join(_line(line, widths) for line in lines)


def _leaves(name: str, values: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every mapping of single values, named by the way to it."""
    own = {key: value for key, value in values.items() if not isinstance(value, Mapping)}
    rows = [(name, own)] if own else []
    for key, value in values.items():
        if isinstance(value, Mapping):
            rows += _leaves(f"{name} {key}".strip(), value)
    return rows


def _line(cells: list[str], widths: list[int]) -> str:
    first, *others = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([first, *(cell.strip().rjust(len(cell)) for cell in others)]).rstrip()


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}"
    return str(value)
