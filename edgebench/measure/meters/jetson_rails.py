"""Which rails of a Jetson add up to its module.

https://docs.nvidia.com/jetson/archives/r36.4/DeveloperGuide/SD/PlatformPowerAndPerformance.html
"""

from collections.abc import Collection
from typing import Final

# The whole input of the module where it is measured; else rails that do not overlap. AGX Orin has a
# fourth, VDDQ_VDD2_1V8AO, of which it is not known whether VIN_SYS_5V0 feeds it: it is left out.
TOTALS: Final[tuple[tuple[str, ...], ...]] = (
    ("VDD_IN",),
    ("POM_5V_IN",),
    ("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"),
    ("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),
)


def total_of(labels: Collection[str]) -> tuple[str, ...] | None:
    """The rails to add; None for a board whose rails are not known to add up.

    >>> total_of({"VDD_IN", "VDD_SOC", "VDD_CPU_GPU_CV"})
    ('VDD_IN',)
    """
    return next((total for total in TOTALS if set(total) <= set(labels)), None)
