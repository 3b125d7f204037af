"""What the runner itself costs: its time of an inference over that of a bare loop.

    .venv/bin/python tests/benchmarks/runner_cost.py [--pairs N] [--native]

Both run the same model through the same runtime on the same input, each in a fresh process, taking
turns. The bare loop has no clock inside ten inferences; the runner's samples are averaged by ten as
well, and of both the median counts. Printed is a Markdown table of the median over the processes of
each, and of the ratio of each pair with its 95 % interval. With `--native` the runner is the native
one; the bare loop stays in Python.
"""

import argparse
import array
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

Call = tuple[Callable[..., Any], tuple[Any, ...]]

ROOT: Final = Path(__file__).resolve().parents[2]
BURST: Final = 10
WARM_UP_S: Final = 1.0
SAMPLE_S: Final = 1.5

# A convolution that takes about 50 us on one core of 2020s x86.
MAKE_TFLITE: Final = """
import sys, keras, tensorflow as tf
keras.utils.set_random_seed(0)
x = keras.Input(batch_shape=(1, 18, 18, 8), name="x")
h = keras.layers.Conv2D(32, 3, activation="relu")(x)
y = keras.layers.Conv2D(32, 3, activation="relu")(h)
converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(x, y))
open(sys.argv[1], "wb").write(converter.convert())
"""


def bare(runtime: str, model: str, inputs: str) -> None:
    """A loop over nothing but the runtime's call; prints the median nanoseconds of a call."""
    call, args = (_bare_litert if runtime == "litert" else _bare_onnx)(model, inputs)
    clock = time.perf_counter_ns
    stop = clock() + int(WARM_UP_S * 1e9)
    while clock() < stop:
        call(*args)
    gc.collect()
    gc.freeze()
    gc.disable()
    times = array.array("q")
    stop = clock() + int(SAMPLE_S * 1e9)
    while clock() < stop:
        start = clock()
        for _ in range(BURST):
            call(*args)
        times.append(clock() - start)
    print(statistics.median(times) / BURST)


def _bare_litert(model: str, inputs: str) -> Call:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    interpreter.set_tensor(index, np.load(inputs)["x"][0])
    return interpreter.invoke, ()


def _bare_onnx(model: str, inputs: str) -> Call:
    import numpy as np

    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {"x": np.load(inputs)["x"][0]}
    return session.run, (None, feed)


def _make_onnx(path: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(0)
    weights = [random.normal(size=s).astype(np.float32) for s in ((32, 8, 3, 3), (32, 32, 3, 3))]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w0"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "w1"], ["c"]),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 18, 18])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 32, 14, 14])],
        [numpy_helper.from_array(array, f"w{index}") for index, array in enumerate(weights)],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def _make_tflite(path: Path) -> None:
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    argv = [sys.executable, "-c", MAKE_TFLITE, str(path)]
    subprocess.run(argv, check=True, capture_output=True, env=environment)


def _native(runtime: Any) -> tuple[str, ...]:
    import platform
    import sysconfig

    from edgebench.device.native import built, launch_argv, library_in

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebench"
    packages = Path(sysconfig.get_paths()["platlib"])
    return launch_argv(built(platform.machine(), cache=cache), library_in(packages, runtime))


def _compare(
    runtime: Any, model: Path, folder: Path, pairs: int, program: tuple[str, ...] | None
) -> str:
    import numpy as np

    from edgebench.measure.stats import mean_interval_of
    from edgebench.runner import Loop, RunnerJob, run_here

    loop = Loop(warmup_min_s=WARM_UP_S, warmup_max_s=10.0, sample_min_s=SAMPLE_S, group=1)
    shape = (1, 1, 8, 18, 18) if runtime == "onnxruntime" else (1, 1, 18, 18, 8)
    inputs = folder / f"{runtime}.npz"
    np.savez(inputs, x=np.random.default_rng(0).random(shape, dtype=np.float32))
    job = RunnerJob(
        kind="latency", model=str(model), runtime=runtime, inputs=str(inputs), loop=loop
    )
    ours, theirs = [], []
    for pair in range(pairs):
        # The order turns from pair to pair, so that a drift favours neither.
        for is_ours in (True, False) if pair % 2 else (False, True):
            if is_ours:
                run_here(job, folder / f"{runtime}-{pair}", program=program)
                samples = np.load(folder / f"{runtime}-{pair}" / "samples.npz")["latency_ns"]
                # Grouped as the bare loop's are: an interruption weighs the same in both.
                whole = samples[: samples.size // BURST * BURST]
                ours.append(float(np.median(whole.reshape(-1, BURST).mean(axis=1))))
            else:
                argv = [sys.executable, "-s", __file__, "--bare"]
                argv.append(json.dumps([runtime, str(model), str(inputs)]))
                done = subprocess.run(argv, check=True, capture_output=True, text=True)
                theirs.append(float(done.stdout))
    ratio = mean_interval_of(np.log(np.array(ours) / np.array(theirs)))
    low, middle, high = (float(np.exp(x)) for x in (ratio.low, ratio.value, ratio.high))
    bare_us, runner_us = statistics.median(theirs) / 1e3, statistics.median(ours) / 1e3
    return (
        f"| {runtime} | {bare_us:.2f} | {runner_us:.2f} | {middle:.4f} "
        f"| [{low:.4f}, {high:.4f}] | {pairs} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=12, help="processes of each kind")
    parser.add_argument("--native", action="store_true", help="the native runner")
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        bare(*json.loads(options.bare))
        return
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory(prefix="edgebench-cost-") as name:
        folder = Path(name)
        _make_onnx(folder / "m.onnx")
        _make_tflite(folder / "m.tflite")
        print("| runtime | bare loop, us | runner, us | ratio | 95 % interval | pairs |")
        print("|---|---:|---:|---:|---|---:|")
        for runtime, model in (("litert", "m.tflite"), ("onnxruntime", "m.onnx")):
            program = _native(runtime) if options.native else None
            row = _compare(runtime, folder / model, folder, options.pairs, program)
            print(row, flush=True)


if __name__ == "__main__":
    main()
