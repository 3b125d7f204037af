import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.compress.linalg.factor import Factors, reconstruct
from edgebench.compress.linalg.svd import svd_channel, svd_dense, svd_spatial
from edgebench.compress.onnx.kernels import all_kernels
from edgebench.compress.onnx.net import open_net, save_net
from edgebench.compress.onnx.surgery import as_kernel, replace, why_not
from tests.compress import graphs
from tests.compress.onnx.nets import (
    SIDE,
    Draft,
    convolution_attributes,
    normal,
    off,
    patient,
    run,
)

pytestmark = pytest.mark.converter

CLOSE = 1e-5


def factors_of(method, shape, rank, seed=0):
    """Random factors of a kernel `(height, width, in, out)` or `(in, out)`."""
    height, width, inputs, outputs = shape if len(shape) == 4 else (1, 1, *shape)
    shapes: dict[str, list[tuple[int, ...]]] = {
        "dense": [(inputs, rank), (rank, outputs)],
        "channel": [(height, width, inputs, rank), (1, 1, rank, outputs)],
        "spatial": [(height, 1, inputs, rank), (1, width, rank, outputs)],
        "tucker": [
            *((1, 1, inputs, rank), (height, width, rank, rank + 1), (1, 1, rank + 1, outputs)),
        ],
        "cp": [(1, 1, inputs, rank), (height, width, rank, 1), (1, 1, rank, outputs)],
    }
    arrays = tuple(normal(seed + i, *s) for i, s in enumerate(shapes[method]))
    return Factors(method=method, ranks=(rank,), arrays=arrays, error=0.0)


def replaced(model, factors, folder):
    """The model with factors in the place of its first kernel."""
    onnx.save(model, str(folder / "m.onnx"))
    net = open_net(folder / "m.onnx")
    kernel = all_kernels(net)[0]
    assert why_not(kernel) is None
    replace(kernel, factors)
    save_net(net, folder / "f.onnx")
    onnx.checker.check_model(str(folder / "f.onnx"), full_check=True)
    return onnx.load(str(folder / "f.onnx"))


@st.composite
def convolutions(draw):
    """A convolution over one or two axes, and factors whose product is its kernel."""
    axes, rank = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    kernel = draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes))
    inputs, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    method = draw(st.sampled_from(["channel", "spatial", "tucker", "cp"]))
    shape = (*kernel, *[1] * (2 - axes), inputs, outputs)
    factors = factors_of(method, shape, rank, draw(st.integers(0, 99)))
    weights = reconstruct(factors).transpose(3, 2, 0, 1)
    bias = [normal(5, outputs)] if draw(st.booleans()) else []
    said = draw(convolution_attributes(axes, kernel))
    draft = Draft().add("Conv", weights.reshape(outputs, inputs, *kernel), *bias, **said)
    x = normal(6, 2, inputs, *[SIDE] * axes)
    return draft.add("Relu").model(x.shape), x, factors


@patient
@given(convolutions())
def test_factors_of_a_convolution_compute_what_it_computes(tmp_path_factory, drawn):
    model, x, factors = drawn
    made = replaced(model, factors, tmp_path_factory.mktemp("convolution"))
    assert len(made.graph.node) == len(factors.arrays) + 1
    assert off(run(model, x), run(made, x)) < CLOSE


@st.composite
def dense_layers(draw):
    """A MatMul or a Gemm, and factors whose product is its kernel."""
    rank, inputs, outputs = (draw(st.integers(1, 5)) for _ in range(3))
    factors = factors_of("dense", (inputs, outputs), rank, draw(st.integers(0, 99)))
    weights = reconstruct(factors)
    kind = draw(st.sampled_from(["MatMul", "left", "deep", "Gemm", "turned"]))
    x, draft = normal(6, 2, inputs), Draft()
    if kind == "left":
        x = normal(6, inputs, 2)
        draft.add("MatMul", weights.T, place=0)
    elif kind in {"MatMul", "deep"}:
        x = normal(6, 3, 2, inputs) if kind == "deep" else x
        draft.add("MatMul", weights)
    else:
        turned = int(kind == "turned")
        bias = [normal(5, outputs)] if draw(st.booleans()) else []
        kernel = weights.T if turned else weights
        draft.add("Gemm", kernel, *bias, transB=turned, alpha=0.5, beta=2.0)
    return draft.add("Relu").model(x.shape), x, factors


@patient
@given(dense_layers())
def test_factors_of_a_dense_layer_compute_what_it_computes(tmp_path_factory, drawn):
    model, x, factors = drawn
    made = replaced(model, factors, tmp_path_factory.mktemp("dense"))
    assert made.graph.node[0].op_type == "MatMul"
    assert off(run(model, x), run(made, x)) < CLOSE


