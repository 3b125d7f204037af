"""On which accelerators a variant is measured, and which of them a board cannot have."""

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from edgebench.compress.lint import Doubt
from edgebench.core import DeviceProfile, Format, Job
from edgebench.errors import ConfigError
from edgebench.plan import PlanDevice
from edgebench.runtimes import ACCELERATORS, DELEGATE, READS, has_accelerator

CPU: Final = "cpu"
# Kernels of the runtime itself: there wherever the runtime is.
KERNELS: Final = frozenset({CPU, "none", "xnnpack"})
# By name of the rule, where it was read.
RULES: Final[Mapping[str, str]] = {
    "accelerator-absent": "device_profiles/README.md, `accelerators`",
    "accelerator-same": "edgebench/measure/README.md, Where it ran",
}


def accelerators_for(asked: Sequence[str], target: Format) -> tuple[str, ...]:
    """What a format is measured on: the CPU first, then what its runtimes know of what was asked.

    >>> accelerators_for(["cuda"], Format.ONNX), accelerators_for(["cuda"], Format.TFLITE)
    (('cpu', 'cuda'), ('cpu',))
    """
    known = (name for name in asked if _is_known(name, target))
    return tuple(dict.fromkeys((CPU, *known)))


def reference_key(job: Job, reference: str | None) -> str | None:
    """What a cell is compared with: on an accelerator the float form there, and that on the CPU.

    So every ratio is that of one change alone: of the variant, or of the accelerator.
    """
    if reference is None:
        return None
    if job.variant == reference:
        return replace(job, accelerator=CPU).key
    return replace(job, variant=reference).key


def check_accelerator(accelerator: str, targets: Iterable[Format]) -> None:
    """Raise ConfigError for an accelerator that no runtime of the formats knows."""
    formats = tuple(dict.fromkeys(targets))
    if any(_is_known(accelerator, target) for target in formats):
        return
    runtimes = dict.fromkeys(runtime for target in formats for runtime in READS[target])
    known = (CPU, *dict.fromkeys(name for runtime in runtimes for name in ACCELERATORS[runtime]))
    near = difflib.get_close_matches(accelerator, known, n=1)
    meant = f"Did you mean {near[0]!r}? " if near else ""
    msg = f"The accelerator {accelerator!r} is not known to the runtimes of these files."
    hint = f"{meant}Accelerators: {', '.join(known)}; of .tflite files {DELEGATE}PATH too."
    raise ConfigError(msg, hint=hint)


def check_device(device: PlanDevice, targets: Iterable[Format]) -> None:
    """Raise ConfigError for an accelerator of a plan's device that is none, or stands twice."""
    formats = tuple(targets)
    for name in device.accelerators:
        if device.accelerators.count(name) > 1:
            msg = f"The device {device.name!r} names the accelerator {name!r} twice."
            raise ConfigError(msg, hint="Each stands for one cell of every variant.")
        check_accelerator(name, formats)


def doubts(
    device: PlanDevice, board: DeviceProfile, targets: Iterable[Format], silence: Sequence[str]
) -> Iterator[Doubt]:
    """What is likely to disappoint about the accelerators that a device was given."""
    formats = tuple(targets)
    for name in device.accelerators:
        if "accelerator-absent" not in silence and _is_absent(name, board):
            has = ", ".join(board.accelerators or ()) or "none beside its CPU"
            text = f"{board.name} has no {name}: its cells will have no numbers; it may have: {has}"
            yield _doubt("accelerator-absent", text)
        if "accelerator-same" not in silence and name == "xnnpack" and Format.TFLITE in formats:
            text = "of .tflite files `cpu` is XNNPACK already: the same is measured twice"
            yield _doubt("accelerator-same", f"{text}; `none` leaves it out")


def _doubt(rule: str, text: str) -> Doubt:
    return Doubt(rule=rule, text=text, source=RULES[rule])


def _is_absent(name: str, board: DeviceProfile) -> bool:
    """Whether a kind of board is known not to have it; a library may be on any board."""
    if name in KERNELS or name.startswith(DELEGATE) or board.accelerators is None:
        return False
    return name not in board.accelerators


def _is_known(name: str, target: Format) -> bool:
    return any(has_accelerator(runtime, name) for runtime in READS[target])
