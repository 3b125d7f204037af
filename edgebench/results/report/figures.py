"""All charts of a report, in the order of the page."""

from collections.abc import Callable, Sequence
from typing import Final

from edgebench.results.report.contents import Contents
from edgebench.results.report.costs import energy, memory, operations
from edgebench.results.report.figure import Figure
from edgebench.results.report.launches import course, spread
from edgebench.results.report.ratios import across, heat
from edgebench.results.report.steps import steps
from edgebench.results.report.trade import trade
from edgebench.results.report.trend import trend

FIGURES: Final[tuple[Callable[[Contents], Figure], ...]] = (
    *(trade, heat, across, energy),
    *(spread, course, memory, operations, steps),
)


def figures_of(contents: Contents, *, with_trend: bool) -> Sequence[Figure]:
    """Every chart; one that has no data says why."""
    makers = (trend, *FIGURES) if with_trend else FIGURES
    return [make(contents) for make in makers]
