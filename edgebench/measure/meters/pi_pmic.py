"""Raspberry Pi 5, 500 and CM5: currents and voltages of the power chip's rails.

https://www.raspberrypi.com/documentation/computers/os.html#vcgencmd (`pmic_read_adc`)

Left out is what is fed from 5 V directly, USB, HATs, NVMe and the fan, and the chip's own loss.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from edgebench.core import Reason
from edgebench.device.look import Listing
from edgebench.measure.energy.trace import Trace
from edgebench.measure.meters.meter import Absent, Meter, MeterKind
from edgebench.measure.meters.readings import Beat, Shape, trace_of
from edgebench.measure.watch import Readings, Source

SOURCE: Final = "pmic"
# Every reading is a process; more of them would be seen in what they measure.
PERIOD_S: Final = 0.5
# Where /proc/device-tree leads to: https://docs.kernel.org/devicetree/usage-model.html
MODEL: Final = "/sys/firmware/devicetree/base/model"
_HAS_PMIC: Final = re.compile(r"Raspberry Pi (5(?!\d)|500|Compute Module 5)")
_ROW: Final = re.compile(
    r"^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]\s*$", re.MULTILINE
)
# https://github.com/raspberrypi/linux/blob/rpi-6.6.y/drivers/hwmon/raspberrypi-hwmon.c: the
# firmware calls less than this an under-voltage.
SUPPLY_MIN_V: Final = 4.63
# Rails of the audio converters, where a firmware has shown 0.6 A.
_CONVERTERS: Final = ("3V3_DAC", "3V3_ADC")
_CONVERTER_MAX_A: Final = 0.1


def find(listing: Listing) -> Meter | Absent:
    """The power chip, by the board's name: `vcgencmd` is on every Pi."""
    model = listing.files.get(MODEL, "").strip()
    if not _HAS_PMIC.search(model):
        return Absent(
            reason=Reason.NO_SENSOR,
            message=f"{model or 'This device'!r} has no power chip that can be asked.",
            hint="Only a Pi 5, 500 or CM5 has one; use a meter between the supply and the board.",
        )
    if "vcgencmd" not in listing.tools:
        return Absent(
            reason=Reason.NO_SENSOR,
            message="There is no `vcgencmd` in PATH.",
            hint="Install it: `sudo apt install raspi-utils`.",
        )
    source = Source(name=SOURCE, argv=("vcgencmd", "pmic_read_adc"), period_s=PERIOD_S)
    return Meter(
        name="vcgencmd pmic_read_adc",
        scope="soc_rails",
        kind="power",
        sources=(source,),
        trace=trace,
    )


def rails(text: str) -> Mapping[str, tuple[float, float]]:
    r"""Amperes and volts of each rail that has both; their rows have different numbers.

    >>> rails("HDMI_A current(22)=0.01000000A\nHDMI_V volt(23)=5.00000000V\nBATT_V volt(25)=3.0V")
    {'HDMI': (0.01, 5.0)}
    """
    found = {(name, unit): float(number) for name, unit, number in _ROW.findall(text)}
    names = [name for name, unit in found if unit == "A" and (name, "V") in found]
    return {name: (found[name, "A"], found[name, "V"]) for name in names}


def trace(readings: Readings) -> Trace:
    """The sum over the rails; refused where it is not the same rails all the time."""
    own = readings.get(SOURCE, ())
    texts = [reading.text for reading in own if reading.text is not None]
    sets = list(dict.fromkeys(tuple(sorted(found)) for text in texts if (found := rails(text))))
    beats = [Beat(time_ns=reading.time_ns, texts=(reading.text,)) for reading in own]
    shape = Shape(kind="power", scope="soc_rails", rails=sets[0] if sets else ())
    summed = trace_of(beats, lambda texts: _watts(texts[0]), shape)
    refusal = summed.refusal
    if len(sets) > 1:
        refusal = Reason.RAIL_SET_CHANGED
    elif any(_is_browning_out(text) for text in texts):
        refusal = Reason.UNDERVOLTAGE
    is_odd = any(_is_odd(text) for text in texts)
    doubts = (Reason.ENERGY_INCONSISTENT,) if is_odd else ()
    return replace(summed, refusal=refusal, doubts=doubts)


def _watts(text: str) -> float | None:
    found = rails(text)
    return sum(amperes * volts for amperes, volts in found.values()) if found else None


def _is_browning_out(text: str) -> bool:
    supply = [float(volts) for name, unit, volts in _ROW.findall(text) if name == "EXT5V"]
    return bool(supply) and supply[0] < SUPPLY_MIN_V


def _is_odd(text: str) -> bool:
    found = rails(text)
    return any(found[name][0] > _CONVERTER_MAX_A for name in _CONVERTERS if name in found)


KIND: Final = MeterKind(scope="soc_rails", find=find, globs=(MODEL,), tools=("vcgencmd",))
