"""Where nodes really run, as the runtimes themselves tell."""

import hashlib
import subprocess
from collections import Counter

import numpy as np
import placement  # type: ignore[import-not-found]  # it lies with the runners
import pytest
from onnx import TensorProto, helper

from edgebench.errors import JobFailed
from edgebench.runtimes import ACCELERATORS, has_accelerator
from tests.conftest import need

# A delegate that loads and takes nothing: the first fields of TfLiteDelegate are all it needs.
IDLE_DELEGATE = """
#include <stdint.h>
#include <stdlib.h>
typedef struct { void *data; int (*prepare)(void *, void *); void *rest[5]; int64_t flags; } D;
static int prepare(void *context, void *delegate) { return 0; }
D *tflite_plugin_create_delegate(char **keys, char **values, size_t n, void (*say)(const char *)) {
  D *made = calloc(1, 512);
  made->prepare = prepare;
  return made;
}
void tflite_plugin_destroy_delegate(D *delegate) { free(delegate); }
"""


@pytest.fixture(scope="session")
def idle_delegate(tmp_path_factory):
    need("gcc")
    folder = tmp_path_factory.mktemp("delegate")
    (folder / "idle.c").write_text(IDLE_DELEGATE)
    library = folder / "libidle.so"
    subprocess.run(
        ["gcc", "-shared", "-fPIC", "-o", str(library), str(folder / "idle.c")], check=True
    )
    return library


@pytest.fixture
def three_nodes(onnx_model):
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="first"),
        helper.make_node("Erf", ["a"], ["b"], name="second"),
        helper.make_node("MatMul", ["b", "b"], ["y"], name="third"),
    ]
    value = (TensorProto.FLOAT, [64, 64])
    return onnx_model(nodes, {"x": value}, {"y": value})


@pytest.mark.parametrize("asked", ["cpu", "xnnpack"])
def test_what_xnnpack_does_not_take_is_named(tflite, ask, asked):
    accel = ask(tflite / "partly.tflite", accelerator=asked)[0].accel
    assert accel.requested == asked
    assert accel.effective == "xnnpack"
    assert (accel.nodes_total, accel.nodes_accel, accel.partitions) == (3, 2, 2)
    assert accel.cpu_ops == {"CUMSUM": 1}


@pytest.mark.parametrize(
    ("name", "accelerator", "effective", "cpu_ops"),
    [
        ("float", "cpu", "xnnpack", {}),
        ("cumulated", "xnnpack", "none", {"CUMSUM": 1}),
        ("partly", "none", "none", {"CUMSUM": 1, "CONV_2D": 2}),
    ],
)
def test_all_and_nothing_are_told_apart(tflite, ask, name, accelerator, effective, cpu_ops):
    accel = ask(tflite / f"{name}.tflite", accelerator=accelerator)[0].accel
    assert (accel.effective, accel.cpu_ops) == (effective, cpu_ops)
    assert accel.nodes_total == accel.nodes_accel + sum(cpu_ops.values())


def test_the_old_runtime_tells_too(tflite, ask, old_python):
    result, _ = ask(tflite / "partly.tflite", python=old_python, runtime="tflite-runtime")
    assert result.accel.cpu_ops == {"CUMSUM": 1}
    assert result.builds["runtime"] != ask(tflite / "partly.tflite")[0].builds["runtime"]


def test_a_delegate_that_takes_nothing_has_no_node(tflite, ask, idle_delegate):
    name = f"delegate:{idle_delegate}"
    result, _ = ask(tflite / "float.tflite", accelerator=name)
    accel = result.accel
    assert (accel.requested, accel.effective, accel.nodes_accel) == (name, "none", 0)
    assert result.builds["delegate"] == hashlib.sha256(idle_delegate.read_bytes()).hexdigest()
    # On the CPU it is the same wheel, and no delegate.
    plain, _ = ask(tflite / "float.tflite")
    assert plain.builds == {"runtime": result.builds["runtime"]}


def test_a_delegate_behind_a_link_is_the_file_that_it_leads_to(
    tflite, ask, idle_delegate, tmp_path
):
    link = tmp_path / "libother.so.1"
    link.symlink_to(idle_delegate)
    result, _ = ask(tflite / "float.tflite", accelerator=f"delegate:{link}")
    assert result.builds["delegate"] == hashlib.sha256(idle_delegate.read_bytes()).hexdigest()


def test_a_delegate_that_is_not_there_fails_in_the_words_of_the_loader(tflite, ask):
    with pytest.raises(JobFailed, match=r"'/none/lib\.so' cannot be loaded: .*No such") as failure:
        ask(tflite / "float.tflite", accelerator="delegate:/none/lib.so")
    assert failure.value.reason == "silent_fallback"


