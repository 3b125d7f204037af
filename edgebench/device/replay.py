"""A device that only remembers: captured answers of a board, for tests and for bug reports.

The file holds `{"schema": "edgebench.replay/1", "answers": {KEY: ANSWER}, "files": {PATH: TEXT}}`;
`edgebench device probe NAME --record FILE` writes one.
KEY is the command line as `shlex.join` writes it or, for one of edgebench's own shell scripts, the
script's name alone (`edgebench-facts`), so that a capture outlives a change of the script. ANSWER
is `{"stdout": TEXT, "stderr": TEXT, "exit_code": N}`; what is left out is empty or 0.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from edgebench.core import FILE_BYTES_MAX, Completed
from edgebench.errors import ConfigError, DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a program ended when it was captured."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """The document: answers by command, and files by path.

    Attributes:
        recorded_s: When it was captured, by the host's clock: the device's own is held against it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    schema: Literal["edgebench.replay/1"] = "edgebench.replay/1"
    answers: Mapping[str, Answer] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    recorded_s: float | None = None


_CAPTURE = TypeAdapter(Capture)


class ReplayTransport:
    """Answers as the capture says; what is pushed is kept in `pushed`.

    Attributes:
        sent: Every command, in order.
    """

    def __init__(self, capture: Capture, *, address: str = "replay://") -> None:
        self._capture = capture
        self._address = address
        self.sent: list[tuple[str, ...]] = []
        self.pushed: dict[PurePosixPath, bytes] = {}

    @property
    def address(self) -> str:
        """The file that is replayed."""
        return self._address

    @property
    def recorded_s(self) -> float | None:
        """When it was captured."""
        return self._capture.recorded_s

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Give the captured answer.

        Raises:
            DeviceError: There is none for this command.
        """
        del timeout_s, stdin
        self.sent.append(tuple(argv))
        answer = self._capture.answers.get(command_key(argv))
        if answer is None:
            msg = f"{self._address} has no answer to {command_key(argv)!r}."
            raise DeviceError(msg, hint="A replayed device can be probed, not measured.")
        return Completed(
            argv=tuple(argv),
            exit_code=answer.exit_code,
            stdout=answer.stdout.encode(),
            stderr=answer.stderr.encode(),
        )

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Keep the file in memory."""
        del timeout_s
        self.pushed[target] = source.read_bytes()

    def pull(
        self,
        source: PurePosixPath,
        target: Path,
        *,
        timeout_s: float = 600.0,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """Give a file that was pushed or captured."""
        del timeout_s, bytes_max
        if source in self.pushed:
            target.write_bytes(self.pushed[source])
        elif str(source) in self._capture.files:
            target.write_text(self._capture.files[str(source)], encoding="utf-8")
        else:
            msg = f"{self._address} has no file {str(source)!r}."
            raise DeviceError(msg)

    def close(self) -> None:
        """Nothing is held open."""


def command_key(argv: Sequence[str]) -> str:
    """Under what a command stands in a capture.

    >>> command_key(["uname", "-a"])
    'uname -a'
    >>> command_key(["sh", "-c", "df -k /", "edgebench-facts", "~"])
    'edgebench-facts'
    """
    if list(argv[:2]) == ["sh", "-c"] and len(argv) > 3 and argv[3].startswith("edgebench-"):
        return argv[3]
    return shlex.join(argv)


def write_capture(path: Path, capture: Capture) -> None:
    """Write a file that `replay://` reads.

    Raises:
        ConfigError: It cannot be written.
    """
    try:
        path.write_bytes(_CAPTURE.dump_json(capture, indent=1) + b"\n")
    except OSError as error:
        msg = f"The capture {str(path)!r} cannot be written: {error.strerror}."
        raise ConfigError(msg) from error


def open_replay(
    address: str,
    /,
    *,
    password: Callable[[str], str] | None = None,
    password_env: str | None = None,
) -> ReplayTransport:
    """The transport of `replay://FILE`."""
    del password, password_env
    path = Path(address.removeprefix("replay://"))
    try:
        document = path.read_bytes()
    except OSError as error:
        msg = f"The capture {str(path)!r} cannot be read: {error.strerror}."
        raise ConfigError(msg, hint="Write replay:// and the path of a JSON file.") from error
    try:
        capture = _CAPTURE.validate_json(document)
    except ValidationError as error:
        msg = f"{str(path)!r} is not a capture of a device: {error}."
        raise ConfigError(msg) from error
    return ReplayTransport(capture, address=address)
