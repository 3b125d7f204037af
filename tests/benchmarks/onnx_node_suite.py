"""The runner against ONNX's own node tests: 932 small models with inputs and reference outputs.

    .venv/bin/python tests/benchmarks/onnx_node_suite.py [--every N]

They come with Debian's `libonnx-testdata`. Each goes through the outputs pass of the runner, as a
process of its own would do it, yet here all in one. Printed is a Markdown table of how they ended,
and every model that did not agree. The exit code is 1 where a model that onnxruntime loads neither
agrees nor is known to be random, or where one failed without a reason.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

NODES: Final = Path("/usr/share/libonnx-testdata/data/node")
RUNNERS: Final = Path(__file__).resolve().parents[2] / "runners"

# These draw random numbers: two runs of one file differ, so there is nothing to agree with.
RANDOM: Final = ("bernoulli", "training_dropout", "randomnormal", "randomuniform", "multinomial")

# onnxruntime runs these and does not come to their reference: resizing with aligned corners, and
# unpooling into a given shape. Named one by one, so that one more is seen.
KNOWN: Final = (
    "test_maxunpool_export_with_output_shape",
    "test_resize_downsample_scales_cubic_align_corners",
    "test_resize_downsample_scales_linear_align_corners",
)


def models(*, every: int = 1) -> list[Path]:
    """Folders of the node tests, sorted; each `every`-th of them."""
    return sorted(path.parent for path in NODES.glob("*/model.onnx"))[::every]


def try_model(folder: Path, scratch: Path) -> tuple[str, str]:
    """How one model ended, and in which words: agrees, random, differs or the runner's reason."""
    # The runner's modules stand beside each other, as they do on the device.
    if str(RUNNERS) not in sys.path:
        sys.path.insert(0, str(RUNNERS))
    import run  # type: ignore[import-not-found]
    from inputs import write_arrays  # type: ignore[import-not-found]

    scratch.mkdir(parents=True, exist_ok=True)
    write_arrays(scratch / "inputs.npz", _inputs(folder))
    job = {
        "kind": "outputs",
        "model": str(folder / "model.onnx"),
        "runtime": "onnxruntime",
        "threads": 1,
        "accelerator": "cpu",
        "inputs": "inputs.npz",
        "outputs": "outputs.npz",
        "shapes": {},
        "ranges": {},
        "seed": 0,
    }
    task = run.Task(str(scratch), job)
    try:
        run.PASSES["outputs"](task)
    # The runner's own hook answers whatever ends it, and so must this.
    except Exception as error:  # noqa: BLE001
        return getattr(error, "reason", "runtime_error"), f"{type(error).__name__}: {error}"
    return _judged(folder, scratch / "outputs.npz")


def _inputs(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """The reference inputs that numpy can hold, as one sample each."""
    import onnx

    graph = onnx.load(folder / "model.onnx").graph
    initialized = {tensor.name for tensor in graph.initializer}
    values = [value for value in graph.input if value.name not in initialized]
    fed = {}
    for index, value in enumerate(values):
        array = _tensor(folder / "test_data_set_0" / f"input_{index}.pb", value.type)
        if array is not None:
            fed[value.name] = array[np.newaxis]
    return fed


def _tensor(path: Path, kind: Any) -> "np.ndarray[Any, Any] | None":
    """The tensor in a `.pb`; None where it is a sequence, or of a type that numpy has not."""
    import onnx
    from onnx import numpy_helper

    if kind.WhichOneof("value") != "tensor_type" or not path.exists():
        return None
    if kind.tensor_type.elem_type in {onnx.TensorProto.STRING, onnx.TensorProto.BFLOAT16}:
        return None
    return np.asarray(numpy_helper.to_array(onnx.load_tensor(path)))


def _judged(folder: Path, outputs: Path) -> tuple[str, str]:
    with np.load(outputs) as archive:
        found = {name: archive[name] for name in archive.files}
    import onnx

    differing, compared = [], 0
    for index, value in enumerate(onnx.load(folder / "model.onnx").graph.output):
        name = value.name
        expected = _tensor(folder / "test_data_set_0" / f"output_{index}.pb", value.type)
        if expected is None or name not in found:
            continue
        compared += 1
        ours = found[name][0]
        if ours.shape != expected.shape:
            differing.append(f"{name}: shape {ours.shape}, not {expected.shape}")
        elif not np.allclose(ours, expected, rtol=1e-3, atol=_atol(expected), equal_nan=True):
            distance = np.abs(ours.astype(float) - expected.astype(float)).max()
            differing.append(f"{name}: by up to {distance:.3g}")
    if not differing:
        return ("agrees", "") if compared else ("not compared", "no output is a plain tensor")
    is_random = any(word in folder.name for word in RANDOM)
    verdict = "random" if is_random else "known" if folder.name in KNOWN else "differs"
    return verdict, "; ".join(differing)


def _atol(expected: np.ndarray[Any, Any]) -> float:
    """A sum over large terms may end near zero: what is small is small beside the largest."""
    finite = np.abs(expected[np.isfinite(expected)].astype(float))
    return 1e-5 * max(1.0, float(finite.max(initial=0.0)))


def _table(rows: Iterable[tuple[str, str, str]]) -> int:
    counted = Counter(verdict for _, verdict, _ in rows)
    print("| how it ended | models |\n|---|---:|")
    for verdict, count in counted.most_common():
        print(f"| {verdict} | {count} |")
    print(f"| all | {counted.total()} |\n")
    for name, verdict, words in rows:
        if verdict != "agrees":
            print(f"{verdict:18} {name}: {' '.join(words.split())[:180]}")
    return 1 if counted["differs"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="try each N-th model only")
    every = parser.parse_args().every
    if not NODES.is_dir():
        print("There are no node tests: apt-get install libonnx-testdata", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="edgebench-nodes-") as scratch:
        rows = [
            (folder.name, *try_model(folder, Path(scratch) / folder.name))
            for folder in models(every=every)
        ]
    return _table(rows)


if __name__ == "__main__":
    sys.exit(main())
