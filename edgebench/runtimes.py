"""The runtimes that the runner knows: what they read, and what they can be sped up by."""

from collections.abc import Mapping
from typing import Final, Literal

from edgebench.core import Format

Runtime = Literal["litert", "tflite-runtime", "onnxruntime"]
# What plans, profiles and cells name: a runtime, by the runner in Python or by the native one.
Choice = Literal["litert", "tflite-runtime", "onnxruntime", "litert-native", "onnxruntime-native"]

# The runtime behind each.
RUNS: Final[Mapping[str, Runtime]] = {
    "litert": "litert",
    "tflite-runtime": "tflite-runtime",
    "onnxruntime": "onnxruntime",
    "litert-native": "litert",
    "onnxruntime-native": "onnxruntime",
}
# Which of them read which format; a board takes the first of these that it has or can be given.
READS: Final[Mapping[Format, tuple[Choice, ...]]] = {
    Format.TFLITE: ("litert", "tflite-runtime", "litert-native"),
    Format.ONNX: ("onnxruntime", "onnxruntime-native"),
}
# What the runner knows beside `cpu`; TFLite files take a library too, by its path on the device.
ACCELERATORS: Final[Mapping[Choice, tuple[str, ...]]] = {
    "litert": ("xnnpack", "none"),
    "tflite-runtime": ("xnnpack", "none"),
    "onnxruntime": ("xnnpack", "cuda", "tensorrt", "qnn", "nnapi", "acl"),
    "litert-native": ("xnnpack", "none"),
    "onnxruntime-native": (),
}
DELEGATE: Final = "delegate:"


def has_accelerator(runtime: Choice, accelerator: str) -> bool:
    """Whether the runner knows the accelerator; whether the board has it is seen when it runs.

    >>> [has_accelerator("litert", name) for name in ("cpu", "delegate:/usr/lib/libx.so", "cuda")]
    [True, True, False]
    """
    if accelerator.startswith(DELEGATE):
        return runtime in {"litert", "tflite-runtime"} and len(accelerator) > len(DELEGATE)
    return accelerator == "cpu" or accelerator in ACCELERATORS[runtime]
