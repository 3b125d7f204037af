"""The ways to run a runtime on a device, and which of them is taken: by the device's facts alone.

own      the device's Python, and the runtime that is installed there
wheels   the device's Python, and wheels that are sent
native   the native runner, over the C library in the runtime's wheel
bundle   a Python of its own that is sent, with a C library, and wheels for it
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import JsonValue

from edgebench.core import Device, Format
from edgebench.device import system
from edgebench.device.native import found_compiler
from edgebench.device.native_bundle import native_release
from edgebench.device.releases import (
    FORMATS,
    MODULES,
    PYTHON_MIN,
    RELEASES,
    Board,
    Release,
    boards,
    fitting,
    libraries_of,
    parse,
    show,
)
from edgebench.errors import DeviceError, NotDone
from edgebench.runtimes import RUNS

Name = Literal["own", "wheels", "native", "bundle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to run a runtime on a device.

    Attributes:
        what: What it runs by, as a person reads it.
        why_not: Why it does not work, a sentence each; empty where nothing speaks against it.
        board: The interpreter of the device that it runs by; None without one.
        release: What is sent; None where nothing is, or where that shows later.
    """

    name: Name
    runtime: str
    what: str = ""
    why_not: tuple[str, ...] = ()
    board: Board | None = None
    release: Release | None = None


def ways_of(device: Device, runtime: str) -> Iterator[Way]:
    """All ways to a runtime, in the order in which they are tried."""
    for name in WAYS:
        if (name == "native") == (runtime not in MODULES):
            yield WAYS[name](device, runtime)


def chosen(device: Device, fmt: Format) -> Way:
    """The way by which a format is run where nothing else is asked for.

    What the device has comes before what is sent, and the runner in Python before the native one:
    it knows more passes. A Python that is sent takes most room, and is the last.

    Raises:
        DeviceError: There is none, for the reasons given.
    """
    wanted = [name for name in device.profile.runtimes if FORMATS.get(name) is fmt]
    reasons: list[str] = []
    for name, find in WAYS.items():
        for runtime in wanted:
            if (name == "native") == (runtime not in MODULES):
                way = find(device, runtime)
                if not way.why_not:
                    return way
                reasons.extend(way.why_not)
    why = "; ".join(dict.fromkeys(reasons)) or "its profile names none"
    msg = f"{device.name} has no runtime for {fmt} models, and none can be put there: {why}."
    raise DeviceError(msg, hint=f"Profile {device.profile.name!r}: {', '.join(wanted) or 'none'}.")


def runtime_for(device: Device, fmt: Format) -> str:
    """The runtime that runs a format on a device; raises as `chosen` does."""
    return chosen(device, fmt).runtime


def needs_libraries(device: Device, choice: str) -> bool:
    """Whether the native runner must bring a C library, because the device has none that fits.

    A 64-bit kernel may carry a 32-bit system, whose C library is of no use.
    """
    release = native_release(choice, machine_of(device))
    is_narrow = any(python.get("bits") == 32 for python in _pythons(device))
    if release is None or is_narrow:
        return True
    glibc, glibcxx = libraries_of(device.facts)
    if glibc is None or glibc < release.glibc:
        return True
    return release.glibcxx is not None and (glibcxx is None or glibcxx < release.glibcxx)


def machine_of(device: Device) -> str:
    """What kind of machine it is, by its kernel."""
    return str(device.facts.get("architecture") or "a machine that is not known")


def _own(device: Device, runtime: str) -> Way:
    found = boards(device.facts)
    for board in found:
        if _has(board, runtime):
            version = board.packages[MODULES[runtime]]
            what = f"the board's own {runtime} {version}"
            return Way(name="own", runtime=runtime, board=board, what=what)
    why = f"its Python has no {runtime}" if found else _no_python(device)
    return Way(name="own", runtime=runtime, why_not=(why,))


def _wheels(device: Device, runtime: str) -> Way:
    reasons = [*_unloadable(device)]
    found = boards(device.facts)
    if not found:
        reasons.append(_no_python(device))
    for board in found:
        fit = fitting(runtime, board)
        if isinstance(fit, Release) and not reasons:
            what = f"{fit.package} {fit.version} in the board's Python {show(board.python)}"
            return Way(name="wheels", runtime=runtime, board=board, release=fit, what=what)
        reasons.extend(() if isinstance(fit, Release) else fit)
    return Way(name="wheels", runtime=runtime, why_not=tuple(dict.fromkeys(reasons)))


def _native(device: Device, runtime: str) -> Way:
    machine = machine_of(device)
    release = native_release(runtime, machine)
    if release is None:
        why = f"{RUNS[runtime]} has no C library for {machine}"
        return Way(name="native", runtime=runtime, why_not=(why,))
    reasons = [*_unloadable(device)]
    is_whole = needs_libraries(device, runtime)
    if is_whole and (missing := system.missing_here(machine)) is not None:
        reasons.append(missing)
    try:
        found_compiler(machine)
    except NotDone as error:
        reasons.append(error.in_full())
    lib = "a C library that is sent" if is_whole else "the board's C library"
    what = f"the native runner, {release.package} {release.version} over {lib}"
    return Way(name="native", runtime=runtime, what=what, why_not=tuple(reasons), release=release)


def _bundle(device: Device, runtime: str) -> Way:
    machine = machine_of(device)
    reasons = [*_unloadable(device)]
    if not any(release.runtime == runtime and machine in release.machines for release in RELEASES):
        reasons.append(f"{runtime} has no wheel for {machine}")
    elif (missing := system.missing_here(machine)) is not None:
        reasons.append(missing)
    what = f"a Python that is sent, with a C library, and wheels of {runtime}"
    return Way(name="bundle", runtime=runtime, what=what, why_not=tuple(reasons))


WAYS: Final[Mapping[Name, Callable[[Device, str], Way]]] = {
    "own": _own,
    "wheels": _wheels,
    "native": _native,
    "bundle": _bundle,
}


def _has(board: Board, runtime: str) -> bool:
    """Whether a Python has a runtime and a numpy that goes with it, by what is installed."""
    numpy, version = board.packages.get("numpy"), board.packages.get(MODULES[runtime])
    if numpy is None or version is None:
        return False
    return runtime != "tflite-runtime" or parse(numpy) < (2,)


def _pythons(device: Device) -> list[dict[str, JsonValue]]:
    listed = device.facts.get("pythons")
    return [p for p in listed if isinstance(p, dict)] if isinstance(listed, list) else []


def _no_python(device: Device) -> str:
    old = ", ".join(str(python.get("version")) for python in _pythons(device))
    has = f"only Python {old}" if old else "no Python 3"
    return f"it has {has}; the runner in Python needs CPython {show(PYTHON_MIN)} or newer"


def _unloadable(device: Device) -> Iterator[str]:
    """Why nothing that is sent can be loaded there."""
    if device.facts.get("work_is_noexec"):
        folder = f"{str(device.work_folder)!r} on {device.name}"
        yield f"{folder} is mounted noexec: nothing that is sent loads there"
