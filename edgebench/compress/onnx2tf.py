"""onnx2tf as an outside tool: where it is, and how its environment is made.

    python -m edgebench.compress.onnx2tf

It pins every package it needs and wants Python 3.12 or later, so that it cannot live in the
environment of edgebench. Where it is:

    EDGEBENCH_ONNX2TF         the program, or the folder of its environment
    $EDGEBENCH_CACHE/onnx2tf  what the command above makes

    EDGEBENCH_ONNX2TF_PYTHON  which Python makes it; else whatever is found and works
"""

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edgebench.errors import CompressionError, ConfigError, EdgebenchError

# 2.6 writes the flatbuffer itself and needs no TensorFlow.
VERSION: Final = "2.6.9"
PYTHON_MIN: Final = (3, 12)
# Newer ones last: numpy 2.2.6, which onnx2tf 2.6.9 pins, has no wheel for Python 3.14.
PYTHONS: Final = ("python3.12", "python3.13", "python3.14", "python3")
TOOL_VARIABLE: Final = "EDGEBENCH_ONNX2TF"
PYTHON_VARIABLE: Final = "EDGEBENCH_ONNX2TF_PYTHON"
COMMAND: Final = "python -m edgebench.compress.onnx2tf"
MARKER_FILE: Final = "edgebench.json"
PROBE_TIMEOUT_S: Final = 30.0
INSTALL_TIMEOUT_S: Final = 1800.0
SAID_CHARS: Final = 600


def find_onnx2tf() -> Path | None:
    """The program, where it can be used; None where it is not there."""
    named = os.environ.get(TOOL_VARIABLE)
    if named:
        path = Path(named).expanduser().absolute()
        tool = path if path.is_file() else path / "bin" / "onnx2tf"
        return tool if version_of(tool) is not None else None
    home = environment_folder()
    return home / "bin" / "onnx2tf" if _marked_version(home) == VERSION else None


def refusal() -> str | None:
    """Why onnx2tf cannot be used on this machine, and what to do about it; None where it can."""
    if find_onnx2tf() is not None:
        return None
    named = os.environ.get(TOOL_VARIABLE)
    if named:
        return f"{TOOL_VARIABLE} names {named!r}, where onnx2tf is not installed"
    return f"it needs onnx2tf in an environment of its own, which `{COMMAND}` makes"


def versions() -> dict[str, str]:
    """The version of the tool that would be used: it decides what comes out."""
    tool = find_onnx2tf()
    found = version_of(tool) if tool is not None else None
    return {"onnx2tf": found} if found is not None else {}


def version_of(tool: Path) -> str | None:
    """The version that is installed beside a program; None where there is none."""
    if not tool.is_file():
        return None
    # Installers such as pipx link to the program from another folder.
    packages = tool.resolve().parent.parent.glob("lib/python*/site-packages/onnx2tf-*.dist-info")
    found = next(iter(sorted(packages)), None)
    return found.name.removesuffix(".dist-info").partition("-")[2] if found else None


def clean_environment(tool: Path) -> dict[str, str]:
    """Variables for a program of another Python: what points into this one is left out."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept.pop("VIRTUAL_ENV", None)
    kept["PATH"] = os.pathsep.join([str(tool.parent), kept.get("PATH", os.defpath)])
    return kept


def cache_folder() -> Path:
    """`EDGEBENCH_CACHE`, else the place that the desktop's standard names."""
    if named := os.environ.get("EDGEBENCH_CACHE"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "edgebench"


def environment_folder() -> Path:
    """Where the environment is that edgebench makes."""
    return (cache_folder() / "onnx2tf").absolute()


def make_environment() -> Path:
    """Make the environment, unless it is there, and return the program.

    An environment cannot be moved, so it is made where it stays; a marker that is written last says
    that it is whole.

    Raises:
        ConfigError: There is no Python that can make it.
        CompressionError: It could not be installed.
    """
    home = environment_folder()
    tool = home / "bin" / "onnx2tf"
    with _alone(home):
        if _marked_version(home) == VERSION:
            return tool
        python = find_python()
        shutil.rmtree(home, ignore_errors=True)
        _run([str(python), "-m", "venv", str(home)], tool)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        _run([*pip, "--disable-pip-version-check", f"onnx2tf=={VERSION}"], tool)
        part = home / f"{MARKER_FILE}.part"
        part.write_text(json.dumps({"onnx2tf": VERSION, "python": str(python)}))
        part.rename(home / MARKER_FILE)
    return tool


def find_python() -> Path:
    """A Python that is new enough and can make environments: it was asked.

    Raises:
        ConfigError: None was found.
    """
    named = os.environ.get(PYTHON_VARIABLE)
    tried = []
    for candidate in [Path(named).expanduser()] if named else _candidates():
        if _works(candidate):
            return candidate
        tried.append(str(candidate))
    msg = f"There is no Python {'.'.join(map(str, PYTHON_MIN))} or later that makes environments."
    hint = f"Install one with its venv module, or name it: {PYTHON_VARIABLE}=/path/to/python3.12."
    if tried:
        hint = f"{hint} Tried: {', '.join(tried)}."
    raise ConfigError(msg, hint=hint)


def _candidates() -> Iterator[Path]:
    """This Python, those on the PATH, and those of pyenv, whose stand-ins on the PATH may fail."""
    yield Path(sys.executable)
    for name in PYTHONS:
        if found := shutil.which(name):
            yield Path(found)
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for name in PYTHONS:
        wanted = name.removeprefix("python")
        yield from sorted(home.glob(f"versions/{wanted}.*/bin/{name}"))


def _works(python: Path) -> bool:
    # Debian leaves ensurepip out of its Python, and brings it with python3-venv.
    probe = f"import sys, venv, ensurepip; sys.exit(sys.version_info < {PYTHON_MIN})"
    try:
        done = subprocess.run(
            [str(python), "-c", probe],
            env=clean_environment(python),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PROBE_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def call(tool: Path, argv: list[str], *, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run a program of the tool's environment to its end, with all that it says as `stdout`.

    Raises:
        subprocess.TimeoutExpired: It took longer.
    """
    return subprocess.run(
        argv,
        # With its own folder first: it calls onnxsim by name, and goes without if it fails.
        env=clean_environment(tool),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=timeout_s,
    )


def _run(argv: list[str], tool: Path) -> None:
    try:
        done = call(tool, argv, timeout_s=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(argv[1:4])!r} took more than {INSTALL_TIMEOUT_S:.0f} s."
        raise CompressionError(msg, hint="Is the package index reachable?") from error
    if done.returncode:
        msg = f"onnx2tf {VERSION} could not be installed: {done.stdout[-SAID_CHARS:].strip()}"
        hint = f"Install it yourself, and name its environment: {TOOL_VARIABLE}=/path/to/venv."
        raise CompressionError(msg, hint=hint)


def _marked_version(home: Path) -> str | None:
    try:
        marker: Mapping[str, str] = json.loads((home / MARKER_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return marker.get("onnx2tf")


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the lock of the environment, so that two processes do not make it at once."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with home.with_suffix(".lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Make the environment, and say where the program is."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description=f"Make an environment of its own for onnx2tf {VERSION}: some 660 MB.",
        epilog=f"{PYTHON_VARIABLE} names the Python that makes it; EDGEBENCH_CACHE, where.",
    )
    parser.parse_args()
    sys.stderr.write(f"installing onnx2tf {VERSION} in {environment_folder()}\n")
    try:
        tool = make_environment()
    except EdgebenchError as error:
        sys.stderr.write(f"error: {error}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return error.exit_code
    sys.stdout.write(f"{tool}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
