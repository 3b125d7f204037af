"""More boards of our own making beside the Pi: Jetsons and a phone, each with its own meter.

The formats are those of real boards; the values are ours.
"""

import os
import time
from pathlib import Path
from typing import Final

from tests.simulated import IDLE_W, Simulated
from tests.sshd import Board

# What a sensor's file is padded to, so that it is written in place and in one piece.
WIDTH: Final = 12
MODES: Final = ("15W", "25W", "MAXN_SUPER")
MILLIVOLTS: Final = 5008

SUDO: Final = """#!/bin/sh
[ "$1" = -n ] && shift
[ -e "{state}/sudoers" ] || {{ echo "sudo: a password is required" >&2; exit 1; }}
EB_ROOT=yes; export EB_ROOT
exec "$@"
"""
# As of JetPack 6: what a mode does, root alone may have done.
NVPMODEL: Final = """#!/bin/sh
policy={cpufreq}/policy0
case $1 in
  -q) cat "{state}/nvpmodel"; echo "NVPM ERROR: Error opening emc_iso_cap: 13" >&2 ;;
  -m)
    [ "$EB_ROOT" = yes ] || {{ echo "NVPM ERROR: Error opening /sys: 13" >&2; exit 1; }}
    case $2 in
      0) name=15W; max=1510400 ;;
      1) name=25W; max=1728000 ;;
      2) echo "NVPM WARN: Reboot required. Do you want to reboot now? enter YES/yes to confirm:"
        read -r answer; [ "$answer" = YES ] && : > "{state}/rebooted"; exit 1 ;;
      *) exit 1 ;;
    esac
    printf 'NV Power Mode: %s\\n%s\\n' "$name" "$2" > "{state}/nvpmodel"
    echo 729600 > $policy/scaling_min_freq; echo $max > $policy/scaling_max_freq ;;
esac
"""
JETSON_CLOCKS: Final = """#!/bin/sh
policy={cpufreq}/policy0
[ "$EB_ROOT" = yes ] || {{ echo "Error: Run this script($0) as a root user"; exit 1; }}
read -r low < $policy/scaling_min_freq; read -r high < $policy/scaling_max_freq
case $1 in
  --show)
    echo "SOC family:tegra234  Machine:NVIDIA Jetson Orin Nano Developer Kit"
    echo "Online CPUs: 0-1"
    for cpu in 0 1; do
      printf 'cpu%s:  Online=1 Governor=schedutil MinFreq=%s MaxFreq=%s CurrentFreq=%s' \\
        $cpu "$low" "$high" "$high"
      echo " IdleStates: WFI=1 c7=1 "
    done
    echo "cpu2:  Online=0 Governor=schedutil MinFreq=1 MaxFreq=2 CurrentFreq=1"
    echo "GPU MinFreq=624750000 MaxFreq=624750000 CurrentFreq=624750000" ;;
  --store)
    [ -e "$2" ] && {{ echo "File $2 already exists. Can I overwrite it? Y/N:"; exit 1; }}
    echo "$low" > "$2" ;;
  --restore) cat "$2" > $policy/scaling_min_freq ;;
  *) echo "$high" > $policy/scaling_min_freq ;;
esac
"""
SYSTEMCTL: Final = """#!/bin/sh
[ "$2" = nvfancontrol ] || exit 4
case $1 in
  is-active) cat "{state}/nvfancontrol" ;;
  stop) echo inactive > "{state}/nvfancontrol" ;;
  start) echo active > "{state}/nvfancontrol" ;;
esac
"""
TEGRASTATS: Final = """#!/bin/sh
while read -r mw < "{state}/power_mw"; do
  printf '11-15-2025 08:38:09 RAM 2185/7620MB (lfb 8x2MB) SWAP 0/3810MB (cached 1MB) '
  printf 'CPU [15%%@729,off] EMC_FREQ 43%%@2133 GR3D_FREQ 0%%@[306] APE 200 cpu@48.3C '
  printf 'VDD_IN %smW/%smW VDD_CPU_GPU_CV 601mW/600mW VDD_SOC 1203mW/1200mW\\n' $mw $mw
  sleep 0.1
done
"""
DUMPSYS: Final = """#!/bin/sh
case $1 in
  battery) cat "{state}/battery" ;;
  power)
    off=$(settings get system screen_off_timeout); [ "$off" = null ] && off=60000
    echo "POWER MANAGER (dumpsys power)"
    printf '  mWakefulness=%s\\n  mStayOn=false\\n' "$(cat "{state}/wakefulness")"
    printf '\\nScreen off timeout: %s ms\\nDisplay Power: state=ON\\n' "$off" ;;
  thermalservice) cat "{state}/thermal" ;;
  android.hardware.power.stats.IPowerStats/default) cat "{state}/rails" ;;
  *) echo "Can't find service: $1" >&2; exit 1 ;;
esac
"""


