"""Samples that come in batches, as `tf.data.Dataset`, generators and the like, made into arrays.

A model is calibrated, judged and tuned on the same samples again and again, in several processes,
and a data source is known by the sha256 of its samples. So a stream is read once, from its
beginning to its end, and must fit into memory; one that shuffles without a seed is another data set
at every run.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from edgebench.errors import ConfigError

STREAMS: Final = ("train", "validation", "test", "calibration")

# tf.data.INFINITE_CARDINALITY: https://www.tensorflow.org/api_docs/python/tf/data
INFINITE: Final = -1

# What an array takes beside its content, its place in a dict and a list among it: an endless
# stream of single numbers fills the memory with this alone.
OVERHEAD_BYTES: Final = 400


@runtime_checkable
class TensorStream(Protocol):
    """A `tf.data.Dataset`, as far as it is read here: TensorFlow need not be imported for it."""

    def as_numpy_iterator(self) -> Iterator[Any]:
        """Its elements, with arrays for tensors."""

    def cardinality(self) -> Any:  # noqa: ANN401 - a scalar tensor
        """How many elements there are; negative where that is unknown or there is no end."""


def arrays_from_streams(
    streams: Mapping[str, Any], *, name: str, limit_bytes: float | None = None
) -> dict[str, Any]:
    """Read `train`, `validation`, `test`, `calibration` into `x_train`, `y_train` and so on.

    A stream is a `tf.data.Dataset`, any other iterable, or a function without arguments that
    returns one. It yields batches as `keras.Model.fit` takes them: `x` or `(x, y)`, the sample as
    first axis, where `x` is an array or arrays by input name. An element whose label has no axis is
    one sample, as of a `tf.data.Dataset` that is not batched. In place of a stream there may be one
    such batch that holds all samples. What has another name is passed on untouched.

    Args:
        streams: By name.
        name: What the errors call the data source.
        limit_bytes: Where reading stops; half of the memory that is free if it is not given, for
            the parts of a stream and the array that they become are there at the same time.

    Raises:
        ConfigError: A stream has no end, no samples, or parts that do not fit together.
    """
    left = free_bytes() / 2 if limit_bytes is None else limit_bytes
    arrays: dict[str, Any] = {}
    for key, stream in streams.items():
        found = _read(key, stream, left) if key in STREAMS else {key: stream}
        twice = sorted(set(found) & set(arrays))
        if twice:
            msg = f"The data source {name!r} gives {twice[0]!r} twice, once as a stream."
            raise ConfigError(msg, hint=f"Leave one of the two out: {twice[0]!r} or its stream.")
        arrays.update(found)
        left -= sum(array.nbytes for array in found.values()) if key in STREAMS else 0
    return arrays


def free_bytes(meminfo: Path = Path("/proc/meminfo")) -> float:
    """How much memory programs may still take; infinity where Linux is not there to say."""
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return float("inf")
    found = (float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return next(found, float("inf"))


def _read(key: str, stream: object, limit_bytes: float) -> dict[str, NDArray[Any]]:
    parts: list[dict[str, NDArray[Any]]] = []
    taken = 0
    for element in _elements(key, stream):
        part = _part(key, element)
        _check_alike(key, part, parts)
        parts.append(part)
        taken += sum(array.nbytes + OVERHEAD_BYTES for array in part.values())
        if taken > limit_bytes:
            have = f"{sum(_samples(part) for part in parts)} samples of {taken / 2**20:.0f} MiB"
            msg = f"The stream {key!r} does not end within half of the free memory: {have} so far."
            raise ConfigError(msg, hint="End it sooner: its samples must fit into memory.")
    if not parts:
        msg = f"The stream {key!r} yields nothing."
        raise ConfigError(msg, hint="A generator can be read once: give each name one of its own.")
    return {each: np.concatenate([part[each] for part in parts]) for each in parts[0]}


def _elements(key: str, stream: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever a user returns
    if isinstance(stream, TensorStream):
        if int(stream.cardinality()) == INFINITE:
            msg = f"The stream {key!r} is a tf.data.Dataset without an end."
            raise ConfigError(msg, hint="Leave out its `.repeat()`, or end it with `.take(n)`.")
        return stream.as_numpy_iterator()
    if isinstance(stream, tuple | Mapping) or hasattr(stream, "__array__"):
        return iter((stream,))
    if callable(stream) and not hasattr(stream, "__iter__"):
        return _elements(key, stream())
    try:
        return iter(stream)
    except TypeError as error:
        msg = f"The stream {key!r} is a {type(stream).__name__}, which yields nothing."
        raise ConfigError(msg, hint="Give a tf.data.Dataset, a generator, or (x, y).") from error


def _part(key: str, element: object) -> dict[str, NDArray[Any]]:
    """The arrays of one element, by the names that they have in a data source."""
    # A DataLoader of PyTorch yields lists.
    x, y = _pair(key, element) if isinstance(element, tuple | list) else (element, None)
    if isinstance(x, tuple | list):
        msg = f"The stream {key!r} yields several inputs without their names."
        raise ConfigError(msg, hint="Yield a dict by input name, or one array.")
    named = x if isinstance(x, Mapping) else {"": x}
    part = {f"x_{key}/{each}".removesuffix("/"): _array(key, x) for each, x in named.items()}
    labels = None if y is None else _array(key, y)
    if labels is not None and labels.ndim == 0:
        part = {each: array[np.newaxis] for each, array in part.items()}
        labels = labels[np.newaxis]
    if labels is not None:
        part[f"y_{key}"] = labels
    counts = {array.shape[:1] for array in part.values()}
    if len(counts) != 1 or () in counts:
        shown = ", ".join(f"{each}: {array.shape}" for each, array in part.items())
        msg = f"An element of the stream {key!r} is no batch: {shown}."
        raise ConfigError(msg, hint="The first axis of every array is the sample.")
    if key == "calibration":
        part.pop("y_calibration", None)
    return part


def _pair(key: str, element: tuple[Any, ...] | list[Any]) -> tuple[Any, Any]:
    if len(element) == 1:
        return element[0], None
    if len(element) != 2:
        msg = f"The stream {key!r} yields {len(element)} things at once."
        raise ConfigError(msg, hint="Yield (x, y) or x; weights of samples are not taken.")
    if isinstance(element[1], tuple | Mapping):
        msg = f"The stream {key!r} yields several labels for a sample."
        raise ConfigError(msg, hint="Yield one array of labels; join them along their last axis.")
    return element[0], element[1]


def _array(key: str, value: object) -> NDArray[Any]:
    """A copy: a generator may fill the same array again for its next batch."""
    try:
        array = np.array(value)
    except ValueError as error:
        msg = f"The stream {key!r} yields rows of different lengths: {error}."
        raise ConfigError(msg, hint="Pad them to one length.") from error
    if array.dtype.kind != "O":
        return array
    # Text of tf.data comes as Python objects.
    kinds = {type(item) for item in array.flat}
    if kinds in ({bytes}, {str}):
        return array.astype(np.bytes_ if kinds == {bytes} else np.str_)
    words = ", ".join(sorted(kind.__name__ for kind in kinds))
    msg = f"The stream {key!r} yields Python objects: {words}."
    raise ConfigError(msg, hint="Yield arrays of numbers, or of text.")


def _check_alike(
    key: str, part: dict[str, NDArray[Any]], parts: list[dict[str, NDArray[Any]]]
) -> None:
    first = parts[0] if parts else part
    now, then = ({each: array.shape[1:] for each, array in some.items()} for some in (part, first))
    if now != then:
        msg = f"The elements of the stream {key!r} differ: {then} and then {now}, without samples."
        raise ConfigError(msg, hint="All elements have the same arrays, and samples of one shape.")


def _samples(part: dict[str, NDArray[Any]]) -> int:
    return len(next(iter(part.values())))
