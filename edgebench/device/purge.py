"""Take away from a device all that edgebench has put there."""

from typing import Final

from edgebench.core import Device, Progress
from edgebench.device import job_scripts as scripts
from edgebench.device.files import run_script
from edgebench.device.lock import locked
from edgebench.device.steady import LEASE_S
from edgebench.errors import DeviceError

# All that is ever made in a work folder; what else lies there is somebody else's.
FOLDERS: Final = ("jobs", "blobs", "runners", "runtimes", "steady", "tmp")
PURGE_S: Final = 300.0


def purge(device: Device, progress: Progress) -> int:
    """Remove everything of edgebench's from a device; how many bytes that were.

    The lock that it takes for that, given back, is what stays: a few bytes in the device's /tmp.

    Raises:
        DeviceLost: It does not answer.
        DeviceError: A job runs there, somebody measures, or something cannot be removed.
    """
    folder = str(device.work_folder)
    arguments = (folder, str(LEASE_S), *FOLDERS)
    with locked(device, run="remove --purge", progress=progress) as ours:
        done = run_script(ours, scripts.PURGE, "purge", *arguments, timeout_s=PURGE_S)
    if done.exit_code == 0:
        return int(done.stdout.split()[-1]) * 1024
    words = " ".join(done.stderr.decode(errors="replace").split())[-300:]
    msg = f"Nothing was removed from {folder!r} on {device.name}: {words}."
    if done.exit_code == scripts.BUSY:
        raise DeviceError(msg, hint="Wait for its end, or end it by Ctrl-C where it was started.")
    msg = f"{folder!r} on {device.name} cannot be removed: {words or done.exit_code}."
    raise DeviceError(msg, hint=f"On the device: sudo rm -rf {folder}")
