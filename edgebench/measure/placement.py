"""What it means for a cell where its nodes really ran."""

from typing import Final

from edgebench.core import Accel, Reason

# Who asks for these asks for no accelerator: XNNPACK is how LiteRT computes on the CPU.
PLAIN: Final = frozenset({"cpu", "none"})


def fell_back(accel: Accel) -> str | None:
    """Why the numbers are not the accelerator's, in words; None where some of them are.

    >>> fell_back(Accel(requested="xnnpack", effective="none", nodes_total=2, nodes_accel=0))
    'None of 2 nodes runs on xnnpack: 0 partitions, all on the CPU.'
    """
    if accel.requested in PLAIN:
        return None
    if accel.nodes_accel == 0:
        return (
            f"None of {accel.nodes_total} nodes runs on {accel.requested}: "
            f"{accel.partitions or 0} partitions, all on the CPU{_listed(accel)}."
        )
    if accel.effective not in {None, accel.requested}:
        return f"The model ran on {accel.effective}, not on {accel.requested}."
    return None


def is_partial(accel: Accel) -> bool:
    """Whether an accelerator was asked for and it is not proven that it does all the work."""
    return accel.requested not in PLAIN and accel.cpu_ops != {}


def placement_doubts(accel: Accel | None) -> tuple[Reason, ...]:
    """Why the numbers deserve doubt."""
    return (Reason.PARTIAL_FALLBACK,) if accel is not None and is_partial(accel) else ()


def _listed(accel: Accel) -> str:
    operations = sorted((accel.cpu_ops or {}).items())
    return f" ({', '.join(f'{n} {name}' for name, n in operations)})" if operations else ""
