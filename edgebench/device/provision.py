"""Have on a device what runs a model: the runner and a runtime, by one of the ways in `ways`.

What is sent is fetched here; the device needs no internet, no pip and no root.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import Device, Progress
from edgebench.device.native_bundle import native_bundle
from edgebench.device.python_bundle import interpreter
from edgebench.device.releases import Board, Release, fitting, show
from edgebench.device.trees import BY_SHELL, by_its_own_python, by_python, unpacked
from edgebench.device.ways import Way, machine_of, needs_libraries, ways_of
from edgebench.device.wheels import bundle_for, pack
from edgebench.errors import DeviceError
from edgebench.runner import ENVIRONMENT, shipped

IMPORT_S: Final = 120.0  # numpy, not yet compiled, takes 7 s on a 32-bit board

_IMPORTS: Final[Mapping[str, str]] = {
    "litert": "import numpy, ai_edge_litert.interpreter",
    "tflite-runtime": "import numpy, tflite_runtime.interpreter",
    "onnxruntime": "import numpy, onnxruntime",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How the runner is started on a device: `argv` and the path of a job document.

    Attributes:
        argv: The last of it lies beside `launch.sh` and `guard.sh`.
        env: All of the runner's environment but PATH and HOME.
        how: Whose Python and runtime it is, as a person reads it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    runtime: str
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Where things to be sent are kept on the host, and who is told what is fetched and sent."""

    cache: Path
    progress: Progress


def provision(device: Device, runtime: str, *, cache: Path, progress: Progress) -> Launch:
    """Have a runtime and the runner on a device; what is there already is not sent again.

    Args:
        runtime: Of `runtimes.RUNS`.
        cache: Folder of the host where fetched runtimes are kept.

    Raises:
        DeviceLost: The link broke.
        DeviceError: The board cannot run it, or has no place for it; the reason says why.
    """
    reasons: list[str] = []
    for way in ways_of(device, runtime):
        if not way.why_not:
            launch = _PUT[way.name](device, way, Store(cache=cache, progress=progress))
            if launch is not None:
                return launch
        reasons.extend(way.why_not or (f"{way.what} does not load there",))
    msg = f"{runtime} cannot be put on {device.name}: {'; '.join(dict.fromkeys(reasons))}."
    hint = "Take another runtime, or a newer system image of the board."
    if device.facts.get("work_is_noexec"):
        hint = "Name a work_folder on another file system in the device's profile."
    raise DeviceError(msg, hint=hint)


def _put_own(device: Device, way: Way, store: Store) -> Launch | None:
    """None where what is installed does not load: it may lack a symbol of the C library."""
    del store
    if way.board is None or not _imports(device, way.board, way.runtime, _environment(device)):
        return None
    return _launch(device, way.board, way.runtime, how=way.what)


def _put_wheels(device: Device, way: Way, store: Store) -> Launch | None:
    if way.board is None or way.release is None:
        return None
    how = f"in Python {show(way.board.python)}"
    return _from_wheels(device, way.board, way.release, store, how=how)


def _put_bundle(device: Device, way: Way, store: Store) -> Launch:
    made = interpreter(machine_of(device), cache=store.cache, progress=store.progress)
    fit = fitting(way.runtime, made.board(PurePosixPath("/")))
    if not isinstance(fit, Release):
        msg = f"{way.runtime} does not go with the Python that can be sent: {'; '.join(fit)}."
        raise DeviceError(msg, hint="Take another runtime.")
    seal = by_its_own_python(made.loader)
    folder = unpacked(device, made.archive, "runtimes", seal=seal, progress=store.progress)
    how = f"in a Python {show(made.python)} of its own, with glibc {show(made.glibc)}"
    return _from_wheels(device, made.board(folder), fit, store, how=how)


def _put_native(device: Device, way: Way, store: Store) -> Launch:
    """Over the board's C library where that fits and the runtime loads, else over its own."""
    launch: Launch | str = "it was not tried"
    if not needs_libraries(device, way.runtime):
        launch = _native(device, way, store, is_whole=False)
    if isinstance(launch, str):
        launch = _native(device, way, store, is_whole=True)
    if isinstance(launch, str):
        msg = f"{way.what} was put on {device.name}, but does not load there: {launch}."
        raise DeviceError(msg, hint=f"Is it of another kind than {machine_of(device)}?")
    return launch


_PUT: Final[Mapping[str, Callable[[Device, Way, Store], Launch | None]]] = {
    "own": _put_own,
    "wheels": _put_wheels,
    "native": _put_native,
    "bundle": _put_bundle,
}


def _native(device: Device, way: Way, store: Store, *, is_whole: bool) -> Launch | str:
    """How it is started; what it said instead where it does not load."""
    machine, cache, progress = machine_of(device), store.cache, store.progress
    made = native_bundle(way.runtime, machine, is_whole=is_whole, cache=cache, progress=progress)
    folder = unpacked(device, made.archive, "runtimes", seal=BY_SHELL, progress=progress)
    argv = made.argv(folder)
    env = {**ENVIRONMENT, "LC_ALL": "C.UTF-8", "TMPDIR": str(device.work_folder / "tmp")}
    tried = device.transport.run(argv, timeout_s=IMPORT_S)
    if tried.exit_code != 0:
        words = tried.stderr.decode(errors="replace").strip()[-300:]
        return f"{words or 'nothing was said'} (code {tried.exit_code})"
    how = f"the native runner, {made.contents}"
    return Launch(argv=argv, env=env, runtime=way.runtime, how=how)


def _from_wheels(
    device: Device, board: Board, release: Release, store: Store, *, how: str
) -> Launch:
    bundle = bundle_for(release, board, cache=store.cache, progress=store.progress)
    seal = by_python(board.argv)
    tree = unpacked(device, bundle.archive, "runtimes", seal=seal, progress=store.progress)
    if not _imports(device, board, release.runtime, _environment(device, tree)):
        msg = f"{bundle.contents} was put on {device.name}, but does not load there."
        python = " ".join(board.argv)
        code = f"PYTHONPATH={tree} {python} -s -c '{_IMPORTS[release.runtime]}'"
        raise DeviceError(msg, hint=f"On the device, see what this says: {code}")
    launch = _launch(device, board, release.runtime, how=f"wheels of {bundle.contents} {how}")
    return replace(launch, env=_environment(device, tree))


def _launch(device: Device, board: Board, runtime: str, *, how: str) -> Launch:
    with tempfile.TemporaryDirectory(prefix="edgebench-") as scratch:
        archive = Path(scratch) / "runner.tgz"
        archive.write_bytes(pack(shipped("runners")))
        runner = unpacked(device, archive, "runners", seal=by_python(board.argv))
    argv = (*board.argv, "-s", str(runner / "run.py"))
    return Launch(argv=argv, env=_environment(device), runtime=runtime, how=how)


def _environment(device: Device, tree: PurePosixPath | None = None) -> dict[str, str]:
    return {
        **ENVIRONMENT,
        "LC_ALL": "C.UTF-8",
        # numpy's OpenBLAS would start a thread for each core, and the runner has no use for it.
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tree) if tree else "",
        "TMPDIR": str(device.work_folder / "tmp"),
    }


def _imports(device: Device, board: Board, runtime: str, env: Mapping[str, str]) -> bool:
    """Whether it really loads: a wheel may be installed and lack a symbol of the C library."""
    variables = [f"{key}={value}" for key, value in env.items() if key != "TMPDIR"]
    argv = ("env", *variables, *board.argv, "-s", "-c", _IMPORTS[runtime])
    return device.transport.run(argv, timeout_s=IMPORT_S).exit_code == 0
