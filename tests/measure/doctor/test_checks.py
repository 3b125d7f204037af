"""One trouble planted in a healthy board, or phone, is the one trouble that is found."""

import re
import shlex
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from edgebench.core import Device, Reason
from edgebench.device.look import Listing
from edgebench.device.profile import load_profile
from edgebench.device.replay import Capture, ReplayTransport
from edgebench.measure.doctor.registry import DOCTOR
from edgebench.measure.doctor.trouble import Condition, Severity
from edgebench.measure.meters.meter import Absent
from edgebench.measure.meters.rapl import UDEV_COMMAND

Facts = dict[str, Any]
Row = tuple[str, Severity, Facts, str]

PYTHON: Facts = {
    "executable": "/usr/bin/python3",
    "version": "3.11.2",
    "implementation": "cpython",
    "bits": 64,
    "packages": {},
}
POLICY: Facts = {"cpus": "0 1 2 3", "governor": "performance", "min_hz": 1, "max_hz": 2_400_000_000}
CLUSTER: Facts = {"cpus": [0, 1, 2, 3], "capacity": 1024, "min_hz": 1, "max_hz": 2_400_000_000}
BOARD: Facts = {
    "architecture": "aarch64",
    "model": "Raspberry Pi 5 Model B Rev 1.0",
    "libc": "glibc 2.36",
    "libstdcxx": "3.4.30",
    "pythons": [PYTHON],
    "cpu_count": 4,
    "cpu_features": ["asimd", "asimddp"],
    "memory_total_bytes": 8_000_000_000,
    "memory_available_bytes": 7_000_000_000,
    "tools": ["sha256sum", "tar", "gzip", "setsid", "nohup", "flock", "timeout"],
    "frequency_policies": {"policy0": POLICY},
    "governors_available": {"policy0": ["ondemand", "performance"]},
    "clusters": [CLUSTER],
    "cpus_offline": [],
    "cpus_allowed": "0-3",
    "temperatures_c": {"cpu-thermal": 45.0},
    "thermal_trips_c": {"cpu-thermal": 80.0},
    "throttled": {"now": [], "since_boot": []},
    "supply": "normal",
    "swaps": [],
    "swap_used_bytes": 0,
    "load": {"running": 0.05, "waiting_percent": 0.0},
    "steal_ratio": 0.0,
    "virtualization": "none",
    "container": "none",
    "cgroup_limits": {"cores": None, "memory_bytes": None},
    "work_free_bytes": 20_000_000_000,
    "work_is_noexec": False,
    "work_is_writable": True,
    "clock_skew_s": 1,
    "is_root": False,
}
PHONE: Facts = {
    **BOARD,
    "model": "Google Pixel 6",
    "build": "google/oriole/oriole:14/AP1A/1:user/release-keys",
    "battery": {"level_percent": 80, "state": "discharging", "fed_by": None, "temp_c": 27.4},
    "battery_saver": False,
    "thermal_service": {"status": 0, "temperatures_c": {}},
    "wakefulness": {
        "state": "Awake",
        "display": "OFF",
        "stays_on": True,
        "screen_off_s": 2147483.647,
    },
}
NANO: Facts = {"power_mode": {"id": 0, "name": "MAXN_SUPER", "fan": None}, "clocks_locked": True}
LITTLE: Facts = {"cpus": [4, 5, 6, 7], "capacity": 400, "min_hz": 1, "max_hz": 1_800_000_000}

