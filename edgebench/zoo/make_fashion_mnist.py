"""Make `fashion_mnist.npz` out of the whole data set, as Debian's dataset-fashion-mnist ships it.

    python edgebench/zoo/make_fashion_mnist.py [SOURCE_FOLDER]

The same source gives the same file, byte for byte: the classes are balanced, the images drawn with
a seed, and the archive carries no time of day.
"""

import gzip
import io
import sys
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

SOURCE: Final = Path("/usr/share/datasets/fashion-mnist")
TARGET: Final = Path(__file__).with_name("fashion_mnist.npz")
SEED: Final = 20170828
CLASSES: Final = 10
TRAIN_SAMPLES: Final = 10_000
TEST_SAMPLES: Final = 2_000

# The head of an IDX file: two zero bytes, the element type (8 is uint8), the rank, then one
# big-endian uint32 an axis. https://github.com/zalandoresearch/fashion-mnist#get-the-data
IDX_UINT8: Final = 8


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a gzipped IDX file of unsigned bytes."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:2] != b"\0\0" or raw[2] != IDX_UINT8:
        msg = f"{str(path)!r} is no IDX file of unsigned bytes: it begins with {raw[:4]!r}."
        raise ValueError(msg)
    rank = raw[3]
    shape = np.frombuffer(raw, ">u4", count=rank, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)


def draw_balanced(
    labels: NDArray[np.uint8], samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Indices of equally many samples of every class, in shuffled order.

    >>> drawn = draw_balanced(np.arange(100, dtype=np.uint8) % 10, 20, np.random.default_rng(0))
    >>> len(drawn), set(np.bincount(drawn % 10).tolist())
    (20, {2})
    """
    each = samples // CLASSES
    chosen = [
        rng.choice(np.flatnonzero(labels == label), each, replace=False) for label in range(CLASSES)
    ]
    return rng.permutation(np.concatenate(chosen))


def write_npz(path: Path, arrays: dict[str, NDArray[np.uint8]]) -> None:
    """Write a compressed `.npz` that depends on its arrays alone."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array))
            # ZipInfo without a date stands for 1980-01-01; np.savez would do the same, but leaves
            # the compression level to zlib's default.
            info = zipfile.ZipInfo(f"{name}.npy")
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue(), compresslevel=9)


def main(source: Path = SOURCE) -> None:
    """Draw the subset and write it beside this script."""
    rng = np.random.default_rng(SEED)
    arrays: dict[str, NDArray[np.uint8]] = {}
    for ours, theirs, samples in (
        ("train", "train", TRAIN_SAMPLES),
        ("test", "t10k", TEST_SAMPLES),
    ):
        labels = read_idx(source / f"{theirs}-labels-idx1-ubyte.gz")
        drawn = draw_balanced(labels, samples, rng)
        arrays[f"x_{ours}"] = read_idx(source / f"{theirs}-images-idx3-ubyte.gz")[drawn]
        arrays[f"y_{ours}"] = labels[drawn]
    write_npz(TARGET, arrays)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
