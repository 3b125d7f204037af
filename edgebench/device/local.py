"""This machine as a device: programs are child processes, files are copied."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import FILE_BYTES_MAX, Completed
from edgebench.errors import ConfigError, DeviceError
from edgebench.units import show_size

NOT_FOUND: Final = 127  # what a shell answers for a program that it cannot find
NOT_EXECUTABLE: Final = 126
PRIVATE: Final = 0o077  # what we make on a device is its login user's alone


class LocalTransport:
    """Runs programs here, each in a session of its own, to be ended with its children."""

    @property
    def address(self) -> str:
        """Where the device stands."""
        return "local://"

    def run(self, argv: Sequence[str], *, timeout_s: float = 60.0, stdin: bytes = b"") -> Completed:
        """Run a program to its end.

        Raises:
            DeviceError: It took longer than `timeout_s`; it was ended.
        """
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                umask=PRIVATE,
            )
        except OSError as error:
            code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
            words = f"{argv[0]}: {error.strerror}\n".encode()
            return Completed(argv=tuple(argv), exit_code=code, stdout=b"", stderr=words)
        with process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=timeout_s)
            except subprocess.TimeoutExpired as error:
                _end(process)
                msg = f"{argv[0]!r} took longer than {timeout_s:g} s on this machine; it was ended."
                raise DeviceError(msg) from error
        # A negative code is Python's way to name the signal; a shell says 128 + n.
        code = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return Completed(argv=tuple(argv), exit_code=code, stdout=stdout, stderr=stderr)

    def push(self, source: Path, target: PurePosixPath, *, timeout_s: float = 600.0) -> None:
        """Copy a file to just that name; a copy has no link that could hang, so no deadline."""
        del timeout_s
        if not Path(target).exists():
            _made_private(Path(target))
        _copy(source, Path(target))

    def pull(
        self,
        source: PurePosixPath,
        target: Path,
        *,
        timeout_s: float = 600.0,
        bytes_max: int = FILE_BYTES_MAX,
    ) -> None:
        """Copy a file from just that name."""
        del timeout_s
        if Path(source).exists() and not Path(source).is_file():
            msg = f"{str(source)!r} cannot be copied to {str(target)!r}: it is no plain file."
            raise DeviceError(msg)
        if Path(source).exists() and Path(source).stat().st_size > bytes_max:
            msg = f"{str(source)!r} has more than {show_size(bytes_max)}."
            raise DeviceError(msg)
        _copy(Path(source), target)

    def close(self) -> None:
        """Nothing is held open."""


def open_local(
    address: str,
    /,
    *,
    password: Callable[[str], str] | None = None,
    password_env: str | None = None,
) -> LocalTransport:
    """The transport of `local://`."""
    del password, password_env
    if address != "local://":
        msg = f"{address!r} names a place on this machine, but this machine is one device."
        raise ConfigError(msg, hint="Write local://.")
    return LocalTransport()


def _made_private(target: Path) -> None:
    with contextlib.suppress(OSError):  # the copy says why
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        msg = f"{str(source)!r} cannot be copied to {str(target)!r}: {error.strerror}."
        raise DeviceError(msg) from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started, and close the pipes without waiting on them."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
