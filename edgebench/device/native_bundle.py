"""The native runner, packed for a board: its runtime's library, and a C library where need be."""

import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from edgebench.core import Progress
from edgebench.device import system
from edgebench.device.files import sha256_of
from edgebench.device.native import LIBRARIES, TRIED, built, launch_argv, library_in
from edgebench.device.releases import RELEASES, Board, Release
from edgebench.device.wheels import fetched, pack
from edgebench.errors import DeviceError, NotDone
from edgebench.runner import shipped
from edgebench.runtimes import RUNS, Runtime

PROGRAM: Final = "edgebench-native"
# What starts it, and what sets the board meanwhile.
SCRIPTS: Final = ("launch.sh", "guard.sh")
# Of the libraries in the wheels that are pinned, whichever Python the wheel is for.
SHA256: Final[Mapping[tuple[Runtime, str], str]] = {
    ("litert", "aarch64"): "b57687dc234d2b8b0598aef5a9c961ed24263df8f8b3f56adbee1cff618e544b",
    ("litert", "x86_64"): "eec47eb35e2924b3166015887e652a58edc9af823ae38e02bf83bef2548300bb",
    ("onnxruntime", "aarch64"): "49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a",
    ("onnxruntime", "x86_64"): "6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f",
}
_PYTHON: Final = (3, 11)  # any that the wheels are for: their C library is one


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeBundle:
    """The native runner for one runtime and one kind of machine.

    Attributes:
        contents: As a person reads them.
        library: Name of the runtime's library in it.
        loader: Name of the loader in its `lib/`; None where the board's own C library is taken.
    """

    archive: Path
    contents: str
    library: str
    loader: str | None

    def argv(self, folder: PurePath) -> tuple[str, ...]:
        """How it is started from its folder on the board, less the path of the job document."""
        started = launch_argv(folder / PROGRAM, folder / self.library)
        if self.loader is None:
            return started
        return (str(folder / "lib" / self.loader), "--library-path", str(folder / "lib"), *started)


def native_release(choice: str, machine: str) -> Release | None:
    """The release whose C library is taken; None where there is none for the machine."""
    runtime = RUNS[choice]
    for release in RELEASES:
        is_meant = release.runtime == runtime and machine in release.machines
        if is_meant and release.version in TRIED.get(runtime, (release.version,)):
            return release
    return None


def native_bundle(
    choice: str, machine: str, *, is_whole: bool, cache: Path, progress: Progress
) -> NativeBundle:
    """The archive of the native runner; made once for the same parts.

    Args:
        choice: `litert-native` or `onnxruntime-native`.
        is_whole: Whether a C library and its loader go with it.

    Raises:
        DeviceError: There is no compiler, no library or no C library for the machine here.
    """
    release = native_release(choice, machine)
    if release is None:
        msg = f"There is no C library of {RUNS[choice]} for {machine}."
        raise DeviceError(msg, hint=f"There is one for {' and '.join(system.MACHINES)}.")
    library = _library(release, machine, cache=cache, progress=progress)
    try:
        binary = built(machine, cache=cache)
    except NotDone as error:
        raise DeviceError(str(error), hint=error.hint) from error
    parts = {PROGRAM: binary, library.name: library}
    parts |= {name: shipped("runners") / name for name in SCRIPTS}
    loader = None
    if is_whole:
        root = system.system_root(machine, system.LIBRARIES, cache=cache, progress=progress)
        found = system.libraries(root, machine, [binary, library])
        parts |= {f"lib/{name}": path for name, path in found.items()}
        loader = system.MACHINES[machine].loader
    return NativeBundle(
        archive=_packed(choice, machine, parts, cache),
        contents=f"{release.package} {release.version}"
        + (" with a C library of its own" if is_whole else ""),
        library=library.name,
        loader=loader,
    )


def _library(release: Release, machine: str, *, cache: Path, progress: Progress) -> Path:
    """The runtime's C library, out of its wheel, once its hash is the one that is pinned."""
    digest = SHA256[release.runtime, machine]
    folder = cache / "native" / f"{release.runtime}-{release.version}-{machine}-{digest[:16]}"
    there = sorted(folder.glob("*")) if folder.is_dir() else []
    if there:
        return there[0]
    folder.parent.mkdir(parents=True, exist_ok=True)
    progress(f"fetching the C library of {release.package} {release.version} for {machine}")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
        wheel = fetched(Path(scratch), f"{release.package}=={release.version}", _wanting(machine))
        with zipfile.ZipFile(wheel) as archive:
            pattern = LIBRARIES[release.runtime].rstrip("*")
            names = [name for name in archive.namelist() if name.startswith(pattern)]
            archive.extractall(Path(scratch) / "tree", names)
        found = library_in(Path(scratch) / "tree", release.runtime)
        if (other := sha256_of(found)) != digest:
            msg = f"{wheel.name} carries another {found.name} than the one pinned: {other}."
            raise DeviceError(msg, hint="Another package index may serve another file.")
        made = Path(scratch) / "made"
        made.mkdir()
        found.rename(made / found.name)
        if not folder.is_dir():
            made.rename(folder)
    return folder / found.name


def _wanting(machine: str) -> Board:
    return Board(
        executable="",
        python=_PYTHON,
        machine=machine,
        libc=None,
        glibc=None,
        glibcxx=None,
        packages={},
    )


def _packed(choice: str, machine: str, parts: Mapping[str, Path], cache: Path) -> Path:
    hashes = {name: sha256_of(path) for name, path in sorted(parts.items())}
    digest = hashlib.sha256(json.dumps(hashes).encode()).hexdigest()
    archive = cache / "runtimes" / f"{choice}-{machine}-{digest[:16]}.tgz"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=archive.parent, prefix=".making-") as scratch:
            tree = Path(scratch) / "tree"
            for name, path in parts.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, tree / name)
            loaders = {f"lib/{machine.loader}" for machine in system.MACHINES.values()}
            (Path(scratch) / "made").write_bytes(pack(tree, programs={PROGRAM, *loaders}))
            (Path(scratch) / "made").replace(archive)
    return archive
