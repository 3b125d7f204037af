"""All there is: the steps a plan may name, and the conversions from one format to another.

A technique is one new file with a Way, and one line here. What stands in an `export` of Keras runs
in TensorFlow; every way runs in a worker process of its own.
"""

from collections.abc import Mapping
from typing import Final

from edgebench.compress.keras.export import export_onnx, export_tflite
from edgebench.compress.keras.train import TRAIN
from edgebench.compress.onnx import quantize as onnx_quantize
from edgebench.compress.quantize import check_quantize
from edgebench.compress.technique import Technique, Way
from edgebench.compress.tflite import quantize as tflite_quantize
from edgebench.core import Format

STEPS: Final[Mapping[str, Technique]] = {
    "quantize": Technique(
        check=check_quantize,
        ways={Format.TFLITE: tflite_quantize.WAY, Format.ONNX: onnx_quantize.WAY},
    ),
}

TO_TFLITE: Final = ("tensorflow", "keras", "ai-edge-litert")
TO_ONNX: Final = ("tensorflow", "keras", "tf2onnx", "onnx")

CONVERSIONS: Final[Mapping[tuple[Format, Format], Way]] = {
    (way.source, way.target): way
    for way in (
        Way(
            name="keras to tflite",
            source=Format.KERAS,
            target=Format.TFLITE,
            function=export_tflite,
            tools=TO_TFLITE,
        ),
        Way(
            name="saved-model to tflite",
            source=Format.SAVED_MODEL,
            target=Format.TFLITE,
            function=export_tflite,
            tools=TO_TFLITE,
        ),
        Way(
            name="keras to onnx",
            source=Format.KERAS,
            target=Format.ONNX,
            function=export_onnx,
            tools=TO_ONNX,
        ),
        Way(
            name="saved-model to onnx",
            source=Format.SAVED_MODEL,
            target=Format.ONNX,
            function=export_onnx,
            tools=TO_ONNX,
        ),
    )
}

# Why there is no way, where a user might well expect one.
NO_CONVERSION: Final[Mapping[tuple[Format, Format], str]] = {
    (Format.ONNX, Format.TFLITE): (
        "it needs an outside converter such as onnx2tf, which is not wired in; "
        "convert the model with it and begin with the .tflite"
    ),
    (Format.TFLITE, Format.ONNX): (
        "a .tflite has lost what a float ONNX graph needs; begin with the model it was made from"
    ),
}

WAYS: Final[Mapping[str, Way]] = {
    way.name: way
    for way in (
        TRAIN,
        *CONVERSIONS.values(),
        *(way for technique in STEPS.values() for way in technique.ways.values()),
    )
}
