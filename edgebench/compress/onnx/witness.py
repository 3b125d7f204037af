"""What onnxruntime says to generated samples, and whether a `.tflite` says the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.compress.keras.parity import SAMPLES, TOLERANCE, _error
from edgebench.compress.tflite.rewired import Order
from edgebench.core import TensorSpec
from edgebench.errors import CompressionError

# The orders of axes that bring channels from the last place to the second, by rank.
CHANNELS_FIRST: Final[Mapping[int, Order]] = {3: (0, 2, 1), 4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Witness:
    """Samples, and what the ONNX model makes of them.

    Attributes:
        inputs: With every axis fixed.
        outputs: Names, in order.
        samples: Inputs, generated.
        answers: What onnxruntime says to each of them.
    """

    inputs: Sequence[TensorSpec]
    outputs: Sequence[str]
    samples: Sequence[Arrays]
    answers: Sequence[Arrays]


def ask(path: Path, inputs: Sequence[TensorSpec], *, seed: int) -> Witness:
    """Run an ONNX model on generated samples."""
    import onnxruntime as ort

    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    samples = list(_samples(inputs, seed=seed))
    answers = [dict(zip(names, session.run(names, sample), strict=True)) for sample in samples]
    return Witness(inputs=inputs, outputs=names, samples=samples, answers=answers)


def _samples(inputs: Sequence[TensorSpec], *, seed: int) -> Iterator[Arrays]:
    """Samples that no embedding refuses: reals of 0..1, and 0 or 1 for all else."""
    rng = np.random.default_rng(seed)
    for _ in range(SAMPLES):
        sample = {}
        for spec in inputs:
            shape = tuple(int(length or 1) for length in spec.shape or ())
            dtype = np.dtype(spec.dtype)
            drawn = rng.random(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)
            sample[spec.name] = np.asarray(drawn).astype(dtype)
        yield sample


def find_orders(witness: Witness, written: Path) -> list[Order | None]:
    """By output: how its axes are turned back.

    Raises:
        CompressionError: However they are turned, the file computes something else.
    """
    found = _run_tflite(witness, written)
    if any(len(outputs) != len(witness.outputs) for outputs in found):
        msg = f"onnx2tf wrote {len(found[0])} outputs, the model has {len(witness.outputs)}."
        raise CompressionError(msg, hint="Export the model again, or another way.")
    orders: list[Order | None] = []
    for place, name in enumerate(witness.outputs):
        pairs = [
            (answer[name], outputs[place])
            for answer, outputs in zip(witness.answers, found, strict=True)
        ]
        errors = {order: _worst(pairs, order) for order in _possible(pairs[0][1].ndim)}
        best = min(errors, key=lambda order: errors[order])
        if not errors[best] <= TOLERANCE:
            msg = f"onnx2tf lost something: the output {name!r} is off by {errors[best]:.3g}."
            raise CompressionError(msg, hint="Report it to onnx2tf, or export it another way.")
        orders.append(best)
    return orders


def _possible(rank: int) -> list[Order | None]:
    return [None, CHANNELS_FIRST[rank]] if rank in CHANNELS_FIRST else [None]


def _worst(pairs: Sequence[tuple[NDArray[Any], NDArray[Any]]], order: Order | None) -> float:
    turned = [
        (wanted, found if order is None else found.transpose(order)) for wanted, found in pairs
    ]
    return max(float(_error(wanted, found)) for wanted, found in turned)


def _run_tflite(witness: Witness, written: Path) -> list[list[NDArray[Any]]]:
    """By sample: the outputs, in order.

    Raises:
        CompressionError: It does not run, or takes inputs of other shapes.
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_path=str(written), num_threads=1)
        details = interpreter.get_input_details()
        shapes = [tuple(int(axis) for axis in detail["shape"]) for detail in details]
        wanted = [spec.shape for spec in witness.inputs]
        if shapes != wanted:
            msg = f"onnx2tf wrote inputs of {shapes}, the model takes {wanted}."
            raise CompressionError(msg, hint="Export the model again, or another way.")
        interpreter.allocate_tensors()
        return [_invoke(interpreter, sample, witness.inputs) for sample in witness.samples]
    except (RuntimeError, ValueError) as error:
        msg = f"What onnx2tf wrote does not run: {str(error).strip()}"
        raise CompressionError(msg, hint="Report it to onnx2tf, with the model.") from error


def _invoke(
    interpreter: Any,  # noqa: ANN401 - it has no types
    sample: Arrays,
    inputs: Sequence[TensorSpec],
) -> list[NDArray[Any]]:
    for detail, spec in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], sample[spec.name].astype(detail["dtype"]))
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def compare(witness: Witness, made: Path) -> dict[str, JsonValue]:
    """How far the finished file is off, by the names of its signature."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(made), num_threads=1).get_signature_runner()
    kinds = {name: detail["dtype"] for name, detail in runner.get_input_details().items()}
    worst = 0.0
    for sample, answer in zip(witness.samples, witness.answers, strict=True):
        outputs = runner(**{name: array.astype(kinds[name]) for name, array in sample.items()})
        worst = max(worst, *(_error(answer[name], outputs[name]) for name in witness.outputs))
    if not worst <= TOLERANCE:
        msg = f"The converted {made.name} is wrong: its outputs are off by {worst:.3g}."
        raise CompressionError(msg, hint="Report it with the model: it should not be.")
    return {"parity_samples": len(witness.samples), "parity_max_error": worst}
