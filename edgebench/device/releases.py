"""Which release of a runtime runs on which board: what its shared libraries really need.

The tag of a wheel is a claim. ai-edge-litert 2.3 for aarch64 says manylinux_2_27 and needs
GLIBC_2.34; tflite-runtime 2.14 for aarch64 says manylinux_2_34 and needs GLIBC_2.27. The numbers
here were read out of the wheels (see README.md); `wheels` reads them again from what it fetched.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from edgebench.core import Format
from edgebench.runtimes import READS, Runtime

FORMATS: Final[Mapping[str, Format]] = {name: fmt for fmt, names in READS.items() for name in names}
MODULES: Final[Mapping[str, str]] = {
    "litert": "ai_edge_litert",
    "tflite-runtime": "tflite_runtime",
    "onnxruntime": "onnxruntime",
}
PYTHON_MIN: Final = (3, 8)  # what the runner is written for

Version = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What decides which wheels fit: an interpreter of the device, and the system below it.

    Attributes:
        executable: Path of the interpreter.
        loader: What starts it where it was sent: the loader that lies with it, and its arguments.
        machine: As wheels name it: x86_64, aarch64, armv7l. By the interpreter's own bits, for a
            64-bit kernel may carry a 32-bit system.
        glibc: None where the C library is another one, or unknown.
        glibcxx: Highest GLIBCXX of libstdc++; None where there is none.
        packages: Installed versions by module; None where not installed.
    """

    executable: str
    python: Version
    machine: str
    libc: str | None
    glibc: Version | None
    glibcxx: Version | None
    packages: Mapping[str, str | None]
    loader: tuple[str, ...] = ()

    @property
    def argv(self) -> tuple[str, ...]:
        """How the interpreter is started."""
        return (*self.loader, self.executable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One version of a runtime's wheel.

    Attributes:
        pythons: Minor versions of Python 3 that it has wheels for, first and last.
        glibc: What its libraries need.
        glibcxx: What its libraries need; None where they need no libstdc++.
        numpy_max: First numpy that it does not work with.
    """

    runtime: Runtime
    package: str
    version: str
    machines: tuple[str, ...]
    pythons: tuple[int, int]
    glibc: Version
    glibcxx: Version | None
    numpy_max: Version = (3,)


# In order of preference: the first that fits is taken.
RELEASES: Final = (
    Release(
        runtime="litert",
        package="ai-edge-litert",
        version="2.3.0",
        machines=("aarch64",),
        pythons=(10, 14),
        glibc=(2, 34),
        glibcxx=(3, 4, 30),
    ),
    Release(
        runtime="litert",
        package="ai-edge-litert",
        version="2.3.0",
        machines=("x86_64",),
        pythons=(10, 14),
        glibc=(2, 27),
        glibcxx=(3, 4, 22),
    ),
    Release(
        runtime="litert",
        package="ai-edge-litert",
        version="2.1.0",
        machines=("aarch64",),
        pythons=(9, 13),
        glibc=(2, 30),
        glibcxx=(3, 4, 26),
    ),
    Release(
        runtime="tflite-runtime",
        package="tflite-runtime",
        version="2.14.0",
        machines=("x86_64", "aarch64", "armv7l"),
        pythons=(8, 11),
        glibc=(2, 27),
        glibcxx=None,
        numpy_max=(2,),
    ),
    Release(
        runtime="onnxruntime",
        package="onnxruntime",
        version="1.32.0",
        machines=("x86_64", "aarch64"),
        pythons=(11, 14),
        glibc=(2, 28),
        glibcxx=(3, 4, 22),
    ),
    Release(
        runtime="onnxruntime",
        package="onnxruntime",
        version="1.23.2",
        machines=("x86_64", "aarch64"),
        pythons=(10, 13),
        glibc=(2, 27),
        glibcxx=(3, 4, 22),
    ),
    Release(
        runtime="onnxruntime",
        package="onnxruntime",
        version="1.19.2",
        machines=("x86_64", "aarch64"),
        pythons=(8, 9),
        glibc=(2, 27),
        glibcxx=(3, 4, 22),
    ),
)

# The newest that is tried, by Python 3 minor version; the runtime's `numpy_max` may want an older.
_NUMPY: Final[Mapping[int, str]] = {8: "1.24.4", 9: "2.0.2", 10: "2.2.6"}
_NUMPY_LATEST: Final = "2.4.6"
_NUMPY_1: Final[Mapping[int, str]] = {8: "1.24.4"}
_NUMPY_1_LATEST: Final = "1.26.4"
NUMPY_MACHINES: Final = ("x86_64", "aarch64")


def numpy_for(release: Release, board: Board) -> str | None:
    """Version of numpy to send with a runtime; None where there is no wheel for the board."""
    minor = board.python[1]
    if board.machine not in NUMPY_MACHINES:
        return None
    if release.numpy_max <= (2,):
        return _NUMPY_1.get(minor, _NUMPY_1_LATEST)
    return _NUMPY.get(minor, _NUMPY_LATEST)


def misfits(release: Release, board: Board) -> Iterator[str]:
    """Why a release does not run on a board, a sentence each; nothing where it does."""
    name = f"{release.package} {release.version}"
    if board.machine not in release.machines:
        yield f"{name} has no wheel for {board.machine}"
        return
    low, high = release.pythons
    if not low <= board.python[1] <= high:
        yield f"{name} is for Python 3.{low} to 3.{high}, the board has {show(board.python)}"
    if board.glibc is None:
        yield f"{name} needs glibc {show(release.glibc)}, the board has {board.libc or 'another'}"
    elif board.glibc < release.glibc:
        yield f"{name} needs glibc {show(release.glibc)}, the board has {show(board.glibc)}"
    if release.glibcxx and (board.glibcxx is None or board.glibcxx < release.glibcxx):
        has = f"up to GLIBCXX_{show(board.glibcxx)}" if board.glibcxx else "none"
        yield f"{name} needs libstdc++ with GLIBCXX_{show(release.glibcxx)}, the board has {has}"
    if numpy_for(release, board) is None and not _has_numpy(release, board):
        wanted = f"below {show(release.numpy_max)}" if release.numpy_max < (3,) else ""
        yield f"numpy {wanted} has no wheel for {board.machine}; the board must have it itself"


def fitting(runtime: str, board: Board) -> Release | tuple[str, ...]:
    """The release of a runtime for a board, or why there is none."""
    reasons: list[str] = []
    for release in RELEASES:
        if release.runtime == runtime:
            why = tuple(misfits(release, board))
            if not why:
                return release
            reasons.extend(why)
    # What is for other machines says nothing, where a release for this one says what is amiss.
    telling = [reason for reason in reasons if "has no wheel for" not in reason]
    return tuple(telling or reasons)


def boards(facts: Mapping[str, JsonValue]) -> tuple[Board, ...]:
    """The interpreters of a device that can run the runner, in the order of the facts."""
    found: list[Board] = []
    listed = facts.get("pythons")
    for python in listed if isinstance(listed, list) else []:
        if isinstance(python, dict) and python.get("implementation") == "cpython":
            board = _board(facts, python)
            if board.python >= PYTHON_MIN:
                found.append(board)
    return tuple(found)


def libraries_of(facts: Mapping[str, JsonValue]) -> tuple[Version | None, Version | None]:
    """Versions of glibc, and of GLIBCXX in libstdc++, of a device; None for what it has not.

    >>> libraries_of({"libc": "glibc 2.36", "libstdcxx": "3.4.30"})
    ((2, 36), (3, 4, 30))
    >>> libraries_of({"libc": "musl 1.2.4", "libstdcxx": None})
    (None, None)
    """
    libc, glibcxx = facts.get("libc"), facts.get("libstdcxx")
    kind, _, version = libc.partition(" ") if isinstance(libc, str) else ("", "", "")
    glibc = parse(version) if kind == "glibc" else None
    return glibc, parse(glibcxx) if isinstance(glibcxx, str) else None


def _board(facts: Mapping[str, JsonValue], python: Mapping[str, JsonValue]) -> Board:
    machine = str(facts.get("architecture"))
    if python.get("bits") == 32:
        machine = {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(machine, machine)
    libc = facts.get("libc")
    glibc, glibcxx = libraries_of(facts)
    packages = python.get("packages")
    return Board(
        executable=str(python.get("executable")),
        python=parse(str(python.get("version"))),
        machine=machine,
        libc=libc if isinstance(libc, str) else None,
        glibc=glibc,
        glibcxx=glibcxx,
        packages={k: str(v) if v else None for k, v in packages.items()}
        if isinstance(packages, dict)
        else {},
    )


def _has_numpy(release: Release, board: Board) -> bool:
    version = board.packages.get("numpy")
    return version is not None and parse(version) < release.numpy_max


def parse(version: str) -> Version:
    """Numbers of a version.

    >>> parse("3.11.2"), parse("2.0.0rc1")
    ((3, 11, 2), (2, 0, 0))
    """
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)


def show(version: Version) -> str:
    """A version as it is written.

    >>> show((2, 34))
    '2.34'
    """
    return ".".join(str(number) for number in version)
