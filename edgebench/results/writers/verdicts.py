"""What a gate says in Markdown: for a pull request, the verdicts first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from edgebench.results.files import written
from edgebench.results.gates import Case, Mark, Report
from edgebench.results.tables import markdown_grid, markdown_text

# By exit code, what it means.
HEADLINES: Final = {
    "validate": {
        0: "every target holds",
        1: "a target fails",
        3: "a target could not be decided",
    },
    "compare": {
        0: "nothing became worse",
        1: "something became worse",
        3: "something could not be compared",
    },
}


def write(report: Report, path: Path) -> None:
    """Write the file.

    Raises:
        NotDone: It cannot be written.
    """
    with written(path) as file:
        file.write(markdown_of(report).encode("utf-8", "replace"))


def markdown_of(report: Report) -> str:
    """The verdict, what is to be looked at, and folded below it all the rest."""
    return "\n".join(_lines(report)) + "\n"


def headline(report: Report) -> str:
    """What the exit code means, and how many cases of each verdict there are."""
    told = HEADLINES[report.command][report.exit_code]
    return f"{told}: {report.counts()}" if report.cases else told


def _lines(report: Report) -> Iterator[str]:
    yield f"## edgebench {report.command}: {headline(report)}"
    yield ""
    yield markdown_text(report.title)
    if report.notes:
        yield ""
        yield from (f"- differs: {markdown_text(note)}" for note in report.notes)
    looked_at = [case for case in report.cases if case.mark in {Mark.FAILED, Mark.OPEN}]
    rest = [case for case in report.cases if case not in looked_at]
    looked_at.sort(key=lambda case: case.mark is Mark.OPEN)
    if looked_at:
        yield ""
        yield markdown_grid([_row(case, case.said) for case in looked_at], ())
    if rest:
        yield from ("", "<details><summary>all others</summary>", "")
        yield markdown_grid([_row(case, None) for case in rest], ())
        yield from ("", "</details>")


def _row(case: Case, words: str | None) -> dict[str, str]:
    row = {
        "verdict": case.shown,
        "device": case.device,
        "variant": case.subject,
        "of": case.what,
        "measured": case.value,
    }
    return row if words is None else {**row, "why": words}
