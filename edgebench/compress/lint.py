"""What is pointless about a recipe before it costs any training or device time."""

from collections.abc import Callable, Iterator
from typing import Final

from edgebench.compress.quantize import option
from edgebench.core import Format, Recipe, Step

Rule = Callable[[Step, Format], Iterator[str]]


def doubts(recipe: Recipe, target: Format) -> Iterator[str]:
    """A sentence for each step that is likely to disappoint in this format.

    All rules are from measurements on other machines: they doubt, the device decides.
    """
    for step in recipe.steps:
        for rule in RULES:
            yield from rule(step, target)


def _int16x8(step: Step, target: Format) -> Iterator[str]:
    # LiteRT 2.3, x86 with VNNI, one thread: MobileNetV2-224 352 ms against 6.8 ms in float;
    # a MobileNetV2 of 96 pixels 14.2 ms against 0.42 ms. onnxruntime 1.31: 22 ms against 7.0 ms.
    if step.value == "int16x8" and target is Format.TFLITE:
        yield "int16x8 runs on LiteRT's reference kernels: expect 30 to 50 times float's latency"
    if step.value == "int16x8" and target is Format.ONNX:
        yield "int16x8 has no fast kernels in onnxruntime: expect about 3 times float's latency"


def _dynamic(step: Step, target: Format) -> Iterator[str]:
    # LiteRT 2.3, x86: MobileNetV2-224 12 ms against 6.8 ms in float where depthwise convolutions
    # are quantized too, which is why they are not here; plain CNNs ran 2 to 4 times faster.
    # onnxruntime 1.31, x86: quantizing MatMul and Gemm alone left a MobileNetV2 at 7.0 ms of 7.0.
    if step.value == "int8-dynamic" and target is Format.TFLITE:
        yield (
            "int8-dynamic leaves depthwise convolutions in float, since XNNPACK has no dynamic "
            "kernel for them: a depthwise model gains size, not speed"
        )
    if step.value == "int8-dynamic" and target is Format.ONNX:
        yield "int8-dynamic touches MatMul and Gemm only: a convolutional model hardly changes"


def _int4(step: Step, target: Format) -> Iterator[str]:
    # LiteRT 2.3, x86: MobileNetV2-224 27.7 ms against 6.8 ms in float; a MobileNetV2 of 96 pixels
    # 1.72 against 0.42 with 11 % other answers. onnxruntime 1.31: 7.3 ms against 7.0, MatMul only.
    if step.value == "int4-weights" and target is Format.TFLITE:
        yield "int4-weights ran 4 times slower than float on CPUs, and changed 1 answer in 10"
    if step.value == "int4-weights" and target is Format.ONNX:
        yield "int4-weights touches MatMul and Gemm only: a convolutional model stays as large"


def _scheme(step: Step, target: Format) -> Iterator[str]:
    # onnxruntime 1.31, x86 with VNNI: MobileNetV2-224 S8S8 6.1 ms, U8S8 3.5 ms, float 7.0 ms.
    # ARM64 with dot products has kernels for S8S8: microsoft/onnxruntime#9902.
    if step.value != "int8" or target is not Format.ONNX:
        return
    if option(step, "scheme") == "s8s8":
        yield "s8s8 is slow on x86, where u8s8 ran at almost twice its speed; it is made for ARM"
    else:
        yield "u8s8 is made for x86; on ARM boards with dot products try scheme = 's8s8' as well"


def _storage(step: Step, target: Format) -> Iterator[str]:
    # LiteRT 2.3, x86: float16 weights 6.6 ms of 6.8, int8 weights 6.7 of 6.8, and as much memory
    # as float, since they are unpacked at load. onnxruntime 1.31: float16 11.2 ms of 7.0.
    if step.value in ("float16", "int8-weights") and target is Format.TFLITE:
        yield f"{step.value} is unpacked at load: a smaller file, but float's speed and memory"
    if step.value == "float16" and target is Format.ONNX:
        yield "float16 is slower than float on CPUs without float16 arithmetic"
    if step.value == "int8-weights" and target is Format.ONNX:
        yield "int8-weights are unpacked at every inference: a smaller file, and slower"


def _granularity(step: Step, target: Format) -> Iterator[str]:
    # One scale a tensor saves some bytes of scales and costs accuracy where channels differ:
    # MobileNetV1's depthwise weights lose most. https://arxiv.org/abs/1806.08342, table 2.
    if step.options.get("granularity") == "tensor":
        yield f"granularity = 'tensor' costs accuracy and brings no speed in {target}"


RULES: Final[tuple[Rule, ...]] = (_int16x8, _dynamic, _int4, _scheme, _storage, _granularity)
