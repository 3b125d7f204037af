import json

import pytest

from tests.compress.keras.test_channels import run

pytestmark = pytest.mark.converter

CODE = """
import json
import keras
from edgebench.compress.keras.macs import macs_of

L = keras.layers


def macs(layer, shape, again=False):
    x = begin = keras.Input(shape)
    x = layer(x)
    return macs_of(keras.Model(begin, layer(x) if again else x))


print(json.dumps({
    "dense": macs(L.Dense(5), (7,)),
    "dense on rows": macs(L.Dense(5), (3, 7)),
    "conv": macs(L.Conv2D(6, 3, strides=2, padding="same"), (8, 8, 4)),
    "groups": macs(L.Conv2D(6, 3, groups=2, padding="same"), (8, 8, 4)),
    "series": macs(L.Conv1D(6, 3, padding="valid"), (8, 4)),
    "depthwise": macs(L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), (8, 8, 4)),
    "separable": macs(L.SeparableConv2D(6, 3, padding="same"), (8, 8, 4)),
    "transposed": macs(L.Conv2DTranspose(6, 3, strides=2, padding="same"), (8, 8, 4)),
    "shared": macs(L.Dense(7), (7,), again=True),
    "free": macs(L.Conv2D(6, 3), (None, None, 4)),
    "pooling": macs(L.MaxPooling2D(), (8, 8, 4)),
}))
"""


@pytest.fixture(scope="module")
def found():
    return json.loads(run("-c", CODE).splitlines()[-1])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dense", 7 * 5),
        ("dense on rows", 3 * 7 * 5),
        ("conv", 4 * 4 * 3 * 3 * 4 * 6),
        ("groups", 8 * 8 * 3 * 3 * 2 * 6),
        ("series", 6 * 3 * 4 * 6),
        ("depthwise", 8 * 8 * 3 * 3 * 4 * 2),
        ("separable", 8 * 8 * (3 * 3 * 4 + 4 * 6)),
        ("transposed", 8 * 8 * 3 * 3 * 4 * 6),
        ("shared", 2 * 7 * 7),
        ("free", None),
        ("pooling", 0),
    ],
)
def test_multiplications_are_counted(found, name, expected):
    assert found[name] == expected
