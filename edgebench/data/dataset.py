"""What a model is trained, calibrated and judged on: a user's data source, and the metric.

A source is the shipped `"zoo:fashion-mnist"`, an `.npz` file, or a function in a Python file that
returns arrays or streams of batches. All become a Dataset of training, validation and test samples,
and of the samples that calibrate a quantization. Steps that choose or tune see training and
validation alone.
"""

import difflib
import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edgebench.data.arrays import Arrays
from edgebench.data.function import load_function
from edgebench.data.stream import STREAMS, arrays_from_streams
from edgebench.errors import ConfigError

SPLITS: Final = ("train", "validation", "test")
VALIDATION_SHARE: Final = 0.1
CALIBRATION_SAMPLES: Final = 256
SEED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """Samples and their labels.

    Attributes:
        y: One label a sample, `(samples, ...)`; None where there are none.
    """

    x: Arrays
    y: NDArray[Any] | None = None

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(next(iter(self.x.values())))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataset:
    """The samples of a data source, split so that no number is read off what it was tuned on.

    Attributes:
        calibration: Unlabelled samples in the order in which a calibration sees them.
        digest: sha256 of all arrays: two sources with the same samples are the same data.
        notes: What was decided here and not by the source, a sentence each.
    """

    train: Split
    validation: Split
    test: Split
    calibration: Arrays
    digest: str
    notes: tuple[str, ...] = ()


def load_dataset(source: str, *, base: Path) -> Dataset:
    """Load `"zoo:<name>"`, `"x.npz"` or `"data.py:load"`; paths are relative to `base`.

    Raises:
        ConfigError: There is no such source, or what it holds is no data set.
    """
    if source.startswith("zoo:"):
        return _zoo_dataset(source.removeprefix("zoo:"))
    if source.endswith(".npz"):
        return dataset_from_arrays(_read_npz(base / source), name=source)
    answer = load_function(source, base=base)[0]()
    if isinstance(answer, Dataset):
        return answer
    if isinstance(answer, Mapping):
        return dataset_from_streams(answer, name=source)
    msg = f"The data source {source!r} returned a {type(answer).__name__}."
    hint = "Return arrays by name (x_train, y_train, ...) or streams by name (train, test)."
    raise ConfigError(msg, hint=hint)


def dataset_from_streams(streams: Mapping[str, Any], *, name: str) -> Dataset:
    """Make a Dataset of streams named `train`, `validation`, `test`, `calibration`, or of arrays.

    Each may be a `tf.data.Dataset`, a generator, another iterable of batches, or all samples as one
    `(x, y)`; see `edgebench.data.stream`. What is missing is made as `dataset_from_arrays` does it.

    Raises:
        ConfigError: A stream has no end or does not fit into memory, or what it holds is no data.
    """
    return dataset_from_arrays(arrays_from_streams(streams, name=name), name=name)


def dataset_from_arrays(arrays: Arrays, *, name: str) -> Dataset:
    """Make a Dataset of arrays named `x_train`, `y_train`, ... or `x_train/<input name>`.

    A missing validation set is cut from training and missing calibration samples are drawn from
    it, both with a fixed seed; `notes` say so.

    Raises:
        ConfigError: An array is missing, unknown, or has another number of samples than its kin.
    """
    _check_keys(arrays, name=name)
    digest = _digest(arrays)
    train, test = _split(arrays, "train", name=name), _split(arrays, "test", name=name)
    notes = []
    if any(key.partition("/")[0] == "x_validation" for key in arrays):
        validation = _split(arrays, "validation", name=name)
    else:
        whole = train.samples
        train, validation = _cut_validation(train, name=name)
        notes.append(f"validation: {validation.samples} of {whole} training samples, seed {SEED}")
    calibration = _inputs(arrays, "x_calibration")
    if not calibration:
        drawn = np.random.default_rng(SEED).permutation(train.samples)[:CALIBRATION_SAMPLES]
        calibration = {key: array[drawn] for key, array in train.x.items()}
        notes.append(f"calibration: {len(drawn)} of {train.samples} training samples, seed {SEED}")
    return Dataset(
        train=train,
        validation=validation,
        test=test,
        calibration=calibration,
        digest=digest,
        notes=tuple(notes),
    )


