"""What a device says of itself: one shell script, one round trip, one reader for each fact.

No serial numbers, MAC addresses or host names are asked for: facts end up in results that people
publish.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from edgebench.core import Transport
from edgebench.device import fact_readers as read
from edgebench.device.fact import Fact
from edgebench.device.phone_facts import PHONE_FACTS
from edgebench.device.share_facts import LOAD_FACTS, SHARE_FACTS
from edgebench.device.state_facts import STATE_FACTS
from edgebench.errors import DeviceError

MARK: Final = "@@edgebench-fact "
PROBE_S: Final = 120.0  # a slow board starts some hundred small programs
PARTS: Final = ("hw", "sw", "state")


# Runs on any Python 3, as isolated from the user's site as the runner is (`-s`).
_PYTHON: Final = """
import json, platform, struct, sys
try:
    from importlib import metadata
except ImportError:
    metadata = None
def version(*names):
    for name in names:
        try:
            return metadata.version(name)
        except (AttributeError, ImportError):
            pass
print(json.dumps({"executable": sys.executable, "version": platform.python_version(),
"implementation": sys.implementation.name, "bits": struct.calcsize("P") * 8, "packages": {
"numpy": version("numpy"), "ai_edge_litert": version("ai-edge-litert"),
"tflite_runtime": version("tflite-runtime"),
"onnxruntime": version("onnxruntime", "onnxruntime-gpu")}}))
"""

_PYTHONS: Final = f"""
code='{_PYTHON}'
seen=:
ask() {{
  [ -x "$1" ] || return 0
  case $seen in *:"$2":*) return 0;; esac
  seen=$seen$2:
  "$1" -s -c "$code" || :
}}
if [ -n "$python" ]; then ask "$python" "$python"; else
  for name in python3 /usr/bin/python3 /usr/local/bin/python3 \
      python3.14 python3.13 python3.12 python3.11 python3.10 python3.9 python3.8; do
    found=$(command -v "$name") && ask "$found" "$(readlink -f "$found")"
  done
