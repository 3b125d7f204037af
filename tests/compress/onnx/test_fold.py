import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from edgebench.compress.onnx.fold import WAY
from edgebench.compress.onnx.graph import count
from edgebench.errors import NoEffect
from tests.compress.onnx.nets import (
    FLOAT,
    SIDE,
    Draft,
    convolution_attributes,
    normal,
    off,
    patient,
    run,
    step,
    take,
)

pytestmark = pytest.mark.converter

BN = step("fold", "bn")
CONSTANTS = step("fold", "constants")
# Sums that nearly cancel differ by more than their last digits.
CLOSE = 1e-3


def kinds(model):
    return [node.op_type for node in model.graph.node]


def statistics(channels, seed=0):
    """Gain, offset, mean and variance."""
    variance = np.abs(normal(seed + 3, channels)) + 0.1
    return [*(normal(seed + i, channels) for i in range(3)), variance]


@st.composite
def normalized(draw):
    """A layer, and behind it what a normalization comes to: one or more operations."""
    seed, said = draw(st.integers(0, 99)), {}
    kind = draw(st.sampled_from(["Conv", "ConvTranspose", "Gemm", "MatMul"]))
    groups = draw(st.integers(1, 3)) if kind.startswith("Conv") else 1
    inputs, each = groups * draw(st.integers(1, 2)), draw(st.integers(1, 3))
    outputs = groups * each
    bias = [normal(seed + 9, outputs)] if kind != "MatMul" and draw(st.booleans()) else []
    if kind in {"Gemm", "MatMul"}:
        x, shape, ones = normal(1, 8, inputs), [inputs, outputs], []
        said = {"beta": 2.0, "alpha": 0.5} if kind == "Gemm" else {}
    else:
        x, ones = normal(1, 2, inputs, SIDE), [1]
        pair = (outputs, inputs // groups) if kind == "Conv" else (inputs, each)
        shape, said = [*pair, 2], {"group": groups}
        if kind == "Conv":
            said |= draw(convolution_attributes(1, (2,)))
    draft = Draft().add(kind, normal(seed, *shape), *bias, **said)
    chain = draw(
        st.lists(st.sampled_from(["BatchNormalization", "Mul", "Add", "Div", "Sub"]), max_size=3)
    )
    for at, name in enumerate(chain):
        if name == "BatchNormalization":
            draft.add(name, *statistics(outputs, seed + at), epsilon=1e-3)
        else:
            place = draw(st.integers(0, 1)) if name in {"Mul", "Add"} else 1
            numbers = np.abs(normal(seed + at, outputs, *ones)) + 0.5
            draft.add(name, numbers, place=place)
    return draft.add("Neg").model(x.shape), x, (kind, chain)


@patient
@given(normalized())
def test_what_follows_is_in_the_weights_and_outputs_stay(tmp_path_factory, drawn):
    model, x, (kind, chain) = drawn
    folder = tmp_path_factory.mktemp("fold")
    if not chain or (kind == "MatMul" and chain in (["Add"], ["Sub"])):
        with pytest.raises(NoEffect):
            take(WAY, model, BN, folder)
        return
    made, outcome = take(WAY, model, BN, folder)
    shifts = kind == "MatMul" and any(name not in {"Mul", "Div"} for name in chain)
    assert kinds(made) == [kind, *(["Add"] if shifts else []), "Neg"]
    assert next(iter(outcome.changed["folded"].values())) == chain
    assert off(run(model, x), run(made, x)) < CLOSE
    assert outcome.changed["parity_max_error"] < CLOSE


def conv():
    return Draft().add("Conv", normal(0, 4, 3, 3, 3), name="conv")


@pytest.mark.parametrize(
    "draft",
    [
        conv().add("Relu").add("BatchNormalization", *statistics(4)),
        conv().add("BatchNormalization", *statistics(4), training_mode=0).add("Conv", "conv.w"),
        conv().add("Mul", normal(1, 4, 7, 7)),
        conv().add("Mul", normal(1, 7)),
        conv().add("Sub", normal(1, 4, 1, 1), place=0),
        conv().add("Mul", "conv.out"),
    ],
    ids=[
        "behind a Relu",
        "shared",
        "by pixel",
        "by column",
        "subtracted from",
        "squared",
    ],
)
def test_what_is_not_for_a_channel_alone_stays(tmp_path, draft):
    shape = [1, 3, 9, 9]
    if len(draft.nodes) == 3 and draft.nodes[-1].op_type == "Conv":
        draft.stored["conv.w"] = normal(0, 4, 4, 3, 3)
        shape = [1, 4, 9, 9]
    with pytest.raises(NoEffect, match="found no layer"):
        take(WAY, draft.model(shape), BN, tmp_path)


def test_a_normalization_that_still_learns_stays(tmp_path):
    draft = conv().add("BatchNormalization", *statistics(4), training_mode=1)
    draft.nodes[-1].output.extend(["mean", "variance"])
    with pytest.raises(NoEffect):
        take(WAY, draft.model([1, 3, 9, 9]), BN, tmp_path)


def test_a_value_that_is_read_twice_stays(tmp_path):
    draft = conv().add("BatchNormalization", *statistics(4))
    model = draft.add("Add", "conv.out").model([1, 3, 9, 9])
    with pytest.raises(NoEffect):
        take(WAY, model, BN, tmp_path)


def test_a_value_that_is_an_output_stays(tmp_path):
    model = conv().add("BatchNormalization", *statistics(4)).model([1, 3, 9, 9])
    model.graph.output.append(helper.make_tensor_value_info("conv.out", FLOAT, [1, 4, 7, 7]))
    with pytest.raises(NoEffect):
        take(WAY, model, BN, tmp_path)


def test_a_product_over_sequences_is_normalized_along_another_axis(tmp_path):
    draft = Draft().add("MatMul", normal(0, 5, 4)).add("BatchNormalization", *statistics(3))
    with pytest.raises(NoEffect):
        take(WAY, draft.model([2, 3, 5]), BN, tmp_path)


def computed():
    """A reshape whose target is computed from the batch, a transposed weight and a dead branch."""
    stored = {"w": normal(0, 3, 4), "first": np.array([0]), "rest": np.array([-1])}
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "first"], ["batch"]),
        helper.make_node("Concat", ["batch", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["x", "target"], ["flat"]),
        helper.make_node("Transpose", ["w"], ["turned"]),
        helper.make_node("MatMul", ["flat", "turned"], ["y"], name="dense"),
        helper.make_node("Sigmoid", ["flat"], ["dead"]),
    ]
    graph = helper.make_graph(
        nodes,
        "computed",
        [helper.make_tensor_value_info(n, FLOAT, s) for n, s in {"x": [2, 2, 2], "u": [1]}.items()],
        [helper.make_tensor_value_info("y", FLOAT, [2, 3])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_what_depends_on_no_input_is_computed_and_dead_branches_go(tmp_path, capfd):
    model = computed()
    made, outcome = take(WAY, model, CONSTANTS, tmp_path)
    assert kinds(made) == ["Reshape", "MatMul"]
    feed = {"x": normal(1, 2, 2, 2), "u": np.zeros(1, np.float32)}
    assert off(run(model, feed), run(made, feed)) == 0
    assert outcome.changed["parity_samples"] == 4
    assert capfd.readouterr() == ("", "")


def test_inputs_and_outputs_of_the_model_are_what_they_were(tmp_path):
    model = computed()
    made, _ = take(WAY, model, CONSTANTS, tmp_path)
    assert list(made.graph.input) == list(model.graph.input)
    assert [value.name for value in made.graph.output] == ["y"]


def test_a_normalization_is_no_constant(tmp_path):
    model = conv().add("BatchNormalization", *statistics(4)).add("Relu").model([1, 3, 9, 9])
    with pytest.raises(NoEffect, match="found nothing constant"):
        take(WAY, model, CONSTANTS, tmp_path)


def test_constants_that_are_nodes_are_no_operations(tmp_path):
    model = Draft().add("MatMul", normal(0, 4, 3)).add("Relu").model([1, 4], as_constants=True)
    assert count(model).constant_weights == 1
    with pytest.raises(NoEffect, match="found nothing constant"):
        take(WAY, model, CONSTANTS, tmp_path)


def test_a_quantized_model_is_refused(tmp_path):
    model = Draft().add("MatMul", normal(0, 4, 3)).add("Relu").model([1, 4])
    half = numpy_helper.from_array(np.ones((2, 2), np.float16), "half")
    model.graph.initializer.append(half)
    for said in (BN, CONSTANTS):
        with pytest.raises(NoEffect, match="quantized already"):
            take(WAY, model, said, tmp_path)
