"""Post-training quantization of a float `.tflite` by litert-quantizer. Runs in a worker process."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.compress.quantize import NO_SCHEME, chosen, option, refuse_aware, traits_of
from edgebench.compress.technique import Outcome, Task, Traits, Way
from edgebench.compress.tflite.graph import Counts, read_tflite_counts
from edgebench.compress.tflite.signed import with_signature
from edgebench.core import Artifact, Format, Step
from edgebench.errors import CompressionError, NoEffect

if TYPE_CHECKING:
    from litert_quantizer import Quantizer

LEGACY: Final = "tflite-2.14"
THREADS_MAX: Final = 4
EVERYTHING: Final = ".*"

# By form: bits of the activations of a static quantization, bits of weights that are unpacked.
STATIC_BITS: Final[Mapping[str, int]] = {"int8": 8, "int16x8": 16}
WEIGHT_ONLY_BITS: Final[Mapping[str, int]] = {"int8-weights": 8, "int4-weights": 4}


def quantize_tflite(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Quantize a float `.tflite`.

    Raises:
        NoEffect: The model is quantized already, or nothing in it can be.
        CompressionError: The model keeps state, or a regular expression matches nothing.
    """
    from litert_quantizer import Quantizer

    assert task.source is not None
    assert task.step is not None
    is_legacy = LEGACY in task.compat
    if is_legacy and task.step.value == "int4-weights":
        msg = "tflite-runtime 2.14 cannot load int4 weights."
        raise CompressionError(msg, hint="Use int8-weights for this device.")
    before = read_tflite_counts(task.source.path)
    _check_source(task.source, before)
    content, key = with_signature(task.source.path.read_bytes())
    quantizer = Quantizer(content)
    _add_rules(quantizer, task.step, before, is_legacy=is_legacy)
    calibration = None
    if task.data is not None:
        progress("calibrating")
        calibration = quantizer.calibrate(
            {key: list(_samples(task.data, task.source))},
            num_threads=min(THREADS_MAX, os.cpu_count() or 1),
        )
    result = quantizer.quantize(
        calibration, enable_progress_bar=False, enable_progress_report=False
    )
    path = task.folder / "model.tflite"
    path.write_bytes(bytes(result.quantized_model or b""))
    after = read_tflite_counts(path)
    if after.weights == before.weights:
        msg = f"{str(task.step)!r} changed no weight of {task.source.path.name}."
        raise NoEffect(msg, hint=f"Its operations: {', '.join(before.operations)}.")
    changed = {"before": before.to_json(), "after": after.to_json()}
    return Outcome(path=path, changed=changed, settings={"compat": list(task.compat)})


def _traits(step: Step | None) -> Traits:
    legacy = frozenset({LEGACY})
    return traits_of(step, compat={"int8-dynamic": legacy, "int4-weights": legacy})


def _refuse(step: Step) -> str | None:
    if (reason := refuse_aware(step)) is not None:
        return reason
    if "scheme" in step.options:
        return NO_SCHEME
    if option(step, "calibrate") != "minmax":
        return "litert-quantizer calibrates by minmax only"
    if step.value == "int16x8" and option(step, "granularity") == "tensor":
        return "int16x8 is made with weights per channel only"
    return None


WAY: Final = Way(
    name="quantize tflite",
    source=Format.TFLITE,
    target=Format.TFLITE,
    function=quantize_tflite,
    tools=("litert-quantizer", "ai-edge-litert"),
    traits=_traits,
    refuse=_refuse,
)


def _check_source(source: Artifact, counts: Counts) -> None:
    if counts.variables:
        msg = f"{source.path.name} keeps state between inferences: it cannot be quantized."
        hint = "Make the state an input and an output of the model."
        raise CompressionError(msg, hint=hint)
    if counts.quantized or "FLOAT16" in counts.weights:
        kinds = counts.quantized or {"FLOAT16": counts.weights["FLOAT16"]}
        found = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        msg = f"{source.path.name} is quantized already ({found}): it is not quantized again."
        raise NoEffect(msg, hint="Begin with the float32 model.")


def _add_rules(quantizer: "Quantizer", step: Step, counts: Counts, *, is_legacy: bool) -> None:
    """Say which operations are quantized, and how: of the rules that match, the last one counts."""
    from litert_quantizer.algorithm_manager import AlgorithmName
    from litert_quantizer.qtyping import TFLOperationName as Operation

    _add_form(quantizer, step, is_legacy=is_legacy)
    unchosen = frozenset(counts.scopes) - chosen(step, counts.scopes)
    if unchosen:
        exactly = "|".join(re.escape(name) for name in sorted(unchosen))
        # The quantizer ends each name with a semicolon.
        quantizer.update_quantization_recipe(
            f"^(?:{exactly});?$", Operation.ALL_SUPPORTED, algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    if step.value in STATIC_BITS and option(step, "io") == "float":
        for edge in (Operation.INPUT, Operation.OUTPUT):
            quantizer.update_quantization_recipe(
                EVERYTHING, edge, algorithm_key=AlgorithmName.NO_QUANTIZE
            )


def _add_form(quantizer: "Quantizer", step: Step, *, is_legacy: bool) -> None:
    from litert_quantizer.qtyping import QuantGranularity
    from litert_quantizer.qtyping import TFLOperationName as Operation

    form = str(step.value)
    is_tensor = option(step, "granularity") == "tensor"
    granularity = QuantGranularity.TENSORWISE if is_tensor else QuantGranularity.CHANNELWISE
    if form in STATIC_BITS:
        quantizer.add_static_config(
            EVERYTHING, Operation.ALL_SUPPORTED, STATIC_BITS[form], 8, granularity
        )
    elif form in WEIGHT_ONLY_BITS:
        quantizer.add_weight_only_config(
            EVERYTHING, Operation.ALL_SUPPORTED, WEIGHT_ONLY_BITS[form], granularity
        )
    elif form == "int8-dynamic":
        # XNNPACK has no dynamic kernel for depthwise convolutions: quantizing them splits the graph
        # into many delegates and makes it slower than float. tflite-runtime 2.14 computes garbage,
        # without an error, where a dynamic fully-connected layer has weights per channel.
        dense = QuantGranularity.TENSORWISE if is_legacy else granularity
        quantizer.add_dynamic_config(EVERYTHING, Operation.CONV_2D, 8, granularity)
        quantizer.add_dynamic_config(EVERYTHING, Operation.FULLY_CONNECTED, 8, dense)
    else:
        _add_float16(quantizer)


def _add_float16(quantizer: "Quantizer") -> None:
    """Weights as float16 with a DEQUANTIZE behind each: the library has no ready rule for it."""
    from litert_quantizer import qtyping
    from litert_quantizer.algorithm_manager import AlgorithmName

    weights = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    quantizer.update_quantization_recipe(
        EVERYTHING,
        qtyping.TFLOperationName.ALL_SUPPORTED,
        config,
        algorithm_key=AlgorithmName.FLOAT_CASTING,
    )


def _samples(data: Path, source: Artifact) -> Iterator[dict[str, NDArray[Any]]]:
    """One dict a sample, with the batch axis where the model has one more than the sample."""
    with np.load(data) as archive:
        arrays = {spec.name: archive[spec.name] for spec in source.inputs}
    ranks = {spec.name: len(spec.shape or ()) for spec in source.inputs}
    for index in range(len(next(iter(arrays.values())))):
        yield {
            name: array[[index]] if array.ndim == ranks[name] else np.asarray(array[index])
            for name, array in arrays.items()
        }