# A key that nobody has set reads as `null`, and is deleted rather than set to that.
SETTINGS: Final = """#!/bin/sh
file={state}/$2.$3
case $1 in
  get) if [ -e "$file" ]; then cat "$file"; else echo null; fi ;;
  put) echo "$4" > "$file" ;;
  delete) rm -f "$file"; echo "Deleted 1 rows" ;;
esac
"""
INPUT: Final = """#!/bin/sh
case $2 in
  KEYCODE_WAKEUP) echo Awake > "{state}/wakefulness" ;;
  KEYCODE_SLEEP) echo Asleep > "{state}/wakefulness" ;;
esac
"""
CMD: Final = """#!/bin/sh
[ "$1 $2" = "power set-fixed-performance-mode-enabled" ] || exit 20
[ -e "{state}/has_fixed" ] && {{ echo "$3" > "{state}/fixed"; exit 0; }}
echo "Failed to set FIXED_PERFORMANCE mode" >&2
echo "This is likely because Power HAL AIDL is not implemented on this device" >&2
exit 255
"""


def set_in_place(path: Path, text: str) -> None:
    """Let a sensor's file say something else, also to whoever holds it open."""
    with path.open("r+b") as stream:
        os.pwrite(stream.fileno(), text.rjust(WIDTH).encode() + b"\n", 0)


class SimulatedJetson(Simulated):
    """An Orin Nano with JetPack 6; without `has_ina3221` its power is what `tegrastats` prints."""

    def __init__(self, *, has_ina3221: bool = True) -> None:
        super().__init__("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit")
        (self.model / "compatible").write_bytes(b"nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0")
        hwmon = self.sys_class / "hwmon"
        self.events = hwmon / "hwmon3"
        self.fan = hwmon / "hwmon2" / "pwm1"
        self.write({self.fan: "66", self.fan.with_name("name"): "pwmfan"})
        self.write({self.events / f"oc{n}_event_cnt": f"{n:{WIDTH}}" for n in (1, 2, 3)})
        self.write({self.events / "name": "soctherm_oc"})
        self.bus = self.folder / "bus"
        self.bus.mkdir()
        self.has_ina3221 = has_ina3221
        self.rail = self.bus / "i2c" / "drivers" / "ina3221" / "1-0040" / "hwmon" / "hwmon1"
        if has_ina3221:
            self._solder()
        self.clock(governor="schedutil", steps="729600 1510400 1728000")
        self._install()
        self.open_to_all()

    def _solder(self) -> None:
        """The chip that measures the module's rails."""
        files = {"name": "ina3221", "in1_label": "VDD_IN", "in2_label": "VDD_CPU_GPU_CV"}
        files |= {"in3_label": "VDD_SOC", "in7_label": "Sum of shunt voltages"}
        files |= {"in1_input": f"{MILLIVOLTS:{WIDTH}}", "curr1_input": f"{500:{WIDTH}}"}
        files |= {"shunt1_resistor": "5000"}
        self.write({self.rail / name: text for name, text in files.items()})
        # The kernel shows the chip in its class, too.
        link = self.sys_class / "hwmon" / "hwmon1"
        link.symlink_to("/sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon1")

    def _install(self) -> None:
        """JetPack's own programs and files, and an account that may not become root."""
        self.write({self.state / "nvpmodel": "NV Power Mode: 15W\n0"})
        self.write({self.state / "nvfancontrol": "active"})
        self.write({self.state / "power_mw": f"{2500:{WIDTH}}"})
        # Its beginning is longer than what is read of a file.
        conf = "# a comment\n" * 500 + "< PARAM TYPE=FILE NAME=CPU_ONLINE >\n"
        conf += "".join(f"< POWER_MODEL ID={n} NAME={name} >\n" for n, name in enumerate(MODES))
        self.write({self.etc / "nvpmodel.conf": f"{conf}< PM_CONFIG DEFAULT=0 >"})
        release = "# R36 (release), REVISION: 4.4, GCID: 1, BOARD: generic, EABI: aarch64"
        self.write({self.etc / "nv_tegra_release": release})
        self.programs_are(
            sudo=SUDO,
            nvpmodel=NVPMODEL,
            jetson_clocks=JETSON_CLOCKS,
            systemctl=SYSTEMCTL,
            tegrastats=TEGRASTATS,
        )

    @property
    def board(self) -> Board:
        """For `sshd.started`."""
        return self.board_with({"/sys/bus": self.bus})

    def tell_power(self, watts: float) -> None:
        """Write what the module takes."""
        if self.has_ina3221:
            set_in_place(self.rail / "curr1_input", str(round(watts * 1e6 / MILLIVOLTS)))
        set_in_place(self.state / "power_mw", str(round(watts * 1e3)))

    def count_event(self, number: int) -> None:
        """Let the over-current detector count one more."""
        path = self.events / f"oc{number}_event_cnt"
        set_in_place(path, str(int(path.read_text()) + 1))

    def may_become_root(self) -> None:
        """As an administrator allows it."""
        (self.state / "sudoers").touch()

    def settings(self) -> dict[str, str]:
        """All that a plan may set, as it stands now."""
        files = [self.state / "nvpmodel", self.state / "nvfancontrol", self.fan]
        files += [path for path in self.cpufreq.rglob("*") if path.is_file()]
        return {str(path): path.read_text() for path in files}


