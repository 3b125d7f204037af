"""All monitors, and what they say together."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edgebench.core import DeviceProfile, Reason
from edgebench.device.look import Listing
from edgebench.measure.state.frequency import FREQUENCY
from edgebench.measure.state.load import CANARY, OTHERS, SCHEDULING, SWAPPING
from edgebench.measure.state.monitor import Finding, Monitor, Seen, Watch
from edgebench.measure.state.temperature import TEMPERATURE
from edgebench.measure.state.throttling import ANDROID, JETSON, PI
from edgebench.measure.watched import source_document
from edgebench.runner import WatchSpec

if TYPE_CHECKING:
    from pydantic import JsonValue

MONITORS: Final[Mapping[str, Monitor]] = {
    "temperature": TEMPERATURE,
    "raspberry-pi": PI,
    "jetson": JETSON,
    "android": ANDROID,
    "frequency": FREQUENCY,
    "others": OTHERS,
    "scheduling": SCHEDULING,
    "swapping": SWAPPING,
    "canary": CANARY,
}


def globs() -> tuple[str, ...]:
    """Files that tell which monitors a device has something for."""
    return tuple(glob for monitor in MONITORS.values() for glob in monitor.globs)


def tools() -> tuple[str, ...]:
    """Programs that do."""
    return tuple(tool for monitor in MONITORS.values() for tool in monitor.tools)


def arm(listing: Listing, profile: DeviceProfile) -> tuple[Watch, ...]:
    """The monitors that have something to read on a device."""
    armed = (monitor.arm(listing, profile) for monitor in MONITORS.values())
    return tuple(watch for watch in armed if watch is not None)


def watch_spec(
    watches: Sequence[Watch], *, cpus: tuple[int, ...] | None = None
) -> WatchSpec | None:
    """What the runner is to have watched, from some cores; None where there is nothing to read."""
    sources = tuple(source_document(source) for watch in watches for source in watch.sources)
    return WatchSpec(sources=sources, cpus=cpus) if sources else None


def judged(watches: Sequence[Watch], seen: Seen) -> Finding:
    """What all monitors say of a process; one whose sources told nothing leaves a doubt."""
    facts: dict[str, JsonValue] = {}
    suspect: list[Reason] = []
    invalid: list[Reason] = []
    for watch in watches:
        found = watch.judge(seen)
        if watch.sources and not any(seen.told(source.name) for source in watch.sources):
            suspect.append(Reason.SENSOR_GAP)
        facts |= found.facts
        suspect += found.suspect
        invalid += found.invalid
    bad = tuple(dict.fromkeys(invalid))
    doubtful = tuple(reason for reason in dict.fromkeys(suspect) if reason not in bad)
    return Finding(facts=facts, suspect=doubtful, invalid=bad)
