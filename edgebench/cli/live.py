"""A run on a terminal while it goes on: a row a device, below the lines that stay."""

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.live import Live
    from rich.table import Table

    from edgebench.workflow.standing import Standing

LOOKS_PER_S = 4


def is_watched() -> bool:
    """Whether stderr is a terminal on which lines can be written anew."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


@contextlib.contextmanager
def live_view() -> "Iterator[Callable[[Standing], None] | None]":
    """Who shows where the devices are, from the first that tells; None without a terminal."""
    if not is_watched():
        yield None
        return
    from rich.console import Console
    from rich.live import Live

    rows: dict[str, tuple[float, Standing]] = {}
    live = Live(
        get_renderable=lambda: table_of(rows, time.monotonic()),
        console=Console(stderr=True, highlight=False),
        refresh_per_second=LOOKS_PER_S,
        transient=True,
    )

    def show(standing: "Standing") -> None:
        rows[standing.device] = (time.monotonic(), standing)
        _begin(live)

    try:
        yield show
    finally:
        live.stop()


def _begin(live: "Live") -> None:
    """Not before there is a row: until then somebody may be asked for a password."""
    if not live.is_started:
        live.start()


def table_of(rows: "dict[str, tuple[float, Standing]]", now_s: float) -> "Table":
    """The rows, each with when it was told; the time that is left goes on in between."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from edgebench.units import show_duration

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("device", "doing", "cells", "block", "°C", "left"):
        table.add_column(name, no_wrap=name != "doing", overflow="ellipsis")
    for told_s, at in list(rows.values()):
        left_s = None if at.left_s is None else max(at.left_s - (now_s - told_s), 0.0)
        table.add_row(
            escape(at.device),
            escape(at.doing),
            f"{at.finished} of {at.cells}",
            f"{at.block} of {at.blocks}" if at.blocks else "—",
            "—" if at.temp_c is None else f"{at.temp_c:.1f}",
            "—" if left_s is None else show_duration(left_s),
        )
    return table
