"""What a model computes for each sample, as reals, stacked over the samples."""

import numpy as np
from failure import Failed
from inputs import pick


def compute(model, arranged, count):
    """Outputs by name, shape `(samples, ...)`, without the batch axis where one was added."""
    rows = {}
    was_batched = False
    for index in range(count):
        fed, was_batched = pick(arranged, model.inputs, index)
        for name, array in model.compute(fed).items():
            rows.setdefault(name, []).append(array)
    specs = {spec["name"]: spec for spec in model.outputs}
    return {name: _stacked(specs[name], arrays, was_batched) for name, arrays in rows.items()}


def _stacked(spec, arrays, was_batched):
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) > 1:
        raise Failed(
            "Output %r differs in shape from sample to sample: %s."
            % (spec["name"], ", ".join(map(str, shapes[:4]))),
            reason="runtime_error",
        )
    if was_batched and shapes[0] and shapes[0][0] == 1:
        arrays = [array[0] for array in arrays]
    return dequantize(np.stack(arrays), spec["quantization"])


def dequantize(stored, quantization):
    """Reals of a quantized output; every other output as it is."""
    if not quantization or stored.dtype.kind not in "iu":
        return stored
    levels = stored.astype(np.float32) - np.float32(quantization["zero_point"])
    return levels * np.float32(quantization["scale"])
