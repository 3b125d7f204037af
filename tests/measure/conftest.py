"""A model and a bench on this machine, for whatever measures one."""

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgebench.core import Artifact, Device, DeviceProfile, Format, Job, TensorSpec
from edgebench.device.connect import connect
from edgebench.device.provision import provision
from edgebench.measure.campaign import measure_device
from edgebench.measure.cell import Task
from edgebench.measure.session import Bench
from tests.conftest import miss, need
from tests.programs import UnavailableError
from tests.runners.conftest import tflite
from tests.simulated import BRISK
from tests.sshd import started

__all__ = ["tflite"]


@pytest.fixture(scope="session")
def artifact(tmp_path_factory) -> Artifact:
    """A dense layer with a softmax, `(batch, 8)` to `(batch, 3)`."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Softmax", ["z"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights, "w")],
    )
    path = tmp_path_factory.mktemp("models") / "dense.onnx"
    opset = helper.make_opsetid("", 17)
    save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return artifact_of(path)


def artifact_of(path: Path) -> Artifact:
    return Artifact(
        path=path,
        format=Format.ONNX,
        inputs=(TensorSpec(name="x", shape=(None, 8), dtype="float32"),),
        outputs=(TensorSpec(name="y", shape=(None, 3), dtype="float32"),),
        size_bytes=path.stat().st_size,
        gzip_bytes=path.stat().st_size,
        sha256="0" * 64,
    )


@pytest.fixture
def job(artifact) -> Job:
    return Job(variant="float", artifact=artifact, device="here", runtime="onnxruntime")


@pytest.fixture
def inputs(tmp_path) -> Path:
    path: Path = tmp_path / "inputs.npz"
    np.savez(path, x=np.random.default_rng(1).random((40, 8), dtype=np.float32))
    return path


@pytest.fixture
def task(job, inputs) -> Task:
    return Task(job=job, sample=inputs, inputs=inputs, reference=None, twin=None)


@pytest.fixture
def plugged(monkeypatch):
    """Put a simulated board behind a server of its own; the server, and a device that leads to it.

    The board is gone with the test.
    """
    need("sshd")
    if os.geteuid() != 0:
        miss("only root can give a device files of its own")

    def start(board, **more):
        stack.callback(board.remove)
        try:
            server = stack.enter_context(started(board=replace(board.board, **more)))
        except UnavailableError as error:
            miss(str(error))
        monkeypatch.setenv("EDGEBENCH_SSH_CONFIG", str(server.config))
        return server, connect(server.address)

    with contextlib.ExitStack() as stack:
        yield start


@pytest.fixture
def measured(task, wheels):
    """The cell as it is in the end, and what was said meanwhile."""

    def measure(device, protocol=BRISK):
        told: list[str] = []
        found = measure_device(
            device, [task], protocol, kept={}, cache=wheels, progress=told.append
        )
        *_, last = found
        device.transport.close()
        return last, told

    return measure


@pytest.fixture
def device(tmp_path, monkeypatch) -> Device:
    """This machine, with a work folder that has a space in its name."""
    found = connect("local://")
    assert isinstance(found.profile, DeviceProfile)
    work = tmp_path / "work folder"
    work.mkdir()
    return Device(
        name=found.name,
        profile=found.profile,
        transport=found.transport,
        facts=found.facts,
        work_folder=type(found.work_folder)(work),
    )


@pytest.fixture
def bench(device, tmp_path) -> Bench:
    launch = provision(device, "onnxruntime", cache=tmp_path / "cache", progress=print)
    return Bench(device=device, launch=launch)
