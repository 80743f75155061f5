"""From sources to settings: the strongest wins, and all faults come in one list."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import (
    ValidationError,
)
from pydantic_settings import (
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
)

from softlanding.errors import Fault, Misconfigured
from softlanding.settings.given import Asked, Given, History, Layer
from softlanding.settings.kinds import SERVICES
from softlanding.settings.known import variable_of
from softlanding.settings.model import Settings
from softlanding.settings.names import known_settings
from softlanding.settings.rules import contradictions, missing_in_production


def settle(layers: Sequence[Layer], folder: Path, asked: Asked) -> Settings:
    """The settings that `layers` (strongest first) and the profile's defaults amount to. Raises Misconfigured."""
    layers = [_with_absolute_folders(layer, folder) for layer in layers]
    given = winners(layers)
    layers.append(_profile_defaults(given, folder))
    settings, wrong = _build(layers)
    faults = [fault for layer in layers for fault in layer.faults]
    faults += [_wrong_value(given[name], complaint) for name, complaint in wrong.items() if name in given]
    faults += missing_in_production(settings, given, asked) if "profile" not in wrong else []
    faults += [
        Fault(given[names[0]].where if names[0] in given else names[0], f"{_spelled(given, names[0])} {complaint}")
        for names, complaint in contradictions(settings)
        if not wrong.keys() & {*names, "profile"}
    ]
    if faults:
        raise Misconfigured(*dict.fromkeys(faults))
    warnings = tuple(warning for layer in layers for warning in layer.warnings)
    settings._history = History(folder, asked, given, warnings)
    return settings


def winners(layers: Sequence[Layer]) -> dict[str, Given]:
    """Each given name with its strongest value."""
    return {one.name: one for layer in reversed(layers) for one in layer.given}


def _with_absolute_folders(layer: Layer, folder: Path) -> Layer:
    folders = ("data_folder", "secrets_folder")
    return replace(
        layer,
        given=tuple(
            replace(one, value=absolute(folder, one.value)) if one.name in folders else one for one in layer.given
        ),
    )


def absolute(folder: Path, value: object) -> object:
    """The path meant from `folder`; what is no path stays as it is, to be refused with all the rest."""
    return (folder / Path(value).expanduser()).absolute() if isinstance(value, str | Path) else value


def _profile_defaults(given: Mapping[str, Given], folder: Path) -> Layer:
    """The defaults that depend on where and how: weaker than anything that was said."""
    data_folder = given["data_folder"].value if "data_folder" in given else None
    if not isinstance(data_folder, Path):
        data_folder = absolute(folder, "var")
    values: dict[str, object] = {"data_folder": data_folder}
    profile = given["profile"].value if "profile" in given else "embedded"
    if profile == "embedded":
        values |= {f"{service}.database_url": f"sqlite:///{data_folder}/{service}.db" for service in SERVICES}
    elif profile == "production":
        values |= {"secure_cookies": True}
    return Layer(tuple(Given(name, value) for name, value in values.items()))


def _build(layers: Sequence[Layer]) -> tuple[Settings, dict[str, str]]:
    """Settings, and a complaint about each name whose value is wrong; those have their defaults in the settings."""
    try:
        return Settings(*map(_source, layers)), {}
    except ValidationError as error:
        wrong = dict(map(_complaint, error.errors(include_url=False, include_input=False)))
    sound = [replace(layer, given=tuple(one for one in layer.given if one.name not in wrong)) for layer in layers]
    return Settings(*map(_source, sound)), wrong


def _source(layer: Layer) -> PydanticBaseSettingsSource:
    if all(isinstance(one.value, str) for one in layer.given):
        return _Variables(layer)
    nested: dict[str, Any] = {}
    for one in layer.given:
        section, _, name = one.name.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = one.value
    return InitSettingsSource(Settings, nested)


class _Variables(EnvSettingsSource):
    """pydantic-settings' reader of variables, over those that we sorted out in place of the process's own."""

    def __init__(self, layer: Layer) -> None:
        self._variables = {variable_of(one.name).lower(): one.value for one in layer.given}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables


_PLAIN_WORDS = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be a path",
    "list_type": "must be a list, or text parted by commas",
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "too_short": "must have at least {min_length} characters; `openssl rand -hex 32` makes a good one",
    "value_error": "{error}",
}


def _complaint(error: Mapping[str, Any]) -> tuple[str, str]:
    """The name and, in plain words that never repeat the value, what is wrong with its value."""
    name = ".".join(str(part) for part in error["loc"])
    while name not in known_settings():
        name = name.rpartition(".")[0]  # An item of a list: the list is what one sets.
    words = _PLAIN_WORDS.get(error["type"], error["msg"].replace("Input should be", "must be"))
    return name, words.format(**error.get("ctx", {}))


def _wrong_value(given: Given, complaint: str) -> Fault:
    quoted = f" (it is {str(given.value)[:40]!r})" if known_settings()[given.name].may_be_quoted else ""
    return Fault(given.where, f"{given.spelled} {complaint}{quoted}")


def _spelled(given: Mapping[str, Given], name: str) -> str:
    return given[name].spelled if name in given else name
