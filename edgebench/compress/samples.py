"""The samples that a way reads, in their order, and what names them in cache and ledger."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.compress.technique import Needs
from edgebench.core import Artifact
from edgebench.data import Arrays, Dataset, inputs_for
from edgebench.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """Arrays for a worker.

    Attributes:
        digest: sha256 of the arrays in their order.
        settings: How the order came to be, for the ledger.
    """

    arrays: Arrays
    digest: str
    settings: Mapping[str, JsonValue] = field(default_factory=dict)

    def kept_in(self, cache: Path) -> Path:
        """The `.npz` that holds them: written once for all ways that read the same samples."""
        path = cache / "samples" / f"{self.digest}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(f".{secrets.token_hex(4)}.part")
            with part.open("wb") as file:
                np.savez(file, **self.arrays)  # type: ignore[arg-type]  # its stub takes the option allow_pickle for an array
            part.rename(path)
        return path.absolute()


def samples_for(
    needs: Needs, dataset: Dataset | None, source: Artifact | None, *, seed: int
) -> Samples | None:
    """What a way that `needs` samples is given to go from `source`.

    Raises:
        ConfigError: The samples do not fit the model, or hold what is no number.
    """
    if needs is Needs.NOTHING or (needs is Needs.VALIDATION and dataset is None):
        return None
    if dataset is None:
        msg = "This variant needs data, and the plan names none."
        raise ConfigError(msg, hint="Name a data source in [data] of the plan, such as an .npz.")
    if needs is Needs.TRAINING:
        return _training(dataset)
    assert source is not None
    if needs in (Needs.TUNING, Needs.VALIDATION):
        return _splits(dataset, source, is_taught=needs is Needs.TUNING)
    check_numbers(dataset.calibration)
    return _calibration(inputs_for(dataset.calibration, source.inputs), seed=seed)


def check_numbers(calibration: Arrays) -> None:
    """Raise ConfigError where a calibration sample holds NaN or infinity.

    One such sample would make a range infinite, and every output a constant.
    """
    for name, array in calibration.items():
        if array.dtype.kind != "f":
            continue
        bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if bad.any():
            index = int(np.flatnonzero(bad)[0])
            where = f"input {name!r}" if name else "the input"
            more = int(bad.sum()) - 1
            msg = f"Calibration sample {index} of {where} holds NaN or infinity; {more} more do."
            raise ConfigError(msg, hint="Clean the data, or give x_calibration without them.")


def _calibration(arrays: dict[str, NDArray[Any]], *, seed: int) -> Samples:
    """Shuffle by seed: the quantizer of LiteRT averages ranges as it goes, so the order counts."""
    samples = len(next(iter(arrays.values())))
    order = np.random.default_rng(seed).permutation(samples)
    ordered = {name: np.ascontiguousarray(array[order]) for name, array in arrays.items()}
    digest = _digest(ordered)
    settings: dict[str, JsonValue] = {
        "calibration_samples": samples,
        "calibration_seed": seed,
        "calibration_order": [int(index) for index in order],
        "calibration_sha256": digest,
    }
    return Samples(arrays=ordered, digest=digest, settings=settings)


def _training(dataset: Dataset) -> Samples:
    y = dataset.train.y
    if set(dataset.train.x) != {""} or y is None or y.dtype.kind not in "iu" or y.ndim != 1:
        msg = "A model of the zoo learns to tell classes of one input apart: this data has none."
        raise ConfigError(msg, hint="Give x_train as one array and y_train as class numbers.")
    if y.min() < 0:
        msg = f"y_train holds the class {int(y.min())}."
        raise ConfigError(msg, hint="Classes are numbered from 0.")
    arrays = {"x_train": dataset.train.x[""], "y_train": y}
    return Samples(arrays=arrays, digest=_digest(arrays))


def _splits(dataset: Dataset, source: Artifact, *, is_taught: bool) -> Samples:
    """Training and validation samples, named by input where the model says its inputs' names."""
    splits = {"validation": dataset.validation}
    if is_taught:
        splits["train"] = dataset.train
        if dataset.train.y is None:
            msg = "There is nothing to learn from: the data holds no labels for training."
            raise ConfigError(msg, hint="Add y_train to the data, or leave `tune` out.")
    arrays: dict[str, NDArray[Any]] = {}
    for name, split in splits.items():
        is_only = set(split.x) == {""}
        named = inputs_for(split.x, source.inputs) if source.inputs else dict(split.x)
        for key, array in named.items():
            arrays[f"x_{name}/{'' if is_only else key}"] = array
        if split.y is not None:
            arrays[f"y_{name}"] = split.y
    return Samples(arrays=arrays, digest=_digest(arrays))


def _digest(arrays: Arrays) -> str:
    whole = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        whole.update(f"{name} {array.shape} {array.dtype.str}\n".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()
