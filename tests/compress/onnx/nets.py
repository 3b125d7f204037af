"""Small random ONNX nets, and the ways of ONNX called as the worker calls them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from hypothesis import settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgebench.compress.inspect import read_artifact
from edgebench.compress.technique import Task, UserCode
from edgebench.core import Step

FLOAT = TensorProto.FLOAT
SIDE = 9
WARNINGS_OFF = 4
# A session of onnxruntime takes as long as the machine is busy.
patient = settings(deadline=None, max_examples=60)


@dataclass
class Draft:
    """A chain of nodes that grows at its end."""

    nodes: list[Any] = field(default_factory=list)
    stored: dict[str, Any] = field(default_factory=dict)
    value: str = "x"

    def add(self, kind, *constants, name=None, **attributes):
        """Add a node on the last value; constants are arrays, or names of those that are there."""
        name = name or f"{kind.lower()}{len(self.nodes)}"
        inputs = []
        for place, constant in enumerate(constants):
            if isinstance(constant, str):
                inputs.append(constant)
            else:
                inputs.append(f"{name}.{'wbcd'[place]}")
                self.stored[inputs[-1]] = constant.astype(np.float32)
        place = attributes.pop("place", 1)
        inputs.insert(1 - place, self.value)
        self.value = f"{name}.out"
        self.nodes.append(helper.make_node(kind, inputs, [self.value], name=name, **attributes))
        return self

    def model(self, shape, *, as_constants=False, opset=17):
        nodes = list(self.nodes)
        initializers = [numpy_helper.from_array(a, n) for n, a in self.stored.items()]
        if as_constants:
            nodes = [
                *(helper.make_node("Constant", [], [t.name], value=t) for t in initializers),
                *nodes,
            ]
            initializers = []
        graph = helper.make_graph(
            nodes,
            "random",
            [helper.make_tensor_value_info("x", FLOAT, shape)],
            [helper.make_tensor_value_info(self.value, FLOAT, None)],
            initializers,
        )
        made = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8
        )
        # The shape of the output is what the nodes make of the input's.
        made = onnx.shape_inference.infer_shapes(made, strict_mode=True)
        onnx.checker.check_model(made, full_check=True)
        del made.graph.value_info[:]
        return made


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def run(model, x):
    """Outputs of a model or a file, without any of onnxruntime's own rewriting."""
    options = ort.SessionOptions()
    options.log_severity_level = WARNINGS_OFF
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    given = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = ort.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x} if not isinstance(x, dict) else x)


def off(wanted, found):
    """How far apart outputs are, by the largest of them."""
    assert [a.shape for a in wanted] == [a.shape for a in found]
    return max(
        float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-6))
        for a, b in zip(wanted, found, strict=True)
    )


def take(way, model, step, folder, *, seed=0, base=Path()):
    """Walk a way on a model; returns what it made and the outcome."""
    source = folder / "source.onnx"
    onnx.save(model, str(source))
    target = folder / "made"
    target.mkdir(exist_ok=True)
    task = Task(
        way=way.name,
        source=read_artifact(source),
        step=step,
        folder=target,
        seed=seed,
        code=UserCode(base=base),
    )
    outcome = way.function(task, lambda words: None)
    onnx.checker.check_model(str(outcome.path), full_check=True)
    return onnx.load(str(outcome.path)), outcome


def step(name, value, **options):
    return Step(name=name, value=value, options=options)


def weights(model):
    """Constants of rank 2 and more, by name."""
    found = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    return {name: array for name, array in found.items() if array.ndim >= 2}


def recurrent():
    """A table, an LSTM and a GRU over seven words."""
    stored = {
        **{"table": normal(2, 10, 5), "lw": normal(0, 1, 12, 5), "lr": normal(1, 1, 12, 3)},
        **{"gw": normal(3, 1, 6, 3), "gr": normal(4, 1, 6, 2), "axis": np.array([1])},
    }
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["g"], name="embedding"),
        helper.make_node("LSTM", ["g", "lw", "lr"], ["l"], name="lstm", hidden_size=3),
        helper.make_node("Squeeze", ["l", "axis"], ["s"]),
        helper.make_node("GRU", ["s", "gw", "gr"], ["y"], name="gru", hidden_size=2),
    ]
    graph = helper.make_graph(
        nodes,
        "recurrent",
        [helper.make_tensor_value_info("x", TensorProto.INT64, [7, 1])],
        [helper.make_tensor_value_info("y", FLOAT, [7, 1, 1, 2])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@st.composite
def convolution_attributes(draw, axes, kernel):
    """Strides, dilations and padding of a convolution, written or left out."""
    said = {}
    if draw(st.booleans()):
        said["strides"] = draw(st.lists(st.integers(1, 2), min_size=axes, max_size=axes))
    padding = draw(st.sampled_from(["pads", "SAME_UPPER", "SAME_LOWER", "VALID", "none"]))
    # onnxruntime spreads no kernel that is padded to the same size.
    if not padding.startswith("SAME") and draw(st.booleans()):
        said["dilations"] = draw(st.lists(st.integers(1, 2), min_size=axes, max_size=axes))
    if padding == "pads":
        said["pads"] = draw(st.lists(st.integers(0, 2), min_size=2 * axes, max_size=2 * axes))
    elif padding != "none":
        said["auto_pad"] = padding
    if draw(st.booleans()):
        said["kernel_shape"] = list(kernel)
    return said


@st.composite
def nets(draw, *, rank=None):
    """Two convolutions, the first in groups or not, and two dense layers, one as a Gemm."""
    axes = rank or draw(st.integers(1, 2))
    seed = draw(st.integers(0, 2**16))
    inputs = draw(st.sampled_from([2, 4]))
    groups = draw(st.sampled_from([1, 2, inputs]))
    middle, outputs = groups * draw(st.integers(1, 3)), draw(st.integers(2, 6))
    draft = Draft()
    for number, (shape, group) in enumerate(
        [((middle, inputs // groups), groups), ((outputs, middle), 1)]
    ):
        kernel = draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
        bias = [normal(seed + 1, shape[0])] if draw(st.booleans()) else []
        said = draw(convolution_attributes(axes, kernel))
        # Two strided convolutions leave too little of the image.
        if number:
            said.pop("strides", None)
            said.pop("dilations", None)
        draft.add("Conv", normal(seed + number, *shape, *kernel), *bias, group=group, **said)
        draft.add("Relu")
    draft.add("GlobalAveragePool").add("Flatten")
    hidden = draw(st.integers(1, 5))
    turned = draw(st.integers(0, 1))
    shape = (hidden, outputs) if turned else (outputs, hidden)
    draft.add("Gemm", normal(seed + 2, *shape), normal(seed + 3, hidden), transB=turned, alpha=0.5)
    draft.add("MatMul", normal(seed + 4, hidden, 3))
    x = normal(seed + 5, 1, inputs, *[SIDE] * axes)
    return draft.model(x.shape, as_constants=draw(st.booleans())), x
