"""Files on a device: content-addressed, whole or not there, and sent once."""

import hashlib
import secrets
from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import FILE_BYTES_MAX, Completed, Device, Progress
from edgebench.device.fact_readers import free_bytes
from edgebench.errors import ConfigError, DeviceError, DeviceFull, DeviceLost
from edgebench.units import show_size

HASH_S: Final = 300.0

# By standard input, for sha256sum writes a file's odd name in an odd way. busybox and full systems
# have one of the first two; the board's Python is there for whatever has neither. `hash` alone is a
# word of the shell's own on Android.
HASH: Final = """
hash_of() {
  { sha256sum || busybox sha256sum || python3 -c 'import hashlib, sys
print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'; } < "$1" 2> /dev/null | cut -c 1-64
}
"""

# folder name: is it there with the right hash? If not, how much space is there?
_LOOK: Final = (
    HASH
    + """
mkdir -p "$1" || exit 3
probe=$1/.probe.$$
: > "$probe" && rm -f "$probe" || exit 3
if [ -f "$1/$2" ] && [ "$(hash_of "$1/$2")" = "$2" ]; then echo present; exit 0; fi
df -Pk "$1"
"""
)

# part name: is what arrived what was sent? Then it gets its name.
_ACCEPT: Final = (
    HASH
    + """
found=$(hash_of "$1")
[ "$found" = "$3" ] && mv -f "$1" "$2" && exit 0
rm -f "$1"
echo "$found"
exit 4
"""
)


def sha256_of(path: Path) -> str:
    """Of a file.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror}."
        raise ConfigError(msg) from error


def deliver(device: Device, source: Path, *, progress: Progress | None = None) -> PurePosixPath:
    """Have a file on the device, under its sha256; it is sent only where it is not there yet.

    Raises:
        DeviceLost: The link broke; nothing stands under the file's final name then.
        DeviceFull: It does not fit.
        DeviceError: No right to write there, or what arrived is not what was sent.
    """
    digest = sha256_of(source)
    folder = device.work_folder / "blobs"
    look = run_script(device, _LOOK, "look", str(folder), digest)
    if look.exit_code != 0:
        raise not_writable(device, folder, look)
    if look.stdout.startswith(b"present"):
        return folder / digest
    size = source.stat().st_size
    _check_space(device, folder, size, look)
    if progress is not None:
        progress(f"sending {source.name} ({show_size(size)})")
    part = folder / f"{digest}.{secrets.token_hex(4)}.part"
    _send(device, source, part)
    accepted = run_script(device, _ACCEPT, "accept", str(part), str(folder / digest), digest)
    if accepted.exit_code != 0:
        found = accepted.stdout.decode(errors="replace").strip()
        msg = f"{source.name!r} arrived on {device.name} as {found or 'nothing'}, not as {digest}."
        raise DeviceError(msg, hint="A disk that breaks does that; `dmesg` on the device may tell.")
    return folder / digest


def fetch(
    device: Device, source: PurePosixPath, target: Path, *, bytes_max: int = FILE_BYTES_MAX
) -> Path:
    """Have a file of the device here; it gets its name once it is whole.

    Raises:
        DeviceLost: The link broke.
        DeviceError: There is no such file, or it is larger than `bytes_max`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        device.transport.pull(source, part, bytes_max=bytes_max)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def run_script(
    device: Device, script: str, name: str, /, *arguments: str, timeout_s: float = HASH_S
) -> Completed:
    """Run a shell script of ours on the device."""
    argv = ("sh", "-c", script, f"edgebench-{name}", *arguments)
    return device.transport.run(argv, timeout_s=timeout_s)


def not_writable(device: Device, folder: PurePosixPath, done: Completed) -> DeviceError:
    """The error for a folder that we may not write."""
    words = done.stderr.decode(errors="replace").strip().splitlines()
    reason = words[-1] if words else f"exit code {done.exit_code}"
    msg = f"{device.name} does not let us write in {str(folder)!r}: {reason}."
    hint = (
        f"On the device: mkdir -p {folder} and chown it to the login user, "
        "or name another work_folder in its profile."
    )
    return DeviceError(msg, hint=hint)


def _send(device: Device, source: Path, part: PurePosixPath) -> None:
    try:
        device.transport.push(source, part)
    except DeviceLost:
        raise
    except DeviceError:
        gone = run_script(device, 'rm -f "$2"; df -Pk "$1"', "space", str(part.parent), str(part))
        _check_space(device, part.parent, source.stat().st_size, gone)
        raise


def _check_space(device: Device, folder: PurePosixPath, size: int, table: Completed) -> None:
    free = free_bytes(table.stdout.decode(errors="replace"))
    if free is not None and free < size:
        space = f"{show_size(free)} free in {str(folder)!r}, and {show_size(size)} are needed"
        msg = f"{device.name} has {space}."
        raise DeviceFull(msg, hint=f"Free some space there; {folder} itself may be emptied.")
