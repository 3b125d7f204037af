"""What can go wrong, one class for each thing that a caller would do differently.

EdgebenchError            ends the command with its exit code, as `error:` and `hint:`
├── ConfigError           2: the plan or the command is wrong; nothing was done
└── NotDone               3: the work could not be done; what is finished is kept
    ├── CompressionError  a variant cannot be made; the other variants go on
    │   └── NoEffect      a step changed nothing; there is no variant to measure
    ├── DeviceError       the device answers but cannot do it: no space, no Python, a refused key
    │   ├── DeviceLost    the device does not answer; the only error that is worth a retry
    │   ├── DeviceRestarted  it was started anew while it was at work, which is to be repeated
    │   └── DeviceFull    a file does not fit there; the cells that need it fail, the others go on
    └── JobFailed         one measurement failed on a healthy device; the other cells go on
"""

from typing import ClassVar

from edgebench.untrusted import plain


class EdgebenchError(Exception):
    """Something that the user can mend: a sentence, and a hint on what to do next."""

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        # Some words are a device's, or of a file that somebody sent.
        super().__init__(plain(message))
        self.hint = None if hint is None else plain(hint)

    def in_full(self) -> str:
        """Message and hint in one, for where there is one line for both."""
        return f"{self} {self.hint}" if self.hint else str(self)


class ConfigError(EdgebenchError):
    """The plan or the command is wrong, and nothing was done."""

    exit_code: ClassVar[int] = 2


class NotDone(EdgebenchError):
    """Work that could not be done; what is finished is kept."""


class CompressionError(NotDone):
    """A variant cannot be made."""


class NoEffect(CompressionError):
    """A step changed nothing, so that what it yields is no variant."""


class DeviceError(NotDone):
    """The device answers, but cannot do what is asked of it."""


class DeviceLost(DeviceError):
    """The device does not answer."""


class DeviceRestarted(DeviceError):
    """The device was started anew: what ran there is gone, and what it had been set to."""


class DeviceFull(DeviceError):
    """A file does not fit on the device."""


class JobFailed(NotDone):
    """One measurement failed on a healthy device.

    Attributes:
        reason: Which of `edgebench.core.Reason` it was, for the cell of the table.
    """

    def __init__(self, message: str, *, reason: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