def test_placement_is_asked_in_the_outputs_pass_alone(tflite, ask):
    for kind in ("latency", "memory"):
        assert ask(tflite / "partly.tflite", kind=kind)[0].accel is None


def test_onnxruntime_tells_every_node_of_the_cpu(three_nodes, ask):
    accel = ask(three_nodes)[0].accel
    assert (accel.effective, accel.nodes_total, accel.nodes_accel) == ("cpu", 3, 0)
    assert accel.cpu_ops == Counter(["Relu", "Erf", "MatMul"])


@pytest.mark.parametrize(
    ("accelerator", "kind"),
    [
        *((name, "outputs") for name in ACCELERATORS["onnxruntime"]),
        *(("cuda", kind) for kind in ("latency", "memory", "profile")),
    ],
)
def test_a_provider_that_is_not_built_in_fails_and_the_others_are_listed(
    three_nodes, ask, kind, accelerator
):
    import onnxruntime

    with pytest.raises(JobFailed, match=r"it has .*CPUExecutionProvider") as failure:
        ask(three_nodes, kind=kind, accelerator=accelerator)
    assert failure.value.reason == "silent_fallback"
    assert all(name in str(failure.value) for name in onnxruntime.get_available_providers())


def test_the_runner_and_the_host_know_the_same_accelerators():
    import backend_onnx  # type: ignore[import-not-found]  # it lies with the runners

    assert tuple(backend_onnx.PROVIDERS) == ("cpu", *ACCELERATORS["onnxruntime"])
    assert not has_accelerator("litert", "cuda")


def test_an_interpreter_that_does_not_tell_is_no_failure():
    import backend_litert  # type: ignore[import-not-found]  # it lies with the runners

    class Silent:
        def get_input_details(self):
            return []

        get_output_details = get_input_details

        def _get_full_signature_list(self):
            return {}

    accel = backend_litert.LitertModel(Silent(), "xnnpack").placement()
    assert (accel["effective"], accel["nodes_total"], accel["cpu_ops"]) == (None, None, None)
    assert "'Silent' object has no attribute '_get_ops_details'" in accel["unknown"]


def test_a_session_that_does_not_tell_is_no_failure(three_nodes):
    import backend_onnx

    runtime, _ = backend_onnx.load("onnxruntime")
    session = backend_onnx.open_session(
        runtime, str(three_nodes), backend_onnx.settings(runtime, 1), "cpu"
    )
    accel = backend_onnx.ToldModel(session, runtime, str(three_nodes), "cpu").placement()
    assert (accel["effective"], accel["nodes_total"], accel["cpu_ops"]) == ("cpu", None, None)
    assert accel["unknown"].startswith("This version does not tell its nodes")


def test_a_session_that_may_not_fall_back_proves_that_nodes_do(three_nodes):
    import backend_onnx

    runtime, _ = backend_onnx.load("onnxruntime")
    assert backend_onnx.is_whole(runtime, str(three_nodes), "AzureExecutionProvider") is False


def test_a_profiled_inference_shows_whose_each_node_is(three_nodes):
    import backend_onnx

    runtime, _ = backend_onnx.load("onnxruntime")
    fed = {"x": np.ones((64, 64), np.float32)}
    parts = backend_onnx.parts_by_profile(runtime, str(three_nodes), "cpu", fed)
    assert parts == [(backend_onnx.CPU, [name]) for name in ("Relu", "Erf", "MatMul")]
    accel = backend_onnx.placed("cuda", backend_onnx.PROVIDERS["cuda"], parts)
    assert (accel["effective"], accel["nodes_accel"]) == ("cpu", 0)


def test_parts_of_two_providers_are_counted_apart():
    import backend_onnx

    parts = [("XnnpackExecutionProvider", ["Conv", "Relu"]), (backend_onnx.CPU, ["Erf", "Erf"])]
    accel = backend_onnx.placed("xnnpack", "XnnpackExecutionProvider", parts)
    assert (accel["effective"], accel["nodes_accel"], accel["partitions"]) == ("xnnpack", 2, 1)
    assert accel["cpu_ops"] == {"Erf": 2}


def test_what_lies_between_a_delegate_s_ends_is_its_own():
    def operation(name, inputs, outputs):
        arrays = {"inputs": np.array(inputs), "outputs": np.array(outputs)}
        return {"op_name": name, **arrays}

    operations = [
        operation("A", [0], [1]),
        operation("B", [1], [2]),
        operation("C", [1, 2], [3]),
        operation("D", [3, -1], [4]),
        operation("DELEGATE", [1], [3]),
    ]
    nodes, delegates = placement.delegated(operations)
    assert nodes == [("A", False), ("B", True), ("C", True), ("D", False)]
    assert delegates == 1
