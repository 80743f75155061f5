"""What a stranger meets before the code: the licence, the workflow, the types."""

import re
from importlib.metadata import metadata
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_call_what_every_machine_calls_and_actions_are_pinned_by_hash(workflow):
    text = workflow.read_text()
    uses = re.findall(r"uses: *(\S+)", text)
    assert uses
    assert [one for one in uses if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one)] == []
    assert set(re.findall(r"run: *(.+)", text)) == {"bash .ci/run"}


def test_the_licence_is_what_the_package_says():
    assert metadata("softlanding")["License-Expression"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text()[:200]
    assert "Softlanding" in (ROOT / "NOTICE").read_text()


def test_others_type_checkers_see_the_types():
    assert files("softlanding").joinpath("py.typed").is_file()
