"""The runtimes that the runner knows: what they read, and what they can be sped up by."""

from collections.abc import Mapping
from typing import Final, Literal

from edgebench.core import Format

Runtime = Literal["litert", "tflite-runtime", "onnxruntime"]

# Which runtime reads which format; a board takes the first of these that it has or can be given.
READS: Final[Mapping[Format, tuple[Runtime, ...]]] = {
    Format.TFLITE: ("litert", "tflite-runtime"),
    Format.ONNX: ("onnxruntime",),
}
# What the runner knows beside `cpu`; TFLite files take a library too, by its path on the device.
ACCELERATORS: Final[Mapping[Runtime, tuple[str, ...]]] = {
    "litert": ("xnnpack", "none"),
    "tflite-runtime": ("xnnpack", "none"),
    "onnxruntime": ("xnnpack", "cuda", "tensorrt", "qnn", "nnapi", "acl"),
}
DELEGATE: Final = "delegate:"


def has_accelerator(runtime: Runtime, accelerator: str) -> bool:
    """Whether the runner knows the accelerator; whether the board has it is seen when it runs.

    >>> [has_accelerator("litert", name) for name in ("cpu", "delegate:/usr/lib/libx.so", "cuda")]
    [True, True, False]
    """
    if accelerator.startswith(DELEGATE):
        return runtime != "onnxruntime" and len(accelerator) > len(DELEGATE)
    return accelerator == "cpu" or accelerator in ACCELERATORS[runtime]
