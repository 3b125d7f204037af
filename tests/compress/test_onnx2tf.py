import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.compress.onnx2tf import (
    COMMAND,
    PYTHON_VARIABLE,
    TOOL_VARIABLE,
    VERSION,
    cache_folder,
    clean_environment,
    find_onnx2tf,
    find_python,
    refusal,
    versions,
)
from edgebench.errors import ConfigError


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A machine on which nothing is set, with a cache of its own."""
    monkeypatch.delenv(TOOL_VARIABLE, raising=False)
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    monkeypatch.setenv("EDGEBENCH_CACHE", str(tmp_path / "cache"))


def environment(folder, version="2.6.9"):
    """What pip leaves of onnx2tf in an environment, as far as it is looked at."""
    tool = folder / "bin" / "onnx2tf"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\n")
    (folder / f"lib/python3.12/site-packages/onnx2tf-{version}.dist-info").mkdir(parents=True)
    return tool


def test_where_it_is_absent_the_command_that_makes_it_is_said():
    assert find_onnx2tf() is None
    assert COMMAND in (refusal() or "")
    assert versions() == {}


@pytest.mark.parametrize("named", ["bin/onnx2tf", "."])
def test_the_variable_names_the_program_or_its_environment(tmp_path, monkeypatch, named):
    tool = environment(tmp_path / "venv", "2.7.0")
    monkeypatch.setenv(TOOL_VARIABLE, str(tmp_path / "venv" / named))
    found = find_onnx2tf()
    assert found is not None
    assert found.resolve() == tool.resolve()
    assert refusal() is None
    assert versions() == {"onnx2tf": "2.7.0"}


def test_a_link_from_another_folder_leads_to_its_environment(tmp_path, monkeypatch):
    link = tmp_path / "links" / "onnx2tf"
    link.parent.mkdir()
    link.symlink_to(environment(tmp_path / "venv"))
    monkeypatch.setenv(TOOL_VARIABLE, str(link))
    assert versions() == {"onnx2tf": "2.6.9"}


def test_a_variable_that_leads_nowhere_is_said_to(tmp_path, monkeypatch):
    environment(tmp_path / "cache" / "onnx2tf")
    monkeypatch.setenv(TOOL_VARIABLE, str(tmp_path / "nothing"))
    assert find_onnx2tf() is None
    assert f"{TOOL_VARIABLE} names" in (refusal() or "")


@pytest.mark.parametrize(
    ("marker", "is_there"),
    [
        (None, False),
        ("{", False),
        ('{"onnx2tf": "1.0"}', False),
        (f'{{"onnx2tf": "{VERSION}"}}', True),
    ],
    ids=["unfinished", "cut off", "of another version", "whole"],
)
def test_an_environment_is_used_once_it_is_whole(tmp_path, marker, is_there):
    home = tmp_path / "cache" / "onnx2tf"
    tool = environment(home)
    if marker is not None:
        (home / "edgebench.json").write_text(marker)
    assert find_onnx2tf() == (tool if is_there else None)


def test_the_cache_lies_where_the_command_line_has_it(tmp_path, monkeypatch):
    from edgebench.cli import desk

    assert cache_folder() == desk.cache_folder()
    monkeypatch.delenv("EDGEBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == desk.cache_folder()


def test_another_python_does_not_see_the_packages_of_this_one(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/packages")
    monkeypatch.setenv("VIRTUAL_ENV", "/venv")
    found = clean_environment(tmp_path / "bin" / "onnx2tf")
    assert not {"PYTHONPATH", "VIRTUAL_ENV"} & set(found)
    assert found["PATH"].split(os.pathsep)[0] == str(tmp_path / "bin")


def stand_in(path, answer):
    """A program that takes any arguments and ends with this exit code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexit {answer}\n")
    path.chmod(0o755)
    return path


def test_the_named_python_is_asked_before_it_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv(PYTHON_VARIABLE, str(stand_in(tmp_path / "python", 0)))
    assert find_python() == tmp_path / "python"
    monkeypatch.setenv(PYTHON_VARIABLE, str(stand_in(tmp_path / "old", 1)))
    with pytest.raises(ConfigError, match=r"no Python 3.12 or later") as caught:
        find_python()
    assert str(tmp_path / "old") in str(caught.value.hint)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python itself is new enough")
def test_a_stand_in_on_the_path_that_fails_is_passed_over(tmp_path, monkeypatch):
    stand_in(tmp_path / "shims" / "python3.12", 127)
    real = stand_in(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python3.12", 0)
    monkeypatch.setenv("PATH", str(tmp_path / "shims"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    assert find_python() == real


def test_the_command_explains_itself():
    argv = [sys.executable, "-m", "edgebench.compress.onnx2tf", "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert VERSION in done.stdout
    assert PYTHON_VARIABLE in done.stdout


def test_without_a_python_the_command_ends_as_an_error_of_the_plan(tmp_path, monkeypatch):
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "none"))
    argv = [sys.executable, "-m", "edgebench.compress.onnx2tf"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == ConfigError.exit_code
    assert "error: There is no Python 3.12" in done.stderr
    assert not (Path(os.environ["EDGEBENCH_CACHE"]) / "onnx2tf").exists()
