"""What the documents say is so."""

import re
import tomllib
from pathlib import Path

import click
import pytest

from edgebench.cli import main
from edgebench.core import Reason
from edgebench.plan import plan_from

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def commands(group, prefix="edgebench"):
    for name, command in sorted(group.commands.items()):
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


@pytest.mark.parametrize(("name", "command"), list(commands(main)), ids=str)
def test_every_command_is_explained_and_stands_in_the_readme(name, command):
    assert command.help
    assert name in README


def test_every_plan_in_the_readme_loads():
    plans = re.findall(r"```toml\n(schema = 1.*?)```", README, flags=re.DOTALL)
    assert plans
    for text in plans:
        plan_from(tomllib.loads(text), source="README.md")


def test_every_room_of_the_map_is_there_and_every_room_is_on_the_map():
    text = (ROOT / "edgebench" / "README.md").read_text()
    rooms = {p.name for p in (ROOT / "edgebench").iterdir() if (p / "__init__.py").exists()}
    modules = {p.name for p in (ROOT / "edgebench").glob("*.py")} - {"__init__.py"}
    assert [name for name in sorted(rooms) if f"{name}/" not in text] == []
    assert [name for name in sorted(modules) if name not in text] == []


def test_every_reason_is_explained_in_the_format_of_the_results():
    text = (ROOT / "results" / "README.md").read_text()
    assert [reason.value for reason in Reason if f"`{reason.value}`" not in text] == []


def test_both_ways_to_check_are_one():
    assert "bash tests/run.sh" in README
    assert "tests/run.sh" in (ROOT / ".ci" / "run").read_text()


def test_every_test_that_the_table_of_faults_names_is_there():
    text = (ROOT / "edgebench" / "device" / "README.md").read_text()
    table = text.partition("## Faults")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 17
    for row in rows:
        nodes = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert nodes, row
        for file, name in nodes:
            assert f"\ndef {name}(" in (ROOT / file).read_text(), f"{file}::{name}"
