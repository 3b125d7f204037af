"""Convert an ONNX model to float TFLite by onnx2tf, a tool in an environment of its own."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edgebench.compress.onnx.graph import graphs
from edgebench.compress.onnx.witness import Witness, ask, compare, find_orders
from edgebench.compress.onnx2tf import (
    call,
    find_onnx2tf,
    refusal,
    version_of,
    versions,
)
from edgebench.compress.technique import Outcome, Task, Way
from edgebench.compress.tflite.graph import read_tflite_counts
from edgebench.compress.tflite.rewired import rewire
from edgebench.core import Artifact, Format, TensorSpec
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import onnx

TOOL_TIMEOUT_S: Final = 1800.0
SAID_CHARS: Final = 400
DTYPES: Final = (
    "float32",
    "float64",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
)
WRITTEN: Final = "*_float32.tflite"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """What is converted, by what, and what the result must agree with.

    Attributes:
        path: The model as the tool is given it.
        names: What its inputs are called there.
        folder: Where the tool writes.
    """

    tool: Path
    path: Path
    names: Sequence[str]
    folder: Path
    witness: Witness


def convert_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Convert to float32 TFLite with the batch fixed to 1, inputs and outputs as in the ONNX model.

    onnx2tf turns what it takes for `(batch, channels, height, width)` to channels last, inputs and
    outputs too, so that other data would be needed for each format. It is told to keep the inputs;
    outputs are turned back. Which layout it is, agreement with onnxruntime decides.

    Raises:
        CompressionError: An axis is free, onnx2tf is not there or failed, or what it wrote needs
            operations that no runtime has, keeps state, or computes something else.
    """
    import onnx

    assert task.source is not None
    tool = find_onnx2tf()
    if tool is None:
        msg = f"{task.source.path.name} cannot become TFLite: {refusal()}."
        raise CompressionError(msg, hint="Or begin with a .tflite.")
    inputs = _fixed_inputs(task.source)
    version = version_of(tool)
    with tempfile.TemporaryDirectory(dir=task.folder) as name:
        folder = Path(name)
        path = folder / "model.onnx"
        prepared, names = prepare(onnx.load(str(task.source.path)))
        onnx.save(prepared, str(path))
        witness = ask(task.source.path, inputs, seed=task.seed)
        bench = Bench(tool=tool, path=path, names=names, folder=folder, witness=witness)
        progress(f"converting to TFLite by onnx2tf {version}")
        content, is_kept = _first_that_agrees(bench)
    made = task.folder / "model.tflite"
    made.write_bytes(content)
    return Outcome(
        path=made,
        changed=read_tflite_counts(made).to_json(),
        settings={
            "batch": next((spec.shape[0] for spec in inputs if spec.shape), None),
            "onnx2tf": version,
            "inputs_kept": is_kept,
            **compare(witness, made),
        },
    )


