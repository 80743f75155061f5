"""The documents are true: the commands that they name exist, with these options; the files, too."""

import re
import shlex
from pathlib import Path

import click
import pytest

from softlanding.cli import group

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
COMMAND = re.compile(r"(?:^|`)(?:\.venv/bin/)?softlanding ([a-z][^`#\n]*)", re.MULTILINE)
MAKE = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def found(pattern):
    return [(path.name, text) for path in DOCUMENTS for text in pattern.findall(path.read_text())]


def test_the_documents_name_commands():
    assert len(found(COMMAND)) > 10


@pytest.mark.parametrize(("document", "words"), found(COMMAND))
def test_a_command_in_a_document_exists_with_its_options(document, words):
    command = group
    for word in shlex.split(words):
        if word.startswith("--"):
            options = {option for parameter in command.params for option in parameter.opts}
            assert word in options, f"{document}: softlanding {words}: no option {word}"
        elif isinstance(command, click.Group):
            assert word in command.commands, f"{document}: softlanding {words}: no command {word}"
            command = command.commands[word]


@pytest.mark.parametrize(("document", "target"), found(MAKE))
def test_a_make_target_in_a_document_exists(document, target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"{document}: make {target}"


@pytest.mark.parametrize(("document", "target"), found(LINK))
def test_what_a_document_links_to_is_there(document, target):
    folder = next(path for path in DOCUMENTS if path.name == document).parent
    assert (folder / target).exists(), f"{document} links to {target}"


def test_every_command_ends_its_help_with_an_example():
    def walk(command, path):
        if isinstance(command, click.Group):
            for name, inner in command.commands.items():
                yield from walk(inner, f"{path} {name}")
        else:
            yield path, command

    for path, command in walk(group, "softlanding"):
        assert command.help, path
        assert "Example:" in command.help, path
