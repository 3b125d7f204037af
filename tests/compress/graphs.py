"""Small ONNX models, made by hand: what exporters write, and what they should not have."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
FLOAT = TensorProto.FLOAT


def weights(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def initializer(name, array):
    return numpy_helper.from_array(array, name)


def constant(name, array):
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))


def save(path, nodes, inputs, outputs, initializers=(), *, opset=OPSET):
    """Write a graph; inputs and outputs are by name `(type, shape)`."""
    graph = helper.make_graph(
        list(nodes),
        path.stem,
        [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
        list(initializers),
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def dense(path, *, batch=1, as_constants=False, opset=OPSET, kind="MatMul"):
    """Two dense layers of 16 and 4 units on 32 features."""
    first, second = weights(32, 16), weights(16, 4, seed=1)
    named = {"w1": first, "w2": second}
    nodes = [constant(*item) for item in named.items()] if as_constants else []
    stored = [] if as_constants else [initializer(*item) for item in named.items()]
    nodes += [
        helper.make_node(kind, ["x", "w1"], ["h"], name="first"),
        helper.make_node("Relu", ["h"], ["r"], name="relu"),
        helper.make_node(kind, ["r", "w2"], ["y"], name="second"),
    ]
    shapes = {"x": (FLOAT, [batch, 32])}, {"y": (FLOAT, [batch, 4])}
    return save(path, nodes, *shapes, stored, opset=opset)


def branches(path):
    """All weights lie in the two branches of an If, as Constant nodes."""

    def branch(name, seed):
        nodes = [
            constant(f"{name}_w", weights(8, 8, seed=seed)),
            helper.make_node("MatMul", ["x", f"{name}_w"], [f"{name}_y"]),
        ]
        out = helper.make_tensor_value_info(f"{name}_y", FLOAT, [1, 8])
        return helper.make_graph(nodes, name, [], [out])

    node = helper.make_node(
        "If", ["flag"], ["y"], then_branch=branch("yes", 0), else_branch=branch("no", 1)
    )
    inputs = {"x": (FLOAT, [1, 8]), "flag": (TensorProto.BOOL, [])}
    return save(path, [node], inputs, {"y": (FLOAT, [1, 8])})


def two_inputs(path):
    """A convolution on `image` and a dense layer on `facts`, added up."""
    stored = [initializer("k", weights(4, 1, 3, 3)), initializer("w", weights(6, 4, seed=1))]
    nodes = [
        helper.make_node("Conv", ["image", "k"], ["c"], name="conv"),
        helper.make_node("GlobalAveragePool", ["c"], ["g"], name="pool"),
        helper.make_node("Flatten", ["g"], ["f"], name="flat"),
        helper.make_node("MatMul", ["facts", "w"], ["d"], name="dense"),
        helper.make_node("Add", ["f", "d"], ["y"], name="add"),
    ]
    inputs = {"image": (FLOAT, [1, 1, 8, 8]), "facts": (FLOAT, [1, 6])}
    return save(path, nodes, inputs, {"y": (FLOAT, [1, 4])}, stored)


def weightless(path):
    """A model with nothing to quantize."""
    nodes = [helper.make_node("Relu", ["x"], ["y"], name="relu")]
    return save(path, nodes, {"x": (FLOAT, [1, 32])}, {"y": (FLOAT, [1, 32])})
