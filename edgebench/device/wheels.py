"""A runtime for a board, made on the host: wheels fetched by pip, unpacked, pruned, packed.

The archive is deterministic, so that its sha256 names what is on the device. Nothing of it is ever
run here: it may be for another machine.
"""

import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edgebench.core import Progress
from edgebench.device.releases import Board, Release, Version, numpy_for, parse, show
from edgebench.errors import DeviceError

RULES: Final = "1"  # rises when `_DROPPED` or the layout of the archive changes
MANIFEST: Final = "MANIFEST.sha256"
PIP_S: Final = 900.0
GLIBC_CLAIMED_MAX: Final = 36  # highest tag that a pinned wheel carries, whatever it really needs

# What `import numpy` and an interpreter do not load; found by importing from the pruned tree, and
# for shared libraries by /proc/self/maps. libonnxruntime.so is a second copy of the whole runtime
# for C programs, OpenBLAS is needed to load numpy at all.
_DROPPED: Final = re.compile(
    r"""
    ai_edge_litert/(libLiteRtWebGpuAccelerator\.so|aot/|tools/|vendors/|schema_py_generated\.py
                   |descriptor_pb2\.py)
    | onnxruntime/(capi/libonnxruntime\.so|transformers/|quantization/|tools/|datasets/|backend/)
    | numpy/(f2py/|distutils/) | numpy/(\w+/)*tests/
    | .*\.(pyi|a|h|c|pxd|pyx)$ | [^/]+\.data/scripts/
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A runtime, packed.

    Attributes:
        contents: Packages and versions, as a person reads them.
    """

    archive: Path
    contents: str


def bundle_for(release: Release, board: Board, *, cache: Path, progress: Progress) -> Bundle:
    """The archive of a runtime for a board; made once.

    Raises:
        DeviceError: pip finds no wheel, or one that needs more than the board has.
    """
    wanted = _wanted(release, board)
    contents = ", ".join(name.replace("==", " ") for name in wanted)
    abi = f"cp3{board.python[1]}"
    digest = hashlib.sha256(json.dumps([RULES, wanted, abi, board.machine]).encode()).hexdigest()
    stem = f"{release.runtime}-{release.version}-{abi}-{board.machine}-{digest[:16]}"
    folder = cache / "runtimes"
    archive, needs = folder / f"{stem}.tgz", folder / f"{stem}.json"
    if not (archive.exists() and needs.exists()):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
            progress(f"fetching {contents} for Python 3.{board.python[1]} on {board.machine}")
            tree = _unpacked(
                Path(scratch), [fetched(Path(scratch), name, board) for name in wanted]
            )
            (Path(scratch) / "needs").write_text(json.dumps(needs_of(tree)))
            (Path(scratch) / "archive").write_bytes(pack(tree))
            (Path(scratch) / "needs").replace(needs)
            (Path(scratch) / "archive").replace(archive)
    _check(json.loads(needs.read_text()), board, contents)
    return Bundle(archive=archive, contents=contents)


def pack(tree: Path, *, programs: Collection[str] = ()) -> bytes:
    """A folder as a `.tgz` that depends on its files only, with a manifest of their hashes.

    Sources in C stay here: nothing is compiled on a board.

    Args:
        programs: Which files are started by their name there.
    """
    files = {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".c", ".h"}
    }
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items()]
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in {**files, MANIFEST: "".join(lines).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755 if name in programs else 0o644
            archive.addfile(entry, io.BytesIO(data))
    return gzip.compress(raw.getvalue(), compresslevel=6, mtime=0)


def needs_of(tree: Path) -> dict[str, str]:
    """Highest GLIBC and GLIBCXX that the shared libraries of a folder ask for."""
    found: dict[str, set[Version]] = {"GLIBC": set(), "GLIBCXX": set()}
    for path in tree.rglob("*.so*"):
        names = re.findall(rb"\0(GLIBC|GLIBCXX)_(\d+(?:\.\d+)+)(?=\0)", path.read_bytes())
        for kind, version in names:
            found[kind.decode()].add(parse(version.decode()))
    return {kind: show(max(versions)) for kind, versions in found.items() if versions}


def _check(needs: dict[str, str], board: Board, contents: str) -> None:
    """Refuse what the board cannot load, before it is sent."""
    for kind, has in (("GLIBC", board.glibc), ("GLIBCXX", board.glibcxx)):
        if kind in needs and (has is None or has < parse(needs[kind])):
            shown = f"{kind}_{show(has)}" if has else f"no {kind}"
            msg = f"{contents}: its libraries need {kind}_{needs[kind]}, the board has {shown}."
            raise DeviceError(msg, hint="A newer system image of the board brings a newer one.")


def _wanted(release: Release, board: Board) -> list[str]:
    numpy = numpy_for(release, board)
    wanted = [f"{release.package}=={release.version}"]
    return [*wanted, f"numpy=={numpy}"] if numpy else wanted


def fetched(scratch: Path, requirement: str, board: Board) -> Path:
    """A wheel for a board, by the pip that belongs to edgebench's own Python.

    Raises:
        DeviceError: There is none, or it cannot be fetched.
    """
    target = scratch / requirement
    argv = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary=:all:", "--dest", str(target)),
        *("--implementation", "cp", "--python-version", f"3.{board.python[1]}"),
        *(word for tag in platform_tags(board) for word in ("--platform", tag)),
        requirement,
    ]
    try:
        done = subprocess.run(argv, capture_output=True, timeout=PIP_S, check=False)
    except subprocess.TimeoutExpired as error:
        msg = f"pip did not fetch {requirement} within {PIP_S:g} s."
        raise DeviceError(msg, hint="Is the package index reachable from here?") from error
    found = sorted(target.glob("*.whl"))
    if done.returncode != 0 or not found:
        words = done.stderr.decode(errors="replace").strip().splitlines()[-3:]
        msg = f"pip fetches no {requirement} for {board.machine}: {' '.join(words)}"
        raise DeviceError(msg, hint="Is the package index reachable from here?")
    return found[0]


def platform_tags(board: Board) -> list[str]:
    """All tags that a wheel for the board may carry, also those that claim more than they need.

    What a wheel really needs is looked up in its libraries afterwards.
    """
    newest = max(GLIBC_CLAIMED_MAX, (board.glibc or (2, 0))[1])
    tags = [f"manylinux_2_{minor}_{board.machine}" for minor in range(newest, 4, -1)]
    return [*tags, f"manylinux2014_{board.machine}", f"manylinux2010_{board.machine}"]


def _unpacked(scratch: Path, wheels: Iterable[Path]) -> Path:
    """One folder for PYTHONPATH, without what a runner never loads."""
    tree = scratch / "tree"
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith("/") or _DROPPED.match(name):
                    continue
                target = tree / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy)
    return tree
