"""The root of an Android phone for arm64: its shell and its tools, no Python, no C library.

mksh and toybox are what Android has, too. Debian's toybox wants a C library, which lies where only
toybox looks for it, as Android's own does.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Final

from edgebench.device.system import libraries, system_root
from tests import fleet

PACKAGES: Final = ("busybox-static", "libc6", "libcrypt1", "mksh", "toybox")
# What Android has of toybox, and Debian's build leaves out.
MORE: Final = ("awk", "dd", "expr", "tr")

PROPERTIES: Final = {
    "ro.product.manufacturer": "Acme",
    "ro.product.model": "Phone 8",
    "ro.board.platform": "acme8",
    "ro.build.version.release": "14",
    "ro.build.fingerprint": "acme/phone8/phone8:14/AP1A/1:user/release-keys",
    "ro.product.cpu.abi": "arm64-v8a",
}
GETPROP: Final = """#!/system/bin/sh
while IFS='=' read -r name value; do
  [ "$name" = "$1" ] && print -r -- "$value"
done < /system/build.prop
:
"""
DUMPSYS: Final = """#!/system/bin/sh
case $1 in
  battery) printf '%s\\n' 'Current Battery Service state:' '  AC powered: false' \\
    '  USB powered: true' '  status: 5' '  present: true' '  level: 100' '  scale: 100' \\
    '  voltage: 4352' '  temperature: 274' ;;
  thermalservice) printf '%s\\n' 'IsStatusOverride: false' 'Thermal Status: 0' \\
    'Current temperatures from HAL:' \\
    '	Temperature{mValue=31.5, mType=0, mName=CPU, mStatus=0}' ;;
  power) printf '%s\\n' '  mWakefulness=Awake' '  mStayOn=true' ;;
  *) echo "Can't find service: $1"; exit 1 ;;
esac
"""
# A job's environment is made anew, and this stands for what the phone has of its own: its CPU.
ENV: Final = """#!/system/bin/sh
[ "$1" = -i ] || exec /system/bin/toybox env "$@"
shift
exec /system/bin/toybox env -i QEMU_CPU={cpu} "$@"
"""


def furnish(root: Path, cache: Path) -> None:
    """Put the phone's system below a folder."""
    parts = system_root("aarch64", PACKAGES, cache=cache, progress=lambda words: None)
    programs, private = root / "system" / "bin", root / "system" / "lib64"
    for folder in (programs, private):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(parts / "usr" / "lib" / "diet" / "bin" / "mksh", programs / "sh")
    shutil.copy(parts / "bin" / "busybox", private / "busybox")
    toybox = Path(shutil.copy(parts / "bin" / "toybox", programs / "toybox"))
    for name, path in libraries(parts, "aarch64", [toybox]).items():
        shutil.copy(path, private / name)
    (loader,) = private.glob("ld-linux-*")
    shutil.move(loader, programs / "linker64")
    words = ["--set-interpreter", "/system/bin/linker64", "--set-rpath", "/system/lib64"]
    subprocess.run(["patchelf", *words, toybox], check=True)
    for name in subprocess.check_output(["chroot", root, "/system/bin/toybox"], text=True).split():
        if not (programs / name).exists():
            (programs / name).symlink_to("toybox")
    for name in MORE:
        (programs / name).symlink_to("../lib64/busybox")
    (programs / "env").unlink()
    scripts = {"env": ENV.format(cpu=fleet.ARM64.cpu), "getprop": GETPROP, "dumpsys": DUMPSYS}
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    lines = [f"{name}={value}\n" for name, value in PROPERTIES.items()]
    (root / "system" / "build.prop").write_text("".join(lines))
    (root / "bin").symlink_to("system/bin")
