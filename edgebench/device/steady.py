"""Settings of a device that stand for as long as it is measured, and are put back whatever happens.

`runners/guard.sh` is the device's side: it stays there and restores also when the host is killed,
the link breaks or the runner dies.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Final

from edgebench.core import Device
from edgebench.device.look import look
from edgebench.device.patience import patiently
from edgebench.device.settings import GLOBS, KEPT, TOOLS, Board, Wanted, is_phone, lines_of
from edgebench.errors import DeviceError, DeviceLost

# Longer than a host is ever silent while no job runs: it sends a model of 1 GB meanwhile.
LEASE_S: Final = 180
# A power mode that turns cores on takes seconds.
RESTORE_S: Final = 60.0
CALL_S: Final = 60.0

# folder   Heard of the host, by the device's own clock. A guard that became root has made the file
# its own, but the folder is ours: it is replaced.
_RENEW: Final = """
cd "$1" 2> /dev/null || exit 0
read -r now _ < /proc/uptime && echo "${now%.*}" > lease.part && mv -f lease.part lease
"""
# folder seconds   Until everything is back. After a restart the guard is gone, and with it what the
# kernel was set to; a power mode, which stays, is put back by the next guard.
_RELEASE: Final = """
cd "$1" 2> /dev/null || exit 0
booted=
[ -e boot ] && booted=$(cat /proc/sys/kernel/random/boot_id)
[ "$(cat boot 2> /dev/null)" = "$booted" ] || exit 0
: > release
left=$2
while [ ! -e restored ] && [ "$left" -gt 0 ]; do sleep 1; left=$((left - 1)); done
[ -e restored ] && cat restore.log
[ -e restored ]
"""
# as_is folder guard jobs lease_s   Root, or whoever may become root without being asked; the shell
# of a phone as it is, which may set what an app may.
_SET: Final = """
as_is=$1
shift
mkdir -p "$1" || exit 3
if [ "$as_is" = yes ]; then exec sh "$2" "$1" "$3" "$4"; fi
words=$(sudo -n true 2>&1) || {
  echo "no permission to become root: ${words:-sudo failed}" >&2
  exit 4
}
exec sudo -n sh "$2" "$1" "$3" "$4"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """What was set on a device.

    Attributes:
        folder: Where the guard keeps what was before.
        reads: What each setting is now, by its path or its program.
        refused: What could not be set, and why.
    """

    folder: PurePosixPath
    reads: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()


@contextlib.contextmanager
def steady(
    device: Device, guard: PurePosixPath, *, wanted: Wanted, lease_s: int = LEASE_S
) -> Iterator[Steady]:
    """Set what a plan asks for while the block runs; what was before is back afterwards.

    Args:
        guard: `guard.sh` on the device.
        wanted: Nothing asked for leaves the device as it is.
        lease_s: How long after the host was last heard of the device restores by itself, once no
            job runs there.

    Raises:
        DeviceLost: It does not answer.
        DeviceError: Afterwards, where it did not get back what was before.
    """
    folder = device.work_folder / "steady"
    if not wanted.named():
        yield Steady(folder=folder)
        return
    listing = patiently(lambda: look(device.transport, globs=GLOBS, tools=TOOLS))
    lines, refused = lines_of(Board(listing=listing, facts=device.facts), wanted)
    held = _set(device, guard, lines, lease_s) if lines else Steady(folder=folder)
    why = refused + held.refused
    try:
        yield Steady(folder=folder, reads=held.reads, refused=why)
    finally:
        if held.reads:
            _release(device, folder)


def renew(device: Device) -> None:
    """Let the guard on a device know that the host is still there; nothing where there is none."""
    argv = ("sh", "-c", _RENEW, "edgebench-renew", str(device.work_folder / "steady"))
    device.transport.run(argv, timeout_s=CALL_S)


def _set(device: Device, guard: PurePosixPath, lines: Mapping[str, str], lease_s: int) -> Steady:
    as_is = "yes" if device.facts.get("is_root") or is_phone(device.facts) else "no"
    folder, jobs = device.work_folder / "steady", device.work_folder / "jobs"
    arguments = (as_is, str(folder), str(guard), str(jobs), str(lease_s))
    told = "".join(f"{name} {value}\n" for name, value in lines.items())
    done = device.transport.run(
        ("sh", "-c", _SET, "edgebench-steady", *arguments), timeout_s=CALL_S, stdin=told.encode()
    )
    words = " ".join(done.stderr.decode(errors="replace").split())[-300:]
    if done.exit_code != 0:
        why = f"nothing can be set: {words or f'code {done.exit_code}'}"
        return Steady(folder=folder, refused=(why,))
    rows = (line.split(" ", 1) for line in done.stdout.decode(errors="replace").splitlines())
    reads = {row[0]: row[1].strip() for row in rows if len(row) == 2}
    wrong = tuple(
        f"{name} stays {reads.get(name) or 'unknown'}{f': {words}' if words else ''}"
        for name, value in lines.items()
        if value not in {KEPT, reads.get(name)}
    )
    return Steady(folder=folder, reads=reads, refused=wrong)


def _release(device: Device, folder: PurePosixPath) -> None:
    """Have everything put back now; the guard does it later where the device does not answer."""
    argv = ("sh", "-c", _RELEASE, "edgebench-release", str(folder), f"{RESTORE_S:.0f}")
    began = time.monotonic()
    with contextlib.suppress(DeviceLost):
        done = device.transport.run(argv, timeout_s=RESTORE_S + CALL_S)
        if done.exit_code != 0 or done.stdout.strip():
            words = done.stdout.decode(errors="replace").strip()[-300:]
            took_s = time.monotonic() - began
            msg = f"{device.name} did not get its settings back in {took_s:.0f} s: {words or '-'}"
            raise DeviceError(msg, hint=f"What was before stands in {folder}/before there.")
