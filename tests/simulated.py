"""A board of our own making, seen by whoever logs in over ssh: its files, its programs, its power.

What it takes follows from what the runner really does: so many watts at rest, so many more while
the runner is at work, as the kernel counts it. The truth is therefore known, whatever else this
machine does.
"""

import contextlib
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.sshd import Board

IDLE_W: Final = 2.5
CORE_W: Final = 3.5
TICK_S: Final = 0.1
# What a reading is the mean of.
WINDOW_S: Final = 0.5
# Share of a tick from which on a core counts as at work.
AWAKE: Final = 0.1
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
            if entry.stat().st_uid != uid or b"run.py" not in (entry / "cmdline").read_bytes():
                continue
            for thread in (entry / "task").iterdir():
                total_ns += int((thread / "schedstat").read_text().split()[0])
    return total_ns / 1e9


class SimulatedPi:
    """A Pi 5, or with `has_pmic` false a Pi 4, in a folder of its own."""

    def __init__(self, *, has_pmic: bool) -> None:
        # Not in pytest's own folder, which is closed to a user of the board's.
        self.folder = folder = Path(tempfile.mkdtemp(prefix="eb-pi-"))
        self.has_pmic = has_pmic
        self.sys_class = folder / "class"
        self.cpufreq = folder / "cpufreq"
        self.model = folder / "firmware" / "devicetree" / "base"
        self.programs = folder / "bin"
        self.state = folder / "state"
        for path in (self.sys_class, self.cpufreq, self.model, self.programs, self.state):
            path.mkdir(parents=True)
        name = "Raspberry Pi 5 Model B Rev 1.0" if has_pmic else "Raspberry Pi 4 Model B Rev 1.4"
        (self.model / "model").write_bytes(name.encode() + b"\0")
        self._heat(48_300)
        self._clock()
        (self.state / "throttled").write_text("throttled=0x0\n")
        self.tell_power(IDLE_W)
        program = self.programs / "vcgencmd"
        program.write_text(VCGENCMD.format(state=self.state))
        program.chmod(0o755)
        # The login user is nobody who may write here, but a board's root may set a governor.
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o777 if path.is_dir() else path.stat().st_mode | 0o666)

    @property
    def board(self) -> Board:
        """For `sshd.started`."""
        mounts = {
            "/sys/class": self.sys_class,
            "/sys/devices/system/cpu/cpufreq": self.cpufreq,
            "/sys/firmware": self.folder / "firmware",
        }
        return Board(mounts=mounts, path=self.programs)

    @property
    def governor(self) -> str:
        """As it stands now."""
        return (self.cpufreq / "policy0" / "scaling_governor").read_text().strip()

    def _heat(self, millidegrees: int) -> None:
        zone = self.sys_class / "thermal" / "thermal_zone0"
        zone.mkdir(parents=True, exist_ok=True)
        files = {"type": "cpu-thermal", "temp": str(millidegrees)}
        files |= {"trip_point_0_type": "critical", "trip_point_0_temp": "110000"}
        for name, text in files.items():
            (zone / name).write_text(f"{text}\n")

    def _clock(self) -> None:
        policy = self.cpufreq / "policy0"
        (policy / "stats").mkdir(parents=True)
        files = {
            "scaling_governor": "ondemand",
            "scaling_available_governors": "conservative ondemand userspace powersave performance",
            "related_cpus": "0 1 2 3",
            "stats/time_in_state": "1500000 4711\n2400000 815",
        }
        for name, text in files.items():
            (policy / name).write_text(f"{text}\n")

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
        part = self.state / "pmic.part"
        part.write_text("\n".join(rows) + "\n")
        part.replace(self.state / "pmic")

    @contextlib.contextmanager
    def powered(self, uid: int) -> Iterator[Power]:
        """Its power follows the runner of a user while the block runs."""
        power = Power(uid=uid, tell=self.tell_power)
        stop = threading.Event()
        thread = threading.Thread(target=power.follow, args=(stop,))
        thread.start()
        try:
            yield power
        finally:
            stop.set()
            thread.join()

    def remove(self) -> None:
        """The folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
