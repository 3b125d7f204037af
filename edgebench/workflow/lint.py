"""What a plan asks for that is not wrong but brings nothing, on the boards that it names."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from edgebench.compress.lint import Doubt, doubts
from edgebench.core import DeviceProfile, Format
from edgebench.device.inventory import read_inventory
from edgebench.device.profile import GENERIC, THIS_MACHINE, load_profile
from edgebench.plan import PlanDevice
from edgebench.workflow import accelerators
from edgebench.workflow.order import Order

LOCAL: Final = "local://"
# By what `platform.machine()` says, in lower case.
ARCHS: Final[Mapping[str, Literal["arm", "x86"]]] = {
    "x86_64": "x86",
    "amd64": "x86",
    "i386": "x86",
    "i686": "x86",
    "aarch64": "arm",
    "arm64": "arm",
    "armv7l": "arm",
    "armv6l": "arm",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A doubt about one variant in one format, or about a device: the others are None then."""

    variant: str | None = None
    format: Format | None = None
    device: str | None = None
    doubt: Doubt

    def __str__(self) -> str:
        subject = self.device if self.format is None else f"{self.variant} ({self.format})"
        return f"{subject}: {self.doubt.text} [{self.doubt.rule}]"

    def document(self) -> dict[str, str | None]:
        """What `--json` prints of it."""
        return {
            "variant": self.variant,
            "format": self.format.value if self.format else None,
            "device": self.device,
            "rule": self.doubt.rule,
            "text": self.doubt.text,
            "source": self.doubt.source,
        }


def pointless(order: Order) -> tuple[Remark, ...]:
    """What is likely to disappoint, but for the rules that the plan silences."""
    boards = tuple(_board(device) for device in order.devices)
    silence = order.plan.lint.silence
    of_variants = (
        Remark(variant=recipe.name, format=target, doubt=doubt)
        for recipe, formats in order.recipes
        for target in formats
        for doubt in doubts(recipe, target, boards=boards, silence=silence)
    )
    of_devices = (
        Remark(device=device.name, doubt=doubt)
        for device, board in zip(order.devices, boards, strict=True)
        for doubt in accelerators.doubts(device, board, order.targets, silence)
    )
    return (*of_variants, *of_devices)


def _board(device: PlanDevice) -> DeviceProfile:
    """What kind of board a device is, as far as plan and inventory say; nothing is reached."""
    profile, address = device.profile, device.address
    if address is None:
        entry = read_inventory()[device.name]
        profile, address = profile or entry.profile, entry.address
    if profile is None:
        profile = THIS_MACHINE if address == LOCAL else GENERIC
    board = load_profile(profile)
    if profile == THIS_MACHINE:
        return replace(board, arch=ARCHS.get(platform.machine().lower()))
    return board
