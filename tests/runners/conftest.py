"""Models and runtimes for the runner: made or installed once, then taken from the cache."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebench.runner import Loop, RunnerJob, RunnerResult, run_here, shipped
from tests.conftest import miss

HERE = Path(__file__).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebench-tests"
SHORT = Loop(warmup_min_s=0.05, warmup_max_s=0.5, sample_min_s=0.05, sample_max_s=1.0)

# The modules of the runner stand beside each other and import each other so, as on a board.
sys.path.insert(0, str(shipped("runners")))


@pytest.fixture(scope="session")
def tflite() -> Path:
    """A folder of TFLite files, made by TensorFlow in a process of its own."""
    script = HERE / "make_tflite.py"
    folder = CACHE / f"tflite-{hashlib.sha256(script.read_bytes()).hexdigest()[:16]}"
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
            argv = [sys.executable, str(script), scratch]
            done = subprocess.run(argv, env=environment, capture_output=True, check=False)
            if done.returncode:
                pytest.fail(done.stderr.decode()[-2000:])
            shutil.copytree(scratch, f"{folder}.part-{os.getpid()}")
            Path(f"{folder}.part-{os.getpid()}").rename(folder)
    return folder


@pytest.fixture(scope="session")
def old_python() -> str:
    """A Python with tflite-runtime 2.14, which wants a numpy of its own time."""
    folder = CACHE / "tflite-runtime-2.14"
    python = folder / "bin" / "python"
    if not (folder / "whole").exists():
        found = shutil.which("python3.11") or miss("Python 3.11 is not installed")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([found, "-m", "venv", str(folder)], check=True)
        argv = [str(python), "-m", "pip", "install", "-q", "tflite-runtime==2.14.0", "numpy<2"]
        done = subprocess.run(argv, capture_output=True, check=False)
        if done.returncode:
            miss(f"tflite-runtime cannot be installed: {done.stderr.decode()[-300:]}")
        (folder / "whole").touch()
    return str(python)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., tuple[RunnerResult, Path]]:
    """Run a job in a process of its own; its answer, and the folder of its files."""

    def run(
        model: Path, *, python: str = sys.executable, **options: Any
    ) -> tuple[RunnerResult, Path]:
        runtime = "onnxruntime" if model.suffix == ".onnx" else "litert"
        asked = {"kind": "outputs", "runtime": runtime, "loop": SHORT, **options}
        folder = tmp_path / f"job-{len(list(tmp_path.glob('job-*')))}"
        return run_here(RunnerJob(model=str(model), **asked), folder, python=python), folder

    return run


@pytest.fixture
def outputs_of(
    ask: Callable[..., tuple[RunnerResult, Path]], tmp_path: Path
) -> Callable[..., dict[str, np.ndarray]]:
    """What the outputs pass computes from these samples."""

    def compute(model: Path, inputs: dict[str, Any], **options: Any) -> dict[str, np.ndarray]:
        path = tmp_path / "samples.npz"
        np.savez(path, **inputs)
        _, folder = ask(model, inputs=str(path), **options)
        with np.load(folder / "outputs.npz") as archive:
            return dict(archive)

    return compute


@pytest.fixture
def onnx_model(tmp_path: Path) -> Callable[..., Path]:
    """Write an ONNX model of some nodes; values are `name: (type, shape)`."""

    def write(nodes: list[Any], inputs: dict[str, Any], outputs: dict[str, Any]) -> Path:
        from onnx import helper, save

        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(name, *value) for name, value in inputs.items()],
            [helper.make_tensor_value_info(name, *value) for name, value in outputs.items()],
        )
        path = tmp_path / f"model-{len(list(tmp_path.glob('*.onnx')))}.onnx"
        opset = helper.make_opsetid("", 17)
        save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
        return path

    return write