class SimulatedNano(Simulated):
    """A Jetson Nano with JetPack 4, whose kernel shows the INA3221 by IIO, in milliwatts."""

    def __init__(self) -> None:
        super().__init__("NVIDIA Jetson Nano Developer Kit")
        self.bus = self.folder / "bus"
        self.chip = self.bus / "i2c" / "drivers" / "ina3221x" / "6-0040" / "iio:device0"
        rails = {"0": "POM_5V_IN", "1": "POM_5V_GPU", "2": "POM_5V_CPU"}
        files = {self.chip / f"rail_name_{n}": name for n, name in rails.items()}
        files |= {self.chip / f"in_power{n}_input": f"{500:{WIDTH}}" for n in rails}
        self.write(files)
        self.clock(governor="schedutil", steps="102000 1479000")
        self.open_to_all()

    @property
    def board(self) -> Board:
        """For `sshd.started`."""
        return self.board_with({"/sys/bus": self.bus})

    def tell_power(self, watts: float) -> None:
        """Write what the module takes."""
        set_in_place(self.chip / "in_power0_input", str(round(watts * 1e3)))


class SimulatedPhone(Simulated):
    """A phone with counters of energy behind the HAL, a thermal service, and a battery."""

    def __init__(self, *, has_fixed_mode: bool = True) -> None:
        super().__init__("")
        self.energy_mws = 5_000.0
        self.write({self.state / "rails": "", self.state / "thermal": ""})
        self.write({self.state / "wakefulness": "Awake"})
        if has_fixed_mode:
            self.write({self.state / "has_fixed": "", self.state / "fixed": "false"})
        self.programs_are(dumpsys=DUMPSYS, settings=SETTINGS, input=INPUT, cmd=CMD)
        self.charge(80)
        self.get_hot(0)
        self.told_s = time.monotonic()
        self.tell_power(IDLE_W)
        self.open_to_all()

    @property
    def board(self) -> Board:
        """For `sshd.started`."""
        return self.board_with({})

    def charge(self, percent: int, *, is_fed: bool = False) -> None:
        """Let the battery be that full; a log of another time follows."""
        status = 2 if is_fed else 3
        self.replace(
            self.state / "battery",
            f"Current Battery Service state:\n  AC powered: false\n  USB powered: "
            f"{str(is_fed).lower()}\n  status: {status}\n  level: {percent}\n  scale: 100\n"
            "  temperature: 274\n[EventLogBuffer]\n  level: 99\n",
        )

    def settings(self) -> dict[str, str]:
        """All that a plan may set, as it stands now."""
        names = ("global.*", "system.*", "wakefulness", "fixed")
        found = [path for name in names for path in self.state.glob(name)]
        return {path.name: path.read_text().strip() for path in found}

    def get_hot(self, status: int) -> None:
        """Let the thermal service say so; its cached block says something else."""
        self.replace(
            self.state / "thermal",
            f"IsStatusOverride: false\nThermal Status: {status}\nCached temperatures:\n"
            "\tTemperature{mValue=84.2, mType=0, mName=CPU, mStatus=0}\nHAL Ready: true\n"
            "Current temperatures from HAL:\n"
            f"\tTemperature{{mValue=47.1, mType=0, mName=CPU, mStatus={status}}}\n"
            "Temperature static thresholds from HAL:\n",
        )

    def tell_power(self, watts: float) -> None:
        """Count what it took since it was last told."""
        now_s = time.monotonic()
        self.energy_mws += watts * (now_s - self.told_s) * 1e3
        self.told_s = now_s
        rows = (("S2M_VDD_CPUCL2", "CPU", self.energy_mws), ("VSYS_PWR_MODEM", "Modem", 311.5))
        table = [f"  {f'[{rail}]:{who}':>32}   {mws:14.2f} mWs" for rail, who, mws in rows]
        head = "\n============= PowerStats HAL 2.0 energy meter ==============\n"
        end = "\n========== End of PowerStats HAL 2.0 energy meter ==========\n"
        self.replace(self.state / "rails", head + "\n".join(table) + end)
