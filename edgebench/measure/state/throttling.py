"""What boards say themselves of having slowed down: Raspberry Pi, Jetson, Android."""

import re
from typing import TYPE_CHECKING, Final

from edgebench.core import DeviceProfile, Reason
from edgebench.device.look import Listing
from edgebench.device.phone_readers import hal_temperatures, thermal_status
from edgebench.measure.state.monitor import PERIOD_S, Finding, Monitor, Seen, Watch
from edgebench.measure.watch import Source

if TYPE_CHECKING:
    from pydantic import JsonValue

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled
PI_SOURCE: Final = "get_throttled"
UNDERVOLTAGE_BIT: Final = 0
NOW_BITS: Final = (0, 1, 2, 3)
STICKY_SHIFT: Final = 16

# https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/SD/PlatformPowerAndPerformance/JetsonOrinNanoSeriesJetsonOrinNxSeriesAndJetsonAgxOrinSeries.html
JETSON_PREFIX: Final = "over-current "
JETSON_UNDERVOLTAGE: Final = "oc1_event_cnt"

# https://source.android.com/docs/core/power/thermal-mitigation
ANDROID_SOURCE: Final = "thermalservice"
ANDROID_PERIOD_S: Final = 1.0


def throttled_bits(text: str) -> int | None:
    r"""The mask of `vcgencmd get_throttled`.

    >>> throttled_bits("throttled=0x50005\n") == 0x50005, throttled_bits("error=1\n")
    (True, None)
    """
    found = re.search(r"throttled=0x([0-9a-fA-F]+)", text)
    return int(found[1], 16) if found else None


def _of_bits(now: int) -> tuple[Reason, ...]:
    """Why samples are spoilt, of the four bits of this moment."""
    undervoltage = (Reason.UNDERVOLTAGE,) if now & (1 << UNDERVOLTAGE_BIT) else ()
    throttled = (Reason.THROTTLED,) if now & 0b1110 else ()
    return undervoltage + throttled


def judge_pi(seen: Seen) -> Finding:
    """A bit that was set in any reading, or that came to stay between the first and the last.

    The upper bits stay set until a reboot: those that were set before say nothing.
    """
    masks = [
        bits
        for _, readings in seen.of(PI_SOURCE)
        for r in readings
        if (bits := throttled_bits(r.text or "")) is not None
    ]
    if not masks:
        return Finding(suspect=(Reason.SENSOR_GAP,))
    happened = 0
    for mask in masks:
        happened |= mask & 0b1111
    happened |= (masks[-1] & ~masks[0]) >> STICKY_SHIFT & 0b1111
    return Finding(
        facts={"throttled_before": hex(masks[0]), "throttled_after": hex(masks[-1])},
        invalid=_of_bits(happened),
    )


def _arm_pi(listing: Listing, _: DeviceProfile) -> Watch | None:
    if "vcgencmd" not in listing.tools:
        return None
    source = Source(name=PI_SOURCE, argv=("vcgencmd", "get_throttled"), period_s=PERIOD_S)
    return Watch(sources=(source,), judge=judge_pi)


def judge_jetson(seen: Seen) -> Finding:
    """Events of the over-current detector while samples were taken."""
    counts: dict[str, int] = {}
    for name, readings in seen.of(JETSON_PREFIX):
        values = [int(r.text) for r in readings if r.text and r.text.strip().isdigit()]
        if values:
            counts[name] = values[-1] - values[0]
    happened = {name for name, count in counts.items() if count != 0}
    low = (Reason.UNDERVOLTAGE,) if JETSON_UNDERVOLTAGE in happened else ()
    high = (Reason.OVERCURRENT,) if happened - {JETSON_UNDERVOLTAGE} else ()
    told: dict[str, JsonValue] = {**counts}
    return Finding(facts={"over_current_events": told} if told else {}, invalid=low + high)


def _arm_jetson(listing: Listing, _: DeviceProfile) -> Watch | None:
    paths = [path for path in sorted(listing.files) if re.search(r"/oc\d_event_cnt$", path)]
    sources = tuple(
        Source(name=f"{JETSON_PREFIX}{path.rpartition('/')[2]}", path=path, period_s=PERIOD_S)
        for path in paths
    )
    return Watch(sources=sources, judge=judge_jetson) if sources else None


def judge_android(seen: Seen) -> Finding:
    """Light throttling is a doubt, from moderate on the samples are of another device."""
    texts = [r.text or "" for _, readings in seen.of(ANDROID_SOURCE) for r in readings]
    statuses = [status for text in texts if (status := thermal_status(text)) is not None]
    if not statuses:
        return Finding()
    hottest: dict[str, JsonValue] = {}
    for text in texts:
        for name, value in hal_temperatures(text).items():
            known = hottest.get(name)
            hottest[name] = max(value, known) if isinstance(known, float) else value
    worst = max(statuses)
    throttled = (Reason.THROTTLED,)
    return Finding(
        facts={"thermal_status": worst, "temp_max_c": hottest},
        suspect=throttled if worst == 1 else (),
        invalid=throttled if worst > 1 else (),
    )


def _arm_android(listing: Listing, _: DeviceProfile) -> Watch | None:
    if "dumpsys" not in listing.tools:
        return None
    argv = ("dumpsys", "thermalservice")
    source = Source(name=ANDROID_SOURCE, argv=argv, period_s=ANDROID_PERIOD_S)
    return Watch(sources=(source,), judge=judge_android)


PI: Final = Monitor(arm=_arm_pi, tools=("vcgencmd",))
JETSON: Final = Monitor(arm=_arm_jetson, globs=("/sys/class/hwmon/hwmon*/oc[1-3]_event_cnt",))
ANDROID: Final = Monitor(arm=_arm_android, tools=("dumpsys",))
