"""What lies in a `.tflite` file: element types of its tensors, and its operations."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

if TYPE_CHECKING:
    from ai_edge_litert import schema_py_generated as schema

STATE_OPERATIONS: Final = frozenset({"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"})
# What stands at the ends of an integer graph, where reals come in and go out.
EDGES: Final = frozenset({"QUANTIZE", "DEQUANTIZE"})
FLOATS: Final = frozenset({"FLOAT32", "FLOAT16", "BFLOAT16", "FLOAT64"})
WEIGHT_RANK: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A flatbuffer in numbers.

    Attributes:
        weights: Constants of rank 2 and more by element type, `{"FLOAT32": 4}`.
        quantized: Tensors with a scale, constant or not, by element type.
        variables: Tensors and operations that keep state between two inferences.
        scopes: Names of what the operations put out; rules of a quantization match them.
        floating: Operations that read or write floats, but for QUANTIZE and DEQUANTIZE.
        custom: Names of operations that no runtime brings along.
    """

    weights: Mapping[str, int]
    quantized: Mapping[str, int]
    operations: Mapping[str, int]
    variables: int
    scopes: tuple[str, ...]
    floating: Mapping[str, int]
    custom: tuple[str, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """For the ledger."""
        return {
            "weights": dict(self.weights),
            "quantized_tensors": dict(self.quantized),
            "operations": dict(self.operations),
        }


def read_tflite_counts(path: Path) -> Counts:
    """Count tensors and operations over all subgraphs."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    operations = [operation_name(model, op) for graph in model.subgraphs for op in graph.operators]
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    weights = Counter(type_name(tensor) for tensor in tensors if _is_weight(model, tensor))
    quantized = Counter(type_name(tensor) for tensor in tensors if _is_quantized(tensor))
    state = sum(code in STATE_OPERATIONS for code in operations)
    return Counts(
        weights=dict(sorted(weights.items())),
        quantized=dict(sorted(quantized.items())),
        operations=dict(sorted(Counter(operations).items())),
        variables=state + sum(bool(tensor.isVariable) for tensor in tensors),
        scopes=tuple(_scopes(model)),
        floating=dict(sorted(Counter(_floating(model)).items())),
        custom=tuple(text_of(code.customCode) for code in model.operatorCodes if code.customCode),
    )


def operation_name(model: "schema.ModelT", operation: "schema.OperatorT") -> str:
    """What the schema calls the operation: `CONV_2D`."""
    from ai_edge_litert import schema_py_generated as schema

    return _names(schema.BuiltinOperator)[_code(model, operation)]


def type_name(tensor: "schema.TensorT") -> str:
    """What the schema calls the tensor's element type: `INT8`."""
    from ai_edge_litert import schema_py_generated as schema

    return _names(schema.TensorType)[tensor.type]


@lru_cache
def _names(enumeration: type) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _code(model: "schema.ModelT", operation: "schema.OperatorT") -> int:
    code = model.operatorCodes[operation.opcodeIndex]
    # Codes below 127 stand in the older field as well, and only there in older files.
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def _is_weight(model: "schema.ModelT", tensor: "schema.TensorT") -> bool:
    """A constant of rank 2 and more: what the size of a file is made of."""
    buffer = model.buffers[tensor.buffer]
    # Some writers put large buffers behind the flatbuffer, and leave their offset and size in it.
    is_filled = bool(buffer.size) or (buffer.data is not None and len(buffer.data) > 0)
    return is_filled and tensor.shape is not None and len(tensor.shape) >= WEIGHT_RANK


def _is_quantized(tensor: "schema.TensorT") -> bool:
    scale = tensor.quantization.scale if tensor.quantization else None
    return scale is not None and len(scale) > 0


def _floating(model: "schema.ModelT") -> Iterator[str]:
    for graph in model.subgraphs:
        for operation in graph.operators:
            name = operation_name(model, operation)
            ends = (operation.inputs, operation.outputs)
            touched = [index for end in ends if end is not None for index in end if index >= 0]
            kinds = {type_name(graph.tensors[index]) for index in touched}
            if name not in EDGES and kinds & FLOATS:
                yield name


def _scopes(model: "schema.ModelT") -> list[str]:
    found = []
    for graph in model.subgraphs:
        for operation in graph.operators:
            names = [graph.tensors[index].name for index in operation.outputs if index >= 0]
            found.append(";".join(text_of(name) for name in names))
    return found


def text_of(name: bytes | str | None) -> str:
    """A name of the flatbuffer as text."""
    return name.decode(errors="replace") if isinstance(name, bytes) else name or ""
