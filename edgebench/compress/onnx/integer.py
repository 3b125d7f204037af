"""An integer `.tflite` as an ONNX file of QuantizeLinear and DequantizeLinear."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from edgebench.compress.tflite.rows import with_rows
from edgebench.errors import CompressionError

if TYPE_CHECKING:
    import onnx

# What tf2onnx calls an operation of TFLite that it leaves in the graph.
UNKNOWN: Final = "TFL_"
# int8 and uint8 of one scale stand for the same reals, so far apart.
SHIFT: Final = 128


def convert_integers(source: Path, target: Path, *, opset: int, is_unsigned: bool) -> None:
    """Write the ONNX file; its inputs and outputs are named as in the signature of the `.tflite`.

    Args:
        source: With scales on all tensors, float inputs and outputs, and one signature.
        target: Where it is written.
        opset: 13 or later: before it, DequantizeLinear knows no scales per channel.
        is_unsigned: Make activations uint8. Of signed ones onnxruntime makes integer operations
            on ARM only (`QDQIsInt8Allowed` of its QDQ transformer): on x86 ResNet-8 took 2.4 times
            as long with them.

    Raises:
        CompressionError: An operation has no ONNX form that tf2onnx knows.
    """
    import onnx
    import tf2onnx

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.tflite"
        prepared.write_bytes(with_rows(source.read_bytes()))
        model, _ = tf2onnx.convert.from_tflite(str(prepared), opset=opset)
    _check_known(model.graph)
    _name_ends(model.graph, source)
    # What tf2onnx infers along the way no longer fits; onnxruntime infers it anew.
    del model.graph.value_info[:]
    if is_unsigned:
        _make_unsigned(model.graph)
    _drop_unused(model.graph)
    onnx.save(model, str(target))


def _check_known(graph: "onnx.GraphProto") -> None:
    unknown = sorted({node.op_type for node in graph.node if node.op_type.startswith(UNKNOWN)})
    if unknown:
        listed = ", ".join(kind.removeprefix(UNKNOWN) for kind in unknown)
        msg = f"tf2onnx knows no ONNX form of the quantized {listed}."
        raise CompressionError(msg, hint="Make a .tflite, or leave the layer float: skip = [...].")


def _name_ends(graph: "onnx.GraphProto", source: Path) -> None:
    """Give inputs and outputs the names of the signature in place of those of the tensors."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(source), num_threads=1)
    (signature,) = interpreter._get_full_signature_list().values()
    details = [*interpreter.get_input_details(), *interpreter.get_output_details()]
    tensors = {detail["index"]: detail["name"] for detail in details}
    ends = (*signature["inputs"].items(), *signature["outputs"].items())
    names = {tensors[index]: name for name, index in ends}
    for node in graph.node:
        _replace(node.input, names)
        _replace(node.output, names)
    for value in (*graph.input, *graph.output):
        value.name = names.get(value.name, value.name)


def _replace(listed: "list[str]", names: dict[str, str]) -> None:
    for place, name in enumerate(listed):
        listed[place] = names.get(name, name)


def _drop_unused(graph: "onnx.GraphProto") -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _make_unsigned(graph: "onnx.GraphProto") -> None:
    """Shift the integers of all activations; their scales and all reals stay as they are."""
    import onnx

    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node, place in _signed_inputs(graph, frozenset(constants)):
        name = f"{node.input[place]}_unsigned"
        if name not in constants:
            signed = onnx.numpy_helper.to_array(constants[node.input[place]])
            shifted = (signed.astype(np.int16) + SHIFT).astype(np.uint8)
            constants[name] = onnx.numpy_helper.from_array(shifted, name)
            graph.initializer.append(constants[name])
        node.input[place] = name


def _signed_inputs(
    graph: "onnx.GraphProto", constants: frozenset[str]
) -> Iterator[tuple["onnx.NodeProto", int]]:
    """The constant int8 inputs of nodes that have to do with activations, and none with weights."""
    import onnx

    int8 = {t.name for t in graph.initializer if t.data_type == onnx.TensorProto.INT8}
    for node in graph.node:
        is_weight = node.op_type == "DequantizeLinear" and node.input[0] in constants
        if is_weight:
            continue
        for place, name in enumerate(node.input):
            if name in int8:
                yield node, place
