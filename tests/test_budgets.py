"""What keeps the house small and quick to enter."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINES = 300
LONGER = {"edgebench/core.py": "all nouns in one place, to be read first"}
HEAVY = (
    "ai_edge_litert",
    "jinja2",
    "keras",
    "numpy",
    "onnx",
    "onnxruntime",
    "pandas",
    "paramiko",
    "plotly",
    "psycopg",
    "pyarrow",
    "sqlalchemy",
    "tensorflow",
)


def sources():
    folders = ("edgebench", "runners")
    kinds = {".py", ".c", ".h"}
    return sorted(p for folder in folders for p in (ROOT / folder).rglob("*") if p.suffix in kinds)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path):
    name = str(path.relative_to(ROOT))
    lines = len(path.read_text().splitlines())
    assert lines <= LINES or name in LONGER
    assert lines > LINES or name not in LONGER, "no longer needs its exception"


def test_the_command_line_starts_without_anything_heavy():
    code = "import sys, edgebench.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert [name for name in HEAVY if name in done.stdout.split()] == []
