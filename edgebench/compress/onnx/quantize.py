"""Post-training quantization of an ONNX graph by onnxruntime. Runs in a worker process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edgebench.compress.onnx.graph import Counts, count
from edgebench.compress.onnx.lift import label_nodes, lift_constants, name_nodes
from edgebench.compress.onnx.weights import check_opset, quantize_weights
from edgebench.compress.quantize import chosen, option, refuse_aware, traits_of
from edgebench.compress.technique import Outcome, Task, Traits, Way
from edgebench.core import Artifact, Format, Step
from edgebench.errors import NoEffect

if TYPE_CHECKING:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader

# onnxruntime's dynamic convolution (ConvInteger) is up to fifteen times slower than float.
DYNAMIC_OPERATIONS: Final = ("MatMul", "Gemm")
INT4_BLOCK: Final = 32
# Element types that weights have once they are quantized.
LOW: Final = frozenset({"FLOAT16", "INT8", "UINT8", "INT4", "UINT4"})
CALIBRATORS: Final[Mapping[str, str]] = {
    "minmax": "MinMax",
    "entropy": "Entropy",
    "percentile": "Percentile",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bench:
    """A graph that is ready to be quantized.

    Attributes:
        nodes: Names of the nodes that `only` and `skip` leave to the step.
        spared: Names of all others.
    """

    model: "onnx.ModelProto"
    step: Step
    nodes: list[str]
    spared: list[str]
    data: Path | None
    source: Artifact


def quantize_onnx(task: Task, progress: Callable[[str], None]) -> Outcome:
    """Quantize a float ONNX model.

    Raises:
        NoEffect: The model is quantized already, or nothing in it can be.
        CompressionError: A regular expression matches nothing, or the operator set is too old.
    """
    import onnx

    assert task.source is not None
    assert task.step is not None
    whole = onnx.load(str(task.source.path))
    before = count(whole)
    _check_source(task.source, before)
    lifted, constants = lift_constants(whole)
    prepared = name_nodes(_prepare(lifted, task.folder))
    labels = label_nodes(prepared)
    picked = chosen(task.step, list(labels.values()))
    bench = Bench(
        model=prepared,
        step=task.step,
        nodes=[name for name, label in labels.items() if label in picked],
        spared=[name for name, label in labels.items() if label not in picked],
        data=task.data,
        source=task.source,
    )
    progress("calibrating" if task.data else "quantizing")
    path = task.folder / "model.onnx"
    _FORMS[str(task.step.value)](bench, path)
    after = count(onnx.load(str(path)))
    _check_effect(task, before, after)
    changed = {"before": before.to_json(), "after": after.to_json()}
    return Outcome(path=path, changed=changed, settings={"constants_lifted": constants})


def _prepare(model: "onnx.ModelProto", folder: Path) -> "onnx.ModelProto":
    """Infer shapes and fold what is constant; without it quantized graphs run at half the speed."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    # By way of files: given a ModelProto it moves the weights to a temporary file and loses them.
    lifted, prepared = folder / "lifted.onnx", folder / "prepared.onnx"
    onnx.save(model, str(lifted))
    quant_pre_process(str(lifted), str(prepared), skip_symbolic_shape=True)
    return onnx.load(str(prepared))


def _check_source(source: Artifact, counts: Counts) -> None:
    kinds = {kind: n for kind, n in counts.weights.items() if kind != "FLOAT"}
    if counts.quantized or "FLOAT16" in kinds:
        found = ", ".join(f"{n} {kind}" for kind, n in kinds.items() if kind in LOW)
        found = found or f"{counts.quantized} operations"
        msg = f"{source.path.name} is quantized already ({found}): it is not quantized again."
        raise NoEffect(msg, hint="Begin with the float32 model.")


def _check_effect(task: Task, before: Counts, after: Counts) -> None:
    gained = {
        kind for kind, n in after.weights.items() if kind in LOW and n > before.weights.get(kind, 0)
    }
    if gained:
        return
    assert task.source is not None
    msg = f"{str(task.step)!r} changed no weight of {task.source.path.name}."
    if before.inner_weighted:
        where = f"{before.inner_weighted} operations with weights lie in branches of If or Loop"
        raise NoEffect(msg, hint=f"{where}, which onnxruntime's quantizer does not enter.")
    raise NoEffect(msg, hint=f"Its operations: {', '.join(before.operations)}.")


