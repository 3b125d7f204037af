"""What the forms of `quantize` bring on which kernels.

Milliseconds are of one thread of an x86 with AVX512-VNNI. MobileNetV2 is that of 224 pixels, unless
it is said to be small: 96 pixels, half as wide.
"""

from collections.abc import Iterator
from typing import Final

from edgebench.compress.lint.rule import (
    Place,
    Rule,
    has_dot_products,
    is_x86,
    lacks_float16,
)
from edgebench.core import Format


def _int16x8(place: Place) -> Iterator[str]:
    if place.is_form("int16x8") and place.target is Format.TFLITE:
        yield "int16x8 runs on LiteRT's reference kernels: expect 30 to 50 times float's latency"
    if place.is_form("int16x8") and place.target is Format.ONNX:
        yield "int16x8 has no fast kernels in onnxruntime: expect about 3 times float's latency"


def _dynamic_depthwise(place: Place) -> Iterator[str]:
    if place.is_form("int8-dynamic") and place.target is Format.TFLITE:
        yield (
            "int8-dynamic leaves depthwise convolutions in float, since XNNPACK has no dynamic "
            "kernel for them and would be slower than float: a depthwise model gains size, not "
            "speed"
        )


def _dynamic_matmul(place: Place) -> Iterator[str]:
    if place.is_form("int8-dynamic") and place.target is Format.ONNX:
        yield "int8-dynamic touches MatMul and Gemm only: a convolutional model hardly changes"


def _int4_slow(place: Place) -> Iterator[str]:
    if place.is_form("int4-weights") and place.target is Format.TFLITE:
        yield "int4-weights ran 3 to 4 times slower than float on CPUs, and changed 1 answer in 10"


def _int4_matmul(place: Place) -> Iterator[str]:
    if place.is_form("int4-weights") and place.target is Format.ONNX:
        yield "int4-weights touches MatMul and Gemm only: a convolutional model stays as large"


def _s8s8(place: Place) -> Iterator[str]:
    # Of the ARM boards none is named: without dot products both schemes have the same kernel.
    where = place.where(is_x86, unknown="if the device is an x86")
    is_s8s8 = place.is_form("int8") and place.step.options.get("scheme") == "s8s8"
    if is_s8s8 and place.target is Format.ONNX and where:
        yield f"s8s8 is slow {where}: on x86 u8s8 ran at almost twice its speed"


def _u8s8(place: Place) -> Iterator[str]:
    where = place.where(has_dot_products, unknown="if the device is an ARM with dot products")
    # What was learned in training has its scheme from there, where the plan does not say it.
    default = "" if place.step.options.get("aware") is True else "u8s8"
    is_u8s8 = place.is_form("int8") and place.step.options.get("scheme", default) == "u8s8"
    if is_u8s8 and place.target is Format.ONNX and where:
        yield (
            f"u8s8 is made for x86: {where} try scheme = 's8s8' as well, which has kernels of its "
            f"own there"
        )


def _unpacked(place: Place) -> Iterator[str]:
    form = place.step.value
    if place.is_form("float16", "int8-weights") and place.target is Format.TFLITE:
        yield f"{form} is unpacked at load: a smaller file, but float's speed and memory"
    if place.is_form("int8-weights") and place.target is Format.ONNX:
        yield "int8-weights are unpacked at every inference: a smaller file, and slower"


def _float16(place: Place) -> Iterator[str]:
    where = place.where(lacks_float16, unknown="if the device has such a CPU")
    if place.is_form("float16") and place.target is Format.ONNX and where:
        yield (
            f"float16 is slower than float on a CPU without float16 arithmetic, 1.6 times on x86: "
            f"expect it {where}"
        )


def _granularity(place: Place) -> Iterator[str]:
    is_tensor = place.step.options.get("granularity") == "tensor"
    if place.step.name == "quantize" and is_tensor:
        yield f"granularity = 'tensor' costs accuracy and brings no speed in {place.target}"


RULES: Final = (
    Rule(
        name="int16x8-slow",
        source=(
            "LiteRT 2.3: MobileNetV2 352 ms against 6.8 in float, the small one 14.2 against 0.42; "
            "onnxruntime 1.31: 22 ms against 7.0"
        ),
        check=_int16x8,
    ),
    Rule(
        name="dynamic-depthwise",
        source=(
            "LiteRT 2.3: MobileNetV2 12 ms with its depthwise convolutions quantized, against 6.8 "
            "in float; the small one 0.58 ms without them, against 0.57; plain CNNs ran 2 to 4 "
            "times faster than float"
        ),
        check=_dynamic_depthwise,
    ),
    Rule(
        name="dynamic-matmul-only",
        source="onnxruntime 1.31: MobileNetV2 7.0 ms of 7.0; with its convolutions 22 to 80 ms",
        check=_dynamic_matmul,
    ),
    Rule(
        name="int4-slow",
        source=(
            "LiteRT 2.3: MobileNetV2 27.7 ms against 6.8 in float; the small one 1.58 against 0.56 "
            "and 1.72 against 0.42 on two days, with 11 % other answers"
        ),
        check=_int4_slow,
    ),
    Rule(
        name="int4-matmul-only",
        source="onnxruntime 1.31: MobileNetV2 7.3 ms against 7.0 in float, and nearly its size",
        check=_int4_matmul,
    ),
    Rule(
        name="s8s8-x86",
        source=(
            "onnxruntime 1.31: MobileNetV2 S8S8 6.1 ms, U8S8 3.5, float 7.0; the table of kernels "
            "by architecture is in https://github.com/microsoft/onnxruntime/pull/9902"
        ),
        check=_s8s8,
    ),
    Rule(
        name="u8s8-arm",
        source="SDOT kernels for S8S8: https://github.com/microsoft/onnxruntime/pull/9902",
        check=_u8s8,
    ),
    Rule(
        name="weights-unpacked",
        source=(
            "LiteRT 2.3: MobileNetV2 6.6 ms in float16, 6.7 with int8 weights, 6.8 in float; "
            "memory above the runtime's own 8.9, 10.9 and 10.1 MB for the small one"
        ),
        check=_unpacked,
    ),
    Rule(
        name="float16-slow",
        source=(
            "onnxruntime 1.31: MobileNetV2 11.2 ms against 7.0 in float; which cores compute in "
            "float16: device_profiles/README.md"
        ),
        check=_float16,
    ),
    Rule(
        name="tensor-scale",
        source=(
            "MobileNetV1's depthwise weights lose most: https://arxiv.org/abs/1806.08342, table 2"
        ),
        check=_granularity,
    ),
)
