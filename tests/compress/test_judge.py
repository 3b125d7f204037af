"""Accuracy on the validation set: once for a file, however many ask at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from edgebench.compress.inspect import read_artifact
from edgebench.compress.judge import Judge, judge
from edgebench.data import dataset_from_arrays, load_metric

ASKERS = 8


@pytest.fixture
def artifact(tmp_path):
    """A file whose best class is that of the largest input."""
    from onnx import TensorProto, helper, save

    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in ("x", "y")
    ]
    nodes = [helper.make_node("Softmax", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:])
    opset = helper.make_opsetid("", 17)
    path = tmp_path / "softmax.onnx"
    save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    return read_artifact(path)


@pytest.fixture
def by(tmp_path):
    x = np.random.default_rng(0).random((40, 3), dtype=np.float32)
    y = x.argmax(axis=1)
    arrays = {
        f"{axis}_{split}": a for split in ("train", "test") for axis, a in (("x", x), ("y", y))
    }
    dataset = dataset_from_arrays(arrays, name="largest")
    return Judge(dataset=dataset, metric=load_metric("top1", base=tmp_path))


def test_variants_that_begin_alike_may_be_judged_at_once(artifact, by, tmp_path):
    # All look before one has judged, and all have judged before one keeps it.
    looked, judged = threading.Barrier(ASKERS), threading.Barrier(ASKERS)

    def look(words):
        looked.wait(60)

    def score(outputs, labels):
        judged.wait(60)
        return by.metric.score(outputs, labels)

    together = replace(by, metric=replace(by.metric, score=score))

    def ask(_):
        return judge(artifact, together, cache=tmp_path, progress=look)

    with ThreadPoolExecutor(ASKERS) as pool:
        found = list(pool.map(ask, range(ASKERS)))
    assert [one.value for one in found] == [1.0] * ASKERS
    assert [path.suffix for path in (tmp_path / "judged").iterdir()] == [".json"]


def test_what_was_judged_is_not_judged_again(artifact, by, tmp_path):
    first = judge(artifact, by, cache=tmp_path, progress=lambda _: None)
    assert judge(artifact, by, cache=tmp_path, progress=pytest.fail) == first
