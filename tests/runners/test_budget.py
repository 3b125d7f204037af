"""What the runner may be made of, for it must start on a board that has little and old."""

import ast
import importlib.util
import re
import sys

import pytest

from edgebench.runner import shipped

FILES = sorted(shipped("runners").glob("*.py"))
SIBLINGS = {path.stem for path in FILES}
GUESTS = {"numpy", "ai_edge_litert", "tflite_runtime", "onnxruntime"}


def imports(path):
    """Top-level names of what a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_runner_is_python_3_8(path):
    ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_runner_imports_only_what_a_board_has(path):
    assert set(imports(path)) <= set(sys.stdlib_module_names) | SIBLINGS | GUESTS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_is_long(path):
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("name", sorted(SIBLINGS))
def test_no_module_hides_one_that_is_installed(name):
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin == str(shipped("runners") / f"{name}.py")
    assert name not in sys.stdlib_module_names


@pytest.mark.parametrize("name", ["run", "memory", "failure"])
def test_what_runs_before_the_first_checkpoint_imports_no_numpy_on_loading(name):
    tree = ast.parse((shipped("runners") / f"{name}.py").read_text())
    loaded = {
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    }
    loaded |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert loaded <= {"json", "os", "sys", "time", "memory", "failure"}


@pytest.mark.parametrize("path", sorted(shipped("runners").glob("*.*")), ids=lambda path: path.name)
def test_nothing_on_a_device_reads_its_wall_clock_which_may_jump(path):
    words = r"time\.time\b|datetime|CLOCK_REALTIME|\bdate\b *[+)]|localtime|gmtime"
    assert re.findall(words, path.read_text()) == []
