"""What a model is fed: samples from a file, or one made within each input's own range.

A spec is a dict: `name`, `axes` (an int, a symbol, or None for each axis; None where even the rank
is free), `dtype` (numpy's name, or the runtime's own word where numpy has none), `quantization`.
"""

import zipfile

import numpy as np
from failure import Failed

# Where a range is not declared: images and quantized bytes fill theirs, every other integer is
# likely an id or a length, of which 0 and 1 are the values that a model is least likely to lack.
INTEGER_RANGE = (0, 1)
REAL_RANGE = (0.0, 1.0)
# More than one sample is to be had only of inputs that are small: they are sent to every board.
GENERATED_BYTES_MAX = 8000000


def unfit(words):
    """The error of samples that do not fit the model, or of a model that takes no numbers."""
    return Failed(words, reason="unsupported_input")


def public(specs):
    """Specs as the result document has them: a free axis is null, whatever its symbol."""
    return [
        {
            "name": spec["name"],
            "shape": spec["axes"]
            and [axis if isinstance(axis, int) else None for axis in spec["axes"]],
            "dtype": spec["dtype"],
            "quantization": spec["quantization"],
        }
        for spec in specs
    ]


def check_types(specs):
    """Refuse inputs that are no tensors of numbers."""
    for spec in specs:
        if spec["dtype"] not in np.sctypeDict:
            raise unfit(
                "Input %r is a %s; only tensors of numbers can be fed."
                % (spec["name"], spec["dtype"])
            )


def read_samples(path):
    """Arrays of a `.npz` by name, the first axis being the sample."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise unfit("The inputs cannot be read: %s" % error) from error


def write_arrays(path, arrays):
    """Write a `.npz`; unlike `np.savez` under any name that a tensor can have."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(name + ".npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)


def arrange(samples, specs, aliases):
    """The samples in the order of the model's inputs, and how many there are."""
    named = {aliases.get(name, name): array for name, array in samples.items()}
    if len(specs) == 1 and len(named) == 1:
        named = {specs[0]["name"]: next(iter(named.values()))}
    missing = [spec["name"] for spec in specs if spec["name"] not in named]
    if missing:
        raise unfit("No samples for input %r; the file has %s." % (missing[0], sorted(samples)))
    arranged = {spec["name"]: named[spec["name"]] for spec in specs}
    counts = {array.shape[0] if array.ndim else 0 for array in arranged.values()} or {1}
    if len(counts) > 1 or 0 in counts:
        shapes = {name: array.shape for name, array in arranged.items()}
        raise unfit("The inputs differ in samples, or have none: %s" % shapes)
    return arranged, counts.pop()


def pick(arranged, specs, index):
    """One sample as the model stores it, and whether a batch axis was added."""
    fed, was_batched = {}, False
    for spec in specs:
        # Indexing yields a scalar where the sample has rank 0, and no runtime takes one.
        sample = np.asarray(arranged[spec["name"]][index])
        axes = spec["axes"]
        if axes is not None and sample.ndim == len(axes) - 1:
            sample, was_batched = sample[np.newaxis], True
        _check_shape(spec, sample.shape)
        fed[spec["name"]] = store(sample, spec)
    return fed, was_batched


def _check_shape(spec, shape):
    axes = spec["axes"]
    if axes is None:
        return
    fits = len(shape) == len(axes) and all(
        not isinstance(axis, int) or axis == size for axis, size in zip(axes, shape)
    )
    if not fits:
        raise unfit(
            "Input %r takes %s, not a sample of shape %s." % (spec["name"], axes, tuple(shape))
        )


def store(values, spec):
    """Values in the input's own type; reals pass through the scale of a quantized input."""
    dtype = np.dtype(spec["dtype"])
    if values.dtype.kind not in "fiub":
        raise unfit("Samples of %s cannot be fed to input %r." % (values.dtype, spec["name"]))
    if dtype.kind == "f":
        return np.ascontiguousarray(values, dtype=dtype).reshape(values.shape)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise unfit(
            "The samples of input %r hold NaN or infinity, which %s has not."
            % (spec["name"], dtype)
        )
    if spec["quantization"] and values.dtype.kind == "f":
        return _quantized(values, spec["quantization"], dtype)
    stored = np.asarray(values.astype(dtype))
    if not np.array_equal(stored, values):
        raise unfit(
            "The samples of input %r (%s) do not fit into %s." % (spec["name"], values.dtype, dtype)
        )
    return stored


def _quantized(values, quantization, dtype):
    bounds = np.iinfo(dtype)
    levels = np.rint(values.astype(np.float64) / quantization["scale"])
    return np.clip(levels + quantization["zero_point"], bounds.min, bounds.max).astype(dtype)


def shapes_of(fed):
    return {name: array.shape for name, array in fed.items()}


def resolve(specs, given):
    """A shape for each input: what was given, else what its symbol got elsewhere, else 1."""
    unknown = sorted(set(given) - {spec["name"] for spec in specs})
    if unknown:
        raise unfit("A shape is given for %r, which is no input." % unknown[0])
    symbols = {}
    for spec in specs:
        if spec["name"] in given:
            _check_shape(spec, given[spec["name"]])
            for axis, size in zip(spec["axes"] or (), given[spec["name"]]):
                if isinstance(axis, str) and symbols.setdefault(axis, size) != size:
                    raise unfit("Axis %r is given as %s and as %s." % (axis, symbols[axis], size))
    return {spec["name"]: tuple(given.get(spec["name"], _filled(spec, symbols))) for spec in specs}


def _filled(spec, symbols):
    axes = spec["axes"] or ()
    return [axis if isinstance(axis, int) else symbols.get(axis, 1) for axis in axes]


def generate(specs, shapes, ranges, seed, count):
    """At most `count` samples within each input's range, as stored, and how they came to be."""
    sizes = [np.dtype(spec["dtype"]).itemsize * _elements(shapes[spec["name"]]) for spec in specs]
    count = int(max(1, min(count, GENERATED_BYTES_MAX // max(sum(sizes), 1))))
    made, record = {}, {}
    for index, spec in enumerate(specs):
        # A stream for each input: one that changes does not change the others.
        random = np.random.default_rng([seed, index])
        low, high = ranges.get(spec["name"]) or own_range(spec)
        shape = (count, *shapes[spec["name"]])
        if np.dtype(spec["dtype"]).kind == "f" or spec["quantization"]:
            values = random.uniform(low, high, shape)
        else:
            values = random.integers(int(low), int(high), shape, endpoint=True)
        made[spec["name"]] = store(values, spec)
        record[spec["name"]] = {"shape": list(shape[1:]), "low": low, "high": high}
    return made, record


def _elements(shape):
    elements = 1
    for size in shape:
        elements *= size
    return elements


def own_range(spec):
    """The range of an input for which none was declared, in its real values."""
    dtype = np.dtype(spec["dtype"])
    if dtype.kind == "f":
        return REAL_RANGE
    if spec["quantization"]:
        bounds, levels = np.iinfo(dtype), spec["quantization"]
        return tuple(
            float(levels["scale"] * (bound - levels["zero_point"]))
            for bound in (bounds.min, bounds.max)
        )
    if dtype.kind in "iu" and dtype.itemsize == 1:
        return (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    return INTEGER_RANGE
