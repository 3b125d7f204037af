"""A board of our own making, seen by whoever logs in over ssh: its files, its programs, its power.

What it takes follows from what the runner really does: so many watts at rest, so many more while
the runner is at work, as the kernel counts it. The truth is therefore known, whatever else this
machine does.
"""

import abc
import contextlib
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from edgebench.core import Device
from edgebench.measure.protocol import PRESETS
from tests.sshd import Board

IDLE_W: Final = 2.5
CORE_W: Final = 3.5
TICK_S: Final = 0.1
# What a reading is the mean of.
WINDOW_S: Final = 0.5
# Share of a tick from which on a core counts as at work.
AWAKE: Final = 0.1
# The runner, and the cores of its chirp.
RUNNERS: Final = (b"run.py", b"chirp.py")
# A meter whose readings never change is taken for a broken one.
NOISE: Final = 0.005

# Rails of a Pi 5: what each takes of the whole, and its voltage.
PI5_RAILS: Final = {
    "3V7_WL_SW": (0.02, 3.7),
    "3V3_SYS": (0.08, 3.31),
    "1V8_SYS": (0.07, 1.8),
    "DDR_VDD2": (0.05, 1.1),
    "1V1_SYS": (0.06, 1.1),
    "0V8_SW": (0.12, 0.8),
    "VDD_CORE": (0.60, 0.87),
}
BRISK = replace(
    PRESETS["quick"],
    blocks_min=2,
    blocks_max=2,
    warmup_min_s=0.05,
    warmup_max_s=0.5,
    sample_min_s=0.2,
    sample_max_s=1.0,
    memory_processes=1,
    gate_wait_s=0.0,
    cooldown_s=0.0,
)
VCGENCMD: Final = """#!/bin/sh
case $1 in
  pmic_read_adc) cat "{state}/pmic" ;;
  get_throttled) cat "{state}/throttled" ;;
  *) echo 'error=1 error_msg="Command not registered"' ;;
esac
"""


@dataclass(kw_only=True)
class Power:
    """The truth: watts by time, from the work of a user's runner."""

    uid: int
    tell: Callable[[float], None]
    times_ns: list[int] = field(default_factory=list)
    core_s: list[float] = field(default_factory=list)

    def joules_above_idle(self, begin_ns: int, end_ns: int) -> float:
        """What the runner's work took between two moments."""
        return CORE_W * (self._core_s(end_ns) - self._core_s(begin_ns))

    def _core_s(self, time_ns: int) -> float:
        import numpy as np

        return float(np.interp(time_ns, self.times_ns, self.core_s))

    def follow(self, stop: threading.Event) -> None:
        """Look at the runner at every tick, and say what the board takes."""
        noise = random.Random(0)
        last_ns, last_s, total_s = time.monotonic_ns(), _core_seconds(self.uid), 0.0
        while not stop.wait(TICK_S):
            now_ns, now_s = time.monotonic_ns(), _core_seconds(self.uid)
            # A runner that ended takes its count with it, and one that shares its core with others
            # of this machine keeps a core of the board awake all the same.
            if now_s - last_s > AWAKE * TICK_S:
                total_s += (now_ns - last_ns) / 1e9
            last_ns, last_s = now_ns, now_s
            self.times_ns.append(now_ns)
            self.core_s.append(total_s)
            begin_ns = now_ns - round(WINDOW_S * 1e9)
            cores = (total_s - self._core_s(begin_ns)) / WINDOW_S
            self.tell((IDLE_W + CORE_W * cores) * noise.gauss(1.0, NOISE))


def _core_seconds(uid: int) -> float:
    """What all threads of the user's runner have run, as the kernel counts it."""
    total_ns = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            if entry.stat().st_uid != uid:
                continue
            words = (entry / "cmdline").read_bytes()
            if not any(name in words for name in RUNNERS):
                continue
            for thread in (entry / "task").iterdir():
                total_ns += int((thread / "schedstat").read_text().split()[0])
    return total_ns / 1e9


@contextlib.contextmanager
def followed(uid: int, tell: Callable[[float], None]) -> Iterator[Power]:
    """Tell the power that the runner of a user takes, again and again while the block runs."""
    power = Power(uid=uid, tell=tell)
    stop = threading.Event()
    thread = threading.Thread(target=power.follow, args=(stop,))
    thread.start()
    try:
        yield power
    finally:
        stop.set()
        thread.join()


