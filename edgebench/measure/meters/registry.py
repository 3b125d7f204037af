"""All meters that a device may have of its own, the better ones first."""

from collections.abc import Mapping
from typing import Final

from edgebench.measure.meters import (
    android_battery,
    android_odpm,
    hwmon,
    jetson_hwmon,
    jetson_iio,
    pi_pmic,
    rapl,
    tegrastats,
)
from edgebench.measure.meters.meter import MeterKind

# An add-on that sees the whole board is better than the board's own rails; files are better than
# programs, which themselves take power to run; counters are better than samples.
METERS: Final[Mapping[str, MeterKind]] = {
    "hwmon": hwmon.KIND,
    "ina3221": jetson_hwmon.KIND,
    "ina3221-iio": jetson_iio.KIND,
    "tegrastats": tegrastats.KIND,
    "pi-pmic": pi_pmic.KIND,
    "odpm": android_odpm.DRIVER,
    "power-stats": android_odpm.HAL,
    "android-battery": android_battery.KIND,
    "rapl": rapl.KIND,
}
