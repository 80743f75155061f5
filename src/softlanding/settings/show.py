"""Where a value comes from, and the example of all settings."""

from softlanding.settings.given import Given
from softlanding.settings.kinds import SERVICES
from softlanding.settings.known import Known, as_text
from softlanding.settings.model import Settings
from softlanding.settings.names import value_of
from softlanding.settings.rules import names_needed


def origin_of(known: Known, given: Given | None, settings: Settings) -> str:
    if given:
        return given.origin
    default = as_text(known.info.get_default(call_default_factory=True))
    changed = known.name != "data_folder" and as_text(value_of(settings, known)) != default
    return f"default of profile {settings.profile}" if changed else "default"


EXAMPLE_HEAD = (
    "# Every setting of Softlanding: what it means, and its default (or an example, where there is none).",
    "# Written by `softlanding settings --example > .env.example`; a test says when it is out of date.",
    "#",
    "# Copy what you want to change into a file named .env and take the # away. `softlanding up` needs none of it.",
    "# A stronger source wins:",
    "#   defaults < softlanding.toml < .env < environment < files in the secrets folder < command line",
    "# In softlanding.toml, SOFTLANDING__DISPATCH__PORT is the key `port` in the table [dispatch]. In the secrets",
    "# folder it is the file dispatch__port. Values are taken as they stand: ${NAME} is not replaced.",
    "# `softlanding settings` shows every value in force and where it came from.",
)


def example_notes(known: Known) -> list[str]:
    notes = ["# Needed in production."] if known.name in names_needed(None) else []
    if not known.may_be_quoted:
        kind = "Secret" if known.is_secret else "May bear a password"
        notes.append(f"# {kind}: a file in the secrets folder is the better place.")
    return notes


def example_value(known: Known) -> str:
    examples = known.info.examples or [as_text(known.info.get_default(call_default_factory=True)) or ""]
    number = [*SERVICES, known.section].index(known.section) + 1
    return str(examples[0]).replace("SERVICE", known.section).replace("NUMBER", str(number))
