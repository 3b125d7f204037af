"""What a system lacks: runtimes, programs, a place to work, instructions, the time."""

import shlex
from typing import Final

from edgebench.core import Format
from edgebench.device.ways import runtime_for
from edgebench.errors import DeviceError
from edgebench.measure.doctor.trouble import Condition, Severity, Trouble
from edgebench.units import show_duration

DEVICES: Final = "edgebench/device/README.md"
NEEDED: Final = ("sha256sum", "tar", "gzip")
# Of a program all that is needed: Android's tar unpacks by it.
INSTEAD: Final = {"gzip": "gunzip"}
WAITING: Final = ("flock", "timeout")
SKEW_S: Final = 60.0


def _lacks(condition: Condition) -> dict[Format, DeviceError]:
    """Formats that nothing runs on this device, and why."""
    found: dict[Format, DeviceError] = {}
    for wanted in (Format.TFLITE, Format.ONNX):
        try:
            runtime_for(condition.device, wanted)
        except DeviceError as error:
            found[wanted] = error
    return found


def no_runtime(condition: Condition) -> Trouble | None:
    """A Python or a C library that is too old, or is not there, and no native runner either."""
    lacks = _lacks(condition)
    if not lacks or noexec(condition) is not None:
        return None
    is_all = len(lacks) == 2
    why = "Nothing can be measured" if is_all else "Such cells are no_runtime; the others go on"
    return Trouble(
        severity=Severity.SERIOUS if is_all else Severity.NOTE,
        found=" ".join(dict.fromkeys(str(error) for error in lacks.values())),
        why=f"{why}: {', '.join(lacks)}.",
        source=DEVICES,
        mend=next(iter(lacks.values())).hint,
    )


def narrow_system(condition: Condition) -> Trouble | None:
    """A system of 32 bits on a kernel of 64."""
    bits = [row.get("bits") for row in condition.rows("pythons") if isinstance(row, dict)]
    is_wide = condition.device.facts.get("architecture") in {"aarch64", "x86_64"}
    if not bits or 64 in bits or not is_wide:
        return None
    return Trouble(
        severity=Severity.DOUBT,
        found=f"Python of 32 bits, kernel {condition.device.facts['architecture']}",
        why="Kernels for 32 bits are slower, and of the runtimes only tflite-runtime has a wheel.",
        source=DEVICES,
        mend="Write the 64-bit image of the board's system to its card.",
    )


def no_dot_product(condition: Condition) -> Trouble | None:
    """ARM cores without integer dot products."""
    is_arm = condition.device.facts.get("architecture") in {"aarch64", "armv8l", "armv7l"}
    features = condition.device.facts.get("cpu_features")
    if not is_arm or not isinstance(features, list) or "asimddp" in features:
        return None
    return Trouble(
        severity=Severity.NOTE,
        found="no asimddp",
        why="An int8 form gains less than on newer cores, and may be slower than float.",
        source="https://developer.arm.com/documentation/102651/a/What-are-dot-product-intructions-",
    )


def tools_missing(condition: Condition) -> Trouble | None:
    """Programs without which nothing can be put there."""
    tools = condition.rows("tools")
    missing = [name for name in NEEDED if not {name, INSTEAD.get(name, name)} & {*tools}]
    if not missing or not isinstance(condition.device.facts.get("tools"), list):
        return None
    return Trouble(
        severity=Severity.SERIOUS,
        found=f"no {', no '.join(missing)}",
        why="Files are checked, and runtimes unpacked, by the device's own programs.",
        source=DEVICES,
        mend="sudo apt-get install -y coreutils tar gzip",
    )


def waits_by_looking(condition: Condition) -> Trouble | None:
    """No program to sleep on a lock with."""
    tools = condition.rows("tools")
    missing = [name for name in WAITING if name not in tools]
    is_known = isinstance(condition.device.facts.get("tools"), list)
    if not missing or not is_known or tools_missing(condition):
        return None
    return Trouble(
        severity=Severity.NOTE,
        found=f"no {', no '.join(missing)}",
        why="The end of a job is looked for five times a second, which is a little work.",
        source=DEVICES,
        mend="sudo apt-get install -y util-linux coreutils",
        edgebench="Sleeps for as long as samples are taken, and looks only then.",
    )


def noexec(condition: Condition) -> Trouble | None:
    """A work folder from which nothing can be run."""
    if condition.device.facts.get("work_is_noexec") is not True:
        return None
    folder = shlex.quote(str(condition.device.work_folder))
    return Trouble(
        severity=Severity.SERIOUS,
        found=f"{condition.device.work_folder} is mounted noexec",
        why="A runtime that is put there does not load.",
        source="https://man7.org/linux/man-pages/man8/mount.8.html",
        mend=f"sudo mount -o remount,exec \"$(df -P {folder} | sed -n '2s/.*% *//p')\"",
        edgebench="Another `work_folder` in the device's profile, on a file system that may run.",
    )


def not_writable(condition: Condition) -> Trouble | None:
    """A work folder that the login user may not write."""
    if condition.device.facts.get("work_is_writable") is not False:
        return None
    folder = shlex.quote(str(condition.device.work_folder))
    return Trouble(
        severity=Severity.SERIOUS,
        found=f"{condition.device.work_folder} may not be written",
        why="Nothing can be put on the device.",
        source=DEVICES,
        mend=f'sudo mkdir -p {folder} && sudo chown "$(id -un)" {folder}',
    )


def clock_off(condition: Condition) -> Trouble | None:
    """A clock that is far from the host's."""
    skew_s = condition.number("clock_skew_s")
    if skew_s is None or abs(skew_s) < SKEW_S:
        return None
    return Trouble(
        severity=Severity.NOTE,
        found=f"{show_duration(abs(skew_s))} {'ahead' if skew_s > 0 else 'behind'}",
        why="Its logs tell other times than the host's; a jump is seen as one in them.",
        source="https://www.freedesktop.org/software/systemd/man/latest/timedatectl.html",
        mend="sudo timedatectl set-ntp true",
        edgebench="Times are taken by the clock that never jumps; files keep no times.",
    )
