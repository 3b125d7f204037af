"""A report in Markdown: short, for a pull request, the verdicts first."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgebench.results.files import written
from edgebench.results.report.answer import card_of
from edgebench.results.report.contents import Contents, contents_of
from edgebench.results.report.digest import RunDigest
from edgebench.results.report.figure import Entry
from edgebench.results.report.grids import Grid, cells_grid, gaps_grid, reasons_grid
from edgebench.results.report.trend import changes
from edgebench.results.tables import markdown_grid, markdown_text, target_row
from edgebench.results.targets import Verdict


def write(runs: Sequence[RunDigest], path: Path, *, with_trend: bool = False) -> None:
    """Write the report of these runs.

    Raises:
        NotDone: It cannot be written.
    """
    text = markdown_of(contents_of(runs), with_trend=with_trend)
    with written(path) as file:
        file.write(text.encode("utf-8", "replace"))


def markdown_of(contents: Contents, *, with_trend: bool) -> str:
    """The answer, the limits that do not hold, and folded below them all the rest."""
    return "\n".join(_lines(contents, with_trend=with_trend)) + "\n"


def _lines(contents: Contents, *, with_trend: bool) -> Iterator[str]:
    yield "## edgebench: what to ship"
    yield ""
    for here in contents.places:
        card = card_of(here)
        told = f"ship **{markdown_text(card.name)}**" if card.name else card.instead
        yield f"- **{markdown_text(card.place)}**: {told}. {markdown_text(card.why)}"
        for line in card.lines:
            yield f"  - {line.label} {markdown_text(line.text)}"
    if not contents.places:
        yield "Nothing was measured."
    yield from _targets(contents)
    if with_trend:
        yield from _trend(contents)
    for grid in (cells_grid(contents), gaps_grid(contents), reasons_grid(contents)):
        if grid.rows:
            yield from _folded(grid)


def _targets(contents: Contents) -> Iterator[str]:
    """Those that do not hold; of the others how many there are."""
    told = [(here.title, c) for here in contents.places for c in here.targets]
    failing = [(title, c) for title, c in told if c.verdict is not Verdict.PASS]
    if not told:
        return
    yield ""
    yield f"{len(told) - len(failing)} of {len(told)} targets hold."
    if failing:
        yield ""
        rows = [{"device": title, **target_row(c), "place": title} for title, c in failing]
        yield markdown_grid(rows, ("verdict", "place", "variant", "target", "limit", "measured"))


def _trend(contents: Contents) -> Iterator[str]:
    rows = changes(contents)
    yield ""
    yield f"### Over {len(contents.runs)} runs"
    yield ""
    if rows:
        names = ("device", "of", "form", "run", "from", "to", "change")
        yield markdown_grid([_row(names, row) for row in rows], ())
    else:
        yield "No interval moved."


def _folded(grid: Grid) -> Iterator[str]:
    yield ""
    yield f"<details><summary>{grid.title} ({len(grid.rows)})</summary>"
    yield ""
    yield markdown_grid([_row(grid.columns, row) for row in grid.rows], ())
    yield ""
    yield "</details>"


def _row(names: Sequence[str], row: Sequence[Entry]) -> Mapping[str, str]:
    texts = [entry if isinstance(entry, str) else entry[0] for entry in row]
    return dict(zip(names, texts, strict=True))
