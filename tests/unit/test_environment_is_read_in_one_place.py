"""Only settings/ may look at the environment or at a settings file: else a value is in force that nobody can see."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import softlanding

SOURCE = Path(softlanding.__file__).parent
READERS_OF_OS = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
READERS_ELSEWHERE = {"os.path.expandvars", "posixpath.expandvars", "nt.environ", "posix.environ"}
READING_MODULES = {"dotenv", "pydantic_settings"}


def test_nothing_but_settings_reads_the_environment():
    files = [file for file in SOURCE.rglob("*.py") if file.parent != SOURCE / "settings"]
    assert len(files) > 5
    found = [f"{file.relative_to(SOURCE)}:{line}" for file in files for line in readings(file.read_text("utf-8"))]
    assert found == [], "take the value from the settings, as an argument"


def test_the_search_finds_what_settings_does_itself():
    texts = [file.read_text("utf-8") for file in (SOURCE / "settings").glob("*.py")]
    assert sum(len(list(readings(text))) for text in texts) >= 4


@pytest.mark.parametrize(
    "code",
    [
        "import os\nx = os.environ['A']",
        "import os as system\nx = system.getenv('A')",
        "from os import environ",
        "from os import getenv as value_of",
        "import os, sys\nx = getattr(os, 'environ')",
        "from dotenv import load_dotenv",
        "import pydantic_settings",
        "from pydantic_settings.main import BaseSettings",
        "import os.path\nx = os.path.expandvars('$HOME')",
        "from os.path import expandvars",
        "from posix import environ",
        "def f():\n    import os\n    return os.environb",
    ],
)
def test_the_search_finds_each_way_to_read_the_environment(code):
    assert list(readings(code))


def test_the_search_lets_other_uses_of_os_pass():
    assert list(readings("import os\nos.kill(os.getpid(), 0)\nfrom os import path\nenviron = {}\n")) == []


def readings(code: str) -> Iterator[int]:
    """The lines of `code` that read the environment or import what reads it."""
    tree = ast.parse(code)
    names = {
        alias.asname or alias.name.split(".")[0]: alias.name if alias.asname else alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if any(is_reader(name) for name in mentioned(node, names)):
            yield node.lineno


def mentioned(node: ast.AST, names: dict[str, str]) -> list[str]:
    """The full dotted names that this node imports or uses."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute):
        return [dotted(node, names)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
        return [f"{dotted(node.args[0], names)}.{getattr(node.args[1], 'value', '')}"]
    return []


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, "") if isinstance(node, ast.Name) else ""


def is_reader(name: str) -> bool:
    module, _, last = name.rpartition(".")
    return (
        name.split(".")[0] in READING_MODULES or (module == "os" and last in READERS_OF_OS) or name in READERS_ELSEWHERE
    )
