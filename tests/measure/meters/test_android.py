"""The counters and the battery of a phone."""

import pytest

from edgebench.core import Reason
from edgebench.measure.meters import android_battery, android_odpm
from edgebench.measure.meters.android_battery import DUMPSYS, FILES, UEVENT
from edgebench.measure.meters.meter import Absent, Meter
from tests.measure.meters.captures import (
    SECOND,
    dumpsys_battery,
    listing,
    odpm,
    power_stats,
    readings,
    uevent,
)

CHIP = "/sys/bus/iio/devices/iio:device0/energy_value"
OTHER = "/sys/bus/iio/devices/iio:device1/energy_value"
USB = "/sys/class/power_supply/usb/online"


def core(time_ms, cpu_uj, modem_uj=500):
    return odpm(time_ms, ("VSYS_PWR_MODEM", modem_uj), ("S2M_VDD_CPUCL2", cpu_uj))


def graphics(time_ms, uj):
    return odpm(time_ms, ("VSYS_PWR_DISPLAY", 10**9), ("S2S_VDD_G3D", uj))


def driver(*paths):
    files = {path: core(1, 1) for path in paths}
    found = android_odpm.find_driver(listing(files))
    assert isinstance(found, Meter)
    return found


def test_energy_is_that_of_the_drivers_own_times():
    texts = [core(1000 * i, 2_000_000 * i) for i in range(1, 5)]
    found = driver(CHIP).trace({CHIP: readings(*texts, begin_ns=5 * SECOND, period_ns=SECOND)})
    assert found.values == pytest.approx([2.0, 4.0, 6.0, 8.0])
    assert found.time_ns.tolist() == [i * SECOND for i in (5, 6, 7, 8)]
    assert found.rails == ("S2M_VDD_CPUCL2",)
    assert found.kind == "counter"


def test_a_reading_that_came_late_is_of_its_own_time_all_the_same():
    texts = [core(1000, 1_000_000), core(1900, 1_900_000), core(3000, 3_000_000)]
    found = driver(CHIP).trace({CHIP: readings(*texts, begin_ns=SECOND, period_ns=SECOND)})
    assert found.time_ns.tolist() == [SECOND, 1_900_000_000, 3 * SECOND]


def test_a_reading_of_the_same_time_is_no_new_one():
    texts = [core(1000, 7), core(1000, 7), core(1200, 9)]
    assert driver(CHIP).trace({CHIP: readings(*texts)}).values.size == 2


