"""A kernel as the matrix that a decomposition of it works on."""

from typing import Literal

from edgebench.compress.linalg.arrays import Floats

Method = Literal["dense", "channel", "spatial", "tucker", "cp"]


def check_method(shape: tuple[int, ...], method: Method) -> None:
    """Raise ValueError where a kernel of this shape has no such decomposition."""
    wanted = 2 if method == "dense" else 4
    if len(shape) != wanted or 0 in shape:
        axes = "(in, out)" if method == "dense" else "(height, width, in, out)"
        msg = f"The method {method!r} is for kernels {axes}, and not for the shape {shape}."
        raise ValueError(msg)


def unfold(kernel: Floats, method: Method) -> tuple[Floats, ...]:
    """The matrix whose rank bounds the decomposition: one, or two for Tucker and CP.

    `dense` as it is; `channel`: `(height * width * in, out)`; `spatial`: `(height * in, width *
    out)`; `tucker` and `cp`: `(in, height * width * out)` and `(out, height * width * in)`.
    """
    check_method(kernel.shape, method)
    if method == "dense":
        return (kernel,)
    height, width, inputs, outputs = kernel.shape
    if method == "channel":
        return (kernel.reshape(-1, outputs),)
    if method == "spatial":
        return (kernel.transpose(0, 2, 1, 3).reshape(height * inputs, width * outputs),)
    return (
        kernel.transpose(2, 0, 1, 3).reshape(inputs, -1),
        kernel.reshape(-1, outputs).T,
    )
