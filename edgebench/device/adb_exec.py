"""One program over `adb shell`: argv as given, framed output, whatever the device's adbd can.

Before its second version (Android 7) the shell has one stream for both outputs, no exit code and no
end of the standard input, and may stand behind a terminal that changes line feeds. There, and where
a command is longer than the client can pass on, the program works on files, which are copied.
"""

import contextlib
import io
import os
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Final

from edgebench.core import Completed
from edgebench.device.adb_client import Attached, call, transfer
from edgebench.device.frames import Framed, LinkLost, TooMuch

SCRATCH: Final = PurePosixPath("/data/local/tmp")
# Beyond 64 kB the client's request to its server is garbled, and hangs.
COMMAND_MAX_BYTES: Final = 32_000
COPY_S: Final = 60.0
# `$0` is the folder.
_ON_FILES: Final = '"$@" < "$0/stdin" > "$0/stdout" 2> "$0/stderr"'


class Conversation:
    """A program that runs on the device, as far as it has been heard."""

    def __init__(self, device: Attached, argv: Sequence[str]) -> None:
        self._device = device
        self._argv = tuple(argv)
        self._framed = Framed(argv)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Of the shell that leads the program's session on the device; None before it spoke."""
        return self._framed.pid

    def hold(self, stdin: bytes) -> Completed:
        """Run the program to its end.

        Raises:
            LinkLost: The link ended first.
            DeviceError: The device refused a file that the call needs.
            TimeoutError: Copying such a file took too long.
            TooMuch: The program printed more than it may.
        """
        is_short = len(os.fsencode(self._framed.command)) < COMMAND_MAX_BYTES
        if self._device.has_shell_v2 and is_short:
            self._listen(self._framed.command, stdin)
            return self._framed.completed()
        return self._on_files(stdin)

    def leave(self) -> None:
        """End the client; whoever still reads from it comes back."""
        if self._process is not None:
            self._process.kill()

    def _on_files(self, stdin: bytes) -> Completed:
        there = SCRATCH / self._framed.token
        self._framed = Framed(("sh", "-c", _ON_FILES, str(there), *self._argv))
        with tempfile.TemporaryDirectory(prefix="edgebench-") as folder:
            here = Path(folder)
            (here / "stdin").write_bytes(stdin)
            (here / "run").write_bytes(os.fsencode(self._framed.command))
            for name in ("stdin", "run"):
                transfer(
                    self._device, "push", str(here / name), str(there / name), timeout_s=COPY_S
                )
            try:
                self._listen(f"exec sh {there}/run", b"")
                code = self._framed.exit_code
                if code is None:
                    self._framed.check_size()
                    raise LinkLost(self._framed.last_words())
                for name in ("stdout", "stderr"):
                    transfer(
                        self._device, "pull", str(there / name), str(here / name), timeout_s=COPY_S
                    )
            finally:
                with contextlib.suppress(TimeoutError, TooMuch):
                    call(self._device.argv("shell", f"rm -rf {there}"))
            return Completed(
                argv=self._argv,
                exit_code=code,
                stdout=(here / "stdout").read_bytes(),
                stderr=(here / "stderr").read_bytes(),
            )

    def _listen(self, command: str, stdin: bytes) -> None:
        """Give the device's shell a command, and hear it to its closing marks."""
        self._process = process = subprocess.Popen(
            self._device.argv("shell", command),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        # All are served at once: a full pipe of any would stop the program.
        errors = threading.Thread(
            target=self._hear, args=(process.stderr, self._framed.stderr), daemon=True
        )
        feeder = threading.Thread(target=_feed, args=(process.stdin, stdin), daemon=True)
        with process:
            errors.start()
            feeder.start()
            self._hear(process.stdout, self._framed.stdout)
            if not self._device.has_shell_v2:  # both streams came as one
                self.leave()
            errors.join()
            self.leave()
            feeder.join()

    def _hear(self, stream: IO[bytes] | None, heard: bytearray) -> None:
        if isinstance(stream, io.BufferedReader):
            self._framed.read(stream.read1, heard)
            if len(heard) > self._framed.bytes_max:
                self.leave()


def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    """Give the program its standard input, and close it."""
    # It may end without reading all of it, or the link may break: the frame tells which.
    with contextlib.suppress(OSError):
        if stream is not None:
            stream.write(data)
            stream.close()
