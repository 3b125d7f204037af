"""What a cell is measured with: its inputs, and the host's outputs for them, kept by content."""

import contextlib
import functools
import hashlib
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from edgebench.core import Artifact, Progress
from edgebench.errors import JobFailed, NotDone
from edgebench.measure.session import compute_here
from edgebench.runner import RunnerResult

# Enough for the classes of two runtimes to be compared; see `agreement.TOP1_SAMPLES`.
GENERATED: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """How a model is to be fed where there are no samples, and the samples where there are.

    Attributes:
        arrays: By input name, the first axis being the sample; None to generate samples.
        origin: Where the samples come from, for the record.
    """

    arrays: Mapping[str, NDArray[np.generic]] | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    seed: int = 0
    origin: str = "generated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Files that a model's cells share.

    Attributes:
        inputs: Every sample whose outputs count.
        sample: The first of them alone, for latency and memory.
        outputs: What the host's own kernels make of `inputs`.
    """

    inputs: Path
    sample: Path
    outputs: Path
    made: Mapping[str, JsonValue]


def serve(artifact: Artifact, feed: Feed, *, cache: Path, progress: Progress) -> Served:
    """Write the inputs and run the model on this machine, unless the cache holds it already.

    Raises:
        JobFailed: This machine cannot run the model, so that nothing can be compared with it.
        NotDone: The cache cannot be written.
    """
    folder = cache / "host" / _digest(artifact, feed)
    served = Served(
        inputs=folder / "inputs.npz",
        sample=folder / "sample.npz",
        outputs=folder / "outputs.npz",
        made={},
    )
    made = folder / "made.json"
    try:
        if not made.exists():
            progress("outputs of this machine, to compare with")
            _make(artifact, feed, folder)
        return replace(served, made=json.loads(made.read_text()))
    except OSError as error:
        msg = f"The cache {str(folder.parent)!r} cannot be used: {error.strerror or error}."
        hint = "Make room there, or name another folder in EDGEBENCH_CACHE."
        raise NotDone(msg, hint=hint) from error


def _make(artifact: Artifact, feed: Feed, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".tmp-") as name:
        work = Path(name)
        given = None
        if feed.arrays is not None:
            given = work / "inputs.npz"
            write_arrays(given, feed.arrays)
        result = _compute(artifact, feed, given, work)
        with np.load(work / "inputs.npz", allow_pickle=False) as arrays:
            first = {key: arrays[key][:1] for key in arrays.files}
        write_arrays(work / "sample.npz", first)
        made = {"origin": feed.origin, **result.inputs_made}
        (work / "made.json").write_text(json.dumps(made))
        # Whoever was first has made the same.
        with contextlib.suppress(OSError):
            work.rename(folder)
            work.mkdir()


def _compute(artifact: Artifact, feed: Feed, given: Path | None, folder: Path) -> RunnerResult:
    compute = functools.partial(
        compute_here,
        artifact,
        inputs=given,
        folder=folder,
        shapes=feed.shapes,
        ranges=feed.ranges,
        seed=feed.seed,
    )
    try:
        return compute(generate=GENERATED)
    except JobFailed:
        # Outputs whose shape follows from the values cannot be stacked; one sample is as it is.
        return compute(generate=1)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write a `.npz`; unlike `np.savez` under any name that a tensor can have."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, np.asanyarray(array), allow_pickle=False)


def _digest(artifact: Artifact, feed: Feed) -> str:
    """Of all that the outputs depend on."""
    digest = hashlib.sha256(artifact.sha256.encode())
    versions = [metadata.version("onnxruntime"), metadata.version("ai-edge-litert")]
    options = [versions, feed.origin, feed.seed]
    options += [dict(feed.shapes), dict(feed.ranges)]
    digest.update(json.dumps(options, sort_keys=True).encode())
    for key, value in sorted((feed.arrays or {}).items()):
        digest.update(f"{key}{value.shape}{value.dtype}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()[:32]
