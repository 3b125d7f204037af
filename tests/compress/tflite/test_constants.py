import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgebench.compress.tflite.constants import READERS, densify
from tests.compress.flatbuffers import operation, save, tensor

pytestmark = pytest.mark.converter


@pytest.mark.parametrize(
    ("kind", "stored", "values"),
    [
        ("FLOAT32", np.array([1.5, -2], "<f4"), [1.5, -2]),
        ("FLOAT16", np.array([1.5, -2], "<f2"), [1.5, -2]),
        ("BFLOAT16", np.array([0x3FC0, 0xC000], "<u2"), [1.5, -2]),
        ("INT8", np.array([-128, 127], "i1"), [-128, 127]),
        ("UINT8", np.array([0, 255], "u1"), [0, 255]),
        ("INT16", np.array([-300, 300], "<i2"), [-300, 300]),
        ("INT4", np.array([0x8F, 0x07], "u1"), [-1, -8, 7]),
        ("UINT4", np.array([0x8F, 0x07], "u1"), [15, 8, 7]),
        ("INT2", np.array([0b11_10_01_00], "u1"), [0, 1, -2, -1]),
    ],
)
def test_every_element_type_is_read_as_numbers(kind, stored, values):
    assert READERS[kind](stored.view(np.uint8), len(values)).tolist() == values


def level(dense=None, segments=None, indices=None):
    found = schema.DimensionMetadataT()
    found.format = schema.DimensionType.DENSE if dense else schema.DimensionType.SPARSE_CSR
    found.denseSize = dense or 0
    for name, values in (("Segments", segments), ("Indices", indices)):
        if values is not None:
            vector = schema.Int32VectorT()
            vector.values = np.array(values, np.int32)
            setattr(found, f"array{name}", vector)
            setattr(found, f"array{name}Type", schema.SparseIndexVector.Int32Vector)
    return found


def sparsity(order, levels, blocks=()):
    found = schema.SparsityParametersT()
    found.traversalOrder, found.blockMap = list(order), list(blocks) or None
    found.dimMetadata = levels
    return found


def compressed(blocked, order, blocks=()):
    """All axes dense but the last, which lists what is not zero: as the converter writes it."""
    moved = blocked.transpose(order)
    rows = moved.reshape(-1, moved.shape[-1])
    segments = np.concatenate([[0], np.cumsum((rows != 0).sum(axis=1))])
    levels = [level(dense=size) for size in moved.shape[:-1]]
    levels.append(level(segments=segments, indices=np.nonzero(rows)[1]))
    return rows[rows != 0], sparsity(order, levels, blocks)


def sparse(shape, share=0.7, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(shape).astype(np.float32)
    return np.where(rng.random(shape) < share, 0, values).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "order"),
    [((4, 6), (0, 1)), ((4, 6), (1, 0)), ((3, 1, 2, 5), (0, 1, 2, 3)), ((3, 2, 4), (2, 0, 1))],
)
def test_a_compressed_array_is_what_it_was(shape, order):
    dense = sparse(shape)
    values, how = compressed(dense, order)
    assert np.array_equal(densify(values, how, shape), dense)


def test_two_compressed_axes_are_read_one_within_the_other():
    dense = np.array([[0, 0, 0], [0, 7, 0], [0, 0, 0], [1, 0, 2]], np.float32)
    how = sparsity(
        (0, 1),
        [
            level(segments=[0, 2], indices=[1, 3]),
            level(segments=[0, 1, 3], indices=[1, 0, 2]),
        ],
    )
    found = densify(np.array([7, 1, 2], np.float32), how, dense.shape)
    assert np.array_equal(found, dense)


def test_blocks_lie_side_by_side():
    """The example of the format's own description: 2x2 blocks of which every other one is zero."""
    dense = np.zeros((4, 4), np.float32)
    dense[:2, 2:] = [[1, 2], [3, 4]]
    dense[2:, :2] = [[5, 6], [7, 8]]
    how = sparsity(
        (0, 1, 2, 3),
        [level(dense=2), level(segments=[0, 1, 2], indices=[1, 0]), level(dense=2), level(dense=2)],
        blocks=(0, 1),
    )
    assert np.array_equal(densify(np.arange(1, 9, dtype=np.float32), how, (4, 4)), dense)


def test_nothing_but_zeros_is_read_as_zeros():
    dense = np.zeros((3, 4), np.float32)
    values, how = compressed(dense, (0, 1))
    assert np.array_equal(densify(values, how, dense.shape), dense)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_runtime_unpacks_the_same(tmp_path, order):
    dense = sparse((4, 6), seed=1)
    values, how = compressed(dense, order)
    packed = tensor("packed", dense.shape, data=values)
    packed.sparsity = how
    path = save(
        tmp_path / "s.tflite",
        [
            tensor("x", dense.shape),
            packed,
            tensor("w", dense.shape),
            tensor("y", dense.shape),
        ],
        [operation("DENSIFY", ["packed"], ["w"]), operation("ADD", ["x", "w"], ["y"])],
        ["x"],
        ["y"],
    )
    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    index = interpreter.get_input_details()[0]["index"]
    interpreter.set_tensor(index, np.zeros(dense.shape, np.float32))
    interpreter.invoke()
    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.array_equal(found, densify(values, how, dense.shape))