def _float16(bench: Bench, path: Path) -> None:
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    model = convert_float_to_float16(
        bench.model, keep_io_types=True, node_block_list=bench.spared or None
    )
    onnx.save(model, str(path))


def _dynamic(bench: Bench, path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        bench.model,
        str(path),
        op_types_to_quantize=list(DYNAMIC_OPERATIONS),
        per_channel=option(bench.step, "granularity") == "channel",
        weight_type=QuantType.QInt8,
        nodes_to_exclude=bench.spared,
    )


def _static(bench: Bench, path: Path) -> None:
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    is_channel = option(bench.step, "granularity") == "channel"
    check_opset(bench.model, is_channel=is_channel)
    is_wide = bench.step.value == "int16x8"
    narrow = QuantType.QUInt8 if option(bench.step, "scheme") == "u8s8" else QuantType.QInt8
    quantize_static(
        bench.model,
        str(path),
        _reader(bench),
        quant_format=QuantFormat.QDQ,
        per_channel=is_channel,
        activation_type=QuantType.QInt16 if is_wide else narrow,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=bench.spared,
        calibrate_method=CalibrationMethod[CALIBRATORS[option(bench.step, "calibrate")]],
    )


def _reader(bench: Bench) -> "CalibrationDataReader":
    """Samples one by one, with the batch axis where the model has one more than the sample."""
    from onnxruntime.quantization import CalibrationDataReader

    assert bench.data is not None
    with np.load(bench.data) as archive:
        arrays = {spec.name: archive[spec.name] for spec in bench.source.inputs}
    ranks = {spec.name: len(spec.shape or ()) for spec in bench.source.inputs}
    feeds = iter(
        {
            name: array[[index]] if array.ndim == ranks[name] else np.asarray(array[index])
            for name, array in arrays.items()
        }
        for index in range(len(next(iter(arrays.values()))))
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # its base has no types
        def get_next(self) -> dict[str, Any] | None:
            return next(feeds, None)

    return Reader()


def _weights_int8(bench: Bench, path: Path) -> None:
    import onnx

    is_channel = option(bench.step, "granularity") == "channel"
    model, _ = quantize_weights(bench.model, frozenset(bench.nodes), is_channel=is_channel)
    onnx.save(model, str(path))


def _weights_int4(bench: Bench, path: Path) -> None:
    """Four-bit weights of MatMul; a Gemm becomes MatMul and Add first, for static-batch exports."""
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from onnxruntime.quantization.onnx_model import ONNXModel

    model = ONNXModel(bench.model)
    model.replace_gemm_with_matmul()
    quantizer = MatMulNBitsQuantizer(
        model.model,
        block_size=INT4_BLOCK,
        is_symmetric=True,
        nodes_to_exclude=[f"{name}{suffix}" for name in bench.spared for suffix in ("", "_MatMul")],
    )
    quantizer.process()
    quantizer.model.save_model_to_file(str(path))


_FORMS: Final[Mapping[str, Callable[[Bench, Path], None]]] = {
    "float16": _float16,
    "int8": _static,
    "int8-dynamic": _dynamic,
    "int8-weights": _weights_int8,
    "int16x8": _static,
    "int4-weights": _weights_int4,
}


def _traits(step: Step | None) -> Traits:
    return traits_of(step, compat={})


def _refuse(step: Step) -> str | None:
    if (reason := refuse_aware(step)) is not None:
        return reason
    if step.options.get("io") == "int":
        return "an ONNX file has no place for the scale of an integer input"
    return None


WAY: Final = Way(
    name="quantize onnx",
    source=Format.ONNX,
    target=Format.ONNX,
    function=quantize_onnx,
    tools=("onnxruntime", "onnx"),
    traits=_traits,
    refuse=_refuse,
)