def _check_keys(arrays: Arrays, *, name: str) -> None:
    known = {f"{axis}_{split}" for axis in "xy" for split in SPLITS} | {"x_calibration"}
    for key in arrays:
        stem, slash, _ = key.partition("/")
        if stem not in known or (slash and stem.startswith("y_")):
            near = difflib.get_close_matches(stem, (*known, *STREAMS), n=1)
            names = f"Arrays: {', '.join(sorted(known))}; streams: {', '.join(STREAMS)}."
            hint = f"Did you mean {near[0]!r}?" if near else names
            msg = f"The data source {name!r} holds an unknown array {key!r}."
            raise ConfigError(msg, hint=hint)
        if np.asarray(arrays[key]).dtype.kind == "O":
            msg = f"{key!r} of the data source {name!r} holds Python objects, not numbers or text."
            raise ConfigError(msg, hint="A tf.data.Dataset or a generator is named 'train' or so.")


def _inputs(arrays: Arrays, stem: str) -> dict[str, NDArray[Any]]:
    return {
        key.partition("/")[2]: np.asarray(array)
        for key, array in arrays.items()
        if key.partition("/")[0] == stem
    }


def _split(arrays: Arrays, split: str, *, name: str) -> Split:
    x = _inputs(arrays, f"x_{split}")
    y = np.asarray(arrays[f"y_{split}"]) if f"y_{split}" in arrays else None
    if not x:
        msg = f"The data source {name!r} has no array 'x_{split}'."
        raise ConfigError(
            msg, hint="At least x_train, x_test and y_test are there, or train and test."
        )
    counts = {f"x_{split}/{key}".rstrip("/"): array.shape[:1] for key, array in x.items()}
    if y is not None:
        counts[f"y_{split}"] = y.shape[:1]
    if len(set(counts.values())) > 1 or () in counts.values() or (0,) in counts.values():
        shown = ", ".join(f"{key}: {shape[0] if shape else '-'}" for key, shape in counts.items())
        msg = f"The arrays of {name!r} differ in their number of samples, or have none: {shown}."
        raise ConfigError(msg, hint="The first axis of every array is the sample.")
    return Split(x=x, y=y)


def _cut_validation(train: Split, *, name: str) -> tuple[Split, Split]:
    cut = round(train.samples * VALIDATION_SHARE)
    if cut == 0:
        msg = f"The data source {name!r} has {train.samples} training samples: none to validate on."
        raise ConfigError(msg, hint="Add x_validation and y_validation.")
    order = np.random.default_rng(SEED).permutation(train.samples)

    def take(chosen: NDArray[np.int64]) -> Split:
        y = None if train.y is None else train.y[chosen]
        return Split(x={key: array[chosen] for key, array in train.x.items()}, y=y)

    return take(order[cut:]), take(order[:cut])


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError as error:
        msg = f"There is no data file {str(path)!r}."
        raise ConfigError(msg, hint="Paths in a plan are relative to the plan.") from error
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        msg = f"{str(path)!r} cannot be read as .npz: {error}."
        raise ConfigError(msg, hint="Write it with numpy.savez, without object arrays.") from error


def _digest(arrays: Arrays) -> str:
    """sha256 of names, shapes, element types and contents, whatever the order of the names."""
    whole = hashlib.sha256()
    for key in sorted(arrays):
        array = np.asarray(arrays[key])
        whole.update(f"{key} {array.shape} {array.dtype.str}\n".encode())
        whole.update(array.tobytes())
    return whole.hexdigest()


def _zoo_dataset(name: str) -> Dataset:
    if name != "fashion-mnist":
        msg = f"The zoo has no data {name!r}."
        raise ConfigError(msg, hint="Data in the zoo: fashion-mnist.")
    raw = _read_npz(Path(str(resources.files("edgebench"))) / "zoo" / "fashion_mnist.npz")
    scaled = {
        key: (array[..., np.newaxis] / np.float32(255) if key.startswith("x_") else array)
        for key, array in raw.items()
    }
    return dataset_from_arrays(scaled, name=f"zoo:{name}")