@pytest.mark.parametrize("method", ["channel", "spatial"])
def test_at_full_rank_nothing_is_lost(tmp_path, method):
    kernel = normal(0, 3, 3, 4, 6)
    decompose, rank = {"channel": (svd_channel, 6), "spatial": (svd_spatial, 12)}[method]
    factors = Factors(method=method, ranks=(rank,), arrays=decompose(kernel, rank), error=0.0)
    model = Draft().add("Conv", kernel.transpose(3, 2, 0, 1), strides=[2, 1]).model([1, 4, 9, 9])
    x = normal(1, 1, 4, 9, 9)
    assert off(run(model, x), run(replaced(model, factors, tmp_path), x)) < CLOSE


def test_names_of_the_layer_and_its_output_live_on(tmp_path):
    model = (
        Draft().add("Conv", normal(0, 4, 3, 3, 3), normal(1, 4), name="stem").model([1, 3, 9, 9])
    )
    made = replaced(model, factors_of("tucker", (3, 3, 3, 4), 2), tmp_path)
    assert [node.name for node in made.graph.node] == ["stem_first", "stem_core", "stem_last"]
    assert [list(node.input) for node in made.graph.node] == [
        ["x", "stem.w_first"],
        ["stem.out_first", "stem.w_core"],
        ["stem.out_core", "stem.w_last", "stem.b"],
    ]
    assert made.graph.output[0].name == "stem.out"
    assert {t.name for t in made.graph.initializer} == {
        *("stem.w_first", "stem.w_core", "stem.w_last", "stem.b")
    }


def test_two_nodes_with_one_kernel_share_its_factors(tmp_path):
    factors = factors_of("channel", (3, 3, 4, 4), 2)
    kernel = reconstruct(factors).transpose(3, 2, 0, 1)
    draft = Draft().add("Conv", kernel, name="a", pads=[1, 1, 1, 1])
    model = draft.add("Relu").add("Conv", "a.w", name="b", strides=[2, 2]).model([1, 4, 9, 9])
    made, x = replaced(model, factors, tmp_path), normal(3, 1, 4, 9, 9)
    assert sorted(t.name for t in made.graph.initializer) == ["a.w_first", "a.w_last"]
    assert len(made.graph.node) == 5
    assert off(run(model, x), run(made, x)) < CLOSE


@pytest.mark.parametrize(
    ("draft", "shape", "reason"),
    [
        (Draft().add("Conv", normal(0, 4, 2, 3, 3), group=2), [1, 4, 9, 9], "in 2 groups"),
        (Draft().add("Conv", normal(0, 4, 2, 2, 2, 2)), [1, 2, 5, 5, 5], "convolves over 3 axes"),
        (Draft().add("ConvTranspose", normal(0, 4, 2, 3, 3)), [1, 4, 9, 9], "for ConvTranspose"),
        (Draft().add("MatMul", normal(0, 2, 4, 3)), [2, 5, 4], "a stack of matrices"),
        (Draft().add("Gemm", normal(0, 4, 3), transA=1), [4, 5], "the transposed one"),
        (Draft().add("Gemm", normal(0, 3, 4), place=0), [4, 5], "or the second"),
        (
            Draft().add("MatMul", normal(0, 4, 4), name="a").add("Gemm", "a.w"),
            *([2, 4], "nodes of different kinds"),
        ),
        (Draft().add("MatMul", normal(0, 4, 4), name="a").add("Mul", "a.w"), [4, 4], "Mul reads"),
    ],
)
def test_what_has_no_factors_says_why(tmp_path, draft, shape, reason):
    onnx.save(draft.model(shape), str(tmp_path / "m.onnx"))
    assert reason in str(why_not(all_kernels(open_net(tmp_path / "m.onnx"))[0]))


def test_a_convolution_along_one_axis_is_as_wide_as_one(tmp_path):
    onnx.save(Draft().add("Conv", normal(0, 4, 2, 3)).model([1, 2, 9]), str(tmp_path / "m.onnx"))
    kernel = all_kernels(open_net(tmp_path / "m.onnx"))[0]
    assert as_kernel(kernel).shape == (3, 1, 2, 4)


def test_a_kernel_of_a_branch_becomes_factors_there(tmp_path):
    first, last = svd_dense(normal(0, 8, 8), 8)
    factors = Factors(method="dense", ranks=(8,), arrays=(first, last), error=0.0)
    model = onnx.load(str(graphs.branches(tmp_path / "b.onnx")))
    feed = {"x": np.ones((1, 8), np.float32), "flag": np.array(True)}
    made = replaced(model, factors, tmp_path)
    assert len(made.graph.node) == 1
    wanted = feed["x"] @ (first @ last)
    assert off([wanted], run(made, feed)) < CLOSE