SERIOUS, DOUBT, NOTE = Severity
# Check, severity, what is planted, and words of what is found.
PLANTED: list[Row] = [
    ("governor", SERIOUS, {"frequency_policies": {"policy0": POLICY | {"governor": "ondemand"}}},
     "policy0 ondemand"),
    ("clock_capped", DOUBT, {"frequency_policies": {"policy0": POLICY | {"max_hz": 1_500_000_000}}},
     "policy0 up to 1.5 GHz of 2.4 GHz"),
    ("clocks_not_locked", DOUBT, NANO | {"clocks_locked": False}, "jetson_clocks is off"),
    ("boost", DOUBT, {"boost": True}, "on"),
    ("power_mode", NOTE, {
        "power_mode": {"id": 1, "name": "15W", "fan": None},
        "power_modes": {"0": "MAXN", "1": "15W"},
        "clocks_locked": True,
    }, "15W, of MAXN, 15W"),
    ("idle_states", NOTE, {"idle_states": {"WFI": True, "cpu-sleep": True}}, "cpu-sleep"),
    ("cores_offline", NOTE, {"cpus_offline": [2, 3]}, "cores 2, 3"),
    ("unlike_cores", NOTE, {"clusters": [CLUSTER, LITTLE], "cpus_allowed": "0-7"},
     "cores 4, 5, 6, 7 up to 1.8 GHz (capacity 400)"),
    ("throttled_now", SERIOUS, {"throttled": {"now": ["under-voltage"], "since_boot": []}},
     "under-voltage"),
    ("throttled_before", DOUBT, {"throttled": {"now": [], "since_boot": ["throttled"]}},
     "throttled"),
    ("supply_low", SERIOUS, {"supply": "low"}, "4.63 V"),
    ("over_current", DOUBT, {"over_current_events": {"oc1_event_cnt": 0, "oc3_event_cnt": 7}},
     "oc3 7"),
    ("on_battery", DOUBT, {"power_source": "battery"}, "battery"),
    ("hot", SERIOUS, {"temperatures_c": {"cpu-thermal": 66.0}},
     "cpu-thermal at 66.0 °C, slows down at 80 °C"),
    ("fan", NOTE, {"fan_control": "active", "fan_pwm": {"hwmon2/pwm1": 66}}, "duty 66 of 255"),
    ("memory_low", SERIOUS, {"memory_available_bytes": 500_000_000}, "500.0 MB of 8.00 GB"),
    ("memory_limit", NOTE, {"cgroup_limits": {"cores": None, "memory_bytes": 512_000_000}},
     "512 MB of 8000 MB"),
    ("swap_used", DOUBT, {"swap_used_bytes": 300_000_000}, "300.0 MB"),
    ("zram", NOTE, {"swaps": [{"kind": "zram", "size_bytes": 1 << 30}]}, "zram"),
    ("disk_low", SERIOUS, {"work_free_bytes": 90_000_000}, "90.0 MB are free for /work"),
    ("other_load", DOUBT, {"load": {"running": 1.0, "waiting_percent": 3.5}}, "3.5 %"),
    ("emulated", SERIOUS, {"emulator": "qemu-aarch64"}, "qemu-aarch64"),
    ("virtual_machine", DOUBT, {"virtualization": "kvm"}, "kvm"),
    ("container", NOTE, {"container": "docker"}, "docker"),
    ("steal", DOUBT, {"steal_ratio": 0.04}, "4.0%"),
    ("core_limit", SERIOUS, {"cgroup_limits": {"cores": 0.5, "memory_bytes": None}},
     "0.5 of 4 cores"),
    ("cores_withheld", DOUBT, {"cpus_allowed": "0-1", "cpuset": "/small"},
     "cores 0-1 of 4, cpuset /small"),
    ("no_runtime", SERIOUS,
     {"pythons": [PYTHON | {"version": "3.6.9"}], "architecture": "riscv64"}, "only Python 3.6.9"),
    ("no_dot_product", NOTE, {"cpu_features": ["asimd"]}, "no asimddp"),
    ("tools_missing", SERIOUS, {"tools": ["sha256sum", "tar"]}, "no gzip"),
    ("waits_by_looking", NOTE, {"tools": ["sha256sum", "tar", "gunzip", "timeout"]}, "no flock"),
    ("noexec", SERIOUS, {"work_is_noexec": True}, "/work is mounted noexec"),
    ("not_writable", SERIOUS, {"work_is_writable": False}, "/work may not be written"),
    ("clock_off", NOTE, {"clock_skew_s": -86_400}, "24 h 0 min behind"),
]  # fmt: skip
PLANTED_IN_A_PHONE: list[Row] = [
    ("thermal_service", DOUBT, {"thermal_service": {"status": 1}}, "status 1 (light)"),
    ("battery_low", SERIOUS, {"battery": {"level_percent": 12}}, "12 %"),
    ("charging", DOUBT, {"battery": {"state": "charging", "fed_by": "USB"}}, "charging by USB"),
    ("battery_warm", DOUBT, {"battery": {"temp_c": 41.2}}, "41.2 °C"),
    ("battery_saver", SERIOUS, {"battery_saver": True}, "on"),
    ("asleep", SERIOUS, {"wakefulness": {"state": "Dozing"}}, "Dozing"),
    ("falls_asleep", DOUBT, {
        "wakefulness": {"state": "Awake", "stays_on": False, "screen_off_s": 60.0},
    }, "after 60 s"),
    ("screen_on", NOTE, {"wakefulness": {"state": "Awake", "display": "ON"}}, "lit"),
]  # fmt: skip
# A system of 32 bits lacks runtimes, too; a closed firmware and a meter are no facts.
APART = {"narrow_system", "firmware_closed", "energy_source"}


def condition_of(facts, *, profile="raspberry-pi-5", tools=(), meter=None):
    device = Device(
        name="it",
        profile=load_profile(profile),
        transport=ReplayTransport(Capture()),
        facts=facts,
        work_folder=PurePosixPath("/work"),
    )
    return Condition(device=device, listing=Listing(tools=frozenset(tools)), meter=meter)


def found_in(condition):
    return {name: told for name, check in DOCTOR.items() if (told := check(condition))}


