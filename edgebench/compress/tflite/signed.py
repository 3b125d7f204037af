"""Give a `.tflite` without a signature one: litert-quantizer runs a model by its signature only."""

from typing import TYPE_CHECKING, Final

from edgebench.errors import CompressionError

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

KEY: Final = "serving_default"


def with_signature(content: bytes) -> tuple[bytes, str]:
    """The model with a signature named after its tensors, and the key of its only signature.

    A model that has one is returned as it is.

    Raises:
        CompressionError: It has several, so that samples could be meant for any of them.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    if model.signatureDefs:
        keys = [_text(signature.signatureKey) for signature in model.signatureDefs]
        if len(keys) > 1:
            msg = f"The model has several signatures: {', '.join(keys)}."
            raise CompressionError(msg, hint="Export each signature as a model of its own.")
        return content, keys[0]
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey = KEY
    signature.subgraphIndex = 0
    signature.inputs = [_entry(graph, index) for index in graph.inputs]
    signature.outputs = [_entry(graph, index) for index in graph.outputs]
    model.signatureDefs = [signature]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model)), KEY


def _entry(graph: "schema.SubGraphT", index: int) -> "schema.TensorMapT":
    from ai_edge_litert import schema_py_generated as schema

    entry = schema.TensorMapT()
    entry.name = _text(graph.tensors[index].name)
    entry.tensorIndex = int(index)
    return entry


def _text(name: bytes | str | None) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name or ""
