"""The sources: command line, environment, `.env`, `softlanding.toml` and files in the secrets folder."""

import io
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from softlanding import secret_sources
from softlanding.errors import Fault
from softlanding.settings.given import Given, Layer
from softlanding.settings.kinds import PREFIX
from softlanding.settings.known import Known, dotted, file_of, variable_of
from softlanding.settings.names import known_settings, said_of_unknown, section_names


def from_command_line(values: Mapping[str, object], where: str = "command line") -> Layer:
    return _sorted_out((name, value, where) for name, value in values.items() if value is not None)


def from_environment(environment: Mapping[str, str]) -> Layer:
    ours = sorted(name for name in environment if name.upper().startswith(PREFIX))
    return _sorted_out(((name, environment[name], "environment") for name in ours), spell=variable_of)


def from_dotenv(path: Path) -> Layer:
    text = _file_text(path)
    if text is None or isinstance(text, Fault):
        return Layer(faults=(text,) if text else ())
    lines: dict[str, int] = {}
    found: list[tuple[str, object, str]] = []
    faults: list[Fault] = []
    for binding in parse_stream(io.StringIO(text)):
        line, name = _line(binding), binding.key or ""
        if binding.error:
            faults.append(Fault(f"{path}:{line}", "cannot be read; a line looks like NAME=value or # a comment"))
        elif name.upper().startswith(PREFIX) and name in lines:
            faults.append(Fault(f"{path}:{line}", f"{name} was given in line {lines[name]} already; keep one of them"))
        elif name.upper().startswith(PREFIX):
            lines[name] = line
            found.append((name, binding.value or "", f"{path}:{line}"))
    layer = _sorted_out(found, spell=variable_of)
    return replace(layer, faults=(*faults, *layer.faults), warnings=_open_secrets(path, layer))


def _line(binding: Binding) -> int:
    """The line of the name itself: the parser counts the blank lines before it as part of it."""
    string = binding.original.string
    return binding.original.line + string[: len(string) - len(string.lstrip())].count("\n")


def from_toml(path: Path) -> Layer:
    text = _file_text(path)
    if text is None or isinstance(text, Fault):
        return Layer(faults=(text,) if text else ())
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"line (\d+)", str(error))
        return Layer(faults=(Fault(f"{path}:{at[1]}" if at else str(path), f"is not TOML: {error}"),))
    where = partial(_toml_line, path, _toml_lines(text))
    layer = _sorted_out((name, value, where(name)) for name, value in _leaves("", values))
    return replace(layer, warnings=_open_secrets(path, layer))


def _leaves(prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Dotted names and values; a table that is no section comes as one value, to be refused by its name."""
    for key, value in values.items():
        name = prefix + key
        if isinstance(value, dict) and name in section_names():
            yield from _leaves(f"{name}.", value)
        else:
            yield name, value


def _toml_lines(text: str) -> dict[str, int]:
    """Where each dotted name first stands. tomllib does not tell; good enough for a person who looks there."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[+([\w\s.\"'-]+)\]+\s*(#.*)?$", line):
            table = _unquoted(header[1])
            lines.setdefault(table, number)
            table += "."
        elif key := re.match(r"\s*([\w\s.\"'-]+?)\s*=", line):
            lines.setdefault(table + _unquoted(key[1]), number)
    return lines


def _unquoted(key: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in key.split("."))


def _toml_line(path: Path, lines: Mapping[str, int], name: str) -> str:
    while name and name not in lines:
        name = name.rpartition(".")[0]  # Within an inline table: the line where that begins.
    return f"{path}:{lines[name]}" if name else str(path)


def from_secrets(folder: object) -> Layer:
    if not isinstance(folder, Path):
        return Layer()
    found = secret_sources.read_folder(folder)
    layer = _sorted_out(((one.name, one.text, one.origin) for one in found.secrets), spell=file_of)
    return replace(layer, faults=(*found.faults, *layer.faults), warnings=found.warnings)


def _file_text(path: Path) -> str | Fault | None:
    """The file's text; None if there is no such file."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except IsADirectoryError:
        what = "is a folder, not a file (Docker makes one when the file to mount does not exist); remove it"
    except OSError as error:
        what = f"cannot be read ({(error.strerror or '?').lower()}); give this user the right to read it"
    except UnicodeDecodeError:
        what = "is not text in UTF-8; save it as UTF-8"
    return Fault(str(path), what)


def _open_secrets(path: Path, layer: Layer) -> tuple[Fault, ...]:
    with_secrets = any(not known_settings()[one.name].may_be_quoted for one in layer.given)
    return secret_sources.open_to_others(path.parent, path) if with_secrets else ()


def _sorted_out(found: Iterable[tuple[str, object, str]], spell: Callable[[str], str] = dotted) -> Layer:
    """Parts what was `found` (spelled name, value, where) into values and faults. `spell` writes our names that way."""
    names = {spell(name): name for name in known_settings()}
    given: list[Given] = []
    faults: list[Fault] = []
    for spelled, value, where in found:
        if spelled not in names:
            faults.append(Fault(where, said_of_unknown(spelled, value, spell)))
        elif complaint := _unfit(known_settings()[names[spelled]], value):
            faults.append(Fault(where, f"{spelled} {complaint}"))
        else:
            given.append(Given(names[spelled], value, where, spelled))
    return Layer(tuple(given), tuple(faults))


def _unfit(known: Known, value: object) -> str | None:
    """What pydantic would let pass: emptiness, and true for 1."""
    if isinstance(value, str) and not value.strip():
        return "is empty; give it a value or take it out"
    if isinstance(value, bool) and known.info.annotation is not bool:
        return "must not be true or false"
    return None
