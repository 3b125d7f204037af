"""Folders on a device: content-addressed, unpacked from an archive, whole or not there."""

from pathlib import Path, PurePosixPath
from typing import Final

from edgebench.core import Device, Progress
from edgebench.device.files import HASH, deliver, not_writable, run_script, sha256_of
from edgebench.device.wheels import MANIFEST
from edgebench.errors import DeviceError

UNPACK_S: Final = 600.0

# archive folder, then what seals: it checks each file of the folder that it is given, and gives it
# the name that follows. Two hosts may do this at once.
UNPACK: Final = """
set -u
archive=$1 folder=$2
shift 2
[ -d "$folder" ] && exit 0
new=$folder.$$.new
mkdir -p "$new" && tar -xzmf "$archive" -C "$new" || { rm -rf "$new"; exit 3; }
"$@" "$new" "$folder" || { rm -rf "$new"; exit 4; }
rm -rf "$new" "$archive"
[ -d "$folder" ]
"""

# Bytecode is made once: it is not written later, and without it each launch compiles numpy anew.
# A rename onto a folder that is there and not empty fails. A power cut may keep a name and lose the
# contents, so these are on the disk before the folder gets its name.
_PYTHON: Final = f"""
import compileall, hashlib, os, py_compile, sys
tree, final = sys.argv[1:]
for line in open(os.path.join(tree, {MANIFEST!r}), encoding="utf-8"):
    digest, name = line.rstrip("\\n").split("  ", 1)
    with open(os.path.join(tree, name), "rb") as file:
        if hashlib.sha256(file.read()).hexdigest() != digest:
            sys.exit(name + " is not what was sent")
compileall.compile_dir(tree, quiet=2, ddir=final,
                       invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
os.sync()
try:
    os.rename(tree, final)
except OSError:
    if not os.path.isdir(final):
        raise
"""

# A folder that is there already takes what is renamed onto it in: that is removed again.
_SHELL: Final = (
    HASH
    + f"""
while read -r digest name; do
  [ "$(hash_of "$1/$name")" = "$digest" ] || {{ echo "$name is not what was sent" >&2; exit 1; }}
done < "$1/{MANIFEST}"
sync
mv "$1" "$2" && rm -rf "$2/${{1##*/}}"
"""
)
BY_SHELL: Final = ("sh", "-c", _SHELL, "edgebench-seal")


def by_python(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Seal a folder by a Python of the device, which compiles what is in it."""
    return (*argv, "-s", "-c", _PYTHON)


def by_its_own_python(loader: str) -> tuple[str, ...]:
    """Seal a folder by the Python that is in it, started by the loader that is in it."""
    script = (
        f'd=$1; exec "$d/lib/{loader}" --library-path "$d/lib" --argv0 "$d/bin/python3" '
        '"$d/bin/python3" -s -c "$0" "$@"'
    )
    return ("sh", "-c", script, _PYTHON)


def unpacked(
    device: Device,
    archive: Path,
    kind: str,
    *,
    seal: tuple[str, ...],
    progress: Progress | None = None,
) -> PurePosixPath:
    """The folder of an archive on a device; sent where it is not there.

    Args:
        kind: Folder of the device's work folder that it is put into.
        seal: `BY_SHELL`, `by_python` or `by_its_own_python`.

    Raises:
        DeviceLost: The link broke.
        DeviceError: It cannot be written or unpacked there.
    """
    folder = device.work_folder / kind / sha256_of(archive)
    look = 'mkdir -p "$2" && [ -w "$2" ] || exit 3; [ -d "$1" ] && echo present; :'
    there = run_script(device, look, "present", str(folder), str(device.work_folder / "tmp"))
    if there.exit_code != 0:
        raise not_writable(device, device.work_folder, there)
    if there.stdout.startswith(b"present"):
        return folder
    blob = deliver(device, archive, progress=progress)
    arguments = (str(blob), str(folder), *seal)
    done = run_script(device, UNPACK, "unpack", *arguments, timeout_s=UNPACK_S)
    if done.exit_code != 0:
        words = done.stderr.decode(errors="replace").strip()[-300:]
        msg = f"{device.name} does not unpack {archive.name!r} into {str(folder)!r}: {words}."
        raise DeviceError(msg, hint="Is the disk full? `tar` and `gzip` are needed there.")
    return folder