def test_two_chips_are_added_where_both_have_spoken():
    ours = [core(1000 * i, 1_000_000 * i) for i in range(1, 6)]
    theirs = [graphics(1000 * i + 500, 3_000_000 * i) for i in range(1, 5)]
    found = driver(CHIP, OTHER).trace(
        {
            CHIP: readings(*ours, begin_ns=SECOND, period_ns=SECOND),
            OTHER: readings(*theirs, begin_ns=SECOND + SECOND // 2, period_ns=SECOND),
        }
    )
    assert found.values[-1] - found.values[0] == pytest.approx(4.0 * 2)
    assert found.rails == ("S2M_VDD_CPUCL2", "S2S_VDD_G3D")


def test_rails_that_change_are_refused():
    texts = [core(1, 1), odpm(2, ("S2M_VDD_CPUCL2", 5), ("S10M_VDD_TPU", 1)), core(3, 9)]
    assert driver(CHIP).trace({CHIP: readings(*texts)}).refusal is Reason.RAIL_SET_CHANGED


def test_a_chip_that_says_nothing_is_refused():
    found = driver(CHIP).trace({CHIP: readings(None, "")})
    assert found.refusal is Reason.SENSOR_GAP
    assert found.unreadable == 2


@pytest.mark.parametrize(
    ("files", "closed", "reason"),
    [
        ({}, (), Reason.NO_SENSOR),
        ({CHIP: odpm(1, ("VSYS_PWR_MODEM", 1))}, (), Reason.NO_SENSOR),
        ({}, (CHIP,), Reason.PERMISSION),
    ],
    ids=["none", "only a modem", "no root"],
)
def test_a_phone_without_the_drivers_files_says_why(files, closed, reason):
    found = android_odpm.find_driver(listing(files, closed=closed))
    assert isinstance(found, Absent)
    assert found.reason is reason


@pytest.mark.parametrize("delta", [False, True], ids=["first call", "later calls"])
def test_the_table_of_the_hal(delta):
    text = power_stats(
        ("S10M_VDD_TPU", "TPU", 1500.0), ("VSYS_PWR_MODEM", "Modem", 9e4), delta=delta
    )
    assert android_odpm.hal_rails(text) == {"S10M_VDD_TPU": pytest.approx(1.5)}


def test_the_hal_counts_what_computes():
    meter = android_odpm.find_hal(listing(tools=["dumpsys"]))
    assert isinstance(meter, Meter)
    texts = [power_stats(("S5M_VDD_INT", "INT", 1000.0 * i), ("L9S", "GNSS", 1)) for i in (1, 2, 3)]
    found = meter.trace({android_odpm.HAL_SOURCE: readings(*texts, None)})
    assert found.values == pytest.approx([1.0, 2.0, 3.0])
    assert found.unreadable == 1
    assert isinstance(android_odpm.find_hal(listing()), Absent)


@pytest.mark.parametrize(
    ("texts", "refusal"),
    [
        (["Can't find service: android.hardware.power.stats\n"], Reason.NO_SENSOR),
        (
            [power_stats(("A_MEM", "x", 1.0)), power_stats(("B_MEM", "x", 2.0))],
            Reason.RAIL_SET_CHANGED,
        ),
    ],
    ids=["no service", "changes"],
)
def test_a_hal_without_rails_is_refused(texts, refusal):
    found = android_odpm.hal_trace({android_odpm.HAL_SOURCE: readings(*texts)})
    assert found.refusal is refusal


def battery(*texts, plugs=("0\n",), dumps=()):
    meter = android_battery.find(listing({UEVENT: uevent(), USB: "0\n"}, tools=["dumpsys"]))
    assert isinstance(meter, Meter)
    return meter.trace({UEVENT: readings(*texts), USB: readings(*plugs), DUMPSYS: readings(*dumps)})


@pytest.mark.parametrize(
    ("current", "voltage", "watts"),
    [
        (-410_000, 3_950_000, 1.6195),
        (410_000, 3_950_000, 1.6195),
        (-410, 3_950_000, 1.6195),
        (410, 3950, 1.6195),
    ],
    ids=["the kernel's way", "sign inverted", "milliamperes", "both in thousandths"],
)
def test_power_is_that_of_the_unit_that_makes_sense(current, voltage, watts):
    found = battery(*[uevent(current, voltage)] * 3)
    assert found.values == pytest.approx([watts] * 3)
    assert (found.scope, found.refusal) == ("battery", None)


def test_the_unit_is_that_of_the_work_and_not_of_the_idle():
    texts = [uevent(-20_000)] * 4 + [uevent(-900_000)] * 4
    assert battery(*texts).values[0] == pytest.approx(0.079)


@pytest.mark.parametrize(
    ("current", "voltage"),
    [(-30_000, 3_950_000), (-7, 3_950_000), (-9_000_000, 3_950_000), (-410_000, 12)],
    ids=["too little in either", "nothing", "a fire", "no voltage"],
)
def test_a_unit_that_cannot_be_told_is_refused(current, voltage):
    found = battery(*[uevent(current, voltage)] * 3)
    assert found.refusal is Reason.UNIT_AMBIGUOUS
    assert found.values.size == 0


@pytest.mark.parametrize(
    ("texts", "more"),
    [
        ([uevent(-326_000, status="Charging")], {}),
        ([uevent(976, status="Not charging")], {}),
        ([uevent(-410_000, status="Full")], {}),
        ([uevent(), uevent(status="Charging"), uevent()], {}),
        ([uevent(-410_000), uevent(410_000)], {}),
        ([uevent()], {"plugs": ("0\n", "1\n")}),
        ([uevent()], {"dumps": (dumpsys_battery(usb="true"),)}),
        ([uevent()], {"dumps": (dumpsys_battery(status=5),)}),
    ],
    ids=[
        *("charging with the sign inverted", "fed but full", "full", "for a moment", "both ways"),
        *("plugged in", "dumpsys: usb", "dumpsys: status"),
    ],
)
def test_a_phone_that_is_fed_is_refused(texts, more):
    assert battery(*texts, **more).refusal is Reason.NOT_DISCHARGING


@pytest.mark.parametrize(
    "dump",
    [
        dumpsys_battery(),
        dumpsys_battery(wireless=False),
        dumpsys_battery(log="[EventLogBuffer]\n  status: 2\n  USB powered: true\n"),
    ],
    ids=["discharging", "no line of wireless", "an old log after it"],
)
def test_what_dumpsys_says_of_a_phone_that_is_not_fed(dump):
    assert battery(uevent(), uevent(), dumps=(dump,)).refusal is None


def test_three_files_do_where_one_does_not():
    texts = dict(zip(FILES, ("-410000\n", "3950000\n", "Discharging\n"), strict=True))
    meter = android_battery.find(listing(texts))
    assert isinstance(meter, Meter)
    assert [source.path for source in meter.sources] == list(FILES)
    found = meter.trace({path: readings(text, text) for path, text in texts.items()})
    assert found.values == pytest.approx([1.6195] * 2)


@pytest.mark.parametrize(
    ("closed", "reason"), [((), Reason.NO_SENSOR), ((UEVENT,), Reason.PERMISSION)]
)
def test_a_phone_whose_battery_does_not_speak_says_why(closed, reason):
    found = android_battery.find(listing(closed=closed))
    assert isinstance(found, Absent)
    assert found.reason is reason


def test_a_battery_that_said_nothing_is_refused():
    assert battery(None, "").refusal is Reason.SENSOR_GAP
