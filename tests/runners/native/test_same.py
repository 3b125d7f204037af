"""The native runner and the one in Python tell the same of a model, by the same kernels."""

import numpy as np
import pytest

from edgebench.runner import Windows

TFLITE = [
    "cumulated",
    "dynamic_by_channel",
    "embedding",
    "float",
    "free_axes",
    "int16x8",
    "int4_weights",
    "integers",
    "partly",
    "static_int8",
]


def arrays(path):
    with np.load(path) as archive:
        return dict(archive)


def assert_same_files(ours, theirs):
    """Names, order, shapes, types and every bit."""
    for name in ("in.npz", "outputs.npz"):
        mine, other = arrays(ours / name), arrays(theirs / name)
        assert list(mine) == list(other)
        for key in mine:
            assert mine[key].dtype == other[key].dtype
            np.testing.assert_array_equal(mine[key], other[key], strict=True)


def both(ask, ask_native, model, **options):
    options = {"generate": 3, "save_inputs": "in.npz", "seed": 7, **options}
    theirs, their_folder = ask(model, **options)
    ours, our_folder = ask_native(model, **options)
    assert (ours.inputs, ours.outputs) == (theirs.inputs, theirs.outputs)
    assert ours.inputs_made == theirs.inputs_made
    assert ours.runtime == f"{theirs.runtime}-native"
    assert ours.runtime_version == theirs.runtime_version
    assert_same_files(our_folder, their_folder)
    return ours, theirs


@pytest.mark.parametrize("name", TFLITE)
def test_tflite_outputs_are_bit_equal(tflite, ask, ask_native, name):
    ours, theirs = both(ask, ask_native, tflite / f"{name}.tflite")
    # Of nodes the library tells only whether all of them are taken.
    is_whole = theirs.accel.nodes_accel == theirs.accel.nodes_total
    if ours.accel.cpu_ops == {}:
        assert is_whole
        assert ours.accel.effective == "xnnpack"


def test_plain_kernels_are_those_of_the_runner_in_python(tflite, ask, ask_native):
    ours, _ = both(ask, ask_native, tflite / "float.tflite", accelerator="none")
    assert ours.accel.effective == "none"


def test_two_threads_compute_the_same(tflite, ask, ask_native):
    both(ask, ask_native, tflite / "float.tflite", threads=2)


def test_free_axes_are_resized(tflite, ask, ask_native):
    both(ask, ask_native, tflite / "free_axes.tflite", shapes={"a": (2, 3), "b": (2, 3)})


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**63 - 1])
@pytest.mark.parametrize("limits", [(-5, 9), (0, 2**31 - 1), (-(2**31), 2**31 - 1), (3, 3)])
def test_integers_are_drawn_as_numpy_draws_them(onnx_model, ask, ask_native, seed, limits):
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["x"], ["y"])
    kind = (TensorProto.INT32, [5])
    model = onnx_model([node], {"x": kind}, {"y": kind})
    both(ask, ask_native, model, seed=seed, ranges={"x": limits})


def test_wide_integers_are_drawn_as_numpy_draws_them(onnx_model, ask, ask_native):
    from onnx import TensorProto, helper

    node = helper.make_node("Identity", ["x"], ["y"])
    kind = (TensorProto.INT64, [40])
    model = onnx_model([node], {"x": kind}, {"y": kind})
    both(ask, ask_native, model, ranges={"x": (-(2**40), 2**41)})