class Simulated(abc.ABC):
    """A board in a folder of its own: temperature, clock, programs, and what each kind adds."""

    def __init__(self, model: str) -> None:
        # Not in pytest's own folder, which is closed to a user of the board's.
        self.folder = folder = Path(tempfile.mkdtemp(prefix="eb-board-"))
        self.sys_class = folder / "class"
        self.cpufreq = folder / "cpufreq"
        self.model = folder / "firmware" / "devicetree" / "base"
        self.programs = folder / "bin"
        self.state = folder / "state"
        self.etc = folder / "etc"
        for path in (self.sys_class, self.cpufreq, self.model, self.programs, self.state, self.etc):
            path.mkdir(parents=True)
        if model:
            (self.model / "model").write_bytes(model.encode() + b"\0")
        zone = self.sys_class / "thermal" / "thermal_zone0"
        files = {"type": "cpu-thermal", "temp": "48300"}
        files |= {"trip_point_0_type": "critical", "trip_point_0_temp": "110000"}
        self.write({zone / name: text for name, text in files.items()})

    def write(self, files: Mapping[Path, str]) -> None:
        """Files with one line at least, and the folders they lie in."""
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")

    def replace(self, path: Path, text: str) -> None:
        """A file that a program prints, whole at every moment."""
        part = path.with_name(f"{path.name}.part")
        part.write_text(text)
        part.replace(path)

    def clock(self, *, governor: str, steps: str) -> None:
        """A policy of four cores."""
        policy = self.cpufreq / "policy0"
        low, *_, high = steps.split()
        files = {
            "scaling_governor": governor,
            "scaling_available_governors": f"{governor} userspace powersave performance",
            "scaling_available_frequencies": steps,
            "scaling_min_freq": low,
            "scaling_max_freq": high,
            "scaling_cur_freq": low,
            "related_cpus": "0 1 2 3",
            "stats/time_in_state": f"{low} 4711\n{high} 815",
        }
        self.write({policy / name: text for name, text in files.items()})

    def programs_are(self, **texts: str) -> None:
        """Programs that come before all others; `{state}` and `{cpufreq}` are folders of ours."""
        for name, text in texts.items():
            program = self.programs / name
            program.write_text(text.format(state=self.state, cpufreq=self.cpufreq))
            program.chmod(0o755)

    def open_to_all(self) -> None:
        """The login user is nobody who may write here, but a board's root may set a governor."""
        for path in (self.folder, *self.folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o777 if path.is_dir() else path.stat().st_mode | 0o666)

    def board_with(self, mounts: Mapping[str, Path]) -> Board:
        """What a login sees."""
        common = {
            "/sys/class": self.sys_class,
            "/sys/devices/system/cpu/cpufreq": self.cpufreq,
            "/sys/firmware": self.folder / "firmware",
        }
        return Board(mounts={**common, **mounts}, path=self.programs, etc=self.etc)

    @property
    def governor(self) -> str:
        """As it stands now."""
        return (self.cpufreq / "policy0" / "scaling_governor").read_text().strip()

    @abc.abstractmethod
    def tell_power(self, watts: float) -> None:
        """Write what the board takes, in the words of its own meter."""

    def powered(self, uid: int) -> contextlib.AbstractContextManager[Power]:
        """Its power follows the runner of a user while the block runs."""
        return followed(uid, self.tell_power)

    def remove(self) -> None:
        """The folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


class SimulatedPi(Simulated):
    """A Pi 5, or with `has_pmic` false a Pi 4."""

    def __init__(self, *, has_pmic: bool) -> None:
        pi5, pi4 = "Raspberry Pi 5 Model B Rev 1.0", "Raspberry Pi 4 Model B Rev 1.4"
        super().__init__(pi5 if has_pmic else pi4)
        self.has_pmic = has_pmic
        self.clock(governor="ondemand", steps="1500000 2400000")
        (self.state / "throttled").write_text("throttled=0x0\n")
        self.tell_power(IDLE_W)
        self.programs_are(vcgencmd=VCGENCMD)
        self.open_to_all()

    @property
    def board(self) -> Board:
        """For `sshd.started`."""
        return self.board_with({})

    def throttle(self, mask: int) -> None:
        """Let the firmware say that it throttles."""
        (self.state / "throttled").write_text(f"throttled={hex(mask)}\n")

    def tell_power(self, watts: float) -> None:
        """Write what the board takes, in the words of its power chip."""
        if not self.has_pmic:
            (self.state / "pmic").write_text('error=1 error_msg="Command not registered"\n')
            return
        rows = [
            f" {name}_A current({n})={watts * share / volts:.8f}A"
            for n, (name, (share, volts)) in enumerate(PI5_RAILS.items())
        ]
        rows += [
            f" {name}_V volt({n + len(PI5_RAILS)})={volts:.8f}V"
            for n, (name, (_, volts)) in enumerate(PI5_RAILS.items())
        ]
        rows += ["     EXT5V_V volt(24)=5.11032000V", "      BATT_V volt(25)=0.00488400V"]
        self.replace(self.state / "pmic", "\n".join(rows) + "\n")


def root_device(device: Device) -> Device:
    """Whoever logs in may write the board's files: as root of a real board may."""
    return replace(device, facts={**device.facts, "is_root": True})


def runners_of(uid: int | None) -> list[int]:
    """Process ids of the runner itself, not of its launcher."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            is_runner = words[0].rpartition(b"/")[2].startswith(b"python")
            if (
                entry.stat().st_uid == uid
                and is_runner
                and any(w.endswith(b"run.py") for w in words)
            ):
                found.append(int(entry.name))
    return found