@pytest.mark.parametrize(
    ("facts", "profile"), [(BOARD, "raspberry-pi-5"), (PHONE, "android-phone"), ({}, "linux-board")]
)
def test_nothing_is_found_in_what_is_healthy_but_that_nothing_is_known(facts, profile):
    found = found_in(condition_of(facts, profile=profile))
    assert set(found) == (set() if facts else {"no_runtime"})


@pytest.mark.parametrize(
    ("facts", "planted"),
    [*((BOARD, row) for row in PLANTED), *((PHONE, row) for row in PLANTED_IN_A_PHONE)],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_what_is_planted_is_found_and_nothing_else(facts, planted):
    check, severity, changes, words = planted
    found = found_in(condition_of(facts | changes))
    assert set(found) == {check}
    assert found[check].severity is severity
    assert words in found[check].found


def test_every_check_has_something_planted_for_it():
    names = [row[0] for row in PLANTED + PLANTED_IN_A_PHONE]
    assert {*names, *APART} == set(DOCTOR)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(DOCTOR))
def test_every_trouble_says_why_where_that_is_said_and_what_mends_it(name):
    told = trouble_named(name)
    assert told.why.endswith(".")
    assert re.match(r"https://|edgebench/", told.source)
    assert told.mend or name in {"unlike_cores", "no_dot_product", "container"}


def trouble_named(name):
    conditions = {
        "narrow_system": condition_of(BOARD | {"pythons": [PYTHON | {"bits": 32}]}),
        "firmware_closed": condition_of(BOARD | {"throttled": None}, tools={"vcgencmd"}),
        "energy_source": condition_of(BOARD, meter=CLOSED),
    }
    rows = {row[0]: BOARD | row[2] for row in PLANTED}
    rows |= {row[0]: PHONE | row[2] for row in PLANTED_IN_A_PHONE}
    told = DOCTOR[name](conditions.get(name) or condition_of(rows[name]))
    assert told is not None
    return told


CLOSED = Absent(reason=Reason.PERMISSION, message="Only root may read it.", hint=UDEV_COMMAND)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (
            "governor",
            "echo performance | sudo tee /sys/devices/system/cpu/cpufreq/policy0/scaling_governor",
        ),
        (
            "clock_capped",
            "echo 2400000 | sudo tee /sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq",
        ),
        ("power_mode", "sudo nvpmodel -m 0"),
        (
            "cores_offline",
            "echo 1 | sudo tee /sys/devices/system/cpu/cpu2/online "
            "/sys/devices/system/cpu/cpu3/online",
        ),
        ("energy_source", UDEV_COMMAND),
        ("falls_asleep", "adb shell svc power stayon true"),
    ],
)
def test_the_command_that_mends_it_is_exact(name, command):
    assert trouble_named(name).mend == command


def test_a_meter_that_may_not_be_read_is_a_doubt_and_one_that_is_not_there_a_note():
    missing = replace(CLOSED, reason=Reason.NO_SENSOR)
    told = [DOCTOR["energy_source"](condition_of(BOARD, meter=m)) for m in (CLOSED, missing, None)]
    assert [one and one.severity for one in told] == [DOUBT, NOTE, None]


def test_a_32_bit_system_is_told_though_the_native_runner_may_run_there():
    found = found_in(condition_of(BOARD | {"pythons": [PYTHON | {"bits": 32}]}))
    assert {"narrow_system"} <= set(found) <= {"narrow_system", "no_runtime"}


def test_a_phone_whose_shell_is_not_root_is_told_of_its_own_mode():
    governed = {"policy0": POLICY | {"governor": "sched_pixel"}}
    told = DOCTOR["governor"](condition_of(PHONE | {"frequency_policies": governed}))
    assert told is not None
    assert (told.severity, told.mend) == (
        DOUBT,
        "adb shell cmd power set-fixed-performance-mode-enabled true",
    )


def test_what_a_device_calls_its_parts_does_not_get_into_a_command():
    evil = "policy0; rm -rf ~"
    policies = {evil: POLICY | {"governor": "x; reboot"}, "policy1": POLICY | {"governor": "$(id)"}}
    modes = {"0; reboot": "MAXN; reboot", "1": "15W"}
    facts = BOARD | {"frequency_policies": policies, "power_modes": modes, "cpus_offline": ["1;id"]}
    facts |= {"power_mode": {"id": 1, "name": "15W"}, "work_is_noexec": True}
    condition = condition_of(facts)
    folder = PurePosixPath("/home/x; reboot")
    condition = replace(condition, device=replace(condition.device, work_folder=folder))
    mends = [told.mend for told in found_in(condition).values() if told.mend]
    words = [word for mend in mends for word in shlex.split(mend, comments=True)]
    assert not {"reboot", "rm", "$(id)"} & set(words)