@pytest.fixture
def mixed(onnx_model):
    """A model of five inputs and four outputs, each of another type, with a free axis."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Not", ["mask"], ["inverse"]),
        helper.make_node("Add", ["half", "half"], ["double"]),
        helper.make_node("MatMul", ["real", "real"], ["product"]),
        helper.make_node("Cast", ["count"], ["natural"], to=TensorProto.UINT64),
    ]
    inputs = {
        "a": (TensorProto.INT64, ["n", 3]),
        "b": (TensorProto.INT64, ["n", 3]),
        "mask": (TensorProto.BOOL, [2]),
        "half": (TensorProto.FLOAT16, [4]),
        "real": (TensorProto.DOUBLE, [9, 9]),
        "count": (TensorProto.UINT8, []),
    }
    outputs = {
        "sum": (TensorProto.INT64, ["n", 3]),
        "inverse": (TensorProto.BOOL, [2]),
        "double": (TensorProto.FLOAT16, [4]),
        "product": (TensorProto.DOUBLE, [9, 9]),
        "natural": (TensorProto.UINT64, []),
    }
    return onnx_model(nodes, inputs, outputs)


def test_onnx_outputs_of_every_type_are_bit_equal(mixed, ask, ask_native):
    both(ask, ask_native, mixed, shapes={"a": (4, 3)})


def test_quantized_onnx_is_bit_equal(onnx_model, ask, ask_native):
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = random.integers(-127, 128, (32, 16)).astype(np.int8)
    values = {"s": np.float32(0.02), "z": np.uint8(3), "w": weights, "zw": np.int8(0)}
    constants = [
        helper.make_node("Constant", [], [k], value=numpy_helper.from_array(np.asarray(v)))
        for k, v in values.items()
    ]
    nodes = [
        *constants,
        helper.make_node("QLinearMatMul", ["x", "s", "z", "w", "s", "zw", "s", "z"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["y"]),
    ]
    inputs = {"x": (TensorProto.UINT8, ["n", 32])}
    outputs = {"q": (TensorProto.UINT8, ["n", 16]), "y": (TensorProto.FLOAT, ["n", 16])}
    both(ask, ask_native, onnx_model(nodes, inputs, outputs))


def test_samples_of_a_file_are_taken_through_the_same_rules(tflite, tmp_path, ask, ask_native):
    images = np.load(tflite / "images.npz")["image"][:20]
    stored = {
        "reals": {"image": images},
        "wide": {"image": images.astype(np.float64)},
        "halves": {"serving_default_image:0": images.astype(np.float16)},
        "nameless": {"": images},
        "integers": {"image": (images * 9).astype(np.int64)},
    }
    for model in ("float", "static_int8"):
        for kind, samples in stored.items():
            path = tmp_path / f"{kind}.npz"
            np.savez(path, **samples)
            _, theirs = ask(tflite / f"{model}.tflite", inputs=str(path))
            ours_result, ours = ask_native(tflite / f"{model}.tflite", inputs=str(path))
            assert ours_result.inputs_made == {"source": "file", "samples": 20}
            mine, other = arrays(ours / "outputs.npz"), arrays(theirs / "outputs.npz")
            np.testing.assert_array_equal(mine["output_0"], other["output_0"], strict=True)


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_latency_is_told_in_the_words_of_the_contract(tflite, mixed, ask_native, runtime):
    model = mixed if runtime == "onnxruntime" else tflite / "float.tflite"
    result, folder = ask_native(model, kind="latency", cpus=(0,))
    times = arrays(folder / "samples.npz")["latency_ns"]
    assert times.dtype == np.int64
    assert len(times) == result.latency.samples >= 64
    assert times.min() > 0
    assert result.latency.load_ns > 0
    assert result.latency.warmup_invokes >= 50
    assert result.state.cpus == (0,)
    assert result.state.end_ns - result.state.begin_ns >= times.sum()
    assert min(result.state.canary_ns) > 0
    assert result.state.scheduling.run_ns > 0


@pytest.mark.parametrize("runtime", ["litert", "onnxruntime"])
def test_the_process_is_well_below_that_of_the_runner_in_python(
    tflite, mixed, ask, ask_native, runtime
):
    model = mixed if runtime == "onnxruntime" else tflite / "float.tflite"
    ours, theirs = ask_native(model, kind="memory")[0], ask(model, kind="memory")[0]
    assert ours.memory.s3.rss_bytes < 0.6 * theirs.memory.s3.rss_bytes
    assert ours.memory.s0.anonymous_bytes < 0.1 * theirs.memory.s0.anonymous_bytes
    points = [ours.memory.s1, ours.memory.s2, ours.memory.s3, ours.memory.s4]
    assert [point.pss_bytes for point in points] == sorted(point.pss_bytes for point in points)
    for point in points[1:]:
        assert point.peak_bytes is None or point.peak_bytes > 0


def test_energy_has_three_windows_that_follow_each_other(tflite, ask_native):
    windows = Windows(idle_s=0.2, active_s=0.3)
    result, _ = ask_native(tflite / "float.tflite", kind="energy", windows=windows)
    spans = [result.energy.idle_before_ns, result.energy.active_ns, result.energy.idle_after_ns]
    instants = [instant for span in spans for instant in span]
    assert instants == sorted(instants)
    assert all(end - begin >= 0.2e9 for begin, end in spans)
    assert result.energy.inferences > 0
