import numpy as np
import onnx
import pytest

from edgebench.compress.onnx.kernels import all_kernels, is_depthwise, kernels
from edgebench.compress.onnx.net import open_net
from edgebench.compress.options import Common
from edgebench.errors import CompressionError
from tests.compress.onnx.nets import FLOAT, Draft, normal, recurrent

pytestmark = pytest.mark.converter


def found(draft, shape, folder):
    onnx.save(draft.model(shape), str(folder / "m.onnx"))
    return all_kernels(open_net(folder / "m.onnx"))


@pytest.mark.parametrize(
    ("kind", "shape", "said", "input_shape", "wanted"),
    [
        ("Conv", (6, 4, 3, 2), {}, [1, 4, 8, 8], (3, 2, 4, 6)),
        ("Conv", (6, 4, 3), {}, [1, 4, 8], (3, 4, 6)),
        ("Conv", (6, 2, 3, 2), {"group": 2}, [1, 4, 8, 8], (3, 2, 2, 6)),
        ("ConvTranspose", (4, 6, 3, 2), {}, [1, 4, 8, 8], (3, 2, 4, 6)),
        ("MatMul", (4, 6), {}, [1, 4], (4, 6)),
        ("MatMul", (3, 4, 6), {}, [3, 1, 4], (3, 4, 6)),
        ("MatMul", (6, 4), {"place": 0}, [4, 2], (4, 6)),
        ("Gemm", (4, 6), {}, [1, 4], (4, 6)),
        ("Gemm", (6, 4), {"transB": 1}, [1, 4], (4, 6)),
        ("Gemm", (6, 4), {"place": 0}, [4, 2], (4, 6)),
        ("Gemm", (4, 6), {"place": 0, "transA": 1}, [4, 2], (4, 6)),
    ],
)
def test_weights_are_seen_by_inputs_and_outputs(tmp_path, kind, shape, said, input_shape, wanted):
    (kernel,) = found(Draft().add(kind, normal(0, *shape), **said), input_shape, tmp_path)
    assert kernel.values.shape == wanted
    assert kernel.stored.shape == shape
    assert kernel.stored.shape[kernel.out_axis] == wanted[-1]
    changed = np.arange(kernel.values.size, dtype=np.float32).reshape(wanted)
    kernel.replace(changed)
    assert kernel.stored.shape == shape
    assert np.array_equal(kernel.values, changed)


def test_tables_and_recurrent_layers_have_kernels(tmp_path):
    onnx.save(recurrent(), str(tmp_path / "r.onnx"))
    listed = all_kernels(open_net(tmp_path / "r.onnx"))
    assert [(k.name, k.values.shape) for k in listed] == [
        ("embedding", (10, 5)),
        ("lstm/lw", (1, 5, 12)),
        ("lstm/lr", (1, 3, 12)),
        ("gru/gw", (1, 3, 6)),
        ("gru/gr", (1, 2, 6)),
    ]


def test_weights_of_two_nodes_are_one_kernel(tmp_path):
    draft = Draft().add("MatMul", normal(0, 4, 4), name="a").add("MatMul", "a.w", name="b")
    (kernel,) = found(draft, [1, 4], tmp_path)
    assert [use.node.name for use in kernel.uses] == ["a", "b"]
    assert kernel.label == "a;a.w;a.out;b;b.out"


def test_what_else_reads_the_weights_is_known(tmp_path):
    draft = Draft().add("MatMul", normal(0, 4, 4), name="a").add("Mul", "a.w")
    (kernel,) = found(draft, [4, 4], tmp_path)
    assert kernel.others == ("Mul",)


def test_weights_that_the_model_puts_out_are_known(tmp_path):
    model = Draft().add("MatMul", normal(0, 4, 4), name="a").model([1, 4])
    model.graph.output.append(onnx.helper.make_tensor_value_info("a.w", FLOAT, [4, 4]))
    onnx.save(model, str(tmp_path / "m.onnx"))
    (kernel,) = all_kernels(open_net(tmp_path / "m.onnx"))
    assert kernel.others == ("the output",)


def test_a_bias_is_no_kernel(tmp_path):
    draft = Draft().add("Gemm", normal(0, 4, 3), normal(1, 1, 3), name="dense").add("Relu")
    assert [kernel.weight for kernel in found(draft, [1, 4], tmp_path)] == ["dense.w"]


DEPTHWISE = {"depth": ((4, 1, 3, 3), 4), "grouped": ((4, 2, 3, 3), 2), "plain": ((4, 4, 1, 1), 1)}


def three(folder):
    draft = Draft()
    for name, (shape, group) in DEPTHWISE.items():
        draft.add("Conv", normal(0, *shape), group=group, name=name)
    onnx.save(draft.model([1, 4, 9, 9]), str(folder / "d.onnx"))
    return open_net(folder / "d.onnx")


@pytest.mark.parametrize(
    ("common", "names"),
    [
        (Common(), ["grouped", "plain"]),
        (Common(only=("depth", "plain")), ["depth", "plain"]),
        (Common(skip=("plain",)), ["grouped"]),
        (Common(only=(r"\.w;depth\.out$",)), ["depth"]),
    ],
)
def test_depthwise_convolutions_are_touched_where_the_plan_names_them(tmp_path, common, names):
    chosen = kernels(three(tmp_path), common, step="prune 50 %")
    assert [kernel.name for kernel in chosen] == names


def test_a_transposed_convolution_may_be_depthwise(tmp_path):
    draft = Draft().add("ConvTranspose", normal(0, 4, 1, 3, 3), group=4)
    assert is_depthwise(found(draft, [1, 4, 9, 9], tmp_path)[0])


def test_a_regular_expression_without_a_match_is_refused(tmp_path):
    with pytest.raises(CompressionError, match=r"'nowhere' in 'prune 50 %' matches no layer"):
        kernels(three(tmp_path), Common(skip=("nowhere",)), step="prune 50 %")
