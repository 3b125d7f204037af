"""Have on a device what runs a model: the runner, a Python, and a runtime with numpy.

What the board has itself comes first. Else the runtime's wheels are fetched here and sent; the
device needs no internet, no pip and no root.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import Device, Format, Progress
from edgebench.device.files import deliver, not_writable, run_script, sha256_of
from edgebench.device.releases import (
    FORMATS,
    MODULES,
    PYTHON_MIN,
    Board,
    Release,
    boards,
    fitting,
    parse,
    show,
)
from edgebench.device.wheels import MANIFEST, bundle_for, pack
from edgebench.errors import DeviceError
from edgebench.runner import ENVIRONMENT, shipped

UNPACK_S: Final = 600.0
IMPORT_S: Final = 120.0  # numpy, not yet compiled, takes 7 s on a 32-bit board

_IMPORTS: Final[Mapping[str, str]] = {
    "litert": "import numpy, ai_edge_litert.interpreter",
    "tflite-runtime": "import numpy, tflite_runtime.interpreter",
    "onnxruntime": "import numpy, onnxruntime",
}

# archive folder python   The folder gets its name once every file in it was checked. Bytecode is
# made once: it is not written later, and without it each launch compiles numpy anew.
_UNPACK: Final = """
set -u
[ -d "$2" ] && exit 0
new=$2.$$.new
mkdir -p "$new" && tar -xzmf "$1" -C "$new" || { rm -rf "$new"; exit 3; }
"$3" -s -c "$4" "$new" "$2" || { rm -rf "$new"; exit 4; }
rm -rf "$new" "$1"
[ -d "$2" ]
"""

# Two hosts may do this at once: a rename onto a folder that is there and not empty fails.
_SEAL: Final = f"""
import compileall, hashlib, os, py_compile, sys
tree, final = sys.argv[1:]
for line in open(os.path.join(tree, {MANIFEST!r}), encoding="utf-8"):
    digest, name = line.rstrip("\\n").split("  ", 1)
    with open(os.path.join(tree, name), "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != digest:
            sys.exit(name + " is not what was sent")
compileall.compile_dir(tree, quiet=2, ddir=final,
                       invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
try:
    os.rename(tree, final)
except OSError:
    if not os.path.isdir(final):
        raise
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the runner is started on a device: `argv` and the path of a job document.

    Attributes:
        env: All of the runner's environment but PATH and HOME.
        how: Whose Python and runtime it is, as a person reads it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    runtime: str
    how: str


def runtime_for(device: Device, fmt: Format) -> str:
    """The runtime that runs a format on a device: one that it has, else one that can be sent.

    Raises:
        DeviceError: There is none, for the reasons given.
    """
    wanted = [name for name in device.profile.runtimes if FORMATS.get(name) is fmt]
    found = _boards(device)
    for runtime in wanted:
        if any(_has(board, runtime) for board in found):
            return runtime
    reasons: list[str] = []
    for runtime in wanted:
        for board in found:
            fit = fitting(runtime, board)
            if isinstance(fit, Release):
                return runtime
            reasons.extend(fit)
    why = "; ".join(dict.fromkeys(reasons)) or "its profile names none"
    msg = f"{device.name} has no runtime for {fmt} models, and none can be put there: {why}."
    raise DeviceError(msg, hint=f"Profile {device.profile.name!r}: {', '.join(wanted) or 'none'}.")


def provision(device: Device, runtime: str, *, cache: Path, progress: Progress) -> Launch:
    """Have a runtime and the runner on a device; what is there already is not sent again.

    Args:
        cache: Folder of the host where fetched runtimes are kept.

    Raises:
        DeviceLost: The link broke.
        DeviceError: The board cannot run it, or has no place for it; the reason says why.
    """
    found = _boards(device)
    for board in found:
        if _has(board, runtime) and _imports(device, board, runtime, _environment(device, None)):
            how = f"the board's own {runtime} {board.packages[MODULES[runtime]]}"
            return _launch(device, board, runtime, how=how)
    reasons: list[str] = []
    for board in found:
        fit = fitting(runtime, board)
        if isinstance(fit, Release):
            return _from_wheels(device, board, fit, cache=cache, progress=progress)
        reasons.extend(fit)
    msg = f"{runtime} cannot be put on {device.name}: {'; '.join(dict.fromkeys(reasons))}."
    raise DeviceError(msg, hint="Take another runtime, or a newer system image of the board.")


def _from_wheels(
    device: Device, board: Board, release: Release, *, cache: Path, progress: Progress
) -> Launch:
    if device.facts.get("work_is_noexec"):
        msg = (
            f"{str(device.work_folder)!r} on {device.name} is mounted noexec: nothing loads there."
        )
        hint = "Name a work_folder on another file system in the device's profile."
        raise DeviceError(msg, hint=hint)
    bundle = bundle_for(release, board, cache=cache, progress=progress)
    tree = _unpacked(device, bundle.archive, "runtimes", board, progress=progress)
    if not _imports(device, board, release.runtime, _environment(device, tree)):
        msg = f"{bundle.contents} was put on {device.name}, but does not load there."
        code = f"PYTHONPATH={tree} {board.executable} -s -c '{_IMPORTS[release.runtime]}'"
        raise DeviceError(msg, hint=f"On the device, see what this says: {code}")
    how = f"wheels of {bundle.contents} in Python {show(board.python)}"
    return _launch(device, board, release.runtime, how=how, tree=tree)


def _launch(
    device: Device, board: Board, runtime: str, *, how: str, tree: PurePosixPath | None = None
) -> Launch:
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        archive = Path(scratch) / "runner.tgz"
        archive.write_bytes(pack(shipped("runners")))
        runner = _unpacked(device, archive, "runners", board)
    return Launch(
        argv=(board.executable, "-s", str(runner / "run.py")),
        env=_environment(device, tree),
        runtime=runtime,
        how=how,
    )


def _environment(device: Device, tree: PurePosixPath | None) -> dict[str, str]:
    return {
        **ENVIRONMENT,
        "LC_ALL": "C.UTF-8",
        # numpy's OpenBLAS would start a thread for each core, and the runner has no use for it.
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tree) if tree else "",
        "TMPDIR": str(device.work_folder / "tmp"),
    }


def _boards(device: Device) -> tuple[Board, ...]:
    found = boards(device.facts)
    if not found:
        listed = device.facts.get("pythons")
        pythons = [p for p in listed if isinstance(p, dict)] if isinstance(listed, list) else []
        old = ", ".join(str(python.get("version")) for python in pythons)
        has = f"only Python {old}" if old else "no Python 3"
        msg = f"{device.name} has {has}; the runner needs CPython {show(PYTHON_MIN)} or newer."
        raise DeviceError(msg, hint="On Debian and Ubuntu: sudo apt install python3-minimal.")
    return found


def _has(board: Board, runtime: str) -> bool:
    """Whether a Python has a runtime and a numpy that goes with it, by what is installed."""
    numpy, version = board.packages.get("numpy"), board.packages.get(MODULES[runtime])
    if numpy is None or version is None:
        return False
    return runtime != "tflite-runtime" or parse(numpy) < (2,)


def _imports(device: Device, board: Board, runtime: str, env: Mapping[str, str]) -> bool:
    """Whether it really loads: a wheel may be installed and lack a symbol of the C library."""
    variables = [f"{key}={value}" for key, value in env.items() if key != "TMPDIR"]
    argv = ("env", *variables, board.executable, "-s", "-c", _IMPORTS[runtime])
    return device.transport.run(argv, timeout_s=IMPORT_S).exit_code == 0


def _unpacked(
    device: Device,
    archive: Path,
    kind: str,
    board: Board,
    *,
    progress: Progress | None = None,
) -> PurePosixPath:
    """A content-addressed folder on the device, of an archive; sent where it is not there."""
    folder = device.work_folder / kind / sha256_of(archive)
    look = 'mkdir -p "$2" && [ -w "$2" ] || exit 3; [ -d "$1" ] && echo present; :'
    there = run_script(device, look, "present", str(folder), str(device.work_folder / "tmp"))
    if there.exit_code != 0:
        raise not_writable(device, device.work_folder, there)
    if there.stdout.startswith(b"present"):
        return folder
    blob = deliver(device, archive, progress=progress)
    arguments = (str(blob), str(folder), board.executable, _SEAL)
    done = run_script(device, _UNPACK, "unpack", *arguments, timeout_s=UNPACK_S)
    if done.exit_code != 0:
        words = done.stderr.decode(errors="replace").strip()[-300:]
        msg = f"{device.name} does not unpack {archive.name!r} into {str(folder)!r}: {words}."
        raise DeviceError(msg, hint="Is the disk full? `tar` and `gzip` are needed there.")
    return folder
