"""Read what a model file says of itself, without TensorFlow and without the extra `compress`."""

import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final

from edgebench.compress.keras.archive import read_keras_signature
from edgebench.compress.onnx.signature import read_onnx_signature
from edgebench.compress.tflite.signature import read_tflite_signature
from edgebench.core import Artifact, Format, TensorSpec
from edgebench.errors import ConfigError

SAVED_MODEL_FILE: Final = "saved_model.pb"
CHUNK_BYTES: Final = 1 << 20

Signature = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]


def _read_saved_model_signature(path: Path) -> Signature:
    """Inputs and outputs of a SavedModel are known only to TensorFlow: none are named here."""
    if not (path / SAVED_MODEL_FILE).is_file():
        msg = f"The folder {str(path)!r} holds no {SAVED_MODEL_FILE!r}."
        raise ConfigError(msg, hint="Name the folder that tf.saved_model.save wrote.")
    return (), ()


READERS: Final[Mapping[Format, Callable[[Path], Signature]]] = {
    Format.KERAS: read_keras_signature,
    Format.SAVED_MODEL: _read_saved_model_signature,
    Format.ONNX: read_onnx_signature,
    Format.TFLITE: read_tflite_signature,
}

SUFFIXES: Final[Mapping[str, Format]] = {
    ".keras": Format.KERAS,
    ".onnx": Format.ONNX,
    ".tflite": Format.TFLITE,
}


def read_artifact(path: Path) -> Artifact:
    """Read a `.tflite`, `.onnx` or `.keras` file, or the folder of a SavedModel.

    A file that is whole but that no runtime here can run is read too, with as much of its inputs
    and outputs as can be known: why it does not run is for the runner to say.

    Raises:
        ConfigError: There is no such file, or it is not what its name says.
    """
    form = format_of(path)
    inputs, outputs = READERS[form](path)
    sha256, size_bytes, gzip_bytes = _digest_once(path, _stamp(path))
    return Artifact(
        path=path.absolute(),
        format=form,
        inputs=inputs,
        outputs=outputs,
        size_bytes=size_bytes,
        gzip_bytes=gzip_bytes,
        sha256=sha256,
    )


def format_of(path: Path) -> Format:
    """The format that a path's name promises; a folder promises a SavedModel."""
    if path.is_dir():
        return Format.SAVED_MODEL
    if not path.is_file():
        msg = f"There is no model {str(path)!r}."
        raise ConfigError(msg, hint="Paths in a plan are relative to the plan.")
    if path.suffix.lower() not in SUFFIXES:
        msg = f"{path.name!r} is no model that is known here."
        hint = f"Models: {', '.join(SUFFIXES)}, or the folder of a SavedModel."
        raise ConfigError(msg, hint=hint)
    if path.stat().st_size == 0:
        msg = f"The model {str(path)!r} is empty."
        raise ConfigError(msg, hint="Was its download or export cut off?")
    return SUFFIXES[path.suffix.lower()]


Stamp = tuple[tuple[Path, int, int], ...]


@lru_cache(maxsize=64)
def _digest_once(path: Path, stamp: Stamp) -> tuple[str, int, int]:
    """The digest of files that look unchanged: a model is read by several rooms, squeezed once."""
    del stamp
    return digest(path)


def _stamp(path: Path) -> Stamp:
    found = [(file, file.stat()) for file in _files(path)]
    return tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in found)


def digest(path: Path) -> tuple[str, int, int]:
    """sha256, size, and size after gzip level 9; a folder counts as its sorted files."""
    sha256, size_bytes, gzip_bytes = hashlib.sha256(), 0, 0
    squeezer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for chunk in _chunks(path):
        sha256.update(chunk)
        gzip_bytes += len(squeezer.compress(chunk))
    gzip_bytes += len(squeezer.flush())
    files = _files(path)
    size_bytes = sum(file.stat().st_size for file in files)
    return sha256.hexdigest(), size_bytes, gzip_bytes


def sha256_of(path: Path) -> str:
    """sha256 of a file, or of the names and contents of the sorted files of a folder."""
    sha256 = hashlib.sha256()
    for chunk in _chunks(path):
        sha256.update(chunk)
    return sha256.hexdigest()


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _chunks(path: Path) -> Iterator[bytes]:
    for file in _files(path):
        if path.is_dir():
            yield f"{file.relative_to(path).as_posix()}\n".encode()
        with file.open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk
