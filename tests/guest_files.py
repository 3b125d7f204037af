"""What a guest is made of: kernel, first root, disk and keys, made once and kept."""

import fcntl
import gzip
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests import fleet
from tests.programs import run

KERNEL = ("linux-image-arm64", "busybox-static")
DEVICE_TREE = "bcm2837-rpi-3-b.dtb"
# Of the kernel's, for both machines: its file system, then disk, network and sensors.
MODULES = (
    *("crc32c_generic", "ext4", "virtio_pci", "virtio_blk", "virtio_net"),
    *("bcm2835", "phy_generic", "dwc2", "cdc_ether", "rndis_host", "bcm2835_thermal"),
)
# The card of a Pi must have a power of two.
DISK = "1G"
BUSYBOX = "/usr/lib/guest/busybox"

FIRST = """#!/busybox sh
b=/busybox
$b mount -t proc proc /proc
$b mount -t sysfs sysfs /sys
$b mount -t devtmpfs dev /dev
for m in {modules}; do $b insmod /modules/$m.ko; done
until $b mount -t ext4 /dev/vda /new || $b mount -t ext4 /dev/mmcblk0 /new; do
  $b sleep 0.2
done 2> /dev/null
for f in proc sys dev; do $b mount --move /$f /new/$f; done
exec $b switch_root /new /sbin/init
"""
BOOT = f"""#!{BUSYBOX} sh
b={BUSYBOX}
$b mount -t cgroup2 cgroup2 /sys/fs/cgroup
$b mkdir -p /dev/pts /dev/shm
$b mount -t devpts -o ptmxmode=0666,mode=620,gid=5 devpts /dev/pts
$b mount -t tmpfs -o mode=1777 tmpfs /dev/shm
$b mount -t tmpfs -o mode=0755 tmpfs /run
$b mkdir /run/sshd
$b hostname guest
$b ifconfig lo up
until $b ifconfig eth0 10.0.2.15 up || $b ifconfig usb0 10.0.2.15 up; do
  $b sleep 0.1
done 2> /dev/null
"""
SSHD_CONFIG = fleet.SSHD_CONFIG.format(variables="")


def files_of_guests(cache: Path) -> Path:
    """Kernel, first root, disk and keys of all machines, in a folder named by what they hold."""
    with fleet.registered(fleet.ARM64, cache):
        return _files(fleet.root_of(fleet.ARM64, cache), cache)


def _files(root: Path, cache: Path) -> Path:
    told = (root.name, KERNEL, MODULES, DISK, FIRST, BOOT, SSHD_CONFIG)
    digest = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
    place = cache / "guests" / digest
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            with tempfile.TemporaryDirectory(dir=place.parent) as part:
                made = Path(part) / "files"
                made.mkdir()
                _make(root, Path(part), made)
                made.rename(place)
    return place


def _make(root: Path, scratch: Path, made: Path) -> None:
    system = scratch / "system"
    extract = ["--quiet", "--arch=arm64", "--variant=extract", f"--include={','.join(KERNEL)}"]
    run("mmdebstrap", *extract, "bookworm", str(system), fleet.MIRROR)
    for pattern, name in (
        ("boot/vmlinuz-*", "vmlinuz"),
        (f"usr/lib/**/{DEVICE_TREE}", DEVICE_TREE),
    ):
        (found,) = system.glob(pattern)
        shutil.copyfile(found, made / name)
    busybox = (system / "bin/busybox").read_bytes()
    (made / "initrd.gz").write_bytes(gzip.compress(_first_root(system, busybox), 1))
    for name in ("host", "client"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(made / name))
    _furnish(root, scratch / "root", made, busybox)
    made_of = ("-d", str(scratch / "root"), str(made / "disk"), DISK)
    run("mke2fs", "-q", "-t", "ext4", "-m", "0", *made_of)


def _furnish(root: Path, disk: Path, made: Path, busybox: bytes) -> None:
    """What lies on the disk: the board's root, who may log in, and what starts it."""
    run("cp", "-a", str(root), str(disk))
    files = {
        **fleet.USERS,
        "etc/inittab": "::sysinit:/etc/boot\n::respawn:/usr/sbin/sshd -D -e\n",
        "etc/boot": BOOT,
        "etc/ssh/sshd_config": SSHD_CONFIG,
        "etc/ssh/ssh_host_ed25519_key": (made / "host").read_text(),
        "etc/ssh/authorized_keys": (made / "client.pub").read_text(),
    }
    fleet.write(disk, files)
    (disk / "etc/boot").chmod(0o755)
    (disk / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    (disk / BUSYBOX[1:]).parent.mkdir()
    (disk / BUSYBOX[1:]).write_bytes(busybox)
    (disk / BUSYBOX[1:]).chmod(0o755)
    (disk / "sbin/init").symlink_to(BUSYBOX)
    for name in ("home/pi", "tmp", "var/empty"):
        (disk / name).mkdir(parents=True, exist_ok=True)
    (disk / "tmp").chmod(0o1777)
    os.chown(disk / "home/pi", 1000, 1000)


def _first_root(system: Path, busybox: bytes) -> bytes:
    """What mounts the disk, whose driver and file system are no part of Debian's kernel itself."""
    files = {path.stem.replace("-", "_"): path for path in (system / "lib/modules").rglob("*.ko")}
    wanted: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name not in wanted:
            module = files[name].read_bytes()
            found = re.search(rb"\0depends=([^\0]*)\0", module)
            for needed in found[1].decode().split(",") if found and found[1] else []:
                add(needed.replace("-", "_"))
            wanted[name] = module

    for name in MODULES:
        add(name)
    script = FIRST.format(modules=" ".join(wanted))
    return _archive(
        {
            **dict.fromkeys(("proc", "sys", "dev", "new", "modules")),
            "busybox": busybox,
            "init": script.encode(),
            **{f"modules/{name}.ko": module for name, module in wanted.items()},
        }
    )


def _archive(files: Mapping[str, bytes | None]) -> bytes:
    """Programs, and folders where there is no content, as the kernel unpacks them at its start.

    https://docs.kernel.org/driver-api/early-userspace/buffer-format.html
    """
    parts = bytearray()
    for inode, (name, content) in enumerate({**files, "TRAILER!!!": b""}.items(), 1):
        mode = 0o40755 if content is None else 0o100755
        fields = (inode, mode, 0, 0, 1, 0, len(content or b""), 0, 0, 0, 0, len(name) + 1, 0)
        parts += b"070701" + "".join(f"{field:08x}" for field in fields).encode()
        for part in (name.encode() + b"\0", content or b""):
            parts += part
            parts += bytes(-len(parts) % 4)
    return bytes(parts)