fi
"""

_LIBSTDCXX: Final = """
for f in $(ldconfig -p | sed -n 's/.*libstdc++\\.so\\.6 .*=> //p') \
    /usr/lib/*/libstdc++.so.6 /usr/lib/libstdc++.so.6 /lib/libstdc++.so.6; do
  [ -e "$f" ] && readlink -f "$f"
done
"""

# A phone's device tree names its chip, where it can be read at all.
_MODEL: Final = """
name=$(getprop ro.product.model)
if [ -n "$name" ]; then echo "$(getprop ro.product.manufacturer) $name"; else
  tr -d '\\0' < /proc/device-tree/model || tr -d '\\0' < /sys/firmware/devicetree/base/model ||
    cat /sys/class/dmi/id/sys_vendor /sys/class/dmi/id/product_name | tr '\\n' ' '
fi
"""
_OS: Final = """
if [ -r /etc/os-release ]; then . /etc/os-release; echo "$PRETTY_NAME"; else
  version=$(getprop ro.build.version.release) && [ -n "$version" ] && echo "Android $version"
fi
"""

# The most specific name of the device tree is the board's, the last one the chip's.
_SOC: Final = """
tree=/sys/firmware/devicetree/base/compatible
if [ -r $tree ]; then tr '\\0' '\\n' < $tree | tail -n 1; else cat /sys/devices/soc0/soc_id; fi
"""
_PRODUCT: Final = """
for p in ro.product.manufacturer ro.product.model ro.soc.manufacturer ro.soc.model \\
    ro.hardware.chipname ro.board.platform; do getprop "$p"; done
"""

FACTS: Final[Mapping[str, Fact]] = {
    "clock_s": Fact(command="date +%s.%N", read=read.seconds),
    **LOAD_FACTS,
    "architecture": Fact(command="uname -m", read=read.text, part="hw"),
    "model": Fact(command=_MODEL, read=read.text, part="hw"),
    "cpus": Fact(
        command="grep -E '^(CPU implementer|CPU part|model name)' /proc/cpuinfo",
        read=read.cpus,
        part="hw",
    ),
    "cpu_revisions": Fact(
        command="grep -E '^(CPU variant|CPU revision|stepping|Revision)' /proc/cpuinfo",
        read=read.cpus,
        part="hw",
    ),
    "soc": Fact(command=_SOC, read=read.text, part="hw"),
    "product": Fact(command=_PRODUCT, read=read.lines, part="hw"),
    "accelerator_nodes": Fact(
        command="ls -d /dev/nvgpu /dev/nvhost-gpu /dev/nvidia0 /dev/nvhost-nvdla0 /dev/mali0 "
        "/dev/kgsl-3d0 /dev/apex_0 /dev/hailo0 /dev/ethosu0 /dev/rknpu /dev/galcore "
        "/dev/dri/renderD128 /dev/accel/accel0",
        read=read.words,
        part="hw",
    ),
    "cpu_features": Fact(
        command="grep -m 1 -E '^(Features|flags)' /proc/cpuinfo",
        read=read.cpu_features,
        part="hw",
    ),
    "memory_total_bytes": Fact(
        command="grep '^MemTotal' /proc/meminfo", read=read.memory_bytes, part="hw"
    ),
    "memory_available_bytes": Fact(
        command="grep '^MemAvailable' /proc/meminfo", read=read.memory_bytes
    ),
    "kernel": Fact(command="uname -r", read=read.text, part="sw"),
    "os": Fact(command=_OS, read=read.text, part="sw"),
    "l4t": Fact(command="head -n 1 /etc/nv_tegra_release", read=read.text, part="sw"),
    "firmware": Fact(command="vcgencmd version | tail -n 1", read=read.text, part="sw"),
    "build": Fact(command="getprop ro.build.fingerprint", read=read.text, part="sw"),
    "libc": Fact(
        command="getconf GNU_LIBC_VERSION || ldd --version 2>&1", read=read.libc, part="sw"
    ),
    "libstdcxx": Fact(command=_LIBSTDCXX, read=read.libstdcxx, part="sw"),
    "pythons": Fact(command=_PYTHONS, read=read.pythons, part="sw"),
    "page_bytes": Fact(command="getconf PAGESIZE", read=read.integer, part="sw"),
    "governor": Fact(
        command="cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", read=read.text
    ),
    "temperatures_c": Fact(
        command="for z in /sys/class/thermal/thermal_zone*; do "
        '[ -r "$z/temp" ] && echo "$(cat "$z/type") $(cat "$z/temp")"; done',
        read=read.temperatures,
    ),
    "tools": Fact(
        command="for t in sha256sum tar gzip gunzip setsid nohup flock timeout busybox; do "
        'command -v "$t" > /dev/null && echo "$t"; done',
        read=read.words,
    ),
    **STATE_FACTS,
    **SHARE_FACTS,
    **PHONE_FACTS,
    "home": Fact(command='echo "$HOME"', read=read.text),
    "is_root": Fact(command='[ "$(id -u)" = 0 ] && echo yes || echo no', read=read.yes),
    "work_free_bytes": Fact(command='df -Pk "$work"', read=read.free_bytes),
    "work_is_noexec": Fact(
        command='df -Pk "$work"; echo --; cat /proc/mounts', read=read.is_noexec
    ),
    "work_is_writable": Fact(command='[ -w "$work" ] && echo yes || echo no', read=read.yes),
}

_HEAD: Final = """
case $1 in "~") work=$HOME;; "~/"*) work=$HOME/${1#"~/"};; *) work=$1;; esac
while [ ! -e "$work" ] && [ "$work" != / ]; do work=$(dirname "$work"); done
python=$2
"""


def script() -> str:
    """The script that asks for all facts; each in a subshell of its own, its errors thrown away."""
    asks = (
        f"echo; echo '{MARK}{name}'; ( {fact.command.strip()}\n) 2> /dev/null < /dev/null"
        for name, fact in FACTS.items()
    )
    return _HEAD + "\n".join(asks) + "\n:"


def read_facts(
    transport: Transport,
    *,
    work_folder: str = "~/.cache/edgebench",
    python: str = "",
    asked_s: float | None = None,
) -> dict[str, JsonValue]:
    """Ask a device for all facts in one round trip.

    Args:
        work_folder: Whose file system is described; `~` is the device's own.
        python: The interpreter to ask instead of those in PATH; for this machine, the one that
            runs edgebench.
        asked_s: When it was asked, where that is not now: of a device that is replayed.

    Raises:
        DeviceLost: It does not answer.
        DeviceError: It has no POSIX shell.
    """
    argv = ("sh", "-c", script(), "edgebench-facts", work_folder, python)
    asked_s = time.time() if asked_s is None else asked_s
    done = transport.run(argv, timeout_s=PROBE_S)
    answers = split_answers(done.stdout.decode(errors="replace"))
    if not answers:
        words = done.stderr.decode(errors="replace").strip()[-300:]
        msg = f"{transport.address} does not run shell scripts: {words or done.exit_code}."
        raise DeviceError(msg, hint="A POSIX shell as `sh` is needed on the device.")
    facts = {name: fact.of(answers.get(name, "")) for name, fact in FACTS.items()}
    clock_s = facts.pop("clock_s")
    # The answer to the first question was given right after it was asked, up to the latency of
    # the link; what is looked for are clocks that are hours or decades off.
    skew_s = round(clock_s - asked_s) if isinstance(clock_s, float) else None
    return {**facts, "clock_skew_s": skew_s}


def split_answers(output: str) -> dict[str, str]:
    r"""What each command printed, by fact.

    >>> split_answers("@@edgebench-fact home\n/root\n\n@@edgebench-fact kernel\n6.1\n")
    {'home': '/root\n', 'kernel': '6.1\n'}
    """
    parts = re.split(rf"^{MARK}(\w+)\n", output, flags=re.MULTILINE)
    found = zip(parts[1::2], parts[2::2], strict=True)
    return {name: answer.strip("\n") + "\n" for name, answer in found}


def fingerprint(facts: Mapping[str, JsonValue]) -> dict[str, str]:
    """Hashes of hardware, software and state; numbers of unequal ones are not compared."""
    return {part: _digest(facts, part) for part in PARTS}


def _digest(facts: Mapping[str, JsonValue], part: str) -> str:
    chosen = {name: facts.get(name) for name, fact in FACTS.items() if fact.part == part}
    total = chosen.get("memory_total_bytes")
    if isinstance(total, int):
        # A kernel update changes what the kernel keeps for itself, but not the board.
        chosen["memory_total_bytes"] = round(total / (1 << 30))
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()
