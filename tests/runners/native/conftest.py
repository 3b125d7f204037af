"""The native runner, made here for this machine, and the libraries that it runs."""

import platform
import subprocess
import sysconfig
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from edgebench.device.native import TRIED, Compiler, built, launch_argv, library_in
from edgebench.errors import NotDone
from edgebench.runner import RunnerJob, RunnerResult, run_here
from edgebench.runtimes import Runtime
from tests.conftest import miss, need
from tests.runners.conftest import CACHE, SHORT

PACKAGES = Path(sysconfig.get_paths()["platlib"])
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="session")
def native() -> Path:
    """The native runner for this machine."""
    try:
        return built(platform.machine(), cache=CACHE)
    except NotDone as error:
        miss(str(error))


@pytest.fixture(scope="session")
def sanitized() -> Path:
    """The native runner that ends at the first access or operation that C does not define.

    By the system's own compiler: zig's has no AddressSanitizer.
    """
    gcc = need("gcc")
    told = subprocess.run([gcc, "--version"], capture_output=True, text=True, check=True)
    by = Compiler(argv=(gcc,), version=told.stdout)
    try:
        return built(platform.machine(), cache=CACHE, compiler=by, flags=SANITIZED)
    except NotDone as error:
        miss(str(error))


def runtime_of(model: Path) -> Runtime:
    return "onnxruntime" if model.suffix == ".onnx" else "litert"


def library_of(runtime: Runtime) -> Path:
    """The library of the wheel that is installed here, if it is one that was tried."""
    if runtime == "litert" and metadata.version("ai-edge-litert") not in TRIED[runtime]:
        pytest.skip("not a version tried")
    return library_in(PACKAGES, runtime)


@pytest.fixture
def ask_native(native: Path, tmp_path: Path) -> Callable[..., tuple[RunnerResult, Path]]:
    """As `ask`, by the native runner."""

    def run(
        model: Path, *, program: Path = native, library: Path | None = None, **options: Any
    ) -> tuple[RunnerResult, Path]:
        asked = {"kind": "outputs", "runtime": runtime_of(model), "loop": SHORT, **options}
        found = library or library_of(runtime_of(model))
        folder = tmp_path / f"native-{len(list(tmp_path.glob('native-*')))}"
        job = RunnerJob(model=str(model), **asked)
        return run_here(job, folder, program=launch_argv(program, found)), folder

    return run
