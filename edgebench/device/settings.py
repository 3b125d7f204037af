"""What a plan may have set on a board while it is measured, and what that is to the board's guard.

A setting is a line of `runners/guard.sh`: a file of the kernel's and its value, or one of the
programs that the guard knows by name. https://docs.kernel.org/admin-guide/pm/cpufreq.html
https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/SD/PlatformPowerAndPerformance/JetsonOrinNanoSeriesJetsonOrinNxSeriesAndJetsonAgxOrinSeries.html
https://source.android.com/docs/core/power/performance (the mode of fixed performance)
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from pydantic import JsonValue

from edgebench.core import MeasureProtocol
from edgebench.device.look import Listing
from edgebench.errors import ConfigError

GOVERNORS: Final = "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor"
AVAILABLE: Final = "/sys/devices/system/cpu/cpufreq/policy*/scaling_available_governors"
# The fan of JetPack 4; later ones, and that of a Pi 5, are a `pwmfan` of hwmon.
OLD_FAN: Final = "/sys/devices/pwm-fan/target_pwm"
# What a power mode, and locked clocks, change with them: put back as it was, whoever had set it.
LIMITS: Final = (
    "/sys/devices/system/cpu/cpufreq/policy*/scaling_max_freq",
    "/sys/devices/system/cpu/cpufreq/policy*/scaling_min_freq",
    "/sys/class/devfreq/*/max_freq",
    "/sys/class/devfreq/*/min_freq",
)
KEPT: Final = "-"
GLOBS: Final = (
    *(GOVERNORS, AVAILABLE, OLD_FAN, *LIMITS),
    *("/sys/class/hwmon/hwmon*/name", "/sys/class/hwmon/hwmon*/pwm1"),
)
TOOLS: Final = ("jetson_clocks", "settings", "input", "cmd")
# https://developer.android.com/reference/android/provider/Settings.Global#STAY_ON_WHILE_PLUGGED_IN
# On whatever feeds it; and where nothing does, the longest time that a phone can be told to wait.
STAY_ON: Final = "7"
SCREEN_OFF_MS: Final = "2147483647"
PWM_MAX: Final = 255
PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?) ?%")

Lines = dict[str, str]
Resolved = tuple[Lines, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a plan asks for; None, or false, leaves what is there.

    Attributes:
        power_mode: Of nvpmodel, by its name or its number.
        jetson_clocks: Whether the clocks are locked to their highest.
        fan: Share of its full speed: `"100 %"`.
        keep_awake: Whether a phone is woken, and its screen kept on.
        fixed_performance: Whether a phone's own mode of steady clocks is turned on.
    """

    governor: str | None = None
    power_mode: str | int | None = None
    jetson_clocks: bool = False
    fan: str | None = None
    keep_awake: bool = False
    fixed_performance: bool = False

    @classmethod
    def of(cls, protocol: MeasureProtocol) -> "Wanted":
        """What a protocol asks for."""
        return cls(
            governor=protocol.governor,
            power_mode=protocol.power_mode,
            jetson_clocks=protocol.jetson_clocks,
            fan=protocol.fan,
            keep_awake=protocol.keep_awake,
            fixed_performance=protocol.fixed_performance,
        )

    def named(self) -> dict[str, JsonValue]:
        """Those that are asked for, by name."""
        return {k: v for k, v in asdict(self).items() if v is not None and v is not False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What decides how a setting is made there: its files and programs, and its facts."""

    listing: Listing
    facts: Mapping[str, JsonValue]


def is_phone(facts: Mapping[str, JsonValue]) -> bool:
    """Whether it is Android: there the shell may set what an app may, and is never root by sudo."""
    return isinstance(facts.get("wakefulness"), Mapping) or isinstance(facts.get("build"), str)


def check_fan(fan: str | None, *, source: str) -> None:
    """Raise ConfigError for a fan's speed that is no share."""
    if fan is None:
        return
    found = PERCENT.fullmatch(fan.strip())
    if found is None or float(found[1]) > 100:
        msg = f"{source}: `fan` is {fan!r}, which is no share of its full speed."
        raise ConfigError(msg, hint='For example: fan = "100 %"')


def governor_lines(board: Board, governor: str) -> Resolved:
    """The files to set for a governor, and of those where it is not to be had, why.

    >>> files = {"/p0/scaling_governor": "ondemand", "/p0/scaling_available_governors": "ondemand"}
    >>> governor_lines(Board(listing=Listing(files=files), facts={}), "performance")
    ({}, ('/p0 has no governor performance, only ondemand',))
    """
    files = board.listing.files
    wanted: Lines = {}
    refused: list[str] = []
    for path, now in sorted(files.items()):
        folder, _, name = path.rpartition("/")
        if name != "scaling_governor" or now.strip() == governor:
            continue
        known = files.get(f"{folder}/scaling_available_governors", governor).split()
        if governor in known:
            wanted[path] = governor
        else:
            refused.append(f"{folder} has no governor {governor}, only {', '.join(known)}")
    if not any(path.endswith("/scaling_governor") for path in files):
        refused.append("the kernel shows no governor")
    return wanted, tuple(refused)


def power_mode_lines(board: Board, asked: str) -> Resolved:
    """The number of a mode, by its number or its name.

    >>> facts = {"power_modes": {"0": "15W", "1": "7W"}, "power_mode": {"id": 1, "name": "7W"}}
    >>> board = Board(listing=Listing(), facts=facts)
    >>> power_mode_lines(board, "15w"), power_mode_lines(board, "7W")
    (({'nvpmodel': '0'}, ()), ({}, ()))
    """
    now = board.facts.get("power_mode")
    modes = board.facts.get("power_modes")
    if not isinstance(now, Mapping):
        return {}, ("there is no nvpmodel here, or it does not say its power mode",)
    pairs = modes.items() if isinstance(modes, Mapping) else ()
    named = {str(number): str(name) for number, name in pairs}
    wanted = [n for n, name in named.items() if asked == n or asked.upper() == name.upper()]
    if not wanted:
        known = ", ".join(f"{number} {name}" for number, name in named.items()) or "none it tells"
        return {}, (f"there is no power mode {asked}, only {known}",)
    if str(now["id"]) == wanted[0]:
        return {}, ()
    return {"nvpmodel": wanted[0], **_limits(board)}, ()


def clock_lines(board: Board, _: str) -> Resolved:
    """That all clocks are locked; known only to root, so that it is asked for in any case."""
    if "jetson_clocks" not in board.listing.tools:
        return {}, ("there is no jetson_clocks here",)
    return {"jetson_clocks": "locked", **_limits(board)}, ()


def _limits(board: Board) -> Lines:
    """Highest before lowest, so that none is ever above the other while they are put back."""
    names = ("scaling_max_freq", "max_freq", "scaling_min_freq", "min_freq")
    return {
        path: KEPT
        for name in names
        for path in sorted(board.listing.files)
        if path.rpartition("/")[2] == name
    }


def fan_lines(board: Board, asked: str) -> Resolved:
    """The duty cycle of the fan, without the service that would change it again.

    >>> files = {"/h/hwmon2/name": "pwmfan", "/h/hwmon2/pwm1": "66"}
    >>> fan_lines(Board(listing=Listing(files=files), facts={"fan_control": "active"}), "100 %")
    ({'nvfancontrol': 'inactive', '/h/hwmon2/pwm1': '255'}, ())
    """
    share = PERCENT.fullmatch(asked.strip())
    files = board.listing.files
    fans = [
        path
        for path in sorted(files)
        if path == OLD_FAN
        or (path.endswith("/pwm1") and files.get(f"{path[:-5]}/name", "").strip() == "pwmfan")
    ]
    if not fans or share is None:
        return {}, ("the kernel shows no fan that can be set",)
    value = str(round(PWM_MAX * float(share[1]) / 100))
    is_controlled = board.facts.get("fan_control") == "active"
    service = {"nvfancontrol": "inactive"} if is_controlled else {}
    return {**service, **dict.fromkeys(fans, value)}, ()


def awake_lines(board: Board, _: str) -> Resolved:
    """A screen that stays on, with a charger and without, and that is on.

    >>> tools = frozenset({"settings", "input"})
    >>> facts = {"wakefulness": {"state": "Asleep"}}
    >>> awake_lines(Board(listing=Listing(tools=tools), facts=facts), "True")
    ({'stay_on': '7', 'screen_off_ms': '2147483647', 'wakefulness': 'Awake'}, ())
    """
    if not {"settings", "input"} <= board.listing.tools or not is_phone(board.facts):
        return {}, ("only a phone can be kept awake, and this device is none",)
    return {"stay_on": STAY_ON, "screen_off_ms": SCREEN_OFF_MS, "wakefulness": "Awake"}, ()


def fixed_lines(board: Board, _: str) -> Resolved:
    """Android's mode of steady clocks, from version 11 on; many a vendor has left it out."""
    if "cmd" not in board.listing.tools or not is_phone(board.facts):
        return {}, ("only a phone has a mode of fixed performance, and this device is none",)
    return {"fixed_performance": "true"}, ()


# In the order in which they are set, and put back: a power mode sets the limits of the clocks.
SETTINGS: Final[Mapping[str, Callable[[Board, str], Resolved]]] = {
    "power_mode": power_mode_lines,
    "jetson_clocks": clock_lines,
    "governor": governor_lines,
    "fan": fan_lines,
    "keep_awake": awake_lines,
    "fixed_performance": fixed_lines,
}


def lines_of(board: Board, wanted: Wanted) -> Resolved:
    """What the guard is to set, in order, and what is not to be had on this board, and why."""
    lines: Lines = {}
    refused: list[str] = []
    asked = wanted.named()
    for name, resolve in SETTINGS.items():
        if name in asked:
            found, why = resolve(board, str(asked[name]))
            # Limits that two settings change are put back after both.
            lines = {k: v for k, v in lines.items() if k not in found} | found
            refused += why
    return lines, tuple(refused)