def prepare(model: "onnx.ModelProto") -> tuple["onnx.ModelProto", list[str]]:
    """A copy whose inputs have plain names and a batch of 1, and those names.

    onnx2tf changes a name such as `input.1:0` on its way, and then does not know it any more when
    it is told to keep that input.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    stored = {tensor.name for tensor in copy.graph.initializer}
    inputs = [value for value in copy.graph.input if value.name not in stored]
    names = {value.name: f"edgebench_input_{place}" for place, value in enumerate(inputs)}
    free: set[str] = set()
    for value in inputs:
        value.name = names[value.name]
        dims = value.type.tensor_type.shape.dim
        if len(dims) and dims[0].dim_value <= 0:
            free.add(dims[0].dim_param)
            dims[0].dim_value = 1
    # Names of the same axis elsewhere would contradict it.
    for value in (*copy.graph.output, *copy.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param and dim.dim_param in free:
                dim.dim_value = 1
    _rename(copy.graph, names)
    return copy, list(names.values())


def _rename(graph: "onnx.GraphProto", names: Mapping[str, str]) -> None:
    """Follow the new names through the graph and all graphs inside it."""
    for inner in graphs(graph):
        for node in inner.node:
            node.input[:] = [names.get(name, name) for name in node.input]
        for value in inner.output:
            value.name = names.get(value.name, value.name)


def _fixed_inputs(source: Artifact) -> list[TensorSpec]:
    if not source.inputs:
        msg = f"onnxruntime does not take {source.path.name}: there is nothing to compare with."
        raise CompressionError(msg, hint="Export the model again, with operations that it knows.")
    found = []
    for spec in source.inputs:
        if spec.dtype not in DTYPES:
            msg = f"The input {spec.name!r} of {source.path.name} is {spec.dtype}."
            raise CompressionError(msg, hint=f"It can be {', '.join(DTYPES)}.")
        shape = spec.shape and (spec.shape[0] or 1, *spec.shape[1:])
        if shape is None or None in shape:
            msg = f"The input {spec.name!r} of {source.path.name} is {spec.dtype} {spec.shape}."
            hint = (
                "Fix its axes: python -m onnxruntime.tools.make_dynamic_shape_fixed "
                f"--input_name {spec.name} --input_shape 1,... in.onnx out.onnx"
            )
            raise CompressionError(msg, hint=hint)
        found.append(TensorSpec(name=spec.name, shape=shape, dtype=spec.dtype))
    return found


def _first_that_agrees(bench: Bench) -> tuple[bytes, bool]:
    """What onnx2tf makes when it keeps the inputs, else when it does as it likes; and which it was.

    Raises:
        CompressionError: Neither will do; why the first will not.
    """
    errors = []
    for is_kept in (True, False):
        written = _run_tool(bench, is_kept=is_kept)
        # What no runtime has is missing in either layout.
        _check_operations(written)
        try:
            orders = find_orders(bench.witness, written)
        except CompressionError as error:
            errors.append(error)
            continue
        inputs, outputs = [spec.name for spec in bench.witness.inputs], bench.witness.outputs
        content = rewire(written.read_bytes(), inputs=inputs, outputs=outputs, orders=orders)
        return content, is_kept
    raise errors[0]


def _run_tool(bench: Bench, *, is_kept: bool) -> Path:
    folder = bench.folder / ("kept" if is_kept else "free")
    argv = [str(bench.tool), "-i", str(bench.path), "-o", str(folder), "-n"]
    if is_kept:
        argv += ["-kat", *bench.names]
    try:
        done = call(bench.tool, argv, timeout_s=TOOL_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        msg = f"onnx2tf did not end within {TOOL_TIMEOUT_S:.0f} s."
        raise CompressionError(msg, hint="Convert the model yourself.") from error
    # A worker's output is its log.
    sys.stdout.write(done.stdout)
    written = next(folder.glob(WRITTEN), None)
    if done.returncode or written is None:
        msg = f"onnx2tf failed: {done.stdout[-SAID_CHARS:].strip()}"
        raise CompressionError(msg, hint="Its log says more: `logs` in the cache folder.")
    return written


def _check_operations(written: Path) -> None:
    """Raise CompressionError for what onnx2tf writes where it has nothing better, and ends well."""
    counts = read_tflite_counts(written)
    if counts.custom:
        msg = f"onnx2tf wrote operations that no runtime has: {', '.join(counts.custom)}."
        raise CompressionError(msg, hint="Keep this model in ONNX, or export it another way.")
    if counts.variables:
        msg = "What onnx2tf wrote keeps state between inferences, which the ONNX model does not."
        hint = "Give its LSTM an initial state that is an input of the model."
        raise CompressionError(msg, hint=hint)


WAY: Final = Way(
    name="onnx to tflite",
    source=Format.ONNX,
    target=Format.TFLITE,
    function=convert_onnx,
    tools=("onnx", "onnxruntime", "ai-edge-litert"),
    outside=versions,
    absent=refusal,
)
